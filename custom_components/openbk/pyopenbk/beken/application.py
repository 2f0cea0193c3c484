"""What the application region of a flash or an image holds, told by its own content."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
import re
from typing import Final
import zlib

from .chips import BK7231N, BK7231T, FLASHABLE
from .code_flash import (
    APPLICATION_ADDRESS,
    RECORD_DATA_SIZE,
    RECORD_SIZE,
    UASCENT_KEY,
    CodeKey,
    RecordCheck,
    apply_cipher,
    check_records,
    strip_checksums,
    used_size,
)
from .rbl import (
    COMPRESSION_NONE,
    ENCRYPTION_NONE,
    MAGIC as RBL_MAGIC,
    RblError,
    RblHeader,
)

# Every chip of this family has it there.
_BOOTLOADER: Final = BK7231N.flash.bootloader
_MARK_LENGTH: Final = 3 * RECORD_SIZE

# ARM code starts with a branch, then loads the program counter for the next exception.
_BRANCH: Final = 0xEA
_LOAD_PC: Final = bytes.fromhex("14F09FE5")

_CHIP_NAME: Final = rb"Open([A-Z]{1,5}\d{2,4}[A-Z]{0,3})"
# The line of the MQTT topic build, "OpenBK7231N <version> <date> <time>", of which every image has
# one. The web page says "Built on <date> <time> version <version>".
_OPENBEKEN_LINE: Final = re.compile(
    _CHIP_NAME + rb" ([\x21-\x7e]{1,40}) [A-Z][a-z]{2} [ \d]\d \d{4} "
)
_OPENBEKEN_VERSION: Final = re.compile(
    rb"Buil[dt] on [\x20-\x7e]{8,30} version ([\x21-\x7e]{1,40})"
)
# Other texts that name the chip, the surer ones first: the answer to Status, the pattern of the host
# name (an SDK brings one for BK7231N to the images of every chip), anything else. None of them is
# the project's own address, which is …/OpenBK7231T_App for all chips.
_OPENBEKEN_CHIPS: Final = (
    re.compile(_CHIP_NAME + rb"_\d"),
    re.compile(_CHIP_NAME + rb"_%"),
    re.compile(_CHIP_NAME + rb"[ \0]"),
)
_TUYA_SDK: Final = re.compile(rb"TUYA IOT SDK V:|TuyaOS V:")
_TUYA_CHIP: Final = re.compile(rb"< BUILD AT:[^>]{0,120} AT (\w{4,12}) >")
# LT_BANNER_STR of LibreTiny's libretiny.h, which every firmware that is built on it prints.
_LIBRETINY: Final = re.compile(rb"LibreTiny v\d[\x20-\x7e]{0,120}, compiled at ")
# The bootloaders say "BK7231N_1.0.1" and, that of BK7231T, "BK7231S_1.0.5".
_BOOTLOADER_NAMES: Final = {
    chip.bootloader_name.encode(): chip.name for chip in FLASHABLE
}
_BOOTLOADER_NAME: Final = re.compile(rb"(%b)_\d" % b"|".join(_BOOTLOADER_NAMES))
_RF_MAGIC: Final = b"TLV\0"
# What Tuya's SDKs call their chips; BK7231Q's was read in a dump of one.
_FACTORY_NAMES: Final = {"bk7231": "BK7231Q"} | {
    name: chip.name for chip in FLASHABLE for name in chip.factory_names
}


class Firmware(StrEnum):
    """Whose firmware it is."""

    OPENBEKEN = "openbeken"
    TUYA = "tuya"
    LIBRETINY = "libretiny"
    """ESPHome, for one, is built on it."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a piece of plain code says of itself."""

    firmware: Firmware
    chip: str | None
    """The chip it was built for, such as BK7231N."""
    version: str | None
    """OpenBeken's version, such as 1.18.299."""


