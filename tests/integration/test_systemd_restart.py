"""Restarts under the real systemd: it keeps the listening sockets."""

import socket
import threading

import pytest

from lib.peers import FIN, RST, Peer, echo
from lib.service import ADDRESS
from lib.timing import limit, nothing_happens_for, wait_for

pytestmark = pytest.mark.xdist_group("systemd")

EVERYWHERE = "127.0.0.2", 5432
ANOTHER = "127.0.0.1", 5433


class Visitors:
    """Clients who come one after the other, several at a time, each with a word
    that it wants to hear again, until they are told to stop."""

    AT_A_TIME = 4

    def __init__(self, service, address=ADDRESS):
        self.service, self.address = service, address
        self.served, self.wrong = 0, []
        self.enough = threading.Event()
        self.tasks = [service.stage.run(self.come)
                      for _ in range(self.AT_A_TIME)]

    def come(self):
        while not self.enough.is_set():
            try:
                self.wrong += self.visit()
                self.served += 1
            except OSError as error:
                self.wrong.append(error)

    def visit(self):
        sock = self.service.computer.host.socket()
        try:
            sock.settimeout(limit(30))
            sock.connect(self.address)
            client = Peer(sock)
            client.send_and_fin(b"hello")
            said = client.read_all()
        finally:
            sock.close()
        return [] if said == (b"hello", FIN) else [said]

    def see_some(self):
        before = self.served
        wait_for(lambda: self.served > before + 50, 10, "some are served")

    def stop(self):
        self.enough.set()
        for task in self.tasks:
            task.result()
        return self.wrong


def kept(service):
    return int(service.show("NFileDescriptorStore"))


@pytest.mark.parametrize("workers", [1, 3])
def test_a_restart_refuses_nobody(service, workers):
    service.configure(service.server(echo), more=f"workers = {workers}")
    service.systemctl("start")
    assert kept(service) == workers
    pids = {service.show("MainPID")}
    visitors = Visitors(service)
    for _ in range(5):
        visitors.see_some()
        service.systemctl("restart")
        pids.add(service.show("MainPID"))
    visitors.see_some()
    assert visitors.stop() == []
    assert len(pids) == 6
    assert kept(service) == workers


SERVES = "draining, who comes is served, "
WAITS = "draining, for another to go on, "


def begin_restart(service, drain):
    """Of a service with a session, which it has to wait for."""
    server = service.server()
    service.configure(server, drain=drain)
    service.systemctl("start")
    client, upstream = service.connect(), server.accept()
    restarting = service.stage.run(service.systemctl, "restart")
    says(service, SERVES + "1 session")
    return server, (client, upstream), restarting


def says(service, text):
    wait_for(lambda: service.show("StatusText") == text, 5, text)


def goes_on_to_serve(service, seconds):
    nothing_happens_for(seconds, lambda: WAITS in service.show("StatusText"),
                        "it accepts no more")


def ends_well(client, upstream):
    upstream.send_and_fin(b"the last word")
    client.fin()
    assert client.read_all() == (b"the last word", FIN)


def test_who_comes_during_the_drain_is_served(service):
    """At once, as long as there is a session that lasts."""
    server, old, restarting = begin_restart(service, drain="20s")
    pid = service.show("MainPID")
    ends_well(service.connect(), server.accept())
    young = service.connect(), server.accept()
    goes_on_to_serve(service, 1.5)
    ends_well(*old)
    goes_on_to_serve(service, 1)
    ends_well(service.connect(), server.accept())
    assert service.show("MainPID") == pid
    ends_well(*young)
    restarting.result()
    assert service.show("MainPID") != pid
    ends_well(service.connect(), server.accept())


def test_who_comes_late_in_a_drain_is_served_by_the_next(service):
    """Rather than to be sent away at once."""
    server, (old, upstream), restarting = begin_restart(service, drain="5s")
    says(service, WAITS + "1 session")
    late = service.connect()
    assert old.read_all() == (b"", RST)
    assert upstream.read_all() == (b"", RST)
    restarting.result()
    ends_well(late, server.accept())


def test_a_restart_in_a_hurry(service):
    server, old, restarting = begin_restart(service, drain="20s")
    late = service.connect(), server.accept()
    service.systemctl("kill", "--kill-who=main", "--signal=TERM")
    for client, upstream in (old, late):
        assert client.read_all() == (b"", RST)
        assert upstream.read_all() == (b"", RST)
    restarting.result()
    ends_well(service.connect(), server.accept())


def test_a_crash_refuses_nobody(service):
    service.configure(service.server(echo), more="workers = 2")
    service.drop_in("slow", "[Service]\nRestartSec=1s\n")
    service.systemctl("start")
    service.systemctl("kill", "--kill-who=main", "--signal=KILL")
    wait_for(lambda: service.show("SubState") == "auto-restart", 5,
             "it is to be restarted")
    client = service.connect()
    client.send_and_fin(b"hello")
    assert client.read_all() == (b"hello", FIN)
    assert service.show("NRestarts") == "1"


def test_a_stop_keeps_nothing(service):
    service.configure(service.server(echo), more="workers = 3")
    service.systemctl("start")
    service.systemctl("stop")
    assert kept(service) == 0
    assert not service.accepts()


