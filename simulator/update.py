"""What the bootloader does with an update that came over the air."""

from typing import Final

from . import rbl
from .boot import APPLICATION_START, bootloader_runs
from .bootrom import STANDARD_CODE_KEY
from .chips import MODELS, Chip
from .code_image import application
from .code_memory import RECORD, CodeKey, from_records
from .flash import Flash
from .images import unpack_ota

_MARK_SIZE: Final = 3 * RECORD


def apply_update(
    flash: Flash, key: CodeKey = STANDARD_CODE_KEY, chip: Chip = Chip.BK7231N
) -> str:
    """Put a downloaded application in the place of the present one; return the log.

    Nothing happens where there is none, where it is the present one, or where it is
    damaged. Which chip it is for is not looked at. A cut of power is made good at the
    next start. BK7231T's is taken to do with its partitions as BK7231N's was read to do.
    """
    start, size = MODELS[chip].download, MODELS[chip].application
    header = rbl.RblHeader.parse(flash.read(start, rbl.SIZE))
    if header is None or not bootloader_runs(flash, key):
        return ""
    mark = APPLICATION_START + size - _MARK_SIZE
    present = rbl.RblHeader.parse(from_records(flash.read(mark, _MARK_SIZE)))
    if present is not None and present.raw_hash == header.raw_hash:
        return ""
    plain = unpack_ota(flash.read(start, rbl.SIZE + header.body_size))
    if plain is None:
        return "verify download failed\r\n"
    flash.rewrite(APPLICATION_START, application(plain, key, size))
    return f"upgrade app to {header.version}\r\n"
