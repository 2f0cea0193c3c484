"""What the tests of the wizard share: chips, files to upload, a port that must come back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from homeassistant.components.file_upload import _DATA, FileUploadData
from homeassistant.core import HomeAssistant
from homeassistant.util.ulid import ulid_now
import serialx

from custom_components.openbk.pyopenbk.flash_map import FLASH_SIZE
from simulator.chip import SimulatedSocket, simulated_chip
from simulator.clock import Clock
from simulator.flash import Flash
from simulator.meter import Bl0937, Load
from simulator.openbeken import OpenBeken
from tests.homeassistant.wizard import Wizard
from tests.pyopenbk.flashing import dumps
from tests.pyopenbk.obk import packer
from tests.pyopenbk.tuya.store_writer import (
    BLOW as BLOW_PARAMS,
    KEY_SECTOR,
    Entry,
    store,
)

# What Tuya's firmware leaves in the status registers: CMP and BP0.
PROTECTED: Final = 0x4004
MAC: Final = dumps.MAC


def factory_dump() -> bytes:
    """Return a chip with Tuya's firmware whose store is erased."""
    return dumps.chip(packer.tuya_code())


@asynccontextmanager
async def chip(content: bytes, **options: Any) -> AsyncIterator[SimulatedSocket]:
    """Run a chip that holds this, protected as a factory chip is."""
    flash = Flash(content.ljust(FLASH_SIZE, b"\xff"), status=PROTECTED)
    async with simulated_chip(flash, **options) as socket:
        yield socket


async def open_port(hass: HomeAssistant, path: str, choice: str = "flash") -> Wizard:
    """Walk to the end of the form with the serial port."""
    wizard = await Wizard.open(hass, choice)
    assert wizard.page == "intro"
    assert await wizard.submit() == "port"
    await wizard.submit(adapter=path)
    return wizard


async def upload(hass: HomeAssistant, content: bytes, name: str = "file.bin") -> str:
    """Leave a file where the browser's upload would, and return its id."""
    if _DATA not in hass.data:
        hass.data[_DATA] = await FileUploadData.create(hass)
    data = hass.data[_DATA]
    file_id = ulid_now()

    def write() -> None:
        folder: Path = data.temp_dir / file_id
        folder.mkdir()
        (folder / name).write_bytes(content)

    await hass.async_add_executor_job(write)
    data.files[file_id] = name
    return file_id


async def is_free(path: str) -> bool:
    """Return whether the serial port can be opened by somebody else."""
    try:
        async with serialx.async_serial_for_url(path, baudrate=115200):
            return True
    except OSError:
        return False


def blow_dump() -> bytes:
    """Return a factory BLOW 72-074 with its pins in its store."""
    entries = [Entry("user_param_key", BLOW_PARAMS, (1, 5))]
    return dumps.put(factory_dump(), KEY_SECTOR, store(entries))


@asynccontextmanager
async def socket_on_the_bench(
    content: bytes, **options: Any
) -> AsyncIterator[SimulatedSocket]:
    """Run a chip that starts what it holds unless it is reset while link checks arrive.

    OpenBeken in it takes the loopback broker that its configuration names, at tenfold speed.
    """
    clock = Clock(10.0)

    def openbeken(socket: SimulatedSocket, _version: str) -> OpenBeken:
        meter = Bl0937(clock, load=Load(volts=230.0, watts=100.0))
        return OpenBeken(socket.flash, clock, meter, socket.mac)

    async with chip(
        content, in_rom=False, auto_reset=0.2, firmware=openbeken, **options
    ) as socket:
        yield socket
