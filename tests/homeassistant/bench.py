"""What the tests of the wizard share: chips, files to upload, a port that must come back."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from homeassistant.components.file_upload import _DATA, FileUploadData
from homeassistant.core import HomeAssistant
import serialx

from simulator import factory, images
from simulator.chip import SimulatedSocket, simulated_chip
from simulator.chips import BK7231N
from simulator.clock import Clock
from simulator.firmware import OpenBekenOnSocket
from simulator.flash import Flash
from simulator.meter import Bl0937, Load
from tests.homeassistant.wizard import Wizard
from tests.support.flash_map import FLASH_SIZE

# What Tuya's firmware leaves in the status registers: CMP and BP0.
PROTECTED: Final = 0x4004
MAC: Final = factory.DEFAULT_MAC
# Of firmware in a walk: each byte goes over the wire, and no page depends on how many they are.
CODE_SIZE: Final = 0x10000
NEWEST: Final = replace(images.NEWEST, size=CODE_SIZE)
# What so many buttons report does not fit into one start-up command.
MANY_BUTTONS: Final = "\n".join(f"P{pin} Btn 1" for pin in (0, 1, 9, 14, 15, 16, 17))


def blow_dump() -> bytes:
    """Return a factory BLOW 72-074 with its pins in its store."""
    return factory.FactorySocket(code_size=CODE_SIZE).dump()


def flashed(dump: bytes, config: bytes = b"") -> bytes:
    """Return the dump of a socket after OpenBeken was written over what is in ``dump``."""
    return images.flashed(dump, NEWEST, config)


def factory_dump() -> bytes:
    """Return the same chip with its store erased."""
    return factory.without(
        blow_dump(), BK7231N.configuration, FLASH_SIZE - BK7231N.configuration
    )


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
    await wizard.submit(adapter=path)
    return wizard


async def upload(hass: HomeAssistant, content: bytes, name: str = "file.bin") -> str:
    """Leave a file where the browser's upload would, and return its id."""
    if _DATA not in hass.data:
        # Not where Home Assistant would: that folder is the same for all tests.
        hass.data[_DATA] = FileUploadData(Path(hass.config.path("uploads")), {})
    data = hass.data[_DATA]
    file_id = uuid4().hex

    def write() -> None:
        folder: Path = data.temp_dir / file_id
        folder.mkdir(parents=True)
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


@asynccontextmanager
async def socket_on_the_bench(
    content: bytes,
    *,
    resolve: Callable[[str, int], tuple[str, int]] | None = None,
    address: str = "127.0.0.1",
    next_address: str | None = None,
    **options: Any,
) -> AsyncIterator[SimulatedSocket]:
    """Run a chip that starts what it holds unless it is reset while link checks arrive.

    OpenBeken in it runs at tenfold speed. ``resolve`` is where it finds its broker, ``address``
    its own, ``next_address`` that from its second start on.
    """
    clock = Clock(10.0)
    meter = Bl0937(clock, load=Load(volts=230.0, watts=100.0))
    async with simulated_chip(
        Flash(content, status=PROTECTED),
        in_rom=False,
        auto_reset=0.2,
        firmware=OpenBekenOnSocket(
            meter, resolve=resolve, address=address, next_address=next_address
        ),
        **options,
    ) as socket:
        socket.clock = clock
        yield socket
