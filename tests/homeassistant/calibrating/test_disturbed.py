"""Calibration while something else happens, and with what nobody should type."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
import probatio
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk import services
from tests.homeassistant.flows.options.test_calibration_outcomes import at_the_result
from tests.support.addresses import lead_to
from tests.support.broker import Broker
from tests.support.metered import OFF, SPEED, Calibrated, calibrated
from tests.support.simulated import configuration, plugged_in
from tests.support.waiting import until

OTHER_MAC = "c8:47:8c:65:43:21"


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Core's MQTT client leaves its periodic timer behind."""
    return True


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e400", "1e8", -1, "230,5"])
@pytest.mark.parametrize(
    ("action", "field", "others"),
    [
        ("calibrate", "power", {}),
        ("calibrate", "voltage", {}),
        ("add_calibration_point", "current", {}),
        ("calibrate_with_load", "rated_power", {}),
        ("calibrate_with_load", "rated_voltage", {"rated_power": 2000}),
        ("set_energy", "energy", {}),
    ],
)
def test_what_is_no_number_is_refused_before_anything_is_sampled(
    action: str, field: str, others: dict[str, Any], number: object
) -> None:
    schema = probatio.Schema(services._SCHEMAS[action])  # noqa: SLF001
    with pytest.raises(probatio.Invalid):
        schema({"device_id": "a", field: number, **others})
    schema({"device_id": "a", field: 100, **others})


async def gain(socket: Calibrated) -> float:
    """Return the gain of power that is in force."""
    said = await socket.call("get_calibration")
    return float(said["now"]["power"]["gain"])


@pytest.mark.e2e
async def test_undo_walks_back_through_everything_also_over_restarts(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto) as socket:

        async def restart() -> None:
            await hass.config_entries.async_reload(socket.entry.entry_id)
            await until(lambda: socket.entry.runtime_data.online)
            await until(lambda: socket.entry.runtime_data.value("channel_1") == 1)

        gains = [await gain(socket)]
        for power in (2100, 2200):
            await socket.call("calibrate", power=power, seconds=10)
            gains.append(await gain(socket))
            await restart()
        await socket.call("reset_calibration")
        assert await gain(socket) == 1
        await restart()
        for before in reversed(gains):
            await socket.call("undo_calibration")
            assert await gain(socket) == before
            await restart()
        with pytest.raises(ServiceValidationError):
            await socket.call("undo_calibration")
        # A new step after that is the only one to take back.
        await socket.call("calibrate", power=2050, seconds=10)
        await socket.call("undo_calibration")
        assert await gain(socket) == 1


@pytest.mark.e2e
async def test_what_is_saved_after_another_one_set_the_socket_is_right(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, power=OFF) as socket:
        person = await at_the_result(hass, socket)
        # Meanwhile, in another window.
        said = await socket.call("calibrate", power=2000, set_socket=True, seconds=10)
        assert said["socket"]["confirmed"]
        await person.choose("save")
        assert await gain(socket) == pytest.approx(1, rel=0.005)
        await socket.settle(130)
        assert socket.shown("power") == pytest.approx(2000, rel=0.005)


@pytest.mark.e2e
async def test_a_relay_that_opens_a_reload_and_a_broker_that_goes_end_the_sampling(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto) as socket:
        live = socket.entry.runtime_data
        call = hass.async_create_task(socket.call("calibrate", power=2000))
        await socket.settle(15)
        await live.async_set_channel(1, 0)
        with pytest.raises(ServiceValidationError) as refused:
            await call
        assert refused.value.translation_key == "calibration_relay_off"
        await live.async_set_channel(1, 1)
        await until(lambda: live.value("channel_1") == 1)
        await socket.settle()

        call = hass.async_create_task(socket.call("calibrate", power=2000))
        await socket.settle(15)
        await hass.config_entries.async_reload(socket.entry.entry_id)
        live = socket.entry.runtime_data
        await until(lambda: live.value("channel_1") == 1)
        with pytest.raises(HomeAssistantError) as anew:
            await call
        assert anew.value.translation_key == "socket_unreachable"
        assert not live.calibration.known

        call = hass.async_create_task(socket.call("calibrate", power=2000))
        await socket.settle(15)
        mosquitto.stop()
        with pytest.raises(HomeAssistantError) as gone:
            await call
        assert gone.value.translation_key == "socket_unreachable"
        mosquitto.start()
        assert not live.calibration.known
        await until(lambda: live.value("channel_1") == 1)
        await socket.call("calibrate", power=2000, seconds=10)


@pytest.mark.e2e
async def test_a_reading_at_the_limit_is_refused_over_mqtt_too(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, http=False, watts=3600) as socket:
        await socket.load(4000)
        with pytest.raises(ServiceValidationError) as refused:
            await socket.call("calibrate", power=4000)
        assert refused.value.translation_key == "calibration_frozen"


@pytest.mark.e2e
async def test_another_socket_at_the_old_address_is_left_alone(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with (
        calibrated(hass, mosquitto) as socket,
        plugged_in(configuration(mosquitto, mac=OTHER_MAC), OTHER_MAC) as other,
    ):
        await until(lambda: other.firmware.http_address)
        lead_to(hass, other, speed=SPEED)
        with pytest.raises(ServiceValidationError) as refused:
            await socket.call("calibrate", power=2000, set_socket=True)
        assert refused.value.translation_key == "own_gain_http_closed"


@pytest.mark.e2e
async def test_a_socket_is_not_set_by_a_load_that_moves(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto) as socket:
        call = hass.async_create_task(
            socket.call(
                "calibrate", power=1700, seconds=20, trust=True, set_socket=True
            )
        )
        watts = 2000.0
        while not call.done():
            watts = 1500.0 if watts == 2000.0 else 2000.0
            await socket.load(watts)
            await socket.settle(6)
        with pytest.raises(ServiceValidationError) as refused:
            await call
        assert refused.value.translation_key == "own_gain_load_unsteady"
        assert not socket.entry.runtime_data.calibration.known


@pytest.mark.e2e
async def test_a_socket_that_was_not_set_is_told_whether_or_not_somebody_reads_the_response(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, power=OFF) as socket:
        calibration = socket.entry.runtime_data.calibration
        # As soon as the correction is in force, the load is another one.
        calibration.listen(lambda: socket.meter.set_load(1000))
        said = await socket.call("calibrate", power=2000, seconds=10, set_socket=True)
        assert said["socket_problem"] == "load_changed"
        await socket.load(2000)
        with pytest.raises(HomeAssistantError) as failed:
            await hass.services.async_call(
                "openbk",
                "calibrate",
                {
                    "device_id": socket.device_id,
                    "power": 2000,
                    "seconds": 10,
                    "set_socket": True,
                },
                blocking=True,
            )
        assert failed.value.translation_key == "own_gain_not_set"
        assert calibration.factors["power"] == 1.5
        assert calibration.known["power"].correction.gain == pytest.approx(
            1.08, rel=0.01
        )


@pytest.mark.e2e
async def test_what_was_counted_is_safe_before_another_correction_counts(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
) -> None:
    async with calibrated(hass, mosquitto, watts=2000) as socket:
        await until(lambda: socket.shown("energy") > 0)
        await socket.call("calibrate", power=3000, seconds=10)
        await socket.settle(60)
        shown = socket.shown("energy")
        hass_storage.pop("openbk.energy", None)
        await socket.call("undo_calibration")
        await until(lambda: "openbk.energy" in hass_storage)
        (stored,) = hass_storage["openbk.energy"]["data"].values()
        energy = stored["counters"]["energy"]
        assert energy["offset"] + energy["raw"] + energy["ahead"] >= shown
