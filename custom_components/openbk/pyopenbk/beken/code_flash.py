"""How Beken chips keep code in their flash: 34-byte records under a stream cipher."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, reduce
from itertools import chain
from operator import and_
import re
import struct
import sys
from typing import Final

from ..checksums import crc16_cms
from .flash_map import SECTOR_SIZE

type CodeKeyWords = tuple[int, int, int, int]

RECORD_SIZE: Final = 34
RECORD_DATA_SIZE: Final = 32
# The application's first byte, flash address 0x11000, is executed at this address.
APPLICATION_ADDRESS: Final = 0x10000
# The code key that Tuya burns into the eFuse of every BK7231N and BK7231T.
STANDARD_KEY: Final = (0x510FB093, 0xA3CBEADC, 0x5993A17E, 0xC7ADEB03)
# The code key of BK7231N modules of another maker; OpenBeken had builds for it with this name.
UASCENT_KEY: Final = (0x4862379A, 0x8612784B, 0x85C5E258, 0x75754528)


class CodeKey(StrEnum):
    """Which code key a chip must have to run it."""

    STANDARD = "standard"
    NONE = "none"
    FOREIGN = "foreign"
    UNKNOWN = "unknown"


_DATA_OF_RECORD: Final = struct.Struct(f"{RECORD_DATA_SIZE}s2x")
_NOT_ZERO: Final = re.compile(rb"[^\0]")
# Bytes that a record's have in common: only where all of it is erased, these are all bits.
_NOT_ERASED: Final = b"\xff" * 0xFF + b"\0"
_BLOCK_SIZE: Final = 0x10000
_BLANK_BLOCK: Final = b"\xff" * _BLOCK_SIZE
# As many whole records as are in whole sectors.
_PIECE_SIZE: Final = RECORD_SIZE * SECTOR_SIZE // 2
_BLANK_PIECE: Final = b"\xff" * _PIECE_SIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCheck:
    """What the checksums of a piece of code flash say."""

    count: int
    """Whole records looked at; bytes after the last whole one are left out."""
    blank: int
    """Records that are erased (34 times 0xFF), which the chip accepts as well."""
    damaged: tuple[int, ...]
    """Byte offsets of the records whose checksum is wrong."""

    @property
    def sound(self) -> int:
        """Return how many records hold data with the right checksum."""
        return self.count - self.blank - len(self.damaged)


def begins_remains(flash: bytes, offset: int) -> bool:
    """Return whether a damaged record lies where code ended and an earlier, longer one goes on.

    A bootloader that installs an update erases no more sectors than the new code takes, and marks
    no end of it (BK7231S_1.0.5, run as machine code): the last one is blank behind the code, and the
    first record that reaches into the next begins blank and ends as the remains have it.

    ``flash`` begins at a border of sectors, and so of records; ``offset`` is in bytes.
    """
    border = -(-offset // SECTOR_SIZE) * SECTOR_SIZE
    if not offset < border < offset + RECORD_SIZE:
        return False
    last = flash[border - SECTOR_SIZE : border]
    blank_from = border - SECTOR_SIZE + len(last.rstrip(b"\xff"))
    return border - SECTOR_SIZE < blank_from <= offset


def check_records(flash: bytes) -> RecordCheck:
    """Check the CRC-16 of every 34-byte record, the first one starting at the first byte.

    A CRC is linear, so it is the sum of what each column contributes: the records of a piece are
    checked at once, one column after the other. The 33 848 records of an application take
    milliseconds; pieces that are erased take none.
    """
    count = len(flash) // RECORD_SIZE
    blank, damaged = 0, []
    for start in range(0, count * RECORD_SIZE, _PIECE_SIZE):
        piece = flash[start : min(start + _PIECE_SIZE, count * RECORD_SIZE)]
        if _BLANK_PIECE.startswith(piece):
            blank += len(piece) // RECORD_SIZE
            continue
        blank_records, differences = _check_piece(piece)
        blank += blank_records
        damaged += [
            start + each.start() * RECORD_SIZE
            for each in _NOT_ZERO.finditer(differences)
        ]
    return RecordCheck(count=count, blank=blank, damaged=tuple(damaged))


def _check_piece(records: bytes) -> tuple[int, bytes]:
    """Return how many of these records are blank, and for each what its checksum is off by."""
    columns = [records[column::RECORD_SIZE] for column in range(RECORD_SIZE)]
    high, low = (int.from_bytes(column) for column in columns[RECORD_DATA_SIZE:])
    for column, (high_table, low_table) in zip(columns, _column_tables(), strict=False):
        high ^= int.from_bytes(column.translate(high_table))
        low ^= int.from_bytes(column.translate(low_table))
    count = len(columns[0])
    common = reduce(and_, map(int.from_bytes, columns)).to_bytes(count)
    written = common.translate(_NOT_ERASED)
    differences = ((high | low) & int.from_bytes(written)).to_bytes(count)
    return written.count(0), differences


def used_size(data: bytes, unit: int) -> int:
    """Return how many bytes there are to the end of the last unit that is not erased.

    ``data`` is a whole number of units. Far quicker than looking at each byte, where much is erased.
    """
    end = len(data)
    while data.endswith(_BLANK_BLOCK, 0, end):
        end -= _BLOCK_SIZE
    return -(-len(data[:end].rstrip(b"\xff")) // unit) * unit


def strip_checksums(flash: bytes) -> bytes:
    """Return the data of all whole records: 32 of every 34 bytes."""
    count = len(flash) // RECORD_SIZE
    used = flash[: used_size(flash[: count * RECORD_SIZE], RECORD_SIZE)]
    data = b"".join(chain.from_iterable(_DATA_OF_RECORD.iter_unpack(used)))
    return data.ljust(count * RECORD_DATA_SIZE, b"\xff")


def apply_cipher(
    data: bytes, address: int = APPLICATION_ADDRESS, key: CodeKeyWords = STANDARD_KEY
) -> bytes:
    """Decrypt code that a key encrypted, or encrypt plain code.

    ``data`` comes without checksums; ``address`` is where its first byte is executed, a multiple
    of 4. The cipher is an exclusive or with one key word per 32-bit word. With STANDARD_KEY that
    word is an affine function of the address over GF(2), which takes milliseconds for a whole
    application; any other key takes half a second.
    """
    if address % 4:
        raise ValueError("the cipher works on whole 32-bit words")
    if key != STANDARD_KEY:
        return _exclusive_or(data, _general_stream(address, len(data), key))
    first = address // _BLOCK_SIZE * _BLOCK_SIZE
    blocks = range(first, address + len(data), _BLOCK_SIZE)
    stream = b"".join(_key_block(block) for block in blocks)[address - first :]
    return _exclusive_or(data, stream[: len(data)])


def _general_stream(address: int, size: int, key: CodeKeyWords) -> bytes:
    """Return the stream of any key.

    The fourth word of a key chooses by which bits the address is mixed, and switches parts off:
    its lowest four bits the 15, 16 and 32 bit scramblers and the constant, a first byte of 00 or FF
    all of them.
    """
    select = key[3]
    off = 0xF if select >> 24 in (0x00, 0xFF) else select & 0xF
    words = array("I")
    for place in range(address, address + size, 4):
        word = 0
        if not off & 1:
            word += _scramble_15(place, key) << 16
        if not off & 2:
            # It has 17 bits: the top one carries into the other.
            word += _scramble_16(place, key)
        if not off & 4:
            word ^= _scramble_32(place, key)
        if not off & 8:
            word ^= key[2]
        words.append(word & 0xFFFFFFFF)
    if sys.byteorder == "big":
        words.byteswap()
    return words.tobytes()[:size]


def _scramble_15(address: int, key: CodeKeyWords) -> int:
    low, high = address & 0xFFFF, address >> 16
    if key[3] >> 5 & 1:
        low = low >> 8 | low << 8 & 0xFF00
    if key[3] >> 6 & 1:
        high = high >> 8 | high << 8 & 0xFF00
    mixed = low ^ high ^ key[1] >> 16
    nibble = mixed >> 5 & 0xF
    return (mixed >> 7 | mixed << 9 & 0xFFFF) ^ (nibble * 0x1111 & 0x6371)


def _scramble_16(address: int, key: CodeKeyWords) -> int:
    constant = key[1] & 0xFF | key[3] << 4 & 0x100 | key[1] << 1 & 0x1FE00
    mixed = address >> (key[3] >> 8 & 3) & 0x1FFFF ^ constant
    nibble = mixed >> 13 & 1 | mixed >> 8 & 2 | mixed >> 3 & 4 | mixed << 2 & 8
    spread = nibble * 0x1111 | mixed << 12 & 0x10000
    return (mixed >> 10 | mixed << 7 & 0x1FFFF) ^ (spread & 0x13659)


def _scramble_32(address: int, key: CodeKeyWords) -> int:
    mixed = _rotate_right(address, 8 * (key[3] >> 11 & 3)) ^ key[0]
    nibble = mixed >> 2 & 0xF
    return _rotate_right(mixed, 15) ^ (nibble * 0x11111111 & 0xE519A4F1)


def _key_word(address: int) -> int:
    return _scramble_32(address, STANDARD_KEY) ^ STANDARD_KEY[2]


def _rotate_right(word: int, bits: int) -> int:
    return (word >> bits | word << 32 - bits) & 0xFFFFFFFF


def _key_block(start: int) -> bytes:
    """Return the key words of the block at ``start``, a multiple of the block size."""
    return _exclusive_or(_offset_pattern(), _repeat(_key_word(start), _BLOCK_SIZE))


@cache
def _offset_pattern() -> bytes:
    """Return what the offset inside a block changes in the key word of the block's start."""
    pattern = bytes(4)
    while len(pattern) < _BLOCK_SIZE:
        change = _key_word(len(pattern)) ^ _key_word(0)
        pattern += _exclusive_or(pattern, _repeat(change, len(pattern)))
    return pattern


def _repeat(word: int, size: int) -> bytes:
    return word.to_bytes(4, "little") * (size // 4)


def _exclusive_or(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left) ^ int.from_bytes(right)).to_bytes(len(left))


@cache
def _column_tables() -> Sequence[tuple[bytes, bytes]]:
    """Return, per column, what each byte value there contributes to the CRC's two bytes."""
    of_zeros = crc16_cms(bytes(RECORD_DATA_SIZE))
    tables = []
    for column in range(RECORD_DATA_SIZE):
        crcs = [0 if column else of_zeros]
        for bit in range(8):
            record = bytearray(RECORD_DATA_SIZE)
            record[column] = 1 << bit
            change = crc16_cms(record) ^ of_zeros
            crcs += [crc ^ change for crc in crcs]
        tables.append(
            (bytes(crc >> 8 for crc in crcs), bytes(crc & 0xFF for crc in crcs))
        )
    return tuple(tables)
