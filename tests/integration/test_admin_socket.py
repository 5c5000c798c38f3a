"""Where the admin socket is, whose it is, and what becomes of its path."""

import grp
import os
import pathlib
import pwd
import signal
import socket
import stat
import subprocess

import pytest

from lib.admin import Folder, ask, find_doors
from lib.programs import NOBODY, fails_to_start
from lib.proxy import BINARY, NO_LEAKS
from lib.timing import wait_for

CONFIG = """[global]
workers = 1
admin_socket = {path}
{more}
[listener]
bind = 127.0.0.1:0
[upstream]
host = 127.0.0.1
port = 9
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def folder(stage):
    return stage.keep(Folder())


def start(stage, path, more="", **how):
    return find_doors(stage.sluice(CONFIG.format(path=path, more=more),
                                   **how))


def start_as_nobody(stage, path, **env):
    """Who may not read a test's files: all is on the command line."""
    return find_doors(stage.sluice(
        args=["-L", "127.0.0.1:0=127.0.0.1:9", "--set",
              f"global.admin_socket={path}"], prefix=NOBODY, env=env))


def fails(stage, path, words, more="", code=3, **how):
    found, log = fails_to_start(stage, CONFIG.format(path=path, more=more),
                                **how)
    assert found == code, log
    assert words in log, log


def healthy(path):
    return ask(path, "/healthz").body == "ok\n"


# Whose it is.

def test_it_is_for_its_user_and_group_alone(stage, folder):
    proxy = start(stage, folder / "ctl.sock")
    found = os.stat(proxy.unix)
    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o660
    assert (found.st_uid, found.st_gid) == (os.geteuid(), os.getegid())


def test_that_is_so_from_the_first_moment(stage, folder):
    """Whatever the umask: nobody comes in between bind and chmod."""
    proxy = start(stage, folder / "ctl.sock", prefix=[
        "sh", "-c", 'umask 0; exec "$@"', "sh", "strace", "-D", "-f", "-qq", "-o",
        f"{stage.folder}/trace", "-e", "trace=umask,bind,listen,chmod,fchmod"], env=NO_LEAKS)
    trace = (stage.folder / "trace").read_text().splitlines()
    at = next(i for i, line in enumerate(trace) if "ctl.sock" in line)
    assert "umask(0117)" in trace[at - 1]
    assert "listen(" in trace[at + 1]
    assert "umask(000)" in trace[at + 2]
    assert stat.S_IMODE(os.stat(proxy.unix).st_mode) == 0o660


@needs_root
def test_it_is_given_to_whom_the_daemon_becomes(stage, folder):
    proxy = start(stage, folder / "ctl.sock", "user = nobody",
                  env=NO_LEAKS)
    found = os.stat(proxy.unix)
    nobody = pwd.getpwnam("nobody")
    assert (found.st_uid, found.st_gid) == (nobody.pw_uid, nobody.pw_gid)
    assert healthy(proxy.unix)


@needs_root
@pytest.mark.parametrize("group", ["daemon", "54321"])
def test_admin_group(stage, folder, group):
    proxy = start(stage, folder / "ctl.sock", f"admin_group = {group}")
    gid = int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    assert os.stat(proxy.unix).st_gid == gid
    os.chmod(folder.path, 0o755)
    script = ("import socket, sys; s = socket.socket(socket.AF_UNIX); "
              "sys.exit(s.connect_ex(sys.argv[1]))")
    for gids, code in ([gid], 0), ([gid + 1], 13):
        done = subprocess.run(
            ["setpriv", "--reuid=12345", f"--regid={gids[0]}",
             "--clear-groups", "/usr/bin/python3", "-c", script, proxy.unix])
        assert done.returncode == code


def test_a_group_that_there_is_not(stage, folder):
    fails(stage, folder / "ctl.sock", ":4: there is no admin_group 'grouch' "
          "on this machine", "admin_group = grouch")


@needs_root
def test_a_group_that_may_not_be_given(stage, folder):
    os.chmod(folder.path, 0o777)
    code, log = fails_to_start(stage, args=[
        "-L", "127.0.0.1:0=127.0.0.1:9", "--set",
        f"global.admin_socket={folder / 'ctl.sock'}", "--set",
        "global.admin_group=daemon"], prefix=NOBODY)
    assert code == 3 and "Operation not permitted" in log
    assert ("admin_group: uid 65534 is no member of it, and cannot give it the "
            "socket\n") in log
    assert os.listdir(folder.path) == []


# Its path.

def test_the_path_goes_with_the_daemon(stage, folder):
    proxy = start(stage, folder / "ctl.sock")
    assert healthy(proxy.unix)
    proxy.stop()
    assert os.listdir(folder.path) == []


def test_a_path_that_is_somebody_elses_by_now_stays(stage, folder):
    proxy = start(stage, folder / "ctl.sock")
    os.unlink(proxy.unix)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(proxy.unix)
        proxy.stop()
        assert os.listdir(folder.path) == ["ctl.sock"]


