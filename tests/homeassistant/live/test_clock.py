"""The days of a socket count only while it has the time."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
import re

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.openbk.issues import no_time
from custom_components.openbk.live.clock import SocketClock
from custom_components.openbk.pyopenbk.obk.messages import Publication
from simulator.openbeken import Release
from tests.support.broker import Broker
from tests.support.repairs import open_repair
from tests.support.simulated import configuration, plugged_in
from tests.support.sockets import ScriptedSocket, add_socket, socket_entry
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

TODAY = "sensor.washing_machine_energy_today"
YESTERDAY = "sensor.washing_machine_energy_yesterday"
OFFSET = "cmnd/obk8C123456/ntp_timeZoneOfs"
LIST = ("cmnd/obk8C123456/publishAll", "")


@pytest.fixture
def entry() -> MockConfigEntry:
    return socket_entry()


@pytest.fixture
async def scripted(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry, entry: MockConfigEntry
) -> ScriptedSocket:
    """Return a socket that has just come online."""
    await add_socket(hass, entry)
    socket = ScriptedSocket(hass)
    await socket.connect()
    await until(lambda: entry.runtime_data.online)
    return socket


def state(hass: HomeAssistant, entity_id: str) -> str:
    found = hass.states.get(entity_id)
    assert found
    return found.state


def issue(hass: HomeAssistant, entry: MockConfigEntry) -> ir.IssueEntry | None:
    return ir.async_get(hass).async_get_issue("openbk", f"no_time_{entry.entry_id}")


async def pass_time(hass: HomeAssistant, seconds: float) -> None:
    """Let every timer fire that is due within so many seconds."""
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=seconds))
    await hass.async_block_till_done()


async def test_no_day_without_the_time(
    hass: HomeAssistant, scripted: ScriptedSocket, entry: MockConfigEntry
) -> None:
    await scripted.say("datetime", "0")
    await scripted.say("energycounter_today/get", "5000")
    await scripted.say("energycounter_yesterday/get", "7000")
    # The total needs no clock, and comes after the other two.
    await scripted.say("energycounter/get", "9000")
    await until(lambda: state(hass, "sensor.washing_machine_energy") == "9.0")
    assert state(hass, TODAY) == state(hass, YESTERDAY) == "unavailable"

    now = int(dt_util.utcnow().timestamp())
    await scripted.say("datetime", str(now + 5 * 3600))
    await scripted.say("energycounter_today/get", "5000")
    await scripted.say("energycounter_yesterday/get", "7000")
    await until(lambda: state(hass, TODAY) == "5.0")
    await until(lambda: state(hass, YESTERDAY) == "7.0")

    # A restarted socket whose time server is gone.
    await scripted.say("connected", "online")
    await scripted.say("datetime", "17")
    await scripted.say("energycounter_today/get", "1")
    await scripted.say("energycounter/get", "9001")
    await until(lambda: state(hass, "sensor.washing_machine_energy") == "9.001")
    assert state(hass, TODAY) == state(hass, YESTERDAY) == "unavailable"


async def test_issue_and_its_repair(
    hass: HomeAssistant, scripted: ScriptedSocket, entry: MockConfigEntry
) -> None:
    await scripted.say("datetime", "0")
    await until(lambda: entry.runtime_data.value("datetime") == 0)
    await pass_time(hass, 61)
    await until(lambda: LIST in scripted.heard)
    assert issue(hass, entry) is None
    await pass_time(hass, 122)
    raised = issue(hass, entry)
    assert raised

    flow = await open_repair(hass, no_time.ISSUE, entry.entry_id)
    assert (await flow.async_step_init())["step_id"] == "time_server"
    wrong = await flow.async_step_time_server({"ntp_server": "pool.ntp.org"})
    assert wrong["errors"] == {"ntp_server": "not_an_address"}
    scripted.heard.clear()
    done = await flow.async_step_time_server({"ntp_server": "192.168.1.1"})
    assert done["type"] == "create_entry"
    await until(lambda: LIST in scripted.heard)
    (sent,) = [said for topic, said in scripted.heard if topic.endswith("Backlog")]
    assert sent.startswith("ntp_setServer 192.168.1.1; startDriver NTP; ntp_timeZone")
    # Core takes it for mended. Where the new server answers no better, it is told again.
    ir.async_delete_issue(hass, "openbk", raised.issue_id)
    await pass_time(hass, 6)
    assert issue(hass, entry) is None
    await pass_time(hass, 61)
    assert issue(hass, entry)
    await scripted.say("datetime", str(int(dt_util.utcnow().timestamp())))
    await until(lambda: issue(hass, entry) is None)


async def test_issue_goes_with_the_socket(
    hass: HomeAssistant, scripted: ScriptedSocket, entry: MockConfigEntry
) -> None:
    await pass_time(hass, 61)
    await pass_time(hass, 122)
    assert issue(hass, entry)
    assert await hass.config_entries.async_remove(entry.entry_id)
    assert issue(hass, entry) is None


async def test_offset_is_sent_every_hour(
    hass: HomeAssistant, scripted: ScriptedSocket
) -> None:
    await until(lambda: OFFSET in dict(scripted.heard))
    for hours in (1, 2):
        scripted.heard.clear()
        await pass_time(hass, hours * 3601)
        await until(lambda: OFFSET in dict(scripted.heard))


async def test_offset_follows_summer_time(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    await hass.config.async_set_time_zone("Europe/Warsaw")
    sent: list[Publication] = []
    timers: list[Callable[[], None]] = []

    def later(seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        assert seconds <= 3600
        timers.append(action)
        return lambda: None

    clock = SocketClock("plug", sent.extend, later, lambda: None, may_set=True)
    # The hours around the two nights in which the clocks are changed.
    freezer.move_to(datetime(2027, 3, 28, 0, 30, tzinfo=UTC))
    clock.begin()
    send_again = timers[0]
    for moment in (
        datetime(2027, 3, 28, 1, 30, tzinfo=UTC),
        datetime(2027, 10, 31, 0, 30, tzinfo=UTC),
        datetime(2027, 10, 31, 1, 30, tzinfo=UTC),
    ):
        freezer.move_to(moment)
        send_again()
    assert {publication.topic for publication in sent} == {"cmnd/plug/ntp_timeZoneOfs"}
    assert [item.payload for item in sent] == ["+1:0", "+2:0", "+2:0", "+1:0"]


class BareClock:
    """A clock whose timers fire when a test says so."""

    def __init__(self, version: str, *, may_set: bool) -> None:
        self.sent: list[str] = []
        self.timers: dict[Callable[[], None], None] = {}
        self.clock = SocketClock(
            "plug",
            self._send,
            self._later,
            lambda: None,
            may_set=may_set,
            build=lambda: f"OpenBK7231N {version} Nov 22 2026 16:44:43",
        )
        self.clock.begin()

    def _send(self, publications: Iterable[Publication]) -> None:
        for one in publications:
            if not one.topic.endswith("/publishAll"):
                self.sent.append(
                    f"{one.topic.removeprefix('cmnd/plug/')} {one.payload}"
                )

    def _later(self, _seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        self.timers[action] = None
        return lambda: None

    def fire(self) -> list[str]:
        """Let all timers fire, and return what was sent for it."""
        self.sent.clear()
        timers, self.timers = self.timers, {}
        for action in timers:
            action()
        return [*self.sent]


async def test_newer_firmware_gets_time_zone_and_summer_time_from_here(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    await hass.config.async_set_time_zone("Europe/Warsaw")
    freezer.move_to(datetime(2027, 3, 28, 0, 30, tzinfo=UTC))
    bare = BareClock("1.18.224", may_set=True)
    assert bare.sent == ["time_setTime 1806193800", "time_setTZ +1:0"]
    bare.clock.heard(1806193800 + 3600)
    freezer.tick(3600)
    assert bare.fire() == ["time_setTime 1806197400", "time_setTZ +2:0"]
    assert not bare.clock.missed
    # The last release that learns the time from a server only.
    assert BareClock("1.18.223", may_set=True).sent == ["ntp_timeZoneOfs +2:0"]


async def test_what_somebody_else_set_up_gets_the_time_only_where_it_has_none(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    """Its zone is its own; and nobody has to be asked for a time server."""
    freezer.move_to(datetime(2027, 3, 28, 0, 30, tzinfo=UTC))
    bare = BareClock("1.18.224", may_set=False)
    assert bare.sent == bare.fire() == []
    assert bare.fire() == ["time_setTime 1806193800"]
    assert not bare.clock.missed
    bare.clock.heard(1806193800)
    assert bare.fire() == ["time_setTime 1806193800"]
    bare = BareClock("1.18.224", may_set=False)
    bare.clock.heard(1806193800)
    assert bare.fire() == bare.fire() == []
    old = BareClock("1.18.223", may_set=False)
    assert old.fire() == old.fire() == []
    assert old.clock.missed
    # What does not help is told after all.
    deaf = BareClock("1.18.224", may_set=True)
    for _ in range(3):
        deaf.fire()
    assert deaf.clock.missed


async def test_socket_in_another_time_zone(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    """Its days are those of the place that was chosen for it, not those of Home Assistant."""
    await hass.config.async_set_time_zone("US/Pacific")
    entry = socket_entry(time_zone="Asia/Kolkata")
    await add_socket(hass, entry)
    socket = ScriptedSocket(hass)
    await socket.connect()
    await until(lambda: OFFSET in dict(socket.heard))
    await pass_time(hass, 3601)
    await entry.runtime_data.async_set_time_server("192.168.1.1")
    await until(lambda: any("ntp_setServer" in said for _, said in socket.heard))
    said = [
        word for _, said in socket.heard for word in re.findall(r"[+-]\d+:\d+", said)
    ]
    assert set(said) == {"+5:30"}


async def test_simulated_socket_learns_the_time_without_a_server(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    entry = socket_entry()
    await add_socket(hass, entry)
    async with plugged_in(configuration(mosquitto), speed=20) as plugged:
        await until(lambda: plugged.firmware.running)
        plugged.firmware.device_clock.ntp_answers = False
        await until(lambda: entry.runtime_data.build != "")
        await until(lambda: plugged.firmware.device_clock.synced)
        await pass_time(hass, 61)
        await until(lambda: state(hass, TODAY) != "unavailable")
        assert plugged.firmware.device_clock.utc == pytest.approx(
            datetime.now(UTC).timestamp(), abs=60
        )
        await pass_time(hass, 122)
        assert issue(hass, entry) is None
    await hass.config_entries.async_unload(entry.entry_id)


async def test_older_simulated_socket_learns_the_time_from_its_server(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    """The time server answers late, so the list of the first seconds says 0."""
    entry = socket_entry()
    await add_socket(hass, entry)
    async with plugged_in(
        configuration(mosquitto), speed=20, release=Release(version="1.18.223")
    ) as plugged:
        await until(lambda: plugged.firmware.running)
        plugged.firmware.device_clock.ntp_answers = False
        await until(lambda: entry.runtime_data.value("datetime") == 0)
        assert state(hass, TODAY) == "unavailable"
        plugged.firmware.device_clock.ntp_answers = True
        await pass_time(hass, 61)
        await until(lambda: state(hass, TODAY) != "unavailable")
    await hass.config_entries.async_unload(entry.entry_id)
