"""The trigger for the button of a socket tells two presses from three."""

from collections.abc import Callable
from typing import Any

from homeassistant.components import automation
from homeassistant.core import Event, HomeAssistant
from homeassistant.helpers import area_registry as ar, device_registry as dr
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from tests.support.sockets import ScriptedSocket, add_socket, search_over, socket_entry
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

BUTTON = "event.washing_machine_button"
# As recorded: every press ends with a release.
SINGLE = ("release", "single")
DOUBLE = ("release", "release", "double")
TRIPLE = ("release", "release", "release", "triple")
HOLD = ("hold", "release")


@pytest.fixture
async def socket(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> ScriptedSocket:
    """Return a socket that is online."""
    await add_socket(hass, socket_entry())
    scripted = ScriptedSocket(hass)
    await scripted.connect()
    await until(lambda: hass.states.get(BUTTON).state == "unknown")
    return scripted


async def automate(
    hass: HomeAssistant, target: dict[str, str], press: str | list[str]
) -> Callable[[], list[str]]:
    """Add an automation; return what returns the event types that it ran for."""
    ran: list[Event] = async_capture_events(hass, "ran")
    trigger = {
        "trigger": "openbk.button_pressed",
        "target": target,
        "options": {"press": press},
    }
    run = {
        "event": "ran",
        "event_data": {"type": "{{ trigger.to_state.attributes.event_type }}"},
    }
    config: dict[str, Any] = {
        "alias": "Button",
        "mode": "queued",
        "triggers": trigger,
        "actions": run,
    }
    assert await async_setup_component(hass, "automation", {"automation": [config]})
    await hass.async_block_till_done()
    return lambda: [event.data["type"] for event in ran]


async def press(socket: ScriptedSocket, *words: str) -> None:
    for word in words:
        await socket.say("button/get", word)


async def test_two_presses_are_not_three(
    hass: HomeAssistant, socket: ScriptedSocket
) -> None:
    ran = await automate(hass, {"entity_id": BUTTON}, "double")
    await press(socket, *SINGLE, *TRIPLE, *HOLD, *DOUBLE, *TRIPLE, *DOUBLE)
    await until(lambda: len(ran()) == 2)
    await press(socket, *SINGLE)
    await until(lambda: hass.states.get(BUTTON).attributes["event_type"] == "press_end")
    assert ran() == ["multi_press_end", "multi_press_end"]
    await search_over(hass)


async def test_several_presses_of_a_device_in_an_area(
    hass: HomeAssistant, socket: ScriptedSocket
) -> None:
    devices = dr.async_get(hass)
    (device,) = dr.async_entries_for_config_entry(
        devices, hass.config_entries.async_entries("openbk")[0].entry_id
    )
    area = ar.async_get(hass).async_create("Laundry")
    devices.async_update_device(device.id, area_id=area.id)
    ran = await automate(hass, {"area_id": area.id}, ["single", "hold", "release"])
    await press(socket, *DOUBLE, *SINGLE, *HOLD)
    await until(lambda: len(ran()) == 3)
    assert ran() == ["press_end", "long_press_start", "long_press_end"]
    await search_over(hass)


async def test_a_press_of_before_is_not_one_when_the_socket_comes_back(
    hass: HomeAssistant, socket: ScriptedSocket
) -> None:
    ran = await automate(hass, {"entity_id": BUTTON}, "double")
    await press(socket, *DOUBLE)
    await until(lambda: len(ran()) == 1)
    await socket.say("connected", "offline", retain=True)
    await until(lambda: hass.states.get(BUTTON).state == "unavailable")
    await socket.say("connected", "online", retain=True)
    await until(lambda: hass.states.get(BUTTON).state != "unavailable")
    await hass.async_block_till_done()
    assert len(ran()) == 1
    await search_over(hass)


async def test_a_press_that_does_not_exist_is_refused(
    hass: HomeAssistant, socket: ScriptedSocket, caplog: pytest.LogCaptureFixture
) -> None:
    await automate(hass, {"entity_id": BUTTON}, "fourfold")
    assert hass.states.get("automation.button").state == "unavailable"
    assert "'single', 'double', 'triple', 'hold', 'release'" in caplog.text
    await search_over(hass)


async def test_editor_offers_it_for_the_device(
    hass: HomeAssistant, socket: ScriptedSocket, hass_ws_client: Any
) -> None:
    assert await async_setup_component(hass, "automation", {automation.DOMAIN: []})
    assert await async_setup_component(hass, "power", {})
    await hass.async_block_till_done()
    (device,) = dr.async_entries_for_config_entry(
        dr.async_get(hass), hass.config_entries.async_entries("openbk")[0].entry_id
    )
    client = await hass_ws_client(hass)
    await client.send_json_auto_id(
        {"type": "get_triggers_for_target", "target": {"device_id": [device.id]}}
    )
    answer = await client.receive_json()
    assert answer["success"]
    assert {
        "openbk.button_pressed",
        "event.received",
        "power.crossed_threshold",
        "switch.turned_on",
    } <= set(answer["result"])
    await search_over(hass)
