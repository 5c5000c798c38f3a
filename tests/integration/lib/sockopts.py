"""Socket options, also of another process, asked of its own sockets."""

import ctypes
import os
import socket
import struct

libc = ctypes.CDLL(None, use_errno=True)
PIDFD_GETFD = 438       # the same on every architecture


def socket_of(pid, fd):
    """A socket of that process, as one of ours (pidfd_getfd(2))."""
    process = os.pidfd_open(pid)
    try:
        ours = libc.syscall(PIDFD_GETFD, process, fd, 0)
    finally:
        os.close(process)
    if ours < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    return socket.socket(fileno=ours)


def option_of(pid, level, name, wanted):
    """The option of each socket of the process for which wanted() is true."""
    values = []
    for fd in map(int, os.listdir(f"/proc/{pid}/fd")):
        try:
            kind = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        if kind.startswith("socket:"):
            with socket_of(pid, fd) as sock:
                if wanted(sock):
                    values.append(sock.getsockopt(level, name))
    return values


def said_again(sock):
    """How many segments were sent again so far (tcpi_total_retrans)."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return struct.unpack_from("=I", info, 100)[0]
