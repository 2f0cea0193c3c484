"""What the bootloader does with an update that came over the air."""

from typing import Final

from . import rbl
from .boot import APPLICATION_START, bootloader_runs
from .bootrom import STANDARD_CODE_KEY
from .chips import MODELS, Chip
from .code_image import application
from .code_memory import RECORD, CodeKey, from_records
from .flash import SECTOR, Flash
from .images import unpack_ota

_MARK_SIZE: Final = 3 * RECORD
_BLOCK: Final = 0x10000
# Where the application is executed, in addresses of the processor, and the word of its vector table
# that is looked at.
_PARTITION: Final = range(0x10000, 0x118700 + 1)
_ENTRY: Final = slice(0x20, 0x24)


def apply_update(
    flash: Flash, key: CodeKey = STANDARD_CODE_KEY, chip: Chip = Chip.BK7231N
) -> str:
    """Put a downloaded application in the place of the present one; return the log.

    Nothing happens where there is none, where it is the present one, or where it is
    damaged. Which chip it is for is not looked at.

    Nor where the code leaves no room for a header in the partition, or the word at its 0x20, to
    which the processor is led by the first vector that is loaded, lies outside of it.
    BK7231N_1.0.1 and BK7231S_1.0.5, run as machine code, erased nothing for 0, 0xFFFF, 0x118701 and
    0xDEADBEEF, nor for 0x1086A1 bytes; they began with 0x10000, 0x118700 and 0x1086A0 bytes.

    The order is that of Tuya's bootloaders, run as machine code: where the code comes and where
    the header of the present one is, all is erased first; then the code is programmed upwards; at
    last the first sector of the download is erased. BK7231S_1.0.5, cut off at its 20th, 45th,
    46th, 5000th and last operations, did all of it again at the next start. It programs pieces of
    32 bytes, and no header: what it installs has none. That BK7231N_1.0.1 programs one, behind the
    code, is taken to be so.
    """
    model = MODELS[chip]
    header = rbl.RblHeader.parse(flash.read(model.download, rbl.SIZE))
    if header is None or not bootloader_runs(flash, key):
        return ""
    mark = APPLICATION_START + model.application - _MARK_SIZE
    present = rbl.RblHeader.parse(from_records(flash.read(mark, _MARK_SIZE)))
    if present is not None and present.raw_hash == header.raw_hash:
        return ""
    plain = unpack_ota(flash.read(model.download, rbl.SIZE + header.body_size))
    if plain is None:
        return "verify download failed\r\n"
    if not _fits(plain):
        return ""
    new = application(plain, key, model.application)
    with flash.opened():
        code = new[:-_MARK_SIZE].rstrip(b"\xff")
        _erase(flash, APPLICATION_START, APPLICATION_START + len(code))
        _erase(flash, mark - SECTOR, mark + _MARK_SIZE)
        flash.program(APPLICATION_START, code)
        if model.needs_mark:
            flash.program(mark, new[-_MARK_SIZE:])
        flash.erase(model.download)
    return f"upgrade app to {header.version}\r\n"


def _fits(plain: bytes) -> bool:
    return (
        len(plain) <= len(_PARTITION) - 1 - rbl.SIZE
        and int.from_bytes(plain[_ENTRY], "little") in _PARTITION
    )


def _erase(flash: Flash, start: int, end: int) -> None:
    """Erase all sectors that hold one of these bytes, in blocks where there are whole ones."""
    place = start // SECTOR * SECTOR
    while place < end:
        size = SECTOR if place % _BLOCK or end - place < _BLOCK else _BLOCK
        flash.erase(place, size)
        place += size
