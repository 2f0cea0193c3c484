"""The pages that only tell something and offer what to do next, made from their table."""

from collections.abc import Awaitable, Callable
from typing import Any

from homeassistant.config_entries import ConfigFlowResult

from .base import WizardFlow
from .failures import FAILURE_PAGES, SEEN_PAGES

type Step = Callable[[WizardFlow, dict[str, Any] | None], Awaitable[ConfigFlowResult]]


def with_pages[Flow: type[WizardFlow]](flow: Flow) -> Flow:
    """Give a flow one menu step for each page of the tables."""
    for step_id, options in (FAILURE_PAGES | SEEN_PAGES).items():
        setattr(flow, f"async_step_{step_id}", _page(step_id, options))
    return flow


def _page(step_id: str, options: tuple[str, ...]) -> Step:
    async def step(
        flow: WizardFlow, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        return flow.async_show_menu(
            step_id=step_id,
            menu_options=list(options),
            description_placeholders=flow.placeholders,
        )

    step.__doc__ = f"Show the page {step_id}."
    return step
