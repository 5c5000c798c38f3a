"""Servers that real clients talk to, behind the proxies."""

import contextlib
import shutil
import signal
import socket
import subprocess
import time

from measure import Failed
from proxies import free_ports

HTTP = """daemon off;
pid {folder}/pid;
error_log stderr;
events {{ worker_connections 4000; }}
http {{
access_log off;
keepalive_requests 1000000000;
client_body_temp_path {folder}/body;
proxy_temp_path {folder}/proxy;
fastcgi_temp_path {folder}/fastcgi;
uwsgi_temp_path {folder}/uwsgi;
scgi_temp_path {folder}/scgi;
server {{ listen 127.0.0.1:{port} backlog=4000;
    location / {{ return 200 "hello, world\\n"; }} }}
}}
"""


def http_command(folder, port):
    config = folder / "config"
    config.write_text(HTTP.format(folder=folder, port=port))
    return ["nginx", "-e", "stderr", "-p", str(folder), "-c", str(config)]


def redis_command(folder, port):
    return ["redis-server", "--port", str(port), "--bind", "127.0.0.1",
            "--save", "", "--appendonly", "no", "--dir", str(folder)]


def iperf_command(folder, port):
    return ["iperf3", "-s", "-B", "127.0.0.1", "-p", str(port)]


# The kind of server: its command, and the client that asks it.
KINDS = {"http": (http_command, "wrk"),
         "redis": (redis_command, "redis-benchmark"),
         "iperf": (iperf_command, "iperf3")}


def missing(kind):
    """A program that is not installed, or None."""
    program = {"http": "nginx", "redis": "redis-server"}.get(kind, "iperf3")
    return next((name for name in (program, KINDS[kind][1])
                 if shutil.which(name) is None), None)


class Backend:
    def __init__(self, kind, folder):
        folder.mkdir()
        [port] = free_ports(1)
        self.address = "127.0.0.1", port
        with open(folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                KINDS[kind][0](folder, port), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log)
        until = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(self.address, 1).close()
                return
            if time.monotonic() > until:
                self.close()
                raise Failed(f"{kind}: no server")
            time.sleep(0.02)

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
