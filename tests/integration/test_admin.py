"""The admin server: its pages, and what it does not put up with."""

import contextlib
import json
import re
import resource
import select
import signal
import socket
import subprocess

import pytest

from lib.admin import Reply, ask, dial, find_doors, talk, watched
from lib.peers import FIN, Task, echo
from lib.timing import SLOW, Stopwatch, limit, nothing_happens_for, wait_for

both_doors = pytest.mark.parametrize("door", ["tcp", "unix"])


@pytest.fixture
def proxy(stage):
    return watched(stage, stage.server(echo))


def transfers(stage, proxy, data=b"over and out"):
    client = stage.connect(proxy)
    client.send_and_fin(data)
    assert client.read_all() == (data, FIN)


# The pages.

@both_doors
def test_the_pages(proxy, door):
    address = getattr(proxy, door)
    page = ask(address)
    assert (page.status, page.headers.get_content_type()) == (200, "text/html")
    assert "<h1>Sluice</h1>" in page.body
    assert ask(address, "/healthz").body == "ok\n"
    assert ask(address, "/readyz").body == "ready\n"
    assert ask(address, "/api/status").json["state"] == "serving"


def test_what_every_reply_says(proxy):
    for path in "/", "/healthz", "/nothing":
        headers = ask(proxy.tcp, path).headers
        assert headers["Connection"] == "close"
        assert headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_list_of_pages_is_complete(proxy):
    rows = ask(proxy.tcp, "/api").json
    assert {"/", "/healthz", "/readyz", "/api", "/api/status"} <= \
        {row["path"] for row in rows}
    for row in rows:
        assert row["about"]
        if row["method"] == "GET" and "events" not in row["path"]:
            assert ask(proxy.tcp, row["path"]).status == 200


def status_with_bytes(proxy, count):
    """They are counted right after they are sent, not before."""
    status = ask(proxy.unix, "/api/status").json
    return status["bytes_to_client"] == count and status


def test_status_counts(stage, proxy):
    for _ in range(3):
        transfers(stage, proxy)
    held = stage.connect(proxy)
    held.send(b"1")
    assert held.recv(1) == b"1"
    proxy.wait_for_records(3)
    status = wait_for(lambda: status_with_bytes(proxy, 37), 5, "37 bytes")
    assert status["pid"] == proxy.pid
    assert status["config"] == str(proxy.folder / "proxy.ini")
    assert status["uptime_ms"] < 60_000 * SLOW
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT[\d:.]+Z", status["started"])
    assert status["sessions"] == 1
    assert (status["begun"], status["ended"]) == (4, 3)
    assert status["bytes_to_upstream"] == 37
    assert abs(status["fds"] - len(proxy.fds)) <= 3
    listener, = status["listeners"]
    assert listener["name"] == "default"
    assert listener["binds"] == ["127.0.0.1:0"]
    assert listener["upstream"] == "default"
    assert (listener["sessions"], listener["begun"]) == (1, 4)
    assert listener["max_sessions"] is None
    upstream, = status["upstreams"]
    server, = upstream["servers"]
    assert (server["sessions"], server["connects"]) == (1, 4)
    assert server["last_error"] is None
    worker, = status["workers"]
    assert (worker["sessions"], worker["begun"]) == (1, 4)


def test_status_as_text(stage, proxy):
    transfers(stage, proxy)
    proxy.wait_for_records(1)
    text = ask(proxy.unix, "/api/status?format=text")
    assert text.headers.get_content_type() == "text/plain"
    assert re.search(rf"^sluice    \S+ \(\S+\), pid {proxy.pid}$", text.body,
                     re.M)
    assert re.search(r"^state     serving for \d+s, since 20", text.body, re.M)
    assert re.search(r"^default +0 +- +1 +12 +12  127.0.0.1:0 -> default$",
                     text.body, re.M)
    assert re.search(r"^default +0 +0 +1 +12 +12  127.0.0.1:\d+$", text.body,
                     re.M)


def test_a_server_that_fails_is_seen_with_why(stage):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        proxy = watched(stage, nobody.getsockname())
        stage.connect(proxy).read_all()
    proxy.wait_for_records(1)
    status = ask(proxy.unix, "/api/status").json
    server, = status["upstreams"][0]["servers"]
    assert (server["failures"], server["last_error"]) == (
        3, "Connection refused")
    assert "last failure: Connection refused" in ask(
        proxy.unix, "/api/status?format=text").body
    assert "Connection refused" in ask(proxy.tcp).body


