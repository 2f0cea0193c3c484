"""How often readings are reported can be chosen, and the socket is told whenever it comes."""

from homeassistant.core import HomeAssistant
import pytest

from custom_components.openbk.live.reporting import Reporting
from custom_components.openbk.live.snapshots import SNAPSHOTS
from tests.homeassistant.options import add, begin, go_on
from tests.support.broker import Broker
from tests.support.simulated import PluggedSocket, configuration, plugged_in
from tests.support.sockets import ScriptedSocket, add_socket, socket_entry
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]

NUMBERS = {
    "report_every": 10,
    "report_at_rest": 300,
    "report_volts": 1.5,
    "report_amperes": 0.05,
    "report_watts": 2,
}
TOLD = {
    ("cmnd/obk8C123456/VCPPublishIntervals", "9 299"),
    ("cmnd/obk8C123456/VCPPublishThreshold", "1.5 0.05 2"),
}


async def test_what_was_chosen_is_told_at_once_and_after_each_restart(
    hass: HomeAssistant,
) -> None:
    entry = socket_entry()
    await add_socket(hass, entry)
    socket = ScriptedSocket(hass)
    await socket.connect()
    await until(lambda: entry.runtime_data.online)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not any("VCPPublish" in topic for topic, _ in socket.heard)

    page = await begin(hass, entry, "reporting")
    assert page["description_placeholders"]["at_rest"] == "520"
    page = await go_on(
        hass, page, **NUMBERS | {"report_every": 60, "report_at_rest": 30}
    )
    assert page["errors"] == {"report_at_rest": "rest_shorter"}
    done = await go_on(hass, page, **NUMBERS)
    assert done["type"] == "create_entry"
    await hass.async_block_till_done()
    # The entry was loaded anew; the broker kept no word of the socket.
    await socket.say("connected", "online")
    await until(lambda: set(socket.heard) >= TOLD)
    socket.heard.clear()
    await socket.say("connected", "offline")
    await until(lambda: not entry.runtime_data.online)
    await socket.say("connected", "online")
    await until(lambda: set(socket.heard) >= TOLD)
    page = await begin(hass, entry, "reporting")
    # 13 readings each 300 s; six of them each 10 s.
    assert page["description_placeholders"]["at_rest"] == "156"
    assert page["description_placeholders"]["moving"] == "2244"


async def test_a_simulated_socket_does_as_it_is_told(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    async with plugged_in(configuration(mosquitto)) as plugged:
        entry = await add(hass, plugged)
        page = await begin(hass, entry, "reporting")
        await go_on(hass, page, **NUMBERS)
        energy = plugged.firmware.energy
        assert energy is not None
        await until(lambda: energy.sensors["voltage"].threshold == 1.5)
        assert energy.sensors["power"].threshold == 2
        assert energy.sensors["current"].threshold == pytest.approx(0.05)
    await hass.config_entries.async_unload(entry.entry_id)


async def test_a_socket_that_is_away_is_told_when_it_comes(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    """What it was set to before cannot be kept then, and the choice is taken all the same."""
    plugged = PluggedSocket(configuration(mosquitto))
    entry = socket_entry()
    await add_socket(hass, entry)
    page = await begin(hass, entry, "reporting")
    assert (await go_on(hass, page, **NUMBERS))["type"] == "create_entry"
    await hass.async_block_till_done()
    assert not hass.data[SNAPSHOTS].of(entry)
    plugged.power_on()
    await until(lambda: entry.runtime_data.online)
    energy = plugged.firmware.energy
    assert energy is not None
    await until(lambda: energy.sensors["voltage"].threshold == 1.5)
    await plugged.power_off()
    await hass.config_entries.async_unload(entry.entry_id)


async def test_a_socket_without_a_meter_has_no_readings(hass: HomeAssistant) -> None:
    entry = socket_entry()
    profile = {**entry.data["profile"]}
    profile["pins"] = [
        pin for pin in profile["pins"] if not str(pin["role"]).startswith("BL0937")
    ]
    data = {**entry.data, "profile": profile}
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, data=data)
    assert await hass.config_entries.async_setup(entry.entry_id)
    menu = await hass.config_entries.options.async_init(entry.entry_id)
    assert "reporting" not in menu["menu_options"]


def test_a_hundred_idle_sockets_send_less_than_fifteen_messages_a_second() -> None:
    assert 100 * Reporting().messages_at_rest / 3600 < 15


def test_the_defaults_are_those_of_the_wizard() -> None:
    assert Reporting.of({}) is None
    assert Reporting.of(Reporting().as_options()) == Reporting()
    assert Reporting().commands[0] == "VCPPublishIntervals 3 89"


@pytest.mark.parametrize(
    ("version", "asks"), [("1.15.599", False), ("1.15.600", True), ("main_0123", True)]
)
async def test_firmware_that_does_not_know_the_commands_is_not_said_to_obey(
    hass: HomeAssistant, version: str, asks: bool
) -> None:
    entry = socket_entry(firmware=f"OpenBK7231N {version} Mar 16 2023 10:00:00")
    await add_socket(hass, entry)
    page = await begin(hass, entry, "reporting")
    assert page["type"] == ("form" if asks else "abort")
    if not asks:
        assert page["reason"] == "reporting_too_old"
        assert page["description_placeholders"] == {"version": version}
