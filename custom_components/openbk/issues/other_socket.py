"""Another socket on the topic of this one, or with its MAC on another: both are named."""

from dataclasses import dataclass
from typing import Final

from homeassistant.components import mqtt
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.util.hass_dict import HassKey

from ..const import CONF_CLIENT_ID, DOMAIN, LOGGER
from ..live.entries import async_entry_of
from ..live.state import OpenBekenConfigEntry, SocketState
from ..network.mqtt import Subscriptions
from ..pyopenbk.beken.rf_sector import is_generic_mac
from ..pyopenbk.foreign_text import markdown_text
from ..pyopenbk.obk.messages import decode_connected
from .of_socket import issue_id_of, leave_issues, raise_issue, withdraw_issues

TOPIC_SHARED: Final = "topic_shared"
TOPIC_OF_ANOTHER: Final = "topic_of_another"
MAC_TWICE: Final = "mac_twice"
RADIO_LOST: Final = "radio_lost"
# Two sockets under one client id throw each other off the broker every 15 s (1.18.299), and say
# their MAC each time.
_OVER_AFTER: Final = 600.0


@callback
def async_watch_other_sockets(
    hass: HomeAssistant, socket: SocketState
) -> CALLBACK_TYPE:
    """Watch who speaks on the topic of a socket; return the function that stops it.

    Before the socket is started.
    """
    watch = _Watch(hass, socket)
    stops = [
        socket.listen("mac", watch.heard),
        socket.listen_online(watch.came_or_went),
    ]
    _show(hass, socket, RADIO_LOST, is_generic_mac(socket.mac))

    @callback
    def stop() -> None:
        for stop_listening in stops:
            stop_listening()
        watch.stop()
        _leave_twin(hass, socket.entry)
        _show(hass, socket, MAC_TWICE, False)
        leave_issues(hass, socket.entry, RADIO_LOST)

    return stop


class _Watch:
    """Which MACs were said on one topic, and when."""

    def __init__(self, hass: HomeAssistant, socket: SocketState) -> None:
        self._hass = hass
        self._socket = socket
        self._own_at: float | None = None
        self._last = ""
        self._other: str | None = None
        self._timer: CALLBACK_TYPE | None = None
        self._is_shared = False

    @callback
    def came_or_went(self) -> None:
        """Let nothing count as the socket's own until whoever has come says its MAC."""
        if self._is_shared:
            self._socket.meter.is_of_another = True

    @callback
    def heard(self, mac: str | None) -> None:
        if mac is None:
            return
        now = self._hass.loop.time()
        self._last = mac
        self._socket.meter.is_of_another = mac != self._socket.mac
        if mac == self._socket.mac:
            self._own_at = now
        else:
            self._other = mac
        if self._other is None:
            return
        shared = self._own_at is not None and now - self._own_at < _OVER_AFTER
        self._tell(TOPIC_SHARED if shared else TOPIC_OF_ANOTHER)
        if mac != self._socket.mac or self._timer is None:
            self._look_again()

    @callback
    def stop(self) -> None:
        self._cancel()
        self._tell(None)

    def _tell(self, issue: str | None) -> None:
        self._is_shared = issue == TOPIC_SHARED
        for kind in (TOPIC_SHARED, TOPIC_OF_ANOTHER):
            _show(
                self._hass,
                self._socket,
                kind,
                kind == issue,
                own_mac=self._socket.mac,
                other_mac=self._other or "",
                other=self._title_of_other,
            )

    @property
    def _title_of_other(self) -> str:
        """Return how the other one is called, where it is set up, too."""
        entry = async_entry_of(self._hass, mac=self._other)
        if entry is None or entry is self._socket.entry:
            return self._other or ""
        return f"{markdown_text(entry.title)} ({self._other})"

    def _look_again(self) -> None:
        self._cancel()
        self._timer = self._hass.loop.call_later(_OVER_AFTER, self._over).cancel

    @callback
    def _over(self) -> None:
        """See who has been there alone for a while, as one says its MAC when it connects."""
        self._timer = None
        # It may have taken the place of the own one: then the total counts on with it.
        self._socket.meter.is_of_another = False
        if self._last == self._socket.mac:
            self._other = None
            self._tell(None)
        else:
            self._tell(TOPIC_OF_ANOTHER)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer()
            self._timer = None


async def async_tell_of_twin(
    hass: HomeAssistant, entry: OpenBekenConfigEntry, client_id: str
) -> None:
    """Tell that a socket with the MAC of an entry speaks on another topic, if both are there.

    It is listened to until it is gone. Of several the last one is told, as anybody can say a MAC.
    """
    if entry.state is not ConfigEntryState.LOADED:
        return
    socket = entry.runtime_data
    if not socket.online or client_id == entry.data[CONF_CLIENT_ID]:
        return
    _show(hass, socket, MAC_TWICE, True, mac=socket.mac, other=markdown_text(client_id))
    twins = hass.data.setdefault(_TWINS, {})
    if (
        known := twins.get(entry.entry_id)
    ) is not None and known.client_id == client_id:
        return
    _leave_twin(hass, entry)

    @callback
    def connected(message: mqtt.ReceiveMessage) -> None:
        if decode_connected(str(message.payload)) is False:
            _show(hass, socket, MAC_TWICE, False)
            _leave_twin(hass, entry)

    topic = f"{client_id}/connected"
    listening = Subscriptions(hass, lambda: [(topic, connected)])
    twins[entry.entry_id] = _Twin(client_id, listening)
    await listening.begin()


@dataclass(frozen=True, slots=True)
class _Twin:
    """A socket that is listened to until it is gone."""

    client_id: str
    listening: Subscriptions


_TWINS: Final[HassKey[dict[str, _Twin]]] = HassKey(f"{DOMAIN}.twins")
"""By the id of the entry with the same MAC."""


@callback
def _leave_twin(hass: HomeAssistant, entry: OpenBekenConfigEntry) -> None:
    """Listen no longer to the twin of the socket of an entry, where there is one."""
    if (twin := hass.data.get(_TWINS, {}).pop(entry.entry_id, None)) is not None:
        twin.listening.end()


def _show(
    hass: HomeAssistant, socket: SocketState, issue: str, on: bool, **values: str
) -> None:
    """Raise an issue about a socket, or withdraw it."""
    entry = socket.entry
    if not on:
        withdraw_issues(hass, entry, issue)
        return
    if ir.async_get(hass).async_get_issue(DOMAIN, issue_id_of(entry, issue)) is None:
        LOGGER.warning("%s: %s", entry.title, issue)
    values["topic"] = markdown_text(socket.client_id)
    raise_issue(hass, entry, issue, values, fixable=False)
