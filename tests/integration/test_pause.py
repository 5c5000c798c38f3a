"""An upstream that an operator pauses: who comes waits, nobody is lost."""

import os
import re
import signal
import subprocess

import pytest

from lib.admin import Folder, ask, find_doors, watched
from lib.marks import both_crews, plain
from lib.papers import literal_blocks
from lib.peers import FIN, RST, echo
from lib.programs import start
from lib.proxy import BINARY, ROOT
from lib.scrape import scrape
from lib.stage import section
from lib.timing import limit, nothing_happens_for, wait_for
from test_ctl import bash_completes, ctl, fails
from test_health import postgres


def order(proxy, *words):
    done = ctl(words[0], "--socket", proxy.unix, *words[1:])
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def waiting(proxy):
    return scrape(proxy.tcp).get("sluice_upstream_waiting_sessions",
                                 upstream="default")


@both_crews
def test_who_comes_waits_and_who_is_there_goes_on(stage, workers):
    proxy = watched(stage, stage.server(echo), workers=workers)
    before = stage.connect(proxy)
    before.send(b"1")
    assert before.recv_exact(1) == b"1"
    assert order(proxy, "pause") == (
        "default is paused: 1 with a server, 0 waiting\n")
    assert scrape(proxy.tcp).get("sluice_upstream_paused",
                                 upstream="default") == 1
    clients = [stage.connect(proxy) for _ in range(30)]
    for client in clients:
        client.send(b"2")
    wait_for(lambda: waiting(proxy) == 30, 5, "all wait")
    before.send(b"3")
    assert before.recv_exact(1) == b"3"
    assert not any(client.events() for client in clients)
    upstream, = ask(proxy.tcp, "/api/status").json["upstreams"]
    assert (upstream["waiting"], upstream["paused"]) == (30, True)
    said = order(proxy, "resume", "default")
    assert re.fullmatch(r"default resumed after \S+s; 30 clients waited, "
                        r"30 let go on\n", said)
    for client in clients:
        assert client.recv_exact(1) == b"2"
    assert waiting(proxy) == 0
    proxy.wait_for_line("^upstream default: paused by ")
    proxy.wait_for_line(r"^upstream default resumed after \S+; 30 clients "
                        r"waited, 30 let go on, by uid \d+, pid \d+$")
    assert order(proxy, "resume") == "default was not paused\n"


def test_it_has_no_time_limit_but_an_end(stage):
    """Neither queue_timeout nor on_no_server; a stop of the daemon is one."""
    proxy = watched(stage, stage.server(echo), upstream={
        "server_max_sessions": 1, "queue_timeout": "100ms", "queue": "1",
        "connect_timeout": "100ms"})
    order(proxy, "pause")
    clients = [stage.connect(proxy) for _ in range(3)]
    nothing_happens_for(0.6, lambda: any(c.events() for c in clients), "an end")
    clients[0].reset()
    wait_for(lambda: waiting(proxy) == 2, 5, "one has left")
    proxy.stop()
    for client in clients[1:]:
        assert client.read_all() == (b"", RST)


def test_a_pause_before_any_name_has_resolved(stage, names):
    """It has no time limit either, and after it all have their whole time."""
    server, book = stage.server(echo), names()
    proxy = watched(stage, server, workers=3, prefix=book.prefix, upstream={
        "server": f"db.test:{server.port}", "connect_timeout": "500ms"})
    proxy.wait_for_line("cannot resolve 'db.test'")
    order(proxy, "pause")
    clients = [stage.connect(proxy) for _ in range(5)]
    nothing_happens_for(1.5, lambda: any(c.events() for c in clients), "an end")
    order(proxy, "resume")
    for client in clients:
        assert client.read_all() == (b"", RST)
    order(proxy, "pause")
    client = stage.connect(proxy)
    client.send(b"x")
    book.set(db="127.0.0.1")
    wait_for(lambda: waiting(proxy) == 1, 5, "an address")
    order(proxy, "resume")
    assert client.recv_exact(1) == b"x"


