"""The frames are those of the facts and of bk7231tools, and damaged ones are stepped over."""

from collections.abc import Callable
import random

from bk7231tools.serial.base import EraseSize as TheirEraseSize, Packet, packets
from bk7231tools.serial.protocol import BK7231SerialProtocol
import pytest

from custom_components.openbk.pyopenbk.bootrom import frames
from custom_components.openbk.pyopenbk.bootrom.frames import (
    EraseSize,
    Frame,
    FrameParser,
    Request,
)

SECTOR = random.Random(1).randbytes(4096)

# Request, reply and value of the reply, as sections 3.1 to 3.8 of the facts print them.
EXCHANGES: dict[str, tuple[Request, str, str, object]] = {
    "link check": (frames.link_check(), "01E0FC0100", "040E0501E0FC0100", 0),
    "chip id": (
        frames.read_register(0x800000),
        "01E0FC050300008000",
        "040E0C01E0FC03000080001C230700",
        0x7231C,
    ),
    "write register": (
        frames.write_register(0x800074, 0x101),
        "01E0FC09017400800001010000",
        "040E0C01E0FC017400800001010000",
        None,
    ),
    "921600 baud": (
        frames.set_baudrate(921600, 20),
        "01E0FC060F00100E0014",
        "040E0901E0FC0F00100E0014",
        None,
    ),
    "CRC of an erased sector": (
        frames.check_crc(0x11000, 0x1000),
        "01E0FC091000100100FF1F0100",
        "040E0801E0FC10F598AB0E",
        0x0EAB98F5,
    ),
    "read": (
        frames.read_sector(0x11000),
        "01E0FCFFF405000900100100",
        "040EFF01E0FCF40610090000100100" + SECTOR.hex(),
        SECTOR,
    ),
    "write": (
        frames.write_sector(0x11000, SECTOR),
        "01E0FCFFF405100700100100" + SECTOR.hex(),
        "040EFF01E0FCF40600070000100100",
        None,
    ),
    "erase 4 KiB": (
        frames.erase(0x11000, EraseSize.SECTOR),
        "01E0FCFFF406000F2000100100",
        "040EFF01E0FCF407000F002000100100",
        None,
    ),
    "erase 64 KiB": (
        frames.erase(0x20000, EraseSize.BLOCK),
        "01E0FCFFF406000FD800000200",
        "040EFF01E0FCF407000F00D800000200",
        None,
    ),
    "first status register": (
        frames.read_status(0x05),
        "01E0FCFFF402000C05",
        "040EFF01E0FCF404000C000504",
        0x04,
    ),
    "write one status register": (
        frames.write_status(0, 1),
        "01E0FCFFF403000D0100",
        "040EFF01E0FCF404000D000100",
        None,
    ),
    "write both status registers": (
        frames.write_status(0, 2),
        "01E0FCFFF404000D010000",
        "040EFF01E0FCF405000D00010000",
        None,
    ),
    "flash id": (
        frames.read_flash_id(),
        "01E0FCFFF405000E9F000000",
        "040EFF01E0FCF406000E00A5EB6015",
        bytes.fromhex("EB6015"),
    ),
    "flash id without the junk byte": (
        frames.read_flash_id(),
        "01E0FCFFF405000E9F000000",
        "040EFF01E0FCF405000E00EB6015",
        bytes.fromhex("EB6015"),
    ),
}


def parse(data: bytes) -> list[Frame]:
    """Return all frames in what came in at once."""
    parser = FrameParser()
    parser.received += data
    found = []
    while (frame := parser.take()) is not None:
        found.append(frame)
    return found


@pytest.mark.parametrize("name", EXCHANGES)
def test_request_and_reply_are_those_of_the_facts(name: str) -> None:
    request, sent, answered, value = EXCHANGES[name]
    assert request.encode() == bytes.fromhex(sent)
    (frame,) = parse(bytes.fromhex(answered))
    reply = request.accept(frame)
    assert reply is not None
    assert reply.status == 0
    assert reply.values == (() if value is None else (value,))


@pytest.mark.parametrize("name", EXCHANGES)
def test_a_reply_answers_no_other_request(name: str) -> None:
    (frame,) = parse(bytes.fromhex(EXCHANGES[name][2]))
    for other, (request, *_) in EXCHANGES.items():
        same = request.payload == EXCHANGES[name][0].payload
        assert (request.accept(frame) is not None) == (other == name or same)


def test_reboot_is_not_answered() -> None:
    assert frames.reboot().encode() == bytes.fromhex("01E0FC020EA5")
    assert frames.reboot().reply_size == 0


OURS_AND_THEIRS: list[tuple[Callable[[int], Request], Callable[[int], Packet]]] = [
    (lambda n: frames.link_check(), lambda n: packets.BkLinkCheckCmnd()),
    (frames.read_register, packets.BkReadRegCmnd),
    (
        lambda n: frames.write_register(n, n >> 3),
        lambda n: packets.BkWriteRegCmnd(n, n >> 3),
    ),
    (
        lambda n: frames.set_baudrate(n, n % 200),
        lambda n: packets.BkSetBaudRateCmnd(n, n % 200),
    ),
    (
        lambda n: frames.check_crc(n, 4096),
        lambda n: packets.BkCheckCrcCmnd(n, n + 4095),
    ),
    (lambda n: frames.reboot(), lambda n: packets.BkRebootCmnd(0xA5)),
    (frames.read_sector, packets.BkFlashRead4KCmnd),
    (
        lambda n: frames.write_sector(n, SECTOR),
        lambda n: packets.BkFlashWrite4KCmnd(n, SECTOR),
    ),
    (
        lambda n: frames.erase(n, EraseSize.SECTOR),
        lambda n: packets.BkFlashEraseBlockCmnd(TheirEraseSize.SECTOR_4K, n),
    ),
    (
        lambda n: frames.erase(n & ~0xFFFF, EraseSize.BLOCK),
        lambda n: packets.BkFlashEraseBlockCmnd(TheirEraseSize.BLOCK_64K, n & ~0xFFFF),
    ),
    (
        lambda n: frames.read_status(0x35),
        lambda n: packets.BkFlashReg8ReadCmnd(0x35),
    ),
    (
        lambda n: frames.write_status(n >> 12 & 0xFF, 1),
        lambda n: packets.BkFlashReg8WriteCmnd(1, n >> 12 & 0xFF),
    ),
    (
        lambda n: frames.write_status(n >> 8 & 0xFFFF, 2),
        lambda n: packets.BkFlashReg16WriteCmnd(1, n >> 8 & 0xFFFF),
    ),
    (lambda n: frames.read_flash_id(), lambda n: packets.BkFlashReg24ReadCmnd(0x9F)),
]


