"""What the entities of a socket share."""

from dataclasses import dataclass
from typing import Any, override

from homeassistant.const import EntityCategory
from homeassistant.core import callback
from homeassistant.helpers.entity import Entity, EntityDescription

from .live.state import SocketState
from .pyopenbk.obk.messages import channel_key


class SocketEntity(Entity):
    """An entity of one socket, kept small: there may be twenty thousand of them.

    Home Assistant caches what it asks an entity for in the entity. From the thirtieth attribute on
    Python gives an object a dictionary of its own, which takes five times as much as the others:
    so what is the same for all entities is kept once, in the class, and what the description knows
    is left there.
    """

    assumed_state = False
    attribution = None
    device_info = None  # The device is there already.
    entity_picture: str | None = None
    entity_registry_visible_default = True
    extra_state_attributes = None
    force_update = False
    has_entity_name = True
    icon = None
    should_poll = False

    socket: SocketState

    def __init__(self, socket: SocketState, description: EntityDescription) -> None:
        """Make the entity of a socket that the description describes."""
        self.socket = socket
        self.entity_description = description
        self.device_entry = socket.device
        self.available = False

    @property
    @override
    def unique_id(self) -> str:
        """Return what identifies the socket and the key of the description."""
        return f"{self.socket.identity}_{self.entity_description.key}"

    @property
    @override
    def device_class(self) -> Any:
        """Return the device class of the description."""
        return self.entity_description.device_class

    @property
    @override
    def entity_category(self) -> EntityCategory | None:
        """Return the category of the description."""
        return self.entity_description.entity_category

    @property
    @override
    def entity_registry_enabled_default(self) -> bool:
        """Return whether the description is enabled by default."""
        return self.entity_description.entity_registry_enabled_default

    @property
    @override
    def translation_key(self) -> str | None:
        """Return the translation key of the description."""
        return self.entity_description.translation_key


class OpenBekenEntity(SocketEntity):
    """An entity that is available while the socket is there."""

    supported_features = None
    unit_of_measurement = None

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the socket as it comes and goes."""
        self.available = self.socket.online
        self.socket.online_listeners.add(self._online_changed)

    @override
    async def async_will_remove_from_hass(self) -> None:
        """Stop following the socket."""
        self.socket.online_listeners.remove(self._online_changed)

    @callback
    def _online_changed(self) -> None:
        self.available = self.socket.online
        self.async_write_ha_state()


class ReadbackEntity(OpenBekenEntity):
    """A setting that the socket does not report, but that may be read back from it."""

    @override
    async def async_added_to_hass(self) -> None:
        """Follow what is read back."""
        await super().async_added_to_hass()
        self.socket.readback.listeners.add(self._read)
        self._take()

    @override
    async def async_will_remove_from_hass(self) -> None:
        """Stop following."""
        self.socket.readback.listeners.remove(self._read)
        await super().async_will_remove_from_hass()

    @callback
    def _read(self) -> None:
        self._take()
        self.async_write_ha_state()

    @callback
    def _take(self) -> None:
        """Take over what was read, or else what is assumed."""
        raise NotImplementedError


class ValueEntity(SocketEntity):
    """An entity of one value, available while that value is known to be true."""

    @property
    def value_key(self) -> str:
        """Return the key of the value, which is that of the description."""
        return self.entity_description.key

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the value."""
        source = self.socket.source(self.value_key)
        source.add(self._value_changed)
        if source.value is not None:
            self._take(source.value)

    @override
    async def async_will_remove_from_hass(self) -> None:
        """Stop following the value."""
        self.socket.source(self.value_key).remove(self._value_changed)

    @callback
    def _value_changed(self, value: Any) -> None:
        self._take(value)
        self.async_write_ha_state()

    @callback
    def _take(self, value: Any) -> None:
        """Take over the value, or None if it is lost."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class ChannelDescription(EntityDescription):
    """An output and its channel."""

    channel: int


class ChannelEntity(ValueEntity):
    """An output that a channel drives: a relay, or an LED with a channel of its own."""

    entity_description: ChannelDescription
    is_on: bool | None = None
    unit_of_measurement = None

    @property
    @override
    def value_key(self) -> str:
        """Return the key of the channel."""
        return channel_key(self.entity_description.channel)

    async def async_turn_on(self, **kwargs: Any) -> None:
        """Switch on."""
        await self.socket.async_set_channel(self.entity_description.channel, 1)

    async def async_turn_off(self, **kwargs: Any) -> None:
        """Switch off."""
        await self.socket.async_set_channel(self.entity_description.channel, 0)

    @override
    @callback
    def _take(self, value: int | None) -> None:
        self.available = value is not None
        # A channel may hold other numbers than 1; the firmware drives the output for all but 0.
        self.is_on = None if value is None else value != 0
