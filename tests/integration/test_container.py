"""As in a container: process 1, nobody's rights, nowhere to write."""

import errno
import os
import pathlib
import re
import shutil
import signal

import pytest

from lib.netns import cable
from lib.peers import FIN, MIB, Server, complete, payload
from lib.proxy import BINARY
from lib.timing import wait_for

# Hosts: client 10.1.0.1 - 10.1.0.2 proxy 10.2.0.1 - 10.2.0.2 server.  Nothing
# is routed, so that what arrives went through the proxy.

ADDRESS = ("10.1.0.2", 5000)
SERVER = ("10.2.0.2", 7000)
NOBODY = 65534

# What a container's runtime does, in namespaces of its own for mounts and
# processes.  Everything but /proc is read-only at the end; /dev is almost
# empty, and standard output leads nowhere: what is logged came by stderr.
RUNTIME = f"""
set -e
mount -t tmpfs -o mode=755 tmpfs /mnt
cp "$1" /mnt/sluice
shift
mount -t tmpfs -o mode=755 tmpfs /dev
mknod -m 666 /dev/null c 1 3
cut -d' ' -f5 /proc/self/mountinfo | while read -r place; do
    case $place in /proc | /proc/*) continue ;; esac
    # One that another hides cannot be reached by anybody.
    mount -o remount,bind,ro "$place" 2>/dev/null || test "$place" != /
done
cd /
exec setpriv --pdeathsig=KILL --reuid={NOBODY} --regid={NOBODY} --clear-groups \\
    --no-new-privs --bounding-set=-all --inh-caps=-all -- "$@" >/dev/null
"""


@pytest.fixture
def container(stage, hosts, own_mounts):
    """A proxy in a container, between a client's host and a server's."""
    for tool in ("unshare", "setpriv", "nsenter"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    container = Container(stage, *hosts(3))
    yield container
    if not container.proxy.stopped:
        container.stop()


class Container:
    def __init__(self, stage, client_host, proxy_host, server_host):
        cable(client_host, proxy_host, "10.1.0")
        cable(proxy_host, server_host, "10.2.0")
        self.stage, self.client_host = stage, client_host
        self.server = stage.keep(Server(
            host=SERVER[0], port=SERVER[1], sock=server_host.socket()))
        self.proxy = stage.sluice(
            binary="/mnt/sluice",
            args=["-L", "{}:{}={}:{}".format(*ADDRESS, *SERVER)],
            prefix=[*proxy_host.prefix,
                    "unshare", "--pid", "--fork", "--mount-proc",
                    "--kill-child", "sh", "-c", RUNTIME, "sh", BINARY])
        # Its parent waits for it, and exits with its exit code.
        parent = self.proxy.pid
        children = f"/proc/{parent}/task/{parent}/children"
        self.pid, = map(int, pathlib.Path(children).read_text().split())
        self.proxy.pid = self.pid
        self.proxy.base_sockets = self.proxy.sockets

    def session(self):
        client = self.stage.connect(ADDRESS, sock=self.client_host.socket())
        return client, self.server.accept()

    def told(self, name):
        """What /proc says of the process, by the name of the file."""
        return pathlib.Path(f"/proc/{self.pid}/{name}").read_text()

    def status(self, key):
        return re.search(rf"^{key}:[ \t]*(.*)", self.told("status"), re.M)[1]

    @property
    def listens(self):
        """Looked up: a connect that succeeds would be a session."""
        return any(line.split()[3] == "0A"
                   for line in self.told("net/tcp").splitlines()[1:])

    def term(self):
        """To the process itself: its parent does not pass it on."""
        os.kill(self.pid, signal.SIGTERM)

    def wait(self):
        assert self.proxy.wait(5) == 0
        self.proxy.check_log()

    def stop(self):
        self.term()
        self.wait()


def test_it_is_what_the_tests_below_say(container):
    """A container that is none would pass them all."""
    assert container.status("Name") == "sluice"
    assert container.status("NSpid").split()[1:] == ["1"]
    assert set(container.status("Uid").split()) == {str(NOBODY)}
    assert set(container.status("Gid").split()) == {str(NOBODY)}
    assert container.status("Groups").split() == []
    assert int(container.status("CapEff"), 16) == 0
    mounts = {}                         # the last one hides those before it
    for line in container.told("mountinfo").splitlines():
        place, options = line.split()[4:6]
        mounts[place] = options.split(",")
    assert "ro" in mounts["/"]
    root = pathlib.Path(f"/proc/{container.pid}/root")
    assert [path.name for path in (root / "dev").iterdir()] == ["null"]
    for place in "/", "/dev", "/mnt", str(container.stage.folder), "/tmp":
        with pytest.raises(OSError, match="Read-only file system"):
            (root / place.lstrip("/") / "file").touch()


def test_it_forwards_both_ways_and_tells_on_stderr(container):
    client, upstream = container.session()
    assert upstream.sock.getpeername()[0] == "10.2.0.1"
    up, down = payload(3 * MIB, seed=1), payload(2 * MIB, seed=2)
    sending = [container.stage.run(client.send_and_fin, up),
               container.stage.run(upstream.send_and_fin, down)]
    reading = container.stage.run(upstream.read_to_end)
    assert client.read_to_end() == complete(down)
    assert reading.result() == complete(up)
    for task in sending:
        task.result()
    record = container.proxy.record(client)
    assert record.how == "fin"
    assert record.upstream.endswith("10.2.0.2:7000")
    assert record.bytes_to_upstream == len(up)
    assert record.bytes_to_client == len(down)


def test_term_ends_process_1(container):
    container.stop()


def test_term_lets_a_session_finish(container):
    client, upstream = container.session()
    client.send(b"ping")
    assert upstream.recv_exact(4) == b"ping"
    container.term()
    wait_for(lambda: not container.listens, 5, "it accepts no more")
    with container.client_host.socket() as late:
        assert late.connect_ex(ADDRESS) == errno.ECONNREFUSED
    upstream.send_and_fin(b"pong")
    assert client.read_all() == (b"pong", FIN)
    client.fin()
    assert upstream.read_all() == (b"", FIN)
    container.wait()
    record = container.proxy.record(client)
    assert (record.bytes_to_upstream, record.bytes_to_client) == (4, 4)
