"""Write stores and dumps for tests: every field can be set to what it should not be."""

from dataclasses import dataclass, field
import struct

from Crypto.Cipher import AES

MASTER_KEY = b"qwertyuiopasdfgh"
INNER_KEY = b"fedcba9876543210"
FLASH_SIZE = 0x200000
KEY_SECTOR = 0x1EE000
SECTOR = 0x1000
PAGE = 128

# The text of a BLOW 72-074, as its seven pins and its module are known.
BLOW = (
    b"{sel_pin_pin:24,rl1_lv:1,bt1_pin:11,led1_pin:10,net_trig:4,jv:1.0.0,netled1_lv:0,"
    b"netled_reuse:0,bt1_type:0,nety_led:0,vi_pin:6,resistor:1,over_cur:17000,bt1_lv:0,"
    b"reset_t:5,netled1_pin:8,chip_type:0,lose_vol:90,over_vol:260,module:CB2S,ele_pin:7,"
    b"ch_cddpid1:9,ch1_stat:2,led1_lv:0,rl1_type:0,ch_num:1,ele_fun_en:1,rl1_pin:26,"
    b"netn_led:1,vol_def:0,ch_dpid1:1,sel_pin_lv:1,crc:88,}"
)


def data_key(inner_key: bytes = INNER_KEY) -> bytes:
    """Return the key of the data sectors."""
    parts = zip(b"8710" * 4, b"HHRRQbyemofrtytf", inner_key, strict=True)
    return bytes(sum(part) % 256 for part in parts)


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
    head = struct.pack("<II", 0x13579753, sum(inner_key)) + inner_key
    return encrypt(MASTER_KEY, head.ljust(SECTOR, b"\xff"))


def protected_sector(values: dict[str, bytes], inner_key: bytes = INNER_KEY) -> bytes:
    """Return the sector below the key sector, which has the key as well."""
    records = b"".join(
        struct.pack("<I32s", len(value), name.encode()) + value
        for name, value in values.items()
    )
    inner = encrypt(data_key(inner_key), records.ljust(SECTOR - 32, b"\xff"))
    body = inner_key + struct.pack("<II", len(records), 0xFFFFFFFF) + inner
    head = struct.pack("<II", 0x13579753, sum(body) & 0xFFFFFFFF)
    return encrypt(MASTER_KEY, head + body)


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