@pytest.mark.parametrize(("ours", "theirs"), OURS_AND_THEIRS)
@pytest.mark.parametrize("number", [0x0, 0x11000, 0x1FF000, 0xABC000])
def test_bk7231tools_encodes_the_same_requests(
    ours: Callable[[int], Request], theirs: Callable[[int], Packet], number: int
) -> None:
    assert ours(number).encode() == BK7231SerialProtocol.encode(theirs(number))


@pytest.mark.parametrize("name", EXCHANGES)
def test_a_reply_is_found_however_it_arrives(name: str) -> None:
    request, _, answered, _ = EXCHANGES[name]
    parser = FrameParser()
    found = []
    for byte in bytes.fromhex(answered):
        parser.received.append(byte)
        if len(parser.received) < parser.wanted:
            continue
        while (frame := parser.take()) is not None:
            found.append(frame)
    (frame,) = found
    assert request.accept(frame) is not None
    assert not parser.received


@pytest.mark.parametrize(
    "junk",
    [
        b"\x04",
        b"\x04\x0e",
        b"\x04\x0e\x04\x0e",
        b"\x04\x0e\xff",
        b"\x04\x0e\xff\x01\xe0",
        b"\x04\x0e\x05\x01\xe0\xfc",
        b"\x04\x0e\xff\x01\xe0\xfc\xf4",
        b"\x04\x0e\xff\x01\xe0\xfc\xf4\xff\xff\x09\x00",
        b"\x04\x0e\xff\x01\xe0\xfc\xf4\x06\x10\x09\x40",
        b"\x01\xe0\xfc\x01\x00",
        b"V:BK7231N_1.0.1\r\n",
    ],
)
def test_a_reply_behind_junk_is_found(junk: bytes) -> None:
    for request, _, answered, _ in EXCHANGES.values():
        found = parse(junk + bytes.fromhex(answered))
        assert [frame for frame in found if request.accept(frame)]


def test_a_frame_behind_a_damaged_one_is_found() -> None:
    request, _, answered, _ = EXCHANGES["read"]
    whole = bytes.fromhex(answered)
    for place in range(11):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        parser = FrameParser()
        parser.received += damaged + whole
        assert any(request.accept(frame) for frame in iter(parser.take, None)), place


def test_what_is_no_frame_is_kept_as_a_sample() -> None:
    parser = FrameParser()
    parser.received += b"some noise" * 10
    assert parser.take() is None
    assert parser.skipped == (b"some noise" * 10)[:64]


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("read", "040EFF01E0FCF406000906 00100100"),
        ("read", "040EFF01E0FCF407000906 00100100 00"),
        ("write", "040EFF01E0FCF406000705 00100100"),
        ("erase 4 KiB", "040EFF01E0FCF402000F05"),
        ("flash id", "040EFF01E0FCF402000E07"),
        ("CRC of an erased sector", "040E0501E0FC1007"),
    ],
)
def test_errors_are_recognised_in_every_form_seen(name: str, answer: str) -> None:
    (frame,) = parse(bytes.fromhex(answer))
    reply = EXCHANGES[name][0].accept(frame)
    assert reply is not None
    assert reply.status in (5, 6, 7)


def test_a_reply_that_echoes_another_address_is_refused() -> None:
    (frame,) = parse(bytes.fromhex(EXCHANGES["read"][2]))
    assert frames.read_sector(0x12000).accept(frame) is None


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("write", (0x11000, 0x1000)),
        ("erase 4 KiB", (0x11000, 0x1000)),
        ("erase 64 KiB", (0x20000, 0x10000)),
        ("read", None),
        ("link check", None),
    ],
)
def test_answers_and_requests_agree_on_what_they_change(
    name: str, changed: tuple[int, int] | None
) -> None:
    request, _, answered, _ = EXCHANGES[name]
    (frame,) = parse(bytes.fromhex(answered))
    assert request.changes == frames.changed_flash(frame) == changed


@pytest.mark.parametrize(
    "impossible",
    [
        lambda: frames.check_crc(0x1000, 0),
        lambda: frames.check_crc(-1, 4096),
        lambda: frames.erase(0x11001, EraseSize.SECTOR),
        lambda: frames.erase(0x11000, EraseSize.BLOCK),
        lambda: frames.write_sector(0x11000, b"too short"),
        lambda: frames.write_sector(0x11010, SECTOR),
    ],
)
def test_what_would_hit_other_flash_or_hang_the_chip_cannot_be_asked(
    impossible: Callable[[], Request],
) -> None:
    with pytest.raises(ValueError, match="0x"):
        impossible()
