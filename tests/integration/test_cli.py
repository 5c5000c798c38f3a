"""The command line, what it says, and where it finds its configuration."""

import os
import pathlib
import re
import socket
import subprocess
import urllib.error
import urllib.request

import pytest

from lib.marks import root_only
from lib.peers import FIN, echo, payload
from lib.programs import NOBODY, fails_to_start, free_port
from lib.proxy import BINARY, OWN, Proxy, ROOT
from lib.timing import limit, wait_for

FORWARD = ["-L", "127.0.0.1:0=127.0.0.1:9"]
FINE = ("[listener]\nbind = 127.0.0.1:0\n"
        "[upstream]\nhost = 127.0.0.1\nport = 9\n")

no_system_file = pytest.mark.skipif(
    os.path.exists("/etc/sluice/proxy.ini"),
    reason="/etc/sluice/proxy.ini is there and would be used")


def sluice(*args, cwd=None, prefix=(), env=None, **how):
    """Runs it to its end, with no configuration but a given one."""
    env = {**os.environ, **(env or {})}
    if "SLUICE_CONFIG" not in how:
        env.pop("SLUICE_CONFIG", None)
    env.update(how)
    return subprocess.run([*prefix, BINARY, *map(str, args)], env=env,
                          cwd=cwd, stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=limit(10))


def write(path, text):
    path.write_text(text)
    return path


def transfers(stage, address):
    """There and back, and an end."""
    client = stage.connect(address)
    data = payload(100_000)
    writer = stage.run(client.send_and_fin, data)
    assert client.read_all() == (data, FIN)
    writer.result()
    client.close()


# -t, -T, --set.

def test_a_configuration_that_is_right(tmp_path):
    path = write(tmp_path / "proxy.ini", FINE)
    done = sluice("-t", "-c", path, *OWN)
    assert done.returncode == 0
    assert done.stdout == f"{path}: ok (1 listener, 1 upstream)\n"
    assert done.stderr == ""


def test_all_errors_are_told_at_once_and_in_order(tmp_path):
    path = write(tmp_path / "broken.ini", "\n".join([
        "[global]",
        "wrokers = 3",
        "workers = many",
        "[listener a]",
        "bind = 127.0.0.1:99999",
        "idle_timout = 5m",
        "[upstream a]",
        "host = x",
        "[listener b]",
        "half_close_timeout = soon",
        ""]))
    for args in ["-t"], ["-T"], []:
        done = sluice(*args, "-c", path)
        assert done.returncode == 1
        assert done.stdout == ""
        lines = done.stderr.splitlines()
        places = [re.search(r"broken\.ini:(\d+): ", x) for x in lines]
        assert all(places), done.stderr
        numbers = [int(place[1]) for place in places]
        assert numbers == sorted(numbers)
        assert set(numbers) >= {2, 3, 5, 6, 10}
        assert "did you mean 'workers'?" in lines[0]
        assert "'many'" in lines[1]


def test_warnings_do_not_fail_it(stage, tmp_path):
    """With file and line, also at a start."""
    lines = FINE.replace("host = 127.0.0.1\nport = 9",
                         "server = 127.0.0.1:9 backup")
    path = write(tmp_path / "proxy.ini", lines)
    warning = (f"{path}:4: warning: [upstream default] has backups alone, "
               "which then get all sessions\n")
    for args in ["-t"], ["-T"]:
        done = sluice(*args, "-c", path, *OWN)
        assert (done.returncode, done.stderr) == (0, warning)
    broken = write(tmp_path / "broken.ini", lines + "queue = 9\n")
    done = sluice("-t", "-c", broken)
    assert (done.returncode, done.stdout) == (1, "")
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == [
        "warning", "queue is not looked at without 'server_max_sessions = "
        "100'"]
    proxy = stage.sluice(lines)
    assert "proxy.ini:4: warning: [upstream default] has" in proxy.log


def values_of(dump):
    """The lines of -T without the origins."""
    return [line.split(" ; ")[0] for line in dump.splitlines()]


