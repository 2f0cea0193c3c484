"""Pytest plugin that runs tests on simulated time.

Loaded with `-p` before everything that asks for the time, as `from time import monotonic` does once and for all.
A test that needs the machine's time, as it waits for a process that goes by that, is marked `real_time`.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
import datetime as dt
import inspect
from pathlib import Path
import types
from typing import Final

import pytest

from tests.support import simulated_time

simulated_time.install()

_TESTS: Final = Path(__file__).parent.parent
_SIMULATED: Final = tuple(
    _TESTS / folder
    for folder in (
        "contract",
        "homeassistant",
        "pyopenbk",
        "recordings",
        "simulator",
        "support",
    )
)


def pytest_configure() -> None:
    """Have Home Assistant's dates go by the same clock as everything else."""
    # Not before: the harness wants to be the first to import Home Assistant.
    from homeassistant.util import dt as dt_util  # noqa: PLC0415
    from pytest_homeassistant_custom_component import patch_time  # noqa: PLC0415

    # The harness's own utcnow, which is everywhere by now, finds the class here.
    dates = types.ModuleType(dt.__name__)
    vars(dates).update(vars(dt), datetime=simulated_time.Datetime)
    patch_time.datetime = dates
    dt_util.now = _now


def _now(time_zone: dt.tzinfo | None = None) -> dt.datetime:
    from homeassistant.util import dt as dt_util  # noqa: PLC0415

    zone = time_zone or dt_util.get_default_time_zone()
    return simulated_time.Datetime.now(zone)


def is_simulated(item: pytest.Item) -> bool:
    """Return whether a test goes by simulated time; what is no coroutine cannot."""
    return (
        inspect.iscoroutinefunction(getattr(item, "function", None))
        and not item.get_closest_marker("real_time")
        and any(map(item.path.is_relative_to, _SIMULATED))
    )


@contextmanager
def runner(item: pytest.Item, *, debug: bool) -> Iterator[asyncio.Runner]:
    """Run a test's coroutines on an event loop of its own."""
    if not is_simulated(item):
        with asyncio.Runner(debug=debug) as usual:
            yield usual
        return
    factory = simulated_time.SimulatedTimeLoop
    with asyncio.Runner(debug=debug, loop_factory=factory) as simulated:
        # Fixtures that are no coroutines ask for it between two of these.
        asyncio.set_event_loop(simulated.get_loop())
        yield simulated
    asyncio.set_event_loop(None)