def test_only_the_one_that_is_named(stage):
    one, other = stage.server(echo), stage.server(echo)
    config = "".join(
        section(f"listener {name}", {"bind": "127.0.0.1:0"}) +
        section(f"upstream {name}", {"server": f"127.0.0.1:{s.port}"})
        for name, s in (("a", one), ("b", other)))
    door = stage.keep(Folder()) / "ctl.sock"
    proxy = find_doors(stage.sluice(section("global", {
        "admin": "127.0.0.1:0", "admin_socket": door}) + config))
    fails(1, "say which upstream (upstream=NAME): there are a and b",
          "pause", "--socket", proxy.unix)
    fails(1, "there is no upstream 'cc'; there are a and b", "pause",
          "--socket", proxy.unix, "cc")
    order(proxy, "pause", "a")
    client = stage.connect(proxy.address("b"))
    client.send_and_fin(b"x")
    assert client.read_all() == (b"x", FIN)
    late = stage.connect(proxy.address("a"))
    late.send(b"x")
    nothing_happens_for(0.3, lambda: late.events(), "an answer")
    reply = ask(proxy.unix, "/api/resume?upstream=a", method="POST").json
    assert reply.pop("sessions") in (0, 1)      # it may be there already
    assert reply.pop("paused_ms") >= 300
    assert reply == {"upstream": "a", "paused": False, "waiting": 1,
                     "waited": 1}
    assert late.recv_exact(1) == b"x"


def test_the_pause_is_told_wherever_one_looks(stage):
    """By whom, since when, who waits; and no more when it is over."""
    proxy = watched(stage, stage.server(echo))
    order(proxy, "pause")
    client = stage.connect(proxy)
    client.send(b"x")
    wait_for(lambda: waiting(proxy) == 1, 5, "it waits")
    order(proxy, "pause")                       # the first one counts
    line = (r"^default is PAUSED for \S+, since \S+Z, by uid \d+, pid \d+; "
            r"1 client waits$")
    for command in ("status", "servers", "sessions"):
        assert re.search(line, order(proxy, command), re.M), command
    assert re.search(r"^default paused, \S+Z, by uid \d+, pid \d+$",
                     order(proxy, "servers"), re.M)
    assert " wait:resume " in order(proxy, "sessions")
    session, = ask(proxy.unix, "/api/sessions").json["sessions"]
    assert (session["phase"], session["waits_for"]) == ("wait", "resume")
    page = ask(proxy.tcp, "/").body
    assert re.search(r"PAUSED</b> <i>\S+<br>since \S+Z<br>by uid \d+, pid", page)
    assert "<i>1 waits</i>" in page
    upstream, = ask(proxy.tcp, "/api/status").json["upstreams"]
    assert re.fullmatch(r"uid \d+, pid \d+", upstream["paused_by"])
    assert upstream["paused_since"].endswith("Z")
    change, = ask(proxy.unix, "/api/servers").json["changes"]
    assert (change["upstream"], change["server"], change["paused"]) == \
        ("default", None, True)

    assert ", 1 let go on\n" in order(proxy, "resume")
    assert client.recv_exact(1) == b"x"
    session, = ask(proxy.unix, "/api/sessions").json["sessions"]
    assert (session["phase"], session["waits_for"]) == ("relay", None)
    for command in ("status", "servers", "sessions"):
        assert "PAUSED" not in order(proxy, command)
    assert "PAUSED" not in ask(proxy.tcp, "/").body
    upstream, = ask(proxy.tcp, "/api/status").json["upstreams"]
    assert (upstream["paused"], upstream["paused_by"],
            upstream["paused_since"]) == (False, None, None)
    assert ask(proxy.unix, "/api/servers").json["changes"] == []


def test_who_left_meanwhile_has_waited(stage):
    proxy = watched(stage, stage.server(echo))
    order(proxy, "pause")
    clients = [stage.connect(proxy) for _ in range(3)]
    wait_for(lambda: waiting(proxy) == 3, 5, "all wait")
    clients[0].reset()
    wait_for(lambda: waiting(proxy) == 2, 5, "one has left")
    assert "; 3 clients waited, 2 let go on\n" in order(proxy, "resume")
    order(proxy, "pause")
    assert "; 0 clients waited, 0 let go on\n" in order(proxy, "resume")


def is_ready(tools, address):
    return subprocess.run([f"{tools}/pg_isready", "-q", "-h", address[0],
                           "-p", str(address[1])]).returncode == 0


