"""A simulated chip on a serial port, and jobs that work on it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from custom_components.openbk.pyopenbk.backups import BackupFolder
from custom_components.openbk.pyopenbk.flashing import FlashingJob, Phase
from simulator.chip import SimulatedSocket, simulated_chip
from simulator.commands import Command
from simulator.faults import Faults, Piece
from simulator.flash import Flash, Operation, OperationKind

# What Tuya's firmware leaves in the status registers: CMP and BP0.
PROTECTED = 0x4004
# One rate that every pseudo-terminal can do; the ladder has tests of its own.
BAUDRATES = (115_200,)
START = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)


class Watched(Faults):
    """Notes what the chip answers to, and lets faults happen."""

    def __init__(self) -> None:
        """Start with nothing noted."""
        super().__init__()
        self.answered: list[Command] = []

    def reply(self, command: Command, data: bytes) -> list[Piece]:
        """Note a command that is answered."""
        self.answered.append(command)
        return super().reply(command, data)


@dataclass
class Told:
    """What a job told of its progress."""

    reports: list[tuple[Phase, int, int]] = field(default_factory=list)
    listener: Callable[[Phase, int, int], None] | None = None

    def __call__(self, phase: Phase, done: int, total: int) -> None:
        """Keep one report."""
        self.reports.append((phase, done, total))
        if self.listener is not None:
            self.listener(phase, done, total)

    @property
    def phases(self) -> list[Phase]:
        """Return the phases in the order in which they began."""
        return list(dict.fromkeys(phase for phase, _, _ in self.reports))

    def of(self, phase: Phase) -> list[tuple[int, int]]:
        """Return done and total of each report of a phase."""
        return [(done, total) for told, done, total in self.reports if told is phase]


@dataclass
class Bench:
    """A chip, a folder for its backups, and a clock for their dates."""

    socket: SimulatedSocket
    folder: BackupFolder
    watched: Watched
    operations: list[Operation] = field(default_factory=list)
    """What was done to the flash, in its order."""
    told: Told = field(default_factory=Told)
    now: datetime = START

    @property
    def flash(self) -> bytes:
        """Return what the chip holds."""
        return self.socket.flash.content

    @property
    def reads(self) -> int:
        """Return how many sectors the chip has sent."""
        return self.watched.answered.count(Command.READ_4K)

    @property
    def touched(self) -> bool:
        """Return whether anything was erased or programmed."""
        return any(
            operation.kind is not OperationKind.STATUS for operation in self.operations
        )

    def job(self, **options: Any) -> FlashingJob:
        """Return a new job, each a day after the last one."""
        self.now += timedelta(days=1)
        self.told = Told()
        return FlashingJob(
            self.socket.path,
            backups=self.folder,
            progress=self.told,
            clock=lambda: self.now,
            baudrates=BAUDRATES,
            **options,
        )

    @asynccontextmanager
    async def identified(self, **options: Any) -> AsyncIterator[FlashingJob]:
        """Return a job that has found and identified the chip."""
        async with self.job(**options) as job:
            report = await job.search(10)
            assert report.linked
            await job.identify()
            yield job

    @asynccontextmanager
    async def analysed(self, **options: Any) -> AsyncIterator[FlashingJob]:
        """Return a job that is ready to write."""
        async with self.identified(**options) as job:
            await job.back_up()
            await job.analyse()
            yield job


@asynccontextmanager
async def bench(
    content: bytes | Flash, path: Path, **options: Any
) -> AsyncIterator[Bench]:
    """Run a chip with this flash, protected as a factory chip is."""
    flash = content
    if not isinstance(flash, Flash):
        flash = Flash(flash, status=PROTECTED)
    watched = Watched()
    async with simulated_chip(flash, faults=watched, **options) as socket:
        found = Bench(socket, BackupFolder(path / "backups"), watched)
        act = flash.watcher
        assert act is not None

        def watch(operation: Operation) -> None:
            found.operations.append(operation)
            act(operation)

        flash.watcher = watch
        yield found
