"""How far readings can be trusted is shown, and what cannot be true is said."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.pyopenbk.obk.meter import factor_command
from simulator.meter import Response
from tests.support.broker import Broker
from tests.support.metered import OFF, Calibrated, calibrated
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


def issue(hass: HomeAssistant, socket: Calibrated) -> str | None:
    """Return what the repair issue of a socket is about."""
    found = ir.async_get(hass).async_get_issue(
        "openbk", f"implausible_{socket.entry.entry_id}"
    )
    return found.translation_key if found else None


async def test_uncertainty_of_power_is_a_sensor_of_its_own(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, power=OFF, watts=1000) as socket:
        registry = er.async_get(hass)
        entity_id = registry.async_get_entity_id(
            "sensor", "openbk", f"{socket.entry.unique_id}_power_uncertainty"
        )
        assert entity_id
        entry = registry.async_get(entity_id)
        assert entry
        assert entry.disabled_by is er.RegistryEntryDisabler.INTEGRATION
        registry.async_update_entity(entity_id, disabled_by=None)
        await hass.config_entries.async_reload(socket.entry.entry_id)
        await until(lambda: socket.entry.runtime_data.online)
        await until(lambda: socket.shown("power_uncertainty") > 50)
        await socket.call("calibrate", power=1000, seconds=30)
        # The usual accuracy of an instrument alone is 10 W.
        assert 10 < socket.shown("power_uncertainty") < 12
        await socket.call("undo_calibration")
        assert socket.shown("power_uncertainty") > 50


@pytest.mark.slow
async def test_more_power_than_voltage_times_current_raises_an_issue(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, speed=60, watts=1000) as socket:
        await socket.call("calibrate", power=1000, voltage=230, current=4.348)
        await until(lambda: socket.shown("current") > 0)
        await until(lambda: socket.shown("power") == pytest.approx(1000, rel=0.01))
        # Somebody compares with another load on the instrument, and insists.
        said = await socket.call("calibrate", power=1500, trust=True)
        assert said["contradictions"] == ["power_exceeds_volt_amperes"]
        await until(
            lambda: issue(hass, socket) == "implausible_power_exceeds_volt_amperes",
        )
        await socket.call("undo_calibration")
        await until(lambda: issue(hass, socket) is None)


async def test_inverted_sel_raises_an_issue_that_goes_with_the_entry(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, speed=60, watts=100) as socket:
        assert issue(hass, socket) is None
        socket.meter.inverted_select = True
        await until(lambda: issue(hass, socket) == "implausible_select_inverted")
        await hass.config_entries.async_unload(socket.entry.entry_id)
        assert issue(hass, socket) is None


async def test_a_current_through_an_open_relay_raises_an_issue(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    # An offset of the chip shows through with nothing plugged in.
    leaking = Response(offset=0.2, cutoff=-1)
    async with calibrated(
        hass, mosquitto, speed=60, watts=100, current=leaking
    ) as socket:
        await until(lambda: socket.shown("current") > 0.5)
        assert issue(hass, socket) is None
        await socket.entry.runtime_data.async_set_channel(1, 0)
        await until(
            lambda: issue(hass, socket) == "implausible_current_without_load",
        )


@pytest.mark.slow
async def test_load_steps_are_no_reason_for_an_issue(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, speed=60) as socket:
        for watts in (2000, 60, 3000, 0, 40, 2500, 5):
            await socket.load(watts)
            await socket.settle(47)
            assert issue(hass, socket) is None


async def test_factors_that_somebody_set_at_the_socket_are_noticed(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, power=OFF) as socket:
        await socket.call("calibrate", power=2000, voltage=230)
        await socket.entry.runtime_data.async_command(factor_command("power", 1000))
        await socket.settle(8)
        await socket.call("calibrate", voltage=230, seconds=10)
        power = socket.entry.runtime_data.calibration.known["power"]
        assert power.correction.gain == pytest.approx(2, rel=0.01)
        await socket.settle(10)
        assert socket.shown("power") == pytest.approx(2000, rel=0.01)
