"""What must hold of everything that is shown, on every screen and in both colour schemes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from playwright.async_api import Locator, Page

from .dialog import PRETEND, SETTLED, Dialog

_FOLDER: Final = Path(__file__).parent
_AUDIT: Final = (_FOLDER / "audit.js").read_text(encoding="utf-8")
_LINES: Final = (_FOLDER / "lines.js").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """A window and a colour scheme."""

    name: str
    width: int
    height: int
    scheme: Literal["light", "dark"]


# Where everything begins, and what the pictures for the manual show.
HOME: Final = Screen(name="desktop-light", width=1280, height=900, scheme="light")
_DARK: Final = Screen(name="desktop-dark", width=1280, height=900, scheme="dark")
# For what is in doubt on the narrowest screen only.
PHONE: Final = Screen(name="phone-light", width=360, height=740, scheme="light")
_DARK_PHONE: Final = Screen(name="phone-dark", width=360, height=740, scheme="dark")
# What is left of a desktop for who needs everything twice as large.
_ZOOMED: Final = Screen(name="zoomed-light", width=640, height=450, scheme="light")
# In an order in which each differs from the one before as little as can be.
SCREENS: Final = (_DARK, HOME, _ZOOMED, PHONE, _DARK_PHONE)
# Both widths and both schemes, for pages that differ from others in their texts only.
FEW_SCREENS: Final = (_DARK, PHONE)


class UnfitPage(AssertionError):
    """A page shows something that a person must not see."""


class Looks:
    """Looks at pages on all screens, and keeps pictures of them."""

    def __init__(self, page: Page, folder: Path, *, keep_all: bool) -> None:
        """Keep pictures in ``folder``: all, or only those of what is wrong."""
        self.screens = SCREENS
        self._now = HOME
        self._page = page
        self._folder = folder
        self._keep_all = keep_all
        self._number = 0
        # What two looks found counts once.
        self._wrong: dict[str, None] = {}

    async def check(self, name: str, element: Locator) -> None:
        """Look at this element on every screen; what is wrong with it is kept.

        The dialog is driven on the last one until the next look, which begins there.
        """
        self._number += 1
        forward = self._now is not self.screens[-1]
        for screen in self.screens if forward else reversed(self.screens):
            await self._use(screen)
            found = await element.evaluate(_LOOK)
            self._note(name, screen, found["wrong"])
            if self._keep_all or found["wrong"]:
                # The picture shows what a person sees after scrolling, too.
                await self._resize(screen.width, screen.height + found["hidden"])
                await self._page.screenshot(
                    path=self._folder / f"{self._number:02}-{name}-{screen.name}.png"
                )
                await self._resize(screen.width, screen.height)

    async def leaf_through(
        self, dialog: Dialog, pages: Mapping[str, dict[str, Any]]
    ) -> None:
        """Look on a phone at pages of a dialog that are only shown, and ask the browser once for all of them.

        Those of which a picture is kept are looked at a second time.
        """
        self.screens = (PHONE,)
        await self._use(PHONE)
        shown = await dialog.step()
        wrong = await dialog.root.evaluate(_LEAF_THROUGH, pages)
        for name, page in pages.items():
            self._note(name, PHONE, wrong[name])
            if self._keep_all or wrong[name]:
                await dialog.pretend(page)
                await self.check(name, dialog.root)
        # Only what Home Assistant knows of can be closed.
        await dialog.pretend(shown)

    async def portray(self, name: str, element: Locator, height: int = 0) -> None:
        """Keep a picture of an element alone, for the manual, where pictures are kept at all.

        Of a taller one than ``height`` pixels only the upper part is shown; 0 shows all of it.
        """
        if not self._keep_all:
            return
        await self._use(HOME)
        await self._page.evaluate(SETTLED)
        box = await element.bounding_box()
        assert box is not None
        # A dialog that fits into the window does not scroll.
        await self._resize(HOME.width, max(HOME.height, int(box["height"]) * 2))
        # What the mouse rests on is highlighted.
        await self._page.mouse.move(0, 0)
        await self._page.evaluate(SETTLED)
        box = await element.bounding_box()
        assert box is not None
        await self._page.screenshot(
            path=self._folder.parent / "manual" / f"{name}.png",
            clip={
                "x": box["x"],
                "y": box["y"],
                "width": box["width"],
                "height": min(box["height"], height or box["height"]),
            },
        )
        await self._resize(HOME.width, HOME.height)

    async def check_lines(
        self, dialog: Locator, titles: list[str], choices: list[str]
    ) -> None:
        """Look, on a menu, whether all titles and choices fit into their line on a phone."""
        await self._use(PHONE)
        await self._page.evaluate(SETTLED)
        texts = {"titles": titles, "choices": choices}
        for text in await dialog.evaluate(_LINES, texts):
            self._wrong[f"too long for a line: {text}"] = None

    def judge(self) -> None:
        """Raise UnfitPage if anything was wrong: all of it at once, since a walk is long."""
        if self._wrong:
            raise UnfitPage("\n" + "\n".join(self._wrong))

    def _note(self, name: str, screen: Screen, wrong: list[str]) -> None:
        self._wrong |= dict.fromkeys(f"{name}, {screen.name}: {what}" for what in wrong)

    async def _use(self, screen: Screen) -> None:
        now, self._now = self._now, screen
        if (screen.width, screen.height) != (now.width, now.height):
            await self._resize(screen.width, screen.height)
        if screen.scheme != now.scheme:
            await self._page.emulate_media(color_scheme=screen.scheme)

    async def _resize(self, width: int, height: int) -> None:
        await self._page.set_viewport_size({"width": width, "height": height})


_LOOK: Final = f"""async (root) => {{
  await ({SETTLED})();
  return await ({_AUDIT})(root);
}}"""
_LEAF_THROUGH: Final = f"""async (root, pages) => {{
  const wrong = {{}};
  for (const [name, page] of Object.entries(pages)) {{
    await ({PRETEND})(page);
    wrong[name] = (await ({_LOOK})(root)).wrong;
  }}
  return wrong;
}}"""