@plain
@pytest.mark.parametrize("clients", [1, 8])
def test_a_restart_of_postgresql_without_an_error(stage, clients):
    """Each transaction is a session of its own (pgbench -C), as those of an
    application that holds none."""
    _, address, command = postgres(stage)
    server = start(stage, command, address)
    proxy = watched(stage, address, workers=2)
    script = stage.folder / "script"
    script.write_text("select 1;\n")
    program, = (c for c in command if str(c).endswith("/postgres"))
    tools = os.path.dirname(program)
    bench = subprocess.Popen(
        [f"{tools}/pgbench", "-n", "-C",
         "-c", str(clients), "-j", str(clients), "-T", "60", "-f",
         str(script), "-U", "sluice", "-h", proxy.address()[0], "-p",
         str(proxy.address()[1]), "postgres"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: proxy.records, 10, "transactions")
        for _ in range(2):
            wait_for(lambda: " 0 with a server" in order(proxy, "pause"), 10,
                     "an idle server")
            server.close()
            wait_for(lambda: waiting(proxy) == clients, 10, "all wait")
            server = start(stage, command, address)
            wait_for(lambda: is_ready(tools, address), 10, "a server")
            order(proxy, "resume")
        seen = len(proxy.records)
        wait_for(lambda: len(proxy.records) > seen + 20, 10,
                 "transactions again")
        bench.send_signal(signal.SIGALRM)       # so its 60 seconds are over
        out, errors = bench.communicate(timeout=limit(30))
    finally:
        bench.kill()
    assert bench.returncode == 0, errors
    assert int(re.search(r"number of failed transactions: (\d+)", out)[1]) == 0
    assert int(re.search(r"actually processed: (\d+)", out)[1]) > 20


class Recipe:
    """The script of the manual, for the one upstream there is, with a
    systemctl that leaves the restart to the test."""

    def __init__(self, stage, proxy, name="default", tries=300):
        self.folder = folder = stage.folder / "recipe"
        folder.mkdir()
        text, = (text for _, text in literal_blocks(
            ROOT / "conf" / "sluice.8") if "ctl pause" in text)
        assert text.count(" pg") == 3 and "seq 300" in text
        self.text = text.replace(" pg", f" {name}").replace(
            "seq 300", f"seq {tries}")
        self.write("sluice", f'shift; exec {BINARY} ctl --socket {proxy.unix} '
                   '"$@"')
        self.write("systemctl", f'echo "$@" >{folder}/asked\n'
                   f'until test -e {folder}/done; do sleep 0.02; done')

    def write(self, name, text):
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def run(self, shell="sh"):
        """As it is pasted."""
        self.process = subprocess.Popen(
            [shell], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"})
        self.process.stdin.write(self.text)
        self.process.stdin.close()
        self.process.stdin = None

    @property
    def asked(self):
        return (self.folder / "asked").exists()

    def restarted(self):
        (self.folder / "done").touch()

    def end(self):
        try:
            out, errors = self.process.communicate(timeout=limit(20))
        finally:
            self.process.kill()
        return self.process.returncode, out, errors


@plain
def test_the_recipe_of_the_manual(stage):
    """With clients that hold no session: without an error."""
    _, address, command = postgres(stage)
    server = start(stage, command, address)
    proxy = watched(stage, address, workers=2)
    recipe = Recipe(stage, proxy)
    where = "host=%s port=%d user=sluice dbname=postgres" % proxy.address()
    stop = []

    def load():
        count = 0
        while not stop:
            done = subprocess.run(["psql", where, "-Atc", "select 6*7"],
                                  capture_output=True, text=True)
            assert (done.stdout, done.stderr) == ("42\n", "")
            count += 1
        return count

    tasks = [stage.run(load) for _ in range(2)]
    wait_for(lambda: len(proxy.records) > 4, 10, "transactions")
    recipe.run()
    wait_for(lambda: recipe.asked, 15, "the restart")
    server.close()
    server = start(stage, command, address)
    tools = os.path.dirname(next(
        c for c in command if str(c).endswith("/postgres")))
    wait_for(lambda: is_ready(tools, address), 20, "a server")
    recipe.restarted()
    code, out, errors = recipe.end()
    assert (code, errors) == (0, "")
    assert "resumed after" in out
    seen = len(proxy.records)
    wait_for(lambda: len(proxy.records) > seen + 4, 10, "transactions again")
    stop.append(True)
    assert all(task.result(20) > 2 for task in tasks)


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_recipe_ends_though_a_session_does_not(stage, shell):
    server = stage.server(echo)
    proxy = watched(stage, server)
    pooled = stage.connect(proxy)
    pooled.send(b"x")
    assert pooled.recv_exact(1) == b"x"
    recipe = Recipe(stage, proxy, tries=5)
    recipe.run(shell)
    wait_for(lambda: recipe.asked, 10, "the restart")
    recipe.restarted()
    code, out, errors = recipe.end()
    assert (code, errors) == (0, "") and "default resumed" in out
    assert (recipe.folder / "asked").read_text() == "restart postgresql\n"


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_recipe_ends_at_once_with_a_wrong_name(stage, shell):
    """Nothing is restarted, nothing is paused."""
    proxy = watched(stage, stage.server(echo))
    recipe = Recipe(stage, proxy, name="pg")
    recipe.run(shell)
    code, out, errors = recipe.end()
    assert code != 0 and "there is no upstream 'pg'" in errors, errors
    assert not recipe.asked and "resumed" not in out
    client = stage.connect(proxy)
    client.send_and_fin(b"x")
    assert client.read_all() == (b"x", FIN)


def test_bash_completes_upstreams(stage):
    proxy = watched(stage, stage.server(echo))
    assert bash_completes(
        f"sluice ctl --socket {proxy.unix} resume ") == {"default"}


@pytest.mark.parametrize("busy", [True, False], ids=["full", "down"])
def test_who_waited_for_its_end_does_not_wait_for_ever(stage, busy):
    """It has the time that it would have had without the pause."""
    server = stage.server()
    proxy = watched(stage, server, workers=3, upstream={
        "server": f"127.0.0.1:{server.port} name=a",
        "server_max_sessions": 1, "queue_timeout": "1s",
        "on_no_server": "hold 1s"})
    if busy:
        assert stage.session(proxy, server)
    else:
        order(proxy, "server", "default/a", "down")
    order(proxy, "pause")
    clients = [stage.connect(proxy) for _ in range(12)]
    wait_for(lambda: waiting(proxy) == 12, 5, "all wait")
    nothing_happens_for(1.3, lambda: any(c.events() for c in clients),
                        "an end")
    order(proxy, "resume")
    nothing_happens_for(0.4, lambda: any(c.events() for c in clients),
                        "an end")
    for client in clients:
        assert client.read_all() == (b"", RST)


@pytest.mark.parametrize("busy", [True, False], ids=["full", "down"])
def test_who_waited_before_waits_on(stage, busy):
    server = stage.server()
    proxy = watched(stage, server, workers=3, upstream={
        "server": f"127.0.0.1:{server.port} name=a",
        "server_max_sessions": 1, "queue_timeout": "700ms",
        "on_no_server": "hold 700ms"})
    if busy:
        before, upstream = stage.session(proxy, server)
    else:
        order(proxy, "server", "default/a", "down")
    clients = [stage.connect(proxy) for _ in range(5)]
    wait_for(lambda: waiting(proxy) == 5, 5, "all wait")
    order(proxy, "pause")
    nothing_happens_for(1.5, lambda: any(c.events() for c in clients),
                        "an end")
    if busy:
        before.reset()
    else:
        order(proxy, "server", "default/a", "up")
    order(proxy, "resume")
    for _ in clients:
        server.accept().reset()
    for client in clients:
        assert client.read_all() == (b"", RST)


def test_who_comes_while_it_goes_on_is_not_one_too_many(stage):
    """There is room; those before him are on their way to it."""
    proxy = watched(stage, stage.server(echo), workers=3, upstream={
        "server_max_sessions": 200, "queue": "5"})
    for _ in range(5):
        order(proxy, "pause")
        clients = [stage.connect(proxy) for _ in range(100)]
        wait_for(lambda: waiting(proxy) == 100, 5, "all wait")
        task = stage.run(order, proxy, "resume")
        clients += [stage.connect(proxy) for _ in range(100)]
        for client in clients:
            client.send(b"x")
            assert client.recv_exact(1) == b"x"
            client.reset()
        task.result()
