"""Every action, called in a real Home Assistant for a simulated socket."""

from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.exceptions import (
    HomeAssistantError,
    ServiceValidationError,
    Unauthorized,
)
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from simulator.meter import Response
from tests.support.broker import Broker
from tests.support.metered import OFF, calibrated
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


LOADS = (5, 25, 150, 1000, 3600)


@pytest.mark.slow
async def test_two_points_bring_a_socket_within_bounds_over_its_whole_range(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, speed=20, power=OFF) as socket:
        first = await socket.call("calibrate", power=2000, voltage=230)
        # An instrument of a home is off by a per cent, unless somebody knows better.
        assert first["power"]["quality"] == "fair"
        await socket.call("undo_calibration")
        exact = {"accuracy": 0.1}
        first = await socket.call("calibrate", power=2000, voltage=230, **exact)
        assert first["method"] == "http"
        assert first["changed"] == {
            "home_assistant": ["voltage", "power"],
            "socket": [],
        }
        assert first["power"]["before"] == pytest.approx(2000 / 1.08, rel=0.01)
        assert first["power"]["after"] == pytest.approx(2000, rel=0.001)
        assert first["power"]["samples"] == 60
        await socket.load(60)
        second = await socket.call("add_calibration_point", power=60, **exact)
        assert second["power"]["points"] == 2
        assert second["power"]["gain"] == pytest.approx(1.08, rel=0.003)
        assert second["power"]["offset"] == pytest.approx(1.2, abs=0.3)
        assert second["power"]["quality"] == "excellent"

        for watts in LOADS:
            await socket.load(watts)
            said = await socket.call("calibrate", power=watts, seconds=60, trust=True)
            await socket.call("undo_calibration")
            allowed = max(0.005 * watts, 0.3)
            assert said["power"]["before"] == pytest.approx(watts, abs=allowed)


async def test_shown_values_and_energy_follow_at_once_and_undo_is_exact(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, power=OFF, watts=1000) as socket:
        await until(
            lambda: socket.shown("power") == pytest.approx(1000 / 1.08, rel=0.01)
        )
        await until(lambda: socket.shown("energy") > 0)
        await socket.call("calibrate", power=1000, seconds=20)
        assert socket.shown("power") == pytest.approx(1000, rel=0.005)
        energy = socket.shown("energy")
        true = socket.meter.energy_wh
        await socket.settle(120)
        grown = socket.shown("energy") - energy
        assert grown == pytest.approx((socket.meter.energy_wh - true) / 1000, rel=0.1)

        said = await socket.call("undo_calibration")
        assert said["undone"] == "calibrate"
        assert said["now"]["power"]["gain"] == 1
        assert socket.shown("power") == pytest.approx(1000 / 1.08, rel=0.01)
        assert socket.shown("energy") >= energy
        with pytest.raises(ServiceValidationError) as refused:
            await socket.call("undo_calibration")
        assert refused.value.translation_key == "nothing_to_undo"


async def test_calibration_survives_a_restart_of_both(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, power=OFF, watts=1000) as socket:
        await socket.call("calibrate", power=1000, seconds=20)
        await socket.plugged.power_off()
        await until(lambda: not socket.entry.runtime_data.online)
        await hass.config_entries.async_reload(socket.entry.entry_id)
        socket.plugged.power_on()
        await until(lambda: socket.entry.runtime_data.online)
        await socket.entry.runtime_data.async_set_channel(1, 1)
        await until(lambda: socket.shown("power") == pytest.approx(1000, rel=0.01))
        said = await socket.call("get_calibration")
        assert said["now"]["power"]["calibrated"]
        assert [step["action"] for step in said["history"]] == ["calibrate"]


