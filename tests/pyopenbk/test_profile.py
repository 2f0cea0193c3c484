"""What a socket has."""

import json
from typing import Any

import pytest

from custom_components.openbk.pyopenbk.profile import (
    PinAssignment,
    ProfileError,
    ProfileProblem,
    SocketProfile,
)
from custom_components.openbk.pyopenbk.roles import PinRole

METER = (
    PinAssignment(pin=7, role=PinRole.BL0937CF),
    PinAssignment(pin=6, role=PinRole.BL0937CF1),
    PinAssignment(pin=24, role=PinRole.BL0937SEL),
)
RELAY = PinAssignment(pin=26, role=PinRole.REL, channel=1)


def coils(channel: int, *, on: int, off: int) -> tuple[PinAssignment, PinAssignment]:
    """Return the pins of a relay with two coils."""
    return (
        PinAssignment(pin=on, role=PinRole.BRIDGE_FWD, channel=channel),
        PinAssignment(pin=off, role=PinRole.BRIDGE_REV, channel=channel),
    )


def test_pins_are_kept_in_order_and_without_the_unused() -> None:
    """Whatever order they come in."""
    unused = PinAssignment(pin=1, role=PinRole.NONE)
    profile = SocketProfile.of([RELAY, unused, *METER], "CB2S")
    assert [pin.pin for pin in profile.pins] == [6, 7, 24, 26]
    assert profile == SocketProfile.of([*reversed(METER), RELAY], "CB2S")


def test_parts_are_listed_in_the_order_of_their_channels() -> None:
    """Then of their pins."""
    second = PinAssignment(pin=4, role=PinRole.REL_N, channel=2)
    buttons = (
        PinAssignment(pin=11, role=PinRole.BTN, channel=1),
        PinAssignment(pin=9, role=PinRole.BTN_N, channel=2),
    )
    led = PinAssignment(pin=10, role=PinRole.LED_N, channel=1)
    wifi = PinAssignment(pin=8, role=PinRole.WIFI_LED)
    profile = SocketProfile.of([second, RELAY, *buttons, led, wifi])
    assert profile.relays == (RELAY, second)
    assert profile.buttons == buttons
    assert profile.leds == (led,)
    assert profile.wifi_leds == (wifi,)


@pytest.mark.parametrize("select", [PinRole.BL0937SEL, PinRole.BL0937SEL_N])
def test_a_meter_needs_all_three_pins(select: PinRole) -> None:
    """SEL may be either way round."""
    whole = [*METER[:2], PinAssignment(pin=24, role=select)]
    assert SocketProfile.of(whole).has_meter
    for left_out in range(3):
        part = whole[:left_out] + whole[left_out + 1 :]
        profile = SocketProfile.of([RELAY, *part])
        assert not profile.has_meter
        assert profile.problems == (ProfileProblem.METER_INCOMPLETE,)


def test_what_must_not_be_written_is_said() -> None:
    """No relay, a pin twice, half a meter."""
    assert SocketProfile.of([RELAY]).problems == ()
    assert SocketProfile.of([RELAY, *METER]).problems == ()
    assert SocketProfile.of([]).problems == (ProfileProblem.NO_RELAY,)
    twice = PinAssignment(pin=26, role=PinRole.BTN, channel=1)
    assert SocketProfile.of([RELAY, twice]).problems == (ProfileProblem.PIN_USED_TWICE,)
    assert SocketProfile.of([METER[0]]).problems == (
        ProfileProblem.NO_RELAY,
        ProfileProblem.METER_INCOMPLETE,
    )


@pytest.mark.parametrize(
    "values",
    [{"pin": -1}, {"pin": 64}, {"channel": -1}, {"channel": 64}, {"channel2": 64}],
)
def test_numbers_the_firmware_has_no_place_for_are_refused(values: Any) -> None:
    """28 pins, 64 channels."""
    with pytest.raises(ProfileError):
        PinAssignment(**({"pin": 26, "role": PinRole.REL} | values))


def test_a_profile_survives_storage() -> None:
    """As JSON, by the names of the roles."""
    profile = SocketProfile.of(
        [RELAY, *METER, PinAssignment(pin=11, role=PinRole.BTN, channel=1, channel2=3)],
        "CB2S",
    )
    stored = json.loads(json.dumps(profile.as_dict()))
    assert SocketProfile.from_dict(stored) == profile
    assert {"pin": 26, "role": "Rel", "channel": 1, "channel2": 0} in stored["pins"]


def test_a_guess_is_not_part_of_what_is_compared() -> None:
    """Confirming a polarity does not make another socket of it."""
    guessed = PinAssignment(pin=26, role=PinRole.REL, channel=1, polarity_guessed=True)
    assert SocketProfile.of([guessed]) == SocketProfile.of([RELAY])


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"pins": None, "module": None},
        {"pins": [{}], "module": None},
        {
            "pins": [{"pin": 26, "role": "Relay", "channel": 1, "channel2": 0}],
            "module": "",
        },
        {
            "pins": [{"pin": 99, "role": "Rel", "channel": 1, "channel2": 0}],
            "module": "",
        },
        {"pins": [{"pin": 26, "role": 1, "channel": 1, "channel2": 0}], "module": ""},
        {
            "pins": [{"pin": "26", "role": "Rel", "channel": 1, "channel2": 0}],
            "module": "",
        },
        {"pins": []},
        {"pins": [], "module": "", "meter": "HLW8032"},
        {"pins": [], "module": "", "meter": "BL0942", "baud": "4800"},
    ],
)
def test_stored_values_that_are_no_profile_are_refused(stored: Any) -> None:
    """With the one error that says so."""
    with pytest.raises(ProfileError):
        SocketProfile.from_dict(stored)


