"""Servers that refuse sessions are left out for a while, without a check."""

import re

import pytest

from lib.admin import watched
from lib.marks import both_crews
from lib.scrape import scrape
from lib.programs import fails_to_start
from lib.timing import wait_for
from test_health import mortals, states, wait_for_states
from test_ctl import ctl
from test_servers import row, shares


def watching(stage, servers, workers=1, **upstream):
    proxy = watched(stage, servers, workers=workers, upstream={
        "eject_after": 3, "eject_time": "600ms", **upstream})
    proxy.servers = servers
    wait_for(lambda: len(states(proxy)) == len(servers), 5, "servers")
    return proxy



@both_crews
def test_who_refuses_is_left_out_for_a_while(stage, workers):
    servers = mortals(stage)
    proxy = watching(stage, servers, workers)
    servers[1].down()
    assert set(shares(stage, proxy)) == {"0", "2"}      # by other attempts
    proxy.wait_for_line(
        r"^warning: upstream default: server \S+:%d is ejected after \S+: "
        r"\d+ connects failed in a row \(eject_after\), the last: connection "
        r"refused; for 600ms; 2 of 3 are up$" % servers[1].address[1])
    proxy.wait_for_line(r":%d is up after 0\.[56]\d\ds: 600ms are over "
                        r"\(eject_time\); 3 of 3 are up$" %
                        servers[1].address[1])
    # Again, and for longer.
    assert set(shares(stage, proxy)) == {"0", "2"}
    proxy.wait_for_line(r":%d is ejected after .*; for 1\.2s; 2 of 3" %
                        servers[1].address[1])
    servers[1].up()
    wait_for_states(proxy, "up", "up", "up")
    assert set(shares(stage, proxy)) == {"0", "1", "2"}
    assert row(proxy, 1)["ejections"] == 2
    assert scrape(proxy.tcp).get(
        "sluice_server_ejections_total", upstream="default",
        server="%s:%d" % servers[1].address) == 2


def test_who_is_left_out_is_not_when_nobody_is_any_more(stage):
    servers = mortals(stage, 2)
    proxy = watching(stage, servers, eject_time="30s")
    servers[0].down()
    wait_for(lambda: shares(stage, proxy, 4) and states(proxy) ==
             ["ejected", "up"], 5, "ejected")
    servers[0].up()
    text = proxy.config.replace("eject_after = 3\neject_time = 30s\n", "")
    assert text != proxy.config
    (proxy.folder / "proxy.ini").write_text(text)
    assert ctl("reload", "--socket", proxy.unix).returncode == 0
    wait_for_states(proxy, "up", "up")
    proxy.wait_for_line("is up after .*: eject_after is off; 2 of 2 are up$")
    assert set(shares(stage, proxy)) == {"0", "1"}


def test_no_session_tries_it_meanwhile(stage):
    servers = mortals(stage, 2)
    proxy = watching(stage, servers, eject_time="30s")
    servers[0].down()
    wait_for(lambda: shares(stage, proxy, 4) and states(proxy) ==
             ["ejected", "up"], 5, "ejected")
    proxy.wait_until_idle()
    failures = row(proxy, 0)["failures"]
    assert shares(stage, proxy, 20) == {"1": 20}
    assert row(proxy, 0)["failures"] == failures == 3


def test_half_of_them_at_most(stage):
    servers = mortals(stage, 4)
    proxy = watching(stage, servers, eject_time="30s")
    for server in servers[:3]:
        server.down()
    wait_for(lambda: shares(stage, proxy, 4) and
             states(proxy).count("ejected") == 2, 5, "two are ejected")
    assert shares(stage, proxy, 20) == {"3": 20}
    assert states(proxy).count("ejected") == 2 and states(proxy)[3] == "up"


def test_the_last_one_stays(stage):
    servers = mortals(stage, 2)
    proxy = watching(stage, servers, eject_time="30s", eject_max_percent=100,
                     connect_attempts=4)
    servers[0].down()
    wait_for(lambda: shares(stage, proxy, 4) and states(proxy) ==
             ["ejected", "up"], 5, "ejected")
    servers[1].down()
    for _ in range(5):
        client = stage.connect(proxy)
        client.read_all()
    assert states(proxy) == ["ejected", "up"]


def test_a_success_in_between_is_a_new_row(stage):
    servers = mortals(stage, 2)
    proxy = watching(stage, servers, eject_after=4)
    for n in range(3, 12, 3):
        servers[0].down()
        wait_for(lambda: shares(stage, proxy, 1) and
                 row(proxy, 0)["failures"] == n, 5, "three failures")
        servers[0].up()
        wait_for(lambda: "0" in shares(stage, proxy, 1), 5, "a success")
    assert states(proxy) == ["up", "up"] and row(proxy, 0)["failures"] == 9
    assert row(proxy, 0)["ejections"] == 0


@pytest.mark.parametrize("line, wrong", [
    ("eject_time = 5s", "eject_time is not looked at without"),
    ("eject_max_percent = 5", "eject_max_percent is not looked at without"),
    ("eject_max_percent = 101", "must be a number from 1 to 100"),
    ("eject_after = x", "eject_after must be"),
])
def test_what_makes_no_sense_is_an_error(stage, line, wrong):
    code, log = fails_to_start(stage, "[listener]\nbind = 127.0.0.1:0\n"
                               "[upstream]\nserver = 127.0.0.1:9\n"
                               f"{line}\n")
    assert code == 1 and wrong in log, log


@pytest.mark.parametrize("upstream, downs, why", [
    ({}, (0, 1), "it is the last that is up"),
    ({"eject_max_percent": "49"}, (0,), "as many are out as may be "
     r"(eject_max_percent)"),
], ids=["the last", "too many"])
def test_who_is_not_ejected_for_a_reason_is_told(stage, upstream, downs, why):
    servers = mortals(stage, 2)
    proxy = watching(stage, servers, eject_time="30s", **upstream)
    for n in downs:
        servers[n].down()

    def held():
        stage.connect(proxy).close()
        return [n for n in (0, 1) if row(proxy, n)["not_ejected"] == why]

    wait_for(held, 10, "one that is held")
    n, = held()
    proxy.wait_for_line(
        r"^warning: upstream default: server \S+:%d is not ejected after 3 "
        r"failed connects in a row \(eject_after\): %s$" %
        (servers[n].address[1], re.escape(why)))
    assert f"refuses sessions, but is not ejected: {why}\n" in ctl(
        "servers", "--socket", proxy.unix).stdout
    for _ in range(5):
        stage.connect(proxy).close()
    assert proxy.log.count(" is not ejected after ") == 1
    for n in downs:
        servers[n].up()
    wait_for(lambda: shares(stage, proxy, 4) and not held(), 10, "it serves")
