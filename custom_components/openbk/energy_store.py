"""Keeps the energy counters of all sockets over restarts of Home Assistant."""

from collections.abc import Callable
from typing import Any, Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN
from .pyopenbk.metering.energy import SteadyCounter

_VERSION: Final = 1
# A counter that was re-based would step back if this were lost; a plain new number would not.
_SOON: Final = 1.0
_AT_LEISURE: Final = 900.0


class EnergyStore:
    """All counters, by the MAC of the socket and the key of the quantity."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Prepare the store; nothing is read yet."""
        self._store = Store[dict[str, dict[str, list[Any]]]](
            hass, _VERSION, f"{DOMAIN}.energy"
        )
        self._counters: dict[str, dict[str, SteadyCounter]] = {}
        self._save_pending = False

    async def async_load(self) -> None:
        """Read the counters from disk."""
        stored = await self._store.async_load() or {}
        self._counters = {
            mac: {key: SteadyCounter.from_list(item) for key, item in counters.items()}
            for mac, counters in stored.items()
        }

    @callback
    def counter(self, mac: str, key: str) -> SteadyCounter:
        """Return the counter of a quantity, a new one if there is none."""
        return self._counters.setdefault(mac, {}).setdefault(key, SteadyCounter())

    @callback
    def follower(
        self, mac: str, key: str, today: Callable[[], int | None]
    ) -> Callable[[float], float]:
        """Return the function that makes a steady number out of the socket's."""
        counter = self.counter(mac, key)

        def follow(raw: float) -> float:
            offset = counter.offset
            value = counter.update(raw, today())
            if counter.offset != offset:
                self._save_pending = True
                self._store.async_delay_save(self._data, _SOON)
            elif not self._save_pending:
                self._save_pending = True
                self._store.async_delay_save(self._data, _AT_LEISURE)
            return value

        return follow

    @callback
    def restarted(self, mac: str) -> None:
        """Note that a socket may have restarted since its last numbers."""
        for counter in self._counters.get(mac, {}).values():
            counter.restarted = True

    @callback
    def reset(self, mac: str) -> None:
        """Start anew with a socket whose counters were set to zero."""
        for counter in self._counters.get(mac, {}).values():
            counter.reset()

    async def async_forget(self, mac: str) -> None:
        """Drop the counters of a socket that is removed."""
        if self._counters.pop(mac, None) is not None:
            await self._store.async_save(self._data())

    async def async_flush(self) -> None:
        """Write what is waiting to be written."""
        if self._save_pending:
            await self._store.async_save(self._data())

    @callback
    def _data(self) -> dict[str, dict[str, list[Any]]]:
        self._save_pending = False
        return {
            mac: {
                key: counter.as_list()
                for key, counter in counters.items()
                if counter.raw is not None
            }
            for mac, counters in self._counters.items()
        }


ENERGY_STORE: Final[HassKey[EnergyStore]] = HassKey(f"{DOMAIN}.energy")
