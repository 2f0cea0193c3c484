"""Measure the wizard's pictures: contrast in both themes, and the size of letters on a phone.

Run with the development environment: ``.venv/bin/python -m artwork.check``; a test does so as well.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
import shutil
from typing import Any, Final

from playwright.async_api import async_playwright

from .render import PICTURES, SOURCES, Scheme

# WCAG 2.2: text has 4.5 (1.4.3), what else has to be seen has 3 (1.4.11).
LEAST: Final = {"text": 4.5, "line": 3.0, "area": 3.0}
# Thinner lines only decorate.
THINNEST: Final = 2.5
# Pixels that a dialog leaves a picture on a phone of 360, and a page with progress.
PHONE: Final = 312
PROGRESS: Final = {"reset_tall": 112}
# The smallest letters that somebody reads with a wire in each hand, in pixels of that phone.
SMALLEST: Final = 10.5

DRAWINGS: Final = tuple(SOURCES / f"{name}.svg" for name in PICTURES)
_SCRIPT: Final = Path(__file__).with_suffix(".js")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in one picture."""

    picture: str
    scheme: Scheme
    what: str


async def measure(
    executable: str | None, pictures: Collection[Path] = DRAWINGS
) -> AsyncIterator[Fault]:
    """Yield what is wrong in any of these pictures, in either theme."""
    script = _SCRIPT.read_text(encoding="utf-8")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox"]
        )
        for scheme in ("light", "dark"):
            context = await browser.new_context(color_scheme=scheme)
            page = await context.new_page()
            for picture in pictures:
                await page.goto(picture.as_uri())
                found: dict[str, Any] = await page.evaluate(script, THINNEST)
                for what in _faults(picture.stem, found):
                    yield Fault(picture.stem, scheme, what)
            await context.close()
        await browser.close()


def _faults(name: str, found: dict[str, Any]) -> Iterator[str]:
    for mark in found["marks"]:
        if mark["ratio"] < LEAST[mark["kind"]]:
            yield f"{mark['what']} has a contrast of {mark['ratio']:.1f}"
    scale = PROGRESS.get(name, PHONE) / found["width"]
    for text in found["texts"]:
        if text["size"] * scale < SMALLEST:
            size = text["size"] * scale
            yield f'"{text["text"]}" is {size:.1f} pixels high on a phone'
        left, top, right, bottom = text["box"]
        if min(left, top) < 0 or right > found["width"] or bottom > found["height"]:
            yield f'"{text["text"]}" leaves the picture'
    for one, other in combinations(found["texts"], 2):
        if _overlap(one["box"], other["box"]):
            yield f'"{one["text"]}" and "{other["text"]}" overlap'


def _overlap(one: list[float], other: list[float]) -> bool:
    """Return whether two boxes share more than the air above and below their letters."""
    air = 0.2 * min(one[3] - one[1], other[3] - other[1])
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return across > 0 and down > air


async def main() -> int:
    """Print what is wrong; return 0 where nothing is."""
    faults = [fault async for fault in measure(shutil.which("chromium"))]
    for fault in faults:
        print(f"{fault.picture} ({fault.scheme}): {fault.what}")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
