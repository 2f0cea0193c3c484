"""What the application region of a flash or an image holds, told by its own content."""

from dataclasses import dataclass
from enum import StrEnum
import re
from typing import Final
import zlib

from .code_flash import (
    APPLICATION_ADDRESS,
    RECORD_DATA_SIZE,
    RECORD_SIZE,
    RecordCheck,
    apply_cipher,
    check_records,
    strip_checksums,
)
from .flash_map import APPLICATION
from .rbl import COMPRESSION_NONE, ENCRYPTION_NONE, RblError, RblHeader

# Bytes that an application and the RBL mark at its end take of its region (34 * 33848); the rest
# of the last sector stays blank.
APPLICATION_LENGTH: Final = 0x118F70
_MARK_LENGTH: Final = 3 * RECORD_SIZE
_MARK_OFFSET: Final = APPLICATION_LENGTH - _MARK_LENGTH

# ARM code starts with a branch, then loads the program counter for the next exception.
_BRANCH: Final = 0xEA
_LOAD_PC: Final = bytes.fromhex("14F09FE5")

# "OpenBK7231N_%02X%02X…" makes the host name, "OpenBK7231N_1.18.300" answers Status: these name
# the chip in every build. Other texts may do as well, but not the project's own address, which is
# …/OpenBK7231T_App for all chips.
_CHIP_NAME: Final = rb"Open([A-Z]{1,5}\d{2,4}[A-Z]{0,3})"
_OPENBEKEN_CHIPS: Final = (
    re.compile(_CHIP_NAME + rb"(?:_%|_\d)"),
    re.compile(_CHIP_NAME + rb"[ \0]"),
)
# The web page says "Built on <date> <time> version <version>", the MQTT topic build
# "OpenBK7231N <version> <date> <time>".
_OPENBEKEN_BUILD: Final = re.compile(
    rb"Buil[dt] on [\x20-\x7e]{8,30} version ([\x21-\x7e]{1,40})"
    rb"|" + _CHIP_NAME + rb" ([\x21-\x7e]{1,40}) [A-Z][a-z]{2} [ \d]\d \d{4} "
)
_TUYA_SDK: Final = re.compile(rb"TUYA IOT SDK V:|TuyaOS V:")
_TUYA_CHIP: Final = re.compile(rb"< BUILD AT:[^>]{0,120} AT (\w{4,12}) >")
# What Tuya's old SDK for BK7231T calls its chip.
_OLD_TUYA_CHIP_NAMES: Final = {"8710_2M": "BK7231T"}


class Firmware(StrEnum):
    """Whose firmware it is."""

    OPENBEKEN = "openbeken"
    TUYA = "tuya"
    UNKNOWN = "unknown"


class CodeKey(StrEnum):
    """Which code key a chip must have to run it."""

    STANDARD = "standard"
    NONE = "none"
    FOREIGN = "foreign"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a piece of plain code says of itself."""

    firmware: Firmware
    chip: str | None
    """The chip it was built for, such as BK7231N."""
    version: str | None
    """OpenBeken's version, such as 1.18.299."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What a region of code flash turned out to hold."""

    records: RecordCheck
    key: CodeKey
    identity: Identity
    marked: bool
    """The mark at the end of the region is there."""
    whole: bool
    """The mark's checksum over the whole content is right: nothing is missing or mixed."""


def describe_application(flash: bytes) -> Application:
    """Look at the bytes from flash address 0x11000 on; blank and broken ones are no error."""
    flash = flash[: APPLICATION.size]
    cipher_text = strip_checksums(flash)
    identity = identify_code(apply_cipher(cipher_text))
    mark = _parse_mark(flash)
    return Application(
        records=check_records(flash),
        key=_key_of(cipher_text, identity),
        identity=identity,
        marked=mark is not None,
        whole=mark is not None and _body_matches(cipher_text, mark),
    )


def identify_code(code: bytes) -> Identity:
    """Read chip and version out of plain code; what it does not say stays None."""
    chips = _openbeken_chips(code)
    build = _OPENBEKEN_BUILD.search(code)
    if chips or build:
        return Identity(
            firmware=Firmware.OPENBEKEN,
            chip=chips.pop() if len(chips) == 1 else None,
            version=(build[1] or build[3]).decode() if build else None,
        )
    if _TUYA_SDK.search(code) or _TUYA_CHIP.search(code):
        found = _TUYA_CHIP.search(code)
        chip = found[1].decode() if found else None
        return Identity(
            firmware=Firmware.TUYA,
            chip=_OLD_TUYA_CHIP_NAMES.get(chip, chip.upper()) if chip else None,
            version=None,
        )
    return Identity(firmware=Firmware.UNKNOWN, chip=None, version=None)


def _openbeken_chips(code: bytes) -> set[str]:
    """Return the chips that the surest kind of text names, more than one if they differ."""
    for pattern in _OPENBEKEN_CHIPS:
        if chips := {chip.decode() for chip in pattern.findall(code)}:
            return chips
    return set()


def key_of_first_words(flash: bytes, address: int = APPLICATION_ADDRESS) -> CodeKey:
    """Tell the key from the first 8 bytes of code that is executed at ``address``."""
    if _is_vector_table(apply_cipher(flash[:8], address)):
        return CodeKey.STANDARD
    if _is_vector_table(flash[:8]):
        return CodeKey.NONE
    return CodeKey.UNKNOWN


def _key_of(cipher_text: bytes, identity: Identity) -> CodeKey:
    key = key_of_first_words(cipher_text)
    if key is CodeKey.UNKNOWN and identity.firmware is not Firmware.UNKNOWN:
        # The start is missing or damaged, but the rest decrypted into readable text.
        return CodeKey.STANDARD
    return key


def _is_vector_table(code: bytes) -> bool:
    return len(code) == 8 and code[3] == _BRANCH and code[4:8] == _LOAD_PC


def _parse_mark(flash: bytes) -> RblHeader | None:
    try:
        return RblHeader.parse(
            strip_checksums(flash[_MARK_OFFSET : _MARK_OFFSET + _MARK_LENGTH])
        )
    except RblError:
        return None


def _body_matches(cipher_text: bytes, mark: RblHeader) -> bool:
    """Check the CRC-32 over the content as it lies in flash, without the records' checksums.

    The packer pads to the body's size with bytes that say how many they are; these never reach the
    flash.
    """
    if (mark.encryption, mark.compression) != (ENCRYPTION_NONE, COMPRESSION_NONE):
        return False
    padding = mark.body_size - mark.raw_size
    capacity = _MARK_OFFSET // RECORD_SIZE * RECORD_DATA_SIZE
    if not 0 <= padding < 256 or mark.raw_size > capacity:
        return False
    body = cipher_text[: mark.raw_size] + bytes([padding]) * padding
    return zlib.crc32(body) == mark.body_crc
