"""Looks now and then whether what a socket says can be true, and raises a repair issue if not."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from math import ceil
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from ..helpers import written
from ..live.reporting import Reporting
from ..live.state import SocketState
from ..network.consoles import SOCKET_ACCESS
from ..pyopenbk.metering.load import LoadSteps
from ..pyopenbk.metering.plausibility import Contradiction, Readings, contradictions
from ..pyopenbk.quantities import CURRENT, POWER, VOLTAGE
from .of_socket import (
    CALIBRATION_MANUAL,
    is_ignored,
    leave_issues,
    raise_issue,
    withdraw_issues,
)

ISSUE: Final = "implausible"

_EVERY: Final = 60.0
# Readings that belong to two loads are gone once all of them were said again; a fault stays.
_RAISE_AFTER: Final = 5
# A load that switches itself on and off is never there for long enough to be said whole. After a
# step, current and power are said again twice: the first time with a part of the load before.
_SETTLED_AFTER: Final = 15.0
_SAID_AGAIN: Final = 2
_CLEAR_AFTER: Final = 5


@dataclass(slots=True)
class _Suspicion:
    contradiction: Contradiction | None = None
    """None as long as only an issue tells of one, from before the socket was set up anew."""
    seen: int = 0
    clean: int = 0


class _Watch:
    """One timer for all sockets, as long as there are any."""

    def __init__(self, hass: HomeAssistant) -> None:
        self.hass = hass
        self.sockets: list[SocketState] = []
        self.suspicions: dict[str, _Suspicion] = {}
        self._loads: dict[str, LoadSteps] = {}
        self._listening: dict[str, list[CALLBACK_TYPE]] = {}
        self._stop: CALLBACK_TYPE | None = None

    @callback
    def add(self, socket: SocketState) -> None:
        self.sockets.append(socket)
        self._follow(socket)
        if is_ignored(self.hass, socket.entry, ISSUE):
            self.suspicions[socket.entry.entry_id] = _Suspicion()
        if self._stop is None:
            every = timedelta(seconds=_EVERY / self.hass.data[SOCKET_ACCESS].speed)
            self._stop = async_track_time_interval(self.hass, self._look, every)

    @callback
    def remove(self, socket: SocketState) -> None:
        self.sockets.remove(socket)
        self.suspicions.pop(socket.entry.entry_id, None)
        self._loads.pop(socket.entry.entry_id)
        for stop in self._listening.pop(socket.entry.entry_id):
            stop()
        leave_issues(self.hass, socket.entry, ISSUE)
        if not self.sockets and self._stop is not None:
            self._stop()
            self._stop = None

    def _follow(self, socket: SocketState) -> None:
        """Note when the load changes, as far as somebody wants to know of its readings."""
        load = self._loads[socket.entry.entry_id] = LoadSteps()
        self._listening[socket.entry.entry_id] = [
            socket.listen(key, partial(self._heard, load, key))
            for key in (CURRENT.key, POWER.key)
            if socket.values.is_wanted(key)
        ]

    @callback
    def _heard(self, load: LoadSteps, key: str, value: float | None) -> None:
        load.take(key, value, self._now())

    def _is_settled(self, socket: SocketState) -> bool:
        reporting = Reporting.of(socket.entry.options) or Reporting()
        since = self._now() - self._loads[socket.entry.entry_id].at
        # A clock that was set back tells nothing.
        return not 0 <= since < max(_SETTLED_AFTER, _SAID_AGAIN * reporting.every)

    def _now(self) -> float:
        return self.hass.data[SOCKET_ACCESS].now()

    @callback
    def forget(self, socket: SocketState) -> None:
        if self.suspicions.pop(socket.entry.entry_id, None) is not None:
            withdraw_issues(self.hass, socket.entry, ISSUE)

    @callback
    def _look(self, _: datetime) -> None:
        for socket in self.sockets:
            if socket.online and self._is_settled(socket):
                self._look_at(socket)

    def _look_at(self, socket: SocketState) -> None:
        entry_id = socket.entry.entry_id
        suspicion = self.suspicions.get(entry_id)
        now = found(socket)
        if not now:
            if suspicion is not None:
                suspicion.clean += 1
                if suspicion.clean >= _CLEAR_AFTER:
                    self.forget(socket)
            return
        if suspicion is None or suspicion.contradiction not in (None, *now):
            self.forget(socket)
            suspicion = self.suspicions[entry_id] = _Suspicion()
        suspicion.contradiction = contradiction = suspicion.contradiction or now[0]
        suspicion.clean = 0
        suspicion.seen += 1
        if suspicion.seen == _looks_before_raising(socket):
            _raise(self.hass, socket, contradiction)


_WATCH: Final[HassKey[_Watch]] = HassKey(f"{DOMAIN}.plausibility")


@callback
def async_watch_plausibility(hass: HomeAssistant, socket: SocketState) -> CALLBACK_TYPE:
    """Watch a socket that has a meter; return the function that stops it."""
    if not socket.profile.has_meter:
        return lambda: None
    if (watch := hass.data.get(_WATCH)) is None:
        watch = hass.data[_WATCH] = _Watch(hass)
    watch.add(socket)
    return partial(watch.remove, socket)


def _looks_before_raising(socket: SocketState) -> int:
    """Return how many looks in a row have to show the same before it is told.

    A reading that moves by less than was chosen is said anew at rest only.
    """
    reporting = Reporting.of(socket.entry.options) or Reporting()
    return max(_RAISE_AFTER, 2 + ceil(reporting.at_rest / _EVERY))


def found(socket: SocketState) -> tuple[Contradiction, ...]:
    """Return how the values shown now contradict each other; empty while some are missing."""
    shown = [socket.value(quantity.key) for quantity in (VOLTAGE, CURRENT, POWER)]
    if any(value is None for value in shown):
        return ()
    volts, amperes, watts = (float(value or 0.0) for value in shown)
    doubt = socket.calibration.uncertainty
    return contradictions(
        Readings(
            voltage=volts,
            current=amperes,
            power=watts,
            voltage_uncertainty=doubt(VOLTAGE.key, volts),
            current_uncertainty=doubt(CURRENT.key, amperes),
            power_uncertainty=doubt(POWER.key, watts),
        ),
        relay_closed=not socket.all_relays_open,
    )


def _raise(
    hass: HomeAssistant, socket: SocketState, contradiction: Contradiction
) -> None:
    raise_issue(
        hass,
        socket.entry,
        ISSUE,
        {
            quantity.key: written(
                hass, f"{socket.value(quantity.key):.{quantity.decimals}f}"
            )
            for quantity in (VOLTAGE, CURRENT, POWER)
        },
        text=f"implausible_{contradiction}",
        fixable=False,
        learn_more_url=CALIBRATION_MANUAL,
    )
