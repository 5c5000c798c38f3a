"""Health checks: servers that die, hang, flap and come back, and what is said
of it."""

import contextlib
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess

import pytest

from lib.admin import Folder, ask, find_doors, watched
from lib.features import HAS_TLS, with_cares, with_tls
from lib.marks import both_crews, plain
from lib.mortal import Mortal
from lib.nameserver import FakeNameServer
from lib.peers import FIN, RST, BusyServer, Task, echo, payload
from lib.programs import fails_to_start, quiet_port, run, start
from lib.scrape import scrape
from lib.stage import section
from lib.timing import nothing_happens_for, wait_for
from test_servers import row, rows, shares

FAST = {"check_interval": "100ms", "check_timeout": "500ms"}


def mortals(stage, count=3, script=None):
    return [stage.keep(Mortal(b"%d" % i, script)) for i in range(count)]


def checked(stage, servers, workers=1, lines=None, **upstream):
    """A proxy that checks these servers, and has done it."""
    lines = lines or ["name=%s" % "abc"[i] for i in range(len(servers))]
    proxy = watched(stage, servers, workers=workers, upstream={
        "server": ["%s:%d %s" % (*s.address, line)
                   for s, line in zip(servers, lines)],
        "check": "tcp", **FAST, **upstream})
    proxy.servers = servers
    wait_for(lambda: len(rows(proxy)) == len(servers) and all(
        r["check"]["checks"] for r in rows(proxy).values()), 5, "first checks")
    return proxy


def states(proxy):
    return [row(proxy, n)["state"] for n in range(len(proxy.servers))]


def wait_for_states(proxy, *wanted):
    wait_for(lambda: states(proxy) == list(wanted), 10, f"{wanted}")


def changes_of(proxy, name="a"):
    """What the log says of a server, but for how long it was otherwise."""
    return ["".join(said) for said in re.findall(
        rf"server {name} (?:\S+ )?(is \w+)(?: after [\d.ms]+)(:.*)$",
        proxy.log, re.M)]


def refused(stage, proxy):
    """A client that is reset, by the connect or after it."""
    with contextlib.suppress(ConnectionResetError):
        assert stage.connect(proxy).read_all() == (b"", RST)


# Down and up.

@both_crews
def test_who_dies_gets_no_sessions_until_he_is_back(stage, workers):
    servers = mortals(stage)
    proxy = checked(stage, servers, workers)
    assert set(shares(stage, proxy)) == {"0", "1", "2"}
    servers[0].down()
    wait_for_states(proxy, "failing", "up", "up")
    assert set(shares(stage, proxy)) == {"1", "2"}
    assert all(r.attempts == 1 for r in proxy.records)
    servers[0].up()
    wait_for_states(proxy, "up", "up", "up")
    assert set(shares(stage, proxy)) == {"0", "1", "2"}
    proxy.wait_for_line(r"server a .* is up")
    address = r"\(127\.0\.0\.1:\d+\) "
    assert re.fullmatch(
        r"is down: connection refused \(check tcp, 3 in a row\); "
        r"2 of 3 are up", changes_of(proxy)[0])
    assert changes_of(proxy)[1:] == [
        "is up: it answers (check tcp, 2 in a row); 3 of 3 are up"]
    assert re.search(rf"^warning: upstream default: server a {address}is "
                     "down", proxy.log, re.M)


def test_the_first_check_decides_at_once(stage):
    servers = mortals(stage)
    servers[1].down()
    proxy = checked(stage, servers, check_interval="1s", check_fall=1000)
    wait_for_states(proxy, "up", "failing", "up")
    proxy.wait_for_line(r"server b .* is down after \S+: connection refused "
                        r"\(check tcp\); 2 of 3 are up$")


