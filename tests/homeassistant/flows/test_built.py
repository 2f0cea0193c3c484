"""How the dialogs are built: siblings on one base, and one place that forgets a chip."""

from collections import defaultdict
from dataclasses import fields

from homeassistant.data_entry_flow import FlowHandler
import pytest

from custom_components.openbk.config_flow import OpenBekenConfigFlow
from custom_components.openbk.flows.options.menu import OpenBekenOptionsFlow
from custom_components.openbk.flows.talking import TalkingFlow
from custom_components.openbk.flows.wizard.session import WizardSession
from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector
from custom_components.openbk.pyopenbk.obk.setup import SocketSettings, WifiNetwork

FLOWS = pytest.mark.parametrize("flow", [OpenBekenConfigFlow, OpenBekenOptionsFlow])
# What is the same for all sockets that one dialog flashes.
KEPT = {
    "address",
    "adapters",
    "passwords",
    "settings",
    "same_settings",
    "image",
    "firmware",
    "release",
    "entry_mac",
}


def own_classes(flow: type[FlowHandler]) -> list[type]:
    """Return the classes of a dialog that are not Home Assistant's."""
    return [kind for kind in flow.__mro__ if ".openbk." in kind.__module__]


@FLOWS
def test_nobody_has_to_look_in_more_than_two_places_for_what_a_name_does(
    flow: type[FlowHandler],
) -> None:
    defined = defaultdict(list)
    for kind in own_classes(flow):
        for name, value in vars(kind).items():
            if callable(value) or isinstance(value, property):
                defined[name].append(kind.__name__)
    defined.pop("__annotate_func__")
    assert {name: kinds for name, kinds in defined.items() if len(kinds) > 2} == {}


@FLOWS
def test_chapters_are_siblings(flow: type[FlowHandler]) -> None:
    chapters = [kind for kind in own_classes(flow) if kind.__name__.endswith("Steps")]
    assert chapters
    for chapter in chapters:
        for other in chapters:
            assert chapter is other or not issubclass(chapter, other)


@FLOWS
def test_every_page_of_a_table_has_its_step(flow: type[TalkingFlow]) -> None:
    assert flow.pages
    for page in flow.pages:
        assert hasattr(flow, f"async_step_{page}")


def test_the_next_chip_has_nothing_of_the_one_before() -> None:
    before = WizardSession()
    for field in fields(before):
        setattr(before, field.name, object())
    before.settings = SocketSettings(
        name="Kettle",
        client_id="kettle",
        group="sockets",
        wifi=WifiNetwork(ssid="Cellar"),
        before=ConfigSector(),
    )
    after, fresh = before.next_chip(), WizardSession()
    for field in fields(after):
        if field.name not in KEPT:
            assert getattr(after, field.name) == getattr(fresh, field.name), field.name
        elif field.name not in ("settings", "same_settings"):
            assert getattr(after, field.name) is getattr(before, field.name)
    assert after.same_settings
    assert after.settings == SocketSettings(
        group="sockets", wifi=WifiNetwork(ssid="Cellar")
    )
