"""The sensors show what the simulated socket measures."""

import asyncio
from datetime import datetime, timedelta

from homeassistant.components.sensor import ATTR_STATE_CLASS
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.diagnostics import async_get_config_entry_diagnostics
from custom_components.openbk.pyopenbk.quantities import METER
from tests.support.broker import Broker
from tests.support.simulated import configuration, plugged_in
from tests.support.sockets import (
    BUILD,
    ScriptedSocket,
    add_scripted_socket,
    add_socket,
    search_over,
    socket_entry,
)
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

NAME = "sensor.washing_machine"


def state(hass: HomeAssistant, key: str) -> str | None:
    """Return the state of a sensor."""
    return entity.state if (entity := hass.states.get(f"{NAME}_{key}")) else None


def number(hass: HomeAssistant, key: str) -> float:
    """Return the state of a sensor as a number, minus one without one."""
    try:
        return float(state(hass, key) or -1)
    except ValueError:
        return -1


async def enable(hass: HomeAssistant, entry: MockConfigEntry, *keys: str) -> None:
    """Enable sensors that are not enabled by default and load the entry anew."""
    registry = er.async_get(hass)
    for key in keys:
        entity_id = registry.async_get_entity_id(
            "sensor", "openbk", f"{entry.unique_id}_{key}"
        )
        assert entity_id
        registry.async_update_entity(entity_id, disabled_by=None)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()


