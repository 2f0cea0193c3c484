"""Every fault can be asked for by name, and does what its name says."""

import asyncio
import random

import pytest

from simulator.boot import Running
from simulator.bootrom import Timings
from simulator.chip import simulated_chip
from simulator.commands import Command
from simulator.faults import (
    REPLY_FAULTS,
    REQUEST_FAULTS,
    Fault,
    FaultName,
    Faults,
    seeded_faults,
)
from simulator.flash import SIZE, Operation, OperationKind, PowerLostError
from tests.simulator.host import (
    LINK_CHECK,
    LINK_REPLY,
    Host,
    crc,
    erase,
    read_4k,
    set_baudrate,
    write_4k,
)

CONTENT = random.Random(1).randbytes(SIZE)
SECTOR = CONTENT[0x1000:0x2000]
ANSWER = bytes.fromhex("040EFF01E0FCF40610090000100000") + SECTOR


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(name=FaultName.REPLY_DROPPED), b""),
        (Fault(name=FaultName.REPLY_TWICE), ANSWER * 2),
        (Fault(name=FaultName.REPLY_CUT, byte=1000), ANSWER[:1000]),
        (
            Fault(name=FaultName.REPLY_FLIPPED, byte=20),
            ANSWER[:20] + bytes((ANSWER[20] ^ 0xFF,)) + ANSWER[21:],
        ),
        (
            Fault(name=FaultName.REPLY_LOST, byte=2000, count=100),
            ANSWER[:2000] + ANSWER[2100:],
        ),
        (
            Fault(name=FaultName.REPLY_LOST, byte=-1),
            ANSWER[:-1],
        ),
        (
            Fault(name=FaultName.REPLY_DOUBLED, byte=7, count=2),
            ANSWER[:9] + ANSWER[7:],
        ),
        (Fault(name=FaultName.STALE_LINK_REPLIES, count=3), LINK_REPLY * 3 + ANSWER),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else "",
)
async def test_a_reply_is_harmed(fault: Fault, expected: bytes) -> None:
    async with simulated_chip(CONTENT) as chip, Host(chip.path) as host:
        await host.link()
        chip.inject(fault)
        assert await host.ask(read_4k(0x1000), 9000, timeout=0.2) == expected
        assert await host.ask(read_4k(0x1000), 4111) == ANSWER
        assert chip.faults.pending == ()


async def test_the_command_and_its_number_choose_the_reply() -> None:
    async with simulated_chip(CONTENT) as chip, Host(chip.path) as host:
        await host.link()
        chip.inject(
            Fault(name=FaultName.REPLY_DROPPED, command=Command.READ_4K, nth=3, times=2)
        )
        answers = []
        for _ in range(6):
            assert await host.ask(LINK_CHECK, 8) == LINK_REPLY
            answers.append(len(await host.ask(read_4k(0), 4111, timeout=0.3)))
        assert answers == [4111, 4111, 0, 0, 4111, 4111]


@pytest.mark.parametrize(
    ("name", "before"), [(FaultName.REPLY_LATE, 0), (FaultName.REPLY_STALLED, 300)]
)
async def test_a_reply_keeps_the_host_waiting(name: FaultName, before: int) -> None:
    async with simulated_chip(CONTENT) as chip, Host(chip.path) as host:
        await host.link()
        chip.inject(Fault(name=name, byte=300, seconds=0.3))
        first = await host.ask(read_4k(0x1000), 4111, timeout=0.1)
        assert first == ANSWER[:before]
        assert first + await host.read(4111 - before) == ANSWER


async def test_two_faults_strike_the_same_reply() -> None:
    async with simulated_chip(CONTENT) as chip, Host(chip.path) as host:
        await host.link()
        chip.inject(Fault(name=FaultName.REPLY_FLIPPED, byte=100, count=2))
        chip.inject(Fault(name=FaultName.REPLY_LOST, byte=101))
        flipped = bytes((ANSWER[100] ^ 0xFF,))
        assert (
            await host.ask(read_4k(0x1000), 4111, timeout=0.2)
            == ANSWER[:100] + flipped + ANSWER[102:]
        )


async def test_a_command_is_lost() -> None:
    async with simulated_chip(CONTENT) as chip, Host(chip.path) as host:
        await host.link()
        chip.inject(Fault(name=FaultName.REQUEST_DROPPED, command=Command.SET_BAUDRATE))
        assert await host.ask(set_baudrate(921600), 12, timeout=0.2) == b""
        assert chip.uart.baudrate == 115200
        assert len(await host.ask(set_baudrate(921600), 12)) == 12


@pytest.mark.parametrize("split", [5000, 700, 3])
async def test_a_byte_of_a_write_is_harmed_on_its_way(split: int) -> None:
    async with simulated_chip(CONTENT) as chip, Host(chip.path) as host:
        await host.link()
        await host.ask(erase(0x3000), 16)
        chip.inject(
            Fault(name=FaultName.REQUEST_FLIPPED, command=Command.WRITE_4K, byte=1012)
        )
        frame = LINK_CHECK + write_4k(0x3000, SECTOR)
        for start in range(0, len(frame), split):
            host.write(frame[start : start + split])
            await asyncio.sleep(0)
        assert len(await host.read(23)) == 23
        harmed = bytearray(SECTOR)
        harmed[1000] ^= 0xFF
        assert chip.flash.read(0x3000, 4096) == harmed


