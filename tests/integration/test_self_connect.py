"""A port of the loopback where nobody listens, which is one of those that the
kernel gives to who connects: a socket may connect to itself."""

import socket

import pytest

from lib.stage import section
from lib.timing import wait_for


@pytest.mark.parametrize("loopback", ["127.0.0.1", "[::1]"])
@pytest.mark.parametrize("check", ["off", "tcp"])
def test_nobody_talks_to_himself(stage, hosts, loopback, check):
    """Nobody listens, and the kernel has no port for our end but that one: what
    is connected then is a socket to itself."""
    host, = hosts(1)
    host.sysctl("net.ipv4.ip_local_port_range", "7000 7000")
    proxy = stage.sluice(
        section("listener", {"bind": "127.0.0.1:6000"}) +
        section("upstream", {"server": f"{loopback}:7000",
                             "connect_attempts": 1, "check": check,
                             "check_interval": "100ms"}), prefix=host.prefix)
    if check == "tcp":
        proxy.wait_for_line(r"server \S+:7000 is down .*: connection "
                            r"refused \(check tcp\);")
        proxy.wait_until_idle()
    else:
        sock = host.socket()
        sock.bind(("127.0.0.1", 8000))
        stage.keep(sock).connect_ex(("127.0.0.1", 6000))  # reset at once
        record, = proxy.wait_for_records(1)
        assert record.end == "upstream error"
        assert record.error == "Connection refused"
    # The port is free for who may come: nothing lingers.
    family = socket.AF_INET6 if ":" in loopback else socket.AF_INET
    server = host.socket(family)
    stage.keep(server)
    wait_for(lambda: can_bind(server, loopback.strip("[]")), 5, "a free port")


def can_bind(sock, address):
    try:
        sock.bind((address, 7000))
        return True
    except OSError:
        return False