def test_what_is_in_effect_is_a_configuration_again(tmp_path):
    path = write(tmp_path / "proxy.ini", FINE)
    first = sluice("-T", "-c", path, "--set", "global.workers=2",
                   "--set", "listener.default.idle_timeout=1h")
    assert first.returncode == 0, first.stderr
    lines = first.stdout.splitlines()
    assert "workers = 2 ; --set" in lines
    assert "idle_timeout = 1h ; --set" in lines
    assert "bind = 127.0.0.1:0 ; line 2" in lines
    assert "drain_timeout = 25s ; default" in lines

    again = write(tmp_path / "again.ini", first.stdout)
    done = sluice("-t", "-c", again)
    assert done.returncode == 0, done.stderr
    second = sluice("-T", "-c", again)
    assert values_of(second.stdout) == values_of(first.stdout)


def test_what_auto_comes_to_is_shown():
    shown = sluice("-T", *FORWARD, "--set", "global.workers=auto").stdout
    number = re.search(r"^workers = auto ; --set, here (\d+)$", shown, re.M)[1]
    assert f"CPUs {number}" in sluice("-V").stdout
    assert "workers = 3 ; --set\n" in sluice(
        "-T", *FORWARD, "--set", "global.workers=3").stdout


def test_forwarding_without_a_file(stage):
    server = stage.server(echo)
    proxy = stage.sluice(args=[
        "--forward", f"127.0.0.1:0=127.0.0.1:{server.port}"])
    transfers(stage, proxy.address("L1"))


def test_several_forwards_beside_a_file(stage):
    servers = [stage.server(echo) for _ in range(3)]
    ports = [server.port for server in servers]
    config = FINE.replace("port = 9", f"port = {ports[0]}")
    args = []
    for port in ports[1:]:
        args += ["-L", f"127.0.0.1:0=localhost:{port}"]
    proxy = stage.sluice(config, args)
    wait_for(lambda: proxy.log.count("\nforwarding ") == 3, 5,
             "three listeners")
    for name in "default", "L1", "L2":
        transfers(stage, proxy.address(name))
    assert [server.accepted for server in servers] == [1, 1, 1]


def test_set_overrides_the_file(stage):
    config = "[global]\nworkers = 1\n" + FINE
    proxy = stage.sluice(config, ["--set", "global.workers=3",
                                  "--set=listener.default.max_sessions=7"])
    proxy.wait_for_line("^3 workers, ")


@pytest.mark.parametrize("setting, complaint", [
    ("global.wrokers=2", "did you mean 'workers'?"),
    ("global.workers=none", "'none'"),
    ("nonsense", "nonsense"),
    ("listener.other.backlog=3", "other"),
])
def test_set_with_a_mistake(setting, complaint):
    done = sluice("-t", *FORWARD, "--set", setting)
    assert done.returncode == 1
    assert "--set" in done.stderr and complaint in done.stderr


def test_variables_of_the_environment(stage, tmp_path):
    server = stage.server(echo)
    config = FINE.replace("host = 127.0.0.1", "host = ${DB_HOST:-127.0.0.1}")
    config = config.replace("port = 9", "port = ${DB_PORT}")
    proxy = stage.sluice(config, env={"DB_PORT": str(server.port)})
    transfers(stage, proxy)
    path = write(tmp_path / "proxy.ini", config)
    done = sluice("-t", "-c", path, env={"DB_HOST": "db1.internal"})
    assert done.returncode == 1
    assert done.stderr == (
        f"{path}:5: DB_PORT is not set in the environment; set it, or write "
        "${DB_PORT:-DEFAULT}\n")


def test_included_files(stage, tmp_path):
    servers = [stage.server(echo) for _ in range(2)]
    folder = tmp_path / "conf.d"
    folder.mkdir()
    for n, server in enumerate(servers):
        write(folder / f"{n}.ini", f"[listener l{n}]\nbind = 127.0.0.1:0\n"
              f"[upstream l{n}]\nserver = 127.0.0.1:{server.port}\n")
    config = "[global]\ninclude = conf.d/*.ini\n"
    path = write(tmp_path / "proxy.ini", config)
    done = sluice("-t", "-c", path, *OWN)
    assert (done.returncode, done.stdout, done.stderr) == (
        0, f"{path}: ok (2 listeners, 2 upstreams, 2 included files)\n", "")

    proxy = stage.sluice(args=["-c", str(path)])
    wait_for(lambda: proxy.log.count("\nforwarding ") == 2, 5,
             "two listeners")
    for name in "l0", "l1":
        transfers(stage, proxy.address(name))
    assert [server.accepted for server in servers] == [1, 1]
    assert proxy.lines[:3] == [f"config {path}"] + [
        f"config {folder}/{n}.ini, included" for n in range(2)]

    write(folder / "2.ini", "[listener l1]\nbund = :1\n")
    done = sluice("-t", "-c", path)
    assert done.returncode == 1
    assert done.stderr == (
        f"{folder}/2.ini:1: second [listener l1]; the first is at "
        f"{folder}/1.ini:1\n"
        f"{folder}/2.ini:2: unknown key 'bund' in [listener l1]; did you "
        "mean 'bind'?\n")


