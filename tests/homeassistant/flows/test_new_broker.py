"""A socket is led to another broker with any login, and is seen there or is left as it was."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
import re
from socket import AF_INET, SOCK_STREAM
from typing import Any, Final

from homeassistant.components import mqtt
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from custom_components.openbk.pyopenbk.beken.chips import CHIPS
from custom_components.openbk.pyopenbk.beken.rf_sector import GENERIC_MAC
from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector
from custom_components.openbk.pyopenbk.obk.console import Streams
from simulator.openbeken import Release
from tests.homeassistant.wizard import Wizard
from tests.support.broker import Broker, free_port
from tests.support.simulated import PluggedSocket, plugged_in, stranger
from tests.support.sockets import connect_mqtt, socket_entry
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

walks = pytest.mark.walks
OTHER_MAC: Final = "c8:47:8c:99:99:99"
OLD: Final = {"mqtt_username": "plug", "mqtt_password": 'old "pass" $word'}
HORSE: Final = 'correct "horse" $battery'
SENT_AS_COMMAND: Final = [
    "plain123",
    "correct horse battery",
    " around ",
    "a&b=c+d%20;#?/\\",
    "żółć😀 voilà",
    "x" * 127,
]
SENT_IN_ADDRESS: Final = ["$ecret99", '"quoted"', HORSE, '"' * 127]


@dataclass
class Wire:
    """What went from Home Assistant to web servers; a request can be lost or be the last one."""

    requests: list[bytes] = field(default_factory=list)
    lose: bytes = b"\0"
    last: bytes = b"\0"
    stumble: bytes = b"\0"
    """Fails once in a way that nobody foresaw, before this is sent."""
    silent: bool = False
    led_to: int | None = None
    """The port of whoever has the address by now."""

    async def connect(self, host: str, port: int) -> Streams:
        """Connect through here."""
        if self.silent:
            raise ConnectionRefusedError
        reader, writer = await asyncio.open_connection(host, self.led_to or port)
        write = writer.write

        def send(data: bytes) -> None:
            self.requests.append(bytes(data))
            self.silent |= self.last in data
            if self.stumble in data:
                self.stumble = b"\0"
                raise ArithmeticError
            lost = re.sub(rb" \S+", b" /nothing", data, count=1)
            write(lost if self.lose in data else data)

        # The streams are real; only what is sent is looked at.
        writer.write = send
        return reader, writer

    @property
    def first_lines(self) -> list[bytes]:
        """The first line of each request, which has the address in it."""
        return [request.partition(b"\r\n")[0] for request in self.requests]

    def heard_of(self, secret: str) -> bool:
        """Return whether a secret went over the wire as it is."""
        return any(secret.encode() in request for request in self.requests)


@pytest.fixture
def wire(hass: HomeAssistant) -> Wire:
    wire = Wire()
    hass.data[SOCKET_ACCESS] = SocketAccess(
        simulated=True, connect=wire.connect, speed=20
    )
    return wire


@asynccontextmanager
async def left_behind(broker: Broker, **config: Any) -> AsyncIterator[PluggedSocket]:
    """Yield a socket on a broker that Home Assistant does not use."""
    async with plugged_in(stranger(broker, **config)) as socket:
        await until(lambda: socket.firmware.running and socket.firmware.mqtt.online)
        yield socket


async def ask_for(hass: HomeAssistant, entry: MockConfigEntry) -> Wizard:
    """Open the form that asks for the other broker."""
    wizard = Wizard(hass)
    wizard.look_at(await entry.start_reconfigure_flow(hass))
    assert await wizard.choose("new_broker") == "new_broker"
    return wizard


async def fill_in(
    wizard: Wizard, socket: PluggedSocket | str, broker: Broker, **login: str
) -> str:
    """Submit the form until nothing is questioned any more: loopback, and whom else it is for."""
    address = socket if isinstance(socket, str) else socket.firmware.http_address
    values = {"address": address, "host": broker.host, "port": broker.port}
    values |= {"use_own_login": False, **login}
    while await wizard.submit(**values) == "new_broker":
        if not {*wizard.errors.values()} <= {"broker_loopback", "broker_another"}:
            break
    return wizard.page


def settings_of(socket: PluggedSocket) -> ConfigSector:
    """Return what the socket holds, but for how often that was changed."""
    return replace(socket.firmware.settings.values, change_counter=0)


def is_online(entry: MockConfigEntry) -> bool:
    """Return whether the entry has been loaded anew and hears the socket."""
    return entry.state is ConfigEntryState.LOADED and entry.runtime_data.online


@pytest.fixture
def entry(hass: HomeAssistant) -> MockConfigEntry:
    """Add a socket that is not set up."""
    entry = socket_entry()
    entry.add_to_hass(hass)
    return entry


@pytest.fixture
def left(socket_enabled: None) -> Iterator[Broker]:
    """Run a broker that Home Assistant does not use, or no more."""
    with Broker() as broker:
        yield broker


@pytest.fixture
async def socket(left: Broker) -> AsyncIterator[PluggedSocket]:
    """Leave a socket behind there."""
    async with left_behind(left) as socket:
        yield socket


async def unload(hass: HomeAssistant) -> None:
    await hass.async_block_till_done()
    for entry in hass.config_entries.async_loaded_entries("openbk"):
        await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize(
    ("password", "agreed"),
    [
        *(
            pytest.param(
                text, {}, marks=walks("new_broker -> new_broker_confirm -> lead")
            )
            for text in SENT_AS_COMMAND
        ),
        *(
            pytest.param(
                text,
                {"consent": True},
                marks=walks("new_broker -> new_broker_consent -> lead"),
            )
            for text in SENT_IN_ADDRESS
        ),
    ],
)
@walks("reconfigure -> new_broker", "lead -> reconfigure_successful")
async def test_every_password_arrives(
    socket_enabled: None,
    hass: HomeAssistant,
    mock_hass_config: None,
    hass_storage: dict[str, object],
    wire: Wire,
    entry: MockConfigEntry,
    password: str,
    agreed: dict[str, bool],
) -> None:
    """Home Assistant has moved to the new broker already."""
    with (
        Broker(users={"plug": OLD["mqtt_password"]}) as left,
        Broker(users={"sockets": password}) as new,
    ):
        own = await connect_mqtt(hass, new, username="sockets", password=password)
        async with left_behind(left, **OLD) as socket:
            wizard = await ask_for(hass, entry)
            await fill_in(wizard, socket, new, username="sockets", password=password)
            assert wizard.placeholders["old_broker"] == f"127.0.0.1:{left.port}"
            assert wizard.placeholders["old_login"] == "plug"
            assert wizard.placeholders["new_login"] == "sockets"
            assert await wizard.submit(**agreed) == "reconfigure_successful"
            values = socket.firmware.settings.values
            assert (values.mqtt_username, values.mqtt_password) == ("sockets", password)
            assert entry.data["address"] == socket.firmware.http_address
            await until(lambda: is_online(entry))
            assert password not in str(entry.data)
            in_address = [b"password=" in line for line in wire.first_lines]
            assert any(in_address) is bool(agreed)
            await unload(hass)
        await hass.config_entries.async_unload(own.entry_id)


@walks("lead -> led_elsewhere")
async def test_a_socket_moves_before_home_assistant_does(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    wire: Wire,
    entry: MockConfigEntry,
) -> None:
    with Broker(users={"sockets": "new"}) as new:
        async with left_behind(mosquitto) as socket:
            wizard = await ask_for(hass, entry)
            await fill_in(wizard, socket, new, username="sockets", password="new")
            assert await wizard.submit() == "led_elsewhere"
            assert socket.firmware.mqtt.online
            assert socket.firmware.settings.values.mqtt_port == new.port
            await unload(hass)


@asynccontextmanager
async def both_moving(
    hass: HomeAssistant, entry: MockConfigEntry, own: Broker, new: Broker
) -> AsyncIterator[tuple[Wizard, PluggedSocket]]:
    """Yield the page that asks for the last word, when Home Assistant has lost its own broker."""
    with Broker() as left:
        async with left_behind(left) as socket:
            # Nothing can be heard of the new one, so nobody is asked whether it is another.
            own.stop()
            await until(lambda: not mqtt.is_connected(hass))
            wizard = await ask_for(hass, entry)
            await fill_in(wizard, socket, new, username="sockets", password="new")
            assert wizard.page == "new_broker_confirm"
            yield wizard, socket
            await unload(hass)


async def test_a_socket_that_arrived_is_followed_while_home_assistant_has_no_broker(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    wire: Wire,
    entry: MockConfigEntry,
) -> None:
    with Broker(users={"sockets": "new"}) as new:
        async with both_moving(hass, entry, mosquitto, new) as (wizard, socket):
            assert await wizard.submit() == "led_elsewhere"
            assert socket.firmware.settings.values.mqtt_port == new.port
            assert entry.data["address"] == socket.firmware.http_address


async def test_a_socket_is_given_back_what_it_had_while_home_assistant_has_no_broker(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    wire: Wire,
    entry: MockConfigEntry,
) -> None:
    with Broker(users={"sockets": "new"}) as new:
        async with both_moving(hass, entry, mosquitto, new) as (wizard, socket):
            before = settings_of(socket)
            new.stop()
            assert await wizard.submit() == "led_back"
            assert settings_of(socket) == before
            assert entry.data["address"] is None


@walks("lead -> stopped -> again -> new_broker", "stopped -> *", "left_unchanged")
async def test_what_stops_it_before_anything_is_written_leads_back_to_its_form(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    wire: Wire,
    entry: MockConfigEntry,
    socket: PluggedSocket,
) -> None:
    before = settings_of(socket)
    wizard = await ask_for(hass, entry)
    for choice, page in (("again", "new_broker"), ("leave", "left_unchanged")):
        await fill_in(wizard, socket, mosquitto)
        wire.stumble = b"/api/pins"
        assert await wizard.submit() == "stopped"
        assert await wizard.choose(choice) == page
    assert not wire.heard_of("cfg_mqtt_set")
    assert settings_of(socket) == before


@walks("new_broker_confirm -> new_broker")
async def test_another_socket_that_has_got_the_address_meanwhile_is_not_led(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    wire: Wire,
    entry: MockConfigEntry,
) -> None:
    with Broker() as left:
        other = stranger(left, mqtt_client_id="hall")
        async with (
            left_behind(left) as socket,
            plugged_in(other, OTHER_MAC) as there_now,
        ):
            await until(lambda: there_now.firmware.http_address)
            wizard = await ask_for(hass, entry)
            await fill_in(wizard, socket, mosquitto, username="sockets", password="new")
            assert wizard.page == "new_broker_confirm"
            before = settings_of(there_now)
            _, _, port = str(there_now.firmware.http_address).partition(":")
            wire.led_to = int(port)
            assert await wizard.submit() == "new_broker"
            assert wizard.errors == {"address": "address_of_another"}
            assert settings_of(there_now) == before
            await wizard.close()


async def test_another_socket_with_the_mac_of_all_that_lost_theirs_is_not_led(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    wire: Wire,
) -> None:
    """Its entry would switch the other one from then on."""
    entry = socket_entry(mac=GENERIC_MAC, client_id="washer")
    entry.add_to_hass(hass)
    with Broker() as left:
        freezer = stranger(left, mac=GENERIC_MAC, mqtt_client_id="freezer")
        async with plugged_in(freezer, GENERIC_MAC) as there_now:
            await until(lambda: there_now.firmware.http_address)
            wizard = await ask_for(hass, entry)
            await fill_in(wizard, there_now, mosquitto)
            assert wizard.errors == {"address": "address_of_another"}
            await wizard.close()


@walks("lead -> led_stopped")
async def test_whatever_stops_the_move_the_socket_is_given_back_what_it_had(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    wire: Wire,
    entry: MockConfigEntry,
    socket: PluggedSocket,
) -> None:
    before = settings_of(socket)
    wizard = await ask_for(hass, entry)
    await fill_in(wizard, socket, mosquitto, username="sockets", password="new")
    wire.stumble = f"port={mosquitto.port}".encode()
    assert await wizard.submit() == "led_stopped"
    assert wire.heard_of("MqttPassword new")
    assert settings_of(socket) == before


@walks("lead -> led_astray")
async def test_what_stops_the_way_back_is_not_said_to_have_changed_nothing(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    wire: Wire,
    entry: MockConfigEntry,
    left: Broker,
    socket: PluggedSocket,
) -> None:
    with Broker() as new:
        wizard = await ask_for(hass, entry)
        await fill_in(wizard, socket, new)
    # The new broker is gone, and something breaks where the former is to be written.
    wire.stumble = f"port={left.port}".encode()
    assert await wizard.submit() == "led_astray"
    assert socket.firmware.settings.values.mqtt_port == new.port


@walks("new_broker_consent -> new_broker_consent")
async def test_no_password_stands_in_an_address_without_consent(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    wire: Wire,
    entry: MockConfigEntry,
) -> None:
    with Broker(users={"sockets": HORSE}) as new:
        async with left_behind(mosquitto) as socket:
            wizard = await ask_for(hass, entry)
            await fill_in(wizard, socket, new, username="sockets", password=HORSE)
            assert await wizard.submit(consent=False) == "new_broker_consent"
            assert wizard.errors == {"consent": "consent_missing"}
            await wizard.close()
            assert socket.firmware.settings.values.mqtt_port == mosquitto.port
            assert not any(b"cfg_mqtt_set" in line for line in wire.first_lines)


async def test_a_login_that_is_not_wanted_any_more_is_deleted(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    wire: Wire,
    entry: MockConfigEntry,
) -> None:
    with Broker(users={"plug": OLD["mqtt_password"]}) as left:
        async with left_behind(left, **OLD) as socket:
            wizard = await ask_for(hass, entry)
            await fill_in(wizard, socket, mosquitto)
            assert wizard.placeholders["old_login"] == "plug"
            assert wizard.placeholders["new_login"] == "none"
            assert await wizard.submit() == "reconfigure_successful"
            values = socket.firmware.settings.values
            assert (values.mqtt_username, values.mqtt_password) == ("", "")
            await unload(hass)


@walks("lead -> led_back")
async def test_a_socket_that_does_not_arrive_is_given_back_what_it_had(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    wire: Wire,
    entry: MockConfigEntry,
) -> None:
    with Broker(users={"plug": OLD["mqtt_password"]}) as left:
        async with left_behind(left, **OLD) as socket:
            before = settings_of(socket)
            with Broker(users={"sockets": "new"}) as new:
                wizard = await ask_for(hass, entry)
                await fill_in(wizard, socket, new, username="sockets", password="new")
            # Now it is gone.
            assert await wizard.submit() == "led_back"
            assert settings_of(socket) == before
            await until(lambda: socket.firmware.mqtt.online)
            assert entry.data["address"] is None


@walks("lead -> led_refused")
async def test_a_socket_that_does_not_obey_is_given_back_its_login(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    wire: Wire,
    entry: MockConfigEntry,
) -> None:
    login = {"mqtt_username": "plug", "mqtt_password": "old"}
    with Broker(users={"plug": "old"}) as left:
        async with left_behind(left, **login) as socket:
            before = settings_of(socket)
            wizard = await ask_for(hass, entry)
            await fill_in(wizard, socket, mosquitto, username="sockets", password="new")
            wire.lose = f"port={mosquitto.port}".encode()
            assert await wizard.submit() == "led_refused"
            assert wire.heard_of("MqttPassword new")
            assert settings_of(socket) == before


@walks("lead -> led_astray")
async def test_a_socket_that_falls_silent_in_between_is_said_to_be_astray(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    wire: Wire,
    entry: MockConfigEntry,
    left: Broker,
    socket: PluggedSocket,
) -> None:
    wizard = await ask_for(hass, entry)
    await fill_in(wizard, socket, mosquitto, username="sockets", password="new")
    wire.last = b"MqttPassword"
    assert await wizard.submit() == "led_astray"
    assert str(left.port) in wizard.placeholders["old_broker"]


async def test_a_closed_dialog_does_not_leave_it_in_between(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    wire: Wire,
    entry: MockConfigEntry,
    socket: PluggedSocket,
) -> None:
    wizard = await ask_for(hass, entry)
    await fill_in(wizard, socket, mosquitto)
    assert await wizard.start({}) == "lead"
    await until(lambda: wire.heard_of("MqttUser"))
    await wizard.close()
    await until(lambda: entry.data["address"] == socket.firmware.http_address)
    assert socket.firmware.settings.values.mqtt_port == mosquitto.port
    await until(lambda: is_online(entry))
    await unload(hass)


async def test_an_entry_that_is_removed_meanwhile_does_not_leave_it_in_between(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    wire: Wire,
    entry: MockConfigEntry,
    socket: PluggedSocket,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Home Assistant closes the dialog with it, and the move goes on to its end."""
    wizard = await ask_for(hass, entry)
    await fill_in(wizard, socket, mosquitto)
    assert await wizard.start({}) == "lead"
    await until(lambda: wire.heard_of("MqttUser"))
    await hass.config_entries.async_remove(entry.entry_id)
    await until(lambda: "after its move" in caplog.text)
    assert socket.firmware.settings.values.mqtt_port == mosquitto.port
    assert not hass.config_entries.async_entries("openbk")


