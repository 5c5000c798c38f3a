"""Another configuration, without a new process: HUP and 'sluice ctl reload'."""

import contextlib
import os
import pwd
import re
import signal
import socket
import subprocess
import threading

import pytest

from lib.admin import Folder, ask, find_doors
from lib.marks import both_crews, root_only
from lib.nameserver import FakeNameServer
from lib.peers import FIN, RST, connect, echo, echoes, greeter, payload
from lib.programs import NOBODY, quiet_port
from lib.proxy import BINARY, OWN
from lib.scrape import scrape
from lib.stage import section
from lib.timing import (SLOW, Stopwatch, limit, nothing_happens_for,
                        wait_for)
from test_ctl import ctl

pytestmark = pytest.mark.threads


class Changing:
    """A proxy whose proxy.ini is written anew: sections as dictionaries."""

    def __init__(self, stage, sections, workers=3, **global_):
        self.stage = stage
        self.door = stage.keep(Folder()) / "ctl.sock"
        self.global_ = {"workers": workers, "drain_timeout": "1s",
                        "admin": "127.0.0.1:0", "admin_socket": self.door,
                        **global_}
        self.proxy = find_doors(stage.sluice(self.text(sections)))
        self.path = self.proxy.folder / "proxy.ini"

    def text(self, sections):
        return section("global", self.global_) + "".join(
            section(name, keys) for name, keys in sections.items())

    def write(self, sections):
        self.path.write_text(self.text(sections))

    def ctl(self, *words):
        return ctl(words[0], "--socket", self.door, *words[1:])

    def reload(self, sections=None, code=0):
        """What it said."""
        if sections is not None:
            self.write(sections)
        done = self.ctl("reload")
        assert done.returncode == code, done
        return done.stdout + done.stderr

    def client(self, listener="a"):
        return self.stage.connect(self.proxy.address(listener))

    def metric(self, name, **labels):
        return scrape(self.proxy.tcp).get(name, **labels)


def listener(**keys):
    return {"bind": "127.0.0.1:0", **keys}


def upstream(*servers, **keys):
    return {"server": [f"127.0.0.1:{s.port}" for s in servers], **keys}


def to(server, **keys):
    """A listener and an upstream of the name a."""
    return {"listener a": listener(**keys), "upstream a": upstream(server)}


def says(client):
    """The banner of who is at the other end."""
    text = client.recv_exact(1)
    return text.decode()


@pytest.fixture
def banners(stage):
    """Servers that say their letter."""
    return [stage.server(greeter(letter)) for letter in (b"A", b"B", b"C")]


# What changes, and what does not.

@both_crews
def test_new_sessions_go_where_the_new_file_says(stage, workers, banners):
    one, other, _ = banners
    daemon = Changing(stage, to(one), workers)
    old = daemon.client()
    assert says(old) == "A"
    said = daemon.reload(to(other))
    assert f"upstream a: server - 127.0.0.1:{one.port} (1 session keeps what " \
        "was)\n" in said
    assert f"upstream a: server + 127.0.0.1:{other.port}" in said
    assert said.endswith("reloaded\n")
    wait_for(lambda: says(daemon.client()) == "B", 5, "the other server")
    assert [says(daemon.client()) for _ in range(20)] == ["B"] * 20
    assert not old.events()
    daemon.proxy.wait_for_line(r"^reloaded: 2 changes, 1 listener, 1 upstream$")


@both_crews
def test_sessions_keep_what_they_began_with(stage, workers):
    server = stage.server(echo)
    daemon = Changing(stage, to(server, idle_timeout="1h"), workers)
    old = daemon.client()
    assert echoes(old)
    assert "listener a: idle_timeout 1h -> 300ms (1 session keeps what was)" \
        in daemon.reload(to(server, idle_timeout="300ms"))
    young = daemon.client()
    assert echoes(young)
    assert young.read_all()[1] == RST
    assert daemon.proxy.record(young).how == "timeout"
    assert echoes(old)


@both_crews
def test_listeners_come_and_go(stage, workers, banners):
    one, other, _ = banners
    before = {"listener a": listener(), "upstream a": upstream(one)}
    both = {**before, "listener b": listener(upstream="b"),
            "upstream b": upstream(other)}
    daemon = Changing(stage, before, workers)
    sockets = daemon.proxy.sockets
    said = daemon.reload(both)
    assert "listener b: added\n" in said and "upstream b: added\n" in said
    daemon.proxy.wait_for_line("^reloaded: ")
    address = daemon.proxy.address("b")
    session = stage.connect(address)
    assert says(session) == "B"
    assert says(daemon.client("a")) == "A"
    said = daemon.reload(before)
    assert "listener b: removed (1 session keeps what was)\n" in said
    assert " b " in daemon.ctl("sessions", "listener=b").stdout
    assert " b" in daemon.ctl("sessions", "upstream=b").stdout
    wait_for(lambda: refuses(address), 5, "the port is closed")
    assert says(daemon.client("a")) == "A"
    assert not session.events()
    session.fin()
    wait_for(lambda: daemon.proxy.sockets <= sockets + 4, 5, "what was b's")


def refuses(address):
    try:
        with socket.create_connection(address, timeout=limit(5)):
            return False
    except ConnectionRefusedError:
        return True


def is_shut(address):
    """As on_no_server = unlisten has it: whoever comes in the moment of that
    may be reset."""
    with contextlib.suppress(ConnectionResetError):
        return refuses(address)
    return False


def is_reset(address):
    """Whoever comes is, before or after connect() has returned."""
    try:
        with contextlib.closing(connect(address)) as client:
            return client.read_all() == (b"", RST)
    except ConnectionResetError:
        return True


