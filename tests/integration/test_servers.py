"""Servers as an operator sees them, and takes them out and back: sluice ctl
servers and server, and the pages that say the same."""

import collections
import re

import pytest

from lib.admin import ask, watched
from lib.marks import both_crews
from lib.peers import FIN, greeter
from lib.scrape import scrape
from lib.timing import wait_for
from test_ctl import bash_completes, ctl, fails, zsh_completes


def served_by(stage, proxy):
    client = stage.connect(proxy)
    client.fin()
    name, ending = client.read_all()
    client.close()
    assert ending == FIN
    return name.decode()


def shares(stage, proxy, sessions=30):
    return collections.Counter(
        served_by(stage, proxy) for _ in range(sessions))


def trio(stage, workers=1, lines=("name=a", "name=b", "name=c"), **upstream):
    """Three servers that say their names, behind one upstream."""
    servers = [stage.server(greeter(b"%d" % i)) for i in range(3)]
    proxy = watched(stage, servers, workers=workers, upstream={
        "server": ["%s:%d %s" % (*s.address, line)
                   for s, line in zip(servers, lines)], **upstream})
    proxy.servers = servers
    wait_for(lambda: len(rows(proxy)) == 3, 5, "three servers")
    return proxy


def rows(proxy):
    """What /api/servers says, by address."""
    got = ask(proxy.unix, "/api/servers").json
    return {row["address"]: row for row in got["servers"]}


def row(proxy, n):
    return rows(proxy)["%s:%d" % proxy.servers[n].address]


def noted(proxy):
    return ask(proxy.unix, "/api/servers").json["changes"]


def order(proxy, *words):
    done = ctl("server", "--socket", proxy.unix, *words)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


@both_crews
def test_who_is_down_gets_no_new_sessions(stage, workers):
    proxy = trio(stage, workers)
    assert set(shares(stage, proxy)) == {"0", "1", "2"}
    assert order(proxy, "default/b", "down") == \
        "default/b: done; 2 of 3 are up\n"
    assert set(shares(stage, proxy)) == {"0", "2"}
    assert order(proxy, "default/%s:%d" % proxy.servers[0].address,
                 "drain") == "default/127.0.0.1:%d: done; 1 of 3 are up\n" % \
        proxy.servers[0].address[1]
    assert set(shares(stage, proxy)) == {"2"}
    order(proxy, "default/b", "up")
    order(proxy, "default/a", "up")
    assert set(shares(stage, proxy)) == {"0", "1", "2"}
    assert noted(proxy) == []


@pytest.mark.parametrize("word", ["down", "drain"])
def test_its_sessions_go_on(stage, word):
    server = stage.server()
    proxy = watched(stage, server)
    client, upstream = stage.session(proxy, server)
    name = "default/%s:%d" % server.address
    order(proxy, name, word)
    client.send(b"still there?")
    assert upstream.recv_exact(12) == b"still there?"
    upstream.send_and_close(b"yes")
    assert client.read_all() == (b"yes", FIN)


def test_a_backup_is_used_when_all_others_are_down(stage):
    proxy = trio(stage, lines=("name=a", "name=b", "name=c backup"))
    order(proxy, "default/a", "drain")
    assert set(shares(stage, proxy)) == {"1"}
    order(proxy, "default/b", "drain")
    assert set(shares(stage, proxy)) == {"2"}
    order(proxy, "default/b", "up")
    assert set(shares(stage, proxy)) == {"1"}


def test_weights(stage):
    proxy = trio(stage)
    order(proxy, "default/a", "weight", "4")
    wait_for(lambda: shares(stage, proxy) == {"0": 20, "1": 5, "2": 5}, 5,
             "shares by weight")
    assert row(proxy, 0)["weight"] == 4
    change, = noted(proxy)
    assert (change["server"], change["weight"]) == ("a", 4)
    order(proxy, "default/a", "weight", "default")
    wait_for(lambda: shares(stage, proxy) == {"0": 10, "1": 10, "2": 10}, 5,
             "shares as before")
    assert noted(proxy) == []