def test_a_name_that_does_not_resolve_is_seen(stage):
    proxy = watched(stage, ("nothere.invalid", 80))
    proxy.wait_for_line("cannot resolve")
    page = ask(proxy.tcp).body
    assert ">no address yet</tr>" in page
    assert ">nothere.invalid<td " in page and ">unresolved <i>" in page
    upstream, = ask(proxy.tcp, "/api/status").json["upstreams"]
    assert upstream["servers"] == []


@both_doors
def test_head_is_get_without_the_body(proxy, door):
    address = getattr(proxy, door)
    for path in "/healthz", "/readyz", "/api", "/nothing":
        get, head = ask(address, path), ask(address, path, "HEAD")
        assert (head.status, head.body) == (get.status, "")
        assert head.headers["Content-Length"] == str(len(get.body))
    assert talk(address, b"HEAD / HTTP/1.1\r\n\r\n").endswith(b"\r\n\r\n")


def test_head_of_what_is_long(stage):
    proxy = many_servers(stage, 10, 1000)
    watch = Stopwatch()
    reply = talk(proxy.tcp, b"HEAD / HTTP/1.1\r\n\r\n")
    assert watch.seconds < limit(3)
    assert reply.startswith(b"HTTP/1.1 200 OK\r\n")
    assert reply.partition(b"\r\n\r\n")[2] == b""


def test_http_1_0(proxy):
    reply = talk(proxy.tcp, b"GET /healthz HTTP/1.0\r\n\r\n")
    assert reply.startswith(b"HTTP/1.0 200 OK\r\n")
    assert reply.endswith(b"\r\n\r\nok\n")


def test_a_client_that_has_said_all_is_answered(proxy):
    """As nc -N does: its FIN comes with the request."""
    for path in b"/healthz", b"/", b"/api/status":
        reply = talk(proxy.tcp, b"GET %s HTTP/1.0\r\n\r\n" % path, fin=True)
        assert reply.startswith(b"HTTP/1.0 200 OK\r\n")
        assert re.search(rb"\r\n\r\n.*\n$", reply, re.S)


def test_and_gets_all_of_it(stage):
    proxy = many_servers(stage, 10, 5000)
    whole = talk(proxy.tcp, b"GET / HTTP/1.0\r\n\r\n", fin=True)
    assert whole.endswith(b"</body></html>\n")
    assert whole.count(b"<tr>") > 5000


def test_draining_is_not_ready_but_healthy(stage):
    server = stage.server(echo)
    proxy = watched(stage, server, global_={"drain_timeout": "60s"})
    held = stage.connect(proxy)
    held.send(b"1")
    assert held.recv(1) == b"1"
    proxy.signal(signal.SIGTERM)
    wait_for(lambda: ask(proxy.tcp, "/readyz").status == 503, 5, "not ready")
    assert ask(proxy.tcp, "/readyz").body == "draining\n"
    assert ask(proxy.tcp, "/healthz").body == "ok\n"
    assert ask(proxy.tcp, "/api/status").json["state"] == "draining"
    assert ">draining<" in ask(proxy.tcp).body
    assert re.search(r"^state     draining, running for \d+s, since 20",
                     ask(proxy.tcp, "/api/status?format=text").body, re.M)
    held.fin()
    assert proxy.wait(5) == 0


def test_rates_are_known_after_a_second(stage, proxy):
    assert "10s: &ndash;" in ask(proxy.tcp).body
    transfers(stage, proxy, b"x" * 5000)

    def rate():
        found = re.search(r"To clients</span><b>([\d.]+k?)", ask(proxy.tcp).body)
        return found and found[1] != "0" and found[1]

    wait_for(rate, 5, "a rate that is not 0")
    assert "<polyline" in wait_for(
        lambda: "<polyline" in ask(proxy.tcp).body and ask(proxy.tcp).body,
        5, "the line of the last minute")


def test_names_that_are_no_html(stage):
    path = stage.folder / "<script>alert('1')&"
    proxy = watched(stage, stage.server(echo), listener={
        "bind": ["127.0.0.1:0", f"unix:{path}"]})
    page = ask(proxy.tcp).body
    assert "<script" not in page
    assert "&#60;script&#62;alert(&#39;1&#39;)&#38;" in page
    assert str(path) in ask(
        proxy.tcp, "/api/status").json["listeners"][0]["binds"][1]


# What is not there, and what is not allowed.