@both_crews
def test_a_port_may_be_another_listeners(stage, workers, banners):
    """The sockets stay: who is queued meanwhile is served by the new one."""
    one, other, _ = banners
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    keys = {"bind": f"127.0.0.1:{port}"}
    daemon = Changing(stage, {"listener a": keys, "upstream a": upstream(one)},
                      workers)
    inodes = listening(daemon.proxy, port)
    daemon.reload({"listener b": keys, "upstream b": upstream(other)})
    wait_for(lambda: says(stage.connect(("127.0.0.1", port))) == "B", 5,
             "the other listener")
    assert listening(daemon.proxy, port) == inodes
    assert len(inodes) == workers


def listening(proxy, port):
    """The inodes of its sockets that listen there."""
    with open(f"/proc/{proxy.pid}/net/tcp") as table:
        lines = [line.split() for line in table][1:]
    found = {line[9] for line in lines
             if line[3] == "0A" and int(line[1].split(":")[1], 16) == port}
    return {link for link in proxy.fds.values()
            if link.startswith("socket:") and link[8:-1] in found}


def test_nothing_different(stage, banners):
    """It is reloaded all the same: lines may have other numbers."""
    daemon = Changing(stage, to(banners[0]))
    loaded = daemon.metric("sluice_config_last_load_time_seconds")
    assert daemon.reload() == "nothing is different\n"
    daemon.path.write_text("; a comment\n\n" + daemon.path.read_text())
    assert daemon.reload() == "nothing is different\n"
    assert says(daemon.client()) == "A"
    assert daemon.metric("sluice_reloads_total", result="done") == 2
    assert daemon.metric("sluice_config_last_load_time_seconds") > loaded


def test_the_first_20_changes_are_logged(stage):
    server = stage.server(echo)

    def sections(count):
        return {"listener a": listener(), "upstream a": {"server": [
            f"127.0.0.1:{server.port}", *(f"127.0.1.{i}:1 backup"
                                          for i in range(count))]}}

    daemon = Changing(stage, sections(0))
    daemon.reload(sections(20))
    daemon.proxy.wait_for_line("^reloaded: 20 changes, ")
    assert len(re.findall("^reload: upstream a: server [+]", daemon.proxy.log,
                          re.M)) == 20
    assert "reload: and" not in daemon.proxy.log
    daemon.reload(sections(41))
    daemon.proxy.wait_for_line("^reloaded: 21 changes, ")
    assert len(re.findall("^reload: upstream a: server [+]", daemon.proxy.log,
                          re.M)) == 40
    daemon.proxy.wait_for_line("^reload: and 1 more$")


def test_counters_and_what_was_said_by_hand_survive(stage):
    one, other = stage.server(echo), stage.server(echo)
    keys = {"server": [f"127.0.0.1:{one.port} name=one",
                       f"127.0.0.1:{other.port} name=other"]}
    sections = {"listener a": listener(), "upstream a": keys}
    daemon = Changing(stage, sections)
    for _ in range(4):
        client = daemon.client()
        assert echoes(client)
        client.fin()
        assert client.read_all() == (b"", FIN)
    assert daemon.ctl("server", "a/one", "drain").returncode == 0
    wait_for(lambda: daemon.metric("sluice_listener_sessions_begun_total",
                                   listener="a") == 4, 5, "four")
    daemon.reload({**sections, "listener z": listener(upstream="a"),
                   "upstream a": {**keys, "connect_timeout": "2s"}})
    assert daemon.metric("sluice_listener_sessions_begun_total", listener="a") == 4
    for _ in range(6):
        client = daemon.client()
        assert echoes(client)
    text = daemon.ctl("servers").stdout
    assert re.search(r"one.*drain", text), text
    state = ask(daemon.proxy.tcp, "/api/status").json
    assert [l["name"] for l in state["listeners"]] == ["a", "z"]


def test_a_pause_survives(stage):
    server = stage.server(echo)
    daemon = Changing(stage, to(server))
    assert daemon.ctl("pause", "a").returncode == 0
    client = daemon.client()
    client.send(b"x")
    daemon.reload(to(server, idle_timeout="1h"))
    late = daemon.client()
    late.send(b"y")
    nothing_happens_for(0.3, lambda: client.events() or late.events(), "an end")
    assert daemon.ctl("resume", "a").returncode == 0
    assert client.recv_exact(1) == b"x"
    assert late.recv_exact(1) == b"y"


def test_who_waits_for_an_upstream_that_goes_is_let_go_on(stage):
    server = stage.server(echo)
    daemon = Changing(stage, {**to(server), "listener b": listener(),
                              "upstream b": upstream(server)})
    assert daemon.ctl("pause", "b").returncode == 0
    client = daemon.client("b")
    client.send(b"x")
    wait_for(lambda: daemon.metric("sluice_upstream_waiting_sessions",
                                   upstream="b") == 1, 5, "it waits")
    daemon.reload(to(server))
    assert client.recv_exact(1) == b"x"
    daemon.reload({**to(server), "listener b": listener(),
                   "upstream b": upstream(server)})
    assert "PAUSED" not in daemon.ctl("servers").stdout


def test_rates_count_a_listener_that_is_new(stage):
    server = stage.server(echo)
    daemon = Changing(stage, to(server))
    assert ask(daemon.proxy.tcp).status == 200      # somebody looks
    daemon.reload({**to(server), "listener b": listener(upstream="a")})
    daemon.proxy.wait_for_line("^reloaded: ")

    def is_known():
        client = daemon.client("b")
        client.send_and_fin(b"x" * 5000)
        assert client.read_all() == (b"x" * 5000, FIN)
        found = re.search(r"To clients</span><b>([\d.]+k?)",
                          ask(daemon.proxy.tcp).body)
        return found and found[1] != "0"

    wait_for(is_known, 5, "a rate that is not 0")


def test_limits_change(stage):
    server = stage.server(echo)
    daemon = Changing(stage, to(server, max_sessions=1))
    first = daemon.client()
    assert echoes(first)
    second = daemon.client()
    second.send(b"x")
    nothing_happens_for(0.3, lambda: second.events(), "an answer")
    daemon.reload(to(server, max_sessions=2))
    assert second.recv_exact(1) == b"x"
    assert daemon.metric("sluice_listener_max_sessions", listener="a") == 2


