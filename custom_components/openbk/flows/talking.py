"""How every dialog talks: words for tables, pages that only tell, one long task at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

from homeassistant.config_entries import ConfigEntryBaseFlow, ConfigFlowResult
from homeassistant.core import callback
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers.translation import async_get_translations

from ..const import DOMAIN, LOGGER
from ..pyopenbk.errors import OpenBekenError

type Words = Callable[[str, str], str]
"""Returns an option of a selector in the system's language."""


class TalkingFlow(ConfigEntryBaseFlow):
    """What the wizard and the options of a socket share; chapters add their steps to it."""

    pages: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """The pages that only tell something, and what each offers; see with_pages."""
    _task: asyncio.Task[str] | None = None
    _texts: Mapping[str, str] = {}
    _shown_percent: int = -1

    async def async_fetch_texts(self, *categories: str) -> None:
        """Fetch the texts of these categories, for what stands in tables and in sentences."""
        texts: dict[str, str] = {}
        for category in categories:
            texts |= await async_get_translations(
                self.hass, self.hass.config.language, category, [DOMAIN]
            )
        self._texts = texts

    def word(self, selector: str, option: str) -> str:
        """Return one option of a selector in the system's language."""
        key = f"component.{DOMAIN}.selector.{selector}.options.{option}"
        return self._texts.get(key, option)

    @property
    def placeholders(self) -> dict[str, str]:
        """Return what the texts of pages may name."""
        raise NotImplementedError

    @callback
    def show_page(self, step_id: str) -> ConfigFlowResult:
        """Show a page that only tells something and offers what to do next."""
        return self.async_show_menu(
            step_id=step_id,
            menu_options=list(self.pages[step_id]),
            description_placeholders=self.placeholders,
        )

    async def async_tell(
        self, step_id: str, user_input: dict[str, Any] | None, following: str
    ) -> ConfigFlowResult:
        """Show a form that asks nothing, and go on with the step that follows once it was read."""
        if user_input is not None:
            return await self.async_step(following)
        return self.async_show_form(
            step_id=step_id,
            description_placeholders=self.placeholders,
            last_step=False,
        )

    async def async_step(self, step_id: str) -> ConfigFlowResult:
        """Go on with the step of this name."""
        step: Callable[[], Awaitable[ConfigFlowResult]]
        step = getattr(self, f"async_step_{step_id}")
        return await step()

    async def async_run(
        self, step_id: str, work: Callable[[], Awaitable[str]]
    ) -> ConfigFlowResult:
        """Show progress while ``work`` runs; it returns the step that comes next.

        Where that is this step again, it goes on with another turn, and the page shows what its
        text names anew. A progress page can lead nowhere but on, so an error is kept as the next
        page.
        """
        if self._task is not None and self._task.done():
            task, self._task = self._task, None
            if (following := task.result()) != step_id:
                return self.async_show_progress_done(next_step_id=following)
        if self._task is None:
            self._shown_percent = -1
            # In the background, so that Home Assistant can stop without waiting for its end.
            self._task = self.hass.async_create_background_task(
                self._guarded(step_id, work),
                f"{DOMAIN} dialog: {step_id}",
                eager_start=False,
            )
        return self.async_show_progress(
            step_id=step_id,
            progress_action=step_id,
            progress_task=self._task,
            description_placeholders=self.placeholders,
        )

    async def _guarded(self, step_id: str, work: Callable[[], Awaitable[str]]) -> str:
        try:
            return await work()
        except asyncio.CancelledError:
            # Home Assistant stops, or the dialog is closed.
            await self.async_let_go()
            raise
        except OpenBekenError as err:
            LOGGER.debug("The dialog stopped at %s: %s", step_id, err)
            page = self.page_after(step_id, err)
        except AbortFlow as err:
            LOGGER.debug("The dialog stopped at %s: %s", step_id, err.reason)
            page = self.page_after(step_id, None)
        except Exception:  # noqa: BLE001 - whatever it was, the person gets a page
            LOGGER.exception("The dialog stopped unexpectedly at %s", step_id)
            page = self.page_after(step_id, None)
        # Whatever happened, a new attempt starts afresh.
        await self.async_let_go()
        return page

    def page_after(self, step_id: str, err: OpenBekenError | None) -> str:
        """Return the page for what has stopped a long task; None is what nobody foresaw."""
        raise NotImplementedError

    async def async_let_go(self) -> None:
        """Release what a long task holds that has not come to its end."""

    @callback
    def show_fraction(self, fraction: float) -> None:
        """Move the ring of the progress page, at most once for each per cent."""
        percent = int(100 * min(1.0, max(0.0, fraction)))
        if percent != self._shown_percent:
            self._shown_percent = percent
            self.async_update_progress(percent / 100)


def with_pages[Flow: type[TalkingFlow]](flow: Flow) -> Flow:
    """Give a flow one step for each of its pages."""
    for step_id in flow.pages:
        setattr(flow, f"async_step_{step_id}", _page(step_id))
    return flow


def _page(step_id: str) -> Callable[..., Awaitable[ConfigFlowResult]]:
    async def step(
        flow: TalkingFlow, user_input: dict[str, object] | None = None
    ) -> ConfigFlowResult:
        return flow.show_page(step_id)

    step.__doc__ = f"Show the page {step_id}."
    return step
