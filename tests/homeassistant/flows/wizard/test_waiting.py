"""The written socket does not come: what can be known of it is said, and there are ways on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiohttp import web
from homeassistant.components import mqtt
from homeassistant.components.device_tracker import SourceType
from homeassistant.core import HomeAssistant, callback
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.openbk.flows.pictures import wifi_code
from custom_components.openbk.flows.wizard.arrival import (
    WAITING,
    Arrival,
    Waiting,
    async_find_differences,
    async_find_in_network,
)
from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from custom_components.openbk.network.silence import Cause
from custom_components.openbk.pyopenbk.beken.flash_map import SECTOR_SIZE
from custom_components.openbk.pyopenbk.obk import config_sector
from custom_components.openbk.pyopenbk.obk.console import Streams
from custom_components.openbk.pyopenbk.profile import PinAssignment, SocketProfile
from custom_components.openbk.pyopenbk.roles import PinRole
from simulator.chip import SimulatedSocket
from simulator.commands import Command
from simulator.faults import Fault, FaultName
from simulator.releases import ReleaseServer
from tests.hassfest.parts import TRANSLATIONS, load
from tests.homeassistant.adding import cards
from tests.homeassistant.bench import MAC, blow_dump, is_free, socket_on_the_bench
from tests.homeassistant.road import SECRET, finish, to_confirmation, to_pins
from tests.homeassistant.wizard import Wizard
from tests.support.addresses import lead_to, open_page, server
from tests.support.broker import Broker, free_port
from tests.support.flash_map import APPLICATION, OPENBEKEN_CONFIG
from tests.support.sockets import BLOW, BUILD, listen, subscriptions
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]
walks = pytest.mark.walks
HOST_NAME = "OpenBK7231N_E4720741"
ADDRESS = "192.168.1.77"


@pytest.fixture(autouse=True)
def own_folder(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Keep the backups of each test in a folder of its own."""
    hass.config.config_dir = str(tmp_path)
    return tmp_path / "openbk" / "backups"


@dataclass
class Lan:
    """Where the socket's messages go, and who answers at the address that the router has."""

    broker: tuple[str, int]
    web: Callable[[], str | None]
    names: dict[str, str] = field(default_factory=dict)

    async def look_up(self, name: str) -> list[str]:
        """Return what the network's name server knows."""
        if name not in self.names:
            raise OSError("no such name")
        return [self.names[name]]

    def resolve(self, host: str, port: int) -> tuple[str, int]:
        """Return where the broker that the socket was told is found."""
        return self.broker

    async def connect(self, host: str, port: int) -> Streams:
        """Connect to the web server at an address of the LAN."""
        return await open_page(self.web() if host == ADDRESS else None)


@dataclass
class Scene:
    """A wizard that waits for a socket which cannot reach the broker."""

    wizard: Wizard
    socket: SimulatedSocket
    lan: Lan
    broker: Broker

    def let_through(self) -> None:
        """Let the socket reach the broker from its next start on."""
        self.lan.broker = (self.broker.host, self.broker.port)

    async def plug_in(self) -> None:
        """Start the socket anew, as taking it off the bench and plugging it in does."""
        self.socket.power(on=False)
        self.socket.power(on=True)

    @property
    def config(self) -> config_sector.ConfigSector:
        """Return the configuration that is on the chip."""
        return config_sector.parse(
            self.socket.flash.read(OPENBEKEN_CONFIG.start, OPENBEKEN_CONFIG.size)
        )


@asynccontextmanager
async def waiting(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> AsyncIterator[Scene]:
    """Flash a socket up to the page that says that it did not come."""
    lan = Lan(broker=("127.0.0.1", free_port()), web=lambda: None)
    hass.data[WAITING] = Waiting(turn=0.5, glance=0.05, look_up=lan.look_up)
    hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True, connect=lan.connect)
    async with socket_on_the_bench(blow_dump(), resolve=lan.resolve) as socket:
        wizard = await to_pins(hass, socket)
        await to_confirmation(wizard, mosquitto, releases)
        assert await wizard.submit() == "reassemble"
        assert await wizard.submit_suggested() == "waiting_nothing", wizard.pages
        yield Scene(wizard, socket, lan, mosquitto)


