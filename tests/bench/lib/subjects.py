"""What is compared: proxies with one thread that forwards, no log, timeouts and
limits above the load; and no proxy at all."""

import pathlib
import re

from measure import Failed, cpu_with_children, family
from proxies import (HAProxy, Nginx, Sluice, Socat, SocketProxyd, Way,
                     free_ports)

SPLICE = " option splice-request\n option splice-response\n"
SYSTEMD = "systemd-socket-proxyd"


class Subject:
    """A proxy that could run.  every: in each so-manieth round (what is far off
    needs few); most: connections at a time; sessions: for their memory."""

    def __init__(self, name, kind=None, every=1, most=10000, sessions=9000,
                 usual=True, binary=None, **texts):
        self.name, self.kind, self.every = name, kind, every
        self.most, self.sessions = most, sessions
        self.usual, self.binary, self.texts = usual, binary, texts

    def version(self):
        if self.kind is None:
            return ""
        proxy = self.proxy(pathlib.Path("/"))
        return proxy.version()

    def proxy(self, folder):
        proxy = self.kind(folder)
        for name, text in self.texts.items():
            setattr(proxy, name, text)
        if self.binary is not None:
            proxy.binary = self.binary
        return proxy


def sluice(name, **how):
    return Subject(name, Sluice, more="workers = 1\naccess_log = off\n", **how)


def haproxy(name, settings="", tuning="", **how):
    return Subject(name, HAProxy, every=how.pop("every", 3),
                   more=f"{settings}global\n nbthread 1\n maxpipes 500\n"
                   f"{tuning}", **how)


SUBJECTS = [
    sluice("sluice"),
    sluice("sluice copy", each="relay = copy\n", usual=False),
    sluice("sluice splice", each="relay = splice\n", usual=False),
    haproxy("haproxy", every=1),
    haproxy("haproxy splice", SPLICE),
    haproxy("haproxy tuned", SPLICE, " tune.pipesize 262144\n"),
    Subject("nginx", Nginx, events="worker_connections 20000;",
            more="access_log off;\nproxy_timeout 1h;\n"),
    # Six descriptors a session, and a process a session.
    Subject(SYSTEMD, SocketProxyd, every=5, sessions=2500),
    Subject("socat", Socat, every=5, most=64, sessions=200),
    Subject("direct", every=3),
]


class Running:
    """A subject that listens: ports[kind of server]."""

    def __init__(self, subject, folder, servers):
        folder.mkdir()
        self.subject, self.name = subject, subject.name
        self.proxy = None
        self.ports = {kind: port for kind, (_, port) in servers.items()}
        if subject.kind is None:
            return
        self.ports = dict(zip(servers, free_ports(len(servers))))
        self.proxy = subject.proxy(folder)
        self.proxy.start([Way(self.ports[kind], address)
                          for kind, address in servers.items()])
        if self.proxy.why_not is not None:
            self.stop()
            raise Failed(self.why_not())

    def why_not(self):
        lines = [line for line in self.proxy.log_lines() if
                 re.search("error|unknown|ini:", line)]
        return lines[0] if lines else self.proxy.why_not

    def pids(self):
        return [pid for process in self.processes()
                for pid in family(process.pid)]

    def processes(self):
        return self.proxy.processes if self.proxy else []

    def cpu(self):
        """Seconds so far, those of children that have ended included."""
        return sum(cpu_with_children(p.pid) for p in self.processes())

    def stop(self):
        if self.proxy is not None:
            self.proxy.stop()
