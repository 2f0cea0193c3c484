"""How sockets are reached for calibration, and how fast their seconds pass."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
import time
from typing import Final

from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN
from .pyopenbk.obk.console import Connect


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterAccess:
    """The network and the clock of the sockets, which a simulation replaces by its own."""

    connect: Connect = asyncio.open_connection
    speed: float = 1.0
    """Seconds of the socket's that pass in one of ours."""
    time: Callable[[], float] = time.time

    def now(self) -> float:
        """Return the sockets' time in their seconds, also across restarts."""
        return self.time() * self.speed

    async def sleep(self, seconds: float) -> None:
        """Sleep for seconds of the socket's."""
        await asyncio.sleep(seconds / self.speed)


METER_ACCESS: Final[HassKey[MeterAccess]] = HassKey(f"{DOMAIN}.meter_access")