def test_a_stale_path_is_taken_over(stage, folder):
    first = start(stage, folder / "ctl.sock")
    first.signal(signal.SIGKILL)
    first.wait(5)
    assert os.path.exists(first.unix)
    second = start(stage, folder / "ctl.sock")
    assert healthy(second.unix)
    assert ask(second.unix, "/api/status").json["pid"] == second.pid


def test_a_path_that_a_living_daemon_has(stage, folder):
    first = start(stage, folder / "ctl.sock")
    fails(stage, first.unix, ":3: admin_socket: cannot serve on "
          f"{first.unix} (held by sluice, pid {first.pid}): "
          "Address already in use")
    assert healthy(first.unix)
    assert os.listdir(folder.path) == ["ctl.sock"]


def test_what_is_no_socket_stays(stage, folder):
    path = pathlib.Path(folder / "precious")
    path.write_text("data")
    fails(stage, path, "cannot serve on")
    assert path.read_text() == "data"


@pytest.mark.parametrize("path, why", [
    ("/nowhere/at/all/ctl.sock", "No such file or directory"),
    ("/dev/null/ctl.sock", "Not a directory"),
    ("/tmp/" + "x" * 110, "File name too long"),
])
def test_a_path_that_cannot_be(stage, path, why):
    fails(stage, path, why)


def test_a_relative_path_is_an_error_of_the_configuration(stage):
    fails(stage, "ctl.sock", "must be an absolute path", code=1)


def test_off(stage):
    proxy = start(stage, "off")
    assert proxy.unix is None


# The one by default.

@needs_root
def test_auto_without_root_is_where_the_session_has_its_files(stage, folder):
    os.chown(folder.path, 65534, 65534)
    proxy = start_as_nobody(stage, "auto", XDG_RUNTIME_DIR=folder.path)
    assert proxy.unix == folder / "sluice.sock"
    assert healthy(proxy.unix)
    proxy.stop()
    assert os.listdir(folder.path) == []


@needs_root
def test_auto_of_a_service_is_in_its_runtime_directory(stage, folder):
    os.chown(folder.path, 65534, 65534)
    proxy = start_as_nobody(
        stage, "auto", RUNTIME_DIRECTORY=f"{folder.path}:/run/other",
        XDG_RUNTIME_DIR="/nowhere")
    assert proxy.unix == folder / "sluice.sock"


@needs_root
@pytest.mark.parametrize("home, words", [
    ("", "admin_socket: none, since XDG_RUNTIME_DIR is not set; name one "
     "for 'sluice ctl'"),
    ("/nowhere", "warning: admin_socket: none, cannot serve on "
     "/nowhere/sluice.sock: No such file or directory"),
])
def test_auto_goes_without(stage, home, words):
    proxy = start_as_nobody(stage, "auto", XDG_RUNTIME_DIR=home,
                            RUNTIME_DIRECTORY="")
    assert proxy.unix is None
    assert words in proxy.lines


@needs_root
def test_auto_goes_without_where_it_is_taken(stage, folder):
    os.chown(folder.path, 65534, 65534)
    first = start_as_nobody(stage, "auto", XDG_RUNTIME_DIR=folder.path)
    second = start_as_nobody(stage, "auto", XDG_RUNTIME_DIR=folder.path)
    assert second.unix is None
    second.wait_for_line(r"admin_socket: none, cannot serve on "
                         rf"{first.unix} \(held by sluice, pid {first.pid}\)")
    second.stop()
    assert healthy(first.unix)


@pytest.mark.usefixtures("own_mounts")
def test_auto_of_root(stage):
    """In a /run of its own, with the user that root becomes by itself."""
    script = """
        mount -t tmpfs none /run
        "$1" -L 127.0.0.1:0=127.0.0.1:9 --set global.log=file:/run/log &
        pid=$!
        for i in $(seq 100); do
            test -S /run/sluice/sluice.sock && break
            sleep 0.1
        done
        stat -c '%a %U' /run/sluice /run/sluice/sluice.sock
        "$1" ctl status
        kill $pid
        wait $pid
        ls /run/sluice
    """
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", BINARY],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    lines = done.stdout.splitlines()
    users = {"nobody", "sluice"}
    assert lines[0].split()[0] == "755" and lines[0].split()[1] in users
    assert lines[1].split()[0] == "660" and lines[1].split()[1] in users
    assert lines[2].startswith("sluice    ")
    assert lines[-1] != "sluice.sock", "it is gone"


# At the end.

def test_it_serves_while_it_drains_and_is_gone_at_the_end(stage, folder):
    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy = stage.proxy(server.getsockname(), global_={
            "admin_socket": folder / "ctl.sock", "drain_timeout": "60s"})
        path = find_doors(proxy).unix
        with socket.create_connection(proxy.address(), 5):
            server.accept()[0].close()
            proxy.signal(signal.SIGTERM)
            wait_for(lambda: ask(path, "/api/status").json["state"] ==
                     "draining", 5, "it drains")
            assert os.path.exists(path)
        assert proxy.wait(5) == 0
    assert os.listdir(folder.path) == []
