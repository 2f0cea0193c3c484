"""Make the tables in docs/devices.md from the tables of chips, meters, features and models."""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
import re
import sys
from typing import Final

from custom_components.openbk.pyopenbk.beken.chips import CHIPS, Chip
from custom_components.openbk.pyopenbk.devices import KNOWN_DEVICES
from custom_components.openbk.pyopenbk.features import FEATURES, Need
from custom_components.openbk.pyopenbk.meters import METERS, Meter

DOCUMENT: Final = Path(__file__).parent.parent / "docs" / "devices.md"

_PART: Final = re.compile(
    r"(<!-- script/devices: (?P<name>\w+) -->\n).*?(<!-- end -->)", re.DOTALL
)
_YES: Final = "✓"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _features() -> str:
    rows = (
        [feature.name, "; ".join(need.value for need in Need if need in feature.needs)]
        for feature in FEATURES
    )
    return _table(["feature", "works where"], rows)


def _chips() -> str:
    def row(chips: Sequence[Chip]) -> list[str]:
        names = ", ".join(
            chip.name
            + (
                f" ({', '.join(f'{start}…' for start in chip.modules)})"
                if chip.modules
                else ""
            )
            for chip in chips
        )
        return [names, *(_YES if it.works_on(chips[0]) else "" for it in FEATURES)]

    alike: dict[tuple[bool, ...], list[Chip]] = {}
    for chip in CHIPS.values():
        alike.setdefault(tuple(it.works_on(chip) for it in FEATURES), []).append(chip)
    return _table(
        ["chip (modules)", *(feature.short for feature in FEATURES)],
        map(row, alike.values()),
    )


def _meters() -> str:
    def row(meter: Meter) -> list[str]:
        return [
            meter.name,
            f"serial line, {meter.baud} baud"
            if meter.is_serial
            else "pins CF, CF1, SEL",
            "divisors" if meter.divides else "factors",
            _YES if meter.has_frequency else "",
            ", ".join(_SOURCES[meter.name]),
        ]

    return _table(
        ["meter", "where it is", "the socket's own gain", "frequency", "known by"],
        map(row, METERS.values()),
    )


_SOURCES: Final = {
    "BL0937": ("its pins",),
    "BL0942": (
        "`chip_type` 3 in factory data",
        "`startDriver BL0942` in a template or start-up command",
        "the driver that runs",
        "the frequency that it publishes",
    ),
    "CSE7766": (
        "`chip_type` 2 in factory data (HLW8032)",
        "`startDriver CSE7766`",
        "the driver that runs",
    ),
}


def _models() -> str:
    rows = (
        [device.title, device.profile.module or "", str(len(device.profile.relays))]
        for device in KNOWN_DEVICES.values()
    )
    return _table(["model", "module", "relays"], rows)


PARTS: Final[dict[str, Callable[[], str]]] = {
    "features": _features,
    "chips": _chips,
    "meters": _meters,
    "models": _models,
}


def made(text: str) -> str:
    """Return the document with its tables as the code has them; raises KeyError for no such one."""
    return _PART.sub(lambda part: f"{part[1]}{PARTS[part['name']]()}{part[3]}", text)


def missing(text: str) -> Iterator[str]:
    """Return the tables that have no place in the document."""
    names = {part["name"] for part in _PART.finditer(text)}
    yield from (name for name in PARTS if name not in names)


def main() -> int:
    """Write the tables, or say whether they are current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    arguments = parser.parse_args()
    before = DOCUMENT.read_text(encoding="utf-8")
    after = made(before)
    if arguments.check:
        return int(after != before)
    DOCUMENT.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
