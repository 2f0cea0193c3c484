"""The guided calibration in a real browser: each page looked at, on four screens."""

import asyncio
from contextlib import suppress

import pytest

from custom_components.openbk.const import DOMAIN
from demo import rig
from demo.wizard import Dialog as Flow
from tests.support.broker import Broker

from .conftest import Scene
from .dialog import Dialog

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.timeout(300)]


async def test_from_plugging_in_to_the_result(scene: Scene) -> None:
    await _add_a_socket(scene)
    hands = scene.hands
    await hands.set_meter(power={"gain": 1 / 1.08, "offset": -1.2 / 1.08})
    await hands.plug_in(2000)
    await _switch_on(scene)

    dialog = Dialog(scene.page, "options")
    await _open_options(scene)

    async def look(step: str, detail: str = "", seconds: float = 30) -> None:
        await dialog.shows(step, seconds)
        await scene.looks.check(f"{step}-{detail}" if detail else step, dialog.root)

    await look("init")
    await dialog.choose("calibration")
    await look("calibration")
    await dialog.choose("multimeter")
    await look("multimeter")
    await dialog.press()
    await look("measure")
    await look("reference", "multimeter", seconds=60)
    await dialog.fill_number("Voltage", 230)
    await dialog.fill_number("Current", 9)
    await dialog.press()
    await look("result", "three_quantities")
    await dialog.choose("stop")
    await look("nothing_changed")
    await scene.page.reload()

    await _open_options(scene)
    await dialog.choose("calibration")
    await dialog.choose("known_load")
    await look("known_load")
    await dialog.press()
    await look("reference", "known_load", seconds=60)
    await scene.page.reload()

    await _open_options(scene)
    await dialog.choose("calibration")
    await dialog.choose("watt_meter")
    await look("watt_meter")
    await dialog.press()
    await look("reference", "watt_meter", seconds=60)
    await dialog.fill_number("Power", 2)
    await dialog.press()
    await dialog.refuses("wrong_unit")
    await look("reference", "refused")
    await dialog.fill_number("Power", 2000)
    await dialog.press()
    await look("result")
    await dialog.choose("second_load")
    await look("second_load")
    await hands.plug_in(0)
    await dialog.press()
    await look("no_load")
    await hands.plug_in(60)
    await dialog.choose("measure")
    await dialog.shows("reference", 60)
    await dialog.fill_number("Power", 60)
    await dialog.press()
    await look("result", "two_points")
    await dialog.choose("save")
    await look("create_entry")
    await scene.page.reload()

    await _open_options(scene)
    await dialog.choose("calibration")
    await look("calibration", "afterwards")
    scene.looks.judge()


async def _open_options(scene: Scene) -> None:
    await scene.page.goto(f"/config/integrations/integration/{DOMAIN}")
    button = scene.page.locator("ha-config-entry-row").get_by_role(
        "button", name="Configure"
    )
    await button.click()


async def _add_a_socket(scene: Scene) -> None:
    async def reset_when_asked() -> None:
        while True:
            await asyncio.sleep(0.5)
            if flow.page["step_id"] == "search":
                await scene.hands.reset()

    flow = Flow(client=scene.client, handler=DOMAIN)
    answers = {
        "user": "flash",
        "port": {"adapter": scene.world.simulator.serial},
        "pins": "use_pins",
        "name": {"name": "Washing machine"},
        "wifi": {"ssid": "Demo", "password": "only simulated"},
        "broker": {
            "host": Broker.host,
            "port": scene.world.broker.port,
            "username": rig.BROKER_USER,
            "password": rig.BROKER_PASSWORD,
        },
    }
    await flow.open()
    resetting = asyncio.create_task(reset_when_asked())
    await flow.walk(answers, until="pins")
    resetting.cancel()
    with suppress(asyncio.CancelledError):
        await resetting
    await flow.walk(answers, until="created")


async def _switch_on(scene: Scene) -> None:
    entities = await scene.client.command("config/entity_registry/list")
    relay = next(
        entity["entity_id"]
        for entity in entities
        if entity["platform"] == DOMAIN and "_relay_" in entity["unique_id"]
    )
    async with asyncio.timeout(60):
        while await scene.client.state(relay) not in {"on", "off"}:
            await asyncio.sleep(0.2)
        await scene.client.call("switch", "turn_on", entity_id=relay)
        while await scene.client.state(relay) != "on":
            await asyncio.sleep(0.2)