def test_what_was_said_is_told_everywhere(stage):
    proxy = trio(stage)
    order(proxy, "default/b", "drain")
    order(proxy, "default/c", "down")
    state = row(proxy, 1)
    assert (state["up"], state["state"], state["changes"], state["name"]) == \
        (False, "drain", 1, "b")
    assert re.fullmatch(r"by uid 0, pid \d+", state["cause"])
    assert row(proxy, 0)["up"] and row(proxy, 0)["cause"] is None
    assert [(c["upstream"], c["server"], c["state"]) for c in noted(proxy)] \
        == [("default", "b", "drain"), ("default", "c", "down")]

    address = "%s:%d" % proxy.servers[1].address
    proxy.wait_for_line(rf"upstream default: server b \({address}\) is "
                        r"drained after \S+: by uid 0, pid \d+; 2 of 3 are up$")
    proxy.wait_for_line(r"server c \(.*\) is down after \S+: by uid 0, pid \d+; "
                        r"1 of 3 are up$")
    text = ctl("servers", "--socket", proxy.unix).stdout
    assert re.search(rf"^default +drain .* b \({address}\): by uid 0", text,
                     re.M)
    assert re.search(r"^default/c down, \S+Z, by uid 0", text, re.M)
    status = ask(proxy.tcp, "/api/status").json["upstreams"][0]["servers"]
    assert [s["state"] for s in status] == ["up", "drain", "down"]
    assert ", drain: by uid 0" in ctl("status", "--socket", proxy.unix).stdout
    assert "drain <i>" in ask(proxy.tcp, "/").body
    metrics = scrape(proxy.tcp)
    names = {"upstream": "default", "server": address, "name": "b"}
    assert metrics.get("sluice_server_up", **names) == 0
    assert metrics.get("sluice_server_changes_total", **names) == 1


def test_who_fails_its_check_is_not_up_by_a_word(stage):
    """Both are told: the word, and what stands against it."""
    server = stage.server(greeter(b"x"))
    proxy = watched(stage, server, upstream={
        "server": ["127.0.0.1:1 name=a", "%s:%d" % server.address],
        "check": "tcp", "check_interval": "200ms"})
    wait_for(lambda: [r["state"] for r in rows(proxy).values()] ==
             ["failing", "up"], 5, "one is down")
    order(proxy, "default/a", "down")
    state = rows(proxy)["127.0.0.1:1"]
    assert re.fullmatch(r"by uid \d+, pid \d+; connection refused "
                        r"\(check tcp\)", state["cause"])
    assert order(proxy, "default/a", "up") == (
        "default/a: up by an operator, but failing: connection refused (check "
        "tcp); 1 of 2 are up\n")
    proxy.wait_for_line(r"server a .* stays out \(failing\): by uid \d+, pid "
                        r"\d+, but still: connection refused \(check tcp\)")
    line, = [line for line in ctl("servers", "--socket", proxy.unix)
             .stdout.splitlines() if " a (" in line]
    assert line.endswith(": connection refused (check tcp)"), line
    status = ask(proxy.tcp, "/api/status").json["upstreams"][0]["servers"]
    assert status[0]["cause"] == "connection refused (check tcp)"


def listed(proxy, query=""):
    return ask(proxy.unix, "/api/sessions" + query).json["sessions"]


