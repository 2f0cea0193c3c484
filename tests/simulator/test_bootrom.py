"""The simulated boot ROM answers byte for byte as facts/bootrom-uart.md has it."""

import asyncio
from collections.abc import Callable
from typing import Any
import zlib

import pytest

from simulator.bootrom import BootRom, Timings
from simulator.faults import Fault, FaultName, Faults
from simulator.flash import SIZE, Flash

LINK_CHECK = bytes.fromhex("01E0FC0100")
LINK_REPLY = bytes.fromhex("040E0501E0FC0100")


class Wire:
    """Hold what the ROM sends and hand it what the host sends."""

    def __init__(self, flash: Flash | None = None, **options: Any) -> None:
        self.baudrate = 115200
        self.sent: list[tuple[int, bytes]] = []
        self.woken = asyncio.Event()
        self.restarts = 0
        self.flash = flash or Flash(bytes(range(256)) * (SIZE // 256))
        self.rom = BootRom(self.flash, self, restart=self._restart, **options)
        self._unread = b""

    def _restart(self) -> None:
        self.restarts += 1
        self.rom.stop()

    def send(self, data: bytes, at: float) -> float:
        self.sent.append((self.baudrate, data))
        return at

    def wake(self) -> None:
        self._read()
        self.woken.set()

    def write(self, data: bytes) -> bytes:
        """Write as the host; return what comes back."""
        self.sent.clear()
        self._unread += data
        self._read()
        return self.answers

    def _read(self) -> None:
        while self._unread:
            used = self.rom.receive(self._unread, lambda count: 0.0)
            self._unread = self._unread[used:]
            if not used:
                return

    @property
    def answers(self) -> bytes:
        return b"".join(data for _, data in self.sent)


@pytest.fixture
async def wire() -> Wire:
    """Return a ROM that is linked."""
    wire = Wire()
    wire.write(LINK_CHECK)
    return wire


def sector(number: int) -> bytes:
    return bytes([number]) * 4096


WRITE_4K = bytes.fromhex("01E0FCFFF405100700100100")

# Request and reply, as sections 3.1 to 3.8 print them.
EXCHANGES = {
    "link check": ("01E0FC0100", "040E0501E0FC0100"),
    "write register": (
        "01E0FC0901740080 0001010000",
        "040E0C01E0FC01740080 0001010000",
    ),
    "chip id": ("01E0FC050300008000", "040E0C01E0FC03000080001C230700"),
    "reboot with wrong magic": ("01E0FC020E11", "040E0501E0FC0E11"),
    "stay": ("01E0FC02AA55", "040E0501E0FCAA55"),
    "unknown short command": ("01E0FC0111", "040E0501E0FC1107"),
    "reset of older chips": ("01E0FC05FE95279527", "040E0501E0FCFE07"),
    "unknown long command": ("01E0FCFFF4010055", "040EFF01E0FCF402005507"),
    "erase 4K": ("01E0FCFFF406000F2000100100", "040EFF01E0FCF407000F002000100100"),
    "erase 64K": ("01E0FCFFF406000FD800000200", "040EFF01E0FCF407000F00D800000200"),
    "erase 4K (0B)": ("01E0FCFFF405000B00100100", "040EFF01E0FCF406000B0000100100"),
    "read SR1": ("01E0FCFFF402000C05", "040EFF01E0FCF404000C000504"),
    "read SR2": ("01E0FCFFF402000C35", "040EFF01E0FCF404000C003540"),
    "write SR, 1 byte": ("01E0FCFFF403000D0100", "040EFF01E0FCF404000D000100"),
    "write SR, 2 bytes": ("01E0FCFFF404000D010000", "040EFF01E0FCF405000D00010000"),
    "erase chip": ("01E0FCFFF402000A05", "040EFF01E0FCF403000A0005"),
}


@pytest.mark.parametrize("name", EXCHANGES)
async def test_replies_are_those_of_the_facts(name: str) -> None:
    wire = Wire(Flash(status=0x4004))
    wire.write(LINK_CHECK)
    request, reply = (bytes.fromhex(text) for text in EXCHANGES[name])
    assert wire.write(request) == reply


async def test_the_flash_id_comes_with_a_junk_byte(wire: Wire) -> None:
    answer = wire.write(bytes.fromhex("01E0FCFFF405000E9F000000"))
    assert answer.hex().startswith("040eff01e0fcf406000e00")
    assert answer[12:] == bytes.fromhex("EB6015")
    assert len(answer) == 15


@pytest.mark.parametrize("split", [1, 2, 3, 5, 7])
async def test_frames_arrive_in_any_split(wire: Wire, split: int) -> None:
    stream = LINK_CHECK + bytes.fromhex("01E0FC050300008000") + LINK_CHECK
    answers = b""
    for start in range(0, len(stream), split):
        answers += wire.write(stream[start : start + split])
    assert answers == LINK_REPLY + bytes.fromhex(EXCHANGES["chip id"][1]) + LINK_REPLY


async def test_junk_between_frames_is_skipped(wire: Wire) -> None:
    assert wire.write(b"reboot\r\n\x01\x01\xe0" + LINK_CHECK) == LINK_REPLY
    assert wire.write(bytes.fromhex("01E0FC00") + LINK_CHECK) == LINK_REPLY
    assert wire.write(bytes.fromhex("01E0FCFFAA") + LINK_CHECK) == LINK_REPLY


@pytest.mark.parametrize("address", [0x11000, 0x11000 + SIZE, 0x11234])
async def test_reads_wrap_and_echo_the_address_as_sent(
    wire: Wire, address: int
) -> None:
    echo = address.to_bytes(4, "little")
    answer = wire.write(bytes.fromhex("01E0FCFFF4050009") + echo)
    assert answer[:15] == bytes.fromhex("040EFF01E0FCF406100900") + echo
    assert answer[15:] == wire.flash.read(address, 4096)


@pytest.mark.parametrize("split", [1, 100, 256, 300, 5000])
async def test_a_4k_write_programs_page_by_page_as_data_arrives(split: int) -> None:
    wire = Wire(Flash())
    wire.write(LINK_CHECK)
    frame, answers = WRITE_4K + sector(0x5A), b""
    for start in range(0, len(frame), split):
        answers += wire.write(frame[start : start + split])
        programmed = max(0, min(start + split, len(frame)) - 12) // 256 * 256
        assert wire.flash.read(0x11000, 4096) == (
            b"\x5a" * programmed + b"\xff" * (4096 - programmed)
        )
    assert answers == bytes.fromhex("040EFF01E0FCF40600070000100100")


async def test_a_short_write_counts_modulo_256(wire: Wire) -> None:
    wire.flash.erase(0x11000)
    head = bytes.fromhex("01E0FCFFF4150006 00100100")
    assert wire.write(head + bytes(16)).hex() == (
        "040eff01e0fcf407000600" + "00100100" + "10"
    )
    head = bytes.fromhex("01E0FCFFF4050106 00100100")
    assert wire.write(head + bytes(256))[-1] == 0
    assert wire.flash.read(0x11000, 257) == bytes(256) + b"\xff"


@pytest.mark.parametrize(("start", "end"), [(0x11000, 0x11FFF), (0, 256), (5, 5)])
async def test_the_crc_includes_its_end_and_is_not_inverted(
    wire: Wire, start: int, end: int
) -> None:
    span = start.to_bytes(4, "little") + end.to_bytes(4, "little")
    answer = wire.write(bytes.fromhex("01E0FC0910") + span)
    expected = zlib.crc32(wire.flash.read(start, end - start + 1)) ^ 0xFFFFFFFF
    assert answer == bytes.fromhex("040E0801E0FC10") + expected.to_bytes(4, "little")


async def test_the_crc_of_a_blank_sector_is_that_of_the_facts() -> None:
    wire = Wire(Flash())
    wire.write(LINK_CHECK)
    answer = wire.write(bytes.fromhex("01E0FC0910 00100100 FF1F0100"))
    assert answer.hex() == "040e0801e0fc10f598ab0e"


async def test_the_rate_changes_before_the_reply(wire: Wire) -> None:
    reply = bytes.fromhex("040E0901E0FC0F00100E0014")
    assert wire.write(bytes.fromhex("01E0FC060F00100E0014")) == reply
    assert wire.sent == [(921600, reply)]


async def test_the_code_key_is_read_from_the_efuse_byte_by_byte() -> None:
    key = (0x510FB093, 0xA3CBEADC, 0x5993A17E, 0xC7ADEB03)
    wire = Wire(code_key=key)
    wire.write(LINK_CHECK)

    def register(address: int) -> int:
        answer = wire.write(bytes.fromhex("01E0FC0503") + address.to_bytes(4, "little"))
        return int.from_bytes(answer[11:], "little")

    cells = b""
    for number in range(16):
        control = register(0x00800074) & ~0x1F02 | number << 8 | 1
        wire.write(bytes.fromhex("01E0FC0901 74008000") + control.to_bytes(4, "little"))
        assert register(0x00800074) & 1
        assert not register(0x00800074) & 1
        value = register(0x00800078)
        assert value & 0x100
        cells += bytes((value & 0xFF,))
    assert cells == b"".join(word.to_bytes(4, "little") for word in key)


async def test_protected_flash_acknowledges_and_does_nothing() -> None:
    wire = Wire(Flash(bytes(SIZE), status=0x4004, status_write_seconds=0))
    wire.write(LINK_CHECK)
    erase = bytes.fromhex(EXCHANGES["erase 4K"][0])
    assert wire.write(erase) == bytes.fromhex(EXCHANGES["erase 4K"][1])
    assert wire.flash.read(0x11000, 1) == b"\x00"
    wire.write(bytes.fromhex("01E0FCFFF404000D010000"))
    wire.write(erase)
    assert wire.flash.read(0x11000, 1) == b"\xff"


async def test_the_status_shows_a_write_in_progress() -> None:
    wire = Wire(Flash(status=0x4204, status_write_seconds=60))
    wire.write(LINK_CHECK)
    wire.write(bytes.fromhex("01E0FCFFF404000D010002"))
    assert wire.write(bytes.fromhex("01E0FCFFF402000C05"))[-1] == 0x01
    assert wire.write(bytes.fromhex("01E0FCFFF402000C35"))[-1] == 0x02


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        ("01E0FCFFF4090007 00100100 00000000", "06000704 00100100"),
        ("01E0FCFFF4060009 00100100 00", "06000904 00100100"),
    ],
)
async def test_4k_commands_insist_on_their_length(
    wire: Wire, request_: str, reply: str
) -> None:
    answer = wire.write(bytes.fromhex(request_))
    assert answer == bytes.fromhex("040EFF01E0FCF4" + reply)
    assert wire.flash.counts.operations == 0


