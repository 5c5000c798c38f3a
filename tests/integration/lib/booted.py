"""A machine that is booted: the real systemd, by systemd-nspawn(1), in a
network namespace, with nothing started that does not belong to it."""

import functools
import os
import pathlib
import shutil
import subprocess
import uuid

from . import machine
from .netns import Host
from .timing import limit, wait_for

# Whatever this machine starts at boot is not started there.
CALM = """
set -e
cd /mnt/root/etc
rm -rf systemd/system systemd/network rc?.d
mkdir systemd/system
echo "$1" >machine-id
: >fstab
printf '[Unit]\\nRequires=sysinit.target\\nAfter=sysinit.target\\n' \\
    >systemd/system/default.target
umount /mnt/root/tmp /mnt/root/run /mnt/root/dev /mnt/root/proc
mount -t tmpfs -o mode=755 tmpfs /run
"""

# It makes cgroups below its own, and files in /run.
BOOT = """
set -e
for group; do
    echo $$ >"$group/cgroup.procs"
done
exec systemd-nspawn --quiet --boot --directory=/mnt/root --register=no \\
    --machine=sluice-test --keep-unit --private-network --link-journal=no \\
    --resolv-conf=off --timezone=off --console=read-only
"""


@functools.cache
def why_not():
    """Why this machine cannot do it, or None."""
    if shutil.which("systemd-nspawn") is None:
        return "systemd-nspawn is not installed"
    if machine.why_not():
        return machine.why_not()
    if not hierarchies():
        return "no cgroups for a systemd here"
    return None


def hierarchies():
    """Where the cgroups are mounted that a systemd wants."""
    found = []
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        place, (kind, _, options) = line.split()[4], line.split()[-3:]
        if kind == "cgroup2" or "name=systemd" in options.split(","):
            found.append(pathlib.Path(place))
    return found


class Groups:
    """Cgroups for one machine, which go when it has ended; also those of
    machines that were killed."""

    NAME = "sluice-test-"

    def __init__(self):
        for place in hierarchies():
            for group in place.glob(self.NAME + "*"):
                pid = group.name.rpartition("-")[2]
                if int(pid) == os.getpid() or \
                        not os.path.exists(f"/proc/{pid}"):
                    self.remove(group)
        self.paths = [place / f"{self.NAME}{os.getpid()}"
                      for place in hierarchies()]
        for path in self.paths:
            path.mkdir()

    @staticmethod
    def remove(group):
        """Whether it is gone, and those below it."""
        try:
            for below, _, _ in os.walk(group, topdown=False):
                os.rmdir(below)
        except OSError:
            return False
        return True

    def close(self):
        for path in self.paths:
            wait_for(lambda path=path: self.remove(path), 10, "cgroups empty")


class Booted(machine.Machine):
    def __init__(self, folder):
        super().__init__()
        outside = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--"]
        subprocess.run([*outside, "sh", "-c", CALM, "sh", uuid.uuid4().hex],
                       check=True)
        self.groups = Groups()
        self.console = folder / "console"
        with open(self.console, "wb") as out:
            self.nspawn = subprocess.Popen(
                [*outside, "sh", "-c", BOOT, "sh",
                 *map(str, self.groups.paths)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.init = wait_for(self.find_init, 20, "systemd-nspawn starts it")
        self.root = pathlib.Path(f"/proc/{self.init}/root")
        self.enter = ["nsenter", f"--target={self.init}", "--all", "--"]
        self.host = Host(self.init)
        wait_for(self.has_booted, 60, "systemd has booted")

    def find_init(self):
        """The process id of its process 1."""
        assert self.nspawn.poll() is None, self.console.read_text()
        try:
            pid = machine.child(machine.child(self.nspawn.pid))
            name = pathlib.Path(f"/proc/{pid}/comm").read_text()
        except (IndexError, FileNotFoundError):
            return None
        return pid if name == "systemd\n" else None

    def has_booted(self):
        assert self.nspawn.poll() is None, self.console.read_text()
        return self.try_run("systemctl", "is-active", "default.target")[0] == 0

    def close(self):
        super().close()
        if hasattr(self, "nspawn"):
            self.nspawn.wait(limit(10))
        if hasattr(self, "groups"):
            self.groups.close()
        if hasattr(self, "host"):
            self.host.close()
