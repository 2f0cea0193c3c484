"""Home Assistant's dialog of a config or options flow, as a person uses it."""

from contextlib import suppress
import json
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Locator, Page, TimeoutError, expect

from custom_components.openbk.const import DOMAIN

LANGUAGES: Final[dict[str, dict[str, Any]]] = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in (
        Path(__file__).parents[2] / f"custom_components/{DOMAIN}/translations"
    ).glob("*.json")
}
_STEPS: Final[list[dict[str, Any]]] = [
    step
    for texts in LANGUAGES.values()
    for part in (
        texts["config"],
        texts["options"],
        *(
            issue["fix_flow"]
            for issue in texts["issues"].values()
            if "fix_flow" in issue
        ),
    )
    for step in part["step"].values()
]
_DIALOG: Final = """document.querySelector("home-assistant").shadowRoot
    .querySelector("dialog-data-entry-flow")"""
# Waits for what Home Assistant sent last; the dialog has none while it is between two pages.
_UNTIL: Final = f"""([what, names]) => {{
  const dialog = {_DIALOG};
  const step = dialog?._loading ? null : dialog?._step;
  if (!step) return null;
  const has = {{
    page: [step.step_id ?? step.reason ?? step.type],
    option: Object.values(step.menu_options ?? {{}}),
    error: Object.values(step.errors ?? {{}}),
  }}[what];
  return names.some(name => has.includes(name)) && step;
}}"""
PRETEND: Final = f"""async (step) => {{
  const dialog = {_DIALOG};
  dialog._step = step;
  await dialog.updateComplete;
}}"""
# Layout and colours follow in the next frames, and dialogs slide in, most of them in a shadow tree; what turns for ever is
# left alone, and what has not ended after two seconds is no longer waited for.
SETTLED: Final = """async () => {
  const frame = () => new Promise(done => requestAnimationFrame(done));
  await frame();
  await frame();
  const trees = (root) => [root, ...[...root.querySelectorAll("*")].flatMap(each => each.shadowRoot ? trees(each.shadowRoot) : [])];
  const ending = trees(document).flatMap(tree => tree.getAnimations()).filter(each =>
    each.playState === "running" && each.effect?.getComputedTiming().endTime !== Infinity);
  const tooLong = new Promise(done => setTimeout(done, 2000));
  await Promise.race([tooLong, Promise.allSettled(ending.map(each => each.finished))]);
}"""
# To load a page takes all processes half a second, to follow a link a fifth of that.
_FOLLOW: Final = """(url) => {
  if (!document.querySelector("home-assistant")?.hass || history.state?.dialog) return false;
  history.pushState(null, "", url);
  window.dispatchEvent(new CustomEvent("location-changed", { detail: { replace: false } }));
  return true;
}"""
# Milliseconds between two looks at a page that is waited for: to look in each frame would have the browser draw it.
_POLLING: Final = 50
_TURNS: Final = 3
# Seconds that a page may take to show what is looked for on a busy machine.
_TURN: Final = 40
# Seconds within which a busy page takes a dialog out of its history, if it does.
_HISTORY_TURN: Final = 20
# What of a page tells which one it is.
_TELLING: Final = ("type", "step_id", "reason", "errors", "menu_options")


async def go(page: Page, url: str) -> None:
    """Go to a page of Home Assistant as its own links do; load it where none is there, or a dialog is open."""
    if not await page.evaluate(_FOLLOW, url):
        await page.goto(url)


async def load(
    page: Page, url: str, shown: Locator, *, press: Locator | None = None
) -> None:
    """Go to a page, and press a button, until something is shown: again where a busy page lost that."""
    for turn in reversed(range(_TURNS)):
        if turn == _TURNS - 1:
            await go(page, url)
        else:
            await page.goto(url)
        try:
            if press is not None:
                await press.click()
            await shown.wait_for(timeout=_TURN * 1000)
            break
        except TimeoutError:
            if not turn:
                raise


async def gone(page: Page, dialog: Locator) -> None:
    """Wait until a dialog of any kind is away, and the page is as it was without it.

    Where one dialog follows another, a busy page may forget to take the first one's entry out of its history. That
    stays then, and is no reason to wait on: whoever goes to another page loads it (see `go`).
    """
    await dialog.wait_for(state="hidden")
    with suppress(TimeoutError):
        await page.wait_for_function(
            "!history.state?.dialog", timeout=_HISTORY_TURN * 1000
        )


