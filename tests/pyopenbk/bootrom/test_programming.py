"""Programming: only what differs, in the safe order, proven, within its bounds."""

import asyncio
from functools import cache
import random

import pytest

from custom_components.openbk.pyopenbk.beken.flash_map import (
    NOTHING,
    OutsideAllowanceError,
    Region,
    WriteAllowance,
)
from custom_components.openbk.pyopenbk.bootrom.chip import LinkedChip
from custom_components.openbk.pyopenbk.bootrom.errors import (
    BootRomError,
    CrcMismatchError,
    LinkLostError,
    PortUnavailableError,
    ProtectedFlashError,
)
from custom_components.openbk.pyopenbk.bootrom.programming import ProgramReport
from simulator.bootrom import Timings
from simulator.chip import SimulatedSocket, simulated_chip
from simulator.commands import Command
from simulator.faults import REPLY_FAULTS, REQUEST_FAULTS, Fault, FaultName
from simulator.flash import Flash, Operation, OperationKind
from tests.support.flash_map import FLASH_JOB, RESTORE_KEEPING_RF, RESTORE_OF_OWN_BACKUP

from .rig import LASTING_FAULTS, Counted, factory_like, linked_chip

SECTOR = 0x1000
START = 0x11000
SIZE = 0x119000
BLANK = b"\xff" * SECTOR


@cache
def application(seed: int = 3) -> bytes:
    """Return an application with a blank part inside, as the linker leaves them."""
    image = bytearray(random.Random(seed).randbytes(SIZE))
    image[0x50000:0x68000] = b"\xff" * 0x18000
    return bytes(image)


def holds(socket: SimulatedSocket, data: bytes, start: int = START) -> bool:
    """Return whether the flash holds data, and around it what it held before."""
    content = socket.flash.content
    before = factory_like()
    end = start + len(data)
    return content == before[:start] + data + before[end:]


async def test_an_application_is_written_and_nothing_else(
    socket: SimulatedSocket, chip: LinkedChip
) -> None:
    data = application()
    report = await chip.program(START, data, allowance=FLASH_JOB, last=START)
    assert holds(socket, data)
    assert report == ProgramReport(
        sectors=281, equal=0, written=281 - 24, blank=24, repaired=0
    )
    assert socket.flash.counts.refused == 0


async def test_blocks_are_erased_whole_where_that_pays(
    socket: SimulatedSocket, chip: LinkedChip
) -> None:
    await chip.program(START, application(), allowance=FLASH_JOB, last=START)
    assert socket.flash.counts.erased_64k == 16
    assert socket.flash.counts.erased_4k == 15 + 10


