"""Files that somebody wants to put onto a chip: named, turned the right way round, described."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from ..backups import Contents, EmptyDumpError
from ..beken.application import key_of_first_words
from ..beken.chips import BK7231N, RF_PLACES, FlashableChip
from ..beken.code_flash import STANDARD_KEY, CodeKey, check_records
from ..beken.flash_map import FlashMap, Region
from ..file_kinds import FileKind, name_file
from ..tuya.dump import StorageDamagedError, StorageErasedError
from ..tuya.reader import NoPinDataError, UntrustedPinDataError
from .analysis import Analysis, analyse
from .dump import Dump, read_rf_sector
from .errors import (
    NotAFlashError,
    PartOfAFlashError,
    RotatedWithoutBootloaderError,
    SwappedBytesError,
)

# Kinds that say more than that the size is wrong.
_NAMED_KINDS: Final = frozenset(FileKind) - {
    FileKind.UNKNOWN,
    FileKind.BLANK,
    FileKind.RAW_CODE,
    FileKind.OPENBEKEN_CONFIG,
    FileKind.RF_CALIBRATION,
}


class DumpNote(StrEnum):
    """What somebody should know of a whole flash before it goes onto a chip."""

    ROTATED = "rotated"
    """It was read from 0x11000 on and wrapped around; it was turned the right way round."""
    SURPLUS = "surplus"
    """It is longer than the flash: what is behind that is blank, or the flash once more."""
    APPLICATION_BLANK = "application_blank"
    APPLICATION_DAMAGED = "application_damaged"
    """Its firmware has a gap or damage and will hardly start."""
    STORE_ERASED = "store_erased"
    """Tuya's firmware without the data by which its app knows the device."""
    STORE_DAMAGED = "store_damaged"
    """Tuya's firmware, whose data cannot all be read."""
    RADIO_MISSING = "radio_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeFlash:
    """A whole flash that could go onto a chip."""

    content: bytes = field(repr=False)
    """The right way round."""
    analysis: Analysis
    notes: tuple[DumpNote, ...]

    @property
    def mac(self) -> str | None:
        """Return the address in its RF calibration."""
        return self.analysis.mac


def read_dump_file(data: bytes, chip: FlashableChip = BK7231N) -> WholeFlash:
    """Tell what a file is that is meant to be a whole flash of a chip; belongs into an executor.

    Raises NotAFlashError, PartOfAFlashError, EmptyDumpError, SwappedBytesError and
    RotatedWithoutBootloaderError. Whether it fits a chip, `FlashingJob.check_restore` says.
    """
    flash = chip.flash
    if (whole := _without_surplus(data, flash.size)) is not data:
        return _noted(read_dump_file(whole, chip), DumpNote.SURPLUS)
    if len(data) == flash.size and _is_right_way_round(data, flash):
        return describe_flash(data, chip)
    kind = name_file(data)
    if kind is FileKind.BLANK and len(data) == flash.size:
        raise EmptyDumpError(data[0])
    if kind in _NAMED_KINDS:
        raise NotAFlashError(kind)
    if len(data) != flash.size:
        raise PartOfAFlashError(len(data))
    if any(_is_right_way_round(_swap(data, size), flash) for size in (2, 4)):
        raise SwappedBytesError("the bytes of each word are swapped")
    turned = _turn(data, flash)
    if key_of_first_words(_part(turned, flash.application)) is CodeKey.UNKNOWN:
        raise NotAFlashError(FileKind.UNKNOWN)
    if not _has_bootloader(turned, flash):
        raise RotatedWithoutBootloaderError("the bootloader is not in the dump")
    return describe_flash(turned, chip, DumpNote.ROTATED)


def describe_flash(
    content: bytes, chip: FlashableChip = BK7231N, *notes: DumpNote
) -> WholeFlash:
    """Look through a whole flash of a chip; belongs into an executor."""
    analysis = analyse(Dump(content, chip), STANDARD_KEY)
    return WholeFlash(
        content=content, analysis=analysis, notes=(*notes, *_notes(analysis))
    )


def _noted(flash: WholeFlash, note: DumpNote) -> WholeFlash:
    return replace(flash, notes=(note, *flash.notes))


def _without_surplus(data: bytes, size: int) -> bytes:
    """Return the flash alone where a tool read more: it wraps around there, or nothing answers."""
    whole, surplus = data[:size], data[size:]
    if not surplus:
        return data
    is_blank = any(not surplus.strip(fill) for fill in (b"\xff", b"\0"))
    again = whole * -(-len(surplus) // size)
    return whole if is_blank or again.startswith(surplus) else data


def _notes(analysis: Analysis) -> list[DumpNote]:
    notes = []
    if analysis.state is Contents.BLANK:
        notes.append(DumpNote.APPLICATION_BLANK)
    if analysis.damaged_at is not None:
        notes.append(DumpNote.APPLICATION_DAMAGED)
    if analysis.state is Contents.FACTORY:
        match analysis.why_no_pins:
            case StorageErasedError():
                notes.append(DumpNote.STORE_ERASED)
            case StorageDamagedError() | UntrustedPinDataError():
                notes.append(DumpNote.STORE_DAMAGED)
            case NoPinDataError(damage=damage) if damage:
                notes.append(DumpNote.STORE_DAMAGED)
            case None if analysis.pins is not None and analysis.pins.damage:
                notes.append(DumpNote.STORE_DAMAGED)
    if analysis.mac is None:
        notes.append(DumpNote.RADIO_MISSING)
    return notes


def _is_right_way_round(data: bytes, flash: FlashMap) -> bool:
    """Return whether an RF calibration, else a bootloader, is where a flash has it.

    Plain code does not tell where in the flash it belongs, so the calibration counts first.
    """
    if _has_radio(data):
        return True
    return not _has_radio(_turn(data, flash)) and _has_bootloader(data, flash)


def _has_radio(data: bytes) -> bool:
    return any(read_rf_sector(_part(data, place)) is not None for place in RF_PLACES)


def _has_bootloader(data: bytes, flash: FlashMap) -> bool:
    bootloader = _part(data, flash.bootloader)
    records = check_records(bootloader)
    return key_of_first_words(
        bootloader, flash.bootloader.start
    ) is not CodeKey.UNKNOWN and records.sound > len(records.damaged)


def _turn(data: bytes, flash: FlashMap) -> bytes:
    """Return what was read from the application on, and wrapped around, beginning at 0."""
    start = flash.application.start
    return data[-start:] + data[:-start]


def _part(data: bytes, region: Region) -> bytes:
    return data[region.start : region.end]


def _swap(data: bytes, size: int) -> bytes:
    swapped = bytearray(len(data))
    for place in range(size):
        swapped[place::size] = data[size - 1 - place :: size]
    return bytes(swapped)
