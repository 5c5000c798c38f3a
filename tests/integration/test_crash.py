"""The last line of a daemon that crashes."""

import json
import os
import re
import resource
import signal
import subprocess

import pytest

from lib import logfmt
from lib.logs import start
from lib.marks import plain
from lib.programs import free_port
from lib.proxy import ALONE, BINARY
from lib.strace import Injection
from lib.threads import tell, threads
from lib.timing import limit, wait_for

pytestmark = plain      # sanitizers have handlers of their own


@pytest.fixture(autouse=True)
def no_core():
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def build_id():
    notes = subprocess.run(["readelf", "-n", BINARY], capture_output=True,
                           text=True, check=True).stdout
    return re.search(r"Build ID: (\w+)", notes)[1]


def crash(proxy, name, number=signal.SIGSEGV):
    """Lets one of its threads crash: the line that says so."""
    tell(proxy.pid, threads(proxy.pid)[name], number)
    assert proxy.wait(5) == -number
    return proxy.lines[-1]


@pytest.mark.parametrize("number,name", [
    (signal.SIGSEGV, "SIGSEGV"), (signal.SIGBUS, "SIGBUS"),
    (signal.SIGILL, "SIGILL"), (signal.SIGFPE, "SIGFPE"),
    (signal.SIGABRT, "SIGABRT")])
def test_each_signal_is_told_and_ends_the_daemon(stage, number, name):
    proxy = start(stage)
    line = crash(proxy, "sluice", number)
    assert line.startswith(
        f"sluice: crashed: signal {int(number)} ({name}) sent by process "
        f"{os.getpid()}, thread main, pc ")
    assert line.endswith(f"), build id {build_id()}")


@pytest.mark.parametrize("thread", ["worker-0", "worker-1", "log"])
def test_the_thread_is_named(stage, thread):
    assert f", thread {thread}, pc " in crash(start(stage), thread)


def test_the_session_that_a_worker_was_at_is_named(stage):
    server = stage.server()
    proxy = stage.proxy(server, workers=1)
    client, upstream = stage.session(proxy, server)
    tid = threads(proxy.pid)["worker-0"]
    with Injection(proxy, "sendto:delay_enter=2s") as injection:
        client.send(b"hello")
        wait_for(lambda: "sendto" in injection.log_path.read_text(), 5,
                 "it is about to send")
        tell(proxy.pid, tid, signal.SIGBUS)
        assert proxy.wait(10) == -signal.SIGBUS
    assert re.search(r", thread worker-0, in phase relay of session "
                     r"[0-9a-f]{4}-0-1, pc ", proxy.lines[-1])


@pytest.mark.parametrize("format,parse", [("text", logfmt.parse),
                                          ("json", json.loads)])
def test_a_log_file_has_it_in_its_own_form(stage, format, parse):
    log = stage.folder / "log"
    proxy = start(stage, log=f"file:{log}", log_format=format)
    crash(proxy, "worker-0")
    said = (proxy.folder / "log").read_text().splitlines()[-1]  # stderr
    last = parse(log.read_text().splitlines()[-1])
    assert last["level"] == "error"
    assert last["msg"] == said.removeprefix("sluice: ")


def test_stderr_as_json_stays_json(stage):
    proxy = start(stage, log_format="json")
    line = json.loads(crash(proxy, "sluice"))
    assert line["msg"].startswith("crashed: signal 11 (SIGSEGV)")


def test_a_crash_in_a_start_is_told_by_who_waits_for_it(tmp_path):
    """-d: what started it says so, too, and the exit code is that of a start
    that failed."""
    said = subprocess.run(
        ["strace", "-f", "-o", tmp_path / "strace", "-e",
         "inject=listen:signal=SEGV", BINARY, *ALONE, "-d", "-L",
         f"127.0.0.1:{free_port()}=127.0.0.1:9", "--set",
         f"global.log=file:{tmp_path}/log"],
        capture_output=True, text=True, timeout=limit(10))
    assert said.returncode == 3
    crashed, ended = said.stderr.splitlines()[-2:]
    assert crashed.startswith("sluice: crashed: signal 11 (SIGSEGV)")
    assert ended == "error: ended by signal 11 while starting"
