"""What a socket is set to is read, shown without secrets, compared and put back by commands."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector
from custom_components.openbk.pyopenbk.obk.console import Console
from custom_components.openbk.pyopenbk.obk.snapshot import (
    Snapshot,
    SnapshotError,
    put_snapshot_back,
    take_snapshot,
)
from custom_components.openbk.pyopenbk.roles import PinRole
from simulator.openbeken.release import Release
from tests.pyopenbk.obk.served import console_of, served
from tests.support.broker import Broker
from tests.support.simulated import configuration
from tests.support.sockets import BLOW

NOWHERE = Broker(port=1)


async def soon(seconds: float) -> None:
    """Wait as long as a socket does that runs fifty times as fast."""
    await asyncio.sleep(seconds / 50)


def config(**changes: Any) -> ConfigSector:
    return configuration(NOWHERE, **changes)


async def change_everything(console: Console) -> None:
    for line in (
        "SetFlag 2 1",
        "SetFlag 10 0",
        "SetPinRole 8 LED",
        "SetPinRole 26 None",
        "SetPinRole 9 Btn",
        "SetPinChannel 11 3 4",
        "SetChannelType 1 Dimmer",
        "SetStartValue 1 1",
        "SetStartValue 5 7",
    ):
        await console.command(line)
    await console.set_startup_command("echo another")


async def test_everything_that_commands_change_is_put_back() -> None:
    types = (0, 6, *[0] * 62)
    async with served(config(flags=1 << 10, channel_types=types)) as plugged:
        console = console_of(plugged)
        before = plugged.firmware.settings.values
        kept = await take_snapshot(console)
        await change_everything(console)
        await soon(2)
        difference = kept.difference(await take_snapshot(console))
        assert "- SetFlag 2 1" in difference.restorable
        assert "+ SetFlag 10 1" in difference.restorable
        assert "+ SetChannelType 1 Toggle" in difference.restorable
        assert "- SetPinRole 9 Btn" in difference.restorable
        assert "- SetPinChannel 11 3 4" in difference.restorable
        assert "-   echo another" not in difference.restorable
        assert "- echo another" in difference.restorable
        assert difference.lasting == ()
        after = await put_snapshot_back(console, kept, soon)
        assert after == kept
        values = plugged.firmware.settings.values
        assert replace(values, change_counter=before.change_counter) == before


async def test_second_channels_that_an_older_release_does_not_tell_stay() -> None:
    """/api/pins has them since 1.17.473 (rest_interface.c): after an update they would seem new."""
    pins = [
        replace(pin, channel2=4) if pin.role is PinRole.BTN else pin
        for pin in BLOW.pins
    ]
    profile = BLOW.with_pins(pins)
    socket = configuration(NOWHERE, profile)
    async with served(socket, Release(version="1.17.472")) as plugged:
        kept = await take_snapshot(console_of(plugged))
        assert kept.profile.pins == profile.pins
    async with served(socket) as plugged:
        now = await take_snapshot(console_of(plugged))
        assert not [*kept.commands(now)]


async def test_what_commands_cannot_put_back_is_named() -> None:
    async with served(config(startup_command="MqttPassword hidden")) as plugged:
        console = console_of(plugged)
        kept = await take_snapshot(console)
        assert "hidden" not in kept.text
        await console.set_startup_command("echo other")
        plugged.firmware.settings.change(
            mqtt_client_id="renamed", calibration=(0.5, 0.1, 0.2, 0, 0, 0, 0, 0)
        )
        plugged.firmware.settings.save()
        difference = kept.difference(await take_snapshot(console))
        assert difference.restorable == ()
        assert "- MqttClient renamed" in difference.lasting
        assert "- Voltage factor 0.5" in difference.lasting
        # With what was left out of it, nothing is stored.
        await put_snapshot_back(console, kept, soon)
        assert plugged.firmware.settings.values.startup_command == "echo other"


async def test_a_type_without_a_name_is_left_alone() -> None:
    types = (0, 40, *[0] * 62)
    async with served(config(channel_types=types)) as plugged:
        console = console_of(plugged)
        kept = await take_snapshot(console)
        assert "SetChannelType 1 40\n" in kept.text
        await console.command("SetChannelType 1 Default")
        await soon(2)
        now = await take_snapshot(console)
        assert "+ SetChannelType 1 40" in kept.difference(now).lasting
        assert [*kept.commands(now)] == []


async def test_settings_of_another_socket_change_nothing() -> None:
    async with served(config(flags=1 << 10)) as plugged:
        console = console_of(plugged)
        kept = await take_snapshot(console)
        other = replace(
            kept, identity={**kept.identity, "MAC": "c8:47:8c:00:00:99"}, flags=0
        )
        with pytest.raises(SnapshotError):
            await put_snapshot_back(console, other, soon)
        assert plugged.firmware.settings.values.flags == 1 << 10


async def test_it_is_stored_and_read_again() -> None:
    async with served(config(calibration=(0.5, 0.1, 0.2, 0, 0, 0, 0, 0))) as plugged:
        kept = await take_snapshot(console_of(plugged))
    assert Snapshot.from_dict(kept.as_dict()) == kept
    for damaged in (
        {},
        {**kept.as_dict(), "identity": {}},
        {**kept.as_dict(), "flags": "many"},
        {**kept.as_dict(), "profile": {}},
        {**kept.as_dict(), "start_values": []},
    ):
        with pytest.raises(SnapshotError):
            Snapshot.from_dict(damaged)