@both_doors
@pytest.mark.parametrize("path, words", [
    ("/healtz", "there is no '/healtz' here; did you mean /healthz?"),
    ("/../../etc/passwd", "there is no '/../../etc/passwd' here"),
    ("/%2e%2e/etc/passwd", "there is no '/%2e%2e/etc/passwd' here"),
    ("/healthz/", "did you mean /healthz?"),
    ("//healthz", "there is no"),
    ("/api/status/../../x", "there is no"),
    ("/'\"<b>", "there is no '/'\\\"<b>' here"),
    ("*", "there is no '*' here"),
    ("http://elsewhere/nothing", "there is no '/nothing' here"),
])
def test_unknown_paths(proxy, door, path, words):
    reply = ask(getattr(proxy, door), path)
    assert reply.status == 404
    assert reply.headers.get_content_type() == "application/json"
    assert words in reply.error


def test_errors_as_text(proxy):
    reply = ask(proxy.unix, "/nothing?format=text")
    assert reply.headers.get_content_type() == "text/plain"
    assert reply.body == ("there is no '/nothing' here; "
                          "/api lists what there is\n")


def test_a_query_that_is_none(proxy):
    reply = ask(proxy.tcp, "/api/status?text")
    assert (reply.status, reply.error) == (
        400, "what follows '?' has to be NAME=VALUE&NAME=VALUE")