async def test_lost_bytes_of_a_write_leave_the_chip_waiting() -> None:
    async with (
        simulated_chip(CONTENT, timings=Timings(silence=0.2)) as chip,
        Host(chip.path) as host,
    ):
        await host.link()
        await host.ask(erase(0x3000), 16)
        chip.inject(Fault(name=FaultName.REQUEST_LOST, byte=2000, count=100))
        answer = await host.ask(write_4k(0x3000, SECTOR), 15)
        assert answer.hex().endswith("0705" + "00300000")
        assert await host.ask(LINK_CHECK, 8) == LINK_REPLY


@pytest.mark.parametrize(("byte", "pages"), [(0, 0), (12 + 255, 1), (12 + 1000, 3)])
async def test_power_lost_in_a_write_leaves_whole_pages(byte: int, pages: int) -> None:
    async with simulated_chip(CONTENT) as chip, Host(chip.path) as host:
        await host.link()
        await host.ask(erase(0x3000), 16)
        chip.inject(Fault(name=FaultName.POWER_LOST, byte=byte, seconds=0.1))
        assert await host.ask(write_4k(0x3000, SECTOR), 15, timeout=0.3) == b""
        written = SECTOR[: pages * 256].ljust(4096, b"\xff")
        assert chip.flash.read(0x3000, 4096) == written
        assert chip.powered
        assert await host.ask(LINK_CHECK, 8) == LINK_REPLY
        assert chip.resets == 2


async def test_power_lost_at_an_operation_tears_it() -> None:
    async with simulated_chip(CONTENT) as chip, Host(chip.path) as host:
        await host.link()
        chip.inject(Fault(name=FaultName.POWER_LOST, operation=3))
        await host.ask(erase(0x3000), 16)
        assert await host.ask(write_4k(0x3000, bytes(4096)), 15, timeout=0.2) == b""
        assert chip.flash.read(0x3000, 4096) == bytes(256 + 128).ljust(4096, b"\xff")
        assert not chip.powered
        assert await host.ask(LINK_CHECK, 8, timeout=0.2) == b""
        chip.power(on=True)
        assert await host.ask(LINK_CHECK, 8) == LINK_REPLY


async def test_a_chip_that_hangs_needs_a_reset() -> None:
    async with simulated_chip(CONTENT) as chip, Host(chip.path) as host:
        await host.link()
        chip.inject(Fault(name=FaultName.HANG, command=Command.ERASE, nth=2))
        assert len(await host.ask(erase(0), 16)) == 16
        assert await host.ask(erase(0x1000), 16, timeout=0.2) == b""
        assert chip.flash.read(0x1000, 4096) == SECTOR
        assert await host.ask(LINK_CHECK, 8, timeout=0.2) == b""
        chip.reset()
        assert await host.ask(LINK_CHECK, 8) == LINK_REPLY


async def test_a_patient_person_resets_a_chip_that_hangs() -> None:
    async with simulated_chip(CONTENT, auto_reset=0.05) as chip:
        async with Host(chip.path) as host, asyncio.timeout(10):
            await host.link()
            chip.inject(Fault(name=FaultName.HANG, command=Command.ERASE))
            await host.ask(erase(0), 16, timeout=0.05)
            await host.link()
        assert chip.resets == 2


@pytest.mark.parametrize(
    ("fault", "heard"),
    [
        (Fault(name=FaultName.UNPLUGGED, byte=5, seconds=0.1), 0),
        (Fault(name=FaultName.UNPLUGGED_IN_REPLY, byte=999, seconds=0.1), 1000),
    ],
)
async def test_the_adapter_is_pulled_and_put_back(fault: Fault, heard: int) -> None:
    async with simulated_chip(CONTENT) as chip:
        async with Host(chip.path) as host:
            await host.link()
            chip.inject(fault)
            host.write(read_4k(0x1000))
            await host.read(5000, timeout=1)
            assert host.error is not None
        async with asyncio.timeout(5):
            while not chip.uart.port.plugged:
                await asyncio.sleep(0.01)
        async with Host(chip.path) as host:
            assert await host.ask(read_4k(0x1000), 4111) == ANSWER
        assert chip.resets == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [(FaultName.ECHO, LINK_CHECK), (FaultName.DISCONNECTED, b"")],
)
async def test_wrong_wires_answer_wrongly(name: FaultName, expected: bytes) -> None:
    async with simulated_chip(CONTENT) as chip, Host(chip.path) as host:
        chip.inject(Fault(name=name, seconds=1.0))
        assert await host.ask(LINK_CHECK, 8, timeout=0.3) == expected
        await asyncio.sleep(1)
        assert await host.ask(LINK_CHECK, 8) == LINK_REPLY


