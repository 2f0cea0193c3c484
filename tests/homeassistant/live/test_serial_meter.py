"""A BL0942: found by what it says, told how to speak, read with its frequency and calibrated."""

from datetime import timedelta

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.network.discovery import Evidence, async_ask
from custom_components.openbk.pyopenbk.metering.series import SteadySeries
from custom_components.openbk.pyopenbk.meters import BL0937, BL0942, CSE7766, METERS
from custom_components.openbk.pyopenbk.obk.messages import Value
from custom_components.openbk.pyopenbk.obk.startup import Part, add, meter_of, own_parts
from custom_components.openbk.pyopenbk.obk.templates import parse_template
from custom_components.openbk.pyopenbk.profile import PinAssignment, SocketProfile
from custom_components.openbk.pyopenbk.roles import PinRole
from custom_components.openbk.pyopenbk.tuya import read_pins
from custom_components.openbk.pyopenbk.tuya.pins import (
    WarningKind,
    profile_from_user_params,
)
from simulator.factory import SERIAL_METER_PARAMETERS, FactorySocket
from simulator.meter import Bl0942, Load, Response
from tests.support.addresses import lead_to
from tests.support.broker import Broker
from tests.support.simulated import PluggedSocket, configuration, stranger
from tests.support.sockets import add_socket, socket_entry
from tests.support.waiting import until

RELAY = SocketProfile.of(
    (
        PinAssignment(pin=26, role=PinRole.REL, channel=1),
        PinAssignment(pin=6, role=PinRole.BTN, channel=1),
    )
)
METERED = RELAY.with_meter(BL0942)
NAME = "washing_machine"
SPEED = 30.0


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Core's MQTT client leaves its periodic timer behind."""
    return True


def plugged_with(config: object, **responses: Response) -> PluggedSocket:
    """Return a socket with a BL0942 on its serial line."""
    plugged = PluggedSocket(config, speed=SPEED)
    load = Load(volts=230, watts=100)
    meter = Bl0942(plugged.clock, load=load, **responses)
    plugged.firmware.meter = meter
    return plugged


def number(hass: HomeAssistant, key: str) -> float:
    state = hass.states.get(f"sensor.{NAME}_{key}")
    try:
        return float(state.state) if state else 0.0
    except ValueError:
        return 0.0


def test_stored_profile_is_read_again() -> None:
    for meter in (BL0942, CSE7766):
        profile = RELAY.with_meter(meter, 9600)
        assert SocketProfile.from_dict(profile.as_dict()) == profile
        assert profile.meter_kind is meter
        assert profile.has_frequency is meter.has_frequency
    assert SocketProfile.from_dict(RELAY.as_dict()).meter_kind is None


@pytest.mark.parametrize(
    ("params", "meter", "warning"),
    [
        ({"rl1_pin": 26, "chip_type": 3}, "BL0942", WarningKind.METER_ON_UART),
        (
            {"rl1_pin": 26, "chip_type": 3, "ele_rx": 10, "ele_tx": 11},
            "BL0942",
            WarningKind.METER_ON_UART,
        ),
        ({"rl1_pin": 26, "chip_type": 2}, "CSE7766", WarningKind.METER_ON_UART),
        # On another line, or on a line whose pins do something else, nobody knows how.
        (
            {"rl1_pin": 26, "chip_type": 3, "ele_rx": 1},
            "",
            WarningKind.METER_OVER_UART,
        ),
        ({"rl1_pin": 10, "chip_type": 3}, "", WarningKind.METER_OVER_UART),
        ({"rl1_pin": 26, "chip_type": 4}, "", WarningKind.METER_OVER_UART),
    ],
)
def test_factory_data_name_the_meter(
    params: dict[str, int], meter: str, warning: WarningKind
) -> None:
    reading = profile_from_user_params(params)
    assert reading.profile.meter == meter
    assert warning in {item.kind for item in reading.warnings}


