"""Automations as a person makes them, in a Home Assistant that is set up already."""

from collections.abc import Mapping
from pathlib import Path
import shutil
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

ROOT: Final = Path(__file__).parents[2]
BLUEPRINTS: Final = ROOT / "blueprints" / "automation" / "openbk"
AUTOMATION: Final = "automation.under_test"


def give_config_folder(hass: HomeAssistant, folder: Path) -> None:
    """Let Home Assistant have a folder of its own, with our blueprints imported."""
    hass.config.config_dir = str(folder)
    shutil.copytree(BLUEPRINTS, folder / "blueprints" / "automation" / "openbk")


async def automate(hass: HomeAssistant, config: Mapping[str, Any]) -> None:
    """Add an automation; whether it was understood is in its state."""
    named = {**config, "alias": "Under test"}
    assert await async_setup_component(hass, "automation", {"automation": [named]})
    await hass.async_block_till_done()


async def use_blueprint(hass: HomeAssistant, name: str, **inputs: Any) -> None:
    """Make an automation of a blueprint, as the editor saves it."""
    use = {"path": f"openbk/{name}.yaml", "input": inputs}
    await automate(hass, {"use_blueprint": use})
    assert hass.states.is_state(AUTOMATION, "on")


def runs(hass: HomeAssistant) -> int:
    """Return how often the automation runs at the moment."""
    state = hass.states.get(AUTOMATION)
    assert state
    return int(state.attributes["current"])


async def stop_automations(hass: HomeAssistant) -> None:
    """End what still runs: Home Assistant would wait for it when it stops."""
    if hass.states.get(AUTOMATION):
        await hass.services.async_call(
            "automation",
            "turn_off",
            {"entity_id": AUTOMATION, "stop_actions": True},
            blocking=True,
        )
