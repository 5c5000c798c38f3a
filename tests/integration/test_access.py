"""Who may come in: allow and deny, and what a denied client gets to see."""

import os
import signal
import subprocess

import pytest

from lib.admin import watched
from lib.door import come_from, config_of, guarded, is_served
from lib.peers import FIN, RST, echo
from lib.proxy import BINARY, OWN
from lib.scrape import scrape
from lib.timing import Stopwatch, limit, nothing_happens_for, wait_for


# --- which rule holds


RULES = [
    ([], {"127.0.0.1": True}),
    (["deny = 127.0.0.2"], {"127.0.0.2": False, "127.0.0.3": True}),
    (["allow = 127.0.0.2"], {"127.0.0.2": True, "127.0.0.3": False}),
    (["allow = 127.0.0.0/30", "deny = 127.0.0.0/29", "allow = all"],
     {"127.0.0.2": True, "127.0.0.4": False}),
    (["deny = 127.0.0.2", "allow = 127.0.0.0/30"],
     {"127.0.0.2": False, "127.0.0.3": True, "127.0.0.4": False}),
    (["deny = 127.0.0.2", "allow = 127.0.0.0/30", "deny = 127.0.0.0/29",
      "allow = all"],
     {"127.0.0.2": False, "127.0.0.3": True, "127.0.0.4": False,
      "127.0.0.8": True}),
    (["deny = all"], {"127.0.0.1": False}),
    (["allow = 127.0.0.1", "deny = all"], {"127.0.0.1": True}),
    (["deny = 127.0.0.0/8"], {"127.1.2.3": False}),
    (["deny = unix", "deny = ::/0"], {"127.0.0.1": True}),
    (["allow = ::ffff:127.0.0.0/126"],
     {"127.0.0.3": True, "127.0.0.4": False}),
]


@pytest.mark.parametrize("lines, clients", RULES,
                         ids=[", ".join(r[0]) or "none" for r in RULES])
def test_first_match_wins(stage, lines, clients):
    proxy = guarded(stage, stage.server(echo), *lines)
    for source, served in clients.items():
        assert is_served(come_from(stage, proxy, source)) == served, source


@pytest.mark.parametrize("rule, served", [
    ("allow = ::1", True), ("deny = ::1", False), ("allow = ::/1", True),
    ("allow = 127.0.0.0/8", False), ("deny = 0.0.0.0/0", True)])
def test_ipv6(stage, rule, served):
    proxy = guarded(stage, stage.server(echo), rule, bind="[::1]:0")
    assert is_served(come_from(stage, proxy, "::1")) == served


def test_a_mapped_address_is_an_ipv4_one(stage):
    """A dual-stack socket hears of IPv4 clients as ::ffff:127.0.0.1."""
    proxy = guarded(stage, stage.server(echo), "deny = 127.0.0.2",
                    "deny = ::/0", "allow = 127.0.0.0/8", bind=":0")
    assert not is_served(come_from(stage, proxy, "127.0.0.2"))
    assert is_served(come_from(stage, proxy, "127.0.0.3"))
    assert not is_served(come_from(stage, proxy, "::1"))


@pytest.mark.parametrize("rule, served", [
    ("allow = unix", True), ("deny = unix", False), ("deny = all", False),
    ("allow = all", True), ("allow = 0.0.0.0/0", False)])
def test_unix_clients(stage, rule, served):
    path = str(stage.folder / "in")
    proxy = guarded(stage, stage.server(echo), rule, bind=f"unix:{path}")
    client = stage.connect(path)
    if served:
        assert is_served(client)
    else:
        assert client.read_all()[0] == b""
        proxy.wait_for_line(r"client=unix: .* how=limit cause=.*")


