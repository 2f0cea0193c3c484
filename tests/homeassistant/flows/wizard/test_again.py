"""A socket that runs OpenBeken is flashed again: what it had stays, or is named before it is lost."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.flows.wizard.arrival import WAITING, Waiting
from custom_components.openbk.live.calibration import (
    CONF_CALIBRATION,
    SocketCalibration,
)
from custom_components.openbk.pyopenbk.metering.calibration import Calibration
from custom_components.openbk.pyopenbk.metering.correction import Correction
from custom_components.openbk.pyopenbk.meters import BL0937
from custom_components.openbk.pyopenbk.obk import config_sector
from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector
from custom_components.openbk.pyopenbk.profile import PinAssignment, SocketProfile
from custom_components.openbk.pyopenbk.roles import PinRole
from simulator import factory
from simulator.chip import SimulatedSocket
from simulator.releases import ReleaseServer
from tests.homeassistant.bench import (
    CODE_SIZE,
    MAC,
    blow_dump,
    factory_dump,
    flashed,
    socket_on_the_bench,
)
from tests.homeassistant.road import SECRET, another_wifi, to_pins, walk_on
from tests.homeassistant.wizard import Wizard
from tests.support.addresses import lead_to
from tests.support.broker import Broker
from tests.support.flash_map import OPENBEKEN_CONFIG
from tests.support.sockets import BLOW, ignored, socket_entry

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.usefixtures("hass_storage", "mqtt_connection"),
]
walks = pytest.mark.walks

FACTORS = (0.1401, 0.0125, 1.62, 3000.0, 0.0, 0.0, 0.0, 0.0)
OWN_PROGRAM = "addChangeHandler Channel1 == 1 addRepeatingEvent 3600 1 SetChannel 1 0"


@pytest.fixture(autouse=True)
def own_folder(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Keep the backups of each test in a folder of its own."""
    hass.config.config_dir = str(tmp_path)
    return tmp_path


def had(broker: Broker, **changes: Any) -> ConfigSector:
    """Return the configuration of a socket that somebody has set up with care."""
    values: dict[str, Any] = {
        "flags": 1 << 10 | 1 << 27 | 1 << 38 | 1 << 41,
        "wifi_ssid": "Old",
        "wifi_password": "of the Wi-Fi",
        "mqtt_host": broker.host,
        "mqtt_port": broker.port,
        "mqtt_client_id": "kitchen",
        "mqtt_group": "plugs",
        "mqtt_username": "sockets",
        "mqtt_password": "of the broker",
        "short_name": "Kitchen plug",
        "long_name": "Plug_in_the_kitchen",
        "mac": bytes.fromhex(MAC.replace(":", "")),
        "calibration": FACTORS,
        "web_password": "web secret",
        "startup_command": f"backlog startDriver SSDP; {OWN_PROGRAM}",
        "start_values": (0, 1) + (0,) * 62,
    }
    return ConfigSector(**{**values, **changes}).with_profile(BLOW)


def on_chip(socket: SimulatedSocket) -> ConfigSector:
    """Return the configuration that is on a chip."""
    return config_sector.parse(
        socket.flash.read(OPENBEKEN_CONFIG.start, OPENBEKEN_CONFIG.size)
    )


async def to_summary(wizard: Wizard, **network: Any) -> None:
    """Take over everything that is filled in, and stop before it is written."""
    assert wizard.page == "found_openbeken", wizard.pages
    assert await wizard.choose("pins") == "pins"
    await wizard.choose("use_pins")
    assert await wizard.submit_suggested(name="Kitchen") == "wifi"
    assert await wizard.submit_suggested(**network) == "broker", wizard.errors
    await wizard.submit_suggested()
    assert await wizard.submit_suggested() == "write_confirm", wizard.errors


