"""Events of sockets on Home Assistant's bus, for automations and for the logbook."""

from functools import partial
from typing import Any, Final

from homeassistant.const import ATTR_DEVICE_ID, ATTR_NAME
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback

from ..const import EVENT_SWITCHED, EVENT_UPDATED
from ..pyopenbk.obk.messages import button_key, channel_key
from .state import OpenBekenConfigEntry, SocketState, is_loaded
from .switching import SwitchedBy

ATTR_BEFORE: Final = "before"
ATTR_BY: Final = "by"
ATTR_CHANNEL: Final = "channel"
ATTR_ON: Final = "on"
ATTR_VERSION: Final = "version"


@callback
def fire(hass: HomeAssistant, socket: SocketState, event: str, **data: Any) -> None:
    """Fire an event about a socket, with its device and its name."""
    names = {ATTR_DEVICE_ID: socket.device.id, ATTR_NAME: socket.entry.title}
    hass.bus.async_fire(event, names | data)


@callback
def async_watch_switching(hass: HomeAssistant, socket: SocketState) -> CALLBACK_TYPE:
    """Find out who switches the relays of a socket, and tell it; return what stops it.

    Before the socket is started. What Home Assistant switched has its own line in the logbook.
    """
    if not socket.native:
        return lambda: None
    switching, profile = socket.switching, socket.profile
    stops = [
        socket.listen(
            channel_key(relay.channel), partial(switching.moved, relay.channel)
        )
        for relay in profile.relays
    ]
    stops += [
        socket.listen(button_key(button.pin, first=index == 0), switching.pressed)
        for index, button in enumerate(profile.buttons)
    ]

    @callback
    def switched(who: SwitchedBy, channel: int, on: bool) -> None:
        if who is not SwitchedBy.HOME_ASSISTANT:
            fire(
                hass,
                socket,
                EVENT_SWITCHED,
                **{ATTR_BY: str(who), ATTR_CHANNEL: channel, ATTR_ON: on},
            )

    stops.append(switching.listeners.add(switched))

    @callback
    def stop() -> None:
        for stop_listening in stops:
            stop_listening()

    return stop


@callback
def tell_update(
    hass: HomeAssistant, entry: OpenBekenConfigEntry, version: str, before: str
) -> None:
    """Tell that a socket runs another version, if it is set up."""
    if is_loaded(entry):
        fire(
            hass,
            entry.runtime_data,
            EVENT_UPDATED,
            **{ATTR_VERSION: version, ATTR_BEFORE: before},
        )
