"""Whole jobs over a simulated serial line, on which accidents fall that a seed chooses.

A job may complete, and then the chip holds what was asked for. Or it stops, and then what it says
of the chip is so, what nobody may touch is untouched or told about, and a later job completes.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
import json
import os
from pathlib import Path
import sys
from typing import Final

from custom_components.openbk.pyopenbk.backups import BackupFolder
from custom_components.openbk.pyopenbk.flashing import ChipState, Phase
from simulator.adapters import ADAPTERS
from simulator.bootrom import Timings
from simulator.chip import SimulatedSocket, simulated_chip
from simulator.faults import Fault, FaultName, Faults
from simulator.flash import Flash, Operation
from simulator.uart import LineOptions

from .accidents import Accident, Aim, HostAccident, Scenario
from .chips import SUBJECTS, Subject
from .disk import NoSmallDisk, SmallDisk, small_disk, tear_unsynced
from .findings import Invariant, Violation
from .host import Outcome, Person, Task, attempt, make_job
from .shelf import Shelf
from .watch import Watch, listening

ATTEMPTS: Final = 7
LOST: Final = "lost"
"""How a run ends in which a damaged command broke the bootloader that holds the loader."""
# A job without a pace takes seconds; one at 115200 baud with every time-out takes minutes.
_LONGEST: Final = 120.0
_LONGEST_PACED: Final = 420.0
_ROOT: Final = Path(__file__).parents[1]

# Faults by which a command of the host may become another one.
_DAMAGING: Final = frozenset(
    {
        FaultName.REQUEST_FLIPPED,
        FaultName.REQUEST_LOST,
        FaultName.BIT_ERRORS,
        FaultName.BAUDRATE_LIMIT,
    }
)
_LINE_IS_GONE: Final = frozenset({"LinkLostError", "PortUnavailableError"})
# The flash itself fails: what is read back is not what was written, whoever wrote it.
_FAILING_FLASH: Final = frozenset({FaultName.FLASH_UNREACHABLE, FaultName.WORN_SECTOR})


class Run:
    """One scenario in a folder of its own."""

    def __init__(
        self,
        scenario: Scenario,
        socket: SimulatedSocket,
        path: Path,
        disk: SmallDisk | None,
    ) -> None:
        """Take the chip and the folder; ``disk`` is where the folder is, if it can be filled."""
        self._scenario = scenario
        self._subject: Subject = SUBJECTS[scenario.chip]
        self._task = Task(self._subject, scenario.aim)
        self._socket = socket
        self._disk = disk
        self._folder = BackupFolder(path)
        self._shelf = Shelf(path, self._task.prepare(self._folder))
        self._first = socket.flash.content
        self._wanted = self._task.wanted
        self._held: list[bytes] = []
        self._torn = False
        self._told: set[tuple[int, int]] = set()
        self._pending: list[Accident] = []
        self._job_task: asyncio.Task[Outcome] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._damaging = any(
            isinstance(accident.what, Fault) and accident.what.name in _DAMAGING
            for accident in scenario.accidents
        )
        self._failing = any(
            isinstance(accident.what, Fault) and accident.what.name in _FAILING_FLASH
            for accident in scenario.accidents
        )
        self.watch = Watch(self._subject, socket.flash, is_backed_up=self._is_backed_up)

    async def run(self) -> list[str]:
        """Run jobs until one completes; return how each ended. Raises Violation."""
        self._pending = list(self._scenario.accidents)
        ends: list[str] = []
        for day in range(ATTEMPTS):
            before = self._socket.flash.content
            self._held.append(before)
            self.watch.expect(
                self._task.allowed,
                may_be_damaged=self._damaging,
                may_repeat=bool(self._scenario.accidents),
            )
            outcome = await self._attempt(day)
            ends.append(_summary(outcome))
            self._judge(outcome, before)
            if outcome.completed:
                return ends
            if self._loader_is_broken:
                return [*ends, LOST]
            self._mend()
        raise Violation(Invariant.RESUMABLE, ", ".join(ends))

    async def _attempt(self, day: int) -> Outcome:
        terminals, tasks = _terminals(), asyncio.all_tasks()
        paced = self._scenario.circumstances.paced
        try:
            async with asyncio.timeout(_LONGEST_PACED if paced else _LONGEST):
                if any(
                    accident.what in (HostAccident.KILLED, HostAccident.CRASHED)
                    for accident in self._pending
                ):
                    outcome = await self._attempt_in_a_process()
                else:
                    outcome = await self._attempt_here(day)
        except TimeoutError as err:
            raise Violation(Invariant.TIME, f"attempt {day + 1} goes on") from err
        if left := asyncio.all_tasks() - tasks:
            raise Violation(Invariant.LEAKS, f"tasks: {left}")
        if still_open := _terminals() - terminals:
            raise Violation(Invariant.PORT, f"still open: {still_open}")
        return outcome

    async def _attempt_here(self, day: int) -> Outcome:
        line = self._scenario.circumstances
        job = make_job(
            self._socket.path,
            self._folder,
            day,
            progress=self._progress,
            baudrates=line.baudrates,
            patience=line.patience,
        )
        person = Person(self._task, self._folder, job)
        person.on_restore = lambda: self.watch.allow(self._subject.everything)
        self._job_task = asyncio.create_task(attempt(job, person))
        try:
            return await self._job_task
        finally:
            self._job_task.cancel()
            self._job_task = None

    async def _attempt_in_a_process(self) -> Outcome:
        line = self._scenario.circumstances
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "soak.host_process"),
            *(self._scenario.chip, self._scenario.aim),
            *(self._socket.path, str(self._folder.path)),
            *("--patience", str(line.patience)),
            *("--baudrates", *map(str, line.baudrates)),
            cwd=_ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        self._torn = True
        # It restores by itself where it must, and cannot say so in time.
        self.watch.allow(self._subject.everything)
        end = "killed"
        assert self._process.stdout is not None
        try:
            async for line_read in self._process.stdout:
                told = json.loads(line_read)
                if isinstance(told, str):
                    end = told
                else:
                    self._progress(Phase(told[0]), told[1], told[2])
        finally:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
            self._process = None
        self._pending = [
            accident
            for accident in self._pending
            if accident.what not in (HostAccident.KILLED, HostAccident.CRASHED)
        ]
        if end == "killed" and any(
            accident.what is HostAccident.CRASHED
            for accident in self._scenario.accidents
        ):
            tear_unsynced(self._folder.path, self._scenario.seed)
        return Outcome(end=end)

    def _progress(self, phase: Phase, done: int, total: int) -> None:
        """Let loose what waits for this moment."""
        part = done / total if total else 1.0
        for accident in list(self._pending):
            if accident.phase is phase and part >= accident.part:
                self._pending.remove(accident)
                self._let_loose(accident)

    def _let_loose(self, accident: Accident) -> None:
        match accident.what:
            case Fault():
                self._socket.inject(accident.what)
            case HostAccident.CANCELLED if self._job_task is not None:
                self._job_task.cancel()
            case HostAccident.DISK_FULL if self._disk is not None:
                self._disk.fill(self._scenario.seed % 3 * 40_000)
            case HostAccident.KILLED | HostAccident.CRASHED:
                if self._process is not None and self._process.returncode is None:
                    self._process.kill()
            case _:
                pass

    def _mend(self) -> None:
        """Put right what somebody would, who reads the error: plug, room, reset by the power."""
        for fault in self._scenario.accidents:
            if isinstance(fault.what, Fault):
                self._socket.clear(fault.what.name)
        if self._disk is not None:
            self._disk.make_room()
        self._socket.plug()
        self._socket.power(on=False)
        self._socket.power(on=True)

    # What must be so.

    def _judge(self, outcome: Outcome, before: bytes) -> None:
        now = self._socket.flash.content
        if not outcome.declared:
            raise Violation(Invariant.DECLARED, f"{outcome.end}: {outcome.detail}")
        if self.watch.violations and not self._failing:
            raise self.watch.violations[0]
        self._told.update(outcome.told)
        self._shelf.check(
            self._possible_dumps(), finished=outcome.completed, torn=self._torn
        )
        if outcome.completed:
            self._judge_completed(now)
        elif outcome.state is not None:
            self._judge_state(outcome, before, now)
        self._judge_start(before, now)
        self._judge_record(outcome, now)

    def _possible_dumps(self) -> list[bytes]:
        return self._held

    def _judge_completed(self, now: bytes) -> None:
        if now == self._wanted:
            return
        if not self.watch.strays:
            raise Violation(Invariant.COMPLETED, _differences(now, self._wanted))
        # What went astray, was told of and is needed by nobody stays; the backup has it.
        needed = (
            *self._subject.writable,
            self._subject.radio,
            self._subject.bootloader,
        )
        for start, end in needed:
            if now[start:end] != self._wanted[start:end]:
                raise Violation(Invariant.COMPLETED, _differences(now, self._wanted))
        if self._torn:
            # Who was killed tells nothing.
            return
        for sector in range(0, len(now), 0x1000):
            if now[sector : sector + 0x1000] != self._wanted[
                sector : sector + 0x1000
            ] and not any(start <= sector < end for start, end in self._told):
                raise Violation(
                    Invariant.UNTOUCHED, f"0x{sector:06X} changed, and nobody was told"
                )

    def _judge_state(self, outcome: Outcome, before: bytes, now: bytes) -> None:
        match outcome.state:
            case ChipState.UNTOUCHED if self._scenario.aim is Aim.REPAIR:
                # Who asked for a calibration is told of it by who asked the job to write it.
                start, end = self._subject.radio
                true = now[:start] + now[end:] == before[:start] + before[end:]
            case ChipState.UNTOUCHED:
                true = now == before
            case ChipState.WRITTEN | ChipState.WRITTEN_NOT_VERIFIED:
                true = now == self._wanted or bool(self.watch.strays) or self._failing
            case _ if now == before and outcome.end in _LINE_IS_GONE:
                # Whether the first erase still arrived, nobody can know by then.
                true = True
            case _:
                starts = str(self._subject.starts(now))
                true = (
                    starts == "nothing"
                    or now == self._wanted
                    or self._damaging
                    or self._failing
                )
        if not true:
            raise Violation(
                Invariant.TRUE_STATE,
                f"{outcome.state} after {outcome.end}; {_differences(now, before)}",
            )

    def _judge_start(self, before: bytes, now: bytes) -> None:
        """Look whether the chip would start something that is not whole."""
        if self._scenario.aim is Aim.REPAIR or now in (before, self._wanted):
            return
        if str(self._subject.starts(now)) == "nothing":
            return
        parts = self._subject.writable
        if any(
            all(now[start:end] == whole[start:end] for start, end in parts)
            for whole in (self._first, before, self._wanted)
        ):
            return
        if not (self._damaging or self._failing):
            raise Violation(
                Invariant.STARTS_NO_MIXTURE, _differences(now, self._wanted)
            )

    def _judge_record(self, outcome: Outcome, now: bytes) -> None:
        if self._scenario.aim is Aim.REPAIR:
            # Its chip has no address to be known by.
            return
        record = self._shelf.record(self._subject.mac)
        if record is not None:
            if not (self._folder.path / record["backup"]).is_file():
                raise Violation(Invariant.RECORD, "it names a backup that is not there")
            return
        start, end = self._subject.radio
        known = now[start:end] == self._first[start:end]
        if now in (self._first, self._wanted) or not known or self.watch.strays:
            return
        if outcome.state in (ChipState.WRITTEN, ChipState.UNTOUCHED):
            return
        if str(self._subject.starts(now)) == "nothing" and not self._failing:
            raise Violation(
                Invariant.RECORD, f"none of a half-written chip, {outcome.state}"
            )

    @property
    def _loader_is_broken(self) -> bool:
        start, end = self._subject.bootloader
        now = self._socket.flash.content[start:end]
        return self._subject.holds_loader and now != self._first[start:end]

    def _is_backed_up(self) -> bool:
        """Return whether what the chip held at first is on disk, by the soak's own reading."""
        try:
            return any(dump == self._first for _, dump in self._shelf.dumps())
        except Violation as violation:
            self.watch.violations.append(violation)
            return True


