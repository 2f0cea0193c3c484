"""What the boot loader of a chip does; nothing here erases or writes."""

from collections.abc import Awaitable, Callable
from typing import Final
import zlib

from .chip import (
    APPLICATION,
    LINK_CHECK,
    LINKED,
    RATES,
    RESET_RATE,
    SECTOR,
    Chip,
    Kind,
    long,
    number,
    short,
)
from .expectations import Expectation, expect, same

type Row = Expectation[Chip]

PROTOCOL: Final = (
    "the download protocol as bk7231tools 2.1.2 and hid_download_py speak it"
)
LOADER_T: Final = "loader BK7231S_1.0.5, run as machine code"

_ALL: Final = frozenset[str]()
_N: Final = frozenset({Kind.BK7231N.name})
_T: Final = frozenset({Kind.BK7231T.name})
# Other loaders answer too, but one of them locks its flash for good at its first CRC (BK7231Q).
_KNOWN: Final = _N | _T


def replies(
    says: str, request: bytes, reply: str, chips: frozenset[str], source: str
) -> Row:
    """Expect the very bytes of a reply."""

    async def play(chip: Chip) -> None:
        same("the reply", (await chip.ask(request)).raw.hex(" "), reply.lower())

    return Expectation(says=says, play=play, chips=chips, source=source)


def silent(says: str, request: bytes, chips: frozenset[str], source: str) -> Row:
    """Expect no reply, and a loader that still listens."""

    async def play(chip: Chip) -> None:
        await chip.silent(request)
        same("the next link check", (await chip.ask(LINK_CHECK)).raw, LINKED)

    return Expectation(says=says, play=play, chips=chips, source=source)


def does(
    says: str,
    play: Callable[[Chip], Awaitable[None]],
    chips: frozenset[str],
    source: str,
) -> Row:
    """Expect something that takes more than one step."""
    return Expectation(says=says, play=play, chips=chips, source=source)


def understands(rate: int) -> Row:
    """Expect that a rate can be gone to and left again."""

    async def play(chip: Chip) -> None:
        await chip.change_rate(rate)
        try:
            same("the link check", (await chip.ask(LINK_CHECK)).raw, LINKED)
        finally:
            await chip.return_rate()
        same("back at 115200 baud", (await chip.ask(LINK_CHECK)).raw, LINKED)

    return Expectation(
        says=f"it goes to {rate} baud and back", play=play, chips=_ALL, source=PROTOCOL
    )


async def _two_at_once(chip: Chip) -> None:
    replies = await chip.ask_for(2, LINK_CHECK * 2)
    same("both replies", [reply.raw for reply in replies], [LINKED, LINKED])


async def _rate_is_echoed(chip: Chip) -> None:
    request = short(0x0F, number(RESET_RATE) + bytes([20]))
    reply = await chip.ask(request)
    same("the reply", reply.raw, b"\x04\x0e\x09\x01\xe0\xfc" + request[4:])


async def _junk_is_skipped(chip: Chip) -> None:
    reply = await chip.ask(b"\x00\x55\xaa" + LINK_CHECK)
    same("the reply", reply.raw, LINKED)


async def _crc_fits(chip: Chip) -> None:
    for address in (APPLICATION, APPLICATION + SECTOR, 0x1E0000):
        data = await chip.read(address)
        # CRC-32 without its final inversion.
        expected = zlib.crc32(data) ^ 0xFFFFFFFF
        actual = await chip.crc(address, address + SECTOR - 1)
        same(f"the CRC of 0x{address:06X}", f"{actual:08x}", f"{expected:08x}")


async def _crc_of_a_block(chip: Chip) -> None:
    data = b"".join([await chip.read(0x20000 + n * SECTOR) for n in range(4)])
    actual = await chip.crc(0x20000, 0x20000 + len(data) - 1)
    same("the CRC", f"{actual:08x}", f"{zlib.crc32(data) ^ 0xFFFFFFFF:08x}")


async def _end_may_be_exclusive(chip: Chip) -> None:
    inclusive = await chip.crc(APPLICATION, APPLICATION + SECTOR - 1)
    same("it", await chip.crc(APPLICATION, APPLICATION + SECTOR), inclusive)


async def _crc_counts_pages(chip: Chip) -> None:
    page = await chip.crc(APPLICATION, APPLICATION + 0xFF)
    same("with a remainder", await chip.crc(APPLICATION, APPLICATION + 0x1FE), page)
    same("of less than a page", await chip.crc(APPLICATION, APPLICATION), 0xFFFFFFFF)


async def _reads_twice_alike(chip: Chip) -> None:
    same("it", await chip.read(APPLICATION) == await chip.read(APPLICATION), True)