@pytest.mark.parametrize(
    ("password", "then", "agreed"),
    [
        pytest.param(
            "new",
            "new_broker_confirm",
            {},
            marks=walks("new_broker_password -> new_broker_confirm -> lead"),
        ),
        pytest.param(
            SENT_IN_ADDRESS[0],
            "new_broker_consent",
            {"consent": True},
            marks=walks("new_broker_password -> new_broker_consent -> lead"),
        ),
    ],
)
@walks(
    "new_broker -> new_broker_password",
    "new_broker_password -> new_broker_password",
)
async def test_a_web_password_is_asked_for_where_the_socket_asks(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    wire: Wire,
    entry: MockConfigEntry,
    password: str,
    then: str,
    agreed: dict[str, bool],
) -> None:
    with Broker() as left:
        async with left_behind(left, web_password="correct") as socket:
            wizard = await ask_for(hass, entry)
            page = await fill_in(
                wizard, socket, mosquitto, username="sockets", password=password
            )
            assert page == "new_broker_password"
            assert wizard.placeholders["address"] == socket.firmware.http_address
            assert not wire.heard_of("Authorization")
            assert await wizard.submit(password="wrong") == "new_broker_password"
            assert wizard.errors == {"password": "socket_password"}
            assert await wizard.submit(password="correct") == then
            assert await wizard.submit(**agreed) == "reconfigure_successful"
            # The form that cleared it would be another one.
            assert socket.firmware.settings.values.web_password == "correct"
            assert "correct" not in str(entry.data)
            await unload(hass)


