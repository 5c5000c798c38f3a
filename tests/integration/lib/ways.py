"""The relay matrix: how bytes are moved, and by how many workers.

Each test of the data path is run plainly (relay = auto), and once with each of
the other two, which share out one worker and three: over all tests every pair
comes up often, at half the price of all of them.
"""

import zlib
from dataclasses import dataclass

import pytest

from .proxy import RELAY


@dataclass(frozen=True)
class Way:
    """What a proxy is given where its test does not say it."""

    relay: str = "auto"
    workers: int = 1

    def __str__(self):
        return f"{self.relay}-{self.workers}"

    @property
    def listener(self):
        return {} if self.relay == "auto" else {"relay": self.relay}


PLAIN = Way()


def ways_of(name):
    """Those of a test.  With SLUICE_RELAY all are run in one way already."""
    if RELAY is not None:
        return [PLAIN]
    swapped = zlib.crc32(name.encode()) % 2
    return [PLAIN, Way("copy", 3 if swapped else 1),
            Way("splice", 1 if swapped else 3)]


def parametrize(metafunc):
    """A test that is run with one worker and with three anyway is not run with
    both in every way: see belongs()."""
    ways = ways_of(metafunc.function.__name__)
    metafunc.parametrize("way", [
        pytest.param(way, id=str(way), marks=[pytest.mark.threads]
                     if way.workers == 3 else []) for way in ways],
        indirect=True)


def belongs(item):
    """Whether a test with its parameters is part of the matrix."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    way = params.get("way", PLAIN)
    return way == PLAIN or params.get("workers", way.workers) == way.workers
