"""Simulated days of a house of sockets with what a seed lets happen to it; the table is printed as they go."""

from .house import QUIET, House, house  # isort: skip

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
import warnings

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
    sockets: int = 0
    days: float = 0.0
    messages: int = 0
    commands: int = 0
    refused: int = 0

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
        rows.append("")
        rows.append(
            f"{self.sockets} sockets, {self.days:.1f} simulated days, {self.rounds} rounds,"
            f" {self.messages} messages, {self.commands} commands of which {self.refused}"
            f" were refused with a reason; {self.violations} violations"
        )
        return rows

    def count(self, home: House, seconds: float) -> None:
        """Add what happened in a house since it was counted last."""
        self.sockets = len(home.sockets)
        self.days += seconds / _DAY
        self.messages += home.messages
        self.commands += home.commands
        self.refused += home.refused
        home.messages = home.commands = home.refused = 0


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
    tally: Tally,
    *,
    runs: int,
    seed: int,
    sockets: int,
    flood: int = FLOOD,
    quiet: float = QUIET,
    storms: Sequence[Storm] = STORMS,
    alone: bool = False,
    seconds: float | None = None,
) -> None:
    """Live through so many rounds in a house of its own.

    ``flood`` is how many strangers speak at once, ``quiet`` for how many simulated seconds nothing
    happens at the end of a round, ``storms`` what may happen, each ``alone`` or two at once. No round
    begins after so many ``seconds``.
    """
    began = printed = real_monotonic()
    async with house(f"{seed}") as home:
        home.flood, home.quiet = flood, quiet
        start = time.monotonic()
        await home.move_in(sockets)
        await home.is_quiet(len(storms))
        for number in range(runs):
            drawn = draw(seed, number, storms, alone=alone)
            await _round(home, drawn, tally, f"{seed} {number}", len(storms))
            before, start = start, time.monotonic()
            tally.count(home, start - before)
            now = real_monotonic()
            if now - printed > _INTERVAL:
                printed = now
                print(*tally.table(), sep="\n", flush=True)
            if seconds is not None and now - began > seconds:
                break


async def _round(
    home: House, storms: list[Storm], tally: Tally, seed: str, warm: int
) -> None:
    names = " and ".join(storm.__name__ for storm in storms)
    number, took = tally.rounds, None
    began = real_monotonic()
    try:
        await _happen(home, storms, seed)
        after = await home.becomes_true()
        await home.live(_AFTERWARDS)
        await home.is_quiet(warm)
        took = after
    except Violation as violation:
        print(f"VIOLATION, round {number}: {names} -> {violation}", flush=True)
        home.forgive()
    except Exception as err:  # noqa: BLE001 - every kind is a finding
        told = f"{type(err).__name__}: {err}"
        print(f"VIOLATION, round {number}: {names} -> {told}", flush=True)
        home.forgive()
    tally.add(storms, took)
    print(
        f"round {number} ({real_monotonic() - began:.1f} s): {names}, {home.blocks[-1]} blocks",
        flush=True,
    )


async def _happen(home: House, storms: list[Storm], seed: str) -> None:
    """Let things happen at once; each goes to its end, whatever is found by another."""
    ends = await asyncio.gather(
        *(storm(home, Random(f"{seed} {storm.__name__}")) for storm in storms),
        return_exceptions=True,
    )
    for end in ends:
        if end is not None:
            raise end


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run it on simulated time."""
    with asyncio.Runner(loop_factory=SimulatedTimeLoop) as runner:
        runner.run(work)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; returns 0 where nothing was broken that must hold."""
    parser = argparse.ArgumentParser(prog="script/soak mqtt", description=__doc__)
    add = parser.add_argument
    add("--write", action="store_true", help="put the table into docs/reliability.md")
    add(
        "--runs",
        type=int,
        default=63,
        help="how many rounds, each some 40 minutes, for each seed (63)",
    )
    add(
        "--seed",
        type=int,
        nargs="+",
        default=[0],
        help="what happens, and when (0); several: each in a house of its own",
    )
    add("--sockets", type=int, default=8, help="how many there are (8)")
    add("--flood", type=int, default=FLOOD, help=f"so many strangers at once ({FLOOD})")
    add("--name", default="", help="only what matches")
    add("--alone", action="store_true", help="never two things at once")
    add("--seconds", type=float, help="begin no further round of a seed after so long")
    options = parser.parse_args(arguments)
    logging.getLogger().addHandler(logging.NullHandler())
    # Home Assistant looks for its network, and finds that none but loopback is allowed.
    warnings.filterwarnings("ignore", module="pytest_socket")
    storms = [item for item in STORMS if re.search(options.name, item.__name__)]
    if not storms:
        return 2
    tally = Tally()
    for seed in options.seed:
        print(f"seed {seed}", flush=True)
        run(
            soak(
                tally,
                runs=options.runs,
                seed=seed,
                sockets=options.sockets,
                flood=options.flood,
                storms=storms,
                alone=options.alone,
                seconds=options.seconds,
            )
        )
    print(*tally.table(), sep="\n", flush=True)
    if options.write:
        said = [word for word in arguments or sys.argv[1:] if word != "--write"]
        report.write("mqtt", f"script/soak mqtt {' '.join(said)}", tally.table())
    return 1 if tally.violations or not tally.rounds else 0


if __name__ == "__main__":
    sys.exit(main())
