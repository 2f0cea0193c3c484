"""A job over an adapter that resets the chip: no hand is needed, neither before it nor after."""

from pathlib import Path

import pytest

from custom_components.openbk.pyopenbk.bootrom.adapter import (
    Adapter,
    ResetLine,
    ResetWire,
)
from custom_components.openbk.pyopenbk.bootrom.errors import BootRomError
from custom_components.openbk.pyopenbk.flashing import ChipState
from simulator.adapters import ADAPTERS
from simulator.boot import Running
from simulator.chip import ResetWire as SimulatedWire
from simulator.commands import Command
from simulator.faults import Fault, FaultName
from simulator.modem_lines import Lines
from tests.support.waiting import until

from .bench import bench
from .dumps import CONFIG, factory_chip, openbeken_image

WIRED = {
    "adapter": ADAPTERS["ch340"],
    "reset_wire": SimulatedWire(line=Lines.RTS),
    "in_rom": False,
}


def known() -> Adapter:
    """Return an adapter whose RTS was seen to reset the chip."""
    return Adapter(reset_wired=True, reset_wire=ResetWire(ResetLine.RTS))


async def test_a_chip_that_was_only_read_starts_again_when_the_job_ends(
    tmp_path: Path,
) -> None:
    async with bench(factory_chip(), tmp_path, **WIRED) as chip:
        async with chip.analysed(adapter=known()):
            assert chip.socket.running is Running.ROM
            resets = chip.socket.resets
        await until(lambda: chip.socket.resets > resets)
        await until(lambda: chip.socket.running is not Running.ROM)
        assert not chip.socket.held_in_reset


async def test_a_written_chip_starts_also_where_it_did_not_take_the_order(
    tmp_path: Path,
) -> None:
    async with bench(factory_chip(), tmp_path, **WIRED) as chip:
        async with chip.analysed(adapter=known()) as job:
            await job.write(openbeken_image(), CONFIG)
            chip.watched.add(
                Fault(name=FaultName.REQUEST_DROPPED, command=Command.REBOOT, times=0)
            )
            await job.start()
        await chip.socket.wait_until(Running.OPENBEKEN)
        assert not chip.socket.held_in_reset


async def test_a_half_written_chip_is_left_in_its_boot_rom(tmp_path: Path) -> None:
    """There it can be gone on with without another reset; it would start nothing."""
    async with bench(factory_chip(), tmp_path, **WIRED) as chip:
        async with chip.analysed(adapter=known()) as job:
            chip.socket.inject(Fault(name=FaultName.WORN_SECTOR, value="20000"))
            with pytest.raises(BootRomError):
                await job.write(openbeken_image(), CONFIG)
            assert job.chip_state is ChipState.HALF_WRITTEN
            resets = chip.socket.resets
        await until(lambda: not chip.socket.uart.port.lines)
        assert chip.socket.resets == resets
        assert chip.socket.running is Running.ROM


async def test_nothing_resets_a_chip_whose_wire_nobody_spoke_of(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path, **WIRED) as chip:
        # Opening the port does it, as Linux raises the line then.
        async with chip.analysed():
            resets = chip.socket.resets
        await until(lambda: not chip.socket.uart.port.lines)
        assert chip.socket.resets == resets
        assert chip.socket.running is Running.ROM
