"""make deps, with an administrator's commands played: nothing is installed."""

import os
import subprocess

import pytest

from lib.proxy import ROOT
from lib.timing import limit


@pytest.fixture
def deps(tmp_path):
    """Runs make deps as somebody who is not root, on a machine that lacks
    these libraries: (exit code, output)."""
    called = tmp_path / "called"

    def command(name, script):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def run(*words, lacks=()):
        command("id", "echo 1000")
        command("sudo", f"echo sudo >>{called}")
        command("apt-get", f"echo apt-get >>{called}")
        command("pkg-config", 'case " $* " in %s) exit 1 ;; esac' % "|".join(
            f'*" {name} "*' for name in lacks or ["none"]))
        env = {name: value for name, value in os.environ.items()
               if name not in ("CARES", "OPENSSL", "CC", "MAKEFLAGS")}
        done = subprocess.run(
            ["make", "--no-print-directory", "-C", ROOT, "deps", *words],
            env={**env, "PATH": f"{tmp_path}:{env['PATH']}"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, timeout=limit(30))
        assert not called.exists(), "it only says what to do"
        return done.returncode, done.stdout

    return run


def test_where_nothing_is_missing_nothing_is_done(deps):
    assert deps() == (0, "")


def test_who_may_not_install_is_told_the_command(deps):
    missing = "libinih-dev libc-ares-dev"
    code, said = deps(lacks=["libcares", "inih"])
    assert code != 0
    assert said.splitlines() == [
        f"deps: missing {missing}; as an administrator run",
        f"    sudo apt-get install -y --no-install-recommends {missing}"]


@pytest.mark.parametrize("option, library, package", [
    ("CARES", "libcares", "libc-ares-dev"),
    ("OPENSSL", "openssl", "libssl-dev"),
])
def test_a_library_that_is_not_wanted_is_not_missed(deps, option, library,
                                                    package):
    code, said = deps(lacks=[library])
    assert code != 0 and f"missing {package};" in said
    assert deps(f"{option}=no", lacks=[library]) == (0, "")
