"""A broker full of other products opens no flow and costs nothing."""

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.loader import async_get_integration
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
import pytest

from tests.support.broker import Broker
from tests.support.sockets import BUILD, connect_mqtt, socket_entry
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TOPICS = 10_000
BUILDS = 100


def fill(broker: Broker) -> None:
    """Retain ten thousand messages of other products; a hundred look like builds."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect(broker.host, broker.port)
    client.loop_start()
    messages = [
        client.publish(f"product{number}/build", f"build {number}", 1, True)
        for number in range(BUILDS)
    ]
    messages += [
        client.publish(f"zigbee2mqtt/lamp{number}/state", "ON", 1, True)
        for number in range(TOPICS - BUILDS - 1)
    ]
    messages.append(client.publish("obk8C123456/build", BUILD, 1, True))
    for message in messages:
        message.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()


async def test_no_card_and_no_lasting_flow(
    hass: HomeAssistant,
    mosquitto: Broker,
    mock_hass_config: None,
    hass_storage: dict[str, object],
) -> None:
    integration = await async_get_integration(hass, "openbk")
    assert integration.mqtt == ["+/build"]
    # One of the builds is that of a socket which is set up.
    socket = socket_entry()
    socket.add_to_hass(hass)
    await hass.async_add_executor_job(fill, mosquitto)

    flows_started = []
    start = hass.config_entries.flow.async_init

    async def count(*args: object, **kwargs: object) -> object:
        flows_started.append(args)
        return await start(*args, **kwargs)

    hass.config_entries.flow.async_init = count
    entry = await connect_mqtt(hass, mosquitto)
    await until(lambda: len(flows_started) >= BUILDS + 1)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert len(flows_started) == BUILDS + 1
    assert not hass.config_entries.flow.async_progress_by_handler(
        "openbk", include_uninitialized=True
    )

    # With a socket at work and the search for others over, the broker sends us nothing else.
    if socket.state is not ConfigEntryState.LOADED:
        assert await hass.config_entries.async_setup(socket.entry_id)
    client = hass.data["mqtt"].client
    await until(
        lambda: "+/connected" not in {sub.topic for sub in client.subscriptions}
    )
    for topic, expected in (
        ("zigbee2mqtt/lamp1/state", set()),
        ("product1/connected", set()),
        ("product1/build", {"+/build"}),
    ):
        matching = {
            sub.topic
            for sub in client.subscriptions
            if paho.topic_matches_sub(sub.topic, topic)
        }
        assert matching == expected
    await hass.config_entries.async_unload(socket.entry_id)
    await hass.config_entries.async_unload(entry.entry_id)
