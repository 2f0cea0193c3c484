"""What is kept of a socket over an update is read as it was written, or refused as a whole."""

from dataclasses import replace
import json

import pytest

from custom_components.openbk.pyopenbk.obk.commands import energy_command
from custom_components.openbk.pyopenbk.obk.keepsake import (
    Keepsake,
    KeepsakeError,
    read_energy,
)
from custom_components.openbk.pyopenbk.obk.snapshot import Snapshot
from simulator.openbeken.release import Release
from tests.pyopenbk.obk.served import console_of, served
from tests.support.broker import Broker
from tests.support.simulated import configuration
from tests.support.sockets import BLOW, MAC
from tests.support.waiting import until

KEPT = Keepsake(
    settings=Snapshot(
        identity={"MAC": MAC},
        profile=BLOW,
        flags=1 << 10,
        channel_types=(0, 6),
        start_values={1: -1},
        startup_command="SetupWifi secret",
    ),
    version="1.18.300",
    channels={1: 1},
    energy=1234.5,
    files=b"LFS",
)


@pytest.mark.parametrize("energy", [1234.5, None])
def test_it_is_read_as_it_was_written(energy: float | None) -> None:
    kept = replace(KEPT, energy=energy)
    assert Keepsake.from_json(kept.as_json()) == kept


@pytest.mark.parametrize("energy", ["a lot", True, [], 1e999])
def test_an_energy_that_is_no_number_is_not_put_into_a_socket(energy: object) -> None:
    text = json.dumps(json.loads(KEPT.as_json()) | {"energy": energy})
    with pytest.raises(KeepsakeError):
        Keepsake.from_json(text)


@pytest.mark.parametrize("version", ["1.15.606", "1.17.751", "1.18.300"])
async def test_the_energy_of_every_release_is_read(version: str) -> None:
    """Status was no command before 1.17.752, and /api/cmnd told no answer before 1.15.607.

    ``cmd_tasmota.c`` and ``rest_interface.c`` of the tags around these.
    """
    config = configuration(Broker(port=1))
    async with served(config, Release(version=version)) as plugged:
        console = console_of(plugged)
        await until(lambda: plugged.firmware.energy)
        await console.command(energy_command(1234.5))
        counted = await read_energy(console)
        # It goes on counting, fifty times as fast.
        assert counted is not None
        assert 1234 <= counted < 1334


async def test_without_a_meter_there_is_no_energy() -> None:
    config = configuration(Broker(port=1), BLOW.with_pins(BLOW.relays))
    async with served(config) as plugged:
        assert await read_energy(console_of(plugged)) is None
