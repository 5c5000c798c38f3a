"""-t --resolve: whether the daemon could start here and now."""

import os
import pathlib
import re
import socket
import subprocess
import tempfile

import pytest

from lib.peers import echo
from lib.programs import NOBODY, accepts, free_port
from lib.proxy import BINARY, OWN
from lib.timing import limit

FINE = ("[listener]\nbind = 127.0.0.1:0\n"
        "[upstream]\nserver = 127.0.0.1:9\n")

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def resolve(config, *args, folder, prefix=()):
    """What -t --resolve says of a text: (code, stdout, errors)."""
    path = folder / "proxy.ini"
    path.write_text(config)
    path.chmod(0o644)
    own = [] if prefix or "user = " in config else OWN
    done = subprocess.run(
        [*prefix, BINARY, "-t", "--resolve", "-c", str(path), *own, *args],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=limit(30))
    lines = done.stderr.splitlines()
    assert all(line.startswith("error: ") for line in lines), done.stderr
    return (done.returncode, done.stdout.splitlines(),
            [line.removeprefix("error: ").replace(str(path), "proxy.ini")
             for line in lines])


@pytest.fixture
def folder():
    """A folder that everybody may read; pytest's are one user's."""
    with tempfile.TemporaryDirectory() as path:
        os.chmod(path, 0o755)
        yield pathlib.Path(path)


def test_what_is_fine(folder, names):
    port, admin = free_port(), free_port()
    book = names(one="10.1.2.3", two="10.1.2.4")
    code, said, errors = resolve(
        f"[global]\nadmin = 127.0.0.1:{admin}\n"
        f"admin_socket = {folder}/admin.sock\n"
        f"[listener a]\nbind = 127.0.0.1:{port}\nbind = [::1]:0\n"
        f"bind = unix:{folder}/a.sock\nbind = unix:@sluice-{port}\n"
        "[upstream a]\nserver = one.test:80\nserver = 127.0.0.9:81\n"
        "server = two.test:82\nserver = localhost:83\n",
        folder=folder, prefix=book.prefix)
    assert errors == []
    assert (code, said) == (0, [
        "upstream a: one.test:80 is 10.1.2.3:80",
        "upstream a: two.test:82 is 10.1.2.4:82",
        "upstream a: localhost:83 is 127.0.0.1:83",
        f"admin: 127.0.0.1:{admin} can be bound",
        f"listener a: 127.0.0.1:{port} can be bound",
        "listener a: [::1]:0 can be bound",
        f"listener a: unix:{folder}/a.sock can be bound",
        f"listener a: unix:@sluice-{port} can be bound",
        f"{folder}/proxy.ini: ok (1 listener, 1 upstream)"])
    assert [path.name for path in folder.iterdir()] == ["proxy.ini"]


def test_several_addresses(folder, names):
    book = names(a="10.1.2.3")
    with book.hosts.open("a") as hosts:
        hosts.write("10.1.2.4 a.test\n")
    code, said, errors = resolve(FINE.replace("127.0.0.1:9", "a.test:80"),
                                 folder=folder, prefix=book.prefix)
    assert (code, errors) == (0, [])
    assert sorted(re.findall(r"[\d.]+:80\b", said[0])) == [
        "10.1.2.3:80", "10.1.2.4:80"]


def test_names_that_do_not_resolve(folder, names):
    code, said, errors = resolve(
        "[listener a]\nbind = 127.0.0.1:0\n[upstream a]\n"
        "server = nobody.test:1\nserver = localhost:2\n"
        "server = nobody2.test:3\n", folder=folder, prefix=names().prefix)
    assert code == 1
    assert said == ["upstream a: localhost:2 is 127.0.0.1:2",
                    "listener a: 127.0.0.1:0 can be bound"]
    assert [re.sub("': .*", "'", error) for error in errors] == [
        "proxy.ini:4: upstream a: cannot resolve 'nobody.test'",
        "proxy.ini:6: upstream a: cannot resolve 'nobody2.test'"]


def test_a_name_that_is_ourselves(folder, names):
    port = free_port()
    code, said, errors = resolve(
        f"[listener a]\nbind = 127.0.0.1:{port}\n"
        f"[upstream b]\nhost = localhost\nport = {port}\n",
        folder=folder, prefix=names().prefix)
    assert code == 1
    assert errors == [
        f"proxy.ini:4: upstream b: 'localhost:{port}' is 127.0.0.1:{port}, "
        "where listener a listens: that would forward to itself"]


