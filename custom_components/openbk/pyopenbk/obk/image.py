"""OpenBeken's release images, recognised by their content and never by their file name."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final
import zlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ..beken.application import (
    Application,
    Firmware,
    Identity,
    chip_of_flash,
    describe_application,
    identify_code,
    key_of_first_words,
)
from ..beken.chips import BK7231N, RF_PLACES, FlashableChip
from ..beken.code_flash import RECORD_SIZE, CodeKey, check_records
from ..beken.flash_map import FlashMap
from ..beken.rbl import (
    COMPRESSION_GZIP,
    ENCRYPTION_AES256,
    HEADER_SIZE,
    MAGIC as RBL_MAGIC,
    RblError,
    RblHeader,
)
from ..checksums import byte_sum
from ..errors import OpenBekenError
from ..file_kinds import FileKind, name_file

CHIP: Final = BK7231N.name

_UG_MAGIC: Final = bytes.fromhex("55AA55AA")
_UG_END: Final = bytes.fromhex("AA55AA55")
_UG_HEADER_SIZE: Final = 0x20
# What the SDK's scripts pack every over-the-air file with (rt_ota_packaging -c gzip -s aes); the
# same key for all of them, so it protects nothing.
_OTA_KEY: Final = b"0123456789ABCDEF0123456789ABCDEF"
_OTA_IV: Final = b"0123456789ABCDEF"
_AES_BLOCK: Final = 16
_RF_MAGIC: Final = b"TLV\0"


class ImageKind(StrEnum):
    """The forms in which firmware for this chip goes around."""

    QIO = "qio"
    """Bootloader and application, from flash address 0."""
    UA = "ua"
    """The application alone, from 0x11000."""
    RBL = "rbl"
    """Packed for an update over the air."""
    UG = "ug"
    """The same in Tuya's wrapping, for tuya-cloudcutter."""
    FULL_BACKUP = "full_backup"
    """A whole flash of 2 MiB."""


class Unproven(StrEnum):
    """What the content of an image leaves open."""

    FIRMWARE = "firmware"
    """Whether it is OpenBeken."""
    CHIP = "chip"
    VERSION = "version"
    COMPLETENESS = "completeness"
    """Whether its end, or parts of another build, are missing or mixed in."""


class ImageError(OpenBekenError):
    """The file cannot be used as firmware for this chip."""


class UnrecognisedError(ImageError):
    """The file is no image for this chip; ``kind`` says what it seems to be."""

    def __init__(self, kind: FileKind) -> None:
        """Keep what the file seems to be."""
        super().__init__(f"no firmware image, but {kind}")
        self.kind = kind


class WrongKeyError(ImageError):
    """The code is not encrypted for the key that Tuya's chips have."""

    def __init__(self, key: CodeKey) -> None:
        """Keep the key that it is for, as far as it can be told."""
        super().__init__(f"the code is for a chip with another key ({key})")
        self.key = key


class WrongChipError(ImageError):
    """The code says that it was built for another chip."""

    def __init__(self, chip: str, firmware: Firmware = Firmware.OPENBEKEN) -> None:
        """Keep the chip that the code names, and whose firmware it is."""
        super().__init__(f"the firmware ({firmware}) is for {chip}")
        self.chip = chip
        self.firmware = firmware


class TruncatedError(ImageError):
    """The file ends too early."""

    def __init__(self, *, expected: int, actual: int) -> None:
        """Keep both sizes in bytes."""
        super().__init__(f"{actual} of {expected} bytes are there")
        self.expected = expected
        self.actual = actual


class TooLargeError(ImageError):
    """The image does not fit into its place in the flash."""

    def __init__(self, *, limit: int, actual: int) -> None:
        """Keep both sizes in bytes."""
        super().__init__(f"{actual} bytes, and there is room for {limit}")
        self.limit = limit
        self.actual = actual


class DamagedError(ImageError):
    """A checksum inside the file is wrong."""


class DamagedRecordError(DamagedError):
    """Records of the code are damaged; ``offset`` is the first one's place in the file."""

    def __init__(self, offset: int, count: int = 1) -> None:
        """Keep the byte offset of the first damaged record and how many there are."""
        super().__init__(f"{count} damaged records, the first at 0x{offset:06X}")
        self.offset = offset
        self.count = count


class NotForUartError(ImageError):
    """The image is for another way into the socket than its serial port."""

    def __init__(self, kind: ImageKind) -> None:
        """Keep the kind of the image."""
        super().__init__(f"a {kind} image is not written over UART")
        self.kind = kind


