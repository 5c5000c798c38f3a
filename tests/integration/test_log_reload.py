"""Log options that change while sessions come and go: no line is lost, none
comes twice, and each is whole."""

import collections
import json
import os
import re

import pytest

from lib import logfmt
from lib.admin import Folder, find_doors
from lib.logs import Fifo, check_shape, load, session, whole_lines
from lib.peers import echo
from lib.scrape import scrape
from lib.stage import section
from lib.timing import nothing_happens_for, wait_for
from test_ctl import ctl

pytestmark = pytest.mark.threads


class Logging:
    """A daemon before an echo server, and its [global] to change."""

    def __init__(self, stage, **keys):
        self.stage = stage
        self.door = stage.keep(Folder()) / "ctl.sock"
        self.server = stage.server(echo)
        self.proxy = find_doors(stage.sluice(self.text(keys)))
        self.at = self.proxy.address()

    def text(self, keys):
        return section("global", {
            "workers": 2, "drain_timeout": "1s", "admin": "127.0.0.1:0",
            "admin_socket": self.door, **keys}) + section("listener", {
                "bind": "127.0.0.1:0"}) + section("upstream", {
                    "server": f"127.0.0.1:{self.server.port}"})

    def change(self, code=0, **keys):
        """Other keys, and a reload: what it said."""
        (self.proxy.folder / "proxy.ini").write_text(self.text(keys))
        done = ctl("reload", "--socket", self.door)
        assert done.returncode == code, done
        return done.stdout + done.stderr

    def sessions(self, count=1):
        for _ in range(count):
            session(self.stage, self.at)


def records(*paths):
    """The records of all these files; whatever the form, each line is whole."""
    found = []
    for path in paths:
        for line in whole_lines(path):
            if line.startswith("{"):
                found.append(json.loads(line))
            elif line.startswith("time="):
                found.append(logfmt.parse(line))
    for line in found:
        check_shape(line)
    return [line for line in found if "event" in line]


def ids(*paths):
    return collections.Counter(line["id"] for line in records(*paths))


def messages(path):
    return [line["msg"] for line in map(logfmt.parse, whole_lines(path))
            if "msg" in line]


def open_files(proxy, path):
    return sum(link == str(path) for link in proxy.fds.values())


# Where.

def test_the_access_log_moves_under_load(stage):
    """There and back again: each session has one record, in one file."""
    a, b = stage.folder / "a", stage.folder / "b"
    place = Logging(stage, access_log=f"file:{a}")
    task = stage.run(load, stage, place.at, 600)
    for path in [b, a] * 5:
        before = len(ids(b)) if b.exists() else 0
        said = place.change(access_log=f"file:{path}")
        assert "global: access_log " in said
        if path == b:
            wait_for(lambda: not task.is_alive() or len(ids(b)) > before, 10,
                     "records in the other file")
    task.result(60)
    wait_for(lambda: sum(ids(a, b).values()) >= 600, 10, "all records")
    assert set(ids(a, b).values()) == {1} and len(ids(a, b)) == 600
    assert len(ids(a)) > 0 and len(ids(b)) > 0
    wait_for(lambda: (open_files(place.proxy, a), open_files(place.proxy, b))
             == (1, 0), 5, "the file of before is closed")


def test_messages_move_too(stage):
    """What was said before stays where it was, and nothing is said twice."""
    a, b = stage.folder / "a", stage.folder / "b"
    place = Logging(stage, access_log="off")
    place.change(log=f"file:{a}", access_log="off")
    place.change(log=f"file:{b}", access_log="off")
    wait_for(lambda: b.exists() and any(
        text.startswith("reloaded: 1 change") for text in messages(b)), 5,
        "the word that ends a reload")
    log = place.proxy.lines
    assert f"reload: global: log stderr -> file:{a}" in log[-2:]
    assert messages(a)[0].startswith("reloaded: 1 change")
    assert f"reload: global: log file:{a} -> file:{b}" in messages(a)[-2:]
    place.proxy.stop()
    assert messages(b)[-1] == "stopped"
    assert place.proxy.lines == log


