"""MQTT discovery works with the core integration and leaves nothing behind."""

import asyncio
from itertools import count
import json

from homeassistant.components import mqtt
from homeassistant.components.mqtt.const import DOMAIN as MQTT
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.live.energy_store import ENERGY_STORE
from tests.support.broker import Broker
from tests.support.simulated import configuration, plugged_in
from tests.support.sockets import (
    CLIENT_ID,
    MAC,
    add_socket,
    listen,
    search_over,
    socket_entry,
)
from tests.support.waiting import TIMEOUT, until

pytestmark = pytest.mark.e2e

_MARKERS = count()
TOPIC = "homeassistant/device/openbk_c8478c123456/config"


def entity_of(hass: HomeAssistant, domain: str, key: str, platform: str) -> str | None:
    """Return the entity id of a socket's entity in one of the two worlds."""
    registry = er.async_get(hass)
    return registry.async_get_entity_id(domain, platform, f"{MAC}_{key}")


def state(
    hass: HomeAssistant, domain: str, key: str, platform: str = MQTT
) -> str | None:
    """Return the state of such an entity."""
    entity_id = entity_of(hass, domain, key, platform)
    found = hass.states.get(entity_id) if entity_id else None
    return found.state if found else None


async def retained(hass: HomeAssistant, topic: str) -> list[str]:
    """Return what the broker keeps on a topic."""
    kept: list[str] = []
    # The broker answers in order, so the marker comes after what it kept.
    marker = f"{topic}/marker{next(_MARKERS)}"
    unsubscribe = [
        await listen(hass, topic, lambda message: kept.append(str(message.payload))),
        await listen(hass, marker, lambda message: kept.append("marker")),
    ]
    await mqtt.async_publish(hass, marker, "x", 1)
    await until(lambda: "marker" in kept)
    for leave in unsubscribe:
        leave()
    return [payload for payload in kept if payload not in ("", "marker")]


def discovered(**data: object) -> MockConfigEntry:
    """Return the entry of a socket in discovery mode."""
    entry = socket_entry()
    return MockConfigEntry(
        domain="openbk",
        title=entry.title,
        unique_id=entry.unique_id,
        data={**entry.data, **data},
        options={"mode": "discovery"},
    )


async def test_core_discovers_and_switches_the_simulated_relay(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    await add_socket(hass, discovered())
    async with plugged_in(configuration(mosquitto), watts=1000) as plugged:
        await until(lambda: state(hass, "switch", "relay_1") == "off")
        relay = entity_of(hass, "switch", "relay_1", MQTT)
        await hass.services.async_call("switch", "turn_on", {"entity_id": relay})
        await until(lambda: plugged.firmware.relay(1))
        await until(lambda: state(hass, "switch", "relay_1") == "on")
        await until(
            lambda: (
                float(state(hass, "sensor", "power") or 0)
                == pytest.approx(1000, rel=0.02)
                if (state(hass, "sensor", "power") or "u")[0].isdigit()
                else False
            )
        )
        # We listen to the power as well, so hearing of it does not say that core is done.
        listening = asyncio.Event()
        mqtt.async_on_subscribe_done(hass, f"{CLIENT_ID}/button/get", 0, listening.set)
        async with asyncio.timeout(TIMEOUT):
            await listening.wait()
        plugged.firmware.press_button(11)
        event = entity_of(hass, "event", "button_11", MQTT)
        await until(
            lambda: hass.states.get(event).attributes.get("event_type") == "press_end"
        )
    # Ours are the settings only.
    assert entity_of(hass, "switch", "relay_1", "openbk") is None
    assert entity_of(hass, "sensor", "power", "openbk") is None
    assert entity_of(hass, "button", "restart", "openbk")


async def test_mode_change_and_removal_retract_it(
    hass: HomeAssistant,
    mqtt_connection: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    entry = discovered()
    await add_socket(hass, entry)
    await until(lambda: entity_of(hass, "switch", "relay_1", MQTT))
    assert len(await retained(hass, TOPIC)) == 1

    hass.config_entries.async_update_entry(entry, options={"mode": "native"})
    assert await hass.config_entries.async_reload(entry.entry_id)
    await until(lambda: entity_of(hass, "switch", "relay_1", MQTT) is None)
    assert entity_of(hass, "switch", "relay_1", "openbk")
    assert not await retained(hass, TOPIC)

    hass.config_entries.async_update_entry(entry, options={"mode": "discovery"})
    assert await hass.config_entries.async_reload(entry.entry_id)
    await until(lambda: entity_of(hass, "switch", "relay_1", MQTT))
    assert entity_of(hass, "switch", "relay_1", "openbk") is None

    energy, identity = hass.data[ENERGY_STORE], entry.runtime_data.identity
    energy.of(identity).power_limit = 12345.0
    assert await hass.config_entries.async_remove(entry.entry_id)
    await until(lambda: entity_of(hass, "switch", "relay_1", MQTT) is None)
    assert not await retained(hass, TOPIC)
    # Nothing is known of it any more either.
    assert energy.of(identity).power_limit != 12345.0
    assert "Error calling entry remove callback" not in caplog.text


async def test_both_needs_another_prefix(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    entry = discovered()
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(
        entry, options={"mode": "both", "discovery_prefix": "others"}
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    payloads = await retained(hass, TOPIC.replace("homeassistant", "others"))
    assert json.loads(payloads[0])["avty_t"] == f"{CLIENT_ID}/connected"
    assert entity_of(hass, "switch", "relay_1", "openbk")
    assert entity_of(hass, "switch", "relay_1", MQTT) is None

    hass.config_entries.async_update_entry(entry, options={"mode": "both"})
    assert await hass.config_entries.async_reload(entry.entry_id)
    await until(lambda: entity_of(hass, "switch", "relay_1", MQTT))
    assert entity_of(hass, "switch", "relay_1", "openbk") is None
    assert not await retained(hass, TOPIC.replace("homeassistant", "others"))


async def test_published_again_after_a_broker_wipe_and_on_birth(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    await add_socket(hass, discovered())
    await until(lambda: entity_of(hass, "switch", "relay_1", MQTT))
    client = hass.data["mqtt"].client
    await search_over(hass)
    mosquitto.stop()
    await until(lambda: not client.connected)
    mosquitto.start()
    await until(lambda: client.connected)
    assert len(await retained(hass, TOPIC)) == 1
    # Somebody clears it, then a consumer comes up.
    await mqtt.async_publish(hass, TOPIC, "", 1, True)
    assert not await retained(hass, TOPIC)
    await mqtt.async_publish(hass, "homeassistant/status", "online")
    await until(lambda: entity_of(hass, "switch", "relay_1", MQTT))
    assert len(await retained(hass, TOPIC)) == 1
