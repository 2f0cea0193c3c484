"""The eye of the browser tests sees what must not be there."""

from pathlib import Path

from playwright.async_api import async_playwright
import pytest

from .conftest import FLAGS
from .looks import SCREENS, Looks, UnfitPage

pytestmark = pytest.mark.browser

# One of each at which a person would stumble, some of them inside a shadow root.
FLAWS = {
    "no picture": "<img src='data:image/png;base64,AAAA'>",
    "text": "<p>Translation error: INVALID_TAG</p>",
    "{mac}": "<p>The chip with the address {mac}</p>",
    "use_own_login": "<label>use_own_login</label>",
    "**": "<p>**bold**</p>",
    "outside": "<p style='position: absolute; left: 0; width: 2000px'>Wide</p>",
    "scrolls sideways": (
        "<div style='overflow-x: auto'><table><td style='min-width: 2000px'>1</table></div>"
    ),
    "cut off": (
        "<p style='overflow: hidden; white-space: nowrap; width: 50px'>A long title</p>"
    ),
    "cannot be pressed": (
        "<ha-button style='display: block'>Next</ha-button>"
        "<div style='position: fixed; inset: 0'></div>"
    ),
}
SHADOW = """(host, html) => { host.attachShadow({ mode: "open" }).innerHTML = html; }"""


async def test_flaws_are_seen(chromium: str, tmp_path: Path) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = await browser.new_page()

        async def look_at(html: str) -> Looks:
            looks = Looks(page, tmp_path, keep_all=False)
            looks.screens = SCREENS[:1]
            await page.set_content("<main></main>")
            main = page.locator("main")
            await main.evaluate(SHADOW, html)
            await looks.check("page", main)
            return looks

        for flaw, html in FLAWS.items():
            with pytest.raises(UnfitPage) as error:
                (await look_at(html)).judge()
            assert flaw in str(error.value)
        (await look_at("<p>All is well</p><ha-button>Next</ha-button>")).judge()
        await browser.close()
    assert len(list(tmp_path.glob("*.png"))) == 1
