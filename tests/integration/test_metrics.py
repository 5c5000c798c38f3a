"""What Prometheus is told, and that it is true."""

import json
import pathlib
import re
import urllib.error
import urllib.parse
import urllib.request

import pytest

from lib.admin import Folder, ask, find_doors, watched
from lib.marks import both_crews, threads
from lib.peers import FIN, RST, BusyServer, echo, payload
from lib.programs import free_port, run, start
from lib.scrape import scrape
from lib.timing import wait_for

LISTENER = {"listener": "default"}
UPSTREAM = {"upstream": "default"}


def talk(stage, proxy, said, heard, server):
    """A session that says so much and hears so much, and ends in order."""
    client, upstream = stage.session(proxy, server)
    client.send(payload(said))
    assert len(upstream.recv_exact(said)) == said
    upstream.send(payload(heard))
    assert len(client.recv_exact(heard)) == heard
    client.fin()
    assert upstream.read_all() == (b"", FIN)
    upstream.close()
    assert client.read_all() == (b"", FIN)
    client.close()


def wait_for_ended(proxy, count):
    """The scrape once so many sessions have ended."""
    def look():
        metrics = scrape(proxy.tcp)
        ended = metrics.sum("sluice_listener_sessions_ended_total")
        return ended >= count and metrics

    return wait_for(look, 5, f"{count} sessions ended")


def wait_for_bytes(proxy, moved, **listener):
    """The scrape once they are counted, which is right after they are sent."""
    def look():
        metrics = scrape(proxy.tcp)
        return bytes_of(metrics, "listener", **listener) == moved and metrics

    return wait_for(look, 5, f"{listener} moved {moved}")


def ended(metrics, closed_by, how):
    return metrics.get("sluice_listener_sessions_ended_total",
                       closed_by=closed_by, how=how, **LISTENER)


def bytes_of(metrics, scope, **labels):
    return tuple(metrics.get(f"sluice_{scope}_bytes_total", direction=d,
                             **labels) for d in ("to_upstream", "to_client"))


# The format.

def test_promtool_has_nothing_to_say(stage):
    """Not even where a name has all that needs to be escaped."""
    folder = stage.keep(Folder())
    path = folder / 'a"b\\c.sock'
    proxy = find_doors(stage.sluice(
        "[global]\nworkers = 2\nadmin = 127.0.0.1:0\n"
        "[listener a]\nbind = 127.0.0.1:0\nmax_sessions = 5\n"
        f"[upstream a]\nserver = unix:{path}\nserver = 127.0.0.1:1\n"
        "[listener b]\nbind = 127.0.0.1:0\nupstream = a\n"))
    reply = ask(proxy.tcp, "/metrics")
    assert reply.headers["Content-Type"] == \
        "text/plain; version=0.0.4; charset=utf-8"
    page = stage.folder / "page"
    page.write_text(reply.body)
    assert run(f"promtool check metrics <{page}", shell=True) == ""
    servers = scrape(proxy.tcp).all("sluice_server_sessions")
    assert {dict(labels)["server"] for labels in servers} == \
        {"127.0.0.1:1", f"unix:{path}".replace("\\", "\\\\")
         .replace('"', '\\"')}
    limits = scrape(proxy.tcp).all("sluice_listener_max_sessions")
    assert {tuple(labels): value for labels, value in limits.items()} == \
        {(("listener", "a"),): 5}


@pytest.mark.parametrize("sources, times", [
    ([], 1), (["127.0.0.2"], 1), (["127.0.0.2", "127.0.0.3", "::1"], 2),
    (["client"], None)], ids=["none", "one", "two", "client"])
