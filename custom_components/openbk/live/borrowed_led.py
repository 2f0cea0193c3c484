"""An LED that is borrowed to show which socket is which, and given back whatever comes between."""

from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError

from ..const import CONF_PROFILE, DOMAIN, LOGGER
from ..pyopenbk.obk.commands import backlog, pin_commands
from ..pyopenbk.obk.settings import LedUse, with_led_use
from ..pyopenbk.profile import SocketProfile
from .state import SocketState

CONF_BORROWED: Final = "borrowed_led"


async def async_borrow(socket: SocketState, pin: int) -> int:
    """Give the LED on a pin a channel of its own; return the channel.

    The socket keeps roles over a power cut, so the entry notes which LED is to be given back.
    Raises HomeAssistantError if the socket is not there.
    """
    borrowed = with_led_use(socket.profile, pin, LedUse.INDEPENDENT)
    if commands := pin_commands(socket.profile, borrowed):
        _note(socket, pin)
        await socket.async_command(backlog(commands))
    return next(each.channel for each in borrowed.pins if each.pin == pin)


async def async_give_back(socket: SocketState) -> None:
    """Give a borrowed LED the role that the entry has for it by now.

    Raises HomeAssistantError if the socket is not there; then the LED is given back when it comes.
    """
    data = socket.entry.data
    if (pin := data.get(CONF_BORROWED)) is None:
        return
    profile = SocketProfile.from_dict(data[CONF_PROFILE])
    if any(each.pin == pin for each in profile.pins):
        borrowed = with_led_use(profile, pin, LedUse.INDEPENDENT)
        if commands := pin_commands(borrowed, profile):
            await socket.async_command(backlog(commands))
    _note(socket, None)


def _note(socket: SocketState, pin: int | None) -> None:
    data = {
        key: value for key, value in socket.entry.data.items() if key != CONF_BORROWED
    }
    if pin is not None:
        data[CONF_BORROWED] = pin
    socket.hass.config_entries.async_update_entry(socket.entry, data=data)


@callback
def async_give_back_when_there(
    hass: HomeAssistant, socket: SocketState
) -> CALLBACK_TYPE:
    """Give back what could not be given back, as the socket or Home Assistant had gone."""

    @callback
    def look() -> None:
        if socket.online and CONF_BORROWED in socket.entry.data:
            socket.entry.async_create_background_task(
                hass, give_back(), f"{DOMAIN} LED of {socket.entry.title}"
            )

    async def give_back() -> None:
        try:
            await async_give_back(socket)
        except HomeAssistantError as err:
            LOGGER.debug("LED of %s: %s", socket.entry.title, err)

    return socket.listen_online(look)
