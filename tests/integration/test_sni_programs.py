"""Routing by name beside haproxy's and nginx's, on the same hellos of real
programs, with real TLS servers behind."""

import http.server
import os
import re
import shutil
import ssl

import pytest

from lib.marks import every_way
from lib.peers import FIN, echo
from lib.programs import free_port, run, start
from lib.proxy import ROOT
from lib.stage import section

HOST = "127.0.0.1"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SEEDS = ROOT / "tests" / "fuzz" / "corpus" / "client_hello"


class TlsServer(http.server.ThreadingHTTPServer):
    """HTTPS that answers every request with its own name."""

    def __init__(self, name, cert, key):
        super().__init__((HOST, 0), Answer)
        self.name = name
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        context.set_alpn_protocols(["http/1.1"])
        # each connection shakes hands in its own thread
        self.socket = context.wrap_socket(self.socket, server_side=True,
                                          do_handshake_on_connect=False)

    def handle_error(self, request, client_address):
        """A client that trusts nobody leaves: it says so itself."""

    def close(self):
        self.shutdown()
        self.server_close()


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"<p>server-{self.server.name}</p>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def servers(stage):
    cert, key = stage.folder / "cert.pem", stage.folder / "key.pem"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
         "/CN=a.example", "-keyout", str(key), "-out", str(cert)])
    made = {name: stage.keep(TlsServer(name, cert, key)) for name in "abd"}
    for server in made.values():
        stage.run(server.serve_forever, poll_interval=0.05)
    return made


def sluice(stage, servers):
    config = section("global", {"workers": stage.way.workers})
    config += section("listener", {
        "bind": f"{HOST}:0", "upstream": "d", **stage.way.listener,
        "route": ["sni a.example -> a", "sni *.b.example -> b"]})
    for name, server in servers.items():
        config += section(f"upstream {name}",
                          {"server": f"{HOST}:{server.server_port}"})
    return stage.sluice(config).address()


def haproxy(stage, servers):
    port = free_port()
    path = stage.folder / "haproxy.cfg"
    path.write_text(
        "defaults\n mode tcp\n timeout connect 5s\n timeout client 1m\n"
        f" timeout server 1m\nfrontend f\n bind {HOST}:{port}\n"
        " tcp-request inspect-delay 5s\n"
        " tcp-request content accept if { req.ssl_hello_type 1 }\n"
        " use_backend a if { req.ssl_sni -i a.example }\n"
        " use_backend b if { req.ssl_sni -i -m end .b.example }\n"
        " default_backend d\n" + "".join(
            f"backend {name}\n server s {HOST}:{server.server_port}\n"
            for name, server in servers.items()))
    start(stage, ["haproxy", "-db", "-f", str(path)], (HOST, port))
    return HOST, port


def nginx(stage, servers):
    port = free_port()
    modules = re.search(r"--modules-path=(\S+)", run(["nginx", "-V"]))[1]
    to = {name: f"{HOST}:{s.server_port}" for name, s in servers.items()}
    path = stage.folder / "nginx.conf"
    path.write_text(
        f"load_module {modules}/ngx_stream_module.so;\ndaemon off;\n"
        f"pid {stage.folder}/nginx.pid;\nevents {{}}\nstream {{\n"
        f"map $ssl_preread_server_name $to {{ hostnames; default {to['d']};"
        f" a.example {to['a']}; *.b.example {to['b']}; }}\n"
        f"server {{ listen {HOST}:{port}; ssl_preread on;"
        " proxy_pass $to; }\n}\n")
    start(stage, ["nginx", "-e", "stderr", "-p", str(stage.folder), "-c",
                  str(path)], (HOST, port))
    return HOST, port


@pytest.fixture(params=[sluice, haproxy, nginx],
                ids=lambda proxy: proxy.__name__)
def at(request, stage, servers):
    """Where one of the three listens."""
    name = request.param.__name__
    if name != "sluice" and not shutil.which(name):
        pytest.skip(f"not installed: {name}")
    return request.param(stage, servers)


NAMES = {"a.example": "a", "A.EXAMPLE": "a", "x.b.example": "b",
         "c.example": "d"}


