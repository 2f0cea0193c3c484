"""Running what blocks on files outside of the event loop."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol


class RunBlocking(Protocol):
    """Runs a function in a thread: `asyncio.to_thread`, or Home Assistant's executor."""

    def __call__[*Arguments, Result](
        self, function: Callable[[*Arguments], Result], /, *args: *Arguments
    ) -> Awaitable[Result]:
        """Return the function's result, or raise what it raised."""
        ...


async def run_to_the_end[*Arguments, Result](
    run_blocking: RunBlocking,
    function: Callable[[*Arguments], Result],
    *args: *Arguments,
) -> Result:
    """Run a short function and, if cancelled meanwhile, let it end before going on.

    A thread cannot be stopped: without this it could still be writing a file that the next job
    already reads.
    """
    running = asyncio.ensure_future(run_blocking(function, *args))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        if not running.cancelled():
            running.exception()
        raise