def test_the_limit_of_all_sessions_changes(stage):
    server = stage.server(echo)
    daemon = Changing(stage, to(server), max_sessions=1)
    first = daemon.client()
    assert echoes(first)
    second = daemon.client()
    second.send(b"x")
    nothing_happens_for(0.3, lambda: second.events(), "an answer")
    daemon.global_["max_sessions"] = 7
    assert "global: max_sessions 1 -> 7\n" in daemon.reload(to(server))
    assert second.recv_exact(1) == b"x"
    assert daemon.metric("sluice_max_sessions") == 7


def test_a_list_of_addresses_is_read_again(stage):
    server = stage.server(echo)
    blocked = stage.folder / "blocked"
    blocked.write_text("192.0.2.0/24\n")
    daemon = Changing(stage, to(server, deny=f"file:{blocked}"))
    assert echoes(daemon.client())
    blocked.write_text("192.0.2.0/24\n127.0.0.0/8\n")
    assert "listener a: allow, deny: a file has other ranges" in \
        daemon.reload()
    wait_for(lambda: is_reset(daemon.proxy.address("a")), 5, "denied")


def test_what_takes_a_restart_is_said(stage):
    server = stage.server(echo)
    daemon = Changing(stage, to(server))
    daemon.global_["workers"] = 2
    daemon.global_["drain_timeout"] = "3s"
    said = daemon.reload(to(server))
    assert "global: workers 3 -> 2 (takes a restart)\n" in said
    assert re.search(r"^global: drain_timeout 1s -> 3s", said, re.M)
    daemon.proxy.wait_for_line("^warning: reload: global: workers 3 -> 2: "
                               "takes a restart$")
    daemon.proxy.wait_for_line("^reloaded: 2 changes, of which 1 takes a "
                               "restart, 1 listener, 1 upstream$")
    for _ in range(2):
        assert daemon.reload() == ("global: workers 3 -> 2 (takes a restart)\n"
                                   "reloaded\n")
    assert "\n          takes a restart: global: workers 3 -> 2\n" in \
        daemon.ctl("status").stdout
    daemon.global_["workers"] = 3
    assert daemon.reload(to(server)) == "nothing is different\n"
    assert "takes a restart:" not in daemon.ctl("status").stdout
    assert echoes(daemon.client())


# What is wrong changes nothing.

def spoil_with(text):
    return lambda path: path.write_text(text)


def make_unreadable(path):
    path.unlink()
    path.symlink_to("proxy.ini")                # a loop: even root cannot


def make_folder(path):
    path.unlink()
    path.mkdir()


def make_fifo(path):
    path.unlink()
    os.mkfifo(path)


WRONG = {
    "broken": (spoil_with("[listener a]\nbind = 127.0.0.1:0\nupstrem = a\n"),
               r"proxy.ini:3: .*upstrem.*upstream"),
    "empty": (spoil_with(""), "is empty"),
    "truncated": (spoil_with("[listener a]\nbind = 127.0.0.1:0\n[upstre"),
                  r"proxy.ini:3: "),
    "deleted": (lambda path: path.unlink(), "No such file"),
    "folder": (make_folder, "is a directory"),
    "fifo": (make_fifo, "not a|is a"),
    "unreadable": (make_unreadable, "symbolic links"),
}


@pytest.mark.parametrize("how", WRONG)
@pytest.mark.parametrize("by", ["ctl", "hup"])
def test_93_a_wrong_file(stage, banners, how, by):
    spoil, words = WRONG[how]
    daemon = Changing(stage, to(banners[0]))
    daemon.proxy.may_log_errors = True
    spoil(daemon.path)
    if by == "ctl":
        said = daemon.reload(code=1)
        assert re.search(words, said) and "not reloaded" in said, said
    else:
        daemon.proxy.signal(signal.SIGHUP)
    daemon.proxy.wait_for_line(rf"^error: .*({words})")
    daemon.proxy.wait_for_line("^error: not reloaded: what was before goes on$")
    assert says(daemon.client()) == "A"
    assert daemon.metric("sluice_reloads_total", result="failed") == 1
    assert daemon.metric("sluice_config_last_reload_successful") == 0
    told = ask(daemon.proxy.tcp, "/api/status").json["not_reloaded"]
    assert re.search(words, told), told
    assert re.search(rf"^ +NOT RELOADED since: .*({words})",
                     daemon.ctl("status").stdout, re.M)
    assert "not in use</b>" in ask(daemon.proxy.tcp, "/").body


def test_a_mistake_is_told_as_often_as_it_is_made(stage, banners):
    daemon = Changing(stage, to(banners[0]))
    daemon.proxy.may_log_errors = True
    daemon.path.write_text("[listener a]\nbind = 127.0.0.1:0\nupstrem = a\n")
    for n in range(1, 4):
        daemon.proxy.signal(signal.SIGHUP)
        wait_for(lambda n=n: daemon.proxy.log.count("\nerror: not reloaded") ==
                 n, 5, "that it is not reloaded")
        assert len(re.findall(r"^error: .*proxy\.ini:3: ", daemon.proxy.log,
                              re.M)) == n


def test_of_several_errors_the_first_is_kept(stage, banners):
    daemon = Changing(stage, to(banners[0]))
    daemon.proxy.may_log_errors = True
    daemon.path.write_text("[listener a]\nbind = 127.0.0.1:0\nupstrem = a\n"
                           "idle_timeot = 1h\n")
    said = daemon.reload(code=1)
    assert "proxy.ini:3: " in said and "proxy.ini:4: " in said
    told = ask(daemon.proxy.tcp, "/api/status").json["not_reloaded"]
    assert "proxy.ini:3: " in told and "proxy.ini:4: " not in told


