"""The pages behind the options of a socket that ask for something, and the update of its firmware."""

import pytest

from custom_components.openbk.const import DOMAIN

from .conftest import Scene
from .dialog import Dialog
from .looks import FEW_SCREENS
from .road import add_a_socket, open_options

pytestmark = [
    pytest.mark.browser,
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(300),
]


async def test_reporting_password_firmware_and_the_update(scene: Scene) -> None:
    scene.looks.screens = FEW_SCREENS
    await add_a_socket(scene)
    dialog = Dialog(scene.page, "options")
    for step in ("reporting", "web_password", "firmware"):
        await open_options(scene)
        await dialog.choose(step)
        await scene.look(step)
        await dialog.close()
    entities = await scene.client.command("config/entity_registry/list")
    [update] = (
        entity["entity_id"]
        for entity in entities
        if entity["platform"] == DOMAIN and entity["entity_id"].startswith("update.")
    )
    await scene.client.call("homeassistant", "update_entity", entity_id=update)
    await scene.page.goto(f"/?more-info-entity-id={update}")
    shown = scene.page.locator("ha-more-info-dialog")
    await shown.get_by_text("1.18.300").first.wait_for()
    await scene.looks.check("update", shown)
    scene.looks.judge()
