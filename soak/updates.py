"""The power goes at every operation on the flash while an update over the air is sent and installed."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
import random

from simulator import images
from simulator.boot import examine
from simulator.chips import MODELS
from simulator.factory import FactorySocket
from simulator.flash import SECTOR, Flash, Operation
from simulator.update import apply_update

from .chips import NEW, OLD, Subject
from .cuts import cut, positions
from .findings import Invariant, Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateCourse:
    """Everything that an update does to the flash: what the firmware writes, and the bootloader."""

    subject: Subject
    first: bytes = field(repr=False)
    wanted: bytes = field(repr=False)
    """What the flash holds in the end."""
    download: bytes = field(repr=False)
    operations: list[Operation]
    sent: int
    """How many of them the firmware did."""
    between: bytes = field(repr=False)
    """What the flash holds behind these, before the restart."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operation, and what the flash holds before it."""

    number: int
    """Which operation, from 1."""
    operation: Operation
    before: bytes | bytearray = field(repr=False)


@dataclass(frozen=True, slots=True)
class Cut:
    """What is left when the power goes."""

    number: int
    """Which operation, from 1."""
    done: int
    """Bytes of it."""
    flash: bytes = field(repr=False)


def update_course(subject: Subject) -> UpdateCourse:
    """Send a newer OpenBeken to an older one, and let the bootloader install it."""
    old, new = (
        images.Build(version=version, chip=subject.chip) for version in (OLD, NEW)
    )
    first = images.flashed(FactorySocket(chip=subject.chip).dump(), old)
    flash = Flash(first, status=subject.protection)
    operations: list[Operation] = []
    flash.watcher = operations.append
    start, file = MODELS[subject.chip].download, images.ota(new)
    # As OpenBeken does: sector by sector, the last one filled up.
    for place in range(0, len(file), SECTOR):
        flash.rewrite(
            start + place, file[place : place + SECTOR].ljust(SECTOR, b"\xff")
        )
    sent, between = len(operations), flash.content
    apply_update(flash, chip=subject.chip)
    return UpdateCourse(
        subject=subject,
        first=first,
        wanted=flash.content,
        download=between[start : start + len(file)],
        operations=operations,
        sent=sent,
        between=between,
    )


def steps_of(course: UpdateCourse) -> Iterator[Step]:
    """Yield each operation with what the flash holds before it; for as long as that is looked at."""
    flash = bytearray(course.first)
    for number, operation in enumerate(course.operations, 1):
        yield Step(number, operation, flash)
        place = slice(operation.address, operation.address + operation.size)
        flash[place] = cut(
            bytes(flash[place]),
            replace(operation, address=0),
            operation.size,
            indeterminate=False,
        )


def judge_update(course: UpdateCourse, step: Step) -> Violation | None:
    """Return what is wrong with a cut anywhere in an operation: the old one is whole, or the new one comes.

    It comes where it is whole already, or where its download still is, for then the bootloader
    begins anew.
    """
    model, operation = MODELS[course.subject.chip], step.operation
    start, end = operation.address, operation.address + operation.size
    lowest = course.subject.bootloader[1]
    if not lowest <= start < end <= model.download_end:
        return Violation(Invariant.UNTOUCHED, f"0x{start:06X}")
    if step.number <= course.sent:
        if start < model.download:
            return Violation(Invariant.STARTS_NO_MIXTURE, "the old one is not whole")
        return None
    if start < model.download:
        download = slice(model.download, model.download + len(course.download))
        is_safe = step.before[download] == course.download
    else:
        application = slice(lowest, model.download)
        is_safe = step.before[application] == course.wanted[application]
    return (
        None if is_safe else Violation(Invariant.RESUMABLE, "the new one is not whole")
    )


def restart(course: UpdateCourse, one: Cut) -> Violation | None:
    """Start the chip behind a cut; return what is wrong with what it runs then."""
    flash = Flash(one.flash, status=course.subject.protection)
    apply_update(flash, chip=course.subject.chip)
    version = examine(flash, chip=course.subject.chip).version
    # Where the cut left the last page as it will be, all of it was sent.
    may_be_old = one.number <= course.sent
    if version == NEW or (may_be_old and version == OLD):
        return None
    return Violation(Invariant.RESUMABLE, f"it runs {version}")


def draw_restarts(course: UpdateCourse, seed: int, count: int) -> Iterator[Cut]:
    """Yield some cuts that a seed chooses, with what each leaves."""
    chooser = random.Random(f"updates {course.subject.name} {seed}")
    wanted = sorted(chooser.randrange(len(course.operations)) for _ in range(count))
    flash, at = course.first, 0
    for number in wanted:
        for operation in course.operations[at:number]:
            flash = cut(flash, operation, operation.size, indeterminate=False)
        at = number
        operation = course.operations[number]
        done, indeterminate = chooser.choice(list(positions(course.subject, operation)))
        now = cut(flash, operation, done, indeterminate=indeterminate)
        yield Cut(number + 1, done, now)
