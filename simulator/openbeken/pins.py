"""Pins and the channels that tie them together."""

from collections.abc import Callable, Iterator
from typing import Final

from custom_components.openbk.pyopenbk.roles import (
    BUTTON_ROLES,
    LED_ROLES,
    METER_SELECT_ROLES,
    RELAY_ROLES,
    WIFI_LED_ROLES,
    PinRole,
)

from .settings import CHANNEL_COUNT, PIN_COUNT, Settings
from .variables import Variables

_REMEMBERED: Final = -1
_INVERTED: Final = frozenset({PinRole.REL_N, PinRole.LED_N, PinRole.WIFI_LED_N})
_PULLED_DOWN_BUTTONS: Final = frozenset(
    {
        PinRole.BTN_N,
        PinRole.BTN_PD_N,
        PinRole.BTN_TGL_ALL_N,
        PinRole.BTN_SCRIPT_ONLY_N,
    }
)
# Roles whose channel is published, as far as a socket has them.
_PUBLISHED_ROLES: Final = (
    RELAY_ROLES
    | LED_ROLES
    | {
        PinRole.D_INPUT,
        PinRole.D_INPUT_N,
        PinRole.D_INPUT_NO_PULL_UP,
        PinRole.D_INPUT_NO_PULL_UP_N,
    }
)
_KNOWN: Final = {int(role): role for role in PinRole}

type ChannelListener = Callable[[int], None]


class Pins:
    """The channel values in RAM, and what the pins do with them."""

    def __init__(
        self, settings: Settings, variables: Variables, on_change: ChannelListener
    ) -> None:
        """Take the roles from ``settings``; ``on_change(channel)`` follows each change."""
        self._settings = settings
        self._variables = variables
        self._on_change = on_change
        self.values = [0] * CHANNEL_COUNT
        self.driven = False
        """Pins do something; in safe mode they do not."""

    def start(self) -> None:
        """Give the channels their values at power-on and drive the pins."""
        self.driven = True
        for channel, value in enumerate(self._settings.values.start_values):
            remembered = self._variables.channels[channel]
            self.values[channel] = remembered if value == _REMEMBERED else value

    def role(self, pin: int) -> PinRole:
        """Return what a pin does; a number that nobody knows counts as nothing."""
        return _KNOWN.get(self._settings.values.roles[pin], PinRole.NONE)

    def channel(self, pin: int) -> int:
        """Return the channel of a pin."""
        return self._settings.values.channels[pin]

    def with_role(self, roles: frozenset[PinRole]) -> Iterator[int]:
        """Yield the pins that have one of the roles, in ascending order."""
        return (pin for pin in range(PIN_COUNT) if self.role(pin) in roles)

    def has_meter(self) -> bool:
        """Return whether all three pins of a BL0937 have their roles."""
        roles = {self.role(pin) for pin in range(PIN_COUNT)}
        return (
            not roles.isdisjoint(METER_SELECT_ROLES)
            and {PinRole.BL0937CF, PinRole.BL0937CF1} <= roles
        )

    def relay_channels(self) -> list[int]:
        """Return the channels of relays only."""
        return self._channels(RELAY_ROLES)

    def power_channels(self) -> list[int]:
        """Return the channels that count as relays for Tasmota's commands: LEDs do too."""
        return self._channels(RELAY_ROLES | LED_ROLES)

    def published_channels(self) -> list[int]:
        """Return the channels that the self state has."""
        return self._channels(_PUBLISHED_ROLES)

    def used_channels(self) -> list[int]:
        """Return the channels that any pin with a role, or a type, gives a meaning to."""
        values = self._settings.values
        used = {
            channel
            for pin in range(PIN_COUNT)
            if self.role(pin)
            for channel in (values.channels[pin], values.channels2[pin])
        }
        typed = {channel for channel, kind in enumerate(values.channel_types) if kind}
        return sorted(used | typed)

    def is_published(self, channel: int) -> bool:
        """Return whether a change of the channel is worth a message."""
        return (
            channel in self.published_channels()
            or self._settings.values.channel_types[channel] != 0
        )

    def all_relays_open(self) -> bool:
        """Return whether no relay is closed."""
        return not any(self.values[channel] for channel in self.relay_channels())

    def set(self, channel: int, value: int) -> None:
        """Give a channel a value; the one it has already changes nothing."""
        if 0 <= channel < CHANNEL_COUNT and self.values[channel] != value:
            self.values[channel] = value
            self._changed(channel)

    def toggle(self, channel: int) -> None:
        """Turn a channel off, or on with 1 where it is 0."""
        if 0 <= channel < CHANNEL_COUNT:
            self.set(channel, 0 if self.values[channel] else 1)

    def toggle_all(self) -> None:
        """Do what a button of role Btn_Tgl_All does."""
        channels = self.power_channels()
        value = 0 if any(self.values[channel] for channel in channels) else 1
        for channel in channels:
            self.set(channel, value)

    def button_level(self, pin: int, pressed: bool) -> bool:
        """Return the level that a button puts on its pin."""
        return pressed is (self.role(pin) in _PULLED_DOWN_BUTTONS)

    def is_button(self, pin: int) -> bool:
        """Return whether a pin is read as a button."""
        return self.driven and self.role(pin) in BUTTON_ROLES

    def output_level(self, pin: int, *, wifi_led: bool) -> bool | None:
        """Return the level that the firmware puts on a pin; None where it does not."""
        role = self.role(pin)
        if not self.driven:
            return None
        if role in RELAY_ROLES or role in LED_ROLES:
            lit = self.values[self.channel(pin)] != 0
        elif role in WIFI_LED_ROLES:
            lit = wifi_led
        elif role in (PinRole.ALWAYS_HIGH, PinRole.ALWAYS_LOW):
            return role is PinRole.ALWAYS_HIGH
        else:
            return None
        return lit is not (role in _INVERTED)

    def _channels(self, roles: frozenset[PinRole]) -> list[int]:
        return sorted({self.channel(pin) for pin in self.with_role(roles)})

    def _changed(self, channel: int) -> None:
        if self._settings.values.start_values[channel] == _REMEMBERED:
            self._variables.channels[channel] = self.values[channel]
            self._variables.save()
        self._on_change(channel)
