"""A socket that is silent on the broker is looked for on the network."""

from dataclasses import replace
from datetime import timedelta

from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.openbk.network.silence import Cause, async_diagnose
from custom_components.openbk.pyopenbk.beken.rf_sector import GENERIC_MAC
from tests.homeassistant.wizard import ENGLISH
from tests.support.addresses import lead_to
from tests.support.broker import Broker, free_port
from tests.support.simulated import PluggedSocket, configuration, plugged_in
from tests.support.sockets import CLIENT_ID, MAC, add_socket, connect_mqtt, socket_entry
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

OTHER_MAC = "c8:47:8c:99:99:99"


async def unload(hass: HomeAssistant, *entries: MockConfigEntry) -> None:
    await hass.async_block_till_done(wait_background_tasks=True)
    for entry in entries:
        await hass.config_entries.async_unload(entry.entry_id)


async def add(
    hass: HomeAssistant, plugged: PluggedSocket, *, connects: bool = True
) -> MockConfigEntry:
    """Set a socket up whose address leads to the simulated one."""
    lead_to(hass, plugged)
    entry = socket_entry(address="127.0.0.1")
    await add_socket(hass, entry)
    await until(lambda: plugged.firmware.running and plugged.firmware.http_address)
    await until(lambda: plugged.firmware.mqtt.online or not connects)
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


def told(hass: HomeAssistant, entry: MockConfigEntry) -> tuple[str, str] | None:
    """Return the key and the text of the issue of a silent socket."""
    issue_id = f"elsewhere_{entry.entry_id}"
    issue = ir.async_get(hass).async_get_issue("openbk", issue_id)
    if issue is None:
        return None
    key = str(issue.translation_key)
    text: str = ENGLISH["issues"][key]["description"]
    return key, text.format(**(issue.translation_placeholders or {}))


async def test_a_login_that_is_not_accepted_is_told(
    hass: HomeAssistant, mock_hass_config: None, socket_enabled: None
) -> None:
    with Broker(users={"home": "right", "socket": "new"}) as broker:
        home = await connect_mqtt(hass, broker, username="home", password="right")
        config = configuration(broker, mqtt_username="socket", mqtt_password="old")
        async with plugged_in(config) as plugged:
            entry = await add(hass, plugged, connects=False)
            await be_silent(hass)
            assert (found := told(hass, entry))
            assert found[0] == "silent_not_connected"
            assert f"{broker.host}:{broker.port}" in found[1]
            await unload(hass, entry, home)


@pytest.mark.parametrize(
    ("access", "cause"),
    [
        # A socket that may do nothing, beside a Home Assistant that may do everything.
        ("user home\ntopic readwrite #\nuser socket\ntopic read nothing/#\n",
         "silent_socket_rights"),
        # And the other way round.
        ("user socket\ntopic readwrite #\nuser home\ntopic readwrite homeassistant/#\n",
         "silent_own_rights"),
    ],
)  # fmt: skip
async def test_a_login_without_rights_is_told_from_the_other(
    hass: HomeAssistant,
    mock_hass_config: None,
    socket_enabled: None,
    access: str,
    cause: str,
) -> None:
    """Both are connected, and the broker drops what is not allowed without a word."""
    with Broker(users={"home": "h", "socket": "s"}, access=access) as broker:
        home = await connect_mqtt(hass, broker, username="home", password="h")
        config = configuration(broker, mqtt_username="socket", mqtt_password="s")
        async with plugged_in(config) as plugged:
            entry = await add(hass, plugged)
            await be_silent(hass)
            assert (found := told(hass, entry))
            assert found[0] == cause
            assert f"cmnd/**{CLIENT_ID}**/#" in found[1]
            await unload(hass, entry, home)


async def test_another_topic_that_may_not_be_followed_is_told(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    """It belongs to another entry."""
    config = replace(configuration(mosquitto, flags=0), mqtt_client_id="kitchen")
    async with plugged_in(config) as plugged:
        other = socket_entry(mac="c8:47:8c:99:99:99", client_id="kitchen")
        other.add_to_hass(hass)
        entry = await add(hass, plugged)
        await be_silent(hass)
        assert (found := told(hass, entry))
        assert found[0] == "silent_other_topic"
        assert "**kitchen**" in found[1]
        assert entry.data["client_id"] == CLIENT_ID
        await unload(hass, entry)


async def test_one_that_is_unplugged_needs_no_advice(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    entry = socket_entry(address=f"127.0.0.1:{free_port()}")
    await add_socket(hass, entry)
    await be_silent(hass)
    assert told(hass, entry) is None
    await unload(hass, entry)


async def causes(hass: HomeAssistant, address: str | None, mac: str = MAC) -> Cause:
    return (await async_diagnose(hass, CLIENT_ID, mac, address)).cause


async def test_every_cause_is_told_from_the_others(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    config = configuration(mosquitto, web_password="secret")
    assert await causes(hass, None) is Cause.UNKNOWN
    assert await causes(hass, f"127.0.0.1:{free_port()}") is Cause.DEAD
    async with plugged_in(config) as locked:
        await until(lambda: locked.firmware.http_address)
        assert await causes(hass, locked.firmware.http_address) is Cause.LOCKED
    async with plugged_in(configuration(mosquitto, mqtt_client_id="x")) as plugged:
        await until(lambda: plugged.firmware.http_address)
        address = plugged.firmware.http_address
        assert await causes(hass, address) is Cause.OTHER_TOPIC
        assert await causes(hass, address, OTHER_MAC) is Cause.ANOTHER_SOCKET
    # What many chips have proves nothing.
    config = configuration(mosquitto, mac=GENERIC_MAC, mqtt_client_id="x")
    async with plugged_in(config, GENERIC_MAC) as plugged:
        await until(lambda: plugged.firmware.http_address)
        address = plugged.firmware.http_address
        assert await causes(hass, address, GENERIC_MAC) is Cause.ANOTHER_SOCKET
    mosquitto.stop()
    await until(lambda: not mqtt.is_connected(hass))
    assert await causes(hass, None) is Cause.BROKER_GONE
