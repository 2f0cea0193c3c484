"""A load near the limit of the meter is told before something melts."""

from datetime import timedelta

from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.openbk.const import EVENT_OVERLOAD
from custom_components.openbk.issues.of_socket import raise_issue
from custom_components.openbk.pyopenbk.meters import BL0942
from custom_components.openbk.pyopenbk.profile import SocketProfile
from tests.support.logbook import message_of
from tests.support.sockets import ScriptedSocket, add_socket, socket_entry
from tests.support.waiting import until

HOUR = 3600
pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]


class Loaded:
    """A socket that says what flows."""

    def __init__(self, hass: HomeAssistant, entry: MockConfigEntry) -> None:
        self.hass = hass
        self.entry = entry
        self.socket = ScriptedSocket(hass)
        self.events: list[Event] = []

        @callback
        def note(event: Event) -> None:
            self.events.append(event)

        hass.bus.async_listen(EVENT_OVERLOAD, note)

    @property
    def told(self) -> list[str]:
        return [event.data["level"] for event in self.events]

    @property
    def issue(self) -> ir.IssueEntry | None:
        issue_id = f"overload_{self.entry.entry_id}"
        return ir.async_get(self.hass).async_get_issue("openbk", issue_id)

    async def carries(self, amperes: float, seconds: float = 0.0) -> None:
        """Say a current at 230 V and let time pass."""
        await self.socket.say("current/get", str(amperes))
        await until(lambda: self.entry.runtime_data.value("current") == amperes)
        async_fire_time_changed(
            self.hass, dt_util.utcnow() + timedelta(seconds=seconds)
        )
        await self.hass.async_block_till_done()


@pytest.fixture
async def loaded(hass: HomeAssistant, mqtt_connection: MockConfigEntry) -> Loaded:
    entry = socket_entry()
    await add_socket(hass, entry)
    loaded = Loaded(hass, entry)
    await loaded.socket.connect()
    await until(lambda: entry.runtime_data.online)
    await loaded.socket.say("voltage/get", "230")
    await until(lambda: entry.runtime_data.value("voltage") == 230)
    return loaded


async def test_a_motor_that_starts_is_no_overload(loaded: Loaded) -> None:
    await loaded.carries(17.0, 5)
    await loaded.carries(3.0, 120)
    await loaded.carries(15.0, 30)
    await loaded.carries(13.0, 120)
    assert loaded.told == []
    assert loaded.issue is None


async def test_near_the_limit_and_above_it(hass: HomeAssistant, loaded: Loaded) -> None:
    await loaded.carries(15.0, 61)
    assert loaded.told == ["near"]
    assert loaded.issue
    assert loaded.issue.translation_key == "overload_near"
    # It is told once, and what is worse after it.
    await loaded.carries(15.1, 61)
    await loaded.carries(17.0, 11)
    assert loaded.told == ["near", "reached"]
    assert loaded.issue.translation_placeholders == {
        "name": "Washing machine",
        "load": "3910",
        "limit": "3680",
    }
    assert loaded.issue.severity is ir.IssueSeverity.ERROR
    # Whoever comes home later still sees it, as what was; the next time it is told again.
    await loaded.carries(1.0, 10)
    assert loaded.issue.translation_key == "overload_over"
    assert loaded.issue.severity is ir.IssueSeverity.WARNING
    await loaded.carries(17.0, 11)
    assert loaded.told == ["near", "reached", "reached"]
    assert loaded.issue.translation_key == "overload_reached"

    said = message_of(hass, loaded.events[-1])
    assert said == "carries 3910 VA of 3680 VA"


async def test_it_is_no_news_any_more_a_day_after_the_load_went(
    loaded: Loaded,
) -> None:
    await loaded.carries(17.0, 11)
    # As long as it flows it stays, however long.
    await loaded.carries(16.9, 30 * HOUR)
    assert loaded.issue
    assert loaded.issue.translation_key == "overload_reached"
    await loaded.carries(1.0, 23 * HOUR)
    assert loaded.issue
    await loaded.carries(1.1, 24.1 * HOUR)
    assert loaded.issue is None


async def test_the_day_goes_on_over_a_restart_of_home_assistant(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    entry = socket_entry()
    since = dt_util.utcnow() - timedelta(hours=23)
    raise_issue(
        hass,
        entry,
        "overload",
        {"load": "3910", "limit": "3680"},
        text="overload_over",
        persistent=True,
        data={"over_since": since.isoformat()},
    )
    await add_socket(hass, entry)
    loaded = Loaded(hass, entry)
    for hours, there in ((0.5, True), (1.1, False)):
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(hours=hours))
        await hass.async_block_till_done()
        assert (loaded.issue is not None) is there


async def test_a_socket_that_is_gone_has_not_been_seen_to_recover(
    loaded: Loaded,
) -> None:
    await loaded.carries(17.0, 11)
    await loaded.socket.say("connected", "offline")
    await until(lambda: not loaded.entry.runtime_data.online)
    assert loaded.issue
    assert loaded.issue.translation_key == "overload_reached"
    # Nobody hears of the load any more, so it ends a day after it was told.
    async_fire_time_changed(
        loaded.hass, dt_util.utcnow() + timedelta(seconds=25 * HOUR)
    )
    await loaded.hass.async_block_till_done()
    assert loaded.issue is None


async def test_what_a_person_ignores_stays_ignored(
    hass: HomeAssistant, loaded: Loaded
) -> None:
    await loaded.carries(17.0, 11)
    assert loaded.issue
    ir.async_ignore_issue(hass, "openbk", loaded.issue.issue_id, True)
    await loaded.carries(1.0, 25 * HOUR)
    assert loaded.issue
    await loaded.carries(17.0, 11)
    assert loaded.issue.dismissed_version


async def test_a_meter_without_a_limit_of_its_own_is_not_said_to_have_one(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    """A BL0942 shows what flows, up to 63 A in a socket for a rail, or in one that melts."""
    entry = socket_entry(SocketProfile.of((), "CB3S").with_meter(BL0942))
    await add_socket(hass, entry)
    loaded = Loaded(hass, entry)
    await loaded.socket.connect()
    await until(lambda: entry.runtime_data.online)
    await loaded.socket.say("voltage/get", "230")
    await loaded.carries(16.5, 11)
    assert loaded.issue
    assert loaded.issue.translation_key == "overload_rated"
    await loaded.carries(1.0, 25 * HOUR)
    assert loaded.issue is None
    await loaded.socket.say("power/get", "9200.00")
    await until(lambda: entry.runtime_data.value("power") == 9200)
    await loaded.carries(40.0, 11)
    assert loaded.issue
    assert loaded.issue.translation_key == "overload_rated"
    await loaded.socket.say("power/get", "92000.00")
    await loaded.carries(40.1)
    assert entry.runtime_data.value("power") == 9200
