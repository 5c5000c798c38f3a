"""What a test puts on stage, and the clearing away after it."""

from .peers import Server, Task, connect
from .proxy import Proxy


def section(name, keys):
    """Text of a section; a list gives a line for each of its values."""
    lines = [f"[{name}]"]
    for key, value in keys.items():
        values = value if isinstance(value, (list, tuple)) else [value]
        lines += [f"{key} = {v}" for v in values]
    return "\n".join(lines) + "\n"


class Stage:
    """Servers, proxies, clients and tasks of one test."""

    def __init__(self, folder, way):
        self.folder = folder
        self.way = way
        self.proxies = []
        self.servers = []
        self.peers = []
        self.tasks = []

    def server(self, script=None, **how):
        """See Server."""
        return self.keep(Server(script, **how))

    def keep(self, server):
        self.servers.append(server)
        return server

    def proxy(self, to, workers=None, prefix=(), env=None, **more):
        """A proxy with one listener, on a free port, to a server (or to
        several, or to (host, port)).  Keys of the sections are given as
        global_=, listener= and upstream= dictionaries."""
        servers = to if isinstance(to, list) else [to]
        addresses = [getattr(s, "address", s) for s in servers]
        config = section("global", {
            "workers": workers or self.way.workers, "drain_timeout": "1s",
            **more.get("global_", {})})
        config += section("listener", {
            "bind": "127.0.0.1:0", **self.way.listener,
            **more.get("listener", {})})
        config += section("upstream", {
            "server": [f"{host}:{port}" for host, port in addresses],
            **more.get("upstream", {})})
        return self.sluice(config, prefix=prefix, env=env)

    def sluice(self, config=None, args=(), **how):
        """A proxy with any proxy.ini, ready to serve.  See Proxy."""
        folder = self.folder / f"sluice{len(self.proxies)}"
        proxy = Proxy(folder, config, args, **how)
        self.proxies.append(proxy)
        return proxy.wait_until_ready()

    def connect(self, proxy, **how):
        """A client; proxy may also be an address."""
        address = proxy.address() if isinstance(proxy, Proxy) else proxy
        peer = connect(address, **how)
        self.peers.append(peer)
        return peer

    def session(self, proxy, server, **how):
        """A client and, on the other side of the proxy, its server's end."""
        client = self.connect(proxy, **how)
        return client, server.accept()

    def run(self, function, *args, **more):
        """Runs it in the background: a Task."""
        task = Task(function, *args, **more)
        self.tasks.append(task)
        return task

    def clear(self):
        """Ends everybody; raises what nobody has looked at yet."""
        errors = []
        for peer in self.peers:
            peer.close()
        for thing in self.servers:
            self.attempt(errors, thing.close)
        for proxy in self.proxies:
            self.attempt(errors, proxy.stop)
        for task in self.tasks:
            if not task.asked and task.error is not None:
                errors.append(task.error)
        if errors:
            raise errors[0]

    @staticmethod
    def attempt(errors, function):
        try:
            function()
        except Exception as error:
            errors.append(error)