class NotOpenBekenError(ImageError):
    """The image is sound, but it is somebody else's firmware."""

    def __init__(self, firmware: Firmware) -> None:
        """Keep whose firmware it is."""
        super().__init__(f"the firmware is {firmware}, not OpenBeken")
        self.firmware = firmware


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareImage:
    """An image that was recognised, with what its content proves."""

    kind: ImageKind
    target: FlashableChip
    """The chip that it was looked at for."""
    data: bytes = field(repr=False)
    identity: Identity
    key: CodeKey
    """The key it is encrypted for; UNKNOWN for over-the-air files, which the chip encrypts itself."""
    unproven: frozenset[Unproven]

    @property
    def version(self) -> str | None:
        """Return OpenBeken's version as the code itself tells it."""
        return self.identity.version

    @property
    def chip(self) -> str | None:
        """Return the chip that the code was built for, as it says."""
        return self.identity.chip

    @property
    def application(self) -> bytes:
        """Return what is written to the application's region, from its start on.

        Raises NotForUartError and NotOpenBekenError.
        """
        if self.kind not in (ImageKind.QIO, ImageKind.UA):
            raise NotForUartError(self.kind)
        if self.identity.firmware in (Firmware.TUYA, Firmware.LIBRETINY):
            raise NotOpenBekenError(self.identity.firmware)
        region = self.target.flash.application
        start = region.start if self.kind is ImageKind.QIO else 0
        return self.data[start : start + region.size]


def recognise(data: bytes, chip: FlashableChip = BK7231N) -> FirmwareImage:
    """Tell what a file is and check everything in it that can be checked.

    Takes tens of milliseconds for 2 MiB (half a second with a foreign key), so it belongs into an
    executor. Raises the subclass of ImageError that says what is wrong; WrongChipError where the
    code says that it is for another chip than ``chip``. A full backup is recognised whatever state
    its application is in and of whichever chip it is, since it goes back as it is.
    """
    if data.startswith(RBL_MAGIC):
        return _recognise_packed(ImageKind.RBL, data, data, chip)
    if data.startswith(_UG_MAGIC):
        return _recognise_packed(ImageKind.UG, data, _unwrap_ug(data), chip)
    is_flash = len(data) == chip.flash.size
    if is_flash and any(data.startswith(_RF_MAGIC, place.start) for place in RF_PLACES):
        return _recognise_backup(data, chip)
    records = check_records(data[: chip.flash.application.end])
    if records.sound <= len(records.damaged):
        raise UnrecognisedError(name_file(data))
    if is_flash and _start_of_application(data, chip.flash):
        return _recognise_backup(data, chip)
    return _recognise_code(data, chip)


def code_of_update(data: bytes, chip: FlashableChip) -> bytes:
    """Return the plain code in an over-the-air file, nothing where it is packed otherwise.

    Raises DamagedError where the header says no such file.
    """
    try:
        header = RblHeader.parse(data)
    except RblError as err:
        raise DamagedError("the header of the container is damaged") from err
    body = data[HEADER_SIZE : HEADER_SIZE + header.body_size]
    return _unpack(header, body, chip.flash.application.size)


def _recognise_code(data: bytes, chip: FlashableChip) -> FirmwareImage:
    start = _start_of_application(data, chip.flash)
    kind = ImageKind.QIO if start else ImageKind.UA
    application = describe_application(data[start:])
    _refuse_other_chip(application.identity, chip)
    _refuse_other_key(data[start : start + RECORD_SIZE], chip.code_key)
    _refuse_size(data, kind, chip.flash)
    damaged = [
        *check_records(data[:start]).damaged,
        *(start + offset for offset in application.records.damaged),
    ]
    if damaged:
        raise DamagedRecordError(damaged[0], len(damaged))
    _refuse_cut(data, kind, application, chip.flash)
    if key_of_first_words(data[start:]) is not chip.code_key:
        # Only an erased first record comes this far.
        raise DamagedRecordError(start)
    return FirmwareImage(
        kind=kind,
        target=chip,
        data=data,
        identity=application.identity,
        key=application.key,
        unproven=_unproven(application.identity, complete=application.whole),
    )


def _recognise_backup(data: bytes, chip: FlashableChip) -> FirmwareImage:
    region = chip.flash.application
    application = describe_application(data[region.start : region.end])
    identity = replace(application.identity, chip=chip_of_flash(data, application))
    return FirmwareImage(
        kind=ImageKind.FULL_BACKUP,
        target=chip,
        data=data,
        identity=identity,
        key=application.key,
        unproven=_unproven(identity, complete=application.whole),
    )


def _recognise_packed(
    kind: ImageKind, data: bytes, container: bytes, chip: FlashableChip
) -> FirmwareImage:
    try:
        header = RblHeader.parse(container)
    except RblError as err:
        if len(container) < HEADER_SIZE:
            raise TruncatedError(expected=HEADER_SIZE, actual=len(container)) from err
        raise DamagedError("the header of the container is damaged") from err
    body = container[HEADER_SIZE : HEADER_SIZE + header.body_size]
    if len(body) < header.body_size:
        raise TruncatedError(
            expected=HEADER_SIZE + header.body_size, actual=len(container)
        )
    if zlib.crc32(body) != header.body_crc:
        raise DamagedError("the checksum of the container's body is wrong")
    identity = identify_code(_unpack(header, body, chip.flash.application.size))
    _refuse_other_chip(identity, chip)
    room = chip.flash.ota.size
    if len(container) > room:
        raise TooLargeError(limit=room, actual=len(container))
    return FirmwareImage(
        kind=kind,
        target=chip,
        data=data,
        identity=identity,
        key=CodeKey.UNKNOWN,
        unproven=_unproven(identity, complete=True),
    )