def test_a_port_that_is_taken(stage, banners):
    """What was bound or opened before it is given back."""
    daemon = Changing(stage, to(banners[0]))
    daemon.proxy.may_log_errors = True
    sockets, fds = daemon.proxy.sockets, len(daemon.proxy.fds)
    daemon.global_["access_log"] = f"file:{stage.folder / 'access'}"
    path = stage.keep(Folder()) / "new.sock"
    said = daemon.reload({
        **to(banners[1]), "listener b": listener(upstream="a"),
        "listener u": {"bind": f"unix:{path}", "upstream": "a"},
        "listener c": {"bind": f"127.0.0.1:{banners[2].port}",
                       "upstream": "a"}}, code=1)
    assert f"listener c: cannot bind 127.0.0.1:{banners[2].port}" in said, said
    wait_for(lambda: daemon.proxy.sockets == sockets, 5, "the others' sockets")
    wait_for(lambda: len(daemon.proxy.fds) == fds, 5, "the log")
    assert not os.path.exists(path)
    assert says(daemon.client()) == "A"
    del daemon.global_["access_log"]
    assert daemon.reload(to(banners[1])).endswith("reloaded\n")
    assert daemon.metric("sluice_config_last_reload_successful") == 1
    assert "NOT RELOADED" not in daemon.ctl("status").stdout


# What would be.

def test_dry_run(stage, banners):
    daemon = Changing(stage, to(banners[0]))
    client = daemon.client()
    assert says(client) == "A"
    done = daemon.ctl("reload", "--dry-run")
    assert (done.returncode, done.stdout) == (0, "nothing is different\n")
    daemon.write(to(banners[1], idle_timeout="1h"))
    done = daemon.ctl("reload", "--dry-run")
    assert done.returncode == 2
    assert done.stdout.endswith("would be reloaded\n")
    assert "listener a: idle_timeout 24h -> 1h (1 session keeps what was)\n" \
        in done.stdout
    assert says(daemon.client()) == "A"
    daemon.write({**to(banners[0]), **{    # more than there is memory for yet
        f"listener n{i}": listener(upstream="a") for i in range(100)}})
    done = daemon.ctl("reload", "--dry-run")
    assert done.returncode == 2 and done.stdout.count(": added\n") == 100
    daemon.path.write_text("[lisener]\n")
    done = daemon.ctl("reload", "--dry-run")
    assert done.returncode == 1 and "proxy.ini:1: " in done.stderr
    assert "lisener" not in daemon.proxy.log


def test_as_json(stage, banners):
    daemon = Changing(stage, to(banners[0]))
    daemon.write(to(banners[0], idle_timeout="1h"))
    reply = ask(daemon.door, "/api/reload?dry_run=1", method="POST")
    assert (reply.status, reply.json) == (202, {
        "changes": [{"section": "listener", "name": "a", "what": "changed",
                     "key": "idle_timeout", "before": "24h", "after": "1h",
                     "sessions": 0, "restart": False}],
        "result": "would be reloaded"})
    daemon.write({"listener b": listener(), "upstream b": upstream(banners[0])})
    reply = ask(daemon.door, "/api/reload?dry_run=1", method="POST")
    assert [(c["what"], c["section"], c["name"], c["key"], c["sessions"])
            for c in reply.json["changes"]] == [
                ("added", "listener", "b", None, 0),
                ("added", "upstream", "b", None, 0),
                ("removed", "listener", "a", None, 0),
                ("removed", "upstream", "a", None, 0)]
    daemon.path.write_text("")
    reply = ask(daemon.door, "/api/reload?dry_run=1", method="POST")
    assert reply.status == 409 and "is empty" in reply.json["errors"][0]
    assert ask(daemon.proxy.tcp, "/api/reload", method="POST").status in (403, 405)


def test_a_warning_is_no_error(stage, banners):
    daemon = Changing(stage, to(banners[0]))
    daemon.write({"listener a": listener(), "upstream a": upstream(
        banners[0], on_no_server="unlisten")})
    words = "on_no_server = unlisten notices servers that are down by"
    reply = ask(daemon.door, "/api/reload?dry_run=1", method="POST")
    assert reply.status == 202 and words in reply.json["warnings"][0]
    assert [c["key"] for c in reply.json["changes"]] == ["on_no_server"]
    assert "errors" not in reply.json
    said = daemon.reload()
    assert words in said and said.endswith("\nreloaded\n")
    daemon.proxy.wait_for_line("^reloaded: ")
    dry, real = daemon.proxy.log.split("\nadmin: ")[1:]
    assert words not in dry
    assert re.search(f"^warning: .*/proxy.ini:.*{words}", real, re.M)
    assert ask(daemon.proxy.tcp, "/api/status").json["not_reloaded"] is None


