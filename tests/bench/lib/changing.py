"""Proxies whose configuration changes while they run, each as its packages run
it: as many threads as there are processors, and no log of sessions."""

import os
import pathlib
import signal
import time

from measure import family
from proxies import HAProxy, Nginx, Sluice


class Changing:
    """Of a Column.  The next version of a configuration differs from the last in
    a timeout of each way."""

    reload_signal = signal.SIGHUP
    done = None                     # what its log says of each reload
    version = 0
    drain_seconds = None            # that it waits for sessions when it stops

    def commands(self, ways):
        return [self.command(self.write(self.text(ways)))]

    @property
    def pid(self):
        return self.processes[0].pid

    def reload(self, ways):
        self.version += 1
        self.commands(ways)
        os.kill(self.pid, self.reload_signal)

    def reloads(self):
        return sum(self.done in line for line in self.log_lines())

    def has_ended(self):
        return self.processes[0].poll() is not None

    def timeout(self):
        return f"{3600 + self.version}s"


class ChangingSluice(Changing, Sluice):
    done = "reloaded: "

    def command(self, path):
        return [self.binary, "-c", path]

    def head(self):
        return f"admin_socket = {self.folder}/socket\n" + (
            "user = root\n" if os.geteuid() == 0 else "")

    def text(self, ways):
        text = (f"[global]\naccess_log = off\n{self.head()}"
                f"drain_timeout = {self.drain_seconds or 3}s\n")
        return text + "".join(
            f"[listener {way.name}]\nbind = 127.0.0.1:{way.port}\n"
            f"idle_timeout = {self.timeout()}\n"
            f"[upstream {way.name}]\nserver = %s:%d\n" % way.server
            for way in ways)


class ChangingHAProxy(Changing, HAProxy):
    """As Debian's unit starts it, but for the words to systemd.  A new process
    gets the sockets of the old one by its admin socket."""

    reload_signal = signal.SIGUSR2
    done = "New worker"

    def command(self, path):
        return [self.binary, "-W", "-f", path, "-p", f"{self.folder}/pid",
                "-S", f"{self.folder}/master"]

    def head(self):
        return (f" stats socket {self.folder}/socket"
                " mode 660 level admin expose-fd listeners\n")

    def text(self, ways):
        text = (f"global\n maxconn 9000\n{self.head()}"
                + (f" hard-stop-after {self.drain_seconds}s\n"
                   if self.drain_seconds else "") +
                "defaults\n mode tcp\n timeout connect 5s\n"
                f" timeout client {self.timeout()}\n timeout server 2h\n")
        return text + "".join(
            f"listen {way.name}\n bind 127.0.0.1:{way.port}\n"
            " server s %s:%d\n" % way.server for way in ways)


class ChangingNginx(Changing, Nginx):
    done = "(SIGHUP) received"
    events = "worker_connections 9000;"

    def command(self, path):
        return [self.binary, "-e", "stderr", "-p", str(self.folder), "-c", path]

    def head(self):
        return (f"daemon off;\npid {self.folder}/pid;\n"
                "error_log stderr notice;\n")

    def text(self, ways):
        [[*_, path]] = Nginx.commands(self, [])
        module, *_ = pathlib.Path(path).read_text().splitlines()
        text = ((module if module.startswith("load_module") else "") +
                f"\n{self.head()}worker_processes auto;\n"
                f"events {{ {self.events} }}\n"
                + (f"worker_shutdown_timeout {self.drain_seconds}s;\n"
                   if self.drain_seconds else "") +
                f"stream {{\nproxy_timeout {self.timeout()};\n")
        return text + "".join(
            f"server {{ listen 127.0.0.1:{way.port}; proxy_pass %s:%d; }}\n"
            % way.server for way in ways) + "}\n"


# --- The same, as services of a machine (lib/booted.py of tests/integration).

class Unit:
    """Of one that is Changing."""

    unit = config = None
    drain_seconds = 3

    def start_in(self, computer, ways):
        self.computer = computer
        path = computer.root / self.config
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.text(ways))
        computer.run("systemctl", "start", self.unit)

    def restart(self):
        self.computer.run("systemctl", "restart", self.unit)


class SluiceUnit(Unit, ChangingSluice):
    unit, config = "sluice", "etc/sluice/proxy.ini"

    def head(self):
        return ""

    def start_in(self, computer, ways):
        computer.make("install")
        super().start_in(computer, ways)


class HAProxyUnit(Unit, ChangingHAProxy):
    unit, config = "haproxy", "etc/haproxy/haproxy.cfg"

    def head(self):
        return (" stats socket /run/haproxy.socket mode 660 level admin"
                " expose-fd listeners\n")


class NginxUnit(Unit, ChangingNginx):
    unit, config = "nginx", "etc/nginx/nginx.conf"

    def head(self):
        return "pid /run/nginx.pid;\n"


UNITS = {kind.name: kind for kind in (SluiceUnit, HAProxyUnit, NginxUnit)}


# --- What they hold.

def holdings(pid):
    """Of it and its descendants: processes, threads, descriptors, and KiB that are
    no file's, where several share them the part of each."""
    found = {"processes": 0, "threads": 0, "descriptors": 0, "KiB": 0}
    for one in family(pid):
        place = pathlib.Path(f"/proc/{one}")
        try:
            found["threads"] += len(list((place / "task").iterdir()))
            found["descriptors"] += len(list((place / "fd").iterdir()))
            found["KiB"] += sum(
                int(line.split()[1]) for line in
                (place / "smaps_rollup").read_text().splitlines()
                if line.startswith("Pss_Anon:"))
            found["processes"] += 1
        except (FileNotFoundError, ProcessLookupError):
            pass                    # it has just gone
    return found


def settle(look, seconds=5):
    """Until it says twice the same."""
    until, before = time.monotonic() + seconds, None
    while (now := look()) != before and time.monotonic() < until:
        before = now
        time.sleep(0.2)
    return now