async def test_before_the_link_check_nothing_is_answered() -> None:
    wire = Wire(Flash())
    assert wire.write(bytes.fromhex("01E0FC050300008000")) == b""
    assert wire.write(WRITE_4K + sector(0)) == b""
    assert wire.flash.counts.operations == 0
    assert not wire.rom.linked
    assert wire.write(bytes.fromhex("01E0FC02AA55")) == bytes.fromhex(
        "040E0501E0FCAA55"
    )
    assert wire.rom.linked


@pytest.mark.parametrize("request_", ["01E0FC020EA5", "01E0FC05705345414E"])
async def test_a_reboot_has_no_reply(wire: Wire, request_: str) -> None:
    assert wire.write(bytes.fromhex(request_) + LINK_CHECK) == b""
    assert wire.restarts == 1


@pytest.mark.parametrize(
    ("half", "reply"),
    [
        (WRITE_4K + bytes(1000), "040EFF01E0FCF4060007 05 00100100"),
        (WRITE_4K, "040EFF01E0FCF4060007 05 00100100"),
        (bytes.fromhex("01E0FCFFF406000F20"), "040EFF01E0FCF402000F05"),
        (bytes.fromhex("01E0FC0910 0010"), "040E0901E0FC05 07 0910 0010"),
    ],
)
async def test_half_a_frame_and_silence_end_in_status_5(
    half: bytes, reply: str
) -> None:
    wire = Wire(Flash(), timings=Timings(silence=0.05))
    wire.write(LINK_CHECK)
    assert wire.write(half) == b""
    async with asyncio.timeout(5):
        await wire.woken.wait()
    assert wire.answers == bytes.fromhex(reply)
    assert wire.write(LINK_CHECK) == LINK_REPLY
    complete_pages = max(0, len(half) - 12) // 256 * 256
    expected = bytes(complete_pages).ljust(4096, b"\xff")
    assert wire.flash.read(0x11000, 4096) == expected


