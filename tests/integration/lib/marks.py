"""Parameters that many tests share."""

import os

import pytest

# One worker, and three: for what is about hand-over, churn or storms.
both_crews = pytest.mark.parametrize(
    "workers", [1, pytest.param(3, marks=pytest.mark.threads)],
    ids=["1-worker", "3-workers"])

# For what has to be right with threads, and is no different with one.
threads = pytest.mark.threads

# For what a sanitizer would answer in the daemon's place.
plain = pytest.mark.plain

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

# The relay matrix: once plainly, once copying and once splicing, one of these
# with one worker and the other with three (lib/ways.py).
every_way = pytest.mark.ways

# The same with client and server in each other's place.
both_sides = pytest.mark.parametrize("first", ["client", "upstream"])


def sides(client, upstream, first):
    """(who goes first, the other)."""
    return (client, upstream) if first == "client" else (upstream, client)
