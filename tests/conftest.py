"""Fixtures for all tests."""

import asyncio
from collections.abc import Iterable, Iterator
import gc
from pathlib import Path
from typing import Final

import pytest

from tests.support import clockwork
from tests.support.broker import Broker, BrokerUnavailable
from tests.support.browser import find_chromium
from tests.support.harness import uses_home_assistant
from tests.support.releases import names_in

# Characters of a value that still tell something in the name of a test.
_LONGEST_NAME: Final = 100


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add options for a look at what differs between two releases of Home Assistant."""
    parser.addoption(
        "--one-of-each",
        action="store_true",
        help="of a test with several parameters, run the first case only",
    )
    parser.addoption(
        "--leave-out",
        type=Path,
        metavar="FILE",
        help="run none of the tests that a file names, like one_release.txt",
    )


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what the options leave out."""
    kept: Iterable[pytest.Item] = items
    if config.getoption("one_of_each"):
        first = {_test_of(item): item for item in reversed(items)}
        kept = first.values()
    if (file := config.getoption("leave_out")) is not None:
        names = names_in(file)
        kept = [item for item in kept if _test_of(item) not in names]
    staying = {*kept}
    gone = [item for item in items if item not in staying]
    items[:] = [item for item in items if item in staying]
    config.hook.pytest_deselected(items=gone)


def _test_of(item: pytest.Item) -> str:
    """Return the name of a test without that of its case."""
    return item.nodeid.partition("[")[0]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Spare the garbage collector what is made while tests are collected: it would look at a million objects each time.

    Hardly anything of it is garbage, and all else lasts until the end.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a long value by its length: pytest would make a name of megabytes out of a dump."""
    if isinstance(val, str | bytes) and len(val) > _LONGEST_NAME:
        return f"{argname} of {len(val)}"
    return None


@pytest.fixture(autouse=True)
def verify_cleanup(request: pytest.FixtureRequest) -> None:
    """Keep the harness's check for threads and timers to tests of Home Assistant."""
    if uses_home_assistant(request.path):
        request.getfixturevalue("verify_cleanup")


@pytest.fixture(autouse=True)
def configure_event_loop(request: pytest.FixtureRequest) -> None:
    """Keep Home Assistant's threads, and a loop even for plain functions, to tests of Home Assistant."""
    if uses_home_assistant(request.path):
        request.getfixturevalue("configure_event_loop")


@pytest.fixture(autouse=True)
def disable_http_server(request: pytest.FixtureRequest) -> None:
    """Keep the harness's stand-in for a server to tests of Home Assistant."""
    if uses_home_assistant(request.path):
        request.getfixturevalue("disable_http_server")


@pytest.fixture(autouse=True)
def skip_stop_scripts(request: pytest.FixtureRequest) -> None:
    """Keep the harness's stand-in for a timer to tests of Home Assistant."""
    if uses_home_assistant(request.path):
        request.getfixturevalue("skip_stop_scripts")


@pytest.fixture
def _function_scoped_runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    """Choose a test's event loop, in place of pytest-asyncio.

    Its hook for this, `pytest_asyncio_loop_factories`, makes the loop of the whole session anew for
    each test, with everything that Home Assistant's harness keeps there.
    """
    debug = bool(request.config.getoption("asyncio_debug"))
    with clockwork.runner(request.node, debug=debug) as runner:
        yield runner


@pytest.fixture(autouse=True)
def enable_event_loop_debug() -> None:
    """Leave the event loop as fast as it is in Home Assistant; ``--asyncio-debug`` does not."""


@pytest.fixture
def mosquitto(request: pytest.FixtureRequest, socket_enabled: None) -> Iterator[Broker]:
    """Run a broker of its own for one test.

    Without users it lets everyone in. To have users:
    `@pytest.mark.parametrize("mosquitto", [{"name": "password"}], indirect=True)`.
    """
    try:
        broker = Broker(users=getattr(request, "param", None))
    except BrokerUnavailable as error:
        pytest.skip(str(error))
    with broker:
        yield broker


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of a real browser."""
    path = find_chromium()
    if path is None:
        pytest.skip("neither Chromium nor Chrome is installed; script/setup says how")
    return path
