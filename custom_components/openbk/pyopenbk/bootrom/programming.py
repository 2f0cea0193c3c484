"""Programming flash: only what differs, proven by the chip's CRC."""

from collections.abc import Iterator
from dataclasses import dataclass
import logging
from typing import Final

from ..beken.flash_map import (
    BLOCK_SIZE,
    SECTOR_SIZE,
    OutsideAllowanceError,
    WriteAllowance,
)
from ..checksums import crc32_jamcrc
from .comparing import BLANK_SECTOR, BLANK_SECTOR_CRC, find_differences
from .errors import (
    CrcMismatchError,
    NoReplyError,
    ProtectedFlashError,
    StatusError,
    UnexpectedReplyError,
)
from .frames import EraseSize
from .loader import Loader
from .reading import Progress

_LOGGER: Final = logging.getLogger(__name__)

# Typical times of a SPI NOR flash, in seconds, to choose between ways; from the model of
# facts/performance.md.
_SECTOR_ERASE: Final = 0.040
_BLOCK_ERASE: Final = 0.300
_SECTOR_PROGRAM: Final = 0.012
_WRITE_FRAME: Final = 4108

# What a SPI NOR flash programs at once, in bytes.
_PAGE_SIZE: Final = 256
_BLANK_PAGE_CRC: Final = crc32_jamcrc(b"\xff" * _PAGE_SIZE)

_ATTEMPTS: Final = 4
_ROUNDS: Final = 6
_FAILURES_IN_A_ROW: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramReport:
    """What programming did; sectors of 4 KiB."""

    sectors: int
    equal: int
    """Found right and left alone."""
    written: int
    blank: int
    """Erased, where they were not blank before, and to stay blank."""
    repaired: int
    """Found wrong after writing, and written again."""


@dataclass(slots=True)
class _Work:
    """What is to be done in one block of flash (of 64 KiB, less at the borders)."""

    start: int
    end: int
    sectors: list[int]
    """Addresses of the sectors to be made right."""
    is_blank: bool = False
    """Nothing needs to be erased."""


