"""Tuya's user parameters as the pins of an OpenBeken socket."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
import re
from typing import Final

from ..beken.chips import BK7231N, Chip, chip_of_module
from ..meters import BL0942, CSE7766, Meter
from ..profile import PinAssignment, SocketProfile
from ..roles import BUTTON_ROLES, RELAY_ROLES, SWITCHING_ROLES, PinRole
from .storage import StorageProblem
from .user_params import UserParam, UserParams


class PinSource(StrEnum):
    """Where the parameters came from, and so how far they can be trusted."""

    STORAGE = "storage"
    """The socket's own store: what its factory firmware used."""
    APPLICATION = "application"
    """A text inside of the firmware, sometimes a template of another product."""
    TEXT = "text"
    """Typed or pasted."""


class WarningKind(StrEnum):
    """What somebody should know or confirm before these pins are used."""

    PIN_OUT_OF_RANGE = "pin_out_of_range"
    """The chip has no such pin; it was left out."""
    UNREADABLE = "unreadable"
    """The value is no pin number; it was left out."""
    PIN_WITHOUT_ROLE = "pin_without_role"
    """The pin has a use that OpenBeken has no role for, or one that needs a choice."""
    LATCHING_RELAY = "latching_relay"
    """A relay that keeps its state without power, on a single pin; it was left out."""
    BUTTON_ACTIVE_HIGH = "button_active_high"
    """The button is said to be pressed when high: unusual, and wrong it looks held down."""
    METER_DISABLED = "meter_disabled"
    """The factory firmware was built without metering; its pins were left out."""
    METER_OVER_UART = "meter_over_uart"
    """The meter is a chip that there is no driver for, or on another line; it was left out."""
    METER_ON_UART = "meter_on_uart"
    """The meter is a chip on the serial line whose pads are those that flashing uses."""
    METER_HLW8012 = "meter_hlw8012"
    """The meter is an HLW8012: read like a BL0937, but to be calibrated."""
    SELECT_LEVEL_LOW = "select_level_low"
    """Voltage and current may come out swapped; then SEL is the inverted one."""
    CHANNEL_COUNT = "channel_count"
    """The number of channels and of relays differ."""
    NETWORK_LED_SHOWS_RELAY = "network_led_shows_relay"
    """Under the factory firmware this LED also showed the relay: it could be LED_n, channel 1."""
    LIGHT = "light"
    """The parameters are those of a light."""
    OTHER_CHIP = "other_chip"
    """The module is usually sold with another chip."""
    ODD_MODULE = "odd_module"
    """The name of the module is none; it was left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinWarning:
    """One thing to know: its kind, the parameter it is about, and that one's value."""

    kind: WarningKind
    key: str
    value: int | str | None = None
    pin: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PinUse:
    """One use that the parameters make of a pin."""

    key: str
    assignment: PinAssignment


