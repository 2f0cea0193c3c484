"""A socket described for any consumer of Home Assistant's MQTT discovery."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from ..profile import SocketProfile
from ..quantities import DIAGNOSTICS, METER, Quantity
from .messages import Gesture, button_key, topic_of, version_of
from .settings import LedUse, led_pins, led_use

type Component = dict[str, Any]

ORIGIN_NAME: Final = "OpenBeken for Home Assistant"
_EVENT_OF_GESTURE: Final = {
    Gesture.SINGLE: '{"event_type": "press_end"}',
    Gesture.DOUBLE: '{"event_type": "multi_press_end", "multi_press_count": 2}',
    Gesture.TRIPLE: '{"event_type": "multi_press_end", "multi_press_count": 3}',
    Gesture.HOLD: '{"event_type": "long_press_start"}',
}
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
class Described:
    """What the payload of a socket is made of."""

    name: str
    mac: str
    client_id: str
    profile: SocketProfile
    build: str | None
    url: str | None
    origin_version: str
    dark_leds: frozenset[int] = frozenset()
    corrections: Mapping[str, Correction] = field(default_factory=dict)


def discovery_topic(prefix: str, mac: str) -> str:
    """Return the topic of a socket's payload below a discovery prefix."""
    return f"{prefix}/device/openbk_{mac.replace(':', '')}/config"


def discovery_payload(socket: Described) -> dict[str, Any]:
    """Return the device-based payload: device, origin, availability and all components.

    Unique ids are ``<mac>_<key>``, the same as those of the native entities.
    """
    device = {
        "ids": [f"openbk_{socket.mac}"],
        "cns": [["mac", socket.mac]],
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
            key: {"uniq_id": f"{socket.mac}_{key}", **component}
            for key, component in _components(socket)
        },
    }


def _components(socket: Described) -> Iterator[tuple[str, Component]]:
    yield from _relays(socket)
    yield from _leds(socket)
    yield from _buttons(socket)
    if socket.profile.has_meter:
        for quantity in METER:
            yield quantity.key, _sensor(socket, quantity)
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
        name = None if len(relays) == 1 else f"Relay {relay.channel}"
        yield (
            f"relay_{relay.channel}",
            {
                "p": "switch",
                "name": name,
                "dev_cla": "outlet",
                "val_tpl": _CHANNEL_STATE,
                **_channel(socket, relay.channel),
            },
        )


def _leds(socket: Described) -> Iterator[tuple[str, Component]]:
    for led in led_pins(socket.profile):
        if (
            led_use(socket.profile, led) is LedUse.INDEPENDENT
            and led.pin not in socket.dark_leds
        ):
            yield (
                f"led_{led.pin}",
                {
                    "p": "light",
                    "name": f"LED P{led.pin}",
                    "stat_val_tpl": _CHANNEL_STATE,
                    **_channel(socket, led.channel),
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
        "val_tpl": _template(quantity, socket.corrections.get(quantity.key)),
    }
    if not quantity.enabled:
        component["en"] = False
    return {key: value for key, value in component.items() if value is not None}


def _template(quantity: Quantity, correction: Correction | None) -> str | None:
    """Return the template that makes the number the same as that of the native entity."""
    number = "value | float"
    if quantity.key == "power_factor":
        # The firmware mixes samples of different loads and exceeds one then.
        return f"{{{{ [{number}, 1] | min }}}}"
    if correction is not None:
        corrected = f"{correction.gain!r} * ({number}) + {correction.offset!r}"
        return f"{{{{ 0 if {number} <= 0 else ([{corrected}, 0] | max) | round(4) }}}}"
    if quantity.factor != 1:
        return f"{{{{ ({number} * {quantity.factor!r}) | round({quantity.decimals + 3}) }}}}"
    return None
