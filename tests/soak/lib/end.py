"""One end of a connection, for asyncio: sockets that tell FIN from RST."""

import asyncio
import socket
import struct

FIN = "fin"
RST = "rst"


class End:
    def __init__(self, sock):
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.loop = asyncio.get_running_loop()
        self.was_reset = False

    async def send(self, data):
        """Whether somebody still wants it."""
        try:
            await self.loop.sock_sendall(self.sock, data)
            return True
        except ConnectionResetError:
            # Who reads will only be told that it is over.
            self.was_reset = True
            return False
        except OSError:
            return False

    async def recv(self, size):
        """Bytes, or FIN, or RST."""
        try:
            data = await self.loop.sock_recv(self.sock, size)
        except OSError:
            self.was_reset = True
            return RST
        return data or (RST if self.was_reset else FIN)

    def fin(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.sock.close()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.sock.close()


def new_socket(rcvbuf):
    sock = socket.socket()
    if rcvbuf:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    sock.setblocking(False)
    return sock


async def connect(address, rcvbuf=None):
    sock = new_socket(rcvbuf)
    try:
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return End(sock)


def listen(rcvbuf=None):
    sock = new_socket(rcvbuf)
    sock.bind(("127.0.0.1", 0))
    sock.listen(4096)
    return sock


async def serve(sock, script):
    """Runs script(end) for each connection, for ever."""
    loop = asyncio.get_running_loop()
    running = set()
    while True:
        peer, _ = await loop.sock_accept(sock)
        task = asyncio.create_task(script(End(peer)))
        running.add(task)
        task.add_done_callback(running.discard)