def _summary(outcome: Outcome) -> str:
    if outcome.completed:
        return outcome.end
    return outcome.end if outcome.state is None else f"{outcome.end}, {outcome.state}"


def _differences(now: bytes, other: bytes) -> str:
    """Name the first sectors that differ."""
    wrong = [
        f"0x{start:06X}"
        for start in range(0, len(now), 0x1000)
        if now[start : start + 0x1000] != other[start : start + 0x1000]
    ]
    return f"{len(wrong)} sectors differ: {' '.join(wrong[:4])}"


def _terminals() -> set[str]:
    """Return the terminals that this process has open, on the side of the host."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = str(entry.readlink())
        except OSError:
            continue
        if target.startswith("/dev/pts/"):
            found.add(f"{entry.name}: {target}")
    return found


def _open_files() -> dict[str, str]:
    """Return what this process has open: numbers, and what is behind them."""
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            target = str(entry.readlink())
            # Whoever measures the processor time of threads looks there.
            if not target.startswith("/proc/"):
                found[entry.name] = target
    return found


@asynccontextmanager
async def _chip(scenario: Scenario, flash: Flash) -> AsyncIterator[SimulatedSocket]:
    line = scenario.circumstances
    options = LineOptions.realistic(line.latency) if line.paced else LineOptions()
    timings = Timings.realistic() if line.paced else Timings(silence=0.1)
    async with simulated_chip(
        flash,
        line=options,
        timings=timings,
        chip=SUBJECTS[scenario.chip].chip,
        faults=Faults(seed=scenario.seed),
        adapter=ADAPTERS[line.adapter] if line.adapter else None,
    ) as socket:
        yield socket


async def run_scenario(
    scenario: Scenario,
    path: Path,
    *,
    wants_small_disk: bool = True,
    look: Callable[[Operation], None] | None = None,
) -> list[str]:
    """Run one scenario in an empty folder; return how each attempt ended.

    ``look`` is called with each operation on the flash before it happens. Raises Violation.
    """
    # Whatever it is, secrets are kept private.
    umask = os.umask(0)
    try:
        return await _run_scenario(scenario, path, wants_small_disk, look)
    finally:
        os.umask(umask)


async def _run_scenario(
    scenario: Scenario,
    path: Path,
    wants_small_disk: bool,
    look: Callable[[Operation], None] | None,
) -> list[str]:
    subject = SUBJECTS[scenario.chip]
    task = Task(subject, scenario.aim)
    flash = Flash(task.before, status=subject.protection)
    files = _open_files()
    async with AsyncExitStack() as stack:
        disk: SmallDisk | None = None
        backups = path / "backups"
        if wants_small_disk and any(
            accident.what is HostAccident.DISK_FULL for accident in scenario.accidents
        ):
            try:
                disk = stack.enter_context(small_disk(path / "disk"))
            except NoSmallDisk:
                pass
            else:
                backups = disk.path / "backups"
        heard = stack.enter_context(listening())
        socket = await stack.enter_async_context(_chip(scenario, flash))
        run = Run(scenario, socket, backups, disk)
        _chain(flash, run.watch)
        if look is not None:
            _chain(flash, look)
        ends = await run.run()
        if heard:
            raise Violation(Invariant.SECRETS, heard[0])
    if left := _open_files().items() - files.items():
        raise Violation(Invariant.LEAKS, f"files: {sorted(left)}")
    return ends


def _chain(flash: Flash, watch: Callable[[Operation], None]) -> None:
    """Let the watch look before the faults act."""
    act = flash.watcher
    assert act is not None

    def look(operation: Operation) -> None:
        watch(operation)
        act(operation)

    flash.watcher = look
