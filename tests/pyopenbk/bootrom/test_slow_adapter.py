"""Adapters that hold replies back for long, and link checks that push these out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
import random
import time

import pytest

from custom_components.openbk.pyopenbk.bootrom.chip import LinkedChip
from simulator import images
from simulator.bootrom import Timings
from simulator.chip import SimulatedSocket, simulated_chip
from simulator.chips import Chip
from simulator.commands import Command
from simulator.faults import REPLY_FAULTS, REQUEST_FAULTS, Fault, FaultName
from simulator.flash import Flash
from simulator.uart import LineOptions
from tests.support.flash_map import RESTORE_OF_OWN_BACKUP

from .rig import LASTING_FAULTS, PROTECTED, Counted, factory_like, linked_chip

SECTOR = 0x1000
START = 0x1C000
SIZE = 0x14000
SLOW = LineOptions.realistic(latency=0.016)


@asynccontextmanager
async def slow_chip(
    line: LineOptions = SLOW, kind: Chip = Chip.BK7231N, faults: Counted | None = None
) -> AsyncIterator[tuple[SimulatedSocket, LinkedChip]]:
    """Run a chip behind an adapter that nobody told to be quick; its times are those of a real one."""
    content = factory_like()
    if kind is Chip.BK7231T:
        content = images.qio(images.Build(chip=kind)).ljust(len(content), b"\xff")
    flash = Flash(content, status=PROTECTED)
    timings = Timings.realistic()
    async with (
        simulated_chip(
            flash, line=line, timings=timings, chip=kind, faults=faults
        ) as socket,
        linked_chip(socket, patience=1) as chip,
    ):
        yield socket, chip


async def write(socket: SimulatedSocket, chip: LinkedChip, seed: int = 1) -> float:
    """Write something, look at all of the flash, and return the seconds that it took."""
    before = socket.flash.content
    data = random.Random(seed).randbytes(SIZE)
    began = time.monotonic()
    await chip.program(START, data, allowance=RESTORE_OF_OWN_BACKUP, last=START)
    seconds = time.monotonic() - began
    assert socket.flash.content == before[:START] + data + before[START + SIZE :]
    return seconds


async def test_a_change_does_not_wait_for_the_adapter() -> None:
    async with slow_chip(replace(SLOW, latency=0.001)) as (socket, chip):
        quick = await write(socket, chip)
    async with slow_chip() as (socket, chip):
        slow = await write(socket, chip)
    # All that still waits are a few checksums, behind which nothing may be sent.
    changes = SIZE // SECTOR
    assert slow - quick < changes * 0.016 / 2


async def test_a_quick_adapter_is_sent_nothing_but_what_is_asked() -> None:
    faults = Counted()
    async with slow_chip(replace(SLOW, latency=0.001), faults=faults) as (socket, chip):
        faults.answers.clear()
        await write(socket, chip)
    # One ahead of each checksum.
    assert faults.answers[Command.LINK_CHECK] <= faults.answers[Command.CRC] + 3


async def test_a_loader_that_waits_for_ever_is_sent_nothing_behind_a_change() -> None:
    faults = Counted()
    async with slow_chip(kind=Chip.BK7231T, faults=faults) as (socket, chip):
        faults.answers.clear()
        await write(socket, chip)
    changes = faults.answers[Command.WRITE_4K] + faults.answers[Command.ERASE]
    assert changes > SIZE // SECTOR
    assert faults.answers[Command.LINK_CHECK] < changes + faults.answers[Command.CRC]


@pytest.mark.parametrize("room", [29, 12, 5, 0])
async def test_a_chip_that_hears_little_while_it_programs_is_left_in_peace(
    room: int,
) -> None:
    async with slow_chip(replace(SLOW, receive_fifo=room)) as (socket, chip):
        await write(socket, chip)
        failures = chip.link.failures
        await write(socket, chip, seed=2)
        assert chip.link.failures == failures
        assert chip.link.stray_changes == []


@pytest.mark.parametrize(
    "name", sorted((REPLY_FAULTS | REQUEST_FAULTS) - LASTING_FAULTS)
)
async def test_no_single_fault_changes_what_is_written(name: FaultName) -> None:
    async with slow_chip() as (socket, chip):
        for seed, (command, nth, byte) in enumerate(
            (
                (Command.WRITE_4K, 3, 2000),
                (Command.LINK_CHECK, 20, 3),
                (Command.ERASE, 2, 7),
            )
        ):
            fault = Fault(name=name, command=command, nth=nth, byte=byte, seconds=0.1)
            socket.inject(fault)
            await write(socket, chip, seed)
        assert socket.faults.pending == ()
