"""Render the wizard's pictures and the brand images from their SVG sources.

Run with the development environment: ``.venv/bin/python artwork/render.py``.
"""

import asyncio
import hashlib
from pathlib import Path
import shutil
import struct
from typing import Final, Literal
import zlib

from playwright.async_api import Browser, async_playwright

SOURCES: Final = Path(__file__).parent
INTEGRATION: Final = SOURCES.parent / "custom_components" / "openbk"
PICTURES: Final = (
    "safety",
    "opening",
    "pads",
    "pads_3s",
    "wiring",
    "ways_in",
    "reset",
    "reset_tall",
    "reassemble",
)
# Pixels for each of a picture's units: phones have at least two for each of theirs.
SCALE: Final = 2

# The name of the text in a picture that says what it was drawn from.
DIGEST: Final = b"Source"

type Scheme = Literal["light", "dark"]


def digest(source: str) -> bytes:
    """Return what tells whether a picture was drawn from its source and style as they are now."""
    found = hashlib.sha256()
    for name in (f"{source}.svg", "style.css"):
        found.update((SOURCES / name).read_bytes())
    return found.hexdigest().encode()


def with_text(png: bytes, name: bytes, value: bytes) -> bytes:
    """Return a PNG with a text chunk before its end (PNG specification, 11.3.4.3)."""
    body = b"tEXt" + name + b"\0" + value
    chunk = (
        struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    )
    end = png.rindex(b"IEND") - 4
    return png[:end] + chunk + png[end:]


async def render(
    browser: Browser, source: str, target: Path, scheme: Scheme, scale: int = 1
) -> None:
    """Draw one SVG file in one colour scheme, ``scale`` pixels for each of its units."""
    context = await browser.new_context(color_scheme=scheme, device_scale_factor=scale)
    page = await context.new_page()
    await page.goto((SOURCES / f"{source}.svg").as_uri())
    png = await page.locator("svg").screenshot(omit_background=True)
    target.write_bytes(with_text(png, DIGEST, digest(source)))
    await context.close()


async def main() -> None:
    """Render everything."""
    images = INTEGRATION / "images"
    brand = INTEGRATION / "brand"
    images.mkdir(exist_ok=True)
    brand.mkdir(exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for name in PICTURES:
            await render(browser, name, images / f"{name}.png", "light", SCALE)
            await render(browser, name, images / f"{name}_dark.png", "dark", SCALE)
        for suffix, scale in (("", 1), ("@2x", 2)):
            await render(browser, "icon", brand / f"icon{suffix}.png", "light", scale)
            await render(browser, "logo", brand / f"logo{suffix}.png", "light", scale)
            await render(
                browser, "logo", brand / f"dark_logo{suffix}.png", "dark", scale
            )
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
