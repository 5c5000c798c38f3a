"""The unit under the real systemd: start, ready, stop, restart, the journal."""

import re
import shutil
import subprocess
import threading

import pytest

from lib.peers import FIN, MIB, RST, Server, complete, echo, payload
from lib.service import ADDRESS, CONFIG
from lib.threads import Held
from lib.timing import Stopwatch, limit, nothing_happens_for, wait_for

pytestmark = pytest.mark.xdist_group("systemd")

# journald's, see syslog(3).
ERROR, WARNING, INFO = 3, 4, 6

# capabilities(7)
NET_BIND_SERVICE = 10


# The unit.

def test_the_unit_is_sound(computer):
    """But for the manuals, which need not be there to be named."""
    said = computer.run("systemd-analyze", "verify", "--man=no",
                        "sluice.service")
    assert said == ""


def test_the_unit_is_tight(computer):
    said = computer.run("systemd-analyze", "security", "--offline=true",
                        "sluice.service")
    level = re.search(r"Overall exposure level for sluice.service: (\S+)", said)
    assert float(level[1]) < 2.5, said


# Start.

def test_started_means_that_it_serves(service):
    """start returns when every port is open: nobody is refused."""
    server = service.server(echo)
    service.configure(server)
    for _ in range(10):
        service.systemctl("start")
        client = service.connect()
        client.send_and_fin(b"hello")
        assert client.read_all() == (b"hello", FIN)
        service.systemctl("stop")
        assert not service.accepts()


def test_start_waits_for_ready(service):
    """The same daemon, kept from saying so."""
    service.configure(service.server())
    service.drop_in("mute", "[Service]\nUnsetEnvironment=NOTIFY_SOCKET\n"
                    "TimeoutStartSec=2s\n")
    service.fails_to("start")
    service.wait_for_message("^forwarding 127.0.0.1:5432 ")
    assert service.show("Result") == "timeout"


def test_the_status_says_how_it_is(service):
    service.configure(service.server(), more="workers = 3")
    service.systemctl("start")
    assert service.show("StatusText") == "1 listener, 3 workers"
    assert "1 listener, 3 workers" in service.systemctl("status")


def test_a_broken_configuration_is_refused_once(service):
    service.configure(service.server(), more="wrokers = 3")
    service.fails_to("start")
    priority, match = service.wait_for_message(
        r"^(?:error: )?/etc/sluice/proxy.ini:3: (.*)")
    assert "wrokers" in match[1] and "workers" in match[1]
    assert priority == ERROR
    nothing_happens_for(2, lambda: service.show("NRestarts") != "0",
                        "it is started again")
    assert service.show("ActiveState") == "failed"
    assert service.show("ExecMainStatus") == "1"


def test_a_port_that_becomes_free_is_taken(service):
    """Somebody else had it: that is worth a second try, and a tenth."""
    service.configure(service.server())
    service.drop_in("soon", "[Service]\nRestartSec=50ms\n")
    squatter = service.stage.keep(Server(
        port=ADDRESS[1], sock=service.computer.host.socket()))
    service.fails_to("start")
    service.wait_for_message(
        r"127.0.0.1:5432 \(held by a process of root\): Address already")
    wait_for(lambda: service.show("ExecMainStatus") == "3", 5, "it gives up")
    wait_for(lambda: int(service.show("NRestarts")) >= 9, 20, "more tries")
    squatter.close()
    wait_for(lambda: service.show("ActiveState") == "active", 10, "it runs")
    assert service.accepts()


# What it is allowed.

def test_it_is_not_root_and_has_the_low_ports(service):
    server = service.server(echo)
    service.configure(server, bind="127.0.0.1:80")
    service.systemctl("start")
    uid = service.computer.run("id", "-u", "sluice").strip()
    assert uid != "0"
    assert service.status("Uid").split() == [uid] * 4
    for kind in "CapEff", "CapPrm", "CapBnd":
        assert int(service.status(kind), 16) == 1 << NET_BIND_SERVICE, kind
    assert service.status("NoNewPrivs") == "1"
    client = service.connect(("127.0.0.1", 80))
    client.send_and_fin(b"hello")
    assert client.read_all() == (b"hello", FIN)


