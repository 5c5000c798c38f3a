"""The threads of a process, one by one."""

import ctypes
import pathlib
import subprocess

libc = ctypes.CDLL(None, use_errno=True)


def threads(pid):
    """Their ids by their names."""
    return {(task / "comm").read_text().strip(): int(task.name)
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir()}


def tell(pid, tid, number):
    """Sends a signal to one of them."""
    if libc.tgkill(pid, tid, number) < 0:
        raise OSError(ctypes.get_errno(), "tgkill")


# Holds one thread of a process (ptrace(2)), until either ends.
HOLD = """
import ctypes, os, sys
SEIZE, INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
pid, name = sys.argv[1:]
for tid in os.listdir(f"/proc/{pid}/task"):
    with open(f"/proc/{pid}/task/{tid}/comm") as comm:
        if comm.read().strip() == name:
            for request in SEIZE, INTERRUPT:
                assert libc.ptrace(request, int(tid), 0, 0) == 0, \\
                    os.strerror(ctypes.get_errno())
            print("held", flush=True)
            while os.WIFSTOPPED(os.waitpid(int(tid), WALL)[1]):
                pass
"""


class Held:
    """A thread of a process that does not run meanwhile; 'enter' leads to where
    the process has that id."""

    def __init__(self, pid, name, enter=()):
        self.process = subprocess.Popen(
            [*enter, "python3", "-c", HOLD, str(pid), name],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = self.process.stdout.readline()
        assert said == "held\n", said + self.process.stdout.read()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
