"""Whether we became slower: measures, and fails where a share is above what was accepted.

With files that ``--json`` wrote, judges those and measures nothing.
"""

import argparse
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
import subprocess
import sys
import tempfile
from typing import Final

from .results import Accepted, Results, read_accepted, worse

ROOT: Final = Path(__file__).parents[1]
MEASURED: Final = {
    "uart": ("--baud", "2000000"),
    "home_assistant": ("--sockets", "100", "--runs", "3"),
    "job": (),
}
"""What is measured where no file is given: the rows that targets are for."""


def measure(folder: Path, benches: Iterable[str]) -> Iterator[Path]:
    """Run comparisons, which print their tables; yield what each wrote."""
    for bench in benches:
        options = MEASURED[bench]
        file = folder / f"{bench}.json"
        command = [sys.executable, "-m", f"benchmarks.{bench}", *options]
        # The exit status also tells of missed targets, which are not what is judged here.
        subprocess.run([*command, "--json", str(file)], cwd=ROOT, check=False)
        if not file.exists():
            sys.exit(f"{bench} did not come to an end")
        yield file


def judge(
    files: Iterable[Path], accepted: Mapping[str, Mapping[str, Accepted]]
) -> list[str]:
    """Return what is worse than accepted in any of the files."""
    found = []
    for file in files:
        results = Results.read(file)
        if not (wanted := accepted.get(results.bench)):
            found.append(f"{results.bench}, nothing of it was accepted")
            continue
        found += [f"{results.bench}, {why}" for why in worse(results.rows, wanted)]
    return found


def main() -> int:
    """Judge; the exit status tells whether anything became slower."""
    parser = argparse.ArgumentParser(prog="script/bench --check", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="openbk-bench-") as folder:
        accepted = read_accepted()
        files = options.files or measure(Path(folder), accepted)
        found = judge(files, accepted)
    print("\n".join(found) or "Nothing is slower than accepted.")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