@asynccontextmanager
async def impostor(raw: bytes, heard: list[bytes]) -> AsyncIterator[str]:
    """Answer everything with these bytes, and keep what was asked."""

    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        heard.append(await reader.read(4096))
        writer.write(raw)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@walks("new_broker -> new_broker", "new_broker_password -> new_broker")
async def test_nobody_else_is_told_a_password(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    wire: Wire,
    entry: MockConfigEntry,
) -> None:
    """Whoever may publish an address for a socket gets nothing but questions there."""
    (own,) = hass.config_entries.async_entries("mqtt")
    hass.config_entries.async_update_entry(
        own, data={**own.data, "certificate": "auto"}
    )
    login = {"username": "sockets", "password": "BROKERSECRET42"}
    heard: list[bytes] = []
    refusal = b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n"
    with Broker() as left:
        async with (
            plugged_in(
                stranger(left, mqtt_client_id="hall", web_password="correct"), OTHER_MAC
            ) as other,
            impostor(refusal, heard) as address,
        ):
            await until(lambda: other.firmware.running and other.firmware.mqtt.online)
            wizard = await ask_for(hass, entry)
            assert wizard.errors == {"base": "broker_needs_plain_listener"}
            await fill_in(wizard, "127.0.0.1:nonsense", mosquitto, **login)
            assert wizard.errors == {"address": "socket_address_invalid"}
            await fill_in(wizard, f"127.0.0.1:{free_port()}", mosquitto, **login)
            assert wizard.errors == {"address": "socket_unreachable"}
            assert "BROKERSECRET42" not in wizard.sent
            page = await fill_in(wizard, other, mosquitto, **login)
            assert page == "new_broker_password"
            assert await wizard.submit(password="correct") == "new_broker"
            assert wizard.errors == {"address": "address_of_another"}
            assert not wire.heard_of("BROKERSECRET42")
            # It asks for the password of the web page, and never learns who it should be.
            page = await fill_in(wizard, address, mosquitto, **login)
            assert page == "new_broker_password"
            assert wizard.placeholders["address"] == address
            assert not any(b"Authorization" in request for request in heard)
            await wizard.submit(password="WEBSECRET42")
            assert wizard.errors == {"password": "socket_password"}
            assert "WEBSECRET42" not in wizard.sent
            assert not any(b"BROKERSECRET42" in request for request in heard)
            await wizard.close()
    assert other.firmware.settings.values.mqtt_port == left.port


