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
    """Run a short function in a thread and, if cancelled meanwhile, let it end first.

    A thread cannot be stopped: without this it could still be writing a file that the next job
    already reads.
    """
    return await to_the_end(run_blocking(function, *args))


async def to_the_end[Result](awaitable: Awaitable[Result]) -> Result:
    """Await something short that must not be torn; a cancellation takes effect afterwards."""
    running = asyncio.ensure_future(awaitable)
    try:
        await asyncio.wait({running})
    except asyncio.CancelledError:
        await asyncio.wait({running})
        if not running.cancelled():
            # Looked at, so that nobody complains of an error that went unseen.
            running.exception()
        raise
    return running.result()
