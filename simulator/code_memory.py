"""How code lies in the flash: enciphered, in records of 32 bytes and a CRC."""

from array import array
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from .bootrom import STANDARD_CODE_KEY

type CodeKey = tuple[int, int, int, int]

RECORD: Final = 34
DATA: Final = 32
# Where the CPU sees the application; its cipher is bound to that address. The flash has
# it at 0x11000, because each 32 bytes take 34 there.
APPLICATION_ADDRESS: Final = 0x10000

NO_KEY: Final[CodeKey] = (0, 0, 0, 0)
# What OpenBeken's UASCENT builds are enciphered with (facts/bootrom-uart.md, 3.4).
UASCENT_KEY: Final[CodeKey] = (0x4862379A, 0x8612784B, 0x85C5E258, 0x75754528)

_CRC16_POLYNOMIAL: Final = 0x8005
_CRC16_START: Final = 0xFFFF
# Logical addresses that there are streams for; the flash is no larger.
_SPACE: Final = 0x200000
# Masks of the three scramblers in the chip's flash controller, by their width in bits.
_MASKS: Final = {15: 0x6371, 16: 0x13659, 32: 0xE519A4F1}


def encipher(data: bytes, address: int, key: CodeKey = STANDARD_CODE_KEY) -> bytes:
    """Encipher code for a logical address below 2 MiB, or decipher it: both are alike.

    ``address`` and the length of ``data`` are multiples of 4.
    """
    return _xor(data, _keystream(key)[address : address + len(data)])


def to_records(data: bytes) -> bytes:
    """Add the CRC-16 to each 32 bytes; ``data`` is a multiple of 32 bytes long."""
    count = len(data) // DATA
    columns = [data[place::DATA] for place in range(DATA)]
    records = bytearray(count * RECORD)
    for place, column in enumerate(columns):
        records[place::RECORD] = column
    high, low = _crc16_columns(columns)
    records[DATA::RECORD] = high
    records[DATA + 1 :: RECORD] = low
    return bytes(records)


def from_records(records: bytes) -> bytes:
    """Drop the CRCs without looking at them; whole records only."""
    count = len(records) // RECORD
    data = bytearray(count * DATA)
    for place in range(DATA):
        data[place::DATA] = records[place : count * RECORD : RECORD]
    return bytes(data)


def damaged_records(records: bytes) -> list[int]:
    """Return the offsets of records with a wrong CRC; blank ones count as right."""
    # What is erased at the end, most of many flashes, is not looked at.
    count = min(len(records), len(records.rstrip(b"\xff")) + RECORD) // RECORD
    expected = to_records(from_records(records[: count * RECORD]))
    if expected == records[: count * RECORD]:
        return []
    blank = b"\xff" * RECORD
    return [
        offset
        for offset in range(0, count * RECORD, RECORD)
        if records[offset : offset + RECORD] != expected[offset : offset + RECORD]
        and records[offset : offset + RECORD] != blank
    ]


def _crc16_columns(columns: list[bytes]) -> tuple[bytes, bytes]:
    """Return the high and the low bytes of the CRC-16 of many records at once.

    A CRC is linear: that of a record is the sum (XOR) of what each byte contributes by
    its value and place. ``columns[n]`` are the n-th bytes of all records.
    """
    count = len(columns[0])
    start = _crc16_of_zeros(_CRC16_START, DATA)
    high = int.from_bytes(bytes((start >> 8,)) * count)
    low = int.from_bytes(bytes((start & 0xFF,)) * count)
    for column, (high_table, low_table) in zip(columns, _crc16_tables(), strict=True):
        high ^= int.from_bytes(column.translate(high_table))
        low ^= int.from_bytes(column.translate(low_table))
    return high.to_bytes(count), low.to_bytes(count)


@lru_cache(maxsize=1)
def _crc16_tables() -> list[tuple[bytes, bytes]]:
    """Return what a byte value at each place adds to the CRC's two bytes."""
    tables = []
    shares = [value << 8 for value in range(0x100)]
    for _ in range(DATA):
        shares = [_crc16_of_zeros(share, 1) for share in shares]
        tables.append((bytes(s >> 8 for s in shares), bytes(s & 0xFF for s in shares)))
    return tables[::-1]


