"""From a factory socket to an entry, the whole road, and every way in which it can stop."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
import json
from pathlib import Path
import random
from typing import Any, Final

from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.json import json_bytes
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.issues.unfinished import UNFINISHED_FOLDER
from custom_components.openbk.network.firmware import RELEASE_INDEX
from custom_components.openbk.pyopenbk.devices import KNOWN_DEVICES
from custom_components.openbk.pyopenbk.obk import config_sector
from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector
from custom_components.openbk.pyopenbk.profile import SocketProfile
from custom_components.openbk.updating.updates import UPDATES
from simulator import factory, images
from simulator.chip import SimulatedSocket
from simulator.commands import Command
from simulator.faults import Fault, FaultName
from simulator.images import Build
from simulator.openbeken import OpenBeken
from simulator.releases import ReleaseServer, Trouble, release
from tests.homeassistant.bench import (
    CODE_SIZE,
    MAC,
    MANY_BUTTONS,
    NEWEST,
    blow_dump,
    factory_dump,
    flashed,
    is_free,
    open_port,
    socket_on_the_bench,
    upload,
)
from tests.homeassistant.over_the_air import LEFT_BEHIND
from tests.homeassistant.road import (
    SECRET,
    another_wifi,
    finish,
    from_name,
    to_confirmation,
    to_firmware,
    to_pins,
    walk_on,
)
from tests.homeassistant.wizard import ENGLISH, Wizard
from tests.pyopenbk.flashing.dumps import put
from tests.pyopenbk.obk import packer
from tests.pyopenbk.tuya import store_writer
from tests.support.addresses import lead_to
from tests.support.broker import Broker, free_port
from tests.support.flash_map import (
    APPLICATION,
    FLASH_SIZE,
    OPENBEKEN_CONFIG,
    RF_CALIBRATION,
)
from tests.support.simulated import configuration, plugged_in
from tests.support.sockets import (
    BLOW,
    MAC as OTHER_MAC,
    TWO_COILS,
    listen,
    socket_entry,
)
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]

walks = pytest.mark.walks

type Wrong = tuple[tuple[Callable[[], bytes], str], ...]
"""What makes a file that is none of those asked for, and what is said of it."""


@pytest.fixture(autouse=True)
def own_folder(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Keep the backups of each test in a folder of its own."""
    hass.config.config_dir = str(tmp_path)
    return tmp_path / "openbk" / "backups"


def protected_parts(flash: bytes) -> tuple[bytes, bytes]:
    """Return what no flash job may change."""
    return flash[: APPLICATION.start], flash[RF_CALIBRATION.start : RF_CALIBRATION.end]


def written(socket: SimulatedSocket) -> ConfigSector:
    """Return the configuration that is on a chip."""
    return config_sector.parse(
        socket.flash.read(OPENBEKEN_CONFIG.start, OPENBEKEN_CONFIG.size)
    )


@walks(
    "user -> flash -> intro",
    "backup -> pins -> use_pins -> name -> known_wifi -> wifi -> broker -> releases -> download -> write_confirm",
    "write_confirm -> write -> reassemble -> wait -> created",
)
async def test_whole_road(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    mosquitto: Broker,
    releases: ReleaseServer,
    own_folder: Path,
) -> None:
    dump = blow_dump()
    async with socket_on_the_bench(dump) as socket:
        lead_to(hass, socket)
        wizard = await to_pins(hass, socket)
        await to_confirmation(wizard, mosquitto, releases)
        # A factory socket has had nothing that could be taken over.
        assert wizard.placeholders["takeover"] == ""
        assert await wizard.submit() == "reassemble", wizard.pages
        assert await is_free(socket.path)
        entry = await finish(hass, wizard)
        # Nobody is to wonder why nothing is measured in the first minute.
        assert wizard.result["description"] == "metering"
        assert wizard.placeholders["name"] == "Kitchen"
        assert entry.unique_id == MAC
        assert entry.title == "Kitchen"
        assert SocketProfile.from_dict(entry.data["profile"]) == BLOW
        assert entry.data["mac"] == MAC
        assert entry.data["client_id"] == "obkE4720741"
        assert entry.data["firmware"].startswith("OpenBK7231N ")
        assert protected_parts(socket.flash.read(0, FLASH_SIZE)) == protected_parts(
            dump
        )
    (backup,) = own_folder.glob("*.bin")
    assert backup.read_bytes() == dump
    assert SECRET not in str(entry.as_dict())
    assert SECRET not in str(hass_storage)


async def test_template_of_a_relay_with_two_coils(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    mosquitto: Broker,
    releases: ReleaseServer,
) -> None:
    """With commands and flags that are taken over, and a board that nobody could save."""
    template = {
        "chip": "BK7231N",
        "board": "CB2S\ud800",
        "pins": {
            str(pin.pin): f"{pin.role.firmware_name};{pin.channel}"
            for pin in TWO_COILS.pins
        },
        "flags": str(1 << 2),
        "command": "addClockEvent 7:00 0xff 1 setChannel 1 1",
    }
    async with socket_on_the_bench(factory_dump()) as socket:
        wizard = await to_pins(hass, socket)
        await wizard.choose("pins_paste")
        assert await wizard.submit(text=json.dumps(template)) == "pins"
        assert (
            "| P26 | Relay: coil that closes it | BridgeFWD | 1 |"
            in wizard.placeholders["pins"]
        )
        assert await wizard.choose("use_pins") == "pins_extras"
        assert await wizard.submit(command=True, flags=True) == "name"
        assert await from_name(wizard, mosquitto) == "write_confirm"
        assert "\n- the clock: " in wizard.placeholders["takeover"]
        assert await wizard.submit() == "reassemble", wizard.pages
        config = written(socket)
        assert config.profile.pins == TWO_COILS.pins
        assert config.channel_types[1] == config_sector.TOGGLE_CHANNEL
        assert config.startup_command.endswith(f"\n{template['command']}")
        assert "ntp" not in config.startup_command
        assert config.flags == 1 << 2 | 1 << 10 | 1 << 21
        await wizard.submit_suggested()
        entry = wizard.result["result"]
        await until(lambda: hass.states.is_state("switch.kitchen", "off"))
        await hass.services.async_call(
            "switch", "turn_on", {"entity_id": "switch.kitchen"}, blocking=True
        )
        await until(lambda: hass.states.is_state("switch.kitchen", "on"))
        assert isinstance(socket.firmware, OpenBeken)
        assert socket.firmware.relay(1)
        await hass.async_block_till_done()
        await hass.config_entries.async_unload(entry.entry_id)
    # Its commands work with the clock as it is.
    assert entry.data["tuned"] is False
    # What it runs and which flags it has, the socket itself knows from here on.
    assert {*entry.data["profile"]} == {"pins", "module"}
    assert entry.data["profile"]["module"] is None
    json_bytes(entry.as_dict())


