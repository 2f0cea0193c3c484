"""OpenBeken on whatever chip: added, switched and read as on the one that we flash."""

import asyncio
from fnmatch import fnmatch

from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from custom_components.openbk.pyopenbk.beken.chips import CHIPS, Chip
from custom_components.openbk.pyopenbk.obk.console import Console, NotAnAnswerError
from custom_components.openbk.pyopenbk.obk.flags import Flag
from custom_components.openbk.pyopenbk.obk.meter import read_factors
from custom_components.openbk.pyopenbk.obk.names import client_id_of_host, group_of
from custom_components.openbk.pyopenbk.profile import PinAssignment, SocketProfile
from custom_components.openbk.pyopenbk.roles import PinRole
from simulator.openbeken import Release
from tests.hassfest.parts import manifest
from tests.homeassistant.wizard import Wizard
from tests.support.broker import Broker
from tests.support.simulated import PluggedSocket, stranger
from tests.support.sockets import MAC
from tests.support.waiting import until

TAIL = MAC.replace(":", "").upper()[-8:]
CHILD_LOCK = Flag.IGNORE_BUTTONS.mask
# Its long name, as all sockets have it at first.
HOSTS = [entry["hostname"] for entry in manifest()["dhcp"] if "hostname" in entry]
# One of each way in which a configuration is kept: at a known address, in a place that differs
# between builds, in a file; and one whose builds were seen to lose what is sent to them.
RUNNING = ("BK7231T", "BK7238", "BL602", "W600", "ESP32", "RTL87X0C")
ADDED = ("BK7231T", "BL602", "ESP32", "RTL87X0C")


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Core's MQTT client leaves its periodic timer behind."""
    return True


def profile_of(chip: Chip) -> SocketProfile:
    """Return the pins of a metering socket, the relay on the highest that there is."""
    return SocketProfile.of(
        PinAssignment(pin=pin, role=role, channel=channel)
        for pin, role, channel in (
            (5, PinRole.BL0937CF1, 0),
            (7, PinRole.BL0937CF, 0),
            (8, PinRole.BL0937SEL, 0),
            (11, PinRole.BTN, 1),
            (min(chip.highest_pin, 31), PinRole.REL, 1),
        )
    )


def running(broker: Broker, chip: Chip, **changes: object) -> PluggedSocket:
    """Return a socket with this chip, as somebody else set it up."""
    config = stranger(
        broker,
        profile_of(chip),
        mqtt_client_id=f"{chip.prefix}{TAIL}",
        mqtt_group=chip.group,
        flags=1 << 10 | CHILD_LOCK,
        **changes,
    )
    release = Release(chip=chip, loses_posts=chip.name == "RTL87X0C")
    return PluggedSocket(config, release=release)


def number(hass: HomeAssistant, entity_id: str) -> float:
    state = hass.states.get(entity_id)
    known = state and state.state not in (STATE_UNKNOWN, STATE_UNAVAILABLE)
    return float(state.state) if state and known else 0.0


def console_of(plugged: PluggedSocket) -> Console:
    host, _, port = str(plugged.firmware.http_address).partition(":")
    return Console(host, int(port))


@pytest.mark.parametrize("chip", CHIPS.values(), ids=lambda chip: chip.name)
def test_network_tells_of_a_socket_by_either_of_its_names(chip: Chip) -> None:
    client_id = f"{chip.prefix}{TAIL}"
    for name in (f"Open{chip.name}_{TAIL}", client_id):
        assert any(fnmatch(name.lower(), pattern) for pattern in HOSTS)
        assert client_id_of_host(name.lower()) == client_id
    assert group_of(chip.name) == chip.group
    assert client_id_of_host("openwrt") is None
    assert client_id_of_host("obkitchen99") is None


@pytest.mark.e2e
@pytest.mark.parametrize("name", ADDED)
async def test_socket_is_added_switched_and_read(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry, name: str
) -> None:
    chip = CHIPS[name]
    client_id = f"{chip.prefix}{TAIL}"
    plugged = running(mosquitto, chip)
    hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True)
    plugged.power_on()
    try:
        await until(lambda: plugged.firmware.http_address)
        wizard = await Wizard.open(hass, "existing")
        if wizard.page == "found":
            await wizard.submit(found="another")
        address = plugged.firmware.http_address
        assert await wizard.submit(address=address) == "tune"
        assert await wizard.submit(changes=["retain_relays"]) == "created"
        entry = wizard.result["result"]
        assert entry.data["client_id"] == client_id
        assert entry.data["group"] == chip.group
        assert (
            SocketProfile.from_dict(entry.data["profile"]).pins == profile_of(chip).pins
        )
        assert plugged.firmware.settings.values.flags & Flag.RETAIN_RELAYS.mask
        (device,) = dr.async_entries_for_config_entry(
            dr.async_get(hass), entry.entry_id
        )
        assert (device.model, device.hw_version) == (name, name)
        relay = f"switch.{client_id.lower()}"
        await until(lambda: (at := hass.states.get(relay)) and at.state == "off")
        await hass.services.async_call("switch", "turn_on", {"entity_id": relay})
        await until(lambda: plugged.firmware.relay(1))
        power = f"sensor.{client_id.lower()}_power"
        await until(lambda: number(hass, power) == pytest.approx(100, rel=0.05))
        # What it does not report is read, wherever it keeps it.
        lock = f"switch.{client_id.lower()}_child_lock"
        await until(lambda: (at := hass.states.get(lock)) and at.state == "on")
        await hass.config_entries.async_unload(entry.entry_id)
    finally:
        await plugged.power_off()


@pytest.mark.parametrize("name", ["BK7231N", *RUNNING])
async def test_settings_are_read_by_address_or_from_pages(
    socket_enabled: None, mosquitto: Broker, name: str
) -> None:
    chip = CHIPS[name]
    command = 'backlog echo "a"; echo <b>\naddRepeatingEvent 60 -1 echo </textarea> c'
    starts = (0, -1, *([0] * 62))
    plugged = running(mosquitto, chip, startup_command=command, start_values=starts)
    plugged.power_on()
    try:
        await until(lambda: plugged.firmware.http_address)
        console = console_of(plugged)
        assert await console.startup_command() == command
        assert await console.flags() == 1 << 10 | CHILD_LOCK
        assert (await console.start_values())[1] == -1
        assert not any(await console.channel_types())
        assert (await console.pins()).pins == profile_of(chip).pins
        if chip.config_address is None:
            # The factors are on no page: not guessed.
            with pytest.raises(NotAnAnswerError):
                await read_factors(console)
        else:
            assert (await read_factors(console))["power"] == 1.5
        await console.command("SetFlag 41 0")
        async with asyncio.timeout(5):
            while await console.flags() & CHILD_LOCK:
                await asyncio.sleep(0.01)
    finally:
        await plugged.power_off()


async def test_flash_that_is_no_configuration_is_not_believed(
    socket_enabled: None, mosquitto: Broker
) -> None:
    """A build that cannot read its flash answers with zeros, which would be flags, too."""
    w600 = CHIPS["W600"]
    plugged = running(mosquitto, w600)
    plugged.power_on()
    try:
        await until(lambda: plugged.firmware.http_address)
        assert w600.config_address is not None
        plugged.flash.rewrite(w600.config_address, bytes(0x1000))
        assert await console_of(plugged).flags() == 1 << 10 | CHILD_LOCK
    finally:
        await plugged.power_off()
