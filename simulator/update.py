"""What the bootloader does with an update that came over the air."""

from typing import Final

from . import rbl
from .boot import APPLICATION_SIZE, APPLICATION_START, bootloader_runs
from .bootrom import STANDARD_CODE_KEY
from .code_image import application
from .code_memory import RECORD, CodeKey, from_records
from .flash import Flash
from .images import unpack_ota

DOWNLOAD_START: Final = 0x12A000
DOWNLOAD_SIZE: Final = 0xA6000
_MARK_SIZE: Final = 3 * RECORD
_MARK: Final = APPLICATION_START + APPLICATION_SIZE - _MARK_SIZE


def apply_update(flash: Flash, key: CodeKey = STANDARD_CODE_KEY) -> str:
    """Put a downloaded application in the place of the present one; return the log.

    Nothing happens where there is none, where it is the present one, or where it is
    damaged. Which chip it is for is not looked at. A cut of power is made good at the
    next start.
    """
    header = rbl.RblHeader.parse(flash.read(DOWNLOAD_START, rbl.SIZE))
    if header is None or not bootloader_runs(flash, key):
        return ""
    present = rbl.RblHeader.parse(from_records(flash.read(_MARK, _MARK_SIZE)))
    if present is not None and present.raw_hash == header.raw_hash:
        return ""
    plain = unpack_ota(flash.read(DOWNLOAD_START, rbl.SIZE + header.body_size))
    if plain is None:
        return "verify download failed\r\n"
    flash.rewrite(APPLICATION_START, application(plain, key))
    return f"upgrade app to {header.version}\r\n"
