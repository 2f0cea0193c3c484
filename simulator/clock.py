"""Simulated time: real time, run faster by a factor."""

import asyncio
from collections.abc import Awaitable
import time


class Clock:
    """Simulated seconds that pass ``speed`` times as fast as real ones.

    The firmware, its meter and its load live by this clock. The serial line and the
    boot ROM do not: a person and a USB adapter stay as slow as they are.
    """

    def __init__(self, speed: float = 1.0) -> None:
        """Start at simulated second 0; ``speed`` is greater than zero."""
        if speed <= 0:
            raise ValueError("a clock has to run forwards")
        self.speed = speed
        self._started = time.monotonic()

    def now(self) -> float:
        """Return the simulated seconds since this clock was made."""
        return (time.monotonic() - self._started) * self.speed

    async def sleep(self, seconds: float) -> None:
        """Sleep for simulated seconds."""
        await asyncio.sleep(seconds / self.speed)

    async def sleep_until(self, moment: float) -> None:
        """Sleep until a simulated moment, as ``now`` counts; returns at once if past.

        Loops that add their period to the last moment instead of sleeping for it keep
        their rhythm however late they are woken.
        """
        await self.sleep(max(0.0, moment - self.now()))

    async def wait_for[T](self, awaitable: Awaitable[T], seconds: float) -> T:
        """Await with a limit in simulated seconds; raises TimeoutError when it passes."""
        return await asyncio.wait_for(awaitable, seconds / self.speed)
