"""Make the tables and the two plots of docs/performance.md from what was measured.

``python -m script.performance`` reads benchmarks/measured, where ``script/bench … --json`` wrote.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
import re
from typing import Final

from benchmarks.results import Figure, Results

ROOT: Final = Path(__file__).parents[1]
DOCUMENT: Final = ROOT / "docs" / "performance.md"
MEASURED: Final = ROOT / "benchmarks" / "measured"
NAMES: Final = {"openbk": "this project", "mqtt_all": "mqtt all"}
SMALLER: Final = "mqtt"
"""What our share is told of, too, though no target is for it."""
PLOTS: Final = {"uart": "seconds", "home_assistant": "share of mqtt all"}
"""What the bars of each comparison's plot are long by."""
COLOURS: Final = ("#1e8449", "#d68910", "#7f8c8d")

_BLOCK: Final = re.compile(r"<!-- measured: (\w+) -->\n.*?<!-- end -->", re.DOTALL)
_WIDTH, _LEFT, _RIGHT, _BAR, _GROUP = 720, 300, 670, 14, 54


def read(bench: str) -> Results:
    """Return the last run of a comparison that was kept."""
    return Results.read(MEASURED / f"{bench}.json")


def picture(bench: str) -> Path:
    """Return where a comparison's plot lies."""
    return DOCUMENT.with_name(f"performance_{bench}.svg")


def made(text: str) -> str:
    """Return the text of the document with its tables made anew."""

    def block(match: re.Match[str]) -> str:
        bench = match[1]
        body = "\n".join(tables(read(bench)))
        return f"<!-- measured: {bench} -->\n{body}\n<!-- end -->"

    return _BLOCK.sub(block, text)


def tables(results: Results) -> Iterator[str]:
    """Yield the lines of a comparison's tables, and how busy the machine was."""
    assert results.load_after is not None
    yield (
        f"Measured {results.began[:10]} on {results.processors} processors, with a load of"
        f" {results.load_before:.1f} at the beginning and {results.load_after:.1f} at the end."
    )
    for title, rows in groupby(results.rows, key=lambda row: row.table):
        kept = [*rows]
        columns = [NAMES.get(name, name) for name in kept[0].figures]
        # Beside what we are judged by, the payload with fewer entities.
        smaller = [name for name in kept[0].figures if name == SMALLER]
        columns += [f"of {name}" for name in smaller]
        yield f"\n**{title}**\n"
        yield f"| | {' | '.join(columns)} | share | target |"
        yield f"|---|{'--:|' * (len(columns) + 2)}"
        for row in kept:
            values = [*row.figures.values()]
            values += [row.figures["openbk"] / row.figures[name] for name in smaller]
            figures = " | ".join(f"{value:.2f}" for value in values)
            yield f"| {row.row} | {figures} | {row.share:.2f} | {verdict(row)} |"


def verdict(row: Figure) -> str:
    """Return the target and whether it was met."""
    if row.target is None:
        return ""
    return f"{row.target:.2f}, {'missed' if row.missed else 'met'}"


def bars(results: Results) -> list[tuple[str, Mapping[str, float]]]:
    """Return the groups of bars of a comparison's plot: what has a target, but for processor time."""
    judged = [row for row in results.rows if row.target and ", cpu" not in row.row]
    if results.bench == "uart":
        return [
            (f"{row.row}, {row.table.rpartition(', ')[2]}", row.figures)
            for row in judged
        ]
    return [
        (
            f"{row.row.rpartition(', ')[0]} ({row.table.lower()})",
            {
                name: value / row.figures["mqtt_all"]
                for name, value in row.figures.items()
            },
        )
        for row in judged
        if ", per" not in row.row
    ]


def draw(bench: str, groups: Sequence[tuple[str, Mapping[str, float]]]) -> str:
    """Return a plot as SVG: a group of bars for each row, shorter is better."""
    height = 60 + _GROUP * len(groups)
    longest = max(value for _, figures in groups for value in figures.values())
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for index, name in enumerate(groups[0][1]):
        x = 20 + 160 * index
        body += [
            f'<rect x="{x}" y="14" width="14" height="14" fill="{COLOURS[index]}"/>',
            f'<text x="{x + 20}" y="26">{escape(NAMES.get(name, name))}</text>',
        ]
    body.append(
        f'<text x="{_WIDTH - 20}" y="26" text-anchor="end">{PLOTS[bench]}</text>'
    )
    for group, (label, figures) in enumerate(groups):
        top = 46 + _GROUP * group
        body.append(
            f'<text x="{_LEFT - 10}" y="{top + 26}" text-anchor="end">{escape(label)}</text>'
        )
        for index, value in enumerate(figures.values()):
            y = top + _BAR * index
            width = (_RIGHT - _LEFT) * value / longest
            body += [
                f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR - 2}" '
                f'fill="{COLOURS[index]}"/>',
                f'<text x="{_LEFT + width + 6:.1f}" y="{y + 10}" font-size="11">'
                f"{value:.2f}</text>",
            ]
    return "\n".join([*body, "</svg>", ""])


def main() -> None:
    """Write the document and the plots."""
    DOCUMENT.write_text(made(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    for bench in PLOTS:
        plot = draw(bench, bars(read(bench)))
        picture(bench).write_text(plot, encoding="utf-8")


if __name__ == "__main__":
    main()