def _crc16_of_zeros(crc: int, count: int) -> int:
    """Return the CRC-16 register after some zero bytes."""
    for _ in range(8 * count):
        crc <<= 1
        if crc & 0x10000:
            crc ^= 0x10000 | _CRC16_POLYNOMIAL
    return crc


@lru_cache(maxsize=8)
def _keystream(key: CodeKey) -> bytes:
    """Return the cipher's stream for the logical addresses 0 to 2 MiB.

    Three scramblers, each over an address in a shape of its own and each with a bit in
    the fourth word of the key that switches it off; then the third word, which has such
    a bit, too. A fourth word that begins with 00 or FF switches all off.
    """
    select = key[3]
    off = 0xF if select >> 24 in (0x00, 0xFF) else select & 0xF
    constant = 0 if off & 8 else key[2]
    stream = constant.to_bytes(4, "little") * (_SPACE // 4)
    if not off & 4:
        stream = _xor(stream, _linear_stream(lambda a: _scramble_32(a, key)))
    if not off & 3:
        return _xor(stream, _sum_of_scramblers(key))
    if not off & 2:
        stream = _xor(stream, _linear_stream(lambda a: _scramble_16(a, key)))
    if not off & 1:
        stream = _xor(stream, _linear_stream(lambda a: _scramble_15(a, key) << 16))
    return stream


def _sum_of_scramblers(key: CodeKey) -> bytes:
    """Return what the 15 and the 16 bit scrambler make together.

    The latter has 17 bits in truth and the two are added, so the top one carries.
    """
    upper, lower = array("I"), array("I")
    upper.frombytes(_linear_stream(lambda a: _scramble_15(a, key) << 16))
    lower.frombytes(_linear_stream(lambda a: _scramble_16(a, key)))
    pairs = zip(upper, lower, strict=True)
    return array("I", [high + low & 0xFFFFFFFF for high, low in pairs]).tobytes()


def _linear_stream(word_at: Callable[[int], int]) -> bytes:
    """Return the words of a scrambler for all addresses.

    Each bit of an address changes the word by a value of its own, whatever the other
    bits are. So the stream of twice the length is the stream, and the stream with one
    word added (XOR) everywhere.
    """
    first = word_at(0)
    stream = first.to_bytes(4, "little")
    while len(stream) < _SPACE:
        change = (word_at(len(stream)) ^ first).to_bytes(4, "little")
        stream += _xor(stream, change * (len(stream) // 4))
    return stream


def _scramble_32(address: int, key: CodeKey) -> int:
    value = _rotate(address, 8 * (key[3] >> 11 & 3), 32) ^ key[0]
    nibble = value >> 2 & 0xF
    return _rotate(value, 15, 32) ^ nibble * 0x11111111 & _MASKS[32]


def _scramble_15(address: int, key: CodeKey) -> int:
    select = key[3]
    low, high = address & 0xFFFF, address >> 16 & 0xFFFF
    if select >> 5 & 1:
        low = _rotate(low, 8, 16)
    if select >> 6 & 1:
        high = _rotate(high, 8, 16)
    value = low ^ high ^ key[1] >> 16
    nibble = value >> 5 & 0xF
    return _rotate(value, 7, 16) ^ nibble * 0x1111 & _MASKS[15]


def _scramble_16(address: int, key: CodeKey) -> int:
    select = key[3]
    value = address >> (select >> 8 & 3) & 0x1FFFF
    value ^= key[1] & 0xFF | (select >> 4 & 1) << 8 | (key[1] >> 8 & 0xFF) << 9
    nibble = (
        value >> 13 & 1
        | (value >> 9 & 1) << 1
        | (value >> 5 & 1) << 2
        | (value >> 1 & 1) << 3
    )
    spread = nibble * 0x1111 | (value >> 4 & 1) << 16
    return _rotate(value, 10, 17) ^ spread & _MASKS[16]


def _rotate(value: int, count: int, width: int) -> int:
    """Rotate right."""
    return (value >> count | value << width - count) & (1 << width) - 1


def _xor(data: bytes, other: bytes) -> bytes:
    return (int.from_bytes(data) ^ int.from_bytes(other)).to_bytes(len(data))
