"""Writing flash so that nothing half-written can start, and proving what must not change."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from ..beken.code_flash import RECORD_SIZE
from ..beken.flash_map import BLOCK_SIZE, SECTOR_SIZE, Region, WriteAllowance
from ..bootrom.chip import LinkedChip
from ..bootrom.errors import CrcMismatchError, ProtectedFlashError, UnexpectedReplyError
from ..bootrom.programming import ProgramReport
from ..checksums import crc32_jamcrc
from .dump import Dump
from .errors import ChipState, ProtectedRegionChangedError
from .progress import PhaseProgress, Progress
from .records import Phase

_ROUNDS_OF_SETTLING: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Adjacent sectors and what they shall hold."""

    phase: Phase
    start: int
    data: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """Return the length in bytes."""
        return len(self.data)

    @property
    def crc(self) -> int:
        """Return the CRC that the chip gives when the piece is in place."""
        return crc32_jamcrc(self.data)


@dataclass(frozen=True, slots=True, kw_only=True)
class WritePlan:
    """What one job writes, in which order, and what it must leave as it is."""

    before: Dump = field(repr=False)
    """The whole flash as it was backed up."""
    pieces: tuple[Piece, ...]
    """Everything but the application's first sector, in the order of writing."""
    first_sector: bytes = field(repr=False)
    allowance: WriteAllowance
    unchanged: tuple[Region, ...]
    """The regions that are proven to come out as they went in."""

    @property
    def application(self) -> bytes:
        """Return the whole application region as it will be."""
        return self.after.part(self.before.chip.flash.application)

    @property
    def after(self) -> Dump:
        """Return the whole flash as it will be."""
        flash = bytearray(self.before.content)
        first = self.before.chip.flash.first_sector
        flash[first.start : first.end] = self.first_sector
        for piece in self.pieces:
            flash[piece.start : piece.start + piece.size] = piece.data
        return Dump(bytes(flash), self.before.chip)


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteReport:
    """What a job wrote; sectors of 4 KiB."""

    sectors: int
    written: int
    """Programmed."""
    skipped: int
    """Found right and left alone."""
    blank: int
    """Shall be blank, and are."""
    repaired: int
    """Found wrong after writing, and written again."""
    seconds: float


