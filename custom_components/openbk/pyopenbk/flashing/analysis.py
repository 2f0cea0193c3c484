"""What a dump says of the chip it came from, and whether the job may write to that chip."""

from dataclasses import dataclass, replace
from typing import Final

from ..backups import Contents
from ..beken.application import (
    APPLICATION_LENGTH,
    Application,
    CodeKey,
    Firmware,
    describe_application,
    key_of_first_words,
)
from ..beken.code_flash import RECORD_SIZE, STANDARD_KEY, CodeKeyWords, check_records
from ..beken.flash_map import (
    APPLICATION,
    BOOTLOADER,
    OPENBEKEN_CONFIG,
    RF_CALIBRATION,
    SECTOR_SIZE,
    Region,
)
from ..beken.rf_sector import (
    RfSector,
    RfSectorError,
    RfSectorLostError,
    parse_rf_sector,
)
from ..checksums import crc32_jamcrc
from ..errors import OpenBekenError
from ..obk import config_sector
from ..obk.config_sector import ConfigSector, ConfigSectorError
from ..tuya.dump import TuyaStorageError
from ..tuya.pins import PinReading
from ..tuya.reader import read_pins
from .errors import (
    BootloaderTrouble,
    BootloaderUnfitError,
    FlashingError,
    ForeignKeyError,
    RfSectorMisplacedError,
    RfSectorMissingError,
)
from .records import JobRecord

NO_KEY: Final = (0, 0, 0, 0)
FIRST_SECTOR: Final = Region(
    "first_sector", APPLICATION.start, APPLICATION.start + SECTOR_SIZE
)


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
    damaged_at: int | None
    """Flash address of the first gap or damage in an application that is not whole."""
    pins: PinReading | None
    """The pins as the factory's storage has them."""
    why_no_pins: OpenBekenError | None
    config: ConfigSector | None
    """OpenBeken's valid configuration, which has pins too."""
    obstacle: FlashingError | None
    """Why `FlashingJob.write` would refuse this chip; None: it would not."""
    unfinished: JobRecord | None
    """The job that left the chip half-written, if it was one of ours."""


def analyse_dump(
    dump: bytes,
    code_key: CodeKeyWords,
    unfinished: JobRecord | None = None,
) -> Analysis:
    """Look through a dump; takes tens of milliseconds and belongs into an executor.

    ``unfinished`` is the job after whose beginning the chip no longer holds what the dump does.
    """
    application = describe_application(part(dump, APPLICATION))
    config = read_config(dump)
    rf_sector = read_rf_sector(part(dump, rf_region_of(dump)))
    pins: PinReading | None = None
    why_no_pins: OpenBekenError | None = None
    try:
        pins = read_pins(dump)
    except OpenBekenError as err:
        why_no_pins = err
    has_storage = not isinstance(why_no_pins, TuyaStorageError)
    state = _judge(dump, application, config, has_storage=has_storage)
    return Analysis(
        state=Contents.HALF_WRITTEN if unfinished else state,
        mac=rf_sector.mac if rf_sector else None,
        mac_is_generic=rf_sector is not None and rf_sector.is_generic,
        version=None if unfinished else application.identity.version,
        damaged_at=_find_damage(application)
        if state is Contents.HALF_WRITTEN
        else None,
        pins=pins,
        why_no_pins=why_no_pins,
        config=config,
        obstacle=find_obstacle(dump, code_key),
        unfinished=unfinished,
    )


def judge(dump: bytes) -> Contents:
    """Return what a dump holds; takes as long as analyse_dump."""
    return analyse_dump(dump, STANDARD_KEY).state


def find_obstacle(dump: bytes, code_key: CodeKeyWords) -> FlashingError | None:
    """Return why the chip of this dump must not be written by a flash job."""
    key = code_key_of(dump, code_key)
    try:
        if key is not CodeKey.STANDARD:
            raise ForeignKeyError("no OpenBeken image is made for this chip's key")
        check_rf_sector(dump)
        check_bootloader(dump, key)
    except FlashingError as err:
        return err
    return None


def check_rf_sector(dump: bytes) -> RfSector:
    """Return the RF sector, from where the map has it.

    Raises RfSectorMissingError where it is lost, RfSectorMisplacedError where the map is another.
    """
    try:
        return parse_rf_sector(part(dump, RF_CALIBRATION))
    except RfSectorError as err:
        elsewhere = find_rf_sectors(dump)
        if isinstance(err, RfSectorLostError) and not elsewhere:
            raise RfSectorMissingError(str(err)) from err
        raise RfSectorMisplacedError(elsewhere) from err


