"""A socket that runs OpenBeken already: found by itself, or added by address or topic."""

from dataclasses import replace

from homeassistant.components import mqtt
from homeassistant.config_entries import SOURCE_DHCP
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.service_info.dhcp import DhcpServiceInfo
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.pyopenbk.profile import SocketProfile
from tests.homeassistant.wizard import Wizard
from tests.support.broker import Broker, free_port
from tests.support.simulated import plugged_in, stranger
from tests.support.sockets import BLOW, BUILD, CLIENT_ID, MAC, socket_entry
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]


def cards(hass: HomeAssistant) -> list[str]:
    """Return the names on the cards of what was discovered."""
    return [
        flow["context"]["title_placeholders"]["name"]
        for flow in hass.config_entries.flow.async_progress_by_handler("openbk")
        if flow["context"].get("title_placeholders")
    ]


async def unload(hass: HomeAssistant) -> None:
    await hass.async_block_till_done()
    for entry in hass.config_entries.async_entries("openbk"):
        await hass.config_entries.async_unload(entry.entry_id)


async def test_by_address(hass: HomeAssistant, mosquitto: Broker) -> None:
    async with plugged_in(stranger(mosquitto)) as socket:
        await until(lambda: socket.firmware.http_address)
        wizard = await Wizard.open(hass, "existing")
        assert wizard.page == "existing"
        await wizard.submit()
        assert wizard.errors == {"base": "socket_missing"}
        await wizard.submit(address=f"127.0.0.1:{free_port()}")
        assert wizard.errors == {"address": "socket_unreachable"}
        assert await wizard.submit(address=socket.firmware.http_address) == "tune"
        assert await wizard.submit(changes=["retain_relays"]) == "created"
        entry = wizard.result["result"]
        assert entry.unique_id == MAC
        assert entry.data["client_id"] == CLIENT_ID
        assert SocketProfile.from_dict(entry.data["profile"]).pins == BLOW.pins
        again = await Wizard.open(hass, "existing")
        await again.submit(address=socket.firmware.http_address)
        assert again.page == "already_configured"
        await unload(hass)


async def test_by_topic(hass: HomeAssistant, mosquitto: Broker) -> None:
    async with plugged_in(stranger(mosquitto)) as socket:
        wizard = await Wizard.open(hass, "existing")
        await wizard.submit(client_id="no/topic")
        assert wizard.errors == {"client_id": "topic_invalid"}
        await until(lambda: socket.firmware.http_address)
        await wizard.submit(client_id=CLIENT_ID)
        # Its web page is on a port of its own here, where the socket does not say so.
        assert wizard.page == "no_pins_closed"
        await wizard.choose("pins_known")
        assert await wizard.submit(model="blow_72_074") == "pins"
        assert await wizard.choose("use_pins") == "created"
        await unload(hass)


async def test_discovered_by_its_build(hass: HomeAssistant, mosquitto: Broker) -> None:
    async with plugged_in(stranger(mosquitto)):
        await until(lambda: cards(hass) == [CLIENT_ID])
        (flow,) = hass.config_entries.flow.async_progress_by_handler("openbk")
        assert flow["step_id"] == "discovery_confirm"


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("washer/build", "2026-11-22"),
        ("washer/build", "OpenBK7231T 1.18.300 Nov 22 2026 16:44:43"),
        ("washer/build", ""),
        ("silent/build", BUILD),
    ],
)
async def test_foreign_message_leaves_nothing(
    hass: HomeAssistant, topic: str, payload: str
) -> None:
    await mqtt.async_publish(hass, topic, payload, 1, True)
    await hass.async_block_till_done(wait_background_tasks=True)
    await until(
        lambda: not hass.config_entries.flow.async_progress_by_handler("openbk"), 30
    )
    assert not cards(hass)


async def test_known_socket_makes_no_card(hass: HomeAssistant) -> None:
    socket_entry().add_to_hass(hass)
    await mqtt.async_publish(hass, f"{CLIENT_ID}/build", BUILD, 1, False)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not hass.config_entries.flow.async_progress_by_handler("openbk")


def lease(ip: str, mac: str = MAC) -> DhcpServiceInfo:
    return DhcpServiceInfo(
        ip=ip, hostname="openbk7231n_8c123456", macaddress=mac.replace(":", "")
    )


async def test_dhcp_follows_the_address(hass: HomeAssistant) -> None:
    entry = socket_entry()
    entry.add_to_hass(hass)
    result = await hass.config_entries.flow.async_init(
        "openbk", context={"source": SOURCE_DHCP}, data=lease("192.168.1.77")
    )
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
    assert entry.data["address"] == "192.168.1.77"


async def test_dhcp_finds_something_else(hass: HomeAssistant) -> None:
    result = await hass.config_entries.flow.async_init(
        "openbk", context={"source": SOURCE_DHCP}, data=lease("127.0.0.1")
    )
    assert result["reason"] == "not_openbeken"


async def test_reconfigure(hass: HomeAssistant, mosquitto: Broker) -> None:
    moved = replace(stranger(mosquitto), mqtt_client_id="moved")
    entry = socket_entry()
    entry.add_to_hass(hass)
    other = MockConfigEntry(domain="openbk", unique_id="o", data={"client_id": "taken"})
    other.add_to_hass(hass)
    async with plugged_in(moved) as socket:
        await until(lambda: socket.firmware.http_address)
        wizard = Wizard(hass)
        wizard.look_at(await entry.start_reconfigure_flow(hass))
        assert wizard.page == "reconfigure"
        await wizard.submit_suggested(client_id="taken")
        assert wizard.errors == {"base": "topic_taken"}
        await wizard.submit_suggested(client_id="a b")
        assert wizard.errors == {"base": "topic_invalid"}
        await wizard.submit_suggested(client_id="bekens_n")
        assert wizard.errors == {"base": "topic_same"}
        assert await wizard.submit_suggested(client_id="moved") == (
            "reconfigure_successful"
        )
        assert entry.data["client_id"] == "moved"
        await unload(hass)