# What someone asks who is neither root nor the daemon's user.
POST = """
import socket, sys
with socket.socket(socket.AF_UNIX) as sock:
    sock.connect(sys.argv[1])
    sock.sendall(f"POST {sys.argv[2]} HTTP/1.0\\r\\n\\r\\n".encode())
    print(sock.makefile().read())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_who_may_name_a_file(stage, banners):
    """Its errors quote its lines."""
    daemon = Changing(stage, to(banners[0]), admin_group="nogroup")
    os.chmod(os.path.dirname(daemon.door), 0o755)
    path = f"/api/reload?dry_run=1&path={daemon.path}"

    def asks(path):
        return subprocess.run([*NOBODY, "/usr/bin/python3", "-c", POST,
                               daemon.door, path], text=True, check=True,
                              capture_output=True).stdout

    assert " 403 " in asks(path).splitlines()[0]
    assert "nothing is different" in asks("/api/reload?dry_run=1")
    assert ask(daemon.door, path, method="POST").status == 200
    reply = ask(daemon.door, f"/api/reload?path={daemon.path}", method="POST")
    assert reply.status == 400 and "path goes with dry_run" in reply.error


# Under load.

class Load:
    """Clients that come and go and check every byte, until told to stop."""

    def __init__(self, addresses, threads=4):
        self.addresses = addresses
        self.stopping = False
        self.served, self.wrong = 0, []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(n,))
                        for n in range(threads)]
        for thread in self.threads:
            thread.start()

    def one(self, n, i):
        data = payload(20000, seed=n * 1000003 + i)
        address = self.addresses[i % len(self.addresses)]
        with contextlib.closing(connect(address)) as client:
            client.send_and_fin(data)
            heard = client.read_all()
            assert heard == (data, FIN), (len(heard[0]), heard[1])

    def run(self, n):
        i = 0
        while not self.stopping:
            i += 1
            try:
                self.one(n, i)
                with self.lock:
                    self.served += 1
            except Exception as error:          # what, is told at the end
                self.wrong.append(error)

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join(limit(30))
        assert not self.wrong, self.wrong[:5]


@contextlib.contextmanager
def load(addresses):
    clients = Load(addresses)
    try:
        yield clients
    finally:
        clients.stop()


@both_crews
def test_92_20_hups_in_3_s_under_load(stage, workers):
    one, other = stage.server(echo), stage.server(echo)
    daemon = Changing(stage, to(one), workers)
    long = daemon.client()
    assert echoes(long)
    with load([daemon.proxy.address("a")]) as clients:
        for i in range(20):
            daemon.write(to((one, other)[i % 2], idle_timeout=f"{i + 1}h"))
            daemon.proxy.signal(signal.SIGHUP)
            wait_for(lambda: daemon.proxy.log.count("\nreloaded: ") == i + 1,
                     5, "the reload")
        before = clients.served
        wait_for(lambda: clients.served > before + 20, 10, "more")
    assert echoes(long)
    assert daemon.metric("sluice_reloads_total", result="done") == 20


def is_free(port):
    """By one who has not so many threads as we have here."""
    return subprocess.run(["ss", "-Hltn", f"sport = :{port}"], check=True,
                          capture_output=True).stdout == b""


@both_crews
def test_a_port_goes_within_a_second_under_load(stage, workers):
    """Before those who came meanwhile knock for a second time."""
    server = stage.server(echo)
    some = to(server)
    daemon = Changing(stage, {**some, "listener b": listener(upstream="a")},
                      workers)
    _, port = daemon.proxy.address("b")
    with load([daemon.proxy.address("a")]):
        for _ in range(3):
            daemon.reload(some)
            watch = Stopwatch()
            wait_for(lambda: is_free(port), 5, "it goes")
            assert watch.seconds < limit(1.5)
            daemon.reload({**some, "listener b": listener(
                bind=f"127.0.0.1:{port}", upstream="a")})


def test_hups_at_once_are_as_one(stage, banners):
    daemon = Changing(stage, to(banners[0]))
    daemon.write(to(banners[1]))
    with daemon.proxy.paused():
        for _ in range(5):
            daemon.proxy.signal(signal.SIGHUP)
    daemon.proxy.wait_for_line("^reloaded: ")
    wait_for(lambda: says(daemon.client()) == "B", 5, "the other server")


@both_crews
def test_200_reloads_leave_nothing(stage, workers):
    server = stage.server(echo)
    few = to(server)
    many = {**few, "listener b": listener(upstream="b"), "upstream b": {
        **upstream(server), "check": "tcp", "check_interval": "100ms",
        "balance": "hash"}}
    daemon = Changing(stage, few, workers)
    held = daemon.client()
    assert echoes(held)

    def reload(times):
        for i in range(times):
            daemon.reload(many if i % 2 == 0 else few)
            client = daemon.client()
            assert echoes(client) and echoes(held)
            client.close()

    times = 200 if SLOW == 1 else 30
    reload(times)               # the heap finds its size
    proxy = daemon.proxy
    wait_for(lambda: proxy.session_sockets <= 2, 10, "all closed")
    fds, threads, memory = len(proxy.fds), proxy.threads, proxy.anonymous
    reload(times)
    wait_for(lambda: len(proxy.fds) <= fds, 10, "no more descriptors")
    assert proxy.threads == threads
    assert SLOW > 1 or proxy.anonymous - memory < 1 << 20
    assert echoes(held)


@both_crews
def test_a_listener_goes_while_clients_queue(stage, workers, banners):
    """Who was queued is served; who comes later is refused, and nobody is
    reset."""
    before = {**to(banners[0]), "listener b": listener(upstream="a")}
    daemon = Changing(stage, before, workers)
    address = daemon.proxy.address("b")
    with daemon.proxy.paused():
        daemon.write(to(banners[0]))
        daemon.proxy.signal(signal.SIGHUP)
        clients = [stage.connect(address) for _ in range(100)]
    for client in clients:
        assert says(client) == "A"
    wait_for(lambda: refuses(address), 5, "the port is closed")


def test_one_goes_a_moment_after_the_other(stage, banners):
    """And neither is forgotten over the other."""
    some = to(banners[0])
    sections = {**some, "listener b": listener(upstream="a"),
                "listener c": listener(upstream="a")}
    daemon = Changing(stage, sections)
    ports = [daemon.proxy.address(name)[1] for name in "bc"]
    for name in "bc":
        del sections[f"listener {name}"]
        daemon.reload(sections)
    for port in ports:
        wait_for(lambda: is_free(port), 5, "it goes")


def test_who_is_on_the_way_still_comes(stage):
    """A handshake that the kernel has not finished is in no queue: with
    defer_accept it is not before the client has said something.  There is less
    than a second for that: who was too slow tries again."""
    server = stage.server(echo)
    before = {**to(server), "listener b": listener(
        upstream="a", defer_accept="10s")}
    daemon = Changing(stage, before)
    for _ in range(10):
        address = daemon.proxy.address("b", -1)
        clients = [stage.connect(address) for _ in range(20)]
        done = daemon.proxy.log.count("\nreloaded: ")
        daemon.write(to(server))
        watch = Stopwatch()
        daemon.proxy.signal(signal.SIGHUP)
        wait_for(lambda: daemon.proxy.log.count("\nreloaded: ") > done, 5,
                 "the reload")
        for client in clients:
            client.send(b"x")
        if watch.seconds < 0.5:
            break
        daemon.reload(before)
    assert [client.recv_exact(1) for client in clients] == [b"x"] * 20
    wait_for(lambda: refuses(address), 5, "the port is closed")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_port_that_goes_takes_nobody_new(stage):
    """Once the reload is done, though there may be clients for a moment who
    came before."""
    server = stage.server(echo)
    some = to(server)
    daemon = Changing(stage, {**some, "listener b": listener(upstream="a")})
    address = daemon.proxy.address("b")
    daemon.reload(some)
    with socket.socket() as client:
        client.settimeout(0.2)      # who is not heard tries again in a second
        with pytest.raises((TimeoutError, ConnectionRefusedError)):
            client.connect(address)
    assert echoes(daemon.client())


def test_nobody_is_reset_while_a_listener_goes(stage):
    """Whoever gets a connection gets a whole session."""
    server = stage.server(echo)
    before = {**to(server), "listener b": listener(upstream="a")}
    daemon = Changing(stage, before)
    address = daemon.proxy.address("b")
    served, refused, wrong = [0], threading.Event(), []

    def come():
        while not refused.is_set():
            try:
                client = connect(address)
            except ConnectionRefusedError:
                refused.set()
                return
            try:
                client.send_and_fin(b"whole")
                if client.read_all() != (b"whole", FIN):
                    wrong.append("cut")
                served[0] += 1
            finally:
                client.close()

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_for(lambda: served[0] > 50, 10, "they come")
    daemon.reload(to(server))
    for thread in threads:
        thread.join(limit(20))
    assert refused.is_set() and not wrong


# With other things going on.

def test_hup_during_a_drain(stage, banners):
    daemon = Changing(stage, to(banners[0]), drain_timeout="30s")
    daemon.proxy.may_log_errors = True
    client = daemon.client()
    assert says(client) == "A"
    daemon.proxy.signal(signal.SIGTERM)
    daemon.proxy.wait_for_line("^draining")
    daemon.proxy.signal(signal.SIGHUP)
    daemon.proxy.wait_for_line("^error: the daemon is stopping$")
    client.fin()
    assert daemon.proxy.wait(10) == 0


def test_term_right_behind_hup(stage, banners):
    daemon = Changing(stage, to(banners[0]))
    daemon.write({**to(banners[1]), "listener b": listener(upstream="a")})
    with daemon.proxy.paused():
        daemon.proxy.signal(signal.SIGHUP)
        daemon.proxy.signal(signal.SIGTERM)
    daemon.proxy.stop()


def test_a_unix_socket_comes_and_goes(stage, banners):
    path = stage.keep(Folder()) / "b.sock"
    few = to(banners[0])
    daemon = Changing(stage, few)
    daemon.reload({**few, "listener b": {"bind": f"unix:{path}",
                                         "upstream": "a"}})
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        assert sock.recv(1) == b"A"
        daemon.reload(few)
        assert not os.path.exists(path)
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(1)


def test_options_of_a_port_that_stays(stage, banners):
    daemon = Changing(stage, to(banners[0], backlog=5))
    address = daemon.proxy.address("a")
    assert backlog(daemon.proxy, address) == {5}
    assert is_kept_alive(daemon)
    inodes = listening(daemon.proxy, address[1])
    daemon.reload(to(banners[0], backlog=77, keepalive="off"))
    wait_for(lambda: backlog(daemon.proxy, address) == {77}, 5, "the backlog")
    wait_for(lambda: not is_kept_alive(daemon), 5, "sessions without it")
    assert listening(daemon.proxy, address[1]) == inodes


def is_kept_alive(daemon):
    """Whether a new session is.  Of several timers only the first is told."""
    client = daemon.client()
    assert says(client) == "A"
    return "timer:(keepalive" in wait_for(
        lambda: (said := of_session(client)) and "timer:(on" not in said and
        said, 5, "no other timer")


def of_session(client):
    """What the kernel says of the proxy's end."""
    port = client.sock.getsockname()[1]
    return subprocess.run(["ss", "-Htnom", f"dport = :{port}"], text=True,
                          stdout=subprocess.PIPE, check=True).stdout


