"""The ratios as an SVG: a row a number, a lane a peer; left is better."""

import math
from xml.sax.saxutils import escape

from report import compared, conditions, row_name

COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#e69f00",
           "#56b4e9", "#7a5195", "#8c564b"]
LEFT, WIDTH, RIGHT = 390, 640, 30
LANE, GAP, TOP = 7, 9, 118
TICKS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]
SORTS = {"bulk": "bulk", "pingpong": "ping-pong", "connections": "connections",
         "mixed": "ping-pong beside bulk", "real": "real clients",
         "memory": "memory",
         "calls": "system calls"}


class Axis:
    """Logarithmic; holds all that is drawn."""

    def __init__(self, values):
        self.low = max(t for t in TICKS if t <= max(min(values), TICKS[0]))
        self.high = min(t for t in TICKS if t >= min(max(values), TICKS[-1]))

    def x(self, value):
        value = min(max(value, self.low), self.high)
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return LEFT + WIDTH * part

    def ticks(self):
        return [t for t in TICKS if self.low <= t <= self.high]


def turned(outcome, ratio):
    """The median, the quartiles and the bound that must be reached, turned
    over where more is better."""
    must = ratio.get("must")
    must = 1 if must == "interval" else must
    if outcome["low"]:
        return ratio["median"], ratio["low"], ratio["high"], must
    return (1 / ratio["median"], 1 / ratio["high"], 1 / ratio["low"],
            must and 1 / must)


def text(x, y, words, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(words)}</text>'


def line(x1, y1, x2, y2, colour, width=1, more=""):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
            f' stroke="{colour}" stroke-width="{width}" {more}/>')


def lane(axis, outcome, ratio, y, colour):
    median, low, high, must = turned(outcome, ratio)
    yield line(axis.x(low), y, axis.x(high), y, colour, 2, 'opacity="0.6"')
    yield (f'<circle cx="{axis.x(median):.1f}" cy="{y:.1f}" r="3.6"'
           f' fill="{colour}"/>')
    if must is not None:
        x = axis.x(must)
        yield line(x, y - 4, x, y + 4, colour, 1.5)


def legend(names, colours):
    x = LEFT
    for name in names:
        yield f'<circle cx="{x:.1f}" cy="86" r="4.5" fill="{colours[name]}"/>'
        yield text(x + 9, 90, name)
        x += 24 + 6.6 * len(name)


def rows(outcomes, names, axis, colours):
    """Returns the elements, and where the last row ends."""
    found, y, sort = [], TOP, None
    height = LANE * len(names)
    for n, outcome in enumerate(outcomes):
        if outcome["sort"] != sort:
            sort = outcome["sort"]
            y += 20
            found.append(text(20, y - 4, SORTS[sort], 'font-weight="bold"'))
        if n % 2 == 0:
            found.append(f'<rect x="20" y="{y:.1f}" width="{LEFT + WIDTH}"'
                         f' height="{height + GAP}" fill="#f3f3f3"/>')
        label = row_name(outcome) + ("" if outcome["low"] else ", inverse")
        found.append(text(LEFT - 10, y + (height + GAP) / 2 + 4, label,
                          'text-anchor="end"'))
        for i, name in enumerate(names):
            if name in outcome["ratios"]:
                found += lane(axis, outcome, outcome["ratios"][name],
                              y + GAP / 2 + LANE * (i + 0.5), colours[name])
        y += height + GAP
    return found, y


def grid(axis, bottom):
    for tick in axis.ticks():
        x = axis.x(tick)
        yield line(x, TOP, x, bottom, "#555" if tick == 1 else "#ccc",
                   2 if tick == 1 else 1)
        yield text(x, TOP - 4, f"{tick:g}", 'text-anchor="middle"')
        yield text(x, bottom + 16, f"{tick:g}", 'text-anchor="middle"')


def plot(data):
    names = [n for n in compared(data) if n != "direct"]
    outcomes = [o for o in data["outcomes"] if o["primary"] and
                any(n in o["ratios"] for n in names)]
    values = [v for o in outcomes for n in names if n in o["ratios"]
              for v in turned(o, o["ratios"][n])[:3] if v > 0]
    axis = Axis([*values, 0.5, 2])
    colours = dict(zip(names, COLOURS * 9))
    drawn, bottom = rows(outcomes, names, axis, colours)
    width, height = LEFT + WIDTH + RIGHT, bottom + 44
    conditions_1, conditions_2 = conditions(data).split("\n")
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}"'
        f' height="{height:.0f}" font-family="sans-serif" font-size="12"'
        ' fill="#222">',
        '<rect width="100%" height="100%" fill="white"/>',
        text(20, 28, "Sluice compared with other proxies: its cost, divided by"
             " theirs in the same round", 'font-size="17"'),
        text(20, 47, conditions_1, 'fill="#666" font-size="11"'),
        text(20, 62, conditions_2, 'fill="#666" font-size="11"'),
        *legend(names, colours),
        *[d for d in drawn if d.startswith("<rect")],
        *grid(axis, bottom),
        *[d for d in drawn if not d.startswith("<rect")],
        text(axis.x(1) - 12, bottom + 34, "← Sluice is better",
             'text-anchor="end"'),
        text(axis.x(1) + 12, bottom + 34, "the other is better →"),
        text(20, bottom + 34, "● median  — quartiles  | must be left of"),
        "</svg>", ""])
