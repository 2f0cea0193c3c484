"""Reading flash: only what is not blank, proven by the chip's CRC."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
import logging
from typing import Final

from ..beken.flash_map import BLOCK_SIZE, SECTOR_SIZE
from ..checksums import crc32_jamcrc
from . import frames
from .comparing import BLANK_SECTOR, find_differences
from .errors import BootRomError, CrcMismatchError, NoReplyError, StatusError
from .link import Pending
from .loader import Loader

_LOGGER: Final = logging.getLogger(__name__)

type Progress = Callable[[int, int], None]
type VerifiedPart = Callable[[int, bytes], None]

_READS_AHEAD: Final = 2
# What one CRC covers. Behind a CRC nothing is sent ahead, so that each costs one round trip in which
# the line is idle: the larger the better. But what is blank in an area is only skipped at its ends,
# and a sector takes 8 ms to hash but, even at 2 Mbaud, 21 ms to read. So areas grow in dense data,
# shrink where gaps are, and stay small in blank flash, where single sectors lie about; there they grow
# only where a round trip takes as long as a sector.
_SMALLEST_AREA: Final = SECTOR_SIZE
_BLANK_AREA: Final = 8 * SECTOR_SIZE
_LARGEST_AREA: Final = 2 * BLOCK_SIZE
_BLANK_END: Final = b"\xff" * 4
_FAILURES_IN_A_ROW: Final = 8
_ROUNDS_OF_MENDING: Final = 7


@dataclass(slots=True, eq=False)
class _Area:
    """A part of what is read, as offsets from its start, and its CRC as the chip told it."""

    start: int
    end: int
    crc: int
    from_end: bool
    """Read the last sectors first: where a blank region went before, data is at the end."""
    unread: deque[int]
    """Offsets of the sectors that were not asked for yet."""
    missing: int
    """How many sectors have not come in yet."""
    has_gaps: bool = False
    proven: bool = False


@dataclass(slots=True, eq=False)
class _InFlight:
    """A request that was sent: for the CRC of an area, or for one sector of it."""

    pending: Pending
    area: _Area
    sector: int | None = None
    from_end: bool = False


class FlashReader:
    """One reading of ``length`` bytes from ``start``, both multiples of 4 KiB.

    The chip is asked for the CRC of one area after the other. The image is filled with FF before
    anything is read; as soon as an area of it has the chip's CRC, the area is done: at once where
    it is blank, and before its last sector where only its rest is blank.
    """

    def __init__(
        self,
        loader: Loader,
        start: int,
        length: int,
        *,
        progress: Progress | None,
        verified: VerifiedPart | None,
    ) -> None:
        """Start with nothing read."""
        self._loader = loader
        self._link = loader.link
        self._start = start
        self._length = length
        self._progress = progress
        self._verified = verified
        self._image = bytearray(b"\xff") * length
        self._view = memoryview(self._image).toreadonly()
        self._areas: deque[_Area] = deque()
        self._flight: deque[_InFlight] = deque()
        self._surveyed = 0
        self._handed_out = 0
        self._reported = 0
        self._area_size = self._blank_size = _BLANK_AREA
        self._failures = 0

    async def read(self) -> bytes:
        """Return what was read."""
        while self._handed_out < self._length:
            self._request_more()
            try:
                await self._receive()
            except (NoReplyError, StatusError) as err:
                await self._start_over(err)
            await self._hand_out()
        return bytes(self._image)

    def _request_more(self) -> None:
        """Keep the chip busy: with two reads, then with a CRC, behind which nothing is sent.

        A CRC request that lost a byte would take it from the next one and hash, or hang, for ever.
        """
        ahead = _READS_AHEAD if self._link.sends_ahead else 1
        while not any(request.sector is None for request in self._flight):
            area = next(filter(self._may_read, self._areas), None)
            if area is None:
                if self._surveyed < self._length and (ahead > 1 or not self._flight):
                    self._ask_for_crc()
                return
            if len(self._flight) >= ahead:
                return
            self._ask_for_sector(area)

    def _may_read(self, area: _Area) -> bool:
        """Return whether to read on in ``area``.

        Its last sector waits for the others: if it is blank, they prove the area without it.
        """
        waits = area.missing > 1 and self._surveyed < self._length
        return len(area.unread) > waits

    def _ask_for_crc(self) -> None:
        start = self._surveyed
        after_blank = self._is_blank_before(start)
        size = self._blank_size if after_blank else self._area_size
        end = min(start + size, self._length)
        sectors = deque(range(start, end, SECTOR_SIZE))
        area = _Area(start, end, 0, after_blank, sectors, len(sectors))
        request = frames.check_crc(self._start + start, end - start)
        self._flight.append(_InFlight(self._link.send(request), area))

    def _is_blank_before(self, position: int) -> bool:
        """Return whether the last sector before ``position`` is known to be blank."""
        if not position or (self._areas and not self._areas[-1].proven):
            return False
        return self._view[position - SECTOR_SIZE : position] == BLANK_SECTOR

    def _ask_for_sector(self, area: _Area) -> None:
        sector = area.unread.pop() if area.from_end else area.unread.popleft()
        pending = self._link.send(self._loader.read_request(self._start + sector))
        self._flight.append(_InFlight(pending, area, sector, area.from_end))

    async def _receive(self) -> None:
        if not self._flight:
            return
        request = self._flight[0]
        reply = await self._link.receive(request.pending)
        self._flight.popleft()
        self._failures = 0
        if request.sector is None:
            self._take_crc(request.area, reply.number)
        else:
            self._take_sector(request.area, request.sector, reply.data)
            # Data goes on rather at this end, and at the other one if this was blank.
            is_blank = reply.data == BLANK_SECTOR
            request.area.from_end = request.from_end is not is_blank

    def _take_crc(self, area: _Area, crc: int) -> None:
        area.crc = crc
        self._surveyed = area.end
        self._areas.append(area)
        if self._prove(area):
            self._area_size = _BLANK_AREA
            if self._link.holds_back:
                self._blank_size = min(self._blank_size * 2, _LARGEST_AREA)
        else:
            self._blank_size = _BLANK_AREA

    def _take_sector(self, area: _Area, sector: int, data: bytes) -> None:
        if area.proven:
            return
        self._image[sector : sector + SECTOR_SIZE] = data
        area.missing -= 1
        if data == BLANK_SECTOR:
            area.has_gaps = True
            self._area_size = max(self._area_size // 2, _SMALLEST_AREA)
        if area.missing and not (
            data.endswith(_BLANK_END) or data.startswith(_BLANK_END)
        ):
            # Nothing says that a blank part begins here.
            return
        if self._prove(area) and not area.missing and not area.has_gaps:
            self._area_size = min(self._area_size * 2, _LARGEST_AREA)

    def _prove(self, area: _Area) -> bool:
        """Compare an area with what the chip has there; return whether they agree."""
        area.proven = crc32_jamcrc(self._view[area.start : area.end]) == area.crc
        if area.proven:
            area.unread.clear()
        return area.proven

    async def _start_over(self, err: BootRomError) -> None:
        """Ask again for all that is in flight, once the chip listens."""
        self._failures += 1
        _LOGGER.debug("Reading goes on after: %s", err)
        if self._failures > _FAILURES_IN_A_ROW:
            raise err
        self._take_back()
        await self._link.recover()

    def _take_back(self) -> None:
        for request in self._flight:
            if request.sector is not None and not request.area.proven:
                request.area.unread.append(request.sector)
        self._flight.clear()

    async def _hand_out(self) -> None:
        """Pass on the areas that are done, in their order."""
        while self._areas:
            area = self._areas[0]
            if not area.proven:
                if area.missing:
                    self._report(area.end - area.missing * SECTOR_SIZE)
                    return
                await self._mend(area)
            self._areas.popleft()
            self._handed_out = area.end
            if self._verified is not None:
                self._verified(
                    self._start + area.start, bytes(self._view[area.start : area.end])
                )
            self._report(area.end)

    def _report(self, done: int) -> None:
        if self._progress is not None and done > self._reported:
            self._reported = done
            self._progress(done, self._length)

    async def _mend(self, area: _Area) -> None:
        """Read again what differs, after an answer was damaged on its way."""
        self._take_back()
        await self._link.recover()
        for turn in range(_ROUNDS_OF_MENDING):
            data = self._view[area.start : area.end]
            wrong = await find_differences(self._loader, self._start + area.start, data)
            if not wrong:
                return
            _LOGGER.debug("Reading again: %s", [f"0x{sector:06X}" for sector in wrong])
            if turn:
                await self._link.slow_down()
            for sector in wrong:
                reply = await self._link.exchange(self._loader.read_request(sector))
                offset = sector - self._start
                self._image[offset : offset + SECTOR_SIZE] = reply.data
        raise CrcMismatchError(wrong[0], SECTOR_SIZE)
