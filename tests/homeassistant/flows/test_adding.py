"""A socket that runs OpenBeken already: found by itself, or added by address or topic."""

from dataclasses import replace

from homeassistant.components import mqtt
from homeassistant.config_entries import SOURCE_DHCP
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.flows.wizard.pages import PAGES
from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from custom_components.openbk.pyopenbk.profile import SocketProfile
from simulator.openbeken.release import Release
from tests.homeassistant.adding import by_hand, cards, lease, unload
from tests.homeassistant.wizard import Wizard
from tests.support.addresses import lead_to, refuse
from tests.support.broker import Broker, free_port
from tests.support.simulated import PluggedSocket, configuration, plugged_in, stranger
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

walks = pytest.mark.walks


def relay(hass: HomeAssistant) -> str | None:
    """Return the state of the relay of a socket that was added."""
    state = hass.states.get("switch.obk8c123456")
    return state.state if state else None


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


@pytest.mark.parametrize(
    ("tuned", "password", "page"),
    [
        pytest.param(
            False,
            "correct",
            "read_pins",
            marks=walks(
                "found -> read_pins",
                "found -> where -> read_pins",
                "discovery_confirm -> read_pins",
            ),
        ),
        pytest.param(
            False,
            "",
            "tune",
            marks=walks("found -> tune", "where -> tune", "discovery_confirm -> tune"),
        ),
        pytest.param(
            True,
            "",
            "created",
            marks=walks(
                "found -> created", "where -> created", "discovery_confirm -> created"
            ),
        ),
        pytest.param(
            True,
            None,
            "no_pins_closed",
            marks=walks(
                "found -> no_pins_closed",
                "where -> no_pins_closed",
                "discovery_confirm -> no_pins_closed",
            ),
        ),
    ],
)
@pytest.mark.slow
@walks("user -> existing -> find -> found")
async def test_every_way_to_a_socket(
    hass: HomeAssistant,
    mosquitto: Broker,
    tuned: bool,
    password: str | None,
    page: str,
) -> None:
    """From the list, by its topic, and from its card it is asked for the same."""
    await hass.config.async_set_time_zone("UTC")
    await listens_for_sockets(hass)
    config = (configuration if tuned else stranger)(
        mosquitto, web_password=password or ""
    )
    async with plugged_in(config) as socket:
        lead_to(hass, socket)
        if password is None:
            hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True, connect=refuse)
        await until(lambda: cards(hass) == [CLIENT_ID])
        (card,) = hass.config_entries.flow.async_progress_by_handler("openbk")

        async def leave(wizard: Wizard) -> None:
            assert wizard.page == page
            if page != "created":
                await wizard.close()
                return
            entry = wizard.result["result"]
            assert entry.data["tuned"]
            assert SocketProfile.from_dict(entry.data["profile"]).pins == BLOW.pins
            await hass.async_block_till_done()
            await hass.config_entries.async_remove(entry.entry_id)

        wizard = Wizard(hass)
        wizard.look_at(await hass.config_entries.flow.async_configure(card["flow_id"]))
        assert wizard.page == "discovery_confirm"
        await wizard.submit()
        await leave(wizard)

        wizard = await Wizard.open(hass, "existing")
        await wizard.submit(found=CLIENT_ID)
        await leave(wizard)

        wizard = await by_hand(hass)
        await wizard.submit(client_id=CLIENT_ID)
        await leave(wizard)


async def leased(hass: HomeAssistant, plugged: PluggedSocket) -> Wizard:
    """Return the dialog of a socket that the network has given an address."""
    await until(lambda: plugged.firmware.running and plugged.firmware.mqtt.online)
    wizard = Wizard(hass)
    wizard.look_at(
        await hass.config_entries.flow.async_init(
            "openbk", context={"source": SOURCE_DHCP}, data=lease("127.0.0.1")
        )
    )
    assert wizard.page == "discovery_confirm"
    return wizard


