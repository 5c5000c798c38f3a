"""The benchmark works: it measures all that it says it does, and its load sees
each byte that a proxy spoils."""

import contextlib
import json
import re
import socket
import subprocess
import sys
import xml.etree.ElementTree as tree

import pytest

from lib.marks import plain
from lib.peers import Task
from lib.proxy import ROOT
from lib.timing import limit

sys.path.append(str(ROOT / "tests" / "bench" / "lib"))
from measure import LoadServer, Spread, build, load             # noqa: E402

# What is built here is built once.
pytestmark = [plain, pytest.mark.xdist_group("bench")]

CHUNK = 65536


@pytest.fixture
def load_server(stage):
    build()
    return lambda kind: stage.keep(LoadServer(kind))


def spoiler(server, spoil, towards):
    """The script of a proxy that spoils what goes towards one side."""
    def copy(source, target, change):
        sent = 0
        with contextlib.suppress(OSError):  # the load leaves when it sees it
            while piece := source.recv(CHUNK):
                target.sendall(change(sent, piece))
                sent += len(piece)
            target.shutdown(socket.SHUT_WR)

    def script(peer):
        with socket.create_connection(server.address) as far:
            ways = [(peer.sock, far), (far, peer.sock)]
            ways.sort(key=lambda way: (way[1] is far) == (towards == "server"))
            clean, spoilt = ways
            background = Task(copy, *clean, lambda at, piece: piece)
            copy(*spoilt, spoil)
            background.result()
    return script


def flip(at, piece):
    return bytes([piece[0] ^ 1]) + piece[1:] if at > 1000 else piece


def drop(at, piece):
    return piece[:-1] if at > 1000 else piece


def double(at, piece):
    return piece + piece if at > 1000 else piece


def swap(at, piece):
    half = len(piece) // 2
    return piece[half:] + piece[:half] if at > 1000 else piece


def honest(at, piece):
    return piece


@pytest.mark.parametrize("spoil", [flip, drop, double, swap, honest])
@pytest.mark.parametrize("kind", ["upload", "download"])
def test_the_load_sees_each_spoilt_byte(stage, load_server, kind, spoil):
    server = load_server("sink" if kind == "upload" else "source")
    server.report("all")
    towards = "server" if kind == "upload" else "client"
    between = stage.server(spoiler(server, spoil, towards))
    told = load(kind, between.port, seconds=0.2, v=True)
    assert told["bytes"] > 1000 or spoil is not honest
    wrong = (server.report() if kind == "upload" else told)["wrong"]
    assert wrong == (spoil is not honest)


def test_the_load_sees_the_answer_to_somebody_else(stage, load_server):
    server = load_server("answer")
    others = stage.connect(server.address)
    alone = load("pingpong", server.address[1], seconds=0.05)
    assert alone["wrong"] == 0 and alone["done"] > 0
    others.close()

    # Each gets what the one before him said.
    said = [b"\0" * 64]

    def script(peer):
        with contextlib.suppress(OSError):  # it leaves in the middle
            while piece := peer.recv(64):
                said.append(piece)
                peer.send(said[-2])

    between = stage.server(script)
    told = load("pingpong", between.port, seconds=0.2, c=2)
    assert told["wrong"] > 0 and "Bad message" in told["error"]


def test_pings_are_timed(load_server):
    server = load_server("answer")
    told = load("pingpong", server.address[1], seconds=0.2, c=4, r=1000)
    assert 0 < told["done"] <= 201
    assert (0 < told["p50"] <= told["p90"] <= told["p99"] <= told["p999"]
            <= told["max"])


@pytest.mark.parametrize("count, ends", [(5, None), (6, (0, 5)), (9, (1, 7)),
                                         (15, (3, 11)), (20, (5, 14))])
def test_the_interval_of_a_median(count, ends):
    """The ranks are those of any table of the sign test, at 5 %."""
    assert Spread(range(count)).interval() == ends


def bench(*args):
    done = subprocess.run(
        [ROOT / "tests" / "bench" / "run", *args], cwd=ROOT,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, timeout=limit(60))
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_a_short_run(tmp_path):
    done = bench(
        "-r", "2", "-t", "0.05", "-s", "sluice,haproxy,direct", "-w",
        "upload-1,download-8,pingpong-64-64,connections,mixed-upload,memory,"
        "calls", "--sessions", "50", "-o", tmp_path / "json", "-p", tmp_path / "svg")
    assert "round 2 of 2" in done.stderr
    data = json.loads((tmp_path / "json").read_text())
    assert data["failures"] == []
    assert re.fullmatch(r"[a-z0-9]+", data["congestion"])
    found = {(o["workload"], o["key"]): o for o in data["outcomes"]}
    for key in (("upload-1", "cpu"), ("download-8", "cpu"),
                ("pingpong-64-64", "cpu"), ("connections", "cpu"),
                ("mixed-upload", "p99"), ("mixed-upload", "bulk")):
        values = {name: ratio["values"]
                  for name, ratio in found[key]["ratios"].items()}
        # No proxy at all costs nothing.
        assert values.keys() == ({"haproxy", "direct"} if "mixed" in key[0]
                                 else {"haproxy"}), key
        assert all(len(v) == 2 and min(v) > 0 for v in values.values())
    assert found["upload-1", "rate"]["ratios"].keys() > {"direct"}
    assert found["upload-1", "cpu"]["ratios"]["haproxy"]["met"] in (
        "aim", "must", "missed")
    assert found["memory", "moved50"]["subjects"]["sluice"]["median"] > 0
    for calls in found["calls", "request"]["subjects"].values():
        assert calls["median"] > 3.9    # to receive and send, twice
    assert data["busy"]["upload-1"]["sluice"]["client"] > 0

    svg = tree.parse(tmp_path / "svg").getroot()
    assert svg.tag == "{http://www.w3.org/2000/svg}svg"
    words = [element.text for element in svg.iter() if element.text]
    assert "haproxy" in words and "upload, 1 stream: proxy CPU" in words

    again = bench("--show", tmp_path / "json", "--markdown", "-p", "")
    assert "| upload, 1 stream: proxy CPU | " in again.stdout


def test_each_way_to_balance_has_its_price():
    """And none that grows with the servers where it must not."""
    subprocess.run(["make", "-s", "-C", ROOT, "picks"], check=True,
                   timeout=limit(300), stdout=subprocess.DEVNULL)
    lines = subprocess.run([ROOT / "build" / "picks", "5"], check=True,
                           capture_output=True, text=True,
                           timeout=limit(60)).stdout.splitlines()
    prices = {line[:29].strip(): [int(n) for n in line[29:].split()]
              for line in lines[1:]}
    assert all(len(price) == 3 and min(price) > 0
               for price in prices.values())
    for way in ("round_robin", "hash", "first"):
        few, _, many = prices[f"{way:15} equal"]
        assert many < 20 * few
    assert len(prices) == 19