def check_bootloader(dump: bytes, key: CodeKey) -> None:
    """Raise BootloaderUnfitError unless the bootloader can start an application on this chip.

    Records outside of what runs may be anything, so single ones do not count; a region where most
    are wrong is no bootloader.
    """
    bootloader = part(dump, BOOTLOADER)
    if not bootloader.strip(b"\xff"):
        raise BootloaderUnfitError(BootloaderTrouble.BLANK)
    records = check_records(bootloader)
    starts = check_records(bootloader[:RECORD_SIZE]).sound
    if not starts or records.sound <= len(records.damaged):
        raise BootloaderUnfitError(BootloaderTrouble.DAMAGED)
    if key_of_first_words(bootloader, BOOTLOADER.start) is not key:
        raise BootloaderUnfitError(BootloaderTrouble.FOREIGN)


def code_key_of(dump: bytes, code_key: CodeKeyWords) -> CodeKey:
    """Return which key code needs to run on the chip of this dump.

    A key that reads as zero is none, or one that the chip keeps to itself; a bootloader that runs
    there tells which.
    """
    if code_key == STANDARD_KEY:
        return CodeKey.STANDARD
    if code_key != NO_KEY:
        return CodeKey.FOREIGN
    bootloader = key_of_first_words(part(dump, BOOTLOADER), BOOTLOADER.start)
    return CodeKey.STANDARD if bootloader is CodeKey.STANDARD else CodeKey.NONE


def starts_nothing(first_sector: bytes) -> bool:
    """Return whether the application's first sector is blank or was written by half.

    Power that is lost on the border of two records leaves no damaged one: in this sector, which
    code always fills, blank ones tell, or a blank end.
    """
    records = check_records(first_sector)
    return records.sound < records.count or first_sector.endswith(b"\xff")


def has_ended(record: JobRecord, first_sector: bytes) -> bool:
    """Return whether nothing is left to do of a job, by the sector that it writes last.

    Where the sector is neither what was to be written nor written by half, the job changed nothing
    yet, or somebody has written other firmware since.
    """
    if crc32_jamcrc(first_sector) == record.first_sector_crc:
        return True
    return not starts_nothing(first_sector)


def read_rf_sector(sector: bytes) -> RfSector | None:
    """Return what an RF sector says, or None where it is none."""
    try:
        return parse_rf_sector(sector)
    except RfSectorError:
        return None


def find_rf_sectors(dump: bytes) -> list[int]:
    """Return the addresses of all sectors that hold an RF calibration."""
    return [
        start
        for start in range(0, len(dump), SECTOR_SIZE)
        if read_rf_sector(dump[start : start + SECTOR_SIZE])
    ]


def rf_region_of(dump: bytes) -> Region:
    """Return where a flash has its RF calibration: where the map says unless it is elsewhere."""
    if read_rf_sector(part(dump, RF_CALIBRATION)) is None:
        for start in find_rf_sectors(dump):
            return replace(RF_CALIBRATION, start=start, end=start + SECTOR_SIZE)
    return RF_CALIBRATION


def read_config(dump: bytes) -> ConfigSector | None:
    """Return OpenBeken's configuration, or None where there is no valid one."""
    try:
        return config_sector.parse(part(dump, OPENBEKEN_CONFIG))
    except ConfigSectorError:
        return None


def part(dump: bytes, region: Region) -> bytes:
    """Return the bytes of a region."""
    return dump[region.start : region.end]


def _judge(
    dump: bytes,
    application: Application,
    config: ConfigSector | None,
    *,
    has_storage: bool,
) -> Contents:
    if not part(dump, APPLICATION).strip(b"\xff"):
        return Contents.BLANK
    if not part(dump, FIRST_SECTOR).strip(b"\xff") or _is_torn(application):
        return Contents.HALF_WRITTEN
    firmware = application.identity.firmware
    if firmware is Firmware.OPENBEKEN:
        return Contents.OPENBEKEN
    if firmware is Firmware.TUYA:
        return Contents.FACTORY
    # Neither says its name: what the two leave behind outside of the application has to tell.
    if config is not None:
        return Contents.OPENBEKEN
    return Contents.FACTORY if has_storage else Contents.UNKNOWN


def _is_torn(application: Application) -> bool:
    """Return whether code of this chip is there, but not all of it is intact.

    What lies between the code and its mark does not count: the mark's checksum leaves it out, and a
    longer firmware of earlier days may have left its remains there. Of code for other keys nothing
    is known: other chips have a larger application, and a dump may have been read from elsewhere.
    """
    if application.whole or application.key is not CodeKey.STANDARD:
        return False
    records = application.records
    torn = any(offset < APPLICATION_LENGTH for offset in records.damaged)
    return torn and records.sound > len(records.damaged)


def _find_damage(application: Application) -> int:
    """Return the flash address from where on an application is blank or damaged."""
    return APPLICATION.start + min(application.records.damaged, default=0)