async def test_the_log_of_the_other_uart_can_be_heard() -> None:
    async with simulated_chip(CONTENT) as chip, Host(chip.path) as host:
        chip.inject(Fault(name=FaultName.BOOT_LOG))
        assert b"V:BK7231N" in await host.read(100)
        chip.clear(FaultName.BOOT_LOG)
        await host.link()


async def test_noise_has_no_meaning() -> None:
    async with simulated_chip(CONTENT) as chip, Host(chip.path) as host:
        chip.inject(Fault(name=FaultName.NOISE, count=2000, seconds=0.5))
        noise = await host.read(200)
        assert len(set(noise)) > 20
        await host.link()


@pytest.mark.parametrize(
    ("fault", "right"),
    [
        (Fault(name=FaultName.BAUDRATE_LIMIT, baudrate=460800), False),
        (Fault(name=FaultName.BIT_ERRORS, baudrate=460800, count=500), False),
        (Fault(name=FaultName.BAUDRATE_LIMIT, baudrate=921600), True),
    ],
)
async def test_an_adapter_cannot_do_every_rate(fault: Fault, right: bool) -> None:
    async with simulated_chip(CONTENT) as chip, Host(chip.path) as host:
        await host.link()
        chip.inject(fault)
        assert await host.ask(read_4k(0x1000), 4111) == ANSWER
        host.set_baudrate(921600)
        chip.uart.baudrate = 921600
        answers = [await host.ask(read_4k(0x1000), 4111, timeout=0.5) for _ in range(3)]
        assert (answers == [ANSWER] * 3) is right


@pytest.mark.parametrize(
    ("fault", "request_", "reply"),
    [
        (
            Fault(name=FaultName.FLASH_UNREACHABLE),
            "01E0FCFFF405000E9F000000",
            "040EFF01E0FCF406000E00A5000000",
        ),
        (
            Fault(name=FaultName.FLASH_ID, value="AABB15"),
            "01E0FCFFF405000E9F000000",
            "040EFF01E0FCF406000E00A5AABB15",
        ),
        (
            Fault(name=FaultName.FLASH_UNREACHABLE),
            crc(0, 4095).hex(),
            "040E0801E0FC10EEFFE338",
        ),
    ],
)
async def test_the_flash_can_be_odd(fault: Fault, request_: str, reply: str) -> None:
    async with simulated_chip(CONTENT) as chip, Host(chip.path) as host:
        await host.link()
        chip.inject(fault)
        expected = bytes.fromhex(reply)
        assert await host.ask(bytes.fromhex(request_), len(expected)) == expected
        chip.clear()
        assert await host.ask(read_4k(0x1000), 4111) == ANSWER


async def test_a_worn_sector_does_not_erase() -> None:
    async with simulated_chip(bytes(SIZE)) as chip, Host(chip.path) as host:
        await host.link()
        chip.inject(Fault(name=FaultName.WORN_SECTOR, value="2000"))
        await host.ask(erase(0, 0xD8), 16)
        assert chip.flash.read(0x1FFF, 2) == b"\xff\x00"


def test_faults_come_as_json() -> None:
    fault = Fault.from_dict({"name": "reply_cut", "command": "read_4k", "byte": 7})
    assert fault == Fault(name=FaultName.REPLY_CUT, command=Command.READ_4K, byte=7)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"name": "rain"},
        {"name": "noise", "command": "x"},
        {"name": "noise", "x": 1},
        {"name": "noise", "seconds": "long"},
        {"name": "flash_id", "value": 15},
    ],
)
def test_what_is_no_fault_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Fault.from_dict(values)


def test_a_seed_gives_the_same_faults_again_and_all_kinds_in_time() -> None:
    assert seeded_faults(7) == seeded_faults(7)
    names = {fault.name for seed in range(300) for fault in seeded_faults(seed)}
    assert names == REPLY_FAULTS | REQUEST_FAULTS


def test_operations_are_counted_from_when_the_fault_was_added() -> None:
    faults = Faults()
    operation = Operation(OperationKind.ERASE, 0, 4096)
    faults.operation(operation)
    faults.add(Fault(name=FaultName.POWER_LOST, operation=2))
    faults.operation(operation)
    with pytest.raises(PowerLostError):
        faults.operation(operation)
    faults.operation(operation)


async def test_no_seeded_pair_leaves_the_chip_unusable() -> None:
    """Whatever a pair does to a session, after a reset the chip answers again."""
    for seed in range(15):
        async with simulated_chip(CONTENT, timings=Timings(silence=0.02)) as chip:
            for fault in seeded_faults(seed):
                chip.inject(fault)
            async with Host(chip.path) as host:
                for _ in range(3):
                    for frame in (
                        LINK_CHECK,
                        crc(0, 4095),
                        read_4k(0),
                        erase(0),
                        write_4k(0, SECTOR),
                    ):
                        if host.error is None:
                            await host.ask(frame, 1 << 20, timeout=0.005)
            chip.clear()
            chip.plug()
            chip.power(on=True)
            chip.reset()
            async with Host(chip.path) as host:
                await host.link()
                assert chip.running is Running.ROM
