"""Network namespaces: hosts of our own, joined by cables.

A namespace has no name: it lives as long as somebody holds it, so nothing is
left behind, not even by a test that is killed.
"""

import ctypes
import functools
import os
import socket
import subprocess
import threading

CLONE_NEWNET = 0x40000000


def in_thread(function):
    """Runs it in a thread that ends with it: a thread that entered another
    namespace must not be used again.  Returns or raises what it did."""
    done = {}

    def run():
        try:
            done["value"] = function()
        except BaseException as error:
            done["error"] = error

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if "error" in done:
        raise done["error"]
    return done["value"]


def call(name, *args):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*args) < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")


def new_namespace():
    call("unshare", CLONE_NEWNET)
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


@functools.cache
def why_not():
    """Why this machine cannot do it, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    try:
        os.close(in_thread(new_namespace))
    except OSError as error:
        return f"no network namespaces here: {error.strerror}"
    return None


class Host:
    """A network namespace with its own loopback: a new one, or that of a
    process."""

    def __init__(self, pid=None):
        if pid is None:
            self.fd = in_thread(new_namespace)
            self.run("ip", "link", "set", "lo", "up")
        else:
            self.fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    @property
    def path(self):
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    @property
    def prefix(self):
        """What to put before a command so that it runs here (by exec: its
        process id is the command's)."""
        return ["nsenter", f"--net={self.path}", "--"]

    def run(self, *command, text=None):
        """Runs a command to its end; it has to succeed."""
        done = subprocess.run([*self.prefix, *command], input=text, text=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        assert done.returncode == 0, f"{command}: {done.stdout}"
        return done.stdout

    def socket(self, family=socket.AF_INET, protocol=0):
        """A TCP socket of this host, for any thread."""
        def make():
            call("setns", self.fd, CLONE_NEWNET)
            return socket.socket(family, socket.SOCK_STREAM, protocol)
        return in_thread(make)

    def sysctl(self, name, value):
        self.run("sysctl", "-q", "-w", f"{name}={value}")

    # Dropping, as a cable that is cut or a host without power does.

    def drop_all(self):
        """From here on nothing comes in and nothing goes out."""
        self.run("nft", "-f", "-", text="""
            table inet gone {
                chain in { type filter hook input priority 0; policy drop; }
                chain out { type filter hook output priority 0; policy drop; }
            }""")

    def drop_nothing(self):
        self.run("nft", "delete", "table", "inet", "gone")

    def close(self):
        os.close(self.fd)


def cable(a, b, net):
    """Joins two hosts by a veth pair: a is NET.1, b is NET.2, of a /24."""
    ends = "to" + net.replace(".", "-")
    a.run("ip", "link", "add", ends, "type", "veth",
          "peer", "name", ends, "netns", b.path)
    for host, last in (a, 1), (b, 2):
        host.run("ip", "address", "add", f"{net}.{last}/24", "dev", ends)
        host.run("ip", "link", "set", ends, "up")