# Help.

def test_help():
    for flag in "-h", "--help":
        done = sluice(flag)
        assert done.returncode == 0 and done.stderr == ""
        for option in ("--config", "--forward", "--test", "--dump", "--set",
                       "--version", "--help", "--help-config"):
            assert option in done.stdout


def test_help_on_one_option():
    blank = sluice("--help-config", "idle_timeout")
    equals = sluice("--help-config=idle_timeout")
    assert blank.returncode == equals.returncode == 0
    assert blank.stdout == equals.stdout
    assert "idle_timeout = 24h" in blank.stdout
    assert "connect_timeout" not in blank.stdout


def test_help_on_every_option_knows_what_the_dump_shows():
    told = sluice("--help-config").stdout
    shown = sluice("-T", *FORWARD).stdout
    keys = set(re.findall(r"^(\w+) =", shown, re.M))
    assert len(keys) > 20
    assert keys - set(re.findall(r"^    (\w+)", told, re.M)) == set()


def test_help_on_an_unknown_option_suggests_one():
    done = sluice("--help-config", "idle_timout")
    assert done.returncode == 1 and done.stdout == ""
    assert "did you mean 'idle_timeout'?" in done.stderr


def test_version():
    for flag in "-V", "--version":
        done = sluice(flag)
        assert done.returncode == 0 and done.stderr == ""
        assert re.match(r"sluice \d+\.\d+\.\d+ ", done.stdout)
        for word in "libevent 2.", "inih", "open files", "CPUs", "kernel":
            assert word in done.stdout


def test_an_answer_that_cannot_be_written_is_an_error():
    with open("/dev/full", "w") as full:
        for args in ["-V"], ["--help"], ["-T", *FORWARD], ["-t", *FORWARD]:
            done = subprocess.run([BINARY, *args], stdout=full,
                                  stderr=subprocess.PIPE, text=True,
                                  timeout=limit(10))
            assert done.returncode == 1
            assert "No space left on device" in done.stderr


@pytest.mark.parametrize("args, complaint", [
    (["--nonsense"], "--nonsense"),
    (["-x"], "x"),
    (["-c"], "c"),
    (["proxy.ini"], "'proxy.ini' is not an option"),
    (["-t", *FORWARD, "more"], "'more' is not an option"),
])
def test_usage_errors(args, complaint):
    done = sluice(*args)
    assert done.returncode == 1 and done.stdout == ""
    assert complaint in done.stderr
    assert "'sluice --help' lists the options" in done.stderr


# Which file.

@no_system_file
def test_no_configuration_at_all(tmp_path):
    done = sluice(cwd=tmp_path)
    assert done.returncode == 1
    assert "no configuration: pass -c FILE or -L" in done.stderr


def test_the_file_of_the_environment(tmp_path):
    path = write(tmp_path / "other.ini", FINE)
    done = sluice("-t", SLUICE_CONFIG=str(path))
    assert (done.returncode, done.stdout) == (
        0, f"{path}: ok (1 listener, 1 upstream)\n")
    # What the command line names comes before it.
    named = write(tmp_path / "named.ini", FINE)
    done = sluice("-t", "-c", named, SLUICE_CONFIG=str(path))
    assert done.stdout.startswith(f"{named}: ok")
    missing = tmp_path / "missing.ini"
    done = sluice("-t", SLUICE_CONFIG=str(missing))
    assert done.returncode == 1
    assert f"{missing}: cannot open: No such file" in done.stderr


