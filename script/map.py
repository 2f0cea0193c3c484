"""Draw the rooms of the code, the floors they stand on and which of them import which."""

import argparse
import ast
from collections.abc import Iterator, Mapping
from functools import cache
from html import escape
from pathlib import Path
import sys
from typing import Final

ROOT: Final = Path(__file__).parent.parent
DRAWING: Final = ROOT / "docs" / "map.svg"

INTEGRATION: Final = "custom_components/openbk"
FOLDERS: Final = (INTEGRATION, "simulator", "contract", "demo")

# The root of the integration is two rooms: what Home Assistant looks for stands on top of all
# others, what all of them may use below them.
PLATFORMS: Final = "platforms"
SHARED: Final = "const, helpers"
_OF_ALL: Final = frozenset({"const", "helpers"})

_BOX_WIDTH: Final = 150
_BOX_HEIGHT: Final = 44
_GAP: Final = 26
_FLOOR: Final = 104
_MARGIN: Final = 24

type Graph = Mapping[str, frozenset[str]]
"""What each room imports from."""

_STYLE: Final = """
  text { font: 13px system-ui, sans-serif; text-anchor: middle; fill: #1c1c1c }
  rect { fill: #f4f6f8; stroke: #7a8794; rx: 6px }
  path { fill: none; stroke: #7a8794; stroke-width: 1.3 }
  path.beside { stroke-dasharray: 4 3 }
  marker path { fill: #7a8794; stroke: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #eee }
    rect { fill: #22272e; stroke: #768390 } path { stroke: #768390 }
    marker path { fill: #768390 }
  }
"""


def modules() -> dict[str, Path]:
    """Return every module's file by its dotted name."""
    found = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[: -1 if parts[-1] == "__init__" else None])] = path
    return found


def room_of(path: Path) -> str:
    """Return the room in which a file lies: its folder, as people call it."""
    folder = str(path.parent.relative_to(ROOT))
    if folder == INTEGRATION:
        return SHARED if path.stem in _OF_ALL else PLATFORMS
    return folder.removeprefix(f"{INTEGRATION}/")


@cache
def rooms() -> Graph:
    """Return the rooms that each room imports from."""
    known = modules()
    needs: dict[str, set[str]] = {}
    for name, path in known.items():
        needs.setdefault(room_of(path), set()).update(
            room_of(known[other]) for other in _imports(name, path, known)
        )
    return {room: frozenset(needs[room] - {room}) for room in needs}


def _imports(name: str, path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    package = name.split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        candidates: list[str] = []
        if isinstance(node, ast.Import):
            candidates = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            candidates = [
                full if (full := f"{module}.{alias.name}") in known else module
                for alias in node.names
            ]
        yield from (candidate for candidate in candidates if candidate in known)


def reachable(needs: Graph) -> dict[str, frozenset[str]]:
    """Return all rooms that each room needs, through others too."""
    found: dict[str, frozenset[str]] = {}
    for room in needs:
        seen: set[str] = set()
        waiting = list(needs[room])
        while waiting:
            if (other := waiting.pop()) not in seen:
                seen.add(other)
                waiting.extend(needs[other])
        found[room] = frozenset(seen)
    return found


def floors(needs: Graph) -> list[list[str]]:
    """Return the rooms of each floor, the lowest first; rooms that need each other share one."""
    below = reachable(needs)
    height: dict[str, int] = {}

    def height_of(room: str) -> int:
        if room not in height:
            lower = [other for other in below[room] if room not in below[other]]
            height[room] = 1 + max(map(height_of, lower), default=-1)
        return height[room]

    return [
        sorted(room for room in needs if height_of(room) == floor)
        for floor in range(1 + max(map(height_of, needs)))
    ]


def arrows(needs: Graph) -> Iterator[tuple[str, str]]:
    """Yield what imports what, without the arrows that follow from two others."""
    below = reachable(needs)
    for room, others in sorted(needs.items()):
        for other in sorted(others):
            # Of rooms that need each other none stands between.
            if not any(
                other in below[between]
                and between not in below[other]
                and room not in below[between]
                for between in others - {other}
            ):
                yield room, other


def draw() -> str:
    """Return the drawing as SVG."""
    needs = rooms()
    stories = floors(needs)
    widest = max(map(len, stories))
    width = 2 * _MARGIN + widest * (_BOX_WIDTH + _GAP) - _GAP
    height = 2 * _MARGIN + len(stories) * _FLOOR - (_FLOOR - _BOX_HEIGHT)
    place: dict[str, tuple[float, int]] = {}
    for floor, story in enumerate(stories):
        start = width / 2 - (len(story) * (_BOX_WIDTH + _GAP) - _GAP) / 2
        for column, room in enumerate(story):
            top = height - _MARGIN - _BOX_HEIGHT - floor * _FLOOR
            place[room] = (start + column * (_BOX_WIDTH + _GAP), top)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            'role="img" aria-label="The rooms of the code: arrows lead to what is imported">',
            f"<style>{_STYLE}</style>",
            '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker>',
            *(_arrow(place[room], place[other]) for room, other in arrows(needs)),
            *(_box(room, *place[room]) for room in sorted(place)),
            "</svg>",
            "",
        ]
    )


def _arrow(start: tuple[float, int], end: tuple[float, int]) -> str:
    middle = _BOX_WIDTH / 2
    if start[1] == end[1]:  # Rooms of one floor need each other: over the top.
        a, b, top = start[0] + middle, end[0] + middle, start[1]
        return (
            f'<path class="beside" marker-end="url(#head)" d="M{a:g} {top}'
            f'C{a:g} {top - 34} {b:g} {top - 34} {b:g} {top}"/>'
        )
    a, b = start[0] + middle, end[0] + middle
    top, bottom = start[1] + _BOX_HEIGHT, end[1]
    half = (top + bottom) / 2
    return (
        f'<path marker-end="url(#head)" d="M{a:g} {top}'
        f'C{a:g} {half:g} {b:g} {half:g} {b:g} {bottom}"/>'
    )


def _box(room: str, left: float, top: int) -> str:
    middle = left + _BOX_WIDTH / 2
    return (
        f'<rect x="{left:g}" y="{top}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}"/>'
        f'<text x="{middle:g}" y="{top + 27}">{escape(room)}</text>'
    )


def main(arguments: list[str] | None = None) -> int:
    """Draw the map, or with ``--check`` return 1 where the one in docs is of an older tree."""
    parser = argparse.ArgumentParser(prog="script/map", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    drawing = draw()
    if not parser.parse_args(arguments).check:
        DRAWING.write_text(drawing, encoding="utf-8")
        return 0
    if DRAWING.exists() and DRAWING.read_text(encoding="utf-8") == drawing:
        return 0
    print(f"{DRAWING.relative_to(ROOT)} is of an older tree: run script/map")
    return 1


if __name__ == "__main__":
    sys.exit(main())
