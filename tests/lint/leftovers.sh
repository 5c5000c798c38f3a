#!/bin/sh
# What is not done is written down elsewhere; what is switched off is removed.
cd "$(dirname "$0")/../.." || exit 1

! grep -rnIEs '\b(TO[D]O|FIX[M]E|XX[X])\b|^[ \t]*#[ \t]*if[ \t]+[0]\b' \
    src include tests conf Makefile README.md --exclude-dir=__pycache__