_UNKNOWN_CODE: Final = Identity(firmware=Firmware.UNKNOWN, chip=None, version=None)
# How code is read that a chip with this key runs; of foreign keys one is known.
_CIPHERS: Final[Mapping[CodeKey, Callable[[bytes, int], bytes]]] = {
    CodeKey.STANDARD: apply_cipher,
    CodeKey.NONE: lambda code, _: code,
    CodeKey.FOREIGN: lambda code, address: apply_cipher(code, address, UASCENT_KEY),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What a region of code flash turned out to hold."""

    records: RecordCheck
    """Those before the mark; all where there is none."""
    key: CodeKey
    identity: Identity
    marked: bool
    """The mark behind the code is there, itself undamaged."""
    whole: bool
    """The mark's checksum over the whole content is right: nothing is missing or mixed."""


def describe_application(flash: bytes) -> Application:
    """Look at the bytes from flash address 0x11000 on; blank and broken ones are no error.

    Code is read with the key that its first words tell, and plain where it is plain.
    """
    found = _find_mark(flash)
    end, mark = found or (len(flash), None)
    cipher_text = strip_checksums(flash[:end])
    key, identity = _read_code(cipher_text)
    return Application(
        records=check_records(flash[:end]),
        key=key,
        identity=identity,
        marked=mark is not None,
        whole=mark is not None and _body_matches(cipher_text, mark),
    )


def chip_of_flash(flash: bytes, application: Application) -> str | None:
    """Return the chip that a whole flash was read from, as far as anything in it tells.

    Its application says it, else its bootloader, else the place of its RF calibration.
    """
    if (chip := application.identity.chip) is not None:
        return chip
    bootloader = strip_checksums(flash[_BOOTLOADER.start : _BOOTLOADER.end])
    key = key_of_first_words(bootloader, _BOOTLOADER.start)
    if key is CodeKey.UNKNOWN:
        return None
    if banner := _BOOTLOADER_NAME.search(_CIPHERS[key](bootloader, _BOOTLOADER.start)):
        return _BOOTLOADER_NAMES[banner[1]]
    # 23 of 23 dumps; chips without a code key have it in that place as well.
    has_sisters_map = flash.startswith(_RF_MAGIC, BK7231T.flash.rf_calibration.start)
    return BK7231T.name if has_sisters_map and key is CodeKey.STANDARD else None


def identify_code(code: bytes) -> Identity:
    """Read chip and version out of plain code; what it does not say stays None."""
    if _is_libretiny(code):
        return Identity(firmware=Firmware.LIBRETINY, chip=None, version=None)
    line = _OPENBEKEN_LINE.search(code)
    version = line[2] if line else None
    if version is None and (built := _OPENBEKEN_VERSION.search(code)):
        version = built[1]
    chips = _openbeken_chips(code)
    if chips or version:
        return Identity(
            firmware=Firmware.OPENBEKEN,
            chip=chips.pop() if len(chips) == 1 else None,
            version=version.decode() if version else None,
        )
    if _TUYA_SDK.search(code) or _TUYA_CHIP.search(code):
        found = _TUYA_CHIP.search(code)
        chip = found[1].decode() if found else None
        return Identity(
            firmware=Firmware.TUYA,
            chip=_FACTORY_NAMES.get(chip.lower(), chip.upper()) if chip else None,
            version=None,
        )
    return _UNKNOWN_CODE


def _is_libretiny(code: bytes) -> bool:
    """Return whether LibreTiny runs here: what a longer firmware of before left lies behind it."""
    banner = _LIBRETINY.search(code)
    return banner is not None and not any(
        name.search(code, 0, banner.start())
        for name in (
            _OPENBEKEN_LINE,
            _OPENBEKEN_VERSION,
            *_OPENBEKEN_CHIPS,
            _TUYA_SDK,
            _TUYA_CHIP,
        )
    )


def _openbeken_chips(code: bytes) -> set[str]:
    """Return the chips that the surest kind of text names, more than one if they differ."""
    for pattern in (_OPENBEKEN_LINE, *_OPENBEKEN_CHIPS):
        if chips := {match[1].decode() for match in pattern.finditer(code)}:
            return chips
    return set()


def key_of_first_words(flash: bytes, address: int = APPLICATION_ADDRESS) -> CodeKey:
    """Tell the key from the first 8 bytes of code that is executed at ``address``."""
    for key, decipher in _CIPHERS.items():
        if _is_vector_table(decipher(flash[:8], address)):
            return key
    return CodeKey.UNKNOWN


def _read_code(cipher_text: bytes) -> tuple[CodeKey, Identity]:
    """Return the key of an application and what it says of itself.

    Where its start is missing or damaged, the key is the one that makes the rest readable. Nobody can
    read what any of them makes of erased records at its end.
    """
    cipher_text = cipher_text[: used_size(cipher_text, RECORD_DATA_SIZE)]
    key = key_of_first_words(cipher_text)
    if key is not CodeKey.UNKNOWN:
        return key, identify_code(_CIPHERS[key](cipher_text, APPLICATION_ADDRESS))
    for key in (CodeKey.STANDARD, CodeKey.NONE):
        identity = identify_code(_CIPHERS[key](cipher_text, APPLICATION_ADDRESS))
        if identity.firmware is not Firmware.UNKNOWN:
            return key, identity
    return CodeKey.UNKNOWN, _UNKNOWN_CODE


def _is_vector_table(code: bytes) -> bool:
    return len(code) == 8 and code[3] == _BRANCH and code[4:8] == _LOAD_PC


def _find_mark(flash: bytes) -> tuple[int, RblHeader] | None:
    """Return where the application's mark is and what it says; of several the last one."""
    found = None
    offset = flash.find(RBL_MAGIC)
    while offset >= 0:
        mark = flash[offset : offset + _MARK_LENGTH]
        if check_records(mark).sound == _MARK_LENGTH // RECORD_SIZE:
            with suppress(RblError):
                found = offset, RblHeader.parse(strip_checksums(mark))
        offset = flash.find(RBL_MAGIC, offset + 1)
    return found


def contradicts_mark(flash: bytes) -> bool:
    """Return whether the mark behind some code says that it was other code.

    A mark with impossible sizes, as some packers make, says nothing.
    """
    if (found := _find_mark(flash)) is None:
        return False
    end, mark = found
    if not 0 <= mark.body_size - mark.raw_size < 256:
        return False
    return not _body_matches(strip_checksums(flash[:end]), mark)


def _body_matches(cipher_text: bytes, mark: RblHeader) -> bool:
    """Check the CRC-32 over the content as it lies in flash, without the records' checksums.

    The packer pads to the body's size with bytes that say how many they are; these never reach the
    flash.
    """
    if (mark.encryption, mark.compression) != (ENCRYPTION_NONE, COMPRESSION_NONE):
        return False
    padding = mark.body_size - mark.raw_size
    if not 0 <= padding < 256 or mark.raw_size > len(cipher_text):
        return False
    body = cipher_text[: mark.raw_size] + bytes([padding]) * padding
    return zlib.crc32(body) == mark.body_crc
