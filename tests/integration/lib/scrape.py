"""The page for Prometheus, read as its format says."""

import re

from .admin import ask

SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"(?:,|$)')
ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


def unescape(value):
    return re.sub(r"\\.", lambda m: ESCAPES[m[0]], value)


class Metrics:
    """The samples of one scrape."""

    def __init__(self, text):
        self.text = text
        self.samples = {}
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            name, labels, value = SAMPLE.fullmatch(line).groups()
            key = name, frozenset((k, unescape(v))
                                  for k, v in LABEL.findall(labels or ""))
            assert key not in self.samples, f"twice: {line}"
            self.samples[key] = float(value)

    def get(self, name, /, **labels):
        """The one sample with exactly these labels."""
        return self.samples[name, frozenset(labels.items())]

    def all(self, name, /, **labels):
        """Those with these labels and any others: labels -> value."""
        wanted = set(labels.items())
        return {key: value for (n, key), value in self.samples.items()
                if n == name and wanted <= key}

    def sum(self, name, /, **labels):
        found = self.all(name, **labels)
        assert found, f"no sample of {name} with {labels}"
        return sum(found.values())


def scrape(address):
    reply = ask(address, "/metrics")
    assert reply.status == 200, reply.body
    return Metrics(reply.body)
