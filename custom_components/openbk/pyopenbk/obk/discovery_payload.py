"""A socket described for any consumer of Home Assistant's MQTT discovery."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
import re
from typing import Any, Final, Protocol

from ..profile import SocketProfile
from ..quantities import (
    APPARENT_POWER,
    CURRENT,
    DIAGNOSTICS,
    ENERGY,
    FREQUENCY,
    METER,
    POWER,
    POWER_FACTOR,
    REACTIVE_POWER,
    VOLTAGE,
    Quantity,
)
from .builds import version_of
from .messages import Gesture, button_key, topic_of
from .settings import independent_leds

type Component = dict[str, Any]

ORIGIN_NAME: Final = "OpenBeken for Home Assistant"
_EVENT_OF_GESTURE: Final = {
    Gesture.SINGLE: '{"event_type": "press_end"}',
    Gesture.DOUBLE: '{"event_type": "multi_press_end", "multi_press_count": 2}',
    Gesture.TRIPLE: '{"event_type": "multi_press_end", "multi_press_count": 3}',
    Gesture.HOLD: '{"event_type": "long_press_start"}',
}
# 4.77 was seen (1.18.299).
_HIGHEST_MIXED_FACTOR: Final = 100.0
_NO_NUMBER: Final = 1e15
_EVENT_TYPES: Final = ["press_end", "multi_press_end", "long_press_start"]
# A question for a channel passes on the same topic as its answer, and is empty; a channel may
# hold other numbers than 1, for all of which the relay is on.
_CHANNEL_STATE: Final = (
    "{{ '' if value == '' else '0' if value | float(0) == 0 else '1' }}"
)


class Correction(Protocol):
    """Gain and offset of one quantity."""

    @property
    def gain(self) -> float:
        """Return what readings are multiplied by."""

    @property
    def offset(self) -> float:
        """Return what is added then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyLine:
    """The total energy as a line over the socket's own counter, both in kWh.

    It begins where the total was when the line was drawn: a gain alone would correct what was
    counted before, too. Below ``floor`` the total waits, as it must not run backwards.
    """

    gain: float = 1.0
    base: float = 0.0
    floor: float = 0.0

    def __call__(self, counted: float) -> float:
        """Return the total at a number of the socket's."""
        return round(max(self.gain * counted + self.base, self.floor), 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What the payload of a socket is made of."""

    name: str
    identity: str
    """What its unique ids begin with: the MAC, or more where that identifies nobody."""
    mac: str | None
    """Its MAC in lower case with colons, where that identifies it."""
    client_id: str
    profile: SocketProfile
    build: str | None
    url: str | None
    origin_version: str
    dark_leds: frozenset[int] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)
    """What the socket calls its relays, by channel."""
    corrections: Mapping[str, Correction] = field(default_factory=dict)
    energy: EnergyLine = EnergyLine()
    energy_in_kwh: bool | None = False
    """The socket counts its energy in kWh (flag 40); None where nobody knows yet."""
    feeds_in: bool = False
    """Its power may be below zero (flag 25)."""


def discovery_topic(prefix: str, identity: str) -> str:
    """Return the topic of a socket's payload below a discovery prefix.

    Consumers take letters, digits, ``_`` and ``-`` there.
    """
    name = re.sub(r"[^A-Za-z0-9_-]", "-", identity.replace(":", ""))
    return f"{prefix}/device/openbk_{name}/config"


def discovery_payload(socket: Described) -> dict[str, Any]:
    """Return the device-based payload: device, origin, availability and all components.

    Unique ids are ``<identity>_<key>``, the same as those of the native entities.
    """
    device = {
        "ids": [f"openbk_{socket.identity}"],
        "cns": None if socket.mac is None else [["mac", socket.mac]],
        "name": socket.name,
        "mf": "OpenBeken",
        "sw": version_of(socket.build or ""),
        "cu": socket.url,
        "mdl_id": socket.profile.module,
    }
    return {
        "dev": {key: value for key, value in device.items() if value is not None},
        "o": {"name": ORIGIN_NAME, "sw": socket.origin_version},
        "avty_t": f"{socket.client_id}/connected",
        "cmps": {
            key: {"uniq_id": f"{socket.identity}_{key}", **component}
            for key, component in _components(socket)
        },
    }


def _components(socket: Described) -> Iterator[tuple[str, Component]]:
    yield from _relays(socket)
    yield from _leds(socket)
    yield from _inputs(socket)
    yield from _buttons(socket)
    if socket.profile.has_meter:
        for quantity in METER:
            # A thousand times too little or too much would be in the statistics for good.
            if socket.energy_in_kwh is not None or not _is_energy(quantity):
                yield quantity.key, _sensor(socket, quantity)
    if socket.profile.has_frequency:
        yield FREQUENCY.key, _sensor(socket, FREQUENCY)
    for quantity in DIAGNOSTICS:
        yield quantity.key, {**_sensor(socket, quantity), "ent_cat": "diagnostic"}
    for key, name in (("ip", "IP address"), ("ssid", "Wi-Fi network")):
        yield (
            key,
            {
                "p": "sensor",
                "name": name,
                "stat_t": f"{socket.client_id}/{topic_of(key)}",
                "ent_cat": "diagnostic",
                "en": False,
            },
        )


def _relays(socket: Described) -> Iterator[tuple[str, Component]]:
    relays = socket.profile.relays
    for relay in relays:
        named = socket.labels.get(str(relay.channel), f"Relay {relay.channel}")
        name = None if len(relays) == 1 else named
        yield (
            f"relay_{relay.channel}",
            {
                "p": "switch",
                "name": name,
                "dev_cla": "switch" if socket.profile.is_wall_switch else "outlet",
                "val_tpl": _CHANNEL_STATE,
                **_channel(socket, relay.channel),
            },
        )


def _leds(socket: Described) -> Iterator[tuple[str, Component]]:
    for led in independent_leds(socket.profile, socket.dark_leds):
        yield (
            f"led_{led.pin}",
            {
                "p": "light",
                "name": f"LED P{led.pin}",
                "stat_val_tpl": _CHANNEL_STATE,
                **_channel(socket, led.channel),
            },
        )


def _inputs(socket: Described) -> Iterator[tuple[str, Component]]:
    inputs = socket.profile.inputs
    for pin in inputs:
        yield (
            f"input_{pin.channel}",
            {
                "p": "binary_sensor",
                "name": "Input" if len(inputs) == 1 else f"Input {pin.channel}",
                "val_tpl": _CHANNEL_STATE,
                "stat_t": f"{socket.client_id}/{pin.channel}/get",
                # A contact that is closed pulls it down.
                "pl_on": "0",
                "pl_off": "1",
            },
        )


def _buttons(socket: Described) -> Iterator[tuple[str, Component]]:
    buttons = socket.profile.buttons
    cases = "".join(
        f"{{%- elif value == '{gesture}' -%}}{event}"
        for gesture, event in _EVENT_OF_GESTURE.items()
    ).replace("elif", "if", 1)
    for index, button in enumerate(buttons):
        topic = button_key(button.pin, first=index == 0)
        yield (
            f"button_{button.pin}",
            {
                "p": "event",
                "name": "Button" if len(buttons) == 1 else f"Button P{button.pin}",
                "dev_cla": "button",
                "evt_typ": _EVENT_TYPES,
                "stat_t": f"{socket.client_id}/{topic}/get",
                "val_tpl": f"{cases}{{%- endif -%}}",
            },
        )


def _channel(socket: Described, channel: int) -> Component:
    return {
        "stat_t": f"{socket.client_id}/{channel}/get",
        "cmd_t": f"{socket.client_id}/{channel}/set",
        "pl_on": "1",
        "pl_off": "0",
    }


def _sensor(socket: Described, quantity: Quantity) -> Component:
    suffix = topic_of(quantity.key)
    component = {
        "p": "sensor",
        "name": quantity.name,
        "stat_t": f"{socket.client_id}/{suffix}",
        "dev_cla": quantity.device_class,
        "stat_cla": quantity.state_class,
        "unit_of_meas": quantity.unit,
        "sug_dsp_prc": quantity.decimals,
        "val_tpl": _template(socket, quantity),
    }
    if not quantity.enabled:
        component["en"] = False
    return {key: value for key, value in component.items() if value is not None}


def _template(socket: Described, quantity: Quantity) -> str | None:
    """Return the template that makes the number the same as that of the native entity.

    For what no socket can have measured it is empty, which core ignores for a number.
    """
    if quantity not in METER:
        return None
    factor = _factor(socket, quantity)
    lowest, highest = quantity.lowest / factor, quantity.highest / factor
    if quantity is POWER:
        highest = socket.profile.assumed_meter.highest_power
    if quantity is POWER_FACTOR:
        # The firmware mixes samples of different loads and exceeds one then.
        highest = _HIGHEST_MIXED_FACTOR
    if socket.feeds_in and quantity in (POWER, POWER_FACTOR):
        lowest = -highest
    shown = _shown(socket, quantity)
    fits = f"{lowest:g} <= value | float({_NO_NUMBER:g}) <= {highest:g}"
    return f"{{{{ {shown} if {fits} else '' }}}}"


def _shown(socket: Described, quantity: Quantity) -> str:
    """Return the expression for a number that can be true."""
    number = "value | float"
    if (correction := socket.corrections.get(quantity.key)) is not None:
        corrected = f"{correction.gain!r} * ({number}) + {correction.offset!r}"
        digits = quantity.decimals + 2
        side = f"([{corrected}, 0] | max)"
        if quantity is POWER and socket.feeds_in:
            side = f"({side} if {number} > 0 else ([{corrected}, 0] | min))"
            return f"(0 if {number} == 0 else {side} | round({digits}))"
        return f"(0 if {number} <= 0 else {side} | round({digits}))"
    if quantity is ENERGY and (line := socket.energy) != EnergyLine():
        total = f"{number} * {_factor(socket, quantity) * line.gain!r} + {line.base!r}"
        return f"[{total}, {line.floor!r}] | max | round(6)"
    gain = _gain(socket, quantity)
    if quantity is POWER_FACTOR:
        mixed = f"[{_times(number, gain)}, 1] | min"
        if socket.feeds_in:
            mixed = f"[{mixed}, -1] | max"
        return f"{mixed} | round(3)"
    if (factor := _factor(socket, quantity) * gain) != 1:
        return f"({_times(number, factor)}) | round({quantity.decimals + 3})"
    return "value"


def _factor(socket: Described, quantity: Quantity) -> float:
    """Return what turns the socket's number into one in the unit of the quantity."""
    in_kwh = socket.energy_in_kwh and _is_energy(quantity)
    return 1.0 if in_kwh else quantity.factor


def _is_energy(quantity: Quantity) -> bool:
    return quantity.device_class == ENERGY.device_class


def _times(number: str, factor: float) -> str:
    return number if factor == 1 else f"{number} * {factor!r}"


def _gain(socket: Described, quantity: Quantity) -> float:
    """Return the gain of what the firmware works out from corrected quantities.

    A template sees one number, so the shares of their offsets cannot be carried.
    """

    def gain(of: Quantity) -> float:
        correction = socket.corrections.get(of.key)
        return 1.0 if correction is None else correction.gain

    if _is_energy(quantity) and quantity is not ENERGY:
        return gain(POWER)
    if quantity in (APPARENT_POWER, REACTIVE_POWER):
        return gain(VOLTAGE) * gain(CURRENT)
    if quantity is POWER_FACTOR:
        return gain(POWER) / (gain(VOLTAGE) * gain(CURRENT))
    return 1.0
