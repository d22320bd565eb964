"""The fences around every test: loopback only, no skips, no secret left behind, and the same examples each time."""

import ipaddress
import os
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings

from tests.support.canaries import (
    MARKS,
    databases_of,
    left_in,
    left_in_database,
    marked_urlsafe,
    spelled_in,
)
from tests.support.postgres import postgres_server

WATCHED = {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"}
NAMES_OF_LOOPBACK = {"", "localhost"}

# A busy machine is no defect: hypothesis measures no time here, in neither profile.
settings.register_profile("default", derandomize=True, deadline=None, print_blob=True)
settings.register_profile(
    "soak",
    deadline=None,
    max_examples=max(100, int(os.environ.get("SOAK", "2000"))),
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio, the only loop the product runs on."""
    return "asyncio"


def is_loopback(host: object) -> bool:
    """True for the addresses and names of this machine alone."""
    if host is None:
        return True
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    try:
        return name in NAMES_OF_LOOPBACK or ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def refuse_far_sockets(event: str, args: tuple[object, ...]) -> None:
    """Stop a test that reaches for another machine; an audit hook, so C code is seen as well."""
    if event not in WATCHED:
        return
    target = args[0] if event == "socket.getaddrinfo" else args[1]
    if event != "socket.getaddrinfo" and not isinstance(target, tuple):
        return  # a path, and so a socket of this machine
    host = target[0] if isinstance(target, tuple) else target
    if not is_loopback(host):
        raise RuntimeError(f"a test reached for {host!r}; tests stay on loopback")


def pytest_configure(config: pytest.Config) -> None:
    """Put up the fences once per process, and pick the examples' profile by the tier asked for."""
    sys.addaudithook(refuse_far_sockets)
    patch("perdure.ids.token_urlsafe", marked_urlsafe).start()
    tier = config.getoption("markexpr", "")
    settings.load_profile("soak" if tier == "soak" else "default")


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """A folder for one test, in which no secret may be left when everything that used it is closed."""
    yield tmp_path
    assert left_in(tmp_path) == [], "a secret was left on disk"


@pytest.fixture(scope="session", autouse=True)
def no_secret_in_postgres() -> Iterator[None]:
    """Look through the server of this process, if there is one, for secrets of any of its tests."""
    yield
    if postgres_server.cache_info().currsize:
        server = postgres_server()
        found = [
            left
            for name in databases_of(server.conninfo())
            for left in left_in_database(server.conninfo(name))
        ]
        assert found == [], "a secret was left in the database"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse two tests of one name: side by side, all but one of them would silently not be run."""
    many = Counter(item.nodeid for item in items)
    if twice := sorted(name for name, count in many.items() if count > 1):
        raise pytest.UsageError(f"several tests have the name {', '.join(twice)}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure: what is not run here is run nowhere. So is a secret that was printed."""
    report = yield
    said = "\n".join(content for title, content in report.sections if title.startswith("Captured"))
    if report.passed and spelled_in(said.encode(errors="replace"), MARKS):
        report.outcome = "failed"
        report.longrepr = f"a secret was printed or logged:\n{said}"
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and a skip counts as a failure: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn the skip of a whole module into a failure as well."""
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, and a skip counts as a failure: {report.longrepr}"
    return report
