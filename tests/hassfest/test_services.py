"""The actions are the same in services.yaml, in the schemas, in the texts and in the icons."""

from typing import Any

from homeassistant.helpers.selector import selector, validate_selector
from homeassistant.util.yaml import load_yaml_dict
import probatio
import pytest

from custom_components.openbk import services
from tests.hassfest.parts import INTEGRATION, SLUG, load, texts

ACTIONS: dict[str, dict[str, Any]] = load_yaml_dict(str(INTEGRATION / "services.yaml"))
ICONS = load(INTEGRATION / "icons.json")["services"]

_FIELD = probatio.Schema(
    {
        probatio.Optional("required"): bool,
        probatio.Optional("default"): probatio.NotIn([None]),
        probatio.Optional("example"): probatio.NotIn([None]),
        probatio.Required("selector"): validate_selector,
    }
)
_ACTION = probatio.Schema({probatio.Optional("fields"): {str: _FIELD}})


def schema_of(action: str) -> dict[Any, Any]:
    found: dict[Any, Any] = services._SCHEMAS.get(action, services._DEVICE)  # noqa: SLF001
    return found


def test_actions_are_the_same_everywhere() -> None:
    registered = {*services._SCHEMAS, "get_calibration"}  # noqa: SLF001
    assert set(ACTIONS) == registered == set(texts()["services"]) == set(ICONS)


@pytest.mark.parametrize("action", ACTIONS)
def test_description_is_understood(action: str) -> None:
    """A key with a dot before it, which core may have, is a fault outside core."""
    assert SLUG.fullmatch(action)
    assert all(SLUG.fullmatch(field) for field in ACTIONS[action]["fields"])
    _ACTION(ACTIONS[action])


@pytest.mark.parametrize("action", ACTIONS)
def test_fields_are_those_of_the_schema(action: str) -> None:
    fields = ACTIONS[action]["fields"]
    assert list(fields) == list(texts()["services"][action]["fields"])
    assert set(fields) == set(map(str, schema_of(action)))
    for key in schema_of(action):
        required = isinstance(key, probatio.Required)
        assert fields[str(key)].get("required", False) == required, key


@pytest.mark.parametrize("action", ACTIONS)
def test_what_is_suggested_is_accepted(action: str) -> None:
    """Defaults and examples pass their selector and the schema; a default is the schema's own."""
    fields = ACTIONS[action]["fields"]
    values = {"device_id": "0123456789abcdef"}
    for name, field in fields.items():
        for source in ("example", "default"):
            if source in field:
                values[name] = selector(field["selector"])(field[source])
    probatio.Schema(schema_of(action))(values)
    for key in schema_of(action):
        field = fields[str(key)]
        if "default" in field:
            assert key.default() == field["default"], key


@pytest.mark.parametrize("action", ACTIONS)
def test_every_choice_has_its_words(action: str) -> None:
    for field in ACTIONS[action]["fields"].values():
        if "select" in field["selector"]:
            choice = field["selector"]["select"]
            words = texts()["selector"][choice["translation_key"]]["options"]
            assert set(choice["options"]) == set(words)
