"""A job that is cut off at any moment leaves a chip that a later job completes."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from custom_components.openbk.pyopenbk.backups import BackupDamagedError, Contents
from custom_components.openbk.pyopenbk.bootrom.errors import (
    LinkLostError,
    PortTrouble,
    PortUnavailableError,
)
from custom_components.openbk.pyopenbk.flashing import (
    ChipState,
    FlashingJob,
    JobRecords,
    Phase,
    ProtectedRegionChangedError,
)
from custom_components.openbk.pyopenbk.flashing.analysis import starts_nothing
from simulator.bootrom import Timings
from simulator.commands import Command
from simulator.faults import Fault, FaultName
from simulator.flash import OperationKind

from .bench import Bench, bench
from .dumps import CONFIG, MAC, factory_chip, openbeken_image, put, written

FIRST_SECTOR = slice(0x11000, 0x12000)
# For jobs whose chip dies: all time-outs at a third of their length.
IMPATIENT = 0.3


async def everything(job: FlashingJob) -> None:
    """Do a whole job."""
    await job.search(10)
    await job.identify()
    await job.back_up()
    await job.analyse()
    await job.write(openbeken_image(), CONFIG)
    await job.start()


async def cut_off(
    chip: Bench, job: FlashingJob, cut: Callable[[Phase, int, int], bool]
) -> None:
    """Run a whole job and cancel it as soon as ``cut`` says so."""
    task = asyncio.create_task(everything(job))
    chip.told.listener = lambda phase, done, total: (
        cut(phase, done, total) and task.cancel()
    )
    with pytest.raises(asyncio.CancelledError):
        await task
    await job.close()


def check_that_nothing_is_lost(chip: Bench) -> None:
    """Check what must be true of a chip and its backups at any moment."""
    factory = factory_chip()
    assert chip.flash[:0x11000] == factory[:0x11000]
    assert chip.flash[0x12A000:0x1D1000] == factory[0x12A000:0x1D1000]
    assert chip.flash[0x1D2000:] == factory[0x1D2000:]
    backups = chip.folder.list()
    if chip.flash != factory:
        assert backups
        whole = chip.flash == written(factory, openbeken_image())
        assert whole or chip.flash[FIRST_SECTOR] != openbeken_image().application[:4096]
    assert all(backup.read() == factory for backup in backups)
    names = {path.name for path in chip.folder.path.glob("*.bin")}
    assert names == {backup.path.name for backup in backups}


async def complete(chip: Bench) -> None:
    """Run a whole job that nothing disturbs."""
    chip.socket.clear()
    chip.socket.plug()
    chip.socket.power(on=True)
    async with chip.job() as job:
        await everything(job)
    assert chip.flash == written(factory_chip(), openbeken_image())
    assert JobRecords(chip.folder).list() == ()
    assert any(backup.read() == factory_chip() for backup in chip.folder.list())


@pytest.mark.parametrize(
    ("phase", "parts", "state"),
    [
        (Phase.LINK, (0, 1), ChipState.UNTOUCHED),
        (Phase.IDENTIFY, (0, 1), ChipState.UNTOUCHED),
        (Phase.BACKUP, (0, 0.3, 0.7, 1), ChipState.UNTOUCHED),
        (Phase.ANALYSE, (0, 1), ChipState.UNTOUCHED),
        (Phase.WRITE_APPLICATION, (0, 0.3, 0.7, 1), ChipState.HALF_WRITTEN),
        (Phase.WRITE_CONFIG, (0, 1), ChipState.HALF_WRITTEN),
        (Phase.VERIFY, (0, 0.5, 1), None),
        (Phase.START, (0, 1), ChipState.WRITTEN),
    ],
)
async def test_cancelled(
    tmp_path: Path, phase: Phase, parts: tuple[float, ...], state: ChipState | None
) -> None:
    for part in parts:
        async with bench(factory_chip(), tmp_path / str(part)) as chip:
            job = chip.job()
            await cut_off(
                chip,
                job,
                lambda told, done, total, part=part: (
                    told is phase and done >= part * total
                ),
            )

            if state is not None:
                assert job.chip_state is state
            check_that_nothing_is_lost(chip)
            await complete(chip)


async def test_chip_that_was_never_told_to_erase_is_untouched(tmp_path: Path) -> None:
    """Its power goes while it is asked for the CRC of what is to be erased first."""
    async with bench(factory_chip(), tmp_path) as chip:
        async with chip.job(patience=IMPATIENT) as job:
            await job.search(10)
            await job.identify()
            await job.back_up()
            # Behind those of the RF calibration and of the configuration.
            lost = Fault(name=FaultName.POWER_LOST, command=Command.CRC, nth=3)
            chip.socket.inject(lost)
            with pytest.raises(LinkLostError):
                await job.write(openbeken_image(), CONFIG)
            assert chip.flash == factory_chip()
            assert job.chip_state is ChipState.UNTOUCHED
            assert JobRecords(chip.folder).list() == ()
        await complete(chip)


async def test_half_written_chip_is_gone_on_with(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip:
        job = chip.job()
        await cut_off(
            chip,
            job,
            lambda phase, done, total: (
                phase is Phase.WRITE_APPLICATION and done > total / 2
            ),
        )
        assert job.chip_state is ChipState.HALF_WRITTEN
        (backup,) = chip.folder.list()
        (record,) = JobRecords(chip.folder).list()
        assert record.mac == MAC
        assert record.phase is Phase.WRITE_APPLICATION
        assert record.content == "1.18.299"
        assert record.backup == backup.path.name
        assert chip.flash[FIRST_SECTOR] == b"\xff" * 4096
        chip.watched.answered.clear()
        chip.operations.clear()

        async with chip.identified() as job:
            assert job.unfinished == record
            assert job.chip_state is ChipState.HALF_WRITTEN
            assert await job.back_up() == backup
            # The RF sector and the first sector, to tell which chip this is and its state.
            assert chip.reads <= 2
            analysis = await job.analyse()
            assert analysis.state is Contents.HALF_WRITTEN
            assert analysis.unfinished == record
            assert analysis.mac == MAC
            report = await job.write(openbeken_image(), CONFIG)

            assert report.skipped > 100
            assert chip.flash == written(factory_chip(), openbeken_image())
            assert job.unfinished is None
        assert JobRecords(chip.folder).list() == ()


async def test_half_written_chip_without_its_record(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip:
        await cut_off(
            chip, chip.job(), lambda phase, done, total: phase is Phase.WRITE_CONFIG
        )
        JobRecords(chip.folder).remove(MAC)

        async with chip.identified() as job:
            assert job.unfinished is None
            await job.back_up()
            analysis = await job.analyse()
            assert analysis.state is Contents.HALF_WRITTEN
            assert job.chip_state is ChipState.HALF_WRITTEN
            await job.write(openbeken_image(), CONFIG)

        assert chip.flash == written(factory_chip(), openbeken_image())
        assert len(chip.folder.list()) == 2
        assert chip.folder.list()[-1].read() == factory_chip()


async def test_half_written_chip_whose_record_cannot_be_read(tmp_path: Path) -> None:
    """It is not said to be untouched, and what the record was for is found on the chip itself."""
    async with bench(factory_chip(), tmp_path) as chip:
        await cut_off(
            chip, chip.job(), lambda phase, done, total: phase is Phase.WRITE_CONFIG
        )
        JobRecords(chip.folder).path_of(MAC).write_text("{")

        async with chip.identified() as job:
            assert job.chip_state is ChipState.HALF_WRITTEN
            assert job.unfinished is None
            await job.back_up()
            assert (await job.analyse()).state is Contents.HALF_WRITTEN
        assert JobRecords(chip.folder).unreadable() == (MAC,)
        await complete(chip)
        assert JobRecords(chip.folder).unreadable() == ()


async def test_record_that_cannot_be_read_says_nothing_of_a_whole_chip(
    tmp_path: Path,
) -> None:
    """What is written last is in place, so that whatever it was, it is over."""
    async with bench(factory_chip(), tmp_path) as chip:
        chip.folder.prepare()
        JobRecords(chip.folder).path_of(MAC).write_text("{")
        async with chip.analysed() as job:
            assert job.chip_state is ChipState.UNTOUCHED
        assert JobRecords(chip.folder).unreadable() == ()


async def test_half_written_chip_whose_backup_was_deleted(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip:
        await cut_off(
            chip, chip.job(), lambda phase, done, total: phase is Phase.WRITE_CONFIG
        )
        (backup,) = chip.folder.list()
        backup.path.unlink()

        async with chip.analysed() as job:
            assert job.unfinished is not None
            (second,) = chip.folder.list()
            assert second.read() == chip.flash
            assert second.sidecar.contents is Contents.HALF_WRITTEN
            await job.write(openbeken_image(), CONFIG)

        assert chip.flash == written(factory_chip(), openbeken_image())


async def test_record_of_a_job_that_ended_all_the_same_is_dropped(
    tmp_path: Path,
) -> None:
    async with bench(factory_chip(), tmp_path) as chip:
        await cut_off(
            chip, chip.job(), lambda phase, done, total: phase is Phase.WRITE_CONFIG
        )
        (record,) = JobRecords(chip.folder).list()
        await complete(chip)
        JobRecords(chip.folder).save(record)

        async with chip.analysed() as job:
            assert job.unfinished is None
            assert job.chip_state is ChipState.UNTOUCHED
        assert JobRecords(chip.folder).list() == ()


async def test_chip_that_ran_after_a_job_of_another_day_is_backed_up_anew(
    tmp_path: Path,
) -> None:
    """The record is old, and somebody else has written the chip since."""
    async with bench(factory_chip(), tmp_path) as chip:
        await cut_off(
            chip, chip.job(), lambda phase, done, total: phase is Phase.WRITE_CONFIG
        )
    since = put(chip.flash, 0x1E1000, b"somebody's data")
    async with bench(since, tmp_path) as chip, chip.identified() as job:
        assert job.unfinished is not None
        backup = await job.back_up()
        assert backup.read() == since
        await job.analyse()
        await job.write(openbeken_image(), CONFIG)

        assert chip.flash == written(since, openbeken_image())


async def test_unplugged_while_backing_up(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip:
        chip.socket.inject(
            Fault(name=FaultName.UNPLUGGED_IN_REPLY, command=Command.READ_4K, nth=30)
        )
        async with chip.job() as job:
            with pytest.raises(PortUnavailableError) as error:
                await everything(job)
            assert error.value.reason is PortTrouble.UNPLUGGED
            assert job.chip_state is ChipState.UNTOUCHED
            check_that_nothing_is_lost(chip)
            assert len(chip.folder.unfinished()) == 1

            chip.socket.plug()
            await everything(job)

        assert chip.flash == written(factory_chip(), openbeken_image())


async def test_unplugged_while_writing(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip:
        chip.socket.inject(
            Fault(name=FaultName.UNPLUGGED, command=Command.WRITE_4K, nth=20, byte=1000)
        )
        async with chip.job() as job:
            with pytest.raises(PortUnavailableError) as error:
                await everything(job)
            assert error.value.reason is PortTrouble.UNPLUGGED
            assert job.chip_state is ChipState.HALF_WRITTEN
        check_that_nothing_is_lost(chip)
        await complete(chip)


async def test_chip_falls_silent_while_writing(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip:
        chip.socket.inject(Fault(name=FaultName.HANG, command=Command.WRITE_4K, nth=20))
        async with chip.job() as job:
            with pytest.raises(LinkLostError):
                await everything(job)
            assert job.chip_state is ChipState.HALF_WRITTEN
            check_that_nothing_is_lost(chip)

            chip.socket.reset()
            await everything(job)
        assert chip.flash == written(factory_chip(), openbeken_image())


async def test_power_is_lost_for_good_while_writing(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip:
        chip.socket.inject(
            Fault(name=FaultName.POWER_LOST, command=Command.WRITE_4K, nth=9, byte=2000)
        )
        async with chip.job() as job:
            with pytest.raises(LinkLostError):
                await everything(job)
            assert job.chip_state is ChipState.HALF_WRITTEN
        check_that_nothing_is_lost(chip)
        await complete(chip)


async def operations_of_a_job(path: Path) -> int:
    """Return how many operations on the flash a job takes that nothing disturbs."""
    async with bench(factory_chip(), path) as chip:
        async with chip.job() as job:
            await everything(job)
        return len(chip.operations)


async def test_power_is_lost_at_any_operation(tmp_path: Path) -> None:
    """Cut the power within operations from the first to the last, sampled in between."""
    count = await operations_of_a_job(tmp_path / "counting")
    samples = {2, 3, count - 16, count}
    samples.update(Random(7).sample(range(4, count - 16), 2))
    for number in sorted(samples):
        path = tmp_path / str(number)
        async with bench(factory_chip(), path) as chip:
            chip.socket.inject(Fault(name=FaultName.POWER_LOST, operation=number))
            async with chip.job(patience=IMPATIENT) as job:
                with pytest.raises(LinkLostError):
                    await everything(job)
                if chip.touched:
                    assert job.chip_state is ChipState.HALF_WRITTEN
            check_that_nothing_is_lost(chip)
            await complete(chip)


async def test_power_is_lost_anywhere_in_the_sector_that_is_written_last(
    tmp_path: Path,
) -> None:
    """Nothing starts until its very first record is there, and the job is remembered till then."""
    wanted = written(factory_chip(), openbeken_image())
    count = await operations_of_a_job(tmp_path / "counting")
    # Its erase and 16 pages but for the first record, then that record in 16 pages.
    for number in (count - 31, count - 24, count - 23, count - 16, count - 15):
        path = tmp_path / str(number)
        async with bench(factory_chip(), path) as chip:
            chip.socket.inject(Fault(name=FaultName.POWER_LOST, operation=number))
            async with chip.job(patience=IMPATIENT) as job:
                with pytest.raises(LinkLostError):
                    await everything(job)
                assert job.chip_state is ChipState.HALF_WRITTEN
            assert starts_nothing(chip.flash[FIRST_SECTOR]) is (chip.flash != wanted)
            chip.socket.power(on=True)
            async with chip.identified() as job:
                assert (job.unfinished is None) is (chip.flash == wanted)
                await job.back_up()
            assert len(chip.folder.list()) == (2 if chip.flash == wanted else 1)
            await complete(chip)


async def test_first_record_that_arrives_wrong_is_written_again(tmp_path: Path) -> None:
    """The whole sector is: programming cannot set a bit again."""
    async with bench(factory_chip(), tmp_path) as chip:
        async with chip.job() as job:
            await everything(job)
        writes = chip.watched.answered.count(Command.WRITE_4K)
    async with bench(factory_chip(), tmp_path / "again") as chip:
        chip.socket.inject(
            Fault(
                name=FaultName.REQUEST_FLIPPED,
                command=Command.WRITE_4K,
                nth=writes,
                byte=20,
            )
        )
        async with chip.job() as job:
            await everything(job)
        assert chip.watched.answered.count(Command.WRITE_4K) == writes + 2
        assert chip.flash == written(factory_chip(), openbeken_image())


async def test_power_comes_back_at_once(tmp_path: Path) -> None:
    """The job goes on by itself where the chip waits in its boot ROM again."""
    count = await operations_of_a_job(tmp_path / "counting")
    for number in Random(8).sample(range(2, count), 2):
        path = tmp_path / str(number)
        async with bench(factory_chip(), path) as chip:
            chip.socket.inject(
                Fault(name=FaultName.POWER_LOST, operation=number, seconds=0.05)
            )
            async with chip.job() as job:
                await everything(job)
                assert job.chip_state is ChipState.WRITTEN
            assert chip.flash == written(factory_chip(), openbeken_image())


def aim_erase(byte: int, nth: int) -> Fault:
    """Return a fault that turns over one byte of an erase command's address."""
    return Fault(
        name=FaultName.REQUEST_FLIPPED, command=Command.ERASE, nth=nth, byte=9 + byte
    )


