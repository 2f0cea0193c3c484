"""The host's side of a run: what somebody who wants something of a chip does, step by step."""

import argparse
import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
import json
import os
from pathlib import Path
import sys
from typing import Final

from custom_components.openbk.pyopenbk.backups import (
    Backup,
    BackupError,
    BackupFolder,
    Contents,
)
from custom_components.openbk.pyopenbk.bootrom.errors import BootRomError
from custom_components.openbk.pyopenbk.flashing import (
    FlashingError,
    FlashingJob,
    JobOrderError,
    Phase,
    ProtectedRegionChangedError,
)
from custom_components.openbk.pyopenbk.obk.config_sector import build, parse
from simulator import driver  # noqa: F401
from tests.pyopenbk.flashing.dumps import put, rf_sector

from .accidents import Aim
from .chips import NEW, OLD, STRANGERS_MAC, SUBJECTS, Subject

START: Final = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
# What a job says when it stops; anything else is a fault of ours.
_DECLARED: Final = (BootRomError, FlashingError, BackupError)
_SEARCH_SECONDS: Final = 3.0

type Progress = Callable[[Phase, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one attempt ended."""

    end: str
    """``completed``, ``cancelled``, ``killed``, or the name of an error."""
    state: str | None = None
    """What the job says of the chip; None: it says nothing any more."""
    declared: bool = True
    told: tuple[tuple[int, int], ...] = ()
    """The parts of the flash of which it says that they were changed unasked."""
    detail: str = ""
    restored: bool = False
    """It put a backup back because the chip could not be written as it was."""

    @property
    def completed(self) -> bool:
        """Return whether the job says that all is well."""
        return self.end == "completed"


@dataclass(frozen=True, slots=True)
class Task:
    """What is wanted of a chip, and what that means for its flash."""

    subject: Subject
    aim: Aim

    @property
    def before(self) -> bytes:
        """Return what the chip holds at first."""
        factory = self.subject.factory()
        match self.aim:
            case Aim.RENEW | Aim.CONFIGURE | Aim.RESTORE:
                flash = self.subject.flashed(factory, OLD)
                if self.aim is Aim.CONFIGURE:
                    return put(
                        flash, self.subject.config[0], _older_sector(self.subject)
                    )
                return flash
            case Aim.REPAIR:
                start, end = self.subject.radio
                return put(factory, start, b"\xff" * (end - start))
            case _:
                return factory

    @property
    def wanted(self) -> bytes:
        """Return what it shall hold in the end."""
        factory = self.subject.factory()
        match self.aim:
            case Aim.FLASH | Aim.RENEW:
                return self.subject.flashed(factory, NEW)
            case Aim.CONFIGURE:
                return self.subject.flashed(factory, OLD)
            case Aim.ADOPT:
                start, end = self.subject.radio
                strange = self.subject.strange()
                if self.subject.holds_loader:
                    # The loader that is read with may not be written.
                    own = factory[slice(*self.subject.bootloader)]
                    strange = put(strange, self.subject.bootloader[0], own)
                return put(strange, start, factory[start:end])
            case Aim.RESTORE:
                return factory
            case Aim.REPAIR:
                return put(factory, self.subject.radio[0], rf_sector(STRANGERS_MAC))

    @property
    def allowed(self) -> tuple[tuple[int, int], ...]:
        """Return the parts of the flash that may be changed."""
        match self.aim:
            case Aim.FLASH | Aim.RENEW | Aim.CONFIGURE:
                return self.subject.writable
            case Aim.RESTORE | Aim.ADOPT:
                return self.subject.restorable
            case Aim.REPAIR:
                return (self.subject.radio,)

    def prepare(self, folder: BackupFolder) -> tuple[str, ...]:
        """Put the backups there that the aim needs; return the names of their files."""
        match self.aim:
            case Aim.RESTORE:
                dump, mac = self.subject.factory(), self.subject.mac
            case Aim.ADOPT:
                dump, mac = self.subject.strange(), STRANGERS_MAC
            case _:
                return ()
        origin = replace(self.subject.origin, mac=mac)
        saved = folder.save(dump, origin, Contents.FACTORY, START - timedelta(days=9))
        return saved.path.name, saved.path.with_suffix(".json").name


def _older_sector(subject: Subject) -> bytes:
    return build(replace(parse(subject.sector()), mqtt_client_id="before"))


class Person:
    """Does what the wizard does for somebody who wants one thing of one chip."""

    def __init__(self, task: Task, folder: BackupFolder, job: FlashingJob) -> None:
        """Take the job, which has not begun."""
        self._task = task
        self._folder = folder
        self._job = job
        self.restored = False
        self.on_restore: Callable[[], None] = lambda: None

    async def work(self) -> None:
        """Go from the search to the start; raises what the job raises."""
        job = self._job
        await job.search(_SEARCH_SECONDS)
        await job.identify()
        await job.back_up()
        analysis = await job.analyse()
        match self._task.aim:
            case Aim.REPAIR:
                await self._repair()
            case Aim.RESTORE | Aim.ADOPT:
                await job.restore(self._backup(), foreign=True)
            case _:
                if analysis.obstacle is not None:
                    await self._put_back(is_own=analysis.mac == self._task.subject.mac)
                await self._write(half_written=analysis.state is not Contents.OPENBEKEN)
        await job.start()

    def _backup(self) -> Backup:
        mac = STRANGERS_MAC if self._task.aim is Aim.ADOPT else self._task.subject.mac
        return self._folder.find(mac)[-1]

    async def _put_back(self, *, is_own: bool) -> None:
        """Restore the oldest backup: something went astray into what is never written."""
        self.restored = True
        self.on_restore()
        await self._job.restore(self._backup(), foreign=not is_own)
        await self._job.identify()
        await self._job.back_up()
        await self._job.analyse()

    async def _write(self, *, half_written: bool) -> None:
        subject = self._task.subject
        if self._task.aim is not Aim.CONFIGURE:
            await self._job.write(subject.image(NEW), subject.sector())
        elif half_written or self.restored:
            await self._job.write(subject.image(OLD), subject.sector())
        else:
            await self._job.write_config(subject.sector())

    async def _repair(self) -> None:
        """Write the calibration; that it was begun shows only by what is there."""
        if self._job.mac is not None:
            return
        await self._job.repair_radio(rf_sector(STRANGERS_MAC), begun=True)


async def attempt(job: FlashingJob, person: Person) -> Outcome:
    """Let a person work, and say how it ended."""
    try:
        async with job:
            await person.work()
    except asyncio.CancelledError:
        return _outcome("cancelled", job, person)
    except _DECLARED as err:
        told = (
            tuple((region.start, region.end) for region in err.regions)
            if isinstance(err, ProtectedRegionChangedError)
            else ()
        )
        return replace(
            _outcome(type(err).__name__, job, person),
            told=told,
            declared=not isinstance(err, JobOrderError),
            detail=str(err),
        )
    except Exception as err:  # noqa: BLE001 - every other kind is a finding
        return replace(
            _outcome(type(err).__name__, job, person), declared=False, detail=str(err)
        )
    return _outcome("completed", job, person)


def _outcome(end: str, job: FlashingJob, person: Person) -> Outcome:
    return Outcome(end=end, state=str(job.chip_state), restored=person.restored)


def make_job(
    address: str,
    folder: BackupFolder,
    day: int,
    *,
    progress: Progress,
    baudrates: tuple[int, ...],
    patience: float,
) -> FlashingJob:
    """Return a job on the n-th day."""
    return FlashingJob(
        address,
        backups=folder,
        progress=progress,
        clock=lambda: START + timedelta(days=day),
        baudrates=baudrates,
        patience=patience,
    )


def main() -> None:
    """Work on a port in a process of its own, telling each step in a line of JSON."""
    parser = argparse.ArgumentParser(prog="soak.host_process", description=__doc__)
    parser.add_argument("chip", choices=SUBJECTS)
    parser.add_argument("aim", type=Aim, choices=list(Aim))
    parser.add_argument("port")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--patience", type=float, default=1.0)
    parser.add_argument("--baudrates", type=int, nargs="+", required=True)
    options = parser.parse_args()
    os.umask(0)
    folder = BackupFolder(options.folder)

    def tell(phase: Phase, done: int, total: int) -> None:
        print(json.dumps([phase, done, total]), flush=True)

    async def run() -> Outcome:
        job = make_job(
            options.port,
            folder,
            0,
            progress=tell,
            baudrates=tuple(options.baudrates),
            patience=options.patience,
        )
        task = Task(SUBJECTS[options.chip], Aim(options.aim))
        return await attempt(job, Person(task, folder, job))

    outcome = asyncio.run(run())
    print(json.dumps(outcome.end), flush=True)
    sys.exit(0 if outcome.completed else 3)
