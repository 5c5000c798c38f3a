"""What all rounds say, as plain data: tables, plot and JSON are made of it.

An outcome is one number of one workload for every subject, and how many times
that of another subject sluice's is: the ratio of two samples of the same round."""

import datetime
import os
import pathlib
import platform
import re

from measure import Spread

# must, aim, and whether less is better; of SPEED.
TARGETS = {}
for stream in "upload-1", "upload-8", "download-1", "download-8":
    TARGETS[stream, "cpu"] = {"haproxy": (0.2, None), "nginx": (0.25, None),
                              "haproxy splice": (0.55, None),
                              "haproxy tuned": (None, 0.85)}
for name, haproxy, nginx in (
        ("pingpong-64-1", (0.75, 0.60), 0.85),
        ("pingpong-64-64", (0.88, 0.75), 0.87),
        ("pingpong-64-1000", (0.80, 0.65), 0.76),
        ("connections", (0.87, 0.75), 0.82)):
    # "interval": its upper end is to be below 1.
    TARGETS[name, "cpu"] = {"haproxy": haproxy, "nginx": ("interval", nginx)}
for name in "mixed-upload", "mixed-download":
    TARGETS[name, "p99"] = {"haproxy": (1.5, 1.0), "nginx": (1.0, None)}
    TARGETS[name, "bulk"] = {"haproxy": (4, 5)}
MEMORY = 1, 0.5             # KiB, of sluice itself


def met(ratio, target, low):
    """"aim", "must" or "missed"; None where there is no target."""
    must, aim = target
    value = ratio["median"]

    def reached(bound):
        if bound is None:
            return None
        if bound == "interval":
            return (ratio["interval"] is not None and
                    len(ratio["values"]) >= 15 and ratio["interval"][1] < 1)
        return value <= bound if low else value >= bound

    if reached(aim) and reached(must) is not False:
        return "aim"
    if must is None:
        return None if aim is None else "missed"
    return "must" if reached(must) else "missed"


def spread(values):
    found = Spread(values)
    return {**found.as_json(), "interval": found.interval()}


def outcome(workload, metric, samples):
    """samples: subject -> round -> sample."""
    found = {"workload": workload.name, "title": workload.title,
             "sort": workload.sort, **metric.as_json(), "subjects": {},
             "ratios": {}}
    by_round = {name: {n: s[metric.key] for n, s in rounds.items()
                       if s.get(metric.key) is not None}
                for name, rounds in samples.items()}
    ours = by_round.get("sluice", {})
    for name, rounds in by_round.items():
        if not rounds or (name == "direct" and metric.unit.startswith(
                ("s/", "us/"))):
            continue
        found["subjects"][name] = spread(rounds.values())
        pairs = [ours[n] / value for n, value in rounds.items()
                 if n in ours and value > 0]
        if name != "sluice" and pairs:
            found["ratios"][name] = ratio = spread(pairs)
            target = TARGETS.get((workload.name, metric.key), {}).get(name)
            if target:
                ratio["must"], ratio["aim"] = target
                ratio["met"] = met(ratio, target, metric.low)
    if workload.sort == "memory" and "sluice" in found["subjects"]:
        own = found["subjects"]["sluice"]
        own["must"], own["aim"] = MEMORY
        own["met"] = met(own, MEMORY, True)
    return found


def busy(samples):
    """How busy the threads of the load were: the most of the medians."""
    found = {}
    for name, rounds in samples.items():
        both = {key: Spread([s[key] for s in rounds.values()]).median
                for key in ("client", "server", "kernel")
                if rounds and all(key in s for s in rounds.values())}
        if both:
            found[name] = both
    return found


def machine():
    model = re.search(r"model name\s*: (.*)",
                      pathlib.Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal: +(\d+)",
                       pathlib.Path("/proc/meminfo").read_text())
    return {"cpus": len(os.sched_getaffinity(0)),
            "model": model[1] if model else platform.machine(),
            "memory_gib": round(int(memory[1]) / 2**20, 1),
            "kernel": platform.release()}


def collect(args, subjects, workloads, samples, stage, failures):
    """samples: workload -> subject -> round -> sample."""
    outcomes = [outcome(w, m, samples[w.name]) for w in workloads
                for m in w.metrics if samples[w.name]]
    return {
        "date": datetime.date.today().isoformat(), "machine": machine(),
        "congestion": " and ".join(sorted(stage.congestion)) or "?",
        "rounds": args.r, "seconds": args.t,
        "versions": {s.name: s.version() for s in subjects},
        "outcomes": [o for o in outcomes if o["subjects"]],
        "busy": {w.name: busy(samples[w.name]) for w in workloads},
        "failures": failures}
