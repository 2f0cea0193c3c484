"""The boot ROM's frames: requests to bytes, bytes to replies.

A request is ``01 E0 FC LEN CODE payload``, or in its long form for the flash
``01 E0 FC FF F4 LEN16 CODE payload``; a reply ``04 0E LEN 01 E0 FC CODE payload`` or
``04 0E FF 01 E0 FC F4 LEN16 CODE STATUS payload``. Integers are little-endian. No frame has a
checksum. Source: bk7231tools 2.1.2 and hid_download_py, whose frames agree.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct
from typing import Final, override

from ..beken.flash_map import BLOCK_SIZE, SECTOR_SIZE

_REQUEST_MARK: Final = b"\x01\xe0\xfc"
_LONG_REQUEST_MARK: Final = b"\x01\xe0\xfc\xff\xf4"
_REPLY_MARK: Final = b"\x04\x0e"
_VENDOR: Final = b"\x01\xe0\xfc"
_LONG_REPLY_MARK: Final = b"\x04\x0e\xff\x01\xe0\xfc\xf4"
_SHORT_HEADER: Final = 7
_LONG_HEADER: Final = 11
# What a reply that reports an error is seen to have at most: code, status, address, one filler.
_LONGEST_ERROR: Final = 7

LINK_CHECK_BYTES: Final = b"\x01\xe0\xfc\x01\x00"
CHIP_ID_REGISTER: Final = 0x00800000
"""Where a chip with such registers has its id; reading it changes nothing (facts of the protocol, 3.3)."""


class EraseSize(IntEnum):
    """How much one erase command erases: the opcode that the boot ROM passes on to the flash."""

    SECTOR = 0x20
    BLOCK = 0xD8

    @property
    def length(self) -> int:
        """Return the bytes erased."""
        return SECTOR_SIZE if self is EraseSize.SECTOR else BLOCK_SIZE


# BK7231T's loader does what it does before every erase, and then erases nothing.
_ERASE_NOTHING: Final = 0x00


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One row of the command table."""

    name: str
    code: int
    long: bool = False
    request: str = ""
    """Layout of the request's payload."""
    echoed: int = 0
    """So many payload bytes of the request come back at the start of the reply's payload."""
    reply: str | None = ""
    """Layout of the payload behind the echo; None = this command is never answered."""
    reply_code: int | None = None
    """Code of the reply where it is not the request's own."""
    seconds: float = 1.0
    """How long the boot ROM may take, beyond the time on the wire."""
    seconds_per_byte: float = 0.0
    """How much longer for each byte of flash that it has to go through."""
    request_layout: Struct = field(init=False, repr=False, compare=False)
    reply_layout: Struct = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the layouts."""
        object.__setattr__(self, "request_layout", Struct(f"<{self.request}"))
        object.__setattr__(self, "reply_layout", Struct(f"<{self.reply or ''}"))

    @property
    def code_of_reply(self) -> int:
        """Return the code that the reply carries."""
        return self.code if self.reply_code is None else self.reply_code

    @property
    def reply_payload_size(self) -> int:
        """Return the payload bytes of a reply without an error."""
        return self.echoed + self.reply_layout.size


LINK_CHECK: Final = Command(name="link check", code=0x00, reply_code=0x01, reply="B")
WRITE_REGISTER: Final = Command(
    name="write register", code=0x01, request="II", echoed=8
)
READ_REGISTER: Final = Command(
    name="read register", code=0x03, request="I", echoed=4, reply="I"
)
REBOOT: Final = Command(name="reboot", code=0x0E, request="B", reply=None)
SET_BAUDRATE: Final = Command(name="set baud rate", code=0x0F, request="IB", echoed=5)
CHECK_CRC: Final = Command(
    name="check CRC",
    code=0x10,
    request="II",
    reply="I",
    seconds=2.0,
    seconds_per_byte=1 / 200_000,
)

READ_VERSION: Final = Command(name="read version", code=0x11, reply="16s")

WRITE_SECTOR: Final = Command(
    name="write sector",
    code=0x07,
    long=True,
    request=f"I{SECTOR_SIZE}s",
    echoed=4,
    seconds=2.0,
)
READ_SECTOR: Final = Command(
    name="read sector",
    code=0x09,
    long=True,
    request="I",
    echoed=4,
    reply=f"{SECTOR_SIZE}s",
    seconds=2.0,
)
READ_STATUS: Final = Command(
    name="read status register", code=0x0C, long=True, request="B", echoed=1, reply="B"
)
WRITE_STATUS: Final = {
    1: Command(
        name="write status register", code=0x0D, long=True, request="BB", echoed=2
    ),
    2: Command(
        name="write status register", code=0x0D, long=True, request="BH", echoed=3
    ),
}
# A full-duplex transfer of four bytes: the first that comes back was clocked in during the
# opcode and means nothing.
READ_FLASH_ID: Final = Command(
    name="read flash id", code=0x0E, long=True, request="B3x", reply="x3s"
)
ERASE: Final = Command(
    name="erase",
    code=0x0F,
    long=True,
    request="BI",
    echoed=5,
    seconds=2.0,
    seconds_per_byte=3.0 / BLOCK_SIZE,
)

COMMANDS: Final = (
    LINK_CHECK,
    WRITE_REGISTER,
    READ_REGISTER,
    REBOOT,
    SET_BAUDRATE,
    CHECK_CRC,
    READ_VERSION,
    WRITE_SECTOR,
    READ_SECTOR,
    READ_STATUS,
    *WRITE_STATUS.values(),
    READ_FLASH_ID,
    ERASE,
)


@dataclass(frozen=True, slots=True)
class Frame:
    """One reply as it came in."""

    long: bool
    code: int
    status: int
    """0 where the frame has none: the short form."""
    payload: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one request."""

    status: int
    """0, or the error that the boot ROM reports; then there are no values."""
    values: tuple[int | bytes, ...] = ()

    @property
    def number(self) -> int:
        """Return the only value of a reply that carries one number."""
        (value,) = self.values
        assert isinstance(value, int)
        return value

    @property
    def data(self) -> bytes:
        """Return the only value of a reply that carries bytes."""
        (value,) = self.values
        assert isinstance(value, bytes)
        return value


