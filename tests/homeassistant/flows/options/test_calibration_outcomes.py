"""How the guided calibration ends when the socket does not play along."""

import asyncio

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from tests.homeassistant.flows.options.test_calibration_flow import Person
from tests.support.broker import Broker
from tests.support.metered import OFF, SPEED, Calibrated, calibrated
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Core's MQTT client leaves its periodic timer behind."""
    return True


def close_http(hass: HomeAssistant, *, after: int = 0) -> None:
    """Let the socket's web server fall silent after so many more questions."""
    reach, left = hass.data[SOCKET_ACCESS].connect, after

    async def connect(
        host: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        nonlocal left
        if left <= 0:
            raise ConnectionRefusedError
        left -= 1
        return await reach(host, port)

    hass.data[SOCKET_ACCESS] = SocketAccess(
        simulated=True, connect=connect, speed=SPEED
    )


async def at_the_result(hass: HomeAssistant, socket: Calibrated) -> Person:
    """Walk to the page with the result, by the power of 2 kW."""
    person = Person(hass, socket)
    await person.begin()
    await person.choose("watt_meter")
    assert (await person.type())["step_id"] == "reference"
    assert "save_in_socket" in (await person.type(power=2000))["menu_options"]
    return person


async def test_a_socket_that_cannot_be_set_leaves_everything_as_it_was(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, power=OFF) as socket:
        person = await at_the_result(hass, socket)
        close_http(hass)
        page = await person.choose("save_in_socket")
        assert page["step_id"] == "socket_not_set"
        live = socket.entry.runtime_data
        assert not live.calibration.known
        assert not live.calibration.lock.locked()
        done = await person.choose("save")
        assert done["type"] is FlowResultType.CREATE_ENTRY
        assert live.calibration.known["power"].points


@pytest.mark.parametrize("silent", [False, True], ids=["other load", "silent"])
async def test_a_socket_that_was_not_set_after_all_is_saved_with_a_doubt(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    silent: bool,
) -> None:
    async with calibrated(hass, mosquitto, power=OFF) as socket:
        person = await at_the_result(hass, socket)
        if silent:
            # It still says who it is, what it reads and its factors, and then no more.
            close_http(hass, after=3)
        else:
            await socket.load(1000)
        page = await person.choose("save_in_socket")
        assert page["step_id"] == "socket_unconfirmed"
        calibration = socket.entry.runtime_data.calibration
        assert calibration.known["power"].correction.gain == pytest.approx(
            1.08, rel=0.01
        )
        assert calibration.factors["power"] == 1.5
        done = await person.choose("finish")
        assert done["type"] is FlowResultType.CREATE_ENTRY


async def test_closing_the_dialog_while_the_socket_is_set_makes_nothing_wrong(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, power=OFF) as socket:
        person = await at_the_result(hass, socket)
        flow = hass.config_entries.options
        await flow.async_configure(person.flow_id, {"next_step_id": "save_in_socket"})
        energy = socket.plugged.firmware.energy
        assert energy is not None
        await until(lambda: energy.reading("power") > 1950)
        other = Person(hass, socket)
        await other.begin()
        flow.async_abort(person.flow_id)
        calibration = socket.entry.runtime_data.calibration
        # Nobody else calibrates or takes back what is not whole yet.
        for action in ("reset_calibration", "undo_calibration"):
            with pytest.raises(ServiceValidationError) as refused:
                await socket.call(action)
            assert refused.value.translation_key == "calibration_busy"
        assert (await other.choose("undo"))["reason"] == "calibration_busy"
        await until(lambda: not calibration.lock.locked())
        assert calibration.factors["power"] > 1.6
        assert calibration.history[-1]["factors_after"] == calibration.factors
        await socket.settle(130)
        assert socket.shown("power") == pytest.approx(2000, rel=0.005)


@pytest.mark.slow
async def test_without_http_the_guide_listens_and_does_not_offer_to_set_the_socket(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, http=False, power=OFF) as socket:
        person = Person(hass, socket)
        await person.begin()
        await person.choose("watt_meter")
        asked = await person.type()
        assert asked["step_id"] == "reference"
        assert any("energy counter" in shown["method"] for shown in person.seen)
        result = await person.type(power=2000)
        assert result["menu_options"] == ["save", "second_load", "reference", "stop"]
        await person.choose("save")
        power = socket.entry.runtime_data.calibration.known["power"].correction
        assert power(2000 / 1.08 - 1.2 / 1.08) == pytest.approx(2000, rel=0.005)


async def test_the_voltage_alone_needs_no_load(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, watts=0) as socket:
        live = socket.entry.runtime_data
        await live.async_set_channel(1, 0)
        await until(lambda: live.value("channel_1") == 0)
        person = Person(hass, socket)
        await person.begin()
        await person.choose("multimeter")
        refused = await person.type(voltage_only=False)
        assert refused["errors"] == {"base": "relay_off"}
        asked = await person.type(voltage_only=True)
        assert asked["step_id"] == "reference"
        assert {str(field) for field in asked["data_schema"].schema} == {
            "voltage",
            "accuracy",
        }
        result = await person.type(voltage=235)
        assert "second_load" not in result["menu_options"]
        await person.choose("save")
        assert set(live.calibration.known) == {"voltage"}
        await until(lambda: socket.shown("voltage") == pytest.approx(235, abs=0.3))


async def test_the_power_is_compared_where_the_voltage_is_not_told_again(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    """It belongs to the load before, and a socket does not repeat what stands still."""
    async with calibrated(hass, mosquitto, http=False) as socket:
        energy = socket.plugged.firmware.energy
        assert energy is not None
        energy.forced_evaluations = 3600
        person = Person(hass, socket)
        await person.begin()
        await person.choose("watt_meter")
        asking = hass.async_create_task(person.type())
        await until(lambda: len(person.seen) > 5)
        await socket.load(1500)
        assert (await asking)["step_id"] == "reference"
        refused = await person.type(power=1600, voltage=230)
        assert refused["errors"] == {"base": "no_readings"}
        assert refused["description_placeholders"]["reference"] == "230.0\u00a0V"
        await person.type(power=1600)
        await person.choose("save")
        assert set(socket.entry.runtime_data.calibration.known) == {"power"}


async def test_a_second_load_begins_anew_what_the_first_was_not_compared_by(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto) as socket:
        await socket.call("calibrate", voltage=240, seconds=10)
        person = await at_the_result(hass, socket)
        await person.choose("second_load")
        await person.type()
        await person.type(power=2000, voltage=230)
        await person.choose("save")
        known = socket.entry.runtime_data.calibration.known
        assert len(known["power"].points) == 2
        assert [point.reference for point in known["voltage"].points] == [230]
