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
from tests.support.sockets import (
    BLOW,
    BUILD,
    CLIENT_ID,
    MAC,
    listens_for_sockets,
    socket_entry,
)
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]


def cards(hass: HomeAssistant) -> list[str]:
    """Return the names on the cards of what was discovered."""
    return [
        flow["context"]["title_placeholders"]["name"]
        for flow in hass.config_entries.flow.async_progress_by_handler("openbk")
        if flow["context"].get("title_placeholders")
    ]


def relay(hass: HomeAssistant) -> str | None:
    """Return the state of the relay of a socket that was added."""
    state = hass.states.get("switch.obk8c123456")
    return state.state if state else None


async def unload(hass: HomeAssistant) -> None:
    await hass.async_block_till_done()
    for entry in hass.config_entries.async_entries("openbk"):
        await hass.config_entries.async_unload(entry.entry_id)


async def by_hand(hass: HomeAssistant) -> Wizard:
    """Walk to the form that asks where the socket is."""
    wizard = await Wizard.open(hass, "existing")
    if wizard.page == "found":
        await wizard.submit(found="another")
    assert wizard.page == "where"
    return wizard


async def retain_online(hass: HomeAssistant) -> None:
    """Leave what is all that a broker keeps of sockets, and of other products."""
    for client_id in (CLIENT_ID, "fridge"):
        await mqtt.async_publish(hass, f"{client_id}/connected", "online", 1, True)


async def test_found_on_the_broker(hass: HomeAssistant, mosquitto: Broker) -> None:
    """The socket was there before Home Assistant, and its card may be there already."""
    await listens_for_sockets(hass)
    async with plugged_in(stranger(mosquitto)) as socket:
        await until(lambda: cards(hass) == [CLIENT_ID])
        await retain_online(hass)
        wizard = await Wizard.open(hass, "existing")
        assert wizard.page == "found"
        assert await wizard.submit(found=CLIENT_ID) == "no_pins_closed"
        assert "find" in wizard.pages
        # It is heard for a minute of its own, then shown for confirmation.
        assert await wizard.choose("pins_guess") == "pins"
        assert await wizard.choose("use_pins") == "created"
        profile = SocketProfile.from_dict(wizard.result["result"].data["profile"])
        assert profile.has_meter
        assert [relay.channel for relay in profile.relays] == [1]
        assert not cards(hass)
        await until(lambda: relay(hass) == "off")
        await hass.services.async_call(
            "switch", "turn_on", {"entity_id": "switch.obk8c123456"}
        )
        await until(lambda: socket.firmware.relay(1))
        await unload(hass)


async def test_by_address(hass: HomeAssistant, mosquitto: Broker) -> None:
    async with plugged_in(stranger(mosquitto)) as socket:
        await until(lambda: socket.firmware.http_address)
        wizard = await by_hand(hass)
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
        again = await by_hand(hass)
        await again.submit(address=socket.firmware.http_address)
        assert again.page == "already_configured"
        await unload(hass)


async def test_by_topic(hass: HomeAssistant, mosquitto: Broker) -> None:
    async with plugged_in(stranger(mosquitto)) as socket:
        wizard = await by_hand(hass)
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


async def test_with_a_password(hass: HomeAssistant, mosquitto: Broker) -> None:
    async with plugged_in(stranger(mosquitto, web_password="correct")) as socket:
        await until(lambda: socket.firmware.running and socket.firmware.http_address)
        address = socket.firmware.http_address
        wizard = await by_hand(hass)
        await wizard.submit(address=address)
        assert wizard.errors == {"address": "socket_password"}
        assert await wizard.submit(address=address, password="correct") == "tune"
        assert await wizard.submit(changes=[]) == "created"
        data = wizard.result["result"].data
        assert "correct" not in str(data)
        assert not data["tuned"]
        assert not data["undo"]
        await unload(hass)


