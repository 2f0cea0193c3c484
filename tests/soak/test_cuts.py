"""What is said of a cut is so, and every place is cut."""

from datetime import UTC, datetime

import pytest

from custom_components.openbk.pyopenbk.flashing import Phase
from custom_components.openbk.pyopenbk.flashing.records import JobRecord
from simulator.flash import Operation, OperationKind
from soak.accidents import Aim
from soak.campaign import cut_power
from soak.chips import NEW, SUBJECTS
from soak.cuts import Course, Step, cut, judge, positions
from soak.findings import Invariant
from soak.host import Task
from soak.updates import (
    Cut,
    Step as UpdateStep,
    UpdateCourse,
    judge_update,
    restart,
    update_course,
)

CHIP = SUBJECTS["bk7231n"]
SECTOR = 4096
RECORD = JobRecord(
    mac=CHIP.mac,
    started=datetime(2026, 11, 29, tzinfo=UTC),
    phase=Phase.WRITE_APPLICATION,
    backup="backup.bin",
    content=NEW,
    content_sha256="0" * 64,
    regions=CHIP.writable,
)


def course(*steps: Step) -> Course:
    first = CHIP.factory()
    return Course(CHIP, Aim.FLASH, first, CHIP.flashed(first, NEW), list(steps))


def found(*steps: Step) -> set[Invariant]:
    return {
        violation.invariant for _, _, violation in judge(course(*steps)) if violation
    }


def erase(address: int, record: JobRecord | None = RECORD) -> Step:
    return Step(Operation(OperationKind.ERASE, address, SECTOR), record)


def test_what_may_be_cut_anywhere() -> None:
    # Nothing but that the job never ends.
    assert found(erase(0x11000), erase(0x12000)) == {Invariant.COMPLETED}


@pytest.mark.parametrize(
    ("step", "invariant"),
    [
        (erase(0x12000), Invariant.STARTS_NO_MIXTURE),
        (erase(0x11000, None), Invariant.RECORD),
        (erase(0x1D0000), Invariant.UNTOUCHED),
        (erase(0x10000), Invariant.UNTOUCHED),
    ],
)
def test_what_must_not_be(step: Step, invariant: Invariant) -> None:
    assert invariant in found(step)


def test_pages_are_cut_at_every_border_of_a_record() -> None:
    page = Operation(OperationKind.PROGRAM, 0x12100, 256, bytes(256))
    cuts = [done for done, _ in positions(CHIP, page)]
    borders = {n * 34 - 0x1100 % 34 for n in range(1, 8)}
    assert borders <= set(cuts)
    first = Operation(OperationKind.PROGRAM, 0x11000, 256, bytes(256))
    assert [done for done, _ in positions(CHIP, first)] == [*range(257)]


def test_cut_leaves_what_was_not_reached() -> None:
    flash = bytes(range(256)) * 32
    page = Operation(OperationKind.PROGRAM, 256, 256, b"\x0f" * 256)
    left = cut(flash, page, 34, indeterminate=False)
    assert left[256:290] == bytes(value & 0x0F for value in range(34))
    assert left[290:] == flash[290:]
    assert left[:256] == flash[:256]


@pytest.mark.parametrize(
    ("chip", "row"),
    [
        ("bk7231n", "| bk7231n | repair | 17 | 182 | 1 | 0 |"),
        # Nobody has to write its status register.
        ("bk7231t", "| bk7231t | repair | 16 | 183 | 1 | 0 |"),
    ],
)
async def test_repair_is_cut_and_resumed(
    capsys: pytest.CaptureFixture[str], chip: str, row: str
) -> None:
    assert (await cut_power([Aim.REPAIR], resumed=1, seed=5, chips=[chip]))[0] == 0
    assert row in capsys.readouterr().out


@pytest.fixture(scope="module")
def course_of_an_update() -> UpdateCourse:
    """Return what an update does to a BK7231N."""
    return update_course(CHIP)


def test_update_is_cut_while_it_is_sent_and_while_it_is_installed(
    course_of_an_update: UpdateCourse,
) -> None:
    course = course_of_an_update
    last = len(course.operations)
    for number, flash in (
        (1, course.first),
        (course.sent, course.between),
        (course.sent + 1, course.between),
    ):
        operation = course.operations[number - 1]
        assert judge_update(course, UpdateStep(number, operation, flash)) is None
        for done in (0, 1, operation.size):
            now = cut(flash, operation, done, indeterminate=True)
            assert restart(course, Cut(number, done, now)) is None
    assert restart(course, Cut(last, 4096, course.wanted)) is None


@pytest.mark.parametrize(
    ("place", "sends", "spoilt", "invariant"),
    [
        (0x1000, True, 0, Invariant.UNTOUCHED),
        (0x1D0000, False, 0, Invariant.UNTOUCHED),
        (0x12000, True, 0, Invariant.STARTS_NO_MIXTURE),
        # The download goes before the new one is whole, or something else has spoilt it.
        (0x12A000, False, 0, Invariant.RESUMABLE),
        (0x12000, False, 0x12A100, Invariant.RESUMABLE),
    ],
)
def test_what_an_update_must_not_do(
    course_of_an_update: UpdateCourse,
    place: int,
    sends: bool,
    spoilt: int,
    invariant: Invariant,
) -> None:
    course = course_of_an_update
    operation = Operation(OperationKind.ERASE, place, SECTOR)
    number = course.sent + (not sends)
    flash = bytearray(course.between)
    if spoilt:
        flash[spoilt] ^= 1
    found = judge_update(course, UpdateStep(number, operation, flash))
    assert found is not None
    assert found.invariant is invariant


async def test_each_chip_is_restored_within_what_it_can_lose() -> None:
    """The loader of a BK7231T is no part of what is written back, and the judge says so, too."""
    sister = SUBJECTS["bk7231t"]
    task = Task(sister, Aim.ADOPT)
    assert CHIP.restorable[0] == (0, 0x1D0000)
    assert sister.restorable[0] == (0x11000, 0x1E0000)
    assert sister.strange()[:0x11000] != sister.factory()[:0x11000]
    assert task.wanted[:0x11000] == sister.factory()[:0x11000]
    assert task.wanted[0x11000:0x1E0000] == sister.strange()[0x11000:0x1E0000]
