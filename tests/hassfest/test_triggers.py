"""The triggers are the same in triggers.yaml, in the code, in the texts and in the icons."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import TargetSelector, validate_selector
from homeassistant.util.yaml import load_yaml_dict
import probatio
import pytest

from custom_components.openbk.pyopenbk.obk.messages import Gesture
from custom_components.openbk.trigger import async_get_triggers
from tests.hassfest.parts import INTEGRATION, SLUG, load, texts

TRIGGERS: dict[str, dict[str, Any]] = load_yaml_dict(str(INTEGRATION / "triggers.yaml"))
ICONS = load(INTEGRATION / "icons.json")["triggers"]

_TRIGGER = probatio.Schema(
    {
        probatio.Required("target"): TargetSelector.CONFIG_SCHEMA,
        probatio.Optional("fields"): {
            str: {
                probatio.Optional("required"): bool,
                probatio.Optional("default"): probatio.NotIn([None]),
                probatio.Required("selector"): validate_selector,
            }
        },
    }
)


async def test_triggers_are_the_same_everywhere(hass: HomeAssistant) -> None:
    offered = set(await async_get_triggers(hass))
    assert set(TRIGGERS) == offered == set(texts()["triggers"]) == set(ICONS)


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_description_is_understood(trigger: str) -> None:
    """A key with a dot before it, which core may have, is a fault outside core."""
    assert SLUG.fullmatch(trigger)
    _TRIGGER(TRIGGERS[trigger])
    fields = TRIGGERS[trigger]["fields"]
    assert list(fields) == list(texts()["triggers"][trigger]["fields"])


def test_every_press_can_be_chosen_and_has_its_words() -> None:
    choice = TRIGGERS["button_pressed"]["fields"]["press"]["selector"]["select"]
    assert choice["options"] == list(Gesture)
    assert list(texts()["selector"][choice["translation_key"]]["options"]) == [*Gesture]
