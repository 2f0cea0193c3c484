"""Keeps the energy counters of all sockets over restarts of Home Assistant."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from ..network.consoles import METER_ACCESS
from ..pyopenbk.metering.correction import IDENTITY, Correction
from ..pyopenbk.metering.energy import CorrectedCounter, SteadyCounter
from ..pyopenbk.quantities import ENERGY, ENERGY_TODAY, ENERGY_YESTERDAY

_VERSION: Final = 1
# A counter that was re-based would step back if this were lost; a plain new number would not.
_SOON: Final = 1.0
_AT_LEISURE: Final = 900.0
# The share of an offset cannot be found again from the socket's numbers alone.
_WITH_OFFSET: Final = 60.0

type CurrentCorrection = Callable[[], Correction | None]


class EnergyStore:
    """All counters, by the MAC of the socket and the key of the quantity."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Prepare the store; nothing is read yet."""
        self._store = Store[dict[str, dict[str, list[Any]]]](
            hass, _VERSION, f"{DOMAIN}.energy"
        )
        self._hass = hass
        self._counters: dict[str, dict[str, SteadyCounter]] = {}
        self._corrected: dict[str, dict[str, CorrectedCounter]] = {}
        self._save_pending = False

    async def async_load(self) -> None:
        """Read the counters from disk."""
        stored = await self._store.async_load() or {}
        self._counters = {
            mac: {key: SteadyCounter.from_list(item) for key, item in counters.items()}
            for mac, counters in stored.items()
        }
        self._corrected = {
            mac: {
                key: CorrectedCounter.from_list(item[3:])
                for key, item in counters.items()
            }
            for mac, counters in stored.items()
        }

    @callback
    def counter(self, mac: str, key: str) -> SteadyCounter:
        """Return the counter of a quantity, a new one if there is none."""
        return self._counters.setdefault(mac, {}).setdefault(key, SteadyCounter())

    @callback
    def corrected(self, mac: str, key: str) -> CorrectedCounter:
        """Return the corrected counter of a quantity, a new one if there is none."""
        counters = self._corrected.setdefault(mac, {})
        return counters.setdefault(key, CorrectedCounter())

    @callback
    def follower(
        self,
        mac: str,
        key: str,
        today: Callable[[], int | None],
        correction: CurrentCorrection,
    ) -> Callable[[float], float]:
        """Return the function that makes a steady, corrected number out of the socket's.

        ``correction`` is that of the power at the moment.
        """
        counter, corrected = self.counter(mac, key), self.corrected(mac, key)
        return partial(self._follow, counter, corrected, today, correction)

    def _follow(
        self,
        counter: SteadyCounter,
        corrected: CorrectedCounter,
        today: Callable[[], int | None],
        correction: CurrentCorrection,
        raw: float,
    ) -> float:
        offset = counter.offset
        power = correction() or IDENTITY
        value = corrected.update(counter.update(raw, today()), self._now(), power)
        if counter.offset != offset:
            self.save_soon()
        elif not self._save_pending:
            self._save_pending = True
            self._store.async_delay_save(
                self._data, _WITH_OFFSET if power.offset else _AT_LEISURE
            )
        return value

    def _now(self) -> float:
        return self._hass.data[METER_ACCESS].now()

    @callback
    def scaler(
        self, mac: str, key: str, correction: CurrentCorrection
    ) -> Callable[[float], float]:
        """Return the function that corrects the energy of a period that is over.

        By as much as the running counters were corrected in that period, where they were
        followed; else by the gain alone, as nobody knows for how long something flowed.
        """
        today = self.corrected(mac, ENERGY_TODAY.key)
        total = self.corrected(mac, ENERGY.key)
        return partial(_scale, key, today, total, correction)

    @callback
    def last(self, mac: str, key: str) -> tuple[float, float] | None:
        """Return the socket's last number and the corrected one, None while there is none."""
        counter = self.counter(mac, key)
        if counter.raw is None:
            return None
        ahead = counter.offset + self.corrected(mac, key).ahead
        return counter.raw, round(counter.raw + ahead, 6)

    @callback
    def set_total(self, mac: str, kilowatt_hours: float) -> None:
        """Count on from a value that the socket is being told."""
        self.counter(mac, ENERGY.key).expect(kilowatt_hours)
        self.corrected(mac, ENERGY.key).begin(kilowatt_hours, self._now())
        self.save_soon()

    @callback
    def save_soon(self) -> None:
        """Save what was counted with a correction that is about to be another one.

        After a crash it would be counted anew, with the new one, and might come out smaller.
        """
        self._save_pending = True
        self._store.async_delay_save(self._data, _SOON)

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
        for corrected in self._corrected.get(mac, {}).values():
            corrected.reset()

    async def async_forget(self, mac: str) -> None:
        """Drop the counters of a socket that is removed."""
        self._corrected.pop(mac, None)
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
                key: counter.as_list() + self.corrected(mac, key).as_list()
                for key, counter in counters.items()
                if counter.raw is not None
            }
            for mac, counters in self._counters.items()
        }


def _scale(
    key: str,
    today: CorrectedCounter,
    total: CorrectedCounter,
    correction: CurrentCorrection,
    raw: float,
) -> float:
    if (power := correction()) is None:
        return raw
    yesterday = key == ENERGY_YESTERDAY.key
    ratio = today.ratio_before if yesterday else total.recent_ratio
    return round(raw * (power.gain if ratio is None else ratio), 6)


ENERGY_STORE: Final[HassKey[EnergyStore]] = HassKey(f"{DOMAIN}.energy")
