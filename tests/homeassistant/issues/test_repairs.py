"""A repair that cannot be done says so, whatever has happened since its issue was raised."""

from typing import Any

from homeassistant.components import mqtt
from homeassistant.components.repairs import ConfirmRepairFlow
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.issues import (
    no_time,
    old_discovery,
    restarts,
    retained_commands,
    updates,
)
from custom_components.openbk.repairs import async_create_fix_flow
from tests.support.broker import Broker
from tests.support.repairs import open_repair
from tests.support.sockets import CLIENT_ID, add_socket, connect_mqtt, socket_entry
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e]

SET = f"{CLIENT_ID}/1/set"


@pytest.mark.parametrize(
    "issue",
    [
        no_time.ISSUE,
        old_discovery.ISSUE,
        restarts.ISSUE,
        retained_commands.ISSUE,
        updates.OF_ONE_SOCKET,
    ],
)
async def test_a_socket_that_was_removed_needs_no_repair(
    hass: HomeAssistant, issue: str
) -> None:
    page = await (await open_repair(hass, issue, "gone")).async_step_init()
    assert (page["type"], page["reason"]) == ("abort", "socket_removed")


async def test_an_issue_that_only_tells_is_confirmed(hass: HomeAssistant) -> None:
    flow = await async_create_fix_flow(hass, "overload", None)
    assert isinstance(flow, ConfirmRepairFlow)


async def test_a_socket_that_is_away_cannot_be_told_a_time_server(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    entry = socket_entry()
    await add_socket(hass, entry)
    flow = await open_repair(hass, no_time.ISSUE, entry.entry_id)
    page = await flow.async_step_time_server({"ntp_server": "192.168.1.1"})
    assert page["errors"] == {"base": "offline"}


async def test_commands_are_not_said_to_be_cleared_without_the_broker(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    """Nobody knows then what it keeps."""
    entry = socket_entry()
    await add_socket(hass, entry)
    flow = await open_repair(hass, retained_commands.ISSUE, entry.entry_id)
    mosquitto.stop()
    await until(lambda: not mqtt.is_connected(hass))
    page = await flow.async_step_clear({})
    assert page["reason"] == "broker_unreachable"


async def test_commands_that_the_broker_does_not_let_go_are_told(
    socket_enabled: None,
    hass: HomeAssistant,
    mock_hass_config: None,
    hass_storage: dict[str, Any],
) -> None:
    """Home Assistant may read there, but not write."""
    reader = "user home\ntopic read #\ntopic readwrite homeassistant/#\ntopic write cmnd/+/+\nuser old\ntopic readwrite #\n"
    with Broker(users={"home": "x", "old": "y"}, access=reader) as broker:
        old = await connect_mqtt(hass, broker, username="old", password="y")
        await mqtt.async_publish(hass, SET, "1", 1, True)
        await hass.config_entries.async_unload(old.entry_id)
        await hass.config_entries.async_remove(old.entry_id)
        own = await connect_mqtt(hass, broker, username="home", password="x")
        entry = socket_entry()
        await add_socket(hass, entry)
        flow = await open_repair(hass, retained_commands.ISSUE, entry.entry_id)
        page = await flow.async_step_clear({})
        assert page["errors"] == {"base": "not_cleared"}
        assert f"`{SET}`" in page["description_placeholders"]["commands"]
        await hass.config_entries.async_unload(entry.entry_id)
        await hass.config_entries.async_unload(own.entry_id)
