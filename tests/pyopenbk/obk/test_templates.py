"""OpenBeken's templates of devices."""

import json

import pytest

from custom_components.openbk.pyopenbk.obk.templates import (
    TemplateError,
    UnknownRoleError,
    parse_template,
)
from custom_components.openbk.pyopenbk.profile import PinAssignment
from custom_components.openbk.pyopenbk.roles import PinRole
from tests.reference import published_plugs

TEMPLATE = """{
  "vendor": "BLOW",
  "bDetailed": "0",
  "name": "Smart socket",
  "model": "72-074",
  "chip": "BK7231N",
  "board": "CB2S",
  "flags": "1024",
  "pins": {
    "6": "BL0937CF1;0",
    "7": "BL0937CF;0",
    "8": "WifiLED_n;0",
    "10": "LED_n;1",
    "11": "Btn;1;4",
    "24": "BL0937SEL;0",
    "26": "Rel;1"
  },
  "command": ""
}"""


def pins_of(pins: dict[str, str]) -> tuple[PinAssignment, ...]:
    """Return the pins of a template that has nothing else."""
    return parse_template(json.dumps({"pins": pins})).profile.pins


def test_a_template_is_read() -> None:
    """With its pins, its chip and its names."""
    template = parse_template(TEMPLATE)
    assert template.chip == "BK7231N"
    assert template.name == "Smart socket"
    assert template.profile.module == "CB2S"
    assert template.profile.problems == ()
    assert template.profile.buttons == (
        PinAssignment(pin=11, role=PinRole.BTN, channel=1, channel2=4),
    )
    assert template.profile.has_meter


def test_text_around_it_does_not_count() -> None:
    """People copy a word too much."""
    text = f"My template:\n```json\n{TEMPLATE}\n```\nworks fine"
    assert parse_template(text) == parse_template(TEMPLATE)


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        ("WiFILED_n;0", (PinRole.WIFI_LED_N, 0)),
        ("WifiLED_n ; 0", (PinRole.WIFI_LED_N, 0)),
        ("Rel", (PinRole.REL, 0)),
        ("rel; 39 ", (PinRole.REL, 39)),
        ("Btn;", (PinRole.BTN, 0)),
        ("BL0937CF;77", (PinRole.BL0937CF, 0)),
        ("BL0937SEL;1", (PinRole.BL0937SEL, 0)),
    ],
)
def test_the_spellings_of_published_templates_are_forgiven(
    use: str, expected: tuple[PinRole, int]
) -> None:
    """Case, blanks, channels where none belong."""
    (pin,) = pins_of({"9": use})
    assert (pin.role, pin.channel) == expected


def test_a_role_that_does_not_exist_is_named() -> None:
    """So that somebody can correct it."""
    with pytest.raises(UnknownRoleError) as refused:
        pins_of({"26": "Relay;1"})
    assert (refused.value.pin, refused.value.role) == (26, "Relay")


@pytest.mark.parametrize(
    "pins",
    [
        {"29": "Rel;1"},
        {"P26": "Rel;1"},
        {"-1": "Rel;1"},
        {"26": 1},
        {"26": None},
        {"26": "Rel;one"},
        {"26": "Rel;64"},
        {"26": "Rel;-1"},
        {},
    ],
)
def test_pins_that_are_none_are_refused(pins: dict[str, object]) -> None:
    """Nothing is left out in silence."""
    with pytest.raises(TemplateError):
        parse_template(json.dumps({"pins": pins}))


@pytest.mark.parametrize(
    "text",
    ["", "hello", "{", "}{", "{}", "[]", '{"pins": []}', '{"pins": "26"}', "[" * 9999],
)
def test_other_texts_are_refused(text: str) -> None:
    """A template has pins."""
    with pytest.raises(TemplateError):
        parse_template(text)


def test_published_templates_are_read() -> None:
    """72 plugs with a meter; only one uses roles of sensors that no longer have that name."""
    devices = published_plugs()
    refused = []
    for device in devices:
        try:
            template = parse_template(json.dumps(device))
        except UnknownRoleError:
            refused.append(device["name"])
        else:
            assert len(template.profile.pins) == len(device["pins"])
            assert template.profile.problems == ()
    assert len(devices) == 72
    assert len(refused) <= 2