@walks("read_pins -> *")
async def test_password_of_the_web_page(hass: HomeAssistant, mosquitto: Broker) -> None:
    await hass.config.async_set_time_zone("UTC")
    for make, password, page in (
        (stranger, "correct", "tune"),
        (configuration, "correct", "created"),
        (stranger, None, "no_pins_closed"),
    ):
        config = make(mosquitto, web_password="correct")
        async with plugged_in(config) as socket:
            lead_to(hass, socket)
            wizard = await leased(hass, socket)
            assert await wizard.submit() == "read_pins"
            assert await wizard.submit(password="wrong") == "read_pins"
            assert wizard.errors == {"password": "socket_password"}
            if password is None:
                hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True, connect=refuse)
            assert await wizard.submit(password="correct") == page
            if page == "created":
                entry = wizard.result["result"]
                assert "correct" not in str(entry.data)
                await hass.async_block_till_done()
                await hass.config_entries.async_remove(entry.entry_id)
            else:
                await wizard.close()


@walks("no_pins_closed -> *", "pins_guess -> pins -> use_pins -> created")
async def test_closed_web_page_leaves_other_sources(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    async with plugged_in(stranger(mosquitto)) as socket:
        hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True, connect=refuse)
        for offer in PAGES["no_pins_closed"]:
            wizard = await leased(hass, socket)
            assert await wizard.submit() == "no_pins_closed"
            await wizard.choose(offer)
            if offer == "leave":
                assert wizard.page == "left_unchanged"
            elif offer == "pins_guess":
                assert wizard.page == "pins"
                assert await wizard.choose("use_pins") == "created"
                await hass.async_block_till_done()
                await hass.config_entries.async_remove(wizard.result["result"].entry_id)
            else:
                assert wizard.page == offer
                await wizard.close()


@walks(
    "where -> where, tune, already_configured",
    "tune -> created",
)
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


@walks("find -> where -> where")
async def test_nothing_is_found(hass: HomeAssistant) -> None:
    wizard = await Wizard.open(hass, "existing")
    assert wizard.page == "where"
    # Copied out of a browser, too.
    for address in (
        f"127.0.0.1:{free_port()}",
        f" http://127.0.0.1:{free_port()}/index?state=1 ",
    ):
        assert await wizard.submit(address=address) == "where"
        assert wizard.errors == {"address": "socket_unreachable"}
    for address in (
        "127.0.0.1:nonsense",
        "127.0.0.1:99999999",
        "127.0.0.1:-1",
        "127.0.0.1:８０",
        "192.168.1.300",
        "0.0.0.0",
        "255.255.255.255",
        "239.1.2.3",
        "fd00::10",
        "my socket",
        "x" * 254,
    ):
        assert await wizard.submit(address=address) == "where"
        assert wizard.errors == {"address": "socket_address_invalid"}
    await wizard.close()


@walks("where -> where, no_pins_closed")
async def test_by_topic(hass: HomeAssistant, mosquitto: Broker) -> None:
    async with plugged_in(stranger(mosquitto)) as socket:
        wizard = await by_hand(hass)
        await wizard.submit(client_id="no+topic")
        assert wizard.errors == {"client_id": "topic_impossible"}
        await wizard.submit(client_id="ж" * 32)
        assert wizard.errors == {"client_id": "topic_too_long"}
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
        assert wizard.errors == {"password": "socket_needs_password"}
        await wizard.submit(address=address, password="mistyped")
        assert wizard.errors == {"password": "socket_password"}
        assert await wizard.submit(address=address, password="correct") == "tune"
        assert await wizard.submit(changes=[]) == "created"
        data = wizard.result["result"].data
        assert "correct" not in str(data)
        assert not data["tuned"]
        assert not data["undo"]
        await unload(hass)


@walks("pins_guess -> pins -> use_pins -> tune -> tune -> created")
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
        mosquitto.stop()
        await until(
            lambda: not (mqtt.is_connected(hass) or socket.firmware.mqtt.online)
        )
        assert await wizard.submit_suggested() == "tune"
        assert wizard.errors == {"base": "mqtt_disconnected"}
        back: list[str] = []
        stop = await mqtt.async_subscribe(
            hass, f"{CLIENT_ID}/connected", lambda message: back.append(message.payload)
        )
        mosquitto.start()
        # It says so behind its subscriptions: what is sent before that reaches nobody.
        await until(lambda: back == ["online"])
        stop()
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