def test_another_address_by_restart(service):
    """What was kept is in nobody's way, and is let go."""
    server = service.server(echo)
    for bind, address in ("127.0.0.1:5432", ADDRESS), (":5432", EVERYWHERE), \
            ("127.0.0.1:5432", ADDRESS):
        service.configure(server, bind=bind, more="workers = 2")
        service.systemctl("restart")
        assert kept(service) == 2
        visitors = Visitors(service, address)
        visitors.see_some()
        assert visitors.stop() == []
    assert not service.accepts(EVERYWHERE)


def test_another_number_of_workers_by_restart(service):
    """As many sockets as there were: a group neither grows nor shrinks."""
    server = service.server(echo)
    visitors = None
    for workers in 4, 1, 3:
        service.configure(server, more=f"workers = {workers}")
        service.systemctl("restart")
        visitors = visitors or Visitors(service)
        visitors.see_some()
        assert kept(service) == 4
    assert visitors.stop() == []


def test_what_a_reload_adds_and_removes(service):
    server = service.server(echo)
    service.configure(server, more="workers = 2")
    service.systemctl("start")
    service.configure(server, more="workers = 2", bind=(
        "%s:%d\nbind = %s:%d" % (ADDRESS + ANOTHER)))
    service.systemctl("reload")
    wait_for(lambda: kept(service) == 4, 5, "all are kept")
    service.configure(server, more="workers = 2", bind="%s:%d" % ANOTHER)
    service.systemctl("reload")
    wait_for(lambda: kept(service) == 2, 5, "one is kept no more")
    wait_for(lambda: not service.accepts(), 5, "its port is closed")
    service.systemctl("restart")
    assert service.accepts(ANOTHER) and not service.accepts()
    assert kept(service) == 2


def test_a_unix_socket_is_kept_with_its_path(service):
    path = "run/sluice/db.sock"
    service.configure(service.server(echo), bind=f"unix:/{path}")
    service.systemctl("start")
    inode = (service.computer.root / path).stat().st_ino
    service.systemctl("restart")
    assert (service.computer.root / path).stat().st_ino == inode
    assert kept(service) == 1
    client = service.stage.connect(
        str(service.computer.root / path),
        sock=socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    client.send_and_fin(b"hello")
    assert client.read_all() == (b"hello", FIN)
    service.systemctl("stop")
    assert not (service.computer.root / path).exists()


def test_a_port_that_the_kernel_chose_is_kept(service):
    service.configure(service.server(echo), bind="127.0.0.1:0",
                      more="workers = 2")
    service.systemctl("start")
    port = int(service.wait_for_message(r"bound 127\.0\.0\.1:(\d+)$")[1][1])
    service.systemctl("restart")
    assert kept(service) == 2
    client = service.connect(("127.0.0.1", port))
    client.send_and_fin(b"hello")
    assert client.read_all() == (b"hello", FIN)


def test_what_was_drained_is_not_after_a_restart(service):
    service.configure(service.server(echo), more="workers = 2")
    service.systemctl("start")
    service.computer.run("sluice", "ctl", "drain", "listener", "default")
    wait_for(lambda: not service.accepts(), 5, "it refuses")
    service.systemctl("restart")
    for _ in range(8):          # in whichever queue
        client = service.connect()
        client.send_and_fin(b"hello")
        assert client.read_all() == (b"hello", FIN)


def test_a_path_that_was_removed_is_made_anew(service):
    path = service.computer.root / "run/sluice/db.sock"
    service.configure(service.server(echo), bind="unix:/run/sluice/db.sock")
    service.systemctl("start")
    path.unlink()
    service.systemctl("restart")
    assert path.is_socket()
    assert kept(service) == 1


# Sockets that systemd opens itself.

SOCKET = "sluice.socket"
EXAMPLE = f"/usr/local/share/doc/sluice/{SOCKET}"
UNITS = "/run/systemd/system/"


@pytest.fixture
def activated(service):
    """sluice.socket as it is shipped, started; the service is not."""
    run = service.computer.run
    service.configure(service.server(echo), bind="systemd:pg")
    run("mkdir", "-p", UNITS)
    run("cp", EXAMPLE, UNITS)
    run("systemctl", "daemon-reload")
    run("systemctl", "start", SOCKET)
    yield service
    run("systemctl", "stop", SOCKET, "sluice.service")
    run("rm", UNITS + SOCKET)
    run("systemctl", "daemon-reload")


def test_the_first_client_starts_the_service(activated):
    assert activated.show("ActiveState") == "inactive"
    client = activated.connect()
    client.send_and_fin(b"hello")
    assert client.read_all() == (b"hello", FIN)
    assert activated.show("ActiveState") == "active"
    assert kept(activated) == 0     # the unit has it


def test_a_restart_of_an_activated_service_refuses_nobody(activated):
    visitors = Visitors(activated)
    for _ in range(3):
        visitors.see_some()
        activated.systemctl("restart")
    visitors.see_some()
    activated.systemctl("stop")     # and is started by the next
    visitors.see_some()
    assert visitors.stop() == []
