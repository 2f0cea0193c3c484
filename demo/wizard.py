"""Walk through a dialog of Home Assistant as a browser would."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .client import HomeAssistantClient, fill_form
from .rig import StageFailed

_FLOWS = "/api/config/config_entries/flow"

type Answer = str | Mapping[str, Any]
"""A menu choice, or what is typed into a form; the rest is left as it is shown."""


@dataclass(kw_only=True)
class Dialog:
    """One open config flow."""

    client: HomeAssistantClient
    handler: str
    page: dict[str, Any] = field(default_factory=dict)

    async def open(self, entry_id: str | None = None) -> None:
        """Open the dialog that adds one, or that reconfigures an entry."""
        entry = {} if entry_id is None else {"entry_id": entry_id}
        self.page = await self.client.post(_FLOWS, {"handler": self.handler, **entry})

    async def walk(self, answers: Mapping[str, Answer], *, until: str) -> None:
        """Answer page after page until the page named ``until`` or the created entry is shown.

        A page without an answer is submitted as it is, a page that comes back twice fails.
        """
        seen: list[str] = []
        while (name := self._name) != until:
            if self.page["type"] == "progress":
                await asyncio.sleep(0.2)
                self.page = await self.client.get(f"{_FLOWS}/{self.page['flow_id']}")
                continue
            seen.append(name)
            if self.page["type"] in {"abort", "create_entry"} or seen.count(name) > 3:
                raise StageFailed(f"the dialog stopped at {self._said}")
            await self._submit(answers.get(name, {}))

    async def leave(self) -> None:
        """Close the dialog."""
        await self.client.delete(f"{_FLOWS}/{self.page['flow_id']}")

    async def _submit(self, answer: Answer) -> None:
        payload: dict[str, Any]
        if self.page["type"] == "menu":
            if not isinstance(answer, str):
                raise StageFailed(f"the dialog asks what to do at {self._said}")
            payload = {"next_step_id": answer}
        else:
            typed = {} if isinstance(answer, str) else dict(answer)
            payload = fill_form(self.page["data_schema"] or [], typed)
        self.page = await self.client.post(f"{_FLOWS}/{self.page['flow_id']}", payload)

    @property
    def _name(self) -> str:
        if self.page["type"] == "create_entry":
            return "created"
        name: str = self.page.get("step_id") or self.page.get("reason", "")
        return name

    @property
    def _said(self) -> str:
        return f"{self._name!r}, errors {self.page.get('errors')}"
