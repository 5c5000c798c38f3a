"""Client, proxy and server on three hosts of their own:

    client 10.1.0.1 -- 10.1.0.2 proxy 10.2.0.1 -- 10.2.0.2 server
"""

from .netns import cable
from .peers import Server

LISTEN = ("10.1.0.2", 5000)
SERVER = ("10.2.0.2", 7000)


class Hosts:
    """hosts is the fixture; the rest goes to stage.proxy()."""

    def __init__(self, stage, hosts, **keys):
        self.client_host, self.proxy_host, self.server_host = hosts(3)
        cable(self.client_host, self.proxy_host, "10.1.0")
        cable(self.proxy_host, self.server_host, "10.2.0")
        self.stage = stage
        self.server = stage.keep(Server(
            host=SERVER[0], port=SERVER[1], sock=self.server_host.socket()))
        keys["listener"] = {"bind": "%s:%d" % LISTEN,
                            **keys.get("listener", {})}
        self.proxy = stage.proxy(SERVER, prefix=self.proxy_host.prefix, **keys)

    def session(self):
        return self.stage.session(LISTEN, self.server,
                                  sock=self.client_host.socket())

    def host_of(self, side):
        return self.client_host if side == "client" else self.server_host