@walks(
    "discovery_confirm -> release_too_old",
    "found -> release_too_old",
    "where -> release_too_old",
)
async def test_a_release_that_answers_no_questions_is_told_to_be_too_old(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    """Before 1.15.362 a socket does not listen on the topics of its channels (new_mqtt.c)."""
    await listens_for_sockets(hass)
    release = Release(version="1.15.361", built="Jan 22 2023 10:00:00")
    async with plugged_in(stranger(mosquitto), release=release):
        await until(lambda: cards(hass) == [CLIENT_ID])
        await retain_online(hass)
        (card,) = hass.config_entries.flow.async_progress_by_handler("openbk")
        wizard = Wizard(hass)
        wizard.look_at(await hass.config_entries.flow.async_configure(card["flow_id"]))
        assert await wizard.submit() == "release_too_old"
        assert wizard.placeholders == {"version": "1.15.361"}
        wizard = await Wizard.open(hass, "existing")
        assert await wizard.submit(found=CLIENT_ID) == "release_too_old"
        wizard = await by_hand(hass)
        assert await wizard.submit(client_id=CLIENT_ID) == "release_too_old"


async def test_a_socket_of_2023_is_found_and_added(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    """Its build names no chip (until 1.17.484), /api/info no short name (until 1.17.69).

    ``new_mqtt.c`` and ``rest_interface.c`` of these tags.
    """
    await listens_for_sockets(hass)
    release = Release(version="1.17.69", built="Apr 29 2023 06:30:00")
    async with plugged_in(stranger(mosquitto), release=release) as socket:
        lead_to(hass, socket)
        await until(lambda: cards(hass) == [CLIENT_ID])
        (card,) = hass.config_entries.flow.async_progress_by_handler("openbk")
        wizard = Wizard(hass)
        wizard.look_at(await hass.config_entries.flow.async_configure(card["flow_id"]))
        assert wizard.page == "discovery_confirm"
        assert "1.17.69" in wizard.placeholders["build"]
        assert await wizard.submit() == "tune"
        assert await wizard.submit(changes=[]) == "created"
        entry = wizard.result["result"]
        assert entry.data["firmware"] == "OpenBK7231N 1.17.69 Apr 29 2023 06:30:00"
        assert entry.data["group"] == "bekens_n"
        await until(lambda: relay(hass) == "off")
        await unload(hass)


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("washer/build", "2026-11-22"),
        ("washer/build", "Build on Monday version 2"),
        ("washer/build", "OpenWrt 24.10.2"),
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


@walks("not_openbeken")
async def test_dhcp_finds_something_else(hass: HomeAssistant) -> None:
    wizard = Wizard(hass)
    wizard.look_at(
        await hass.config_entries.flow.async_init(
            "openbk",
            context={"source": SOURCE_DHCP},
            data=lease("127.0.0.1", "obkitchen99"),
        )
    )
    assert wizard.page == "not_openbeken"


@walks("already_in_progress")
async def test_dhcp_adds_no_second_card(hass: HomeAssistant, mosquitto: Broker) -> None:
    await listens_for_sockets(hass)
    async with plugged_in(stranger(mosquitto)):
        await until(lambda: cards(hass) == [CLIENT_ID])
        wizard = Wizard(hass)
        wizard.look_at(
            await hass.config_entries.flow.async_init(
                "openbk", context={"source": SOURCE_DHCP}, data=lease("127.0.0.1")
            )
        )
        assert wizard.page == "already_in_progress"
        assert cards(hass) == [CLIENT_ID]


@walks("reconfigure -> moved -> *")
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
        await wizard.submit_suggested(client_id="a+b")
        assert wizard.errors == {"base": "topic_impossible"}
        await wizard.submit_suggested(client_id="moved", group="a+b")
        assert wizard.errors == {"base": "group_impossible"}
        await wizard.submit_suggested(client_id="bekens_n", group="bekens_n")
        assert wizard.errors == {"base": "topic_same"}
        await wizard.submit_suggested(client_id="moved", address="not one")
        assert wizard.errors == {"address": "socket_address_invalid"}
        assert await wizard.submit_suggested(client_id="moved", address=None) == (
            "reconfigure_successful"
        )
        assert entry.data["client_id"] == "moved"
        await unload(hass)
