#!/bin/sh
# The top level is fixed; what begins with a dot is for tools.
cd "$(dirname "$0")/../.." || exit 1

wanted="LICENSE Makefile README.md conf include src tests"
there=$({ git ls-files -co --exclude-standard 2>/dev/null ||
    find . -type f | sed 's,^\./,,' | grep -v '^build/'; } |
    cut -d/ -f1 | grep -v '^\.' | LC_ALL=C sort -u | tr '\n' ' ')

test "${there% }" = "$wanted" || {
	echo "the top level is:   $there"
	echo "and is to be:       $wanted"
	exit 1
}