@pytest.mark.parametrize("path", ["/", "/api/status", "/nothing"])
@pytest.mark.parametrize("method", [
    "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_tcp_only_shows(proxy, method, path):
    reply = ask(proxy.tcp, path, method)
    assert reply.status == 403
    assert "use the Unix socket (admin_socket)" in reply.error


def test_other_methods(proxy):
    reply = ask(proxy.unix, "/healthz", "POST")
    assert (reply.status, reply.error) == (405, "/healthz takes GET, HEAD")
    assert reply.headers["Allow"] == "GET, HEAD"
    assert ask(proxy.unix, "/nothing", "POST").status == 404
    assert b" 501 " in talk(proxy.tcp, b"BREW /pot HTTP/1.1\r\n\r\n")


# Requests that are wrong.

FINE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@both_doors
@pytest.mark.parametrize("request_, replies", [
    (b"GET / HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n", b" 400 "),
    (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", b" 400 "),
    (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 3000 + b"\r\n", b" 400 "),
    (b"POST / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n" + b"x" * 65537,
     b" 413 "),
    (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b" 413 "),
    (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b" 400 "),
    (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b" 400 "),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" +
     b"4000\r\n" + b"x" * 0x4000 + b"\r\n" + b"ffff\r\n" + b"x" * 0xffff,
     b" 413 "),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnothing\r\n",
     b" 413 "),
    (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b" 400 "),
    (b"GET / HTTP/9.9\r\n\r\n", b" 400 "),
    (b"GET\r\n\r\n", b" 400 "),
    (b"\r\n\r\n\r\n", b" 400 "),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\n" * 9, b" 400 "),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b" "),
    (b"GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", b" "),
], ids=range(16))
def test_bombs(proxy, door, request_, replies):
    address = getattr(proxy, door)
    line = talk(address, request_).partition(b"\r\n")[0]
    assert line.startswith(b"HTTP/1.") and replies in line, line
    assert ask(address, "/healthz").body == "ok\n"


@both_doors
def test_it_is_no_tunnel(proxy, door):
    with dial(getattr(proxy, door)) as sock:
        sock.sendall(b"CONNECT sluice:80 HTTP/1.1\r\n\r\n")
        assert Reply(sock).status in (403, 404)


def test_a_body_that_is_announced_and_expected(proxy):
    """Expect: 100-continue is answered before the body comes."""
    with dial(proxy.unix) as sock:
        sock.sendall(b"POST /healthz HTTP/1.1\r\nContent-Length: 5\r\n"
                     b"Expect: 100-continue\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"12345")
        assert Reply(sock).status == 405


def test_one_request_a_connection(proxy):
    """What follows the first request is dropped, and the reply still comes."""
    for more in FINE, FINE * 1000, b"x" * 200000:
        reply = talk(proxy.tcp, FINE + more)
        assert reply.startswith(b"HTTP/1.1 200 OK\r\n")
        assert reply.endswith(b"\r\n\r\nok\n")


def test_no_reset_runs_after_the_reply(proxy):
    """It could overtake the reply, and then that is lost."""
    with dial(proxy.tcp) as sock:
        sock.sendall(FINE + b"x" * 200000)
        while sock.recv(65536):
            pass
        nothing_happens_for(0.5, lambda: sock.getsockopt(
            socket.SOL_SOCKET, socket.SO_ERROR), "a reset")


@both_doors
def test_a_request_byte_by_byte(proxy, door):
    with dial(getattr(proxy, door)) as sock:
        for byte in FINE:
            sock.send(bytes([byte]))
        assert Reply(sock).body == "ok\n"


# Those who take their time.

def closed(sock):
    """Whether the daemon has ended it, after what it said."""
    return bool(select.select([sock], [], [], 0)[0]) and not sock.recv(65536)


def keeps_silent(sock):
    pass


def says_little(sock):
    with contextlib.suppress(OSError):
        sock.send(b"X: y\r\n")


def test_a_request_has_ten_seconds_in_all(proxy):
    """However steadily it comes, and by whichever door."""
    def ask_slowly(door, act):
        watch = Stopwatch()
        with dial(door) as sock:
            sock.send(b"GET /healthz HTTP/1.1\r\n")
            heard = b""
            while not heard:
                act(sock)
                if select.select([sock], [], [], 0.25)[0]:
                    heard = sock.recv(65536)
                assert watch.seconds < 10 + limit(2)
            assert watch.seconds > 9.5
            assert heard.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
            assert b"the request took longer than 10 s" in heard
            wait_for(lambda: closed(sock), 3, "it is closed")

    for task in [Task(ask_slowly, door, act) for door in (
            proxy.tcp, proxy.unix) for act in (keeps_silent, says_little)]:
        task.result()


def many_servers(stage, listeners, servers):
    """A proxy with that many rows to show."""
    text = "[global]\nadmin = 127.0.0.1:0\n"
    for n in range(listeners):
        text += (f"[listener l{n}]\nbind = 127.0.0.1:0\n"
                 f"upstream = u{n % 10}\n")
    for n in range(10):
        text += f"[upstream u{n}]\n" + "".join(
            f"server = 127.0.{n}.{m % 250 + 1}:{m // 250 + 1}\n"
            for m in range(servers // 10))
    return find_doors(stage.sluice(text))


def test_a_reader_that_stops_is_left_after_ten_seconds(stage):
    proxy = many_servers(stage, 10, 20000)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(limit(20))
        sock.connect(proxy.tcp)
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert sock.recv(1000)
        base = proxy.sockets
        watch = Stopwatch()
        assert ask(proxy.tcp, "/healthz").body == "ok\n"
        wait_for(lambda: proxy.sockets < base, 15, "it was closed")
        assert watch.seconds > 9
        with pytest.raises(ConnectionResetError):
            while sock.recv(65536):
                pass
            raise ConnectionResetError("or so it looks: the page has no end")


# Many of them.

def idle(sock):
    pass


def half_a_request(sock):
    sock.send(b"GET /healthz HTTP/1.1\r\nHost: ")


@pytest.mark.parametrize("act", [idle, half_a_request])
def test_200_that_only_hold_a_place(proxy, act):
    """Their places are taken by those who ask for something."""
    base = len(proxy.fds)
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            for address in proxy.tcp, proxy.unix:
                act(stack.enter_context(dial(address)))
        watch = Stopwatch()
        for _ in range(5):
            assert ask(proxy.tcp, "/healthz").body == "ok\n"
            assert ask(proxy.unix, "/healthz").body == "ok\n"
        assert watch.seconds < limit(3)
        assert len(proxy.fds) <= base + 64
        cpu = proxy.cpu
        nothing_happens_for(1, lambda: proxy.cpu - cpu > limit(0.3),
                            "it spins")
        assert ask(proxy.tcp, "/healthz").body == "ok\n"
    wait_for(lambda: len(proxy.fds) <= base, 5, "all are closed")


def test_those_who_wait_are_not_let_in_all_at_once(proxy):
    """A descriptor has the lowest number that is free."""
    highest = max(proxy.fds)
    with contextlib.ExitStack() as stack:
        with proxy.paused():
            for _ in range(200):
                half_a_request(stack.enter_context(dial(proxy.tcp)))
        assert ask(proxy.tcp, "/healthz").body == "ok\n"
        assert max(proxy.fds) <= highest + 64


def test_those_who_hold_a_place_are_told(proxy):
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(dial(proxy.tcp))
        for _ in range(40):
            stack.enter_context(dial(proxy.tcp))
        reply = Reply(first)
        assert reply.status == 503
        assert "too many connections" in reply.error


def test_connections_leave_nothing(proxy):
    base, rss = len(proxy.fds), None
    for turn in range(4):
        for _ in range(250):
            with dial(proxy.tcp) as sock:
                sock.send(FINE[:turn * 9])
            assert ask(proxy.unix, "/healthz").body == "ok\n"
        wait_for(lambda: len(proxy.fds) == base, 5, "all are closed")
        rss = rss or proxy.rss
    if SLOW == 1:
        assert proxy.rss - rss < 1 << 20


@both_doors
def test_streams_leave_places_for_others(proxy, door):
    address = getattr(proxy, door)
    with contextlib.ExitStack() as stack:
        replies = []
        for _ in range(40):
            sock = stack.enter_context(dial(address))
            sock.sendall(b"GET /api/events HTTP/1.1\r\n\r\n")
            replies.append(sock.recv(65536))
        watched = [r for r in replies if r.startswith(b"HTTP/1.1 200 ")]
        refused = [r for r in replies if r.startswith(b"HTTP/1.1 503 ")]
        assert (len(watched), len(refused)) == (16, 24)
        assert b"too many long replies at a time: 16" in refused[0]
        assert ask(address, "/healthz").body == "ok\n"
    wait_for(lambda: ask(address, "/api/sessions").status == 200, 5,
             "there are places again")


def test_the_end_of_the_daemon_with_connections(stage):
    proxy = watched(stage, stage.server(echo))
    with contextlib.ExitStack() as stack:
        for act in idle, half_a_request:
            for address in proxy.tcp, proxy.unix:
                act(stack.enter_context(dial(address)))
        assert ask(proxy.tcp, "/healthz").body == "ok\n"
        proxy.stop()


def test_out_of_descriptors_it_waits(proxy):
    before = resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE,
                     (max(proxy.fds) + 1, before[1]))
    cpu = proxy.cpu
    with dial(proxy.tcp) as sock:
        sock.sendall(FINE)
        nothing_happens_for(1, lambda: proxy.cpu - cpu > limit(0.3) or
                            select.select([sock], [], [], 0)[0],
                            "it spins, or answers")
        resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, before)
        assert Reply(sock).body == "ok\n"


def test_descriptors_are_kept_for_it(stage):
    """However many clients come, and however many hold a place here."""
    proxy = watched(stage, stage.server(echo),
                    prefix=["prlimit", "--nofile=256:256"])
    clients = [stage.connect(proxy) for _ in range(150)]
    proxy.wait_for_line("max_sessions reached")
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            for address in proxy.tcp, proxy.unix:
                half_a_request(stack.enter_context(dial(address)))
        status = ask(proxy.unix, "/api/status").json
        assert ask(proxy.tcp, "/healthz").body == "ok\n"
    assert status["sessions"] == status["max_sessions"] < len(clients)
    assert "Too many open files" not in proxy.log


# Much to show.

def test_thousands_of_rows(stage):
    """They come whole, and nobody waits for them."""
    proxy = many_servers(stage, 200, 1000)
    status = ask(proxy.tcp, "/api/status").json
    assert len(status["listeners"]) == 200
    assert [len(u["servers"]) for u in status["upstreams"]] == [100] * 10
    assert status["upstreams"][9]["servers"][99]["address"] == \
        "127.0.9.100:1"
    page = ask(proxy.tcp).body
    assert page.count("<tr>") == 3 + 200 + 1000 + len(status["workers"])
    assert page.endswith("</body></html>\n")
    text = ask(proxy.tcp, "/api/status?format=text").body
    assert len(text.splitlines()) > 1200
    whole = talk(proxy.tcp, b"GET /api/status HTTP/1.0\r\n\r\n")
    assert len(json.loads(whole.partition(b"\r\n\r\n")[2])["upstreams"]) == 10


def test_a_client_that_leaves_in_the_middle(stage):
    proxy = many_servers(stage, 10, 5000)
    base = len(proxy.fds)
    for size in range(0, 60000, 3000):
        with dial(proxy.tcp) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            while size > 0:
                size -= len(sock.recv(min(size, 4096)))
    wait_for(lambda: len(proxy.fds) == base, 5, "all are closed")
    assert ask(proxy.tcp, "/healthz").body == "ok\n"


# As people see it.

@pytest.mark.skipif(subprocess.run(["which", "chromium"],
                                   stdout=subprocess.DEVNULL).returncode != 0,
                    reason="there is no chromium")
def test_a_browser_shows_it(stage, proxy):
    transfers(stage, proxy)
    done = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu",
         f"--user-data-dir={stage.folder}/browser", "--enable-logging=stderr",
         "--virtual-time-budget=500", "--dump-dom",
         "http://%s:%d/" % proxy.tcp],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=limit(60))
    assert "<title>Sluice on " in done.stdout
    assert re.search(r'class="pill">serving<', done.stdout)
    assert done.stdout.count("<table>") == 3
    assert "CONSOLE" not in done.stderr, done.stderr
