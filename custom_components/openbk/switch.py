"""The relays of a socket."""

from typing import Any, override

from homeassistant.components.switch import (
    SwitchDeviceClass,
    SwitchEntity,
    SwitchEntityDescription,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .device import OpenBekenConfigEntry, SocketState
from .entity import ValueEntity
from .pyopenbk.obk.messages import channel_key
from .pyopenbk.profile import PinAssignment

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: OpenBekenConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up a switch for each relay."""
    socket = entry.runtime_data
    relays = socket.profile.relays
    async_add_entities(
        RelaySwitch(socket, relay, single=len(relays) == 1) for relay in relays
    )


class RelaySwitch(ValueEntity, SwitchEntity):
    """A relay."""

    def __init__(
        self, socket: SocketState, relay: PinAssignment, *, single: bool
    ) -> None:
        """Control the relay on its channel."""
        description = SwitchEntityDescription(
            key=f"relay_{relay.channel}",
            translation_key="relay",
            device_class=SwitchDeviceClass.OUTLET,
        )
        super().__init__(socket, channel_key(relay.channel), description)
        self._channel = relay.channel
        self._attr_translation_placeholders = {"channel": str(relay.channel)}
        if single:
            # The only relay is what the device is for, and has its name.
            self._attr_name = None

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Switch on."""
        await self.socket.async_set_channel(self._channel, 1)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Switch off."""
        await self.socket.async_set_channel(self._channel, 0)

    @override
    @callback
    def _take(self, value: int | None) -> None:
        self._attr_available = value is not None
        # A channel may hold other numbers than 1; the firmware drives the relay for all but 0.
        self._attr_is_on = None if value is None else value != 0
