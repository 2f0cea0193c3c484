"""What was stored and is damaged is passed over with a word in the log, and the socket works without it."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest

from custom_components.openbk.live.snapshots import SNAPSHOTS, Before
from custom_components.openbk.network.firmware import FIRMWARE
from tests.support.sockets import MAC, ScriptedSocket, socket_entry
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]


async def test_a_socket_comes_up_whatever_is_damaged(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    entry = socket_entry()
    odd = {"at": "yesterday", "before": str(Before.TUNING), "reporting": None}
    for name, data in {
        "settings": {entry.entry_id: [{}, odd]},
        "updates": {MAC: {"stage": "elsewhere"}},
        "updates_known": {"updates": [{"version": 1}], "checked": None},
    }.items():
        hass_storage[f"openbk.{name}"] = {"version": 1, "data": data}
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(
        entry, options={"calibration": {"known": {"power": {"gain": "high"}}}}
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    socket = ScriptedSocket(hass)
    await socket.connect()
    await until(lambda: entry.runtime_data.online)
    await socket.say("power/get", "23.5")
    await until(lambda: state_of(hass, "sensor.washing_machine_power") == "23.5")
    assert not hass.data[SNAPSHOTS].of(entry)
    assert not hass.data[FIRMWARE].known("BK7231N")
    assert not ir.async_get(hass).issues
    for told in (
        "Settings that were kept are damaged",
        "The record of an update is damaged",
        "What was known of releases is damaged",
        "The stored calibration of power is damaged",
    ):
        assert told in caplog.text
    await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("damage", [[], 5, "x"], ids=["list", "number", "text"])
async def test_a_socket_comes_up_where_something_else_was_stored(
    hass: HomeAssistant, hass_storage: dict[str, Any], damage: object
) -> None:
    entry = socket_entry()
    for name, version in {"energy": 2, "updates": 1, "unfinished": 1}.items():
        hass_storage[f"openbk.{name}"] = {"version": version, "data": damage}
    stored = {"version": 1, "data": {entry.entry_id: damage}}
    hass_storage["openbk.settings"] = stored
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert not hass.data[SNAPSHOTS].of(entry)
    await hass.config_entries.async_unload(entry.entry_id)


def state_of(hass: HomeAssistant, entity_id: str) -> str | None:
    state = hass.states.get(entity_id)
    return state.state if state else None
