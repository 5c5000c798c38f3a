"""One session that is always busy, with both its ends in a process of its own:
how long its round trips take while something else goes on.

As a program: pinger.py PORT, the server's; then a line "HOST PORT" on standard
input says where to connect, and every further line asks for what there was
since the last: count, median, 99th percentile and longest, in microseconds."""

import os
import select
import socket
import subprocess
import sys
import time

SIZE = 64       # bytes each way


def read_line():
    """Unbuffered, so that poll(2) sees the next."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            break
        line += byte
    return line.decode()


def round_trips(client, upstream):
    """Until a line comes in, and one at least; the times."""
    times, poll = [], select.poll()
    poll.register(0, select.POLLIN)
    while not times or not poll.poll(0):
        start = time.perf_counter()
        client.sendall(b"p" * SIZE)
        upstream.recv(SIZE, socket.MSG_WAITALL)
        upstream.sendall(b"p" * SIZE)
        client.recv(SIZE, socket.MSG_WAITALL)
        times.append((time.perf_counter() - start) * 1e6)
    return sorted(times)


def main():
    server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    print("listening", flush=True)
    host, port = read_line().split()
    client = socket.create_connection((host, int(port)))
    upstream, _ = server.accept()
    for sock in client, upstream:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        times = round_trips(client, upstream)
        if not read_line():
            return
        print(len(times), *(round(times[int((len(times) - 1) * part)])
                            for part in (0.5, 0.99, 1)), flush=True)


class Pinger:
    """That program, from the side of a test."""

    def __init__(self, port):
        self.port = port
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(port)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "listening\n"

    def connect(self, address):
        self.tell("{} {}".format(*address))

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def trips(self):
        """(count, median, 99 %, longest) since the last time."""
        self.tell("")
        return tuple(map(int, self.process.stdout.readline().split()))

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


if __name__ == "__main__":
    main()
