"""The boot ROM as loader, such as BK7231N's: identity and protection by registers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Self, override

from ..beken.chips import chip_with_id
from ..beken.code_flash import STANDARD_KEY
from . import frames
from .errors import (
    FlashUnreachableError,
    NoReplyError,
    ProtectedFlashError,
    StatusError,
    UnexpectedReplyError,
    WrongChipError,
)
from .link import Link
from .loader import ChipIdentity, Loader

# Other chips with such a loader (bk7231tools 2.1.2).
_OTHER_CHIPS: Final = {0x7238: "BK7238", 0x7252: "BK7252"}
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
# Between two looks at it, so that a flash which takes milliseconds is not asked a hundred times.
_STATUS_PAUSE: Final = 0.002


class RomLoader(Loader):
    """The boot ROM of a chip that lets its registers and those of its flash be read and written."""

    @classmethod
    @override
    async def identify(cls, link: Link, attempts: int) -> Self | None:
        """Read chip id, eFuse key and flash id; None where the loader knows no registers."""
        try:
            chip_id = await _read_register(link, frames.CHIP_ID_REGISTER, attempts)
        except NoReplyError, StatusError:
            # Link checks are answered.
            return None
        if chip_with_id(chip_id) is None:
            chip_id = await _steady(
                link, lambda: _read_register(link, frames.CHIP_ID_REGISTER)
            )
        if (chip := chip_with_id(chip_id)) is None:
            raise WrongChipError(chip_id, _OTHER_CHIPS.get(chip_id))
        code_key = await _read_code_key(link)
        if code_key != STANDARD_KEY:
            code_key = await _steady(link, lambda: _read_code_key(link))
        jedec = await _steady(link, lambda: _read_flash_id(link))
        if jedec in _UNREACHABLE_IDS or jedec[2] not in _CAPACITY_CODES:
            raise FlashUnreachableError(f"the flash answers with id {jedec.hex()}")
        identity = ChipIdentity(
            chip=chip,
            chip_id=chip_id,
            code_key=code_key,
            jedec=jedec,
            flash_size=1 << jedec[2],
            baudrate=link.baudrate,
        )
        return cls(link, identity)

    @override
    async def check_flash(self) -> None:
        """Ask the flash for its id again; raises FlashUnreachableError where it has none."""
        jedec = await _read_flash_id(self.link)
        if jedec in _UNREACHABLE_IDS:
            raise FlashUnreachableError(f"the flash answers with id {jedec.hex()} now")

    @override
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
            await asyncio.sleep(_STATUS_PAUSE)
        if part.status_bytes > 1:
            status |= await self._read_status_register(part.second_status) << 8
        return status

    async def _read_status_register(self, opcode: int) -> int:
        return (await self.link.exchange(frames.read_status(opcode))).number


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


async def _read_register(link: Link, address: int, attempts: int = 4) -> int:
    request = frames.read_register(address)
    return (await link.exchange(request, attempts=attempts)).number


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
