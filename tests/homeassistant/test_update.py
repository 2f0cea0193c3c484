"""The firmware of a socket is updated over the air, and it has afterwards what it had before."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
import stat
from typing import Any

from homeassistant.components.update import UpdateEntityFeature
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    async_capture_events,
    async_fire_time_changed,
)
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.openbk.const import EVENT_UPDATED
from custom_components.openbk.live.snapshots import SNAPSHOTS, Before
from custom_components.openbk.network.consoles import SOCKET_ACCESS
from custom_components.openbk.pyopenbk.obk.console import Streams
from custom_components.openbk.updating.record import Stage, Trouble
from simulator.images import Build
from simulator.releases import ReleaseServer, release
from tests.homeassistant.bench import MAC
from tests.homeassistant.over_the_air import (
    FILES_SIZE,
    NEW,
    OLD,
    UPDATE,
    Updated,
    files,
    updated,
    with_files,
)
from tests.support.broker import Broker
from tests.support.logbook import message_of
from tests.support.sockets import (
    ScriptedSocket,
    add_scripted_socket,
    add_socket,
    socket_entry,
)
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]

RELAY = "switch.washing_machine"
ENERGY = "sensor.washing_machine_energy"
LAST_STATE = (0, -1, *([0] * 62))
BEFORE_THE_MOVE = Build(version="1.18.250", built="Jan 30 2026 10:11:12")


@pytest.fixture(autouse=True)
def own_folder(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Keep the files of each test in a folder of its own."""
    hass.config.config_dir = str(tmp_path)
    return tmp_path / "openbk"


def downloads(releases: ReleaseServer) -> list[str]:
    return [one for one in releases.requests if "/release-assets/" in one]


def lists(releases: ReleaseServer) -> int:
    return sum(one.endswith("/releases 200") for one in releases.requests)