def test_two_logs_change_places(stage):
    """No file is opened anew: one descriptor each, all the time."""
    a, b = stage.folder / "a", stage.folder / "b"
    place = Logging(stage, access_log=f"file:{b}")
    place.change(log=f"file:{a}", access_log=f"file:{b}")
    place.sessions(3)
    wait_for(lambda: len(ids(b)) == 3, 5, "three records")
    os.rename(b, stage.folder / "moved")
    place.change(log=f"file:{b}", access_log=f"file:{a}")
    place.sessions(2)
    wait_for(lambda: len(ids(a)) == 2, 5, "two records")
    assert not b.exists()
    assert len(ids(stage.folder / "moved")) == 3


def test_from_a_file_to_where_messages_go_and_off_and_on(stage):
    a = stage.folder / "a"
    place = Logging(stage, access_log=f"file:{a}")
    place.sessions(2)
    place.change()
    place.sessions(3)
    place.proxy.wait_for_records(3)
    place.change(access_log="off")
    place.sessions(2)
    place.change(access_log="on")
    place.sessions(1)
    place.proxy.wait_for_records(4)
    nothing_happens_for(0.3, lambda: len(place.proxy.records) > 4,
                        "a record of those that were not to be logged")
    assert len(ids(a)) == 2
    assert open_files(place.proxy, a) == 0


# How.

def test_the_form_changes_between_two_lines(stage):
    a = stage.folder / "a"
    place = Logging(stage, access_log=f"file:{a}")
    task = stage.run(load, stage, place.at, 400)
    for form in ["json", "text"] * 5:
        before = len(ids(a))
        place.change(access_log=f"file:{a}", log_format=form)
        wait_for(lambda: not task.is_alive() or len(ids(a)) > before, 10, "records")
    task.result(60)
    wait_for(lambda: len(ids(a)) == 400, 10, "all records")
    assert set(ids(a).values()) == {1}
    assert {line[0] for line in whole_lines(a)} == {"{", "t"}


def test_the_level_changes(stage):
    place = Logging(stage)
    place.change(log_level="error")
    place.proxy.wait_for_line("^reload: global: log_level info -> error$")
    place.change(log_level="info")
    place.change(log_level="debug")
    place.proxy.wait_for_line("^reload: global: log_level info -> debug$")
    assert "log_level error -> info" not in place.proxy.log


def test_start_and_interval_for_sessions_to_come(stage):
    place = Logging(stage)
    first = stage.connect(place.at)
    first.send(b"x")
    assert first.recv_exact(1) == b"x"
    place.change(access_log_start="on", access_log_interval="1s")
    second = stage.connect(place.at)
    wait_for(lambda: "event=interval" in place.proxy.log, 5, "an interval")
    assert {line.split("client=")[1].split()[0]
            for line in place.proxy.lines if "event=" in line} == {second.name}


# What fails.

def test_what_cannot_be_opened_changes_nothing(stage):
    a = stage.folder / "a"
    place = Logging(stage, access_log=f"file:{a}")
    said = place.change(code=1, access_log=f"file:{stage.folder}/no/where",
                        log_level="error", log_format="json")
    where = rf"{place.proxy.folder}/proxy.ini:\d+: access_log: cannot open "
    assert re.search(where + r"\S+/no/where: No such file or directory", said)
    place.sessions(2)
    wait_for(lambda: len(ids(a)) == 2, 5, "records")
    assert whole_lines(a)[0].startswith("time=")
    place.proxy.wait_for_line("not reloaded: what was before goes on")
    place.proxy.may_log_errors = True


def test_a_log_that_nobody_reads_is_left(stage):
    """It takes nothing any more: that is counted, and told where the log goes
    from now on; what comes is in the new file."""
    fifo = stage.keep(Fifo(stage.folder / "fifo"))
    b = stage.folder / "b"
    place = Logging(stage, access_log=f"file:{fifo.path}")
    task = stage.run(load, stage, place.at, 800)
    task.result(60)
    place.change(access_log=f"file:{b}")
    place.sessions(3)
    wait_for(lambda: len(ids(b)) >= 3, 5, "records in the new file")
    wait_for(lambda: open_files(place.proxy, fifo.path) == 0, 5, "closed")
    dropped = scrape(place.proxy.tcp).get("sluice_log_records_dropped_total")
    assert dropped > 0
    assert fifo.read().count("event=end") + len(ids(b)) + dropped == 803

    def told():
        return sum(int(count) for count in re.findall(
            r"access_log: \S+: (\d+) records? dropped", place.proxy.log))

    wait_for(lambda: told() == dropped, 5, "all of them are told")
