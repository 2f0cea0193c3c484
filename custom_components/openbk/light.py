"""The LEDs of a socket that Home Assistant controls."""

from dataclasses import dataclass
from functools import cache
from typing import Any, override

from homeassistant.components.light import (
    ColorMode,
    LightEntity,
    LightEntityDescription,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import ValueEntity
from .live.state import OpenBekenConfigEntry
from .pyopenbk.obk.messages import channel_key
from .pyopenbk.obk.settings import LedName, led_name
from .pyopenbk.profile import PinAssignment

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class LedDescription(LightEntityDescription):
    """An LED and its channel."""

    channel: int


@cache
def _describe(led: PinAssignment, name: LedName) -> LedDescription:
    """Describe an LED, once for all sockets."""
    return LedDescription(
        key=f"led_{led.pin}",
        translation_key=name,
        translation_placeholders={"pin": f"P{led.pin}"},
        channel=led.channel,
    )


async def async_setup_entry(
    hass: HomeAssistant,
    entry: OpenBekenConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up a light for each LED that is independent."""
    socket = entry.runtime_data
    async_add_entities(
        LedLight(socket, _describe(led, led_name(socket.first_led_uses, led)))
        for led in socket.lights
    )


class LedLight(ValueEntity, LightEntity):
    """An LED with a channel of its own."""

    entity_description: LedDescription
    color_mode = ColorMode.ONOFF
    is_on: bool | None = None
    supported_color_modes = {ColorMode.ONOFF}
    unit_of_measurement = None

    @property
    @override
    def value_key(self) -> str:
        """Return the key of the LED's channel."""
        return channel_key(self.entity_description.channel)

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Light the LED."""
        await self.socket.async_set_channel(self.entity_description.channel, 1)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Put the LED out."""
        await self.socket.async_set_channel(self.entity_description.channel, 0)

    @override
    @callback
    def _take(self, value: int | None) -> None:
        self.available = value is not None
        self.is_on = None if value is None else value != 0
