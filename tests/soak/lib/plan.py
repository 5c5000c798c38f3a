"""What happens in a session: all of it follows from one number, which the
client sends first, so that client, server and the hop between the proxy and the
server each know their part."""

import random
import struct

HEAD = struct.Struct("!Q")

# How sessions end, and how often.
KINDS = {
    "orderly": 55,          # both say all they have, in either order
    "client_reset": 12,     # in the middle, as the server's and the hop's
    "server_reset": 12,
    "hop_reset": 9,
    "both_reset": 4,
    "client_close": 4,      # at the end of what it says, whatever comes back
    "probe": 4,             # says nothing at all
}
SIZES = [(20, 0, 0), (50, 1, 10_000), (25, 10_000, 300_000),
         (5, 1 << 20, 4 << 20)]


class Stream:
    """One direction: what is said, in which pieces, and where it breaks."""

    def __init__(self, dice, seed, head=b""):
        _, low, high = dice.choices(SIZES, [row[0] for row in SIZES])[0]
        size = dice.randint(low, high)
        self.data = head + random.Random(seed).randbytes(size)
        self.piece = max(dice.choice([1, 100, 1448, 4096, 65536]),
                         len(self.data) // 40)
        self.pause = dice.choice([0, 0, 0.005, 0.05])
        self.reads_slowly = size <= 300_000 and dice.random() < 0.1
        self.break_at = dice.randint(len(head), len(self.data))


class Plan:
    def __init__(self, seed):
        dice = random.Random(seed)
        self.seed = seed
        self.kind = dice.choices(list(KINDS), list(KINDS.values()))[0]
        self.to_server = Stream(dice, seed, HEAD.pack(seed))
        self.to_client = Stream(dice, ~seed)
        # Who waits with its FIN for the other's; not both.
        self.last = dice.choice(["client", "server", None])
        # What a receiver's kernel holds back; None: what it likes.
        self.rcvbuf = dice.choice([None, None, 4096])
        self.delay = dice.choice([0, 0, 0.001, 0.02])  # in the hop, each piece
        self.slices = dice.choice([0, 1, 7, 1000])     # its longest; 0: as is
        self.resets = {"client_reset": ["client"], "server_reset": ["server"],
                       "both_reset": ["client", "server"],
                       "hop_reset": ["hop"]}.get(self.kind, [])

    def __str__(self):
        return (f"{self.kind} {self.seed:#x}, {len(self.to_server.data)} to"
                f" the server, {len(self.to_client.data)} to the client")
