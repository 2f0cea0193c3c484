"""A BK7231N in its boot ROM: identity, protection, and whole pieces of flash."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Self

from ..beken.code_flash import STANDARD_KEY
from ..beken.flash_map import SECTOR_SIZE, WriteAllowance
from . import frames
from .errors import (
    FlashUnreachableError,
    NoChipError,
    NoReplyError,
    ProtectedFlashError,
    UnexpectedReplyError,
    WrongChipError,
)
from .flash_parts import FLASH_PARTS, UNKNOWN_PART, FlashPart
from .link import Link
from .programming import FlashProgrammer, ProgramReport, complete_sector
from .reading import FlashReader, Progress, VerifiedPart

CHIP_ID: Final = 0x7231C
"""What BK7231N, BK7231M and BL2028N have in their chip id register."""

_CHIP_ID_REGISTER: Final = 0x00800000
_EFUSE_CONTROL: Final = 0x00800074
_EFUSE_DATA: Final = 0x00800078
_EFUSE_START: Final = 0x01
# Number of the byte, mode bits and start bit; the other bits are kept.
_EFUSE_OURS: Final = 0x1F02 | _EFUSE_START
_CODE_KEY_BYTES: Final = 16

_UNREACHABLE_IDS: Final = (b"\x00\x00\x00", b"\xff\xff\xff")
# Capacity codes of a JEDEC id that exist: 64 KiB to 128 MiB.
_CAPACITY_CODES: Final = range(0x10, 0x1C)

_READ_STATUS: Final = 0x05
_WRITE_IN_PROGRESS: Final = 0x01
_WRITE_ENABLED: Final = 0x02
_STATUS_WRITE_SECONDS: Final = 1.0

_REBOOTS: Final = 3
_REBOOT_INTERVAL: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipIdentity:
    """What a chip says of itself."""

    chip_id: int
    code_key: tuple[int, int, int, int]
    """The code encryption words of the eFuse; all zero = unencrypted, or not readable."""
    jedec: bytes
    """The three bytes of the flash id."""
    flash_size: int
    """Bytes, from the flash id."""
    baudrate: int

    @property
    def part(self) -> FlashPart:
        """Return the flash part; for an unknown id one with the usual registers."""
        return FLASH_PARTS.get(self.jedec, UNKNOWN_PART)


class Chip:
    """One BK7231N on a link. Addresses are plain flash addresses, 0 up to the flash size."""

    def __init__(self, link: Link, identity: ChipIdentity) -> None:
        """Take a chip that was identified; use `identify`."""
        self.link = link
        self.identity = identity

    @classmethod
    async def identify(cls, link: Link) -> Self:
        """Read chip id, eFuse key and flash id.

        Raises NoChipError, WrongChipError, FlashUnreachableError, UnexpectedReplyError,
        LinkLostError, PortUnavailableError.
        """
        if not link.linked:
            raise NoChipError("no chip has answered a link check yet")
        try:
            chip_id = await _read_register(link, _CHIP_ID_REGISTER)
        except NoReplyError as err:
            # Link checks are answered: this is a loader that knows no registers.
            raise WrongChipError(None) from err
        if chip_id != CHIP_ID:
            chip_id = await _steady(
                link, lambda: _read_register(link, _CHIP_ID_REGISTER)
            )
        if chip_id != CHIP_ID:
            raise WrongChipError(chip_id)
        code_key = await _read_code_key(link)
        if code_key != STANDARD_KEY:
            code_key = await _steady(link, lambda: _read_code_key(link))
        jedec = await _steady(link, lambda: _read_flash_id(link))
        if jedec in _UNREACHABLE_IDS or jedec[2] not in _CAPACITY_CODES:
            raise FlashUnreachableError(f"the flash answers with id {jedec.hex()}")
        identity = ChipIdentity(
            chip_id=chip_id,
            code_key=code_key,
            jedec=jedec,
            flash_size=1 << jedec[2],
            baudrate=link.baudrate,
        )
        return cls(link, identity)

    async def read(
        self,
        start: int,
        length: int,
        *,
        progress: Progress | None = None,
        verified: VerifiedPart | None = None,
    ) -> bytes:
        """Read whole sectors of 4 KiB and prove them by the chip's own CRC.

        ``progress`` gets bytes done and bytes in all; ``verified`` gets each part (address, data)
        in ascending order once it is proven. Blank parts are known by their CRC and not
        transferred. Raises CrcMismatchError, NoReplyError, StatusError, LinkLostError,
        PortUnavailableError.
        """
        self._check_sectors(start, length)
        reader = FlashReader(
            self.link, start, length, progress=progress, verified=verified
        )
        return await reader.read()

    async def crc(self, start: int, length: int) -> int:
        """Return the chip's CRC of a range, as `checksums.crc32_jamcrc` computes it."""
        self._check_range(start, length)
        return await self.link.crc(start, length)

    async def program(
        self,
        start: int,
        data: bytes,
        *,
        allowance: WriteAllowance,
        progress: Progress | None = None,
        last: int | None = None,
    ) -> ProgramReport:
        """Make the flash from ``start`` hold ``data``, touching only what differs; verified by CRC.

        ``start`` is a multiple of 4 KiB; a part sector at the end is filled with FF. The sector at
        address ``last`` is erased before anything else is touched and written after everything
        else is proven, so that half an application cannot start. Interrupted at any point, the
        same call brings it to its end. Raises OutsideAllowanceError before anything is touched,
        ProtectedFlashError, CrcMismatchError, UnexpectedReplyError, NoReplyError, StatusError,
        LinkLostError, PortUnavailableError.
        """
        data += b"\xff" * (-len(data) % SECTOR_SIZE)
        self._check_sectors(start, len(data))
        programmer = FlashProgrammer(
            self.link, start, data, allowance=allowance, progress=progress, last=last
        )
        await self.unprotect()
        return await programmer.program()

    async def complete(
        self, sector: int, before: bytes, data: bytes, *, allowance: WriteAllowance
    ) -> bool:
        """Program what a sector of 4 KiB lacks, without an erase; return whether it came out right.

        The sector holds ``before``, which is ``data`` with some bytes still blank; nothing else in
        it is programmed. Where it holds something else, nothing is done. Raises
        OutsideAllowanceError, ProtectedFlashError, NoReplyError, StatusError, LinkLostError,
        PortUnavailableError.
        """
        self._check_sectors(sector, len(data))
        allowance.check(sector, SECTOR_SIZE)
        await self.unprotect()
        return await complete_sector(self.link, sector, before, data, allowance)

    async def erase(
        self, start: int, length: int, *, allowance: WriteAllowance
    ) -> None:
        """Erase whole sectors of 4 KiB and prove it; errors as for `program`."""
        await self.program(start, b"\xff" * length, allowance=allowance)

    async def unprotect(self) -> None:
        """Clear the protection bits of the flash; raises ProtectedFlashError if they stay.

        Where they are clear nothing is written: needless writes have locked chips for good.
        """
        part = self.identity.part
        for _ in range(3):
            status = await _steady(self.link, self._read_status)
            if not status & part.protection:
                return
            wanted = status & ~(part.protection | _WRITE_ENABLED | _WRITE_IN_PROGRESS)
            await self.link.exchange(frames.write_status(wanted, part.status_bytes))
        raise ProtectedFlashError(f"status register stays 0x{status:04X} ({part.name})")

    async def reboot(self) -> None:
        """Leave the boot ROM and start what is in the flash.

        Nothing answers this, so it is sent more than once; another link check within the next
        moments would catch the chip again.
        """
        for _ in range(_REBOOTS):
            self.link.send(frames.reboot())
            await self.link.flush()
            await asyncio.sleep(_REBOOT_INTERVAL)
        self.link.linked = False

    async def _read_status(self) -> int:
        """Return the status registers, the second one in the high byte, of an idle flash."""
        part = self.identity.part
        loop = asyncio.get_running_loop()
        end = loop.time() + _STATUS_WRITE_SECONDS
        while True:
            status = await self._read_status_register(_READ_STATUS)
            if not status & _WRITE_IN_PROGRESS:
                break
            if loop.time() > end:
                raise ProtectedFlashError(
                    "the flash stays busy with its status register"
                )
        if part.status_bytes > 1:
            status |= await self._read_status_register(part.second_status) << 8
        return status

    async def _read_status_register(self, opcode: int) -> int:
        return (await self.link.exchange(frames.read_status(opcode))).number

    def _check_sectors(self, start: int, length: int) -> None:
        self._check_range(start, length)
        if start % SECTOR_SIZE or length % SECTOR_SIZE:
            raise ValueError(f"not whole sectors: 0x{start:X}+0x{length:X}")

    def _check_range(self, start: int, length: int) -> None:
        """Refuse what lies outside of the flash: the chip would wrap around silently."""
        if not 0 <= start < start + length <= self.identity.flash_size:
            raise ValueError(f"not in the flash: 0x{start:X}+0x{length:X}")


