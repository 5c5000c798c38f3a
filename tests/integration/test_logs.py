"""What the logs say, where, in which form, and through a rotation."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess

import pytest

from lib import logfmt
from lib.admin import ask, watched
from lib.logs import (DATA, check_shape, inside, load, room, session, start,
                      warn, whole_lines)
from lib.marks import threads
from lib.peers import FIN, RST, BusyServer, echo
from lib.programs import fails_to_start, free_port, run
from lib.proxy import ALONE, BINARY, ROOT
from lib.timing import limit, nothing_happens_for, wait_for


# What lines look like, by device and format.

@pytest.mark.parametrize("format", ["text", "json"])
def test_a_file_is_logfmt_or_json_from_the_first_line(stage, format):
    log = stage.folder / "log"
    proxy = start(stage, log=f"file:{log}", log_format=format)
    session(stage, proxy.at)
    stage.connect(proxy.at).reset()     # a probe: counted, not logged
    wait_for(lambda: "event" in log.read_text(), 5, "the record")
    proxy.stop()
    parse = json.loads if format == "json" else logfmt.parse
    lines = [parse(line) for line in whole_lines(log)]
    for line in lines:
        check_shape(line)
    assert lines[0]["msg"] == f"config {proxy.folder}/proxy.ini"
    assert re.match(r"draining, \d sessions?$", lines[-2]["msg"])
    assert lines[-1]["msg"] == "stopped"
    record, = [line for line in lines if "event" in line]
    assert record["event"] == "end" and record["how"] == "fin"
    assert record["bytes_to_upstream"] == record["bytes_to_client"] == 3000
    assert [line["time"] for line in lines] == sorted(
        line["time"] for line in lines)
    assert (proxy.folder / "log").read_text() == ""     # stderr


def test_stderr_is_for_people(stage):
    proxy = start(stage)
    warn(proxy)
    proxy.wait_for_line("^reloaded: ")
    session(stage, proxy.at)
    proxy.wait_for_records(1)
    proxy.stop()
    assert proxy.lines[0] == f"config {proxy.folder}/proxy.ini"
    assert any(line.startswith("warning: reload: ") for line in proxy.lines)
    assert proxy.lines[-1] == "stopped"
    check_shape(logfmt.parse(next(line for line in proxy.lines
                                  if line.startswith("time="))))


def test_stderr_as_json(stage):
    proxy = start(stage, log_format="json")
    session(stage, proxy.at)
    proxy.wait_for_line('"event":"end"')
    proxy.stop()
    for line in proxy.lines:
        check_shape(json.loads(line))


@pytest.mark.parametrize("format", ["text", "json"])
def test_the_journal_is_told_the_level(stage, format):
    """sd-daemon(3); JOURNAL_STREAM says whether stderr is the journal's."""
    proxy = start(stage, log_format=format, prefix=[
        "sh", "-c", "export JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/2);"
        ' exec "$@"', "sh"])
    warn(proxy)
    proxy.wait_for_line("reloaded: ")
    session(stage, proxy.at)
    proxy.wait_for_line("event.{1,3}end")
    proxy.stop()
    levels = [int(re.match(r"<(\d)>", line)[1]) for line in proxy.lines]
    assert levels.count(4) == 1 and set(levels) == {4, 6}
    rest = [line[3:] for line in proxy.lines]
    if format == "json":
        assert all(json.loads(line) for line in rest)
    else:
        assert rest[levels.index(4)].startswith("reload: ")
        assert sum(line.startswith("time=") for line in rest) == 1


def test_what_is_redirected_is_not_the_journal(stage):
    proxy = start(stage, prefix=["env", "JOURNAL_STREAM=1:2"])
    proxy.stop()
    assert proxy.lines[0].startswith("config ")


# Records.

