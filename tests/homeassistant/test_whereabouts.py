"""A socket that is silent on the broker is looked for on the network."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.openbk.network.consoles import METER_ACCESS, MeterAccess
from custom_components.openbk.pyopenbk.obk.console import Streams
from tests.homeassistant.wizard import ENGLISH
from tests.support.broker import Broker
from tests.support.simulated import PluggedSocket, configuration, plugged_in
from tests.support.sockets import add_socket, socket_entry
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


async def add(hass: HomeAssistant, plugged: PluggedSocket) -> MockConfigEntry:
    """Set a socket up whose address leads to the simulated one."""

    async def connect(_host: str, _port: int) -> Streams:
        host, _, port = str(plugged.firmware.http_address).partition(":")
        return await asyncio.open_connection(host, int(port))

    hass.data[METER_ACCESS] = MeterAccess(simulated=True, connect=connect)
    entry = socket_entry(address="127.0.0.1")
    await add_socket(hass, entry)
    await until(lambda: plugged.firmware.running and plugged.firmware.mqtt.online)
    return entry


async def be_silent(hass: HomeAssistant) -> None:
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=181))
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_another_name_is_followed(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    """Also where it says no build, so that no discovery finds it."""
    config = replace(configuration(mosquitto, flags=0), mqtt_client_id="kitchen")
    async with plugged_in(config) as plugged:
        entry = await add(hass, plugged)
        await be_silent(hass)
        assert entry.data["client_id"] == "kitchen"
        await until(lambda: entry.runtime_data.online)
        await hass.async_block_till_done(wait_background_tasks=True)
    await hass.config_entries.async_unload(entry.entry_id)


async def test_another_broker_is_told(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    with Broker() as left:
        async with plugged_in(configuration(left)) as plugged:
            entry = await add(hass, plugged)
            await be_silent(hass)
            issue_id = f"elsewhere_{entry.entry_id}"
            issue = ir.async_get(hass).async_get_issue("openbk", issue_id)
            assert issue
            text = ENGLISH["issues"][issue.translation_key]["description"]
            assert f"{left.host}:{left.port}" in text.format(
                **(issue.translation_placeholders or {})
            )
            assert await hass.config_entries.async_remove(entry.entry_id)
            assert ir.async_get(hass).async_get_issue("openbk", issue_id) is None