async def _steady[T](link: Link, read: Callable[[], Awaitable[T]]) -> T:
    """Read until two readings in a row agree: answers have no checksum.

    The link check in between keeps one answer that came twice from agreeing with itself.
    """
    value = await read()
    for _ in range(4):
        await link.exchange(frames.link_check())
        before, value = value, await read()
        if before == value:
            return value
    raise UnexpectedReplyError("the chip answers differently each time")


async def _read_register(link: Link, address: int) -> int:
    return (await link.exchange(frames.read_register(address))).number


async def _read_flash_id(link: Link) -> bytes:
    return (await link.exchange(frames.read_flash_id())).data


async def _read_code_key(link: Link) -> tuple[int, int, int, int]:
    control = await _read_register(link, _EFUSE_CONTROL) & ~_EFUSE_OURS
    cells = bytes(
        [await _read_efuse(link, control, index) for index in range(_CODE_KEY_BYTES)]
    )
    first, second, third, fourth = (
        int.from_bytes(cells[place : place + 4], "little") for place in range(0, 16, 4)
    )
    return first, second, third, fourth


async def _read_efuse(link: Link, control: int, index: int) -> int:
    """Read one byte of the eFuse; ``control`` is the rest of the control register."""
    request = frames.write_register(_EFUSE_CONTROL, control | index << 8 | _EFUSE_START)
    reads = (
        frames.read_register(_EFUSE_CONTROL),
        frames.read_register(_EFUSE_CONTROL),
        frames.read_register(_EFUSE_DATA),
    )
    replies = await link.exchange_all(request, *reads)
    for _ in range(8):
        # The data counts if the read before it saw the work done.
        *_, state, cell = replies
        if not state.number & _EFUSE_START:
            return cell.number & 0xFF
        replies = await link.exchange_all(*reads)
    raise UnexpectedReplyError("the eFuse stays busy")