# The unknown-command answer of the short form: the command's code, then this.
_UNKNOWN_COMMAND: Final = 7


@dataclass(frozen=True, slots=True)
class Request:
    """A command with its arguments."""

    command: Command
    payload: bytes = field(repr=False)
    changes: tuple[int, int] | None = None
    """Start and length of the flash that this request erases or programs."""
    work: int = 0
    """Bytes of flash that the boot ROM goes through before it answers."""

    @property
    def announced_change(self) -> tuple[int, int] | None:
        """Return what `changed_flash` says of the reply that tells that this was done."""
        payload = self.payload[: self.command.echoed]
        return changed_flash(Frame(self.command.long, self.command.code, 0, payload))

    @override
    def __str__(self) -> str:
        # What is echoed are addresses and the like; behind it may be what nobody else may read.
        shown = self.payload[: self.command.echoed or None]
        return f"{self.command.name} {shown.hex(' ')}".strip()

    def encode(self) -> bytes:
        """Return the bytes to send."""
        length = 1 + len(self.payload)
        if self.command.long:
            head = _LONG_REQUEST_MARK + length.to_bytes(2, "little")
        else:
            head = _REQUEST_MARK + bytes((length,))
        return head + bytes((self.command.code,)) + self.payload

    @property
    def seconds(self) -> float:
        """Return how long the boot ROM may take for this, beyond the time on the wire."""
        return self.command.seconds + self.work * self.command.seconds_per_byte

    @property
    def reply_size(self) -> int:
        """Return the bytes of the whole reply frame, without an error; 0 where none comes."""
        command = self.command
        if command.reply is None:
            return 0
        header = _LONG_HEADER if command.long else _SHORT_HEADER
        return header + command.reply_payload_size

    def accept(self, frame: Frame) -> Reply | None:
        """Return the reply in ``frame`` if it answers this very request."""
        command = self.command
        if frame.code != command.code_of_reply or frame.long is not command.long:
            return None
        echo = self.payload[: command.echoed]
        if frame.status:
            # How much of the request an error repeats differs between loaders.
            told = frame.payload[: command.echoed]
            return Reply(frame.status) if echo.startswith(told) else None
        if not frame.payload.startswith(echo):
            return None
        rest = frame.payload[command.echoed :]
        if len(rest) == command.reply_layout.size:
            return Reply(0, command.reply_layout.unpack(rest))
        if command is READ_FLASH_ID and len(rest) == 3:
            return Reply(0, (rest,))
        if not command.long and rest == bytes((_UNKNOWN_COMMAND,)):
            return Reply(_UNKNOWN_COMMAND)
        return None


