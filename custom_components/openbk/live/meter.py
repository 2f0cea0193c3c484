"""The energy meter of one socket: its unit, its resets, and what it can have counted."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from ..const import LOGGER
from ..network.consoles import SOCKET_ACCESS
from ..pyopenbk.metering.correction import Correction
from ..pyopenbk.metering.energy import EXPLAINED_WITHIN
from ..pyopenbk.metering.units import UnitWitness
from ..pyopenbk.quantities import ENERGY, HIGHEST_POWER, METER
from .energy_store import ENERGY_STORE, CurrentCorrection

COUNTERS: Final = frozenset(item.key for item in METER if item.grows)
PAST: Final = {item.key: item for item in METER if item.is_over}
_DAILY: Final = frozenset(item.key for item in METER if item.days_ago == 0)
_KILO: Final = 1000.0
# What is said at rest comes so many seconds later than it was told to, at most.
_LATE: Final = 40.0


class SocketMeter:
    """Makes energies to be shown of what one socket says."""

    def __init__(
        self,
        hass: HomeAssistant,
        identity: str,
        correction: CurrentCorrection,
        today: Callable[[], int],
        *,
        in_kwh: bool | None,
        unit_found: Callable[[bool], None],
        feeds_in: bool = False,
        highest_power: float = HIGHEST_POWER,
        at_rest: float = 0.0,
    ) -> None:
        """Prepare for a socket; ``in_kwh`` is its unit where that is known.

        ``today`` returns the ordinal of the socket's day; ``unit_found`` is called with the unit
        when it turns out to be another. ``at_rest`` is after how many seconds it says again what
        has not changed.
        """
        self._hass = hass
        self._identity = identity
        self._correction = correction
        self._today = today
        self._store = hass.data[ENERGY_STORE]
        if in_kwh is None and self._store.last(identity, ENERGY.key) is not None:
            # It was followed in Wh so far; if that is wrong, it shows.
            in_kwh = False
        self._witness = UnitWitness(in_kwh=in_kwh)
        self._unit_found = unit_found
        self.feeds_in = feeds_in
        """Its power may be below zero, as behind a solar inverter; else the firmware says zero."""
        self.highest_power = highest_power
        """The most in W that it can measure."""
        self._told_within = max(EXPLAINED_WITHIN, at_rest + _LATE)
        self._reading: float | None = None
        """The last power in W above zero, by which it counts."""
        self._booted: datetime | None = None
        self._cleared: str | None = None
        self.is_of_another = False
        """Another socket speaks on the topic, or may: nothing is lost, as the own one counts on."""

    @property
    def in_kwh(self) -> bool | None:
        """Return whether the socket counts in kWh, None while nobody can know."""
        return self._witness.in_kwh

    @property
    def lowest_power(self) -> float:
        """Return the least in W that it can measure."""
        return -self.highest_power if self.feeds_in else 0.0

    @property
    def lost_counters(self) -> bool:
        """Return whether the socket forgot what it had counted, as one whose flash was erased."""
        counters = self._store.of(self._identity).by_key
        return ENERGY.key in counters and counters[ENERGY.key].steady.lost

    @property
    def held_back(self) -> dict[str, int]:
        """Return how many numbers could not follow upon the last one, by the key."""
        counters = self._store.of(self._identity).by_key
        return {
            key: counter.steady.refused
            for key, counter in sorted(counters.items())
            if counter.steady.refused
        }

    @callback
    def begin(self) -> None:
        """Begin with a socket that may have restarted."""
        self._store.restarted(self._identity)
        self._witness.forget()
        self._booted = self._cleared = self._reading = None

    @callback
    def power(self, watts: float) -> None:
        """Take a power as the socket measured it."""
        if self.is_of_another:
            return
        counters = self._store.of(self._identity)
        counters.power_limit = max(counters.power_limit, abs(watts))
        self._witness.power(watts, self._now())
        if watts > 0:
            self._reading = watts

    def energy(self, key: str, number: float) -> float | None:
        """Return what is shown for an energy, None while its unit is not known or another speaks.

        ``number`` is what the socket said, in kWh if it counts in Wh.
        """
        if self.is_of_another:
            return None
        if key == ENERGY.key and self._witness.counter(number * _KILO, self._now()):
            self._take_unit()
        if self.in_kwh is None:
            return None
        raw = round(number * _KILO, 6) if self.in_kwh else number
        correction: Correction | None = self._correction()
        if (past := PAST.get(key)) is not None:
            days_ago = past.days_ago
            return self._store.scale(self._identity, raw, correction, days_ago)
        day = self._today() if key in _DAILY else None
        return self._store.follow(
            self._identity, key, raw, day, correction, self._reading
        )

    @callback
    def learn_unit(self, in_kwh: bool) -> None:
        """Take over the unit that the socket is set to."""
        if in_kwh is not self.in_kwh:
            self._witness.in_kwh = in_kwh
            self._take_unit()

    @callback
    def uptime(self, seconds: int | None) -> None:
        """Take for how long the socket runs, None where it is gone."""
        if seconds is not None and not self.is_of_another:
            self._booted = dt_util.utcnow() - timedelta(
                seconds=seconds / self._hass.data[SOCKET_ACCESS].speed
            )
            self._look_at_stamp()

    @callback
    def cleared(self, stamp: str | None) -> None:
        """Take the time stamp of the last reset, None where the socket is gone."""
        if self.is_of_another:
            return
        self._cleared = stamp
        self._look_at_stamp()

    def _look_at_stamp(self) -> None:
        # Only with the time of the boot is it known what a stamp means.
        if self._booted is None or self._cleared is None:
            return
        cleared = self._store.of(self._identity).cleared
        if cleared.update(self._cleared, self._booted):
            self._store.asked(self._identity, self._told_within)
        self._cleared = None

    def _take_unit(self) -> None:
        in_kwh = bool(self.in_kwh)
        LOGGER.info("A socket counts its energy in %s", "kWh" if in_kwh else "Wh")
        self._store.moved(self._identity)
        self._unit_found(in_kwh)

    def _now(self) -> float:
        return self._hass.data[SOCKET_ACCESS].now()
