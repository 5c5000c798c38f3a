"""The threads of a process, one by one."""

import ctypes
import pathlib

libc = ctypes.CDLL(None, use_errno=True)


def threads(pid):
    """Their ids by their names."""
    return {(task / "comm").read_text().strip(): int(task.name)
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir()}


def tell(pid, tid, number):
    """Sends a signal to one of them."""
    if libc.tgkill(pid, tid, number) < 0:
        raise OSError(ctypes.get_errno(), "tgkill")