class SafeWriter:
    """Carries out a plan: the first sector is erased first and written last.

    The configuration goes before the first sector too: power lost in between would otherwise start
    an OpenBeken without its pins and its network. Of the first sector the first record, which
    everything starts with, comes after all others; its own CRC guards it. So whatever happens, the
    chip either starts with everything in place or stays in its boot ROM.
    """

    def __init__(
        self,
        chip: LinkedChip,
        plan: WritePlan,
        progress: Progress,
        state: ChipState,
        set_state: Callable[[ChipState], None],
    ) -> None:
        """Take the chip, the state that it is in, and who wants to know what becomes of it."""
        self._chip = chip
        self._plan = plan
        self._progress = progress
        self._phases: dict[Phase, tuple[PhaseProgress, int]] = {}
        self._programmed: list[ProgramReport] = []
        self._first = Piece(
            phase=Phase.VERIFY,
            start=plan.before.chip.flash.first_sector.start,
            data=plan.first_sector,
        )
        self._disturbances = _disturbances(chip)
        self._repaired = 0
        self._state_before = state
        self._set_state = set_state

    async def run(self, note: Callable[[Phase], Awaitable[None]]) -> WriteReport:
        """Write, prove, and return what was done.

        ``note`` is awaited with each phase that begins, for the first time right before anything
        is changed. Raises what it raises, BootRomError and ProtectedRegionChangedError.
        """
        started = asyncio.get_running_loop().time()
        if await self._is_in_place():
            sectors = sum(piece.size for piece in self._everything) // SECTOR_SIZE
            self._programmed.append(
                ProgramReport(
                    sectors=sectors, equal=sectors, written=0, blank=0, repaired=0
                )
            )
        else:
            await self._write(note)
        await self._prove_unchanged()
        self._set_state(ChipState.WRITTEN)
        return self._report(asyncio.get_running_loop().time() - started)

    async def _is_in_place(self) -> bool:
        """Compare the smallest pieces first: one that differs spares the chip the others."""
        for piece in sorted(self._everything, key=lambda piece: piece.size):
            if await self._chip.crc(piece.start, piece.size) != piece.crc:
                return False
        return True

    async def _write(self, note: Callable[[Phase], Awaitable[None]]) -> None:
        await note(Phase.WRITE_APPLICATION)
        await self._chip.unprotect()
        await self._disable_start()
        phase = Phase.WRITE_APPLICATION
        for piece in self._plan.pieces:
            if piece.phase is not phase:
                phase = piece.phase
                await note(phase)
            await self._program(piece)
        await note(Phase.VERIFY)
        await self._settle(self._plan.pieces)
        await self._prove_unchanged()
        self._programmed.append(await self._put(self._first))
        self._advance(Phase.VERIFY, self._first.size)
        self._set_state(ChipState.WRITTEN_NOT_VERIFIED)
        await self._settle(self._everything)

    async def _disable_start(self) -> None:
        sent = self._chip.link.changes_sent
        self._set_state(ChipState.HALF_WRITTEN)
        try:
            await self._chip.erase(
                self._first.start, self._first.size, allowance=self._plan.allowance
            )
        except BaseException as err:
            # It was never told to, or took the command and kept its contents.
            is_untold = self._chip.link.changes_sent == sent
            if is_untold or isinstance(err, ProtectedFlashError):
                self._set_state(self._state_before)
            raise

    async def _program(self, piece: Piece) -> None:
        progress, offset = self._phase(piece.phase)
        self._programmed.append(
            await self._chip.program(
                piece.start,
                piece.data,
                allowance=self._plan.allowance,
                progress=progress.part(offset),
            )
        )
        self._advance(piece.phase, piece.size)

    async def _put(self, piece: Piece) -> ProgramReport:
        """Make a piece right; the first sector so that a part of it starts nothing."""
        if piece is not self._first:
            return await self._chip.program(
                piece.start, piece.data, allowance=self._plan.allowance
            )
        if await self._chip.crc(piece.start, piece.size) == piece.crc:
            return ProgramReport(sectors=1, equal=1, written=0, blank=0, repaired=0)
        disabled = b"\xff" * RECORD_SIZE + piece.data[RECORD_SIZE:]
        for _ in range(_ROUNDS_OF_SETTLING):
            report = await self._chip.program(
                piece.start, disabled, allowance=self._plan.allowance
            )
            if await self._chip.complete(
                piece.start, disabled, piece.data, allowance=self._plan.allowance
            ):
                return report
        raise CrcMismatchError(piece.start, piece.size)

    async def _prove_unchanged(self) -> None:
        changed = []
        for region in self._plan.unchanged:
            if not await _holds(self._chip, region, self._plan.before):
                changed.append(region)
            self._advance(Phase.VERIFY, region.size)
        if changed:
            raise ProtectedRegionChangedError(changed)

    async def _settle(self, pieces: Sequence[Piece]) -> None:
        """Look at the whole flash where the line was disturbed since the last look.

        Commands have no checksum: one whose address was damaged on its way changed other flash
        than it should. What is among ``pieces`` is written again, else it is an error.
        """
        for _ in range(_ROUNDS_OF_SETTLING):
            if _disturbances(self._chip) == self._disturbances:
                return
            self._disturbances = _disturbances(self._chip)
            repaired = 0
            for piece in pieces:
                report = await self._put(piece)
                repaired += report.sectors - report.equal
            await prove_untouched(self._chip, self._plan.allowance, self._plan.before)
            self._repaired += repaired
            if not repaired:
                # Nothing was sent that could have gone astray.
                self._disturbances = _disturbances(self._chip)
        if _disturbances(self._chip) != self._disturbances:
            raise UnexpectedReplyError("the line is too disturbed to prove anything")

    @property
    def _everything(self) -> tuple[Piece, ...]:
        return (*self._plan.pieces, self._first)

    def _phase(self, phase: Phase) -> tuple[PhaseProgress, int]:
        if phase not in self._phases:
            total = sum(p.size for p in self._everything if p.phase is phase)
            if phase is Phase.VERIFY:
                total += 2 * sum(region.size for region in self._plan.unchanged)
            self._phases[phase] = PhaseProgress(self._progress, phase, total), 0
        return self._phases[phase]

    def _advance(self, phase: Phase, size: int) -> None:
        progress, offset = self._phase(phase)
        progress.reach(offset + size)
        self._phases[phase] = progress, offset + size

    def _report(self, seconds: float) -> WriteReport:
        for progress, _ in self._phases.values():
            progress.complete()
        return WriteReport(
            sectors=sum(report.sectors for report in self._programmed),
            written=sum(report.written for report in self._programmed),
            skipped=sum(report.equal for report in self._programmed),
            blank=sum(report.blank for report in self._programmed),
            repaired=self._repaired
            + sum(report.repaired for report in self._programmed),
            seconds=seconds,
        )


async def prove_untouched(
    chip: LinkedChip, allowance: WriteAllowance, before: Dump
) -> None:
    """Compare all flash that a job had no leave to change with what it held before.

    Raises ProtectedRegionChangedError, BootRomError.
    """
    changed = []
    for region in allowance.outside(before.chip.flash.size):
        for start in range(region.start, region.end, BLOCK_SIZE):
            end = min(start + BLOCK_SIZE, region.end)
            chunk = Region(f"0x{start:06X}", start, end)
            if not await _holds(chip, chunk, before):
                changed.append(chunk)
    if changed:
        raise ProtectedRegionChangedError(changed)


async def _holds(chip: LinkedChip, region: Region, dump: Dump) -> bool:
    crc = await chip.crc(region.start, region.size)
    return crc == crc32_jamcrc(dump.part(region))


def _disturbances(chip: LinkedChip) -> int:
    """Return how often the line failed so far."""
    return chip.link.failures + len(chip.link.stray_changes)
