"""A simulated BK7231T behaves as its vendor's code does in emulation."""

import asyncio
import io
import random
import zlib

from bk7231tools.serial import BK7231Serial
from bk7231tools.serial.base.enums import BkProtocolType
import pytest

from simulator.boot import Running
from simulator.chip import simulated_chip
from simulator.chips import Chip
from simulator.code_memory import encipher, to_records
from simulator.flash import SIZE, Flash
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

RANDOM = random.Random(1)
BOOTLOADER = to_records(
    encipher(bytes.fromhex("480B00EA") + RANDOM.randbytes(0xFFFC), 0)
)
CONTENT = BOOTLOADER + RANDOM.randbytes(SIZE - 0x11000)
SECTOR = RANDOM.randbytes(4096)


async def test_only_what_it_knows_is_answered() -> None:
    async with (
        simulated_chip(CONTENT, chip=Chip.BK7231T) as chip,
        Host(chip.path) as host,
    ):
        await host.link()
        flash_id = bytes.fromhex("01E0FCFFF405000E9F000000")
        registers = bytes.fromhex("01E0FC050300008000")
        assert await host.ask(flash_id + registers, 1, timeout=0.1) == b""
        version = await host.ask(bytes.fromhex("01E0FC0111"), 23)
        assert version[:7].hex() == "040e1401e0fc11"
        assert version[7:] == b"BK7231S_1.0.5\0\0\0"


@pytest.mark.parametrize("end", [0x113FE, 0x113FF, 0x11400])
async def test_the_crc_takes_whole_pages_and_locks_the_flash(end: int) -> None:
    async with (
        simulated_chip(CONTENT, chip=Chip.BK7231T) as chip,
        Host(chip.path) as host,
    ):
        await host.link()
        # The link check is used up by this erase.
        await host.ask(erase(0x20000), 16)
        answer = await host.ask(crc(0x11000, end), 11)
        pages = 0x300 if end == 0x113FE else 0x400
        raw = zlib.crc32(CONTENT[0x11000 : 0x11000 + pages]) ^ 0xFFFFFFFF
        assert answer[7:] == raw.to_bytes(4, "little")
        await host.ask(erase(0x11000), 16)
        assert chip.flash.read(0x11000, 16) == CONTENT[0x11000:0x11010]
        await host.ask(LINK_CHECK, 8)
        await host.ask(write_4k(0x11000, bytes(4096)), 15)
        assert chip.flash.read(0x11000, 16) == CONTENT[0x11000:0x11010]
        await host.ask(erase(0x11000), 16)
        assert chip.flash.read(0x11000, 16) == b"\xff" * 16


async def test_the_bootloader_is_refused_at_its_own_address() -> None:
    async with (
        simulated_chip(CONTENT, chip=Chip.BK7231T) as chip,
        Host(chip.path) as host,
    ):
        await host.link()
        refused = await host.ask(read_4k(0x1000), 16)
        assert refused.hex() == "040eff01e0fcf407000906" + "00100000" + "00"
        assert (await host.ask(erase(0x1000), 16)).hex()[18:22] == "0f06"
        assert (await host.ask(erase(0x80011000), 16)).hex()[18:22] == "0f06"
        assert (await host.ask(erase(0x20000, 0x52), 16)).hex()[18:22] == "0f00"
        assert chip.flash.content == CONTENT
        odd = await host.ask(write_4k(0x1000, bytes(4096)), 15)
        assert odd.hex()[18:] == "0706" + "e0200000"
        assert chip.flash.content == CONTENT
        wrapped = await host.ask(read_4k(SIZE), 4111)
        assert wrapped[15:] == CONTENT[:4096]


async def test_a_half_frame_eats_what_follows() -> None:
    async with (
        simulated_chip(CONTENT, chip=Chip.BK7231T) as chip,
        Host(chip.path) as host,
    ):
        await host.link()
        await host.ask(erase(0x11000), 16)
        host.write(write_4k(0x11000, SECTOR)[:-5])
        assert await host.read(1, timeout=0.7) == b""
        assert len(await host.ask(LINK_CHECK, 15)) == 15
        written = SECTOR[:-5] + LINK_CHECK
        assert chip.flash.read(0x11000, 4096) == written
        assert await host.ask(LINK_CHECK, 8) == LINK_REPLY


async def test_resynchronisation_is_weak() -> None:
    async with (
        simulated_chip(CONTENT, chip=Chip.BK7231T) as chip,
        Host(chip.path) as host,
    ):
        await host.link()
        assert await host.ask(b"\x01" + LINK_CHECK, 8, timeout=0.1) == b""
        assert await host.ask(b"\x02" + LINK_CHECK, 8) == LINK_REPLY


async def test_a_crc_backwards_hangs_it_until_a_reset() -> None:
    async with (
        simulated_chip(CONTENT, chip=Chip.BK7231T) as chip,
        Host(chip.path) as host,
    ):
        await host.link()
        host.write(crc(0x2000, 0x1000))
        assert await host.ask(LINK_CHECK, 8, timeout=0.2) == b""
        chip.reset()
        assert await host.ask(LINK_CHECK, 8) == LINK_REPLY


async def test_the_rate_changes_after_whole_ticks() -> None:
    async with (
        simulated_chip(CONTENT, chip=Chip.BK7231T) as chip,
        Host(chip.path) as host,
    ):
        await host.link()
        assert await host.ask(set_baudrate(921600, 50), 12, timeout=0.08) == b""
        assert len(await host.read(12)) == 12


async def test_without_its_bootloader_it_is_dead() -> None:
    async with (
        simulated_chip(Flash(), chip=Chip.BK7231T) as chip,
        Host(chip.path) as host,
    ):
        assert await host.ask(LINK_CHECK, 8, timeout=0.2) == b""
        assert chip.running is Running.NOTHING


async def test_bk7231tools_reads_and_writes_it() -> None:
    async with simulated_chip(CONTENT, chip=Chip.BK7231T) as chip:

        def use() -> tuple[BkProtocolType, bytes]:
            device = BK7231Serial(chip.path, 921600, link_timeout=10)
            try:
                device.connect()
                for _ in device.program_flash(
                    io.BytesIO(SECTOR * 2), 8192, 0x11000, crc_check=True
                ):
                    pass
                return device.protocol_type, device.flash_read_bytes(0, 0x20000)
            finally:
                device.close()

        protocol, read = await asyncio.to_thread(use)
        assert protocol is BkProtocolType.BASIC_BEKEN
        assert read == BOOTLOADER + SECTOR * 2 + CONTENT[0x13000:0x20000]