class Dialog:
    """The one dialog that is open."""

    titles: Final = sorted({step["title"] for step in _STEPS})
    choices: Final = sorted(
        {choice for step in _STEPS for choice in step.get("menu_options", {}).values()}
    )

    def __init__(
        self, page: Page, kind: str = "config", *, language: str = "en"
    ) -> None:
        """Drive the dialog on a page; its texts are those under ``kind``."""
        self._page = page
        self._texts = LANGUAGES[language][kind]["step"]
        self.root = page.locator("dialog-data-entry-flow")
        self.surface = self.root.locator("dialog")

    async def open(self) -> None:
        """Ask to add the integration, and agree."""
        # Where sockets were discovered, these are offered first.
        another = self._page.get_by_text("Set up another instance")
        first = another.or_(self.root.locator("ha-list-item").first)
        add = f"/config/integrations/dashboard/add?domain={DOMAIN}"
        agree = self._page.locator("dialog-box").get_by_role("button", name="OK")
        await load(self._page, add, first, press=agree)
        if await another.is_visible():
            await another.click()

    async def shows(self, *pages: str) -> str:
        """Wait until one of these pages is shown, and return its step.

        A page is called as its step, as the reason of an abort, or ``create_entry``.
        """
        return _name(await self._until("page", *pages))

    async def sent(self, page: str) -> dict[str, Any]:
        """Wait until this page is shown, and return what Home Assistant sent for it."""
        return await self._until("page", page)

    async def refuses(self, error: str) -> None:
        """Wait until this form says so."""
        await self._until("error", error)

    async def says(self, text: str) -> None:
        """Wait until this is to be read on the page."""
        await self.root.get_by_text(text).first.wait_for()

    async def press(self) -> None:
        """Press the button of this page."""
        await self.root.locator("ha-dialog-footer ha-button").last.click()

    async def choose(self, option: str) -> None:
        """Choose from a menu."""
        step = await self._until("option", option)
        label = self._texts[_name(step)]["menu_options"][option]
        entries = self.root.locator("ha-list-item")
        await entries.filter(has=self._page.get_by_text(label, exact=True)).click()

    async def fill(self, **values: str) -> None:
        """Type into the text fields with these names."""
        for name, value in values.items():
            field = self.root.locator(f"input[name={name}], textarea[name={name}]")
            await field.first.fill(value)

    async def fill_number(self, label: str, value: int) -> None:
        """Type into a number field, which has no name."""
        await self.root.get_by_role("spinbutton", name=label).fill(str(value))

    async def switch(self, label: str) -> None:
        """Turn a switch over; its label begins like this."""
        field = self.root.locator("ha-selector-boolean", has_text=label)
        await field.locator("ha-switch").click()

    async def tick(self, label: str) -> None:
        """Click on one of several options that are all in sight."""
        await self.root.get_by_text(label).click()

    async def pick(self, label: str, option: str) -> None:
        """Choose from a list that opens."""
        await self.root.get_by_role("button", name=label).click()
        await self.root.get_by_role("menuitem", name=option).click()

    async def close(self) -> None:
        """Press the cross."""
        await self.root.locator("[data-dialog=close]").first.click()
        await self.gone()

    async def gone(self) -> None:
        """Wait until the dialog is away, and the page is as it was without it."""
        await gone(self._page, self.root)

    async def type_port(self, path: str) -> None:
        """Enter the path of a serial port by hand."""
        field = self.root.locator("ha-selector-serial_port")
        await field.get_by_role("button").first.click()
        await field.get_by_role("option").filter(has_text="Enter manually").click()
        await field.locator("ha-input input").fill(path)

    async def upload(self, file: Path) -> None:
        """Choose a file and wait until it has arrived."""
        field = self.root.locator("ha-selector-file").first
        await field.locator("input[type=file]").set_input_files(file)
        # While it is on its way the field names it, too, in a longer text.
        await field.get_by_text(file.name, exact=True).wait_for()

    async def unfold(self, index: int = 0) -> None:
        """Open a section, if it is not, and wait: a button below would move away from under the pointer."""
        panel = self.root.locator("ha-expansion-panel").nth(index)
        if not await panel.evaluate("panel => panel.expanded"):
            await panel.click()
            timeout = _TURN * 1000
            await expect(panel).to_have_js_property("expanded", True, timeout=timeout)
            await panel.evaluate(SETTLED)

    async def step(self) -> dict[str, Any]:
        """Return what Home Assistant sent for the page that is shown."""
        step: dict[str, Any] = await self._page.evaluate(f"{_DIALOG}?._step")
        return step

    async def pretend(self, step: dict[str, Any]) -> None:
        """Show a page as if Home Assistant had sent it."""
        await self._page.evaluate(PRETEND, step)

    async def _until(self, what: str, *names: str) -> dict[str, Any]:
        try:
            found = await self._page.wait_for_function(
                _UNTIL, arg=[what, names], polling=_POLLING
            )
        except TimeoutError:
            step = await self.step() or {}
            seen = {key: step[key] for key in _TELLING if key in step}
            raise AssertionError(f"no {what} {names}, but {seen}") from None
        step = await found.json_value()
        return step


def _name(step: dict[str, Any]) -> str:
    name: str = step.get("step_id") or step["type"]
    return name