async def erases_of_a_job(path: Path) -> list[int]:
    """Return the addresses that an undisturbed job erases, in its order."""
    async with bench(factory_chip(), path) as chip:
        async with chip.job() as job:
            await everything(job)
        return [
            operation.address
            for operation in chip.operations
            if operation.kind is OperationKind.ERASE
        ]


async def test_erase_that_goes_astray_into_the_rf_sector(tmp_path: Path) -> None:
    """Turned over, the third byte of 0x020000 is that of 0x1D0000."""
    erases = await erases_of_a_job(tmp_path / "counting")
    nth = erases.index(0x020000) + 1
    async with bench(factory_chip(), tmp_path) as chip:
        chip.socket.inject(aim_erase(2, nth))
        async with chip.job() as job:
            with pytest.raises(ProtectedRegionChangedError) as error:
                await everything(job)
            assert error.value.chip_state is ChipState.HALF_WRITTEN
            assert any(
                region.start <= 0x1D0000 < region.end for region in error.value.regions
            )
        assert chip.flash[FIRST_SECTOR] == b"\xff" * 4096

        async with chip.analysed() as job:
            (backup,) = chip.folder.find(MAC)
            await job.restore(backup, foreign=True)
        assert chip.flash == factory_chip()


async def test_erase_that_goes_astray_outside_of_what_is_proven_each_time(
    tmp_path: Path,
) -> None:
    """Turned over, the third byte of 0x01x000 is that of 0x1Ex000, where data is."""
    erases = await erases_of_a_job(tmp_path / "counting")
    nth = erases.index(0x12000) + 1
    async with bench(factory_chip(), tmp_path) as chip:
        chip.socket.inject(aim_erase(2, nth))
        async with chip.job() as job:
            with pytest.raises(ProtectedRegionChangedError) as error:
                await everything(job)
            assert error.value.chip_state is ChipState.HALF_WRITTEN
            (region,) = error.value.regions
            assert region.start <= 0x1E2000 < region.end

        async with chip.analysed() as job:
            (*_, backup) = chip.folder.find(MAC)
            await job.restore(backup)
        assert chip.flash == factory_chip()


async def test_backup_file_that_is_lost_before_the_erase(tmp_path: Path) -> None:
    async with bench(factory_chip(), tmp_path) as chip, chip.analysed() as job:
        (backup,) = chip.folder.list()
        backup.path.unlink()
        with pytest.raises(BackupDamagedError):
            await job.write(openbeken_image(), CONFIG)

        assert not chip.touched
        assert job.chip_state is ChipState.UNTOUCHED


async def test_slow_chip(tmp_path: Path) -> None:
    """The times of a real flash, a tenth of them, change nothing."""
    timings = Timings.realistic().scaled(0.1)
    async with bench(factory_chip(), tmp_path, timings=timings) as chip:
        await complete(chip)
