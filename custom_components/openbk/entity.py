"""What the entities of a socket share."""

from typing import Any, override

from homeassistant.core import callback
from homeassistant.helpers.entity import Entity, EntityDescription

from .device import SocketState


class OpenBekenEntity(Entity):
    """An entity of one socket, available while the socket is there."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(self, socket: SocketState, description: EntityDescription) -> None:
        """Name the entity after its socket and its description."""
        self.socket = socket
        self.entity_description = description
        self._attr_unique_id = f"{socket.mac}_{description.key}"
        self._attr_device_info = socket.device_info
        self._attr_available = socket.online

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the socket as it comes and goes."""
        self.async_on_remove(self.socket.listen_online(self._online_changed))

    @callback
    def _online_changed(self) -> None:
        self._attr_available = self.socket.online
        self.async_write_ha_state()


class ValueEntity(Entity):
    """An entity of one value, available while that value is known to be true."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(
        self, socket: SocketState, key: str, description: EntityDescription
    ) -> None:
        """Name the entity after its socket and its description; ``key`` is its value's."""
        self.socket = socket
        self._key = key
        self.entity_description = description
        self._attr_unique_id = f"{socket.mac}_{description.key}"
        self._attr_device_info = socket.device_info
        self._attr_available = False

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the value."""
        self.async_on_remove(self.socket.listen(self._key, self._value_changed))
        if (value := self.socket.value(self._key)) is not None:
            self._take(value)

    @callback
    def _value_changed(self, value: Any) -> None:
        self._take(value)
        self.async_write_ha_state()

    @callback
    def _take(self, value: Any) -> None:
        """Take over the value, or None if it is lost."""
        raise NotImplementedError
