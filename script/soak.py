"""Run whole flashing jobs with faults that a seed chooses, and count how they end."""

import argparse
import asyncio
from collections import Counter
from pathlib import Path
import tempfile
from typing import Final

from tests.pyopenbk.flashing.scenario import run_seed

# A scenario takes some seconds; one that hangs is a finding.
LONGEST: Final = 120.0


async def main() -> int:
    """Return 0 where every scenario ended honestly."""
    parser = argparse.ArgumentParser(prog="script/soak", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many (100)")
    parser.add_argument("--first", type=int, default=0, help="the first one (0)")
    parser.add_argument("--faults", type=int, default=2, help="in each (2)")
    options = parser.parse_args()
    ends: Counter[str] = Counter()
    wrong = 0
    for seed in range(options.first, options.first + options.seeds):
        with tempfile.TemporaryDirectory(prefix="openbk-soak-") as folder:
            try:
                async with asyncio.timeout(LONGEST):
                    end = await run_seed(seed, Path(folder), faults=options.faults)
            except Exception as err:  # noqa: BLE001 - every kind is a finding
                wrong += 1
                print(f"seed {seed}: {type(err).__name__}: {err}", flush=True)
            else:
                ends[end] += 1
    for end, count in ends.most_common():
        print(f"{count:6}  {end}")
    print(f"{sum(ends.values())} passed, {wrong} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
