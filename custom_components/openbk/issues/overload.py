"""A load near the limit of a socket's meter, or above it: told as an event and as a repair."""

from enum import StrEnum
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from ..const import EVENT_OVERLOAD
from ..live.energy_store import ENERGY_STORE
from ..live.events import fire
from ..live.state import OpenBekenConfigEntry, SocketState
from ..pyopenbk.quantities import CURRENT, VOLTAGE
from .of_socket import raise_issue, withdraw_issues

ISSUE: Final = "overload"
ATTR_LEVEL: Final = "level"
ATTR_LIMIT: Final = "limit"
ATTR_LOAD: Final = "load"


class Level(StrEnum):
    """How far a load is."""

    NEAR = "near"
    REACHED = "reached"


# Shares of the limit, and for how many seconds they have to last: a motor starts with more.
_LEVELS: Final = ((Level.REACHED, 1.0, 10.0), (Level.NEAR, 0.9, 60.0))
_OVER_BELOW: Final = 0.85


@callback
def async_watch_overload(hass: HomeAssistant, socket: SocketState) -> CALLBACK_TYPE:
    """Watch the load of a socket that has a meter; return the function that stops it.

    Before the socket is started.
    """
    if not socket.profile.has_meter:
        return lambda: None
    watch = _Watch(hass, socket)
    stops = [socket.listen(each.key, watch.heard) for each in (VOLTAGE, CURRENT)]

    @callback
    def stop() -> None:
        for stop_listening in stops:
            stop_listening()
        watch.forget()

    return stop


@callback
def forget_overload(hass: HomeAssistant, entry: OpenBekenConfigEntry) -> None:
    """Withdraw what was told of a socket that is removed."""
    withdraw_issues(hass, entry, ISSUE)


class _Watch:
    """The load of one socket, as volts times amperes, which the firmware does not cut off."""

    def __init__(self, hass: HomeAssistant, socket: SocketState) -> None:
        self._hass = hass
        self._socket = socket
        self._told: Level | None = None
        self._timers: dict[Level, CALLBACK_TYPE] = {}

    @callback
    def forget(self) -> None:
        for cancel in self._timers.values():
            cancel()
        self._timers.clear()

    @property
    def _limit(self) -> float:
        return self._hass.data[ENERGY_STORE].of(self._socket.identity).power_limit

    @property
    def _load(self) -> float:
        volts, amperes = map(self._socket.value, (VOLTAGE.key, CURRENT.key))
        return float(volts or 0.0) * float(amperes or 0.0)

    @callback
    def heard(self, value: float | None) -> None:
        share = self._load / self._limit
        if value is None or share < _OVER_BELOW:
            self.forget()
            self._told = None
            return
        for level, from_share, lasting in _LEVELS:
            if share < from_share:
                if (cancel := self._timers.pop(level, None)) is not None:
                    cancel()
            elif level not in self._timers and self._told not in (level, Level.REACHED):
                self._timers[level] = self._hass.loop.call_later(
                    lasting, self._tell, level
                ).cancel

    @callback
    def _tell(self, level: Level) -> None:
        self._timers.pop(level, None)
        if self._told is Level.REACHED:
            return
        self._told = level
        entry, load, limit = self._socket.entry, self._load, self._limit
        fire(
            self._hass,
            self._socket,
            EVENT_OVERLOAD,
            **{
                ATTR_LEVEL: str(level),
                ATTR_LOAD: round(load),
                ATTR_LIMIT: round(limit),
            },
        )
        raise_issue(
            self._hass,
            entry,
            ISSUE,
            {"load": f"{load:.0f}", "limit": f"{limit:.0f}"},
            text=f"{ISSUE}_{level}",
            persistent=True,
            severity=ir.IssueSeverity.ERROR
            if level is Level.REACHED
            else ir.IssueSeverity.WARNING,
        )
