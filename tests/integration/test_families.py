"""Happy Eyeballs: a name with addresses of both families, of which one is dead
without a word."""

import socket

import pytest

from lib.admin import Folder, ask, find_doors
from lib.marks import both_crews
from lib.peers import FIN, RST, Server, echo
from lib.scrape import scrape
from lib.stage import section
from lib.strace import Injection
from lib.timing import Stopwatch, nothing_happens_for, wait_for
from test_ctl import ctl

# The second is preferred (RFC 6724 section 2.1: fc00::/7 comes last).
SIX, FOUR = "fd00::9", "127.0.0.1"


class Place:
    """A host whose server has both; what is named is dropped on the way."""

    def __init__(self, stage, hosts, names, workers=1,
                 addresses=(SIX, FOUR), **upstream):
        self.stage = stage
        self.host, = hosts(1)
        self.host.run("ip", "address", "add", f"{SIX}/128", "dev", "lo",
                      "nodad")
        self.host.run("nft", "-f", "-", text="""
            table inet gone {
                set six { type ipv6_addr; }
                set four { type ipv4_addr; }
                chain in {
                    type filter hook input priority 0;
                    tcp dport 7000 ip6 daddr @six drop
                    tcp dport 7000 ip daddr @four drop
                }
            }""")
        book = names(both=" both.test\n".join(addresses))
        self.servers = {
            SIX: self.listen(socket.AF_INET6, SIX),
            FOUR: self.listen(socket.AF_INET, FOUR)}
        self.proxy = find_doors(stage.sluice(
            section("global", {"workers": workers, "drain_timeout": "1s",
                               "admin_socket":
                               stage.keep(Folder()) / "ctl.sock"}) +
            section("listener", {"bind": "127.0.0.1:6000"}) +
            section("upstream", {"server": "both.test:7000",
                                 "connect_timeout": "20s", **upstream}),
            prefix=[*self.host.prefix, *book.prefix]))

    def listen(self, family, address):
        return self.stage.keep(Server(echo, host=address, port=7000,
                                      sock=self.host.socket(family)))

    def drop(self, *addresses):
        for address in addresses:
            self.host.run("nft", "add", "element", "inet", "gone",
                          "six" if ":" in address else "four",
                          f"{{ {address} }}")

    def pass_again(self, address):
        self.host.run("nft", "delete", "element", "inet", "gone",
                      "six" if ":" in address else "four",
                      f"{{ {address} }}")

    def order(self, word, address):
        """The operator's, for one of the two."""
        done = ctl("server", "--socket", self.proxy.unix,
                   f"default/{shown(address)}", word)
        assert done.returncode == 0, done.stderr

    def failures(self, address):
        found, = [row["failures"] for row in
                  ask(self.proxy.unix, "/api/servers").json["servers"]
                  if row["address"] == shown(address)]
        return found

    def client(self):
        return self.stage.connect(("127.0.0.1", 6000),
                                  sock=self.host.socket())

    def served(self):
        """The record of a client that is."""
        client = self.client()
        client.send_and_fin(b"hello")
        assert client.read_all() == (b"hello", FIN)
        return self.proxy.record(client)


def shown(address):
    return f"[{address}]:7000" if ":" in address else f"{address}:7000"


def server_of(record):
    return record.upstream.partition("/")[2].rpartition(":")[0].strip("[]")


@both_crews
@pytest.mark.parametrize("dead, other", [(SIX, FOUR), (FOUR, SIX)])
def test_the_other_family_is_tried_soon(stage, hosts, names, dead, other,
                                        workers):
    """Long before the first one's time is up, a quarter of a second after it
    (RFC 8305 section 5)."""
    place = Place(stage, hosts, names, workers)
    place.drop(dead)
    took = []
    for _ in range(4):
        record = place.served()
        assert server_of(record) == other
        assert int(record.connect_ms) < 10000
        assert int(record.attempts) == (2 if dead == FOUR else 1)
        took.append(int(record.connect_ms))
    if dead == FOUR:
        assert 240 <= min(took) < 700
        # The time of the one that answered, not of the wait before it.
        assert scrape(place.proxy.unix).get(
            "sluice_upstream_connect_duration_seconds_sum",
            upstream="default") < 0.8
    place.proxy.wait_until_idle()


def test_who_answers_has_no_rival(stage, hosts, names):
    place = Place(stage, hosts, names)
    for _ in range(10):
        assert int(place.served().attempts) == 1
    assert place.servers[SIX].accepted == 0


