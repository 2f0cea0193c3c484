"""What goes wrong most often, in a real browser: each page says so and leads on."""

from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
import json
import os
from pathlib import Path

from demo import rig
from simulator import images
from simulator.factory import FactorySocket
from tests.support.broker import Broker, free_port

from .conftest import Scene
from .road import find_chip


async def make_every_mistake(scene: Scene, folder: Path) -> None:
    """Make mistakes from the first page on, until the factory's firmware is back; files go to ``folder``."""
    dialog = scene.dialog
    await dialog.open()
    await dialog.shows("user")
    await scene.looks.check_lines(dialog.root, dialog.titles, dialog.choices)
    await dialog.choose("flash")
    await _choose_wrong_ports(scene)
    await _wire_wrongly(scene)
    await _give_wrong_pins(scene, folder)
    await _answer_wrongly(scene)
    await _choose_wrong_firmware(scene, folder)
    await _lose_power_while_writing(scene)
    await _come_back(scene)
    await _restore(scene, folder)


async def _choose_wrong_ports(scene: Scene) -> None:
    dialog, serial = scene.dialog, scene.world.simulator.serial
    await dialog.shows("intro")
    await dialog.type_port("/dev/ttyUSB7")
    await dialog.press()
    await dialog.refuses("port_missing")
    await scene.look("port", "missing")
    for address, error in (
        ("192.168.1.5:8888", "port_network"),
        ("COM3", "port_other_computer"),
    ):
        await dialog.type_port(address)
        await dialog.press()
        await dialog.refuses(error)
        await scene.look("port", error.removeprefix("port_"))
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
    await dialog.shows("wiring")
    await hands.inject("echo")
    await dialog.press()
    await dialog.shows("search")
    await dialog.says("RX and TX touch each other")
    await scene.look("search", "echo")
    await scene.look("seen_echo")
    await hands.mend()
    await hands.inject("disconnected")
    await dialog.choose("check_wiring")
    await scene.look("check_wiring")
    await dialog.press()
    await dialog.shows("search")
    await dialog.says("Nothing can be heard")
    await scene.look("search", "silent")
    await scene.look("seen_nothing")
    await hands.mend()
    await dialog.choose("search")
    await dialog.shows("search")
    await hands.reset()
    await find_chip(dialog, hands, "backup", "pins")


async def _give_wrong_pins(scene: Scene, folder: Path) -> None:
    dialog = scene.dialog
    await dialog.shows("pins")
    await dialog.choose("pins_edit")
    await dialog.unfold(1)
    await dialog.fill(others="P9 Rally 2")
    await dialog.press()
    await dialog.refuses("pins_line")
    await scene.look("pins_edit", "line")
    await dialog.fill(others="")
    await dialog.press()
    await dialog.choose("pins_other")
    await dialog.choose("pins_paste")
    await dialog.shows("pins_paste")
    await dialog.fill(text="P26 is the relay")
    await dialog.press()
    await dialog.refuses("text_not_understood")
    await scene.look("pins_paste", "not-understood")
    await dialog.fill(text=json.dumps({"pins": {"11": "Btn;1", "26": "Rel;1"}}))
    await dialog.press()
    await scene.look("pins", "pasted")
    await dialog.choose("pins_other")
    await dialog.choose("pins_known")
    await dialog.shows("pins_known")
    await dialog.pick("Model", "BLOW 72-074")
    await scene.look("pins_known")
    await dialog.press()
    await dialog.choose("pins_other")
    await dialog.choose("pins_upload")
    await dialog.shows("pins_upload")
    whole, cut = folder / "socket.bin", folder / "half of it.bin"
    whole.write_bytes(FactorySocket.numbered(0).dump())
    cut.write_bytes(whole.read_bytes()[:0x100000])
    await dialog.upload(cut)
    await dialog.press()
    await dialog.refuses("dump_firmware")
    await scene.look("pins_upload", "firmware")
    await dialog.upload(whole)
    await dialog.press()
    await dialog.choose("use_pins")


async def _answer_wrongly(scene: Scene) -> None:
    dialog = scene.dialog
    await dialog.shows("name")
    await dialog.unfold()
    await scene.look("name", "unfolded")
    await dialog.fill(name="Washing machine")
    await dialog.press()
    await dialog.choose("wifi")
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
    await scene.hands.trouble_releases(rate_limited_seconds=0)


async def _lose_power_while_writing(scene: Scene) -> None:
    dialog = scene.dialog
    await scene.hands.inject("power_lost", command="write_4k", nth=30)
    await dialog.press()
    await scene.look("failed_link_lost_writing")
    await dialog.choose("leave")
    await scene.look("left_half_written")
    await dialog.press()
    await dialog.gone()


async def _come_back(scene: Scene) -> None:
    dialog, hands = scene.dialog, scene.hands
    await dialog.open()
    await dialog.choose("flash")
    await dialog.shows("intro")
    await dialog.type_port(scene.world.simulator.serial)
    await dialog.press()
    await dialog.shows("wiring")
    await dialog.press()
    await dialog.shows("search")
    await hands.power(on=True)
    await find_chip(dialog, hands, "resume")
    await scene.look("resume")
    await dialog.choose("resume_passwords")
    await dialog.shows("resume_passwords")
    await dialog.fill(wifi_password="short")
    await dialog.press()
    await dialog.refuses("wifi_password_short")
    await scene.look("resume_passwords", "short")
    await dialog.close()


async def _restore(scene: Scene, folder: Path) -> None:
    """Put the factory firmware back; the chip still waits for commands."""
    dialog, hands = scene.dialog, scene.hands
    await dialog.open()
    await dialog.choose("restore")
    await dialog.shows("intro")
    await dialog.type_port(scene.world.simulator.serial)
    await dialog.press()
    await dialog.shows("restore_choose")
    await dialog.unfold()
    await scene.look("restore_choose", "unfolded")
    await dialog.upload(folder / "half of it.bin")
    await dialog.press()
    await dialog.refuses("backup_not_whole")
    await scene.look("restore_choose", "not-whole")
    await dialog.press()
    await scene.look("restore_confirm")
    await hands.dawdle("write_4k", nth=20)
    await dialog.press()
    await scene.look("restore_write")
    await hands.mend()
    await scene.look("restored")
    await dialog.press()
    await dialog.gone()
