"""Programs beside the daemon: real peers with a configuration of their own,
on free ports, ended with the test; and starts of the daemon that fail."""

import contextlib
import os
import random
import signal
import socket
import subprocess

from .proxy import Proxy
from .timing import limit, wait_for

# Somebody who may nothing.
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
          "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]


def fails_to_start(stage, config=None, args=(), **how):
    """(exit code, log) of a daemon that is expected not to run."""
    name = f"failed{len(os.listdir(stage.folder))}"
    proxy = Proxy(stage.folder / name, config, args, **how)
    return proxy.wait(10), proxy.log


def free_port(host="127.0.0.1"):
    """A port that nobody has at the moment: for programs that cannot choose
    one themselves."""
    with socket.socket() as sock:
        sock.bind((host, 0))
        return sock.getsockname()[1]


def quiet_port(host="127.0.0.1"):
    """One that nobody is given by chance either (ip_local_port_range), while
    others still try to reach it."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind((host, port))
            return port


def accepts(address):
    """Whether somebody listens there."""
    try:
        socket.create_connection(address, timeout=1).close()
        return True
    except OSError:
        return False


class Program:
    """A process whose output is kept in a file; close() ends it and what it
    started."""

    def __init__(self, folder, command, env=None):
        self.log_path = folder / f"program{len(os.listdir(folder))}.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **(env or {})}, cwd=folder,
                start_new_session=True)
        self.address = None

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_until_it_listens(self, address, seconds=20):
        def ready():
            assert self.process.poll() is None, self.log
            return accepts(address)

        wait_for(ready, seconds, f"{self.process.args[0]} listens")
        self.address = address
        return self

    def has_ended(self):
        """Without forgetting its process id, which is its group's too."""
        return self.process.returncode is not None or os.waitid(
            os.P_PID, self.process.pid,
            os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def close(self):
        """Its children as well: they are in its group."""
        if not self.has_ended():
            self.process.terminate()
        try:
            wait_for(self.has_ended, 5, "it ends")
        except AssertionError:
            pass
        if self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def start(stage, command, address=None, env=None):
    """A Program that ends with the test, once it listens at the address."""
    program = stage.keep(Program(stage.folder, command, env))
    return program.wait_until_it_listens(address) if address else program


def run(command, seconds=60, text=True, **how):
    """The output of a command that has to succeed."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=limit(seconds), text=text, **how)
    assert done.returncode == 0, f"{command}: {done.stdout}"
    return done.stdout
