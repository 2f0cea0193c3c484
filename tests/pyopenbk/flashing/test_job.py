"""One flashing job against a simulated chip: what it leaves on the chip and on disk."""

import asyncio
from itertools import pairwise
import logging
from pathlib import Path
import sys
import threading

import pytest

from custom_components.openbk.pyopenbk.backups import (
    BackupStorageError,
    Contents,
    DiskFullError,
    EmptyDumpError,
    FolderNotWritableError,
)
from custom_components.openbk.pyopenbk.beken.chips import BK7231T
from custom_components.openbk.pyopenbk.bootrom.errors import (
    FlashUnreachableError,
    NoChipError,
    PortTrouble,
    PortUnavailableError,
    ProtectedFlashError,
    WrongChipError,
)
from custom_components.openbk.pyopenbk.flashing import (
    BootloaderTrouble,
    BootloaderUnfitError,
    ChipChangedError,
    ChipState,
    FlashSizeError,
    ForeignKeyError,
    ImageUnfitError,
    JobOrderError,
    JobRecords,
    Phase,
    ProtectedRegionChangedError,
    RfSectorMisplacedError,
    RfSectorMissingError,
)
from custom_components.openbk.pyopenbk.obk.config_sector import (
    ConfigChecksumError,
    ConfigSector,
    NotAConfigError,
    build,
)
from custom_components.openbk.pyopenbk.obk.image import (
    NotForUartError,
    NotOpenBekenError,
    recognise,
)
from simulator.commands import Command
from simulator.faults import Fault, FaultName
from simulator.flash import Flash, OperationKind
from tests.pyopenbk.obk import packer
from tests.pyopenbk.test_backups import as_nobody, files_no_larger_than

from .bench import bench
from .dumps import (
    CONFIG,
    CONFIG_START,
    MAC,
    RF_START,
    blank,
    factory_chip,
    openbeken_image,
    put,
    rf_sector,
    written,
)


async def test_factory_chip_becomes_openbeken(tmp_path: Path) -> None:
    factory, image = factory_chip(), openbeken_image()
    async with bench(factory, tmp_path) as chip, chip.job() as job:
        report = await job.search(10)
        assert report.linked
        identity = await job.identify()
        assert identity.flash_size == len(factory)
        assert job.mac == MAC

        backup = await job.back_up()
        analysis = await job.analyse()
        assert analysis.state is Contents.FACTORY
        assert analysis.obstacle is None
        assert not chip.touched

        wrote = await job.write(image, CONFIG)
        assert job.chip_state is ChipState.WRITTEN
        assert chip.flash == written(factory, image)
        assert wrote.sectors == 282
        assert wrote.written + wrote.skipped + wrote.blank == wrote.sectors

        await job.start()
        assert backup.read() == factory
        assert backup.sidecar.contents is Contents.FACTORY
        assert chip.folder.list() == (backup,)
        assert sorted(path.suffix for path in chip.folder.path.iterdir()) == [
            ".bin",
            ".json",
        ]


