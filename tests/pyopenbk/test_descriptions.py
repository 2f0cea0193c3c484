"""Pasted descriptions of pins."""

import json

import pytest

from custom_components.openbk.pyopenbk.descriptions import (
    DescriptionError,
    read_description,
)
from custom_components.openbk.pyopenbk.devices import KNOWN_DEVICES
from custom_components.openbk.pyopenbk.errors import OpenBekenError
from custom_components.openbk.pyopenbk.obk.templates import TemplateError
from custom_components.openbk.pyopenbk.roles import PinRole
from custom_components.openbk.pyopenbk.tuya import parse_user_params
from custom_components.openbk.pyopenbk.tuya.reader import TuyaMcuError
from tests.reference import tuya_parameters

from .obk.test_templates import TEMPLATE
from .tuya.store_writer import BLOW
from .tuya.test_summary import BLOW as SUMMARY

EXPECTED = KNOWN_DEVICES["blow_72_074"].profile
PARAMETERS = json.dumps(parse_user_params(BLOW), indent=1)
# What a tool reads out of a dump, with invented identities.
STORAGE = json.dumps(
    {
        "gw_bi": {"uuid": "x", "psk_key": None, "prod_test": False},
        "user_param_key": parse_user_params(BLOW),
        "gw_di": {"id": "x", "swv": "1.1.8"},
        "baud_cfg": {},
    },
    indent=2,
)


@pytest.mark.parametrize(
    "text",
    [
        TEMPLATE.replace(";1;4", ";1"),
        BLOW.decode(),
        f"user_param_key: {BLOW.decode()}",
        BLOW.decode().replace("{sel_pin_pin:24", '{"sel_pin_pin": 24'),
        PARAMETERS,
        "\ufeff" + PARAMETERS,
        PARAMETERS[:-2] + ", // that is all\n}",
        PARAMETERS.replace('"', "”"),
        STORAGE,
        json.dumps({"user_param_key": BLOW.decode()}),
        json.dumps({"name": "x", "device_configuration": parse_user_params(BLOW)}),
        json.dumps([{"chip": {"storage": json.loads(STORAGE)}}]),
        f"data: {json.loads(STORAGE)}",
        BLOW.decode().strip("{}"),
        PARAMETERS.strip("{}\n"),
        PARAMETERS.replace('"', "&quot;"),
        f'"text": "{TEMPLATE.replace(";1;4", ";1")}"'.replace('"', '\\"'),
    ],
    ids=[
        "template",
        "parameters",
        "with a word before",
        "half quoted",
        "JSON",
        "with a mark of byte order",
        "with a comment and a comma",
        "with typographic quotes",
        "whole storage",
        "storage with a text inside",
        "published device file",
        "storage inside of something",
        "storage as Python prints it",
        "parameters without braces",
        "JSON without braces",
        "source of a page",
        "template inside of a text",
    ],
)
def test_all_projects_forms_give_one_profile(text: str) -> None:
    """Whatever somebody has at hand."""
    assert read_description(text).profile == EXPECTED


def test_the_flash_tools_summary_is_read() -> None:
    """Its levels are a guess."""
    found = read_description(SUMMARY)
    assert [pin.pin for pin in found.profile.pins] == [pin.pin for pin in EXPECTED.pins]
    assert found.reading is not None


def test_every_published_set_of_parameters_is_read_alike_in_and_out_of_its_storage() -> (
    None
):
    """Lights are among them, in which nothing has a role here."""
    read = lights = 0
    for parameters in tuya_parameters().values():
        try:
            expected = read_description(json.dumps(parameters))
        except DescriptionError:
            expected = None
        outer = json.dumps({"gw_bi": {}, "user_param_key": parameters})
        if expected is None:
            with pytest.raises(DescriptionError):
                read_description(outer)
        else:
            assert read_description(outer) == expected
            read += 1
            lights += not expected.profile.pins
    # One has but the speed of a serial line.
    assert read == len(tuya_parameters()) - 1
    assert lights


@pytest.mark.parametrize("blank", ["\u00a0", "\u2009", "\u3000"])
def test_the_blanks_of_a_page_are_blanks(blank: str) -> None:
    text = f"{{rl1_pin:{blank}26,{blank}bt1_pin{blank}:11}}"
    found = read_description(text)
    assert {pin.pin for pin in found.profile.pins} == {11, 26}


def test_a_role_that_is_not_known_costs_its_pin_alone() -> None:
    """It is named in the template's notes."""
    found = read_description(TEMPLATE.replace("LED_n;1", "Lamp;1"))
    assert {pin.pin for pin in EXPECTED.pins} - {
        pin.pin for pin in found.profile.pins
    } == {10}
    assert found.template is not None
    assert [note.about for note in found.template.notes] == ["P10 Lamp"]


def test_two_coils_are_one_relay() -> None:
    """A relay that keeps its state has one pin for on and one for off."""
    found = read_description("{rl_on1_pin:24,rl_off1_pin:26,bt1_pin:17,module:CB2S,}")
    assert found.profile.problems == ()
    assert [(pin.role, pin.channel) for pin in found.profile.relays] == [
        (PinRole.BRIDGE_FWD, 1)
    ]


def test_a_second_controller_is_told() -> None:
    """The store of such a device has no pins of its own."""
    with pytest.raises(TuyaMcuError):
        read_description('{"gw_bi": {}, "baud_cfg": {"baud": 9600}}')


def test_a_template_without_pins_is_told_as_one() -> None:
    """It is not tried as something else, so its fault can be named."""
    with pytest.raises(TemplateError):
        read_description('{"pins": {"99": "Rel;1"}, "rl1_pin": 26}')


@pytest.mark.parametrize(
    "text", ["", "hello", "{}", "{jv:1.0.0,crc:5,}", '{"name": "no pins"}']
)
def test_a_text_without_pins_is_refused(text: str) -> None:
    """Nothing is made up."""
    with pytest.raises(OpenBekenError):
        read_description(text)
    with pytest.raises(DescriptionError):
        read_description(text)
