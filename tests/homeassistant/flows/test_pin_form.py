"""Pins go into the form and come out of it as they were, and nothing impossible does."""

import pytest

from custom_components.openbk.flows import pin_form
from custom_components.openbk.pyopenbk.profile import PinAssignment, SocketProfile
from custom_components.openbk.pyopenbk.roles import PinRole
from custom_components.openbk.pyopenbk.tuya.pins import profile_from_user_params
from tests.hassfest.parts import texts
from tests.support.sockets import TWO_COILS

BLOW = SocketProfile.of(
    [
        PinAssignment(pin=26, role=PinRole.REL, channel=1),
        PinAssignment(pin=11, role=PinRole.BTN, channel=1),
        PinAssignment(pin=10, role=PinRole.LED_N, channel=1, polarity_guessed=True),
        PinAssignment(pin=8, role=PinRole.WIFI_LED_N),
        PinAssignment(pin=7, role=PinRole.BL0937CF),
        PinAssignment(pin=6, role=PinRole.BL0937CF1),
        PinAssignment(pin=24, role=PinRole.BL0937SEL),
    ],
    "CB2S",
)
TWO_RELAYS = SocketProfile.of(
    [
        PinAssignment(pin=26, role=PinRole.REL_N, channel=1),
        PinAssignment(pin=24, role=PinRole.REL, channel=2),
        PinAssignment(pin=9, role=PinRole.BTN_TGL_ALL),
        PinAssignment(pin=8, role=PinRole.SHUTTER_A, channel=3, channel2=4),
    ]
)

EXTRAS = BLOW.with_extras("PowerSave 1", 1 << 46)
PROFILES = pytest.mark.parametrize(
    "profile",
    [BLOW, TWO_RELAYS, TWO_COILS, EXTRAS],
    ids=["blow", "two relays", "two coils", "template with more"],
)


def word(_selector: str, option: str) -> str:
    return option


@PROFILES
def test_unchanged_form_gives_the_same_pins(profile: SocketProfile) -> None:
    assert pin_form.from_form(pin_form.to_form(profile), profile, 28) == profile


@PROFILES
def test_form_accepts_its_own_suggestions(profile: SocketProfile) -> None:
    values = pin_form.to_form(profile)
    assert pin_form.schema(28)(values) == values


def test_form_of_the_blow() -> None:
    values = pin_form.to_form(BLOW)
    assert values["relay"] == "P26"
    assert not values["relay_inverted"]
    assert values["led"] == "P10"
    assert values["led_inverted"]
    assert values["meter"]["meter_sel"] == "P24"
    assert values["more"] == {"others": ""}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"relay": None}, "pins_no_relay"),
        ({"led": "P26"}, "pins_used_twice"),
        ({"more": {"others": "P26 LED 2"}}, "pins_used_twice"),
        ({"meter": {"meter_cf": "P7"}}, "pins_meter_incomplete"),
        ({"meter": {}}, None),
        ({"led": None, "wifi_led": None, "button": None}, None),
    ],
)
def test_guard_rails(changes: dict[str, object], problem: str | None) -> None:
    values = pin_form.to_form(BLOW) | changes
    profile = pin_form.from_form(values, None, 28)
    assert pin_form.problem_of(profile) == problem


@pytest.mark.parametrize(
    "line", ["P9 Rel 2", "9 rel 2", "P9: Rel;2", "p9=REL 2", " P9  Rel,2 "]
)
def test_lines_are_read_as_people_write_them(line: str) -> None:
    values = pin_form.to_form(BLOW) | {"more": {"others": f"\n{line}\n\n"}}
    profile = pin_form.from_form(values, None, 28)
    assert PinAssignment(pin=9, role=PinRole.REL, channel=2) in profile.pins


@pytest.mark.parametrize(
    "line", ["P9", "Rel 9 2", "P29 Rel 1", "P9 Rel 64", "P9 Nonsense 1", "P9 None", "?"]
)
def test_line_that_is_none_is_named(line: str) -> None:
    values = pin_form.to_form(BLOW) | {"more": {"others": f"P8 LED 1\n{line}"}}
    with pytest.raises(pin_form.LineError) as error:
        pin_form.from_form(values, None, 28)
    assert error.value.args == (line,)


def test_table_marks_a_guess() -> None:
    rows = pin_form.table(BLOW, word).splitlines()
    assert "| P26 | relay | Rel | 1 |" in rows
    assert "| P10 | led (guessed) | LED_n | 1 |" in rows
    assert "| P24 | meter_sel | BL0937SEL |  |" in rows
    assert len(rows) == 7


def test_summary_says_what_the_socket_has() -> None:
    assert pin_form.summary(BLOW, word) == "relay, button, led, wifi_led, meter"


def test_summary_counts_what_is_there_several_times() -> None:
    values = pin_form.to_form(BLOW) | {"more": {"others": "P9 Rel 2"}}
    profile = pin_form.from_form(values, None, 28)
    assert pin_form.summary(profile, word).startswith("2 × relay, button")


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"rl1_pin": 26, "chip_type": 3}, "- The meter is a chip on the serial line"),
        ({"rl1_pin": 26, "chip_type": 4}, "- The meter is a chip on a serial line"),
        ({"rl1_pin": 26, "ch_num": 2}, "- The numbers of channels and relays"),
    ],
)
def test_notes_on_the_whole_socket_name_no_parameter_of_tuya(
    params: dict[str, int], said: str
) -> None:
    options = texts()["selector"]
    notes = pin_form.notes(
        profile_from_user_params(params),
        lambda selector, option: str(options[selector]["options"][option]),
    )
    assert said in notes
    assert not any(key in notes for key in params)


def test_a_warning_that_is_about_no_pin_names_what_it_is_about() -> None:
    """A parameter of Tuya's, unless it is about the whole socket, which the text then says itself."""
    params = {"rl1_pin": "P?", "rl1_lv": 1, "module": "CB2S", "ele_fun_en": 0}
    params |= {"ele_pin": 7, "vi_pin": 6, "sel_pin_pin": 24}
    lines = pin_form.notes(profile_from_user_params(params), word).splitlines()
    assert r"- rl1\_pin: unreadable" in lines
    assert "- Meter_disabled." in lines
