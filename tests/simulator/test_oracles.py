"""Tools that nobody here wrote take the simulated chip for a real one."""

import asyncio
from collections.abc import Callable
import io
from pathlib import Path
import random
import sys

from bk7231tools.serial import BK7231Serial
from bk7231tools.serial.base.enums import BkChipType, BkProtocolType
import pytest

from simulator.bootrom import Timings
from simulator.chip import SimulatedSocket, simulated_chip
from simulator.commands import Command
from simulator.faults import Fault, FaultName
from simulator.flash import SIZE, Flash
from simulator.uart import LineOptions

# Their time-outs are those of the machine.
pytestmark = pytest.mark.real_time

ROOT = Path(__file__).parents[2]
CONTENT = random.Random(1).randbytes(SIZE)
IMAGE = random.Random(2).randbytes(0x9000) + b"\xff" * 0x1000 + bytes(0x1000)


def protected() -> Flash:
    """Return a flash as Tuya's firmware leaves it."""
    return Flash(CONTENT, status=0x4004)


async def bk7231tools[T](
    chip: SimulatedSocket, use: Callable[[BK7231Serial], T], baudrate: int = 921600
) -> T:
    """Let the library do something with the chip, in a thread of its own."""

    def connected() -> T:
        device = BK7231Serial(chip.path, baudrate, link_timeout=10, cmnd_timeout=5)
        try:
            device.connect()
            return use(device)
        finally:
            device.close()

    return await asyncio.to_thread(connected)


def program(device: BK7231Serial, start: int, data: bytes) -> None:
    for _ in device.program_flash(io.BytesIO(data), len(data), start, crc_check=True):
        pass


async def run_tool(*arguments: str) -> str:
    """Run a tool's command line; return what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.modemless",
        *arguments,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    text = output.decode(errors="replace")
    assert process.returncode == 0, text
    return text


async def test_bk7231tools_knows_the_chip() -> None:
    async with simulated_chip(protected()) as chip:
        device = await bk7231tools(chip, lambda device: device)
    assert device.chip_type is BkChipType.BK7231N
    assert device.protocol_type is BkProtocolType.FULL
    assert device.flash_id == bytes.fromhex("EB6015")
    assert device.flash_size == SIZE


async def test_bk7231tools_reads_the_whole_flash_and_checks_every_sector() -> None:
    async with simulated_chip(protected()) as chip:
        read = await bk7231tools(chip, lambda device: device.flash_read_bytes(0, SIZE))
    assert read == CONTENT


async def test_bk7231tools_unprotects_erases_and_writes_with_its_own_check() -> None:
    async with simulated_chip(protected()) as chip:
        await bk7231tools(chip, lambda device: program(device, 0x11000, IMAGE))
        assert chip.flash.read(0x11000, len(IMAGE)) == IMAGE
        assert chip.flash.counts.erased_4k == len(IMAGE) // 4096
        rest = 0x11000 + len(IMAGE)
        assert chip.flash.read(0, 0x11000) == CONTENT[:0x11000]
        assert chip.flash.read(rest, SIZE - rest) == CONTENT[rest:]


async def test_bk7231tools_writes_unaligned_pages() -> None:
    async with simulated_chip(Flash()) as chip:

        def write(device: BK7231Serial) -> None:
            device.flash_write_bytes(0x11100, IMAGE[:255], crc_check=True)

        await bk7231tools(chip, write)
        assert chip.flash.read(0x11100, 256) == IMAGE[:255] + b"\xff"


async def test_bk7231tools_works_over_a_line_that_is_true_to_life() -> None:
    async with simulated_chip(
        protected(),
        line=LineOptions.realistic(),
        timings=Timings.realistic().scaled(0.2),
    ) as chip:

        def use(device: BK7231Serial) -> bytes:
            program(device, 0x11000, IMAGE[:0x3000])
            data: bytes = device.flash_read_bytes(0x10000, 0x6000)
            return data

        read = await bk7231tools(chip, use, 2000000)
        assert read == chip.flash.read(0x10000, 0x6000)
        assert read[0x1000:0x4000] == IMAGE[:0x3000]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(name=FaultName.REPLY_FLIPPED, command=Command.READ_4K, nth=3, byte=900),
        Fault(name=FaultName.REPLY_LOST, command=Command.READ_4K, nth=3, count=100),
        Fault(name=FaultName.REPLY_TWICE, command=Command.READ_4K, nth=3),
        Fault(name=FaultName.REQUEST_FLIPPED, command=Command.WRITE_4K, nth=2, byte=99),
        Fault(name=FaultName.REPLY_DROPPED, command=Command.WRITE_4K, nth=2),
    ],
    ids=lambda fault: f"{fault.name}-{fault.command}",
)
async def test_bk7231tools_survives_what_it_survived_when_it_was_measured(
    fault: Fault,
) -> None:
    async with simulated_chip(protected()) as chip:

        def use(device: BK7231Serial) -> bytes:
            device.cmnd_timeout = device.serial.timeout = 0.3
            program(device, 0x11000, IMAGE[:0x4000])
            data: bytes = device.flash_read_bytes(0x11000, 0x4000)
            return data

        chip.inject(fault)
        assert await bk7231tools(chip, use) == IMAGE[:0x4000]
        assert chip.faults.pending == ()


@pytest.mark.slow
async def test_the_command_line_of_bk7231tools_reads_and_writes(tmp_path: Path) -> None:
    image, read = tmp_path / "image.bin", tmp_path / "read.bin"
    image.write_bytes(IMAGE)
    async with simulated_chip(protected()) as chip:
        port = ["-d", chip.path, "-b", "921600"]
        await run_tool("bk7231tools", "write_flash", *port, "-s", "0x11000", str(image))
        await run_tool(
            "bk7231tools",
            "read_flash",
            *port,
            "-s",
            "0x11000",
            "-l",
            "0xB000",
            str(read),
        )
        assert chip.flash.read(0x11000, len(IMAGE)) == IMAGE
    assert read.read_bytes() == IMAGE


@pytest.mark.slow
async def test_ltchiptool_reads_the_whole_flash(tmp_path: Path) -> None:
    read = tmp_path / "read.bin"
    async with simulated_chip(protected()) as chip:
        await run_tool(
            *("ltchiptool", "flash", "read", "-d", chip.path),
            *("-b", "921600", "bk7231n", str(read)),
        )
    assert read.read_bytes() == CONTENT
