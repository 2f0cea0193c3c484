"""A clock that is put forward, for tests with real brokers, which live by the true time."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, cast

from freezegun import api, freeze_time
from freezegun.api import TickingDateTimeFactory
from homeassistant.core import HomeAssistant

# What is due may lead to more that is: a timer to a task, that one to a state, this to a trigger.
_TURNS: Final = 50


class WallClock:
    """The clock of Home Assistant and its timers; it goes by itself, and can be put forward."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Lead the timers of the event loop, and be led by nothing yet."""
        self.ticking: TickingDateTimeFactory | None = None
        self._ahead = 0.0
        hass.loop.time = self._time  # type: ignore[method-assign]

    def _time(self) -> float:
        # Through its module: freezegun replaces what others import of it.
        true_time: float = api.real_monotonic()
        return true_time + self._ahead

    async def forward(self, seconds: float) -> None:
        """Put the clock forward; whatever is due by then begins before this returns.

        It does not wait for automations that wait for something themselves.
        """
        assert self.ticking is not None
        self.ticking.tick(seconds)
        self._ahead += seconds
        for _ in range(_TURNS):
            await asyncio.sleep(0)


@contextmanager
def wall_clock(hass: HomeAssistant, start: str) -> Iterator[WallClock]:
    """Let it be a moment in UTC; the clock goes on from there."""
    clock = WallClock(hass)
    with freeze_time(start, tick=True, ignore=["paho"]) as ticking:
        clock.ticking = cast(TickingDateTimeFactory, ticking)
        yield clock