async def test_what_the_socket_cannot_store_is_refused_before_it_is_asked(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    wire: Wire,
    entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wizard = await ask_for(hass, entry)
    settings = {"username": "x" * 64, "password": "y"}
    await fill_in(wizard, "127.0.0.1:1", mosquitto, **settings)
    assert wizard.errors == {"username": "broker_username_too_long"}
    settings = {"username": "x", "password": "half\ttyped"}
    await fill_in(wizard, "127.0.0.1:1", mosquitto, **settings)
    assert wizard.errors == {"password": "broker_password_not_storable"}
    # The settings would have room for it, their page has not.
    name = ".".join(["broker"] * 20)

    def here(_name: str, port: int, *_rest: int) -> list[Any]:
        return [(AF_INET, SOCK_STREAM, 6, "", (mosquitto.host, port))]

    monkeypatch.setattr("socket.getaddrinfo", here)
    at = {"address": "127.0.0.1:1", "host": name, "port": mosquitto.port}
    await wizard.submit(**at, use_own_login=False)
    while {*wizard.errors.values()} <= {"broker_loopback", "broker_another"}:
        await wizard.submit(**at, use_own_login=False)
    assert wizard.errors == {"host": "broker_host_too_long_here"}
    await wizard.close()
    assert wire.requests == []


async def test_a_chip_whose_settings_nobody_can_read_is_left_where_it_is(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    wire: Wire,
    entry: MockConfigEntry,
) -> None:
    unread = next(chip for chip in CHIPS.values() if chip.config_address is None)
    async with plugged_in(stranger(mosquitto), release=Release(chip=unread)) as socket:
        await until(lambda: socket.firmware.running and socket.firmware.mqtt.online)
        wizard = await ask_for(hass, entry)
        await fill_in(wizard, socket, mosquitto)
        assert wizard.errors == {"address": "socket_settings_unknown"}
        await wizard.close()
