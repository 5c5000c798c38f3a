"""Scenarios of a daemon that is told to change, to let clients go, and what a
service manager has to know of it.  See scenarios.py."""

import re
import signal

from daemon import wait_for
from orders import insist, is_done, order, status
from peers import Failure, Half, who_answers
from place import AFTER, BEFORE, BROKEN, KEPT_AFTER


# Another configuration.

def meets(place):
    """Who is met at each address of both files."""
    return {name: who_answers(getattr(place, name)) for name in (
        "coming", "unix_coming", "moved", "turned", "going", "unix_going")}


ALL_BEFORE = {"coming": None, "unix_coming": None, "moved": "answer",
              "turned": "answer", "going": "answer", "unix_going": "answer"}
ALL_AFTER = {"coming": "otherwise", "unix_coming": "otherwise",
             "moved": "otherwise", "turned": "otherwise", "going": None,
             "unix_going": None}


def check_all_or_nothing(daemon, *allowed):
    """One of the two files holds, and nothing of the other."""
    met = {}

    def holds():
        met.update(meets(daemon.place))
        return met in allowed

    try:
        wait_for(holds, 10, "one of two files")
    except Failure:
        raise Failure(f"neither the one file nor the other: {met}") from None


def check_goes_on(daemon, sessions):
    """What was there is nobody's concern, unless it was its own call that
    failed, too."""
    if not all([half.goes_on() for half in sessions]) and \
            daemon.page.times == 1:
        raise Failure("a session from before was lost")


def check_told(daemon):
    """Why there was no reload: in the log and for who asks."""
    if not status(daemon)["not_reloaded"]:
        raise Failure("it says nowhere why it did not reload")
    wait_for(lambda: "not reloaded: what was before goes on" in daemon.log, 5,
             "that it was not reloaded")


def hup(daemon):
    """True if it says that it has reloaded, False if not."""
    before = status(daemon)

    def heard():
        now = status(daemon)
        return (now["not_reloaded"] or
                now["config_read"] != before["config_read"]) and [now]

    daemon.arm()
    daemon.proxy.signal(signal.SIGHUP)
    daemon.wait_until_quiet()
    daemon.disarm()
    wait_for(heard, 10, "HUP is heard")
    return status(daemon)["not_reloaded"] is None


def reload(daemon):
    """HUP: a listener, a log and names are new, others are gone, one upstream
    is another, one listener leads elsewhere."""
    place = daemon.place
    with Half(place.going) as going, Half(place.moved) as moved:
        daemon.wait_until_quiet()
        daemon.configure(place.text(AFTER))
        done = hup(daemon)
        check_goes_on(daemon, [going, moved])
    check_all_or_nothing(daemon, ALL_AFTER if done else ALL_BEFORE)
    if done:
        return True
    check_told(daemon)
    daemon.disarm()
    insist(daemon, "/api/reload")
    check_all_or_nothing(daemon, ALL_AFTER)
    return False


def is_whole(reply):
    """The last line is the result."""
    last = reply.body.decode().rstrip("\n").rpartition("\n")[2]
    return last in ("reloaded", "nothing is different",
                    "not reloaded: what was before goes on")


def say_reload(daemon, text):
    """An operator's reply; None: he does not know, as when the daemon has no
    memory for an answer (500)."""
    daemon.configure(text)
    reply = order(daemon, "/api/reload?format=text")
    if reply is None or reply.status == 500:
        return None
    if reply.status in (200, 409) and not is_whole(reply):
        raise Failure(f"what looks like a whole reply: {reply.body}")
    return reply


def check_refused(reply):
    """A broken file is, and it is said what is wrong."""
    if reply is None:
        return
    if reply.status == 200:
        raise Failure("a broken file was taken")
    if reply.status == 409 and not re.search(
            rb"nobody|memory|files|failure|\w+\.ini", reply.body):
        raise Failure(f"not said what is wrong: {reply.body}")


def reload_back(daemon):
    """By an operator: a broken file, another one, and the first again."""
    place = daemon.place
    with Half(place.going) as going, Half(place.moved) as moved:
        daemon.wait_until_quiet()
        daemon.arm()
        check_refused(say_reload(daemon, place.text(BROKEN)))
        there = say_reload(daemon, place.text(AFTER))
        back = say_reload(daemon, place.text(BEFORE))
        daemon.wait_until_quiet()
        daemon.disarm()
        check_goes_on(daemon, [going, moved])
    if is_done(back):
        check_all_or_nothing(daemon, ALL_BEFORE)
    elif there is None or back is None:
        check_all_or_nothing(daemon, ALL_BEFORE, ALL_AFTER)
    else:
        check_all_or_nothing(daemon, ALL_AFTER if is_done(there) else
                             ALL_BEFORE)
    insist(daemon, "/api/reload")
    check_all_or_nothing(daemon, ALL_BEFORE)
    return is_done(there) and is_done(back)