async def test_the_newest_release_is_installed(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with updated(hass, mosquitto) as one:
        assert one.shown["state"] == "unknown"
        await one.look()
        shown = one.shown
        assert shown["state"] == "on"
        assert shown["installed_version"] == OLD.version
        assert shown["latest_version"] == NEW.version
        assert shown["title"] == "OpenBeken"
        assert shown["entity_picture"] == "/api/brands/integration/openbk/icon.png"
        assert shown["supported_features"] & UpdateEntityFeature.PROGRESS

        events = async_capture_events(hass, EVENT_UPDATED)
        seen: list[tuple[bool, int | None]] = []

        @callback
        def note(event: Event[EventStateChangedData]) -> None:
            if (state := event.data["new_state"]) and state.state != "unavailable":
                values = state.attributes
                seen.append((values["in_progress"], values["update_percentage"]))

        async_track_state_change_event(hass, UPDATE, note)
        await one.install()
        await until(lambda: one.shown["state"] == "off")
        assert one.shown["installed_version"] == NEW.version
        percents = [percent for _, percent in seen if percent is not None]
        assert percents == sorted(percents)
        assert {0, 25, 50, 75, 100} <= set(percents)
        assert seen[0] == (True, None)
        assert one.shown["in_progress"] is False
        assert one.version == NEW.version
        assert one.socket.mac == MAC
        assert one.record is None
        assert one.issue is None
        said = [message_of(hass, event) for event in events]
        assert said == [f"was updated from {OLD.version} to {NEW.version}"]
        (kept,) = hass.data[SNAPSHOTS].of(one.entry)
        assert kept.before is Before.UPDATE
        assert downloads(releases) == [
            "GET /release-assets/1.18.300/OpenBK7231N_1.18.300.rbl 200"
        ]


async def test_a_chosen_version_may_be_older_and_is_kept_for_the_next_socket(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer, own_folder: Path
) -> None:
    """Also where the server publishes no digest: then the first download is what counts."""
    async with updated(hass, mosquitto, version=NEW) as one:
        await one.look()
        assert one.shown["state"] == "off"
        await one.install(version=OLD.version)
        assert one.version == OLD.version
        await until(lambda: one.shown["installed_version"] == OLD.version)
        await one.install()
        await one.install(version=OLD.version)
        assert one.version == OLD.version
        assert len(downloads(releases)) == 2
        kept = {file.name for file in (own_folder / "firmware").iterdir()}
        assert kept == {"BK7231N_1.17.360.rbl", "BK7231N_1.18.300.rbl"}


async def test_total_and_last_state_survive_the_move_of_their_place(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    """1.18.255 looks for them elsewhere, so the socket itself begins anew."""
    async with updated(
        hass, mosquitto, version=BEFORE_THE_MOVE, start_values=LAST_STATE
    ) as one:
        socket = one.entry.runtime_data
        await socket.async_set_channel(1, 1)
        await until(lambda: one.firmware.relay(1))
        await socket.async_set_energy(12.5)
        energy = one.firmware.energy
        assert energy
        await until(lambda: energy.reading("energycounter") >= 12500)
        await until(lambda: float(socket.value("energy") or 0) >= 12.5)
        shown: list[float] = []

        @callback
        def note(event: Event[EventStateChangedData]) -> None:
            if state := event.data["new_state"]:
                shown.extend(
                    float(text)
                    for text in [state.state]
                    if text not in ("unavailable", "unknown")
                )

        async_track_state_change_event(hass, ENERGY, note)
        await one.look()
        await one.install()
        assert one.version == NEW.version
        assert one.firmware.relay(1)
        energy = one.firmware.energy
        assert energy
        assert energy.reading("energycounter") >= 12500
        counted = energy.reading("energycounter") / 1000
        await until(lambda: shown and shown[-1] > counted)
        assert shown == sorted(shown)
        assert shown[-1] == pytest.approx(counted, abs=0.1)


async def test_a_relay_is_what_it_was_although_it_starts_otherwise(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    """Nobody cut the power: a freezer does not stay off."""
    async with updated(hass, mosquitto) as one:
        await one.entry.runtime_data.async_set_channel(1, 1)
        await until(lambda: one.firmware.relay(1))
        await one.look()
        await one.install()
        assert one.version == NEW.version
        assert one.firmware.relay(1)


async def test_files_that_the_firmware_is_written_over_are_put_back(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer, own_folder: Path
) -> None:
    async with updated(hass, mosquitto, flash=with_files, lfs_size=FILES_SIZE) as one:
        before, overwritten = files(one), []
        one.once(Stage.RESTARTING, lambda: overwritten.append(files(one)))
        await one.look()
        await one.install()
        assert one.version == NEW.version
        assert overwritten
        assert overwritten[0] != before
        assert files(one) == before
        # An upload of files leaves MQTT closed, and the socket without settings, until a restart.
        await until(lambda: one.entry.runtime_data.online)
        assert not one.firmware.flashing_over_air
        assert one.socket.mac == MAC
        (kept,) = (own_folder / "settings").iterdir()
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
        assert "secret word" not in kept.read_text()


@contextmanager
def changing_settings(one: Updated) -> Iterator[None]:
    """Let the new version begin with other settings than the old one left."""

    def change() -> None:
        settings = one.firmware.settings
        settings.set_flag(21, on=False)
        settings.change(startup_command="echo new")
        settings.change_entry("start_values", 1, 0)
        settings.change_entry("channel_types", 5, 0)

    one.once(Stage.RESTARTING, change)
    yield


class Deaf:
    """Connections to a socket that hears no more of who it is once it was told to restart."""

    def __init__(self, one: Updated) -> None:
        self.one = one
        self.deaf = False
        self.seconds = 0.0
        """What the clock has run ahead, so that nobody waits for minutes."""
        self.access = one.hass.data[SOCKET_ACCESS]
        one.hass.data[SOCKET_ACCESS] = replace(
            self.access,
            connect=self.connect,
            time=lambda: self.access.time() + self.seconds,
        )

    async def connect(self, host: str, port: int) -> Streams:
        reader, writer = await self.access.connect(host, port)
        write = writer.write

        def heard(data: bytes) -> None:
            told = (
                b"/api/reboot" in data and self.one.update.stage is Stage.PUTTING_BACK
            )
            self.deaf |= told
            if told or (self.deaf and b"/api/info" in data):
                self.seconds += 3
                writer.transport.abort()
            else:
                write(data)

        writer.write = heard
        return reader, writer


async def test_energy_is_put_back_also_where_the_socket_is_lost_on_the_way(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with updated(
        hass, mosquitto, version=BEFORE_THE_MOVE, start_values=LAST_STATE
    ) as one:
        await one.entry.runtime_data.async_set_energy(12.5)
        energy = one.firmware.energy
        assert energy
        await until(lambda: energy.reading("energycounter") >= 12500)
        Deaf(one)
        with changing_settings(one):
            err = await one.refused()
        assert err.trouble is Trouble.SILENT
        now = one.firmware.energy
        assert now
        await until(lambda: now.reading("energycounter") >= 12500)


async def test_settings_that_a_version_changes_are_put_back(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    """All that is kept before every change is put back, and one picture of it is taken for both."""
    typed = tuple(6 if channel == 5 else 0 for channel in range(64))
    async with updated(
        hass, mosquitto, start_values=LAST_STATE, channel_types=typed
    ) as one:
        before = one.firmware.settings.values
        await one.look()
        with changing_settings(one):
            await one.install()
        assert hass.data[SNAPSHOTS].of(one.entry)[0].before is Before.UPDATE
        assert "SetChannelType 5 Toggle" in hass.data[SNAPSHOTS].of(one.entry)[0].text
        now = one.firmware.settings.values
        assert one.version == NEW.version
        assert now.flags == before.flags
        assert now.startup_command == before.startup_command
        assert tuple(now.start_values) == tuple(before.start_values)
        assert tuple(now.channel_types) == typed


async def test_what_changed_is_told_as_text(
    hass: HomeAssistant,
    hass_ws_client: WebSocketGenerator,
    mosquitto: Broker,
    releases: ReleaseServer,
) -> None:
    evil = "<img src=x onerror=alert(1)> [a](https://example.org)"
    releases.releases = (
        release(Build(version="1.18.301"), "2026-11-25T16:50:11Z", f"* {evil}"),
        *releases.releases,
    )
    async with updated(hass, mosquitto) as one:
        await one.look()
        client = await hass_ws_client(hass)
        await client.send_json_auto_id(
            {"type": "update/release_notes", "entity_id": UPDATE}
        )
        notes = (await client.receive_json())["result"]
        assert notes.startswith("The socket restarts once.")
        assert "Home Assistant saves them before" in notes
        assert "**1.18.301** (2026-11-25)" in notes
        assert "**1.18.298**" in notes
        assert "BL0937: steadier readings" in notes
        assert "**1.17.360**" not in notes
        assert "<img" not in notes.replace("\\<img", "")
        assert "](https://" not in notes


async def test_nothing_is_told_where_nothing_is_new(
    hass: HomeAssistant,
    hass_ws_client: WebSocketGenerator,
    mosquitto: Broker,
    releases: ReleaseServer,
) -> None:
    async with updated(hass, mosquitto, version=NEW) as one:
        await one.look()
        client = await hass_ws_client(hass)
        await client.send_json_auto_id(
            {"type": "update/release_notes", "entity_id": UPDATE}
        )
        assert (await client.receive_json())["result"] is None


async def test_a_version_can_be_skipped(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with updated(hass, mosquitto) as one:
        await one.look()
        await hass.services.async_call(
            "update", "skip", {"entity_id": UPDATE}, blocking=True
        )
        assert one.shown["state"] == "off"
        assert one.shown["skipped_version"] == NEW.version


async def test_releases_are_looked_up_rarely_and_once_for_all_sockets(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    mosquitto: Broker,
    releases: ReleaseServer,
) -> None:
    """Nothing is downloaded before it is needed, and nothing is asked without a socket."""
    macs = ("c8:47:8c:12:34:56", "c8:47:8c:12:34:57")
    entries = []
    for mac in macs:
        client_id = f"obk{mac.replace(':', '')[4:].upper()}"
        entry = socket_entry(
            mac=mac, client_id=client_id, firmware="OpenBK7231N 1.17.360 Dec 17 2023"
        )
        await add_socket(hass, entry)
        await ScriptedSocket(hass, client_id).connect()
        entries.append(entry)
    await until(lambda: all(entry.runtime_data.online for entry in entries))

    async def later(**delta: float) -> None:
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(**delta))
        await hass.async_block_till_done(wait_background_tasks=True)

    assert lists(releases) == 0
    await later(seconds=61)
    assert lists(releases) == 1
    states = hass.states.async_all("update")
    assert [state.state for state in states] == ["on", "on"]
    await later(hours=1)
    assert lists(releases) == 1
    await later(hours=13)
    assert lists(releases) == 2
    assert downloads(releases) == []
    for entry in entries:
        await hass.config_entries.async_unload(entry.entry_id)
    await later(hours=48)
    assert lists(releases) == 2


async def test_a_server_that_is_gone_keeps_what_was_known(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with updated(hass, mosquitto) as one:
        await one.look()
        releases.trouble.status = 500
        await one.look()
        assert one.shown["latest_version"] == NEW.version


@pytest.mark.parametrize(
    ("firmware", "state", "install"),
    [
        ("OpenBL602 1.17.360 Dec 17 2023 09:13:22", "unknown", False),
        ("OpenLN882H 1.17.360 Dec 17 2023 09:13:22", "on", False),
        ("OpenBK7231N main_0123456789ab Dec 17 2023 09:13:22", "off", True),
        ("OpenBK7231N 1.99.1 Dec 17 2027 09:13:22", "off", True),
    ],
)
async def test_other_chips_are_told_and_own_builds_are_not_taken_for_older(
    hass: HomeAssistant,
    mosquitto: Broker,
    releases: ReleaseServer,
    firmware: str,
    state: str,
    install: bool,
) -> None:
    entry = socket_entry(firmware=firmware)
    await add_scripted_socket(hass, entry)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=61))
    await hass.async_block_till_done(wait_background_tasks=True)
    found = hass.states.get(UPDATE)
    assert found
    assert found.state == state
    features = found.attributes["supported_features"]
    assert bool(features & UpdateEntityFeature.INSTALL) is install
    await hass.config_entries.async_unload(entry.entry_id)