def test_a_list_replaces_that_of_the_defaults(stage):
    server = stage.server(echo)
    proxy = stage.sluice(f"""
[defaults]
allow = 127.0.0.2
deny = 127.0.0.3
[listener default]
bind = 127.0.0.1:0
[listener own]
bind = 127.0.0.1:0
deny = 127.0.0.2
[upstream]
server = 127.0.0.1:{server.port}
""")
    served = {}
    for listener in "default", "own":
        for source in "127.0.0.2", "127.0.0.3", "127.0.0.4":
            served[listener, source[-1]] = is_served(
                come_from(stage, proxy, source, listener))
    assert [key for key, value in served.items() if value] == [
        ("default", "2"), ("own", "3"), ("own", "4")]


# --- what is told


def test_the_record_names_the_rule(stage):
    server = stage.server()
    proxy = guarded(stage, server, "deny = 127.0.0.2", "allow = 127.0.0.3")
    denied = come_from(stage, proxy, "127.0.0.2")
    assert denied.read_all() == (b"", RST)
    record = proxy.record(denied)
    ini = proxy.folder / "proxy.ini"
    assert record.end == "proxy limit"
    assert record.phase == "admit"
    assert record.attempts == 0
    assert record.cause == f"denied by deny 127.0.0.2 ({ini}:7)"
    other = come_from(stage, proxy, "127.0.0.4")
    assert other.read_all() == (b"", RST)
    assert proxy.record(other).cause == \
        "denied: no allow has 127.0.0.4 (allow of listener default)"
    assert server.nobody_came()


def test_denials_are_counted(stage):
    proxy = watched(stage, stage.server(echo),
                          listener={"deny": "127.0.0.2"})
    for _ in range(3):
        assert not is_served(come_from(stage, proxy, "127.0.0.2"))
    assert is_served(come_from(stage, proxy, "127.0.0.3"))
    proxy.wait_for_records(4)
    found = scrape(proxy.tcp)
    assert found.get("sluice_listener_denied_total", listener="default",
                     reason="deny") == 3
    assert found.get("sluice_listener_sessions_ended_total",
                     listener="default", closed_by="proxy", how="limit") == 3


def test_89_denied_clients_cause_no_connection_and_leave_nothing(stage):
    server = stage.server()
    proxy = guarded(stage, server, "deny = all", workers=3)
    for _ in range(300):
        assert come_from(stage, proxy, "127.0.0.1").read_all() == (b"", RST)
    proxy.wait_until_idle()
    assert server.nobody_came()
    assert all(r.end == "proxy limit" for r in proxy.wait_for_records(300))


def run(stage, config, *args):
    path = stage.folder / "proxy.ini"
    path.write_text(config)
    return subprocess.run([BINARY, "-c", path, *OWN, *args],
                          capture_output=True, text=True, timeout=limit(20))


def test_the_rule_that_is_left_is_printed(stage):
    server = stage.server()
    for lines, last in ((["deny = 10.0.0.0/8"], "may come in"),
                        (["allow = 10.0.0.0/8", "deny = unix"], "is denied")):
        done = run(stage, config_of(server, *lines), "-t")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[0] == (
            "listener default: allow and deny have "
            f"{len(lines)} range{'s' * (len(lines) > 1)}; who is in "
            f"none {last}")


def test_what_is_printed_is_in_order_and_works(stage):
    server = stage.server()
    (stage.folder / "list").write_text("192.0.2.1\n")
    lines = ["deny = 10.0.0.1", "allow = 10.0.0.0/8", "deny = file:list",
             "allow = unix", "deny = all"]
    done = run(stage, config_of(server, *lines), "-T")
    assert done.returncode == 0
    printed = [line for line in done.stdout.splitlines()
               if line.startswith(("allow", "deny ="))]
    assert printed == [
        "deny = 10.0.0.1 ; line 7", "allow = 10.0.0.0/8 ; line 8",
        f"deny = file:{stage.folder}/list ; line 9", "allow = unix ; line 10",
        "deny = all ; line 11"]
    again = run(stage, done.stdout, "-t")
    assert (again.returncode, again.stderr) == (0, "")


# --- files