def test_rise_and_fall_are_counted(stage):
    """One bad answer too few is none."""
    servers = mortals(stage, 1)
    proxy = checked(stage, servers, check_fall=5, check_rise=4)
    before = row(proxy, 0)["check"]
    servers[0].down()
    wait_for_states(proxy, "failing")
    assert row(proxy, 0)["check"]["failures"] - before["failures"] >= 5
    before = row(proxy, 0)["check"]["checks"]
    servers[0].up()
    wait_for_states(proxy, "up")
    assert row(proxy, 0)["check"]["checks"] - before >= 4
    proxy.wait_for_line(r"is up after \S+: it answers \(check tcp, 4 in a row\)")
    assert [c.split(";")[0] for c in changes_of(proxy)] == [
        "is down: connection refused (check tcp, 5 in a row)",
        "is up: it answers (check tcp, 4 in a row)"]


def test_who_accepts_and_says_nothing(stage):
    """A connection is no answer, for who wants one."""
    servers = mortals(stage, 2)
    proxy = checked(stage, servers, check="send_expect", check_expect="0",
                    check_timeout="200ms", check_fall=2)
    wait_for_states(proxy, "up", "failing")
    proxy.wait_for_line(r"server b .* is down after \S+: (the server closed|no good "
                        r"answer within check_timeout), and said '1' "
                        r"\(check send_expect\)")
    servers[0].mute()
    wait_for_states(proxy, "failing", "failing")
    proxy.wait_for_line(r"server a .* is down after \S+: no answer within 200ms "
                        r"\(check_timeout\) \(check send_expect, 2 in a row\)"
                        r"; 0 of 2 are up$")
    servers[0].up()
    wait_for_states(proxy, "up", "failing")


def test_all_down_and_back(stage):
    servers = mortals(stage, 2)
    proxy = checked(stage, servers, connect_attempts=1)
    for server in servers:
        server.down()
    wait_for_states(proxy, "failing", "failing")
    refused(stage, proxy)
    servers[1].up()
    wait_for_states(proxy, "failing", "up")
    assert set(shares(stage, proxy)) == {"1"}


def test_fail_back_from_a_backup(stage):
    servers = mortals(stage)
    proxy = checked(stage, servers, lines=["name=a", "name=b",
                                           "name=c backup"])
    assert set(shares(stage, proxy)) == {"0", "1"}
    servers[0].down()
    servers[1].down()
    wait_for_states(proxy, "failing", "failing", "up")
    assert set(shares(stage, proxy)) == {"2"}
    servers[1].up()
    wait_for_states(proxy, "failing", "up", "up")
    assert set(shares(stage, proxy)) == {"1"}


def test_a_flapping_server_is_told_line_by_line(stage):
    servers = mortals(stage, 2)
    proxy = checked(stage, servers, check_fall=1, check_rise=1)
    for _ in range(4):
        servers[0].down()
        wait_for_states(proxy, "failing", "up")
        servers[0].up()
        wait_for_states(proxy, "up", "up")
    assert row(proxy, 0)["changes"] == 8
    # Spells that lasted equally long to the millisecond make equal lines, and
    # the log holds back one that it has just had.
    wait_for(lambda: len(changes_of(proxy)) >= 6, 5, "eight lines")
    told = [c.split(":")[0] for c in changes_of(proxy)]
    assert told[:2] == ["is down", "is up"] and set(told) == set(told[:2])
    metrics = scrape(proxy.tcp)
    names = {"upstream": "default",
             "server": "%s:%d" % servers[0].address, "name": "a"}
    assert metrics.get("sluice_server_changes_total", **names) == 8
    assert metrics.get("sluice_server_up", **names) == 1
    assert metrics.get("sluice_server_checks_total", **names) >= 8
    assert metrics.get("sluice_server_check_failures_total", **names) >= 4


def test_an_operators_word_is_another_reason(stage):
    servers = mortals(stage, 2)
    proxy = checked(stage, servers)

    def say(word):
        assert ask(proxy.unix, f"/api/servers/default/a?state={word}",
                   "POST").status == 200

    say("drain")
    servers[0].down()
    wait_for_states(proxy, "drain+failing", "up")
    say("up")
    wait_for_states(proxy, "failing", "up")
    say("drain")
    servers[0].up()
    wait_for_states(proxy, "drain", "up")
    assert set(shares(stage, proxy)) == {"1"}
    say("up")
    assert set(shares(stage, proxy)) == {"0", "1"}