def test_start_and_interval(stage):
    log = stage.folder / "access"
    server = stage.server()
    proxy = stage.proxy(server, global_={
        "access_log": f"file:{log}", "access_log_start": "on",
        "access_log_interval": "1s"})
    client, upstream = stage.session(proxy, server)

    def records(count):
        return wait_for(lambda: len(whole_lines(log)) >= count and [
            logfmt.parse(line) for line in whole_lines(log)], 5,
            f"{count} records")

    first, = records(1)
    assert first["event"] == "start" and first["phase"] == "relay"
    assert first["attempts"] == 1 and first["upstream"].endswith(
        f":{server.port}")
    assert not first.keys() & {"closed_by", "how", "cause", "error"}
    client.send(DATA)
    assert upstream.recv_exact(3000) == DATA
    second = records(2)[1]
    upstream.send(DATA[:500])
    assert client.recv_exact(500) == DATA[:500]
    third = records(3)[2]
    assert [second["event"], third["event"]] == ["interval"] * 2
    assert (second["bytes_to_upstream"], second["bytes_to_client"]) == (3000, 0)
    assert (third["bytes_to_upstream"], third["bytes_to_client"]) == (3000, 500)
    assert 900 <= second["total_ms"] < 2000 <= third["total_ms"] + 200
    client.fin()
    upstream.fin()
    wait_for(lambda: "event=end" in log.read_text(), 5, "the end")
    everything = records(4)
    assert len({record["id"] for record in everything}) == 1
    assert everything[-1]["how"] == "fin"


def test_neither_unless_asked_for(stage):
    server = stage.server()
    proxy = stage.proxy(server)
    client, _ = stage.session(proxy, server)
    nothing_happens_for(1.3, lambda: proxy.records or "event=" in proxy.log,
                        "a record of a live session")
    client.reset()


def test_the_end_is_told_of_what_was_told_to_begin(stage):
    """A probe is not worth a line, unless there is one already."""
    server = stage.server()
    proxy = stage.proxy(server, global_={"access_log_start": "on"})
    client, _ = stage.session(proxy, server)
    proxy.wait_for_line("event=start")
    client.reset()
    assert proxy.record(client).end == "client rst"


def test_who_gives_up_after_a_failure_is_no_probe(stage):
    """The client said nothing, but a server has failed it."""
    busy = stage.keep(BusyServer())
    closed = "127.0.0.1", free_port()
    proxy = watched(stage, [closed], upstream={"server": [
        "%s:%d" % closed, "%s:%d backup" % busy.address]})
    client = stage.connect(proxy)
    wait_for(lambda: ask(proxy.unix, "/api/status").json["upstreams"][0]
             ["failures"] == 1, 5, "the first server has failed")
    client.reset()
    record = proxy.record(client)
    assert (record.end, record.attempts) == ("client rst", 2)


def test_queue_time_ends_with_the_first_attempt(stage):
    """The rest of the time until it is connected is the servers'."""
    server = stage.server(echo)
    proxy = stage.proxy([("127.0.0.1", free_port()), server])
    client = stage.connect(proxy)
    client.send_and_fin(b"x")
    assert client.read_all() == (b"x", FIN)
    record = proxy.record(client)
    assert record.attempts >= 1
    assert record.queue_ms <= record.connect_ms <= record.total_ms
    assert record.queue_ms < 100


def test_no_access_log(stage):
    proxy = start(stage, access_log="off")
    session(stage, proxy.at)
    proxy.stop()
    assert "event=" not in proxy.log


@threads
def test_the_sessions_that_are_ended_come_after_it_is_said(stage):
    server = stage.server()
    proxy = stage.proxy(server, workers=3)
    clients = [stage.session(proxy, server)[0] for _ in range(10)]
    for client in clients:
        client.send(b"x")
    proxy.signal(signal.SIGTERM)
    proxy.signal(signal.SIGINT)
    assert proxy.wait(5) == 0
    kinds = [line.split(",")[0].split("=")[0] for line in proxy.lines]
    end = kinds.index("draining")
    assert kinds[end:] == ["draining", "stopping now"] + ["time"] * 10 + [
        "stopped"]


# Messages.

