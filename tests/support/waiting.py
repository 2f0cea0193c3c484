"""Wait for a condition instead of for a time."""

import asyncio
from collections.abc import Callable
from typing import Final

from tests.support.simulated_time import SimulatedTimeLoop

# Only a failing test waits so long; a machine that is busy with others may need some of it.
TIMEOUT: Final = 60.0
# The same on simulated time, where an hour is over at once.
SIMULATED_TIMEOUT: Final = 3600.0


async def until(condition: Callable[[], object], timeout: float | None = None) -> None:
    """Return as soon as the condition holds; fail after a minute, or an hour of simulated time."""
    loop = asyncio.get_running_loop()
    simulated = isinstance(loop, SimulatedTimeLoop)
    if timeout is None:
        timeout = SIMULATED_TIMEOUT if simulated else TIMEOUT
    try:
        async with asyncio.timeout(timeout):
            if isinstance(loop, SimulatedTimeLoop):
                await loop.until(condition)
                return
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError("waited in vain") from None
