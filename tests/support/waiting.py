"""Wait for a condition instead of for a time."""

import asyncio
from collections.abc import Callable
import time

# Only a failing test waits so long; a machine that is busy with others may need some of it.
TIMEOUT = 60.0


async def until(condition: Callable[[], object], timeout: float = TIMEOUT) -> None:
    """Return as soon as the condition holds; fail after a minute."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.01)
