"""make install and make uninstall, into a folder and on a machine."""

import os
import shutil
import stat

import pytest

from lib import machine
from lib.programs import run
from lib.proxy import BINARY, ROOT

# What is installed, by its place under PREFIX.
FILES = [
    "bin/sluice",
    "lib/systemd/system/sluice.service",
    "lib/sysusers.d/sluice.conf",
    "share/bash-completion/completions/sluice",
    "share/doc/sluice/README.md",
    "share/doc/sluice/proxy.full.ini",
    "share/doc/sluice/proxy.ini",
    "share/doc/sluice/sluice.socket",
    "share/man/man5/proxy.ini.5",
    "share/man/man8/sluice.8",
    "share/zsh/site-functions/_sluice",
]
PLACES = [{}, {"PREFIX": "/usr", "SYSCONFDIR": "/opt/etc"}]
UNIT = "usr/local/lib/systemd/system/sluice.service"


class Package:
    """make install DESTDIR=..., of the binary under test, not of a build."""

    def __init__(self, folder, **places):
        self.folder = folder
        self.prefix = places.get("PREFIX", "/usr/local")
        self.sysconf = places.get("SYSCONFDIR", "/etc")
        self.words = [f"{key}={value}" for key, value in places.items()]

    def make(self, target, **how):
        env = {"PATH": os.environ["PATH"]}
        return run(["make", "-C", str(ROOT), "-o", "all", target,
                    f"BIN={BINARY}", f"DESTDIR={self.folder}", *self.words],
                   env=env, **how)

    def path(self, name):
        return self.folder / name.lstrip("/")

    def installed(self, name):
        return self.path(f"{self.prefix}/{name}")

    def etc(self, name):
        return self.path(f"{self.sysconf}/{name}")

    @property
    def files(self):
        return {"/" + str(path.relative_to(self.folder))
                for path in self.folder.rglob("*") if not path.is_dir()}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "package"
    path.mkdir()
    return path


@pytest.mark.parametrize("places", PLACES, ids=["local", "usr"])
def test_all_of_it_and_for_everybody_to_read(folder, places):
    package = Package(folder, **places)
    package.make("install", umask=0o077)
    expected = {f"{package.prefix}/{name}" for name in FILES}
    expected |= {f"{package.sysconf}/{name}"
                 for name in ("sluice/proxy.ini", "logrotate.d/sluice")}
    assert package.files == expected
    for path in folder.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        runs = path.is_dir() or path == package.installed("bin/sluice")
        assert mode == (0o755 if runs else 0o644), path


@pytest.mark.parametrize("places", PLACES, ids=["local", "usr"])
def test_the_unit_names_what_was_installed(folder, places):
    package = Package(folder, **places)
    package.make("install")
    unit = package.installed("lib/systemd/system/sluice.service").read_text()
    config = f"{package.sysconf}/sluice/proxy.ini"
    assert f"ExecStart={package.prefix}/bin/sluice -c {config}\n" in unit
    for line in unit.splitlines():
        if line.startswith("Exec"):
            assert f"={package.prefix}/bin/sluice " in line, line


def test_what_was_installed_runs(folder, stage):
    package = Package(folder)
    package.make("install")
    program = str(package.installed("bin/sluice"))
    config = str(package.etc("sluice/proxy.ini"))
    assert f"{config}: ok" in run([program, "-t", "-c", config])
    proxy = stage.sluice(args=["-L", "127.0.0.1:0=127.0.0.1:1"],
                         binary=program)
    package.make("install")             # over one that runs
    assert proxy.alive


def test_an_update_keeps_the_configuration(folder):
    package = Package(folder)
    package.make("install")
    config = package.etc("sluice/proxy.ini")
    rotate = package.etc("logrotate.d/sluice")
    config.write_text("; mine\n")
    rotate.write_text("# mine\n")
    package.installed("bin/sluice").write_text("old")
    package.make("install")
    assert config.read_text() == "; mine\n"
    assert rotate.read_text() == "# mine\n"
    assert package.installed("bin/sluice").read_bytes() != b"old"


def test_uninstall_leaves_only_the_configuration(folder):
    package = Package(folder)
    package.make("install")
    package.etc("sluice/mine.ini").write_text("; mine\n")
    package.make("uninstall")
    assert package.files == {"/etc/sluice/proxy.ini", "/etc/sluice/mine.ini"}
    assert not package.installed("share/doc/sluice").exists()
    package.make("uninstall")           # nothing is there: fine


def test_uninstall_leaves_what_the_administrator_wrote(folder):
    package = Package(folder)
    package.make("install")
    rotate = package.etc("logrotate.d/sluice")
    rotate.write_text("# mine\n")
    notes = package.installed("share/doc/sluice/notes")
    notes.write_text("mine\n")
    package.make("uninstall")
    assert rotate.read_text() == "# mine\n"
    assert notes.read_text() == "mine\n"


# On a machine, as root.

@pytest.fixture
def computer():
    reason = machine.why_not()
    if reason:
        pytest.skip(reason)
    computer = machine.Machine()
    yield computer
    computer.close()


def account(computer):
    """The line of /etc/passwd, as a list, or None."""
    for line in (computer.root / "etc/passwd").read_text().splitlines():
        if line.startswith("sluice:"):
            return line.split(":")
    return None


def forget_user(computer):
    if account(computer) is not None:
        computer.run("userdel", "sluice")
    assert account(computer) is None


@pytest.mark.parametrize("tool", ["systemd-sysusers", "useradd"])
def test_the_user_is_made(computer, tool):
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    forget_user(computer)
    if tool == "useradd" and shutil.which("systemd-sysusers"):
        computer.run("rm", shutil.which("systemd-sysusers"))
    computer.make("install")
    _, _, uid, gid, _, home, shell = account(computer)
    assert 0 < int(uid) < 1000 and int(gid) > 0
    assert home == "/" and shell.endswith("/nologin")
    before = account(computer)
    computer.make("install")
    assert account(computer) == before
    computer.make("uninstall")
    assert account(computer) == before


def test_the_user_can_read_the_configuration(computer):
    forget_user(computer)
    computer.make("install")
    said = computer.run(
        "setpriv", "--reuid=sluice", "--regid=sluice", "--clear-groups", "--",
        "/usr/local/bin/sluice", "-t")
    assert "/etc/sluice/proxy.ini: ok" in said


def test_a_package_makes_no_user(computer):
    forget_user(computer)
    computer.make("install", "DESTDIR=/tmp/package")
    assert account(computer) is None
    assert (computer.root / "tmp/package" / UNIT).exists()
    assert not (computer.root / UNIT).exists()


def test_nobody_makes_no_user(computer):
    """Without root everything else is installed all the same."""
    forget_user(computer)
    computer.run("setpriv", "--reuid=65534", "--regid=65534",
                 "--clear-groups", "--", *machine.MAKE_THERE, "install",
                 "PREFIX=/tmp/here", "SYSCONFDIR=/tmp/here/etc")
    assert account(computer) is None
    assert (computer.root / "tmp/here/bin/sluice").exists()


def test_this_machine_is_none_the_wiser(computer):
    """What the tests above rely on."""
    here = set(os.listdir("/usr/local/bin"))
    computer.make("install")
    assert (computer.root / "usr/local/bin/sluice").exists()
    assert set(os.listdir("/usr/local/bin")) == here
