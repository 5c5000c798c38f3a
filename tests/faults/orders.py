"""What operators ask the daemon, and what it says to that."""

import http.client
import io
import json
import time
from dataclasses import dataclass

from daemon import wait_for
from peers import Failure, connect, receive_all


@dataclass
class Reply:
    status: int
    head: bytes
    body: bytes


class Text:
    """What http.client takes for a socket."""

    def __init__(self, data):
        self.data = data

    def makefile(self, _):
        return io.BytesIO(self.data)


def ask(address, path, method="GET", seconds=15):
    """A whole reply, or None: the server itself gives up after 10 s."""
    try:
        with connect(address) as sock:
            sock.settimeout(seconds)
            sock.sendall(f"{method} {path} HTTP/1.1\r\nHost: here\r\n"
                         "Content-Length: 0\r\nConnection: close\r\n\r\n"
                         .encode())
            data = receive_all(sock)[0]
        reply = http.client.HTTPResponse(Text(data))
        reply.begin()
        return Reply(reply.status, str(reply.headers).encode(), reply.read())
    except (OSError, http.client.HTTPException):
        return None


def order(daemon, path):
    """An operator's word, on the Unix socket: the reply, or None.  Without
    memory it takes its time."""
    try:
        return ask(daemon.place.admin_unix, path, "POST", 2)
    except Failure:
        return None


def is_done(reply):
    return reply is not None and reply.status == 200


def insist(daemon, path, seconds=15):
    """Until it is done, now that nothing fails any more."""
    wait_for(lambda: daemon.exited or is_done(order(daemon, path)) or
             time.sleep(0.1), seconds, f"an order that is heard: {path}")


def status(daemon):
    """What the daemon says of itself, to who asks often enough."""
    found = []

    def told():
        reply = ask(daemon.place.admin_unix, "/api/status")
        if is_done(reply):
            found.append(json.loads(reply.body))
        return found

    wait_for(told, 15, "its status")
    return found[-1]
