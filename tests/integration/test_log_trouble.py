"""Catalogue case 96: a log device that is full, stopped, slow or gone is in
nobody's way, and what it did not take is counted and told."""

import json
import os
import pathlib
import re
import signal

import pytest

from lib import logfmt
from lib.logs import (Drops, Fifo, check_shape, inside, load, room, session,
                      start, wait_until_all_are_told, warn, whole_lines)
from lib.marks import root_only, threads
from lib.proxy import NO_LEAKS
from lib.timing import Stopwatch, limit, nothing_happens_for, wait_for



@pytest.mark.usefixtures("own_mounts")
@pytest.mark.parametrize("format", ["text", "json"])
def test_96_a_full_disk(stage, format):
    """What does not fit is counted and told once there is space again, and
    the half line that did has no other glued to it."""
    folder = stage.folder / "disk"
    folder.mkdir()
    proxy = start(stage, access_log=f"file:{folder}/log",
                  log_format=format, prefix=room(
                      f"mount -t tmpfs -o size=256k tmpfs {folder}",
                      f"head -c 128k /dev/zero >{folder}/ballast"))
    log = inside(proxy, f"{folder}/log")
    assert load(stage, proxy.at, 800) < limit(2)
    proxy.wait_for_line(rf"access_log: {folder}/log: No space left on device; "
                        "until it does better, lines are dropped")
    assert load(stage, proxy.at, 200) < limit(2)
    inside(proxy, f"{folder}/ballast").unlink()
    proxy.wait_for_line(r"records dropped: No space left on device for \d+s")
    session(stage, proxy.at)
    parse = logfmt.parse if format == "text" else json.loads

    def records():
        """Those that are whole; half a line may be there, once."""
        found, torn, told = 0, 0, ""
        for line in whole_lines(log):
            try:
                line = parse(line)
                check_shape(line)
            except (AssertionError, ValueError):
                torn += 1
            else:
                found += "event" in line
                told += line.get("msg", "")
        assert torn <= 1
        return found, Drops(told).dropped

    wait_for(lambda: sum(records()) == 1001, 5, "all there or counted")
    assert records()[1] == Drops(proxy.log).dropped > 200


def test_96_a_device_that_is_always_full(stage):
    proxy = start(stage, access_log="file:/dev/full")
    assert load(stage, proxy.at, 400) < limit(2)
    proxy.wait_for_line("access_log: /dev/full: No space left on device; ")
    busy = proxy.cpu
    nothing_happens_for(1, lambda: proxy.cpu - busy > 0.2, "it spins")
    proxy.stop()


@threads
def test_96_a_stopped_reader_under_load(stage):
    fifo = stage.keep(Fifo(stage.folder / "fifo"))
    proxy = start(stage, access_log=f"file:{fifo.path}")
    assert load(stage, proxy.at, 2000) < limit(2)
    proxy.wait_for_line(f"access_log: {fifo.path}: it takes nothing; ")
    # The other device is not held up by it.
    watch = Stopwatch()
    warn(proxy)
    proxy.wait_for_line("warning: reload: ")
    assert watch.seconds < limit(0.5)
    drops = wait_until_all_are_told(fifo.read, 2000)
    assert drops.dropped > 1000
    assert all(re.fullmatch(r"it took nothing for \d+s|more came than it took",
                            reason) for reason in drops.reasons)
    for line in fifo.text.splitlines():
        check_shape(logfmt.parse(line))         # none was torn
    told = Drops(proxy.log)
    assert told.dropped == drops.dropped
    session(stage, proxy.at)
    wait_until_all_are_told(fifo.read, 2001)


@pytest.mark.parametrize("log", ["stderr", "file"])
def test_96_a_pipe_that_is_full_at_the_start(stage, log):
    """Nobody will read; it serves all the same."""
    fifo = stage.keep(Fifo(stage.folder / "fifo"))
    with open(os.open(fifo.path, os.O_WRONLY | os.O_NONBLOCK), "wb",
              buffering=0) as full:
        while full.write(bytes(4096)):
            pass
    keys = {} if log == "stderr" else {
        # a warning, which stderr is to be told
        "log": f"file:{stage.folder}/the.log", "access_log": "syslog"}
    proxy = start(stage, prefix=["sh", "-c", f'exec "$@" 2>{fifo.path}', "sh"],
                  **keys)
    assert load(stage, proxy.at, 40) < limit(2)


