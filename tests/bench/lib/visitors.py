#!/usr/bin/python3
"""Who comes through a proxy, and what they notice; on one thread.

    visitors.py [-l SESSIONS] [-r RATE] [-a AGE] PORT...

SESSIONS long-lived ones say 64 bytes every second, each at another time of it, and
check the echo; RATE new ones a second say 64 bytes, check the echo, wait for 100 ms,
say 64 more, check the echo, and leave.  They take the ports in turn.  With -a a
long-lived one leaves after AGE seconds or so, and another comes.

"ready" says that all long-lived ones have had an answer.  From then on each line of
stdin is answered with a line of JSON, for each port what was noticed since the last;
and its end is the end.
"""

import argparse
import collections
import errno
import gc
import itertools
import json
import os
import select
import socket
import sys
import time

SIZE = 64
PAUSE = 0.1
PATIENCE = 5                    # seconds for an answer
PERIOD = 1                      # of a long-lived one's messages
IP_BIND_ADDRESS_NO_PORT = 24    # which this module does not know

# load's pattern (load/stream.c), which its server checks, too: one of another
# session, or of another place of this one, differs.
CELLS = 16381
PATTERN = b"".join((n % CELLS * 2654435761 & 0xFFFFFFFF)
                   .to_bytes(4, sys.byteorder) for n in range(CELLS + SIZE))


class Noticed:
    """At one port, since somebody asked."""

    def __init__(self):
        self.served = 0             # new ones
        self.left = 0               # long-lived ones, which were old enough
        self.failed = collections.Counter()
        self.lost = collections.Counter()
        self.lost_bytes = 0
        self.connect = self.answer = self.stall = 0
        self.when = []              # somebody failed

    def as_json(self):
        return {**vars(self), "when": self.when[:1] + self.when[1:][-1:]}


class Session:
    """What both kinds have in common.  One number is one part of the pattern."""

    numbers = itertools.count()

    def __init__(self, crowd, port):
        self.crowd, self.port = crowd, port
        number = next(self.numbers)
        self.phase = number * 7919 % CELLS * 4
        self.sent = self.received = 0
        self.asked = self.came = crowd.now
        self.connecting = self.open = True
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # one address has not ports enough for who left a minute ago
        self.sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        self.sock.bind((f"127.0.1.{1 + number % 200}", 0))
        crowd.add(self)
        error = self.sock.connect_ex(("127.0.0.1", port))
        if error not in (0, errno.EINPROGRESS):
            self.fail(errno.errorcode[error])

    @property
    def noticed(self):
        return self.crowd.noticed[self.port]

    def ask(self):
        at = (self.phase + self.sent) % (CELLS * 4)
        self.asked = self.crowd.now
        try:
            # a small message always goes, or the session is dead
            self.sent += self.sock.send(PATTERN[at:at + SIZE])
        except OSError as error:
            self.fail(errno.errorcode[error.errno])

    def event(self, events):
        if self.connecting:
            self.connecting = False
            error = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            noticed = self.noticed
            noticed.connect = max(noticed.connect, self.crowd.now - self.came)
            if error:
                self.fail("refused" if error == errno.ECONNREFUSED
                          else errno.errorcode[error])
            else:
                self.crowd.connected(self)
                self.ask()
        if self.open and events & ~select.EPOLLOUT:
            self.hear()

    def hear(self):
        try:
            data = self.sock.recv(4096)
        except BlockingIOError:
            return
        except OSError as error:
            self.fail(errno.errorcode[error.errno])
            return
        at = (self.phase + self.received) % (CELLS * 4)
        self.received += len(data)
        if not data:
            self.fail("fin")
        elif (PATTERN[at:at + len(data)] != data or
              self.received > self.sent):
            self.fail("wrong")
        elif self.received == self.sent:
            self.answered()

    def close(self):
        if self.open:
            self.open = False
            self.crowd.remove(self)
            self.sock.close()

    def fail(self, how):
        self.noticed.when.append(self.crowd.now - self.crowd.since)
        self.close()
        self.failed(how)


class New(Session):
    def answered(self):
        noticed = self.noticed
        if self.sent == SIZE:
            noticed.answer = max(noticed.answer, self.crowd.now - self.came)
            self.crowd.pauses.append((self.crowd.now + PAUSE, self))
        else:
            noticed.served += 1
            self.close()

    def failed(self, how):
        if how in ("ECONNRESET", "EPIPE"):
            how = "reset in the middle" if self.received else "reset"
        self.noticed.failed[how] += 1


