"""Tuya's encrypted key-value store, written: for dumps that parsers are tried on."""

from dataclasses import dataclass, field
import struct
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

SECTOR: Final = 0x1000
PAGE: Final = 0x80
BLOCKS: Final = 14
_PAGES: Final = SECTOR // PAGE

_MASTER_KEY: Final = b"qwertyuiopasdfgh"
_KEY_PART_1: Final = b"8710"
_KEY_PART_2: Final = b"HHRRQbyemofrtytf"
_KEY_MAGIC: Final = 0x13579753
_DATA_MAGIC: Final = 0x98761234
_NAME_SIZE: Final = 32
# A RAM pointer that the vendor's code leaves in each index page.
_JUNK: Final = 0x00406D50


@dataclass(frozen=True, slots=True)
class Place:
    """A page: its block (0 to 13) and its number in it (1 to 31)."""

    block: int
    page: int


@dataclass(slots=True)
class Store:
    """Blocks of pages that values are put into; ``inner_key`` is the device's own."""

    inner_key: bytes
    _blocks: list[bytearray] = field(
        default_factory=lambda: [bytearray(b"\xff" * SECTOR) for _ in range(BLOCKS)]
    )
    _index_pages: list[set[int]] = field(
        default_factory=lambda: [set() for _ in range(BLOCKS)]
    )
    _next: Place = Place(0, 1)

    def put(self, name: str, value: bytes) -> None:
        """Put a value into the next pages: one for its index, then those of its data."""
        index = self._take()
        pages = [self._take() for _ in range(0, len(value), PAGE)]
        self.put_at(name, value, index, pages)

    def go_to(self, place: Place) -> None:
        """Go on putting values from this page on."""
        self._next = place

    def leave(self, place: Place, remains: bytes) -> None:
        """Let a page that no index refers to hold an old value."""
        self._write(place, remains[:PAGE])

    def put_at(self, name: str, value: bytes, index: Place, pages: list[Place]) -> None:
        """Put a value into certain pages; neighbours in a block become one part."""
        for number, place in enumerate(pages):
            self._write(place, value[number * PAGE : (number + 1) * PAGE])
        text = name.encode() + b"\0"
        parts = _parts(pages)
        entry = struct.pack(
            "<IIHBHIB",
            sum(value) & 0xFFFFFFFF,
            len(value),
            index.block,
            index.page,
            len(parts),
            _JUNK + 0x40 * index.page,
            len(text),
        )
        entry += text + b"".join(struct.pack("<HBB", *part) for part in parts)
        self._write(index, entry)
        self._index_pages[index.block].add(index.page)

    def block(self, number: int, generation: int) -> bytes:
        """Return a block as it lies in the flash."""
        plain = self._blocks[number][:]
        bitmap = bytearray(4)
        for page in self._index_pages[number]:
            bitmap[page // 8] |= 1 << page % 8
        plain[:19] = struct.pack(
            "<IIHIB4s", _DATA_MAGIC, 0, number, generation, 4, bytes(bitmap)
        )
        plain[4:8] = _byte_sum(plain[8:])
        return _encrypt(data_key(self.inner_key), plain)

    def used_blocks(self) -> list[int]:
        """Return the blocks that an index page lies in."""
        return [number for number, pages in enumerate(self._index_pages) if pages]

    def key_sector(self) -> bytes:
        """Return the sector that the inner key is read from."""
        plain = struct.pack("<I", _KEY_MAGIC) + _byte_sum(self.inner_key)
        return _encrypt(_MASTER_KEY, (plain + self.inner_key).ljust(SECTOR, b"\xff"))

    def protected_sector(self, values: dict[str, bytes]) -> bytes:
        """Return the sector in front of it, where newer SDKs keep identities once more."""
        records = b"".join(
            struct.pack("<I", len(value))
            + name.encode().ljust(_NAME_SIZE, b"\0")
            + value
            for name, value in values.items()
        )
        inner = _encrypt(data_key(self.inner_key), records.ljust(SECTOR - 32, b"\xff"))
        tail = self.inner_key + struct.pack("<II", len(records), 0xFFFFFFFF) + inner
        plain = struct.pack("<I", _KEY_MAGIC) + _byte_sum(tail) + tail
        return _encrypt(_MASTER_KEY, plain)

    def _take(self) -> Place:
        place = self._next
        last = place.page == _PAGES - 1
        self._next = (
            Place(place.block + 1, 1) if last else Place(place.block, place.page + 1)
        )
        return place

    def _write(self, place: Place, data: bytes) -> None:
        start = place.page * PAGE
        self._blocks[place.block][start : start + len(data)] = data


def data_key(inner_key: bytes) -> bytes:
    """Return the key that the blocks are encrypted with."""
    return bytes(
        (_KEY_PART_1[place % 4] + _KEY_PART_2[place] + inner_key[place]) & 0xFF
        for place in range(16)
    )


def _parts(pages: list[Place]) -> list[tuple[int, int, int]]:
    parts: list[tuple[int, int, int]] = []
    for place in pages:
        if parts and parts[-1][0] == place.block and parts[-1][2] == place.page - 1:
            parts[-1] = (place.block, parts[-1][1], place.page)
        else:
            parts.append((place.block, place.page, place.page))
    return parts


def _byte_sum(data: bytes | bytearray) -> bytes:
    return struct.pack("<I", sum(data) & 0xFFFFFFFF)


def _encrypt(key: bytes, data: bytes | bytearray) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(data) + encryptor.finalize()
