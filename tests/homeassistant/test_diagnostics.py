"""Diagnostics tell what helps and nothing that is secret."""

from datetime import UTC, datetime
import json
from pathlib import Path
from types import MappingProxyType

from homeassistant.core import HomeAssistant
from homeassistant.helpers.discovery_flow import DiscoveryKey
from homeassistant.helpers.json import ExtendedJSONEncoder
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.diagnostics import async_get_config_entry_diagnostics
from custom_components.openbk.pyopenbk.backups.folder import BackupFolder
from custom_components.openbk.pyopenbk.flashing.records import (
    JobRecord,
    JobRecords,
    Phase,
)
from custom_components.openbk.updating.record import Stage, Trouble, UpdateRecord
from custom_components.openbk.updating.updates import UPDATES
from tests.support.broker import Broker
from tests.support.metered import OFF, calibrated
from tests.support.sockets import (
    CLIENT_ID,
    MAC,
    ScriptedSocket,
    add_socket,
    socket_entry,
)
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


@pytest.mark.slow
async def test_history_is_told_and_no_secret(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, power=OFF, watts=1000) as socket:
        live = socket.entry.runtime_data
        await until(lambda: live.value("ip") and live.build)
        await socket.call("calibrate", power=1000, seconds=20)
        said = await async_get_config_entry_diagnostics(hass, socket.entry)
        text = json.dumps(said)

    meter = said["meter"]
    assert meter["trust"]["power"]["calibrated"]
    assert meter["trust"]["power"]["uncertainty_now"] > 0
    assert meter["trust"]["voltage"]["gain"] == 1
    assert [step["action"] for step in meter["history"]] == ["calibrate"]
    assert meter["history"][0]["references"] == {"power": 1000}
    assert said["socket"]["version"]
    assert said["socket"]["values"]["power"] == pytest.approx(1000, rel=0.02)
    [power] = (one for one in said["device"][0]["entities"] if one["key"] == "power")
    assert power["domain"] == "sensor"
    assert power["disabled_by"] is None
    assert power["seconds_since_said"] < 60

    secrets = (MAC, MAC.replace(":", ""), CLIENT_ID, "TestNet", "secret word")
    for secret in (*secrets, "127.0.0.1", "Washing machine"):
        assert secret.casefold() not in text.casefold(), secret


async def test_what_was_left_behind_is_told(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry, tmp_path: Path
) -> None:
    """Of updates, of jobs that did not end, of values that could not be true, and of the clock."""
    hass.config.config_dir = str(tmp_path)
    entry = socket_entry(group="our_house", labels={"1": "Grandma"})
    await add_socket(hass, entry)
    hass.config_entries.async_update_entry(
        entry,
        discovery_keys=MappingProxyType(
            {
                "mqtt": (_discovered("mqtt", f"{CLIENT_ID}/build"),),
                "dhcp": (_discovered("dhcp", MAC.replace(":", "")),),
            }
        ),
    )
    socket = ScriptedSocket(hass)
    await socket.connect()
    await until(lambda: entry.runtime_data.online)
    await socket.say("voltage/get", "230.1")
    await until(lambda: entry.runtime_data.value("voltage") == 230.1)
    await socket.say("voltage/get", "no number")
    await socket.say("datetime", "17")
    await until(lambda: entry.runtime_data.values.refused == {"voltage": 1})
    record = JobRecord(
        mac=MAC,
        started=datetime(2026, 11, 29, tzinfo=UTC),
        phase=next(iter(Phase)),
        backup=f"{MAC.replace(':', '')}_2026.bin",
        content="OpenBeken 1.18.300",
        content_sha256="0" * 64,
        regions=((0x11000, 0x12000),),
    )
    await hass.async_add_executor_job(
        JobRecords(BackupFolder(tmp_path / "openbk/backups")).save, record
    )
    hass.data[UPDATES].of(MAC).note(
        UpdateRecord(
            version="1.18.300",
            before="1.18.1",
            stage=Stage.SENDING,
            since=0.0,
            keepsake=f"{MAC.replace(':', '')}_1.json",
            trouble=Trouble.INTERRUPTED,
        )
    )
    said = await async_get_config_entry_diagnostics(hass, entry)
    assert said["socket"]["refused"] == {"voltage": 1}
    timing = said["socket"]["last_messages"]
    assert timing["voltage"]["interval"] >= 0
    assert timing["voltage"]["age"] >= 0
    assert timing["datetime"]["interval"] is None
    assert "energy" not in timing
    assert said["socket"]["clock"]["right"] is False
    assert said["flash"]["unfinished_job"]["content"] == "OpenBeken 1.18.300"
    assert said["flash"]["unfinished_job"]["regions"] == [["0x11000", "0x12000"]]
    assert said["flash"]["backups"] == []
    assert said["update"]["left_behind"]["trouble"] == "interrupted"
    assert said["meter"]["factors_changed"] == []
    # As Home Assistant writes the file.
    text = json.dumps(said, cls=ExtendedJSONEncoder).casefold()
    names = ("Washing machine", "our_house", "Grandma")
    for secret in (MAC, MAC.replace(":", ""), CLIENT_ID, *names):
        assert secret.casefold() not in text, secret


def _discovered(domain: str, key: str) -> DiscoveryKey:
    """Return what Home Assistant remembers of a discovery."""
    return DiscoveryKey(domain=domain, key=key, version=1)
