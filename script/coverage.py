"""Judge a coverage report: how many lines and branches of each part of the product the tests run."""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
import json
from pathlib import Path
import sys
from typing import Any, Final

_PRODUCT: Final = "custom_components/openbk/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the product and the share of its lines and branches, in per cent, that tests run."""

    name: str
    folders: tuple[str, ...]
    """Below the integration; the longest that fits a file has it."""
    floor: float


PARTS: Final = (
    Part(
        name="dialogs", folders=("flows/", "config_flow.py", "repairs.py"), floor=100.0
    ),
    Part(name="integration", folders=("",), floor=97.3),
    Part(name="library", folders=("pyopenbk/",), floor=98.0),
)


def part_of(path: str) -> Part | None:
    """Return the part to which a file belongs, None where it is none of the product's."""
    if not path.startswith(_PRODUCT):
        return None
    inside = path.removeprefix(_PRODUCT)
    fitting = (
        (len(folder), part)
        for part in PARTS
        for folder in part.folders
        if inside.startswith(folder)
    )
    return max(fitting, key=lambda item: item[0])[1]


def shares(report: Mapping[str, Any]) -> dict[str, float]:
    """Return the share of each part, in per cent, out of coverage's JSON."""
    run: dict[str, int] = {}
    all_: dict[str, int] = {}
    for path, found in report["files"].items():
        if (part := part_of(path)) is None:
            continue
        summary = found["summary"]
        run[part.name] = run.get(part.name, 0) + (
            summary["covered_lines"] + summary["covered_branches"]
        )
        all_[part.name] = all_.get(part.name, 0) + (
            summary["num_statements"] + summary["num_branches"]
        )
    return {name: 100 * run[name] / max(1, all_[name]) for name in all_}


def faults(report: Mapping[str, Any]) -> Iterator[str]:
    """Return a line for each part that is below its floor or was not measured.

    Behind one that is below stand its lines, and its ways from one line to another, that no test runs.
    """
    found = shares(report)
    for part in PARTS:
        if part.name not in found:
            yield f"{part.name}: not measured"
        elif found[part.name] < part.floor:
            yield f"{part.name}: {found[part.name]:.2f} % is less than {part.floor} %"
            yield from _gaps(report, part)


def _gaps(report: Mapping[str, Any], part: Part) -> Iterator[str]:
    for path, found in sorted(report["files"].items()):
        if part_of(path) is not part:
            continue
        missed = [
            *map(str, found["missing_lines"]),
            *(f"{start}->{end}" for start, end in found["missing_branches"]),
        ]
        if missed:
            yield f"  {path.removeprefix(_PRODUCT)}: {', '.join(missed)}"


def worst(report: Mapping[str, Any], count: int = 15) -> list[str]:
    """Return the files with the most lines and branches that no test runs."""
    missed = sorted(
        (
            found["summary"]["missing_lines"] + found["summary"]["missing_branches"],
            path.removeprefix(_PRODUCT),
        )
        for path, found in report["files"].items()
        if part_of(path) is not None
    )
    return [f"{number:5}  {path}" for number, path in missed[-count:][::-1] if number]


def main(arguments: list[str] | None = None) -> int:
    """Print the shares and what is missed most; return 1 where a part is below its floor."""
    parser = argparse.ArgumentParser(prog="script/test --coverage", description=__doc__)
    parser.add_argument("report", type=Path, help="what coverage wrote as JSON")
    report = json.loads(parser.parse_args(arguments).report.read_text(encoding="utf-8"))
    for name, share in shares(report).items():
        print(f"{name:12} {share:6.2f} %")
    print(*worst(report), sep="\n")
    found = [*faults(report)]
    print(*found, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
