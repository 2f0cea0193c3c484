"""A socket that starts again and again: it is told, and safe mode is kept away from it."""

from collections import deque
from functools import partial
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util

from ..const import DOMAIN, EVENT_RESTARTED
from ..live.events import fire
from ..live.state import OpenBekenConfigEntry, SocketState
from ..pyopenbk.obk.commands import full_boot_time_command
from ..updating.updates import UPDATES
from .of_socket import issue_id_of, raise_issue, withdraw_issues

ISSUE: Final = "restarts"

# Setting a socket up or updating it takes up to three.
_TOO_MANY: Final = 5
_WITHIN: Final = 3600.0
# It is told as long as somebody may want to know of it.
_TOLD_FOR: Final = 24 * _WITHIN
# The socket says its uptime late by up to the length of its list.
_LATE: Final = 15.0
# A start counts as good after this many seconds instead of five; one byte, 1 at least (1.18.299).
_GOOD_AFTER: Final = 1


@callback
def async_watch_restarts(hass: HomeAssistant, socket: SocketState) -> CALLBACK_TYPE:
    """Count the starts of a socket; return the function that stops it.

    Before the socket is started.
    """
    watch = _Watch(hass, socket)
    watch.go_on()
    stop_listening = [
        socket.listen("uptime", watch.heard),
        socket.listen("mac", watch.heard_mac),
    ]

    @callback
    def stop() -> None:
        for each in stop_listening:
            each()
        watch.stop()

    return stop


async def async_shorten_start(entry: OpenBekenConfigEntry) -> None:
    """Let a start count as good sooner; raises HomeAssistantError if the socket is not there."""
    await entry.runtime_data.async_command(full_boot_time_command(_GOOD_AFTER))


class _Watch:
    """When one socket started, in seconds of the loop."""

    def __init__(self, hass: HomeAssistant, socket: SocketState) -> None:
        self._hass = hass
        self._socket = socket
        self._update = hass.data[UPDATES].of(socket.identity)
        self._booted: float | None = None
        self._starts: deque[float] = deque(maxlen=_TOO_MANY)
        self._timer: CALLBACK_TYPE | None = None
        self._is_other = False
        """Another socket speaks on its topic just now, which says its MAC before its uptime."""

    @callback
    def heard_mac(self, mac: str | None) -> None:
        if mac is not None:
            self._is_other = mac != self._socket.mac

    @callback
    def stop(self) -> None:
        if self._timer is not None:
            self._timer()

    @callback
    def go_on(self) -> None:
        """Let what was told before Home Assistant started be over when its time has come."""
        issue_id = issue_id_of(self._socket.entry, ISSUE)
        issue = ir.async_get(self._hass).async_get_issue(DOMAIN, issue_id)
        if issue is not None:
            age = (dt_util.utcnow() - issue.created).total_seconds()
            self._forget_in(max(0.0, _TOLD_FOR - age))

    def _forget_in(self, seconds: float) -> None:
        self.stop()
        over = partial(withdraw_issues, self._hass, self._socket.entry, ISSUE)
        self._timer = self._hass.loop.call_later(seconds, over).cancel

    @callback
    def heard(self, uptime: int | None) -> None:
        if uptime is None or self._is_other:
            return
        now = self._hass.loop.time()
        before, self._booted = self._booted, now - uptime
        if before is None or self._booted < before + _LATE:
            return
        if self._update.stage is not None:
            # Whoever updates it restarts it.
            return
        fire(self._hass, self._socket, EVENT_RESTARTED)
        self._starts.append(now)
        if len(self._starts) == _TOO_MANY and now - self._starts[0] < _WITHIN:
            self._tell()

    def _tell(self) -> None:
        entry = self._socket.entry
        raise_issue(
            self._hass, entry, ISSUE, {"count": str(_TOO_MANY)}, persistent=True
        )
        self._forget_in(_TOLD_FOR)
