"""Where in the source an address is."""

import collections
import re
import subprocess


class Symbols:
    """Asks addr2line once a file for all that will be needed."""

    def __init__(self):
        self.known = {}

    def learn(self, places):
        missing = collections.defaultdict(set)
        for path, offset in places:
            if (path, offset) not in self.known:
                missing[path].add(offset)
        for path, offsets in missing.items():
            self._ask(path, sorted(offsets))

    def _ask(self, path, offsets):
        out = subprocess.run(
            ["addr2line", "-Cfe", path], text=True, capture_output=True,
            input="".join(f"{o:#x}\n" for o in offsets)).stdout.splitlines()
        for i, offset in enumerate(offsets):
            name, where = out[2 * i:2 * i + 2] or ("??", "??")
            where = re.sub(r" \(discriminator.*", "", where)
            where = re.sub(r"^.*/(src|tests)/", r"\1/", where)
            if where.startswith("??"):
                where = path.rpartition("/")[2]
            self.known[path, offset] = name, where

    def stack(self, places, depth=8):
        """The callers, nearest first, without our own functions."""
        self.learn(places)
        names = [self.known[place] for place in places]
        while names and "tests/faults/" in names[0][1]:
            names.pop(0)
        return [f"{name} ({where})" for name, where in names[:depth]
                if name != "??" or "lib" not in where]
