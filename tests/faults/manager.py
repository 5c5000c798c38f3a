"""What systemd is to a daemon: it passes sockets, is told how things are, and
keeps sockets for the next one (sd_listen_fds(3), sd_notify(3))."""

import array
import os
import socket
import threading

# What happens between fork and exec.
ACTIVATE = """
import os, sys
names, fds, command = sys.argv[1], sys.argv[2].split(","), sys.argv[3:]
safe = [os.dup2(int(fd), 1000 + n) for n, fd in enumerate(fds)]
os.closerange(3, 1000)
for n, fd in enumerate(safe):
    os.dup2(fd, 3 + n)
    os.close(fd)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)),
                  LISTEN_FDNAMES=names)
os.execvp(command[0], command)
"""
MOST = 64               # descriptors in a message
LONG = 4096


def listening_at(address):
    """As an earlier daemon left it."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(address)
    sock.listen(64)
    return sock


def stored_name(address):
    return "sluice/%s+%d" % address


def address_of(name):
    host, port = name.removeprefix("sluice/").split("+")
    return host, int(port)


class Manager:
    def __init__(self, folder):
        self.path = str(folder.with_suffix(".notify"))
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        os.chmod(self.path, 0o777)
        self.names, self.fds = [], []   # to be passed
        self.units = []
        self.states = []        # READY, RELOADING, STOPPING as they came
        self.beats = 0
        self.store = {}         # name -> descriptors
        threading.Thread(target=self._run, daemon=True).start()

    # Before the start.

    def add(self, name, address):
        """A socket unit's, to be passed."""
        self.units.append(listening_at(address))
        self.names.append(name)
        self.fds.append(self.units[-1].fileno())

    def add_stored(self, address):
        """One of the store, where it stays until it is removed."""
        name = stored_name(address)
        self.store[name] = [listening_at(address).detach()]
        self.names.append(name)
        self.fds += self.store[name]

    @property
    def env(self):
        return {"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": "1000000"}

    @property
    def launch(self):
        """How Proxy is to start it."""
        if not self.names:
            return {}
        return {"pass_fds": self.fds, "prefix": [
            "/usr/bin/python3", "-c", ACTIVATE, ":".join(self.names),
            ",".join(map(str, self.fds))]}

    # What it is told.

    def _run(self):
        try:
            while True:
                self._hear()
        except OSError:
            pass                # closed

    def _hear(self):
        text, more, _, _ = self.sock.recvmsg(
            LONG, socket.CMSG_SPACE(MOST * 4))
        if not text:
            raise OSError("closed")
        fds = array.array("i")
        for _, _, data in more:
            fds.frombytes(data)
        said = dict(line.partition("=")[::2]
                    for line in text.decode().splitlines())
        self.states += [word for word in ("READY", "RELOADING", "STOPPING")
                        if word in said]
        self.beats += "WATCHDOG" in said
        if "FDSTORE" in said:
            self.store.setdefault(said["FDNAME"], []).extend(fds)
            return
        if "FDSTOREREMOVE" in said:
            fds.extend(self.store.pop(said["FDNAME"], []))
        for fd in fds:          # of a barrier, too
            os.close(fd)

    @property
    def state(self):
        return self.states[-1] if self.states else None

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        for fds in self.store.values():
            for fd in fds:
                os.close(fd)
        for sock in self.units:
            sock.close()