@walks("found_openbeken -> pins", "name -> wifi", "wait -> created")
async def test_socket_keeps_what_it_had(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    mosquitto: Broker,
    releases: ReleaseServer,
) -> None:
    # Somebody did not want the card of it that was shown once.
    ignored(MAC).add_to_hass(hass)
    before = config_sector.build(had(mosquitto))
    async with socket_on_the_bench(flashed(blow_dump(), config=before)) as socket:
        # When it runs, it is asked over its web page whether it has what was written.
        lead_to(hass, socket)

        async def look_up(_name: str) -> list[str]:
            return [str(getattr(socket.firmware, "http_address", None))]

        hass.data[WAITING] = Waiting(look_up=look_up)
        wizard = await to_pins(hass, socket)
        # Nothing has to be typed but a name, and no password is sent to the browser.
        await to_summary(wizard)
        said = wizard.placeholders["takeover"]
        for kept in (
            "calibration factors of its meter",
            "password of its web page",
            "its own start-up command",
            "its own flags",
            "what its relays do after a power cut",
            "its names",
        ):
            assert kept in said
        assert "Do not announce itself to the MQTT integration" in said
        for secret in ("of the Wi-Fi", "of the broker", "web secret"):
            assert secret not in wizard.sent
        assert await wizard.submit() == "reassemble", wizard.pages
        now = on_chip(socket)
        was = config_sector.parse(before)
        for name in (
            "calibration",
            "web_password",
            "short_name",
            "long_name",
            "start_values",
            "wifi_ssid",
            "wifi_password",
            "mqtt_host",
            "mqtt_client_id",
            "mqtt_group",
            "mqtt_username",
            "mqtt_password",
        ):
            assert getattr(now, name) == getattr(was, name), name
        assert now.flags == 1 << 10 | 1 << 21 | 1 << 38 | 1 << 41
        assert now.startup_command.endswith(f";startDriver SSDP; {OWN_PROGRAM}")
        assert "publish button single" in now.startup_command
        # Its own Wi-Fi would be called as it is now.
        assert wizard.placeholders["access_point"] == r"Plug\_in\_the\_kitchen"
        assert await wizard.submit_suggested() == "created", wizard.pages
        [entry] = hass.config_entries.async_entries("openbk")
        assert (entry.data["client_id"], entry.data["group"]) == ("kitchen", "plugs")
        assert entry.data["power_cut"] == {"1": "on"}
        assert entry.data["child_lock"] is True
        assert entry.data["address"] == "127.0.0.1"
        assert "web secret" not in str(entry.as_dict())
        assert "web secret" not in str(hass_storage)
        await hass.async_block_till_done()
        await hass.config_entries.async_unload(entry.entry_id)


