"""The entities of the firmware's own discovery can be removed."""

import json

from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.issues import old_discovery
from tests.support.broker import Broker
from tests.support.repairs import open_repair
from tests.support.sockets import (
    BUILD,
    ScriptedSocket,
    add_scripted_socket,
    add_socket,
    socket_entry,
)
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

# As transcript 03 has it.
DEVICE = {
    "ids": ["OpenBK7231N_8C123456"],
    "name": "obk8C123456",
    "sw": "1.18.300",
    "mf": "Beken Corporation",
    "mdl": "BK7231N",
    "cu": "http://127.0.0.1/index",
}
UNIQUE_ID = "OpenBK7231N_8C123456_relay_1"


async def describe_relay(hass: HomeAssistant) -> None:
    """Publish what the firmware does with its own discovery on, and wait for the entity."""
    config = {
        "dev": DEVICE,
        "name": "1",
        "~": "obk8C123456",
        "avty_t": "~/connected",
        "pl_on": "1",
        "pl_off": "0",
        "uniq_id": UNIQUE_ID,
        "qos": 1,
        "stat_t": "~/1/get",
        "cmd_t": "~/1/set",
    }
    topic = f"homeassistant/switch/{UNIQUE_ID}/config"
    await mqtt.async_publish(hass, topic, json.dumps(config), 1, True)
    registry = er.async_get(hass)
    await until(lambda: registry.async_get_entity_id("switch", "mqtt", UNIQUE_ID))


def issue_of(hass: HomeAssistant, entry: MockConfigEntry) -> ir.IssueEntry | None:
    """Return the issue of a socket, if there is one."""
    issue_id = f"old_discovery_{entry.entry_id}"
    return ir.async_get(hass).async_get_issue("openbk", issue_id)


async def test_issue_is_raised_and_repaired(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    assert await async_setup_component(hass, "repairs", {})
    await describe_relay(hass)
    entry = socket_entry()
    await add_socket(hass, entry)
    hass.config_entries.async_update_entry(entry, title="<b>Loud</b>")
    scripted = ScriptedSocket(hass)
    await scripted.connect()
    await until(lambda: entry.runtime_data.online)
    await until(lambda: issue_of(hass, entry))

    issue = issue_of(hass, entry)
    assert issue
    flow = await open_repair(hass, old_discovery.ISSUE, entry.entry_id)
    result = await flow.async_step_init()
    assert result["step_id"] == "confirm"
    for shown in (result["description_placeholders"], issue.translation_placeholders):
        assert shown == {"name": r"\<b\>Loud\</b\>"}
    assert hass.config_entries.async_update_entry(entry, title="Washing machine")
    result = await flow.async_step_confirm({})
    assert result["type"] == "create_entry"
    assert ("cmnd/obk8C123456/Backlog", "SetFlag 27 0") in scripted.heard
    registry = er.async_get(hass)
    await until(
        lambda: registry.async_get_entity_id("switch", "mqtt", UNIQUE_ID) is None
    )
    assert issue_of(hass, entry) is None


async def test_nothing_is_removed_while_the_socket_may_describe_it_again(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    await describe_relay(hass)
    entry = socket_entry(firmware=BUILD)
    scripted = await add_scripted_socket(hass, entry)
    scripted.deaf = True
    await until(lambda: issue_of(hass, entry))
    flow = await open_repair(hass, old_discovery.ISSUE, entry.entry_id)
    result = await flow.async_step_confirm({})
    assert result["reason"] == "socket_unreachable"
    assert er.async_get(hass).async_get_entity_id("switch", "mqtt", UNIQUE_ID)
    assert issue_of(hass, entry)


async def test_a_broker_that_is_away_is_named(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    entry = socket_entry()
    await add_socket(hass, entry)
    mosquitto.stop()
    await until(lambda: not mqtt.is_connected(hass))
    flow = await open_repair(hass, old_discovery.ISSUE, entry.entry_id)
    done = await flow.async_step_confirm({})
    assert done["reason"] == "broker_unreachable"


async def test_other_devices_raise_nothing(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    config = {
        "dev": {**DEVICE, "ids": ["OpenBK7231N_00000000"], "name": "obk00000000"},
        "uniq_id": "OpenBK7231N_00000000_relay_1",
        "cmd_t": "obk00000000/1/set",
    }
    topic = "homeassistant/switch/OpenBK7231N_00000000_relay_1/config"
    await mqtt.async_publish(hass, topic, json.dumps(config), 1, True)
    registry = er.async_get(hass)
    await until(
        lambda: registry.async_get_entity_id("switch", "mqtt", config["uniq_id"])
    )
    await add_socket(hass, socket_entry())
    assert not [
        issue
        for issue in ir.async_get(hass).issues.values()
        if issue.domain == "openbk"
    ]