def test_factory_of_the_simulator_has_one_on_the_serial_line() -> None:
    reading = read_pins(FactorySocket(user_parameters=SERIAL_METER_PARAMETERS).dump())
    assert not reading.profile.problems
    assert reading.profile.meter_kind is BL0942
    # Whoever corrects its pins does not lose it.
    assert reading.profile.with_pins(RELAY.pins).meter_kind is BL0942


def test_template_names_the_meter_and_its_rate() -> None:
    text = '{"chip":"BK7231N","pins":{"26":"Rel;1"},"command":"%s"}'
    command = "backlog startDriver NTP; startDriver BL0942 9600"
    profile = parse_template(text % command).profile
    assert (profile.meter, profile.baud) == ("BL0942", 9600)
    assert parse_template(text % "startDriver NTP").profile.meter_kind is None


def test_driver_is_started_before_what_it_needs() -> None:
    parts = own_parts(METERED, timedelta())
    assert parts[Part.METER] == ("startDriver BL0942 4800",)
    text = add("", parts).text
    assert text.index("startDriver BL0942 4800") < text.index("VCPPublish")
    assert meter_of(text) == (BL0942, 4800)
    # Ours is complete, and so is a program that starts its own and leaves no need for it.
    assert add(text, parts).text == text
    own = "startDriver BL0942\nVCPPublishIntervals 3 89\nSetupEnergyStats 1 60 60"
    assert Part.METER not in add(own, parts).left_out
    assert "BL0942 4800" not in add(own, parts).text
    # In front of a program that starts it later, it has to run already.
    assert "startDriver BL0942 4800" in add("startDriver BL0942", parts).text


@pytest.mark.e2e
async def test_running_socket_says_which_meter_it_has(
    socket_enabled: None, hass: HomeAssistant, mosquitto: Broker
) -> None:
    config = stranger(mosquitto, RELAY, startup_command="startDriver BL0942 9600")
    plugged = plugged_with(config)
    lead_to(hass, plugged, speed=SPEED)
    plugged.power_on()
    try:
        await until(lambda: plugged.firmware.http_address)
        profile = (await async_ask(hass, "127.0.0.1")).profile
        assert (profile.meter, profile.baud) == ("BL0942", 9600)
        assert profile.pins == RELAY.pins
    finally:
        await plugged.power_off()