# Who has to leave.

PACE = "rate=50/s&deadline=400ms"
MEETS_MEANWHILE = {"listener=drained": None, "upstream=drained": None,
                   "server=drained/a": "otherwise"}


def begin_drain(daemon, word):
    """Whether it drains; what was said must not be the contrary."""
    daemon.arm()
    reply = order(daemon, f"/api/drain?{word}&{PACE}")
    daemon.wait_until_quiet()
    daemon.disarm()
    drains = bool(status(daemon)["drains"])
    if reply is not None and reply.status != 500 and \
            is_done(reply) != drains:
        raise Failure(f"said to be {reply.status}, and drains: {drains}")
    return drains


def drain_one(daemon, word):
    """Two sessions leave, nobody comes; or all is as it was."""
    place = daemon.place
    with Half(place.going) as first, Half(place.going) as second:
        daemon.wait_until_quiet()
        drains = begin_drain(daemon, word)
        if not drains:
            check_goes_on(daemon, [first, second])
        else:
            first.must_be_reset()
            second.must_be_reset()
    meets = MEETS_MEANWHILE[word] if drains else "answer"
    wait_for(lambda: who_answers(place.going) == meets, 10,
             f"{meets} is met while {word} drains")
    return drains


def end_drain(daemon, word):
    daemon.arm()
    order(daemon, f"/api/drain?{word}&cancel=1")
    daemon.wait_until_quiet()
    daemon.disarm()
    if status(daemon)["drains"]:
        insist(daemon, f"/api/drain?{word}&cancel=1")
    wait_for(lambda: who_answers(daemon.place.going) == "answer", 10,
             "all is as it was before the drain")


def drain(daemon):
    """A listener, an upstream and a server, one after the other."""
    kept = True
    for word in MEETS_MEANWHILE:
        kept &= drain_one(daemon, word)
        end_drain(daemon, word)
    return kept


def drain_all(daemon):
    """The daemon at a pace, one listener of which drains already; what ends by
    itself meanwhile is whole, and the end is in order."""
    place = daemon.place
    with Half(place.plain) as ends, Half(place.plain) as stays:
        daemon.wait_until_quiet()
        daemon.arm()
        order(daemon, "/api/drain?listener=drained&rate=1/s")
        if not is_done(order(daemon, "/api/drain?rate=5/s&deadline=900ms")):
            daemon.proxy.signal(signal.SIGTERM)
        kept = ends.goes_on()
        stays.must_be_reset()
        daemon.wait_for_end()
        return kept


# What a service manager has to know.

def managed(daemon):
    """Its daemon is passed a socket and two of the store, one of which is not
    wanted."""
    if daemon.fds:      # one socket is all that a listener of two workers has
        daemon.fds += 1
    manager = daemon.manage()
    manager.add("web", daemon.place.passed)
    manager.add_stored(daemon.place.going)
    manager.add_stored(daemon.place.coming)


def notify(daemon):
    """A start by it."""


def notify_on(daemon):
    """A reload: one listener more and one less."""
    place = daemon.place
    daemon.check_manager(place.going)
    daemon.fds += 1     # what was kept had one socket for two workers
    with Half(place.passed) as passed, Half(place.going) as going:
        daemon.wait_until_quiet()
        daemon.configure(place.text(KEPT_AFTER))
        if not hup(daemon):
            insist(daemon, "/api/reload")
        check_goes_on(daemon, [passed, going])
    wait_for(lambda: who_answers(place.going) is None, 10,
             "nobody is met where nobody listens any more")


def notify_stop(daemon):
    """The end, of which nothing is to be left."""
    daemon.arm()
    daemon.proxy.signal(signal.SIGTERM)
    daemon.wait_for_end()


# How they are run: see scenarios.py.
SCENARIOS = [reload, reload_back, drain, drain_all, notify, notify_on,
             notify_stop]
LATER = [reload, reload_back, drain, drain_all, notify_on, notify_stop]
LAST = [drain_all, notify_stop]
MANAGED = [notify, notify_on, notify_stop]
