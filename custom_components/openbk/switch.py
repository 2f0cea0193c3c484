"""The relays of a socket and the lock of its button."""

from collections.abc import Iterator
from typing import Any, Final, override

from homeassistant.components.switch import (
    SwitchDeviceClass,
    SwitchEntity,
    SwitchEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONF_CHILD_LOCK, CONF_TUNED
from .device import OpenBekenConfigEntry, SocketState
from .entity import OpenBekenEntity, ValueEntity
from .pyopenbk.obk.messages import channel_key
from .pyopenbk.obk.provisioning import Flag
from .pyopenbk.obk.settings import flag_command
from .pyopenbk.profile import PinAssignment

PARALLEL_UPDATES = 0

CHILD_LOCK: Final = SwitchEntityDescription(
    key="child_lock",
    translation_key="child_lock",
    entity_category=EntityCategory.CONFIG,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: OpenBekenConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up a switch for each relay, and one for the button."""
    async_add_entities(_switches(entry.runtime_data))


def _switches(socket: SocketState) -> Iterator[SwitchEntity]:
    relays = socket.profile.relays
    for relay in relays if socket.native else ():
        yield RelaySwitch(socket, relay, single=len(relays) == 1)
    if socket.profile.buttons:
        yield ChildLockSwitch(socket, CHILD_LOCK)


class RelaySwitch(ValueEntity, SwitchEntity):
    """A relay."""

    is_on: bool | None = None

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
        self.available = value is not None
        # A channel may hold other numbers than 1; the firmware drives the relay for all but 0.
        self.is_on = None if value is None else value != 0


class ChildLockSwitch(OpenBekenEntity, SwitchEntity):
    """The lock under which the socket ignores its button; no event either."""

    is_on: bool | None = None

    @override
    async def async_added_to_hass(self) -> None:
        """Follow what is read back from the socket."""
        await super().async_added_to_hass()
        self.socket.readback.listeners.append(self._read)
        self._take()

    @override
    async def async_will_remove_from_hass(self) -> None:
        """Stop following."""
        self.socket.readback.listeners.remove(self._read)
        await super().async_will_remove_from_hass()

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Lock the button."""
        await self._lock(True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Unlock the button."""
        await self._lock(False)

    async def _lock(self, on: bool) -> None:
        command = flag_command(Flag.IGNORE_BUTTONS, on)
        await self.socket.async_configure([command], **{CONF_CHILD_LOCK: on})
        self.is_on = on
        self.async_write_ha_state()

    @callback
    def _read(self) -> None:
        self._take()
        self.async_write_ha_state()

    @callback
    def _take(self) -> None:
        """Take what the socket has, else what was last set here; a socket of ours began without."""
        data = self.socket.entry.data
        read = self.socket.readback.child_lock
        self.assumed_state = read is None
        if read is None:
            read = data.get(CONF_CHILD_LOCK, None if CONF_TUNED in data else False)
        self.is_on = read
