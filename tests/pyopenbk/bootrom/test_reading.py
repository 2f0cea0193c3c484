"""Reading: proven bytes, blank ones not transferred, damaged ones read again."""

import asyncio
import random

import pytest

from custom_components.openbk.pyopenbk.bootrom.chip import LinkedChip
from custom_components.openbk.pyopenbk.bootrom.errors import (
    CrcMismatchError,
    LinkLostError,
    NoReplyError,
    PortTrouble,
    PortUnavailableError,
)
from simulator.bootrom import Timings
from simulator.chip import SimulatedSocket, simulated_chip
from simulator.commands import Command
from simulator.faults import REPLY_FAULTS, REQUEST_FAULTS, Fault, FaultName
from simulator.flash import SIZE, Flash
from simulator.uart import LineOptions

from .rig import LASTING_FAULTS, Counted, factory_like, linked_chip

SECTOR = 0x1000


async def test_all_of_the_flash_is_read(
    socket: SimulatedSocket, chip: LinkedChip
) -> None:
    assert await chip.read(0, SIZE) == socket.flash.content
    assert chip.link.failures == 0


@pytest.mark.parametrize(
    ("start", "length"), [(0, SECTOR), (0x11000, 0x119000), (0x1FF000, SECTOR)]
)
async def test_a_part_of_the_flash_is_read(
    socket: SimulatedSocket, chip: LinkedChip, start: int, length: int
) -> None:
    assert await chip.read(start, length) == socket.flash.read(start, length)


@pytest.mark.parametrize(("start", "length"), [(1, SECTOR), (0, 100), (0x800, SECTOR)])
async def test_only_whole_sectors_are_read(
    chip: LinkedChip, start: int, length: int
) -> None:
    with pytest.raises(ValueError, match="whole sectors"):
        await chip.read(start, length)


async def test_blank_flash_is_not_transferred(
    socket: SimulatedSocket, chip: LinkedChip, faults: Counted
) -> None:
    faults.answers.clear()
    await chip.read(0, SIZE)
    content = socket.flash.content
    sectors = [content[at : at + SECTOR] for at in range(0, SIZE, SECTOR)]
    needed = sum(sector != b"\xff" * SECTOR for sector in sectors)
    assert needed <= faults.answers[Command.READ_4K] <= needed + 16
    assert faults.answers[Command.CRC] < len(sectors) / 4


async def test_a_blank_flash_takes_a_few_questions(faults: Counted) -> None:
    async with simulated_chip(faults=faults) as socket, linked_chip(socket) as chip:
        faults.answers.clear()
        assert await chip.read(0, SIZE) == b"\xff" * SIZE
        assert faults.answers[Command.READ_4K] == 0
        assert faults.answers[Command.CRC] <= 130


@pytest.mark.parametrize("seed", range(5))
async def test_scattered_gaps_are_read_right(seed: int) -> None:
    chooser = random.Random(seed)
    content = bytearray(chooser.randbytes(SIZE))
    for at in range(0, SIZE, SECTOR):
        if chooser.random() < seed / 5:
            content[at : at + SECTOR] = b"\xff" * SECTOR
    async with (
        simulated_chip(bytes(content)) as socket,
        linked_chip(socket) as chip,
    ):
        assert await chip.read(0, SIZE) == content


async def test_parts_are_handed_out_proven_and_in_order(
    socket: SimulatedSocket, chip: LinkedChip
) -> None:
    parts: list[tuple[int, bytes]] = []
    steps: list[tuple[int, int]] = []
    length = 0x180000
    await chip.read(
        0x10000,
        length,
        progress=lambda done, total: steps.append((done, total)),
        verified=lambda start, data: parts.append((start, data)),
    )
    whole = b"".join(data for _, data in parts)
    assert whole == socket.flash.read(0x10000, length)
    position = 0x10000
    for start, data in parts:
        assert start == position
        position += len(data)
    assert max(len(data) for _, data in parts) <= 0x20000
    assert steps == sorted(steps)
    assert steps[-1] == (length, length)
    assert len(steps) > 200


async def test_what_was_handed_out_survives_a_lost_chip(
    socket: SimulatedSocket, chip: LinkedChip
) -> None:
    parts: list[tuple[int, bytes]] = []
    socket.inject(Fault(name=FaultName.HANG, command=Command.READ_4K, nth=100))
    with pytest.raises(LinkLostError):
        await chip.read(
            0, SIZE, verified=lambda start, data: parts.append((start, data))
        )
    whole = b"".join(data for _, data in parts)
    assert len(whole) > 0x50000
    assert whole == socket.flash.read(0, len(whole))


