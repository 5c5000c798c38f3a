"""sluice ctl: the running daemon from a terminal, and what it says when that
does not work.  Also what the shells complete."""

import contextlib
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import threading

import pytest

from lib.admin import Folder, ask, watched
from lib.peers import FIN, RST, echo
from lib.programs import NOBODY
from lib.proxy import BINARY, ROOT
from lib.timing import Stopwatch, limit, nothing_happens_for, wait_for


def ctl(*args, env=None, prefix=(), **how):
    """What 'sluice ctl' did: returncode, stdout, stderr."""
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how}
    return subprocess.run(
        [*prefix, BINARY, "ctl", *map(str, args)], text=True,
        stdin=subprocess.DEVNULL, timeout=limit(30),
        env={**os.environ, **(env or {})}, **how)


def fails(code, words, *args, **how):
    done = ctl(*args, **how)
    assert (done.returncode, done.stdout) == (code, ""), done
    assert words in done.stderr, done.stderr
    assert done.stderr.endswith("\n") and "Sanitizer" not in done.stderr
    return done


@pytest.fixture
def proxy(stage):
    return watched(stage, stage.server(echo))


def session(stage, proxy):
    client = stage.connect(proxy)
    client.send(b"1")
    assert client.recv(1) == b"1"
    return client


# What it does.

def test_status(proxy):
    for where in (["-c", proxy.folder / "proxy.ini"],
                  ["--config", proxy.folder / "proxy.ini"],
                  ["--socket", proxy.unix]):
        done = ctl("status", *where)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"pid {proxy.pid}\n" in done.stdout
        assert "127.0.0.1:0 -> default\n" in done.stdout
    done = ctl("--socket", proxy.unix, "--json", "status")
    assert json.loads(done.stdout)["pid"] == proxy.pid


def test_sessions_are_listed_and_chosen(stage, proxy):
    clients = [session(stage, proxy) for _ in range(3)]
    table = ctl("sessions", "--socket", proxy.unix).stdout.splitlines()
    assert table[0].startswith("ID ") and len(table) == 4
    assert {line.split()[2] for line in table[1:]} == {
        client.name for client in clients}
    for words in (["id=" + table[2].split()[0]],
                  ["--filter", "id=" + table[2].split()[0]],
                  ["--filter=id=" + table[2].split()[0],
                   "listener=default"]):
        chosen = ctl("sessions", *words, "--socket", proxy.unix)
        assert chosen.stdout.splitlines()[1:] and \
            chosen.stdout.splitlines()[1].split()[0] == table[2].split()[0]
    rows = json.loads(ctl("--json", "sessions", "--socket",
                          proxy.unix).stdout)["sessions"]
    assert {row["client"] for row in rows} == {c.name for c in clients}
    none = ctl("sessions", "client=192.0.2.0/24", "--socket", proxy.unix)
    assert len(none.stdout.splitlines()) == 1


def test_what_a_filter_says_arrives_as_it_is(proxy):
    """Whatever it is: it is encoded."""
    done = fails(1, "", "sessions", "--socket", proxy.unix,
                 "listener=a&b=c %+#/?é\"'")
    assert r'listener "a&b=c %+#/?' in done.stderr.replace("'", '"') or \
        "a&b=c %+#/?" in done.stderr


def test_kill(stage, proxy):
    clients = [session(stage, proxy) for _ in range(3)]
    table = ctl("sessions", "--socket", proxy.unix).stdout.splitlines()
    first = next(c for c in clients if c.name == table[1].split()[2])
    done = ctl("kill", table[1].split()[0], "--socket", proxy.unix)
    assert (done.returncode, done.stdout) == (0, "killed 1 session\n")
    assert first.read_all() == (b"", RST)
    assert proxy.record(first).end == "proxy kill"
    done = ctl("kill", "listener=default", "--socket", proxy.unix)
    assert done.stdout == "killed 2 sessions\n"
    wait_for(lambda: len(proxy.records) == 3, 5, "all have ended")


def test_a_change_is_logged_with_whose_it_is(stage, proxy):
    session(stage, proxy)
    process = subprocess.Popen(
        [BINARY, "ctl", "--socket", proxy.unix, "kill", "listener=default"],
        stdout=subprocess.DEVNULL)
    assert process.wait(limit(10)) == 0
    proxy.wait_for_line(rf"^admin: uid {os.geteuid()}, pid {process.pid}: "
                        r"/api/sessions/kill\?listener=default&format=text$")


