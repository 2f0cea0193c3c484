"""The clock of a socket: it is set from here, and its days count only while it is right."""

from collections.abc import Callable, Iterable
from datetime import timedelta, tzinfo
from typing import Final

from homeassistant.core import CALLBACK_TYPE, callback
from homeassistant.util import dt as dt_util

from ..helpers import utc_offset
from ..pyopenbk.obk import messages
from ..pyopenbk.obk.builds import version_of
from ..pyopenbk.obk.commands import (
    Command,
    time_command,
    time_zone_command,
    utc_offset_command,
)
from ..pyopenbk.obk.messages import Publication
from ..pyopenbk.obk.releases import Lack, lacks, parse_version
from .presence import Later

# A socket that has just started tells its time before its time server has answered.
_ASK_AGAIN_AFTER: Final = 60.0
_ASK_AGAIN_EVERY: Final = 600.0
_SYNCED_WITHIN: Final = 5.0
_SET_EVERY: Final = 3600.0
# The socket says local seconds, so up to 14 h are no error; one that never learned the time is
# off by decades.
_TOLERANCE: Final = timedelta(days=2).total_seconds()

type Send = Callable[[Iterable[Publication]], None]


class SocketClock:
    """Sets the clock of one socket while it is there, and finds out whether it is right."""

    def __init__(
        self,
        client_id: str,
        send: Send,
        later: Later,
        changed: CALLBACK_TYPE,
        *,
        may_set: bool,
        build: Callable[[], str] = str,
    ) -> None:
        """Prepare for a socket; ``may_set`` is whether the person let us set it up.

        ``build`` tells which firmware it runs, as far as it is known.
        """
        self.right = False
        self.missed = False
        """The socket had time enough to learn the time and did not."""
        self.time_zone: tzinfo | None = None
        """Where the socket's days begin and end; None: where Home Assistant's do."""
        self._client_id = client_id
        self._send = send
        self._later = later
        self._changed = changed
        self._may_set = may_set
        self._build = build
        self._asked = False
        self._was_told = False
        self._timers: dict[CALLBACK_TYPE, CALLBACK_TYPE] = {}

    @callback
    def begin(self) -> None:
        """Set the clock of a socket that has just appeared; it will say what it shows."""
        if self._may_set:
            self.set_clock()
        self._asked = self._was_told = False
        self._again(_ASK_AGAIN_AFTER, self._check)

    @callback
    def stop(self) -> None:
        """Forget a socket that is gone; what it missed stays missed until it says otherwise."""
        self.right = False
        for cancel in self._timers.values():
            cancel()
        self._timers.clear()

    @callback
    def heard(self, seconds: int | None) -> None:
        """Take what the socket says the time is; None where it is gone."""
        right = seconds is not None and self._is_now(seconds)
        was = (self.right, self.missed)
        self.right = right
        if right:
            self.missed = False
        if was != (self.right, self.missed):
            self._changed()

    @callback
    def set_clock(self) -> None:
        """Tell the socket the time and how far that is from UTC, and every hour again.

        It knows no summer time. That begins and ends hours away from midnight, where its energy
        of the day begins. Older firmware takes the offset only, and the time from its server.
        """
        if self._takes_time:
            self._tell(self._now(), time_zone_command(self.utc_offset))
        else:
            self._tell(utc_offset_command(self.utc_offset))
        self._again(_SET_EVERY, self.set_clock)

    @callback
    def _set_time(self) -> None:
        """Tell a socket that somebody else set up the time alone, and every hour again.

        It had none at all, and its own start-up command may have set the zone.
        """
        self._tell(self._now())
        self._again(_SET_EVERY, self._set_time)

    def _tell(self, *commands: Command) -> None:
        self._send([messages.console(self._client_id, each) for each in commands])

    @staticmethod
    def _now() -> Command:
        return time_command(int(dt_util.utcnow().timestamp()))

    @property
    def _takes_time(self) -> bool:
        """Return whether the firmware is known to take the time over MQTT."""
        version = version_of(self._build()) or ""
        return parse_version(
            version
        ) is not None and Lack.TIME_FROM_HOME_ASSISTANT not in lacks(version)

    @property
    def utc_offset(self) -> timedelta:
        """Return how far the socket's time is from UTC now, summer time included."""
        return utc_offset(self.time_zone)

    @callback
    def look_again(self) -> None:
        """Find out soon whether a new time server answers; if it does not, the time is missed anew."""
        self._asked = self.missed = False
        self._again(_SYNCED_WITHIN, self._check)

    @callback
    def _check(self) -> None:
        """Ask again and again until the time is right; its one item comes with the whole list."""
        if self.right:
            return
        again = _ASK_AGAIN_EVERY if self._asked else _ASK_AGAIN_AFTER
        if self._asked and self._takes_time and not self._was_told:
            self._was_told = True
            again = _ASK_AGAIN_AFTER
            (self.set_clock if self._may_set else self._set_time)()
        elif self._asked and not self.missed:
            self.missed = True
            self._changed()
        self._send([messages.publish_all(self._client_id)])
        self._again(again, self._check)
        self._asked = True

    def _again(self, seconds: float, action: CALLBACK_TYPE) -> None:
        self._cancel(action)
        self._timers[action] = self._later(seconds, action)

    def _cancel(self, action: CALLBACK_TYPE) -> None:
        if (cancel := self._timers.pop(action, None)) is not None:
            cancel()

    @staticmethod
    def _is_now(seconds: int) -> bool:
        return abs(seconds - dt_util.utcnow().timestamp()) < _TOLERANCE
