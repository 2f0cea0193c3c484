"""Break things on purpose, see that nothing is lost, and count how it ended."""

import argparse
import asyncio
from collections.abc import Sequence
import sys

from . import campaign


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one campaign; returns 0 where nothing was broken that must hold."""
    parser = argparse.ArgumentParser(prog="script/soak", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    uart = kinds.add_parser("uart", help="whole jobs with faults that a seed chooses")
    uart.add_argument("--runs", type=int, default=100, help="how many (100)")
    uart.add_argument("--seed", type=int, default=0, help="of the first one (0)")
    uart.add_argument("--faults", type=int, help="in each (1, 2 or 4)")
    uart.add_argument("--chip", help="only this chip")
    uart.add_argument(
        "--seconds", type=float, help="begin no further run after so long"
    )
    uart.add_argument("--verbose", action="store_true", help="tell each run")
    options = parser.parse_args(arguments)
    return asyncio.run(
        campaign.soak(
            runs=options.runs,
            seed=options.seed,
            faults=options.faults,
            chips=(options.chip,) if options.chip else None,
            seconds=options.seconds,
            tell=sys.stdout if options.verbose else None,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