def test_the_budget_of_ports(stage, sources, times):
    """All of the kernel's for each address to connect from."""
    server = stage.server(echo)
    proxy = watched(stage, server, upstream={"source": sources})
    first, last = map(int, pathlib.Path(
        "/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    found = scrape(proxy.tcp).all("sluice_server_local_ports")
    assert list(found.values()) == (
        [] if times is None else [(last - first + 1) * times])


def test_every_family_has_help_and_type_and_a_sample(stage):
    proxy = watched(stage, stage.server(echo))
    text = ask(proxy.tcp, "/metrics").body
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    helps = dict(re.findall(r"^# HELP (\S+) (.+)$", text, re.M))
    assert set(types) == set(helps)
    for name, kind in types.items():
        assert (kind == "counter") == name.endswith("_total")
        sample = name + "_count" if kind == "histogram" else name
        if name not in ("sluice_listener_max_sessions",
                        "sluice_listener_routed_total"):
            assert re.search(rf"^{sample}[{{ ]", text, re.M), name


def test_only_the_head_was_asked_for(stage):
    proxy = watched(stage, stage.server(echo))
    reply = ask(proxy.tcp, "/metrics", method="HEAD")
    assert reply.status == 200 and reply.body == ""


# The counters.

@both_crews
def test_counters_agree_with_the_traffic(stage, workers):
    server = stage.server()
    proxy = watched(stage, server, workers=workers)
    for i in range(1, 11):
        talk(stage, proxy, i * 1000, i * 31, server)

    client, upstream = stage.session(proxy, server)         # a probe
    client.close()
    assert upstream.read_all() == (b"", FIN)
    upstream.close()

    client, upstream = stage.session(proxy, server)         # a reset
    client.send(b"12345")
    assert upstream.recv_exact(5) == b"12345"
    upstream.reset()
    assert client.read_all() == (b"", RST)

    client, upstream = stage.session(proxy, server)         # a kill
    upstream.send(b"123")
    assert client.recv_exact(3) == b"123"
    kill = ask(proxy.unix, "/api/sessions/kill?listener=default",
               method="POST")
    assert kill.json == {"killed": 1}

    metrics = wait_for_ended(proxy, 13)
    assert ended(metrics, "client", "fin") == 11
    assert ended(metrics, "upstream", "rst") == 1
    assert ended(metrics, "proxy", "kill") == 1
    assert metrics.sum("sluice_listener_sessions_ended_total") == 13
    for name, value in {
            "sluice_listener_sessions_begun_total": 13,
            "sluice_listener_probes_total": 1,
            "sluice_listener_refused_total": 0,
            "sluice_listener_sessions": 0,
            "sluice_listener_session_duration_seconds_count": 12}.items():
        assert metrics.get(name, **LISTENER) == value, name
    moved = 55000 + 5, 55 * 31 + 3
    assert bytes_of(metrics, "listener", **LISTENER) == moved

    address = {**UPSTREAM, "server": f"127.0.0.1:{server.port}"}
    for name, value in {
            "sluice_upstream_connect_attempts_total": 13,
            "sluice_upstream_sessions_total": 13,
            "sluice_upstream_connect_duration_seconds_count": 13}.items():
        assert metrics.get(name, **UPSTREAM) == value, name
    assert metrics.sum("sluice_upstream_connect_failures_total") == 0
    assert metrics.get("sluice_server_sessions_total", **address) == 13
    assert metrics.get("sluice_server_sessions", **address) == 0
    assert bytes_of(metrics, "server", **address) == moved

    assert metrics.sum("sluice_worker_sessions_begun_total") == 13
    assert metrics.sum("sluice_worker_sessions") == 0
    for direction, count in zip(("to_upstream", "to_client"), moved):
        assert metrics.sum("sluice_worker_bytes_total",
                           direction=direction) == count
    assert len(metrics.all("sluice_worker_sessions")) == workers


def test_counters_agree_with_the_close_records(stage):
    proxy = watched(stage, stage.server(echo), workers=2)
    for i in range(40):
        client = stage.connect(proxy)
        client.send(payload(1 + i * 7000))
        client.fin()
        assert client.read_to_end().size == 1 + i * 7000
        client.close()
    metrics = wait_for_ended(proxy, 40)
    records = proxy.wait_for_records(40)
    assert bytes_of(metrics, "listener", **LISTENER) == (
        sum(r.bytes_to_upstream for r in records),
        sum(r.bytes_to_client for r in records))


def test_bytes_are_counted_while_a_session_lives(stage):
    server = stage.server()
    proxy = watched(stage, server)
    client, upstream = stage.session(proxy, server)
    client.send(payload(4321))
    upstream.recv_exact(4321)
    metrics = wait_for_bytes(proxy, (4321, 0), **LISTENER)
    assert metrics.get("sluice_sessions") == 1
    assert metrics.get("sluice_listener_sessions", **LISTENER) == 1
    assert metrics.sum("sluice_server_sessions") == 1
    assert metrics.sum("sluice_worker_sessions") == 1
    assert metrics.sum("sluice_listener_sessions_ended_total") == 0


def test_each_listener_and_upstream_has_its_own(stage):
    first, second = stage.server(echo), stage.server(echo)
    proxy = find_doors(stage.sluice(
        "[global]\nworkers = 2\nadmin = 127.0.0.1:0\n"
        "[listener a]\nbind = 127.0.0.1:0\n"
        f"[upstream a]\nserver = 127.0.0.1:{first.port}\n"
        "[listener b]\nbind = 127.0.0.1:0\n"
        f"[upstream b]\nserver = 127.0.0.1:{second.port}\n"))
    for name, count in ("a", 3), ("b", 5):
        for _ in range(count):
            client = stage.connect(proxy.address(name))
            client.send(b"x" * count)
            assert client.recv_exact(count) == b"x" * count
    for name, count in ("a", 3), ("b", 5):
        metrics = wait_for_bytes(proxy, (count * count, count * count),
                                 listener=name)
        assert metrics.get("sluice_listener_sessions_begun_total",
                           listener=name) == count
        assert metrics.get("sluice_upstream_sessions_total",
                           upstream=name) == count


def test_failures_to_connect_by_why(stage):
    busy = stage.keep(BusyServer())
    refused = free_port()
    proxy = find_doors(stage.sluice(
        "[global]\nadmin = 127.0.0.1:0\nworkers = 1\n"
        "[listener a]\nbind = 127.0.0.1:0\n"
        f"[upstream a]\nserver = 127.0.0.1:{refused}\n"
        "connect_attempts = 2\n"
        "[listener b]\nbind = 127.0.0.1:0\n"
        f"[upstream b]\nserver = 127.0.0.1:{busy.port}\n"
        "connect_timeout = 200ms\nconnect_attempts = 1\n"))
    for name in "a", "b":
        assert stage.connect(proxy.address(name)).read_all() == (b"", RST)
    metrics = wait_for_ended(proxy, 2)
    why = metrics.all("sluice_upstream_connect_failures_total")
    assert {(dict(k)["upstream"], dict(k)["reason"]): v
            for k, v in why.items() if v} == \
        {("a", "refused"): 2, ("b", "timeout"): 1}
    assert len(why) == 8
    assert metrics.get("sluice_upstream_connect_attempts_total",
                       upstream="a") == 2
    assert metrics.sum("sluice_upstream_sessions_total") == 0
    assert metrics.get("sluice_server_connect_failures_total", upstream="a",
                       server=f"127.0.0.1:{refused}") == 2


def test_who_has_to_wait_is_counted(stage):
    server = stage.server()
    proxy = watched(stage, server, listener={"max_sessions": 1})
    first, _ = stage.session(proxy, server)
    second = stage.connect(proxy)

    def paused():
        return scrape(proxy.tcp).get(
            "sluice_listener_accept_pauses_total", reason="max_sessions",
            **LISTENER)

    wait_for(paused, 5, "the second has to wait")
    first.reset()
    server.accept()
    second.close()
    assert scrape(proxy.tcp).get("sluice_listener_accept_pauses_total",
                                 reason="resources", **LISTENER) == 0


# How long things take.

def buckets(metrics, name, **labels):
    """Upper bound -> what is in the bucket alone."""
    found = sorted((float(dict(key)["le"]), value) for key, value in
                   metrics.all(f"{name}_bucket", **labels).items())
    counts = [value for _, value in found]
    assert counts == sorted(counts)
    assert counts[-1] == metrics.get(f"{name}_count", **labels)
    assert found[-1][0] == float("inf")
    return {bound: count - below for (bound, count), below in
            zip(found, [0, *counts])}


def test_a_session_is_in_the_bucket_of_its_length(stage):
    server = stage.server()
    proxy = watched(stage, server, listener={"idle_timeout": "300ms"})
    client, _ = stage.session(proxy, server)
    assert client.read_all() == (b"", RST)
    metrics = wait_for_ended(proxy, 1)
    lasted = proxy.record(client).total_ms / 1000
    name = "sluice_listener_session_duration_seconds"
    found = [b for b, n in buckets(metrics, name, **LISTENER).items() if n]
    assert len(found) == 1 and found[0] >= lasted
    assert metrics.get(f"{name}_sum", **LISTENER) == lasted
    assert lasted >= 0.3


def test_connecting_on_loopback_takes_little(stage):
    proxy = watched(stage, stage.server(echo))
    for _ in range(20):
        client = stage.connect(proxy)
        client.send(b"x")
        assert client.recv_exact(1) == b"x"
    metrics = scrape(proxy.tcp)
    name = "sluice_upstream_connect_duration_seconds"
    assert metrics.get(f"{name}_count", **UPSTREAM) == 20
    assert 0 < metrics.get(f"{name}_sum", **UPSTREAM) < 20
    assert sum(n for bound, n in buckets(metrics, name, **UPSTREAM).items()
               if bound <= 1) == 20


# The process.

def test_what_the_process_uses(stage):
    proxy = watched(stage, stage.server(echo), workers=2)
    metrics = scrape(proxy.tcp)
    seen = len(proxy.fds)
    assert abs(metrics.get("process_open_fds") - seen) <= 3
    assert metrics.get("process_max_fds") >= seen
    assert 0.5 < metrics.get("process_resident_memory_bytes") / proxy.rss < 2
    assert metrics.get("process_cpu_seconds_total") <= proxy.cpu + 0.1
    assert metrics.get("sluice_workers") == 2
    again = scrape(proxy.tcp)
    for name in "process_start_time_seconds", "sluice_max_sessions":
        assert metrics.get(name) == again.get(name)
    built, = metrics.all("sluice_build_info").items()
    version = run([proxy.process.args[0], "-V"])
    assert dict(built[0])["version"] in version
    assert dict(built[0])["build"] in version


def test_lost_records_are_counted(stage):
    proxy = watched(stage, stage.server(echo),
                    global_={"access_log": "file:/dev/full"})
    proxy.may_log_errors = True
    for _ in range(3):
        client = stage.connect(proxy)
        client.send(b"x")
        assert client.recv_exact(1) == b"x"
        client.close()
    wait_for(lambda: scrape(proxy.tcp).get(
        "sluice_log_records_dropped_total") == 3, 10, "three records lost")


# Prometheus itself.

class Prometheus:
    """A real one that scrapes a proxy five times a second."""

    def __init__(self, stage, proxy):
        host, port = proxy.tcp
        self.port = free_port()
        folder = stage.folder / "prometheus"
        folder.mkdir()
        (folder / "conf.yml").write_text(
            "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
            "scrape_configs:\n- job_name: sluice\n  static_configs:\n"
            f"  - targets: ['{host}:{port}']\n")
        start(stage, [
            "prometheus", f"--config.file={folder}/conf.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}"],
            ("127.0.0.1", self.port))
        wait_for(self.ready, 20, "Prometheus has read what it keeps")

    def ready(self):
        try:
            url = f"http://127.0.0.1:{self.port}/-/ready"
            return urllib.request.urlopen(url, timeout=20).status == 200
        except urllib.error.HTTPError:
            return False

    def ask(self, query):
        """Labels (as a sorted tuple) -> value."""
        url = f"http://127.0.0.1:{self.port}/api/v1/query?" + \
            urllib.parse.urlencode({"query": query})
        with urllib.request.urlopen(url, timeout=20) as reply:
            answer = json.load(reply)
        assert answer["status"] == "success"
        return {tuple(sorted(r["metric"].items())): float(r["value"][1])
                for r in answer["data"]["result"]}

    def wait_for(self, query, value):
        wait_for(lambda: list(self.ask(query).values()) == [value], 20,
                 f"{query} is {value}, not {self.ask(query)}")


def test_a_real_prometheus_reads_what_we_counted(stage):
    server = stage.server()
    proxy = watched(stage, server, workers=2)
    prometheus = Prometheus(stage, proxy)
    prometheus.wait_for("up", 1)
    for _ in range(7):
        talk(stage, proxy, 100, 2000, server)
    live, _ = stage.session(proxy, server)
    prometheus.wait_for("sluice_sessions", 1)
    live.reset()
    prometheus.wait_for("sluice_sessions", 0)
    for query, value in {
            "sluice_listener_sessions_begun_total": 8,
            'sluice_listener_bytes_total{direction="to_client"}': 14000,
            "sum(sluice_worker_bytes_total) by (job)": 14700,
            'sluice_listener_sessions_ended_total{how="rst",'
            'closed_by="client"}': 1,
            "sluice_listener_session_duration_seconds_count": 7}.items():
        prometheus.wait_for(query, value)
    quantile, = prometheus.ask(
        "histogram_quantile(0.9, "
        "sluice_upstream_connect_duration_seconds_bucket)").values()
    assert 0 < quantile < 5
    scraped, = prometheus.ask("scrape_samples_scraped").values()
    assert scraped == len(scrape(proxy.tcp).samples)


@threads
def test_scraped_while_sessions_come_and_go(stage):
    """What is read is never less than before, and in the end exact."""
    proxy = watched(stage, stage.server(echo), workers=3)
    address = proxy.address()

    def churn():
        for _ in range(150):
            client = stage.connect(address)
            client.send(b"abc")
            assert client.recv_exact(3) == b"abc"
            client.close()

    tasks = [stage.run(churn) for _ in range(2)]
    last = 0
    while any(task.is_alive() for task in tasks):
        metrics = scrape(proxy.tcp)
        begun = metrics.sum("sluice_listener_sessions_begun_total")
        assert last <= begun <= 300
        last = begun
    for task in tasks:
        task.result()
    metrics = wait_for_ended(proxy, 300)
    assert metrics.sum("sluice_worker_sessions_begun_total") == 300
    assert bytes_of(metrics, "listener", **LISTENER) == (900, 900)