def test_ranges_from_a_file(stage):
    (stage.folder / "lists").mkdir()
    (stage.folder / "lists" / "blocked").write_text(
        "# comments as other lists have them\n"
        "127.0.0.2\t# behind a value, too\r\n"
        "\n"
        "  127.0.1.0/24 ; SBL1234\n"
        "2001:db8::/32\n"
        "127.0.0.9")
    path = os.path.relpath(stage.folder / "lists" / "blocked",
                           stage.folder / "sluice0")
    proxy = guarded(stage, stage.server(echo), "allow = 127.0.1.7",
                    f"deny = file:{path}")
    for source, served in (("127.0.0.2", False), ("127.0.1.8", False),
                           ("127.0.1.7", True), ("127.0.0.9", False),
                           ("127.0.0.3", False)):
        peer = come_from(stage, proxy, source)
        assert is_served(peer) == served, source
        if source == "127.0.1.8":
            assert proxy.record(peer).cause.startswith(
                f"denied by deny file:{path} line 4 (")


@pytest.mark.parametrize("make, said", [
    (lambda path: None, "cannot open: No such file or directory"),
    (lambda path: path.mkdir(), "is a directory, not a file"),
    (os.mkfifo, "is not a regular file"),
    (lambda path: os.symlink("/dev/zero", path), "is not a regular file"),
    (lambda path: os.symlink(path, path),
     "cannot open: Too many levels of symbolic links")],
    ids=["missing", "folder", "fifo", "device", "loop"])
def test_what_is_no_file(stage, make, said):
    make(stage.folder / "list")
    config = config_of(stage.server(), "deny = file:list")
    done = run(stage, config, "-t")
    assert done.returncode == 1
    assert done.stderr == (
        f"{stage.folder}/proxy.ini:7: deny 'file:list': {said}\n")


@pytest.mark.parametrize("text, said", [
    (b"10.0.0.1\nexample.com\n10.0.0.0/33",
     ["2: 'example.com' is a name: addresses only, no names",
      "3: '10.0.0.0/33' has more bits than an address: at most /32"]),
    (b"10.0.0.1 10.0.0.2\n",
     ["1: '10.0.0.1 10.0.0.2' is more than one: write one a line"]),
    (b"\n10.0.0.1\0\n", ["2: the line contains a NUL byte"]),
    (b"1" * 300, ["1: the line is 300 bytes long, and 198 is the most "
                  "(comments do not count)"]),
    (b"\xff\xfe1\0\n", ["1: the line contains a NUL byte"]),
    (b";" + b"x" * (17 << 20), [" is larger than 16777216 bytes: that is no "
                                "configuration"]),
], ids=["words", "two", "NUL", "long", "UTF-16", "huge"])
def test_what_is_wrong_in_a_file_is_told_with_its_line(stage, text, said):
    (stage.folder / "list").write_bytes(text)
    done = run(stage, config_of(stage.server(), "deny = file:list"), "-t")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"{stage.folder}/list:{line}" for line in said]


def test_a_file_that_is_something_else_is_given_up_soon(stage):
    (stage.folder / "list").write_text("<html>\n" * 1000)
    done = run(stage, config_of(stage.server(), "deny = file:list"), "-t")
    assert len(done.stderr.splitlines()) == 21
    assert done.stderr.endswith(":20: the rest is not read\n")


def test_ten_thousand_ranges(stage):
    (stage.folder / "list").write_text("".join(
        f"10.{i >> 8}.{i & 255}.0/24\n" for i in range(10000)) +
        "127.0.0.2\n")
    proxy = guarded(stage, stage.server(echo),
                    f"deny = file:{stage.folder}/list")
    assert not is_served(come_from(stage, proxy, "127.0.0.2"))
    assert is_served(come_from(stage, proxy, "127.0.0.3"))


# --- what a denied client sees


def test_deny_action_close(stage):
    proxy = guarded(stage, stage.server(), "deny = all", "deny_action = close")
    assert stage.connect(proxy).read_all() == (b"", FIN)


def is_silent(peer):
    return not peer.events()


