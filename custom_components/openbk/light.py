"""The LEDs of a socket that Home Assistant controls."""

from dataclasses import dataclass
from functools import cache

from homeassistant.components.light import (
    ColorMode,
    LightEntity,
    LightEntityDescription,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import ChannelDescription, ChannelEntity
from .live.state import OpenBekenConfigEntry
from .pyopenbk.obk.settings import LedName, led_name
from .pyopenbk.profile import PinAssignment

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class LedDescription(ChannelDescription, LightEntityDescription):
    """An LED and its channel."""


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


class LedLight(ChannelEntity, LightEntity):
    """An LED with a channel of its own."""

    entity_description: LedDescription
    color_mode = ColorMode.ONOFF
    supported_color_modes = {ColorMode.ONOFF}
