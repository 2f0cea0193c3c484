"""What can go wrong in the wizard and which page tells about it: one table for each kind."""

from collections.abc import Mapping
from typing import Final

from ...pyopenbk import descriptions, errors, profile
from ...pyopenbk.backups import errors as backups
from ...pyopenbk.beken import flash_map, rf_sector
from ...pyopenbk.beken.application import Firmware
from ...pyopenbk.beken.chips import FLASH_SIZES
from ...pyopenbk.beken.code_flash import CodeKey
from ...pyopenbk.bootrom import errors as bootrom
from ...pyopenbk.bootrom.errors import PortTrouble
from ...pyopenbk.file_kinds import FileKind
from ...pyopenbk.flashing import errors as flashing
from ...pyopenbk.flashing.errors import BackupTrouble, ChipState
from ...pyopenbk.obk import config_sector, image, provisioning, releases, templates
from ...pyopenbk.obk.image import ImageKind
from ...pyopenbk.tuya import dump, reader, user_params
from ...pyopenbk.tuya.storage import ProblemKind
from .pages import PAGES

# What every byte of erased flash reads as.
ERASED: Final = 0xFF
_INCOMPLETE: Final = frozenset({ChipState.HALF_WRITTEN, ChipState.WRITTEN_NOT_VERIFIED})
# What ends a wizard that is left, by what has become of the chip.
LEFT: Final[Mapping[str, str]] = {
    ChipState.UNTOUCHED: "left_untouched",
    ChipState.HALF_WRITTEN: "left_half_written",
    ChipState.WRITTEN_NOT_VERIFIED: "left_half_written",
    ChipState.WRITTEN: "left_written",
    # Only the radio calibration was touched.
    "radio_written": "left_repaired",
    "radio_begun": "left_radio_begun",
}

