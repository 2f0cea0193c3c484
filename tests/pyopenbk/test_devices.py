"""The sockets whose pins are known."""

import pytest

from custom_components.openbk.pyopenbk.beken.chips import CHIPS, FLASHABLE, Chip
from custom_components.openbk.pyopenbk.devices import (
    KNOWN_DEVICES,
    KnownDevice,
    devices_with,
)
from custom_components.openbk.pyopenbk.features import FEATURES
from custom_components.openbk.pyopenbk.roles import METER_ROLES
from custom_components.openbk.pyopenbk.tuya import (
    parse_user_params,
    profile_from_user_params,
)
from script import devices
from tests.reference import published_plugs

from .tuya.store_writer import BLOW


@pytest.mark.parametrize(
    "device", KNOWN_DEVICES.values(), ids=lambda device: device.key
)
def test_every_known_socket_can_be_written(device: KnownDevice) -> None:
    """Each has a relay, a whole meter and no pin twice."""
    assert device.profile.problems == ()
    assert device.profile.has_meter
    assert device.profile.module
    assert device.title.strip() == device.title
    assert len([pin for pin in device.profile.pins if pin.role in METER_ROLES]) == 3


def test_the_blow_comes_first_with_the_pins_that_its_own_data_have() -> None:
    """The list and the chip say the same."""
    first = next(iter(KNOWN_DEVICES.values()))
    assert first.title == "BLOW 72-074"
    assert first.profile == profile_from_user_params(parse_user_params(BLOW)).profile


def test_titles_and_keys_are_unique() -> None:
    """A form offers them as choices."""
    titles = [device.title for device in KNOWN_DEVICES.values()]
    assert len(set(titles)) == len(titles) > 40
    assert all(key.isidentifier() for key in KNOWN_DEVICES)


def test_the_layouts_are_those_that_were_published() -> None:
    """Every row has the meter and the relays of a published template of this chip."""
    published = {
        frozenset(
            (int(pin), use.split(";")[0].strip().casefold())
            for pin, use in device["pins"].items()
        )
        for device in published_plugs()
        if device["chip"] == "BK7231N"
    }
    for device in list(KNOWN_DEVICES.values())[1:]:
        pins = {
            (pin.pin, pin.role.firmware_name.casefold()) for pin in device.profile.pins
        }
        assert pins in published, device.title


def test_the_document_has_the_tables_of_the_code() -> None:
    """As `script/devices` makes them: chips, meters, features and models."""
    text = devices.DOCUMENT.read_text(encoding="utf-8")
    assert not list(devices.missing(text))
    assert devices.made(text) == text


@pytest.mark.parametrize("chip", CHIPS.values(), ids=lambda chip: chip.name)
def test_each_chip_has_the_features_that_need_nothing_of_it(chip: Chip) -> None:
    works = {feature.short for feature in FEATURES if feature.works_on(chip)}
    assert {"entities", "calibration", "settings"} <= works
    assert ("own gain" in works) is (chip.config_address is not None)
    assert ("other broker" in works) is (chip.config_address is not None)
    assert ("flashing" in works) is (chip in FLASHABLE)
    assert devices.made("<!-- script/devices: chips -->\n<!-- end -->").count(chip.name)


@pytest.mark.parametrize("module", ["CB3S", " cb3s ", "T34"])
def test_models_are_found_by_the_module_that_is_inside(module: str) -> None:
    """However its name is written."""
    found = devices_with(module)
    assert {device.profile.module for device in found} == {module.strip().upper()}


@pytest.mark.parametrize("module", [None, "", "WB2S"])
def test_an_unknown_module_hides_no_model(module: str | None) -> None:
    """It may be misread."""
    assert devices_with(module) == tuple(KNOWN_DEVICES.values())
