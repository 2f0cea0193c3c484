"""Repairs as a person opens them."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from custom_components.openbk.repairs import async_create_fix_flow


async def open_repair(hass: HomeAssistant, issue: str, entry_id: str) -> Any:
    """Return the flow that repairs an issue of a socket; its steps are called one by one.

    It may be open still while the issue is gone already, or its socket.
    """
    issue_id = f"{issue}_{entry_id}"
    found = ir.async_get(hass).async_get_issue("openbk", issue_id)
    data = found.data if found else {"entry_id": entry_id}
    flow: Any = await async_create_fix_flow(hass, issue_id, data)
    flow.hass, flow.data, flow.issue_id = hass, data, issue_id
    flow.flow_id, flow.handler = "1", "openbk"
    return flow
