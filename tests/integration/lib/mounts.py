"""Mounts that one process has to itself."""

import functools
import os
import pathlib
import subprocess


@functools.cache
def why_not():
    """Why this machine cannot do it, or None."""
    if os.geteuid() != 0:
        return "mounts of its own need root"
    places = [line.split()[4] for line in pathlib.Path(
        "/proc/self/mountinfo").read_text().splitlines()]
    if "/" not in places:
        return ("no mounts of its own in a chroot that is no mount: "
                "mount --bind it to itself first")
    done = subprocess.run(["unshare", "--mount", "true"], text=True,
                          capture_output=True)
    if done.returncode:
        return f"no mounts of its own here: {done.stderr.strip()}"
    return None
