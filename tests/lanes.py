"""Three lanes of tests, which `make test` runs side by side.

unit      rules, pages and pure functions, on Postgres and Redis
servers   whatever starts servers of its own: a sandbox, nginx, a stand-in for a cloud
journeys  the whole shop, as its visitors meet it, and whatever needs a browser

A test's lane follows from its fixtures: one that asks for `stack` or `browser` is a journey, and one that
asks for `server_lane` (by another fixture, or by its folder's conftest) belongs to the servers. The rest are
unit tests.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.commands import lanes

LANES = ("unit", "servers", "journeys")
# Set by `make test`: where a lane leaves how many of its tests passed, failed, and so on.
SUMMARY = "TEST_SUMMARY"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--lane", choices=LANES, help="run only the tests of this lane")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: begins first, so that the others don't wait for it in the end")
    config.addinivalue_line(
        "markers", "ops: also run by `make verify-ops`, on Debian's own nginx and Postgres"
    )
    for lane in LANES:
        config.addinivalue_line("markers", f"{lane}: belongs to this lane; follows from the test's fixtures")


@pytest.fixture(scope="session")
def server_lane() -> None:
    """Requested by fixtures that start a server, so that their tests run in that lane."""


def lane_of(item: pytest.Item) -> str:
    """The lane that a test belongs to."""
    fixtures = getattr(item, "fixturenames", ())
    if "stack" in fixtures or "browser" in fixtures:
        return "journeys"  # a browser's driver leaves an event loop, beside which Django refuses its database
    return "servers" if "server_lane" in fixtures else "unit"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test with its lane, and leave out those of other lanes than `--lane`."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    for item in items:
        lane = lane_of(item)
        item.add_marker(lane)
        paths = lanes.LANES[lane].paths
        if paths and not item.nodeid.startswith(paths):
            raise pytest.UsageError(
                f"{item.nodeid} belongs to the lane {lane}: add its file to the lane's paths."
            )
    if chosen := config.getoption("--lane"):
        others = [item for item in items if lane_of(item) != chosen]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if lane_of(item) == chosen]


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Leave the counts where `make test` adds up those of its lanes."""
    yield
    if path := os.environ.get(SUMMARY):
        counts = {name: len(reports) for name, reports in terminalreporter.stats.items() if name}
        Path(path).write_text(json.dumps(counts))
