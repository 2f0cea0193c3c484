"""Settings of a running socket that a person may change: what LEDs and buttons do."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Final

from ..errors import OpenBekenError
from ..profile import HIGHEST_CHANNEL, PinAssignment, SocketProfile
from ..roles import LED_ROLES, WIFI_LED_ROLES, PinRole


class SettingError(OpenBekenError):
    """A socket has no such pin, or no room for the setting."""


class LedUse(StrEnum):
    """What an LED shows."""

    RELAY = "relay"
    WIFI = "wifi"
    INDEPENDENT = "independent"
    OFF = "off"


class LedName(StrEnum):
    """What an LED is called."""

    WIFI = "wifi_led"
    RELAY = "relay_led"
    OTHER = "led"
    ONE_OF_MANY = "led_of_many"
    """By its pin, where several showed the same."""


_LED_NAMES: Final[Mapping[str, LedName]] = {
    LedUse.WIFI: LedName.WIFI,
    LedUse.RELAY: LedName.RELAY,
}


class ButtonUse(StrEnum):
    """What the button does by itself; it always reports to Home Assistant."""

    TOGGLE = "toggle"
    EVENTS_ONLY = "events_only"


_ACTIVE_LOW_LEDS: Final = frozenset({PinRole.LED_N, PinRole.WIFI_LED_N})
_EVENTS_ONLY: Final = {
    PinRole.BTN: PinRole.BTN_SCRIPT_ONLY,
    PinRole.BTN_N: PinRole.BTN_SCRIPT_ONLY_N,
}
_TOGGLE: Final = {events: toggle for toggle, events in _EVENTS_ONLY.items()}


def led_pins(profile: SocketProfile) -> tuple[PinAssignment, ...]:
    """Return the pins of all LEDs, whatever they show, in ascending order."""
    return tuple(pin for pin in profile.pins if pin.role in LED_ROLES | WIFI_LED_ROLES)


def led_use(profile: SocketProfile, led: PinAssignment) -> LedUse:
    """Return what an LED shows; one that is kept dark counts as independent."""
    if led.role in WIFI_LED_ROLES:
        return LedUse.WIFI
    if any(relay.channel == led.channel for relay in profile.relays):
        return LedUse.RELAY
    return LedUse.INDEPENDENT


def first_led_uses(profile: SocketProfile, known: Mapping[str, str]) -> dict[str, str]:
    """Return what each LED showed when it was first seen, by its pin; what is ``known`` stays."""
    return {
        str(led.pin): known.get(str(led.pin), led_use(profile, led))
        for led in led_pins(profile)
    }


def led_name(first_uses: Mapping[str, str], led: PinAssignment) -> LedName:
    """Return what an LED is called: by what it showed first, as that may change."""
    use = first_uses[str(led.pin)]
    if [*first_uses.values()].count(use) > 1:
        return LedName.ONE_OF_MANY
    return _LED_NAMES.get(use, LedName.OTHER)


def independent_leds(
    profile: SocketProfile, dark: Collection[int]
) -> tuple[PinAssignment, ...]:
    """Return a pin for each channel of LEDs that show what they are told; ``dark`` pins are not."""
    leds: dict[int, PinAssignment] = {}
    for led in led_pins(profile):
        if led_use(profile, led) is LedUse.INDEPENDENT and led.pin not in dark:
            leds.setdefault(led.channel, led)
    return tuple(leds.values())


def with_led_use(profile: SocketProfile, pin: int, use: LedUse) -> SocketProfile:
    """Return the profile with one LED used otherwise.

    An LED that is independent or off gets a channel of its own.
    """
    led = _pin(profile, pin)
    inverted = led.role in _ACTIVE_LOW_LEDS
    if use is LedUse.WIFI:
        role = PinRole.WIFI_LED_N if inverted else PinRole.WIFI_LED
        return _with_pin(profile, replace(led, role=role, channel=0))
    role = PinRole.LED_N if inverted else PinRole.LED
    if use is LedUse.RELAY:
        if not profile.relays:
            raise SettingError("no relay for the LED to follow")
        channel = profile.relays[0].channel
    elif led_use(profile, led) is LedUse.INDEPENDENT:
        channel = led.channel
    else:
        channel = _free_channel(profile)
    return _with_pin(profile, replace(led, role=role, channel=channel))


def button_use(button: PinAssignment) -> ButtonUse | None:
    """Return what a button does, or None for a kind that cannot be changed."""
    if button.role in _EVENTS_ONLY:
        return ButtonUse.TOGGLE
    return ButtonUse.EVENTS_ONLY if button.role in _TOGGLE else None


def with_button_use(profile: SocketProfile, pin: int, use: ButtonUse) -> SocketProfile:
    """Return the profile with one button used otherwise."""
    button = _pin(profile, pin)
    roles = _EVENTS_ONLY if use is ButtonUse.EVENTS_ONLY else _TOGGLE
    return _with_pin(profile, replace(button, role=roles.get(button.role, button.role)))


def _pin(profile: SocketProfile, number: int) -> PinAssignment:
    for pin in profile.pins:
        if pin.pin == number:
            return pin
    raise SettingError(f"P{number} has no role")


def _with_pin(profile: SocketProfile, changed: PinAssignment) -> SocketProfile:
    pins = (changed if pin.pin == changed.pin else pin for pin in profile.pins)
    return profile.with_pins(pins)


def _free_channel(profile: SocketProfile) -> int:
    used = {pin.channel for pin in profile.pins if pin.role.has_channel}
    for channel in range(1, HIGHEST_CHANNEL + 1):
        if channel not in used:
            return channel
    raise SettingError("no channel is free")
