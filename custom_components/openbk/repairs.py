"""Repairs that a person can start from Home Assistant."""

from typing import Any

from homeassistant.components.repairs import (
    ConfirmRepairFlow,
    RepairsFlow,
    RepairsFlowResult,
)
from homeassistant.core import HomeAssistant

from .old_discovery import async_remove_old_discovery


class RemoveOldDiscoveryFlow(RepairsFlow):
    """Remove the entities of the firmware's own discovery after a confirmation."""

    async def async_step_init(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Ask first."""
        return await self.async_step_confirm()

    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Remove them."""
        entry_id = str((self.data or {}).get("entry_id"))
        entry = self.hass.config_entries.async_get_entry(entry_id)
        if entry is None:
            return self.async_abort(reason="socket_removed")
        if user_input is None:
            return self.async_show_form(
                step_id="confirm", description_placeholders={"name": entry.title}
            )
        await async_remove_old_discovery(self.hass, entry)
        return self.async_create_entry(data={})


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, Any] | None
) -> RepairsFlow:
    """Return the flow that repairs an issue."""
    if issue_id.startswith("old_discovery"):
        return RemoveOldDiscoveryFlow()
    return ConfirmRepairFlow()
