"""Write stores and dumps for tests: every field can be set to what it should not be.

What is right in any case comes from the simulator; what it cannot write are damaged,
contradicting and hostile index pages, and these are here.
"""

from dataclasses import dataclass, field
import struct

from Crypto.Cipher import AES

from simulator import factory, tuya_store
from simulator.tuya_store import PAGE, SECTOR, Store

MASTER_KEY = b"qwertyuiopasdfgh"
INNER_KEY = b"fedcba9876543210"
FLASH_SIZE = 0x200000
KEY_SECTOR = 0x1EE000

# The text of a BLOW 72-074, as its seven pins and its module are known.
BLOW = factory.USER_PARAMETERS.encode()


def data_key(inner_key: bytes = INNER_KEY) -> bytes:
    """Return the key of the data sectors."""
    return tuya_store.data_key(inner_key)


def encrypt(key: bytes, data: bytes) -> bytes:
    """Encrypt with AES-128-ECB."""
    return AES.new(key, AES.MODE_ECB).encrypt(data)


@dataclass
class Entry:
    """One value and everything that its index page says of it."""

    name: str
    value: bytes
    index: tuple[int, int]
    """Block and page of the index page."""
    parts: list[tuple[int, int, int]] = field(default_factory=list)
    """Block, first and last page of each part; none is the page behind the index."""
    checksum: int | None = None
    length: int | None = None
    own_page: int | None = None
    own_block: int | None = None
    name_length: int | None = None
    part_count: int | None = None

    def __post_init__(self) -> None:
        """Lay an entry without parts right behind its index page."""
        if not self.parts and self.value:
            block, page = self.index
            self.parts = [(block, page + 1, page + -(-len(self.value) // PAGE))]

    def index_page(self) -> bytes:
        """Return the 128 bytes of the index page."""

        def said(wrong: int | None, right: int) -> int:
            return right if wrong is None else wrong

        name = self.name.encode() + b"\0"
        head = struct.pack(
            "<IIHBHIB",
            said(self.checksum, sum(self.value)),
            said(self.length, len(self.value)),
            said(self.own_block, self.index[0]),
            said(self.own_page, self.index[1]),
            said(self.part_count, len(self.parts)),
            0x00406D50,
            said(self.name_length, len(name)),
        )
        parts = b"".join(struct.pack("<HBB", *part) for part in self.parts)
        return (head + name + parts)[:PAGE].ljust(PAGE, b"\xee")

    def write(self, blocks: dict[int, bytearray], numbers: set[int]) -> None:
        """Put the index page and the value into the blocks of these numbers."""
        block, page = self.index
        if block in numbers:
            blocks[block][page * PAGE : (page + 1) * PAGE] = self.index_page()
            blocks[block][15 + page // 8] |= 1 << page % 8
        rest = self.value
        for number, first, last in self.parts:
            size = max(0, last + 1 - first) * PAGE
            if number in numbers and 1 <= first <= last < SECTOR // PAGE:
                start = first * PAGE
                blocks[number][start : start + len(rest[:size])] = rest[:size]
            rest = rest[size:]


def plain_block(
    number: int, entries: list[Entry], *, generation: int = 5, magic: int = 0x98761234
) -> bytes:
    """Return one data sector before its encryption."""
    head = struct.pack("<IIHIB4s", magic, 0, number, generation, 4, bytes(4))
    blocks = {number: bytearray(head.ljust(SECTOR, b"\xff"))}
    for entry in entries:
        entry.write(blocks, {number})
    block = blocks[number]
    block[4:8] = (sum(block[8:]) & 0xFFFFFFFF).to_bytes(4, "little")
    return bytes(block)


def data_sector(
    number: int, entries: list[Entry], *, generation: int = 5, magic: int = 0x98761234
) -> bytes:
    """Return one data sector as it lies in flash."""
    plain = plain_block(number, entries, generation=generation, magic=magic)
    return encrypt(data_key(), plain)


def key_sector(inner_key: bytes = INNER_KEY) -> bytes:
    """Return the sector that holds the inner key."""
    return Store(inner_key).key_sector()


def protected_sector(values: dict[str, bytes], inner_key: bytes = INNER_KEY) -> bytes:
    """Return the sector below the key sector, which has the key as well."""
    return Store(inner_key).protected_sector(values)


def store(
    entries: list[Entry],
    swap: list[bytes] | None = None,
    *,
    magic: int = 0x98761234,
) -> bytes:
    """Return the key sector, 14 blocks and 3 sectors with older copies."""
    main = [data_sector(number, entries, magic=magic) for number in range(14)]
    older = [data_sector(number, [], generation=0) for number in range(3)]
    older[: len(swap or ())] = swap or []
    return key_sector() + b"".join(main) + b"".join(older)


def dump(content: bytes, start: int = KEY_SECTOR) -> bytes:
    """Return a flash of 2 MiB with these bytes from ``start`` on."""
    flash = bytearray(b"\xff" * FLASH_SIZE)
    flash[0x1D0000:0x1D0004] = b"TLV\0"
    flash[start : start + len(content)] = content
    return bytes(flash)


def flip(data: bytes, offset: int) -> bytes:
    """Return the bytes with one bit the other way round."""
    changed = bytearray(data)
    changed[offset] ^= 0x40
    return bytes(changed)
