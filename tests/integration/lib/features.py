"""What the daemon under test was built with, and marks for what takes it."""

import subprocess

import pytest

from .proxy import BINARY

SAID = subprocess.run([BINARY, "-V"], stdout=subprocess.PIPE, text=True).stdout
HAS_CARES = "names by c-ares" in SAID
HAS_TLS = "OpenSSL none" not in SAID

with_cares = pytest.mark.skipif(not HAS_CARES, reason="built without c-ares")
with_tls = pytest.mark.skipif(not HAS_TLS, reason="built without OpenSSL")
