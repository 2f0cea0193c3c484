"""The long-term statistics of a day with power cuts are what the simulated socket consumed."""

from collections.abc import Iterator
from datetime import datetime, timedelta
import logging
from typing import Any

from homeassistant.components.recorder import Recorder
from homeassistant.components.recorder.statistics import (
    get_start_time,
    statistics_during_period,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers import recorder as recorder_helper
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)

from tests.support.broker import Broker
from tests.support.simulated import PluggedSocket, configuration, plugged_in
from tests.support.sockets import add_socket, socket_entry
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ENERGY = "sensor.washing_machine_energy"
RELAY = "switch.washing_machine"
# The hours are short ones: as long as what statistics are made of.
HOUR = 300
# Something all day, a wash in the morning, cooking in the evening: 1.1 kWh.
WATTS = [300] * 7 + [3000] + [300] * 10 + [1400] * 3 + [300] * 3
# In the middle of these hours the power fails.
CUTS = {3, 7, 19}


@pytest.fixture
def recorder_config() -> dict[str, Any]:
    """Keep what this is about only."""
    for noisy in ("sqlalchemy.engine", "homeassistant.components.recorder"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return {"include": {"entities": [ENERGY]}, "commit_interval": 60}


@pytest.fixture(autouse=True)
def auto_enable_custom_integrations(
    recorder_mock: Recorder, enable_custom_integrations: None
) -> None:
    """Have a recorder before anything else of Home Assistant."""


def shown(hass: HomeAssistant) -> float | None:
    """Return the energy in kWh, None while it is unavailable."""
    state = hass.states.get(ENERGY)
    return float(state.state) if state and state.state[0].isdigit() else None


def periods(start: datetime) -> Iterator[datetime]:
    """Yield the five minutes that statistics are made of, until now."""
    period = start
    while period <= dt_util.utcnow():
        yield period
        period += timedelta(minutes=5)


async def cut_power(hass: HomeAssistant, plugged: PluggedSocket) -> None:
    """Cut the power until Home Assistant has seen it."""
    await plugged.power_off()
    await until(lambda: shown(hass) is None)
    plugged.power_on()


async def test_statistics_of_a_day(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    start = get_start_time() + timedelta(minutes=5)
    await add_socket(hass, socket_entry())
    # It says a reading ten seconds after the last one at the earliest.
    config = configuration(
        mosquitto,
        start_values=(0, 1, *([0] * 62)),
        startup_command="VCPPublishIntervals 10 60",
    )
    async with plugged_in(config, watts=WATTS[0], speed=1) as plugged:
        await until(lambda: shown(hass) is not None)
        clock, begin = plugged.clock, plugged.clock.now()
        for hour, watts in enumerate(WATTS):
            plugged.meter.set_load(watts)
            if hour in CUTS:
                await clock.sleep_until(begin + (hour + 0.5) * HOUR)
                await cut_power(hass, plugged)
            await clock.sleep_until(begin + (hour + 1) * HOUR)
        await until(lambda: plugged.firmware.mqtt.online)
        plugged.meter.set_load(0)
        true = plugged.meter.energy_wh / 1000
        assert true >= 1
        # The last message of a counter that rests comes within half a minute of the socket's.
        await clock.sleep(60)
        await until(lambda: shown(hass) == pytest.approx(true, rel=0.01))
    await until(lambda: shown(hass) is None)

    await async_wait_recording_done(hass)
    for period in periods(start):
        do_adhoc_statistics(hass, start=period)
    await async_wait_recording_done(hass)
    instance = recorder_helper.get_instance(hass)
    rows = await instance.async_add_executor_job(
        statistics_during_period,
        hass,
        start,
        None,
        {ENERGY},
        "5minute",
        {"energy": "kWh"},
        {"sum"},
    )
    sums = [row["sum"] for row in rows[ENERGY]]
    assert sums[-1] == pytest.approx(true, rel=0.01)
    assert sums == sorted(sums)
