"""The web servers of sockets: who asks one waits until the last one has its answer."""

import asyncio
from typing import Final
from weakref import WeakValueDictionary

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN
from .meter_access import METER_ACCESS, MeterAccess
from .pyopenbk.obk.console import PORT, Console

_LOCKS: Final[HassKey[WeakValueDictionary[str, asyncio.Lock]]] = HassKey(
    f"{DOMAIN}.console_locks"
)


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
