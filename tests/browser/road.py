"""Ways that several walks have in common, taken without looking."""

import asyncio
from contextlib import suppress

from playwright.async_api import Locator

from custom_components.openbk.const import DOMAIN

from .conftest import Scene
from .dialog import LANGUAGES, Dialog, load
from .hands import Hands


async def find_chip(dialog: Dialog, hands: Hands, *pages: str) -> None:
    """Wait for one of the pages that follow the search once the chip is started.

    Where its moment passed unheard, as on a machine that is busy with others, start it again.
    """
    while await dialog.shows("seen_nothing", *pages) == "seen_nothing":
        await dialog.choose("search")
        await dialog.shows("search")
        await hands.reset()


async def switch_on(scene: Scene) -> None:
    """Close the relay."""
    entities = await scene.client.command("config/entity_registry/list")
    relay = next(
        entity["entity_id"]
        for entity in entities
        if entity["platform"] == DOMAIN and "_relay_" in entity["unique_id"]
    )
    async with asyncio.timeout(120):
        while await scene.client.state(relay) not in {"on", "off"}:
            await asyncio.sleep(0.2)
        await scene.client.call("switch", "turn_on", entity_id=relay)
        while await scene.client.state(relay) != "on":
            await asyncio.sleep(0.2)


async def reads_at_least(scene: Scene, quantity: str, value: float) -> None:
    """Wait until the socket is shown to read so much of a quantity."""
    entities = await scene.client.command("config/entity_registry/list")
    sensor = next(
        entity["entity_id"]
        for entity in entities
        if entity["platform"] == DOMAIN and entity["translation_key"] == quantity
    )
    async with asyncio.timeout(120):
        while True:
            with suppress(ValueError):
                if float(await scene.client.state(sensor)) >= value:
                    return
            await asyncio.sleep(0.2)


async def open_options(scene: Scene) -> None:
    """Press the cogwheel of the socket that is set up."""
    row = await _row_of_the_socket(scene)
    await row.locator("ha-icon-button[slot=end]").first.click()


async def open_reconfiguring(scene: Scene) -> None:
    """Choose to reconfigure the socket that is set up."""
    row = await _row_of_the_socket(scene)
    await row.locator("ha-dropdown").first.click()
    await row.get_by_role("menuitem", name="Reconfigure").click()


async def _row_of_the_socket(scene: Scene) -> Locator:
    """Go to the page of the integration, if it is not there."""
    row = scene.page.locator("ha-config-entry-row")
    page = f"/config/integrations/integration/{DOMAIN}"
    if not (scene.page.url.endswith(page) and await row.first.is_visible()):
        await load(scene.page, page, row.first)
    return row


async def look_in_other_languages(scene: Scene) -> None:
    """Show what was looked at once more, in each language on a phone."""
    pages = {
        name: step | {"flow_id": ""}
        for name, step in scene.seen.items()
        if step["type"] != "create_entry"
    }
    options = {name for name, step in pages.items() if step["handler"] != DOMAIN}
    for language in sorted(LANGUAGES.keys() - {"en"}):
        dialog = await scene.speak(language)
        for names in filter(None, (pages.keys() - options, options)):
            if names is options:
                await open_options(scene)
                await dialog.shows("init")
                await dialog.says(
                    LANGUAGES[language]["options"]["step"]["init"]["title"]
                )
            else:
                await dialog.open()
                await dialog.shows("user")
                await dialog.says(
                    LANGUAGES[language]["config"]["step"]["user"]["title"]
                )
            shown = {f"{name}-{language}": pages[name] for name in sorted(names)}
            await scene.looks.leaf_through(dialog, shown)
            await dialog.close()
