"""Keeps the energy counters of all sockets over restarts of Home Assistant."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, override

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN, LOGGER
from ..helpers import async_stored
from ..network.consoles import SOCKET_ACCESS
from ..pyopenbk.metering.correction import IDENTITY, Correction
from ..pyopenbk.metering.energy import CorrectedCounter, SteadyCounter
from ..pyopenbk.metering.resets import ClearDate
from ..pyopenbk.metering.series import DEFAULT_POWER_LIMIT
from ..pyopenbk.quantities import ANY_POWER, ENERGY, ENERGY_TODAY

_VERSION: Final = 2
# A counter that was re-based would step back if this were lost; a plain new number would not.
_SOON: Final = 1.0
_AT_LEISURE: Final = 900.0
# The share of an offset cannot be found again from the socket's numbers alone.
_WITH_OFFSET: Final = 60.0

type CurrentCorrection = Callable[[], Correction | None]
type Stored = dict[str, Any]


@dataclass(slots=True)
class Counter:
    """One quantity: what the socket counts, made steady, and that corrected."""

    steady: SteadyCounter = field(default_factory=SteadyCounter)
    corrected: CorrectedCounter = field(default_factory=CorrectedCounter)


@dataclass(slots=True)
class Counters:
    """All of one socket, by the key of the quantity, and what is known of its meter."""

    by_key: dict[str, Counter] = field(default_factory=dict)
    cleared: ClearDate = field(default_factory=ClearDate)
    power_limit: float = DEFAULT_POWER_LIMIT
    """The largest power in W that its meter has shown, at least what it shows unless told."""

    def __getitem__(self, key: str) -> Counter:
        """Return the counter of a quantity, a new one if there is none."""
        return self.by_key.setdefault(key, Counter())


class EnergyStore:
    """The counters of all sockets, by what identifies each."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Prepare the store; nothing is read yet."""
        self._store = _Store(hass, _VERSION, f"{DOMAIN}.energy")
        self._hass = hass
        self._sockets: dict[str, Counters] = {}
        self._save_pending = False

    async def async_load(self) -> None:
        """Read the counters from disk; what is damaged counts from the next number on."""
        self._sockets = {
            identity: _read(counters)
            for identity, counters in (await async_stored(self._store)).items()
        }

    @callback
    def of(self, identity: str) -> Counters:
        """Return the counters of a socket, new ones if there are none."""
        return self._sockets.setdefault(identity, Counters())

    @callback
    def follow(
        self,
        identity: str,
        key: str,
        raw: float,
        day: int | None,
        power: Correction | None,
        reading: float | None = None,
    ) -> float:
        """Make a steady, corrected number out of the socket's, all in kWh.

        ``day`` is the ordinal of the day for a counter that starts anew at midnight, ``power`` the
        correction of the power at the moment, ``reading`` the last one in W that was above zero.
        """
        counters, now = self.of(identity), self._now()
        counter = counters[key]
        offset = counter.steady.offset
        power = power or IDENTITY
        steady = counter.steady.update(raw, now, day=day, limit=counters.power_limit)
        value = counter.corrected.update(steady, now, power, reading)
        if counter.steady.offset != offset:
            self.save_soon()
        elif not self._save_pending:
            self._save_pending = True
            self._store.async_delay_save(
                self._data, _WITH_OFFSET if power.offset else _AT_LEISURE
            )
        return value

    @callback
    def scale(
        self,
        identity: str,
        raw: float,
        power: Correction | None,
        days_ago: int | None = None,
    ) -> float:
        """Correct the energy, in kWh, of a day that is over, or of the last hour if it is no day's.

        By as much as the running counters were corrected in that period, where they were
        followed; else by the gain alone, as nobody knows for how long something flowed.
        """
        if power is None:
            return raw
        counters = self.of(identity)
        if days_ago is None:
            ratio = counters[ENERGY.key].corrected.recent_ratio
        else:
            ratio = counters[ENERGY_TODAY.key].corrected.ratio_before(days_ago)
        return round(raw * (power.gain if ratio is None else ratio), 6)

    @callback
    def last(self, identity: str, key: str) -> tuple[float, float] | None:
        """Return the socket's last number and the corrected one, in kWh, None while there is none."""
        counter = self.of(identity)[key]
        if (raw := counter.steady.raw) is None:
            return None
        return raw, round(counter.steady.total + counter.corrected.ahead, 6)

    @callback
    def count_on(self, identity: str) -> float | None:
        """Return the total in kWh that a socket which lost its own is being told.

        It was counted without a correction, which goes on as it was; None where nobody followed it.
        """
        steady = self.of(identity)[ENERGY.key].steady
        if steady.raw is None:
            return None
        steady.expect(steady.total)
        self.save_soon()
        return steady.total

    @callback
    def set_total(self, identity: str, kilowatt_hours: float) -> None:
        """Count on from a value that the socket is being told."""
        self._expect(self.of(identity)[ENERGY.key], kilowatt_hours)

    @callback
    def reset(self, identity: str) -> None:
        """Start anew with a socket whose counters are being set to zero."""
        for counter in self.of(identity).by_key.values():
            self._expect(counter, 0.0)

    def _expect(self, counter: Counter, kilowatt_hours: float) -> None:
        counter.steady.expect(kilowatt_hours)
        counter.corrected.begin(kilowatt_hours, self._now())
        self.save_soon()

    @callback
    def asked(self, identity: str, within: float) -> bool:
        """Follow a reset that somebody asked for at the socket; return whether it is seen yet.

        ``within`` is how many seconds after it the socket may tell so.
        """
        now, seen = self._now(), False
        for counter in self.of(identity).by_key.values():
            seen |= counter.steady.asked(now, within)
        self.save_soon()
        return seen

    @callback
    def moved(self, identity: str) -> None:
        """Count on from the next numbers, which are in another unit or of another meter."""
        for counter in self.of(identity).by_key.values():
            counter.steady.moved = True

    @callback
    def rename(self, identity: str, new: str) -> None:
        """Keep the counters of a socket whose hardware was replaced."""
        if (counters := self._sockets.pop(identity, None)) is not None:
            counters.cleared = ClearDate()
            self._sockets[new] = counters
            self.moved(new)
            self.save_soon()

    @callback
    def save_soon(self) -> None:
        """Save what was counted with a correction that is about to be another one.

        After a crash it would be counted anew, with the new one, and might come out smaller.
        """
        self._save_pending = True
        self._store.async_delay_save(self._data, _SOON)

    @callback
    def restarted(self, identity: str) -> None:
        """Note that a socket may have restarted since its last numbers."""
        if (counters := self._sockets.get(identity)) is not None:
            for counter in counters.by_key.values():
                counter.steady.restarted = True

    async def async_forget(self, identity: str) -> None:
        """Drop the counters of a socket that is removed."""
        if self._sockets.pop(identity, None) is not None:
            await self._store.async_save(self._data())

    async def async_flush(self) -> None:
        """Write what is waiting to be written."""
        if self._save_pending:
            await self._store.async_save(self._data())

    def _now(self) -> float:
        return self._hass.data[SOCKET_ACCESS].now()

    @callback
    def _data(self) -> Stored:
        self._save_pending = False
        return {
            identity: {
                "cleared": counters.cleared.stamp,
                "power_limit": counters.power_limit,
                "counters": {
                    key: counter.steady.as_dict() | counter.corrected.as_dict()
                    for key, counter in counters.by_key.items()
                    if counter.steady.raw is not None
                },
            }
            for identity, counters in self._sockets.items()
        }


