"""The web servers of sockets: who asks one waits until the last one has its answer."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
import time
from typing import Final
from weakref import WeakValueDictionary

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from ..pyopenbk.obk.console import PORT, Connect, Console

_LOCKS: Final[HassKey[WeakValueDictionary[str, asyncio.Lock]]] = HassKey(
    f"{DOMAIN}.console_locks"
)


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


@callback
def console_at(
    hass: HomeAssistant, address: str, password: str | None = None
) -> Console:
    """Return a client for an address, which may name a port; raises ValueError for a wrong one.

    All clients of one address share a lock, as a socket can serve one request at a time.
    """
    host, _, port = address.partition(":")
    locks = hass.data.setdefault(_LOCKS, WeakValueDictionary())
    lock = locks.setdefault(address, asyncio.Lock())
    # A dialog may ask before the integration itself is set up.
    access = hass.data.setdefault(METER_ACCESS, MeterAccess())
    return Console(
        host, int(port or PORT), password=password, connect=access.connect, lock=lock
    )