def test_buffers_take_other_sockets(stage, banners):
    """Once set, the kernel tunes them no more."""
    port = quiet_port()

    def sections(**keys):
        return {"listener a": {"bind": f"127.0.0.1:{port}", **keys},
                "upstream a": upstream(banners[0])}

    daemon = Changing(stage, sections(receive_buffer="16k"))
    before = listening(daemon.proxy, port)
    daemon.reload(sections())
    wait_for(lambda: listening(daemon.proxy, port).isdisjoint(before), 5,
             "other sockets")
    client = stage.connect(("127.0.0.1", port))
    assert says(client) == "A"
    assert "rb32768" not in of_session(client)


def backlog(proxy, address):
    out = subprocess.run(["ss", "-Hltn", f"sport = :{address[1]}"], text=True,
                         stdout=subprocess.PIPE, check=True).stdout
    return {int(line.split()[2]) for line in out.splitlines()}


def test_checks_begin_change_and_end(stage):
    server = stage.server(echo)
    daemon = Changing(stage, to(server))

    def reload(**keys):
        daemon.reload({"listener a": listener(),
                       "upstream a": upstream(server, **keys)})

    reload(check="tcp", check_interval="100ms")
    wait_for(lambda: b"tcp" in ask(daemon.proxy.tcp, "/api/servers").body
             .encode(), 5, "it is checked")
    reload(check="send_expect", check_interval="100ms", check_send="x",
           check_expect="y", check_timeout="200ms")
    daemon.proxy.wait_for_line(r"server .* is down after .*check send_expect")
    wait_for(lambda: is_reset(daemon.proxy.address("a")), 5, "a reset")
    reload()
    daemon.proxy.wait_for_line(r"server .* is up after .*no longer checked")
    assert echoes(daemon.client())