class _Store(Store[Stored]):
    @override
    async def _async_migrate_func(
        self, old_major_version: int, old_minor_version: int, old_data: Stored
    ) -> Stored:
        """Give names to what version 1 kept as lists."""
        return {
            identity: {
                "counters": {key: _named(item) for key, item in counters.items()}
            }
            for identity, counters in old_data.items()
        }


def _named(item: list[Any]) -> Stored:
    offset, raw, day, *corrected = item
    ahead, counted, at, watts, ratio = corrected or (0.0, None, 0.0, 0.0, None)
    return {
        "offset": offset,
        "raw": raw,
        "at": at,
        "day": day,
        "ahead": ahead,
        "counted": counted,
        "counted_at": at,
        "watts": watts,
        "ratios": [ratio],
    }


def _read(stored: object) -> Counters:
    if not isinstance(stored, Mapping):
        return Counters()
    stamp, limit = stored.get("cleared"), stored.get("power_limit")
    return Counters(
        by_key=dict(_counters(stored.get("counters"))),
        cleared=ClearDate(stamp=stamp if isinstance(stamp, str) else None),
        power_limit=min(
            ANY_POWER.highest,
            max(DEFAULT_POWER_LIMIT, limit if isinstance(limit, int | float) else 0.0),
        ),
    )


def _counters(stored: object) -> Iterator[tuple[str, Counter]]:
    for key, item in stored.items() if isinstance(stored, Mapping) else ():
        try:
            yield (
                str(key),
                Counter(
                    SteadyCounter.from_dict(item), CorrectedCounter.from_dict(item)
                ),
            )
        except (KeyError, TypeError, ValueError) as err:
            LOGGER.warning("A stored counter of energy is damaged: %s", err)


ENERGY_STORE: Final[HassKey[EnergyStore]] = HassKey(f"{DOMAIN}.energy")
