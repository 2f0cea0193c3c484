"""The firmware's general flags and start values that matter to us, named by their purpose."""

from enum import StrEnum
from typing import Final


class Flag(StrEnum):
    """A bit of the 64-bit flag word."""

    BROADCAST = "broadcast"
    RETAIN_EVERYTHING = "retain_everything"
    STATE_ON_CONNECT = "state_on_connect"
    RETAIN_RELAYS = "retain_relays"
    OWN_DISCOVERY = "own_discovery"
    TASMOTA_TELEMETRY = "tasmota_telemetry"
    MULTIPLIED_VALUES = "multiplied_values"
    ALLOW_NEGATIVE_POWER = "allow_negative_power"
    ENERGY_IN_KWH = "energy_in_kwh"
    IGNORE_BUTTONS = "ignore_buttons"
    NO_GET_SUFFIX = "no_get_suffix"

    @property
    def number(self) -> int:
        """Return the bit that SetFlag takes; the same from 1.17.360 to 1.18.300."""
        return _FLAG_NUMBERS[self]

    @property
    def mask(self) -> int:
        """Return the flag as a bit of the 64-bit flag word."""
        return 1 << self.number


_FLAG_NUMBERS: Final = {
    Flag.BROADCAST: 2,
    Flag.RETAIN_EVERYTHING: 7,
    Flag.STATE_ON_CONNECT: 10,
    Flag.RETAIN_RELAYS: 21,
    Flag.OWN_DISCOVERY: 27,
    Flag.TASMOTA_TELEMETRY: 30,
    Flag.MULTIPLIED_VALUES: 33,
    Flag.ALLOW_NEGATIVE_POWER: 25,
    Flag.ENERGY_IN_KWH: 40,
    Flag.IGNORE_BUTTONS: 41,
    Flag.NO_GET_SUFFIX: 50,
}
WANTED_FLAGS: Final = (Flag.STATE_ON_CONNECT, Flag.RETAIN_RELAYS)
# Each of these changes what the socket sends, or floods the broker.
UNWANTED_FLAGS: Final = (
    Flag.RETAIN_EVERYTHING,
    Flag.OWN_DISCOVERY,
    Flag.TASMOTA_TELEMETRY,
    Flag.MULTIPLIED_VALUES,
    Flag.ENERGY_IN_KWH,
    Flag.NO_GET_SUFFIX,
)


class StartValue:
    """What a channel is set to when power comes back, as SetStartValue takes it."""

    OFF: Final = 0
    ON: Final = 1
    LAST: Final = -1


class PowerCutState(StrEnum):
    """What a relay does when power comes back."""

    OFF = "off"
    ON = "on"
    LAST = "last"

    @property
    def start_value(self) -> int:
        """Return the number that SetStartValue takes."""
        return _START_VALUES[self]


_START_VALUES: Final = {
    PowerCutState.OFF: StartValue.OFF,
    PowerCutState.ON: StartValue.ON,
    PowerCutState.LAST: StartValue.LAST,
}


def power_cut_state(start_value: int) -> PowerCutState | None:
    """Return what a relay with this start value does, or None for a number that is none."""
    for state, value in _START_VALUES.items():
        if value == start_value:
            return state
    return None