def test_a_name_stands_wherever_the_address_does(stage):
    servers = [stage.server() for _ in range(2)]
    proxy = watched(stage, servers, upstream={
        "server": ["%s:%d name=db1" % servers[0].address,
                   "%s:%d" % servers[1].address], "balance": "first"})
    client, upstream = stage.session(proxy, servers[0])
    address = "%s:%d" % servers[0].address
    session, = listed(proxy, "?server=db1")
    assert (session["server"], session["server_name"]) == (address, "db1")
    assert len(listed(proxy, f"?server={address}")) == 1
    assert listed(proxy, "?server=db2") == []
    assert f" default/db1 ({address}) " in ctl(
        "sessions", "--socket", proxy.unix).stdout
    assert f"  db1 ({address})\n" in ctl(
        "status", "--socket", proxy.unix).stdout
    status = ask(proxy.tcp, "/api/status").json["upstreams"][0]["servers"]
    assert [s["name"] for s in status] == ["db1", None]
    assert f"db1<br><i>{address}</i>" in ask(proxy.tcp, "/").body
    metrics = scrape(proxy.tcp)
    assert metrics.get("sluice_server_sessions", upstream="default",
                       server=address, name="db1") == 1
    assert metrics.get("sluice_server_sessions", upstream="default",
                       server="%s:%d" % servers[1].address) == 0
    killed = ctl("kill", "--socket", proxy.unix, "server=db1").stdout
    assert killed == "killed 1 session\n"
    record = proxy.wait_for_records(1)[0]
    assert record["upstream"] == f"default/{address}"
    assert record["server"] == "db1"


def test_the_same_again_is_no_change(stage):
    proxy = trio(stage)
    for _ in range(3):
        order(proxy, "default/b", "drain")
    assert row(proxy, 1)["changes"] == 1
    order(proxy, "default/b", "up")
    proxy.wait_for_line(r"server b .* is up after \S+: by uid 0")
    assert row(proxy, 1)["cause"] is None
    assert proxy.log.count(" is drained ") == 1


def test_what_is_wrong_is_said(stage):
    proxy = trio(stage)
    at = ["--socket", proxy.unix]
    fails(1, "upstream default has no server 'xyz'; 'sluice ctl servers' "
          "lists them", "server", *at, "default/xyz", "up")
    fails(1, "there is no upstream 'defualt'; did you mean default?",
          "server", *at, "defualt/a", "up")
    fails(1, "there is no upstream 'x'; there is only default", "server", *at,
          "x/a", "up")
    fails(1, "say UPSTREAM/SERVER, as in pg/db1, not 'default'", "server",
          *at, "default", "up")
    fails(1, "state must be up, down or drain, not 'dwon'; did you mean "
          "down?", "server", *at, "default/a", "dwon")
    fails(1, "there is no upstream 'default/a': say but the upstream",
          "pause", *at, "default/a")
    for weight in ("0", "1001", "x", ""):
        fails(1, "weight must be a number from 1 to 1000 or default", "server",
              *at, "default/a", "weight", weight)
    for words in ([], ["default/a"], ["default/a", "weight"],
                  ["default/a", "up", "down"]):
        fails(1, "usage: sluice ctl server UPSTREAM/NAME", "server", *at,
              *words)
    assert ask(proxy.unix, "/api/servers/default/a", "POST").status == 400
    assert ask(proxy.unix, "/api/servers/", "POST").status == 404
    assert ask(proxy.unix, "/api/servers/default/a").status == 405
    assert ask(proxy.tcp, "/api/servers/default/a?state=down",
               "POST").status == 403
    assert noted(proxy) == [] and all(r["up"] for r in rows(proxy).values())


def test_a_unix_server_has_slashes_in_its_name(stage):
    server = stage.server(greeter(b"x"))
    proxy = watched(stage, server, upstream={
        "server": ["unix:/nowhere/x", "%s:%d" % server.address]})
    wait_for(lambda: len(rows(proxy)) == 2, 5, "two servers")
    order(proxy, "default/unix:/nowhere/x", "down")
    assert rows(proxy)["unix:/nowhere/x"]["state"] == "down"


def test_names_are_completed(stage):
    proxy = trio(stage)
    own = f"sluice ctl --socket {proxy.unix} server"
    assert bash_completes(f"{own} default/") == {
        "default/a", "default/b", "default/c"}
    assert bash_completes(f"{own} default/a w") == {"weight"}
    assert zsh_completes(stage.folder, f"{own} default/b").endswith(
        "default/b")
