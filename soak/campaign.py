"""Many runs over a serial line, one after the other; the table is printed as they go."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
import logging
from pathlib import Path
import re
import signal
import sys
import tempfile
import time
from typing import Final, TextIO

from .accidents import Aim, Scenario, draw
from .chips import SUBJECTS, Subject
from .cuts import course_of, draw_cuts, judge, positions
from .directed import directed, is_made_good
from .disk import NoSmallDisk, own_mounts
from .findings import Invariant, Violation
from .uart import LOST, run_scenario
from .updates import draw_restarts, judge_update, restart, steps_of, update_course

# How often the table is printed meanwhile, in seconds.
_INTERVAL: Final = 60.0


@dataclass
class Tally:
    """Faults against outcomes."""

    runs: int = 0
    attempts: Counter[int] = field(default_factory=Counter)
    """How many jobs it took, against how often."""
    ends: dict[str, Counter[str]] = field(default_factory=dict)
    """By fault: how the first job ended."""
    violations: list[tuple[Scenario, str]] = field(default_factory=list)

    def add(self, scenario: Scenario, ends: Sequence[str]) -> None:
        """Count a run that broke nothing."""
        self.runs += 1
        self.attempts[len(ends)] += 1
        for name in {accident.name for accident in scenario.accidents}:
            self._of(name)[_verdict(ends)] += 1

    def add_violation(self, scenario: Scenario, detail: str) -> None:
        """Count a run that broke something."""
        self.runs += 1
        self.violations.append((scenario, detail))
        for name in {accident.name for accident in scenario.accidents}:
            self._of(name)["violated"] += 1

    def _of(self, name: str) -> Counter[str]:
        return self.ends.setdefault(name, Counter())

    def table(self) -> list[str]:
        """Return the rows: fault, runs, completed at once, resumed, chip lost, violated."""
        head = "| fault | runs | completed | stopped, then completed | chip lost | violations |"
        rows = [head, "|---|--:|--:|--:|--:|--:|"]
        for name, counts in sorted(self.ends.items()):
            rows.append(
                f"| {name} | {counts.total()} | {counts['completed']} |"
                f" {counts['resumed']} | {counts[LOST]} | {counts['violated']} |"
            )
        tries = ", ".join(f"{n}: {count}" for n, count in sorted(self.attempts.items()))
        rows.append("")
        rows.append(
            f"{self.runs} runs, {len(self.violations)} violations;"
            f" runs by the jobs that they took: {tries or 'none'}"
        )
        return rows


def _verdict(ends: Sequence[str]) -> str:
    if ends[-1] == LOST:
        return LOST
    return "completed" if len(ends) == 1 else "resumed"


async def soak(
    *,
    runs: int,
    seed: int,
    faults: int | None = None,
    chips: Sequence[str] | None = None,
    seconds: float | None = None,
    tell: TextIO | None = None,
) -> tuple[int, list[str]]:
    """Run the scenarios of so many seeds; return 0 where none broke anything, and the table."""
    subjects = _subjects(chips)
    wants_small_disk = _prepare()
    tally = Tally()
    started = printed = time.monotonic()
    with _table_at_the_end(tally):
        for number in range(seed, seed + runs):
            subject = subjects[number % len(subjects)]
            scenario = draw(number, subject, faults=faults)
            await run_one(scenario, tally, wants_small_disk=wants_small_disk, tell=tell)
            now = time.monotonic()
            if now - printed > _INTERVAL:
                printed = now
                _print(tally)
            if seconds is not None and now - started > seconds:
                break
    return 1 if tally.violations or not tally.runs else 0, tally.table()


def _subjects(chips: Sequence[str] | None) -> list[Subject]:
    return [SUBJECTS[name] for name in chips or SUBJECTS]


async def run_directed(
    names: str, *, chips: Sequence[str] | None = None
) -> tuple[int, list[str]]:
    """Run the directed cases whose names match; return 0 where none broke anything, 2 for none."""
    wants_small_disk = _prepare()
    tally = Tally()
    with _table_at_the_end(tally):
        for subject in _subjects(chips):
            for name, scenario in directed(subject):
                if re.search(names, name):
                    print(f"{subject.name}, {name}", flush=True)
                    await run_one(
                        scenario,
                        tally,
                        wants_small_disk=wants_small_disk,
                        at_once=is_made_good(name),
                    )
    if not tally.runs:
        return 2, []
    return 1 if tally.violations else 0, tally.table()


async def cut_power(
    aims: Sequence[Aim],
    *,
    resumed: int,
    seed: int,
    chips: Sequence[str] | None = None,
    updates: bool = False,
) -> tuple[int, list[str]]:
    """Cut every operation of each job; return 0 where nothing is wrong then.

    ``resumed``: so many cuts of each job, which ``seed`` chooses, are really made, and resumed.
    ``updates``: those over the air as well, which no job does but firmware and bootloader.
    """
    wants_small_disk = _prepare()
    head = "| chip | job | operations | cuts | resumed | violations |"
    rows, wrong = [head, "|---|---|--:|--:|--:|--:|"], 0
    for subject in _subjects(chips):
        for aim in aims:
            tally, cuts, found = Tally(), 0, 0
            try:
                course = await course_of(subject, aim)
            except Violation as wrong_at_once:
                print(
                    f"VIOLATION, {subject.name} {aim}: -> {wrong_at_once}", flush=True
                )
                return 1, []
            for number, done, violation in judge(course):
                cuts += 1
                if violation is not None:
                    found += 1
                    step = course.steps[number - 1].operation
                    print(
                        f"VIOLATION, {subject.name} {aim}, operation {number}: {step.kind}"
                        f" 0x{step.address:06X} after {done} bytes -> {violation}",
                        flush=True,
                    )
            for scenario in draw_cuts(course, seed, resumed):
                await run_one(scenario, tally, wants_small_disk=wants_small_disk)
            found += len(tally.violations)
            wrong += found
            rows.append(
                f"| {subject.name} | {aim} | {len(course.steps)} | {cuts} |"
                f" {tally.runs} | {found} |"
            )
            print(rows[-1], flush=True)
        if updates:
            row, found = _cut_updates(subject, resumed, seed)
            wrong += found
            rows.append(row)
            print(row, flush=True)
    print("", *rows, sep="\n", flush=True)
    return 1 if wrong else 0, rows


def _cut_updates(subject: Subject, resumed: int, seed: int) -> tuple[str, int]:
    """Cut every operation of an update over the air; return a row and how much is wrong."""
    course, cuts, found = update_course(subject), 0, 0
    for step in steps_of(course):
        cuts += sum(1 for _ in positions(subject, step.operation))
        if (violation := judge_update(course, step)) is not None:
            found += 1
            _tell_of_update(subject, step.number, violation)
    for one in draw_restarts(course, seed, resumed):
        if (violation := restart(course, one)) is not None:
            found += 1
            _tell_of_update(subject, one.number, violation)
    row = (
        f"| {subject.name} | update | {len(course.operations)} | {cuts} |"
        f" {resumed} | {found} |"
    )
    return row, found


def _tell_of_update(subject: Subject, number: int, violation: Violation) -> None:
    print(
        f"VIOLATION, {subject.name} update, operation {number} -> {violation}",
        flush=True,
    )


def _prepare() -> bool:
    """Make this process fit for runs; return whether it may mount small disks."""
    # What the jobs log is listened to, not shown.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        own_mounts()
    except NoSmallDisk as err:
        print(f"No disk can be filled here ({err}): such faults do nothing.")
        return False
    return True


async def run_one(
    scenario: Scenario,
    tally: Tally,
    *,
    wants_small_disk: bool,
    tell: TextIO | None = None,
    at_once: bool = False,
) -> None:
    """Run one scenario in a folder of its own, and count it; ``at_once``: one job must do."""
    with tempfile.TemporaryDirectory(prefix="openbk-soak-") as folder:
        began, ends = time.monotonic(), None
        try:
            ends = await run_scenario(
                scenario, Path(folder), wants_small_disk=wants_small_disk
            )
        except Violation as violation:
            verdict = str(violation)
        except Exception as err:  # noqa: BLE001 - every kind is a finding
            verdict = f"{type(err).__name__}: {err}"
        else:
            verdict = f"{Invariant.COMPLETED.name}: not at once: {'; '.join(ends)}"
        if ends is not None and not (at_once and len(ends) > 1):
            tally.add(scenario, ends)
            if tell is not None:
                took = time.monotonic() - began
                print(
                    f"seed {scenario.seed} ({took:.1f} s): {scenario}"
                    f" -> {'; '.join(ends)}",
                    file=tell,
                    flush=True,
                )
            return
    tally.add_violation(scenario, verdict)
    print(f"VIOLATION, seed {scenario.seed}: {scenario} -> {verdict}", flush=True)


@contextmanager
def _table_at_the_end(tally: Tally) -> Iterator[None]:
    """Print the table whatever ends the runs: ctrl-C and SIGTERM too."""
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        _print(tally)


def _print(tally: Tally) -> None:
    print(*tally.table(), sep="\n", flush=True)
    sys.stdout.flush()