@dataclass(frozen=True, slots=True, kw_only=True)
class PinConflict:
    """A pin that is named for several uses; only one is in the profile."""

    pin: int
    kept: PinUse
    dropped: tuple[PinUse, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PinReading:
    """The pins that were found, and everything that is doubtful about them."""

    profile: SocketProfile
    source: PinSource
    conflicts: tuple[PinConflict, ...] = ()
    warnings: tuple[PinWarning, ...] = ()
    chip: str | None = None
    """The chip that the socket's own data name, only a hint where it is by the module."""
    start_values: Mapping[int, int] = field(default_factory=dict)
    """OpenBeken's start value of each channel (1 on, 0 off, -1 as before), where one was set."""
    damage: tuple[StorageProblem, ...] = ()
    """What is wrong with the store that they were looked for in."""

    @property
    def is_light(self) -> bool:
        """Return whether this describes a light, which has no relay to be switched."""
        return not self.profile.relays and any(
            warning.kind is WarningKind.LIGHT for warning in self.warnings
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """How one family of keys becomes a role.

    ``active_low`` and ``active_high`` are the roles for the level that the level key names (its
    ``{}`` is the number in the pin's key), ``level`` what is taken where there is none.
    """

    keys: re.Pattern[str]
    active_low: PinRole
    active_high: PinRole
    level: int = 0
    level_key: str = ""
    channel: int | None = None
    """A fixed channel; None is the number in the key."""

    @property
    def has_polarity(self) -> bool:
        return self.active_low is not self.active_high


def _rule(
    keys: str,
    active_low: PinRole,
    active_high: PinRole | None = None,
    *,
    level: int = 0,
    level_key: str = "",
    channel: int | None = None,
) -> _Rule:
    return _Rule(
        keys=re.compile(keys),
        active_low=active_low,
        active_high=active_high or active_low,
        level=level,
        level_key=level_key,
        channel=channel,
    )


# The number of a channel, which OpenBeken has 64 of.
_NUMBER: Final = r"([1-5]?\d|6[0-3])"
# Of two uses of one pin the earlier one in this table is kept. OpenBeken's relays and LEDs are
# active high, its buttons active low; the roles with _n are the other way round.
_RULES: Final = (
    _rule(
        rf"rl{_NUMBER}_pin", PinRole.REL_N, PinRole.REL, level=1, level_key="rl{}_lv"
    ),
    _rule(r"rl", PinRole.REL_N, PinRole.REL, level=1, level_key="rl_lv", channel=1),
    _rule(rf"rl_on{_NUMBER}_pin", PinRole.BRIDGE_FWD, level_key="rl_on{}_lv"),
    _rule(rf"rl_off{_NUMBER}_pin", PinRole.BRIDGE_REV, level_key="rl_off{}_lv"),
    _rule(rf"bt{_NUMBER}_pin", PinRole.BTN, PinRole.BTN_N, level_key="bt{}_lv"),
    _rule(r"bt_pin|bt", PinRole.BTN, PinRole.BTN_N, level_key="bt_lv", channel=1),
    _rule(rf"k{_NUMBER}pin_pin", PinRole.BTN, PinRole.BTN_N, level_key="k{}pin_lv"),
    _rule(rf"onoff{_NUMBER}", PinRole.TGL_CHAN_ON_TGL),
    _rule(
        r"total_bt_pin",
        PinRole.BTN_TGL_ALL,
        PinRole.BTN_TGL_ALL_N,
        level_key="total_bt_lv",
        channel=0,
    ),
    _rule(
        r"key_pin",
        PinRole.BTN_TGL_ALL,
        PinRole.BTN_TGL_ALL_N,
        level_key="key_lv",
        channel=0,
    ),
    _rule(r"reset_pin", PinRole.BTN, PinRole.BTN_N, level_key="reset_lv", channel=0),
    _rule(r"ele_pin|epin", PinRole.BL0937CF, channel=0),
    _rule(r"vi_pin|ivpin", PinRole.BL0937CF1, channel=0),
    _rule(r"sel_pin_pin|ivcpin", PinRole.BL0937SEL, channel=0),
    _rule(
        rf"led{_NUMBER}_pin", PinRole.LED_N, PinRole.LED, level=1, level_key="led{}_lv"
    ),
    _rule(
        r"netled(\d*)_pin",
        PinRole.WIFI_LED_N,
        PinRole.WIFI_LED,
        level_key="netled{}_lv",
        channel=0,
    ),
    _rule(
        r"wfst_pin|wfst",
        PinRole.WIFI_LED_N,
        PinRole.WIFI_LED,
        level_key="wfst_lv",
        channel=0,
    ),
    _rule(
        r"status_led_pin",
        PinRole.WIFI_LED_N,
        PinRole.WIFI_LED,
        level_key="status_led_lv",
        channel=0,
    ),
    _rule(
        r"door\d+_magt_pin|gate_sensor_pin_pin|basic_pin_pin",
        PinRole.D_INPUT,
        channel=0,
    ),
    _rule(r"infrr|irpin", PinRole.IR_RECV, channel=0),
    _rule(r"infre", PinRole.IR_SEND, channel=0),
    _rule(r"remote_io", PinRole.RC_RECV, channel=0),
    _rule(r"samp_pin", PinRole.BAT_ADC, channel=0),
    _rule(r"samp_sw_pin", PinRole.BAT_RELAY, channel=0),
)
_METER_KEYS: Final = re.compile(r"ele_pin|epin|vi_pin|ivpin|sel_pin_pin|ivcpin")
_LIGHT_KEYS: Final = re.compile(r"[rgbcw]_pin|iic(?:scl|sda)|mosi")
_OTHER_PIN_KEYS: Final = re.compile(r"\w*pin|backlit_io|bz_io|buzzer_io")
_METERS_OVER_UART: Final = {2: "HLW8032", 3: "BL0942"}
_SERIAL_METERS: Final = {2: CSE7766, 3: BL0942}
# RX1 and TX1 of BK7231N and BK7231T (new_pins.c, 1.18.299).
_FIRST_UART: Final = frozenset({10, 11})
_LEVELS: Final = (0, 1)
_METER_BL0937: Final = 0
_METER_HLW8012: Final = 1
_LATCHING: Final = 1

# Power-on states: off, on, as before.
_START_VALUES: Final = {0: 0, 1: 1, 2: -1}


def profile_from_user_params(
    params: UserParams, source: PinSource = PinSource.TEXT, chip: Chip = BK7231N
) -> PinReading:
    """Translate parameters into the pins of a chip.

    What cannot be translated becomes a warning, never an error.

    Whether the profile is fit to be written, its own ``problems`` tell.
    """
    warnings = list(_general_warnings(params, chip))
    uses = _with_channels_settled(list(_uses(params, chip, warnings)))
    kept, conflicts = _settle_conflicts(uses)
    warnings += _shared_led_warnings(params, kept)
    named = params.get("module")
    wanted = named.strip().upper() or None if isinstance(named, str) else None
    profile = SocketProfile.of((use.assignment for use in kept), wanted)
    if (meter := _serial_meter(params)) is not None:
        told = WarningKind.METER_OVER_UART
        if not any(pin.pin in _FIRST_UART for pin in profile.pins):
            profile, told = profile.with_meter(meter), WarningKind.METER_ON_UART
        warnings.append(PinWarning(kind=told, key="chip_type", value=meter.name))
    module = profile.module
    if wanted and module is None:
        warnings.append(PinWarning(kind=WarningKind.ODD_MODULE, key="module"))
    return PinReading(
        profile=profile,
        source=source,
        conflicts=tuple(conflicts),
        warnings=tuple(warnings),
        chip=chip_of_module(module) if module else None,
        start_values=_start_values(params, profile),
    )


def _uses(
    params: UserParams, chip: Chip, warnings: list[PinWarning]
) -> Iterator[PinUse]:
    """Yield every use of a pin in the order of the rules; add a warning for what is left out."""
    without_meter = _meter_warnings(params, warnings)
    claimed = set()
    for rule in _RULES:
        for key in params:
            if not (match := rule.keys.fullmatch(key)):
                continue
            claimed.add(key)
            if without_meter and _METER_KEYS.fullmatch(key):
                continue
            if use := _use(params, rule, match, chip, warnings):
                yield use
    for key, value in params.items():
        if key in claimed or _LIGHT_KEYS.fullmatch(key):
            continue
        if _OTHER_PIN_KEYS.fullmatch(key) and (pin := _as_number(value)) is not None:
            warnings.append(
                PinWarning(kind=WarningKind.PIN_WITHOUT_ROLE, key=key, pin=pin)
            )


def _use(
    params: UserParams,
    rule: _Rule,
    match: re.Match[str],
    chip: Chip,
    warnings: list[PinWarning],
) -> PinUse | None:
    key = match.string
    if (pin := _pin(params, key, chip, warnings)) is None:
        return None
    number = match[1] if match.re.groups else ""
    level = _number(params, rule.level_key.format(number))
    if level not in _LEVELS:
        level = None
    is_high = rule.level if level is None else level
    role = rule.active_high if is_high else rule.active_low
    # OpenBeken drives two coils, by high pulses.
    unfit = _is_latching(params, number) if role in RELAY_ROLES else level == 0
    if role in SWITCHING_ROLES and unfit:
        warnings.append(PinWarning(kind=WarningKind.LATCHING_RELAY, key=key, pin=pin))
        return None
    unusual = level == 1 and role in BUTTON_ROLES
    if unusual:
        warnings.append(
            PinWarning(kind=WarningKind.BUTTON_ACTIVE_HIGH, key=key, pin=pin)
        )
    return PinUse(
        key=key,
        assignment=PinAssignment(
            pin=pin,
            role=role,
            channel=int(number) if rule.channel is None else rule.channel,
            polarity_guessed=rule.has_polarity and (level is None or unusual),
        ),
    )


def _pin(
    params: UserParams, key: str, chip: Chip, warnings: list[PinWarning]
) -> int | None:
    value = params[key]
    pin = None if isinstance(value, bool) else _as_number(value)
    if pin is None:
        if value is not None:
            warnings.append(
                PinWarning(kind=WarningKind.UNREADABLE, key=key, value=str(value)[:32])
            )
        return None
    if not 0 <= pin <= chip.highest_pin:
        warnings.append(PinWarning(kind=WarningKind.PIN_OUT_OF_RANGE, key=key, pin=pin))
        return None
    return pin


def _is_latching(params: UserParams, number: str) -> bool:
    return _number(params, f"rl{number}_type", "rl_type") == _LATCHING


def _meter_warnings(params: UserParams, warnings: list[PinWarning]) -> bool:
    """Add what is to be said of the meter; return whether its pins must be left out."""
    has_pins = any(_METER_KEYS.fullmatch(key) for key in params)
    kind = _number(params, "chip_type") or _METER_BL0937
    if _serial_meter(params) is not None:
        return True
    if "ele_rx" in params or kind not in (_METER_BL0937, _METER_HLW8012):
        warnings.append(
            PinWarning(
                kind=WarningKind.METER_OVER_UART,
                key="chip_type",
                value=_METERS_OVER_UART.get(kind),
            )
        )
        return True
    if has_pins and _number(params, "ele_fun_en") == 0:
        warnings.append(PinWarning(kind=WarningKind.METER_DISABLED, key="ele_fun_en"))
        return True
    if has_pins and kind == _METER_HLW8012:
        warnings.append(PinWarning(kind=WarningKind.METER_HLW8012, key="chip_type"))
    if has_pins and _number(params, "sel_pin_lv") == 0:
        warnings.append(PinWarning(kind=WarningKind.SELECT_LEVEL_LOW, key="sel_pin_lv"))
    return False


def _serial_meter(params: UserParams) -> Meter | None:
    """Return the meter on the first serial line, None for another line or an unknown kind."""
    if _number(params, "ele_fun_en") == 0:
        return None
    if _number(params, "ele_rx") not in (None, *_FIRST_UART):
        return None
    return _SERIAL_METERS.get(_number(params, "chip_type") or _METER_BL0937)


def _general_warnings(params: UserParams, chip: Chip) -> Iterator[PinWarning]:
    if light := next(filter(_LIGHT_KEYS.fullmatch, params), None):
        yield PinWarning(kind=WarningKind.LIGHT, key=light)
    module = params.get("module")
    usual = chip_of_module(module) if isinstance(module, str) else None
    if usual not in (None, chip.name):
        yield PinWarning(kind=WarningKind.OTHER_CHIP, key="module", value=usual)
    relays = sum(re.fullmatch(r"rl(_on)?\d+_pin", key) is not None for key in params)
    channels = _number(params, "ch_num")
    if relays and channels not in (None, relays):
        yield PinWarning(kind=WarningKind.CHANNEL_COUNT, key="ch_num", value=channels)


def _shared_led_warnings(
    params: UserParams, uses: Sequence[PinUse]
) -> Iterator[PinWarning]:
    """Yield the network LEDs that have been the relay's as well."""
    if _number(params, "netled_reuse") != 1 or "led1_pin" in params:
        return
    for use in uses:
        if use.key.startswith("netled"):
            yield PinWarning(
                kind=WarningKind.NETWORK_LED_SHOWS_RELAY,
                key=use.key,
                pin=use.assignment.pin,
            )


def _with_channels_settled(uses: Sequence[PinUse]) -> list[PinUse]:
    """Give a lone button its relay, and every input a channel that no relay listens to."""
    relays = {
        use.assignment.channel for use in uses if use.assignment.role in SWITCHING_ROLES
    }
    free = max(relays, default=0)
    settled = []
    for use in uses:
        pin = use.assignment
        if use.key in ("bt", "bt_pin") and pin.channel not in relays:
            pin = replace(pin, channel=0)
        elif pin.role is PinRole.D_INPUT:
            free += 1
            pin = replace(pin, channel=free)
        settled.append(PinUse(key=use.key, assignment=pin))
    return settled


def _settle_conflicts(
    uses: Sequence[PinUse],
) -> tuple[list[PinUse], list[PinConflict]]:
    """Keep the first use of each pin; the same use under two names is no conflict."""
    by_pin: dict[int, list[PinUse]] = {}
    for use in uses:
        by_pin.setdefault(use.assignment.pin, []).append(use)
    kept = []
    conflicts = []
    for pin, (first, *others) in by_pin.items():
        kept.append(first)
        dropped = tuple(use for use in others if use.assignment != first.assignment)
        if dropped:
            conflicts.append(PinConflict(pin=pin, kept=first, dropped=dropped))
    return kept, conflicts


def _start_values(params: UserParams, profile: SocketProfile) -> dict[int, int]:
    values = {}
    for relay in profile.relays:
        state = _number(params, f"ch{relay.channel}_stat", "total_stat")
        if state in _START_VALUES:
            values[relay.channel] = _START_VALUES[state]
    return values


def _number(params: UserParams, *keys: str) -> int | None:
    """Return the first of these parameters that is a number."""
    for key in keys:
        if (number := _as_number(params.get(key))) is not None:
            return number
    return None


def _as_number(value: UserParam) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,9}", value):
        return int(value)
    return int(value) if isinstance(value, (bool, int)) else None