def test_a_warning_again_and_again_is_said_once_and_counted(stage):
    folder = stage.folder / "gone"
    folder.mkdir()
    proxy = start(stage, access_log=f"file:{folder}/access")
    (folder / "access").unlink()
    folder.rmdir()
    for _ in range(20):
        proxy.signal(signal.SIGUSR1)
        nothing_happens_for(0.01, lambda: proxy.log.count("cannot open") > 1,
                            "it was said twice")
    wait_for(lambda: "cannot open" in proxy.log, 5, "the first")
    proxy.stop()
    lines = [line for line in proxy.lines if "cannot open" in line]
    assert len(lines) == 2
    count = int(re.search(r"\(repeated (\d+) times?\)$", lines[1])[1])
    assert 1 <= count <= 19             # signals that pile up are one


def test_sessions_that_fail_are_records_and_no_messages(stage):
    proxy = stage.proxy(("127.0.0.1", free_port()),
                        upstream={"connect_attempts": 1})
    before = len(proxy.lines)
    for _ in range(50):
        with contextlib.suppress(ConnectionResetError):
            client = stage.connect(proxy)
            assert client.read_all() == (b"", RST)
            client.close()
    proxy.wait_for_records(50)
    assert len(proxy.lines) - before == 50
    assert {record.end for record in proxy.records} == {"upstream error"}


@pytest.mark.parametrize("option", ["log", "access_log"])
def test_a_log_that_cannot_be_opened(stage, option):
    config = (f"[global]\nworkers = 1\n{option} = file:/nowhere/at/all\n"
              "[listener]\nbind = 127.0.0.1:0\n"
              "[upstream]\nserver = 127.0.0.1:9\n")
    code, log = fails_to_start(stage, config)
    assert code == 3
    assert re.search(rf"^error: \S*proxy.ini:3: {option}: cannot open "
                     "/nowhere/at/all: No such file or directory$", log, re.M)


def test_what_goes_wrong_at_the_start_is_said_on_stderr_too(stage):
    log = stage.folder / "the.log"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = (f"[global]\nlog = file:{log}\n[listener]\n"
                  f"bind = 127.0.0.1:{port}\n"
                  "[upstream]\nserver = 127.0.0.1:9\n")
        code, said = fails_to_start(stage, config)
    assert code == 3
    assert re.search("^error: .*cannot bind", said, re.M)
    assert "config" not in said
    lines = [logfmt.parse(line) for line in whole_lines(log)]
    assert [line["level"] for line in lines] == ["info", "error"]


def test_messages_and_records_in_two_files(stage):
    log, access = stage.folder / "the.log", stage.folder / "access.log"
    proxy = start(stage, log=f"file:{log}", access_log=f"file:{access}")
    load(stage, proxy.at, 40)
    proxy.stop()
    assert "event=" not in log.read_text()
    lines = [logfmt.parse(line) for line in whole_lines(access)]
    assert len(lines) == 40 and all("event" in line for line in lines)


# Syslog.

@pytest.mark.parametrize("format", ["text", "json"])
def test_syslog(stage, syslog, format):
    syslog.start()
    proxy = start(stage, prefix=syslog.room, log="syslog",
                  log_format=format)
    session(stage, proxy.at)
    warn(proxy)
    wait_for(lambda: "reloaded: " in syslog.read(), 5, "the message")
    proxy.stop()
    lines = syslog.read().splitlines()
    head = re.compile(rf"<(\d+)>[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d "
                      rf"sluice\[{proxy.pid}\]: (.*)")
    levels, rest = zip(*(head.fullmatch(line).groups() for line in lines))
    assert set(levels) == {"30", "28"}          # daemon.info, daemon.warning
    if format == "json":
        for line in rest:
            check_shape(json.loads(line))
    else:
        assert rest[0] == f"config {proxy.folder}/proxy.ini"
        assert rest[-1] == "stopped"
        assert sum("event=end" in line for line in rest) == 1
        assert rest[levels.index("28")].startswith("warning: reload: ")
    assert (proxy.folder / "log").read_text() == ""


