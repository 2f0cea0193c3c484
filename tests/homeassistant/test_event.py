"""What a person does with the button becomes an event, once."""

from homeassistant.components.mqtt import ReceiveMessage
from homeassistant.core import (
    Event,
    EventStateChangedData,
    HomeAssistant,
    State,
    callback,
)
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.support.sockets import ScriptedSocket, add_socket, socket_entry
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

BUTTON = "event.washing_machine_button"


@pytest.fixture
async def scripted(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> ScriptedSocket:
    """Return a socket that is online."""
    await add_socket(hass, socket_entry())
    socket = ScriptedSocket(hass)
    await socket.connect()
    await until(lambda: button(hass).state == "unknown")
    return socket


def button(hass: HomeAssistant) -> State:
    """Return the state of the button."""
    state = hass.states.get(BUTTON)
    assert state
    return state


async def test_gestures(hass: HomeAssistant, scripted: ScriptedSocket) -> None:
    seen: list[tuple[str, int | None]] = []

    @callback
    def note(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        assert state
        attributes = state.attributes
        if attributes.get("event_type"):
            seen.append((attributes["event_type"], attributes.get("multi_press_count")))

    hass.bus.async_listen("state_changed", note)
    # As transcript 05 has them: every press ends with a release.
    for payload in (
        *("release", "single"),
        *("release", "release", "double"),
        *("release", "release", "release", "triple"),
        *("hold", "release"),
        *("release", "single"),
    ):
        await scripted.say("button/get", payload)
    await until(lambda: len(seen) == 6)
    assert seen == [
        ("press_end", None),
        ("multi_press_end", 2),
        ("multi_press_end", 3),
        ("long_press_start", None),
        ("long_press_end", None),
        ("press_end", None),
    ]


async def test_a_press_that_two_handlers_tell_is_one(
    hass: HomeAssistant, scripted: ScriptedSocket
) -> None:
    """The firmware keeps a handler that was added twice twice; nobody presses so fast."""
    seen: list[str] = []

    @callback
    def note(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        assert state
        seen.append(state.attributes["event_type"])

    hass.bus.async_listen("state_changed", note)
    (entry,) = hass.config_entries.async_entries("openbk")
    topic = f"{scripted.client_id}/button/get"
    for moment, said in (
        *((10.0, "release"), (10.001, "release"), (10.3, "single"), (10.302, "single")),
        *((10.7, "release"), (10.701, "release"), (11.0, "single"), (11.002, "single")),
        *((12.0, "hold"), (12.001, "hold"), (12.5, "release"), (12.501, "release")),
    ):
        entry.runtime_data.source("button").received(
            ReceiveMessage(topic, said, 1, False, topic, moment)
        )
    await hass.async_block_till_done()
    assert seen == ["press_end", "press_end", "long_press_start", "long_press_end"]


async def test_retained_message_presses_nothing(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    scripted = ScriptedSocket(hass)
    await scripted.say("button/get", "single", retain=True)
    await add_socket(hass, socket_entry())
    await scripted.connect()
    await until(lambda: button(hass).state == "unknown")
    await scripted.say("voltage/get", "230.1")
    voltage = "sensor.washing_machine_voltage"
    await until(lambda: hass.states.get(voltage).state == "230.1")
    assert button(hass).state == "unknown"
