"""The PROXY protocol with haproxy and nginx, both ways."""

import re
import shutil
import subprocess

import pytest

from lib.peers import FIN, complete, echo, payload
from lib.programs import free_port, start
from lib.proxyproto import (CLIENT, CRC32C, SERVICE, UNIQUE_ID, Header, v1,
                            v2)

HOST = "127.0.0.1"
REQUIRE = {"accept_proxy": "require"}

needs_haproxy = pytest.mark.skipif(not shutil.which("haproxy"),
                                   reason="haproxy is not installed")
needs_nginx = pytest.mark.skipif(not shutil.which("nginx"),
                                 reason="nginx is not installed")


def haproxy(stage, bind, server):
    """One from a free port to (host, port), with words for both ends."""
    port = free_port()
    (host, to), words = server
    path = stage.folder / "haproxy.cfg"
    path.write_text(
        "global\n maxconn 100\n"
        "defaults\n mode tcp\n timeout connect 5s\n timeout client 1m\n"
        " timeout server 1m\n"
        "listen l\n unique-id-format made-%[rand(1000)]\n"
        f" bind {HOST}:{port} {bind}\n server s {host}:{to} {words}\n")
    return start(stage, ["haproxy", "-db", "-f", str(path)], (HOST, port))


def nginx(stage, listen, lines):
    port = free_port()
    build = subprocess.run(["nginx", "-V"], capture_output=True,
                           text=True).stderr
    modules = re.search(r"--modules-path=(\S+)", build)
    load = ""
    if "--with-stream=dynamic" in build and modules:
        load = f"load_module {modules[1]}/ngx_stream_module.so;\n"
    path = stage.folder / "nginx.conf"
    path.write_text(
        f"{load}daemon off;\npid {stage.folder}/nginx.pid;\n"
        f"error_log stderr;\nevents {{}}\nstream {{ server {{\n"
        f"listen {HOST}:{port} {listen};\n{lines}\n}} }}\n")
    return start(stage, ["nginx", "-e", "stderr", "-p", str(stage.folder),
                         "-c", str(path)], (HOST, port))


def carries(stage, proxy, front):
    """A session through the program in front: whose is it here?"""
    data = payload(1 << 20)
    client = stage.connect(front.address)
    writer = stage.run(client.send_and_fin, data)
    assert client.read_to_end() == complete(data)
    writer.result()
    assert proxy.record(client).via is not None


SENDERS = ["send-proxy", "send-proxy-v2",
           "send-proxy-v2 proxy-v2-options crc32c",
           "send-proxy-v2 proxy-v2-options unique-id,crc32c"]


@needs_haproxy
@pytest.mark.parametrize("words", SENDERS)
def test_haproxy_in_front(stage, words):
    proxy = stage.proxy(stage.server(echo), listener=REQUIRE)
    carries(stage, proxy, haproxy(stage, "", (proxy.address(), words)))


@needs_haproxy
@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("words", SENDERS)
def test_haproxy_in_front_and_a_server_that_is_told(stage, words, version):
    """What it said goes on, and its checks are no clients."""
    server = stage.server()
    proxy = stage.proxy(server, listener=REQUIRE,
                        upstream={"send_proxy": version})
    front = haproxy(stage, "", (proxy.address(), words))
    client = stage.connect(front.address)
    client.send(b"hello")
    while True:
        peer = server.accept()
        header = Header(peer)
        if header.source and header.source[1] == client.sock.getsockname()[1]:
            break
        peer.close()            # who looked whether it listens
    assert header.source == client.sock.getsockname()
    assert header.destination == front.address
    assert CRC32C not in header.tlvs
    if version == "v2" and "unique-id" in words:
        assert header.tlvs[UNIQUE_ID].startswith(b"made-")
    assert peer.recv_exact(5) == b"hello"


@needs_haproxy
def test_haproxy_s_checks(stage):
    """They come with LOCAL, and the server has to be up for them."""
    server = stage.server(echo)
    proxy = stage.proxy(server, listener=REQUIRE)
    front = haproxy(stage, "", (proxy.address(),
                                "send-proxy-v2 check inter 100ms"))
    carries(stage, proxy, front)
    assert "is DOWN" not in front.log


@needs_nginx
def test_nginx_in_front(stage):
    proxy = stage.proxy(stage.server(echo), listener=REQUIRE)
    host, port = proxy.address()
    front = nginx(stage, "", f"proxy_pass {host}:{port}; proxy_protocol on;")
    client = stage.connect(front.address)
    client.send(b"hello")
    assert client.recv_exact(5) == b"hello"
    client.close()
    assert proxy.record(client).via is not None


@needs_haproxy
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_haproxy_behind(stage, version):
    """What it understood it tells the server behind it."""
    server = stage.server()
    behind = haproxy(stage, "accept-proxy", (server.address, "send-proxy"))
    proxy = stage.proxy(behind, upstream={"send_proxy": version})
    client = stage.connect(proxy)
    client.send_and_fin(b"hello")
    peer = server.accept()
    header = Header(peer)
    assert header.source == client.sock.getsockname()
    assert header.destination == proxy.address()
    assert peer.read_all() == (b"hello", FIN)


@needs_haproxy
@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("said", [v1(), v2()], ids=["v1", "v2"])
def test_haproxy_behind_is_told_what_was_said(stage, said, version):
    server = stage.server()
    behind = haproxy(stage, "accept-proxy", (server.address, "send-proxy"))
    proxy = stage.proxy(behind, listener=REQUIRE,
                        upstream={"send_proxy": version})
    client = stage.connect(proxy)
    client.send_and_fin(said + b"hello")
    peer = server.accept()
    header = Header(peer)
    assert (header.source, header.destination) == (CLIENT, SERVICE)
    assert peer.read_all() == (b"hello", FIN)


@needs_nginx
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_nginx_behind(stage, version):
    behind = nginx(stage, "proxy_protocol",
                   "return '$proxy_protocol_addr $proxy_protocol_port "
                   "$proxy_protocol_server_addr "
                   "$proxy_protocol_server_port';")
    proxy = stage.proxy(behind, listener=REQUIRE,
                        upstream={"send_proxy": version})
    client = stage.connect(proxy)
    client.send(v1())
    assert client.read_all() == (
        "{} {} {} {}".format(*CLIENT, *SERVICE).encode(), FIN)
