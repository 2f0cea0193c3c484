"""Name a file that is not what somebody took it for by its first bytes."""

from enum import StrEnum
from typing import Final

from .beken.chips import FLASH_SIZES


class FileKind(StrEnum):
    """What a file is that somebody took for a firmware image or a dump."""

    EMPTY = "empty"
    BLANK = "blank"
    WEB_PAGE = "web_page"
    TEXT = "text"
    ARCHIVE = "archive"
    UF2 = "uf2"
    ELF = "elf"
    ESP_IMAGE = "esp_image"
    RAW_CODE = "raw_code"
    """Code for an ARM chip without encryption and checksums, as the compiler left it."""
    OVER_THE_AIR = "over_the_air"
    """Firmware packed for an update over the air."""
    OPENBEKEN_CONFIG = "openbeken_config"
    RF_CALIBRATION = "rf_calibration"
    FLASH_DUMP = "flash_dump"
    """A piece of a flash that does not start where an image does."""
    MANGLED = "mangled"
    """Something binary whose line ends or characters a transfer has changed as if it were text."""
    UNKNOWN = "unknown"


_BY_START: Final = (
    (b"PK\x03\x04", FileKind.ARCHIVE),
    (b"\x1f\x8b", FileKind.ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", FileKind.ARCHIVE),
    (b"\xfd7zXZ\0", FileKind.ARCHIVE),
    (b"Rar!\x1a\x07", FileKind.ARCHIVE),
    (b"BZh", FileKind.ARCHIVE),
    (b"\x28\xb5\x2f\xfd", FileKind.ARCHIVE),
    (b"UF2\n", FileKind.UF2),
    (b"\x7fELF", FileKind.ELF),
    (b"RBL\0", FileKind.OVER_THE_AIR),
    (b"\x55\xaa\x55\xaa", FileKind.OVER_THE_AIR),
    (b"CFG", FileKind.OPENBEKEN_CONFIG),
    (b"TLV\0", FileKind.RF_CALIBRATION),
)
_TAR: Final = b"ustar"
_TAR_PLACE: Final = 257
_ESP_MAGIC: Final = 0xE9
_ESP_MOST_SEGMENTS: Final = 16
_LOOKED_AT: Final = 4096
# How many line feeds or unreadable characters are more than chance.
_FEW: Final = 64
_EXPECTED_PAIRS: Final = 8
_UNREADABLE: Final = "\ufffd".encode()
_RAW_CODE_STARTS: Final = (0, 0x10000)
_RAW_CODE: Final = bytes.fromhex("EA14F09FE5")
_CONTROL_CHARACTERS: Final = bytes({*range(0x20), 0x7F} - set(b"\t\n\v\f\r"))


def name_file(data: bytes) -> FileKind:
    """Return the kind of a file by its content; its name does not count."""
    if not data:
        return FileKind.EMPTY
    if not data.strip(data[:1]) and data[0] in (0x00, 0xFF):
        return FileKind.BLANK
    if data.startswith(_TAR, _TAR_PLACE):
        return FileKind.ARCHIVE
    for start, kind in _BY_START:
        if data.startswith(start):
            return kind
    if data[0] == _ESP_MAGIC and 1 <= data[1:2].ljust(1)[0] <= _ESP_MOST_SEGMENTS:
        return FileKind.ESP_IMAGE
    if any(data.startswith(_RAW_CODE, start + 3) for start in _RAW_CODE_STARTS):
        return FileKind.RAW_CODE
    kind = _name_text(data[:_LOOKED_AT])
    return FileKind.MANGLED if kind is FileKind.UNKNOWN and _is_mangled(data) else kind


def _name_text(start: bytes) -> FileKind:
    head = start.lstrip(b"\xef\xbb\xbf \t\r\n")[:32].lower()
    if head.startswith((b"<!doctype html", b"<html", b"<?xml", b"<!--")):
        return FileKind.WEB_PAGE
    # The piece that is looked at may end inside of a character.
    characters = start.decode(errors="replace")[:-1]
    if "\ufffd" in characters or start.translate(None, _CONTROL_CHARACTERS) != start:
        return FileKind.UNKNOWN
    return FileKind.TEXT


def _is_mangled(data: bytes) -> bool:
    """Return whether no binary file of this length would have its line ends like this, by chance.

    Every line feed behind a carriage return; no carriage return, or none before a line feed, where
    chance would have put some, or where just these are missing to a whole flash; characters that a
    decoder could not read, or that are all valid.
    """
    feeds, returns = data.count(b"\n"), data.count(b"\r")
    pairs = data.count(b"\r\n")
    if feeds < _FEW:
        return False
    if pairs == feeds or not returns or data.count(_UNREADABLE) > _FEW:
        return True
    is_short = any(0 < size - len(data) < _FEW for size in FLASH_SIZES)
    if not pairs:
        filled = len(data) - data.count(b"\xff") - data.count(b"\0")
        if is_short or feeds * returns > _EXPECTED_PAIRS * filled:
            return True
    try:
        characters = data.decode()
    except UnicodeDecodeError:
        return False
    return not characters.isascii()