def test_checks_end_with_their_upstream(stage):
    server, other = stage.server(echo), stage.server(echo)
    daemon = Changing(stage, {**to(other), "listener b": listener(), "upstream b":
                              upstream(server, check="tcp",
                                       check_interval="50ms")})
    wait_for(lambda: server.accepted > 3, 5, "it is checked")
    daemon.reload(to(other))
    checks = server.accepted + 1        # one may be on its way
    nothing_happens_for(0.5, lambda: server.accepted > checks, "a check")


def test_a_listener_that_was_shut_opens(stage):
    server = stage.server(echo)
    keys = {"check": "tcp", "check_interval": "100ms", "check_fall": 1}
    daemon = Changing(stage, {
        "listener a": {"bind": f"127.0.0.1:{quiet_port()}"},
        "upstream a": upstream(server, on_no_server="unlisten", **keys)})
    address = bound(daemon)
    server.close()
    daemon.proxy.wait_for_line("clients are refused .on_no_server = unlisten.")
    wait_for(lambda: is_shut(address), 5, "it refuses")
    other = stage.server(echo)
    sections = {"listener a": {"bind": f"127.0.0.1:{address[1]}"},
                "upstream a": upstream(other)}
    daemon.reload(sections)
    wait_for(lambda: not is_shut(address), 5, "it listens")
    assert echoes(stage.connect(address))


def test_a_port_that_goes_may_come_back_at_once(stage, banners):
    """Its sockets take nobody any more and are there still."""
    one, other, _ = banners
    before = {**to(one), "listener b": {"bind": f"127.0.0.1:{quiet_port()}",
                                        "upstream": "a"}}
    daemon = Changing(stage, before)
    daemon.reload(to(one))
    before["upstream a"] = upstream(other)
    assert daemon.reload(before).endswith("reloaded\n")
    address = "127.0.0.1", int(before["listener b"]["bind"].split(":")[1])
    assert says(stage.connect(address)) == "B"


def test_options_of_ip_are_nothing_to_a_path(stage, banners):
    """The socket stays, and so does its path if something else is wrong."""
    path = stage.keep(Folder()) / "a.sock"
    keys = {"bind": [f"unix:{path}", f"127.0.0.1:{quiet_port()}"]}
    daemon = Changing(stage, {"listener a": keys,
                              "upstream a": upstream(banners[0])})
    daemon.proxy.may_log_errors = True
    inode = os.stat(path).st_ino
    sections = {"listener a": {**keys, "freebind": "on"},
                "upstream a": upstream(banners[1])}
    wrong = {**sections, "listener c": {
        "bind": f"127.0.0.1:{banners[2].port}", "upstream": "a"}}
    assert "cannot bind 127.0.0.1:" in daemon.reload(wrong, code=1)
    assert os.stat(path).st_ino == inode
    assert daemon.reload(sections).endswith("reloaded\n")
    assert os.stat(path).st_ino == inode
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        assert sock.recv(1) == b"B"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_mode_and_owner_of_a_path_that_stays(stage, banners):
    path = stage.keep(Folder()) / "a.sock"
    bind = {"bind": f"unix:{path}"}
    more = {"upstream a": upstream(banners[0])}
    daemon = Changing(stage, {"listener a": {**bind, "socket_mode": "0600"},
                              **more})

    def mode_and_owner():
        found = os.stat(path)
        return found.st_mode & 0o777, found.st_uid

    assert mode_and_owner() == (0o600, 0)
    sections = {"listener a": {**bind, "socket_mode": "0666",
                               "socket_owner": "nobody"}, **more}
    daemon.reload(sections)
    assert mode_and_owner() == (0o666, pwd.getpwnam("nobody").pw_uid)
    os.chmod(path, 0o640)       # who says the same is not touched
    daemon.reload({**sections, "listener b": listener(upstream="a")})
    assert mode_and_owner()[0] == 0o640


def test_a_socket_without_a_path_stays(stage, banners):
    name = f"sluice-test-{os.getpid()}"
    bind = {"bind": f"unix:@{name}"}
    more = {"upstream a": upstream(banners[0])}
    daemon = Changing(stage, {"listener a": bind, **more})
    daemon.reload({"listener a": {**bind, "idle_timeout": "1h"}, **more})
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(f"\0{name}")
        assert sock.recv(1) == b"A"
    daemon.proxy.wait_for_line("^reloaded: ")
    assert "warning: listener" not in daemon.proxy.log


UNLISTEN = {"on_no_server": "unlisten", "check": "tcp",
            "check_interval": "100ms", "check_fall": 1}


def test_a_port_that_is_shut_opens_for_another_listener(stage, banners):
    gone = stage.server(echo)
    bind = {"bind": f"127.0.0.1:{quiet_port()}"}
    daemon = Changing(stage, {"listener a": bind,
                              "upstream a": upstream(gone, **UNLISTEN)})
    address = bound(daemon)
    gone.close()
    wait_for(lambda: is_shut(address), 5, "it refuses")
    daemon.reload({"listener b": bind, "upstream b": upstream(banners[1])})
    wait_for(lambda: not is_shut(address), 5, "it listens")
    assert says(stage.connect(address)) == "B"


def test_a_listener_that_leads_to_who_is_down_is_shut(stage, banners):
    """Not because of a server: it is the listener that leads elsewhere now."""
    address = "127.0.0.1", quiet_port()
    bind = {"bind": "%s:%d" % address}
    upstreams = {"upstream a": upstream(banners[0]), "upstream b": {
        "server": f"127.0.0.1:{banners[1].port} name=x",
        "on_no_server": "unlisten"}}
    daemon = Changing(stage, {"listener a": bind, **upstreams})
    assert daemon.ctl("server", "b/x", "down").returncode == 0
    daemon.reload({"listener a": {**bind, "upstream": "b"}, **upstreams})
    wait_for(lambda: is_shut(address), 5, "it refuses")
    daemon.reload({"listener a": bind, **upstreams})
    wait_for(lambda: not is_shut(address), 5, "it listens")