@pytest.mark.skipif(not shutil.which("curl"), reason="not installed: curl")
def test_curl(at):
    host, port = at
    for name, server in NAMES.items():
        for how in [], ["--tls-max", "1.2"], ["--http1.1"]:
            said = run(["curl", "-sSk", "--noproxy", "*", "--max-time", "20",
                        *how, "--resolve", f"{name}:{port}:{host}",
                        f"https://{name}:{port}/"])
            assert said == f"<p>server-{server}</p>", name
    assert run(["curl", "-sSk", "--noproxy", "*", "--max-time", "20",
                f"https://{host}:{port}/"]) == "<p>server-d</p>"


def test_openssl(at):
    """Of many key shares, old, and without a name.  Python ends TLS without a
    word, which openssl is not happy about."""
    host, port = at
    ask = 'printf "GET / HTTP/1.0\\r\\n\\r\\n" | "$@"; true'
    for server, how in [
            ("a", ["-servername", "a.example"]),
            ("b", ["-servername", "x.b.example", "-tls1_2"]),
            ("a", ["-servername", "a.example", "-groups",
                   "P-521:P-384:P-256:X25519:X448:ffdhe2048:ffdhe8192"]),
            ("d", ["-noservername"])]:
        said = run(["sh", "-c", ask, "sh", "openssl", "s_client", "-quiet",
                    "-connect", f"{host}:{port}", *how])
        assert f"<p>server-{server}</p>" in said, how


@pytest.mark.skipif(CHROMIUM is None, reason="not installed: chromium")
def test_chromium(at, tmp_path):
    host, port = at
    dom = run([
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu",
        "--disable-quic", "--no-first-run", "--no-proxy-server",
        "--disable-background-networking", "--disable-component-update",
        "--disable-sync", "--disable-dev-shm-usage",
        "--ignore-certificate-errors",
        f"--host-resolver-rules=MAP *.example {host}",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--dump-dom", f"https://x.b.example:{port}/"], seconds=50,
        env={**os.environ, "HOME": str(tmp_path)})
    assert "<p>server-b</p>" in dom


@every_way
@pytest.mark.parametrize("size", [100, 20000])
def test_a_handshake_with_a_hello_in_many_records(stage, servers, size):
    """The server reads the same hello: it shakes hands, in our records."""
    host, port = sluice(stage, servers)
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl._create_unverified_context()
    tls = context.wrap_bio(into, out, server_hostname="x.b.example")
    client = stage.connect((host, port))
    first = True
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            said = out.read()
            if first:
                said = b"".join(
                    b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part
                    for part in (said[5:][i:i + size]
                                 for i in range(0, len(said) - 5, size)))
                first = False
            client.send(said)
            into.write(client.recv())
    tls.write(b"GET / HTTP/1.0\r\n\r\n")
    client.send(out.read())
    body = b""
    while b"</p>" not in body:
        try:
            body += tls.read()
        except ssl.SSLWantReadError:
            into.write(client.recv())
    assert body.endswith(b"<p>server-b</p>")


def test_the_captured_hellos(stage):
    """What real programs said once, some of which may not be here: see
    tests/fuzz/capture."""
    named = {"a": [], "d": []}
    for path in sorted(SEEDS.iterdir()):
        program = path.name.split("-")[0] in (
            "openssl", "curl", "chromium", "python")
        if program and "noname" not in path.name:
            named["d" if "bare" in path.name or "long" in path.name
                  else "a"].append(path)
    assert len(named["a"]) >= 8

    def script(name):
        def serve(peer):
            peer.send(name)
            echo(peer)
        return serve

    config = section("listener", {"bind": f"{HOST}:0", "upstream": "d",
                                  "route": "sni db.example -> a"})
    for name in "ad":
        server = stage.server(script(name.encode()))
        config += section(f"upstream {name}",
                          {"server": f"{HOST}:{server.port}"})
    proxy = stage.sluice(config)
    for server, paths in named.items():
        for path in paths:
            client = stage.connect(proxy)
            client.send_and_fin(path.read_bytes())
            assert client.read_all() == (
                server.encode() + path.read_bytes(), FIN), path.name