async def test_pins_are_those_that_it_runs_with(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    """The list of its factory is still there, but somebody has changed the roles since."""
    button = PinAssignment(pin=11, role=PinRole.BTN_SCRIPT_ONLY, channel=1)
    changed = SocketProfile.of(
        button if pin.pin == button.pin else pin for pin in BLOW.pins
    )
    before = config_sector.build(had(mosquitto).with_profile(changed))
    async with socket_on_the_bench(flashed(blow_dump(), config=before)) as socket:
        wizard = await to_pins(hass, socket)
        await to_summary(wizard)
        await wizard.submit()
        assert on_chip(socket).profile.pins == changed.pins
        await wizard.close()


async def test_another_network_needs_its_own_password(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    before = config_sector.build(had(mosquitto))
    async with socket_on_the_bench(flashed(blow_dump(), config=before)) as socket:
        wizard = await to_pins(hass, socket)
        await to_summary(wizard, ssid="New", password=SECRET)
        await wizard.submit()
        assert (on_chip(socket).wifi_ssid, on_chip(socket).wifi_password) == (
            "New",
            SECRET,
        )
        await wizard.close()


async def test_settings_that_cannot_be_read_are_named_as_lost(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    before = bytearray(config_sector.build(had(mosquitto)))
    before[0x498] ^= 0x40
    dump = flashed(blow_dump(), config=bytes(before))
    async with socket_on_the_bench(dump) as socket:
        wizard = await to_pins(hass, socket)
        assert wizard.page == "found_openbeken"
        await wizard.choose("pins")
        await wizard.choose("use_pins")
        await wizard.submit_suggested(name="Kitchen")
        await another_wifi(wizard)
        await wizard.submit_suggested(ssid="New", password=SECRET)
        await wizard.submit_suggested(host=mosquitto.host, port=mosquitto.port)
        assert await wizard.submit_suggested() == "write_confirm", wizard.errors
        assert "cannot be read" in wizard.placeholders["takeover"]
        await wizard.close()


def corrected(factor: float) -> dict[str, Any]:
    """Return the options of an entry that shows power by 10 % more than a socket with this factor."""
    calibration = Calibration(
        correction=Correction(gain=1.1),
        points=(),
        gain_variance=0.0,
        offset_variance=0.0,
        covariance=0.0,
        offset_significant=False,
        factor=factor,
    )
    return {
        CONF_CALIBRATION: {
            "known": {"power": calibration.as_dict()},
            "factors": {
                "voltage": 0.13253012,
                "current": 0.0118577075,
                "power": factor,
            },
        }
    }


@walks("wait -> reflashed")
@pytest.mark.parametrize("readable", [True, False])
async def test_calibration_in_home_assistant_follows_the_factors(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer, readable: bool
) -> None:
    """It is about pulses. Where the socket loses its factors, the same watts are shown."""
    entry = socket_entry(mac=MAC, client_id="kitchen", published={"topic": "kept"})
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, options=corrected(1.62))
    before = bytearray(config_sector.build(had(mosquitto, web_password="")))
    if not readable:
        before[0x14] ^= 1
    dump = flashed(blow_dump(), config=bytes(before))
    async with socket_on_the_bench(dump) as socket:
        wizard = await to_pins(hass, socket)
        await wizard.choose("pins")
        await wizard.choose("use_pins")
        assert wizard.suggested["advanced"]["client_id"] == "kitchen"
        await wizard.submit_suggested()
        await another_wifi(wizard)
        await wizard.submit_suggested(ssid="New", password=SECRET)
        await wizard.submit_suggested(host=mosquitto.host, port=mosquitto.port)
        assert await wizard.submit_suggested() == "write_confirm", wizard.errors
        assert await wizard.submit() == "reassemble"
        assert await wizard.submit_suggested() == "reflashed", wizard.pages
        await hass.async_block_till_done()
        now = SocketCalibration(hass, entry, BL0937)
        factor = pytest.approx(1.62 if readable else 1.5)
        assert now.factors["power"] == factor
        gain = 1.1 if readable else 1.1 * 1.62 / 1.5
        assert now.corrections["power"].gain == pytest.approx(gain)
        # What only the entry knows stays there.
        assert entry.data["published"] == {"topic": "kept"}
        await hass.config_entries.async_unload(entry.entry_id)


async def test_next_socket_of_the_dialog_keeps_its_own_settings_too(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    releases: ReleaseServer,
    own_folder: Path,
) -> None:
    port = own_folder / "adapter"
    async with socket_on_the_bench(blow_dump()) as first:
        port.symlink_to(first.path)
        wizard = await Wizard.open(hass, "flash")
        await wizard.submit(adapter=str(port))
        await walk_on(wizard)
        await wizard.choose("use_pins")
        await wizard.submit_suggested(name="Hall")
        await another_wifi(wizard)
        await wizard.submit_suggested(ssid="New", password=SECRET)
        await wizard.submit_suggested(host=mosquitto.host, port=mosquitto.port)
        await wizard.submit_suggested()
        await wizard.submit()
        assert await wizard.submit(another=True) == "next_socket", wizard.pages
    other = flashed(
        factory_socket(1), config=config_sector.build(had(mosquitto, mac=bytes(6)))
    )
    async with socket_on_the_bench(other) as second:
        port.unlink()
        port.symlink_to(second.path)
        assert await wizard.submit() == "found_openbeken"
        await wizard.choose("pins")
        await wizard.choose("use_pins")
        assert wizard.suggested["advanced"]["client_id"] == "kitchen"
        assert await wizard.submit_suggested(name="Kitchen") == "write_confirm"
        assert "calibration factors" in wizard.placeholders["takeover"]
        await wizard.submit()
        now = on_chip(second)
        assert now.wifi_ssid == "New"
        assert (
            now.calibration
            == config_sector.parse(config_sector.build(had(mosquitto))).calibration
        )
        await wizard.close()
        await hass.async_block_till_done()
        for entry in hass.config_entries.async_entries("openbk"):
            await hass.config_entries.async_unload(entry.entry_id)


def factory_socket(number: int) -> bytes:
    """Return the dump of another socket of the same kind."""
    return factory.FactorySocket.numbered(number, code_size=CODE_SIZE).dump()


@walks("found_openbeken -> pins -> pins_incomplete")
async def test_pins_that_no_socket_can_run_with_are_shown_for_what_they_are(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    """Somebody set a button and no relay, and the factory's list is gone."""
    bare = SocketProfile.of((PinAssignment(pin=11, role=PinRole.BTN, channel=1),))
    config = config_sector.build(had(mosquitto).with_profile(bare))
    dump = flashed(factory_dump(), config=config)
    async with socket_on_the_bench(dump) as socket:
        wizard = await to_pins(hass, socket)
        assert wizard.page == "found_openbeken"
        assert await wizard.choose("pins") == "pins_incomplete"
        assert "P11" in wizard.placeholders["pins"]
        await wizard.close()


async def test_a_meter_on_a_serial_line_is_seen_though_it_is_on_no_pin(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    """The start-up command says which it is."""
    relay = SocketProfile.of((PinAssignment(pin=26, role=PinRole.REL, channel=1),))
    running = replace(
        had(mosquitto).with_profile(relay),
        startup_command="startDriver BL0942 9600",
    )
    dump = flashed(blow_dump(), config=config_sector.build(running))
    async with socket_on_the_bench(dump) as socket:
        wizard = await to_pins(hass, socket)
        assert await wizard.choose("pins") == "pins"
        assert "Energy meter" in wizard.placeholders["socket"]
        await wizard.close()
