"""A correction fits the factors of the socket, whoever changed them, or a person is told."""

from dataclasses import replace
from datetime import timedelta

from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.openbk.pyopenbk.beken.flash_map import SECTOR_SIZE
from custom_components.openbk.pyopenbk.obk import config_sector
from tests.support.broker import Broker
from tests.support.flash_map import OPENBEKEN_CONFIG, OPENBEKEN_VARIABLES
from tests.support.metered import OFF, Calibrated, calibrated
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WATTS = 2000.0


def issues(hass: HomeAssistant) -> list[str]:
    """Return the keys of the issues about factors."""
    return [
        str(issue.translation_key)
        for issue in ir.async_get(hass).issues.values()
        if (issue.translation_key or "").startswith("factors_")
    ]


def flash_again(socket: Calibrated) -> None:
    """Leave a sector with the firmware's own factors, as a socket has that was flashed anew."""
    flash, start = socket.plugged.flash, OPENBEKEN_CONFIG.start
    config = config_sector.parse(bytes(flash.read(start, SECTOR_SIZE)))
    flash.rewrite(start, config_sector.build(replace(config, calibration=(0.0,) * 8)))


def forget_counters(socket: Calibrated) -> None:
    """Erase where the firmware keeps its counters."""
    size = OPENBEKEN_VARIABLES.end - OPENBEKEN_VARIABLES.start
    socket.plugged.flash.rewrite(OPENBEKEN_VARIABLES.start, b"\xff" * size)


def powers(hass: HomeAssistant) -> list[float]:
    """Return a list that every power shown from now on is added to."""
    seen: list[float] = []

    @callback
    def changed(event: Event) -> None:
        state = event.data["new_state"]
        if event.data["entity_id"] == "sensor.washing_machine_power" and state:
            try:
                seen.append(float(state.state))
            except ValueError:
                return

    hass.bus.async_listen(EVENT_STATE_CHANGED, changed)
    return seen


async def test_a_socket_that_was_flashed_again_never_shows_a_wrong_power(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, power=OFF, watts=WATTS) as socket:
        await socket.call("calibrate", power=WATTS, seconds=20, set_socket=True)
        await until(lambda: socket.shown("power") == pytest.approx(WATTS, rel=0.01))
        factor = socket.entry.runtime_data.calibration.factors["power"]
        await socket.plugged.power_off()
        await until(lambda: not socket.entry.runtime_data.online)
        flash_again(socket)
        seen = powers(hass)
        socket.plugged.power_on()
        await until(lambda: socket.entry.runtime_data.online)
        await socket.entry.runtime_data.async_set_channel(1, 1)
        await until(lambda: socket.shown("power") > 100)
        await socket.settle(15)
        assert socket.entry.runtime_data.calibration.factors["power"] == 1.5 != factor
        # A window in which the relay closed counts a part of the load.
        assert all(power < WATTS * 1.01 for power in seen)
        assert seen[-1] == pytest.approx(WATTS, rel=0.01)
        assert issues(hass) == ["factors_changed"]
        entry_id = socket.entry.entry_id
        assert await hass.config_entries.async_remove(entry_id)
        assert not issues(hass)


async def test_factors_that_somebody_sets_on_the_web_page_are_noticed(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, power=OFF, watts=WATTS) as socket:
        await socket.call("calibrate", power=WATTS, seconds=20)
        await until(lambda: socket.shown("power") == pytest.approx(WATTS, rel=0.01))
        await hass.services.async_call(
            "mqtt",
            "publish",
            {"topic": "cmnd/obk8C123456/PowerSet", "payload": "1500"},
            blocking=True,
        )
        await until(lambda: socket.shown("power") < WATTS * 0.9)
        assert not issues(hass)
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=901))
        await until(lambda: issues(hass) == ["factors_changed"])
        await until(lambda: socket.shown("power") == pytest.approx(WATTS, rel=0.02))


async def test_factors_that_nobody_can_read_are_doubted_after_a_loss(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    """The web page is closed, and the counters began anew."""
    async with calibrated(
        hass, mosquitto, http=False, power=OFF, watts=WATTS
    ) as socket:
        await socket.call("calibrate", power=WATTS, seconds=60)
        await until(lambda: socket.shown("energy") > 0.05)
        live = socket.entry.runtime_data
        await socket.plugged.power_off()
        await until(lambda: not live.online)
        assert not issues(hass)
        forget_counters(socket)
        socket.plugged.power_on()
        await until(lambda: live.online)
        await live.async_set_channel(1, 1)
        await until(lambda: live.meter.lost_counters)
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=901))
        await until(lambda: issues(hass) == ["factors_doubtful"])
