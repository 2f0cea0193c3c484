"""A socket that starts again and again is told, and kept away from its safe mode."""

from dataclasses import replace
from datetime import timedelta

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.openbk.const import EVENT_RESTARTED
from tests.support.logbook import message_of
from tests.support.sockets import MAC, ScriptedSocket, add_socket, socket_entry
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]


def issue(hass: HomeAssistant, entry: MockConfigEntry) -> ir.IssueEntry | None:
    return ir.async_get(hass).async_get_issue("openbk", f"restarts_{entry.entry_id}")


async def says_uptime(
    entry: MockConfigEntry, socket: ScriptedSocket, seconds: int
) -> None:
    await socket.say("uptime", str(seconds))
    await until(lambda: entry.runtime_data.value("uptime") == seconds)


@pytest.fixture
async def scripted(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> tuple[MockConfigEntry, ScriptedSocket]:
    entry = socket_entry()
    await add_socket(hass, entry)
    socket = ScriptedSocket(hass)
    await socket.connect()
    await until(lambda: entry.runtime_data.online)
    return entry, socket


async def test_five_starts_in_an_hour_are_told_and_the_start_is_shortened(
    hass: HomeAssistant, scripted: tuple[MockConfigEntry, ScriptedSocket]
) -> None:
    entry, socket = scripted
    events = async_capture_events(hass, EVENT_RESTARTED)
    # An uptime that goes on, and one that is said late, is no start.
    for seconds in (9000, 9001, 8995):
        await says_uptime(entry, socket, seconds)
    for seconds in (3000, 2000, 1000, 500):
        await says_uptime(entry, socket, seconds)
    assert issue(hass, entry) is None
    await says_uptime(entry, socket, 4)
    assert issue(hass, entry)
    assert [message_of(hass, event) for event in events] == ["restarted"] * 5

    assert await async_setup_component(hass, "repairs", {})
    flows = hass.data["repairs"]["flow_manager"]
    page = await flows.async_init(
        "openbk", context={"issue_id": f"restarts_{entry.entry_id}"}
    )
    assert page["step_id"] == "confirm"
    assert page["description_placeholders"] == {"name": "Washing machine", "count": "5"}
    done = await flows.async_configure(page["flow_id"], {})
    assert done["type"] == "create_entry"
    await until(lambda: ("cmnd/obk8C123456/FullBootTime", "1") in socket.heard)
    assert issue(hass, entry) is None


async def test_another_socket_on_the_topic_is_no_restart(
    hass: HomeAssistant, scripted: tuple[MockConfigEntry, ScriptedSocket]
) -> None:
    """Two that throw each other off the broker say who they are before for how long they run."""
    entry, socket = scripted
    for turn in range(6):
        for mac, seconds in (("c8:47:8c:99:99:99", 100), (MAC, 9000)):
            await socket.say("mac", mac)
            await says_uptime(entry, socket, seconds + turn)
    assert issue(hass, entry) is None
    # It is counted again when it is alone.
    for seconds in (5000, 4000, 3000, 2000, 1000):
        await says_uptime(entry, socket, seconds)
    assert issue(hass, entry)


async def test_it_is_over_after_a_day_even_if_home_assistant_restarted(
    hass: HomeAssistant, scripted: tuple[MockConfigEntry, ScriptedSocket]
) -> None:
    entry, socket = scripted
    for seconds in (6000, 5000, 4000, 3000, 2000, 1000):
        await says_uptime(entry, socket, seconds)
    told = issue(hass, entry)
    assert told
    issues = ir.async_get(hass).issues
    for hours in (23, 25):
        assert issue(hass, entry)
        since = told.created - timedelta(hours=hours)
        issues["openbk", told.issue_id] = replace(told, created=since)
        await hass.config_entries.async_reload(entry.entry_id)
        await until(lambda: entry.runtime_data.online)
    await until(lambda: issue(hass, entry) is None)


async def test_a_socket_that_is_gone_cannot_be_told(
    hass: HomeAssistant, scripted: tuple[MockConfigEntry, ScriptedSocket]
) -> None:
    entry, socket = scripted
    for seconds in (6000, 5000, 4000, 3000, 2000, 1000):
        await says_uptime(entry, socket, seconds)
    await socket.say("connected", "offline")
    await until(lambda: not entry.runtime_data.online)
    assert await async_setup_component(hass, "repairs", {})
    flows = hass.data["repairs"]["flow_manager"]
    page = await flows.async_init(
        "openbk", context={"issue_id": f"restarts_{entry.entry_id}"}
    )
    done = await flows.async_configure(page["flow_id"], {})
    assert done["reason"] == "socket_unreachable"
    assert issue(hass, entry)
    assert await hass.config_entries.async_remove(entry.entry_id)
    assert issue(hass, entry) is None
