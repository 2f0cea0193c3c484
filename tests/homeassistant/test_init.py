"""A socket's entry comes up, goes and leaves nothing behind."""

from datetime import timedelta

from homeassistant.components import mqtt
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.util import dt as dt_util
from homeassistant.util.async_ import get_scheduled_timer_handles
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from tests.support.sockets import (
    BUILD,
    MAC,
    ScriptedSocket,
    add_scripted_socket,
    add_socket,
    search_over,
    socket_entry,
    subscriptions,
)
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


def topics(hass: HomeAssistant) -> set[str]:
    """Return what Home Assistant is subscribed to below the socket's client id."""
    return {topic for topic in subscriptions(hass) if "obk8C" in topic}


async def looked_once(hass: HomeAssistant) -> None:
    """Wait until the broker was asked for commands that it kept for the socket."""
    await hass.async_block_till_done()
    await until(lambda: not hass.data["openbk.retained_commands"].running)


async def test_waits_for_mqtt(hass: HomeAssistant) -> None:
    entry = socket_entry()
    entry.add_to_hass(hass)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.error_reason_translation_key == "mqtt_missing"


async def test_one_exact_subscription_for_each_topic_somebody_listens_to(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    await add_socket(hass, socket_entry())
    await looked_once(hass)
    assert topics(hass) == {
        f"obk8C123456/{suffix}"
        for suffix in (
            "1/get",
            "voltage/get",
            "current/get",
            "power/get",
            "energycounter/get",
            "energycounter_today/get",
            "energycounter_yesterday/get",
            "energycounter_last_hour/get",
            # Whether somebody reset the counters at the socket, or it lost them.
            "energycounter_clear_date/get",
            "uptime",
            "button/get",
            "datetime",
            "build",
            # What it says after a command.
            "openbk/heard/get",
            "ip",
            # Whether another socket speaks there.
            "mac",
            "connected",
        )
    }


async def test_unload_reload_and_removal_leave_nothing_behind(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry, hass_storage: dict[str, dict]
) -> None:
    entry = socket_entry()
    await add_socket(hass, entry)
    scripted = ScriptedSocket(hass, "other")
    await mqtt.async_publish(hass, "obk8C123456/connected", "online", retain=True)
    await until(lambda: entry.runtime_data.online)
    await mqtt.async_publish(hass, "obk8C123456/energycounter/get", "1000")
    await until(lambda: hass.states.get("sensor.washing_machine_energy").state == "1.0")
    await search_over(hass)
    await looked_once(hass)
    subscribed = topics(hass)
    timers = _own_timers(hass)
    assert timers

    assert await hass.config_entries.async_unload(entry.entry_id)
    assert not topics(hass)
    assert not _own_timers(hass)
    stored = hass_storage["openbk.energy"]["data"][MAC]["counters"]["energy"]
    assert (stored["offset"], stored["raw"], stored["day"]) == (0.0, 1.0, None)

    assert await hass.config_entries.async_setup(entry.entry_id)
    await looked_once(hass)
    assert topics(hass) == subscribed
    assert await hass.config_entries.async_reload(entry.entry_id)
    await looked_once(hass)
    assert topics(hass) == subscribed

    assert await hass.config_entries.async_remove(entry.entry_id)
    assert not topics(hass)
    assert not _own_timers(hass)
    assert hass_storage["openbk.energy"]["data"] == {}
    assert not er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    assert not scripted.heard


async def test_disabled_socket_is_forgotten_when_it_is_removed(
    hass: HomeAssistant, hass_storage: dict[str, dict]
) -> None:
    """Nothing of an integration is loaded of which all entries are disabled."""
    counter = {
        "offset": 5.0,
        "raw": 1.0,
        "at": 0.0,
        "day": None,
        "ahead": 0.0,
        "counted": 6.0,
        "counted_at": 0.0,
        "watts": 0.0,
        "ratios": [],
    }
    hass_storage["openbk.energy"] = {
        "version": 2,
        "data": {MAC: {"counters": {"energy": counter}}},
    }
    entry = MockConfigEntry(
        domain="openbk",
        unique_id=MAC,
        data=socket_entry().data,
        disabled_by=ConfigEntryDisabler.USER,
    )
    entry.add_to_hass(hass)
    assert "openbk" not in hass.config.components
    assert await hass.config_entries.async_remove(entry.entry_id)
    assert hass_storage["openbk.energy"]["data"] == {}


async def test_what_the_socket_says_of_itself_is_kept(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    entry = socket_entry()
    scripted = await add_scripted_socket(hass, entry)
    await scripted.say("build", BUILD)
    await scripted.say("ip", "127.0.0.7")
    await until(lambda: entry.data["address"] == "127.0.0.7")
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    assert len(devices) == 1
    device = devices[0]
    assert device.connections == {("mac", MAC)}
    assert device.sw_version == "1.18.300"
    assert device.model == "CB2S"
    assert device.hw_version == "BK7231N"
    assert device.configuration_url == "http://127.0.0.7/"
    assert entry.data["firmware"] == BUILD
    await scripted.say("ip", "127.0.0.8")
    await until(lambda: entry.data["address"] == "127.0.0.8")


async def test_socket_that_was_online_before_is_asked_for_its_list(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    """Only `connected` is retained; without the list nothing is known of the socket."""
    await mqtt.async_publish(hass, "obk8C123456/connected", "online", retain=True)
    scripted = ScriptedSocket(hass)
    await scripted.connect()
    entry = socket_entry()
    await add_socket(hass, entry)
    await until(lambda: entry.runtime_data.online)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=20))
    asked = ("cmnd/obk8C123456/publishAll", "")
    await until(lambda: asked in scripted.heard)
    assert not any("status" in topic.lower() for topic, _ in scripted.heard)


async def test_clock_of_the_socket_is_set(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    """The firmware knows no summer time, so the distance from UTC is sent each time."""
    await hass.config.async_set_time_zone("Asia/Kathmandu")
    await add_socket(hass, socket_entry())
    scripted = ScriptedSocket(hass)
    await scripted.connect()
    sent = ("cmnd/obk8C123456/ntp_timeZoneOfs", "+5:45")
    await until(lambda: sent in scripted.heard)


def _own_timers(hass: HomeAssistant) -> list[object]:
    return [
        timer
        for timer in get_scheduled_timer_handles(hass.loop)
        if not timer.cancelled() and "openbk" in str(timer._callback.__module__)  # type: ignore[attr-defined]  # noqa: SLF001
    ]
