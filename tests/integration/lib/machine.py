"""A machine to try things on: this one's files, where whatever is written
goes to memory instead.

It ends with the test, or when the test is killed.
"""

import functools
import pathlib
import shutil
import subprocess

from . import mounts
from .proxy import BINARY, ROOT
from .timing import limit

# In a mount namespace of its own; "ready" is said when all is in its place.
# /tmp is empty, since what is there is the business of others.
MAKE = """
set -e
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/above /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/above,workdir=/mnt/work \\
    overlay /mnt/root
mount -t proc proc /mnt/root/proc
mount -t tmpfs -o mode=1777 tmpfs /mnt/root/tmp
mount -t tmpfs -o mode=755 tmpfs /mnt/root/run
mount -t tmpfs -o mode=755 tmpfs /mnt/root/dev
mknod -m 666 /mnt/root/dev/null c 1 3
mkdir /mnt/root/sluice
install -m 755 "$1" /mnt/root/sluice/binary
cd "$2"
cp -r Makefile README.md LICENSE conf /mnt/root/sluice
chmod -R a+rX /mnt/root/sluice
chroot /mnt/root true
echo ready
exec sleep infinity
"""
HOLD = ["setpriv", "--pdeathsig=KILL", "unshare", "--mount", "--pid", "--fork",
        "--kill-child", "--mount-proc", "--propagation=private"]
CLEAN = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin"
                 ":/bin", "LC_ALL": "C"}

# Installs what is under test, and builds nothing.
MAKE_THERE = ["make", "-C", "/sluice", "-o", "all", "BIN=/sluice/binary"]

@functools.cache
def why_not():
    """Why this machine cannot do it, or None."""
    if mounts.why_not():
        return mounts.why_not()
    for tool in ("unshare", "nsenter", "setpriv"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    try:
        Machine().close()
    except OSError as error:
        return f"no copy of the machine: {error}"
    return None


class Machine:
    def __init__(self):
        self.holder = subprocess.Popen(
            [*HOLD, "sh", "-c", MAKE, "sh", BINARY, str(ROOT)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        said = self.holder.stdout.readline()
        if said != "ready\n":
            self.close()
            raise OSError(said.strip())
        self.pid = child(self.holder.pid)
        self.root = pathlib.Path(f"/proc/{self.pid}/root/mnt/root")
        self.enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid",
                      "chroot", "/mnt/root"]

    def try_run(self, *command, seconds=60):
        """(exit code, output) of a command."""
        done = subprocess.run(
            [*self.enter, *command], env=CLEAN, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=limit(seconds))
        return done.returncode, done.stdout

    def run(self, *command, **how):
        """The output of a command that has to succeed."""
        code, output = self.try_run(*command, **how)
        assert code == 0, f"{command}: {output}"
        return output

    def make(self, *words):
        return self.run(*MAKE_THERE, *words)

    def close(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()


def child(pid):
    path = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    return int(path.read_text().split()[0])
