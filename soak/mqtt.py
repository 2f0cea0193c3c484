"""Simulated days of a house of sockets with what a seed lets happen to it; the table is printed as they go."""

from .house import House, house  # isort: skip

import argparse
import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
import logging
from random import Random
import re
import sys
import time
from typing import Any, Final

from tests.support.simulated_time import SimulatedTimeLoop, real_monotonic

from . import report
from .findings import Violation
from .storms import FLOOD, OF_BROKER, STORMS, Storm

_INTERVAL: Final = 60.0
_DAY: Final = 86400.0
# Life goes on for so many seconds when a trouble is over.
_AFTERWARDS: Final = 300.0


@dataclass
class _Row:
    """What is counted of one kind of trouble."""

    rounds: int = 0
    longest: float = 0.0
    """Seconds from its end until every entity was right."""
    violations: int = 0


@dataclass
class Tally:
    """Troubles against how it ended."""

    rows: dict[str, _Row] = field(default_factory=dict)
    violations: int = 0
    rounds: int = 0
    footer: str = ""

    def add(self, storms: Sequence[Storm], took: float | None) -> None:
        """Count a round; ``took`` is None where something was not as it must be."""
        self.rounds += 1
        self.violations += took is None
        for storm in storms:
            row = self.rows.setdefault(storm.__name__, _Row())
            row.rounds += 1
            row.violations += took is None
            row.longest = max(row.longest, took or 0.0)

    def table(self) -> list[str]:
        """Return the rows: trouble, rounds, the longest time until all was right, violations."""
        head = "| what happened | rounds | all right after | violations |"
        rows = [head, "|---|--:|--:|--:|"]
        rows += [
            f"| {name} | {row.rounds} | {row.longest:.0f} s | {row.violations} |"
            for name, row in sorted(self.rows.items())
        ]
        return [*rows, "", self.footer]


def draw(
    seed: int, number: int, storms: Sequence[Storm] = STORMS, *, alone: bool = False
) -> list[Storm]:
    """Return what happens in a round: everything once in as many rounds.

    Every third time it is two things at once, unless each has to be ``alone``.
    """
    count = len(storms)
    order = Random(f"{seed} {number // count}").sample(storms, count)
    first = order[number % count]
    others = [storm for storm in storms if not {storm, first} <= OF_BROKER]
    others = [storm for storm in others if storm is not first]
    if alone or number % 3 != 2 or not others:
        return [first]
    return [first, Random(f"{seed} {number}").choice(others)]


async def soak(
    *,
    runs: int,
    seed: int,
    sockets: int,
    flood: int = FLOOD,
    storms: Sequence[Storm] = STORMS,
    alone: bool = False,
    seconds: float | None = None,
) -> tuple[int, list[str]]:
    """Live through so many rounds; return 0 where nothing was wrong, and the table.

    ``flood`` is how many strangers speak at once, ``storms`` what may happen, each
    ``alone`` or two at once.
    """
    tally = Tally()
    began = printed = real_monotonic()
    async with house(f"{seed}") as home:
        home.flood = flood
        start = time.monotonic()
        await home.move_in(sockets)
        await home.is_quiet()
        for number in range(runs):
            drawn = draw(seed, number, storms, alone=alone)
            await _round(home, drawn, tally, Random(f"{seed} {number} storm"), number)
            tally.footer = _told(home, tally, (time.monotonic() - start) / _DAY)
            now = real_monotonic()
            if now - printed > _INTERVAL:
                printed = now
                print(*tally.table(), sep="\n", flush=True)
            if seconds is not None and now - began > seconds:
                break
    print(*tally.table(), sep="\n", flush=True)
    return 1 if tally.violations or not tally.rounds else 0, tally.table()


async def _round(
    home: House, storms: list[Storm], tally: Tally, random: Random, number: int
) -> None:
    names = " and ".join(storm.__name__ for storm in storms)
    took = None
    began = real_monotonic()
    try:
        await asyncio.gather(
            *(storm(home, Random(random.random())) for storm in storms)
        )
        took = await home.becomes_true()
        await home.live(_AFTERWARDS)
        await home.is_quiet()
    except Violation as violation:
        took = None
        print(f"VIOLATION, round {number}: {names} -> {violation}", flush=True)
        home.forgive()
    tally.add(storms, took)
    print(
        f"round {number} ({real_monotonic() - began:.1f} s): {names}, {home.blocks[-1]} blocks",
        flush=True,
    )


def _told(home: House, tally: Tally, days: float) -> str:
    return (
        f"{len(home.sockets)} sockets, {days:.1f} simulated days, {tally.rounds} rounds,"
        f" {home.messages} messages, {home.commands} commands of which {home.refused}"
        f" were refused with a reason; {tally.violations} violations"
    )


def run(work: Coroutine[Any, Any, tuple[int, list[str]]]) -> tuple[int, list[str]]:
    """Run it on simulated time."""
    with asyncio.Runner(loop_factory=SimulatedTimeLoop) as runner:
        return runner.run(work)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; returns 0 where nothing was broken that must hold."""
    parser = argparse.ArgumentParser(prog="script/soak mqtt", description=__doc__)
    add = parser.add_argument
    add("--write", action="store_true", help="put the table into docs/reliability.md")
    add(
        "--runs",
        type=int,
        default=63,
        help="how many rounds, each some 40 minutes (63)",
    )
    add("--seed", type=int, default=0, help="what happens, and when (0)")
    add("--sockets", type=int, default=8, help="how many there are (8)")
    add("--flood", type=int, default=FLOOD, help=f"so many strangers at once ({FLOOD})")
    add("--name", default="", help="only what matches")
    add("--alone", action="store_true", help="never two things at once")
    add("--seconds", type=float, help="begin no further round after so long")
    options = parser.parse_args(arguments)
    logging.getLogger().addHandler(logging.NullHandler())
    storms = [item for item in STORMS if re.search(options.name, item.__name__)]
    if not storms:
        return 2
    status, table = run(
        soak(
            runs=options.runs,
            seed=options.seed,
            sockets=options.sockets,
            flood=options.flood,
            storms=storms,
            alone=options.alone,
            seconds=options.seconds,
        )
    )
    if options.write:
        said = [word for word in arguments or sys.argv[1:] if word != "--write"]
        report.write("mqtt", f"script/soak mqtt {' '.join(said)}", table)
    return status


if __name__ == "__main__":
    sys.exit(main())