@pytest.mark.parametrize(
    ("timings", "request_", "seconds"),
    [
        (Timings(erase_4k=0.04), "01E0FCFFF406000F2000100100", 0.04),
        (Timings(erase_64k=0.3), "01E0FCFFF406000FD800000200", 0.3),
        (Timings(read_4k=0.01), "01E0FCFFF405000900100100", 0.01),
        (Timings(crc_bytes_per_second=4096), "01E0FC091000100100FF1F0100", 1.0),
        (Timings(), "01E0FC060F00100E0014", 0.02),
    ],
)
async def test_operations_take_their_time(
    timings: Timings, request_: str, seconds: float
) -> None:
    wire = Wire(timings=timings)
    wire.write(LINK_CHECK)
    wire.write(bytes.fromhex(request_))
    assert wire.rom.busy_until == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("name", "value", "request_", "check"),
    [
        (
            FaultName.CHIP_ID,
            "7238",
            "01E0FC050300008000",
            lambda reply: reply[11:] == bytes.fromhex("38720000"),
        ),
        (
            FaultName.CODE_KEY,
            "00000000 00000000 00000000 00000000",
            "01E0FC050378008000",
            lambda reply: reply[11:] == bytes.fromhex("00010000"),
        ),
    ],
)
async def test_a_chip_can_be_another_one(
    name: FaultName, value: str, request_: str, check: Callable[[bytes], bool]
) -> None:
    faults = Faults()
    faults.add(Fault(name=name, value=value))
    wire = Wire(faults=faults)
    wire.write(LINK_CHECK)
    assert check(wire.write(bytes.fromhex(request_)))
