"""A loader that lies in the flash, BK7231T's: its rules, and that nothing ever harms it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import random

import pytest

from custom_components.openbk.pyopenbk.beken.chips import BK7231T
from custom_components.openbk.pyopenbk.beken.flash_map import (
    OutsideAllowanceError,
    Region,
    WriteAllowance,
)
from custom_components.openbk.pyopenbk.bootrom import frames
from custom_components.openbk.pyopenbk.bootrom.chip import LinkedChip
from custom_components.openbk.pyopenbk.bootrom.errors import LinkLostError
from custom_components.openbk.pyopenbk.bootrom.frames import EraseSize, Request
from custom_components.openbk.pyopenbk.bootrom.link import open_link
from simulator import images
from simulator.chip import SimulatedSocket, simulated_chip
from simulator.chips import Chip as SocketChip
from simulator.commands import Command
from simulator.faults import Fault, FaultName
from simulator.flash import Flash, Operation, OperationKind
from tests.support.waiting import until

START = BK7231T.flash.application.start
BOOTLOADER = slice(0, START)
CONTENT = images.qio(images.Build(chip="BK7231T")).ljust(BK7231T.flash.size, b"\xff")
NEW = random.Random(5).randbytes(0x3000)
ALLOWANCE = BK7231T.flash.flash_job
EVERYTHING = WriteAllowance((Region("flash", 0, 0x400000),))
# All but the address: what a byte that is lost there does, nothing on our side can help.
WRITE_FRAME = (*range(8), 12, 13, 300, 4107)
ERASE_FRAME = range(13)


@asynccontextmanager
async def linked() -> AsyncIterator[tuple[SimulatedSocket, LinkedChip]]:
    """Run a BK7231T that is linked and identified; time-outs are a fifth of what they would be."""
    async with (
        simulated_chip(Flash(CONTENT), chip=SocketChip.BK7231T) as socket,
        open_link(socket.path, patience=0.2) as link,
    ):
        assert (await link.search(5)).linked
        await link.set_baudrate(460_800)
        yield socket, await LinkedChip.identify(link)


def watch(socket: SimulatedSocket) -> list[Operation]:
    """Return what will be done to the flash, in its order."""
    operations: list[Operation] = []
    act = socket.flash.watcher
    assert act is not None

    def note(operation: Operation) -> None:
        operations.append(operation)
        act(operation)

    socket.flash.watcher = note
    return operations


async def test_it_is_known_by_what_it_answers() -> None:
    async with linked() as (socket, chip):
        identity = chip.identity
        assert identity.chip is BK7231T
        assert (identity.chip_id, identity.code_key, identity.jedec) == (
            None,
            None,
            b"",
        )
        assert identity.flash_size == 0x200000
        # Above 115200 as well: a rate proves itself though the first sector is refused.
        assert identity.baudrate == 460_800
        assert socket.flash.counts.operations == 0


async def test_all_of_it_is_read() -> None:
    """Its bootloader, too, which it gives away only 2 MiB further on."""
    async with linked() as (_, chip):
        assert await chip.read(0, 0x20000) == CONTENT[:0x20000]
        assert await chip.read(0x1FF000, 0x1000) == CONTENT[0x1FF000:]


async def test_what_was_written_is_there_although_each_crc_closes_the_flash() -> None:
    async with linked() as (socket, chip):
        for data in (NEW, NEW[::-1]):
            report = await chip.program(START, data, allowance=ALLOWANCE, last=START)
            assert report.written == 3
            # What it acknowledged and did not do would have been written again.
            assert report.repaired == 0
            assert socket.flash.content[START : START + len(data)] == data
        await chip.erase(START, 0x3000, allowance=ALLOWANCE)
        # Nothing needs to be erased here, which would have opened the flash.
        await chip.program(START, NEW, allowance=ALLOWANCE)
        assert socket.flash.content[START : START + len(NEW)] == NEW
        assert socket.flash.counts.refused == 0
        assert socket.flash.content[BOOTLOADER] == CONTENT[BOOTLOADER]


@pytest.mark.parametrize(
    "request_",
    [
        frames.erase(0x10000, EraseSize.SECTOR),
        frames.erase(0x0F000, EraseSize.SECTOR),
        frames.erase(0x10000, EraseSize.BLOCK),
        frames.erase(0x200000, EraseSize.SECTOR),
        frames.write_sector(0x10000, b"\0" * 0x1000),
        frames.write_sector(0x03000, b"\0" * 0x1000),
        frames.write_sector(0x203000, b"\0" * 0x1000),
        frames.erase_nothing(0x10000),
    ],
    ids=str,
)
async def test_the_link_itself_keeps_off_the_bootloader(request_: Request) -> None:
    """Whatever leave somebody gives to it, and under the addresses behind the end, too."""
    async with linked() as (socket, chip):
        with pytest.raises(OutsideAllowanceError):
            chip.link.send(request_, EVERYTHING)
        with pytest.raises(OutsideAllowanceError):
            await chip.erase(0xF000, 0x2000, allowance=EVERYTHING)
        assert socket.flash.content == CONTENT


async def test_nothing_is_changed_on_a_chip_that_is_not_known() -> None:
    async with linked() as (socket, chip):
        assert (await chip.link.search(5)).linked
        with pytest.raises(OutsideAllowanceError):
            chip.link.send(frames.erase(START, EraseSize.SECTOR), EVERYTHING)
        assert socket.flash.content == CONTENT


@pytest.mark.parametrize(
    ("command", "byte"),
    [
        *((Command.WRITE_4K, byte) for byte in WRITE_FRAME),
        *((Command.ERASE, byte) for byte in ERASE_FRAME),
    ],
)
async def test_a_byte_lost_on_its_way_never_reaches_the_bootloader(
    command: Command, byte: int
) -> None:
    """The bytes behind it come to mean something else, and those of the next frame follow them."""
    async with linked() as (socket, chip):
        operations = watch(socket)
        socket.inject(Fault(name=FaultName.REQUEST_LOST, command=command, byte=byte))
        await chip.program(START, NEW, allowance=ALLOWANCE, last=START)
        assert socket.flash.content[START : START + len(NEW)] == NEW
        assert socket.flash.content[BOOTLOADER] == CONTENT[BOOTLOADER]
        assert frames.LINK_CHECK_BYTES[:3] not in b"".join(
            operation.data
            for operation in operations
            if operation.kind is OperationKind.PROGRAM
        )


@pytest.mark.parametrize("searches", [True, False])
async def test_a_write_that_is_broken_off_is_filled_up_before_anything_is_sent(
    searches: bool,
) -> None:
    """Link checks would be programmed else: it waits for its 4096 bytes for ever.

    The next one may be that of a new search, or one that keeps the chip awake.
    """
    async with linked() as (socket, chip):
        operations = watch(socket)
        socket.inject(
            Fault(
                name=FaultName.REQUEST_LOST,
                command=Command.WRITE_4K,
                byte=1000,
                count=3000,
            )
        )
        writing = asyncio.create_task(chip.program(START, NEW, allowance=ALLOWANCE))
        await until(lambda: any(op.kind is OperationKind.PROGRAM for op in operations))
        writing.cancel()
        await asyncio.wait({writing})
        if searches:
            assert (await chip.link.search(5)).linked
            chip = await LinkedChip.identify(chip.link)
        else:
            await chip.link.touch()
        await chip.program(START, NEW, allowance=ALLOWANCE)
        assert socket.flash.content[START : START + len(NEW)] == NEW
        programmed = b"".join(
            op.data for op in operations if op.kind is OperationKind.PROGRAM
        )
        assert frames.LINK_CHECK_BYTES[:3] not in programmed


async def test_a_write_that_is_broken_off_is_filled_up_when_the_port_is_closed() -> (
    None
):
    """The next one to open it cannot know of it."""
    async with simulated_chip(Flash(CONTENT), chip=SocketChip.BK7231T) as socket:
        operations = watch(socket)
        for attempt in range(2):
            async with open_link(socket.path, patience=0.2) as link:
                assert (await link.search(5)).linked
                chip = await LinkedChip.identify(link)
                if attempt:
                    await chip.program(START, NEW, allowance=ALLOWANCE)
                    continue
                socket.inject(
                    Fault(
                        name=FaultName.REQUEST_LOST,
                        command=Command.WRITE_4K,
                        byte=1000,
                        count=3000,
                    )
                )
                writing = asyncio.create_task(
                    chip.program(START, NEW, allowance=ALLOWANCE)
                )
                await until(
                    lambda: any(op.kind is OperationKind.PROGRAM for op in operations)
                )
                writing.cancel()
                await asyncio.wait({writing})
        assert socket.flash.content[START : START + len(NEW)] == NEW
        programmed = b"".join(
            op.data for op in operations if op.kind is OperationKind.PROGRAM
        )
        assert frames.LINK_CHECK_BYTES[:3] not in programmed


@pytest.mark.parametrize("byte", [6, 8, 9, 12])
async def test_a_byte_lost_of_a_crc_ends_with_the_truth(byte: int) -> None:
    """The loader may count for ever then, until somebody resets it."""
    async with linked() as (socket, chip):
        socket.inject(
            Fault(name=FaultName.REQUEST_LOST, command=Command.CRC, byte=byte)
        )
        try:
            assert await chip.read(START, 0x1000) == CONTENT[START : START + 0x1000]
        except LinkLostError:
            assert not chip.link.linked
        assert socket.flash.content == CONTENT
