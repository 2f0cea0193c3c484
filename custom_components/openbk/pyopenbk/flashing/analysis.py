"""What a dump says of the chip it came from, and whether the job may write to that chip."""

from dataclasses import dataclass
from typing import Final

from ..backups import Contents
from ..beken.application import contradicts_mark, key_of_first_words
from ..beken.code_flash import (
    RECORD_SIZE,
    STANDARD_KEY,
    CodeKey,
    CodeKeyWords,
    check_records,
)
from ..beken.rf_sector import (
    RfSector,
    RfSectorError,
    RfSectorLostError,
    parse_rf_sector,
)
from ..checksums import crc32_jamcrc
from ..errors import OpenBekenError
from ..obk.config_sector import ConfigSector
from ..tuya.pins import PinReading
from ..tuya.wifi import FactoryWifi
from .dump import Dump
from .errors import (
    BootloaderTrouble,
    BootloaderUnfitError,
    FlashingError,
    ForeignKeyError,
    RfSectorMisplacedError,
    RfSectorMissingError,
)
from .records import JobRecord

# What cannot be read of the eFuse: all of it, or that it is not zero.
_UNTOLD_KEYS: Final = (None, (0, 0, 0, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What a job found on its chip."""

    state: Contents
    mac: str | None
    """Wi-Fi station address, lower case with colons; None where the RF sector has none."""
    mac_is_generic: bool
    """The address is the one of every chip that has lost its calibration."""
    version: str | None
    """OpenBeken's version, as the code on the chip tells it."""
    build_chip: str | None
    """The chip that the code on this one says it was built for."""
    damaged_at: int | None
    """Flash address of the first gap or damage in an application that is not whole."""
    pins: PinReading | None
    """The pins as the factory's storage has them."""
    why_no_pins: OpenBekenError | None
    wifi: FactoryWifi | None
    """The network that the factory's firmware is joined to."""
    config: ConfigSector | None
    """OpenBeken's valid configuration, which has pins too."""
    obstacle: FlashingError | None
    """Why `FlashingJob.write` would refuse this chip; None: it would not."""
    unfinished: JobRecord | None
    """The job that left the chip half-written, if it was one of ours."""


def analyse(
    dump: Dump, code_key: CodeKeyWords | None, unfinished: JobRecord | None = None
) -> Analysis:
    """Look through a dump; takes tens of milliseconds and belongs into an executor.

    ``unfinished`` is the job after whose beginning the chip no longer holds what the dump does.
    """
    state = dump.contents
    rf_sector, pins = dump.rf_sector, dump.pins
    return Analysis(
        state=Contents.HALF_WRITTEN if unfinished else state,
        mac=rf_sector.mac if rf_sector else None,
        mac_is_generic=rf_sector is not None and rf_sector.is_generic,
        version=None if unfinished else dump.application.identity.version,
        build_chip=dump.application.identity.chip,
        damaged_at=dump.damaged_at if state is Contents.HALF_WRITTEN else None,
        pins=pins if isinstance(pins, PinReading) else None,
        why_no_pins=None if isinstance(pins, PinReading) else pins,
        wifi=dump.wifi,
        config=dump.config,
        obstacle=find_obstacle(dump, code_key),
        unfinished=unfinished,
    )


def find_obstacle(dump: Dump, code_key: CodeKeyWords | None) -> FlashingError | None:
    """Return why the chip of this dump must not be written by a flash job."""
    key = code_key_of(dump, code_key)
    try:
        if key is not dump.chip.code_key:
            raise ForeignKeyError("no OpenBeken image is made for this chip's key")
        check_rf_sector(dump)
        check_bootloader(dump, key)
    except FlashingError as err:
        return err
    return None


def check_rf_sector(dump: Dump) -> RfSector:
    """Return the RF sector, from where the map has it.

    Raises RfSectorMissingError where it is lost, RfSectorMisplacedError where the map is another.
    """
    place = dump.chip.flash.rf_calibration
    try:
        return parse_rf_sector(dump.part(place))
    except RfSectorError as err:
        if isinstance(err, RfSectorLostError) and not dump.rf_sectors:
            raise RfSectorMissingError(str(err)) from err
        raise RfSectorMisplacedError(place.start, list(dump.rf_sectors)) from err


def check_bootloader(dump: Dump, key: CodeKey) -> None:
    """Raise BootloaderUnfitError unless the bootloader can start an application on this chip.

    Records outside of what runs may be anything, so single ones do not count; a region where most
    are wrong is no bootloader. Where the mark behind it is there, it says of each byte that runs
    whether it is right, as it does in 24 dumps and all releases: another tool may have been cut off
    in the middle of it.
    """
    region = dump.chip.flash.bootloader
    bootloader = dump.part(region)
    if not bootloader.strip(b"\xff"):
        raise BootloaderUnfitError(BootloaderTrouble.BLANK)
    records = check_records(bootloader)
    starts = check_records(bootloader[:RECORD_SIZE]).sound
    if (
        not starts
        or contradicts_mark(bootloader)
        or records.sound <= len(records.damaged)
    ):
        raise BootloaderUnfitError(BootloaderTrouble.DAMAGED)
    if key_of_first_words(bootloader, region.start) is not key:
        raise BootloaderUnfitError(BootloaderTrouble.FOREIGN)


def code_key_of(dump: Dump, code_key: CodeKeyWords | None) -> CodeKey:
    """Return which key code needs to run on the chip of this dump.

    A key that reads as zero is none, or one that the chip keeps to itself, as BK7231T always does
    (None); a bootloader that runs there tells which.
    """
    if code_key == STANDARD_KEY:
        return CodeKey.STANDARD
    if code_key not in _UNTOLD_KEYS:
        return CodeKey.FOREIGN
    region = dump.chip.flash.bootloader
    bootloader = key_of_first_words(dump.part(region), region.start)
    return CodeKey.STANDARD if bootloader is CodeKey.STANDARD else CodeKey.NONE


def starts_nothing(first_sector: bytes) -> bool:
    """Return whether the application's first sector is blank or was written by half.

    Power that is lost on the border of two records leaves no damaged one: in this sector, which
    code always fills, blank ones tell, or a blank end.
    """
    records = check_records(first_sector)
    return records.sound < records.count or first_sector.endswith(b"\xff")


def has_ended(record: JobRecord | None, first_sector: bytes) -> bool:
    """Return whether nothing is left to do of a job, by the sector that it writes last.

    Where the sector is neither what was to be written nor written by half, the job changed nothing
    yet, or somebody has written other firmware since. Of a ``record`` that cannot be read (None),
    it is not known what was to be written.
    """
    if record is not None and crc32_jamcrc(first_sector) == record.first_sector_crc:
        return True
    return not starts_nothing(first_sector)
