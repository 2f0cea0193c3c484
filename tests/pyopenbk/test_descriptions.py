"""Pasted descriptions of pins."""

import pytest

from custom_components.openbk.pyopenbk.descriptions import (
    DescriptionError,
    read_description,
)
from custom_components.openbk.pyopenbk.devices import KNOWN_DEVICES
from custom_components.openbk.pyopenbk.errors import OpenBekenError
from custom_components.openbk.pyopenbk.obk.templates import UnknownRoleError

from .obk.test_templates import TEMPLATE
from .tuya.store_writer import BLOW

EXPECTED = KNOWN_DEVICES["blow_72_074"].profile


@pytest.mark.parametrize(
    "text",
    [
        TEMPLATE.replace(";1;4", ";1"),
        BLOW.decode(),
        f"user_param_key: {BLOW.decode()}",
        BLOW.decode().replace("{sel_pin_pin:24", '{"sel_pin_pin": 24'),
    ],
    ids=["template", "parameters", "with a word before", "half quoted"],
)
def test_both_projects_forms_give_one_profile(text: str) -> None:
    """Whatever somebody has at hand."""
    assert read_description(text) == EXPECTED


def test_a_faulty_template_is_told_as_one() -> None:
    """It is not tried as something else, so its fault can be named."""
    with pytest.raises(UnknownRoleError):
        read_description(TEMPLATE.replace("LED_n", "Lamp"))


@pytest.mark.parametrize(
    "text", ["", "hello", "{}", "{jv:1.0.0,crc:5,}", '{"name": "no pins"}']
)
def test_a_text_without_pins_is_refused(text: str) -> None:
    """Nothing is made up."""
    with pytest.raises(OpenBekenError):
        read_description(text)
    with pytest.raises(DescriptionError):
        read_description(text)
