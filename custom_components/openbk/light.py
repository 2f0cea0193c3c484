"""The LEDs of a socket that Home Assistant controls."""

from typing import Any, override

from homeassistant.components.light import (
    ColorMode,
    LightEntity,
    LightEntityDescription,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONF_DARK_LEDS
from .device import OpenBekenConfigEntry, SocketState
from .entity import ValueEntity
from .pyopenbk.obk.messages import channel_key
from .pyopenbk.obk.settings import LedUse, led_pins, led_use
from .pyopenbk.profile import PinAssignment

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: OpenBekenConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up a light for each LED that is independent."""
    socket = entry.runtime_data
    async_add_entities(
        LedLight(socket, led)
        for led in led_pins(socket.profile)
        if led_use(socket.profile, led) is LedUse.INDEPENDENT
        and led.pin not in entry.data.get(CONF_DARK_LEDS, ())
    )


class LedLight(ValueEntity, LightEntity):
    """An LED with a channel of its own."""

    is_on: bool | None = None
    _attr_color_mode = ColorMode.ONOFF
    _attr_supported_color_modes = {ColorMode.ONOFF}

    def __init__(self, socket: SocketState, led: PinAssignment) -> None:
        """Control the LED on its channel."""
        super().__init__(
            socket,
            channel_key(led.channel),
            LightEntityDescription(key=f"led_{led.pin}", translation_key="led"),
        )
        self._channel = led.channel
        self._attr_translation_placeholders = {"pin": f"P{led.pin}"}

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Light the LED."""
        await self.socket.async_set_channel(self._channel, 1)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Put the LED out."""
        await self.socket.async_set_channel(self._channel, 0)

    @override
    @callback
    def _take(self, value: int | None) -> None:
        self.available = value is not None
        self.is_on = None if value is None else value != 0