async def let_router_know(hass: HomeAssistant, name: str = HOST_NAME) -> None:
    """Let Home Assistant learn from a router which address the socket was given."""
    assert await async_setup_component(hass, "dhcp", {})
    hass.states.async_set(
        f"device_tracker.{name.lower()}",
        "home",
        {
            "source_type": SourceType.ROUTER,
            "ip": ADDRESS,
            "mac": MAC.upper(),
            "host_name": name,
        },
    )
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_what_the_broker_kept_of_an_earlier_life_is_no_sign_of_it(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    for topic, payload in (
        ("mac", MAC),
        ("build", "Build on Dec 17 2023 09:13:22 version 1.17.360"),
        ("ip", "192.168.1.9"),
        ("connected", "online"),
    ):
        await mqtt.async_publish(
            hass, f"obkE4720741/{topic}", payload, qos=1, retain=True
        )
    async with waiting(hass, mosquitto, releases) as scene:
        scene.let_through()
        await scene.plug_in()
        hass.data[WAITING] = Waiting()
        assert await scene.wizard.choose("wait") == "created"
        (entry,) = hass.config_entries.async_entries("openbk")
        assert entry.data["address"] != "192.168.1.9"
        assert "1.17.360" not in entry.data["firmware"]
        await hass.async_block_till_done()
        await hass.config_entries.async_unload(entry.entry_id)


@walks("wait -> waiting_nothing, waiting_silent, waiting_network_only, created")
async def test_each_sign_of_the_socket_has_its_page(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with waiting(hass, mosquitto, releases) as scene:
        wizard = scene.wizard
        assert "TestNet" in wizard.placeholders["wifi"]
        # The factory firmware had the same MAC address: its entry in the router says nothing.
        await let_router_know(hass, "wlan0")
        assert await wizard.choose("wait") == "waiting_nothing"

        scene.lan.names[HOST_NAME] = ADDRESS
        assert await wizard.choose("wait") == "waiting_silent"
        assert wizard.placeholders["seen_at"] == ADDRESS
        scene.lan.names.clear()
        assert await wizard.choose("wait") == "waiting_nothing"

        await let_router_know(hass)
        assert await wizard.choose("wait") == "waiting_silent"
        assert wizard.placeholders["seen_at"] == ADDRESS

        scene.lan.web = lambda: getattr(scene.socket.firmware, "http_address", None)
        assert await wizard.choose("wait") == "waiting_network_only"
        assert wizard.placeholders["seen_at"] == ADDRESS
        assert wizard.placeholders["seen_broker"] == f"127.0.0.1:{mosquitto.port}"
        # The same login works from here, so it is the way between the two.
        assert wizard.placeholders["cause"].startswith("**It cannot connect")

        scene.let_through()
        await scene.plug_in()
        hass.data[WAITING] = Waiting()
        await wizard.choose("wait")
        await ended(hass, wizard)


async def test_a_socket_that_somebody_sent_elsewhere_is_told_from_a_firewall(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with waiting(hass, mosquitto, releases) as scene:
        wizard, firmware = scene.wizard, scene.socket.firmware
        scene.lan.names[HOST_NAME] = ADDRESS
        scene.lan.web = lambda: getattr(firmware, "http_address", None)
        await until(lambda: scene.lan.web())

        firmware.settings.change(mqtt_port=free_port(), mqtt_host="![t](t.png)")
        assert await wizard.choose("wait") == "waiting_network_only"
        assert wizard.placeholders["cause"].startswith("**It uses another broker")
        # Whatever answers there chose this text.
        assert wizard.placeholders["seen_broker"].startswith(r"!\[t\](t.png):")

        firmware.settings.change(mqtt_host="127.0.0.1")
        firmware.settings.change(mqtt_port=mosquitto.port, mqtt_client_id="cellar")
        assert await wizard.choose("wait") == "waiting_network_only"
        assert wizard.placeholders["cause"].startswith("**It reports on another MQTT")


async def test_a_login_that_the_broker_no_longer_takes_is_told_while_it_waits(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    releases: ReleaseServer,
) -> None:
    async with waiting(hass, mosquitto, releases) as scene:
        wizard, firmware = scene.wizard, scene.socket.firmware
        scene.lan.names[HOST_NAME] = ADDRESS
        scene.lan.web = lambda: getattr(firmware, "http_address", None)
        await until(lambda: scene.lan.web())

        login = {"username": "home", "password": "its own"}
        hass.config_entries.async_update_entry(
            mqtt_connection, data={**mqtt_connection.data, **login}
        )
        mosquitto.let_in_only({"home": "its own"})
        await hass.config_entries.async_reload(mqtt_connection.entry_id)
        await until(lambda: mqtt.is_connected(hass))

        assert await wizard.choose("wait") == "waiting_network_only"
        assert "refused this user name" in wizard.placeholders["cause"]


def test_every_cause_that_a_person_can_act_on_has_words() -> None:
    told = {*Cause} - {Cause.DEAD, Cause.UNKNOWN}
    texts = load(TRANSLATIONS / "en.json")
    assert texts["selector"]["silence"]["options"].keys() == told


@walks(
    "waiting_nothing -> wait, access_point, change_settings, read_back",
    "waiting_silent -> wait, access_point, change_settings, read_back",
    "waiting_network_only -> *",
    "access_point -> wait",
    "write_confirm -> rewire -> search -> backup -> write -> reassemble -> wait",
    "read_back -> rewire -> search -> compare -> read_back_same -> change_settings -> wifi",
    "left_written",
)
async def test_what_is_offered_leads_back_while_nothing_changes(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with waiting(hass, mosquitto, releases) as scene:
        wizard, socket = scene.wizard, scene.socket

        def web() -> str | None:
            return getattr(socket.firmware, "http_address", None)

        async def plugged_in() -> None:
            # Its web page opens while the person walks from the bench to the wall.
            await until(web)

        for page in ("waiting_nothing", "waiting_silent", "waiting_network_only"):
            if page == "waiting_silent":
                scene.lan.names[HOST_NAME] = ADDRESS
            if page == "waiting_network_only":
                scene.lan.web = web
            await plugged_in()
            assert await wizard.choose("wait") == page
            assert await wizard.choose("wait") == page
            assert await wizard.choose("access_point") == "access_point", page
            assert await wizard.submit() == page

            assert await wizard.choose("change_settings") == "wifi", page
            await write_settings_again(wizard, "SecondNet")
            assert scene.config.wifi_ssid == "SecondNet", page
            await plugged_in()
            assert await wizard.submit_suggested() == page

            assert await read_back(wizard) == "read_back_same", page
            assert await wizard.choose("change_settings") == "wifi", page
            await write_settings_again(wizard, "ThirdNet")
            assert scene.config.wifi_ssid == "ThirdNet", page
            await plugged_in()
            assert await wizard.submit_suggested() == page
        assert await wizard.choose("leave") == "left_written"
        assert await is_free(socket.path)


async def write_settings_again(wizard: Wizard, ssid: str) -> None:
    """Correct the Wi-Fi and bring it onto the chip, with the wires connected again if need be."""
    assert await wizard.submit_suggested(ssid=ssid, password=SECRET) == "broker"
    assert await wizard.submit_suggested() == "write_confirm", wizard.errors
    if await wizard.submit() == "rewire":
        await wizard.submit()
    assert wizard.page == "reassemble", wizard.pages


async def ended(hass: HomeAssistant, wizard: Wizard) -> None:
    """See the entry, and unload it again."""
    assert wizard.page == "created", wizard.pages
    (entry,) = hass.config_entries.async_entries("openbk")
    await hass.async_block_till_done()
    await hass.config_entries.async_unload(entry.entry_id)


async def test_closing_the_dialog_while_it_waits(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    """The socket may come afterwards; it is offered then, and nobody listens for it any more."""
    async with waiting(hass, mosquitto, releases) as scene:
        hass.data[WAITING] = Waiting()
        assert await scene.wizard.start("wait") == "wait"
        await scene.wizard.close()
        await hass.async_block_till_done()
        scene.let_through()
        await scene.plug_in()
        await until(lambda: cards(hass) == ["Kitchen"])
        assert "obkE4720741/mac" not in subscriptions(hass)
        assert not hass.config_entries.async_entries("openbk")


@pytest.mark.parametrize(
    ("offer", "page"),
    [
        pytest.param(
            "add_anyway",
            "created",
            marks=walks("arrived_otherwise -> add_anyway -> created"),
        ),
        pytest.param(
            "change_settings",
            "wifi",
            marks=walks("arrived_otherwise -> change_settings -> wifi"),
        ),
        pytest.param(
            "read_back",
            "rewire",
            marks=walks("arrived_otherwise -> read_back -> rewire"),
        ),
        pytest.param(
            "leave", "left_written", marks=walks("arrived_otherwise -> leave")
        ),
    ],
)
@walks("wait -> arrived_otherwise")
async def test_socket_does_not_have_what_was_written(
    hass: HomeAssistant,
    mosquitto: Broker,
    releases: ReleaseServer,
    offer: str,
    page: str,
) -> None:
    """It reports in, but its web page shows other pins, and a flag that changes its units."""
    async with waiting(hass, mosquitto, releases) as scene:
        wizard, socket = scene.wizard, scene.socket
        lead_to(hass, socket)
        button = PinAssignment(pin=11, role=PinRole.BTN_SCRIPT_ONLY, channel=1)
        changed = SocketProfile.of(
            button if pin.pin == button.pin else pin for pin in BLOW.pins
        )
        config = replace(scene.config, flags=scene.config.flags | 1 << 40)
        socket.flash.rewrite(
            OPENBEKEN_CONFIG.start, config_sector.build(config.with_profile(changed))
        )
        scene.let_through()
        await scene.plug_in()
        hass.data[WAITING] = Waiting()
        assert await wizard.choose("wait") == "arrived_otherwise"
        assert wizard.placeholders["differences"].splitlines() == [
            "- which pin does what",
            "- flags that Home Assistant relies on",
        ]
        assert await wizard.choose(offer) == page
        if page == "created":
            entry = wizard.result["result"]
            assert SocketProfile.from_dict(entry.data["profile"]).pins == changed.pins
            await ended(hass, wizard)
        elif page != "left_written":
            await wizard.close()


@pytest.mark.slow
async def test_a_socket_that_runs_without_a_relay_keeps_the_pins_that_were_written(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    """Nothing could be done with an entry that has its present ones."""
    async with waiting(hass, mosquitto, releases) as scene:
        wizard, socket = scene.wizard, scene.socket
        lead_to(hass, socket)
        bare = SocketProfile.of(pin for pin in BLOW.pins if pin.role != PinRole.REL)
        socket.flash.rewrite(
            OPENBEKEN_CONFIG.start,
            config_sector.build(scene.config.with_profile(bare)),
        )
        scene.let_through()
        await scene.plug_in()
        hass.data[WAITING] = Waiting()
        assert await wizard.choose("wait") == "arrived_otherwise"
        # Nobody but the person decides that, however long the dialog stays open.
        late = dt_util.utcnow() + timedelta(seconds=Waiting().abandoned_after + 1)
        async_fire_time_changed(hass, late)
        await hass.async_block_till_done()
        assert not hass.config_entries.async_entries("openbk")
        assert await wizard.choose("add_anyway") == "created"
        data = wizard.result["result"].data
        assert SocketProfile.from_dict(data["profile"]).pins == BLOW.pins
        await ended(hass, wizard)


@pytest.mark.slow
async def test_a_socket_that_never_tells_its_address_gets_its_entry(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with waiting(hass, mosquitto, releases) as scene:
        for topic, payload in (("mac", MAC), ("build", BUILD)):
            await mqtt.async_publish(hass, f"obkE4720741/{topic}", payload, qos=1)
        hass.data[WAITING] = Waiting(list_takes=0.1)
        assert await scene.wizard.choose("wait") == "created"
        assert scene.wizard.result["result"].data["address"] is None
        await ended(hass, scene.wizard)


async def test_socket_that_is_online_is_asked(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    """Only an earlier life of it is known to be: nothing comes of it but the question."""
    heard: list[str] = []
    await listen(
        hass, "cmnd/obkE4720741/#", lambda message: heard.append(message.topic)
    )
    async with waiting(hass, mosquitto, releases) as scene:
        heard.clear()
        hass.data[WAITING] = replace(hass.data[WAITING], turn=1.5, ask_every=0.3)
        await mqtt.async_publish(hass, "obkE4720741/connected", "online", qos=1)
        assert await scene.wizard.choose("wait") == "waiting_nothing"
        assert set(heard) == {"cmnd/obkE4720741/publishAll"}
        await scene.wizard.close()


@walks("wait -> created")
async def test_socket_that_comes_while_the_network_is_asked(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with waiting(hass, mosquitto, releases) as scene:

        async def slow(_name: str) -> list[str]:
            scene.let_through()
            await scene.plug_in()
            await until(lambda: len(said) == 2)
            return []

        said: set[str] = set()
        for topic in ("obkE4720741/build", "obkE4720741/mac"):
            await listen(hass, topic, lambda message: said.add(message.topic))
        hass.data[WAITING] = replace(hass.data[WAITING], look_up=slow)
        await scene.wizard.choose("wait")
        await ended(hass, scene.wizard)


async def test_address_that_it_told_is_kept(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    """It may come before what shows that it is the right one; what is none counts for nothing."""
    async with waiting(hass, mosquitto, releases) as scene:
        for topic, payload in (
            ("ip", "none"),
            ("ip", ADDRESS),
            ("build", "2026-11-22"),
        ):
            await mqtt.async_publish(hass, f"obkE4720741/{topic}", payload, qos=1)
        scene.let_through()
        await scene.plug_in()
        hass.data[WAITING] = Waiting()
        assert await scene.wizard.choose("wait") == "created"
        data = scene.wizard.result["result"].data
        assert data["address"] == ADDRESS
        assert data["firmware"].startswith("OpenBK7231N ")
        await ended(hass, scene.wizard)


async def test_its_address_is_asked_for(hass: HomeAssistant) -> None:
    """Its list would end with it; a release that knows no constants repeats the question."""
    arrival = Arrival(hass, "obkE4720741", MAC)
    await arrival.async_listen()
    asked: list[str] = []

    @callback
    def answer(message: mqtt.ReceiveMessage) -> None:
        asked.append(str(message.payload))
        for text in ("$IP", f"{ADDRESS}:80"):
            hass.async_create_task(mqtt.async_publish(hass, "obkE4720741/ip", text))

    await listen(hass, "cmnd/obkE4720741/publish", answer)
    assert await arrival.async_address(5.0) == f"{ADDRESS}:80"
    assert asked == ["obkE4720741/ip $IP 1"]
    # Once is enough.
    assert await arrival.async_address(5.0) == f"{ADDRESS}:80"
    assert len(asked) == 1
    arrival.async_stop()


async def test_name_server_of_the_network_is_asked() -> None:
    assert await Waiting().look_up("localhost") == ["127.0.0.1"] * 3
    with pytest.raises(OSError):
        # Known, but not in this family of addresses.
        await Waiting().look_up("::1")


@walks("waiting_silent -> leave -> left_written")
async def test_another_device_at_its_address_is_no_sign(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with AsyncExitStack() as stack:
        scene = await stack.enter_async_context(waiting(hass, mosquitto, releases))
        other = await stack.enter_async_context(
            socket_on_the_bench(scene.socket.flash.read(0, 0x200000))
        )
        # The same firmware on a chip with another MAC address.
        other.flash.rewrite(0x1D0000 + 0x24, bytes.fromhex("c8478c999999"))
        scene.lan.web = lambda: getattr(other.firmware, "http_address", None)
        while scene.lan.web() is None:
            await asyncio.sleep(0.05)
        await let_router_know(hass)
        assert await scene.wizard.choose("wait") == "waiting_silent"
        assert await scene.wizard.choose("leave") == "left_written"
        assert await is_free(scene.socket.path)


async def test_a_name_that_no_name_server_could_know_is_none(
    hass: HomeAssistant,
) -> None:
    """It was chosen on a page of the socket, which takes any letters."""

    async def look_up(name: str) -> list[str]:
        name.encode("idna")
        raise AssertionError(name)

    hass.data[WAITING] = Waiting(look_up=look_up)
    assert await async_find_in_network(hass, "Żarówka..1", MAC) is None


@pytest.mark.parametrize("known", [False, True])
async def test_the_password_of_its_page_goes_where_the_network_has_it(
    hass: HomeAssistant, known: bool
) -> None:
    """Anybody on the broker can say that the socket has this address."""
    heard: list[str | None] = []

    async def gate(request: web.Request) -> web.Response:
        heard.append(request.headers.get("Authorization"))
        return web.Response(status=401)

    async with server(gate) as address:
        lan = Lan(broker=("", 0), web=lambda: address)
        if known:
            lan.names[HOST_NAME] = ADDRESS
        hass.data[WAITING] = Waiting(look_up=lan.look_up)
        hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True, connect=lan.connect)
        written = config_sector.ConfigSector(
            web_password="secret word", long_name=HOST_NAME
        )
        assert await async_find_differences(hass, ADDRESS, MAC, written) is None
    assert heard
    assert any(heard) is known


async def test_own_access_point_is_explained(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with waiting(hass, mosquitto, releases) as scene:
        wizard = scene.wizard
        assert await wizard.choose("access_point") == "access_point"
        assert wizard.placeholders["access_point"] == HOST_NAME.replace("_", r"\_")
        assert wifi_code(HOST_NAME) == wizard.placeholders["access_point_code"]
        scene.let_through()
        await scene.plug_in()
        hass.data[WAITING] = Waiting()
        await wizard.submit()
        await ended(hass, wizard)


async def test_settings_are_written_again_without_the_firmware(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with waiting(hass, mosquitto, releases) as scene:
        wizard, socket = scene.wizard, scene.socket
        backup = wizard.placeholders["backup"]
        assert await wizard.choose("change_settings") == "wifi"
        assert (
            await wizard.submit_suggested(ssid="RightNet", password=SECRET) == "broker"
        )
        assert await wizard.submit_suggested() == "write_confirm", wizard.errors
        # The socket is on mains by now.
        assert await wizard.submit() == "rewire"
        writes: list[int] = []
        socket.flash.watcher = lambda operation: writes.append(operation.address)
        assert await wizard.submit() == "reassemble", wizard.pages
        assert wizard.pages[-4:] == ["search", "backup", "write", "reassemble"]
        assert {address // SECTOR_SIZE * SECTOR_SIZE for address in writes} <= {
            APPLICATION.start,
            OPENBEKEN_CONFIG.start,
        }
        assert scene.config.wifi_ssid == "RightNet"
        # The backup that is spoken of is still the one of the factory firmware.
        assert wizard.placeholders["backup"] == backup
        scene.let_through()
        await scene.plug_in()
        hass.data[WAITING] = Waiting()
        entry = await finish(hass, wizard)
        assert entry.unique_id == MAC


async def read_back(wizard: Wizard) -> str:
    """Connect the socket again and read back what it holds."""
    assert await wizard.choose("read_back") == "rewire"
    return await wizard.submit()


@walks("read_back_same -> reassemble", "wait -> created")
async def test_reading_back_what_was_written(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with waiting(hass, mosquitto, releases) as scene:
        wizard, socket = scene.wizard, scene.socket
        before = socket.flash.read(0, 0x1D0000)
        resets = socket.resets
        assert await read_back(wizard) == "read_back_same"
        assert wizard.pages[-3:] == ["search", "compare", "read_back_same"]
        assert await is_free(socket.path)
        assert socket.flash.read(0, 0x1D0000) == before
        assert socket.resets > resets
        assert await wizard.choose("reassemble") == "reassemble"
        scene.let_through()
        await scene.plug_in()
        hass.data[WAITING] = Waiting()
        await finish(hass, wizard)


@pytest.mark.parametrize(
    ("harmed", "page", "left"),
    [
        pytest.param(
            0x50000,
            "read_back_application",
            "left_half_written",
            marks=walks("read_back_application -> change_settings, leave"),
        ),
        pytest.param(
            OPENBEKEN_CONFIG.start,
            "read_back_settings",
            "left_written",
            marks=walks("read_back_settings -> change_settings, leave"),
        ),
    ],
)
async def test_settings_are_corrected_where_something_is_damaged(
    hass: HomeAssistant,
    mosquitto: Broker,
    releases: ReleaseServer,
    harmed: int,
    page: str,
    left: str,
) -> None:
    async with waiting(hass, mosquitto, releases) as scene:
        wizard, socket = scene.wizard, scene.socket
        good = socket.flash.read(APPLICATION.start, APPLICATION.size)

        def harm() -> None:
            socket.power(on=False)
            socket.flash.rewrite(harmed, bytes(64))
            socket.power(on=True)

        harm()
        assert await read_back(wizard) == page
        assert await wizard.choose("change_settings") == "wifi"
        await write_settings_again(wizard, "SecondNet")
        assert socket.flash.read(APPLICATION.start, APPLICATION.size) == good
        assert scene.config.wifi_ssid == "SecondNet"
        assert await wizard.submit_suggested() == "waiting_nothing"
        harm()
        assert await read_back(wizard) == page
        assert await wizard.choose("leave") == left
        assert await is_free(socket.path)


@walks(
    "compare -> read_back_application -> rewrite -> search",
    "compare -> read_back_settings -> rewrite",
    "compare -> failed_link_lost -> search -> compare -> read_back_same -> leave",
)
async def test_reading_back_finds_damage_and_mends_it(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with waiting(hass, mosquitto, releases) as scene:
        wizard, socket = scene.wizard, scene.socket
        good, before = scene.config, socket.flash.content
        for place, page in (
            (0x50000, "read_back_application"),
            (OPENBEKEN_CONFIG.start, "read_back_settings"),
        ):
            socket.power(on=False)
            socket.flash.rewrite(place, bytes(64))
            socket.power(on=True)
            assert await read_back(wizard) == page
            assert await is_free(socket.path), page
            assert await wizard.choose("rewrite") == "reassemble", wizard.pages
            application = slice(APPLICATION.start, APPLICATION.end)
            assert socket.flash.content[application] == before[application], page
            assert scene.config == good, page
            assert await wizard.submit_suggested() == "waiting_nothing", page
        # A link that is lost while reading back is told as any other, and gone on from.
        socket.inject(Fault(name=FaultName.POWER_LOST, command=Command.CRC, nth=2))
        assert await read_back(wizard) == "failed_link_lost"
        socket.power(on=True)
        assert await wizard.choose("retry") == "read_back_same"
        assert await wizard.choose("leave") == "left_written"


@walks("compare -> other_chip")
async def test_another_chip_is_not_compared(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer, tmp_path: Path
) -> None:
    async with waiting(hass, mosquitto, releases) as scene:
        scene.socket.flash.rewrite(0x1D0000 + 0x24, bytes.fromhex("c8478c999999"))
        assert await read_back(scene.wizard) == "other_chip"
        assert scene.wizard.placeholders["expected_mac"] == MAC
        await scene.wizard.close()


@walks(
    "waiting_nothing -> leave -> left_written",
    "backup -> unreported",
    "unreported -> *",
)
async def test_socket_that_never_reported_in_is_known_again(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    mosquitto: Broker,
    releases: ReleaseServer,
) -> None:
    async with waiting(hass, mosquitto, releases) as scene:
        assert await scene.wizard.choose("leave") == "left_written"
        assert await is_free(scene.socket.path)
        again = await to_pins(hass, scene.socket)
        assert again.page == "unreported", again.pages
        assert again.placeholders["name"] == "Kitchen"
        assert await again.choose("leave") == "left_untouched"
        again = await to_pins(hass, scene.socket)
        assert await again.choose("pins") == "pins"
        await again.close()
        again = await to_pins(hass, scene.socket)
        assert await again.choose("resume_passwords") == "resume_passwords"
        assert await again.submit(wifi_password=SECRET) == "write_confirm"
        scene.let_through()
        hass.data[WAITING] = Waiting()
        await again.submit()
        entry = await finish(hass, again)
        assert entry.title == "Kitchen"
        # It is set up now, so there is nothing to go on with.
        assert not hass_storage["openbk.unfinished"]["data"]