def test_96_a_reader_that_left_and_one_that_came(stage):
    fifo = stage.keep(Fifo(stage.folder / "fifo"))
    proxy = start(stage, access_log=f"file:{fifo.path}")
    load(stage, proxy.at, 40)
    wait_until_all_are_told(fifo.read, 40)
    fifo.close()
    load(stage, proxy.at, 40)
    proxy.wait_for_line(f"access_log: {fifo.path}: Broken pipe; ")
    load(stage, proxy.at, 40)
    fifo.open()
    proxy.wait_for_line(r"\d+ records dropped: Broken pipe for ")
    load(stage, proxy.at, 40)
    drops = wait_until_all_are_told(fifo.read, 160)
    assert 0 < drops.dropped <= 80


@pytest.mark.parametrize("sessions", [0, 1])
def test_96_a_stopped_reader_does_not_hold_up_the_end(stage, sessions):
    """Stuck for long already, or found out only then."""
    fifo = stage.keep(Fifo(stage.folder / "fifo"))
    proxy = start(stage, access_log=f"file:{fifo.path}")
    load(stage, proxy.at, 400)
    if sessions == 0:
        proxy.wait_for_line("it takes nothing; ")
    watch = Stopwatch()
    proxy.signal(signal.SIGTERM)
    assert proxy.wait(5) == 0
    assert watch.seconds < limit(0.5 if sessions == 0 else 2)


@root_only
def test_96_a_file_system_that_hangs_does_not_hold_up_the_end(stage):
    """A write that never returns: what NFS does when its server is gone."""
    log = stage.folder / "the.log"
    log.touch()
    proxy = start(stage, log=f"file:{log}", prefix=[
        "strace", "-f", "-qq", "-o", "/dev/null", "-P", str(log),
        "-e", "trace=write", "-e",
        "inject=write:delay_enter=60000000:when=8+"],
        env=NO_LEAKS)
    for _ in range(8):
        session(stage, proxy.at)
    watch = Stopwatch()
    children = f"/proc/{proxy.pid}/task/{proxy.pid}/children"
    daemon, = map(int, pathlib.Path(children).read_text().split())
    os.kill(daemon, signal.SIGTERM)
    assert proxy.wait(10) == 0
    assert watch.seconds < limit(3)


# Syslog.

def test_96_a_logger_that_is_gone_and_comes_back(stage, syslog):
    syslog.start()
    proxy = start(stage, prefix=syslog.room, log="syslog")
    load(stage, proxy.at, 40)
    wait_until_all_are_told(syslog.read, 40)
    syslog.stop()
    assert load(stage, proxy.at, 400) < limit(2)
    nothing_happens_for(1.2, lambda: not proxy.alive, "it ends")
    load(stage, proxy.at, 40)
    syslog.start()
    drops = wait_until_all_are_told(syslog.read, 480)
    assert drops.dropped >= 400
    assert "No such file or directory for " in drops.reasons[0]
    load(stage, proxy.at, 40)
    wait_until_all_are_told(syslog.read, 520)


def test_96_a_logger_that_is_restarted_costs_nothing(stage, syslog):
    syslog.start()
    proxy = start(stage, prefix=syslog.room, log="syslog")
    for n in range(1, 5):
        load(stage, proxy.at, 40)
        drops = wait_until_all_are_told(syslog.read, 40 * n)
        assert drops.dropped == 0
        syslog.stop()
        syslog.start()


def test_96_a_logger_that_does_not_read(stage, syslog):
    """Its queue is full: EAGAIN, and no error ever."""
    syslog.start()
    proxy = start(stage, prefix=syslog.room, log="syslog")
    assert load(stage, proxy.at, 1000) < limit(2)
    nothing_happens_for(1.2, lambda: not proxy.alive, "it ends")
    assert load(stage, proxy.at, 100) < limit(2)
    drops = wait_until_all_are_told(syslog.read, 1100)
    assert drops.dropped > 100
    proxy.stop()


def test_96_no_logger_yet(stage, syslog):
    """Said on stderr, and heard of in syslog later."""
    proxy = start(stage, prefix=syslog.room, log="syslog")
    session(stage, proxy.at)
    assert (proxy.folder / "log").read_text().startswith(
        "warning: log: nobody takes messages for syslog")
    syslog.start()
    wait_until_all_are_told(syslog.read, 1)
    assert "dropped: No such file or directory for " in syslog.text