def test_deny_action_drop_says_nothing_and_reads_nothing(stage):
    proxy = guarded(stage, stage.server(), "deny = all", "deny_action = drop",
                    "greeting_timeout = 1s")
    watch = Stopwatch()
    client = stage.connect(proxy)
    client.send(b"is anybody there?")
    assert client.read_all() == (b"", RST)
    assert 0.9 <= watch.seconds <= limit(10)
    record = proxy.record(client)
    assert record.end == "proxy limit"
    assert record.cause.startswith("denied by deny all (")
    assert record.bytes_to_upstream == 0
    assert record.total_ms >= 900


@pytest.mark.parametrize("leave", ["close", "fin", "reset"])
@pytest.mark.parametrize("said", [b"", b"a few words"])
def test_deny_action_drop_lets_go_of_who_leaves(stage, leave, said):
    proxy = guarded(stage, stage.server(), "deny = all", "deny_action = drop",
                    "greeting_timeout = 1h")
    client = stage.connect(proxy)
    wait_for(lambda: proxy.session_sockets == 1, 5, "it was accepted")
    if said:
        client.send(said)
    nothing_happens_for(0.2, lambda: not is_silent(client), "an answer")
    getattr(client, leave)()
    proxy.wait_until_idle()
    assert proxy.record(client).end == "proxy limit"


@pytest.mark.parametrize("workers", [1, 3])
def test_deny_action_drop_holds_a_thousand(stage, workers):
    """The next are reset at once, and a place is there again when one of them
    leaves.  Others are served meanwhile."""
    server = stage.server(echo)
    proxy = guarded(stage, server, "deny = 127.0.0.2", "deny_action = drop",
                    "greeting_timeout = 1h", "max_sessions = 8000",
                    workers=workers)
    held = [come_from(stage, proxy, "127.0.0.2") for _ in range(1000)]
    wait_for(lambda: proxy.session_sockets == 1000, 10, "all are accepted")
    for _ in range(20):
        assert come_from(stage, proxy, "127.0.0.2").read_all() == (b"", RST)
    assert all(map(is_silent, held))
    assert is_served(come_from(stage, proxy, "127.0.0.3"))
    held.pop().close()
    proxy.wait_for_records(22)
    held.append(come_from(stage, proxy, "127.0.0.2"))
    wait_for(lambda: proxy.session_sockets == 1000, 10, "it is held, too")
    assert all(map(is_silent, held))
    assert come_from(stage, proxy, "127.0.0.2").read_all() == (b"", RST)
    assert server.accepted == 1


def test_who_is_held_leaves_room_for_others(stage):
    """They have a slot each, so that descriptors are counted, but no more than
    a quarter of them."""
    proxy = guarded(stage, stage.server(echo), "deny = 127.0.0.2",
                    "deny_action = drop", "greeting_timeout = 1h",
                    "max_sessions = 8")
    held = [come_from(stage, proxy, "127.0.0.2") for _ in range(2)]
    wait_for(lambda: proxy.session_sockets == 2, 5, "both are accepted")
    for _ in range(10):
        client = come_from(stage, proxy, "127.0.0.2")
        assert client.read_all() == (b"", RST)
    assert proxy.record(client).cause.endswith(
        "proxy.ini:7), and no place to hold it")
    assert all(map(is_silent, held))
    assert is_served(come_from(stage, proxy, "127.0.0.3"))


@pytest.mark.parametrize("workers", [1, 3])
def test_who_is_held_does_not_hold_up_the_end(stage, workers):
    """Not even one that is to wait for the last session, however long."""
    proxy = guarded(stage, stage.server(), "deny = all", "deny_action = drop",
                    "greeting_timeout = 1h", "max_sessions = 100",
                    workers=workers)
    clients = [stage.connect(proxy) for _ in range(9)]
    wait_for(lambda: proxy.session_sockets == 9, 5, "all are accepted")
    proxy.signal(signal.SIGQUIT)
    for client in clients:
        assert client.read_all() == (b"", RST)
    assert {r.how for r in proxy.wait_for_records(9)} == {"limit"}
    assert proxy.wait(10) == 0
