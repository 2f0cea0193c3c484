"""When changed settings are in flash, where they are read back."""

from collections.abc import Awaitable, Callable
from typing import Final

type Sleep = Callable[[float], Awaitable[None]]

SAVED_AFTER: Final = 2.0
"""Seconds; the firmware looks every second whether there is something to save, by whatever road it
was changed (recorded from OpenBeken 1.18.299)."""

# One that is asked answers late now and then.
_LOOKS: Final = 6


async def until_saved(look: Callable[[], Awaitable[bool]], sleep: Sleep) -> bool:
    """Look each second whether what was changed can be read back; return whether it could.

    Raises whatever ``look`` raises.
    """
    for _ in range(_LOOKS):
        if await look():
            return True
        await sleep(1)
    return False