@pytest.mark.slow
async def test_the_sockets_own_gain_is_set_without_a_jump(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, power=OFF) as socket:
        await socket.call("calibrate", power=2000)
        await until(lambda: socket.shown("power") == pytest.approx(2000, rel=0.005))
        seen: list[float] = []
        hass.bus.async_listen(
            "state_changed", callback(lambda _: seen.append(socket.shown("power")))
        )
        said = await socket.call("calibrate", power=2000, voltage=230, set_socket=True)
        assert said["changed"]["socket"] == ["voltage", "power"]
        assert said["socket"]["confirmed"]
        assert said["socket"]["before"]["power"] == 1.5
        assert said["socket"]["after"]["power"] == pytest.approx(1.5 * 1.08, rel=0.005)
        assert said["power"]["gain"] == pytest.approx(1, rel=0.005)
        energy = socket.plugged.firmware.energy
        assert energy is not None
        assert energy.reading("power") == pytest.approx(2000, rel=0.005)
        await socket.settle(70)
        assert seen
        assert all(watts == pytest.approx(2000, rel=0.006) for watts in seen)

        # Taking it back shows what was shown before, with the factor that cannot be put back.
        await socket.call("undo_calibration")
        await socket.settle(70)
        assert socket.shown("power") == pytest.approx(2000, rel=0.006)
        await socket.call("undo_calibration")
        await until(
            lambda: socket.shown("power") == pytest.approx(2000 / 1.08, rel=0.006)
        )


async def test_a_small_load_does_not_set_the_socket(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, power=OFF, watts=60) as socket:
        with pytest.raises(ServiceValidationError) as refused:
            await socket.call("calibrate", power=60, seconds=10, set_socket=True)
        assert refused.value.translation_key == "own_gain_load_too_small"
        assert not socket.entry.runtime_data.calibration.known


async def test_without_http_the_energy_counter_is_the_measure(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, http=False, speed=8, power=OFF) as socket:
        with pytest.raises(ServiceValidationError) as refused:
            await socket.call("calibrate", power=2000, set_socket=True)
        assert refused.value.translation_key == "own_gain_http_closed"
        said = await socket.call("calibrate", voltage=230, current=8.696, power=2000)
        assert said["method"] == "mqtt"
        assert said["power"]["gain"] == pytest.approx(1.081, rel=0.006)
        assert said["voltage"]["gain"] == pytest.approx(1, rel=0.005)
        assert said["current"]["gain"] == pytest.approx(1, rel=0.005)
        assert said["seconds"] >= 60