async def test_progress_reaches_its_end_and_never_goes_back(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip, chip.analysed() as job:
        await job.write(openbeken_image(), CONFIG)
        await job.start()

        assert chip.told.phases == list(Phase)
        for phase in Phase:
            reports = chip.told.of(phase)
            dones = [done for done, _ in reports]
            totals = {total for _, total in reports}
            assert len(totals) == 1
            assert dones[0] == 0
            assert dones[-1] in totals
            assert all(before <= after for before, after in pairwise(dones))
        assert chip.told.of(Phase.BACKUP)[-1] == (0x200000, 0x200000)
        assert len(chip.told.of(Phase.BACKUP)) > 16


async def test_first_sector_goes_first_and_comes_last(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip, chip.analysed() as job:
        await job.write(openbeken_image(), CONFIG)

        status, first, *middle = chip.operations
        assert status.kind is OperationKind.STATUS
        assert (first.kind, first.address, first.size) == (
            OperationKind.ERASE,
            0x11000,
            0x1000,
        )
        last, middle = middle[-32:], middle[:-32]
        pages = list(range(0x11000, 0x12000, 256))
        assert [page.address for page in last] == pages * 2
        # First all but the record that everything starts with, then that one alone.
        blank = b"\xff" * 256
        assert last[0].data[:34] == blank[:34]
        assert last[16].data[:34] == openbeken_image().application[:34]
        assert last[16].data[34:] == blank[34:]
        assert all(page.data == blank for page in last[17:])
        config = [o for o in middle if CONFIG_START <= o.address < CONFIG_START + 4096]
        assert middle[-len(config) :] == config
        assert all(
            operation.address >= 0x12000
            and operation.address + operation.size <= 0x12A000
            for operation in middle[: -len(config)]
        )


async def test_same_image_again_writes_nothing(tmp_path: Path) -> None:
    image = openbeken_image()
    chip_before = written(factory_chip(), image)
    async with bench(chip_before, tmp_path) as chip, chip.analysed() as job:
        report = await job.write(image, CONFIG)

        assert not chip.operations
        assert (report.written, report.skipped) == (0, 282)
        assert job.chip_state is ChipState.WRITTEN
        assert chip.flash == chip_before


async def test_chip_with_openbeken_keeps_its_configuration_in_the_backup(
    tmp_path: Path,
) -> None:
    before = written(factory_chip(), openbeken_image())
    new = put(CONFIG, 0, CONFIG)
    async with bench(before, tmp_path) as chip, chip.identified() as job:
        backup = await job.back_up()
        analysis = await job.analyse()
        assert analysis.state is Contents.OPENBEKEN
        assert analysis.version == "1.18.299"
        await job.write(openbeken_image("1.18.300"), new)

        assert backup.read()[CONFIG_START : CONFIG_START + 4096] == CONFIG
        assert backup.sidecar.contents is Contents.OPENBEKEN


async def test_configuration_can_be_left_as_it_is(tmp_path: Path) -> None:
    before = written(factory_chip(), openbeken_image())
    newer = openbeken_image("1.18.300")
    async with bench(before, tmp_path) as chip, chip.analysed() as job:
        await job.write(newer)

        assert chip.flash == written(before, newer, None)


async def test_configuration_alone(tmp_path: Path) -> None:
    before = blank(
        written(factory_chip(), openbeken_image()), CONFIG_START, CONFIG_START + 4096
    )
    async with bench(before, tmp_path) as chip, chip.analysed() as job:
        report = await job.write_config(CONFIG)

        assert chip.flash == put(before, CONFIG_START, CONFIG)
        assert report.written == 2
        assert chip.operations[1].address == 0x11000


async def test_configuration_again_after_a_write_of_the_same_job(
    tmp_path: Path,
) -> None:
    image = openbeken_image()
    other = put(CONFIG, 0, CONFIG)
    async with bench(factory_chip(), tmp_path) as chip, chip.analysed() as job:
        await job.write(image, CONFIG)
        await job.write_config(other)

        assert chip.flash == written(factory_chip(), image, other)


async def test_factory_chip_gets_no_configuration_alone(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip, chip.analysed() as job:
        with pytest.raises(JobOrderError):
            await job.write_config(CONFIG)

        assert not chip.operations


# Backups


async def test_backup_that_is_still_true_is_not_read_again(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip:
        async with chip.identified() as job:
            first = await job.back_up()
        chip.watched.answered.clear()

        async with chip.identified() as job:
            assert await job.back_up() == first
            assert chip.told.of(Phase.BACKUP)[-1] == (0x200000, 0x200000)

        assert chip.reads == 1
        assert chip.folder.list() == (first,)


async def test_only_blocks_that_changed_are_read_again(tmp_path: Path) -> None:
    before = factory_chip()
    after = put(before, 0x1E1000, b"the socket ran meanwhile")
    async with bench(before, tmp_path) as chip, chip.identified() as job:
        first = await job.back_up()
    async with bench(after, tmp_path) as chip, chip.identified() as job:
        chip.watched.answered.clear()
        second = await job.back_up()

        assert 0 < chip.reads <= 16
        assert second.read() == after
        assert first.read() == before
        assert chip.folder.find(MAC) in ((second, first), (first, second))


async def test_progress_goes_on_while_the_chip_sums_up_what_is_known(
    tmp_path: Path,
) -> None:
    before = factory_chip()
    after = put(before, 0x9000, b"its first block is another")
    async with bench(before, tmp_path) as chip, chip.identified() as job:
        await job.back_up()
    async with bench(after, tmp_path) as chip, chip.identified() as job:
        chip.watched.answered.clear()
        told_before_reading = []

        def note(phase: Phase, done: int, total: int) -> None:
            if not chip.reads:
                told_before_reading.append(done)

        chip.told.listener = note
        await job.back_up()
        assert len(set(told_before_reading)) > 3


async def test_damaged_backup_is_not_used_again(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip:
        async with chip.identified() as job:
            first = await job.back_up()
        with first.path.open("r+b") as file:
            file.seek(0x20000)
            file.write(bytes(16))

        async with chip.identified() as job:
            second = await job.back_up()

        assert second != first
        assert second.read() == factory_chip()


async def test_interrupted_backup_is_gone_on_with(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip:
        async with chip.identified() as job:
            task = asyncio.create_task(job.back_up())
            chip.told.listener = lambda phase, done, _: (
                phase is Phase.BACKUP and done >= 0x120000 and task.cancel()
            )
            with pytest.raises(asyncio.CancelledError):
                await task
        assert chip.folder.list() == ()
        (unfinished,) = chip.folder.unfinished()
        assert unfinished.missing == tuple(range(0x12, 0x20))

        async with chip.identified() as job:
            reads_before = chip.reads
            backup = await job.back_up()
            settled = next(done for done, _ in chip.told.of(Phase.BACKUP) if done)
            assert settled == 0x120000

        assert backup.read() == factory_chip()
        assert chip.reads > reads_before
        assert chip.folder.unfinished() == ()


async def test_chip_decides_about_the_blocks_of_an_interrupted_backup(
    tmp_path: Path,
) -> None:
    before = factory_chip()
    after = put(before, 0x31000, b"other code")
    async with bench(before, tmp_path) as chip, chip.identified() as job:
        task = asyncio.create_task(job.back_up())
        chip.told.listener = lambda phase, done, _: (
            phase is Phase.BACKUP and done >= 0x100000 and task.cancel()
        )
        with pytest.raises(asyncio.CancelledError):
            await task

    async with bench(after, tmp_path) as chip, chip.identified() as job:
        assert (await job.back_up()).read() == after


async def test_full_disk_while_backing_up(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip:
        async with chip.identified() as job:
            chip.folder.begin(job._identified().origin, chip.now)  # noqa: SLF001
            with files_no_larger_than(0x50000), pytest.raises(DiskFullError):
                await job.back_up()
        assert chip.folder.list() == ()

        # What was kept before the disk was full is not read again.
        chip.watched.answered.clear()
        async with chip.identified() as job:
            assert (await job.back_up()).read() == factory_chip()
        assert chip.reads <= 1 + 512 - 5 * 16
        assert not chip.operations


async def test_full_disk_before_anything_is_read(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip, chip.identified() as job:
        with files_no_larger_than(0x50000), pytest.raises(DiskFullError):
            await job.back_up()

        assert chip.reads == 1


async def test_read_only_folder(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip, chip.identified() as job:
        chip.folder.prepare()
        with as_nobody(chip.folder.path), pytest.raises(FolderNotWritableError):
            await job.back_up()

        with pytest.raises(JobOrderError):
            await job.write(openbeken_image(), CONFIG)
        assert not chip.operations


async def test_zeros_are_no_backup(tmp_path: Path) -> None:
    async with bench(bytes(0x200000), tmp_path) as chip, chip.identified() as job:
        with pytest.raises(EmptyDumpError):
            await job.back_up()

        assert list(chip.folder.path.iterdir()) == []
        with pytest.raises(JobOrderError):
            await job.write(openbeken_image(), CONFIG)
        assert not chip.operations


async def test_files_are_never_touched_in_the_event_loop(tmp_path: Path) -> None:
    opened_in_loop: list[str] = []
    loop_thread = threading.get_ident()
    watching = True

    def audit(event: str, arguments: tuple[object, ...]) -> None:
        if (
            watching
            and event in ("open", "os.rename", "os.remove", "os.listdir", "os.mkdir")
            and str(arguments[0]).startswith(str(tmp_path / "backups"))
            and threading.get_ident() == loop_thread
        ):
            opened_in_loop.append(f"{event} {arguments[0]}")

    sys.addaudithook(audit)
    try:
        async with bench(factory_chip(), tmp_path) as chip, chip.analysed() as job:
            await job.write(openbeken_image(), CONFIG)
    finally:
        watching = False

    assert chip.folder.path.is_dir()
    assert opened_in_loop == []


async def test_secrets_stay_out_of_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "custom_components.openbk")
    config = build(ConfigSector(wifi_password="correct horse", mqtt_password="staple"))
    before = written(factory_chip(), openbeken_image(), config)
    async with bench(before, tmp_path) as chip, chip.analysed() as job:
        chip.socket.inject(Fault(name=FaultName.REPLY_DROPPED, command=Command.ERASE))
        await job.write(openbeken_image("1.18.300"), put(config, 0, config))

    ours = "".join(
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("custom_components.openbk")
    )
    assert ours
    assert "horse" not in ours
    assert "staple" not in ours


# What is refused, each with the chip as it was


async def test_steps_in_the_wrong_order(tmp_path: Path) -> None:
    image = openbeken_image()
    async with bench(factory_chip(), tmp_path) as chip, chip.job() as job:
        with pytest.raises(NoChipError):
            await job.identify()
        for step in (
            job.back_up,
            job.analyse,
            job.start,
            lambda: job.write(image, CONFIG),
        ):
            with pytest.raises(JobOrderError):
                await step()
        await job.search(10)
        await job.identify()
        for step in (job.analyse, lambda: job.write(image, CONFIG)):
            with pytest.raises(JobOrderError) as error:
                await step()
            assert error.value.chip_state is ChipState.UNTOUCHED

        assert not chip.operations


async def test_image_for_another_key(tmp_path: Path) -> None:
    key = (0x12345678, 0x9ABCDEF0, 0x0FEDCBA9, 0x87654321)
    async with (
        bench(factory_chip(), tmp_path, code_key=key) as chip,
        chip.identified() as job,
    ):
        await job.back_up()
        analysis = await job.analyse()
        assert isinstance(analysis.obstacle, ForeignKeyError)
        with pytest.raises(ImageUnfitError):
            await job.write(openbeken_image(), CONFIG)

        assert not chip.operations


async def test_chip_without_a_key(tmp_path: Path) -> None:
    dump = put(factory_chip(), 0, packer.bootloader(packer.NO_KEY))
    async with (
        bench(dump, tmp_path, code_key=(0, 0, 0, 0)) as chip,
        chip.analysed() as job,
    ):
        with pytest.raises(ImageUnfitError):
            await job.write(openbeken_image(), CONFIG)

        assert not chip.operations


async def test_image_for_another_chip(tmp_path: Path) -> None:
    """Whoever made it, the job looks for itself: structure and key are those of this chip."""
    image = recognise(packer.qio(packer.openbeken_code("BK7231T")), BK7231T)
    async with bench(factory_chip(), tmp_path) as chip, chip.analysed() as job:
        with pytest.raises(ImageUnfitError):
            await job.write(image, CONFIG)

        assert not chip.operations


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (packer.over_the_air(packer.openbeken_code()), NotForUartError),
        (packer.cloudcutter(packer.openbeken_code()), NotForUartError),
        (packer.full_dump(packer.openbeken_code()), NotForUartError),
        (packer.qio(packer.tuya_code()), NotOpenBekenError),
    ],
    ids=["rbl", "ug", "backup", "tuya"],
)
async def test_image_that_does_not_belong_there(
    tmp_path: Path, data: bytes, error: type[Exception]
) -> None:
    image = recognise(data)
    async with bench(factory_chip(), tmp_path) as chip, chip.analysed() as job:
        with pytest.raises(error):
            await job.write(image, CONFIG)

        assert not chip.operations
        assert job.chip_state is ChipState.UNTOUCHED


@pytest.mark.parametrize(
    ("config", "error"),
    [
        (put(CONFIG, 100, b"x"), ConfigChecksumError),
        (b"\xff" * 4096, NotAConfigError),
        (CONFIG[:3584], NotAConfigError),
        (CONFIG + CONFIG, NotAConfigError),
    ],
    ids=["checksum", "blank", "short", "long"],
)
async def test_configuration_that_the_firmware_would_not_take(
    tmp_path: Path, config: bytes, error: type[Exception]
) -> None:
    async with bench(factory_chip(), tmp_path) as chip, chip.analysed() as job:
        with pytest.raises(error):
            await job.write(openbeken_image(), config)

        assert not chip.operations


async def test_rf_sector_that_is_lost(tmp_path: Path) -> None:
    dump = blank(factory_chip(), RF_START, RF_START + 4096)
    async with bench(dump, tmp_path) as chip, chip.analysed() as job:
        with pytest.raises(RfSectorMissingError):
            await job.write(openbeken_image(), CONFIG)

        assert not chip.operations


@pytest.mark.parametrize("found", [(0x1D9000,), (0x1E0000,), (0x1D9000, 0x1E0000)])
async def test_rf_sector_that_is_not_where_the_map_has_it(
    tmp_path: Path, found: tuple[int, ...]
) -> None:
    """Nothing is written, but its backups are known as its own."""
    dump = blank(factory_chip(), RF_START, RF_START + 4096)
    for start in found:
        dump = put(dump, start, rf_sector())
    async with bench(dump, tmp_path) as chip, chip.identified() as job:
        backup = await job.back_up()
        analysis = await job.analyse()
        assert analysis.mac == MAC
        with pytest.raises(RfSectorMisplacedError) as error:
            await job.write(openbeken_image(), CONFIG)

        assert error.value.found == found
        assert backup.read() == dump
        assert not chip.operations


@pytest.mark.parametrize(
    ("bootloader", "trouble"),
    [
        (b"\xff" * 0x11000, BootloaderTrouble.BLANK),
        (bytes(range(256)) * 0x110, BootloaderTrouble.DAMAGED),
        (packer.bootloader(packer.OTHER_KEY), BootloaderTrouble.FOREIGN),
    ],
    ids=["blank", "damaged", "foreign"],
)
async def test_bootloader_that_would_not_start_it(
    tmp_path: Path, bootloader: bytes, trouble: BootloaderTrouble
) -> None:
    dump = put(factory_chip(), 0, bootloader)
    async with bench(dump, tmp_path) as chip, chip.analysed() as job:
        with pytest.raises(BootloaderUnfitError) as error:
            await job.write(openbeken_image(), CONFIG)

        assert error.value.trouble is trouble
        assert error.value.chip_state is ChipState.UNTOUCHED
        assert not chip.operations


async def test_wrong_chip(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip, chip.job() as job:
        chip.socket.inject(Fault(name=FaultName.CHIP_ID, value="00007231"))
        await job.search(10)
        with pytest.raises(WrongChipError):
            await job.identify()

        assert not chip.folder.path.exists()


async def test_flash_out_of_reach(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip, chip.job() as job:
        chip.socket.inject(Fault(name=FaultName.FLASH_UNREACHABLE))
        await job.search(10)
        with pytest.raises(FlashUnreachableError):
            await job.identify()

        assert not chip.folder.path.exists()


async def test_flash_of_another_size(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip, chip.job() as job:
        chip.socket.inject(Fault(name=FaultName.FLASH_ID, value="856016"))
        await job.search(10)
        with pytest.raises(FlashSizeError) as error:
            await job.identify()

        assert error.value.size == 0x400000


async def test_protection_that_does_not_open(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip, chip.analysed() as job:
        chip.socket.inject(Fault(name=FaultName.STATUS_STICKS))
        with pytest.raises(ProtectedFlashError):
            await job.write(openbeken_image(), CONFIG)

        assert job.chip_state is ChipState.UNTOUCHED
        assert chip.flash == factory_chip()
        assert JobRecords(chip.folder).list() == ()


async def test_protection_that_the_status_register_does_not_show(
    tmp_path: Path,
) -> None:
    flash = Flash(factory_chip(), status=0x0080, protection_mask=0x0080)
    async with bench(flash, tmp_path) as chip, chip.analysed() as job:
        with pytest.raises(ProtectedFlashError):
            await job.write(openbeken_image(), CONFIG)

        assert job.chip_state is ChipState.UNTOUCHED
        assert chip.flash == factory_chip()
        assert JobRecords(chip.folder).list() == ()


async def test_record_that_cannot_be_kept_stops_the_job(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip, chip.analysed() as job:
        (chip.folder.path / f"{MAC.replace(':', '')}.job").mkdir()
        with pytest.raises(BackupStorageError):
            await job.write(openbeken_image(), CONFIG)

        assert job.chip_state is ChipState.UNTOUCHED
        assert not chip.operations


async def test_other_chip_than_the_one_that_was_backed_up(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip, chip.analysed() as job:
        chip.socket.flash.unprotect()
        chip.socket.flash.program(RF_START + 0x24, bytes(2))
        chip.operations.clear()
        with pytest.raises(ChipChangedError):
            await job.write(openbeken_image(), CONFIG)

        assert not chip.operations
        assert job.chip_state is ChipState.UNTOUCHED


async def test_bootloader_that_changed_on_the_way(tmp_path: Path) -> None:
    """Whatever changed it, a chip whose bootloader is not what it was is not to start."""
    async with bench(factory_chip(), tmp_path) as chip, chip.analysed() as job:
        chip.socket.flash.unprotect()
        chip.socket.flash.program(0x800, bytes(2))
        with pytest.raises(ProtectedRegionChangedError) as error:
            await job.write(openbeken_image(), CONFIG)

        assert [region.name for region in error.value.regions] == ["bootloader"]
        assert error.value.chip_state is ChipState.HALF_WRITTEN
        assert chip.flash[0x11000:0x12000] == b"\xff" * 4096
        assert len(JobRecords(chip.folder).list()) == 1


async def test_port_that_is_not_there(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip:
        chip.socket.unplug(0)
        async with chip.job() as job:
            with pytest.raises(PortUnavailableError) as error:
                await job.search(1)
            assert error.value.reason is PortTrouble.MISSING

            chip.socket.plug()
            assert (await job.search(10)).linked


async def test_no_chip(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip, chip.job() as job:
        chip.socket.power(on=False)
        report = await job.search(0.3)
        assert not report.linked
        assert chip.told.of(Phase.LINK) == [(0, 1), (0, 1)]
        with pytest.raises(NoChipError):
            await job.identify()


async def test_closed_port_ends_what_was_known(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip, chip.analysed() as job:
        await job.close()
        with pytest.raises(JobOrderError):
            await job.write(openbeken_image(), CONFIG)
        with pytest.raises(NoChipError):
            await job.identify()

        await job.search(10)
        with pytest.raises(JobOrderError):
            await job.back_up()
        await job.identify()
        await job.back_up()
        await job.write(openbeken_image(), CONFIG)


async def test_port_is_free_after_the_job(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip:
        job = chip.job()
        await job.search(10)
        await job.close()
        await job.close()
        async with chip.identified() as next_job:
            await next_job.start()
        async with chip.job() as last_job:
            assert (await last_job.search(10)).linked


# Reading back


async def test_comparison_tells_application_and_configuration_apart(
    tmp_path: Path,
) -> None:
    image = openbeken_image()
    whole = written(factory_chip(), image, CONFIG)
    for content, verdict in (
        (whole, (True, True)),
        (put(whole, 0x50000, bytes(16)), (False, True)),
        (put(whole, CONFIG_START, bytes(16)), (True, False)),
    ):
        async with bench(content, tmp_path) as chip, chip.identified() as job:
            found = await job.compare(image, CONFIG)

            assert (found.application, found.config_sector) == verdict
            assert (found.config is not None) == verdict[1]
            assert not chip.operations
