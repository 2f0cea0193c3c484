"""The soak sees what it shall see, and holds the job to nothing else."""

from datetime import timedelta
import io
from pathlib import Path

import pytest

from custom_components.openbk.pyopenbk.backups import BackupFolder, Contents
from custom_components.openbk.pyopenbk.flashing import Phase
from simulator.commands import Command
from simulator.faults import Fault, FaultName
from simulator.flash import Flash, Operation, OperationKind
from soak.accidents import Accident, Aim, Circumstances, Scenario, draw
from soak.campaign import Tally, run_one
from soak.chips import SUBJECTS, Subject
from soak.findings import Invariant, Violation
from soak.host import START
from soak.shelf import Shelf
from soak.uart import LOST
from soak.watch import Watch

CHIP = SUBJECTS["bk7231n"]
QUICK = Circumstances(adapter=None, paced=False, latency=0.0, baudrates=(115_200,))


def scenario(aim: Aim, *accidents: Accident) -> Scenario:
    return Scenario(
        seed=1, chip=CHIP.name, aim=aim, circumstances=QUICK, accidents=accidents
    )


async def test_run_whose_power_is_lost_is_resumed_and_counted() -> None:
    lost = Fault(name=FaultName.POWER_LOST, command=Command.WRITE_4K, nth=7, byte=900)
    cut = Accident(what=lost, phase=Phase.LINK, part=0.0)
    tally, told = Tally(), io.StringIO()
    await run_one(scenario(Aim.FLASH, cut), tally, wants_small_disk=False, tell=told)
    assert tally.violations == []
    assert "LinkLostError, half_written; completed" in told.getvalue()
    assert "| power_lost | 1 | 0 | 1 | 0 | 0 |" in tally.table()


# Over a line without a pace; the others take as long as a real chip. Some hosts are killed.
@pytest.mark.real_time
@pytest.mark.parametrize(
    ("chip", "seed"),
    [
        *(("bk7231n", seed) for seed in (6002, 6003, 6008, 6011, 5003, 5009)),
        *(("bk7231t", seed) for seed in (70002, 70008, 70018, 70031)),
    ],
)
async def test_faults_that_a_seed_chooses(chip: str, seed: int) -> None:
    """The job completes, or stops with a true statement and is completed by a later one."""
    found = draw(seed, SUBJECTS[chip])
    assert not found.circumstances.paced
    tally = Tally()
    await run_one(found, tally, wants_small_disk=False)
    assert tally.violations == []


def test_chip_that_a_damaged_command_cost_its_loader_is_counted_as_lost() -> None:
    tally = Tally()
    flips = Accident(what=Fault(name=FaultName.BIT_ERRORS), phase=Phase.LINK, part=0.0)
    tally.add(
        scenario(Aim.FLASH, flips), ["ProtectedRegionChangedError, half_written", LOST]
    )
    assert "| bit_errors | 1 | 0 | 0 | 1 | 0 |" in tally.table()


@pytest.mark.parametrize("chip", SUBJECTS.values(), ids=SUBJECTS)
def test_seed_tells_everything_that_happens(chip: Subject) -> None:
    assert draw(7, chip) == draw(7, chip)
    drawn = [draw(seed, chip) for seed in range(400)]
    assert {len(found.accidents) for found in drawn} == {1, 2, 4}
    assert {found.aim for found in drawn} == set(Aim)
    whats = [accident.what for found in drawn for accident in found.accidents]
    faults = [what for what in whats if isinstance(what, Fault)]
    # Nobody is asked what its loader does not know.
    assert not {fault.command for fault in faults} & chip.unanswered
    names = {accident.name for found in drawn for accident in found.accidents}
    assert names >= {
        *map(str, set(FaultName) - chip.untold),
        "cancelled",
        "killed",
        "crashed",
        "disk_full",
    }
    assert {found.circumstances.paced for found in drawn} == {True, False}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Return a folder with a backup of the chip."""
    path = tmp_path / "backups"
    BackupFolder(path).save(
        CHIP.factory(), CHIP.origin, Contents.FACTORY, START - timedelta(days=1)
    )
    return Shelf(path)


@pytest.mark.parametrize(
    ("what", "invariant"),
    [
        ("readable", Invariant.MODES),
        ("folder", Invariant.MODES),
        ("changed", Invariant.BACKUPS),
        ("stranger", Invariant.BACKUPS),
        ("lonely", Invariant.BACKUPS),
        ("record", Invariant.RECORD),
    ],
)
def test_shelf_is_not_in_order(shelf: Shelf, what: str, invariant: Invariant) -> None:
    held = [CHIP.factory()]
    shelf.check(held, finished=True, torn=False)
    (dump,) = shelf.path.glob("*.bin")
    match what:
        case "readable":
            dump.chmod(0o640)
        case "folder":
            shelf.path.chmod(0o755)
        case "changed":
            dump.write_bytes(bytes(1) + dump.read_bytes()[1:])
        case "stranger":
            held = [bytes(len(held[0]))]
        case "lonely":
            dump.with_suffix(".json").unlink()
        case "record":
            record = shelf.path / f"{CHIP.mac.replace(':', '')}.job"
            record.touch(0o600)
    with pytest.raises(Violation) as raised:
        shelf.check(held, finished=True, torn=False)
    assert raised.value.invariant is invariant


@pytest.mark.parametrize(
    ("operation", "invariant"),
    [
        (Operation(OperationKind.ERASE, 0x1D0000, 4096), Invariant.UNTOUCHED),
        (Operation(OperationKind.ERASE, 0x10000, 65536), Invariant.UNTOUCHED),
        (Operation(OperationKind.ERASE, 0x12000, 4096), Invariant.STARTS_NO_MIXTURE),
        (Operation(OperationKind.ERASE, 0x1D1000, 4096), Invariant.STARTS_NO_MIXTURE),
        (
            Operation(OperationKind.PROGRAM, 0x11000, 2, b"\x12\x34"),
            Invariant.ERASED_FIRST,
        ),
        (Operation(OperationKind.STATUS, 0, 1), Invariant.STATUS),
    ],
)
def test_operation_that_must_not_be(operation: Operation, invariant: Invariant) -> None:
    watch = Watch(CHIP, Flash(CHIP.factory()), is_backed_up=lambda: True)
    watch.expect(CHIP.writable, may_be_damaged=False)
    watch(operation)
    assert [violation.invariant for violation in watch.violations] == [invariant]


def test_operation_before_there_is_a_backup() -> None:
    watch = Watch(CHIP, Flash(CHIP.factory()), is_backed_up=lambda: False)
    watch.expect(CHIP.writable, may_be_damaged=False)
    watch(Operation(OperationKind.ERASE, 0x11000, 4096))
    watch(Operation(OperationKind.ERASE, 0x11000, 4096))
    assert [found.invariant for found in watch.violations] == [
        Invariant.BACKED_UP_FIRST
    ]