def _unwrap_ug(data: bytes) -> bytes:
    """Return the RBL file inside of a UG file (big-endian: length, sum of bytes, header's sum)."""
    header, container = data[:_UG_HEADER_SIZE], data[_UG_HEADER_SIZE:]
    if len(header) < _UG_HEADER_SIZE:
        raise TruncatedError(expected=_UG_HEADER_SIZE, actual=len(data))
    length, content_sum, header_sum = (
        int.from_bytes(header[place : place + 4]) for place in (16, 20, 24)
    )
    if header_sum != byte_sum(header[:24]) or header[28:] != _UG_END:
        raise DamagedError("the header of the UG file is damaged")
    if len(container) < length:
        raise TruncatedError(expected=_UG_HEADER_SIZE + length, actual=len(data))
    if byte_sum(container[:length]) != content_sum:
        raise DamagedError("the sum of the UG file's content is wrong")
    return container[:length]


def _unpack(header: RblHeader, body: bytes, most: int) -> bytes:
    """Return the plain code of an over-the-air file, or nothing where it is packed otherwise.

    ``most`` is how many bytes are enough.
    """
    if header.encryption == ENCRYPTION_AES256:
        if len(body) % _AES_BLOCK:
            return b""
        decryptor = Cipher(algorithms.AES(_OTA_KEY), modes.CBC(_OTA_IV)).decryptor()
        body = decryptor.update(body) + decryptor.finalize()
    if header.compression != COMPRESSION_GZIP:
        return body
    try:
        return zlib.decompressobj(wbits=31).decompress(body, most)
    except zlib.error:
        return b""


def _start_of_application(data: bytes, flash: FlashMap) -> int:
    """Return where in the file the application starts: behind the bootloader, or at once."""
    start, bootloader = flash.application.start, flash.bootloader.start
    for place in (start, 0):
        if key_of_first_words(data[place:]) is not CodeKey.UNKNOWN:
            return place
    has_bootloader = key_of_first_words(data, bootloader) is not CodeKey.UNKNOWN
    return start if has_bootloader else 0


def _refuse_other_chip(identity: Identity, chip: FlashableChip) -> None:
    if identity.chip not in (None, chip.name):
        raise WrongChipError(identity.chip, identity.firmware)


def _refuse_other_key(first_record: bytes, wanted: CodeKey) -> None:
    """Refuse where the application's first record is whole and does not decrypt to code."""
    key = key_of_first_words(first_record)
    if key not in (wanted, CodeKey.UNKNOWN):
        raise WrongKeyError(key)
    if key is CodeKey.UNKNOWN and check_records(first_record).sound:
        raise WrongKeyError(CodeKey.FOREIGN)


def _refuse_size(data: bytes, kind: ImageKind, flash: FlashMap) -> None:
    if kind is ImageKind.UA and len(data) > flash.application.size:
        raise UnrecognisedError(FileKind.FLASH_DUMP)
    if len(data) > flash.size:
        raise TooLargeError(limit=flash.size, actual=len(data))
    if len(data) > flash.application.end:
        raise TruncatedError(expected=flash.size, actual=len(data))


def _refuse_cut(
    data: bytes, kind: ImageKind, application: Application, flash: FlashMap
) -> None:
    """Refuse a file that ends inside of a record, or a QIO whose end is not there.

    A QIO ends with the mark of the application; one that lacks the mark but has code there is let
    through, its completeness unproven. A UA file need not have a mark.
    """
    if application.marked:
        return
    written = len(data.rstrip(b"\xff"))
    # How long a QIO is: all that lie at hand of each chip (releases 1.17 to 1.18.302).
    size = flash.application.start + flash.application_length
    if kind is ImageKind.QIO and written <= size - RECORD_SIZE:
        raise TruncatedError(expected=size, actual=written)
    whole_records = len(data) // RECORD_SIZE * RECORD_SIZE
    if written > whole_records:
        raise TruncatedError(expected=whole_records + RECORD_SIZE, actual=len(data))


def _unproven(identity: Identity, *, complete: bool) -> frozenset[Unproven]:
    open_questions = {
        Unproven.FIRMWARE: identity.firmware is Firmware.UNKNOWN,
        Unproven.CHIP: identity.chip is None,
        Unproven.VERSION: identity.version is None,
        Unproven.COMPLETENESS: not complete,
    }
    return frozenset(
        question for question, is_open in open_questions.items() if is_open
    )
