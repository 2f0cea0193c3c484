"""What can go wrong in the wizard and which page tells about it: one table for each kind."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from ..pyopenbk import backups, errors, flash_map, profile, rf_sector
from ..pyopenbk.bootrom import errors as bootrom
from ..pyopenbk.bootrom.errors import PortTrouble
from ..pyopenbk.obk import config_sector, image, provisioning
from ..pyopenbk.obk.file_kinds import FileKind


class Moment(StrEnum):
    """How far the job had got, and so in what state the chip is."""

    READING = "reading"
    """Nothing was written."""
    WRITING = "writing"
    """A part may be written; the socket does not start until all of it is."""
    WRITTEN = "written"
    """All of it is written and verified."""

    @property
    def left(self) -> str:
        """Return the key of the text that ends a wizard which is left now."""
        return _LEFT[self]


_LEFT: Final = {
    Moment.READING: "left_untouched",
    Moment.WRITING: "left_half_written",
    Moment.WRITTEN: "left_written",
}

# What stops a job: the page that says what happened, what state the chip is in, what to do next.
JOB_ERRORS: Final[Mapping[type[errors.OpenBekenError], str]] = {
    errors.OpenBekenError: "failed_unexpected",
    bootrom.BootRomError: "failed_unexpected",
    bootrom.NoChipError: "failed_link_lost",
    bootrom.LinkLostError: "failed_link_lost",
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
    backups.EmptyDumpError: "failed_flash_unreachable",
    rf_sector.RfSectorError: "failed_rf_missing",
    flash_map.OutsideAllowanceError: "failed_unexpected",
    provisioning.ProvisioningError: "failed_settings",
    config_sector.ConfigSectorError: "failed_settings",
    profile.ProfileError: "failed_settings",
    image.ImageError: "failed_image",
}
# The serial port itself.
PORT_PAGES: Final[Mapping[PortTrouble, str]] = {
    PortTrouble.MISSING: "failed_port_missing",
    PortTrouble.BUSY: "failed_port_busy",
    PortTrouble.NO_PERMISSION: "failed_port_permission",
    PortTrouble.UNPLUGGED: "failed_port_unplugged",
    PortTrouble.UNSUPPORTED: "failed_port_missing",
}
PORT_ERRORS: Final[Mapping[PortTrouble, str]] = {
    PortTrouble.MISSING: "port_missing",
    PortTrouble.BUSY: "port_busy",
    PortTrouble.NO_PERMISSION: "port_permission",
    PortTrouble.UNPLUGGED: "port_unplugged",
    PortTrouble.UNSUPPORTED: "port_unsupported",
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
    FileKind.OPENBEKEN_CONFIG: "firmware_is_dump_part",
    FileKind.RF_CALIBRATION: "firmware_is_dump_part",
    FileKind.FLASH_DUMP: "firmware_is_dump_part",
    FileKind.UNKNOWN: "firmware_unrecognised",
}

_TRY: Final = ("retry", "check_wiring", "port", "leave")
_STORAGE: Final = ("retry", "leave")
_HOPELESS: Final = ("check_wiring", "leave")

# The pages of failures and what each offers.
FAILURE_PAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "failed_unexpected": ("retry", "leave"),
    "failed_unexpected_writing": ("retry", "leave"),
    "failed_link_lost": _TRY,
    "failed_link_lost_writing": _TRY,
    "failed_garbled": _TRY,
    "failed_garbled_writing": _TRY,
    "failed_crc": _TRY,
    "failed_crc_writing": _TRY,
    "failed_port_missing": ("retry", "port", "leave"),
    "failed_port_missing_writing": ("retry", "port", "leave"),
    "failed_port_busy": ("retry", "port", "leave"),
    "failed_port_permission": ("retry", "port", "leave"),
    "failed_port_unplugged": ("retry", "port", "leave"),
    "failed_port_unplugged_writing": ("retry", "port", "leave"),
    "failed_wrong_chip": ("leave",),
    "failed_flash_unreachable": _HOPELESS,
    "failed_flash_unreachable_writing": _HOPELESS,
    "failed_protected": _STORAGE,
    "failed_disk_full": _STORAGE,
    "failed_folder": _STORAGE,
    "failed_backup_storage": _STORAGE,
    "failed_rf_missing": ("leave",),
    "failed_settings": ("change_settings", "pins", "leave"),
    "failed_image": ("releases", "leave"),
}
# What the search saw, with the same choices everywhere.
SEEN_PAGES: Final[Mapping[str, tuple[str, ...]]] = dict.fromkeys(
    ("seen_nothing", "seen_noise", "seen_other_baud", "seen_echo", "seen_boot_log"),
    ("search", "check_wiring", "port", "leave"),
)


def page_of(err: Exception | None, moment: Moment) -> str:
    """Return the page for an error of a job; None is one that nobody foresaw."""
    page = "failed_unexpected"
    if isinstance(err, bootrom.PortUnavailableError):
        page = PORT_PAGES[err.reason]
    elif err is not None:
        page = _lookup(JOB_ERRORS, err)
    writing = f"{page}_writing"
    return writing if moment is Moment.WRITING and writing in FAILURE_PAGES else page


def firmware_error(err: errors.OpenBekenError) -> str:
    """Return the key of the text that says why this is no firmware for the chip."""
    if isinstance(err, image.UnrecognisedError):
        return FILE_KINDS[err.kind]
    return _lookup(FIRMWARE_ERRORS, err)


def _lookup(table: Mapping[type[errors.OpenBekenError], str], err: Exception) -> str:
    """Return the entry of the nearest class that the table knows."""
    for kind in type(err).__mro__:
        if issubclass(kind, errors.OpenBekenError) and kind in table:
            return table[kind]
    return table[errors.OpenBekenError]