async def test_the_time_zone_and_the_model_that_were_told_hold(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    """In the chip, in the entry, and in what Home Assistant tells the socket afterwards."""
    told: set[str] = set()
    await listen(
        hass,
        "cmnd/+/time_setTZ",
        lambda message: told.add(str(message.payload)),
    )
    async with socket_on_the_bench(blow_dump()) as socket:
        wizard = await to_pins(hass, socket)
        await wizard.choose("use_pins")
        await wizard.submit_suggested(
            name="Cabin",
            model=" BLOW 72-074 ",
            advanced={"time_zone": "Asia/Kolkata"},
        )
        await another_wifi(wizard)
        await wizard.submit_suggested(ssid="TestNet", password=SECRET)
        await wizard.submit_suggested(host=mosquitto.host, port=mosquitto.port)
        await wizard.submit_suggested()
        await wizard.submit()
        assert "ntp_timeZoneOfs +5:30;" in written(socket).startup_command
        assert await wizard.submit_suggested() == "created"
        entry = wizard.result["result"]
        assert entry.data["time_zone"] == "Asia/Kolkata"
        await until(lambda: told)
        assert told == {"+5:30"}
        (device,) = dr.async_entries_for_config_entry(
            dr.async_get(hass), entry.entry_id
        )
        assert (device.model, device.model_id) == ("BLOW 72-074", "CB2S")
        await hass.async_block_till_done()
        await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("is_open", [False, True])
async def test_passwords_need_not_be_typed_again(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer, is_open: bool
) -> None:
    """They are kept in the dialog, never sent back to the browser, and can be taken back."""
    async with socket_on_the_bench(blow_dump()) as socket:
        wizard = await to_pins(hass, socket)
        await wizard.choose("use_pins")
        await wizard.submit_suggested(name="Kitchen")
        await another_wifi(wizard)
        assert "open" not in wizard.suggested
        await wizard.submit_suggested(
            ssid="x" * 33, password=SECRET, second={"password": "another word"}
        )
        assert wizard.errors == {"base": "wifi_name_too_long"}
        assert SECRET not in wizard.sent
        assert "another word" not in wizard.sent
        kept = "Leave empty to keep the one that you entered before."
        assert wizard.placeholders["wifi_password"] == kept
        assert wizard.placeholders["second_wifi_password"] == kept
        second = {"ssid": "Second", "password": None}
        assert await wizard.submit_suggested(
            ssid="Net", open=is_open, password=None, second=second
        ) == ("broker")
        at = {"host": mosquitto.host, "port": mosquitto.port, "username": "sockets"}
        await wizard.submit_suggested(**at, password="of the broker")
        assert "of the broker" not in wizard.sent
        assert wizard.placeholders["broker_password"] == kept
        assert await wizard.submit_suggested() == "write_confirm", wizard.errors
        assert await wizard.submit() == "reassemble", wizard.pages
        config = written(socket)
        assert (config.wifi_ssid, config.wifi_ssid2) == ("Net", "Second")
        assert config.wifi_password == ("" if is_open else SECRET)
        assert config.wifi_password2 == "another word"
        assert config.mqtt_password == "of the broker"
        await wizard.close()


@walks("known_wifi -> use_known_wifi -> broker")
async def test_the_wifi_that_the_chip_was_in_is_offered_and_its_password_used_unseen(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    unit = factory.FactorySocket(code_size=CODE_SIZE)
    async with socket_on_the_bench(unit.dump()) as socket:
        wizard = await to_pins(hass, socket)
        await wizard.choose("use_pins")
        assert await wizard.submit_suggested(name="Kitchen") == "known_wifi"
        assert unit.ssid in wizard.placeholders["known_wifi"]
        assert wizard.placeholders["known_wifi_password"].startswith("It still has")
        assert await wizard.choose("use_known_wifi") == "broker"
        at = {"host": mosquitto.host, "port": mosquitto.port}
        await wizard.submit_suggested(**at)
        assert await wizard.submit_suggested(**at) == "write_confirm"
        assert unit.password not in str(wizard.result)
        assert await wizard.submit() == "reassemble", wizard.pages
        config = written(socket)
        assert (config.wifi_ssid, config.wifi_password) == (unit.ssid, unit.password)
        await finish(hass, wizard)
    # Each costs a click, "wiring" of a chip that is silent at first another; to open the dialog
    # takes two, to close it one.
    told = {"wiring", *ENGLISH["config"]["progress"]}
    assert [page for page in wizard.pages if page not in told] == [
        "user",
        "intro",
        "pins",
        "name",
        "known_wifi",
        "broker",
        "write_confirm",
        "reassemble",
        "created",
    ]


@walks("wait -> reflashed")
async def test_socket_that_is_set_up_already_keeps_its_entry(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    mosquitto: Broker,
    releases: ReleaseServer,
) -> None:
    hass_storage["openbk.updates"] = {
        "version": 1,
        "data": {MAC: LEFT_BEHIND.as_dict()},
    }
    old = socket_entry(mac=MAC, client_id="old")
    old.add_to_hass(hass)
    async with socket_on_the_bench(blow_dump()) as socket:
        wizard = await to_pins(hass, socket)
        await to_confirmation(wizard, mosquitto, releases)
        await wizard.submit()
        # What it had before an update would else take the place of what was just written.
        assert hass.data[UPDATES].of(MAC).record is None
        assert await wizard.submit_suggested() == "reflashed"
        await hass.async_block_till_done()
        assert old.title == "Kitchen"
        # Its topics stay, so that whatever else listens to them goes on.
        assert old.data["client_id"] == "old"
        assert images.NEWEST.version in old.data["firmware"]
        await hass.config_entries.async_unload(old.entry_id)


async def test_next_socket_follows_one_that_keeps_its_entry(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    old = socket_entry(mac=MAC, client_id="old")
    old.add_to_hass(hass)
    async with socket_on_the_bench(blow_dump()) as socket:
        wizard = await to_pins(hass, socket)
        await to_confirmation(wizard, mosquitto, releases)
        await wizard.submit()
        assert await wizard.submit(another=True) == "next_socket"
        await hass.async_block_till_done()
        assert hass.config_entries.async_entries("openbk") == [old]
        assert old.title == "Kitchen"
        assert images.NEWEST.version in old.data["firmware"]
        await wizard.close()
        await hass.config_entries.async_unload(old.entry_id)


@walks(
    "wait -> next_socket -> search -> backup -> pins",
    "name -> write_confirm",
    "name -> failed_settings -> pins",
)
async def test_next_socket_asks_only_for_what_differs(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer, tmp_path: Path
) -> None:
    port = tmp_path / "adapter"
    async with socket_on_the_bench(blow_dump()) as first:
        port.symlink_to(first.path)
        wizard = await open_port(hass, str(port))
        await walk_on(wizard)
        await to_confirmation(wizard, mosquitto, releases)
        await wizard.submit()
        assert await wizard.submit(another=True) == "next_socket"
        assert wizard.placeholders["added"] == "Kitchen"
        (entry,) = hass.config_entries.async_entries("openbk")
        assert (entry.title, entry.unique_id) == ("Kitchen", MAC)
    other = factory.FactorySocket.numbered(1, code_size=CODE_SIZE)
    async with socket_on_the_bench(other.dump()) as second:
        port.unlink()
        port.symlink_to(second.path)
        assert await wizard.submit() == "pins"
        for others, page in (
            (MANY_BUTTONS, "failed_settings"),
            (None, "write_confirm"),
        ):
            await wizard.choose("pins_edit")
            await wizard.submit_suggested(more={"others": others})
            assert await wizard.choose("use_pins") == "name"
            assert wizard.suggested["advanced"]["client_id"] == "obkE4720742"
            assert await wizard.submit_suggested(name="Hall") == page
            if page == "failed_settings":
                await wizard.choose("pins")
        await wizard.submit()
        assert await wizard.submit_suggested() == "created"
        assert wizard.result["result"].unique_id == other.mac
        await hass.async_block_till_done()
        for entry in hass.config_entries.async_entries("openbk"):
            await hass.config_entries.async_unload(entry.entry_id)


@walks("write -> failed_link_lost_writing -> search -> backup -> write")
async def test_goes_on_at_once_after_lost_power(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with socket_on_the_bench(blow_dump()) as socket:
        wizard = await to_pins(hass, socket)
        await to_confirmation(wizard, mosquitto, releases)
        socket.inject(Fault(name=FaultName.POWER_LOST, command=Command.WRITE_4K, nth=9))
        assert await wizard.submit() == "failed_link_lost_writing"
        socket.power(on=True)
        assert await wizard.choose("retry") == "reassemble", wizard.pages
        assert wizard.pages[-4:] == ["search", "backup", "write", "reassemble"]
        await finish(hass, wizard)


async def test_goes_on_in_another_wizard_with_passwords_only_where_nothing_was_kept(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    """The firmware is fetched again."""
    async with socket_on_the_bench(blow_dump()) as socket:
        wizard = await to_pins(hass, socket)
        await to_confirmation(wizard, mosquitto, releases)
        folder = Path(hass.config.path(UNFINISHED_FOLDER))
        folder.parent.mkdir(exist_ok=True)
        folder.write_text("in the way")
        socket.inject(Fault(name=FaultName.POWER_LOST, command=Command.WRITE_4K, nth=9))
        await wizard.submit()
        await wizard.choose("leave")
        socket.power(on=True)
        again = await to_pins(hass, socket)
        assert again.page == "resume"
        assert again.placeholders["name"] == "Kitchen"
        assert again.placeholders["wifi"] == "TestNet"
        assert await again.choose("resume_passwords") == "resume_passwords"
        await again.submit(wifi_password="short")
        assert again.errors == {"base": "wifi_password_short"}
        assert await again.submit(wifi_password=SECRET) == "write_confirm"
        assert "download" in again.pages
        await again.submit()
        entry = await finish(hass, again)
        assert entry.title == "Kitchen"


async def test_goes_on_with_an_uploaded_file_without_asking_for_it_again(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with socket_on_the_bench(blow_dump()) as socket:
        wizard = await to_pins(hass, socket)
        await to_firmware(wizard, mosquitto)
        file = await upload(hass, images.qio(NEWEST))
        assert await wizard.submit_suggested(source={"file": file}) == "write_confirm"
        socket.inject(Fault(name=FaultName.POWER_LOST, command=Command.WRITE_4K, nth=9))
        await wizard.submit()
        await wizard.close()
        socket.power(on=True)
        await releases.stop()
        again = await to_pins(hass, socket)
        assert await again.choose("resume_passwords") == "resume_passwords"
        assert await again.submit(wifi_password=SECRET) == "write_confirm"
        assert again.placeholders["firmware"] == images.NEWEST.version
        await again.submit()
        await finish(hass, again)
        # What was kept for this moment is not needed any more.
        assert not list(Path(hass.config.path(UNFINISHED_FOLDER)).iterdir())


async def test_another_chip_is_not_written_with_this_ones_settings(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with socket_on_the_bench(blow_dump()) as socket:
        wizard = await to_pins(hass, socket)
        await to_confirmation(wizard, mosquitto, releases)
        socket.inject(Fault(name=FaultName.POWER_LOST, command=Command.WRITE_4K, nth=9))
        assert await wizard.submit() == "failed_link_lost_writing"
        other = factory.FactorySocket.numbered(1, code_size=CODE_SIZE)
        async with socket_on_the_bench(other.dump()) as second:
            await wizard.choose("port")
            assert await wizard.submit(adapter=second.path) in {"wiring", "other_chip"}
            if wizard.page == "wiring":
                assert await wizard.submit() == "other_chip"
            assert wizard.placeholders["expected_mac"] == MAC
            assert wizard.placeholders["mac"] == other.mac
            assert second.flash.read(0, FLASH_SIZE) == other.dump()


WRONG_NAMES: Final = (
    ({"client_id": "kitchen/socket"}, "topic_invalid"),
    ({"client_id": "$SYS"}, "topic_invalid"),
    ({"client_id": "ж" * 32}, "topic_too_long"),
    ({"group": "all sockets"}, "group_invalid"),
    ({"group": "ж" * 32}, "group_too_long"),
    ({"client_id": "same", "group": "same"}, "topic_same"),
    ({"client_id": "taken"}, "topic_taken"),
    ({"client_id": "bekens_n", "group": "mine"}, "topic_taken"),
    ({"group": "taken"}, "topic_taken"),
    ({"ntp_server": "  "}, "ntp_unknown"),
    ({"ntp_server": "::1"}, "ntp_unknown"),
    ({"time_zone": "Europe/Nowhere"}, "time_zone_unknown"),
)
DOUBTFUL_ADDRESSES: Final = (
    ("mqtt://192.168.1.10", "broker_not_a_host"),
    ("  ", "broker_not_a_host"),
    ("192.168.1.10:1883", "broker_not_a_host"),
    ("::1", "broker_ipv6"),
    ("fd00::10", "broker_ipv6"),
    ("x" * 256, "broker_host_too_long"),
    ("localhost", "broker_loopback"),
    ("172.30.32.1", "broker_internal_address"),
    ("169.254.1.2", "broker_link_local"),
    ("core-mosquitto", "broker_internal_name"),
    ("homeassistant.local", "broker_local_name"),
)
TOO_MUCH_OF_A_LOGIN: Final = {
    "username": ("u" * 64, "ö" * 32),
    "password": ("p" * 128, "\ud800"),
}


class TestSettings:
    """The pages of name, Wi-Fi and broker."""

    @pytest.fixture
    async def wizard(self, hass: HomeAssistant) -> AsyncIterator[Wizard]:
        """Return a wizard that asks for the name."""
        async with socket_on_the_bench(blow_dump()) as socket:
            wizard = await to_pins(hass, socket)
            await wizard.choose("use_pins")
            yield wizard
            await wizard.close()

    @walks("name -> name, known_wifi", "known_wifi -> wifi -> wifi, broker")
    async def test_pages_of_name_and_wifi(
        self, hass: HomeAssistant, wizard: Wizard
    ) -> None:
        MockConfigEntry(
            domain="openbk",
            unique_id="other",
            data={"client_id": "taken", "group": "bekens_n"},
        ).add_to_hass(hass)
        assert wizard.suggested["advanced"]["client_id"] == "obkE4720741"
        assert wizard.suggested["advanced"]["time_zone"] == hass.config.time_zone
        right = wizard.suggested["advanced"]
        for wrong, error in WRONG_NAMES:
            advanced = {**right, **wrong}
            await wizard.submit_suggested(name="Kitchen", advanced=advanced)
            assert wizard.errors == {"base": error}
        await wizard.submit_suggested(
            name=" ",
            advanced={
                "client_id": "kitchen",
                "group": "bekens_n",
                "ntp_server": "192.168.1.1",
                "time_zone": "Europe/Warsaw",
            },
        )
        assert wizard.errors == {"name": "name_missing"}
        assert await wizard.submit_suggested(name="Küche") == "known_wifi"

        assert await wizard.choose("wifi") == "wifi"
        await wizard.submit_suggested(ssid="Net", password="short")
        assert wizard.errors == {"base": "wifi_password_short"}
        await wizard.submit_suggested(ssid="Net", password="half a letter \ud800")
        assert wizard.errors == {"base": "wifi_not_storable"}
        await wizard.submit_suggested(ssid="ż" * 17, password="12345678")
        assert wizard.errors == {"base": "wifi_name_too_long"}
        await wizard.submit_suggested(
            ssid="Net", second={"ssid": "Second", "password": "short"}
        )
        assert wizard.errors == {"base": "second_wifi_password_short"}
        second = {"ssid": "Second", "password": "12345678"}
        assert await wizard.submit_suggested(second=second) == "broker"

    async def test_without_a_broker_nobody_else_is_heard_on_the_topic(
        self, hass: HomeAssistant, wizard: Wizard, mosquitto: Broker
    ) -> None:
        mosquitto.stop()
        await until(lambda: not mqtt.is_connected(hass))
        assert await wizard.submit_suggested(name="Kitchen") == "known_wifi"
        mosquitto.start()
        await until(lambda: mqtt.is_connected(hass))

    async def test_topic_of_a_socket_that_is_not_set_up(
        self, wizard: Wizard, mosquitto: Broker
    ) -> None:
        """Two would throw each other off the broker, whether Home Assistant knows both or not."""
        other = configuration(mosquitto, mqtt_client_id="hall")
        async with plugged_in(other, OTHER_MAC) as socket:
            await until(lambda: socket.firmware.running and socket.firmware.mqtt.online)
            topic = {"client_id": "hall"}
            await wizard.submit_suggested(name="Kitchen", advanced=topic)
            assert wizard.errors == {"base": "topic_taken"}
        topic = {"client_id": "cellar"}
        assert await wizard.submit_suggested(advanced=topic) == "known_wifi"

    @pytest.fixture
    async def broker_page(self, wizard: Wizard) -> Wizard:
        """Return the wizard at the page of the broker."""
        await wizard.submit_suggested(name="Kitchen")
        await another_wifi(wizard)
        await wizard.submit_suggested(ssid="Net", password=SECRET)
        return wizard

    async def test_encrypted_way_in_is_not_for_sockets(
        self, hass: HomeAssistant, mqtt_connection: MockConfigEntry, wizard: Wizard
    ) -> None:
        hass.config_entries.async_update_entry(
            mqtt_connection, data={**mqtt_connection.data, "certificate": "auto"}
        )
        await wizard.submit_suggested(name="Kitchen")
        await another_wifi(wizard)
        assert await wizard.submit_suggested(ssid="Net", password=SECRET) == "broker"
        assert wizard.errors == {"base": "broker_needs_plain_listener"}
        assert wizard.suggested["port"] == 1883

    async def test_address_is_questioned_and_login_has_to_fit(
        self, broker_page: Wizard
    ) -> None:
        for host, error in DOUBTFUL_ADDRESSES:
            await broker_page.submit_suggested(host=host)
            assert broker_page.errors == {"host": error}
        for field, values in TOO_MUCH_OF_A_LOGIN.items():
            for value in values:
                login = {"username": "a", "password": None, field: value}
                await broker_page.submit_suggested(host="192.168.1.10", **login)
                problem = "not_storable" if value == "\ud800" else "too_long"
                assert broker_page.errors == {field: f"broker_{field}_{problem}"}, login

    @walks("broker -> broker, releases")
    async def test_login_is_tried(
        self, broker_page: Wizard, releases: ReleaseServer
    ) -> None:
        with Broker(users={"sockets": "right"}) as broker:
            at = {"host": broker.host, "port": broker.port, "username": "sockets"}
            await broker_page.submit_suggested(**at, password="wrong")
            assert broker_page.errors == {"host": "broker_loopback"}
            await broker_page.submit_suggested(**at)
            assert broker_page.errors == {"base": "broker_refused_login"}
            await broker_page.submit_suggested(**at, use_own_login=True)
            assert broker_page.errors == {"username": "broker_login_not_own"}
            await broker_page.submit_suggested(
                port=free_port(), password="right", use_own_login=False
            )
            assert broker_page.errors == {"base": "broker_unreachable"}
            assert "right" not in str(broker_page.result["data_schema"])
            # Home Assistant is on another broker than this one, which may be meant.
            await broker_page.submit_suggested(**at)
            assert broker_page.errors == {"base": "broker_another"}
            assert await broker_page.submit_suggested() == "write_confirm"

    @walks("broker -> broker, releases")
    async def test_rights_of_the_login_are_tried(
        self,
        hass: HomeAssistant,
        broker_page: Wizard,
        mqtt_connection: MockConfigEntry,
        releases: ReleaseServer,
    ) -> None:
        """As this socket: the broker knows it by its client id, and refuses without a word."""
        rules = "user home\ntopic readwrite #\n\npattern read %c/#\n"
        users = {"home": "its own", "sockets": "right"}
        with Broker(users=users, access=rules) as broker:
            await hass.config_entries.async_unload(mqtt_connection.entry_id)
            home = {"username": "home", "password": "its own", "port": broker.port}
            hass.config_entries.async_update_entry(
                mqtt_connection, data=mqtt_connection.data | home
            )
            await hass.config_entries.async_setup(mqtt_connection.entry_id)
            await until(lambda: mqtt.is_connected(hass))
            at = {"host": broker.host, "port": broker.port, "username": "sockets"}
            await broker_page.submit_suggested(**at, password="right")
            await broker_page.submit_suggested()
            assert broker_page.errors == {"base": "broker_mute"}
            assert broker_page.placeholders["client_id"] == "obkE4720741"
            assert await broker_page.submit_suggested() == "write_confirm"


@pytest.mark.slow
# It needs Home Assistant connected to the one broker while a thread tries the other, each by its own clock.
@pytest.mark.real_time
async def test_home_assistants_own_login_is_used_on_request(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry, releases: ReleaseServer
) -> None:
    with Broker(users={"ha": "its own"}) as broker:
        async with socket_on_the_bench(blow_dump()) as socket:
            wizard = await to_pins(hass, socket)
            await wizard.choose("use_pins")
            await wizard.submit_suggested(name="Kitchen")
            hass.config_entries.async_update_entry(
                mqtt_connection,
                data={**mqtt_connection.data, "username": "ha", "password": "its own"},
            )
            # Core connects anew with a changed login; without a connection nothing is compared.
            await hass.async_block_till_done()
            await until(lambda: mqtt.is_connected(hass))
            await wizard.choose("use_known_wifi")
            assert wizard.suggested["username"] == "ha"
            assert "password" not in wizard.suggested
            at = {"host": broker.host, "port": broker.port}
            await wizard.submit_suggested(**at)
            await wizard.submit_suggested(**at)
            assert wizard.errors == {"base": "broker_refused_login"}
            await wizard.submit_suggested(use_own_login=True)
            # Home Assistant is not connected to it in this test.
            assert wizard.errors == {"base": "broker_another"}
            assert "its own" not in str(wizard.result["data_schema"])
            assert await wizard.submit_suggested() == "write_confirm"
            await wizard.close()
            # Whether the next socket gets it is asked again.
            again = await at_broker(hass, socket)
            await again.submit_suggested()
            await again.submit_suggested()
            assert again.errors == {"base": "broker_refused_login"}
            await again.close()


async def at_broker(hass: HomeAssistant, socket: SimulatedSocket) -> Wizard:
    """Walk from the menu to the page of the broker, with the network that the chip knows."""
    wizard = await to_pins(hass, socket)
    await wizard.choose("use_pins")
    await wizard.submit_suggested(name="Kitchen")
    assert await wizard.choose("use_known_wifi") == "broker"
    return wizard


async def test_login_made_for_sockets_is_typed_once(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry, releases: ReleaseServer
) -> None:
    """The next dialog has it without showing it, and tells it to no other broker."""
    login = {"username": "sockets", "password": "of all sockets"}
    with (
        Broker(users={"sockets": "of all sockets"}) as broker,
        Broker(users={"sockets": "another one"}) as other,
    ):
        async with socket_on_the_bench(blow_dump()) as socket:
            wizard = await at_broker(hass, socket)
            at = {"host": broker.host, "port": broker.port}
            await wizard.submit_suggested(**at, **login)
            assert await submit_until(wizard, "broker") == "write_confirm"
            await wizard.close()

            again = await at_broker(hass, socket)
            assert again.suggested == at | {
                "username": "sockets",
                "use_own_login": False,
            }
            assert again.placeholders["broker_password"].startswith("Leave empty")
            await again.submit_suggested(port=other.port)
            assert await submit_until(again, "broker") == "broker"
            assert again.errors == {"base": "broker_refused_login"}
            await again.submit_suggested(port=broker.port)
            assert await submit_until(again, "broker") == "write_confirm"
            await again.close()


async def submit_until(wizard: Wizard, page: str) -> str:
    """Submit a form again for each doubt that it has, which is meant when it is not changed."""
    for _ in range(3):
        if wizard.page != page:
            break
        await wizard.submit_suggested()
    return wizard.page


def labels(wizard: Wizard) -> list[str]:
    """Return the releases that are offered."""
    fields = wizard.result["data_schema"].schema
    (choice,) = (value for key, value in fields.items() if key == "release")
    return [option["label"] for option in choice.config["options"]]


WRONG_FILES: Final[Wrong] = (
    (lambda: images.truncated(images.qio()), "firmware_truncated"),
    (lambda: images.with_damaged_record(images.qio(NEWEST)), "firmware_damaged"),
    *(
        (
            lambda chip=chip: images.qio(replace(NEWEST, chip=chip)),
            "firmware_wrong_chip",
        )
        for chip in ("BK7231T", "BK7238")
    ),
    (lambda: images.uascent_qio(NEWEST), "firmware_wrong_key"),
    (lambda: images.no_key_qio(NEWEST), "firmware_without_key"),
    (lambda: images.ota(NEWEST), "firmware_not_for_uart"),
    (lambda: images.ug(NEWEST), "firmware_not_for_uart"),
    (blow_dump, "firmware_is_backup"),
    (lambda: blow_dump()[:0x1D2000], "firmware_is_dump_part"),
    (lambda: b"", "firmware_is_empty"),
    (lambda: b"<!DOCTYPE html><html></html>", "firmware_is_web_page"),
    (lambda: b"PK\x03\x04" + bytes(100), "firmware_is_archive"),
    (lambda: b"Hello there", "firmware_is_text"),
    (lambda: bytes(range(256)) * 40000, "firmware_too_large"),
)


class TestFirmware:
    """The page of the firmware."""

    @walks("write_confirm -> releases -> firmware -> firmware, write_confirm")
    async def test_wrong_file_is_named(
        self,
        hass: HomeAssistant,
        mosquitto: Broker,
        releases: ReleaseServer,
    ) -> None:
        dump = blow_dump()
        async with socket_on_the_bench(dump) as socket:
            wizard = await to_pins(hass, socket)
            await to_firmware(wizard, mosquitto)
            for content, error in WRONG_FILES:
                file = await upload(hass, content())
                page = await wizard.submit_suggested(source={"file": file})
                assert (page, wizard.errors) == ("firmware", {"base": error})
                if error == "firmware_wrong_chip":
                    assert wizard.placeholders["file_chip"] in ("BK7231T", "BK7238")
            # The same page takes a right one.
            file = await upload(hass, images.ua(NEWEST))
            assert (
                await wizard.submit_suggested(source={"file": file}) == "write_confirm"
            )
            assert socket.flash.read(0, FLASH_SIZE) == dump
            await wizard.close()

    async def test_no_list_of_releases(
        self, hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
    ) -> None:
        """A changed address is asked anew; a file does without a list."""
        troubles = (
            (Trouble(garbage=True), "releases_unexpected"),
            (Trouble(status=404), "releases_not_found"),
            (Trouble(rate_limited_seconds=600.0), "releases_rate_limited"),
        )
        releases.trouble = troubles[0][0]
        async with socket_on_the_bench(blow_dump()) as socket:
            wizard = await to_pins(hass, socket)
            await to_firmware(wizard, mosquitto)
            for trouble, error in troubles:
                if trouble is not releases.trouble:
                    releases.trouble = trouble
                    await wizard.submit_suggested(
                        source={"index_address": f"{releases.index}?{error}"}
                    )
                assert (wizard.page, wizard.errors) == ("firmware", {"base": error})
                assert "release" not in wizard.suggested, error
            file = await upload(hass, images.qio(NEWEST))
            assert (
                await wizard.submit_suggested(source={"file": file}) == "write_confirm"
            )
            await wizard.close()

    @walks("firmware -> download -> firmware")
    async def test_download_fails_and_is_repeated(
        self, hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
    ) -> None:
        async with socket_on_the_bench(blow_dump()) as socket:
            wizard = await to_pins(hass, socket)
            await to_firmware(wizard, mosquitto)
            for trouble, error in (
                (Trouble(cut_downloads_at=1000), "download_truncated"),
                (Trouble(spoil_downloads=True), "download_digest"),
                (Trouble(files_at="http://files.example.org"), "releases_elsewhere"),
            ):
                releases.trouble = trouble
                await wizard.submit_suggested()
                assert (wizard.page, wizard.errors) == ("firmware", {"base": error})
            assert wizard.placeholders["elsewhere"] == "files.example.org"
            releases.trouble = Trouble()
            assert await wizard.submit_suggested() == "write_confirm"
            await wizard.close()

    async def test_the_usual_place_of_releases_is_not_kept(
        self,
        hass: HomeAssistant,
        hass_storage: dict[str, Any],
        mosquitto: Broker,
        releases: ReleaseServer,
    ) -> None:
        """It may become another one, and nobody has chosen this."""
        hass.data[RELEASE_INDEX] = releases.index
        del hass_storage["openbk.release_index"]
        async with socket_on_the_bench(blow_dump()) as socket:
            wizard = await to_pins(hass, socket)
            await to_firmware(wizard, mosquitto)
            assert labels(wizard)
            assert "openbk.release_index" not in hass_storage
            await wizard.close()

    @walks("firmware -> releases -> firmware")
    async def test_nothing_chosen_server_gone_and_upload_lost(
        self, hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
    ) -> None:
        async with socket_on_the_bench(blow_dump()) as socket:
            wizard = await to_pins(hass, socket)
            await to_firmware(wizard, mosquitto)
            await wizard.submit_suggested(release=None)
            assert wizard.errors == {"base": "firmware_missing"}
            await wizard.submit_suggested(
                source={"index_address": f"http://127.0.0.1:{free_port()}/releases"}
            )
            assert wizard.errors == {"base": "releases_no_internet"}
            await wizard.submit_suggested(source={"index_address": "nonsense"})
            assert wizard.errors == {"base": "releases_bad_address"}
            await wizard.submit_suggested(source={"file": "0123456789abcdef" * 2})
            assert wizard.errors == {"base": "upload_gone"}
            await wizard.close()

    async def test_trial_version_is_not_the_default_and_a_wrong_asset_is_refused(
        self, hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
    ) -> None:
        newest, *others = releases.releases
        spoilt = tuple(
            replace(asset, make=lambda: images.uascent_qio(NEWEST))
            for asset in newest.assets
        )
        trial = release(
            replace(NEWEST, version="1.99.1"),
            newest.published,
            "Not for everybody",
            prerelease=True,
        )
        releases.releases = (trial, replace(newest, assets=spoilt), *others)
        async with socket_on_the_bench(blow_dump()) as socket:
            wizard = await to_pins(hass, socket)
            await to_firmware(wizard, mosquitto)
            assert wizard.suggested["release"] == newest.version
            assert labels(wizard)[0].endswith(" · trial version")
            assert await wizard.submit_suggested() == "firmware"
            assert wizard.errors == {"base": "firmware_wrong_key"}
            await wizard.close()

    async def test_release_of_the_guide_is_offered_however_old_it_is(
        self, hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
    ) -> None:
        newest, *_, guide = releases.releases
        later = [
            replace(newest, version=f"1.18.{number}", assets=())
            for number in range(200, 240)
        ]
        for on_server, offered in (
            ((newest, *later, guide), [newest.version, guide.version]),
            ((newest, *later), [newest.version]),
        ):
            releases.releases = on_server
            async with socket_on_the_bench(blow_dump()) as socket:
                wizard = await to_pins(hass, socket)
                await to_firmware(wizard, mosquitto)
                assert [label.split(" · ")[0] for label in labels(wizard)] == offered
                assert not wizard.errors
                await wizard.close()

    async def test_older_version_than_the_present_is_said(
        self, hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
    ) -> None:
        config = config_sector.build(ConfigSector().with_profile(BLOW))
        dump = flashed(blow_dump(), config=config)
        async with socket_on_the_bench(dump) as socket:
            wizard = await to_pins(hass, socket)
            assert wizard.page == "found_openbeken"
            # The pins are those of its configuration.
            assert await wizard.choose("pins") == "pins"
            await to_firmware(wizard, mosquitto)
            assert await wizard.submit_suggested(release="1.17.360") == "write_confirm"
            assert "older version" in wizard.placeholders["firmware_notes"]
            await wizard.close()

    async def test_the_release_of_the_guide_says_what_it_lacks_and_is_known_when_it_comes(
        self, hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
    ) -> None:
        """Its build names no chip (g_build_str in new_mqtt.c of the tag 1.17.360)."""
        async with socket_on_the_bench(blow_dump()) as socket:
            wizard = await to_pins(hass, socket)
            await to_firmware(wizard, mosquitto)
            assert await wizard.submit_suggested(release="1.17.360") == "write_confirm"
            notes = wizard.placeholders["firmware_notes"]
            assert "apparent power" in notes
            assert "publishes no digest" in notes
            await wizard.submit()
            entry = await finish(hass, wizard)
        built = images.OF_THE_GUIDE.built
        assert entry.data["firmware"] == f"OpenBK7231N 1.17.360 {built}"

    async def test_notes_of_a_release_are_shown_as_text(
        self, hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
    ) -> None:
        """Nothing in them is rendered, and no picture is fetched."""
        newest, *others = releases.releases
        notes = (
            "# Big\n\n![x](https://example.org/x.png)\n<b>bold</b>\n</details>\n" * 20
        )
        releases.releases = (replace(newest, notes=notes), *others)
        async with socket_on_the_bench(blow_dump()) as socket:
            wizard = await to_pins(hass, socket)
            await to_firmware(wizard, mosquitto)
            shown = wizard.placeholders["release_notes"]
            assert r"- \# Big" in shown
            assert "![" not in shown
            assert "<b>" not in shown
            assert shown.count("</details>") == shown.count("<details>")
            assert len(shown) < 20_000
            await wizard.close()


def models_offered(wizard: Wizard) -> list[str]:
    """Return the labels of the models to choose from."""
    (choice,) = wizard.result["data_schema"].schema.values()
    return [option["label"] for option in choice.config["options"]]


def with_text_in_code() -> bytes:
    """Return a dump whose storage has no list of pins, while its firmware has a text of one."""
    code = packer.tuya_code() + b"\0" + factory.USER_PARAMETERS.encode() + b"\0"
    dump = put(blow_dump(), APPLICATION.start, packer.application(code))
    return put(dump, store_writer.KEY_SECTOR, store_writer.store([]))


PINS = [store_writer.Entry("user_param_key", store_writer.BLOW, (1, 1))]


def with_damaged_block(older: list[bytes]) -> bytes:
    """Return a dump in which the block of the pins is damaged, and what may stand in for it."""
    store = store_writer.store(PINS, older)
    damaged = store_writer.flip(store, 0x2000 + 99)
    return put(blow_dump(), store_writer.KEY_SECTOR, damaged)


WRONG_DUMPS: Final[Wrong] = (
    (lambda: blow_dump()[:1_100_000], "dump_firmware"),
    (lambda: blow_dump()[:1_500_000], "dump_cut"),
    (lambda: bytes(random.Random(1).randbytes(3_000_000)), "dump_other_size"),
    (lambda: b"\xff" * FLASH_SIZE, "dump_erased"),
    (factory_dump, "dump_erased"),
    (lambda: b"tiny", "dump_small"),
    (lambda: b'{"pins": {"26": "Rel;1"}}' * 3, "dump_is_text"),
    (
        lambda: b"PK\x03\x04" + random.Random(2).randbytes(90_000),
        "dump_is_archive",
    ),
    (lambda: b"<!DOCTYPE html>" + b" " * 99, "dump_is_web_page"),
    (lambda: blow_dump().replace(b"\n", b"\r\n"), "dump_is_mangled"),
    (lambda: images.qio(Build(chip="BK7231U")), "dump_firmware"),
    (lambda: blow_dump()[:0x1F0000], "dump_cut"),
    (lambda: with_damaged_block([]), "dump_store_damaged"),
    (lambda: bytes(9_000_000), "dump_too_large"),
)
# What makes each, what is said of it, and in which part of the page.
DOUBTFUL_DUMPS: Final = (
    # The damage is in another block than that of the pins.
    (
        lambda: put(blow_dump(), 0x1F2000, b"\0"),
        "the list of pins in it is whole",
        "notes",
    ),
    (
        lambda: with_damaged_block([store_writer.data_sector(1, PINS, generation=4)]),
        "older copy",
        "notes",
    ),
    (with_text_in_code, "meant for another product", "pins_from"),
)


@pytest.mark.slow
class TestPins:
    """The pages on which pins are chosen."""

    @pytest.fixture
    async def sources(self, hass: HomeAssistant) -> AsyncIterator[Wizard]:
        """Return a wizard that asks where the pins are from."""
        async with socket_on_the_bench(factory_dump()) as socket:
            wizard = await to_pins(hass, socket)
            assert wizard.page == "no_pins_erased"
            yield wizard
            await wizard.close()

    async def test_wrong_dump_is_explained(
        self, hass: HomeAssistant, sources: Wizard
    ) -> None:
        await sources.choose("pins_upload")
        await sources.submit(dump="0123456789abcdef0123456789abcdef")
        assert sources.errors == {"dump": "upload_gone"}
        for content, error in WRONG_DUMPS:
            await sources.submit(dump=await upload(hass, content()))
            assert sources.errors == {"dump": error}
        await sources.submit(
            dump=await upload(hass, factory.partition_only(blow_dump()))
        )
        assert sources.page == "pins"
        assert "| P26 | Relay | Rel | 1 |" in sources.placeholders["pins"]
        assert "the uploaded dump" in sources.placeholders["pins_from"]

    async def test_doubt_about_a_list_of_pins_is_said(
        self, sources: Wizard, hass: HomeAssistant
    ) -> None:
        for content, said, part in DOUBTFUL_DUMPS:
            await sources.choose("pins_upload")
            page = await sources.submit(dump=await upload(hass, content()))
            assert page == "pins", said
            assert said in sources.placeholders[part]
            await sources.choose("pins_other")

    async def test_text_is_pasted_until_it_names_a_relay(self, sources: Wizard) -> None:
        await sources.choose("pins_paste")
        await sources.submit(text="nothing of the kind")
        assert sources.errors == {"text": "text_not_understood"}
        assert await sources.submit(text='{"pins":{"11":"Btn;1"}}') == "pins_incomplete"
        # Nor is the text of a lamp called no text at all.
        await sources.choose("pins_paste")
        lamp = "{r_pin:8,g_pin:24,b_pin:26,pwmhz:1000,module:CB2L,crc:1,}"
        assert await sources.submit(text=lamp) == "pins_incomplete"
        assert "the data of a light" in sources.placeholders["notes"]
        template = '{"vendor":"x","chip":"BK7231N","board":"CB2S","pins":{"14":"Rel;1","11":"Btn;1"}}'
        for text, pin in ((template, 14), (factory.USER_PARAMETERS, 26)):
            await sources.choose("pins_paste")
            assert await sources.submit(text=text) == "pins", text
            row = f"| P{pin} | Relay | Rel | 1 |"
            assert row in sources.placeholders["pins"], text
            await sources.choose("pins_other")

    async def test_what_is_odd_about_a_text_is_said(self, sources: Wizard) -> None:
        """And what cannot be read is left out."""
        await sources.choose("pins_paste")
        text = factory.USER_PARAMETERS.replace("led1_lv:0,", "")
        text = text.replace("netled1_pin:8", "netled1_pin:10")
        assert await sources.submit(text=text) == "pins"
        assert "active level is a guess" in sources.placeholders["pins"]
        notes = sources.placeholders["notes"]
        assert "P10: has several uses" in notes
        assert "under Configure" in notes

        await sources.choose("pins_other")
        await sources.choose("pins_paste")
        template = {
            "chip": "BK7231T",
            "board": "CB2S\ud800",
            "pins": {"26": "Rel;1", "9": "Lamp;1", "40": "Btn;1"},
        }
        assert await sources.submit(text=json.dumps(template)) == "pins"
        notes = sources.placeholders["notes"].splitlines()
        for about in ("BK7231T", "CB2S", "P9 Lamp", "40"):
            assert any(note.startswith(f"- {about}") for note in notes), about
        assert "Lamp" not in sources.placeholders["pins"]
        # Nothing of it is asked for.
        assert await sources.choose("use_pins") == "name"

    @walks("pins -> pins_extras -> name")
    async def test_what_else_a_template_has_is_offered(self, sources: Wizard) -> None:
        template = {
            "pins": {"26": "Rel;1"},
            "flags": str(1 << 46 | 1 << 2),
            "command": "addClockEvent 7:00 0xff 1 setChannel 1 1",
        }
        await sources.choose("pins_paste")
        assert await sources.submit(text=json.dumps(template)) == "pins"
        notes = sources.placeholders["notes"]
        assert "You are asked about them next." in notes
        assert await sources.choose("use_pins") == "pins_extras"
        extras = sources.placeholders["extras"]
        assert "`addClockEvent 7:00 0xff 1 setChannel 1 1`" in extras
        assert "2, 46" in extras
        assert "the clock: its own commands already use this" in extras
        assert sources.suggested == {"command": False, "flags": False}
        assert await sources.submit(command=False, flags=False) == "name"

    @pytest.mark.parametrize(
        "extra", [{"flags": str(1 << 2)}, {"command": "setChannel 5 1"}], ids=str
    )
    async def test_what_a_template_lacks_is_not_asked_for(
        self, sources: Wizard, extra: dict[str, str]
    ) -> None:
        await sources.choose("pins_paste")
        text = json.dumps({"pins": {"26": "Rel;1"}, **extra})
        assert await sources.submit(text=text) == "pins"
        assert await sources.choose("use_pins") == "pins_extras"
        assert sources.suggested == dict.fromkeys(extra, False)
        assert await sources.submit(**dict.fromkeys(extra, True)) == "name"

    async def test_known_models_are_those_with_the_module_that_was_found(
        self, sources: Wizard
    ) -> None:
        """All of them where none was."""
        await sources.choose("pins_known")
        assert len(models_offered(sources)) == len(KNOWN_DEVICES)
        assert "BLOW 72-074 · CB2S" in models_offered(sources)
        await sources.submit(model="blow_72_074")
        await sources.choose("pins_other")
        await sources.choose("pins_paste")
        text = "{bt1_pin:7,module:CB3S,crc:1,}"
        assert await sources.submit(text=text) == "pins_incomplete"
        await sources.choose("pins_known")
        offered = models_offered(sources)
        assert offered
        assert all(label.endswith(" · CB3S") for label in offered)

    async def test_known_model(self, sources: Wizard) -> None:
        await sources.choose("pins_known")
        assert await sources.submit(model="blow_72_074") == "pins"
        assert await sources.choose("pins_other") == "pins_other"
        await sources.choose("pins_edit")
        await sources.submit_suggested(led="P26")
        assert sources.errors == {"base": "pins_used_twice"}
        await sources.submit_suggested(led=None, more={"others": "P9"})
        assert sources.errors == {"base": "pins_line"}
        await sources.submit_suggested(led=None, more={"others": "P9 LED 1"})
        assert sources.page == "pins"
        assert await sources.choose("use_pins") == "name"