@both_crews
def test_a_death_under_load_costs_no_session_of_others(stage, workers):
    """Every session that was not on the dead server is complete."""
    servers = mortals(stage, 3, echo)
    proxy = checked(stage, servers, workers)
    data = payload(200_000)

    def client():
        """False: it was on the dead one."""
        try:
            peer = stage.connect(proxy)
        except ConnectionResetError:
            return False
        try:
            name = peer.recv_exact(1)
            task = Task(peer.send_and_fin, data)
            got = peer.read_all()
            task.result()
            if got != (data, FIN):
                assert name == b"0", (name, got[1], len(got[0]))
                return False
            return True
        except TimeoutError:
            raise
        except OSError:
            return False
        finally:
            peer.close()

    def clients():
        return [client() for _ in range(40)]

    tasks = [stage.run(clients) for _ in range(6)]
    wait_for(lambda: servers[0].accepted > 20, 20, "load")
    servers[0].down()
    wait_for_states(proxy, "failing", "up", "up")
    servers[0].up()
    wait_for_states(proxy, "up", "up", "up")
    done = [good for task in tasks for good in task.result(120)]
    assert len(done) == 240 and done.count(False) <= 6


# What a check says and hears.

def test_nothing_is_left_behind(stage):
    servers = mortals(stage, 2)
    proxy = checked(stage, servers, check_interval="10ms")
    servers[1].mute()
    proxy.wait_for_line(".")
    wait_for(lambda: row(proxy, 0)["check"]["checks"] > 200, 20, "checks")
    # No more than two under way.
    assert proxy.session_sockets <= 2 + 2


