"""The inputs of a socket."""

from dataclasses import dataclass
from functools import cache
from typing import override

from homeassistant.components.binary_sensor import (
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import ValueEntity
from .live.state import OpenBekenConfigEntry
from .pyopenbk.obk.messages import channel_key

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class InputDescription(BinarySensorEntityDescription):
    """An input and its channel."""

    channel: int


@cache
def _describe(channel: int, *, single: bool) -> InputDescription:
    """Describe the input on a channel, once for all sockets."""
    return InputDescription(
        key=f"input_{channel}",
        translation_key="input" if single else "input_of_many",
        translation_placeholders={"channel": str(channel)},
        channel=channel,
    )


async def async_setup_entry(
    hass: HomeAssistant,
    entry: OpenBekenConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up a binary sensor for each input."""
    socket = entry.runtime_data
    inputs = socket.profile.inputs
    async_add_entities(
        InputSensor(socket, _describe(pin.channel, single=len(inputs) == 1))
        for pin in inputs
    )


class InputSensor(ValueEntity, BinarySensorEntity):
    """An input: on while its contact is closed, which pulls it down.

    So does the firmware's own discovery, for both roles (hass.c, 1.18.299); an inverted input is
    the other way round.
    """

    entity_description: InputDescription
    capability_attributes = None
    is_on: bool | None = None
    state_attributes = None
    supported_features = None
    unit_of_measurement = None

    @property
    @override
    def value_key(self) -> str:
        """Return the key of the input's channel."""
        return channel_key(self.entity_description.channel)

    @override
    @callback
    def _take(self, value: int | None) -> None:
        self.available = value is not None
        self.is_on = None if value is None else value == 0