async def test_the_same_again_touches_nothing(
    socket: SimulatedSocket, chip: LinkedChip, faults: Counted
) -> None:
    data = application()
    await chip.program(START, data, allowance=FLASH_JOB, last=START)
    operations = socket.flash.counts.operations
    faults.answers.clear()
    steps: list[tuple[int, int]] = []
    report = await chip.program(
        START,
        data,
        allowance=FLASH_JOB,
        last=START,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert report == ProgramReport(
        sectors=281, equal=281, written=0, blank=0, repaired=0
    )
    assert socket.flash.counts.operations == operations
    assert faults.answers[Command.CRC] <= 20
    assert steps[-1] == (SIZE, SIZE)


async def test_one_sector_that_differs_is_the_only_one_written(
    socket: SimulatedSocket, chip: LinkedChip
) -> None:
    data = bytearray(application())
    await chip.program(START, bytes(data), allowance=FLASH_JOB)
    written = socket.flash.counts.programmed_pages
    data[0x44444] ^= 0xFF
    report = await chip.program(START, bytes(data), allowance=FLASH_JOB)
    assert holds(socket, bytes(data))
    assert (report.written, report.equal) == (1, 280)
    assert socket.flash.counts.programmed_pages - written == 16


async def test_blank_flash_is_not_erased(
    socket: SimulatedSocket, chip: LinkedChip
) -> None:
    for sector in range(START, START + SIZE, SECTOR):
        socket.flash.rewrite(sector, BLANK)
    counts = socket.flash.counts
    erased = counts.erased_4k, counts.erased_64k
    data = application()
    await chip.program(START, data, allowance=FLASH_JOB, last=START)
    assert holds(socket, data)
    assert (counts.erased_4k, counts.erased_64k) == erased


async def test_a_part_sector_is_filled_with_ff(
    socket: SimulatedSocket, chip: LinkedChip
) -> None:
    data = random.Random(5).randbytes(SECTOR + 100)
    await chip.program(0x1D1000, data[:100], allowance=FLASH_JOB)
    assert holds(socket, data[:100] + BLANK[100:], 0x1D1000)


async def test_progress_only_grows_and_ends_with_all(
    socket: SimulatedSocket, chip: LinkedChip
) -> None:
    steps: list[tuple[int, int]] = []
    await chip.program(
        START,
        application(),
        allowance=FLASH_JOB,
        last=START,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert steps == sorted(steps)
    assert steps[-1] == (SIZE, SIZE)
    assert len(steps) > 200


# The order


async def test_the_last_sector_is_erased_first_and_written_last(
    socket: SimulatedSocket, chip: LinkedChip
) -> None:
    operations: list[Operation] = []
    watcher = socket.flash.watcher

    def watch(operation: Operation) -> None:
        if operation.kind is not OperationKind.STATUS:
            operations.append(operation)
        if watcher is not None:
            watcher(operation)

    socket.flash.watcher = watch
    last = 0x47000
    await chip.program(START, application(), allowance=FLASH_JOB, last=last)
    assert holds(socket, application())
    assert (operations[0].kind, operations[0].address) == (OperationKind.ERASE, last)
    written = [
        operation.address // SECTOR * SECTOR
        for operation in operations
        if operation.kind is OperationKind.PROGRAM
    ]
    assert written[-16:] == [last] * 16
    assert last not in written[:-16]


@pytest.mark.parametrize("operation", [1, 2, 3, 40, 301, 4127])
async def test_half_an_application_never_starts_and_is_finished_by_the_same_call(
    operation: int,
) -> None:
    old, new = factory_like(), application()
    flash = Flash(old)
    async with simulated_chip(flash, timings=Timings(silence=0.1)) as socket:
        socket.inject(Fault(name=FaultName.POWER_LOST, operation=operation))
        async with linked_chip(socket, patience=0.1) as chip:
            with pytest.raises(LinkLostError):
                await chip.program(START, new, allowance=FLASH_JOB, last=START)
        first = flash.read(START, SECTOR)
        unharmed = old[START : START + SECTOR], new[:SECTOR]
        assert (
            flash.read(START, SIZE)
            in (
                old[START : START + SIZE],
                new,
            )
            or first not in unharmed
        )
        socket.power(on=True)
        async with linked_chip(socket) as chip:
            report = await chip.program(START, new, allowance=FLASH_JOB, last=START)
        assert holds(socket, new)
        # A block of 16 sectors, and what was not written when the power went.
        assert report.equal >= operation // 16 - 33


async def test_a_chip_that_was_reset_on_the_way_is_caught_and_finished() -> None:
    flash = Flash(factory_like())
    async with (
        simulated_chip(flash, timings=Timings(silence=0.1)) as socket,
        linked_chip(socket) as chip,
    ):
        socket.inject(
            Fault(
                name=FaultName.POWER_LOST,
                command=Command.WRITE_4K,
                nth=50,
                seconds=0.05,
            )
        )
        await chip.program(START, application(), allowance=FLASH_JOB, last=START)
        assert holds(socket, application())
        assert socket.resets == 2
        assert chip.link.baudrate == 2_000_000


async def test_a_cancelled_write_is_finished_by_the_same_call(
    socket: SimulatedSocket,
) -> None:
    data = application()
    for seconds in (0.01, 0.02, 0.03, 0.05):
        async with linked_chip(socket) as chip:
            task = asyncio.create_task(
                chip.program(START, data, allowance=FLASH_JOB, last=START)
            )
            await asyncio.sleep(seconds)
            task.cancel()
            await asyncio.wait([task])
    async with linked_chip(socket) as chip:
        await chip.program(START, data, allowance=FLASH_JOB, last=START)
    assert holds(socket, data)


# Bounds


@pytest.mark.parametrize(
    ("start", "length", "allowance"),
    [
        (0x10000, 0x2000, FLASH_JOB),
        (0x129000, 0x2000, FLASH_JOB),
        (0x1D0000, 0x1000, FLASH_JOB),
        (0x1D0000, 0x2000, FLASH_JOB),
        (0x1D1000, 0x2000, FLASH_JOB),
        (0x1CF000, 0x3000, RESTORE_KEEPING_RF),
        (0x11000, 0x1000, NOTHING),
    ],
)
async def test_what_is_not_allowed_is_refused_before_anything_is_touched(
    socket: SimulatedSocket,
    chip: LinkedChip,
    faults: Counted,
    start: int,
    length: int,
    allowance: WriteAllowance,
) -> None:
    faults.answers.clear()
    with pytest.raises(OutsideAllowanceError):
        await chip.program(start, bytes(length), allowance=allowance)
    with pytest.raises(OutsideAllowanceError):
        await chip.erase(start, length, allowance=allowance)
    assert not faults.answers
    assert socket.flash.content == factory_like()


@pytest.mark.parametrize(
    ("start", "length", "last"),
    [
        (0x1FF000, 0x2000, None),
        (-0x1000, 0x1000, None),
        (0x11800, 0x1000, None),
        (0x11000, 0, None),
        (0x11000, 0x1000, 0x12000),
        (0x11000, 0x1000, 0x11800),
    ],
)
async def test_what_makes_no_sense_is_refused(
    chip: LinkedChip, start: int, length: int, last: int | None
) -> None:
    with pytest.raises((ValueError, OutsideAllowanceError)):
        await chip.program(
            start, bytes(length), allowance=RESTORE_OF_OWN_BACKUP, last=last
        )


async def test_no_block_is_erased_that_is_not_wholly_allowed(
    socket: SimulatedSocket, chip: LinkedChip
) -> None:
    allowance = WriteAllowance(
        (Region("a", 0x20000, 0x28000), Region("b", 0x28000, 0x30000))
    )
    data = random.Random(9).randbytes(0x10000)
    await chip.program(0x20000, data, allowance=allowance)
    assert holds(socket, data, 0x20000)
    assert socket.flash.counts.erased_64k == 0


async def test_no_block_is_erased_that_is_not_wholly_written(
    socket: SimulatedSocket, chip: LinkedChip
) -> None:
    data = random.Random(9).randbytes(0xF000)
    await chip.program(0x20000, data, allowance=FLASH_JOB)
    assert holds(socket, data, 0x20000)
    assert socket.flash.counts.erased_64k == 0


async def test_a_range_is_erased(socket: SimulatedSocket, chip: LinkedChip) -> None:
    await chip.erase(0x1E000, 0x33000, allowance=FLASH_JOB)
    assert holds(socket, b"\xff" * 0x33000, 0x1E000)
    operations = socket.flash.counts.operations
    await chip.erase(0x1E000, 0x33000, allowance=FLASH_JOB)
    assert socket.flash.counts.operations == operations


async def test_a_whole_backup_is_restored(
    chip: LinkedChip, socket: SimulatedSocket
) -> None:
    backup = random.Random(11).randbytes(0x200000)
    await chip.program(0, backup, allowance=RESTORE_OF_OWN_BACKUP)
    assert socket.flash.content == backup


# What the flash may do


async def test_flash_that_stays_protected_is_told() -> None:
    flash = Flash(factory_like(), status=0x8000, protection_mask=0x8000)
    async with simulated_chip(flash) as socket, linked_chip(socket) as chip:
        with pytest.raises(ProtectedFlashError):
            await chip.program(START, application(), allowance=FLASH_JOB, last=START)
        with pytest.raises(ProtectedFlashError):
            await chip.program(0x1D1000, bytes(SECTOR), allowance=FLASH_JOB)
        with pytest.raises(ProtectedFlashError):
            await chip.erase(START, SECTOR, allowance=FLASH_JOB)
        assert holds(socket, b"")


async def test_blank_protected_flash_is_told() -> None:
    flash = Flash(status=0x8000, protection_mask=0x8000)
    async with simulated_chip(flash) as socket, linked_chip(socket) as chip:
        with pytest.raises(ProtectedFlashError):
            await chip.program(START, application(), allowance=FLASH_JOB, last=START)


async def test_nothing_is_touched_while_the_last_sector_cannot_be_erased(
    socket: SimulatedSocket, chip: LinkedChip
) -> None:
    socket.inject(Fault(name=FaultName.WORN_SECTOR, value=f"{START:x}"))
    with pytest.raises(ProtectedFlashError):
        await chip.program(START, application(), allowance=FLASH_JOB, last=START)
    assert holds(socket, b"")


@pytest.mark.parametrize("worn", [START + 0x5000, 0x123000])
async def test_a_worn_sector_is_named(
    socket: SimulatedSocket, chip: LinkedChip, worn: int
) -> None:
    socket.inject(Fault(name=FaultName.WORN_SECTOR, value=f"{worn:x}"))
    with pytest.raises(CrcMismatchError) as caught:
        await chip.program(START, application(), allowance=FLASH_JOB, last=START)
    assert caught.value.start == worn


# What may happen on the way

ONE_FAULT = (
    (Command.WRITE_4K, 3, 2000, 100),
    (Command.ERASE, 1, 7, 1),
    (Command.CRC, 2, 2, 1),
)


@pytest.mark.parametrize(
    "name", sorted((REPLY_FAULTS | REQUEST_FAULTS) - LASTING_FAULTS)
)
async def test_no_single_fault_changes_what_is_written(
    socket: SimulatedSocket, chip: LinkedChip, name: FaultName
) -> None:
    for seed, (command, nth, byte, count) in enumerate(ONE_FAULT):
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
        data = application(seed)[:0x2F000]
        await chip.program(START, data, allowance=FLASH_JOB, last=START)
        assert holds(socket, data)
    assert socket.faults.pending == ()


@pytest.mark.parametrize("nth", [1, 30, 100])
async def test_nothing_can_start_that_a_stray_write_has_spoilt(
    socket: SimulatedSocket, chip: LinkedChip, nth: int
) -> None:
    """Let a write go to a sector that was proven before, and watch the order."""
    states: list[tuple[bytes, bytes]] = []
    data = application()
    watcher = socket.flash.watcher

    def watch(operation: Operation) -> None:
        if operation.kind is OperationKind.PROGRAM and operation.address == START:
            content = socket.flash.content
            states.append((content[START + SECTOR : START + SIZE], operation.data))
        if watcher is not None:
            watcher(operation)

    socket.flash.watcher = watch
    socket.inject(
        Fault(name=FaultName.REQUEST_FLIPPED, command=Command.WRITE_4K, nth=nth, byte=9)
    )
    await chip.program(START, data, allowance=FLASH_JOB, last=START)
    assert socket.flash.read(START, SIZE) == data
    assert states
    assert all(rest == data[SECTOR:] for rest, _ in states)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (
            Fault(name=FaultName.HANG, command=Command.WRITE_4K, nth=20),
            LinkLostError,
        ),
        (
            Fault(
                name=FaultName.UNPLUGGED, command=Command.WRITE_4K, nth=20, byte=2000
            ),
            PortUnavailableError,
        ),
        (
            Fault(
                name=FaultName.POWER_LOST, command=Command.WRITE_4K, nth=20, byte=2000
            ),
            LinkLostError,
        ),
    ],
)
async def test_what_cannot_be_gone_on_with_ends_with_its_own_error(
    socket: SimulatedSocket, chip: LinkedChip, fault: Fault, error: type[BootRomError]
) -> None:
    socket.inject(fault)
    with pytest.raises(error):
        await asyncio.wait_for(
            chip.program(START, application(), allowance=FLASH_JOB, last=START), 15
        )
    assert socket.flash.read(START, SECTOR) == BLANK
