"""What the driver and a daemon under faults share: see struct page of
faults.c, which this repeats field by field."""

import ctypes
import mmap

FRAMES, TRACED, TRACE, NAME, MODULES = 24, 4096, 10, 24, 32
KINDS = {"memory": 1, "call": 2}
FOREVER = 1 << 62


class Module(ctypes.Structure):
    _fields_ = [("start", ctypes.c_uint64), ("end", ctypes.c_uint64),
                ("path", ctypes.c_char * 112)]


class Counted(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char * NAME),
                ("frames", ctypes.c_uint64 * TRACE)]


class Page(ctypes.Structure):
    _fields_ = [
        ("armed", ctypes.c_uint32), ("kind", ctypes.c_uint32),
        ("nth", ctypes.c_uint64), ("times", ctypes.c_uint64),
        ("choice", ctypes.c_uint64), ("traces", ctypes.c_uint64),
        ("count", ctypes.c_uint64), ("hits", ctypes.c_uint64),
        ("turns", ctypes.c_uint64), ("choices", ctypes.c_uint64),
        ("error", ctypes.c_int64), ("name", ctypes.c_char * NAME),
        ("frames", ctypes.c_uint64 * FRAMES), ("told", ctypes.c_uint64),
        ("modules", Module * MODULES), ("counted", Counted * TRACED)]

    @classmethod
    def create(cls, path):
        """A new file, all zero."""
        with open(path, "wb+") as file:
            file.truncate(ctypes.sizeof(cls))
            page = cls.from_buffer(mmap.mmap(file.fileno(),
                                             ctypes.sizeof(cls)))
        return page

    def plan(self, kind, nth, times=1, choice=0, traces=False):
        self.kind = KINDS[kind]
        self.nth = nth
        self.times = times
        self.choice = choice
        self.traces = traces

    @property
    def activity(self):
        """Changes as long as anything happens in the daemon."""
        return self.count, self.turns

    def places(self, frames, executable):
        """Addresses as (file, offset) of the calls; 0 ends them."""
        modules = [m for m in self.modules if m.end]
        found = []
        for address in frames:
            if address == 0:
                break
            for module in modules:
                if module.start <= address < module.end:
                    path = module.path.decode() or executable
                    found.append((path, address - module.start - 1))
        return found

    def hit(self, executable):
        return self.places(self.frames, executable)

    def trace(self, executable):
        """(name, places) of all that was counted."""
        for counted in self.counted[:min(self.count, TRACED)]:
            yield (counted.name.decode(),
                   self.places(counted.frames, executable))