async def test_measured_within_two_percent(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    entry = socket_entry()
    await add_socket(hass, entry)
    await enable(hass, entry, "power_factor", "apparent_power", "reactive_power")
    config = configuration(mosquitto)
    async with plugged_in(config, watts=1000, power_factor=0.8) as plugged:
        relay = "switch.washing_machine"
        await until(lambda: hass.states.get(relay).state == "off")
        await hass.services.async_call("switch", "turn_on", {"entity_id": relay})
        await until(lambda: plugged.firmware.relay(1))
        await until(lambda: number(hass, "power") == pytest.approx(1000, rel=0.02))
        await until(lambda: number(hass, "voltage") == pytest.approx(230, rel=0.02))
        await until(lambda: number(hass, "current") == pytest.approx(5.435, rel=0.02))
        seen = []
        hass.bus.async_listen(
            "state_changed",
            callback(lambda _: seen.append(number(hass, "power_factor"))),
        )
        await until(
            lambda: number(hass, "apparent_power") == pytest.approx(1250, rel=0.03),
        )
        assert number(hass, "power_factor") == pytest.approx(0.8, rel=0.03)
        assert number(hass, "reactive_power") == pytest.approx(750, rel=0.06)
        assert max(seen) <= 1
        await until(lambda: number(hass, "energy") > 0.005)


async def test_power_cut_loses_no_energy(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    await add_socket(hass, socket_entry())
    config = configuration(mosquitto, start_values=(0, 1, *([0] * 62)))
    async with plugged_in(config, watts=2000) as plugged:
        await until(lambda: number(hass, "energy") > 0.015)
        before = number(hass, "energy")
        await plugged.power_off()
        await until(lambda: state(hass, "energy") == "unavailable")
        plugged.power_on()
        await until(lambda: number(hass, "energy") >= 0)
        assert number(hass, "energy") >= before
        await until(lambda: number(hass, "energy") > before)


async def test_what_cannot_be_true_changes_nothing_and_is_counted(
    hass: HomeAssistant,
    mqtt_connection: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    entry = socket_entry()
    await add_socket(hass, entry)
    await enable(hass, entry, "last_restart", "power_uncertainty", "ssid", "build")
    scripted = ScriptedSocket(hass)
    await scripted.connect()
    await until(lambda: entry.runtime_data.online)
    for suffix, first, *others in (
        ("voltage/get", "231.5", "inf", "nan", "", "x", "-3", "2315"),
        ("power/get", "12", "-45.30", "10800.00", "1e38", "0x10", "9" * 5000),
        ("energycounter/get", "1000", "-5", "4294967296000"),
        ("uptime", "60", "1e300", "99999999999"),
        ("ssid", "Net", "x" * 65536, "two\nlines"),
        ("build", BUILD, f"{BUILD}\n# Free", f"{BUILD} {'x' * 65536}"),
    ):
        for payload in (first, *others):
            await scripted.say(suffix, payload)
    await scripted.say("current/get", "0.1")
    await until(lambda: state(hass, "current") == "0.1")
    assert state(hass, "voltage") == "231.5"
    assert state(hass, "power") == "12.0"
    assert state(hass, "energy") == "1.0"
    assert entry.runtime_data.value("ssid") == "Net"
    assert entry.runtime_data.value("build") == entry.data["firmware"] == BUILD
    assert state(hass, "uptime") not in ("unavailable", "unknown", None)
    said = await async_get_config_entry_diagnostics(hass, entry)
    assert said["socket"]["refused"] == {
        "build": 2,
        "energy": 2,
        "power": 5,
        "ssid": 2,
        "uptime": 2,
        "voltage": 5,
    }
    assert "Traceback" not in caplog.text


async def test_values_are_gone_with_the_socket(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    entry = socket_entry()
    scripted = await add_scripted_socket(hass, entry)
    await scripted.say("voltage/get", "231.5")
    await until(lambda: state(hass, "voltage") == "231.5")
    await scripted.say("connected", "offline", retain=True)
    await until(lambda: state(hass, "voltage") == "unavailable")
    await scripted.say("connected", "online", retain=True)
    await scripted.say("power/get", "0")
    await until(lambda: state(hass, "power") == "0.0")
    # Not the voltage of before.
    assert state(hass, "voltage") == "unavailable"
    # The same text counts again.
    await scripted.say("voltage/get", "231.5")
    await until(lambda: state(hass, "voltage") == "231.5")


async def test_a_load_that_never_changes_has_an_apparent_power(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    """The first samples may be of another load; those that say the same later are not."""
    entry = socket_entry()
    scripted = await add_scripted_socket(hass, entry)
    for _ in range(2):
        for topic, payload in (("voltage", "230"), ("current", "1"), ("power", "184")):
            await scripted.say(f"{topic}/get", payload)
        await until(lambda: state(hass, "power") == "184.0")
        await asyncio.sleep(61)
    assert state(hass, "apparent_power") == "230.0"
    assert state(hass, "power_factor") == "0.8"

    # After a step it is looked at again in the same way.
    await scripted.say("current/get", "2")
    await scripted.say("power/get", "460")
    await until(lambda: state(hass, "power") == "460.0")
    assert state(hass, "apparent_power") == "230.0"
    await asyncio.sleep(61)
    await scripted.say("power/get", "460")
    await scripted.say("current/get", "2")
    await until(lambda: state(hass, "apparent_power") == "460.0")


async def test_a_power_factor_without_a_load_is_gone_with_the_socket(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    entry = socket_entry()
    scripted = await add_scripted_socket(hass, entry)
    for topic, payload in (("voltage", "230"), ("current", "0"), ("power", "0")):
        await scripted.say(f"{topic}/get", payload)
    await until(lambda: state(hass, "apparent_power") == "0.0")
    assert state(hass, "power_factor") == "unknown"

    await scripted.say("connected", "offline", retain=True)
    await until(lambda: state(hass, "power_factor") == "unavailable")


async def test_what_is_enabled_and_how_it_is_described(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    entry = socket_entry()
    await add_socket(hass, entry)
    registry = er.async_get(hass)
    entities = {
        item.unique_id.removeprefix(f"{entry.unique_id}_"): item
        for item in er.async_entries_for_config_entry(registry, entry.entry_id)
        if item.domain == "sensor"
    }
    enabled = {key for key, item in entities.items() if item.disabled_by is None}
    assert enabled == {
        "voltage",
        "current",
        "power",
        "apparent_power",
        "reactive_power",
        "power_factor",
        "energy",
        "energy_today",
        "energy_yesterday",
        "energy_last_hour",
        "ip",
    }
    for quantity in METER:
        item = entities[quantity.key]
        assert item.original_device_class == quantity.device_class
        assert (item.capabilities or {}).get(ATTR_STATE_CLASS) == quantity.state_class
        assert item.entity_category is None
    for key in ("ip", "ssid", "build", "rssi", "temp", "last_restart"):
        assert entities[key].entity_category is EntityCategory.DIAGNOSTIC


async def test_days_before_yesterday_are_there_for_whoever_enables_them(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    entry = socket_entry()
    await add_socket(hass, entry)
    await enable(hass, entry, "energy_two_days_ago", "energy_three_days_ago")
    scripted = ScriptedSocket(hass)
    await scripted.connect()
    await until(lambda: entry.runtime_data.online)
    await scripted.say("datetime", "0")
    await scripted.say("energycounter_2_days_ago/get", "10893")
    await scripted.say("voltage/get", "230")
    await until(lambda: state(hass, "voltage") == "230.0")
    # Without the time nobody knows which day that was.
    assert state(hass, "energy_two_days_ago") == "unavailable"

    await scripted.say("datetime", str(int(dt_util.utcnow().timestamp())))
    await scripted.say("energycounter/get", "1000")
    await scripted.say("energycounter_2_days_ago/get", "10893")
    await scripted.say("energycounter_3_days_ago/get", "20.7")
    await until(lambda: state(hass, "energy_two_days_ago") == "10.893")
    await until(lambda: state(hass, "energy_three_days_ago") == "0.0207")
    await search_over(hass)


async def test_uptime_moves_with_a_restart_only(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    entry = socket_entry()
    await add_socket(hass, entry)
    await enable(hass, entry, "last_restart")
    scripted = ScriptedSocket(hass)
    await scripted.connect()
    await until(lambda: entry.runtime_data.online)

    async def shown(uptime: int) -> datetime:
        await scripted.say("uptime", str(uptime))
        await until(lambda: entry.runtime_data.value("uptime") == uptime)
        started = dt_util.parse_datetime(state(hass, "uptime") or "")
        assert started
        return started

    first = await shown(3600)
    assert abs(dt_util.utcnow() - timedelta(hours=1) - first) < timedelta(seconds=5)
    # The list of what a socket says takes some seconds.
    assert await shown(3590) == first
    assert await shown(3) - first > timedelta(minutes=59)
    await search_over(hass)