async def test_topics_without_get_have_to_be_tuned(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    """With flag 50 an entry would wait in vain; ticked is only that."""
    config = stranger(mosquitto, flags=1 << 50 | 1 << 10)
    async with plugged_in(config) as socket:
        await until(lambda: socket.firmware.running and socket.firmware.mqtt.online)
        wizard = await by_hand(hass)
        await wizard.submit(client_id=CLIENT_ID)
        assert await wizard.choose("pins_guess") == "pins"
        assert await wizard.choose("use_pins") == "tune"
        assert wizard.suggested == {"changes": ["no_get_suffix"]}
        assert await wizard.submit_suggested() == "created"
        assert wizard.result["result"].data["undo"] == {
            "no_get_suffix": ["SetFlag 50 1"]
        }
        await until(lambda: relay(hass) == "off")
        await unload(hass)


async def test_renamed_topic_is_followed(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    """The socket says its build under the new name, and its MAC tells who it is."""
    entry = socket_entry()
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    async with plugged_in(stranger(mosquitto)):
        await until(lambda: entry.runtime_data.online)
        await mqtt.async_publish(hass, f"cmnd/{CLIENT_ID}/MqttClient", "kitchen")
        await until(lambda: entry.data["client_id"] == "kitchen")
        await until(lambda: entry.runtime_data.value("channel_1") == 0)
        assert not cards(hass)
        await unload(hass)


async def test_discovered_by_its_build(hass: HomeAssistant, mosquitto: Broker) -> None:
    await listens_for_sockets(hass)
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


def lease(ip: str, hostname: str = "openbk7231n_8c123456") -> DhcpServiceInfo:
    return DhcpServiceInfo(ip=ip, hostname=hostname, macaddress=MAC.replace(":", ""))


async def test_dhcp_follows_the_address(hass: HomeAssistant) -> None:
    entry = socket_entry()
    entry.add_to_hass(hass)
    result = await hass.config_entries.flow.async_init(
        "openbk", context={"source": SOURCE_DHCP}, data=lease("192.168.1.77")
    )
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
    assert entry.data["address"] == "192.168.1.77"


async def test_dhcp_finds_a_socket(hass: HomeAssistant, mosquitto: Broker) -> None:
    await listens_for_sockets(hass)
    async with plugged_in(stranger(mosquitto)) as socket:
        await until(lambda: socket.firmware.running and socket.firmware.mqtt.online)
        # The card that MQTT makes is another test's.
        await until(lambda: cards(hass))
        for flow in hass.config_entries.flow.async_progress_by_handler("openbk"):
            hass.config_entries.flow.async_abort(flow["flow_id"])
        wizard = Wizard(hass)
        wizard.look_at(
            await hass.config_entries.flow.async_init(
                "openbk",
                context={"source": SOURCE_DHCP},
                data=lease(str(socket.firmware.http_address)),
            )
        )
        assert wizard.page == "discovery_confirm"
        assert cards(hass) == [CLIENT_ID]


async def test_dhcp_finds_a_socket_that_is_closed(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    """Its name in the network ends as its client id does, and MQTT has the rest."""
    await listens_for_sockets(hass)
    async with plugged_in(stranger(mosquitto, web_password="secret")) as socket:
        await until(lambda: socket.firmware.running and socket.firmware.mqtt.online)
        await until(lambda: cards(hass))
        for flow in hass.config_entries.flow.async_progress_by_handler("openbk"):
            hass.config_entries.flow.async_abort(flow["flow_id"])
        address = str(socket.firmware.http_address)
        wizard = Wizard(hass)
        wizard.look_at(
            await hass.config_entries.flow.async_init(
                "openbk", context={"source": SOURCE_DHCP}, data=lease(address)
            )
        )
        assert wizard.page == "discovery_confirm"


async def test_dhcp_finds_something_else(hass: HomeAssistant) -> None:
    result = await hass.config_entries.flow.async_init(
        "openbk",
        context={"source": SOURCE_DHCP},
        data=lease("127.0.0.1", "obkitchen99"),
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
        assert await wizard.choose("moved") == "moved"
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


async def test_reconfigure_leads_to_another_broker(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    """The socket is left on a broker that Home Assistant has moved away from."""
    left = Broker(users={"plug": "old"})
    login = {"mqtt_username": "plug", "mqtt_password": "old"}
    with left:
        async with plugged_in(stranger(left, **login)) as socket:
            entry = socket_entry()
            entry.add_to_hass(hass)
            await until(lambda: socket.firmware.running and socket.firmware.mqtt.online)
            wizard = Wizard(hass)
            wizard.look_at(await entry.start_reconfigure_flow(hass))
            assert await wizard.choose("new_broker") == "new_broker"
            values = {
                "address": socket.firmware.http_address,
                "host": mosquitto.host,
                "port": mosquitto.port,
                "username": "sockets",
                "password": "new",
                "use_own_login": False,
            }
            closed = {**values, "address": f"127.0.0.1:{free_port()}"}
            # Loopback is questioned once.
            await wizard.submit(**closed)
            assert wizard.errors == {"host": "broker_loopback"}
            await wizard.submit(**closed)
            assert wizard.errors == {"address": "socket_unreachable"}
            assert await wizard.submit(**values) == "reconfigure_successful"
            assert entry.data["address"] == socket.firmware.http_address
            await until(lambda: entry.runtime_data.online)
            assert socket.firmware.settings.values.mqtt_password == "new"
            assert "new" not in str(entry.data)
            await unload(hass)
