"""A socket that is silent: why, and what a person can do about it."""

from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback

from ..const import CONF_ADDRESS, CONF_CLIENT_ID, CONF_MAC
from ..live.entries import async_follow
from ..live.state import SocketState
from ..network.silence import Cause, Silence, async_diagnose
from ..pyopenbk.foreign_text import markdown_text
from ..updating.updates import UPDATES
from .of_socket import leave_issues, raise_issue, withdraw_issues

ISSUE: Final = "elsewhere"
_TOLD: Final = {
    Cause.OTHER_BROKER: ISSUE,
    Cause.OTHER_TOPIC: "silent_other_topic",
    Cause.NOT_CONNECTED: "silent_not_connected",
    Cause.SOCKET_RIGHTS: "silent_socket_rights",
    Cause.OWN_RIGHTS: "silent_own_rights",
}

# Longer than a restart of the socket, of the broker or of the Wi-Fi.
_SILENT_FOR: Final = 180.0
_ASK_AGAIN_EVERY: Final = 1800.0


@callback
def async_watch_whereabouts(hass: HomeAssistant, socket: SocketState) -> CALLBACK_TYPE:
    """Look for a socket whenever it is silent for long; return the function that stops it."""
    watch = _Watch(hass, socket)
    stop_listening = socket.listen_online(watch.online_changed)
    watch.online_changed()

    @callback
    def stop() -> None:
        stop_listening()
        watch.stop()

    return stop


class _Watch:
    def __init__(self, hass: HomeAssistant, socket: SocketState) -> None:
        self._hass = hass
        self._socket = socket
        self._timer: CALLBACK_TYPE | None = None

    @callback
    def online_changed(self) -> None:
        if self._socket.online:
            self._look_no_more()
            withdraw_issues(self._hass, self._socket.entry, ISSUE)
        elif self._timer is None:
            self._look_in(_SILENT_FOR)

    @callback
    def stop(self) -> None:
        self._look_no_more()
        leave_issues(self._hass, self._socket.entry, ISSUE)

    def _look_no_more(self) -> None:
        if self._timer is not None:
            self._timer()
            self._timer = None

    def _look_in(self, seconds: float) -> None:
        self._timer = self._hass.loop.call_later(seconds, self._look).cancel

    @callback
    def _look(self) -> None:
        self._look_in(_ASK_AGAIN_EVERY)
        entry = self._socket.entry
        if self._hass.data[UPDATES].of(self._socket.identity).stage is not None:
            # Nobody hears of a socket whose firmware is being updated.
            return
        entry.async_create_background_task(
            self._hass, self._ask(), f"openbk whereabouts of {entry.title}"
        )

    async def _ask(self) -> None:
        entry = self._socket.entry
        silence = await async_diagnose(
            self._hass,
            entry.data[CONF_CLIENT_ID],
            entry.data[CONF_MAC],
            entry.data[CONF_ADDRESS],
        )
        if self._socket.online:
            return
        if silence.cause is Cause.OTHER_TOPIC and async_follow(
            self._hass, entry, client_id=silence.client_id
        ):
            return
        self._tell(silence)

    def _tell(self, silence: Silence) -> None:
        """Tell what a person can do something about; whoever unplugged it knows that."""
        if silence.cause not in _TOLD:
            withdraw_issues(self._hass, self._socket.entry, ISSUE)
            return
        raise_issue(
            self._hass,
            self._socket.entry,
            ISSUE,
            {
                "topic": markdown_text(self._socket.client_id),
                "broker": markdown_text(silence.broker or ""),
                "other_topic": markdown_text(silence.client_id or ""),
            },
            text=_TOLD[silence.cause],
            fixable=False,
        )