async def _two_reads_at_once(chip: Chip) -> None:
    request = long(0x09, number(APPLICATION)) + long(0x09, number(APPLICATION + SECTOR))
    first, second = await chip.ask_for(2, request)
    same("the first address", first.data[:4], number(APPLICATION))
    same("the second address", second.data[:4], number(APPLICATION + SECTOR))


async def _wraps(chip: Chip) -> None:
    for address in (0, 0xF000):
        data = await chip.read(0x200000 + address)
        expected = zlib.crc32(data) ^ 0xFFFFFFFF
        actual = await chip.crc(address, address + SECTOR - 1)
        same(f"the CRC of 0x{address:06X}", f"{actual:08x}", f"{expected:08x}")


async def _first_readable(chip: Chip) -> None:
    await chip.read(0x10000)


async def _jedec(chip: Chip) -> None:
    reply = await chip.ask(long(0x0E, b"\x9f\0\0\0"))
    same("the head", reply.raw[:11].hex(" "), "04 0e ff 01 e0 fc f4 06 00 0e 00")
    same("how much follows", len(reply.raw), 15)
    identity = reply.raw[12:]
    chip.told["flash"] = identity.hex(" ")
    expect(identity not in (b"\0\0\0", b"\xff\xff\xff"), "the flash is not reached")
    same("its size", 1 << identity[2], 0x200000)


async def _status_registers(chip: Chip) -> None:
    for opcode in (0x05, 0x35):
        reply = await chip.ask(long(0x0C, bytes([opcode])))
        head = f"04 0e ff 01 e0 fc f4 04 00 0c 00 {opcode:02x}"
        same("the head", reply.raw[:12].hex(" "), head)
        same("how much follows", len(reply.raw), 13)


CHIP_TABLE: Final[tuple[Row, ...]] = (
    replies("a link check is answered", LINK_CHECK, LINKED.hex(" "), _ALL, PROTOCOL),
    does("two link checks in one write have two answers", _two_at_once, _ALL, PROTOCOL),
    does("what is no frame is skipped", _junk_is_skipped, _ALL, PROTOCOL),
    does("setting the rate is echoed", _rate_is_echoed, _ALL, PROTOCOL),
    # A BK7231N
    replies(
        "its chip id is 0x7231C",
        short(0x03, number(0x800000)),
        "04 0e 0c 01 e0 fc 03 00 00 80 00 1c 23 07 00",
        _N,
        PROTOCOL,
    ),
    does("its flash tells who made it, and 2 MiB", _jedec, _N, PROTOCOL),
    does("its flash's status registers can be read", _status_registers, _N, PROTOCOL),
    # A BK7231T
    replies(
        "its loader's version has 13 letters and three NUL",
        short(0x11),
        "04 0e 14 01 e0 fc 11 42 4b 37 32 33 31 53 5f 31 2e 30 2e 35 00 00 00",
        _T,
        LOADER_T,
    ),
    silent("it has no registers to read", short(0x03, number(0x800000)), _T, LOADER_T),
    silent("it does not tell its flash", long(0x0E, b"\x9f\0\0\0"), _T, LOADER_T),
    silent("an unknown command has no answer", short(0x55), _T, LOADER_T),
    silent("a frame of no length has none", b"\x01\xe0\xfc\x00", _T, LOADER_T),
    silent("a 01 right before a frame hides it", b"\x01" + LINK_CHECK, _T, LOADER_T),
    replies(
        "below 0x10000 it refuses to read",
        long(0x09, number(0)),
        "04 0e ff 01 e0 fc f4 07 00 09 06 00 00 00 00 00",
        _T,
        LOADER_T,
    ),
    does("from 0x10000 on it reads", _first_readable, _T, LOADER_T),
    does("2 MiB further on it reads what it refuses", _wraps, _T, LOADER_T),
    # Both
    does("a sector is read with its address", _reads_twice_alike, _KNOWN, PROTOCOL),
    does("two reads in one write have two answers", _two_reads_at_once, _T, LOADER_T),
    does("its CRC of a sector is that of what it sent", _crc_fits, _KNOWN, PROTOCOL),
    does("its CRC of 16 KiB too", _crc_of_a_block, _KNOWN, PROTOCOL),
    does("the end of a CRC may be exclusive", _end_may_be_exclusive, _T, LOADER_T),
    does("a CRC counts whole pages of 256 bytes", _crc_counts_pages, _T, LOADER_T),
    replies(
        "it still answers link checks", LINK_CHECK, LINKED.hex(" "), _ALL, PROTOCOL
    ),
    # Last, because a chip that is not understood at a rate has to be reset.
    *map(understands, RATES),
)