def test_many_sessions_are_streamed(stage, proxy):
    clients = [stage.connect(proxy) for _ in range(1500)]
    wait_for(lambda: ask(proxy.unix, "/api/status").json["sessions"] ==
             len(clients), 10, "all are accepted")
    table = ctl("sessions", "--socket", proxy.unix).stdout.splitlines()
    assert len(table) == 1 + len(clients)
    rows = json.loads(ctl("sessions", "--json", "--socket",
                          proxy.unix).stdout)["sessions"]
    assert len({row["id"] for row in rows}) == len(rows) == len(clients)


# What it says when something is wrong.

def test_help_lists_the_commands():
    done = ctl("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for word in "status", "sessions", "kill", "events", "--socket", "--json":
        assert word in done.stdout
    alone = ctl()
    assert (alone.returncode, alone.stdout) == (1, "")
    assert alone.stderr == done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("words, said", [
    (["stauts"], "there is no command 'stauts'; did you mean status?"),
    (["frobnicate"], "'sluice ctl --help' lists them"),
    (["status", "now"], "status takes nothing more, not 'now'"),
    (["status", "--filter", "a=b"], "status takes nothing more, not 'a=b'"),
    (["kill"], "kill ID | KEY=VALUE ...: say which"),
    (["sessions", "pg"], "'pg' is no KEY=VALUE, as in listener=pg"),
    (["sessions", "=pg"], "'=pg' is no KEY=VALUE"),
    (["--jsn", "status"], "sluice ctl: unrecognized option '--jsn'"),
    (["--socket"], "requires an argument"),
])
def test_usage(words, said):
    done = fails(1, said, *words)
    assert done.stderr.startswith("sluice ctl: ")


def test_words_that_belong_to_ctl(proxy):
    def sluice(*args):
        return subprocess.run([BINARY, *args], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)

    assert "did you mean 'sluice ctl status'?" in sluice("status").stderr
    assert "ctl comes first" in sluice(
        "-c", str(proxy.folder / "proxy.ini"), "ctl", "status").stderr


@pytest.mark.parametrize("words, said", [
    (["sessions", "listener=nope"], "is not in the configuration"),
    (["sessions", "lisener=x"], "did you mean listener?"),
    (["kill", "nonsense"], "has to be a session's id"),
])
def test_the_daemon_refuses(proxy, words, said):
    done = fails(1, said, *words, "--socket", proxy.unix)
    assert done.stderr.startswith("sluice ctl: ")
    done = fails(1, said, *words, "--json", "--socket", proxy.unix)
    assert said in json.loads(done.stderr)["error"]


def test_no_daemon(stage):
    nowhere = stage.folder / "nothing.sock"
    fails(3, f"cannot reach the daemon at {nowhere}: No such file or "
          "directory; is it running?", "status", "--socket", nowhere)
    stale = stage.keep(Folder()) / "stale"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(stale)
    fails(3, f"cannot reach the daemon at {stale}: Connection refused; is it "
          "running?", "status", "--socket", stale)
    fails(3, f"{__file__} is not a socket", "status", "--socket", __file__)
    fails(3, "File name too long", "status", "--socket", "/x" * 60)


def test_no_permission(stage, proxy):
    if os.geteuid() != 0:
        pytest.skip("needs root, to be somebody else")
    os.chmod(os.path.dirname(proxy.unix), 0o755)
    fails(3, f"no permission: {proxy.unix} belongs to root:root, you are uid "
          "65534", "status", "--socket", proxy.unix, prefix=NOBODY)
    os.chmod(os.path.dirname(proxy.unix), 0o700)
    fails(3, f"no permission to look for {proxy.unix}; you are uid 65534",
          "status", "--socket", proxy.unix, prefix=NOBODY)


def test_the_configuration_leads_nowhere(stage):
    config = stage.folder / "proxy.ini"
    fine = "[listener]\nbind = :1\n[upstream]\nhost = x\nport = 2\n"
    config.write_text("[global]\nadmin_socket = off\n" + fine)
    fails(1, f"{config} says admin_socket = off", "status", "-c", config)
    config.write_text("[global]\nadmin_sockt = /x\n" + fine)
    done = fails(1, ":2: ", "status", "-c", config)
    assert "sluice ctl: the daemon was not asked: " in done.stderr
    fails(1, "No such file", "status", "-c", stage.folder / "nothing.ini")


@pytest.mark.parametrize("text", [
    "[lisener]\nbind = :1\n", "[listener]\nbidn = :1\n", "[listener]\n",
    "[global]\nlog_level = loud\n", "what is this\n", "[upstre",
    "[listener]\nbind = :1\nallow = file:/nowhere\n[upstream]\nhost = x\n"])
def test_a_file_that_is_broken_elsewhere_leads_there(stage, proxy, text):
    config = stage.folder / "broken.ini"
    config.write_text(f"[global]\nadmin_socket = {proxy.unix}\n"
                      f"{text.removeprefix('[global]')}")
    done = ctl("status", "-c", config)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"pid {proxy.pid}\n" in done.stdout
    config.write_text(f"{text}\n[global]\nadmin_socket = {proxy.unix}\n" if
                      "[global]" not in text else
                      f"{text}admin_socket = {proxy.unix}\n")
    assert ctl("status", "-c", config).returncode == 0


def test_where_it_looks_by_itself(stage, proxy):
    """$XDG_RUNTIME_DIR where there is a socket, else the system's."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to be somebody else")
    folder = stage.keep(Folder())
    os.chmod(folder.path, 0o755)
    home = {"XDG_RUNTIME_DIR": folder.path}
    fails(3, "/run/sluice/sluice.sock", "status", prefix=NOBODY, env=home)
    os.chmod(os.path.dirname(proxy.unix), 0o755)
    os.chmod(proxy.unix, 0o666)
    os.symlink(proxy.unix, folder / "sluice.sock")
    assert ctl("status", prefix=NOBODY, env=home).returncode == 0


# What comes back from somebody who is no good daemon.

class Fake:
    """Answers each request with those bytes, then closes, or waits."""

    def __init__(self, path, answer, stay=False):
        self.path = path
        self.asked = b""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(path)
        self.sock.listen(5)
        self.thread = threading.Thread(target=self.serve,
                                       args=(answer, stay), daemon=True)
        self.thread.start()

    def serve(self, answer, stay):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self.sock.accept()
                with peer:
                    self.asked = peer.recv(4096)
                    for piece in answer:
                        peer.sendall(piece)
                    if stay:
                        peer.recv(1)

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


@pytest.fixture
def fake(stage):
    folder = stage.keep(Folder())

    def make(*answer, stay=False):
        name = folder / f"fake{len(os.listdir(folder.path))}"
        return stage.keep(Fake(name, answer, stay))

    return make


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("answer", [
    [HEAD + b"Content-Length: 5\r\n\r\nhello"],
    [HEAD + b"content-length: 5\r\n\r\nhello and more that is not ours"],
    [HEAD + b"\r\nhello"],
    [b"HTTP/1.0 200 OK\n\nhello"],
    [CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"],
    [CHUNKED + b"2\r\nhe\r\n", b"1;x=y\r\nl\r\n2\r", b"\nlo\r", b"\n0\r\n\r\n"],
    [bytes([b]) for b in CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"],
])
def test_answers_of_every_form(fake, answer):
    done = ctl("status", "--socket", fake(*answer).path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello", "")


@pytest.mark.parametrize("answer, words", [
    ([], "went away without an answer"),
    ([b"HTTP/1.1 "], "went away without an answer"),
    ([HEAD], "went away without an answer"),
    ([HEAD + b"Content-Length: 9\r\n\r\nhello"], "went away in the middle"),
    ([CHUNKED + b"5\r\nhel"], "went away in the middle"),
    ([CHUNKED + b"5\r\nhello\r\n"], "went away in the middle"),
    ([b"SSH-2.0-OpenSSH_9.2\r\n"], "what answers is no sluice"),
    ([CHUNKED + b"what?\r\n"], "what answers is no sluice"),
    ([CHUNKED + b"5\r\nhello!\r\n"], "what answers is no sluice"),
    ([b"x" * 20000], "what answers is no sluice"),
    ([HEAD + b"X: " + b"y" * 50000], "what answers is no sluice"),
])
def test_answers_that_are_none(fake, answer, words):
    done = ctl("status", "--socket", fake(*answer).path)
    assert done.returncode == 3
    assert words in done.stderr


def test_a_daemon_that_dies_midway(fake):
    """What came is shown, and that it is not all is said."""
    path = fake(CHUNKED + b"5\r\nhello\r\n5\r\nwor").path
    done = ctl("sessions", "--socket", path)
    assert (done.returncode, done.stdout) == (3, "hellowor")
    assert done.stderr == ("sluice ctl: the daemon went away in the middle of "
                           "its answer\n")


def test_what_is_large_is_streamed(fake):
    chunk = b"%x\r\n" % (1 << 20) + bytes(1 << 20) + b"\r\n"
    path = fake(CHUNKED, *[chunk] * 100, b"0\r\n\r\n").path
    process = subprocess.Popen([BINARY, "ctl", "--socket", path, "sessions"],
                               stdout=subprocess.PIPE)
    size = peak = 0
    while data := process.stdout.read(1 << 20):
        size += len(data)
        with open(f"/proc/{process.pid}/status") as status:
            found = re.search(r"VmHWM:\s*(\d+)", status.read())
            peak = max(peak, int(found[1]) if found else 0)
    assert process.wait(limit(10)) == 0
    assert size == 100 << 20
    assert peak < 20_000 or "asan" in BINARY or "tsan" in BINARY


# The other end of the pipe.

def test_a_reader_that_has_enough(fake):
    """As head does: nothing is said, and it ends, even where SIGPIPE is
    ignored, as it is here."""
    chunk = b"%x\r\n" % (1 << 20) + bytes(1 << 20) + b"\r\n"
    path = fake(CHUNKED, *[chunk] * 50).path
    process = subprocess.Popen([BINARY, "ctl", "--socket", path, "sessions"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               restore_signals=False)
    process.stdout.read(100)
    process.stdout.close()
    assert process.wait(limit(10)) == -signal.SIGPIPE
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_full_disk(proxy):
    with open("/dev/full", "w") as full:
        done = ctl("status", "--socket", proxy.unix, stdout=full)
    assert done.returncode == 1
    assert "cannot write: No space left on device" in done.stderr


# Events, which have no end.

@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_events(stage, flags):
    proxy = watched(stage, stage.server(echo))
    process = subprocess.Popen(
        [BINARY, "ctl", "--socket", proxy.unix, *flags, "events"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = []

    def read():
        client = session(stage, proxy)
        client.fin()
        assert client.read_all() == (b"", FIN)
        while select.select([process.stdout], [], [], 0.1)[0]:
            lines.append(process.stdout.readline())
        return lines

    wait_for(read, 10, "a session's end is seen")
    if flags:
        assert json.loads(lines[0])["closed_by"] == "client"
    else:
        assert "closed_by=client" in lines[0]
    proxy.stop()
    said, wrong = process.communicate(timeout=limit(10))
    assert process.returncode == 0 and wrong == ""
    assert "stopped" in said or "draining" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_events_until_they_are_interrupted(fake, number):
    path = fake(CHUNKED + b"4\r\none\n\r\n", stay=True).path
    process = subprocess.Popen([BINARY, "ctl", "--socket", path, "events"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b"one\n"
    process.send_signal(number)
    assert process.wait(limit(10)) == 0
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()


def test_who_is_stuck_is_left_and_events_are_waited_for(fake, proxy):
    """An answer takes no quarter of a minute; nothing may happen for hours."""
    path = fake(CHUNKED, stay=True).path
    process = subprocess.Popen([BINARY, "ctl", "--socket", path, "events"],
                               stdout=subprocess.PIPE)
    watch = Stopwatch()
    with proxy.paused():
        fails(3, "the daemon does not answer", "status", "--socket",
              proxy.unix)
    assert watch.seconds > 14
    nothing_happens_for(1, lambda: process.poll() is not None, "it ended")
    process.terminate()
    process.communicate()
    assert process.returncode == 0


def test_events_end_with_the_daemon(fake):
    done = ctl("events", "--socket", fake(CHUNKED + b"4\r\none\n\r\n").path)
    assert (done.returncode, done.stdout) == (3, "one\n")
    assert "went away" in done.stderr


# What the shells complete.

COMPLETION = ROOT / "conf" / "completion"


def bash_completes(line, *more):
    """What bash offers behind a line, with the cursor at its end."""
    words = " ".join(f"'{w}'" for w in [*re.findall(r"=|[^\s=]+", line),
                                        *([""] if line[-1] == " " else [])])
    script = f"""
        compopt() {{ :; }}
        source {COMPLETION}/sluice.bash
        COMP_WORDS=({words})
        COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _sluice
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-u", "-c", script], capture_output=True, text=True,
        env={**os.environ, "PATH": f"{path_of_binary()}:{os.environ['PATH']}"})
    assert done.stderr == ""
    return set(done.stdout.split())


