"""What a socket can be told to do once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final, override

from homeassistant.components.button import (
    ButtonDeviceClass,
    ButtonEntity,
    ButtonEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONF_DARK_LEDS
from .entity import OpenBekenEntity
from .live.borrowed_led import async_borrow, async_give_back
from .live.state import OpenBekenConfigEntry, SocketState
from .pyopenbk.obk.commands import restart_command
from .pyopenbk.obk.messages import channel_key, set_channel
from .pyopenbk.obk.settings import LedUse, led_pins, led_use

PARALLEL_UPDATES = 1

_BLINKS: Final = 5
_BLINK_SECONDS: Final = 0.4


@dataclass(frozen=True, kw_only=True)
class OpenBekenButtonDescription(ButtonEntityDescription):
    """A button and what pressing it does."""

    press_fn: Callable[[SocketState], Awaitable[None]]
    has_fn: Callable[[SocketState], bool] = lambda _: True


async def _blink(socket: SocketState) -> None:
    """Blink an LED; one that shows something else is borrowed for it."""
    profile = socket.profile
    leds = led_pins(profile)
    led = next(
        (led for led in leds if led_use(profile, led) is LedUse.INDEPENDENT), leds[0]
    )
    is_borrowed = led_use(profile, led) is not LedUse.INDEPENDENT
    was = 0 if is_borrowed else socket.value(channel_key(led.channel)) or 0
    try:
        channel = await async_borrow(socket, led.pin)
        for blink in range(2 * _BLINKS):
            await socket.async_send(
                set_channel(socket.client_id, channel, (blink + 1) % 2)
            )
            await asyncio.sleep(_BLINK_SECONDS)
    finally:
        if is_borrowed:
            await async_give_back(socket)
        else:
            # Somebody may have chosen meanwhile that it stays dark.
            dark = led.pin in socket.entry.data.get(CONF_DARK_LEDS, ())
            await socket.async_send(
                set_channel(socket.client_id, led.channel, 0 if dark else int(was))
            )


BUTTONS: Final[tuple[OpenBekenButtonDescription, ...]] = (
    OpenBekenButtonDescription(
        key="restart",
        device_class=ButtonDeviceClass.RESTART,
        entity_category=EntityCategory.CONFIG,
        press_fn=lambda socket: socket.async_command(restart_command()),
    ),
    OpenBekenButtonDescription(
        key="identify",
        device_class=ButtonDeviceClass.IDENTIFY,
        entity_category=EntityCategory.CONFIG,
        has_fn=lambda socket: bool(led_pins(socket.profile)),
        press_fn=_blink,
    ),
    OpenBekenButtonDescription(
        key="reset_energy",
        translation_key="reset_energy",
        entity_category=EntityCategory.CONFIG,
        has_fn=lambda socket: socket.profile.has_meter,
        press_fn=lambda socket: socket.async_reset_energy(),
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: OpenBekenConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the buttons that make sense for the socket."""
    socket = entry.runtime_data
    async_add_entities(_buttons(socket))


def _buttons(socket: SocketState) -> Iterator[SocketButton]:
    return (
        SocketButton(socket, description)
        for description in BUTTONS
        if description.has_fn(socket)
    )


class SocketButton(OpenBekenEntity, ButtonEntity):
    """A button on the device page."""

    entity_description: OpenBekenButtonDescription
    capability_attributes = None
    state_attributes = None

    @override
    async def async_press(self) -> None:
        """Tell the socket."""
        await self.entity_description.press_fn(self.socket)
