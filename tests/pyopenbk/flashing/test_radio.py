"""Giving a chip an RF calibration again that has lost its own, and no other chip."""

from pathlib import Path

import pytest

from custom_components.openbk.pyopenbk.beken.rf_sector import RfSectorError
from custom_components.openbk.pyopenbk.bootrom.errors import BootRomError
from custom_components.openbk.pyopenbk.flashing import (
    ChipState,
    FlashingError,
    ProtectedRegionChangedError,
    RfSectorMisplacedError,
    RfSectorPresentError,
)
from simulator.commands import Command
from simulator.faults import Fault, FaultName
from simulator.flash import OperationKind
from tests.support.flash_map import RF_CALIBRATION

from .bench import bench
from .dumps import GENERIC_MAC, MAC, RF_START, blank, factory_chip, put, rf_sector

LOST = blank(factory_chip(), RF_START, RF_CALIBRATION.end)
# The MAC is one record later than in any dump that was seen.
ODD = rf_sector()[:0x1C] + bytes.fromhex("ff11111100000000") + rf_sector()[0x1C:-8]
GENERIC = put(factory_chip(), RF_START, rf_sector(GENERIC_MAC))


@pytest.mark.parametrize("content", [LOST, GENERIC], ids=["blank", "generic"])
async def test_calibration_is_written_and_nothing_else(
    tmp_path: Path, content: bytes
) -> None:
    async with bench(content, tmp_path) as chip, chip.analysed() as job:
        await job.repair_radio(rf_sector())

        assert chip.flash == factory_chip()
        assert job.mac == MAC
        assert job.chip_state is ChipState.UNTOUCHED
        assert {
            operation.address // 4096 * 4096
            for operation in chip.operations
            if operation.kind is not OperationKind.STATUS
        } == {RF_START}


async def test_the_job_goes_on_with_the_repaired_chip(tmp_path: Path) -> None:
    async with bench(LOST, tmp_path) as chip, chip.analysed() as job:
        await job.repair_radio(rf_sector())
        await job.identify()
        backup = await job.back_up()
        analysis = await job.analyse()

        assert backup.mac == analysis.mac == MAC
        assert analysis.obstacle is None


@pytest.mark.parametrize(
    ("content", "sector", "error"),
    [
        (factory_chip(), rf_sector(), RfSectorPresentError),
        (LOST, b"\xff" * 4096, RfSectorError),
        (LOST, rf_sector()[:-1], RfSectorError),
        (put(LOST, 0x1E0000, rf_sector()), rf_sector(), RfSectorMisplacedError),
        (put(LOST, RF_START, bytes(4096)), rf_sector(), RfSectorMisplacedError),
        (put(LOST, RF_START, ODD), rf_sector(), RfSectorMisplacedError),
    ],
    ids=[
        "has its own",
        "blank sector",
        "cut sector",
        "another flash map",
        "something else",
        "another order",
    ],
)
async def test_nothing_is_written_where_it_would_do_harm(
    tmp_path: Path, content: bytes, sector: bytes, error: type[Exception]
) -> None:
    async with bench(content, tmp_path) as chip, chip.analysed() as job:
        with pytest.raises(error):
            await job.repair_radio(sector)

        assert not chip.operations


async def test_no_backup_no_repair(tmp_path: Path) -> None:
    async with bench(LOST, tmp_path) as chip, chip.identified() as job:
        with pytest.raises(FlashingError):
            await job.repair_radio(rf_sector())

        assert not chip.operations


async def test_power_lost_in_the_middle_can_be_made_good(tmp_path: Path) -> None:
    async with bench(LOST, tmp_path) as chip:
        async with chip.analysed() as job:
            chip.socket.inject(
                Fault(name=FaultName.POWER_LOST, command=Command.WRITE_4K)
            )
            with pytest.raises(BootRomError):
                await job.repair_radio(rf_sector())
        chip.socket.power(on=True)
        async with chip.analysed() as job:
            await job.repair_radio(rf_sector())

        assert chip.flash == factory_chip()


@pytest.mark.parametrize("kept", [0x2A, 0x30, 0x48, 0x5C])
async def test_calibration_that_breaks_off_is_no_calibration(
    tmp_path: Path, kept: int
) -> None:
    torn = put(LOST, RF_START, rf_sector()[:kept])
    async with bench(torn, tmp_path) as chip, chip.analysed() as job:
        assert job.mac is None
        await job.repair_radio(rf_sector())

        assert chip.flash == factory_chip()


async def test_what_a_broken_off_repair_left_behind_is_written_over(
    tmp_path: Path,
) -> None:
    async with bench(put(LOST, RF_START, bytes(4096)), tmp_path) as chip:
        async with chip.analysed() as job:
            await job.repair_radio(rf_sector(), begun=True)

        assert chip.flash == factory_chip()


async def test_what_changed_elsewhere_is_told(tmp_path: Path) -> None:
    async with bench(LOST, tmp_path) as chip, chip.analysed() as job:
        chip.socket.flash.rewrite(0x150000, b"spoilt")
        with pytest.raises(ProtectedRegionChangedError):
            await job.repair_radio(rf_sector())
