"""Real programs, unchanged but for the address they are told."""

import hashlib
import http.client
import http.server
import json
import os
import shutil
import sys
import threading

import pytest

from lib.marks import both_crews
from lib.peers import FIN, MIB, echo, payload
from lib.programs import free_port, run, start
from lib.timing import limit, wait_for

HOST = "127.0.0.1"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def needs(*names):
    """Skips where a program is not installed."""
    missing = [name for name in names if not shutil.which(name)]
    return pytest.mark.skipif(
        bool(missing), reason=f"not installed: {', '.join(missing)}")


def ended_well(proxy, count):
    """The close records, at least so many, once every session is over; each
    was ended by one of the two programs."""
    proxy.wait_until_idle()
    records = proxy.wait_for_records(count)
    for record in records:
        assert record.closed_by in ("client", "upstream"), record
        assert record.how in ("fin", "rst"), record
    return records


def program_on(stage, port, command):
    """A server program that was told its port."""
    return start(stage, command, (HOST, port))


# The smallest programs.

def test_a_one_shot_client_and_an_upstream_with_a_name(stage):
    server = stage.server(echo)
    proxy = stage.sluice(args=[
        "-L", f"127.0.0.1:0=localhost:{server.port}"])
    host, port = proxy.address("L1")
    said = run([sys.executable, "-c", (
        "import socket\n"
        f"s = socket.create_connection(({host!r}, {port}))\n"
        "s.sendall(b'Hello, server!')\n"
        "print(s.recv(1024).decode())\n")])
    assert said == "Hello, server!\n"
    record, = ended_well(proxy, 1)
    assert record.closed_by == "client"
    assert record.bytes_to_upstream == record.bytes_to_client == 14


def test_a_server_that_greets_and_closes(stage):
    proxy = stage.proxy(stage.server(
        lambda peer: peer.send_and_close(b"Hello, client!\n")))
    for _ in range(20):
        client = stage.connect(proxy)
        assert client.read_all() == (b"Hello, client!\n", FIN)
        client.close()
    assert {r.end for r in ended_well(proxy, 20)} == {"upstream fin"}


