"""What is written for people: manuals in mdoc, pages in markdown."""

import re


def _blocks(text, begin, end):
    """(line, text) of each block between two kinds of lines."""
    lines = text.splitlines()
    found, start = [], None
    for number, line in enumerate(lines, 1):
        if start is None and re.match(begin, line):
            start = number
        elif start is not None and re.match(end, line):
            found.append((start + 1, "\n".join(lines[start:number - 1]) + "\n"))
            start = None
    return found


def _without_roff(text):
    for escape, meant in (r"\&", ""), (r"\-", "-"), (r"\e", "\\"):
        text = text.replace(escape, meant)
    return text


def literal_blocks(path):
    """(line, text) of what a page shows as it is to be typed."""
    text = path.read_text()
    if path.suffix == ".md":
        return _blocks(text, r"```", r"```")
    return [(line, _without_roff(block)) for line, block in
            _blocks(text, r"\.Bd -literal", r"\.Ed")]


def configurations(path):
    """(line, text) of those that are a proxy.ini."""
    return [(line, text) for line, text in literal_blocks(path)
            if re.search(r"^\[(global|defaults|listener|upstream)\b", text,
                         re.M)]
