"""Whole jobs on which faults fall that a seed chooses; `script/soak` runs many.

A job may complete, and then the chip holds what was asked for; or it stops, and then what it says
of the chip is true, what nobody may touch is untouched or told about, and a later job completes.
"""

from collections.abc import Iterable
from pathlib import Path
import random
from typing import Final

from custom_components.openbk.pyopenbk.backups import BackupError
from custom_components.openbk.pyopenbk.bootrom.errors import BootRomError
from custom_components.openbk.pyopenbk.flashing import (
    ChipState,
    FlashingError,
    FlashingJob,
)
from custom_components.openbk.pyopenbk.flashing.analysis import starts_nothing
from simulator.commands import Command
from simulator.faults import Fault, FaultName, seeded_faults
from tests.support.flash_map import (
    APPLICATION,
    BOOTLOADER,
    FLASH_JOB,
    FLASH_SIZE,
    OPENBEKEN_CONFIG,
    RF_CALIBRATION,
)

from .bench import Bench, bench
from .dumps import CONFIG, MAC, factory_chip, openbeken_image, written

FIRST_SECTOR: Final = slice(0x11000, 0x12000)
# All time-outs at a fifth of their length: what is long for the chip here is 10 ms.
PATIENCE: Final = 0.2
ATTEMPTS: Final = 6
_MOVED: Final = frozenset({FaultName.REQUEST_FLIPPED, FaultName.REQUEST_LOST})


class Untrue(AssertionError):
    """A job said something of the chip that is not so."""


class Scenario:
    """One chip, one aim, and the faults of one seed."""

    def __init__(self, chip: Bench, faults: Iterable[Fault], *, restores: bool) -> None:
        """Take the chip; it is flashed, or gets its factory firmware back."""
        self._chip = chip
        self._restores = restores
        self._faults = tuple(faults)
        # A command whose address was damaged may hit any flash; that is told then, not avoided.
        self._may_stray = any(
            fault.name in _MOVED
            and fault.command in (Command.ERASE, Command.WRITE_4K, None)
            for fault in self._faults
        )
        self.before = chip.flash

    @property
    def wanted(self) -> bytes:
        """Return what the chip shall hold in the end."""
        return (
            factory_chip()
            if self._restores
            else written(factory_chip(), openbeken_image(), CONFIG)
        )

    async def run(self) -> str:
        """Run jobs until one completes; return in how many, and how the first one ended."""
        for fault in self._faults:
            self._chip.socket.inject(fault)
        verdicts = []
        for _ in range(ATTEMPTS):
            async with self._chip.job(patience=PATIENCE) as job:
                verdict = await self._attempt(job)
            verdicts.append(verdict)
            if verdict == "completed":
                return f"{verdicts[0]}; {len(verdicts)} in all"
            self._mend()
        raise Untrue(f"no job completes: {', '.join(verdicts)}")

    async def _attempt(self, job: FlashingJob) -> str:
        before = self._chip.flash
        try:
            await self._work(job)
        except (BootRomError, FlashingError, BackupError) as err:
            self._judge(job, before)
            return f"{type(err).__name__}, {job.chip_state}"
        if not self._is_as_wanted():
            raise Untrue("completed, but the chip holds something else")
        return "completed"

    def _is_as_wanted(self) -> bool:
        now = self._chip.flash
        if not self._may_stray:
            return now == self.wanted
        # What an earlier job told of and nobody needs any more, a later one leaves as it is.
        return all(
            now[region.start : region.end] == self.wanted[region.start : region.end]
            for region in (BOOTLOADER, APPLICATION, RF_CALIBRATION, OPENBEKEN_CONFIG)
        )

    async def _work(self, job: FlashingJob) -> None:
        await job.search(3)
        await job.identify()
        await job.back_up()
        analysis = await job.analyse()
        if self._restores or analysis.obstacle is not None:
            # A stray command may have hit the bootloader or the RF calibration.
            oldest = self._chip.folder.find(MAC)[-1]
            await job.restore(oldest, foreign=analysis.mac != MAC)
        if not self._restores:
            if analysis.obstacle is not None:
                await job.identify()
                await job.back_up()
                await job.analyse()
            await job.write(openbeken_image(), CONFIG)
        await job.start()

    def _judge(self, job: FlashingJob, before: bytes) -> None:
        """Raise Untrue where the job's word does not hold."""
        now = self._chip.flash
        if job.chip_state is ChipState.UNTOUCHED and now != before:
            raise Untrue("untouched, it says")
        if job.chip_state is ChipState.WRITTEN and not self._is_as_wanted():
            raise Untrue("written, it says")
        if job.chip_state is ChipState.HALF_WRITTEN and not (
            starts_nothing(now[FIRST_SECTOR])
            or self._may_stray
            # The last write arrived, its answer did not.
            or self._is_as_wanted()
        ):
            raise Untrue("half-written, and would start")
        if not self._restores and not self._may_stray:
            for region in FLASH_JOB.outside(FLASH_SIZE):
                if (
                    now[region.start : region.end]
                    != self.before[region.start : region.end]
                ):
                    raise Untrue(f"changed at 0x{region.start:06X} or behind")

    def _mend(self) -> None:
        """Put right what a person would: plug the adapter in, and reset by the power."""
        self._chip.socket.plug()
        self._chip.socket.power(on=False)
        self._chip.socket.power(on=True)


async def run_seed(seed: int, path: Path, *, faults: int = 2) -> str:
    """Run the scenario of a seed in this folder; raises Untrue, and whatever is no honest end."""
    restores = random.Random(f"aim {seed}").random() < 0.3
    now = factory_chip()
    async with bench(now, path) as chip:
        if restores:
            async with chip.job(patience=PATIENCE) as job:
                await job.search(3)
                await job.identify()
                await job.back_up()
                await job.analyse()
                await job.write(openbeken_image(), CONFIG)
        found = seeded_faults(seed, faults)
        if random.Random(f"power {seed}").random() < 0.3:
            operation = random.Random(f"when {seed}").randint(1, 600)
            found.append(Fault(name=FaultName.POWER_LOST, operation=operation))
        return await Scenario(chip, found, restores=restores).run()
