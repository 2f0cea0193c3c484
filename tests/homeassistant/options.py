"""The options of a socket as a person walks through them."""

from typing import Any

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.homeassistant.wizard import ENGLISH
from tests.support.addresses import lead_to
from tests.support.simulated import PluggedSocket
from tests.support.sockets import add_socket, socket_entry
from tests.support.waiting import until

OPTIONS = ENGLISH["options"]


async def begin(
    hass: HomeAssistant, entry: MockConfigEntry, choice: str
) -> ConfigFlowResult:
    """Open the options and choose from the menu."""
    menu = await hass.config_entries.options.async_init(entry.entry_id)
    assert choice in menu["menu_options"]
    assert set(menu["menu_options"]) <= set(OPTIONS["step"]["init"]["menu_options"])
    return await go_on(hass, menu, next_step_id=choice)


async def go_on(
    hass: HomeAssistant, result: ConfigFlowResult, **values: Any
) -> ConfigFlowResult:
    """Submit a page; each one that comes has its texts."""
    result = await hass.config_entries.options.async_configure(
        result["flow_id"], values
    )
    if result["type"] is FlowResultType.ABORT:
        assert OPTIONS["abort"][result["reason"]]
    elif result["type"] is FlowResultType.FORM:
        texts = OPTIONS["step"][result["step_id"]]
        texts["description"].format(**(result["description_placeholders"] or {}))
        for field in result["data_schema"].schema:
            assert texts["data"][str(field)]
            assert texts["data_description"][str(field)]
        for error in (result["errors"] or {}).values():
            assert OPTIONS["error"][error]
    return result


async def add(
    hass: HomeAssistant, plugged: PluggedSocket, **data: Any
) -> MockConfigEntry:
    """Set a socket up whose address leads to the simulated one."""
    lead_to(hass, plugged)
    entry = socket_entry(address="127.0.0.1", tuned=False, **data)
    await add_socket(hass, entry)
    await until(lambda: entry.runtime_data.online)
    return entry


def move(hass: HomeAssistant, entry: MockConfigEntry, **data: Any) -> None:
    """Let an entry be of another socket or address."""
    hass.config_entries.async_update_entry(entry, data={**entry.data, **data})
