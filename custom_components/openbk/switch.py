"""The relays of a socket and the lock of its button."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
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
from .entity import ChannelDescription, ChannelEntity, ReadbackEntity
from .live.state import OpenBekenConfigEntry, SocketState

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class RelayDescription(ChannelDescription, SwitchEntityDescription):
    """A relay and its channel."""


@cache
def _describe(channel: int, device_class: SwitchDeviceClass) -> RelayDescription:
    """Describe the relay on a channel, once for all sockets."""
    return RelayDescription(
        key=f"relay_{channel}",
        translation_key="relay",
        translation_placeholders={"channel": str(channel)},
        device_class=device_class,
        channel=channel,
    )


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
    relays = socket.profile.relays if socket.native else ()
    wall_switch = socket.profile.is_wall_switch
    device_class = SwitchDeviceClass.SWITCH if wall_switch else SwitchDeviceClass.OUTLET
    kind: type[RelaySwitch]
    for relay in relays:
        if len(relays) == 1:
            kind = OnlyRelaySwitch
        elif str(relay.channel) in socket.labels:
            kind = LabelledRelaySwitch
        else:
            kind = RelaySwitch
        yield kind(socket, _describe(relay.channel, device_class))
    if socket.profile.buttons:
        yield ChildLockSwitch(socket, CHILD_LOCK)


class RelaySwitch(ChannelEntity, SwitchEntity):
    """A relay."""

    entity_description: RelayDescription
    capability_attributes = None
    state_attributes = None
    supported_features = None


class OnlyRelaySwitch(RelaySwitch):
    """The only relay, which is what the device is for and has its name."""

    _attr_name = None


class LabelledRelaySwitch(RelaySwitch):
    """One of several relays, by the name that the socket has for it."""

    @property
    @override
    def name(self) -> str:
        """Return the label of the channel."""
        return self.socket.labels[str(self.entity_description.channel)]


class ChildLockSwitch(ReadbackEntity, SwitchEntity):
    """The lock under which the socket ignores its button; no event either."""

    capability_attributes = None
    is_on: bool | None = None

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Lock the button."""
        await self._lock(True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Unlock the button."""
        await self._lock(False)

    async def _lock(self, on: bool) -> None:
        await self.socket.async_lock_button(on)
        self.is_on = on
        self.async_write_ha_state()

    @override
    @callback
    def _take(self) -> None:
        """Take what the socket has, else what was last set here; a socket of ours began without."""
        data = self.socket.entry.data
        has_lock = self.socket.has_child_lock
        read = self.socket.readback.child_lock if has_lock else False
        self.assumed_state = read is None
        if read is None:
            read = data.get(CONF_CHILD_LOCK, None if CONF_TUNED in data else False)
        self.is_on = read