@pytest.mark.parametrize("version, header", [
    ("v1", b"PROXY UNKNOWN\r\n"),
    ("v2", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"),
])
def test_a_check_begins_as_the_server_wants_it(stage, version, header):
    server = stage.server()
    watched(stage, server, upstream={
        "check": "send_expect", "check_send": r"hello\r\n\x00\\",
        "check_expect": "hex:4f4b", "send_proxy": version, **FAST})
    peer = server.accept()
    said = header + b"hello\r\n\0\\"
    assert peer.recv_exact(len(said)) == said
    peer.send(b"well, that is O")
    nothing_happens_for(0.05, lambda: peer.events(0x2001, 0), "it leaves")
    peer.send(b"K, is it not")
    assert peer.read_all()[0] == b""


def test_a_check_comes_from_the_source_to_its_port(stage):
    """And a server that has no more than a healthy port gets no session."""
    health, server = stage.server(), stage.server()
    proxy = watched(stage, server, upstream={
        "check": "tcp", "check_port": health.port, "source": "127.0.0.9",
        **FAST})
    assert health.accept().sock.getpeername()[0] == "127.0.0.9"
    assert server.nobody_came()
    client, upstream = stage.session(proxy, server)
    assert upstream.sock.getpeername()[0] == "127.0.0.9"


def test_a_check_has_other_sources_if_one_is_gone(stage):
    """And none of the other family."""
    health, server = stage.server(), stage.server()
    watched(stage, server, upstream={
        "check": "tcp", "check_port": health.port,
        "source": ["::1", "192.0.2.1", "127.0.0.9"], **FAST})
    assert health.accept().sock.getpeername()[0] == "127.0.0.9"


def test_who_does_not_take_the_connection(stage):
    proxy = watched(stage, stage.keep(BusyServer()), upstream={
        "check": "send_expect", "check_expect": "x", **FAST})
    proxy.wait_for_line(r"is down after \S+: no connection within 500ms "
                        r"\(check_timeout\) \(check send_expect\)")


def test_to_wait_for_an_answer_costs_nothing(stage):
    server = stage.server()
    proxy = watched(stage, server, upstream={
        "check": "send_expect", "check_expect": "x", **FAST,
        "check_timeout": "20s"})
    server.accept()
    used = proxy.cpu
    nothing_happens_for(1, lambda: "is down" in proxy.log, "an end")
    assert proxy.cpu - used < 0.2


def test_what_is_expected_may_stand_anywhere(stage):
    """But not behind more than a check keeps; and to be heard is enough where
    nothing is expected."""
    def serve(text):
        return lambda peer: (peer.recv(), peer.send(text), peer.recv())

    servers = [stage.keep(Mortal(b"", serve(text))) for text in (
        b"+OK hello\r\n", b"-" * (1 << 16) + b"hello\r\n")]
    proxy = checked(stage, servers, check="send_expect", check_send="hi",
                    check_expect="hello")
    wait_for_states(proxy, "up", "failing")
    proxy.wait_for_line(r"server b .* is down after \S+: not what was expected,"
                        r" and said '-+.*' \(check send_expect\)")
    quiet = checked(stage, [stage.keep(Mortal(b"", lambda p: p.recv()))],
                    check="send_expect", check_send="hi", check_fall=1)
    assert states(quiet) == ["up"]


def test_what_was_wrong_is_over_with_the_next_good_check(stage):
    servers = mortals(stage, 1)
    proxy = checked(stage, servers, check_fall=1, check_rise=1)
    servers[0].down()
    wait_for(lambda: row(proxy, 0)["check"]["last_failure"], 5, "a reason")
    servers[0].up()
    wait_for_states(proxy, "up")
    assert not row(proxy, 0)["check"]["last_failure"]


def test_the_port_that_was_checked_is_told(stage):
    server, health = stage.server(), stage.keep(Mortal(b""))
    health.down()
    proxy = watched(stage, server, upstream={
        "check": "tcp", "check_port": health.address[1], **FAST})
    why = f"connection refused (check tcp on port {health.address[1]})"
    proxy.wait_for_line(r"is down after \S+: " + re.escape(why))
    state = rows(proxy)["%s:%d" % server.address]
    assert (state["cause"], state["check"]["port"]) == (why, health.address[1])


def test_a_unix_server_is_checked(stage):
    folder = stage.keep(Folder())
    server = stage.server()
    sock = socket.socket(socket.AF_UNIX)
    stage.keep(sock)
    proxy = watched(stage, server, upstream={
        "server": "unix:" + (folder / "s"), "check": "tcp", **FAST})
    proxy.wait_for_line(r"is down after \S+: no such file or directory \(check tcp\)")
    sock.bind(folder / "s")
    sock.listen(10)
    proxy.wait_for_line(r"is up after \S+: it answers \(check tcp, 2 in a row\); 1 of 1")


def http_server(stage, answers):
    """Answers to one request after the other, the last for ever."""
    asked = []

    def serve(peer):
        said = b""
        while not said.endswith(b"\r\n\r\n"):
            more = peer.recv()
            if not more:
                return
            said += more
        answer = answers[min(len(asked), len(answers) - 1)]
        asked.append(said)
        for i in range(len(answer)):
            peer.send(answer[i:i + 1])
        peer.close()

    server = stage.keep(Mortal(b"", serve))
    server.asked = asked
    return server


@pytest.mark.parametrize("answer, why", [
    (b"HTTP/1.1 200 OK\r\n\r\nfine", None),
    (b"HTTP/1.0 302 Found\r\nLocation: x\r\n\r\n", None),
    (b"HTTP/1.1 399 x\r\n\r\n", None),
    (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "HTTP status 503"),
    (b"HTTP/1.1 404 Not Found\r\n\r\n", "HTTP status 404"),
    (b"HTTP/1.1 199 x\r\n\r\n", "HTTP status 199"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", r"no HTTP, and said 'SSH-2\.0-Open.*'"),
    (b"HTTP/1.1", r"the server closed, and said 'HTTP/1\.1'"),
    (b"", "the server closed, and said nothing"),
])
def test_http(stage, answer, why):
    server = http_server(stage, [answer])
    proxy = checked(stage, [server], check="http", check_send="/ready?x=1",
                    check_fall=1)
    said = server.asked[0].split(b"\r\n")
    assert said[0] == b"GET /ready?x=1 HTTP/1.0"
    assert said[1:] == [b"Host: localhost", b"User-Agent: sluice",
                        b"Connection: close", b"", b""]
    wait_for_states(proxy, "up" if why is None else "failing")
    if why is not None:
        proxy.wait_for_line(rf"server a .* is down after \S+: {why} \(check http\)")


def certificate(folder):
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
         "/CN=nobody", "-keyout", folder / "key", "-out", folder / "cert"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert", folder / "key")
    return context


def tls_server(stage, context):
    def serve(peer):
        with context.wrap_socket(peer.sock, server_side=True) as tls:
            tls.recv(1)

    return stage.keep(Mortal(b"", serve))


@with_tls
def test_tls(stage):
    """Whatever the certificate says; the name is that of the server."""
    context, names = certificate(stage.folder), []
    context.sni_callback = lambda sock, name, ctx: names.append(name)
    server = tls_server(stage, context)
    proxy = watched(stage, server, upstream={
        "server": "localhost:%d name=a" % server.address[1], "check": "tls",
        **FAST})
    proxy.servers = [server]
    wait_for(lambda: len(names) > 3, 10, "checks")
    assert set(names) == {"localhost"}
    assert row(proxy, 0)["up"] and row(proxy, 0)["check"]["failures"] == 0
    server.mute()
    proxy.wait_for_line(r"is down after \S+: no answer within 500ms \(check_timeout\) "
                        r"\(check tls, 3 in a row\)")


@with_tls
@pytest.mark.parametrize("words", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_tls_where_there_is_none(stage, words):
    server = stage.keep(Mortal(words, lambda peer: peer.recv()))
    proxy = checked(stage, [server], check="tls")
    proxy.wait_for_line(r"server a .* is down after \S+: (no TLS: .+|connection reset "
                        r"by peer) \(check tls\)")
    assert states(proxy) == ["failing"]


@with_cares
def test_the_addresses_of_a_name_are_checked_one_by_one(stage):
    """And others, once it has others."""
    dns = stage.keep(FakeNameServer())
    there = stage.server(echo)          # on 127.0.0.1 alone
    dns.set("db.test", "A", "127.0.0.1", "127.0.0.2", ttl=1)
    proxy = stage.sluice(
        section("global", {"workers": 1, "admin": "127.0.0.1:0",
                           "dns_server": dns.address})
        + section("listener", {"bind": "127.0.0.1:0"})
        + section("upstream", {"server": f"db.test:{there.port}",
                               "check": "tcp", **FAST}))
    find_doors(proxy)
    proxy.unix = proxy.tcp

    def is_state(address, state):
        seen = rows(proxy).get(f"{address}:{there.port}")
        return seen is not None and seen["state"] == state

    wait_for(lambda: is_state("127.0.0.1", "up") and
             is_state("127.0.0.2", "failing"), 5, "one of two is up")
    proxy.wait_for_line(rf"server db\.test:{there.port} \(127\.0\.0\.2:\d+\) "
                        r"is down after \S+: connection refused")
    dns.set("db.test", "A", "127.0.0.1", "127.0.0.3", ttl=1)
    wait_for(lambda: is_state("127.0.0.1", "up") and
             is_state("127.0.0.3", "failing"), 10, "the new one is down")
    assert f"127.0.0.2:{there.port}" not in rows(proxy)


if not HAS_TLS:
    def test_a_build_without_tls_says_so(stage):
        code, log = fails_to_start(
            stage, "[listener]\nbind = 127.0.0.1:0\n[upstream]\n"
            "server = 127.0.0.1:9\ncheck = tls\n")
        assert code == 1
        assert "check = tls needs a build with OpenSSL; this one has none" \
            in log


# The recipes of the manual, with the real programs.

def test_redis(stage):
    port = quiet_port()
    proxy = watched(stage, ("127.0.0.1", port), upstream={
        "check": "send_expect", "check_send": r"PING\r\n",
        "check_expect": "+PONG", **FAST})
    proxy.wait_for_line(r"is down after \S+: connection refused \(check send_expect\)")
    command = ["redis-server", "--port", str(port), "--save", "", "--dir",
               stage.folder]
    redis = start(stage, command, ("127.0.0.1", port))
    proxy.wait_for_line(r"is up after \S+: it answers", 10)
    with socket.create_connection(proxy.address()) as client:
        client.sendall(b"SET a 1\r\n")
        assert client.recv(100) == b"+OK\r\n"
    redis.close()
    proxy.wait_for_line(r"is down after \S+: connection refused \(check send_expect, 3")
    start(stage, command + ["--requirepass", "x"], ("127.0.0.1", port))
    wait_for(lambda: (rows(proxy)["127.0.0.1:%d" % port]["check"]
                      ["last_failure"] or "").startswith("no good answer"),
             10, "a server that wants a password")


def postgres(stage):
    """A cluster of nobody's."""
    folder = stage.keep(Folder())
    data = folder / "data"
    tools = subprocess.run(["pg_config", "--bindir"], capture_output=True,
                           text=True).stdout.strip() or "/usr/lib/postgresql"
    bins = [tools] + [os.path.join(d, "bin") for d in sorted(
        map(lambda n: os.path.join("/usr/lib/postgresql", n),
            os.listdir("/usr/lib/postgresql")))]
    found = next(b for b in bins if os.path.exists(os.path.join(b, "initdb")))
    somebody = []
    if os.geteuid() == 0:
        shutil.chown(folder.path, 65534, 65534)
        somebody = ["setpriv", "--reuid=65534", "--regid=65534",
                    "--clear-groups"]
    run([*somebody, f"{found}/initdb", "-D", data, "-A", "trust", "-N", "-U",
         "sluice"], cwd=folder.path)
    port = quiet_port()
    return folder, ("127.0.0.1", port), [
        *somebody, f"{found}/postgres", "-D", data, "-p", str(port), "-k",
        folder.path, "-c", "listen_addresses=127.0.0.1", "-F"]


@plain
def test_postgresql(stage):
    """Up with the cluster, and not a line in its log about us."""
    folder, address, command = postgres(stage)
    proxy = watched(stage, address, upstream={
        "check": "send_expect", "check_send": "hex:0000000804d21630",
        "check_expect": "G", **FAST})
    proxy.wait_for_line(r"is down after \S+: connection refused \(check send_expect\)")
    server = start(stage, command, address)
    proxy.wait_for_line(r"is up after \S+: it answers", 10)
    where = "host=%s port=%d user=sluice dbname=postgres" % proxy.address()
    assert run(["psql", where, "-Atc", "select 6*7"]) == "42\n"
    checks = rows(proxy)["%s:%d" % address]["check"]["checks"]
    wait_for(lambda: rows(proxy)["%s:%d" % address]["check"]["checks"] >
             checks + 10, 10, "more checks")
    server.close()
    proxy.wait_for_line(r"is down after \S+: .* \(check send_expect, 3 in a row\)", 10)
    assert "incomplete startup" not in server.log
    assert "could not receive" not in server.log


@plain
def test_postgresql_with_tls(stage):
    """The same question; that for TLS has a line for each in its log, since it
    waits for a handshake then."""
    folder, address, command = postgres(stage)
    certificate(pathlib.Path(folder.path))
    for name in "key", "cert":
        path = os.path.join(folder.path, name)
        shutil.chown(path, *[os.stat(folder.path).st_uid] * 2)
        os.chmod(path, 0o600)
    server = start(stage, [
        *command, "-c", "ssl=on", "-c",
        f"ssl_cert_file={folder.path}/cert", "-c",
        f"ssl_key_file={folder.path}/key"], address)
    proxy = watched(stage, address, upstream={
        "check": "send_expect", "check_send": "hex:0000000804d21630",
        "check_expect": "G", **FAST})
    wait_for(lambda: rows(proxy)["%s:%d" % address]["check"]["checks"] > 5,
             10, "checks")
    assert rows(proxy)["%s:%d" % address]["state"] == "up"
    where = ("host=%s port=%d user=sluice dbname=postgres sslmode=require" %
             proxy.address())
    assert run(["psql", where, "-Atc", "select 6*7"]) == "42\n"
    assert not re.search("packet|SSL|GSS|EOF", server.log)


@plain
@with_tls
def test_postgresql_does_not_begin_with_tls(stage):
    """Before version 17: the manual warns of it."""
    _, address, command = postgres(stage)
    version, = re.findall(r"\d+", run([next(
        c for c in command if str(c).endswith("/postgres")),
        "--version"]))[:1]
    if int(version) >= 17:
        pytest.skip(f"PostgreSQL {version} begins with TLS where it is asked")
    server = start(stage, command, address)
    proxy = watched(stage, address, upstream={"check": "tls", **FAST})
    proxy.wait_for_line(r"is down after \S+: .*check tls", 10)
    wait_for(lambda: "invalid length of startup packet" in server.log, 5,
             "its log")


def test_smtp(stage):
    """It speaks first, and is told that we leave."""
    said = []

    def serve(peer):
        peer.send(b"220 mail.example ESMTP\r\n")
        said.append(peer.read_all()[0])

    server = stage.keep(Mortal(b"", serve))
    proxy = checked(stage, [server], check="send_expect",
                    check_send=r"QUIT\r\n", check_expect="220 ")
    wait_for(lambda: len(said) > 2, 5, "checks")
    assert set(said) == {b"QUIT\r\n"} and states(proxy) == ["up"]


# What makes no sense.

@pytest.mark.parametrize("lines, wrong", [
    (["check = pong"], "check must be off, tcp, tls, send_expect or http"),
    (["check = send_expect"], "check = send_expect needs something to send or "
     "to expect, as 'check_expect = +PONG'"),
    (["check = tcp", "check_send = x"],
     "check_send is not looked at without 'check = send_expect'"),
    (["check_expect = x"],
     "check_expect is not looked at without 'check = send_expect'"),
    (["check = http", "check_expect = x"],
     "check_expect is not looked at without 'check = send_expect'"),
    (["check = http", "check_send = ready"],
     "check_send is the path of a page where check is http, and begins with"),
    (["check_port = 80"], "check_port is not looked at without 'check = tcp'"),
    (["check = send_expect", r"check_send = a\q"],
     r"check_send: a backslash is followed by r, n, t, 0, another backslash, "
     r"or xNN, not so in 'a\q'"),
    (["check = send_expect", r"check_send = a\x4"], "or xNN, not so in"),
    (["check = send_expect", "check_send = hex:4"],
     "check_send: hex: is followed by pairs of hexadecimal digits"),
    (["check = send_expect", "check_send = hex:"],
     "check_send: hex: is followed by nothing"),
])
def test_what_makes_no_sense_is_an_error(stage, lines, wrong):
    config = "\n".join(["[listener]", "bind = 127.0.0.1:0", "[upstream]",
                        "server = 127.0.0.1:9", *lines, ""])
    code, log = fails_to_start(stage, config)
    assert code == 1 and wrong in log, log


def test_defaults_are_for_those_that_they_fit(stage):
    server = stage.server(echo)
    proxy = stage.sluice(
        "[defaults]\ncheck_port = 9\ncheck_expect = x\ncheck_send = y\n"
        "[listener]\nbind = 127.0.0.1:0\n[upstream]\n"
        "server = %s:%d\n" % server.address)
    client = stage.connect(proxy)
    client.send_and_fin(b"hello")
    assert client.read_all() == (b"hello", FIN)