def test_both_are_dead(stage, hosts, names):
    place = Place(stage, hosts, names, connect_timeout="600ms",
                  connect_attempts=2)
    place.drop(SIX, FOUR)
    client = place.client()
    assert client.read_all() == (b"", RST)
    record = place.proxy.record(client)
    assert record.end == "proxy timeout"
    assert int(record.attempts) >= 2
    assert int(record.total_ms) >= 840  # the rival had all of its time, too
    place.proxy.wait_until_idle()


def test_the_first_comes_late(stage, hosts, names):
    """While the rival is on its way, too: then it is the rival that is left."""
    place = Place(stage, hosts, names, connect_timeout="20s")
    place.drop(SIX, FOUR)
    client = place.client()
    wait_for(lambda: place.proxy.session_sockets == 3, 5, "both are tried")
    place.pass_again(FOUR)
    client.send_and_fin(b"hello")
    assert client.read_all() == (b"hello", FIN)
    assert server_of(place.proxy.record(client)) == FOUR
    place.proxy.wait_until_idle()


def test_a_client_that_leaves_while_both_are_tried(stage, hosts, names):
    place = Place(stage, hosts, names)
    place.drop(SIX, FOUR)
    client = place.client()
    wait_for(lambda: place.proxy.session_sockets == 3, 5, "both are tried")
    client.reset()
    place.proxy.wait_until_idle()


def test_both_take_a_place_and_give_it_back(stage, hosts, names):
    place = Place(stage, hosts, names, server_max_sessions=1,
                  queue_timeout="20s")
    place.drop(FOUR)
    for _ in range(5):
        assert server_of(place.served()) == SIX
    place.pass_again(FOUR)
    assert server_of(place.served()) == FOUR


def test_a_rival_that_cannot_be_taken_over_is_no_end(stage, hosts, names):
    """It has connected, and there is no memory to hear of it: it is tried
    again soon, not when the first one's time is up."""
    place = Place(stage, hosts, names)
    place.proxy.may_log_errors = True
    place.drop(SIX, FOUR)
    client = place.client()
    client.send_and_fin(b"hello")
    wait_for(lambda: place.proxy.session_sockets == 3, 5, "both are tried")
    with Injection(place.proxy, "epoll_ctl:error=ENOMEM") as injection:
        place.pass_again(SIX)
        wait_for(lambda: injection.count > 1, 10, "a failure")
    watch = Stopwatch()
    place.pass_again(FOUR)
    assert client.read_all() == (b"hello", FIN)
    assert watch.seconds < 10


def test_a_rival_is_of_the_other_family(stage, hosts, names):
    """Two of one are tried one after the other."""
    place = Place(stage, hosts, names, addresses=(FOUR, "127.0.0.3"))
    place.drop(FOUR, "127.0.0.3")
    client = place.client()
    wait_for(lambda: place.proxy.session_sockets == 2, 5, "one is tried")
    nothing_happens_for(0.6, lambda: place.proxy.session_sockets > 2,
                        "a rival")
    client.reset()


def test_who_is_out_is_no_rival(stage, hosts, names):
    place = Place(stage, hosts, names)
    place.drop(FOUR)
    place.order("down", SIX)
    client = place.client()
    wait_for(lambda: place.proxy.session_sockets == 2, 5, "one is tried")
    nothing_happens_for(0.6, lambda: place.proxy.session_sockets > 2,
                        "a rival")
    assert place.servers[SIX].accepted == 0
    client.reset()


def test_who_refused_is_no_rival_of_the_next(stage, hosts, names):
    place = Place(stage, hosts, names)
    place.servers[FOUR].close()
    place.drop(SIX)
    client = place.client()
    wait_for(lambda: place.failures(FOUR) == 1, 5, "a refusal")
    nothing_happens_for(0.6, lambda: place.failures(FOUR) > 1, "another")
    client.reset()


def test_a_rival_that_refuses_has_failed(stage, hosts, names):
    """And is not what is tried next, before all had a pause."""
    place = Place(stage, hosts, names, connect_timeout="600ms",
                  connect_attempts=3)
    place.servers[SIX].close()
    place.drop(FOUR)
    client = place.client()
    wait_for(lambda: place.failures(SIX) == 1, 5, "a refusal")
    wait_for(lambda: place.failures(FOUR) == 1, 5, "a time-out")
    nothing_happens_for(0.1, lambda: place.failures(SIX) > 1, "another")
    client.reset()


def test_a_rival_that_is_left_gives_its_place_back(stage, hosts, names):
    place = Place(stage, hosts, names, server_max_sessions=1)
    place.drop(SIX, FOUR)
    client = place.client()
    wait_for(lambda: place.proxy.session_sockets == 3, 5, "both are tried")
    client.reset()
    place.proxy.wait_until_idle()
    place.pass_again(SIX)
    assert server_of(place.served()) == SIX
