"""Who switched the relay last is told, where it can be known."""

from datetime import timedelta

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    async_fire_time_changed,
)

from custom_components.openbk.const import EVENT_SWITCHED
from custom_components.openbk.pyopenbk.profile import PinAssignment, SocketProfile
from custom_components.openbk.pyopenbk.roles import PinRole
from tests.support.logbook import message_of
from tests.support.sockets import BLOW, ScriptedSocket, add_socket, socket_entry
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]

RELAY = "switch.washing_machine"
SENSOR = "sensor.washing_machine_last_switched_by"


@pytest.fixture
async def scripted(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> ScriptedSocket:
    entry = socket_entry()
    er.async_get(hass).async_get_or_create(
        "sensor",
        "openbk",
        f"{entry.unique_id}_switched_by",
        suggested_object_id="washing_machine_last_switched_by",
        disabled_by=None,
    )
    await add_socket(hass, entry)
    socket = ScriptedSocket(hass)
    await socket.connect()
    await until(lambda: shown(hass, RELAY) == "off")
    return socket


def shown(hass: HomeAssistant, entity_id: str) -> str | None:
    state = hass.states.get(entity_id)
    return state.state if state else None


async def switched(hass: HomeAssistant, socket: ScriptedSocket, value: int) -> None:
    """Let the socket say a new state, and wait as long as it takes to judge it."""
    await socket.say("1/get", str(value))
    await until(lambda: shown(hass, RELAY) == ("on" if value else "off"))
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=3))
    await hass.async_block_till_done()


async def test_home_assistant_the_button_and_others_are_told_apart(
    hass: HomeAssistant, scripted: ScriptedSocket
) -> None:
    # What it says when it comes was switched by nobody.
    assert shown(hass, SENSOR) == "unknown"
    await hass.services.async_call("switch", "turn_on", {"entity_id": RELAY})
    await until(lambda: shown(hass, RELAY) == "on")
    assert shown(hass, SENSOR) == "home_assistant"
    await switched(hass, scripted, 0)
    assert shown(hass, SENSOR) == "elsewhere"
    await scripted.say("button/get", "single")
    await switched(hass, scripted, 1)
    assert shown(hass, SENSOR) == "button"


async def test_what_was_asked_for_in_vain_hides_no_press(
    hass: HomeAssistant, scripted: ScriptedSocket
) -> None:
    await switched(hass, scripted, 1)
    # It is on already, so nothing comes of it.
    await hass.services.async_call("switch", "turn_on", {"entity_id": RELAY})
    await scripted.say("button/get", "single")
    await switched(hass, scripted, 0)
    assert shown(hass, SENSOR) == "button"
    await scripted.say("button/get", "double")
    await switched(hass, scripted, 1)
    assert shown(hass, SENSOR) == "button"


async def test_the_logbook_says_who_switched_where_it_would_not_be_known(
    hass: HomeAssistant, scripted: ScriptedSocket
) -> None:
    events = async_capture_events(hass, EVENT_SWITCHED)
    await hass.services.async_call("switch", "turn_on", {"entity_id": RELAY})
    await until(lambda: shown(hass, RELAY) == "on")
    await switched(hass, scripted, 0)
    await scripted.say("button/get", "single")
    await switched(hass, scripted, 1)
    assert [event.data["by"] for event in events] == ["elsewhere", "button"]
    assert [message_of(hass, event) for event in events] == [
        "was switched off by its web page, another MQTT client or its own program",
        "was switched on by its button",
    ]
    assert events[0].data["channel"] == 1
    (device,) = dr.async_get(hass).devices
    assert events[0].data["device_id"] == device.id


async def test_a_press_that_is_told_after_the_state_counts_too(
    hass: HomeAssistant, scripted: ScriptedSocket
) -> None:
    await scripted.say("1/get", "1")
    await until(lambda: shown(hass, RELAY) == "on")
    await scripted.say("button/get", "single")
    event = "event.washing_machine_button"
    await until(lambda: shown(hass, event) not in (None, "unknown", "unavailable"))
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=3))
    await hass.async_block_till_done()
    assert shown(hass, SENSOR) == "button"
    await scripted.say("connected", "offline")
    await until(lambda: shown(hass, SENSOR) == "unavailable")


STRIP = SocketProfile.of(
    [*BLOW.pins, PinAssignment(pin=14, role=PinRole.REL, channel=2)], "CB2S"
)


async def test_relays_that_move_together_are_all_told(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    await add_socket(hass, socket_entry(STRIP))
    strip = ScriptedSocket(hass)
    await strip.connect((1, 2))
    relays = [f"{RELAY}_relay_{channel}" for channel in (1, 2)]
    await until(lambda: all(shown(hass, relay) == "off" for relay in relays))
    events = async_capture_events(hass, EVENT_SWITCHED)

    def told() -> list[tuple[int, bool]]:
        found = sorted((event.data["channel"], event.data["on"]) for event in events)
        events.clear()
        return found

    async def judged() -> None:
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=3))
        await hass.async_block_till_done()

    for channel in (1, 2):
        await strip.say(f"{channel}/get", "1")
    await until(lambda: all(shown(hass, relay) == "on" for relay in relays))
    await judged()
    assert told() == [(1, True), (2, True)]

    # Home Assistant is at work on the other one just then, and on the same one right after.
    await strip.say("1/get", "0")
    await until(lambda: shown(hass, relays[0]) == "off")
    for relay in reversed(relays):
        await hass.services.async_call("switch", "toggle", {"entity_id": relay})
    await until(lambda: [shown(hass, relay) for relay in relays] == ["on", "off"])
    await judged()
    assert told() == [(1, False)]
