"""Sessions in which nothing happens for long, and which must not mind."""

import asyncio
import random

from end import FIN, End, connect

RCVBUF = 4096
MUCH = random.Random(62).randbytes(1 << 20) * 32     # more than kernels keep


async def pair(address, listening):
    """The two ends of a session; nobody else connects there."""
    client = await connect(address, rcvbuf=RCVBUF)
    sock, _ = await asyncio.get_running_loop().sock_accept(listening)
    return client, End(sock)


async def exactly(end, size):
    data = b""
    while len(data) < size:
        more = await end.recv(size - len(data))
        if not isinstance(more, bytes):
            return more
        data += more
    return data


class Idle:
    """One word each way, and another one much later."""

    def __init__(self, client, upstream):
        self.client, self.upstream = client, upstream

    async def say(self):
        for one, other in ((self.client, self.upstream),
                           (self.upstream, self.client)):
            await one.send(b"hello")
            if await exactly(other, 5) != b"hello":
                return "an idle session: no answer"
        return None

    begin = say

    async def end(self):
        wrong = await self.say()
        self.client.fin()
        self.upstream.fin()
        for end in self.client, self.upstream:
            if await end.recv(1) is not FIN and wrong is None:
                wrong = "an idle session: no FIN"
            end.close()
        return wrong


class ZeroWindow:
    """Somebody does not read, and then does: all of it is there."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def begin(self):
        self.sending = asyncio.create_task(self.send())
        await asyncio.sleep(2)
        if self.sending.done():
            return "a closed window took everything"
        return None

    async def send(self):
        if await self.writer.send(MUCH):
            self.writer.fin()
            return None
        return "a closed window: the writer was reset"

    async def end(self):
        wrong = None
        if self.sending.done():
            wrong = "a closed window was opened by somebody"
        position = 0
        while True:
            data = await self.reader.recv(1 << 20)
            if not isinstance(data, bytes):
                break
            if data != MUCH[position:position + len(data)]:
                wrong = wrong or f"a closed window: other bytes at {position}"
            position += len(data)
        if data is not FIN or position != len(MUCH):
            wrong = wrong or f"a closed window: {data} after {position} bytes"
        self.reader.fin()
        wrong = wrong or await self.sending
        self.writer.close()
        self.reader.close()
        return wrong
