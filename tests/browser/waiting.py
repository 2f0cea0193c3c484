"""A socket that does not come, is found right all the same, and the next one after it."""

from pathlib import Path

from demo import rig
from tests.support.broker import Broker

from .conftest import Scene
from .hands import Hands
from .road import find_chip

IN_VAIN = ("waiting_nothing", "waiting_network_only", "waiting_silent")


async def wait_and_flash_the_next(scene: Scene, folder: Path) -> None:
    """Go from no sign of a socket to the next one; ``folder`` holds the name of their adapter."""
    adapter = folder / "adapter"
    adapter.symlink_to(scene.world.simulator.serials[0])
    with Broker(users={rig.BROKER_USER: rig.BROKER_PASSWORD}) as another_broker:
        await _write_for(scene, another_broker, adapter)
        await _wait_in_vain(scene)
        await _read_back(scene)
        await _correct_the_broker(scene)
        adapter.unlink()
        adapter.symlink_to(scene.world.simulator.serials[1])
        await _flash_the_next(scene)


async def _write_for(scene: Scene, broker: Broker, adapter: Path) -> None:
    """Flash a socket whose broker is not that of Home Assistant."""
    dialog = scene.dialog
    await dialog.open()
    await dialog.choose("flash")
    await dialog.shows("intro")
    await dialog.type_port(str(adapter))
    await dialog.press()
    await dialog.shows("wiring")
    await dialog.press()
    await dialog.shows("search")
    await scene.hands.reset()
    await find_chip(dialog, scene.hands, "backup", "pins")
    await dialog.choose("use_pins")
    await dialog.shows("name")
    await dialog.fill(name="Washing machine")
    await dialog.press()
    await dialog.choose("wifi")
    await _fill_network(scene, broker)
    await dialog.refuses("broker_loopback")
    await dialog.press()
    await dialog.refuses("broker_another")
    await scene.look("broker", "another")
    await dialog.press()
    await dialog.shows("write_confirm")
    await dialog.press()
    await dialog.shows("reassemble")


async def _fill_network(scene: Scene, broker: Broker) -> None:
    dialog = scene.dialog
    await dialog.shows("wifi")
    await dialog.fill(ssid="Demo", password="only simulated")
    await dialog.press()
    await dialog.shows("broker")
    await dialog.fill(
        host=Broker.host, username=rig.BROKER_USER, password=rig.BROKER_PASSWORD
    )
    await dialog.fill_number("Port", broker.port)
    await dialog.press()


async def _wait_again(scene: Scene, page: str, *too_early: str) -> None:
    """Wait once more, as people would, where a busy machine lets a socket come late."""
    while await scene.dialog.shows(page, *too_early) != page:
        await scene.dialog.choose("wait")
    await scene.look(page)


async def _wait_in_vain(scene: Scene) -> None:
    dialog, hands = scene.dialog, scene.hands
    await hands.power(on=False)
    await dialog.press()
    await scene.look("waiting_nothing")
    await dialog.choose("access_point")
    await scene.look("access_point")
    await hands.power(on=True)
    await dialog.press()
    await _wait_again(scene, "waiting_network_only", "waiting_nothing")
    await hands.power(on=False)
    await dialog.choose("wait")
    await scene.look("waiting_silent")


async def _read_back(scene: Scene) -> None:
    dialog, hands = scene.dialog, scene.hands
    await dialog.choose("read_back")
    await scene.look("rewire")
    await dialog.press()
    await dialog.shows("search")
    await hands.power(on=True)
    await scene.look("read_back_same")


async def _correct_the_broker(scene: Scene) -> None:
    dialog, hands = scene.dialog, scene.hands
    await dialog.choose("change_settings")
    await _fill_network(scene, scene.world.broker)
    await dialog.shows("write_confirm")
    await dialog.press()
    await dialog.shows("search")
    await hands.reset()
    await find_chip(dialog, hands, "reassemble")
    await dialog.switch("Flash another socket")
    await scene.look("reassemble", "another")
    await hands.power(on=False)
    await hands.power(on=True)
    await dialog.press()
    await _wait_again(scene, "next_socket", *IN_VAIN)


async def _flash_the_next(scene: Scene) -> None:
    dialog = scene.dialog
    async with Hands(scene.world.simulator.control, 2) as hands:
        await dialog.press()
        await dialog.shows("search")
        await hands.reset()
        await find_chip(dialog, hands, "backup", "pins")
        await dialog.choose("use_pins")
        await scene.look("name", "next")
        await dialog.fill(name="Dishwasher")
        await dialog.press()
        await scene.look("write_confirm", "next")
        await dialog.press()
        await dialog.shows("reassemble")
        await hands.power(on=False)
        await hands.power(on=True)
        await dialog.press()
        await scene.look("create_entry")
