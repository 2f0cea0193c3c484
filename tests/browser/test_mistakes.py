"""What goes wrong most often, in a real browser: each page says so and leads on."""

from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
import os
from pathlib import Path

import pytest

from demo import rig
from simulator import images
from tests.support.broker import Broker, free_port

from .conftest import Scene
from .looks import FEW_SCREENS

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.timeout(300)]


async def test_every_mistake_on_the_way(scene: Scene, tmp_path: Path) -> None:
    dialog = scene.dialog
    scene.looks.screens = FEW_SCREENS
    await dialog.open()
    await dialog.shows("user")
    await scene.looks.check_lines(dialog.root, dialog.titles, dialog.choices)
    await dialog.choose("flash")
    await dialog.shows("intro")
    await dialog.press()
    await _choose_wrong_ports(scene)
    await _wire_wrongly(scene)
    await dialog.shows("pins")
    await dialog.choose("pins_edit")
    await scene.look("pins_edit")
    await dialog.press()
    await dialog.shows("pins")
    await dialog.choose("use_pins")
    await _answer_wrongly(scene)
    await _choose_wrong_firmware(scene, tmp_path)
    await _lose_power_while_writing(scene)
    scene.looks.judge()


async def _choose_wrong_ports(scene: Scene) -> None:
    dialog, serial = scene.dialog, scene.world.simulator.serial
    await dialog.shows("port")
    await dialog.type_port("/dev/ttyUSB7")
    await dialog.press()
    await dialog.refuses("port_missing")
    await scene.look("port", "missing")
    with _held(serial):
        await dialog.type_port(serial)
        await dialog.press()
        await dialog.refuses("port_busy")
        await scene.look("port", "busy")
    await dialog.type_port(serial)
    await dialog.press()


@contextmanager
def _held(serial: str) -> Iterator[None]:
    """Keep a serial port as another program would."""
    port = os.open(serial, os.O_RDWR | os.O_NOCTTY)
    try:
        fcntl.flock(port, fcntl.LOCK_EX)
        yield
    finally:
        os.close(port)


async def _wire_wrongly(scene: Scene) -> None:
    dialog, hands = scene.dialog, scene.hands
    await dialog.shows("opening")
    await dialog.press()
    await dialog.shows("wiring")
    await hands.inject("echo")
    await dialog.press()
    await scene.look("seen_echo")
    await hands.mend()
    await hands.inject("disconnected")
    await dialog.choose("check_wiring")
    await scene.look("check_wiring")
    await dialog.press()
    await scene.look("seen_nothing")
    await hands.mend()
    await dialog.choose("search")
    await dialog.shows("search")
    await hands.reset()


async def _answer_wrongly(scene: Scene) -> None:
    dialog = scene.dialog
    await dialog.shows("name")
    await dialog.unfold()
    await scene.look("name", "unfolded")
    await dialog.fill(name="Washing machine")
    await dialog.press()
    await dialog.shows("wifi")
    await dialog.fill(ssid="Demo", password="short")
    await dialog.unfold()
    await dialog.press()
    await dialog.refuses("wifi_password_short")
    await scene.look("wifi", "short")
    await dialog.fill(password="only simulated")
    await dialog.press()
    await dialog.shows("broker")
    await dialog.fill(
        host=Broker.host, username=rig.BROKER_USER, password=rig.BROKER_PASSWORD
    )
    await dialog.fill_number("Port", free_port())
    await dialog.press()
    await dialog.refuses("broker_loopback")
    await dialog.press()
    await dialog.refuses("broker_unreachable")
    await scene.look("broker", "unreachable")
    await dialog.fill_number("Port", scene.world.broker.port)


async def _choose_wrong_firmware(scene: Scene, folder: Path) -> None:
    dialog = scene.dialog
    wrong, right = folder / "OpenBK7238_QIO.bin", folder / "OpenBK7231N_QIO.bin"
    wrong.write_bytes(images.wrong_chip_qio())
    right.write_bytes(images.qio())
    await scene.hands.trouble_releases(rate_limited_seconds=600)
    await dialog.press()
    await dialog.refuses("releases_rate_limited")
    await scene.look("firmware", "rate-limited")
    await dialog.upload(wrong)
    await dialog.press()
    await dialog.refuses("firmware_wrong_chip")
    await dialog.unfold()
    await scene.look("firmware", "wrong-chip")
    await dialog.upload(right)
    await dialog.press()
    await scene.look("write_confirm", "file")


async def _lose_power_while_writing(scene: Scene) -> None:
    dialog = scene.dialog
    await scene.hands.inject("power_lost", command="write_4k", nth=30)
    await dialog.press()
    await scene.look("failed_link_lost_writing")
    await dialog.choose("leave")
    await scene.look("left_half_written")
    await dialog.press()
    await dialog.root.wait_for(state="hidden")