def link_check() -> Request:
    """Ask whether a boot ROM listens; changes nothing and may be sent at any time."""
    return Request(LINK_CHECK, b"")


def read_register(address: int) -> Request:
    """Ask for a 32-bit register of the chip."""
    return Request(READ_REGISTER, READ_REGISTER.request_layout.pack(address))


def write_register(address: int, value: int) -> Request:
    """Set a 32-bit register of the chip."""
    return Request(WRITE_REGISTER, WRITE_REGISTER.request_layout.pack(address, value))


def set_baudrate(baudrate: int, delay: int) -> Request:
    """Change the baud rate: the chip changes at once, waits ``delay`` ms, answers at the new rate."""
    return Request(SET_BAUDRATE, SET_BAUDRATE.request_layout.pack(baudrate, delay))


def check_crc(start: int, length: int) -> Request:
    """Ask for the CRC of ``length`` bytes of flash.

    On the wire goes the last address that counts. A start above the end hangs known loaders, so
    such a request cannot be made.
    """
    if start < 0 or length <= 0:
        raise ValueError(f"no CRC of 0x{start:X}+{length}")
    payload = CHECK_CRC.request_layout.pack(start, start + length - 1)
    return Request(CHECK_CRC, payload, work=length)


def reboot() -> Request:
    """Leave the boot ROM; A5 is the word that it wants to hear."""
    return Request(REBOOT, REBOOT.request_layout.pack(0xA5))


def read_version() -> Request:
    """Ask for the version of the loader; only BK7231T's tells it."""
    return Request(READ_VERSION, b"")


def read_sector(address: int) -> Request:
    """Ask for 4096 bytes of flash."""
    return Request(
        READ_SECTOR, READ_SECTOR.request_layout.pack(address), work=SECTOR_SIZE
    )


def write_sector(address: int, data: bytes) -> Request:
    """Program the 4096 bytes of one erased sector."""
    if address % SECTOR_SIZE or len(data) != SECTOR_SIZE:
        raise ValueError(f"not one whole sector: 0x{address:X}+{len(data)}")
    return Request(
        WRITE_SECTOR,
        WRITE_SECTOR.request_layout.pack(address, data),
        changes=(address, SECTOR_SIZE),
        work=SECTOR_SIZE,
    )


def erase(address: int, size: EraseSize) -> Request:
    """Erase one sector or one block.

    The flash would round an odd address down to where nobody allowed anything: refused here.
    """
    if address % size.length:
        raise ValueError(f"0x{address:X} is not the start of {size.length} bytes")
    return Request(
        ERASE,
        ERASE.request_layout.pack(size, address),
        changes=(address, size.length),
        work=size.length,
    )


def erase_nothing(sector: int) -> Request:
    """Have BK7231T's loader lift the protection of the flash as before an erase.

    It counts as a change of that sector: one damaged byte makes it one.
    """
    return Request(
        ERASE,
        ERASE.request_layout.pack(_ERASE_NOTHING, sector),
        changes=(sector, SECTOR_SIZE),
    )


def read_status(opcode: int) -> Request:
    """Ask the flash for one of its status registers: 05, 35 or, on some parts, 15."""
    return Request(READ_STATUS, READ_STATUS.request_layout.pack(opcode))


def write_status(value: int, size: int) -> Request:
    """Set the first one or two status registers of the flash, opcode 01."""
    command = WRITE_STATUS[size]
    return Request(command, command.request_layout.pack(0x01, value))