ONE_FAULT = (
    (Command.READ_4K, 3, 2000, 100),
    (Command.READ_4K, 1, 7, 1),
    (Command.CRC, 2, 2, 1),
    (Command.LINK_CHECK, 2, 3, 1),
)


@pytest.mark.parametrize(
    "name", sorted((REPLY_FAULTS | REQUEST_FAULTS) - LASTING_FAULTS)
)
async def test_no_single_fault_changes_what_is_read(
    socket: SimulatedSocket, chip: LinkedChip, name: FaultName
) -> None:
    for command, nth, byte, count in ONE_FAULT:
        socket.inject(
            Fault(
                name=name,
                command=command,
                nth=nth,
                byte=byte,
                count=count,
                seconds=0.1,
            )
        )
        assert await chip.read(0, 0x20000) == socket.flash.read(0, 0x20000)
    assert socket.faults.pending == ()
    assert chip.link.sends_ahead


async def test_a_chip_that_hashes_for_ever_is_lost(
    socket: SimulatedSocket, chip: LinkedChip
) -> None:
    # What a damaged start address beyond the end does to the loaders of its siblings.
    socket.inject(Fault(name=FaultName.REQUEST_FLIPPED, command=Command.CRC, byte=8))
    with pytest.raises(LinkLostError):
        await asyncio.wait_for(chip.read(0, SIZE), 10)


async def test_only_what_was_damaged_is_read_again(
    socket: SimulatedSocket, chip: LinkedChip, faults: Counted
) -> None:
    faults.answers.clear()
    await chip.read(0, 0x40000)
    undisturbed = faults.answers[Command.READ_4K]
    faults.answers.clear()
    for nth in (5, 20):
        socket.inject(
            Fault(
                name=FaultName.REPLY_FLIPPED,
                command=Command.READ_4K,
                nth=nth,
                byte=1000,
            )
        )
    assert await chip.read(0, 0x40000) == socket.flash.read(0, 0x40000)
    assert 2 <= faults.answers[Command.READ_4K] - undisturbed <= 6


async def test_a_line_that_gets_worse_is_read_at_a_lower_rate() -> None:
    flash = Flash(factory_like())
    line = LineOptions(baudrate_matters=True)
    async with (
        simulated_chip(flash, line=line, timings=Timings(silence=0.1)) as socket,
        linked_chip(socket) as chip,
    ):
        assert chip.link.baudrate == 2_000_000
        socket.inject(Fault(name=FaultName.BIT_ERRORS, baudrate=921_600, count=3000))
        assert await chip.read(0, 0x40000) == flash.read(0, 0x40000)
        assert chip.link.baudrate <= 921_600


async def test_a_sector_that_never_arrives_whole_is_named(
    socket: SimulatedSocket, chip: LinkedChip
) -> None:
    socket.inject(
        Fault(
            name=FaultName.REPLY_FLIPPED,
            command=Command.READ_4K,
            nth=3,
            times=0,
            byte=99,
        )
    )
    with pytest.raises(CrcMismatchError) as caught:
        await chip.read(0x20000, 0x10000)
    assert 0x20000 <= caught.value.start < 0x30000
    assert caught.value.length == SECTOR


async def test_reads_that_are_never_answered_end(
    socket: SimulatedSocket, chip: LinkedChip
) -> None:
    socket.inject(
        Fault(name=FaultName.REPLY_DROPPED, command=Command.READ_4K, nth=3, times=0)
    )
    with pytest.raises(NoReplyError):
        await chip.read(0x20000, 0x10000)


async def test_an_adapter_pulled_while_reading(
    socket: SimulatedSocket, chip: LinkedChip
) -> None:
    socket.inject(
        Fault(
            name=FaultName.UNPLUGGED_IN_REPLY,
            command=Command.READ_4K,
            nth=20,
            byte=2000,
        )
    )
    with pytest.raises(PortUnavailableError) as caught:
        await chip.read(0, SIZE)
    assert caught.value.reason is PortTrouble.UNPLUGGED


async def test_power_lost_while_reading(
    socket: SimulatedSocket, chip: LinkedChip
) -> None:
    socket.inject(Fault(name=FaultName.POWER_LOST, command=Command.READ_4K, nth=20))
    with pytest.raises(LinkLostError):
        await asyncio.wait_for(chip.read(0, SIZE), 10)