def test_a_new_port_of_a_listener_that_is_shut_is_shut(stage):
    server = stage.server(echo)
    ports = [f"127.0.0.1:{quiet_port()}" for _ in range(2)]
    upstreams = {"upstream a": upstream(server, **UNLISTEN)}
    daemon = Changing(stage, {"listener a": {"bind": ports[0]}, **upstreams})
    server.close()
    wait_for(lambda: is_shut(bound(daemon)), 5, "it refuses")
    daemon.reload({"listener a": {"bind": ports}, **upstreams})
    host, port = ports[1].split(":")
    wait_for(lambda: is_shut((host, int(port))), 5, "so does the other")
    again = stage.server(echo, port=server.port)
    wait_for(lambda: not is_shut((host, int(port))), 5, "it listens")
    again.close()


def test_checks_outlive_the_file_that_they_began_with(stage):
    """Files come and go while one is under way, and when none is."""
    silent, server = stage.server(), stage.server(echo)
    keys = {"check": "send_expect", "check_send": "x", "check_expect": "y",
            "check_interval": "100ms", "check_timeout": "1s", "check_fall": 1}
    sections = {"listener a": listener(), "upstream a": upstream(silent, **keys),
                "listener b": listener(), "upstream b": upstream(
                    server, check="tcp", check_interval="1h")}
    daemon = Changing(stage, to(server))    # which is never forgotten
    daemon.reload(sections)
    asked = silent.accept()

    def reload(**more):
        daemon.reload({**sections, "listener c": listener(upstream="b", **more)})

    for i in range(4):
        reload(idle_timeout=f"{i + 1}h")
    daemon.proxy.wait_for_line("is down after .* no answer within 1[.]0s")
    asked.close()
    for kind in "tcp", "off":
        sections["upstream b"] = upstream(server, check=kind)
        reload()
    assert echoes(daemon.client("b"))


def test_a_weight_while_names_are_looked_up(stage, banners):
    """What was before goes on until the new file's addresses are known."""
    one, other, _ = banners
    dns = stage.keep(FakeNameServer())
    dns.set("late.test", "A", "127.0.0.1")
    dns.twist = lambda question, reply: []
    daemon = Changing(stage, to(one), dns_server=dns.address)
    daemon.reload({"listener a": listener(), "upstream a": {
        "server": f"late.test:{other.port} name=late"}})
    assert daemon.ctl("server", "a/late", "weight", "3").returncode == 0
    assert [says(daemon.client()) for _ in range(8)] == ["A"] * 8
    dns.twist = lambda question, reply: [reply]
    wait_for(lambda: says(daemon.client()) == "B", 10, "the other server")


def test_what_was_said_of_a_name_goes_with_it(stage):
    """An address that another line has by now is not what was meant."""
    one, other = stage.server(echo), stage.server(echo)

    def lines(*names):
        return {"listener a": listener(), "upstream a": {"server": [
            f"127.0.0.1:{s.port} name={n}" for s, n in zip((one, other), names)
        ]}}

    daemon = Changing(stage, lines("x", "y"))
    for name in "x", "y":
        assert daemon.ctl("server", f"a/{name}", "drain").returncode == 0
    wait_for(lambda: is_reset(daemon.proxy.address("a")), 5, "none is up")
    daemon.reload(lines("y", "z"))
    clients = [daemon.client() for _ in range(4)]
    assert all(echoes(client) for client in clients)
    servers = {s["name"]: s["state"] for s in ask(
        daemon.proxy.tcp, "/api/servers").json["servers"]}
    assert servers == {"y": "drain", "z": "up"}
    clients[0].fin()
    assert clients[0].read_all() == (b"", FIN)
    daemon.proxy.wait_for_line(" server=z .* how=fin ")


def bound(daemon):
    text = re.search(r"^forwarding 127.0.0.1:(\d+)", daemon.proxy.log, re.M)
    return "127.0.0.1", int(text[1])


def sluice(*args):
    return subprocess.run([BINARY, *args], text=True, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=limit(30))


def test_diff(stage, banners):
    """sluice -t --diff, from another file as well."""
    daemon = Changing(stage, to(banners[0]))

    def diff(path, *more):
        return sluice("-t", "--diff", "-c", str(path), *OWN, *more)

    done = diff(daemon.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(": ok (1 listener, 1 upstream)\n"
                                "nothing is different\n")
    other = daemon.path.with_name("other.ini")
    other.write_text(daemon.text(to(banners[0], idle_timeout="1h")))
    done = diff(other)
    assert (done.returncode, done.stderr) == (2, "")
    assert "listener a: idle_timeout 24h -> 1h\n" in done.stdout
    assert done.stdout.endswith("would be reloaded\n")
    other.write_text("[lisener]\n")
    done = diff(other)
    assert done.returncode == 1 and "other.ini:1: " in done.stderr
    other.write_text(daemon.path.read_text().replace("ctl.sock", "none.sock"))
    done = diff(other)
    assert done.returncode == 3 and "none.sock" in done.stderr
    done = sluice("--diff", "-c", str(daemon.path))
    assert done.returncode == 1 and "--diff goes with -t" in done.stderr
    assert says(daemon.client()) == "A"


@root_only
def test_other_sockets_at_the_address_of_a_former_root(open_folder, stage):
    """The kernel lets nobody but their user add some to a group."""
    stage.folder = open_folder
    server = stage.server(echo)
    port = quiet_port("0.0.0.0")

    def sections(bind, **keys):
        return {"listener a": {"bind": bind, **keys},
                "upstream a": upstream(server)}

    daemon = Changing(stage, sections(f"127.0.0.1:{port}"), user="nobody")
    for bind, keys in ((f"127.0.0.1:{port}", {"receive_buffer": "16k"}),
                       (f"0.0.0.0:{port}", {}), (f":{port}", {}),
                       (f"127.0.0.1:{port}", {})):
        assert daemon.reload(sections(bind, **keys)).endswith("reloaded\n")
        assert echoes(stage.connect(("127.0.0.1", port)))
