"""A socket that is silent but not gone: its web server tells under which name and where it reports."""

from typing import Final

from homeassistant.components import mqtt
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from ..const import CONF_ADDRESS, CONF_MAC, DOMAIN, LOGGER
from ..live.entries import async_follow
from ..live.state import SocketState
from ..network.consoles import console_at
from ..pyopenbk.obk.console import ConsoleError, SocketInfo

ISSUE: Final = "elsewhere"

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
            self.stop()
        elif self._timer is None:
            self._look_in(_SILENT_FOR)

    @callback
    def stop(self) -> None:
        if self._timer is not None:
            self._timer()
            self._timer = None
        ir.async_delete_issue(self._hass, DOMAIN, self._issue_id)

    def _look_in(self, seconds: float) -> None:
        self._timer = self._hass.loop.call_later(seconds, self._look).cancel

    @property
    def _issue_id(self) -> str:
        return f"{ISSUE}_{self._socket.entry.entry_id}"

    @callback
    def _look(self) -> None:
        self._look_in(_ASK_AGAIN_EVERY)
        entry = self._socket.entry
        # While the broker is gone all sockets are silent, and it is not for them to say why.
        if entry.data[CONF_ADDRESS] and mqtt.is_connected(self._hass):
            entry.async_create_background_task(
                self._hass, self._ask(), f"openbk whereabouts of {entry.title}"
            )

    async def _ask(self) -> None:
        entry = self._socket.entry
        try:
            info = await console_at(self._hass, entry.data[CONF_ADDRESS]).info()
        except ConsoleError as err:
            LOGGER.debug("%s is silent: %s", entry.title, err)
            return
        if info.mac != entry.data[CONF_MAC] or self._socket.online:
            return
        if not async_follow(self._hass, entry, client_id=info.client_id):
            self._raise_issue(info)

    def _raise_issue(self, info: SocketInfo) -> None:
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            self._issue_id,
            is_fixable=False,
            severity=ir.IssueSeverity.WARNING,
            translation_key=ISSUE,
            translation_placeholders={
                "name": self._socket.entry.title,
                "broker": info.broker,
            },
        )