def read_flash_id() -> Request:
    """Ask the flash for its JEDEC id, opcode 9F."""
    return Request(READ_FLASH_ID, READ_FLASH_ID.request_layout.pack(0x9F))


def changed_flash(frame: Frame) -> tuple[int, int] | None:
    """Return start and length of the flash that ``frame`` says was erased or programmed.

    The start is as it was on the wire: loaders drop what lies above the size of the flash.
    """
    if frame.status or not frame.long:
        return None
    if frame.code == WRITE_SECTOR.code:
        return int.from_bytes(frame.payload, "little"), SECTOR_SIZE
    if frame.code == ERASE.code and frame.payload[0] in tuple(EraseSize):
        size = EraseSize(frame.payload[0])
        return int.from_bytes(frame.payload[1:], "little"), size.length
    return None


class FrameParser:
    """Find replies in whatever comes in.

    Where a header turns out to be none, the search goes on one byte further, so that a frame
    behind a damaged one is found.
    """

    def __init__(self) -> None:
        """Start with nothing received."""
        self.received = bytearray()
        """What has come in and is not yet taken; the port appends to it."""
        self.skipped = bytearray()
        """The first bytes that belong to no frame, at most 64."""
        self.wanted = 1
        """How much must have been received before another look can find more."""

    def clear(self) -> None:
        """Forget what was received."""
        self._skip(len(self.received))
        self.wanted = 1

    def take(self) -> Frame | None:
        """Return the next whole frame, or None while there is none."""
        received = self.received
        while True:
            at = received.find(_REPLY_MARK)
            if at < 0:
                # Its first byte may be the last one that has come in.
                self._skip(len(received) - received.endswith(_REPLY_MARK[:1]))
                self.wanted = len(received) + 1
                return None
            if at:
                self._skip(at)
            size = self._frame_size()
            if size is None:
                self._skip(1)
                continue
            if size > len(received):
                self.wanted = size
                return None
            frame = self._frame(size)
            del received[:size]
            return frame

    def _frame_size(self) -> int | None:
        """Return the size of the frame that starts here (a lower bound while its header comes in).

        None = there is no frame here.
        """
        head = bytes(self.received[:_LONG_HEADER])
        if len(head) < 3:
            return _SHORT_HEADER
        length = head[2]
        if length == 0xFF:
            if not _LONG_REPLY_MARK.startswith(head[:7]):
                return None
            if len(head) < _LONG_HEADER:
                return _LONG_HEADER
            length = head[7] | head[8] << 8
            if not _is_plausible(True, head[9], head[10], length - 2):
                return None
            return 9 + length
        if not _VENDOR.startswith(head[3:6]):
            return None
        if len(head) < _SHORT_HEADER:
            return _SHORT_HEADER
        if not _is_plausible(False, head[6], 0, length - 4):
            return None
        return 3 + length

    def _frame(self, size: int) -> Frame:
        received = self.received
        if received[2] == 0xFF:
            payload = bytes(received[_LONG_HEADER:size])
            return Frame(True, received[9], received[10], payload)
        return Frame(False, received[6], 0, bytes(received[_SHORT_HEADER:size]))

    def _skip(self, count: int) -> None:
        room = 64 - len(self.skipped)
        if room > 0:
            self.skipped += self.received[: min(count, room)]
        del self.received[:count]


def _payload_sizes() -> dict[tuple[bool, int], set[int]]:
    sizes: dict[tuple[bool, int], set[int]] = {}
    for command in COMMANDS:
        key = (command.long, command.code_of_reply)
        sizes.setdefault(key, set()).add(command.reply_payload_size)
    sizes[True, READ_FLASH_ID.code].add(3)
    return sizes


_PAYLOAD_SIZES: Final = _payload_sizes()


def _is_plausible(long: bool, code: int, status: int, payload_size: int) -> bool:
    """Return whether a reply with such a header can exist.

    Without this a damaged length would have the parser wait for bytes that nobody sends.
    """
    sizes = _PAYLOAD_SIZES.get((long, code))
    if sizes is None:
        return False
    if status:
        return 0 <= payload_size <= _LONGEST_ERROR - 2
    return payload_size in sizes or (not long and payload_size == 1)