async def test_a_known_load_is_reference_enough(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    # 2000 W at 230 V draw 2185 W at 240.4 V.
    volts = 240.4
    watts = 2000 * (volts / 230) ** 2
    async with calibrated(hass, mosquitto, power=OFF, watts=watts) as socket:
        await socket.load(watts, volts=volts)
        said = await socket.call(
            "calibrate_with_load", rated_power=2000, voltage=volts, tolerance=4
        )
        assert said["power"]["after"] == pytest.approx(watts, rel=0.002)
        assert said["current"]["after"] == pytest.approx(watts / volts, rel=0.002)
        assert said["power"]["uncertainty"] == pytest.approx(0.04 * watts, rel=0.1)
        assert said["power"]["quality"] == "poor"
        assert said["contradictions"] == []


async def test_energy_is_set_here_and_in_the_socket(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, power=OFF, watts=1000) as socket:
        await until(lambda: socket.shown("energy") > 0)
        await socket.call("calibrate", power=1000, seconds=20)
        said = await socket.call("set_energy", energy=123.4)
        assert said["after"] == 123.4
        energy = socket.plugged.firmware.energy
        assert energy is not None
        await until(lambda: energy.reading("energycounter") >= 123400)
        await until(lambda: 123.4 < socket.shown("energy") < 123.5)
        before = socket.shown("energy")
        await until(lambda: socket.shown("energy") > before)


async def test_reset_shows_what_the_socket_says_and_can_be_undone(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, power=OFF, watts=1000) as socket:
        await socket.call("calibrate", power=1000, voltage=230, seconds=20)
        said = await socket.call("reset_calibration", quantities=["power"])
        assert said["changed"]["home_assistant"] == ["power"]
        now = (await socket.call("get_calibration"))["now"]
        assert not now["power"]["calibrated"]
        assert now["voltage"]["calibrated"]
        await socket.call("undo_calibration")
        assert (await socket.call("get_calibration"))["now"]["power"]["calibrated"]


BAD_INPUT: tuple[tuple[float, dict[str, float], str, bool], ...] = (
    (1000, {"power": 10_000}, "calibration_implausible", True),
    (1000, {"power": 1.0}, "calibration_wrong_unit", True),
    (1000, {"power": 0}, "calibration_zero_reading", False),
    (0, {"power": 60}, "calibration_zero_reading", False),
    (
        1000,
        {"power": 2000, "voltage": 230, "current": 4.35},
        "calibration_references_contradict",
        True,
    ),
    (1000, {}, "calibration_no_reference", False),
)


async def test_bad_input_is_refused_with_its_reason(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto) as socket:
        calibration = socket.entry.runtime_data.calibration
        for watts, data, key, overridable in BAD_INPUT:
            await socket.load(watts)
            with pytest.raises(ServiceValidationError) as refused:
                await socket.call("calibrate", seconds=10, **data)
            assert refused.value.translation_key == key, data
            assert not calibration.known, data
            if "power" in data:
                placeholders = refused.value.translation_placeholders or {}
                assert placeholders["reading"].endswith("\u00a0W"), data
            if overridable:
                await socket.call("calibrate", seconds=10, trust=True, **data)
                assert calibration.known["power"].points, data
                await socket.call("undo_calibration")


async def test_a_load_without_a_power_is_told_from_no_load(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    blind = Response(cutoff=1e6)
    async with calibrated(hass, mosquitto, power=blind, watts=1000) as socket:
        with pytest.raises(ServiceValidationError) as refused:
            await socket.call("calibrate", seconds=10, power=1000)
        assert refused.value.translation_key == "calibration_no_power"
        assert not socket.entry.runtime_data.calibration.known


async def test_a_load_above_the_firmwares_limit_is_refused(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, watts=3600) as socket:
        await socket.load(4000)
        with pytest.raises(ServiceValidationError) as refused:
            await socket.call("calibrate", power=4000, seconds=20)
        assert refused.value.translation_key == "calibration_frozen"


async def test_a_load_that_never_rests_is_refused(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, watts=1000) as socket:
        call = hass.async_create_task(socket.call("calibrate", power=1000, seconds=20))
        watts = 1000.0
        while not call.done():
            watts = 2000.0 if watts == 1000.0 else 1000.0
            await socket.load(watts)
            await socket.settle(6)
        with pytest.raises(ServiceValidationError) as refused:
            await call
        assert refused.value.translation_key == "calibration_unsteady"


async def test_an_open_relay_and_an_absent_socket_are_refused(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto) as socket:
        await socket.entry.runtime_data.async_set_channel(1, 0)
        await until(lambda: socket.entry.runtime_data.value("channel_1") == 0)
        with pytest.raises(ServiceValidationError) as refused:
            await socket.call("calibrate", power=2000, seconds=10)
        assert refused.value.translation_key == "calibration_relay_off"
        # The mains voltage is there all the same.
        await socket.call("calibrate", voltage=230, seconds=10)

        call = hass.async_create_task(
            socket.call("calibrate", voltage=230, seconds=300)
        )
        await socket.settle()
        with pytest.raises(ServiceValidationError) as refused:
            await socket.call("calibrate", voltage=230, seconds=10)
        assert refused.value.translation_key == "calibration_busy"
        await socket.plugged.power_off()
        with pytest.raises(HomeAssistantError) as interrupted:
            await call
        assert interrupted.value.translation_key == "calibration_interrupted"
        await until(lambda: not socket.entry.runtime_data.online)
        with pytest.raises(HomeAssistantError) as interrupted:
            await socket.call("calibrate", voltage=230, seconds=10)
        assert interrupted.value.translation_key == "socket_unreachable"


async def test_only_administrators_change_what_is_shown(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    hass_read_only_user: MockUser,
) -> None:
    context = Context(user_id=hass_read_only_user.id)
    async with calibrated(hass, mosquitto) as socket:
        for action, data in (
            ("calibrate", {"power": 2000}),
            ("reset_calibration", {}),
            ("set_energy", {"energy": 0}),
        ):
            with pytest.raises(Unauthorized):
                await hass.services.async_call(
                    "openbk",
                    action,
                    {"device_id": socket.device_id, **data},
                    blocking=True,
                    context=context,
                )


async def test_a_noisy_meter_says_so(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    noisy = Response(noise=0.01)
    async with calibrated(hass, mosquitto, power=noisy, watts=1000) as socket:
        said = await socket.call("calibrate", power=1000, trust=True)
        assert said["power"]["uncertainty"] > 1
