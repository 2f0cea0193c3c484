"""Home Assistant's dialog of a config or options flow, as a person uses it."""

import json
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Locator, Page

from custom_components.openbk.const import DOMAIN

_ENGLISH: Final[dict[str, Any]] = json.loads(
    (
        Path(__file__).parents[2] / f"custom_components/{DOMAIN}/translations/en.json"
    ).read_text(encoding="utf-8")
)
# What the dialog shows now; None while it is between two pages.
_STEP: Final = "dialog => dialog._loading ? null : dialog._step && {...dialog._step, data_schema: null}"
_SHOWS: Final = """(names) => {
  const dialog = document.querySelector("home-assistant").shadowRoot
    .querySelector("dialog-data-entry-flow");
  const step = dialog?._loading ? null : dialog?._step;
  return step && names.includes(step.step_id ?? step.reason ?? step.type);
}"""

_REFUSES: Final = """(error) => {
  const dialog = document.querySelector("home-assistant").shadowRoot
    .querySelector("dialog-data-entry-flow");
  return !dialog._loading && Object.values(dialog._step.errors ?? {}).includes(error);
}"""


class Dialog:
    """The one dialog that is open."""

    def __init__(self, page: Page, kind: str = "config") -> None:
        """Drive the dialog on a page; its texts are those under ``kind``."""
        self._page = page
        self._texts = _ENGLISH[kind]["step"]
        self.root = page.locator("dialog-data-entry-flow")

    async def open(self) -> None:
        """Ask to add the integration, and agree."""
        await self._page.goto(f"/config/integrations/dashboard/add?domain={DOMAIN}")
        await (
            self._page.locator("dialog-box").get_by_role("button", name="OK").click()
        )

    async def shows(self, *names: str, seconds: float = 30) -> str:
        """Wait until one of these pages is shown and return its name.

        A page is called as its step, as the reason of an abort, or ``create_entry``.
        """
        await self._page.wait_for_function(
            _SHOWS, arg=list(names), timeout=seconds * 1000
        )
        step = await self.step()
        return str(step.get("step_id") or step.get("reason") or step["type"])

    async def step(self) -> dict[str, Any]:
        """Return what Home Assistant sent for this page."""
        step: dict[str, Any] = await self.root.evaluate(_STEP)
        return step

    async def refuses(self, error: str) -> None:
        """Wait until this form says so."""
        await self._page.wait_for_function(_REFUSES, arg=error)

    async def press(self) -> None:
        """Press the button of this page."""
        await self.root.locator("ha-dialog-footer ha-button").last.click()

    async def choose(self, option: str) -> None:
        """Choose from a menu."""
        step = (await self.step())["step_id"]
        await self._menu_entry(self._texts[step]["menu_options"][option]).click()

    async def fill(self, **values: str) -> None:
        """Type into the text fields with these names."""
        for name, value in values.items():
            await self.root.locator(f"input[name={name}]").first.fill(value)

    async def fill_number(self, label: str, value: int) -> None:
        """Type into a number field, which has no name."""
        await self.root.get_by_role("spinbutton", name=label).fill(str(value))

    async def type_port(self, path: str) -> None:
        """Enter the path of a serial port by hand."""
        field = self.root.locator("ha-selector-serial_port")
        await field.get_by_role("button").first.click()
        await (
            field.get_by_role("option").filter(has_text="Enter manually").click()
        )
        await field.locator("ha-input input").fill(path)

    async def upload(self, file: Path) -> None:
        """Choose a file and wait until it has arrived."""
        field = self.root.locator("ha-selector-file").first
        await field.locator("input[type=file]").set_input_files(file)
        await field.get_by_text(file.name).wait_for()

    async def unfold(self, index: int = 0) -> None:
        """Open a section."""
        await self.root.locator("ha-expansion-panel").nth(index).click()

    def _menu_entry(self, label: str) -> Locator:
        return (
            self.root.locator("ha-list-item")
            .filter(has=self._page.get_by_text(label, exact=True))
            .first
        )
