"""Tuya's encrypted key-value store, out of a dump of the flash."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
import struct
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ..beken.chips import BK7231N, FlashableChip
from ..beken.flash_map import SECTOR_SIZE
from ..checksums import byte_sum
from .dump import (
    OpenBekenInsteadError,
    StorageErasedError,
    explain_missing_storage,
    explain_small_file,
)

USER_PARAM_KEY: Final = "user_param_key"

# The first key is the same in every chip, the second one is made of an inner key that the first
# sector keeps. Neither is a secret: they stand in Tuya's SDK and in every tool that reads dumps.
_MASTER_KEY: Final = b"qwertyuiopasdfgh"
_KEY_PART_1: Final = b"8710"
_KEY_PART_2: Final = b"HHRRQbyemofrtytf"
# What the master key makes of 16 blank bytes; first seen 32 bytes behind the key sector's start.
_BLANK_UNDER_MASTER_KEY: Final = bytes.fromhex("46DCED0E672F3B70AE1276A3F8712E03")
_BLANK_AFTER: Final = 32

_KEY_MAGIC: Final = 0x13579753
# The second one is TuyaOS 3's; the third one only the flash tool of OpenBeken's makers knows.
_DATA_MAGICS: Final = frozenset({0x98761234, 0x135726AB, _KEY_MAGIC})
_HEAD: Final = struct.Struct("<II16s")
_DATA_HEAD: Final = struct.Struct("<IIHIB")
_BITMAP_OFFSET: Final = _DATA_HEAD.size
_INDEX: Final = struct.Struct("<IIHBHIB")
_PART: Final = struct.Struct("<HBB")
_SUM_START: Final = 8

_PAGE_SIZE: Final = 128
_PAGES: Final = range(1, SECTOR_SIZE // _PAGE_SIZE)
_LONGEST_NAME: Final = _PAGE_SIZE - _INDEX.size
_BLOCKS: Final = 14
_SECTORS_AFTER_KEY: Final = _BLOCKS + 3
_SMALLEST_DUMP: Final = 2 * SECTOR_SIZE
_AES_BLOCK: Final = 16

# The key sector's address in a whole dump, and in one that was read from 0x11000 on and wrapped
# around; 0 is a file of the store alone, the last one is TuyaOS 3's.
USUAL_KEY_SECTOR: Final = 0x1EE000
_ROTATED_KEY_SECTOR: Final = 0x1DD000
_LIKELY_KEY_SECTORS: Final = (USUAL_KEY_SECTOR, _ROTATED_KEY_SECTOR, 0, 0x1F5000)
_READING_STARTED_AT: Final = 0x11000


class KeySource(StrEnum):
    """Which sector the inner key came from."""

    KEY_SECTOR = "key_sector"
    PROTECTED_SECTOR = "protected_sector"
    """Its copy one sector below, where the key sector itself is damaged."""


class ProblemKind(StrEnum):
    """What is wrong inside of a store that was read nevertheless."""

    DAMAGED_SECTOR = "damaged_sector"
    """A sector's checksum or magic is wrong; it was left out."""
    OLDER_COPY_USED = "older_copy_used"
    """A block's own sector is damaged, an older copy of it was found."""
    CUT_STORE = "cut_store"
    """The file ends before the last block."""
    DAMAGED_INDEX = "damaged_index"
    """The entry of a value makes no sense; it was left out."""
    INCOMPLETE_VALUE = "incomplete_value"
    """A part of a value lies in a block that is lost; it was left out."""
    UNTRUSTED_VALUE = "untrusted_value"
    """The checksum of a value is wrong; it was kept, marked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageProblem:
    """One thing that is wrong, without any content."""

    kind: ProblemKind
    block: int | None = None
    """The number of the block, or of the sector where that is not known."""
    name: str | None = None
    """The name of the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredValue:
    """One value of the store; what it holds may be a password, so it shows nothing."""

    data: bytes = field(repr=False)
    trusted: bool
    """Its own checksum is right."""
    blocks: tuple[int, ...]
    """The blocks that its parts lie in."""

    @property
    def text(self) -> str:
        """Return the value as text, without the NULs around it."""
        return self.data.strip(b"\0").decode(errors="replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageOrigin:
    """Where in the dump the store was found."""

    key_sector: int
    """Byte offset of the key sector in the file."""
    key_source: KeySource
    valid_sectors: int
    flash_size: int
    """Bytes of the flash that the file was read from."""
    rotated: bool
    """The file starts with flash address 0x11000; the bootloader, if any, is at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuyaStorage:
    """All values of a store by name, and how they were come by."""

    values: Mapping[str, StoredValue] = field(repr=False)
    origin: StorageOrigin
    problems: tuple[StorageProblem, ...]

    @property
    def damage(self) -> tuple[StorageProblem, ...]:
        """Return the problems by which values may be lost or older than the last ones.

        An entry that makes no sense is found in sound stores as well, and the spare sectors hold
        nothing that counts while their originals are right.
        """
        return tuple(
            problem
            for problem in self.problems
            if problem.kind is not ProblemKind.DAMAGED_INDEX
            and not (
                problem.kind is ProblemKind.DAMAGED_SECTOR
                and problem.block is not None
                and problem.block >= _BLOCKS
            )
        )

    def to_file_offset(self, address: int) -> int | None:
        """Return where in the file a flash address lies, None in a file of the store alone."""
        if self.origin.rotated:
            return (address - _READING_STARTED_AT) % self.origin.flash_size
        return address if self.origin.key_sector == USUAL_KEY_SECTOR else None


def parse_storage(dump: bytes, chip: FlashableChip = BK7231N) -> TuyaStorage:
    """Read the store out of a dump: whole, rotated, cut behind the store, or the store alone.

    Takes some milliseconds for 2 MiB. Raises a TuyaStorageError that says what the file is, where
    it holds no store. Damage inside of the store is no error: what can be read is returned, and
    ``problems`` tells the rest.
    """
    if len(dump) < _SMALLEST_DUMP:
        raise explain_small_file(dump)
    if dump.startswith(b"CFG"):
        raise OpenBekenInsteadError("the file is OpenBeken's configuration")
    if dump.count(b"\xff") == len(dump):
        raise StorageErasedError("the file is blank")
    stores = [_read_sectors(dump, found) for found in _find_keys(dump)]
    if not stores:
        raise explain_missing_storage(dump, chip)
    store = max(stores, key=_Store.rank)
    problems = list(store.problems)
    values = _read_values(store.blocks, problems)
    return TuyaStorage(
        values=values,
        origin=StorageOrigin(
            key_sector=store.key_sector,
            key_source=store.key_source,
            valid_sectors=store.valid_sectors,
            flash_size=chip.flash.size,
            rotated=store.key_sector == _ROTATED_KEY_SECTOR,
        ),
        problems=tuple(problems),
    )


class _FoundKey(NamedTuple):
    key_sector: int
    source: KeySource
    inner_key: bytes


def _find_keys(dump: bytes) -> list[_FoundKey]:
    """Return each key sector of the dump once, those at sector borders first."""
    found: dict[int, _FoundKey] = {}
    for offset in _aligned_candidates(dump):
        key = _open_key_sector(dump, offset)
        if key and (key.source is KeySource.KEY_SECTOR or key.key_sector not in found):
            found[key.key_sector] = key
    if found:
        return list(found.values())
    return [
        key
        for offset in _unaligned_candidates(dump)
        if (key := _open_key_sector(dump, offset))
    ]


def _aligned_candidates(dump: bytes) -> list[int]:
    """Return the sectors that start with the key sector's magic, decrypting 16 bytes of each."""
    offsets = range(0, len(dump) - SECTOR_SIZE + 1, SECTOR_SIZE)
    starts = b"".join(dump[offset : offset + _AES_BLOCK] for offset in offsets)
    plain = _decrypt(_MASTER_KEY, starts)
    magic = _KEY_MAGIC.to_bytes(4, "little")
    return [
        offset
        for index, offset in enumerate(offsets)
        if plain.startswith(magic, index * _AES_BLOCK)
    ]


def _unaligned_candidates(dump: bytes) -> Iterator[int]:
    """Yield where a key sector would start by the blank bytes behind its key."""
    hit = dump.find(_BLANK_UNDER_MASTER_KEY)
    while hit >= 0:
        if hit >= _BLANK_AFTER:
            yield hit - _BLANK_AFTER
        hit = dump.find(_BLANK_UNDER_MASTER_KEY, hit + SECTOR_SIZE - _BLANK_AFTER)


def _open_key_sector(dump: bytes, offset: int) -> _FoundKey | None:
    """Decrypt a sector that may be the key sector or the protected one below it.

    Both have the same magic; the checksum of one covers the key alone, that of the other all.
    """
    if offset + SECTOR_SIZE > len(dump):
        return None
    sector = _decrypt(_MASTER_KEY, dump[offset : offset + SECTOR_SIZE])
    magic, checksum, inner_key = _HEAD.unpack_from(sector)
    if magic != _KEY_MAGIC:
        return None
    if byte_sum(inner_key) == checksum:
        return _FoundKey(offset, KeySource.KEY_SECTOR, inner_key)
    if byte_sum(sector[_SUM_START:]) == checksum:
        return _FoundKey(offset + SECTOR_SIZE, KeySource.PROTECTED_SECTOR, inner_key)
    return None


class _Block(NamedTuple):
    """A valid data sector, decrypted."""

    number: int
    generation: int
    data: bytes

    def page(self, page: int) -> bytes:
        return self.data[page * _PAGE_SIZE : (page + 1) * _PAGE_SIZE]

    def is_index(self, page: int) -> bool:
        return bool(self.data[_BITMAP_OFFSET + page // 8] >> page % 8 & 1)


class _Store(NamedTuple):
    key_sector: int
    key_source: KeySource
    valid_sectors: int
    blocks: Mapping[int, _Block]
    problems: Sequence[StorageProblem]

    def rank(self) -> tuple[int, int]:
        """Return more for more valid sectors, then for a more usual place."""
        try:
            unusual = _LIKELY_KEY_SECTORS.index(self.key_sector)
        except ValueError:
            unusual = len(_LIKELY_KEY_SECTORS)
        return self.valid_sectors, -unusual


def _read_sectors(dump: bytes, found: _FoundKey) -> _Store:
    """Decrypt the sectors behind the key and keep the newest valid copy of each block.

    A block is written to a spare sector before its own is erased, so older copies lie about: the
    highest generation counts. The main sectors come first, in the order of their blocks.
    """
    start = found.key_sector + SECTOR_SIZE
    end = min(start + _SECTORS_AFTER_KEY * SECTOR_SIZE, len(dump))
    encrypted = dump[start : max(start, end - (end - start) % SECTOR_SIZE)]
    plain = _decrypt(_data_key(found.inner_key), encrypted)
    blocks: dict[int, _Block] = {}
    damaged = []
    valid = 0
    for index in range(len(plain) // SECTOR_SIZE):
        block = _open_block(plain[index * SECTOR_SIZE : (index + 1) * SECTOR_SIZE])
        if block is None:
            damaged.append(index)
            continue
        valid += 1
        known = blocks.get(block.number)
        if known is None or block.generation > known.generation:
            blocks[block.number] = block
    problems = [
        StorageProblem(
            kind=(
                ProblemKind.OLDER_COPY_USED
                if index in blocks
                else ProblemKind.DAMAGED_SECTOR
            ),
            block=index,
        )
        for index in damaged
    ]
    if len(plain) < _BLOCKS * SECTOR_SIZE:
        problems.append(StorageProblem(kind=ProblemKind.CUT_STORE))
    return _Store(found.key_sector, found.source, valid, blocks, problems)


def _open_block(sector: bytes) -> _Block | None:
    magic, checksum, number, generation, _ = _DATA_HEAD.unpack_from(sector)
    if magic not in _DATA_MAGICS or byte_sum(sector[_SUM_START:]) != checksum:
        return None
    return _Block(number, generation, sector)


class _BadIndexError(Exception):
    """An index page contradicts itself or its place."""


class _Index(NamedTuple):
    name: str
    checksum: int
    length: int
    parts: tuple[tuple[int, int, int], ...]
    generation: int


def _read_values(
    blocks: Mapping[int, _Block], problems: list[StorageProblem]
) -> dict[str, StoredValue]:
    values: dict[str, tuple[bool, int, StoredValue]] = {}
    lost = set()
    for index in _indexes(blocks.values(), problems):
        if any(number not in blocks for number, _, _ in index.parts):
            lost.add(index.name)
            continue
        value = _assemble(blocks, index)
        if value is None:
            problems.append(
                StorageProblem(kind=ProblemKind.DAMAGED_INDEX, name=index.name)
            )
            continue
        rank = (value.trusted, index.generation)
        if index.name not in values or rank > values[index.name][:2]:
            values[index.name] = (*rank, value)
    problems += [
        StorageProblem(kind=ProblemKind.INCOMPLETE_VALUE, name=name)
        for name in sorted(lost - values.keys())
    ]
    problems += [
        StorageProblem(kind=ProblemKind.UNTRUSTED_VALUE, name=name)
        for name, (trusted, _, _) in values.items()
        if not trusted
    ]
    return {name: value for name, (_, _, value) in values.items()}


def _indexes(
    blocks: Iterable[_Block], problems: list[StorageProblem]
) -> Iterator[_Index]:
    for block in blocks:
        for page in filter(block.is_index, _PAGES):
            try:
                yield _read_index(block, page)
            except _BadIndexError:
                problems.append(
                    StorageProblem(kind=ProblemKind.DAMAGED_INDEX, block=block.number)
                )


def _read_index(block: _Block, page: int) -> _Index:
    data = block.page(page)
    checksum, length, block_number, own_page, part_count, _, name_length = (
        _INDEX.unpack_from(data)
    )
    if (block_number, own_page) != (block.number, page):
        raise _BadIndexError
    parts_start = _INDEX.size + name_length
    parts_end = parts_start + part_count * _PART.size
    if not 2 <= name_length <= _LONGEST_NAME or parts_end > _PAGE_SIZE:
        raise _BadIndexError
    name = data[_INDEX.size : parts_start]
    if name.find(b"\0") != name_length - 1 or not name[:-1].isascii():
        raise _BadIndexError
    parts = tuple(_PART.iter_unpack(data[parts_start:parts_end]))
    if not all(1 <= first <= last < len(_PAGES) + 1 for _, first, last in parts):
        raise _BadIndexError
    return _Index(name[:-1].decode(), checksum, length, parts, block.generation)


def _assemble(blocks: Mapping[int, _Block], index: _Index) -> StoredValue | None:
    """Put a value together; None where its parts are too short or run over an index page."""
    pieces = []
    for number, first, last in index.parts:
        block = blocks[number]
        if any(block.is_index(page) for page in range(first, last + 1)):
            return None
        pieces.append(block.data[first * _PAGE_SIZE : (last + 1) * _PAGE_SIZE])
    data = b"".join(pieces)
    if len(data) < index.length:
        return None
    data = data[: index.length]
    return StoredValue(
        data=data,
        trusted=byte_sum(data) == index.checksum,
        blocks=tuple(dict.fromkeys(number for number, _, _ in index.parts)),
    )


def _data_key(inner_key: bytes) -> bytes:
    return bytes(
        (_KEY_PART_1[index % 4] + _KEY_PART_2[index] + byte) & 0xFF
        for index, byte in enumerate(inner_key)
    )


def _decrypt(key: bytes, data: bytes) -> bytes:
    decryptor = Cipher(algorithms.AES(key), modes.ECB()).decryptor()
    return decryptor.update(data) + decryptor.finalize()
