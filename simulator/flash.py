"""The flash chip: NOR cells, status registers and a count of what was done to them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
import random
import time
from typing import Final
import zlib

SIZE: Final = 0x200000
PAGE: Final = 0x100
SECTOR: Final = 0x1000
BLANK: Final = 0xFF

# SPI opcodes of the three erase sizes.
ERASE_SIZES: Final = {0x20: 0x1000, 0x52: 0x8000, 0xD8: 0x10000}

# JEDEC id of the TH25Q16HB, which most CB2S modules carry.
TH25Q16HB: Final = bytes.fromhex("EB6015")

_WRITE_IN_PROGRESS: Final = 0x0001
_WRITE_ENABLED: Final = 0x0002


class OperationKind(StrEnum):
    """What changes the cells or the status registers."""

    ERASE = "erase"
    PROGRAM = "program"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class Operation:
    """One erase, one programmed page or one status write; ``size`` in bytes."""

    kind: OperationKind
    address: int
    size: int
    data: bytes = b""
    """What is programmed."""


@dataclass(slots=True)
class Counts:
    """How often something was done since the flash was made; what tests look at."""

    erased_4k: int = 0
    erased_32k: int = 0
    erased_64k: int = 0
    programmed_pages: int = 0
    status_writes: int = 0
    refused: int = 0
    """Erases and pages that the block protection swallowed."""

    @property
    def operations(self) -> int:
        """Return how many operations changed the flash or its status registers."""
        return (
            self.erased_4k
            + self.erased_32k
            + self.erased_64k
            + self.programmed_pages
            + self.status_writes
        )


class PowerLostError(Exception):
    """Power went away in the middle of an operation; raised by a watcher."""

    def __init__(
        self, message: str = "", *, done: int | None = None, indeterminate: bool = False
    ) -> None:
        """Take how many bytes of the operation were done; None: half of them.

        ``indeterminate``: of what was to be erased, any bit may have either value.
        """
        super().__init__(message)
        self.done = done
        self.indeterminate = indeterminate


type Watcher = Callable[[Operation], None]
"""Called before an operation; raises PowerLostError to have it done by half."""


class Flash:
    """2 MiB of NOR flash: programming only clears bits, erasing sets whole sectors.

    Addresses wrap at the end of the chip, as its address bus does. While any bit of
    ``protection_mask`` is set in the status registers, erasing and programming do
    nothing and say nothing: real block protection covers ranges, but what the vendor's
    firmware leaves behind covers all that matters here.
    """

    def __init__(
        self,
        content: bytes | None = None,
        *,
        jedec: bytes = TH25Q16HB,
        status: int = 0x0000,
        protection_mask: int = 0x407C,
        status_write_seconds: float = 0.005,
    ) -> None:
        """Make a flash of ``content`` (exactly 2 MiB) or a blank one.

        ``status`` holds both status registers, the second one in the high byte; 0x4004
        (CMP and BP0) is what Tuya's firmware leaves. After a write to them the chip is
        busy for ``status_write_seconds``.
        """
        if content is not None and len(content) != SIZE:
            raise ValueError(f"the flash has {SIZE} bytes, not {len(content)}")
        self._cells = bytearray(content or bytes([BLANK]) * SIZE)
        self._jedec = jedec
        self.odd_id: bytes | None = None
        """A JEDEC id to give instead of its own."""
        self.protection_mask = protection_mask
        self.status_sticks = False
        """Ignore writes to the status registers, as a locked part does."""
        self.unreachable = False
        """Nothing answers on the flash's bus: zeros are read, writes go nowhere."""
        self.worn_sectors: set[int] = set()
        """Addresses of sectors that no longer erase."""
        self.watcher: Watcher | None = None
        self.counts = Counts()
        self._status = status
        self._status_write_seconds = status_write_seconds
        self._busy_until = 0.0

    @property
    def content(self) -> bytes:
        """Return a copy of all cells."""
        return bytes(self._cells)

    @property
    def protected(self) -> bool:
        """Return whether erasing and programming do nothing."""
        return bool(self._status & self.protection_mask)

    @property
    def status(self) -> int:
        """Return both status registers, with bit 0 set while a status write lasts."""
        if self.unreachable:
            return 0
        busy = time.monotonic() < self._busy_until
        return self._status | (_WRITE_IN_PROGRESS if busy else 0)

    def identify(self) -> bytes:
        """Return the three bytes of the JEDEC id."""
        return bytes(3) if self.unreachable else self.odd_id or self._jedec

    def read(self, address: int, length: int) -> bytes:
        """Read cells; past the end of the chip it goes on at its beginning."""
        if self.unreachable:
            return bytes(length)
        start = address % SIZE
        if start + length <= SIZE:
            return bytes(self._cells[start : start + length])
        turns = (start + length - 1) // SIZE + 1
        return bytes(self._cells * turns)[start : start + length]

    def crc(self, address: int, length: int) -> int:
        """Return zlib's CRC-32 over cells."""
        start = address % SIZE
        if self.unreachable or start + length > SIZE:
            return zlib.crc32(self.read(address, length))
        with memoryview(self._cells) as cells:
            return zlib.crc32(cells[start : start + length])

    def program(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Program up to the next page border after another; bits only go from 1 to 0."""
        start, done = address % SIZE, 0
        while done < len(data):
            length = min(PAGE - start % PAGE, len(data) - done)
            self._program_page(start, bytes(data[done : done + length]))
            done += length
            start = (start + length) % SIZE

    def erase(self, address: int, size: int = SECTOR) -> None:
        """Erase the 4, 32 or 64 KiB that ``address`` lies in."""
        start = address % SIZE // size * size
        if not self._admits(Operation(OperationKind.ERASE, start, size)):
            return
        for sector in range(start, start + size, SECTOR):
            if sector not in self.worn_sectors:
                self._cells[sector : sector + SECTOR] = bytes([BLANK]) * SECTOR
        if size == 0x1000:
            self.counts.erased_4k += 1
        elif size == 0x8000:
            self.counts.erased_32k += 1
        else:
            self.counts.erased_64k += 1

    def rewrite(self, address: int, data: bytes) -> None:
        """Replace bytes as a firmware does: lift the protection, erase, program.

        What else the touched sectors hold is kept. The protection is as it was after.
        """
        first = address // SECTOR * SECTOR
        last = -(-(address + len(data)) // SECTOR) * SECTOR
        sectors = bytearray(self._cells[first:last])
        sectors[address - first : address - first + len(data)] = data
        with self.opened():
            for sector in range(first, last, SECTOR):
                self.erase(sector)
                self.program(sector, sectors[sector - first : sector - first + SECTOR])

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Lift the protection for as long as this lasts, as the code on the chip does."""
        protection, self._status = self._status, self._status & ~self.protection_mask
        try:
            yield
        finally:
            self._status = protection

    def write_status(self, value: int, size: int) -> None:
        """Write the first status register (``size`` 1) or both (2); busy for a while."""
        if self.unreachable:
            return
        self._watch(Operation(OperationKind.STATUS, 0, size))
        self.counts.status_writes += 1
        self._busy_until = time.monotonic() + self._status_write_seconds
        if not self.status_sticks:
            kept = 0x0000 if size == 2 else self._status & 0xFF00
            self._status = kept | value & ~(_WRITE_IN_PROGRESS | _WRITE_ENABLED)

    def write_second_status(self, value: int) -> None:
        """Write the second status register alone (opcode 31)."""
        self.write_status(value << 8 | self._status & 0xFF, 2)

    def protect(self, bits: int) -> None:
        """Set protection bits from within, as BK7231T's loader does after a CRC."""
        if not self.status_sticks:
            self._status |= bits

    def unprotect(self) -> None:
        """Clear the protection from within, as BK7231T's loader does before an erase."""
        if not self.status_sticks:
            self._status &= ~self.protection_mask

    def _program_page(self, start: int, data: bytes) -> None:
        operation = Operation(OperationKind.PROGRAM, start, len(data), data)
        if not self._admits(operation):
            return
        self._clear_bits(start, data)
        self.counts.programmed_pages += 1

    def _clear_bits(self, start: int, data: bytes) -> None:
        old = int.from_bytes(self._cells[start : start + len(data)])
        new = old & int.from_bytes(data)
        self._cells[start : start + len(data)] = new.to_bytes(len(data))

    def _admits(self, operation: Operation) -> bool:
        if self.unreachable:
            return False
        if self.protected:
            self.counts.refused += 1
            return False
        self._watch(operation)
        return True

    def _watch(self, operation: Operation) -> None:
        if self.watcher is None:
            return
        try:
            self.watcher(operation)
        except PowerLostError as lost:
            done = operation.size // 2 if lost.done is None else lost.done
            self._tear(operation, min(done, operation.size), lost)
            raise

    def _tear(self, operation: Operation, done: int, lost: PowerLostError) -> None:
        start = operation.address
        if operation.kind is OperationKind.ERASE:
            self._cells[start : start + done] = bytes([BLANK]) * done
            if lost.indeterminate:
                left = random.Random(start + done).randbytes(operation.size - done)
                self._cells[start + done : start + operation.size] = left
        elif operation.kind is OperationKind.PROGRAM:
            self._clear_bits(start, operation.data[:done])
