"""What is no socket, or not the one that is meant, is told from it: by address, topic and message."""

from asyncio import open_connection
from pathlib import Path
from typing import Any

from aiohttp import web
from homeassistant.components import mqtt
from homeassistant.config_entries import SOURCE_DHCP, SOURCE_MQTT
from homeassistant.core import HomeAssistant
import pytest

from custom_components.openbk.issues.unfinished import (
    UnfinishedSocket,
    UnfinishedSockets,
)
from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from custom_components.openbk.pyopenbk.devices import KNOWN_DEVICES
from custom_components.openbk.pyopenbk.obk.console import Streams
from custom_components.openbk.pyopenbk.obk.setup import SocketSettings
from custom_components.openbk.pyopenbk.profile import PinAssignment, SocketProfile
from custom_components.openbk.pyopenbk.roles import PinRole
from tests.homeassistant.adding import (
    OTHER_MAC,
    ROUTER,
    build_message,
    by_hand,
    cards,
    lease,
    says,
    unload,
)
from tests.homeassistant.wizard import Wizard
from tests.support.addresses import lead_to, refuse, server
from tests.support.broker import Broker
from tests.support.simulated import plugged_in, stranger
from tests.support.sockets import BLOW, BUILD, CLIENT_ID, MAC, add_socket, socket_entry
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]

walks = pytest.mark.walks


async def fridge(_request: web.Request) -> web.Response:
    return web.Response(text="<html>What about some milk?</html>")


async def by_message(hass: HomeAssistant, topic: str, payload: str) -> str:
    """Return how the dialog ends that a message on a build topic opens."""
    wizard = Wizard(hass)
    wizard.look_at(
        await hass.config_entries.flow.async_init(
            "openbk",
            context={"source": SOURCE_MQTT},
            data=build_message(topic, payload),
        )
    )
    return wizard.page


async def by_lease(hass: HomeAssistant, address: str) -> str:
    """Return how the dialog ends that a new address in the network opens."""
    wizard = Wizard(hass)
    wizard.look_at(
        await hass.config_entries.flow.async_init(
            "openbk", context={"source": SOURCE_DHCP}, data=lease(address)
        )
    )
    return wizard.page


@walks("where -> where")
async def test_something_else_at_the_address(hass: HomeAssistant) -> None:
    wizard = await Wizard.open(hass, "existing")
    async with server(fridge) as address:
        assert await wizard.submit(address=address) == "where"
        assert wizard.errors == {"address": "socket_not_openbeken"}
        assert await by_lease(hass, address) == "not_openbeken"
    await wizard.close()