# What stops a job: the page that says what happened, what state the chip is in, what to do next.
JOB_ERRORS: Final[Mapping[type[errors.OpenBekenError], str]] = {
    errors.OpenBekenError: "failed_unexpected",
    bootrom.BootRomError: "failed_unexpected",
    bootrom.NoChipError: "failed_link_lost",
    bootrom.LinkLostError: "failed_link_lost",
    bootrom.BaudRateLostError: "failed_baud_rate",
    bootrom.NoReplyError: "failed_link_lost",
    bootrom.UnexpectedReplyError: "failed_garbled",
    bootrom.StatusError: "failed_garbled",
    bootrom.WrongChipError: "failed_wrong_chip",
    bootrom.FlashUnreachableError: "failed_flash_unreachable",
    bootrom.ProtectedFlashError: "failed_protected",
    bootrom.CrcMismatchError: "failed_crc",
    backups.BackupError: "failed_backup_storage",
    backups.DiskFullError: "failed_disk_full",
    backups.FolderNotWritableError: "failed_folder",
    backups.BackupStorageError: "failed_backup_storage",
    backups.BackupDamagedError: "failed_backup_storage",
    backups.BackupExistsError: "failed_backup_storage",
    backups.UnreadableRecordError: "failed_backup_storage",
    backups.EmptyDumpError: "failed_flash_unreachable",
    rf_sector.RfSectorError: "failed_radio",
    flash_map.OutsideAllowanceError: "failed_unexpected",
    flashing.FlashingError: "failed_unexpected",
    flashing.JobOrderError: "failed_unexpected",
    flashing.RfSectorMisplacedError: "failed_rf_elsewhere",
    flashing.RfSectorMissingError: "failed_radio",
    flashing.RfSectorPresentError: "failed_radio",
    flashing.BootloaderUnfitError: "failed_bootloader",
    flashing.FlashSizeError: "failed_wrong_size",
    flashing.ForeignKeyError: "failed_foreign_key",
    flashing.ImageUnfitError: "failed_foreign_key",
    flashing.ChipChangedError: "failed_chip_changed",
    flashing.ProtectedRegionChangedError: "failed_region_changed",
    flashing.ForeignBackupError: "failed_backup_unfit",
    flashing.BackupUnfitError: "failed_backup_unfit",
    provisioning.ProvisioningError: "failed_settings",
    config_sector.ConfigSectorError: "failed_settings",
    profile.ProfileError: "failed_settings",
    image.ImageError: "failed_unexpected",
}
# The serial port itself.
PORT_PAGES: Final[Mapping[PortTrouble, str]] = {
    PortTrouble.MISSING: "failed_port_missing",
    PortTrouble.BUSY: "failed_port_busy",
    PortTrouble.NO_PERMISSION: "failed_port_permission",
    PortTrouble.UNPLUGGED: "failed_port_unplugged",
    PortTrouble.UNREACHABLE: "failed_port_unreachable",
    PortTrouble.CLOSED: "failed_port_closed",
    PortTrouble.NOT_READY: "failed_port_not_ready",
    PortTrouble.UNSUPPORTED: "failed_port_unsupported",
}
PORT_ERRORS: Final[Mapping[PortTrouble, str]] = {
    PortTrouble.MISSING: "port_missing",
    PortTrouble.BUSY: "port_busy",
    PortTrouble.NO_PERMISSION: "port_permission",
    PortTrouble.UNPLUGGED: "port_unplugged",
    PortTrouble.UNREACHABLE: "port_unreachable",
    PortTrouble.CLOSED: "port_closed",
    PortTrouble.NOT_READY: "port_not_ready",
    PortTrouble.UNSUPPORTED: "port_unsupported",
}
# Why the chip itself does not tell its pins: a page that offers other sources.
NO_PINS: Final[Mapping[type[errors.OpenBekenError], str]] = {
    errors.OpenBekenError: "no_pins_not_found",
    dump.TuyaStorageError: "no_pins_not_found",
    dump.StorageErasedError: "no_pins_erased",
    dump.OpenBekenInsteadError: "no_pins_openbeken",
    dump.StorageDamagedError: "no_pins_damaged",
    user_params.UserParamsError: "no_pins_damaged",
    reader.PinDataError: "no_pins_not_found",
    reader.NoPinDataError: "no_pins_not_found",
    reader.TuyaMcuError: "no_pins_mcu",
    reader.UntrustedPinDataError: "no_pins_damaged",
}
# Why an uploaded dump or a pasted text gives no pins.
PIN_ERRORS: Final[Mapping[type[errors.OpenBekenError], str]] = {
    errors.OpenBekenError: "text_not_understood",
    dump.TuyaStorageError: "dump_not_one",
    dump.SmallDumpError: "dump_small",
    dump.StorageErasedError: "dump_erased",
    dump.OpenBekenInsteadError: "dump_openbeken",
    dump.FirmwareInsteadError: "dump_firmware",
    dump.CutDumpError: "dump_cut",
    dump.OtherFlashSizeError: "dump_other_size",
    dump.NotADumpError: "dump_not_one",
    dump.StorageDamagedError: "dump_damaged",
    reader.PinDataError: "dump_no_pins",
    reader.NoPinDataError: "dump_no_pins",
    reader.TuyaMcuError: "dump_mcu",
    reader.UntrustedPinDataError: "dump_pins_damaged",
    user_params.UserParamsError: "text_not_understood",
    templates.TemplateError: "text_not_understood",
    descriptions.DescriptionError: "text_not_understood",
}
# What can be wrong with a backup that is to go back onto a chip.
BACKUP_ERRORS: Final[Mapping[type[errors.OpenBekenError], str]] = {
    errors.OpenBekenError: "backup_not_kept",
    backups.BackupError: "backup_not_kept",
    backups.BackupDamagedError: "backup_damaged",
    backups.DiskFullError: "backup_disk_full",
    flashing.DumpFileError: "dump_not_one",
    flashing.NotAFlashError: "dump_not_one",
    flashing.PartOfAFlashError: "backup_not_whole",
    flashing.SwappedBytesError: "backup_swapped",
    flashing.RotatedWithoutBootloaderError: "backup_rotated",
    flashing.ForeignBackupError: "backup_foreign",
    flashing.BackupUnfitError: "backup_no_flash",
}
UNFIT_BACKUPS: Final[Mapping[BackupTrouble, str]] = {
    BackupTrouble.SIZE: "backup_not_whole",
    BackupTrouble.NO_FLASH: "backup_no_flash",
    BackupTrouble.CHIP: "backup_other_chip",
    BackupTrouble.KEY: "backup_other_key",
    BackupTrouble.BOOTLOADER: "backup_bootloader",
    BackupTrouble.MAP: "backup_other_map",
}
# What a file is instead of a dump, where that is more than that it is none.
DUMP_KINDS: Final[Mapping[FileKind, str]] = {
    FileKind.EMPTY: "dump_is_empty",
    FileKind.WEB_PAGE: "dump_is_web_page",
    FileKind.TEXT: "dump_is_text",
    FileKind.ARCHIVE: "dump_is_archive",
    FileKind.MANGLED: "dump_is_mangled",
    FileKind.OVER_THE_AIR: "dump_is_update",
    FileKind.UF2: "dump_is_update",
}
# What a file or a download can be instead of firmware for this chip.
FIRMWARE_ERRORS: Final[Mapping[type[errors.OpenBekenError], str]] = {
    image.ImageError: "firmware_unrecognised",
    image.UnrecognisedError: "firmware_unrecognised",
    image.WrongKeyError: "firmware_wrong_key",
    image.WrongChipError: "firmware_wrong_chip",
    image.TruncatedError: "firmware_truncated",
    image.TooLargeError: "firmware_too_large",
    image.DamagedError: "firmware_damaged",
    image.DamagedRecordError: "firmware_damaged",
    image.NotForUartError: "firmware_not_for_uart",
    image.NotOpenBekenError: "firmware_not_openbeken",
    releases.ReleaseError: "releases_unexpected",
    releases.NoInternetError: "releases_no_internet",
    releases.BadAddressError: "releases_bad_address",
    releases.RateLimitedError: "releases_rate_limited",
    releases.NotFoundError: "releases_not_found",
    releases.SentElsewhereError: "releases_elsewhere",
    releases.UnexpectedAnswerError: "releases_unexpected",
    releases.TruncatedDownloadError: "download_truncated",
    releases.DigestMismatchError: "download_digest",
}
FILE_KINDS: Final[Mapping[FileKind, str]] = {
    FileKind.EMPTY: "firmware_is_empty",
    FileKind.BLANK: "firmware_is_empty",
    FileKind.WEB_PAGE: "firmware_is_web_page",
    FileKind.TEXT: "firmware_is_text",
    FileKind.ARCHIVE: "firmware_is_archive",
    FileKind.UF2: "firmware_is_other_format",
    FileKind.ELF: "firmware_is_other_format",
    FileKind.ESP_IMAGE: "firmware_is_esp",
    FileKind.RAW_CODE: "firmware_is_raw_code",
    FileKind.MANGLED: "firmware_is_mangled",
    FileKind.OPENBEKEN_CONFIG: "firmware_is_dump_part",
    FileKind.RF_CALIBRATION: "firmware_is_dump_part",
    FileKind.FLASH_DUMP: "firmware_is_dump_part",
    FileKind.UNKNOWN: "firmware_unrecognised",
}