def test_ports_that_are_taken(stage, folder):
    """All of them are told, with their holders."""
    server = stage.server()
    other = stage.proxy(stage.server(echo))
    port = other.address()[1]
    code, said, errors = resolve(
        f"[global]\nadmin = 127.0.0.1:{port}\nadmin_socket = /none/a\n"
        f"[listener a]\nbind = 127.0.0.1:{server.port}\n"
        f"bind = 127.0.0.1:0\nbind = 127.0.0.7:{port}\n"
        "bind = 192.0.2.1:80\n"
        "[upstream]\nserver = 127.0.0.1:9\n", folder=folder)
    assert code == 3
    assert said == ["listener a: 127.0.0.1:0 can be bound",
                    f"listener a: 127.0.0.7:{port} can be bound"]
    assert errors == [
        f"proxy.ini:2: admin: cannot serve on 127.0.0.1:{port} (held by "
        f"sluice, pid {other.pid}): Address already in use",
        "proxy.ini:3: admin_socket: cannot serve on /none/a: No such file or "
        "directory",
        f"proxy.ini:5: listener a: cannot bind 127.0.0.1:{server.port} "
        f"(held by {own_name()}, pid {os.getpid()}): Address already in use",
        "proxy.ini:8: listener a: cannot bind 192.0.2.1:80 (freebind = on "
        "binds it before it is there): Cannot assign requested address"]


def own_name():
    with open("/proc/self/comm") as comm:
        return comm.read().strip()


def test_a_name_counts_for_more_than_a_port(stage, folder, names):
    server = stage.server()
    code, said, errors = resolve(
        f"[listener a]\nbind = 127.0.0.1:{server.port}\n"
        "[upstream a]\nserver = nobody.test:1\n",
        folder=folder, prefix=names().prefix)
    assert (code, len(errors)) == (1, 2)


def unix_config(path):
    return FINE.replace("127.0.0.1:0", f"unix:{path}")


def test_unix_sockets_are_left_as_they_are(stage, folder):
    """One that is in use, one that is stale, and what is no socket."""
    proxy = stage.sluice(unix_config(stage.folder / "live.sock"))
    live = stage.folder / "live.sock"
    code, _, errors = resolve(unix_config(live), folder=folder)
    assert code == 3
    assert re.match(rf"proxy\.ini:2: listener default: cannot bind unix:{live}"
                    rf".*: Address already in use$", errors[0])
    proxy.stop()

    stale = folder / "stale.sock"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(stale))
    code, said, errors = resolve(unix_config(stale), folder=folder)
    assert (code, errors) == (0, [])
    assert stale.is_socket()

    (folder / "file").touch()
    code, _, errors = resolve(unix_config(folder / "file"), folder=folder)
    assert code == 3 and "Socket operation on non-socket" in errors[0]
    assert (folder / "file").exists()


@root_only
def test_what_a_user_may_not_bind(folder):
    stale = folder / "stale.sock"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(stale))
    stale.chmod(0o777)
    code, said, errors = resolve(
        f"[listener a]\nbind = unix:{folder}/new.sock\n"
        f"bind = unix:{stale}\nbind = 127.0.0.1:0\n"
        "[upstream a]\nserver = 127.0.0.1:9\n", folder=folder, prefix=NOBODY)
    assert code == 3
    assert errors == [
        f"proxy.ini:2: listener a: cannot bind unix:{folder}/new.sock "
        "(its folder cannot be written by this user): Permission denied",
        f"proxy.ini:3: listener a: cannot bind unix:{stale} (a socket of "
        "somebody else is there; if nobody listens on it, remove it): "
        "Permission denied"]


@root_only
def test_an_account_that_does_not_exist(folder):
    code, _, errors = resolve("[global]\nuser = nobody-of-that-name\n" + FINE,
                              folder=folder)
    assert code == 3
    assert len(errors) == 1 and "nobody-of-that-name" in errors[0]


def test_it_binds_and_never_listens(folder):
    port = free_port()
    trace = folder / "trace"
    # Leaks cannot be looked for under strace.
    options = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    code, _, errors = resolve(
        FINE.replace(":0", f":{port}"), folder=folder,
        prefix=["env", f"ASAN_OPTIONS={options}", "strace", "-f", "-qq", "-e",
                "trace=bind,listen", "-o", trace])
    assert (code, errors) == (0, [])
    text = trace.read_text()
    assert f"htons({port})" in text and "listen(" not in text
    assert not accepts(("127.0.0.1", port))


def test_without_t_it_is_a_mistake(folder):
    (folder / "proxy.ini").write_text(FINE)
    for args in ["--resolve"], ["-T", "--resolve"], ["--resolve", "-V"]:
        done = subprocess.run(
            [BINARY, *args, "-c", folder / "proxy.ini"], text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=limit(10))
        assert done.returncode == 1 and done.stdout == ""
        assert done.stderr == ("sluice: --resolve goes with -t\n"
                               "'sluice --help' lists the options\n")
