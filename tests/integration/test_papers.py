"""What the papers show works as it stands, and they know every option."""

import os
import re
import subprocess

import pytest

from lib.admin import Folder
from lib.features import with_cares, with_tls
from lib.papers import configurations, literal_blocks
from lib.peers import FIN, echo
from lib.proxy import BINARY, NO_LEAKS, OWN, ROOT
from lib.timing import limit
from test_ctl import ctl

PAPERS = [ROOT / "conf" / "proxy.ini.5", ROOT / "conf" / "sluice.8",
          ROOT / "README.md"]
MANUAL = PAPERS[0]
FULL = ROOT / "conf" / "proxy.full.ini"

# What the examples take from the environment.
ENVIRONMENT = {"DB_HOST": "db1.internal"}

# A file that includes others has its listeners there.
INCLUDED = "[listener]\nbind = :1\n[upstream]\nserver = db1.internal:1\n"


def sluice(*args):
    return subprocess.run(
        [BINARY, *map(str, args)], stdin=subprocess.DEVNULL, text=True,
        capture_output=True, timeout=limit(10),
        env={**os.environ, **ENVIRONMENT})


def takes(text):
    """The marks of an example: some take a library."""
    return [mark for pattern, mark in (
        (r"^dns_server\b|\bsrv:", with_cares), (r"^check *= tls\b", with_tls))
        if re.search(pattern, text, re.M)]


EXAMPLES = [pytest.param(text, id=f"{path.name}:{line}", marks=takes(text))
            for path in PAPERS for line, text in configurations(path)]


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_is_right(text, tmp_path):
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.ini").write_text(INCLUDED)
    path = tmp_path / "proxy.ini"
    path.write_text(text)
    done = sluice("-t", "-c", path, *OWN)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith(f"{path}: ok (")


def test_there_are_examples():
    assert len(configurations(MANUAL)) >= 5


def test_the_container_example_takes_its_environment(stage, tmp_path):
    text, = (text for _, text in configurations(MANUAL) if "${PORT" in text)
    server = stage.server(echo)
    proxy = stage.sluice(
        text.replace("log_format = json\n", ""),
        args=["--set", "global.admin=off", "--set", "global.admin_socket=off"],
        env={"DB_HOST": "127.0.0.1", "DB_PORT": str(server.port),
             "PORT": "0", "DRAIN": "1s"})
    port = int(re.search(r"^listener default: bound .*:(\d+)$",
                         proxy.log, re.M)[1])
    client = stage.connect(("127.0.0.1", port))
    client.send_and_fin(b"hello")
    assert client.read_all() == (b"hello", FIN)
    client.close()
    proxy.wait_for_records(1)


def options(text, pattern):
    """The options in their order, as "key = default" or "key"."""
    return [f"{key} = {value}" if value else key
            for key, value in re.findall(pattern, text, re.M)]


def test_all_know_the_same_options():
    """The manual, --help-config and the full file, read by themselves."""
    told = options(re.sub(r"(?s)^\[defaults\].*?(?=^\[)", "",
                          sluice("--help-config").stdout, flags=re.M),
                   r"^    (\w+)(?: = (.*))?$")
    assert len(told) > 40
    text = MANUAL.read_text()
    text = text[text.index("\n.Sh OPTIONS"):text.index("\n.Sh FILES")]
    assert options(text, r"^\.It Cm (\w+)(?: No = (.*))?$") == told
    full = options(FULL.read_text(), r"^;?(\w+) = (.*)$")
    assert [line.split(" = ")[0] for line in full] == [
        line.split(" = ")[0] for line in told]
    assert [line for line in told if " = " in line] == [
        line for line in full if line in told]


def test_the_full_file_works_as_it_stands():
    done = sluice("-t", "-c", FULL)
    assert (done.returncode, done.stdout, done.stderr) == (
        0, f"{FULL}: ok (1 listener, 1 upstream)\n", "")


# The commands, on a machine of their own: ports, /etc and /run are private.

