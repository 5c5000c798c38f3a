"""The daemon's own pages, by HTTP that may be as wrong as a test needs."""

import http.client
import json
import re
import shutil
import socket
import tempfile

from .timing import limit


class Reply:
    """Status, headers and body of an answer."""

    def __init__(self, sock, method="GET"):
        answer = http.client.HTTPResponse(sock, method=method)
        answer.begin()
        self.status = answer.status
        self.headers = answer.headers
        self.body = answer.read().decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]


def dial(address):
    """A connection to (host, port) or to a path."""
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    sock = socket.socket(family)
    if family == socket.AF_INET:
        sock.settimeout(limit(20))
    sock.connect(address)       # without a time it waits for a full backlog
    sock.settimeout(limit(20))
    return sock


def ask(address, path="/", method="GET", head="", body=b"", version="1.1"):
    """A Reply to one request."""
    with dial(address) as sock:
        sock.sendall(f"{method} {path} HTTP/{version}\r\n"
                     f"Host: sluice\r\n{head}\r\n".encode() + body)
        return Reply(sock, method)


def talk(address, said, fin=False, may_reset=False):
    """All that comes back for these bytes, up to FIN."""
    heard = b""
    with dial(address) as sock:
        try:
            sock.sendall(said)
            if fin:
                sock.shutdown(socket.SHUT_WR)
            while data := sock.recv(65536):
                heard += data
        except (ConnectionResetError, BrokenPipeError):
            if not may_reset:
                raise
    return heard


class Folder:
    """One whose name is short enough for a Unix socket's (107 bytes)."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="sluice-")

    def __truediv__(self, name):
        return f"{self.path}/{name}"

    def close(self):
        shutil.rmtree(self.path)


def watched(stage, server, **more):
    """A proxy with both doors open: proxy.tcp and proxy.unix."""
    folder = stage.keep(Folder())
    keys = {"admin": "127.0.0.1:0", "admin_socket": folder / "ctl.sock",
            **more.pop("global_", {})}
    proxy = stage.proxy(server, global_=keys, **more)
    return find_doors(proxy)


def find_doors(proxy):
    """Where its log says that it is seen."""
    proxy.wait_for_line(r"^\d+ workers, at most ")
    tcp = re.search(r"^status on http://(.*):(\d+)/$", proxy.log, re.M)
    unix = re.search(r"^sluice ctl on unix:(.*)$", proxy.log, re.M)
    proxy.tcp = (tcp[1], int(tcp[2])) if tcp else None
    proxy.unix = unix[1] if unix else None
    return proxy
