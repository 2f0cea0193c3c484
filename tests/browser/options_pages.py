"""The pages behind the options of a socket that ask for something, and the update of its firmware."""

from typing import Final

from custom_components.openbk.const import DOMAIN

from .conftest import Scene
from .dialog import Dialog, go, gone
from .road import open_options

# What a click on an entity says.
_OPEN_MORE_INFO: Final = """(entityId) => document.querySelector("home-assistant")
  .dispatchEvent(new CustomEvent("hass-more-info", { detail: { entityId } }))"""


async def look_behind_the_options(scene: Scene) -> None:
    """Look at each page of the options that asks for something, at the device, and at the update."""
    dialog = Dialog(scene.page, "options")
    device = await _device(scene)
    await _command(scene, device, "SetFlag 41 1")
    for step in ("reporting", "web_password", "firmware", "backups", "snapshots"):
        await open_options(scene)
        await dialog.choose(step)
        await scene.look(step)
        await dialog.close()
    await _command(scene, device, "SetPinRole 24 BL0937SEL_n")
    await open_options(scene)
    await dialog.choose("pins")
    await scene.look("pins_changed")
    await dialog.close()
    await _command(scene, device, "SetPinRole 24 BL0937SEL")
    entities = await scene.client.command("config/entity_registry/list")
    [update] = (
        entity["entity_id"]
        for entity in entities
        if entity["platform"] == DOMAIN and entity["entity_id"].startswith("update.")
    )
    await go(scene.page, f"/config/devices/device/{device}")
    page = scene.page.locator("ha-config-device-page")
    await page.get_by_text("MAC").first.wait_for()
    await scene.looks.check("device", page)
    await scene.client.call("homeassistant", "update_entity", entity_id=update)
    await scene.page.evaluate(_OPEN_MORE_INFO, update)
    shown = scene.page.locator("ha-more-info-dialog")
    await shown.get_by_text("1.18.300").first.wait_for()
    await scene.looks.check("update", shown)
    await scene.page.keyboard.press("Escape")
    await gone(scene.page, shown)


async def _command(scene: Scene, device: str, command: str) -> None:
    await scene.client.call(DOMAIN, "console", device_id=device, command=command)


async def _device(scene: Scene) -> str:
    """Return the id of the socket's device."""
    devices = await scene.client.command("config/device_registry/list")
    [device] = (
        each["id"]
        for each in devices
        if any(domain == DOMAIN for domain, _ in each["identifiers"])
    )
    return str(device)