PRIVATE = """
set -e
ip link set lo up
mkdir "$1/up" "$1/work"
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs "$1/up"
mkdir "$1/up/up" "$1/up/work"
mount -t overlay -o lowerdir=/etc,upperdir="$1/up/up",workdir="$1/up/work" \
    overlay /etc
mkdir -p /etc/sluice /run/lock
cp "$1/proxy.ini" /etc/sluice/proxy.ini
cd "$1"
. "$1/script"
"""


def run_as_root_of_a_machine(folder, script, config):
    """Output of a script with sluice on its PATH."""
    (folder / "bin").mkdir()
    (folder / "bin" / "sluice").symlink_to(BINARY)
    (folder / "script").write_text(script)
    (folder / "proxy.ini").write_text(config)
    return subprocess.run(
        ["unshare", "-mnp", "--fork", "--kill-child", "--mount-proc", "bash",
         "-c", PRIVATE, "bash", folder], text=True, capture_output=True,
        stdin=subprocess.DEVNULL, timeout=limit(30),
        env={**os.environ, **NO_LEAKS,
             "PATH": f"{folder}/bin:{os.environ['PATH']}"})


def commands(page):
    """The literal blocks of a page that are commands."""
    return [text for _, text in literal_blocks(page)
            if re.match(r"sluice |\( set -e\n", text)]


@pytest.mark.usefixtures("own_mounts")
def test_the_commands_of_the_manual_do_what_it_says(tmp_path):
    restart, change, drain, forward, background, control = commands(
        ROOT / "conf" / "sluice.8")
    config = ("[listener pg]\nbind = :5433\n"
              "[upstream pg]\nserver = 127.0.0.1:5434 name=db1\n")
    done = run_as_root_of_a_machine(tmp_path, f"""
{forward.strip()} 2>log &
until grep -qs 'at most' log; do sleep 0.02; done
ss -Hltn | grep -c ':5432 '
kill %1
wait %1
{background}
kill -0 $(cat /run/sluice.pid)
set +e
systemctl() {{ echo "$@"; }}
{restart}
{change}
{drain}
{control}
kill $(cat /run/sluice.pid)
while test -s /run/sluice.pid; do sleep 0.02; done
""", config)
    assert done.returncode == 0, done.stderr
    sockets, tested, paused, restarted, resumed, *rest = (
        done.stdout.splitlines())
    assert rest[:3] == [tested, "nothing is different", "nothing is different"]
    assert re.match("server pg/db1 DRAINS .*; 0 ended, 0 left$", rest[3])
    sessions = rest[4:]
    assert int(sockets) >= 1
    assert paused == "pg is paused: 0 with a server, 0 waiting"
    assert restarted == "restart postgresql"
    assert re.fullmatch(r"pg resumed after \S+; 0 clients waited, 0 let go on",
                        resumed)
    assert tested == "/etc/sluice/proxy.ini: ok (1 listener, 1 upstream)"
    assert sessions[0].split()[:2] == ["ID", "LISTENER"]
    assert sessions[1:] == ["killed 0 sessions"]


def test_the_commands_of_the_readme_are_taken(stage):
    """Those of its lines, in their order; the last drains the daemon."""
    said = [" ".join(text.split()[2:]) for text in re.findall(
        r"`(sluice ctl [^`]+)`", (ROOT / "README.md").read_text())]
    door = stage.keep(Folder()) / "ctl.sock"
    proxy = stage.sluice(
        f"[global]\nadmin_socket = {door}\n"
        "[listener pg]\nbind = 127.0.0.1:0\n"
        "[upstream pg]\nserver = 127.0.0.1:9 name=db1\n"
        "[listener web]\nbind = 127.0.0.1:0\n"
        "[upstream web]\nserver = 10.0.0.2:8080 name=web2\n")
    whole = [words for words in said if re.match(r"drain --", words)]
    assert len(said) > 15 and len(whole) == 1
    for words in [w for w in said if w not in ("events", "kill ID", *whole)]:
        done = ctl("--socket", door, *words.split())
        assert done.returncode == 0, (words, done)
    assert ctl("--socket", door, *whole[0].split()).returncode == 0
    assert proxy.wait(10) == 0