class Long(Session):
    def __init__(self, crowd, port, place, leaves):
        self.place, self.leaves = place, leaves
        self.has_answer = False
        super().__init__(crowd, port)

    def answered(self):
        noticed = self.noticed
        noticed.stall = max(noticed.stall, self.crowd.now - self.asked)
        self.has_answer = True

    def turn(self):
        """Its second is over."""
        if self.open and self.sent == self.received > 0:
            if self.crowd.now >= self.leaves:
                self.noticed.left += 1
                self.close()
                self.crowd.admit(self.place, self.port)
            else:
                self.ask()

    def waits(self):
        return self.crowd.now - self.asked if (
            self.open and self.sent > self.received) else 0

    def failed(self, how):
        self.noticed.lost["rst" if how in ("ECONNRESET", "EPIPE") else how] += 1
        self.noticed.lost_bytes += self.sent - self.received


class Crowd:
    def __init__(self, ports, sessions, rate, age):
        self.ports, self.rate, self.age = ports, rate, age
        self.epoll = select.epoll()
        self.sessions = {}
        self.pauses, self.deadlines = collections.deque(), collections.deque()
        self.turns = itertools.cycle(ports)
        self.asked = self.over = False
        self.now = time.monotonic()
        self.forget()
        self.long = [None] * sessions
        self.coming = 0

    def forget(self):
        self.noticed = {port: Noticed() for port in self.ports}
        self.since, self.lag = self.now, 0

    # Sessions.

    def add(self, session):
        fd = session.sock.fileno()
        self.sessions[fd] = session
        self.epoll.register(fd, select.EPOLLOUT)

    def connected(self, session):
        self.epoll.modify(session.sock.fileno(), select.EPOLLIN)

    def remove(self, session):
        del self.sessions[session.sock.fileno()]    # epoll forgets it itself

    def admit(self, place, port):
        """Those of before leave in the first AGE seconds, one after the other."""
        leaves = float("inf")
        if self.age:
            first = self.long[place] is None
            part = (place + 1) / len(self.long) if first else 1
            leaves = self.now + self.age * part
        self.long[place] = Long(self, port, place, leaves)

    def gather(self):
        """All long-lived ones, fifty at a time."""
        until = time.monotonic() + 30
        while not all(s is not None and s.has_answer for s in self.long):
            waiting = sum(s is not None and not s.has_answer for s in self.long)
            for _ in range(min(50 - waiting, len(self.long) - self.coming)):
                self.admit(self.coming, next(self.turns))
                self.coming += 1
            self.turn(0.01)
            if time.monotonic() > until or any(
                    n.when for n in self.noticed.values()):
                sys.exit("the long-lived sessions do not come through")

    # Time.

    def turn(self, patience):
        events = self.epoll.poll(patience)
        self.now = time.monotonic()
        for fd, what in events:
            if fd == 0:
                self.command()
            elif fd in self.sessions:
                self.sessions[fd].event(what)

    def work(self):
        self.epoll.register(0, select.EPOLLIN)
        begin = last = time.monotonic()
        visits = messages = 0
        while not self.over:
            self.turn(0.001)
            self.lag, last = max(self.lag, self.now - last), self.now
            for _ in range(int((self.now - begin) * self.rate) - visits):
                visits += 1
                visit = New(self, next(self.turns))
                self.deadlines.append((self.now + PATIENCE, visit))
            due = int((self.now - begin) * len(self.long) / PERIOD)
            for messages in range(messages, due):
                self.long[messages % len(self.long)].turn()
            messages = due
            self.pass_time()

    def pass_time(self):
        while self.pauses and self.pauses[0][0] <= self.now:
            _, visit = self.pauses.popleft()
            if visit.open:
                visit.ask()
        while self.deadlines and self.deadlines[0][0] <= self.now:
            _, visit = self.deadlines.popleft()
            if visit.open:
                visit.fail("silence")

    def command(self):
        line = os.read(0, 4096)
        if not line:
            self.over = True
            return
        for session in self.long:
            noticed = session.noticed
            noticed.stall = max(noticed.stall, session.waits())
        print(json.dumps({
            "seconds": self.now - self.since, "lag": self.lag,
            "cpu": time.process_time(), "ports": {
                port: noticed.as_json()
                for port, noticed in self.noticed.items()}}), flush=True)
        self.forget()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-l", type=int, default=1000)
    parser.add_argument("-r", type=int, default=500)
    parser.add_argument("-a", type=float)
    parser.add_argument("ports", type=int, nargs="+")
    args = parser.parse_args()
    gc.disable()                    # a session is in no cycle once it is closed
    crowd = Crowd(args.ports, args.l, args.r, args.a)
    crowd.gather()
    crowd.now = time.monotonic()
    crowd.forget()
    print("ready", flush=True)
    crowd.work()


if __name__ == "__main__":
    main()
