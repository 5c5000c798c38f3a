"""Results as tables: of each workload, and of all ratios."""

from subjects import SUBJECTS

MARKS = {"aim": "++", "must": "+", "missed": "-", None: ""}


def in_order(names):
    order = [s.name for s in SUBJECTS]
    return sorted(names, key=lambda n: (order.index(n) if n in order
                                        else 0.5))


def number(value, digits):
    return f"{value:,.{digits}f}"


def spread(found, digits):
    return (f"{number(found['median'], digits)} "
            f"({number(found['low'], digits)}-"
            f"{number(found['high'], digits)})")


def ratio(found):
    """The median and quartiles, the mark, and the interval if that counts."""
    digits = 1 if found["median"] >= 10 else 2
    text = spread(found, digits)
    if found.get("must") == "interval":
        bounds = found["interval"]
        text += " [" + ("-".join(f"{b:.2f}" for b in bounds) if bounds
                        else "?") + "]"
    return f"{text} {MARKS[found.get('met')]}".strip()


def aligned(rows):
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        yield "  ".join(map(str.ljust, row, widths)).rstrip()


def workload_rows(data, outcomes):
    """A line a subject."""
    name = outcomes[0]["workload"]
    busy = data["busy"].get(name, {})
    has_cpu = any(o["key"] in ("cpu", "used") for o in outcomes)
    digits = next((o["digits"] for o in outcomes
                   if o["key"] in ("cpu", "used")), 0)
    heads = [f"{o['name']}, {o['unit']}" for o in outcomes]
    yield [outcomes[0]["title"], *heads,
           *(["kernel threads", "load busy"] if has_cpu else [])]
    names = {n for o in outcomes for n in o["subjects"]}
    for subject in in_order(names):
        cells = [spread(o["subjects"][subject], o["digits"])
                 if subject in o["subjects"] else "" for o in outcomes]
        if has_cpu:
            own = busy.get(subject, {})
            cells.append(number(own["kernel"], digits)
                         if "kernel" in own else "")
            cells.append(f"{own['client']:.0%} {own['server']:.0%}"
                         if "client" in own else "")
        yield [subject, *cells]


def by_workload(outcomes):
    found = {}
    for o in outcomes:
        found.setdefault(o["workload"], []).append(o)
    return found.values()


def compared(data):
    """Who sluice is compared with."""
    return in_order({n for o in data["outcomes"] for n in o["ratios"]})


def row_name(o):
    return f"{o['title']}: {o['name']}"


def summary_rows(data):
    """The primary numbers.  Beside no proxy at all a cost is nothing, so there
    it is the rate."""
    others = compared(data)
    rates = {o["workload"]: {"direct": o["ratios"]["direct"]}
             for o in data["outcomes"]
             if o["key"] == "rate" and "direct" in o["ratios"]}
    yield ["sluice's / that of", "sluice",
           *("direct (rate)" if n == "direct" else n for n in others)]
    for o in data["outcomes"]:
        own = o["subjects"].get("sluice")
        if not o["primary"] or not own:
            continue
        ratios = {**rates.get(o["workload"], {}), **o["ratios"]}
        yield [row_name(o), f"{number(own['median'], o['digits'])} {o['unit']}"
               f" {MARKS[own.get('met')]}".strip(),
               *(ratio(ratios[n]) if n in ratios else "" for n in others)]


def conditions(data):
    m = data["machine"]
    versions = ", ".join(f"{n} {v}" for n, v in data["versions"].items() if v)
    return (f"{data['date']}; {m['cpus']} x {m['model']}, {m['memory_gib']} GiB,"
            f" Linux {m['kernel']}, congestion control {data['congestion']};"
            f" {data['rounds']} rounds, {data['seconds']} s a sample.\n"
            f"{versions}.")


LEGEND = ("median (quartiles) of the ratios of paired samples; [95 % interval of"
          " the median];\n++ the aim is met, + the must, - not even that")


def text(data):
    yield conditions(data)
    for outcomes in by_workload(data["outcomes"]):
        yield ""
        yield from aligned(list(workload_rows(data, outcomes)))
    yield ""
    yield from aligned(list(summary_rows(data)))
    yield LEGEND
    for failure in data["failures"]:
        yield f"FAILED: {failure}"


def markdown(data):
    """The summary, as it stands in README.md."""
    head, *rows = summary_rows(data)
    yield conditions(data)
    yield ""
    yield "| " + " | ".join(head) + " |"
    yield "|---" + "|--:" * (len(head) - 1) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    for failure in data["failures"]:
        yield f"\nFailed: {failure}"
