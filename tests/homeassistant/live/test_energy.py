"""No energy is shown that a socket cannot have counted, and none that it forgot is lost."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import cycle
import logging
from typing import Any

from homeassistant.components import mqtt
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

from custom_components.openbk.diagnostics import async_get_config_entry_diagnostics
from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from tests.homeassistant.adding import by_hand, cards, unload
from tests.homeassistant.wizard import Wizard
from tests.support.addresses import lead_to
from tests.support.broker import Broker
from tests.support.simulated import configuration, plugged_in, stranger
from tests.support.sockets import (
    BUILD,
    CLIENT_ID,
    MAC,
    ScriptedSocket,
    add_socket,
    listens_for_sockets,
    socket_entry,
)
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]

ENERGY = "sensor.washing_machine_energy"
START = 1_800_000_000.0

type Says = Callable[..., Awaitable[None]]


@pytest.fixture
def recorder_config() -> dict[str, Any]:
    """Keep what this is about only."""
    logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)
    return {"include": {"entities": [ENERGY]}, "commit_interval": 1}


@pytest.fixture(autouse=True)
def auto_enable_custom_integrations(
    recorder_mock: Recorder, enable_custom_integrations: None
) -> None:
    """Have a recorder before anything else of Home Assistant."""


class Metered:
    """A scripted socket and the clock by which its energies are judged."""

    def __init__(self, hass: HomeAssistant, entry: MockConfigEntry) -> None:
        """Stop the clock."""
        self.hass = hass
        self.entry = entry
        self.scripted = ScriptedSocket(hass)
        self.now = START
        # The same at once would be one press that is told twice.
        self.presses = cycle(("single", "double"))
        hass.data[SOCKET_ACCESS] = SocketAccess(time=lambda: self.now)

    async def come(self) -> None:
        """Connect."""
        await self.scripted.connect()
        await until(lambda: self.entry.runtime_data.online)

    async def go(self) -> None:
        """Lose the connection."""
        await self.scripted.say("connected", "offline", retain=True)
        await until(lambda: not self.entry.runtime_data.online)

    async def says(self, name: str, text: str, after: float = 30.0) -> str:
        """Let it say something so many seconds after the last; return the energy shown then."""
        self.now += after
        heard: list[str] = []
        stop = self.entry.runtime_data.listen("button", heard.append)
        await self.scripted.say(name, text)
        # What comes behind it on the same connection.
        await self.scripted.say("button/get", next(self.presses))
        await until(lambda: heard)
        stop()
        await self.hass.async_block_till_done()
        return self.hass.states.get(ENERGY).state

    async def counts(self, watt_hours: str, after: float = 30.0) -> str:
        """Let its counter say a number; return the energy shown then."""
        return await self.says("energycounter/get", watt_hours, after)


@pytest.fixture
async def metered(hass: HomeAssistant) -> Metered:
    """Return a scripted socket that has just connected."""
    entry = socket_entry()
    await add_socket(hass, entry)
    socket = Metered(hass, entry)
    await socket.come()
    return socket


def periods(start: datetime) -> list[datetime]:
    """Return the five minutes that statistics are made of, until now and one more."""
    count = (dt_util.utcnow() - start) // timedelta(minutes=5) + 2
    return [start + number * timedelta(minutes=5) for number in range(count)]


async def test_a_glitch_reaches_neither_state_nor_statistics(
    hass: HomeAssistant, metered: Metered
) -> None:
    start = get_start_time() + timedelta(minutes=5)
    shown = [
        float(await metered.counts(text))
        for text in (
            "12300.000",
            "12300.500",
            "3012301.000",
            "12301.500",
            "-5.000",
            "4294967.296",
            "12302.000",
        )
    ]
    assert shown == [12.3, 12.3005, 12.3005, 12.3015, 12.3015, 12.3015, 12.302]
    said = await async_get_config_entry_diagnostics(hass, metered.entry)
    assert said["meter"]["held_back"] == {"energy": 2}
    assert said["socket"]["refused"] == {"energy": 1}

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
        None,
        {"sum"},
    )
    assert rows[ENERGY][-1]["sum"] == pytest.approx(0.002)


async def test_an_update_that_loses_the_counters_loses_no_energy(
    metered: Metered,
) -> None:
    """Their place moved at 1.18.255, without a migration."""
    assert await metered.counts("123456.000") == "123.456"
    await metered.go()
    await metered.scripted.say("build", BUILD.replace("1.18.300", "1.18.301"))
    await metered.come()
    assert await metered.counts("0.000") == "123.456"
    assert float(await metered.counts("3.250")) == 123.45925
    # The socket learns the time and takes it for the moment of its last reset.
    await metered.says("uptime", "90")
    local = dt_util.now().isoformat(timespec="minutes")
    await metered.says("energycounter_clear_date/get", "0000-00-00T00:00+00:00")
    await metered.says("energycounter_clear_date/get", local)
    assert float(await metered.counts("4.250")) == 123.46025


@pytest.mark.parametrize("fall_first", [True, False])
async def test_a_reset_at_the_socket_is_known_by_its_time_stamp(
    metered: Metered, fall_first: bool
) -> None:
    await metered.says("uptime", "864000")
    await metered.says("energycounter_clear_date/get", "2026-01-02T03:04+01:00")
    assert await metered.counts("123456.000") == "123.456"
    stamp = dt_util.now().isoformat(timespec="minutes")
    if fall_first:
        assert await metered.counts("0.000") == "123.456"
    await metered.says("energycounter_clear_date/get", stamp)
    assert float(await metered.counts("0.250")) == 0.00025
    assert float(await metered.counts("1.250")) == 0.00125


async def test_a_fall_without_a_stamp_is_no_reset(metered: Metered) -> None:
    await metered.says("uptime", "864000")
    await metered.says("energycounter_clear_date/get", "2026-01-02T03:04+01:00")
    assert await metered.counts("123456.000") == "123.456"
    assert [await metered.counts(text) for text in ("0.000", "1.000")] == [
        "123.456",
        "123.457",
    ]


async def test_a_reset_that_is_asked_for_here_shows_at_once(
    hass: HomeAssistant, metered: Metered
) -> None:
    await metered.counts("123456.000")
    await hass.services.async_call(
        "button",
        "press",
        {"entity_id": "button.washing_machine_reset_energy"},
        blocking=True,
    )
    assert await metered.counts("123456.500") == "0.0"
    assert [await metered.counts(text) for text in ("0.000", "2.000")] == [
        "0.0",
        "0.002",
    ]


async def test_a_load_above_the_usual_limit_is_counted(metered: Metered) -> None:
    """Somebody raised PowerMax, and the power says so."""
    await metered.counts("1000.000")
    await metered.says("power/get", "7000.00")
    assert await metered.counts("8000.000", after=3600.0) == "8.0"


async def test_counters_of_the_version_before_go_on(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    hass_storage["openbk.energy"] = {
        "version": 1,
        "data": {MAC: {"energy": [0.5, 12.3, None, 0.25, 12.8, START, 60.0, None]}},
    }
    entry = socket_entry()
    await add_socket(hass, entry)
    socket = Metered(hass, entry)
    await socket.come()
    assert await socket.counts("12301.000") == "13.051"


@pytest.mark.parametrize(
    "data",
    [
        {MAC: {"counters": {"energy": {"raw": "12"}}}},
        {MAC: {"counters": 5, "cleared": 5, "power_limit": "many"}},
        {MAC: []},
        [],
    ],
)
async def test_a_damaged_store_begins_anew(
    hass: HomeAssistant, hass_storage: dict[str, Any], data: Any
) -> None:
    hass_storage["openbk.energy"] = {"version": 2, "data": data}
    entry = socket_entry()
    await add_socket(hass, entry)
    socket = Metered(hass, entry)
    await socket.come()
    assert await socket.counts("12301.000") == "12.301"


async def test_a_unit_that_somebody_changes_at_the_socket_is_noticed(
    metered: Metered,
) -> None:
    """Flag 40 makes a thousandth of every number, which nobody would see at rest."""
    await metered.says("power/get", "2000.00")
    assert await metered.counts("12300.000") == "12.3"
    true = 12_300.0
    for _ in range(10):
        true += 2000 * 30 / 3600
        await metered.says("power/get", "2000.00", after=0.0)
        shown = float(await metered.counts(f"{true / 1000:.3f}"))
    assert metered.entry.data["energy_in_kwh"] is True
    assert metered.entry.runtime_data.meter.in_kwh
    # What was counted until it was noticed is some watt-hours; from then on nothing is lost.
    before, missing = shown, true / 1000 - shown
    assert 0 <= missing < 0.1
    for _ in range(10):
        true += 2000 * 30 / 3600
        shown = float(await metered.counts(f"{true / 1000:.3f}"))
    assert shown - before == pytest.approx(10 * 2000 * 30 / 3_600_000, abs=0.002)

    # And back again: a thousandfold jump shows nowhere.
    for _ in range(20):
        true += 2000 * 30 / 3600
        await metered.says("power/get", "2000.00", after=0.0)
        now = float(await metered.counts(f"{true:.3f}"))
        assert shown <= now <= shown + 0.05
        shown = now
    assert metered.entry.data["energy_in_kwh"] is False


@pytest.mark.slow
@pytest.mark.parametrize("open_page", [True, False])
async def test_energy_in_kwh_of_a_socket_that_was_found(
    hass: HomeAssistant, mosquitto: Broker, open_page: bool
) -> None:
    """Whether its flags can be read or not, and nothing is tuned."""
    await listens_for_sockets(hass)
    flags = (1 << 10) | (1 << 40)
    config = stranger(mosquitto, flags=flags, start_values=(0, 1) + (0,) * 62)
    async with plugged_in(config, watts=2000.0) as socket:
        await until(lambda: cards(hass) == [CLIENT_ID])
        if open_page:
            lead_to(hass, socket)
            wizard = await by_hand(hass)
            await wizard.submit(address="192.168.1.7")
            assert await wizard.submit(changes=[]) == "created"
        else:
            wizard = await Wizard.open(hass, "existing")
            await wizard.submit(found=CLIENT_ID)
            await wizard.choose("pins_guess")
            assert await wizard.choose("use_pins") == "created"
        hass.data[SOCKET_ACCESS] = SocketAccess(
            connect=hass.data[SOCKET_ACCESS].connect, speed=20.0
        )
        await hass.async_block_till_done()

        def shown() -> float:
            state = hass.states.get("sensor.obk8c123456_energy")
            return float(state.state) if state and state.state[:1].isdigit() else 0.0

        await until(lambda: shown() > 0)
        assert shown() == pytest.approx(socket.meter.energy_wh / 1000, rel=0.2)
        (entry,) = hass.config_entries.async_entries("openbk")
        assert entry.data["energy_in_kwh"] is True
        await unload(hass)


@pytest.mark.slow
async def test_somebody_else_resets_a_simulated_socket(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    """With the messages of the firmware, in its order and at its times."""
    hass.data[SOCKET_ACCESS] = SocketAccess(speed=40.0)
    await add_socket(hass, socket_entry())
    config = configuration(mosquitto, start_values=(0, 1) + (0,) * 62)
    async with plugged_in(config, watts=3000.0, speed=40.0) as socket:

        def shown() -> float:
            state = hass.states.get(ENERGY).state
            return float(state) if state[:1].isdigit() else -1.0

        # Home Assistant came too late for its list and asks for it once more.
        await until(lambda: socket.clock.now() > 1000 and shown() > 0.3)
        before = shown()
        await mqtt.async_publish(hass, f"cmnd/{CLIENT_ID}/EnergyCntReset", "")
        await until(lambda: 0 <= shown() < before)
        assert shown() < 0.2
