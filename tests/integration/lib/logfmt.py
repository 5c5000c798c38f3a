"""A reader of logfmt that takes nothing else: NAME=VALUE, one blank between
two, a value without quotes or a JSON string.

As a program it reads lines and prints how many there were; one that is no
logfmt ends it.
"""

import json
import re
import sys

WORD = r'[^\x00-\x20\x7f="]++'
STRING = r'"(?:[^"\\\x00-\x1f\x7f]|\\(?:["\\/bfnrt]|u[0-9a-f]{4}))*+"'
PAIR = rf"({WORD})=({WORD}|{STRING})"
LINE = re.compile(rf"{PAIR}(?: {PAIR})*+")
PAIRS = re.compile(rf"{PAIR}(?: |$)")


def value_of(text):
    """A number is one where it has no quotes."""
    if text.startswith('"'):
        return json.loads(text)
    return int(text) if text.isascii() and text.isdigit() else text


def parse(line):
    """The pairs of a line in order, as a dictionary; no name comes twice."""
    assert LINE.fullmatch(line), f"no logfmt: {line!r}"
    pairs = PAIRS.findall(line)
    values = {name: value_of(text) for name, text in pairs}
    assert len(values) == len(pairs), f"a name comes twice: {line!r}"
    return values


def main():
    count = 0
    for line in sys.stdin.buffer:
        parse(line.decode().removesuffix("\n"))
        count += 1
    print(count)


if __name__ == "__main__":
    main()
