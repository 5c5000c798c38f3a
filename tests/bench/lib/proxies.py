"""The proxies that are compared, each with a configuration of its own on
loopback: started, watched, stopped."""

import contextlib
import http.client
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

from lib.proxy import BINARY        # of tests/integration


class Way:
    """A port that a proxy listens on, the server that it leads to, and what
    the proxy is told about this way alone: the proxy's name -> lines of its
    configuration.  The name of the way is what logs call it."""

    def __init__(self, port, server, more=None, name=None):
        self.port, self.server, self.more = port, server, more or {}
        self.name = name or f"n{port}"


class Column:
    """A proxy as it comes, but for the connect timeout (seconds); more are
    lines of its configuration about all of its ways, each those about each."""

    name = None
    each = ""
    listen = ""                     # words behind each address it listens on
    binary = None
    version_flag = "-V"
    attempts = 1
    drain_signal = signal.SIGTERM
    why_not = None

    def __init__(self, folder, connect_timeout=1, more=""):
        self.folder = folder
        self.connect_timeout = connect_timeout
        self.more = more
        self.processes = []

    def start(self, ways):
        """Returns when it listens; else why_not says what is in the way."""
        if shutil.which(self.binary) is None:
            self.why_not = "not installed"
            return
        commands = self.commands(ways)
        if self.why_not is not None:
            return
        for command in commands:
            with open(self.folder / "log", "ab") as log:
                self.processes.append(subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True, cwd=self.folder))
        until = time.monotonic() + 5
        missing = {way.port for way in ways}
        while missing := missing - listening():
            if time.monotonic() > until:
                self.why_not = f"no start: {self.last_words()}"
                return
            time.sleep(0.02)

    def lines(self, way):
        """What it is told about this way alone."""
        return self.each + way.more.get(self.name, "")

    def log_lines(self):
        return (self.folder / "log").read_text(errors="replace").splitlines()

    def last_words(self):
        lines = self.log_lines()
        return lines[-1] if lines else "it said nothing"

    def stop(self):
        """Each is a session of its own, so that its children go as well."""
        for process in self.processes:
            self.signal(process, signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                self.signal(process, signal.SIGKILL)
                process.wait()

    def drain(self):
        """Stop, but let sessions finish for a second."""
        for process in self.processes:
            process.send_signal(self.drain_signal)

    @staticmethod
    def signal(process, number):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass

    def write(self, text):
        path = self.folder / "config"
        path.write_text(text)
        return str(path)

    def version(self):
        found = re.search(r"\d+\.\d+[\w.]*",
                          output([self.binary, self.version_flag]))
        return found[0] if found else "?"


class UnixHTTP(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Sluice(Column):
    name = "sluice"
    binary = BINARY
    attempts = 3                    # connect_attempts' default

    def ask(self, path, method="GET"):
        """The text of a page of its admin socket."""
        admin = UnixHTTP(self.folder / "socket")
        with contextlib.closing(admin):
            admin.request(method, path)
            reply = admin.getresponse()
            text = reply.read().decode()
            assert reply.status == 200, f"{path}: {reply.status} {text}"
            return text

    def commands(self, ways):
        text = ("[global]\ndrain_timeout = 1s\n"
                f"admin_socket = {self.folder}/socket\n")
        if os.geteuid() == 0:       # the folder is ours alone
            text += "user = root\n"
        text += self.more
        for way in ways:
            host, port = way.server
            text += (f"[upstream {way.name}]\nhost = {host}\nport = {port}\n"
                     f"connect_timeout = {self.connect_timeout}s\n"
                     f"[listener {way.name}]\nbind = 127.0.0.1:{way.port}\n"
                     f"{self.lines(way)}")
        return [[self.binary, "-c", self.write(text)]]


class HAProxy(Column):
    name = "haproxy"
    binary = "haproxy"
    version_flag = "-v"
    attempts = 4                    # a first one and 3 retries
    drain_signal = signal.SIGUSR1

    def commands(self, ways):
        text = ("global\n maxconn 9000\n hard-stop-after 1s\n"
                "defaults\n mode tcp\n default-server init-addr none\n"
                f" timeout connect {self.connect_timeout}s\n"
                f" timeout client 1h\n timeout server 1h\n{self.more}")
        for way in ways:
            host, port = way.server
            text += (f"listen {way.name}\n bind 127.0.0.1:{way.port}"
                     f"{self.listen}\n server s {host}:{port}\n"
                     f"{self.lines(way)}")
        return [[self.binary, "-db", "-f", self.write(text)]]


class Nginx(Column):
    name = "nginx"
    binary = "nginx"
    events = ""                     # lines of the section of this name
    drain_signal = signal.SIGQUIT

    def commands(self, ways):
        build = output([self.binary, "-V"])
        modules = re.search(r"--modules-path=(\S+)", build)
        load = ""
        if "--with-stream=dynamic" in build and modules:
            load = f"load_module {modules[1]}/ngx_stream_module.so;\n"
        text = (f"{load}daemon off;\npid {self.folder}/pid;\n"
                "worker_shutdown_timeout 1s;\n"
                f"error_log stderr;\nevents {{{self.events}}}\nstream {{\n"
                f"proxy_connect_timeout {self.connect_timeout}s;\n{self.more}")
        for way in ways:
            text += (f"server {{ listen 127.0.0.1:{way.port}{self.listen};"
                     f" {self.target(*way.server)} {self.lines(way)} }}\n")
        return [[self.binary, "-e", "stderr", "-p", str(self.folder),
                 "-c", self.write(text + "}\n")]]

    @staticmethod
    def target(host, port):
        """It starts with a name that does not resolve only when the name is
        in a variable."""
        if host[0].isdigit():
            return f"proxy_pass {host}:{port};"
        return f"set $server {host}; proxy_pass $server:{port};"


class NginxHalfClose(Nginx):
    name = "nginx half_close"

    def __init__(self, folder, connect_timeout=1, more=""):
        super().__init__(folder, connect_timeout,
                         f"proxy_half_close on;\n{more}")

    def commands(self, ways):
        [command] = super().commands(ways)
        if subprocess.run([*command, "-t", "-q"],
                          capture_output=True).returncode:
            self.why_not = "this nginx does not know proxy_half_close"
            return []
        return [command]


class Socat(Column):
    name = "socat"
    binary = "socat"

    def commands(self, ways):
        return [[self.binary, f"TCP-LISTEN:{way.port},bind=127.0.0.1,fork,"
                 "reuseaddr,backlog=100",
                 "TCP:%s:%d,connect-timeout=%d" % (
                     *way.server, self.connect_timeout)] for way in ways]


class SocketProxyd(Column):
    """systemd's, started by its first connection."""

    name = "systemd-socket-proxyd"
    binary = "/lib/systemd/systemd-socket-proxyd"
    version_flag = "--version"

    def commands(self, ways):
        return [["systemd-socket-activate", "-l", f"127.0.0.1:{way.port}",
                 self.binary, "--connections-max=10000",
                 "%s:%d" % way.server] for way in ways]

    def version(self):
        return re.search(r"\d+", output([self.binary, "--version"]))[0]


COLUMNS = [Sluice, HAProxy, Nginx, NginxHalfClose, Socat]


def output(command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT).stdout


def listening():
    """Ports of IPv4 sockets that listen; a connect would be a session."""
    lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    return {int(f[1].split(":")[1], 16) for f in fields if f[3] == "0A"}


def free_ports(count):
    """All held until all are chosen."""
    socks = [socket.socket() for _ in range(count)]
    for sock in socks:
        sock.bind(("127.0.0.1", 0))
    ports = [sock.getsockname()[1] for sock in socks]
    for sock in socks:
        sock.close()
    return ports