def path_of_binary():
    return os.path.dirname(BINARY)


def test_shell_files_are_shell():
    for shell, name in ("bash", "sluice.bash"), ("zsh", "_sluice"):
        done = subprocess.run([shell, "-n", COMPLETION / name],
                              capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_bash_completes(stage, proxy):
    client = session(stage, proxy)
    own = f"sluice ctl --socket {proxy.unix}"
    ident = ctl("sessions", "--socket",
                proxy.unix).stdout.splitlines()[1].split()[0]
    keys = {"listener=", "upstream=", "server=", "client=", "min_age=", "id="}
    assert bash_completes("sluice ct") == {"ctl"}
    assert "ctl" in bash_completes("sluice ")
    assert "ctl" not in bash_completes("sluice -d ")
    assert bash_completes("sluice --he") == {"--help", "--help-config"}
    assert "idle_timeout" in bash_completes("sluice --help-config ")
    assert bash_completes("sluice ctl ") == {
        "status", "sessions", "kill", "servers", "server", "drain", "pause",
        "resume", "reload", "events"}
    assert bash_completes("sluice ctl st") == {"status"}
    assert bash_completes("sluice ctl --json --so") == {"--socket"}
    assert bash_completes("sluice ctl -c /dev/nul") == {"/dev/null"}
    assert bash_completes("sluice ctl -c x sta") == {"status"}
    assert bash_completes("sluice ctl status ") == set()
    assert bash_completes("sluice ctl sessions ") == keys
    assert bash_completes("sluice ctl sessions --filter li") == {"listener="}
    assert bash_completes(f"{own} kill ") == keys | {ident}
    assert bash_completes(f"{own} sessions listener=") == {"default"}
    assert bash_completes(f"{own} sessions upstream=def") == {"default"}
    assert bash_completes("sluice ctl kill listener=") == set()
    assert bash_completes("sluice ctl server a/b d") == {"down", "drain"}
    client.close()


SHOW = "show() { print -r -- $BUFFER >shown.new; mv shown.new shown; }"


def zsh_completes(folder, line):
    """What zsh makes of a line and a tab."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.environ.update(
            TERM="dumb", PATH=f"{path_of_binary()}:{os.environ['PATH']}")
        os.execvp("zsh", ["zsh", "-f", "-i"])

    def shown():
        while select.select([fd], [], [], 0)[0]:
            os.read(fd, 65536)
        with contextlib.suppress(FileNotFoundError):
            return (folder / "shown").read_text()

    try:
        for said in (f"fpath=({COMPLETION} $fpath)",
                     "autoload -Uz compinit; compinit -D -u", SHOW,
                     "zle -N show; bindkey '^X' show"):
            os.write(fd, said.encode() + b"\n")
        os.write(fd, line.encode() + b"\t\x18")
        return wait_for(shown, 20, f"zsh completes {line}").rstrip()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)


@pytest.mark.parametrize("line, made", [
    ("sluice ct", "sluice ctl"),
    ("sluice ctl sta", "sluice ctl status"),
    ("sluice ctl --js", "sluice ctl --json"),
    ("sluice ctl -c /dev/null ses", "sluice ctl -c /dev/null sessions"),
    ("sluice ctl sessions min", "sluice ctl sessions min_age="),
    ("sluice ctl --filter li", "sluice ctl --filter listener="),
    ("sluice --help-", "sluice --help-config"),
])
def test_zsh_completes(stage, line, made):
    assert zsh_completes(stage.folder, line) == made


def test_zsh_asks_the_daemon(stage, proxy):
    own = f"sluice ctl --socket {proxy.unix}"
    assert zsh_completes(stage.folder, f"{own} sessions listener=d") == \
        f"{own} sessions listener=default"


def test_completion_knows_all_there_is():
    """Flags and commands are those of the help, in both shells."""
    shells = [(COMPLETION / name).read_text()
              for name in ("sluice.bash", "_sluice")]
    help_ = subprocess.run([BINARY, "--help"], capture_output=True, text=True,
                           check=True).stdout
    flags = re.findall(r"^  (?:-\w, )?(--[\w-]+)", help_ + ctl("--help").stdout,
                       re.M)
    commands = re.findall(r"^  ([a-z]+) ", ctl("--help").stdout, re.M)
    assert len(flags) > 12 and len(commands) >= 4
    for text in shells:
        for word in flags + commands:
            assert re.search(rf"(?<![\w-]){word}(?![\w-])", text), word