def test_in_the_background_syslog_is_the_default(stage, syslog):
    syslog.start()
    pid_file = stage.folder / "pid"
    port = free_port()
    done = subprocess.run(
        [*syslog.room, BINARY, "-d", "-p", pid_file, "-u", "root", *ALONE,
         "-L", f"127.0.0.1:{port}=127.0.0.1:9"],
        capture_output=True, text=True, timeout=limit(10))
    assert (done.returncode, done.stderr) == (0, "")
    pid = int(pid_file.read_text())
    try:
        wait_for(lambda: f"sluice[{pid}]: forwarding " in syslog.read(), 5,
                 "its messages")
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_for(lambda: f"sluice[{pid}]: stopped" in syslog.read(), 5, "the last")


# Rotation.

def rename_and(number):
    def rotate(proxy, log, n):
        log.rename(f"{log}.{n}")
        proxy.signal(number)
        wait_for(log.exists, 5, "a new file")
    return rotate


def all_records(folder):
    text = "".join(path.read_text() for path in folder.iterdir())
    for line in text.splitlines():
        check_shape(logfmt.parse(line))
    return re.findall(r" id=(\S+) event=end", text)


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGHUP],
                         ids=lambda number: number.name)
def test_a_renamed_file_is_left_and_nothing_is_lost(stage, number):
    folder = stage.folder / "logs"
    folder.mkdir()
    log = folder / "log"
    proxy = start(stage, log=f"file:{log}")
    traffic = stage.run(load, stage, proxy.at, 800)
    for n in range(5):
        rename_and(number)(proxy, log, n)
    traffic.result()
    wait_for(lambda: len(all_records(folder)) == 800, 5, "all records")
    assert len(set(all_records(folder))) == 800
    inode = log.stat().st_ino
    links = [os.stat(f"/proc/{proxy.pid}/fd/{fd}").st_ino
             for fd, link in proxy.fds.items() if link.startswith(str(folder))]
    assert links == [inode]             # the others were closed


def test_a_file_that_cannot_be_opened_anew_goes_on(stage):
    folder = stage.folder / "logs"
    folder.mkdir()
    log, old = folder / "log", folder / "old"
    proxy = start(stage, log=f"file:{log}")
    log.rename(old)
    log.mkdir()
    proxy.log_path = old
    proxy.signal(signal.SIGUSR1)
    proxy.wait_for_line(r'level=warn msg="log: cannot open \S+/log anew, the '
                        r'old file goes on: Is a directory"')
    session(stage, proxy.at)
    proxy.wait_for_records(1)
    log.rmdir()
    proxy.signal(signal.SIGUSR1)
    wait_for(log.exists, 5, "a new file")
    session(stage, proxy.at)
    wait_for(lambda: "event=end" in log.read_text(), 5, "the record in it")


@pytest.mark.usefixtures("own_mounts")
def test_logrotate_with_our_example(stage):
    """The real one, with the file that is installed, under load; the daemon
    is nobody, who may not make files there."""
    log = "/var/log/sluice/access.log"
    proxy = start(stage, user="nobody", access_log=f"file:{log}",
                  pid_file="/run/sluice/sluice.pid", prefix=room(
                      "mount -t tmpfs tmpfs /var/log",
                      "mount -t tmpfs -o mode=755 tmpfs /run",
                      "mkdir -m 755 /var/log/sluice /run/sluice"))
    folder = inside(proxy, log).parent
    enter = ["nsenter", f"--mount=/proc/{proxy.pid}/ns/mnt"]
    traffic = stage.run(load, stage, proxy.at, 800)
    for n in range(1, 4):
        wait_for(lambda: inside(proxy, log).read_text(), 10, "some records")
        run([*enter, "logrotate", "--force", "--state", "/run/state",
             str(ROOT / "conf/logrotate")])
        assert (folder / f"access.log.{n}").exists() or (
            folder / f"access.log.{n}.gz").exists()
    traffic.result()

    def records():
        text = run([*enter, "sh", "-c", f"zcat -f {log}*"])
        return re.findall(r" id=(\S+) event=end", text)

    wait_for(lambda: len(records()) == 800, 5, "all records")
    assert len(set(records())) == 800
    assert "cannot open" not in proxy.log
    state = inside(proxy, log).stat()
    assert (state.st_uid, state.st_mode & 0o777) == (65534, 0o640)