class FlashProgrammer:
    """One programming of ``data`` from ``start``, whole sectors of 4 KiB."""

    def __init__(
        self,
        loader: Loader,
        start: int,
        data: bytes,
        *,
        allowance: WriteAllowance,
        progress: Progress | None,
        last: int | None,
    ) -> None:
        """Start with nothing done.

        Raises OutsideAllowanceError if ``allowance`` does not hold every sector, and ValueError if
        ``last`` is none of them.
        """
        sectors = range(start, start + len(data), SECTOR_SIZE)
        for sector in sectors:
            allowance.check(sector, SECTOR_SIZE)
        if last is not None and last not in sectors:
            raise ValueError(f"0x{last:X} is none of the sectors to program")
        self._loader = loader
        self._link = loader.link
        self._start = start
        self._end = start + len(data)
        self._view = memoryview(data)
        self._allowance = allowance
        self._progress = progress
        self._last = last
        self._todo: set[int] = set()
        self._expects_equal = False
        self._erases = False
        """Some sector was seen to change: the flash is not protected."""
        self._done = 0
        self._written = 0
        self._repaired = 0
        self._failures = 0

    async def program(self) -> ProgramReport:
        """Compare, then bring to its right contents what differs."""
        plan = [await self._compare(start, end) for start, end in self._blocks()]
        self._todo.update(sector for work in plan for sector in work.sectors)
        sectors = (self._end - self._start) // SECTOR_SIZE
        self._advance((sectors - len(self._todo)) * SECTOR_SIZE)
        if self._todo:
            await self._change(plan)
        return ProgramReport(
            sectors=sectors,
            equal=sectors - len(self._todo),
            written=self._written,
            blank=len(self._todo) - len(self._not_blank(self._todo)),
            repaired=self._repaired,
        )

    async def _change(self, plan: list[_Work]) -> None:
        undisturbed = self._link.failures
        await self._hold_back_last()
        for work in plan:
            if work.sectors:
                await self._renew(work)
                await self._verify(work.start, work.end)
                self._erases = True
        for _ in range(_ROUNDS):
            if self._link.failures == undisturbed:
                if self._last is None:
                    return
                await self._make_right(self._last, self._wanted(self._last))
                if self._link.failures == undisturbed:
                    self._advance(SECTOR_SIZE)
                    return
            # A damaged request may have hit what was proven before.
            undisturbed = self._link.failures
            await self._hold_back_last()
            for start, end in self._blocks():
                await self._verify(start, end)
        raise UnexpectedReplyError("the line is too disturbed to prove anything")

    async def _hold_back_last(self) -> None:
        """Erase the sector without which nothing starts, until all others are proven."""
        if self._last is not None:
            self._todo.add(self._last)
            await self._make_right(self._last, BLANK_SECTOR)

    # Comparing

    async def _compare(self, start: int, end: int) -> _Work:
        """Find out what differs in one block.

        Mostly either all of a block differs or nothing does. One page, whose CRC takes next to no
        time, tells which of the two to expect.
        """
        work = _Work(start, end, list(self._sectors(start, end)))
        if not self._expects_equal:
            page = self._last_page(start, end)
            crc = await self._loader.crc(page, _PAGE_SIZE)
            if crc != crc32_jamcrc(self._part(page, page + _PAGE_SIZE)):
                work.is_blank = (
                    crc == _BLANK_PAGE_CRC
                    and await self._is_blank(page - page % SECTOR_SIZE, SECTOR_SIZE)
                    and await self._is_blank(start, end - start)
                )
                if work.is_blank:
                    work.sectors = self._not_blank(work.sectors)
                return work
        work.sectors = await find_differences(
            self._loader, start, self._part(start, end)
        )
        self._expects_equal = not work.sectors
        return work

    def _last_page(self, start: int, end: int) -> int:
        """Return the last page that is not to be blank: it is written last, too."""
        length = len(bytes(self._part(start, end)).rstrip(b"\xff"))
        return start + (length or end - start) - 1 & -_PAGE_SIZE

    async def _is_blank(self, start: int, length: int) -> bool:
        crc = await self._loader.crc(start, length)
        return crc == crc32_jamcrc(b"\xff" * length)

    # Changing

    async def _renew(self, work: _Work) -> None:
        """Erase and write what differs in one block; `_verify` proves it."""
        if not work.is_blank:
            await self._erase(work)
        for sector in work.sectors:
            if sector == self._last:
                continue
            if self._wanted(sector) != BLANK_SECTOR:
                await self._write(sector)
            self._advance(SECTOR_SIZE)

    async def _erase(self, work: _Work) -> None:
        if self._pays_to_erase_block(work):
            work.sectors = list(self._sectors(work.start, work.end))
            self._todo.update(work.sectors)
            await self._erase_unit(work.start, EraseSize.BLOCK)
            return
        for sector in work.sectors:
            if sector != self._last:
                await self._erase_unit(sector, EraseSize.SECTOR)

    def _pays_to_erase_block(self, work: _Work) -> bool:
        """Return whether erasing the whole block is allowed, and quicker."""
        if work.start % BLOCK_SIZE or work.end - work.start != BLOCK_SIZE:
            return False
        try:
            self._allowance.check(work.start, BLOCK_SIZE)
        except OutsideAllowanceError:
            return False
        others = set(self._sectors(work.start, work.end)) - set(work.sectors)
        rewritten = len(self._not_blank(others))
        write = _SECTOR_PROGRAM + _WRITE_FRAME * 10 / self._link.baudrate
        return _BLOCK_ERASE + rewritten * write < len(work.sectors) * _SECTOR_ERASE

    async def _erase_unit(self, address: int, size: EraseSize) -> None:
        await self._loader.erase(address, size, self._allowance)

    async def _write(self, sector: int) -> None:
        """Write one erased sector; whether it worked shows when it is proven."""
        self._written += 1
        try:
            await self._loader.write_sector(
                sector, self._wanted(sector), self._allowance
            )
        except (NoReplyError, StatusError) as err:
            _LOGGER.debug("Writing goes on after: %s", err)
            self._failures += 1
            if self._failures > _FAILURES_IN_A_ROW:
                raise
            await self._loader.recover_write()
        else:
            self._failures = 0

    # Proving

    async def _verify(self, start: int, end: int) -> None:
        """Prove a part, and write again what is wrong in it; the last sector is still blank."""
        expected = bytearray(self._part(start, end))
        if self._last is not None and start <= self._last < end:
            offset = self._last - start
            expected[offset : offset + SECTOR_SIZE] = BLANK_SECTOR
        for sector in await find_differences(self._loader, start, bytes(expected)):
            wanted = BLANK_SECTOR if sector == self._last else self._wanted(sector)
            self._repaired += 1
            await self._make_right(sector, wanted)

    async def _make_right(self, sector: int, wanted: bytes) -> None:
        """Bring one sector to its right contents, whatever it holds, and prove it."""
        right = crc32_jamcrc(wanted)
        found: set[int] = set()
        for attempt in range(_ATTEMPTS):
            if attempt > 1:
                await self._link.slow_down()
            crc = await self._loader.crc(sector, SECTOR_SIZE)
            if crc == right:
                self._erases |= bool(found)
                return
            found.add(crc)
            if crc != BLANK_SECTOR_CRC:
                await self._erase_unit(sector, EraseSize.SECTOR)
            if wanted != BLANK_SECTOR:
                await self._write(sector)
        if await self._loader.crc(sector, SECTOR_SIZE) == right:
            return
        if len(found) == 1 and not await self._can_erase_beside(sector):
            raise ProtectedFlashError(f"0x{sector:06X} stays as it is")
        raise CrcMismatchError(sector, SECTOR_SIZE)

    async def _can_erase_beside(self, failed: int) -> bool:
        """Return whether any other sector that is to be changed can be: or all are protected."""
        if failed == self._last:
            # While this one can start what is behind it, nothing may be missing there.
            return self._erases
        for sector in sorted(self._todo - {failed}):
            if self._erases:
                break
            if await self._loader.crc(sector, SECTOR_SIZE) != BLANK_SECTOR_CRC:
                await self._erase_unit(sector, EraseSize.SECTOR)
                crc = await self._loader.crc(sector, SECTOR_SIZE)
                self._erases = crc == BLANK_SECTOR_CRC
                break
        return self._erases

    # What goes where

    def _blocks(self) -> Iterator[tuple[int, int]]:
        """Yield start and end of the parts that lie in one 64 KiB block each."""
        start = self._start
        while start < self._end:
            end = min(start - start % BLOCK_SIZE + BLOCK_SIZE, self._end)
            yield start, end
            start = end

    def _sectors(self, start: int, end: int) -> range:
        return range(start, end, SECTOR_SIZE)

    def _part(self, start: int, end: int) -> memoryview:
        return self._view[start - self._start : end - self._start]

    def _wanted(self, sector: int) -> bytes:
        return bytes(self._part(sector, sector + SECTOR_SIZE))

    def _not_blank(self, sectors: list[int] | set[int]) -> list[int]:
        return [s for s in sorted(sectors) if self._wanted(s) != BLANK_SECTOR]

    def _advance(self, count: int) -> None:
        self._done += count
        if self._progress is not None and count:
            total = self._end - self._start
            self._progress(min(self._done, total), total)


async def complete_sector(
    loader: Loader, sector: int, before: bytes, data: bytes, allowance: WriteAllowance
) -> bool:
    """Program the bytes of a sector that are still blank; return whether its CRC is right then.

    Programming only clears bits, so what is sent as FF stays as it is.
    """
    right = crc32_jamcrc(data)
    found = await loader.crc(sector, SECTOR_SIZE)
    if found != crc32_jamcrc(before):
        return found == right
    missing = bytes(
        0xFF if old == new else new for old, new in zip(before, data, strict=True)
    )
    try:
        await loader.write_sector(sector, missing, allowance)
    except (NoReplyError, StatusError) as err:
        _LOGGER.debug("Completing 0x%06X: %s", sector, err)
        await loader.recover_write()
    return await loader.crc(sector, SECTOR_SIZE) == right
