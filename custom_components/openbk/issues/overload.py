"""A load near the limit of a socket's meter, or above it: told as an event and as a repair."""

from datetime import datetime
from enum import StrEnum
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util

from ..const import DOMAIN, EVENT_OVERLOAD
from ..live.energy_store import ENERGY_STORE
from ..live.events import fire
from ..live.state import SocketState
from ..pyopenbk.metering.series import DEFAULT_POWER_LIMIT
from ..pyopenbk.quantities import CURRENT, VOLTAGE
from .of_socket import is_ignored, issue_id_of, raise_issue, withdraw_issues

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
# A meter on a serial line has no limit of its own (drv_bl0942, drv_cse7766 of 1.18.299), but a
# plug-in socket has: 16 A. Nothing that it measures says that it is made for more, as a socket
# that is overloaded measures the same; a person can say so by ignoring the issue.
_RATED: Final = "overload_rated"
_OVER: Final = "overload_over"
"""The text once the load is small again."""
# Whoever was not at home sees it in the evening, and once more the next morning.
_NEWS_FOR: Final = 86400.0
_OVER_SINCE: Final = "over_since"


@callback
def async_watch_overload(hass: HomeAssistant, socket: SocketState) -> CALLBACK_TYPE:
    """Watch the load of a socket that has a meter; return the function that stops it.

    Before the socket is started.
    """
    if not socket.profile.has_meter:
        return lambda: None
    watch = _Watch(hass, socket)
    watch.resume()
    stops = [socket.listen(each.key, watch.heard) for each in (VOLTAGE, CURRENT)]

    @callback
    def stop() -> None:
        for stop_listening in stops:
            stop_listening()
        watch.stop()

    return stop


class _Watch:
    """The load of one socket, as volts times amperes, which the firmware does not cut off."""

    def __init__(self, hass: HomeAssistant, socket: SocketState) -> None:
        self._hass = hass
        self._socket = socket
        self._told: Level | None = None
        self._timers: dict[Level, CALLBACK_TYPE] = {}
        self._is_up = False
        """An issue tells of a load that was not seen to be small again."""
        self._cancel_end: CALLBACK_TYPE | None = None

    @callback
    def resume(self) -> None:
        """Go on with an issue that is there, as after a restart of Home Assistant."""
        if (issue := self._issue) is None:
            return
        since = dt_util.parse_datetime(str((issue.data or {}).get(_OVER_SINCE)))
        self._is_up = since is None
        self._end_after(since or issue.created)

    @callback
    def stop(self) -> None:
        """Leave no timer behind."""
        self._forget()
        if self._cancel_end is not None:
            self._cancel_end()
            self._cancel_end = None

    def _forget(self) -> None:
        for cancel in self._timers.values():
            cancel()
        self._timers.clear()

    @property
    def _issue(self) -> ir.IssueEntry | None:
        issue_id = issue_id_of(self._socket.entry, ISSUE)
        return ir.async_get(self._hass).async_get_issue(DOMAIN, issue_id)

    @property
    def _limit(self) -> float:
        if self._socket.profile.serial_meter is not None:
            return DEFAULT_POWER_LIMIT
        return self._hass.data[ENERGY_STORE].of(self._socket.identity).power_limit

    @property
    def _is_known(self) -> bool:
        keys = (VOLTAGE.key, CURRENT.key)
        return all(self._socket.value(key) is not None for key in keys)

    @property
    def _load(self) -> float:
        volts, amperes = map(self._socket.value, (VOLTAGE.key, CURRENT.key))
        return float(volts or 0.0) * float(amperes or 0.0)

    @callback
    def heard(self, value: float | None) -> None:
        share = self._load / self._limit
        if value is None or share < _OVER_BELOW:
            self._forget()
            self._told = None
            if self._is_up and value is not None and self._is_known:
                self._over()
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
        self._is_up = True
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
            {ATTR_LOAD: f"{load:.0f}", ATTR_LIMIT: f"{limit:.0f}"},
            text=f"{ISSUE}_{level}"
            if self._socket.profile.serial_meter is None
            else _RATED,
            persistent=True,
            severity=ir.IssueSeverity.ERROR
            if level is Level.REACHED
            else ir.IssueSeverity.WARNING,
        )
        self._end_after(dt_util.utcnow())

    def _over(self) -> None:
        """Say that the load is small again, for somebody who comes home later."""
        self._is_up = False
        if (issue := self._issue) is None:
            return
        now = dt_util.utcnow()
        raise_issue(
            self._hass,
            self._socket.entry,
            ISSUE,
            {
                key: value
                for key, value in (issue.translation_placeholders or {}).items()
                if key in (ATTR_LOAD, ATTR_LIMIT)
            },
            text=_OVER,
            persistent=True,
            data={_OVER_SINCE: now.isoformat()},
        )
        self._end_after(now)

    def _end_after(self, moment: datetime) -> None:
        if self._cancel_end is not None:
            self._cancel_end()
        age = (dt_util.utcnow() - moment).total_seconds()
        left = min(_NEWS_FOR, max(0.0, _NEWS_FOR - age))
        self._cancel_end = self._hass.loop.call_later(left, self._end).cancel

    @callback
    def _end(self) -> None:
        """Withdraw what is no longer news, but for what a person wants to be ignored."""
        self._cancel_end = None
        if self._told is not None:
            # It still flows. It ends a day after that does.
            self._end_after(dt_util.utcnow())
        elif not is_ignored(self._hass, self._socket.entry, ISSUE):
            self._is_up = False
            withdraw_issues(self._hass, self._socket.entry, ISSUE)
