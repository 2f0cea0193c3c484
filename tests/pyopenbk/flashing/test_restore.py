"""Restoring a backup: back to the factory, onto another chip, over a lost calibration."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from custom_components.openbk.pyopenbk.backups import (
    Backup,
    BackupDamagedError,
    Contents,
    EmptyDumpError,
    Origin,
)
from custom_components.openbk.pyopenbk.bootrom.errors import PortUnavailableError
from custom_components.openbk.pyopenbk.flashing import (
    BackupTrouble,
    BackupUnfitError,
    ChipState,
    ForeignBackupError,
    JobOrderError,
    JobRecords,
    Phase,
)
from simulator.commands import Command
from simulator.faults import Fault, FaultName
from simulator.flash import OperationKind
from tests.pyopenbk.obk import packer

from .bench import START, Bench, bench
from .dumps import (
    GENERIC_MAC,
    MAC,
    RF_START,
    blank,
    chip as chip_of,
    factory_chip,
    openbeken_image,
    plain_chip,
    put,
    rf_sector,
    written,
)

OTHER_MAC = "38:1f:8d:65:43:21"
RF = slice(RF_START, RF_START + 4096)
ORIGIN = Origin(
    chip_id=0x7231C,
    jedec="eb6015",
    code_key_sha256="00" * 32,
    mac=MAC,
    flash_size=0x200000,
)


def keep(chip: Bench, dump: bytes, mac: str | None = MAC) -> Backup:
    """Put a backup into the folder, as an earlier job or an upload would have."""
    origin = replace(ORIGIN, mac=mac)
    return chip.folder.save(dump, origin, Contents.FACTORY, START)


def sectors_touched(chip: Bench) -> set[int]:
    """Return the addresses of all sectors that were erased or programmed."""
    return {
        sector
        for operation in chip.operations
        if operation.kind is not OperationKind.STATUS
        for sector in range(
            operation.address // 4096 * 4096,
            operation.address + operation.size,
            4096,
        )
    }


async def test_back_to_the_factory(tmp_path: Path) -> None:
    factory = factory_chip()
    now = put(written(factory, openbeken_image()), 0x1E5000, b"variables")
    async with bench(now, tmp_path) as chip:
        backup = keep(chip, factory)
        async with chip.analysed() as job:
            report = await job.restore(backup)

            assert chip.flash == factory
            assert job.chip_state is ChipState.WRITTEN
            assert report.sectors == 511
            assert report.skipped > 300
        assert not sectors_touched(chip) & {RF_START, *range(0, 0x11000, 4096)}
        assert JobRecords(chip.folder).list() == ()
        assert len(chip.folder.find(MAC)) == 2


async def test_first_sector_goes_first_and_comes_last(tmp_path: Path) -> None:
    now = put(written(factory_chip(), openbeken_image()), 0x5000, b"other bootloader")
    async with bench(now, tmp_path) as chip:
        backup = keep(chip, factory_chip())
        async with chip.analysed() as job:
            await job.restore(backup)

        assert chip.flash == factory_chip()
        assert chip.operations[1].address == 0x11000
        last = [operation.address for operation in chip.operations[-16:]]
        assert last == list(range(0x11000, 0x12000, 256))


async def test_what_is_equal_already_is_left_alone(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip, chip.analysed() as job:
        (backup,) = chip.folder.list()
        report = await job.restore(backup)

        assert not chip.operations
        assert report.skipped == report.sectors == 511


async def test_progress_counts_the_whole_flash(tmp_path: Path) -> None:
    async with bench(written(factory_chip(), openbeken_image()), tmp_path) as chip:
        backup = keep(chip, factory_chip())
        async with chip.analysed() as job:
            await job.restore(backup)

        assert chip.told.of(Phase.WRITE_APPLICATION)[-1] == (0x1FE000, 0x1FE000)


async def test_foreign_backup_is_refused_unless_it_is_meant(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip:
        backup = keep(chip, factory_chip(OTHER_MAC), OTHER_MAC)
        async with chip.analysed() as job:
            with pytest.raises(ForeignBackupError) as error:
                await job.restore(backup)
            assert (error.value.backup_mac, error.value.chip_mac) == (OTHER_MAC, MAC)
            assert error.value.chip_state is ChipState.UNTOUCHED
            assert not chip.operations

            await job.restore(backup, foreign=True)

        expected = put(factory_chip(OTHER_MAC), RF_START, rf_sector(MAC))
        assert chip.flash == expected
        assert RF_START not in sectors_touched(chip)


@pytest.mark.parametrize(
    "lost",
    [
        lambda dump: blank(dump, RF_START, RF_START + 4096),
        lambda dump: put(dump, RF_START, rf_sector(GENERIC_MAC)),
    ],
    ids=["blank", "generic"],
)
async def test_lost_calibration_comes_back(
    tmp_path: Path, lost: Callable[[bytes], bytes]
) -> None:
    async with bench(lost(factory_chip()), tmp_path) as chip:
        backup = keep(chip, factory_chip())
        async with chip.analysed() as job:
            with pytest.raises(ForeignBackupError):
                await job.restore(backup)
            assert not chip.operations

            await job.restore(backup, foreign=True)

        assert chip.flash == factory_chip()
        assert sectors_touched(chip) == {RF_START, 0x11000}


async def test_lost_calibration_stays_lost_if_asked(tmp_path: Path) -> None:
    now = blank(written(factory_chip(), openbeken_image()), RF_START, RF_START + 4096)
    async with bench(now, tmp_path) as chip:
        backup = keep(chip, factory_chip())
        async with chip.analysed() as job:
            await job.restore(backup, foreign=True, keep_rf=True)

        assert chip.flash == blank(factory_chip(), RF_START, RF_START + 4096)


async def test_calibration_of_the_chip_is_kept_if_asked(tmp_path: Path) -> None:
    worn = put(factory_chip(), RF_START + 0x40, b"trimmed anew")
    async with bench(worn, tmp_path) as chip:
        backup = keep(chip, factory_chip())
        async with chip.analysed() as job:
            await job.restore(backup, keep_rf=True)
            assert chip.flash == worn
            assert not chip.operations

            await job.restore(backup)
            assert chip.flash == factory_chip()


async def test_erased_chip_is_filled_again(tmp_path: Path) -> None:
    async with bench(b"\xff" * 0x200000, tmp_path) as chip:
        backup = keep(chip, factory_chip())
        async with chip.identified() as job:
            with pytest.raises(EmptyDumpError) as error:
                await job.back_up()
            assert error.value.byte == 0xFF
            await job.restore(backup, foreign=True)

        assert chip.flash == factory_chip()
        assert chip.folder.list() == (backup,)


async def test_nothing_is_restored_over_what_was_not_backed_up(
    tmp_path: Path,
) -> None:
    async with bench(written(factory_chip(), openbeken_image()), tmp_path) as chip:
        backup = keep(chip, factory_chip())
        async with chip.identified() as job:
            with pytest.raises(JobOrderError):
                await job.restore(backup)

        assert not chip.operations


async def test_damaged_backup_is_refused(tmp_path: Path) -> None:
    async with bench(written(factory_chip(), openbeken_image()), tmp_path) as chip:
        backup = keep(chip, factory_chip())
        async with chip.analysed() as job:
            with backup.path.open("r+b") as file:
                file.write(b"\x00")
            with pytest.raises(BackupDamagedError):
                await job.restore(backup)

        assert not chip.operations


@pytest.mark.parametrize("mac", [OTHER_MAC, MAC], ids=["foreign", "own"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda dump: put(dump, 0, packer.bootloader(packer.OTHER_KEY)),
        lambda dump: blank(dump, 0, 0x11000),
        lambda dump: put(dump, 0x1E0000, rf_sector()),
    ],
    ids=["other key", "no bootloader", "other chip"],
)
async def test_file_from_elsewhere_that_would_not_start_here(
    tmp_path: Path, spoil: Callable[[bytes], bytes], mac: str
) -> None:
    async with bench(factory_chip(), tmp_path) as chip:
        backup = keep(chip, spoil(factory_chip(mac)), mac)
        async with chip.analysed() as job:
            with pytest.raises(BackupUnfitError):
                await job.restore(backup, foreign=mac != MAC)

        assert not chip.operations


@pytest.mark.parametrize(
    ("spoil", "trouble", "name"),
    [
        (lambda dump: dump[:-1], BackupTrouble.SIZE, None),
        (lambda dump: Random(1).randbytes(0x200000), BackupTrouble.NO_FLASH, None),
        (
            lambda dump: chip_of(packer.tuya_code("bk7231t")),
            BackupTrouble.CHIP,
            "BK7231T",
        ),
        (
            lambda dump: plain_chip(packer.tuya_code("bk7231")),
            BackupTrouble.CHIP,
            "BK7231Q",
        ),
        (
            lambda dump: plain_chip(packer.VECTORS + Random(2).randbytes(9000)),
            BackupTrouble.KEY,
            None,
        ),
        (lambda dump: blank(dump, 0, 0x11000), BackupTrouble.BOOTLOADER, None),
        (lambda dump: put(dump, 0x1E0000, rf_sector()), BackupTrouble.MAP, None),
    ],
    ids=["size", "noise", "T", "Q", "no key", "no bootloader", "another map"],
)
async def test_why_a_file_does_not_fit_is_known_before_it_is_kept(
    tmp_path: Path,
    spoil: Callable[[bytes], bytes],
    trouble: BackupTrouble,
    name: str | None,
) -> None:
    async with bench(factory_chip(), tmp_path) as chip, chip.analysed() as job:
        with pytest.raises(BackupUnfitError) as refused:
            await job.check_restore(spoil(factory_chip()), foreign=True)
        assert (refused.value.trouble, refused.value.chip) == (trouble, name)
        with pytest.raises(ForeignBackupError):
            await job.check_restore(factory_chip(OTHER_MAC))
        await job.check_restore(factory_chip())

        assert not chip.operations


@pytest.mark.parametrize(
    ("mac", "expected"), [(MAC, MAC), (OTHER_MAC, MAC)], ids=["own", "foreign"]
)
async def test_chip_with_another_map_gets_its_file_back(
    tmp_path: Path, mac: str, expected: str
) -> None:
    """A BL2028N answers like a BK7231N; its code is plain, its RF calibration elsewhere."""
    code = packer.VECTORS + Random(5).randbytes(60_000)
    now = put(plain_chip(code), 0x20000, b"\xff" * 0x3000)
    no_key = {"code_key": (0, 0, 0, 0)}
    async with bench(now, tmp_path, **no_key) as chip:
        backup = keep(chip, plain_chip(code, mac), mac)
        async with chip.analysed() as job:
            assert job.mac == MAC
            if mac != MAC:
                with pytest.raises(ForeignBackupError):
                    await job.restore(backup)
                assert not chip.operations
            await job.restore(backup, foreign=mac != MAC)

        assert chip.flash == put(plain_chip(code, mac), 0x1E0000, rf_sector(expected))
        assert 0x1E0000 not in sectors_touched(chip)


async def test_own_backup_goes_back_as_it_was(tmp_path: Path) -> None:
    """Even a bootloader that starts nothing here: it is what the chip had."""
    odd = put(factory_chip(), 0, packer.bootloader(packer.OTHER_KEY))
    async with bench(odd, tmp_path) as chip:
        async with chip.identified() as job:
            backup = await job.back_up()
        chip.socket.flash.rewrite(0x1E0000, b"it ran meanwhile")
        async with chip.analysed() as job:
            await job.restore(backup)

        assert chip.flash == odd


async def test_interrupted_restore_is_gone_on_with(tmp_path: Path) -> None:
    now = written(factory_chip(), openbeken_image())
    async with bench(now, tmp_path) as chip:
        backup = keep(chip, factory_chip())
        async with chip.analysed() as job:
            task = asyncio.create_task(job.restore(backup))
            chip.told.listener = lambda phase, done, total: (
                phase is Phase.WRITE_APPLICATION
                and done >= 0.5 * total
                and task.cancel()
            )
            with pytest.raises(asyncio.CancelledError):
                await task
            assert job.chip_state is ChipState.HALF_WRITTEN
        (record,) = JobRecords(chip.folder).list()
        assert record.content == record.restores == backup.path.name
        assert chip.flash[0x11000:0x12000] == b"\xff" * 4096
        assert chip.flash[RF] == factory_chip()[RF]

        async with chip.identified() as job:
            assert job.unfinished == record
            before = await job.back_up()
            assert before.read() == now
            await job.analyse()
            await job.restore(backup)

        assert chip.flash == factory_chip()
        assert JobRecords(chip.folder).list() == ()


@pytest.mark.parametrize(
    "changed",
    [
        lambda dump: put(dump, 0x5000, b"another version of the bootloader"),
        lambda dump: put(dump, RF_START + 0x60, b"trimmed anew"),
    ],
    ids=["bootloader", "calibration"],
)
@pytest.mark.parametrize("part", [0.9, 1.0])
async def test_restore_that_broke_off_after_it_had_changed_the_chips_core(
    tmp_path: Path, changed: Callable[[bytes], bytes], part: float
) -> None:
    now = changed(written(factory_chip(), openbeken_image()))
    async with bench(now, tmp_path) as chip:
        backup = keep(chip, factory_chip())
        async with chip.analysed() as job:
            task = asyncio.create_task(job.restore(backup))
            chip.told.listener = lambda phase, done, total: (
                phase is Phase.WRITE_APPLICATION
                and done >= part * total
                and task.cancel()
            )
            with pytest.raises(asyncio.CancelledError):
                await task

        async with chip.analysed() as job:
            await job.restore(backup)

        assert chip.flash == factory_chip()


async def test_unplugged_while_restoring(tmp_path: Path) -> None:
    now = written(factory_chip(), openbeken_image())
    async with bench(now, tmp_path) as chip:
        backup = keep(chip, factory_chip())
        async with chip.analysed() as job:
            chip.socket.inject(
                Fault(name=FaultName.UNPLUGGED, command=Command.WRITE_4K, nth=10)
            )
            with pytest.raises(PortUnavailableError):
                await job.restore(backup)
            assert job.chip_state is ChipState.HALF_WRITTEN

        chip.socket.plug()
        async with chip.analysed() as job:
            await job.restore(backup)
        assert chip.flash == factory_chip()
