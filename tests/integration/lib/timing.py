"""Waiting: for a condition, or to see that nothing happens."""

import os
import time

SLOW = int(os.environ.get("SLUICE_SLOW", "1"))

# How often a race is run; it is lost now and then at most.
ROUNDS = int(os.environ.get("SLUICE_ROUNDS", "500"))


def limit(seconds):
    """A time limit, longer where a sanitizer slows the daemon down."""
    return seconds * SLOW


def wait_for(check, seconds, what):
    """The first true value of check(); fails after limit(seconds)."""
    until = time.monotonic() + limit(seconds)
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"not within {limit(seconds)} s: {what}")
        time.sleep(0.005)


def nothing_happens_for(seconds, check, what):
    """Fails as soon as check() is true: a bounded wait, never scaled."""
    until = time.monotonic() + seconds
    while True:
        value = check()
        assert not value, f"happened within {seconds} s: {what}: {value}"
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(0.02, left))


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self):
        self.started = time.monotonic()

    @property
    def seconds(self):
        return time.monotonic() - self.started