@pytest.mark.e2e
async def test_meter_is_read_and_calibrated_by_divisors(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    """It shows 8 % too little; afterwards Home Assistant and the socket's own page are right."""
    off = Response(gain=1 / 1.08, cutoff=0.0)
    plugged = plugged_with(configuration(mosquitto, METERED), power=off)
    lead_to(hass, plugged, speed=SPEED)
    entry = socket_entry(METERED, address="127.0.0.1")
    await add_socket(hass, entry)
    plugged.power_on()
    try:
        await until(lambda: entry.runtime_data.online)
        await entry.runtime_data.async_set_channel(1, 1)
        await until(lambda: number(hass, "power") == pytest.approx(100 / 1.08, abs=0.5))
        await until(lambda: number(hass, "frequency") == pytest.approx(50, abs=0.5))
        uncertainty = entry.runtime_data.calibration.uncertainty("power", 1.0)
        # No pulse of 1.5 W.
        assert uncertainty < 0.6
        device_id = entry.runtime_data.device.id
        said = await hass.services.async_call(
            "openbk",
            "calibrate",
            {"device_id": device_id, "power": 100.0, "set_socket": True},
            blocking=True,
            return_response=True,
        )
        assert said
        stored = plugged.firmware.settings.values.calibration[2]
        assert stored == pytest.approx(598 / 1.08, rel=0.01)
        factor = entry.runtime_data.calibration.factors["power"]
        assert factor == pytest.approx(1.08 / 598, rel=0.01)
        await until(lambda: number(hass, "power") == pytest.approx(100, abs=0.5))
        assert await hass.config_entries.async_unload(entry.entry_id)
    finally:
        await plugged.power_off()


@pytest.mark.e2e
async def test_a_small_load_is_enough_for_a_meter_whose_counts_are_fine(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    """Read every second, 20 W are 12,000 counts of a BL0942, not 80 of what it reports."""
    plugged = plugged_with(configuration(mosquitto, METERED), power=Response(gain=0.95))
    assert plugged.firmware.meter
    plugged.firmware.meter.set_load(20)
    lead_to(hass, plugged, speed=SPEED)
    entry = socket_entry(METERED, address="127.0.0.1")
    await add_socket(hass, entry)
    plugged.power_on()
    try:
        await until(lambda: entry.runtime_data.online)
        await entry.runtime_data.async_set_channel(1, 1)
        await until(lambda: number(hass, "power") == pytest.approx(19, abs=0.3))
        said = await hass.services.async_call(
            "openbk",
            "calibrate",
            {
                "device_id": entry.runtime_data.device.id,
                "power": 20.0,
                "seconds": 20,
                "set_socket": True,
            },
            blocking=True,
            return_response=True,
        )
        assert said
        assert said["changed"] == {"home_assistant": ["power"], "socket": ["power"]}
        stored = plugged.firmware.settings.values.calibration[2]
        assert stored == pytest.approx(598 * 0.95, rel=0.01)
        assert await hass.config_entries.async_unload(entry.entry_id)
    finally:
        await plugged.power_off()


def test_grain_of_each_meter_is_that_of_its_readings_over_http() -> None:
    """Six decimals of what a count is worth (drv_pwrCal and json_interface of 1.18.299)."""
    assert BL0942.grains({}) == pytest.approx(
        {"voltage": 1 / 15188, "current": 1 / 251210, "power": 1 / 598}
    )
    # Voltage and power are whole counts, the current is not.
    known = {"voltage": 1.95, "current": 0.0036, "power": 1.9}
    assert CSE7766.grains(known) == {"voltage": 1.95, "current": 1e-6, "power": 1.9}
    assert BL0937.grains({"power": 1.62}) == {**BL0937.defaults, "power": 1.62}


def test_readings_that_lose_the_part_of_a_count_are_no_surer_than_that() -> None:
    series = SteadySeries(step=1.94, grain=1.94, cut=True, wanted=10)
    for _ in range(10):
        series.add(1.94 * int(230 / 1.94))
    measured = series.measure()
    assert abs(230 - measured.mean) < 2 * measured.uncertainty
    fine = SteadySeries(step=0.25, grain=1 / 598, wanted=10)
    for reading in (20.01, 20.02) * 5:
        fine.add(reading)
    assert fine.measure().uncertainty < 0.01


@pytest.mark.e2e
async def test_frequency_tells_the_kind_of_a_meter(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    plugged = plugged_with(configuration(mosquitto, METERED))
    entry = socket_entry(RELAY)
    await add_socket(hass, entry)
    plugged.power_on()
    try:
        await until(
            lambda: SocketProfile.from_dict(entry.data["profile"]).meter == "BL0942"
        )
        await until(lambda: number(hass, "frequency") == pytest.approx(50, abs=0.5))
        await hass.async_block_till_done()
        assert await hass.config_entries.async_unload(entry.entry_id)
    finally:
        await plugged.power_off()


def test_what_mqtt_tells_of_a_meter() -> None:
    """That there is one, and its kind only where it says what no other does."""
    values: dict[str, Value] = {"channel_1": 0, "voltage": 230.0}
    unknown = Evidence(client_id="obk", values=values).guess_profile()
    assert unknown.has_meter
    assert unknown.meter_kind is None
    told = Evidence(client_id="obk", values={**values, "frequency": 50.0})
    assert told.guess_profile().meter_kind is BL0942


def test_each_meter_is_known_by_its_driver() -> None:
    assert {name: meter.name for name, meter in METERS.items()} == {
        name: name for name in METERS
    }
