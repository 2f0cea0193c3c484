"""The power goes at every operation on the flash, and within it: what the chip would start then.

One job is run and written down; where it is cut is then looked at without running it again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
import random
import tempfile
from typing import Final

from custom_components.openbk.pyopenbk.flashing import Phase
from custom_components.openbk.pyopenbk.flashing.analysis import has_ended
from custom_components.openbk.pyopenbk.flashing.records import JobRecord
from simulator.code_memory import damaged_records
from simulator.faults import INDETERMINATE, Fault, FaultName
from simulator.flash import Operation, OperationKind

from .accidents import Accident, Aim, Circumstances, Scenario
from .chips import Subject
from .findings import Invariant, Violation
from .host import Task
from .uart import run_scenario

RECORD: Final = 34
"""Bytes of code with their CRC on the flash: what is whole of them shows no damage."""

QUICK: Final = Circumstances(
    adapter=None, paced=False, latency=0.0, baudrates=(115_200,)
)
_BLANK: Final = b"\xff"


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on the flash, and the record that lay on the disk then."""

    operation: Operation
    record: JobRecord | None


@dataclass(slots=True)
class Course:
    """Everything that an undisturbed job did to its chip."""

    subject: Subject
    aim: Aim
    first: bytes = field(repr=False)
    wanted: bytes = field(repr=False)
    steps: list[Step] = field(default_factory=list)


def scenario(
    subject: Subject, aim: Aim, *accidents: Accident, seed: int = 1
) -> Scenario:
    """Return a scenario over a line that takes no time."""
    return Scenario(
        seed=seed, chip=subject.name, aim=aim, circumstances=QUICK, accidents=accidents
    )


async def course_of(subject: Subject, aim: Aim) -> Course:
    """Run a job that nothing disturbs, and write down what it does; raises Violation."""
    task = Task(subject, aim)
    course = Course(subject, aim, task.before, task.wanted)
    with tempfile.TemporaryDirectory(prefix="openbk-soak-") as folder:
        path = Path(folder)
        record = path / "backups" / f"{subject.mac.replace(':', '')}.job"

        def look(operation: Operation) -> None:
            text = record.read_text() if record.exists() else None
            found = JobRecord.from_json(text) if text else None
            course.steps.append(Step(operation, found))

        await run_scenario(
            scenario(subject, aim), path, wants_small_disk=False, look=look
        )
    return course


def positions(subject: Subject, operation: Operation) -> Iterator[tuple[int, bool]]:
    """Yield after how many bytes to cut an operation, and whether the rest may be anything."""
    match operation.kind:
        case OperationKind.ERASE:
            for done in (0, 1, RECORD - 1, RECORD, 2 * RECORD, operation.size - 1):
                yield done, False
                yield done, True
        case OperationKind.PROGRAM:
            start, end = subject.first_sector
            if start <= operation.address < end:
                yield from ((done, False) for done in range(operation.size + 1))
                return
            # Where the page ends a record, whatever the border that it begins behind.
            ahead = -(operation.address - start) % RECORD
            borders = range(ahead, operation.size, RECORD)
            yield from (
                (done, False)
                for done in sorted({0, 1, 128, operation.size - 1, *borders})
            )


def cut(flash: bytes, operation: Operation, done: int, *, indeterminate: bool) -> bytes:
    """Return what is left of a flash when an operation is cut off."""
    start, end = operation.address, operation.address + operation.size
    if operation.kind is OperationKind.ERASE:
        left = flash[start + done : end]
        if indeterminate:
            left = random.Random(start + done).randbytes(len(left))
        return flash[:start] + _BLANK * done + left + flash[end:]
    if operation.kind is OperationKind.PROGRAM:
        cells = bytes(
            old & new
            for old, new in zip(
                flash[start : start + done], operation.data[:done], strict=True
            )
        )
        return flash[:start] + cells + flash[start + done :]
    return flash


def judge(course: Course) -> Iterator[tuple[int, int, Violation | None]]:
    """Yield number of the operation, bytes of it that were done, and what is wrong then."""
    flash = course.first
    for number, step in enumerate(course.steps, 1):
        for done, indeterminate in positions(course.subject, step.operation):
            now = cut(flash, step.operation, done, indeterminate=indeterminate)
            yield number, done, _judge_cut(course, step, now)
        flash = cut(flash, step.operation, step.operation.size, indeterminate=False)
    if flash != course.wanted:
        yield len(course.steps), 0, Violation(Invariant.COMPLETED, "something else")


def _judge_cut(course: Course, step: Step, now: bytes) -> Violation | None:
    subject = course.subject
    if now in (course.first, course.wanted):
        return None
    allowed = Task(subject, course.aim).allowed
    position = 0
    for start, end in (*sorted(allowed), (len(now), len(now))):
        if now[position:start] != course.first[position:start]:
            return Violation(Invariant.UNTOUCHED, f"0x{position:06X} or behind")
        position = end
    if course.aim is Aim.REPAIR:
        return None
    # Whether the bootloader looks at more than the record that it jumps to is not relied on.
    start, end = subject.first_record
    record = now[start:end]
    if record.strip(_BLANK) and not damaged_records(record):
        return Violation(Invariant.STARTS_NO_MIXTURE, "the first record is whole")
    if step.record is None:
        return Violation(Invariant.RECORD, "there is none")
    start, end = subject.first_sector
    if has_ended(step.record, now[start:end]):
        return Violation(Invariant.RECORD, "it counts as that of a job that has ended")
    return None


def draw_cuts(course: Course, seed: int, count: int) -> Iterator[Scenario]:
    """Yield runs of the job that are cut off somewhere, and then resumed."""
    chooser = random.Random(f"cuts {course.aim} {seed}")
    for number in range(count):
        operation = chooser.randrange(len(course.steps))
        done, indeterminate = chooser.choice(
            [
                place
                for place in positions(
                    course.subject, course.steps[operation].operation
                )
                if place[0]
            ]
            or [(0, False)]
        )
        lost = Fault(
            name=FaultName.POWER_LOST,
            operation=operation + 1,
            byte=done,
            value=INDETERMINATE if indeterminate else "",
        )
        accident = Accident(what=lost, phase=Phase.LINK, part=0.0)
        yield scenario(course.subject, course.aim, accident, seed=seed + number)
