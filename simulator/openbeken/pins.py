"""Pins, the levels that the firmware puts on them, and the channels that tie them together."""

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

from .settings import CHANNEL_COUNT, Settings
from .variables import Variables

BRIDGE_ROLES: Final = frozenset({PinRole.BRIDGE_FWD, PinRole.BRIDGE_REV})
_REMEMBERED: Final = -1
_INVERTED: Final = frozenset(
    {PinRole.REL_N, PinRole.LED_N, PinRole.WIFI_LED_N, PinRole.BAT_RELAY_N}
)
# Roles whose pin has the level of its channel.
_FOLLOWING_ROLES: Final = (
    RELAY_ROLES | LED_ROLES | {PinRole.BAT_RELAY, PinRole.BAT_RELAY_N}
)
_PULLED_DOWN_BUTTONS: Final = frozenset(
    {
        PinRole.BTN_N,
        PinRole.BTN_PD_N,
        PinRole.BTN_TGL_ALL_N,
        PinRole.BTN_SCRIPT_ONLY_N,
    }
)
_INPUT_ROLES: Final = frozenset(
    {
        PinRole.D_INPUT,
        PinRole.D_INPUT_N,
        PinRole.D_INPUT_NO_PULL_UP,
        PinRole.D_INPUT_NO_PULL_UP_N,
    }
)
_INVERTED_INPUTS: Final = frozenset({PinRole.D_INPUT_N, PinRole.D_INPUT_NO_PULL_UP_N})
_TOGGLE_ROLES: Final = frozenset({PinRole.TGL_CHAN_ON_TGL, PinRole.TGL_CHAN_ON_TGL_PD})
# Roles whose channel is published, as far as a socket has them. A two-coil relay's is not.
_PUBLISHED_ROLES: Final = RELAY_ROLES | LED_ROLES | _INPUT_ROLES
# How many channels a role has (PIN_IOR_NofChan in new_pins.c, 1.18.300); most have one.
_TWO_CHANNEL_ROLES: Final = frozenset(
    {
        *(PinRole.BTN, PinRole.BTN_N, PinRole.BTN_PD, PinRole.BTN_PD_N),
        *(PinRole.DHT11, PinRole.DHT12, PinRole.DHT21, PinRole.DHT22),
        *(PinRole.CHT83XX_SDA, PinRole.SHT3X_SDA, PinRole.SGP_DAT),
    }
)
_ROLES_WITHOUT_CHANNEL: Final = (
    WIFI_LED_ROLES
    | METER_SELECT_ROLES
    | {
        *(PinRole.BL0937CF, PinRole.BL0937CF1),
        *(PinRole.BTN_TGL_ALL, PinRole.BTN_TGL_ALL_N),
        *(PinRole.CHT83XX_SCK, PinRole.SHT3X_SCK, PinRole.SGP_CLK),
        *(role for role in PinRole if PinRole.IR_RECV <= role < PinRole.DHT11),
        *(
            role
            for role in PinRole
            if PinRole.SM2135_DAT <= role <= PinRole.BP1658CJ_CLK
        ),
    }
)
_KNOWN: Final = {int(role): role for role in PinRole}

type ChannelListener = Callable[[int], None]


