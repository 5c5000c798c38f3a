"""Names that do not resolve, or no more, as an operator sees them."""

import re

from lib.admin import ask
from lib.nameserver import NXDOMAIN, SERVFAIL
from lib.peers import echo
from lib.scrape import scrape
from lib.timing import wait_for
from test_dns import dns, echoes, start, wait_for_servers, with_cares

__all__ = ["dns"]


def text(proxy):
    return ask(proxy.admin, "/api/servers?format=text").body


def row(proxy, host):
    found, = [n for n in ask(proxy.admin, "/api/servers").json["names"]
              if n["name"] == host]
    return found


@with_cares
def test_a_name_that_never_resolved_has_a_row(stage, dns):
    server = stage.server(echo)
    dns.fail("db.test", NXDOMAIN)
    dns.set("good.test", "A", "127.0.0.1")
    proxy = start(stage, dns, f"db.test:{server.port}")
    wait_for(lambda: row(proxy, "db.test")["state"] == "unresolved", 5, "none")
    line, = [li for li in text(proxy).splitlines() if "db.test" in li]
    assert re.fullmatch(r"default +unresolved +\S+ +- +- +- +-  "
                        r"db\.test: no such name", line)
    assert (row(proxy, "db.test")["error"], row(proxy, "db.test")["gave"]) == \
        ("no such name", 0)
    assert re.search(r"db\.test<td class=\"h bad\" colspan=5>unresolved "
                     r"<i>\S+</i><br><i>no such name</i>",
                     ask(proxy.admin, "/").body)
    assert scrape(proxy.admin).get("sluice_upstream_names_stale",
                                   upstream="default") == 0
    dns.set("db.test", "A", "127.0.0.1")
    wait_for_servers(proxy, f"127.0.0.1:{server.port}", seconds=8)
    assert row(proxy, "db.test")["state"] == "good"
    assert "db.test: " not in text(proxy)


@with_cares
def test_stale_addresses_are_told(stage, dns):
    """Since when and why; and a name that is gone is no silence."""
    server = stage.server(echo)
    dns.set("db.test", "A", "127.0.0.1", ttl=1)
    proxy = start(stage, dns, f"db.test:{server.port}")
    wait_for_servers(proxy, f"127.0.0.1:{server.port}")
    dns.fail("db.test", SERVFAIL)
    wait_for(lambda: row(proxy, "db.test")["state"] == "stale", 8, "stale")
    proxy.wait_for_line(r"cannot resolve 'db.test': no name server could or "
                        r"would answer; trying again, what it gave last is "
                        r"used for an hour$")
    assert re.search(
        r"^default +stale +\S+ +- +- +- +-  db\.test: no name server could or "
        r"would answer; what it gave last, 1 address, is used for at most "
        r"(59m|1h)\S+ more$", text(proxy), re.M)
    assert "stale <i>" in ask(proxy.admin, "/").body
    metrics = scrape(proxy.admin)
    assert metrics.get("sluice_upstream_names_stale", upstream="default") == 1
    wait_for(lambda: scrape(proxy.admin).get(
        "sluice_upstream_names_stale_seconds", upstream="default") > 1, 5,
        "it lasts")
    dns.fail("db.test", NXDOMAIN)
    proxy.wait_for_line(r"cannot resolve 'db.test': no such name; trying", 20)
    assert "db.test: no such name; what it gave" in text(proxy)
    assert echoes(stage, proxy)
    dns.set("db.test", "A", "127.0.0.1")
    wait_for(lambda: row(proxy, "db.test")["state"] == "good", 20, "good")
    assert scrape(proxy.admin).get("sluice_upstream_names_stale_seconds",
                                   upstream="default") == 0


@with_cares
def test_who_waits_for_an_answer_is_told(stage, dns):
    dns.twist = lambda question, reply: []
    proxy = start(stage, dns, "db.test:5432", connect_timeout="10s")
    stage.connect(proxy)

    def told():
        rows = ask(proxy.admin, "/api/sessions").json["sessions"]
        return [(r["phase"], r["waits_for"]) for r in rows]

    wait_for(lambda: told() == [("wait", "name")], 5, "it waits")
    assert row(proxy, "db.test")["state"] == "asked"
    assert "db.test: no answer yet\n" in text(proxy)


@with_cares
def test_which_addresses_came_and_went_is_told(stage, dns):
    dns.set("db.test", "A", "127.0.0.1", "127.0.0.2", ttl=1)
    proxy = start(stage, dns, "db.test:5432")
    wait_for_servers(proxy, "127.0.0.1:5432", "127.0.0.2:5432")
    dns.set("db.test", "A", *(f"127.0.0.{n}" for n in range(2, 9)), ttl=1)
    proxy.wait_for_line(
        r"^upstream default: now 7 addresses; came (127\.0\.0\.[3-8]:5432, ){3}"
        r"127\.0\.0\.[3-8]:5432 and 2 more; went 127\.0\.0\.1:5432$", 10)