@root_only
@no_system_file
def test_root_does_not_use_what_lies_about(tmp_path):
    write(tmp_path / "proxy.ini", FINE)
    done = sluice("-t", cwd=tmp_path)
    assert done.returncode == 1 and done.stdout == ""
    assert "./proxy.ini exists but is not used as root; pass -c" in done.stderr
    # It is no obstacle where the command line says what to do.
    done = sluice("-t", *FORWARD, cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == ""


@root_only
def test_a_user_uses_the_file_here(tmp_path):
    write(tmp_path / "proxy.ini", FINE).chmod(0o644)
    tmp_path.chmod(0o755)
    done = sluice("-t", cwd=tmp_path, prefix=NOBODY)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "proxy.ini: ok (1 listener, 1 upstream)\n"


@root_only
def test_a_file_that_may_not_be_read(tmp_path):
    write(tmp_path / "proxy.ini", FINE).chmod(0o600)
    tmp_path.chmod(0o755)
    done = sluice("-t", cwd=tmp_path, prefix=NOBODY)
    assert done.returncode == 1
    assert re.search(r"proxy.ini: cannot open: Permission denied for uid \d+$",
                     done.stderr, re.M)


def folder(path):
    path.mkdir()
    return "is a directory, not a file"


def fifo(path):
    os.mkfifo(path)
    return "is not a regular file"


def empty(path):
    path.touch()
    return "is empty"


@pytest.mark.parametrize("make", [folder, fifo, empty],
                         ids=lambda make: make.__name__)
def test_what_is_no_configuration(tmp_path, make):
    path = tmp_path / "proxy.ini"
    complaint = make(path)
    for args in ["-t"], []:
        done = sluice(*args, "-c", path)
        assert done.returncode == 1
        assert done.stderr == f"{path}: {complaint}\n"


# Ports that are taken.

def test_a_port_that_is_taken(stage):
    server = stage.server()
    code, log = fails_to_start(
        stage, FINE.replace(":0", f":{server.port}"))
    assert code == 3
    line, = [x for x in log.splitlines() if x.startswith("error: ")]
    assert re.search(rf"proxy\.ini:2: listener default: cannot bind "
                     rf"127\.0\.0\.1:{server.port} \(held by \S+, pid "
                     rf"{os.getpid()}\): Address already in use$", line), line


def test_an_admin_port_that_is_taken(stage):
    first = stage.proxy(stage.server())
    port = first.address()[1]
    code, log = fails_to_start(
        stage, f"[global]\nadmin = 127.0.0.1:{port}\n" + FINE)
    assert code == 3
    line, = [x for x in log.splitlines() if x.startswith("error: ")]
    assert re.search(rf"127\.0\.0\.1:{port} \(held by sluice, pid "
                     rf"{first.pid}\): Address already in use$", line), line


# The status page.

def get(address, path="/"):
    """(status, type, text) of a page."""
    url = "http://%s:%d%s" % (*address, path)
    try:
        with urllib.request.urlopen(url, timeout=limit(10)) as answer:
            return (answer.status, answer.headers.get_content_type(),
                    answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, None, None


def check_pages(address):
    status, kind, text = get(address)
    assert (status, kind) == (200, "text/html")
    assert "<h1>Sluice</h1>" in text
    assert get(address, "/healthz") == (200, "text/plain", "ok\n")
    assert get(address, "/nothing/here")[0] == 404


def test_the_status_page(stage):
    proxy = stage.proxy(stage.server(echo),
                        global_={"admin": "127.0.0.1:0"})
    address, = listening(proxy) - {proxy.address()}
    transfers(stage, proxy)
    check_pages(address)


def test_the_file_as_shipped_shows_it_through_the_proxy(stage):
    """The file with other ports."""
    config = (ROOT / "conf" / "proxy.ini").read_text()
    admin = free_port()
    for shipped, ours in (9901, admin), (8080, 0):
        assert str(shipped) in config
        config = config.replace(str(shipped), str(ours))
    proxy = stage.sluice(config)
    assert listening(proxy) == {("127.0.0.1", admin), proxy.address()}
    check_pages(("127.0.0.1", admin))
    check_pages(proxy.address())
    assert {r.how for r in proxy.wait_for_records(3)} <= {"fin", "rst"}


# Case 96: trouble with the log.

def listening(proxy):
    """Where it listens (IPv4), according to the kernel."""
    inodes = {link[8:-1] for link in proxy.fds.values()
              if link.startswith("socket:[")}
    table = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    found = set()
    for fields in map(str.split, table):
        if fields[3] == "0A" and fields[9] in inodes:
            host, port = fields[1].split(":")
            packed = bytes.fromhex(host)[::-1]
            found.add((socket.inet_ntoa(packed), int(port, 16)))
    return found


def start_with(stage, redirections, **keys):
    """A proxy to an echo server whose first descriptors are as the shell's
    redirections say, and its address."""
    server = stage.server(echo)
    config = "[global]\nworkers = 1\n" + FINE.replace(
        "port = 9", f"port = {server.port}")
    proxy = Proxy(stage.folder / "troubled", config,
                  prefix=["sh", "-c", f'exec "$@" {redirections}', "sh"])
    stage.proxies.append(proxy)

    def up():
        assert proxy.alive, f"exit code {proxy.process.returncode}"
        return listening(proxy)

    address, = wait_for(up, 10, "it listens")
    proxy.base_sockets = proxy.sockets
    return proxy, address


def open_fifo(path):
    os.mkfifo(path)
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK)


def read_until(fd, pattern):
    """What came out of a pipe, once the pattern is in it."""
    text = b""

    def look():
        nonlocal text
        try:
            text += os.read(fd, 65536)
        except BlockingIOError:
            pass
        return re.search(pattern, text)

    wait_for(look, 10, f"{pattern} in the log")
    return text


def test_96_a_log_that_is_full_is_no_obstacle(stage):
    proxy, address = start_with(stage, "2>/dev/full")
    for _ in range(50):
        transfers(stage, address)
    proxy.wait_until_idle()


def test_96_a_log_that_nobody_reads_any_more_is_no_obstacle(stage):
    fifo = stage.folder / "log.fifo"
    reader = open_fifo(fifo)
    try:
        proxy, address = start_with(stage, f"2>{fifo}")
        read_until(reader, rb"forwarding .*\n")
        transfers(stage, address)
        read_until(reader, rb"closed_by=\w+ how=fin .*\n")
    finally:
        os.close(reader)
    for _ in range(50):
        transfers(stage, address)
    proxy.wait_until_idle()


def test_96_a_log_that_is_stuck_is_no_obstacle_and_losses_are_counted(stage):
    fifo = stage.folder / "log.fifo"
    reader = open_fifo(fifo)
    try:
        proxy, address = start_with(stage, f"2>{fifo}")
        read_until(reader, rb"forwarding .*\n")
        count = 3000            # about 1 MB of lines; a pipe holds 64 KiB
        for _ in range(count):
            client = stage.connect(address)
            client.send_and_fin(b"x")
            assert client.read_all() == (b"x", FIN)
            client.close()
        proxy.wait_until_idle()
        text = read_until(reader, rb"records? dropped: .*\n")

        def told():
            dropped = re.findall(rb"(\d+) records? dropped: .*\n", text)
            return text.count(b" closed_by=") + sum(map(int, dropped))

        while told() < count:
            text += read_until(reader, rb"\n")
        assert told() == count
        transfers(stage, address)
        read_until(reader, rb"closed_by=\w+ how=fin .*\n")
    finally:
        os.close(reader)


def test_96_a_log_that_is_stuck_does_not_hold_up_the_end(stage):
    fifo = stage.folder / "log.fifo"
    reader = open_fifo(fifo)
    try:
        proxy, address = start_with(stage, f"2>{fifo}")
        for _ in range(400):    # twice what the pipe holds
            client = stage.connect(address)
            client.send_and_fin(b"x")
            assert client.read_all() == (b"x", FIN)
            client.close()
        proxy.wait_until_idle()
        proxy.stop()
    finally:
        os.close(reader)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"],
                         ids=["stdin", "stdout", "stderr", "all"])
def test_96_closed_at_start_is_never_a_socket(stage, closed):
    proxy, address = start_with(stage, closed)
    clients = []
    for i in range(20):
        client = stage.connect(address)
        client.send(b"%02d" % i)
        assert client.recv_exact(2) == b"%02d" % i
        clients.append(client)
    assert proxy.session_sockets == 40
    first = {fd: link for fd, link in proxy.fds.items() if fd <= 2}
    assert sorted(first) == [0, 1, 2]
    assert not any(link.startswith("socket:") for link in first.values())
    for i, client in enumerate(clients):
        client.fin()
        assert client.read_all() == (b"", FIN)
        client.close()
    proxy.wait_until_idle()