class Pins:
    """The channel values in RAM, and what the pins do with them.

    Outputs are what the firmware last wrote to them (new_pins.c, 1.18.300): giving a pin
    a role sets it up, even the role that it has; giving it a channel does not touch it;
    a change of a channel is written to its relays and LEDs. A pin whose role is taken
    away keeps its level.
    """

    def __init__(
        self, settings: Settings, variables: Variables, on_change: ChannelListener
    ) -> None:
        """Take the roles from ``settings``; ``on_change(channel)`` follows each change."""
        self._settings = settings
        self._variables = variables
        self._on_change = on_change
        self._levels: dict[int, bool] = {}
        """The pins that are outputs, and what is on them."""
        self.values = [0] * CHANNEL_COUNT
        self.driven = False
        """Pins do something; in safe mode they do not."""
        self.relay_pins: set[int] = set()
        """The pins that have driven a relay since power-on."""
        self.wifi_led_lit: Callable[[], bool] = lambda: False
        """Whether the Wi-Fi LED is to shine at this moment."""

    def start(self) -> None:
        """Give the channels their values at power-on and drive the pins."""
        for channel, value in enumerate(self._settings.values.start_values):
            remembered = self._variables.remembered(channel)
            self.values[channel] = remembered if value == _REMEMBERED else value
        self.driven = True
        for pin in range(self._settings.pin_count):
            self._set_up(pin)

    def role(self, pin: int) -> PinRole:
        """Return what a pin does; a number that nobody knows counts as nothing."""
        return _KNOWN.get(self._settings.values.roles[pin], PinRole.NONE)

    def channel(self, pin: int) -> int:
        """Return the channel of a pin."""
        return self._settings.values.channels[pin]

    def with_role(self, roles: frozenset[PinRole]) -> Iterator[int]:
        """Yield the pins that have one of the roles, in ascending order."""
        return (
            pin for pin in range(self._settings.pin_count) if self.role(pin) in roles
        )

    def has_meter(self) -> bool:
        """Return whether the pins of a BL0937 are there, so that its driver starts."""
        roles = {self.role(pin) for pin in range(self._settings.pin_count)}
        return (
            not roles.isdisjoint(METER_SELECT_ROLES)
            and {PinRole.BL0937CF, PinRole.BL0937CF1} <= roles
        )

    def has_bridge(self) -> bool:
        """Return whether there is a relay with two coils, so that its driver starts."""
        return {
            self.role(pin) for pin in range(self._settings.pin_count)
        } >= BRIDGE_ROLES

    def relay_channels(self) -> list[int]:
        """Return the channels of relays only, those of two coils among them."""
        return self._channels(RELAY_ROLES | BRIDGE_ROLES)

    def power_channels(self) -> list[int]:
        """Return the channels that count as relays for Tasmota's commands: LEDs do too."""
        return self._channels(RELAY_ROLES | BRIDGE_ROLES | LED_ROLES)

    def published_channels(self) -> list[int]:
        """Return the channels that the self state has."""
        return self._channels(_PUBLISHED_ROLES)

    def used_channels(self) -> list[int]:
        """Return the channels that any pin with a role, or a type, gives a meaning to."""
        values = self._settings.values
        used = {
            channel
            for pin in range(self._settings.pin_count)
            if self.role(pin)
            for channel in self._channels_of(pin)
        }
        typed = {channel for channel, kind in enumerate(values.channel_types) if kind}
        return sorted(used | typed)

    def _channels_of(self, pin: int) -> tuple[int, ...]:
        """Return the channels that a pin's role makes use of."""
        values, role = self._settings.values, self.role(pin)
        both = values.channels[pin], values.channels2[pin]
        if role in _TWO_CHANNEL_ROLES:
            return both
        return () if role in _ROLES_WITHOUT_CHANNEL else both[:1]

    def is_published(self, channel: int) -> bool:
        """Return whether a change of the channel is worth a message."""
        return (
            channel in self.published_channels()
            or self._settings.values.channel_types[channel] != 0
        )

    def all_relays_open(self) -> bool:
        """Return whether the firmware takes all relays for open.

        For an inverted relay it looks at the channel's value the wrong way round
        (Channel_AreAllRelaysOpen in drv_bl_shared.c, 1.18.300).
        """
        return not any(
            (self.values[self.channel(pin)] != 0)
            is not (self.role(pin) is PinRole.REL_N)
            for pin in self.with_role(RELAY_ROLES | {PinRole.BRIDGE_FWD})
        )

    def set_role(self, pin: int, role: int) -> bool:
        """Give a pin a role, by its number, and set the pin up anew.

        Returns whether it had another one before.
        """
        if self.role(pin) in WIFI_LED_ROLES:
            self._write(pin, self.wifi_led_lit() is not (self.role(pin) in _INVERTED))
        changed = self._settings.change_entry("roles", pin, role)
        if self.driven:
            self._set_up(pin)
        return changed

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
        """Do what a button of role Btn_Tgl_All does: relays only, no LEDs."""
        channels = self.relay_channels()
        value = 0 if any(self.values[channel] > 0 for channel in channels) else 1
        for channel in channels:
            self.set(channel, value)

    def input_value(self, pin: int, level: bool) -> int:
        """Return what an input makes of a level (PIN_ReadDigitalInputValue_…, 1.18.299)."""
        return int(level is not (self.role(pin) in _INVERTED_INPUTS))

    def sense(self, pin: int, level: bool) -> None:
        """Do what a pin does whose level has changed and stayed so (PIN_ticks, 1.18.299)."""
        if not self.driven:
            return
        if self.role(pin) in _INPUT_ROLES:
            self.set(self.channel(pin), self.input_value(pin, level))
        elif self.role(pin) in _TOGGLE_ROLES:
            self.toggle(self.channel(pin))

    def button_level(self, pin: int, pressed: bool) -> bool:
        """Return the level that a button puts on its pin."""
        return pressed is (self.role(pin) in _PULLED_DOWN_BUTTONS)

    def is_button(self, pin: int) -> bool:
        """Return whether a pin is read as a button."""
        return self.driven and self.role(pin) in BUTTON_ROLES

    def level(self, pin: int) -> bool | None:
        """Return the level that the firmware has on a pin; None where it drives none."""
        if pin in self._levels and self.role(pin) in WIFI_LED_ROLES:
            return self.wifi_led_lit() is not (self.role(pin) in _INVERTED)
        return self._levels.get(pin)

    def _channels(self, roles: frozenset[PinRole]) -> list[int]:
        return sorted({self.channel(pin) for pin in self.with_role(roles)})

    def _set_up(self, pin: int) -> None:
        role = self.role(pin)
        if role in _FOLLOWING_ROLES:
            value = self.values[self.channel(pin)]
            # The chip takes the lowest bit of what a pin is given: 2 is low here, although
            # a change of the channel to 2 is high.
            self._levels[pin] = value == 0 if role in _INVERTED else bool(value & 1)
            if role not in LED_ROLES:
                self.relay_pins.add(pin)
        elif role in (PinRole.ALWAYS_HIGH, PinRole.ALWAYS_LOW):
            self._levels[pin] = role is PinRole.ALWAYS_HIGH
        elif role in BRIDGE_ROLES or role in WIFI_LED_ROLES:
            self._levels[pin] = False
        elif role in BUTTON_ROLES or role in _INPUT_ROLES:
            self._levels.pop(pin, None)

    def _write(self, pin: int, level: bool) -> None:
        if pin in self._levels:
            self._levels[pin] = level

    def _changed(self, channel: int) -> None:
        on = self.values[channel] > 0
        if self.driven:
            for pin in self.with_role(_FOLLOWING_ROLES):
                if self.channel(pin) == channel:
                    self._write(pin, on is not (self.role(pin) in _INVERTED))
        self._on_change(channel)
        if self._settings.values.start_values[channel] == _REMEMBERED:
            self._variables.remember(channel, self.values[channel])
