"""What a socket has: which pin plays which role on which channel."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, Self, TypeGuard

from .beken.chips import HIGHEST_PIN
from .errors import OpenBekenError
from .meters import BL0937, METERS, Meter
from .roles import (
    BRIDGE_ROLES,
    BUTTON_ROLES,
    INPUT_ROLES,
    LED_ROLES,
    METER_ROLES,
    METER_SELECT_ROLES,
    RELAY_ROLES,
    SWITCHING_ROLES,
    TOGGLE_ROLES,
    WIFI_LED_ROLES,
    PinRole,
    role_from_name,
)

HIGHEST_CHANNEL: Final = 63
# In bytes of UTF-8; the longest of Tuya's names of modules has eight letters or so.
_LONGEST_MODULE: Final = 32
_FLAG_WORDS: Final = range(1 << 64)
_FIXED: Final = frozenset({PinRole.ALWAYS_HIGH, PinRole.ALWAYS_LOW})


class ProfileError(OpenBekenError):
    """A stored or typed profile is not one."""


class ProfileProblem(StrEnum):
    """Why a profile cannot be written into a socket."""

    NO_RELAY = "no_relay"
    PIN_USED_TWICE = "pin_used_twice"
    METER_INCOMPLETE = "meter_incomplete"
    COILS_INCOMPLETE = "coils_incomplete"
    """A relay with two coils lacks one, or several would get each other's."""


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class PinAssignment:
    """One pin: its number, its role and the channel (0 to 63) it acts on."""

    pin: int
    role: PinRole
    channel: int = 0
    channel2: int = 0
    polarity_guessed: bool = field(default=False, compare=False)
    """The source named the pin but not its active level."""

    def __post_init__(self) -> None:
        """Refuse what is no number, and numbers that the firmware has no place for."""
        # True and 1.5 come from JSON of others, and would be topics that nobody speaks on.
        if any(
            type(item) is not int for item in (self.pin, self.channel, self.channel2)
        ):
            raise ProfileError("a pin or channel that is no whole number")
        if not 0 <= self.pin <= HIGHEST_PIN:
            raise ProfileError(f"P{self.pin} is not a pin of any chip")
        if not (
            0 <= self.channel <= HIGHEST_CHANNEL
            and 0 <= self.channel2 <= HIGHEST_CHANNEL
        ):
            raise ProfileError(f"P{self.pin} is on a channel that does not exist")


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketProfile:
    """The pins of a socket in ascending order; everything else follows from them."""

    pins: tuple[PinAssignment, ...]
    module: str | None = None
    """Tuya's name of the module, such as CB2S: one short printable line."""
    command: str = ""
    """What a template wants to have run at each boot, where the person took it over."""
    flags: int = 0
    """The flags of OpenBeken that such a template sets, as a word of 64 bits."""
    meter: str = ""
    """The driver of a meter on a serial line, such as BL0942; empty where none is known."""
    baud: int = 0
    """The rate of that line."""
    metered: bool = False
    """It publishes what a meter measures, though none is on these pins: a BL0942 on a UART, say."""

    def __post_init__(self) -> None:
        """Refuse a module that is none; Home Assistant could not save it, or nobody read it."""
        if self.module is not None and not _is_module(self.module):
            raise ProfileError("the name of a module is one short line")

    @classmethod
    def of(cls, pins: Iterable[PinAssignment], module: object = None) -> Self:
        """Make a profile of pins in any order.

        Pins without a role are left out, and so is the name of a module that cannot be one: it
        comes from dumps and templates of others.
        """
        used = (pin for pin in pins if pin.role is not PinRole.NONE)
        return cls(
            pins=tuple(sorted(used)), module=module if _is_module(module) else None
        )

    @property
    def relays(self) -> tuple[PinAssignment, ...]:
        """Return one pin for each channel that switches a relay, in the order of the channels.

        Of a relay with two coils it is the one that closes it.
        """
        pins: dict[int, PinAssignment] = {}
        for roles in (RELAY_ROLES, {PinRole.BRIDGE_FWD}, SWITCHING_ROLES):
            for pin in self._by_channel(frozenset(roles)):
                pins.setdefault(pin.channel, pin)
        return tuple(pins[channel] for channel in sorted(pins))

    @property
    def two_coil_channels(self) -> tuple[int, ...]:
        """Return the channels of relays with two coils.

        The firmware publishes such a channel only where it has a type or another pin of a kind
        that is published (CHANNEL_ShouldBePublished in new_pins.c, 1.17.360 and 1.18.300).
        """
        return tuple(pin.channel for pin in self.relays if pin.role in BRIDGE_ROLES)

    @property
    def buttons(self) -> tuple[PinAssignment, ...]:
        """Return the button pins in the order of their channels."""
        return self._by_channel(BUTTON_ROLES)

    @property
    def leds(self) -> tuple[PinAssignment, ...]:
        """Return the pins of LEDs that show a channel, in the order of their channels."""
        return self._by_channel(LED_ROLES)

    @property
    def inputs(self) -> tuple[PinAssignment, ...]:
        """Return one pin for each channel that nothing but an input sets."""
        taken = {pin.channel for pin in (*self.relays, *self.leds)}
        pins: dict[int, PinAssignment] = {}
        for pin in self._by_channel(INPUT_ROLES):
            if pin.channel not in taken:
                pins.setdefault(pin.channel, pin)
        return tuple(pins.values())

    @property
    def is_wall_switch(self) -> bool:
        """Return whether it switches something that is wired, and is no socket.

        It says so by the terminal of a switch, or by a button for each of several relays that no
        meter measures.
        """
        if any(pin.role in TOGGLE_ROLES for pin in self.pins):
            return True
        relays, buttons = len(self.relays), len(self.buttons)
        return not self.has_meter and 1 < relays <= buttons

    @property
    def without_entity(self) -> tuple[PinAssignment, ...]:
        """Return the pins of which there is nothing to be seen in Home Assistant."""
        shown = SWITCHING_ROLES | BUTTON_ROLES | LED_ROLES | WIFI_LED_ROLES
        shown |= METER_ROLES | INPUT_ROLES
        switched = {relay.channel for relay in self.relays}
        return tuple(
            pin
            for pin in self.pins
            if pin.role not in shown | _FIXED
            # The terminal of a switch is seen by what it switches.
            and not (pin.role in TOGGLE_ROLES and pin.channel in switched)
        )

    @property
    def wifi_leds(self) -> tuple[PinAssignment, ...]:
        """Return the pins of LEDs that show the state of the Wi-Fi connection."""
        return self._by_channel(WIFI_LED_ROLES)

    @property
    def has_meter(self) -> bool:
        """Return whether the socket has a meter, of whatever kind."""
        return self.metered or self.meter_kind is not None

    @property
    def meter_kind(self) -> Meter | None:
        """Return the kind of its meter, None where it has none or it is not known."""
        return BL0937 if self.has_pulse_meter else METERS.get(self.meter)

    @property
    def assumed_meter(self) -> Meter:
        """Return the kind of its meter, that of most sockets where it is not known."""
        return self.meter_kind or BL0937

    @property
    def has_frequency(self) -> bool:
        """Return whether its meter tells the frequency of the grid."""
        return self.meter_kind is not None and self.meter_kind.has_frequency

    @property
    def serial_meter(self) -> Meter | None:
        """Return its meter if that is on a serial line."""
        meter = self.meter_kind
        return meter if meter is not None and meter.is_serial else None

    def with_meter(self, meter: Meter, baud: int = 0) -> Self:
        """Return the same pins with a meter on a serial line."""
        return replace(self, meter=meter.name, baud=baud or meter.baud)

    @property
    def has_pulse_meter(self) -> bool:
        """Return whether all three pins of a BL0937 are there."""
        roles = {pin.role for pin in self.pins}
        return (
            PinRole.BL0937CF in roles
            and PinRole.BL0937CF1 in roles
            and not roles.isdisjoint(METER_SELECT_ROLES)
        )

    @property
    def problems(self) -> tuple[ProfileProblem, ...]:
        """Return why this profile must not be written; empty when it may."""
        problems = []
        if not self.relays:
            problems.append(ProfileProblem.NO_RELAY)
        if len({pin.pin for pin in self.pins}) < len(self.pins):
            problems.append(ProfileProblem.PIN_USED_TWICE)
        if not self.has_pulse_meter and any(
            pin.role in METER_ROLES for pin in self.pins
        ):
            problems.append(ProfileProblem.METER_INCOMPLETE)
        if not self._has_whole_coils():
            problems.append(ProfileProblem.COILS_INCOMPLETE)
        return tuple(problems)

    def with_pins(self, pins: Iterable[PinAssignment]) -> Self:
        """Return the profile with these pins instead of its own."""
        return replace(self, pins=self.of(pins).pins)

    def with_extras(self, command: str, flags: int) -> Self:
        """Return the same pins with what a template has beside them."""
        return replace(self, command=command, flags=flags)

    def as_dict(self) -> dict[str, Any]:
        """Return the profile as JSON values, for storage."""
        return {
            "module": self.module,
            "pins": [
                {
                    "pin": pin.pin,
                    "role": pin.role.firmware_name,
                    "channel": pin.channel,
                    "channel2": pin.channel2,
                }
                | ({"polarity_guessed": True} if pin.polarity_guessed else {})
                for pin in self.pins
            ],
        } | {
            name: value
            for name, value in (
                ("command", self.command),
                ("flags", self.flags),
                ("meter", self.meter),
                ("baud", self.baud),
                ("metered", self.metered),
            )
            if value
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Read what as_dict returned; raises ProfileError where it is something else."""
        try:
            pins = []
            for entry in stored["pins"]:
                if (role := role_from_name(entry["role"])) is None:
                    raise ProfileError(f"unknown pin role {entry['role']}")
                pins.append(
                    PinAssignment(
                        pin=entry["pin"],
                        role=role,
                        channel=entry["channel"],
                        channel2=entry["channel2"],
                        polarity_guessed=bool(entry.get("polarity_guessed", False)),
                    )
                )
            command, flags = stored.get("command", ""), stored.get("flags", 0)
            if (
                not isinstance(command, str)
                or type(flags) is not int
                or flags not in _FLAG_WORDS
            ):
                raise ProfileError("not a stored socket profile")
            profile = cls.of(pins, stored["module"]).with_extras(command, flags)
            meter, baud = stored.get("meter", ""), stored.get("baud", 0)
            if meter and (meter not in METERS or type(baud) is not int):
                raise ProfileError(f"unknown meter {meter}")
            return replace(
                profile,
                meter=meter,
                baud=baud if meter else 0,
                metered=bool(stored.get("metered", False)),
            )
        except (KeyError, TypeError, AttributeError) as err:
            raise ProfileError("not a stored socket profile") from err

    def _has_whole_coils(self) -> bool:
        """Return whether each relay with two coils has both, as the firmware puts them together.

        It takes the pins of either kind in ascending order, whatever their channels
        (drv_bridge_driver.c, 1.18.300).
        """
        closing, opening = (
            [pin.channel for pin in self.pins if pin.role is role]
            for role in (PinRole.BRIDGE_FWD, PinRole.BRIDGE_REV)
        )
        return closing == opening and len(set(closing)) == len(closing)

    def _by_channel(self, roles: frozenset[PinRole]) -> tuple[PinAssignment, ...]:
        pins = (pin for pin in self.pins if pin.role in roles)
        return tuple(sorted(pins, key=lambda pin: (pin.channel, pin.pin)))


def _is_module(name: object) -> TypeGuard[str]:
    # What is printable has no halves of characters, so it can be encoded.
    return (
        isinstance(name, str)
        and name.isprintable()
        and 0 < len(name.encode()) <= _LONGEST_MODULE
    )
