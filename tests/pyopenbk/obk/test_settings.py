"""What LEDs and buttons do is changed in a profile, as far as the socket has room for it."""

import pytest

from custom_components.openbk.pyopenbk.obk.settings import (
    ButtonUse,
    LedUse,
    SettingError,
    button_use,
    led_use,
    with_button_use,
    with_led_use,
)
from custom_components.openbk.pyopenbk.profile import PinAssignment, SocketProfile
from custom_components.openbk.pyopenbk.roles import PinRole
from tests.support.sockets import BLOW


def test_a_pin_that_has_no_role_cannot_be_changed() -> None:
    with pytest.raises(SettingError):
        with_led_use(BLOW, 9, LedUse.WIFI)
    with pytest.raises(SettingError):
        with_button_use(BLOW, 9, ButtonUse.EVENTS_ONLY)


def test_an_led_follows_no_relay_where_there_is_none() -> None:
    led = PinAssignment(pin=8, role=PinRole.WIFI_LED_N)
    with pytest.raises(SettingError):
        with_led_use(SocketProfile.of([led]), 8, LedUse.RELAY)


def test_an_independent_led_keeps_its_channel_and_its_level() -> None:
    changed = with_led_use(BLOW, 8, LedUse.INDEPENDENT)
    [led] = [pin for pin in changed.pins if pin.pin == 8]
    assert led.role is PinRole.LED_N
    assert led.channel not in {pin.channel for pin in BLOW.pins}
    assert led_use(changed, led) is LedUse.INDEPENDENT
    assert with_led_use(changed, 8, LedUse.OFF) == changed
    assert with_led_use(changed, 8, LedUse.WIFI) == BLOW


@pytest.mark.parametrize("role", [PinRole.BTN, PinRole.BTN_N])
def test_a_button_keeps_its_level(role: PinRole) -> None:
    pins = (PinAssignment(pin=11, role=role, channel=1),)
    profile = SocketProfile.of(pins)
    events = with_button_use(profile, 11, ButtonUse.EVENTS_ONLY)
    assert button_use(events.pins[0]) is ButtonUse.EVENTS_ONLY
    assert with_button_use(events, 11, ButtonUse.EVENTS_ONLY) == events
    assert with_button_use(events, 11, ButtonUse.TOGGLE) == profile
    other = PinAssignment(pin=12, role=PinRole.TGL_CHAN_ON_TGL, channel=1)
    assert button_use(other) is None