def page_of(err: Exception | None, state: ChipState) -> str:
    """Return the page for an error of a job; None is one that nobody foresaw."""
    page = "failed_unexpected"
    if isinstance(err, bootrom.PortUnavailableError):
        page = PORT_PAGES[err.reason]
    elif isinstance(err, backups.EmptyDumpError) and err.byte == ERASED:
        page = "failed_erased"
    elif err is not None:
        page = _lookup(JOB_ERRORS, err)
    writing = f"{page}_writing"
    return writing if state in _INCOMPLETE and writing in PAGES else page


def firmware_error(err: errors.OpenBekenError) -> str:
    """Return the key of the text that says why this is no firmware for the chip."""
    match err:
        case image.UnrecognisedError():
            return FILE_KINDS[err.kind]
        case image.NotForUartError(kind=ImageKind.FULL_BACKUP):
            return "firmware_is_backup"
        case image.TruncatedError() if err.expected in FLASH_SIZES:
            return "firmware_is_dump_part"
        case image.WrongKeyError(key=CodeKey.NONE):
            return "firmware_without_key"
        case image.WrongChipError() if err.firmware is not Firmware.OPENBEKEN:
            return "firmware_not_openbeken"
    return _lookup(FIRMWARE_ERRORS, err)


def reason_for_no_pins(err: errors.OpenBekenError) -> str:
    """Return the page that says why the chip does not tell its pins."""
    match err:
        case reader.NoPinDataError() if err.damage:
            return "no_pins_damaged"
    return _lookup(NO_PINS, err)


def pin_error(err: errors.OpenBekenError) -> str:
    """Return the key of the text that says why a file or a text gives no pins."""
    match err:
        case dump.NotADumpError():
            return DUMP_KINDS.get(err.kind, "dump_not_one")
        case reader.NoPinDataError() if err.damage:
            cut = any(found.kind is ProblemKind.CUT_STORE for found in err.damage)
            return "dump_cut" if cut else "dump_store_damaged"
    return _lookup(PIN_ERRORS, err)


def backup_error(err: errors.OpenBekenError) -> str:
    """Return the key of the text that says why a backup was not taken."""
    match err:
        case backups.EmptyDumpError():
            return "backup_erased" if err.byte == ERASED else "backup_zeros"
        case flashing.NotAFlashError():
            return DUMP_KINDS.get(err.kind, "dump_not_one")
        case flashing.BackupUnfitError():
            return UNFIT_BACKUPS[err.trouble]
        case flashing.ForeignBackupError(chip_mac=None):
            return "backup_unproven"
        case flashing.ForeignBackupError(backup_mac=None):
            return "backup_without_mac"
    return _lookup(BACKUP_ERRORS, err)


def _lookup(table: Mapping[type[errors.OpenBekenError], str], err: Exception) -> str:
    """Return the entry of the nearest class that the table knows; each knows the root."""
    return next(table[kind] for kind in type(err).__mro__ if kind in table)
