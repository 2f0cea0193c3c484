"""A whole world with a browser in it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
import json
import os
from pathlib import Path
import time
from typing import Any, Final

from playwright.async_api import Page, async_playwright
import pytest

from demo import rig
from demo.client import HomeAssistantClient

from .dialog import Dialog
from .hands import Hands
from .looks import HOME, Looks

# Where pictures of all pages go. Without it, only what is unfit is kept, in the temporary folder.
SCREENSHOTS: Final = "OPENBK_SCREENSHOTS"
# Seconds for which anything is waited for; only a failing test takes them, or a machine that is busy with others.
TIMEOUT: Final = 120
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# What turns for ever would have the browser draw it for as long as a page waits. An animation tells of its start in
# its own shadow tree only.
_CALM: Final = """{
  const calm = ({ target }) => {
    for (const each of target.getAnimations({ subtree: true }))
      if (each.effect.getComputedTiming().endTime === Infinity) each.pause();
  };
  const attach = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function (options) {
    const tree = attach.call(this, options);
    tree.addEventListener("animationstart", calm);
    return tree;
  };
  document.addEventListener("animationstart", calm);
}"""
_CHOOSE_LANGUAGE: Final = """(language) => {
  const app = document.querySelector("home-assistant");
  app.dispatchEvent(new CustomEvent("hass-language-select", { detail: language }));
}"""
_SPEAKS: Final = """(language) =>
  document.querySelector("home-assistant").hass.language === language"""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A signed-in browser before a Home Assistant, and hands on the simulated socket."""

    world: rig.World
    page: Page
    dialog: Dialog
    looks: Looks
    hands: Hands
    client: HomeAssistantClient
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What Home Assistant sent for the pages that were looked at, by the names of the pictures."""

    async def look(self, step: str, detail: str = "") -> None:
        """Wait for a page of the dialog and look at it."""
        name = f"{step}-{detail}" if detail else step
        self.seen[name] = await self.dialog.sent(step)
        await self.looks.check(name, self.dialog.root)

    async def portray(self, name: str) -> None:
        """Keep a picture of the page of the dialog for the manual."""
        await self.looks.portray(name, self.dialog.surface)

    async def speak(self, language: str) -> Dialog:
        """Choose a language as a person does in the profile, and return a dialog in it."""
        await self.page.add_init_script(_speaking(language))
        await self.page.evaluate(_CHOOSE_LANGUAGE, language)
        await self.page.wait_for_function(_SPEAKS, arg=language)
        return Dialog(self.page, language=language)


@pytest.fixture
def patience() -> float:
    """Return for how many seconds the wizard waits for a socket; a module may have less."""
    return rig.PATIENCE


@pytest.fixture
def search_patience() -> float:
    """Return for how many seconds the wizard searches for a chip; a module may have less."""
    return rig.SEARCH_PATIENCE


@pytest.fixture
async def scene(
    chromium: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    patience: float,
    search_patience: float,
) -> AsyncIterator[Scene]:
    """Start everything; nobody resets a chip unless the test does."""
    world = rig.World(
        tmp_path,
        ["--speed", "10", "--auto-reset", "3600", "--sockets", "2"],
        patience=patience,
        search_patience=search_patience,
    )
    pictures = os.environ.get(SCREENSHOTS)
    await world.start()
    try:
        address = world.home_assistant
        async with (
            Hands(world.simulator.control) as hands,
            HomeAssistantClient(address.url, address.token) as client,
            async_playwright() as playwright,
        ):
            browser = await playwright.chromium.launch(
                executable_path=chromium, headless=True, args=FLAGS
            )
            context = await browser.new_context(
                base_url=address.url,
                viewport={"width": HOME.width, "height": HOME.height},
                color_scheme="light",
                reduced_motion="reduce",
            )
            await context.add_init_script(_signed_in(address))
            await context.add_init_script(_CALM)
            page = await context.new_page()
            page.set_default_timeout(TIMEOUT * 1000)
            await _hurry(page)
            yield Scene(
                world=world,
                page=page,
                dialog=Dialog(page),
                looks=Looks(
                    page,
                    Path(pictures or tmp_path / "screenshots") / request.node.name,
                    keep_all=bool(pictures),
                ),
                hands=hands,
                client=client,
            )
            await browser.close()
    finally:
        await world.stop()


def _signed_in(address: rig.HomeAssistantAddress) -> str:
    """Return a script that leaves the tokens which the log-in page would leave."""
    tokens: dict[str, Any] = {
        "access_token": address.token,
        "token_type": "Bearer",
        "refresh_token": "",
        "expires_in": 86400,
        "expires": int(time.time() * 1000) + 86_400_000,
        "hassUrl": address.url,
        "clientId": f"{address.url}/",
        "ha_auth_provider": "homeassistant",
    }
    return (
        f"localStorage.setItem('hassTokens', JSON.stringify({json.dumps(tokens)}));"
        + _speaking("en")
    )


async def _hurry(page: Page) -> None:
    """Let dialogs, panels and colours be at once what they would become."""
    session = await page.context.new_cdp_session(page)
    await session.send("Animation.enable")
    await session.send("Animation.setPlaybackRate", {"playbackRate": 1000})


def _speaking(language: str) -> str:
    return f"localStorage.setItem('selectedLanguage', '\"{language}\"');"