@walks("where -> where, read_pins")
async def test_a_password_goes_nowhere_but_where_it_was_typed_for(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    """Not to the next address, nor to one that only a message on the broker tells."""
    heard: list[str | None] = []

    async def gate(request: web.Request) -> web.Response:
        heard.append(request.headers.get("Authorization"))
        return web.Response(status=401)

    wizard = await Wizard.open(hass, "existing")
    async with server(gate) as address, server(gate) as another:
        await wizard.submit(address=address, password="WEBSECRET42")
        assert wizard.errors == {"password": "socket_password"}
        assert any(heard)
        assert "WEBSECRET42" not in wizard.sent
        kept = wizard.placeholders["web_password"]
        heard.clear()
        await wizard.submit(address=another)
        assert wizard.errors == {"password": "socket_needs_password"}
        assert heard
        assert not any(heard)
        assert wizard.placeholders["web_password"] != kept
        async with plugged_in(stranger(mosquitto, web_password="x")) as socket:
            await until(lambda: socket.firmware.http_address)
            hass.data[SOCKET_ACCESS] = SocketAccess(
                simulated=True,
                connect=lambda _host, _port: open_connection(*another.split(":")),
            )
            heard.clear()
            typed = {"client_id": CLIENT_ID, "password": "WEBSECRET42"}
            assert await wizard.submit(**typed) == "read_pins"
            assert heard
            assert not any(heard)
            await wizard.close()


@walks("where -> where", "not_openbeken")
async def test_another_socket_answers_to_its_name_here(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    """The one at the address is on another broker."""
    with Broker() as elsewhere:
        async with (
            plugged_in(stranger(elsewhere)) as socket,
            plugged_in(stranger(mosquitto), OTHER_MAC),
        ):
            await until(lambda: socket.firmware.http_address)
            address = str(socket.firmware.http_address)
            wizard = await by_hand(hass)
            assert await wizard.submit(address=address) == "where"
            assert wizard.errors == {"address": "socket_not_on_broker"}
            await wizard.close()
            assert await by_lease(hass, address) == "not_openbeken"


@walks("where -> where")
async def test_something_else_at_the_topic(hass: HomeAssistant) -> None:
    await says(hass, "kitchen", ROUTER)
    wizard = await Wizard.open(hass, "existing")
    assert await wizard.submit(client_id="kitchen") == "where"
    assert wizard.errors == {"client_id": "socket_silent"}
    await wizard.close()


@walks("where -> where", "no_broker")
async def test_nobody_is_said_to_be_silent_while_home_assistant_has_no_broker(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    wizard = await Wizard.open(hass, "existing")
    async with plugged_in(stranger(mosquitto)) as socket:
        await until(lambda: socket.firmware.http_address)
        mosquitto.stop()
        await until(lambda: not mqtt.is_connected(hass))
        address = str(socket.firmware.http_address)
        for typed in ({"client_id": CLIENT_ID}, {"address": address}):
            assert await wizard.submit(**typed) == "where"
            assert wizard.errors == {"base": "mqtt_disconnected"}
        await wizard.close()
        assert await by_lease(hass, address) == "no_broker"
        page = await by_message(hass, f"{CLIENT_ID}/build", BUILD)
        assert page == "no_broker"


@walks("find -> broker_lost -> again", "broker_lost -> *", "left_unchanged")
async def test_looking_for_sockets_goes_on_once_home_assistant_has_its_broker_again(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    mosquitto.stop()
    await until(lambda: not mqtt.is_connected(hass))
    wizard = await Wizard.open(hass, "existing")
    assert wizard.page == "broker_lost"
    assert await wizard.choose("again") == "broker_lost"
    mosquitto.start()
    await until(lambda: mqtt.is_connected(hass))
    assert await wizard.choose("again") == "where"
    mosquitto.stop()
    await until(lambda: not mqtt.is_connected(hass))
    another = await Wizard.open(hass, "existing")
    assert await another.choose("leave") == "left_unchanged"


@walks("pins_guess -> broker_lost -> again -> no_pins_closed")
async def test_pins_can_be_chosen_by_hand_while_home_assistant_has_no_broker(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    async with plugged_in(stranger(mosquitto)) as socket:
        await until(lambda: socket.firmware.running and socket.firmware.mqtt.online)
        wizard = await by_hand(hass)
        assert await wizard.submit(client_id=CLIENT_ID) == "no_pins_closed"
        mosquitto.stop()
        await until(lambda: not mqtt.is_connected(hass))
        assert await wizard.choose("pins_guess") == "broker_lost"
        assert await wizard.choose("again") == "no_pins_closed"
        assert await wizard.choose("pins_edit") == "pins_edit"
        await wizard.close()


@walks("not_openbeken", "already_configured")
async def test_something_else_says_a_build(hass: HomeAssistant) -> None:
    await says(hass, "kitchen", ROUTER)
    socket_entry().add_to_hass(hass)
    for topic, payload, page in (
        ("kitchen/build", "2026-11-22", "not_openbeken"),
        ("kitchen/build", ROUTER["build"], "not_openbeken"),
        # What it says when it is asked counts.
        ("kitchen/build", BUILD, "not_openbeken"),
        (f"{CLIENT_ID}/build", BUILD, "already_configured"),
    ):
        assert await by_message(hass, topic, payload) == page
    assert not cards(hass)


@pytest.mark.slow
@walks("where -> no_pins_closed")
async def test_socket_tells_no_address(hass: HomeAssistant) -> None:
    await says(hass, "kitchen", {**ROUTER, "build": BUILD, "ip": "none"})
    wizard = await Wizard.open(hass, "existing")
    assert await wizard.submit(client_id="kitchen") == "no_pins_closed"
    await wizard.close()


@walks("where -> pins_incomplete -> pins_known -> pins -> tune -> created")
async def test_socket_has_no_relay_yet(hass: HomeAssistant, mosquitto: Broker) -> None:
    bare = SocketProfile.of((PinAssignment(pin=11, role=PinRole.BTN, channel=1),))
    async with plugged_in(stranger(mosquitto, bare)) as socket:
        await until(lambda: socket.firmware.http_address)
        wizard = await by_hand(hass)
        assert await wizard.submit(address=socket.firmware.http_address) == (
            "pins_incomplete"
        )
        await wizard.choose("pins_known")
        assert await wizard.submit(model="blow_72_074") == "pins"
        assert await wizard.choose("use_pins") == "tune"
        assert await wizard.submit(changes=[]) == "created"
        await unload(hass)


class TestReconfiguring:
    """The entry of a socket follows it, and no other."""

    @walks("moved -> moved", "reconfigure_successful")
    async def test_moved(self, hass: HomeAssistant, mosquitto: Broker) -> None:
        entry = socket_entry()
        entry.add_to_hass(hass)
        await says(hass, "kitchen", ROUTER)
        other = stranger(mosquitto, mqtt_client_id="hall")
        async with plugged_in(other, OTHER_MAC) as socket:
            await until(lambda: socket.firmware.running and socket.firmware.mqtt.online)
            wizard = Wizard(hass)
            wizard.look_at(await entry.start_reconfigure_flow(hass))
            await wizard.choose("moved")
            assert await wizard.submit_suggested(client_id="kitchen") == "moved"
            assert wizard.errors == {"client_id": "socket_silent"}
            assert await wizard.submit_suggested(client_id="hall") == "moved"
            assert wizard.errors == {"client_id": "socket_other"}
            mosquitto.stop()
            await until(lambda: not mqtt.is_connected(hass))
            assert await wizard.submit_suggested(client_id="hall") == "moved"
            assert wizard.errors == {"base": "mqtt_disconnected"}
            other_form = Wizard(hass)
            other_form.look_at(await entry.start_reconfigure_flow(hass))
            await other_form.choose("replaced")
            assert await other_form.submit(client_id="hall") == "replaced"
            assert other_form.errors == {"base": "mqtt_disconnected"}
            await other_form.close()
            # Its topic is not asked for anything where it stays as it is.
            same = {"client_id": CLIENT_ID, "group": "plugs", "address": "10.0.0.9"}
            assert await wizard.submit_suggested(**same) == "reconfigure_successful"
            assert {key: entry.data[key] for key in same} == same
            await unload(hass)


@walks("where -> no_pins_closed")
async def test_the_address_that_it_names_is_another_sockets_by_now(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    with Broker() as elsewhere:
        async with (
            plugged_in(stranger(mosquitto)) as socket,
            plugged_in(stranger(elsewhere), OTHER_MAC) as other,
        ):
            await until(lambda: socket.firmware.running and socket.firmware.mqtt.online)
            lead_to(hass, other)
            wizard = await by_hand(hass)
            assert await wizard.submit(client_id=CLIENT_ID) == "no_pins_closed"
            await wizard.close()


@walks("tune -> tune")
async def test_a_socket_that_falls_silent_is_not_said_to_be_tuned(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    async with plugged_in(stranger(mosquitto)) as socket:
        await until(lambda: socket.firmware.http_address)
        lead_to(hass, socket)
        wizard = await by_hand(hass)
        assert await wizard.submit(address=socket.firmware.http_address) == "tune"
        hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True, connect=refuse)
        assert await wizard.submit(changes=["retain_relays"]) == "tune"
        assert wizard.errors == {"base": "tuning_stopped"}
        lead_to(hass, socket)
        assert await wizard.submit(changes=["retain_relays"]) == "created"
        await unload(hass)


@walks("tune -> tune, created")
async def test_what_was_not_seen_to_be_made_is_still_listed(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    """The socket falls silent between two changes, and somebody else gives it a program."""
    async with plugged_in(stranger(mosquitto)) as socket:
        await until(lambda: socket.firmware.http_address)
        lead_to(hass, socket)
        settings = socket.firmware.settings
        wizard = await by_hand(hass)
        assert await wizard.submit(address=socket.firmware.http_address) == "tune"
        before, whole = settings.values.flags, hass.data[SOCKET_ACCESS]

        async def silent_once_changed(host: str, port: int) -> Streams:
            if settings.values.flags != before:
                raise ConnectionRefusedError
            return await whole.connect(host, port)

        hass.data[SOCKET_ACCESS] = SocketAccess(
            simulated=True, connect=silent_once_changed
        )
        wanted = ["retain_relays", "startup_command"]
        assert await wizard.submit(changes=wanted) == "tune"
        assert wizard.errors == {"base": "tuning_stopped"}
        [field] = wizard.result["data_schema"].schema.values()
        assert {*wanted} <= {*field.config["options"]}
        assert settings.values.startup_command == ""

        hass.data[SOCKET_ACCESS] = whole
        settings.change(startup_command="echo theirs")
        settings.save()
        assert await wizard.submit(changes=wanted) == "tune"
        assert wizard.errors == {"base": "startup_changed"}
        [field] = wizard.result["data_schema"].schema.values()
        assert "startup_command" in field.config["options"]
        assert "retain_relays" not in field.config["options"]
        assert await wizard.submit(changes=[]) == "created"
        entry = wizard.result["result"]
        assert list(entry.data["undo"]) == ["retain_relays"]
        assert settings.values.startup_command == "echo theirs"
        await unload(hass)


# As its wizard would have written it, and as it may run by now.
CHOSEN = KNOWN_DEVICES["blow_72_074"].profile
BARE = SocketProfile.of((PinAssignment(pin=11, role=PinRole.BTN, channel=1),))
OTHERWISE = SocketProfile.of((PinAssignment(pin=26, role=PinRole.REL, channel=1),))


@pytest.mark.parametrize(
    ("runs_with", "expected"), [(OTHERWISE, OTHERWISE), (BARE, CHOSEN)]
)
async def test_a_socket_whose_wizard_was_left_comes_with_the_pins_that_it_has(
    hass: HomeAssistant,
    mosquitto: Broker,
    tmp_path: Path,
    runs_with: SocketProfile,
    expected: SocketProfile,
) -> None:
    hass.config.config_dir = str(tmp_path)
    await remember(hass, MAC, CLIENT_ID)
    async with plugged_in(stranger(mosquitto, runs_with)) as socket:
        await until(lambda: socket.firmware.http_address)
        lead_to(hass, socket)
        wizard = await by_hand(hass)
        assert await wizard.submit(address=socket.firmware.http_address) == "created"
        entry = wizard.result["result"]
        assert entry.title == "Kitchen"
        profile = SocketProfile.from_dict(entry.data["profile"])
        assert profile.pins == expected.pins
        assert profile.module == CHOSEN.module
        await unload(hass)


async def remember(hass: HomeAssistant, mac: str, client_id: str) -> None:
    """Leave what a wizard leaves that was closed before its socket had reported in."""
    chosen = SocketSettings(name="Kitchen", client_id=client_id)
    await UnfinishedSockets(hass).async_remember(
        mac, UnfinishedSocket(profile=CHOSEN, settings=chosen, release=None), b""
    )


async def test_a_socket_whose_wizard_was_left_need_not_tell_its_address(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    hass.config.config_dir = str(tmp_path)
    await remember(hass, OTHER_MAC, "kitchen")
    await says(hass, "kitchen", {**ROUTER, "build": BUILD, "ip": "none"})
    wizard = await Wizard.open(hass, "existing")
    assert await wizard.submit(client_id="kitchen") == "created"
    profile = SocketProfile.from_dict(wizard.result["result"].data["profile"])
    assert profile.pins == CHOSEN.pins
    await unload(hass)


class TestReplacing:
    """Other hardware takes the place of a socket, with its own pins where it tells them."""

    async def replace(self, hass: HomeAssistant, entry: Any, topic: str) -> Wizard:
        wizard = Wizard(hass)
        wizard.look_at(await entry.start_reconfigure_flow(hass))
        await wizard.choose("replaced")
        await wizard.submit(client_id="a+b")
        assert wizard.errors == {"base": "topic_impossible"}
        assert await wizard.submit(client_id=topic) == "hardware_replaced"
        return wizard

    @pytest.mark.parametrize(
        ("runs_with", "expected"), [(OTHERWISE, OTHERWISE), (BARE, BLOW)]
    )
    async def test_with_other_pins(
        self,
        hass: HomeAssistant,
        mosquitto: Broker,
        runs_with: SocketProfile,
        expected: SocketProfile,
    ) -> None:
        """Those of the entry stay where the socket has not been told its relay yet."""
        entry = socket_entry()
        await add_socket(hass, entry)
        other = stranger(mosquitto, runs_with, mqtt_client_id="hall")
        async with plugged_in(other, OTHER_MAC) as socket:
            await until(lambda: socket.firmware.running and socket.firmware.mqtt.online)
            lead_to(hass, socket)
            await self.replace(hass, entry, "hall")
            assert entry.data["mac"] == OTHER_MAC
            profile = SocketProfile.from_dict(entry.data["profile"])
            assert profile.pins == expected.pins
            await unload(hass)

    async def test_without_an_address(self, hass: HomeAssistant) -> None:
        entry = socket_entry()
        await add_socket(hass, entry)
        before = entry.data["profile"]
        await says(hass, "kitchen", {**ROUTER, "build": BUILD, "ip": "none"})
        await self.replace(hass, entry, "kitchen")
        assert entry.data["address"] is None
        assert entry.data["profile"] == before
        await unload(hass)
