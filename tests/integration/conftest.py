"""Fixtures of the integration tests; what they are made of is in lib/."""

import os
import pathlib
import resource
import shutil
import tempfile

import pytest

from lib import booted, mounts, netns, ways
from lib.logs import Syslog
from lib.names import Names
from lib.proxy import BINARY
from lib.service import Service
from lib.stage import Stage


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "threads: worth running under the thread sanitizer")
    config.addinivalue_line(
        "markers", "plain: cannot run under a sanitizer")
    config.addinivalue_line(
        "markers", "ways: run with relay = copy and splice as well")
    if not os.access(BINARY, os.X_OK):
        raise pytest.UsageError(f"{BINARY} is not there: run make, or set"
                                " SLUICE to the binary to test")


def pytest_generate_tests(metafunc):
    if metafunc.definition.get_closest_marker("ways"):
        ways.parametrize(metafunc)


def pytest_collection_modifyitems(items):
    """Groups come first: one process has all of a group, and the others should
    not wait for it in the end."""
    items[:] = sorted(
        filter(ways.belongs, items),
        key=lambda item: item.get_closest_marker("xdist_group") is None)


@pytest.fixture
def way(request):
    """How the proxies of a test move bytes."""
    return getattr(request, "param", ways.PLAIN)


@pytest.fixture
def stage(tmp_path, way):
    """Where a test puts its servers, proxies and clients."""
    stage = Stage(tmp_path, way)
    yield stage
    stage.clear()


@pytest.fixture
def hosts():
    """A function that makes network namespaces: hosts(3)."""
    reason = netns.why_not()
    if reason:
        pytest.skip(reason)
    made = []

    def make(count):
        made.extend(netns.Host() for _ in range(count))
        return made[-count:]

    yield make
    for host in made:
        host.close()


@pytest.fixture
def own_mounts():
    """Of a test whose proxy sees mounts that nobody else does."""
    reason = mounts.why_not()
    if reason:
        pytest.skip(reason)


@pytest.fixture
def syslog(stage, own_mounts):
    """The place of the system's logger, for a proxy in syslog.room."""
    return stage.keep(Syslog())


@pytest.fixture
def names(stage, hosts, own_mounts):
    """Makes Names; needs what hosts() needs."""
    def make(**how):
        return Names(stage.folder, **how)
    return make


@pytest.fixture
def open_folder():
    """A folder that everybody may enter, as pytest's may not be."""
    folder = pathlib.Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def many_descriptors():
    """Of a test that has both ends of thousands of sessions; how many."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A test that fails shows the end of each proxy's log."""
    report = (yield).get_result()
    stage = item.funcargs.get("stage") if hasattr(item, "funcargs") else None
    if report.failed and stage is not None:
        for proxy in stage.proxies:
            report.sections.append(("log of " + proxy.folder.name,
                                    proxy.tail(12)))


@pytest.fixture(scope="session")
def computer(tmp_path_factory):
    """A machine that is booted, with sluice installed."""
    reason = booted.why_not()
    if reason:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("computer")
    try:
        computer = booted.Booted(folder)
    except AssertionError as error:
        pytest.skip(f"no systemd-nspawn --boot here: {error}")
    try:
        computer.make("install")
        yield computer
    finally:
        computer.close()


@pytest.fixture
def service(computer, stage):
    """Its sluice.service, not started."""
    service = Service(computer, stage)
    yield service
    service.clear()
