"""The two ends of a session, played as its plan says and checked.

Whatever happens, what is read is the beginning of what was said; FIN comes
after all of it, and only then; RST comes to those alone whose session somebody
had reset.  An orderly session is read whole by both.
"""

import asyncio
import collections

from end import FIN, RST, connect
from plan import HEAD, Plan

PATIENCE = 120          # seconds in which something has to move


class Wrong(Exception):
    """What the proxy must not do."""


class Sessions:
    """All that run, and what became of those that ended."""

    def __init__(self):
        self.servers = {}       # seed -> future of the server's end
        self.ended = collections.Counter()
        self.bytes = 0
        self.wrong = []

    # The server's end.

    async def accepted(self, end):
        head = b""
        while len(head) < HEAD.size:
            data = await end.recv(HEAD.size - len(head))
            if data in (FIN, RST):
                end.close()
                return
            head += data
        future = self.servers.get(HEAD.unpack(head)[0])
        if future is None or future.done():
            self.wrong.append(f"a session that nobody began: {head.hex()}")
            end.close()
        else:
            future.set_result(end)

    async def serve(self, plan, future):
        end = await future
        await self.play(plan, end, "server", plan.to_client, plan.to_server,
                        HEAD.size)

    # The client's.

    async def run(self, address, seed):
        """One session, to the end of both."""
        plan = Plan(seed)
        try:
            async with asyncio.timeout(PATIENCE) as plan.deadline:
                await self.both(plan, address)
        except TimeoutError:
            self.wrong.append(f"{plan}: stuck for {PATIENCE} s")
        except Wrong as wrong:
            self.wrong.append(f"{plan}: {wrong}")
        self.ended[plan.kind] += 1

    async def both(self, plan, address):
        try:
            client = await connect(address, plan.rcvbuf)
        except OSError as error:
            raise Wrong(f"cannot connect: {error}") from None
        if plan.kind == "probe":
            client.reset() if plan.seed % 2 else client.close()
            return
        future = asyncio.get_running_loop().create_future()
        self.servers[plan.seed] = future
        server = asyncio.create_task(self.serve(plan, future))
        try:
            await self.play(plan, client, "client", plan.to_server,
                            plan.to_client, 0)
            await self.joined(plan, server, future)
        finally:
            client.close()
            server.cancel()
            await asyncio.gather(server, return_exceptions=True)
            if future.done() and not future.cancelled():
                future.result().close()
            del self.servers[plan.seed]

    @staticmethod
    async def joined(plan, server, future):
        """A session that was reset early need not get as far as a server."""
        if plan.resets and not future.done():
            await asyncio.wait([server], timeout=20)
            if not future.done():
                return
        await server

    # Either.

    @staticmethod
    def moved(plan):
        if not plan.deadline.expired():
            plan.deadline.reschedule(
                asyncio.get_running_loop().time() + PATIENCE)

    async def play(self, plan, end, side, said, heard, position):
        """Speaks and listens at the same time; one that resets does so in the
        middle of what it says."""
        finished = asyncio.Event()
        leaves = side in plan.resets
        listening = asyncio.create_task(
            self.listen(plan, end, side, heard, position, finished))
        try:
            await self.speak(plan, end, said, leaves,
                             finished if plan.last == side else None)
            if leaves:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
                end.reset()
            elif plan.kind == "client_close" and side == "client":
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
                end.close()
            else:
                await listening
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def speak(self, plan, end, said, leaves, finished):
        stop = said.break_at if leaves else len(said.data)
        view = memoryview(said.data)
        for at in range(0, stop, said.piece):
            if not await end.send(view[at:min(at + said.piece, stop)]):
                return
            self.bytes += min(said.piece, stop - at)
            self.moved(plan)
            if said.pause:
                await asyncio.sleep(said.pause)
        if leaves or plan.kind == "client_close" and said is plan.to_server:
            return
        if finished is not None:
            await finished.wait()
        end.fin()

    async def listen(self, plan, end, side, heard, position, finished):
        try:
            data = await self.hear(plan, end, side, heard, position)
        finally:
            finished.set()
        if data is RST and not plan.resets and plan.kind != "client_close":
            raise Wrong(f"{side}: RST, and nobody had reset it")

    async def hear(self, plan, end, side, heard, position):
        """FIN or RST, once every byte before it was right."""
        whole = heard.data
        while True:
            data = await end.recv(4096 if heard.reads_slowly else 1 << 18)
            if data is RST:
                return RST
            if data is FIN:
                if position != len(whole):
                    raise Wrong(f"{side}: FIN after {position} bytes")
                return FIN
            if data != whole[position:position + len(data)]:
                raise Wrong(f"{side}: other bytes after {position}")
            position += len(data)
            self.moved(plan)
            if heard.reads_slowly:
                await asyncio.sleep(0.02)
