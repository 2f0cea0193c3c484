"""Every icon belongs to something that has a text, and the frontend can draw it."""

from importlib.resources import files
import json

import pytest

from tests.hassfest.parts import INTEGRATION, leaves, load, texts

ICONS = load(INTEGRATION / "icons.json")
ENTITIES = [
    (platform, key) for platform, keys in ICONS["entity"].items() for key in keys
]


def drawn() -> set[str]:
    """Return the names of the icons that the installed frontend has."""
    frontend = files("hass_frontend") / "static" / "mdi" / "iconList.json"
    return {f"mdi:{icon['name']}" for icon in json.loads(frontend.read_text())}


def test_file_has_its_known_parts_only() -> None:
    assert set(ICONS) == {"entity", "services", "triggers"}
    for platform, key in ENTITIES:
        assert set(ICONS["entity"][platform][key]) <= {"default", "state"}
    assert all(set(icons) == {"service"} for icons in ICONS["services"].values())
    assert all(set(icons) == {"trigger"} for icons in ICONS["triggers"].values())


def test_every_icon_can_be_drawn() -> None:
    known = drawn()
    for path, icon in leaves(ICONS):
        assert icon in known, path


@pytest.mark.parametrize(("platform", "key"), ENTITIES)
def test_icon_belongs_to_an_entity(platform: str, key: str) -> None:
    assert key in texts()["entity"][platform]


@pytest.mark.parametrize(("platform", "key"), ENTITIES)
def test_icon_of_a_state_says_something_else(platform: str, key: str) -> None:
    icons = ICONS["entity"][platform][key]
    assert icons["default"] not in icons.get("state", {}).values()
