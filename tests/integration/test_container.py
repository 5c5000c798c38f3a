"""As in a container: client, Sluice and server are three hosts; Sluice is
process 1, not root, may nothing, sees a root it cannot write to and a /dev
without log."""

import os
import pathlib
import re
import signal
import subprocess

import pytest

from lib.netns import cable
from lib.peers import FIN, MIB, RST, complete, payload
from lib.programs import NOBODY
from lib.timing import limit, nothing_happens_for, wait_for

# Run by root in the new namespaces, with the daemon's command line behind it.
# What the daemon needs is copied to where everybody may read it.
IMAGE = """
set -e
mount -t tmpfs -o mode=755 none /mnt
cp "$1" /mnt/sluice
cp "$3" /mnt/proxy.ini
mount -t tmpfs -o mode=755 none /dev
mknod -m 666 /dev/null c 1 3
mknod -m 444 /dev/urandom c 1 9
while read -r _ where _; do
    mount -o remount,bind,ro "$where" 2>/dev/null || true
done </proc/self/mounts
exec {nobody} /mnt/sluice -c /mnt/proxy.ini
"""

# The daemon's side of both cables.
FRONT, BACK, SERVER = "10.1.0.2", "10.2.0.1", "10.2.0.2"


class Pod:
    """The three hosts, and the daemon between them."""

    def __init__(self, stage, hosts, **global_):
        self.stage = stage
        self.client_host, self.box, self.server_host = hosts(3)
        cable(self.client_host, self.box, "10.1.0")
        cable(self.box, self.server_host, "10.2.0")
        self.server = stage.server(sock=self.server_host.socket(),
                                   host=SERVER, port=9000)
        prefix = [*self.box.prefix, "unshare", "--mount", "--pid", "--fork",
                  "--kill-child", "--mount-proc", "sh", "-c",
                  IMAGE.format(nobody=" ".join(NOBODY)), "sh"]
        self.proxy = stage.proxy(self.server, workers=2, prefix=prefix,
                                 listener={"bind": ":7000"}, global_=global_)
        self.pid = self.find_daemon()
        # What the proxy's numbers are about: not unshare(1), which waits.
        self.proxy.pid = self.pid
        self.proxy.base_sockets = self.proxy.sockets

    def find_daemon(self):
        waiting = self.proxy.process.pid
        children = pathlib.Path(f"/proc/{waiting}/task/{waiting}/children")
        return int(children.read_text())

    def status(self, key):
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return re.search(rf"^{key}:[ \t]*(.*)$", text, re.M)[1].split()

    def session(self):
        client = self.stage.connect((FRONT, 7000),
                                    sock=self.client_host.socket())
        return client, self.server.accept()

    def signal(self, number):
        os.kill(self.pid, number)

    def inside(self, *command):
        """As root, in the daemon's mount namespace."""
        return subprocess.run(
            ["nsenter", f"--mount=/proc/{self.pid}/ns/mnt", "--", *command],
            capture_output=True, text=True)


@pytest.fixture
def pod(stage, hosts):
    made = []

    def make(**global_):
        made.append(Pod(stage, hosts, **global_))
        return made[0]

    yield make
    # unshare(1) does not pass TERM on.
    for pod in made:
        if not pod.proxy.stopped:
            pod.signal(signal.SIGTERM)
            assert pod.proxy.wait(10) == 0


def test_it_is_as_bare_as_that(pod):
    pod = pod()
    assert pod.status("NSpid")[-1] == "1"
    assert pod.status("Uid") == ["65534"] * 4
    assert pod.status("Groups") == []
    for capabilities in "CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb":
        assert int(pod.status(capabilities)[0], 16) == 0
    assert pod.status("NoNewPrivs") == ["1"]
    for folder in "/", "/tmp", "/var", "/mnt", "/dev":
        assert "Read-only" in pod.inside("touch", f"{folder}/x").stderr
    assert pod.inside("ls", "/dev").stdout.split() == ["null", "urandom"]


def test_it_forwards(pod):
    pod = pod()
    up, down = payload(8 * MIB, seed=1), payload(8 * MIB, seed=2)
    client, upstream = pod.session()
    assert upstream.sock.getpeername()[0] == BACK
    writers = [pod.stage.run(client.send_and_fin, up),
               pod.stage.run(upstream.send_and_fin, down)]
    reader = pod.stage.run(upstream.read_to_end)
    assert client.read_to_end() == complete(down)
    assert reader.result() == complete(up)
    for writer in writers:
        writer.result()
    record = pod.proxy.record(client)
    assert record.how == "fin"
    assert record.client.startswith("10.1.0.1:")
    assert record.upstream == f"default/{SERVER}:9000"

    for _ in range(50):
        client, upstream = pod.session()
        client.send(b"ping")
        assert upstream.recv_exact(4) == b"ping"
        upstream.reset()
        assert client.read_all() == (b"", RST)
    pod.proxy.wait_until_idle()


def test_term_ends_process_1_and_lets_its_sessions_finish(pod):
    pod = pod(drain_timeout="60s")
    client, upstream = pod.session()
    client.send(b"ping")
    assert upstream.recv_exact(4) == b"ping"
    pod.signal(signal.SIGTERM)
    wait_for(lambda: not pod.box.run("ss", "-Hltn"), 5, "the port is closed")
    nothing_happens_for(0.3, lambda: not pod.proxy.alive, "it is gone")
    upstream.send_and_close(b"pong")
    assert client.read_all() == (b"pong", FIN)
    client.close()
    assert pod.proxy.wait(limit(5)) == 0
    assert pod.proxy.lines[-1] == "stopped"
    pod.proxy.check_log()


def test_a_second_term_means_now_for_process_1_too(pod):
    pod = pod(drain_timeout="60s")
    client, upstream = pod.session()
    client.send(b"ping")
    assert upstream.recv_exact(4) == b"ping"
    pod.signal(signal.SIGTERM)
    pod.proxy.wait_for_line("^draining")
    pod.signal(signal.SIGTERM)
    assert client.read_all() == (b"", RST)
    assert pod.proxy.wait(5) == 0