@both_crews
def test_1000_clients_of_a_server_with_a_thread_each(stage, workers):
    proxy = stage.proxy(stage.server(echo), workers=workers)
    address, count = proxy.address(), 1000
    together = threading.Barrier(50)

    def visit(first):
        clients = [stage.connect(address) for _ in range(count // 50)]
        together.wait(limit(30))            # all 1,000 are connected
        for turn in range(3):
            for i, client in enumerate(clients, first):
                client.send(b"%04d:%d;" % (i, turn))
            for i, client in enumerate(clients, first):
                assert client.recv_exact(7) == b"%04d:%d;" % (i, turn)
        together.wait(limit(30))            # and still are
        for client in clients:
            client.fin()
            assert client.read_all() == (b"", FIN)
            client.close()

    visitors = [stage.run(visit, first)
                for first in range(0, count, count // 50)]
    for visitor in visitors:
        visitor.result()
    records = ended_well(proxy, count)
    assert len(records) == count
    assert {r.end for r in records} == {"client fin"}
    assert {(r.bytes_to_upstream, r.bytes_to_client)
            for r in records} == {(21, 21)}


# HTTP.

@pytest.fixture
def site(stage):
    """python -m http.server with a page and a download, behind a proxy."""
    folder = stage.folder / "site"
    folder.mkdir()
    (folder / "index.html").write_text(
        "<!doctype html><title>Sluice</title>"
        "<p id=p></p><script src=hello.js></script>")
    (folder / "hello.js").write_text(
        "document.getElementById('p').textContent = 'Hello, ' + 'client!'")
    (folder / "blob").write_bytes(payload(8 * MIB))
    port = free_port()
    program_on(stage, port, [sys.executable, "-m", "http.server", str(port),
                             "--bind", HOST, "--directory", str(folder)])
    return stage.proxy((HOST, port))


@needs("curl")
def test_curl(site, tmp_path):
    host, port = site.address()
    url = f"http://{host}:{port}"
    curl = ["curl", "-sS", "--fail", "--noproxy", "*", "--max-time", "30"]
    assert "hello.js" in run([*curl, f"{url}/"])
    run([*curl, "-o", str(tmp_path / "got"), f"{url}/blob"])
    assert (tmp_path / "got").read_bytes() == payload(8 * MIB)
    head = run([*curl, "-I", f"{url}/blob"])
    assert f"Content-Length: {8 * MIB}\n" in head.replace("\r", "")
    assert len(ended_well(site, 3)) == 3


@pytest.mark.skipif(CHROMIUM is None, reason="not installed: chromium")
def test_a_browser(site, tmp_path):
    host, port = site.address()
    dom = run([
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu",
        "--disable-quic", "--no-first-run", "--no-proxy-server",
        "--disable-background-networking", "--disable-component-update",
        "--disable-sync", "--disable-dev-shm-usage",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--dump-dom", f"http://{host}:{port}/"], seconds=50,
        env={**os.environ, "HOME": str(tmp_path)})
    # The script was fetched too, and ran.
    assert '<p id="p">Hello, client!</p>' in dom
    records = ended_well(site, 1)
    assert sum(r.bytes_to_client for r in records) > 400


class Api(http.server.BaseHTTPRequestHandler):
    """Says in JSON what it was sent; connections stay."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1           # header and body in one piece

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        said = json.loads(self.rfile.read(length))
        body = json.dumps({"path": self.path, "said": said}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class ApiServer(http.server.ThreadingHTTPServer):
    def close(self):
        self.shutdown()
        self.server_close()


def test_a_json_api_with_200_requests_on_a_connection(stage):
    server = stage.keep(ApiServer((HOST, 0), Api))
    stage.run(server.serve_forever, poll_interval=0.05)
    proxy = stage.proxy((HOST, server.server_port))
    connection = http.client.HTTPConnection(*proxy.address(),
                                            timeout=limit(30))
    connection.connect()
    own = connection.sock
    for i in range(200):
        said = {"number": i, "text": "ü" * i}
        connection.request("POST", f"/item/{i}", json.dumps(said))
        answer = connection.getresponse()
        assert answer.status == 200
        assert json.load(answer) == {"path": f"/item/{i}", "said": said}
        assert connection.sock is own       # never connected again
    connection.close()
    record, = ended_well(proxy, 1)
    assert record.end == "client fin"


# Redis.

@needs("redis-server", "redis-benchmark", "redis-cli")
@both_crews
def test_redis(stage, workers):
    port = free_port()
    program_on(stage, port, [
        "redis-server", "--port", str(port), "--bind", HOST, "--save", "",
        "--appendonly", "no", "--dir", str(stage.folder)])
    proxy = stage.proxy((HOST, port), workers=workers)
    host, ours = proxy.address()
    there = ["-h", host, "-p", str(ours)]
    told = run(["redis-benchmark", *there, "-n", "2000", "-c", "20", "-q",
                "-t", "ping,set,get,incr,lpush,mset"])
    for line in "PING_INLINE", "SET", "GET", "INCR", "LPUSH", "MSET":
        assert line in told
    assert "rror" not in told
    # Every one of them arrived, and only once.
    key = run(["redis-cli", *there, "--raw", "keys", "counter:*"]).split()
    assert run(["redis-cli", *there, "--raw", "get", *key]) == "2000\n"
    # Twenty connections for each of the seven tests.
    assert len(ended_well(proxy, 140)) >= 140


# SSH.

def key_pair(path):
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)])
    return path


@pytest.fixture
def ssh(stage):
    """A proxy to a sshd that runs as we do, and the options for its client."""
    # In a folder of which only we may change the path, or sshd objects.
    folder = stage.folder / "ssh"
    folder.mkdir(mode=0o700)
    host_key, own_key = key_pair(folder / "host"), key_pair(folder / "own")
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    port = free_port()
    config = folder / "sshd_config"
    config.write_text("\n".join([
        f"ListenAddress {HOST}:{port}", f"HostKey {host_key}",
        f"AuthorizedKeysFile {own_key}.pub", f"PidFile {folder}/pid",
        "UsePAM no", "StrictModes no", "PasswordAuthentication no",
        "PermitRootLogin prohibit-password",
        "Subsystem sftp internal-sftp", ""]))
    program_on(stage, port, [shutil.which("sshd"), "-D", "-e", "-f",
                             str(config)])
    proxy = stage.proxy((HOST, port))
    host, ours = proxy.address()
    known = folder / "known_hosts"
    kind, key = (folder / "host.pub").read_text().split()[:2]
    known.write_text(f"[{host}]:{ours} {kind} {key}\n")
    return proxy, [
        "-F", "none", "-i", str(own_key), "-o", f"Port={ours}",
        "-o", f"UserKnownHostsFile={known}",
        "-o", "GlobalKnownHostsFile=none",
        "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes",
        "-o", "IdentitiesOnly=yes"]


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.skipif(os.geteuid() != 0, reason="sshd as we start it needs root")
@needs("sshd", "ssh", "scp", "ssh-keygen")
def test_scp_there_and_back(stage, ssh):
    proxy, options = ssh
    assert run(["ssh", *options, f"root@{HOST}", "echo", "hello"]) == "hello\n"
    here, there, back = (stage.folder / name
                         for name in ("here", "there", "back"))
    here.write_bytes(payload(64 * MIB))
    run(["scp", "-q", *options, str(here), f"root@{HOST}:{there}"])
    assert sha256(there) == sha256(here)
    run(["scp", "-q", *options, f"root@{HOST}:{there}", str(back)])
    assert sha256(back) == sha256(here)
    _, up, down = ended_well(proxy, 3)
    assert up.bytes_to_upstream > 64 * MIB
    assert down.bytes_to_client > 64 * MIB


# TLS, of which the proxy knows nothing.

@needs("openssl")
def test_tls_is_passed_through(stage):
    cert, key = stage.folder / "cert.pem", stage.folder / "key.pem"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
         "/CN=sluice.test", "-addext", "subjectAltName=DNS:sluice.test",
         "-keyout", str(key), "-out", str(cert)])
    page = stage.folder / "page"
    page.write_bytes(payload(3 * MIB))
    port = free_port()
    program_on(stage, port, [
        "openssl", "s_server", "-quiet", "-accept", f"{HOST}:{port}", "-HTTP",
        "-cert", str(cert), "-key", str(key)])
    proxy = stage.proxy((HOST, port))
    host, ours = proxy.address()
    got = stage.folder / "got"
    ask = f'printf "GET /page HTTP/1.0\\r\\n\\r\\n" | "$@" >{got}'
    run(["sh", "-c", ask, "sh", "openssl", "s_client",
         "-connect", f"{host}:{ours}",
         "-quiet", "-verify_quiet", "-verify_return_error",
         "-CAfile", str(cert), "-servername", "sluice.test",
         "-verify_hostname", "sluice.test"])
    assert sha256(got) == sha256(page)
    assert len(ended_well(proxy, 1)) == 1


# Throughput.

@needs("iperf3")
@pytest.mark.parametrize("direction", ["up", "down"])
def test_iperf3(stage, direction):
    port = free_port()
    server = start(stage, ["iperf3", "-s", "--forceflush", "-B", HOST, "-p",
                           str(port)])
    # It serves one at a time: whoever tries whether it listens is that one.
    wait_for(lambda: "Server listening" in server.log, 20, "it listens")
    proxy = stage.proxy((HOST, port), workers=2)
    host, ours = proxy.address()
    told = json.loads(run(
        ["iperf3", "-c", host, "-p", str(ours), "-t", "1", "-J",
         *(["-R"] if direction == "down" else [])]))
    assert "error" not in told, told["error"]
    sums = told["end"]
    assert sums["sum_received"]["bytes"] > MIB
    records = ended_well(proxy, 2)          # control and data
    key = "bytes_to_upstream" if direction == "up" else "bytes_to_client"
    assert max(r[key] for r in records) >= sums["sum_received"]["bytes"]
