"""A whole job with two things going wrong: finished and right, or ended with the truth."""

import random

import pytest

from custom_components.openbk.pyopenbk.beken.code_flash import STANDARD_KEY
from custom_components.openbk.pyopenbk.bootrom.chip import LinkedChip
from custom_components.openbk.pyopenbk.bootrom.errors import (
    BootRomError,
    LinkLostError,
    PortUnavailableError,
)
from custom_components.openbk.pyopenbk.bootrom.link import open_link
from simulator.bootrom import Timings
from simulator.chip import SimulatedSocket, simulated_chip
from simulator.commands import Command
from simulator.faults import Fault, FaultName, seeded_faults
from simulator.flash import Flash
from tests.support.flash_map import APPLICATION, BOOTLOADER, FLASH_JOB, RF_CALIBRATION

from .rig import PROTECTED, factory_like

NEW = random.Random(4).randbytes(0x1E000)


async def job(socket: SimulatedSocket, patience: float) -> list[tuple[int, int]]:
    """Read and write some of the flash; return what was hit unasked."""
    before = socket.flash.content
    async with open_link(socket.path, patience=patience) as link:
        assert (await link.search(5)).linked
        await link.set_baudrate()
        chip = await LinkedChip.identify(link)
        assert chip.identity.code_key == STANDARD_KEY
        assert chip.identity.jedec == bytes.fromhex("EB6015")
        for start in (0, 0x1E0000):
            assert await chip.read(start, 0x20000) == before[start : start + 0x20000]
        await chip.program(
            APPLICATION.start, NEW, allowance=FLASH_JOB, last=APPLICATION.start
        )
        await chip.program(0x1D1000, NEW[:0x1000], allowance=FLASH_JOB)
        return link.stray_changes


def wanted() -> bytes:
    """Return the flash as a job without faults leaves it."""
    content = bytearray(factory_like())
    content[APPLICATION.start : APPLICATION.start + len(NEW)] = NEW
    content[0x1D1000:0x1D2000] = NEW[:0x1000]
    return bytes(content)


def unharmed(content: bytes, strays: list[tuple[int, int]]) -> bool:
    """Return whether all but what was hit unasked is as it should be."""
    expected = bytearray(wanted())
    for start, length in strays:
        first = start % len(expected) // 0x1000 * 0x1000
        last = first + max(length, 0x1000) + 0x1000
        expected[first:last] = content[first:last]
    return content == expected


@pytest.mark.parametrize("seed", range(24))
async def test_two_faults_end_with_a_finished_job_or_the_truth(seed: int) -> None:
    flash = Flash(factory_like(), status=PROTECTED)
    timings = Timings(silence=0.1)
    async with simulated_chip(flash, timings=timings) as socket:
        for fault in seeded_faults(seed):
            socket.inject(fault)
        error: BootRomError | None = None
        try:
            strays = await job(socket, 0.2)
        except BootRomError as caught:
            error = caught
    if error is None:
        assert unharmed(flash.content, strays)
        return
    assert isinstance(error, (LinkLostError, PortUnavailableError))
    before = factory_like()
    for region in (BOOTLOADER, RF_CALIBRATION):
        found = flash.read(region.start, region.size)
        assert found == before[region.start : region.end]


@pytest.mark.parametrize(
    "command",
    [
        Command.LINK_CHECK,
        Command.SET_BAUDRATE,
        Command.READ_4K,
        Command.WRITE_4K,
        Command.CRC,
        Command.ERASE,
    ],
)
async def test_a_stall_of_two_seconds_is_waited_out(command: Command) -> None:
    flash = Flash(factory_like(), status=PROTECTED)
    async with simulated_chip(flash) as socket:
        socket.inject(
            Fault(
                name=FaultName.REPLY_STALLED,
                command=command,
                nth=2,
                byte=4,
                seconds=2.0,
            )
        )
        assert await job(socket, 1.0) == []
        assert flash.content == wanted()
