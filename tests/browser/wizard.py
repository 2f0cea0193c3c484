"""The wizard in a real browser: each page looked at, light and dark, on a desktop and on a phone."""

from playwright.async_api import expect

from custom_components.openbk.const import DOMAIN
from demo import rig
from tests.support.broker import Broker

from .conftest import Scene
from .dialog import go
from .road import find_chip, reads_at_least, switch_on

# A washing machine that heats.
WATTS = 1850.0
# Pixels of the page of a device that tell what it is.
DEVICE_HEIGHT = 800


async def flash_and_discover(scene: Scene) -> None:
    """Go from a factory socket to one that is discovered, and added again."""
    dialog, hands = scene.dialog, scene.hands
    await dialog.open()
    await scene.look("user")
    await scene.portray("user")
    await dialog.choose("flash")
    await scene.look("intro")
    await dialog.type_port(scene.world.simulator.serial)
    await dialog.press()
    await scene.look("wiring")
    await dialog.press()
    await scene.look("search")
    await scene.portray("search")
    await hands.dawdle("read_4k", nth=20)
    await hands.reset()
    await find_chip(dialog, hands, "backup")
    await scene.look("backup")
    await scene.portray("backup")
    await hands.mend()
    await scene.look("pins")
    await scene.portray("pins")
    await dialog.choose("use_pins")
    await _answer_the_questions(scene)
    await scene.look("write_confirm")
    await scene.portray("write_confirm")
    await hands.dawdle("write_4k", nth=20)
    await dialog.press()
    await scene.look("write")
    await hands.mend()
    await scene.look("reassemble")
    await scene.portray("reassemble")
    await hands.power(on=False)
    await dialog.press()
    await scene.look("wait")
    await hands.power(on=True)
    await scene.look("create_entry")
    await scene.portray("create_entry")
    await dialog.press()
    await dialog.gone()
    await _see_the_device(scene)
    await _remove_the_socket_and_discover_it(scene)


async def _see_the_device(scene: Scene) -> None:
    entities = [
        entity
        for entity in await scene.client.command("config/entity_registry/list")
        if entity["platform"] == DOMAIN and not entity["disabled_by"]
    ]
    assert len(entities) > 10
    await go(scene.page, f"/config/devices/device/{entities[0]['device_id']}")
    device = scene.page.locator("ha-config-device-page")
    for entity in entities:
        if name := entity["original_name"]:
            await expect(device.get_by_text(name, exact=True).first).to_be_attached()
    await scene.hands.plug_in(WATTS)
    await switch_on(scene)
    # It waits until the load is steady; the energy of today comes once the socket knows the time.
    await reads_at_least(scene, "apparent_power", WATTS * 0.9)
    await reads_at_least(scene, "energy_today", 0)
    await scene.looks.check("device", device)
    await scene.looks.portray(
        "device", device.locator(".container").first, DEVICE_HEIGHT
    )


async def _remove_the_socket_and_discover_it(scene: Scene) -> None:
    entries = await scene.client.command("config_entries/get", domain=DOMAIN)
    await scene.client.delete(
        f"/api/config/config_entries/entry/{entries[0]['entry_id']}"
    )
    await go(scene.page, "/config/integrations/dashboard")
    await scene.hands.power(on=False)
    await scene.hands.power(on=True)
    card = scene.page.locator("ha-config-flow-card")
    await card.wait_for()
    await scene.looks.check("discovered", card)
    await card.get_by_role("button", name="Add").click()
    await scene.look("discovery_confirm")
    await scene.dialog.press()
    await scene.look("create_entry", "discovered")
    await scene.dialog.press()
    await scene.dialog.gone()


async def _answer_the_questions(scene: Scene) -> None:
    dialog = scene.dialog
    await scene.look("name")
    await dialog.fill(name="Washing machine", model="BLOW 72-074")
    await dialog.press()
    await scene.look("known_wifi")
    await dialog.choose("wifi")
    await scene.look("wifi")
    await dialog.fill(ssid="Demo", password="only simulated")
    await dialog.press()
    await scene.look("broker")
    await dialog.fill(
        host=Broker.host, username=rig.BROKER_USER, password="a wrong one"
    )
    await dialog.fill_number("Port", scene.world.broker.port)
    await dialog.press()
    await dialog.refuses("broker_loopback")
    await scene.look("broker", "loopback")
    await dialog.press()
    await dialog.refuses("broker_refused_login")
    await scene.look("broker", "login")
    await dialog.fill(password=rig.BROKER_PASSWORD)
    await dialog.press()
    await dialog.shows("write_confirm")
    await dialog.switch("Choose another firmware")
    await dialog.press()
    await scene.look("firmware")
    await dialog.press()