def test_guessed_level_is_remembered() -> None:
    guessed = PinAssignment(pin=10, role=PinRole.LED, channel=1, polarity_guessed=True)
    stored = SocketProfile.of([guessed]).as_dict()
    assert SocketProfile.from_dict(stored).pins[0].polarity_guessed


@pytest.mark.parametrize(
    "module", ["CB2S\ud800", "x" * 33, "two\nlines", "", 5, ["CB2S"]]
)
def test_what_is_no_name_of_a_module_is_left_out(module: Any) -> None:
    """Home Assistant cannot save a lone surrogate, and would save nothing any more."""
    assert SocketProfile.of((), module).module is None
    assert SocketProfile.from_dict({"pins": [], "module": module}).module is None
    with pytest.raises(ProfileError):
        SocketProfile(pins=(), module=module)
    assert SocketProfile.of((), "CB2S").module == "CB2S"


@pytest.mark.parametrize("channel", [True, 1.5, "1", None])
def test_a_channel_is_a_whole_number(channel: Any) -> None:
    with pytest.raises(ProfileError):
        PinAssignment(pin=26, role=PinRole.REL, channel=channel)


def test_two_coils_are_one_relay() -> None:
    """Its channel is switched as any other's; its pins stay two."""
    profile = SocketProfile.of([*coils(2, on=9, off=8), RELAY])
    assert profile.problems == ()
    assert [(relay.channel, relay.role) for relay in profile.relays] == [
        (1, PinRole.REL),
        (2, PinRole.BRIDGE_FWD),
    ]
    assert profile.two_coil_channels == (2,)


def test_several_relays_on_a_channel_are_one() -> None:
    """Such as one for each pole."""
    profile = SocketProfile.of(
        [RELAY, PinAssignment(pin=4, role=PinRole.REL, channel=1)]
    )
    assert [relay.pin for relay in profile.relays] == [4]
    mixed = SocketProfile.of([*coils(1, on=6, off=7), RELAY])
    assert [relay.role for relay in mixed.relays] == [PinRole.REL]
    assert mixed.two_coil_channels == ()


@pytest.mark.parametrize(
    "pins",
    [
        (PinAssignment(pin=26, role=PinRole.BRIDGE_FWD, channel=1),),
        (PinAssignment(pin=8, role=PinRole.BRIDGE_REV, channel=1),),
        (
            PinAssignment(pin=26, role=PinRole.BRIDGE_FWD, channel=1),
            PinAssignment(pin=8, role=PinRole.BRIDGE_REV, channel=2),
        ),
        # The firmware would put 6 and 8 together, and 7 and 9.
        (
            PinAssignment(pin=6, role=PinRole.BRIDGE_FWD, channel=1),
            PinAssignment(pin=7, role=PinRole.BRIDGE_FWD, channel=2),
            PinAssignment(pin=8, role=PinRole.BRIDGE_REV, channel=2),
            PinAssignment(pin=9, role=PinRole.BRIDGE_REV, channel=1),
        ),
    ],
    ids=["no off", "no on", "two channels", "crossed"],
)
def test_coils_that_are_no_pair_must_not_be_written(
    pins: tuple[PinAssignment, ...],
) -> None:
    assert SocketProfile.of(pins).problems == (ProfileProblem.COILS_INCOMPLETE,)


def test_what_a_template_has_beside_the_pins_is_stored() -> None:
    """A socket without is stored as ever."""
    profile = SocketProfile.of([RELAY]).with_extras("PowerSave 1", 1 << 46)
    stored = json.loads(json.dumps(profile.as_dict()))
    assert SocketProfile.from_dict(stored) == profile
    assert {*SocketProfile.of([RELAY]).as_dict()} == {"pins", "module"}


@pytest.mark.parametrize(
    "extras", [{"command": 1}, {"flags": "1"}, {"flags": True}, {"flags": 1 << 64}]
)
def test_extras_that_are_none_are_refused(extras: dict[str, Any]) -> None:
    with pytest.raises(ProfileError):
        SocketProfile.from_dict(SocketProfile.of([RELAY]).as_dict() | extras)


def test_a_meter_that_is_on_no_pin_is_kept() -> None:
    heard = SocketProfile(pins=(), metered=True)
    assert heard.has_meter
    assert not heard.has_pulse_meter
    assert SocketProfile.from_dict(heard.as_dict()) == heard
    relay = PinAssignment(pin=26, role=PinRole.REL, channel=1)
    assert heard.with_pins([relay]).has_meter
    assert not heard.with_pins([relay]).problems
    assert "metered" not in SocketProfile(pins=()).as_dict()
