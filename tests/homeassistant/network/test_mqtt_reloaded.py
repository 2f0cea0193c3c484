"""Core's MQTT may come late, and may be loaded anew while sockets are set up."""

import asyncio
from collections.abc import Callable, Iterator

from homeassistant.components import mqtt
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.network.mqtt import (
    Subscriptions,
    async_wait_for_mqtt,
    subscribed,
)
from tests.support.sockets import CLIENT_ID, ScriptedSocket, listen, socket_entry
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

OTHER_MAC = "c8:47:8c:99:99:99"


def listened_to(hass: HomeAssistant) -> list[str]:
    """Return each subscription to a topic of the socket, also where there are two alike.

    Commands that the broker kept are looked for with wildcards, for a moment.
    """
    return sorted(
        item.topic
        for item in hass.data["mqtt"].client.subscriptions
        if item.topic.startswith(f"{CLIENT_ID}/") and "+" not in item.topic
    )


async def test_all_sockets_are_set_up_although_mqtt_came_late(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    """Core lets all wait together, and cancels that for everyone when the first gives up."""
    await hass.config_entries.async_unload(mqtt_connection.entry_id)
    sockets = [socket_entry(), socket_entry(mac=OTHER_MAC, client_id="obk8C999999")]
    for socket in sockets:
        socket.add_to_hass(hass)
    assert await hass.config_entries.async_setup(sockets[0].entry_id) is False
    await hass.async_block_till_done()
    assert {socket.state for socket in sockets} == {ConfigEntryState.SETUP_RETRY}
    assert await hass.config_entries.async_setup(mqtt_connection.entry_id)
    await until(
        lambda: {socket.state for socket in sockets} == {ConfigEntryState.LOADED}
    )


async def test_whoever_is_cancelled_while_waiting_for_mqtt_is_cancelled(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    await hass.config_entries.async_unload(mqtt_connection.entry_id)
    waiting = asyncio.create_task(async_wait_for_mqtt(hass))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await hass.config_entries.async_setup(mqtt_connection.entry_id)


@pytest.mark.parametrize(
    "options",
    [{}, {"mode": "both", "discovery_prefix": "others"}],
    ids=["native", "with discovery"],
)
async def test_a_socket_is_listened_to_once_however_often_mqtt_is_loaded(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry, options: dict[str, str]
) -> None:
    """Nobody can take back what was subscribed to before core's MQTT was loaded anew."""
    entry = socket_entry()
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, options=options)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    before = listened_to(hass)
    assert before
    assert len(before) == len(set(before))

    assert await hass.config_entries.async_reload(mqtt_connection.entry_id)
    await until(lambda: listened_to(hass) == before)
    socket = ScriptedSocket(hass)
    await socket.connect()
    await until(lambda: entry.runtime_data.online)
    with_socket = listened_to(hass)

    assert await hass.config_entries.async_reload(entry.entry_id)
    await until(lambda: entry.runtime_data.online)
    assert listened_to(hass) == with_socket

    # It is left while core's MQTT is not there.
    await hass.config_entries.async_unload(mqtt_connection.entry_id)
    await hass.config_entries.async_unload(entry.entry_id)
    assert await hass.config_entries.async_setup(mqtt_connection.entry_id)
    await hass.async_block_till_done()
    # What is left is what the socket itself listens to.
    assert listened_to(hass) == [f"{CLIENT_ID}/1/get", f"{CLIENT_ID}/1/set"]


async def test_a_question_that_is_open_while_mqtt_is_loaded_anew_is_answered(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    topic, heard = f"{CLIENT_ID}/mac", asyncio.Event()
    async with subscribed(hass, [topic], lambda _: heard.set()):
        assert await hass.config_entries.async_reload(mqtt_connection.entry_id)
        await until(lambda: mqtt.is_connected(hass))
        assert listened_to(hass) == [topic]
        await listen(hass, topic, lambda _: None)
        await mqtt.async_publish(hass, topic, "x")
        await until(heard.is_set)
        assert listened_to(hass) == [topic, topic]
    assert listened_to(hass) == [topic]


async def test_what_is_left_while_it_is_being_subscribed_to_is_not_listened_to(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    """An entry may be unloaded while core's MQTT comes back."""
    asked: list[str] = []

    def topics() -> Iterator[tuple[str, Callable[[mqtt.ReceiveMessage], None]]]:
        for number in range(4):
            asked.append(str(number))
            yield f"{CLIENT_ID}/{number}/get", lambda _: None
            if number == 1:
                # Somebody ends it, and begins anew, while it is under way.
                listening.end()

    before = listened_to(hass)
    listening = Subscriptions(hass, topics)
    await listening.begin()
    assert listened_to(hass) == before
    assert asked == ["0", "1", "2"]
    # Two who make it at once make it once.
    quiet = Subscriptions(hass, lambda: [(f"{CLIENT_ID}/9/get", lambda _: None)])
    await asyncio.gather(quiet.begin(), quiet.subscribe(), quiet.subscribe())
    assert listened_to(hass) == sorted([*before, f"{CLIENT_ID}/9/get"])
    quiet.end()
    assert listened_to(hass) == before
