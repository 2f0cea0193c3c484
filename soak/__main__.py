"""Break things on purpose, see that nothing is lost, and count how it ended."""

import argparse
import asyncio
from collections.abc import Sequence
import subprocess
import sys

from . import campaign, fuzz, mutants, report
from .accidents import Aim
from .chips import SUBJECTS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one campaign; returns 0 where nothing was broken that must hold."""
    parser = argparse.ArgumentParser(prog="script/soak", description=__doc__)
    parser.add_argument(
        "--write", action="store_true", help="put the table into docs/reliability.md"
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    uart = kinds.add_parser("uart", help="whole jobs with faults that a seed chooses")
    uart.add_argument("--runs", type=int, default=100, help="how many (100)")
    uart.add_argument("--seed", type=int, default=0, help="of the first one (0)")
    uart.add_argument("--faults", type=int, help="in each (1, 2 or 4)")
    uart.add_argument(
        "--seconds", type=float, help="begin no further run after so long"
    )
    uart.add_argument("--verbose", action="store_true", help="tell each run")
    chosen = kinds.add_parser("directed", help="a run for each promise")
    chosen.add_argument("--name", default="", help="only those that match")
    cutting = kinds.add_parser("cuts", help="the power goes at every operation")
    cutting.add_argument("--aim", type=Aim, choices=list(Aim), help="only this job")
    cutting.add_argument("--resumed", type=int, default=0, help="run so many too (0)")
    cutting.add_argument("--seed", type=int, default=0, help="chooses which (0)")
    mutating = kinds.add_parser("mutants", help="what notices a mistake in our code")
    mutating.add_argument("--name", default="", help="only those that match")
    mutating.add_argument(
        "--seconds", type=float, help="begin no further one after so long"
    )
    fuzzing = kinds.add_parser("fuzz", help="foreign bytes into every parser")
    fuzzing.add_argument("--seconds", type=float, default=60, help="in all (60)")
    fuzzing.add_argument("--seed", type=int, default=0, help="of the inputs (0)")
    for kind in (uart, chosen, cutting):
        kind.add_argument("--chip", choices=SUBJECTS, help="only this chip")
    kinds.add_parser(
        "mqtt",
        help="simulated days of a house; `script/soak mqtt --help` says more",
        add_help=False,
    )
    options, rest = parser.parse_known_args(arguments)
    if options.kind == "mqtt":
        # Simulated time has to be there before anything that asks for the time.
        write = ["--write"] if options.write else []
        command = [sys.executable, "-m", "soak.mqtt", *write, *rest]
        return subprocess.run(command, check=False).returncode
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    chips = (options.chip,) if getattr(options, "chip", None) else None
    match options.kind:
        case "uart":
            work = campaign.soak(
                runs=options.runs,
                seed=options.seed,
                faults=options.faults,
                chips=chips,
                seconds=options.seconds,
                tell=sys.stdout if options.verbose else None,
            )
        case "directed":
            work = campaign.run_directed(options.name, chips=chips)
        case "cuts":
            work = campaign.cut_power(
                [options.aim] if options.aim else list(Aim),
                resumed=options.resumed,
                seed=options.seed,
                chips=chips,
                updates=options.aim is None,
            )
        case "fuzz":
            status, table = fuzz.soak(seconds=options.seconds, number=options.seed)
            return _finish(options, status, table, arguments)
        case _:
            work = mutants.run_mutants(options.name, seconds=options.seconds)
    status, table = asyncio.run(work)
    return _finish(options, status, table, arguments)


def _finish(
    options: argparse.Namespace,
    status: int,
    table: Sequence[str],
    arguments: Sequence[str] | None,
) -> int:
    if options.write:
        said = [word for word in arguments or sys.argv[1:] if word != "--write"]
        report.write(options.kind, f"script/soak {' '.join(said)}", table)
    return status


if __name__ == "__main__":
    sys.exit(main())