def test_it_writes_nowhere_but_in_its_folders(service):
    service.configure(service.server())
    service.systemctl("start")

    def touch(folder, *user):
        return service.computer.try_run(
            "nsenter", f"--target={service.show('MainPID')}", "--mount", *user,
            "touch", f"{folder}/file")

    user = ["--setuid=" + service.status("Uid").split()[0],
            "--setgid=" + service.status("Gid").split()[0]]
    for folder in "/run/sluice", "/var/log/sluice":
        assert touch(folder, *user) == (0, "")
    for folder in "/", "/etc/sluice", "/var/log", "/usr/local/bin":
        code, said = touch(folder)      # not even root
        assert code != 0 and "Read-only file system" in said, folder


def test_no_system_call_is_refused(service):
    """Were one refused, this would kill it."""
    server = service.server(echo)
    service.configure(server, more="admin = 127.0.0.1:9901", host="localhost")
    service.drop_in("kill", "[Service]\nSystemCallErrorNumber=kill\n")
    service.systemctl("start")
    client = service.connect()
    data = payload(MIB)
    sending = service.stage.run(client.send_and_fin, data)
    assert client.read_to_end() == complete(data)
    sending.result()
    page = service.connect(("127.0.0.1", 9901))
    page.send(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert page.recv().startswith(b"HTTP/1.")
    service.systemctl("reload")
    service.systemctl("stop")
    assert service.show("Result") == "success"


# Traffic, and the journal.

def test_it_forwards_both_ways(service):
    server = service.server()
    service.configure(server)
    service.systemctl("start")
    client = service.connect()
    upstream = server.accept()
    up, down = payload(3 * MIB, seed=1), payload(2 * MIB, seed=2)
    sending = [service.stage.run(client.send_and_fin, up),
               service.stage.run(upstream.send_and_fin, down)]
    reading = service.stage.run(upstream.read_to_end)
    assert client.read_to_end() == complete(down)
    assert reading.result() == complete(up)
    for task in sending:
        task.result()
    priority, match = service.wait_for_message(
        rf"client={re.escape(client.name)} .*how=fin")
    assert priority == INFO


def test_the_journal_has_the_levels(service):
    service.configure(service.server())
    service.systemctl("start")
    priority, match = service.wait_for_message("^forwarding ")
    assert priority == INFO
    service.configure(service.server(), more="workers = 3")
    service.systemctl("reload")
    priority, match = service.wait_for_message("workers .* takes a restart$")
    assert priority == WARNING
    service.configure(service.server(), bind="192.0.2.1:5432")
    service.systemctl("stop")
    service.fails_to("start")
    priority, match = service.wait_for_message("cannot bind 192.0.2.1:5432")
    assert priority == ERROR
    for level, least in ("err", ERROR), ("warning", WARNING):
        said = service.journal(f"--priority={level}")
        assert said and all(priority <= least for priority, _ in said)


def test_logrotate_does_its_work_as_installed(service):
    if shutil.which("logrotate") is None:
        pytest.skip("logrotate is not installed")
    service.configure(service.server(echo),
                      more="log = file:/var/log/sluice/sluice.log")

    def visit_is_told():
        client = service.connect()
        client.send_and_fin(b"hello")
        assert client.read_all() == (b"hello", FIN)
        return "how=fin" in log.read_text()

    folder = service.computer.root / "var/log/sluice"
    log, old = folder / "sluice.log", folder / "sluice.log.1"
    service.systemctl("start")
    wait_for(lambda: log.exists() and "forwarding" in log.read_text(), 5,
             "its log begins")
    service.computer.run("logrotate", "--force", "/etc/logrotate.d/sluice")
    assert "forwarding" in old.read_text()
    wait_for(visit_is_told, 5, "the next one begins")
    assert log.stat().st_uid == old.stat().st_uid != 0
    log.unlink()
    old.unlink()


def test_its_socket_is_where_root_looks_for_it(service):
    service.configure(service.server())
    service.systemctl("start")
    assert (service.computer.root / "run/sluice/sluice.sock").is_socket()


# Stop, reload, failure.

def test_stop_lets_sessions_finish(service):
    server = service.server()
    service.configure(server, drain="20s")
    service.systemctl("start")
    client = service.connect()
    upstream = server.accept()
    stopping = service.stage.run(service.systemctl, "stop")
    wait_for(lambda: service.show("StatusText") == "draining, 1 session", 5,
             "it says what it waits for")
    assert service.show("ActiveState") == "deactivating"
    wait_for(lambda: not service.accepts(), 5, "nobody is accepted any more")
    upstream.send_and_fin(b"the last word")
    assert client.recv_exact(13) == b"the last word"
    client.fin()
    stopping.result()
    assert service.show("Result") == "success"


def test_stop_ends_what_outlives_the_drain(service):
    server = service.server()
    service.configure(server)           # drain_timeout = 1s
    service.systemctl("start")
    client = service.connect()
    server.accept()
    watch = Stopwatch()
    service.systemctl("stop")
    assert 1 <= watch.seconds < limit(5)
    assert client.read_to_end().ending == RST
    service.wait_for_message("how=drain")
    assert service.show("ActiveState") == "inactive"
    assert service.show("Result") == "success"
    assert service.show("ExecMainStatus") == "0"


def test_a_drain_has_the_time_that_its_operator_gives(service):
    """TimeoutStopSec= is for a stop."""
    server = service.server()
    service.configure(server)
    service.drop_in("short", "[Service]\nTimeoutStopSec=1s\n")
    service.systemctl("start")
    client, upstream = service.connect(), server.accept()
    service.computer.run("sluice", "ctl", "drain", "--deadline", "1m")
    nothing_happens_for(2.5, lambda: service.show("ActiveState") == "failed",
                        "it is killed")
    client.send(b"still there")
    assert upstream.recv_exact(11) == b"still there"
    upstream.fin()
    client.fin()
    wait_for(lambda: service.show("ActiveState") == "inactive", 5, "it ends")
    assert service.show("Result") == "success"


def test_stop_has_time_for_the_default_drain(service):
    """systemd must not kill what drain_timeout still allows."""
    said = service.computer.run("/usr/local/bin/sluice", "--help-config",
                                "drain_timeout")
    drain = int(re.search(r"\b(\d+)s\b", said)[1])
    patience = int(re.fullmatch(r"(\d+)s", service.show("TimeoutStopUSec"))[1])
    assert patience >= drain + 5


def test_a_crash_is_followed_by_a_start(service):
    service.configure(service.server())
    service.systemctl("start")
    before = service.show("MainPID")
    service.systemctl("kill", "--kill-who=main", "--signal=ABRT")
    wait_for(lambda: service.show("NRestarts") == "1" and
             service.show("ActiveState") == "active", 10, "it is restarted")
    assert service.show("MainPID") != before
    assert service.accepts()


def test_a_stop_from_outside_systemd_is_no_failure(service):
    """Told to stop by anybody, it has stopped, and stays so."""
    service.configure(service.server())
    service.systemctl("start")
    service.systemctl("kill", "--kill-who=main", "--signal=TERM")
    wait_for(lambda: service.show("ActiveState") == "inactive", 10, "it stops")
    assert service.show("Result") == "success"
    assert service.show("NRestarts") == "0"


def test_reload_leaves_sessions_alone(service):
    server = service.server(echo)
    service.configure(server)
    service.systemctl("start")
    client = service.connect()
    before = service.show("MainPID")
    service.systemctl("reload")
    client.send_and_fin(b"hello")
    assert client.read_all() == (b"hello", FIN)
    assert service.show("MainPID") == before
    assert service.show("ActiveState") == "active"


def test_reload_takes_effect_before_systemctl_returns(service):
    server = service.server(echo)
    service.configure(server)
    service.systemctl("start")
    before = service.show("MainPID")
    for port in 5433, 5434, 5435:
        service.configure(server, bind=f"127.0.0.1:{port}")
        service.systemctl("reload")
        assert service.accepts(("127.0.0.1", port))
        assert service.show("ActiveState") == "active"
    assert service.show("MainPID") == before
    assert service.show("StatusText") == "1 listener, 2 workers"


def test_hup_is_a_reload_to_systemd_too(service):
    """It says so itself, and when it is done."""
    service.configure(service.server(), more="workers = 1")
    service.systemctl("start")
    service.configure(service.server(), bind="127.0.0.1:5433",
                      more="workers = 1")
    service.systemctl("kill", "--kill-who=main", "--signal=HUP")
    wait_for(lambda: service.accepts(("127.0.0.1", 5433)), 5, "it reloads")
    wait_for(lambda: service.show("ActiveState") == "active", 5, "it is ready")


def test_reload_of_a_broken_configuration_is_refused(service):
    """systemctl fails, the reason is told, and what was before goes on."""
    server = service.server(echo)
    service.configure(server, more="workers = 1")
    service.systemctl("start")
    client = service.connect()
    (service.computer.root / CONFIG).write_text("nonsense\n")
    service.fails_to("reload")
    wrong = r"/etc/sluice/proxy.ini:1: "
    wait_for(lambda: len([message for _, message in service.journal()
                          if re.search(wrong, message)]) == 2, 5,
             "both the daemon and ctl have said it")
    assert re.search(wrong, service.systemctl("status"))
    client.send_and_fin(b"hello")
    assert client.read_all() == (b"hello", FIN)
    assert service.show("ActiveState") == "active"
    assert service.show("StatusText") == (
        "1 listener, 1 worker; not reloaded, what was before goes on")
    service.configure(server, more="workers = 1")
    service.systemctl("reload")
    assert service.show("StatusText") == "1 listener, 1 worker"


# Its life on a machine.

def test_enabled_it_starts_at_boot_until_it_is_uninstalled(service):
    wants = service.computer.root / (
        "etc/systemd/system/multi-user.target.wants/sluice.service")
    service.configure(service.server())
    service.systemctl("enable", "--now")
    assert wants.is_symlink()
    assert service.accepts()
    service.computer.make("uninstall")
    try:
        assert not wants.is_symlink()
        assert not service.accepts()
        assert service.show("LoadState") == "not-found"
        assert (service.computer.root / CONFIG).exists()
    finally:
        service.computer.make("install")


# The watchdog.

@pytest.mark.parametrize("name", ["worker-1", "sluice"])
def test_who_hangs_is_killed_and_started_again(service, name):
    """A worker, or the main thread, which takes no signal then."""
    service.configure(service.server(echo), more="workers = 3")
    service.drop_in("dog", "[Service]\nWatchdogSec=2s\nTimeoutAbortSec=2s\n"
                    "RestartSec=50ms\n")
    service.systemctl("start")
    before = service.show("MainPID")
    held = service.stage.keep(
        Held(service.show("MainPID"), name, service.computer.enter))
    wait_for(lambda: service.show("NRestarts") == "1" and
             service.show("ActiveState") == "active", 20, "it is restarted")
    held.close()
    assert service.show("MainPID") != before
    assert "watchdog" in service.computer.run(
        "journalctl", "--unit=sluice", "--quiet",
        f"--since=@{service.since:.6f}").lower()
    client = service.connect()
    client.send_and_fin(b"hello")
    assert client.read_all() == (b"hello", FIN)


def test_who_is_idle_or_busy_or_drains_is_not(service):
    server = service.server()
    service.configure(server, more="workers = 2", drain="6s")
    service.drop_in("dog", "[Service]\nWatchdogSec=1s\n")
    service.systemctl("start")
    before = service.show("WatchdogTimestampMonotonic")
    nothing_happens_for(3, lambda: service.show("NRestarts") != "0",
                        "it is killed while it is idle")
    assert service.show("WatchdogTimestampMonotonic") != before
    client, upstream = service.connect(), server.accept()
    stop = threading.Event()

    def talk():
        while not stop.is_set():
            client.send(b"x")
            upstream.recv_exact(1)

    talking = service.stage.run(talk)
    nothing_happens_for(3, lambda: service.show("NRestarts") != "0",
                        "it is killed while it is busy")
    stop.set()
    talking.result()
    service.systemctl("stop")       # one worker ends at once, the other later
    assert service.show("Result") == "success"
