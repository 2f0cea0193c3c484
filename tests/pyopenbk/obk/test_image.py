"""Recognising images by their content; ltchiptool packed what is recognised."""

from gzip import compress
from random import Random
import zlib

from ltchiptool.soc.bk72xx.util import BekenBinary
import pytest

from custom_components.openbk.pyopenbk.beken.application import (
    Firmware,
    describe_application,
)
from custom_components.openbk.pyopenbk.beken.chips import (
    BK7231N,
    BK7231T,
    FlashableChip,
)
from custom_components.openbk.pyopenbk.beken.code_flash import CodeKey
from custom_components.openbk.pyopenbk.file_kinds import FileKind
from custom_components.openbk.pyopenbk.obk.image import (
    DamagedError,
    DamagedRecordError,
    ImageKind,
    NotForUartError,
    NotOpenBekenError,
    TooLargeError,
    TruncatedError,
    Unproven,
    UnrecognisedError,
    WrongChipError,
    WrongKeyError,
    recognise,
)
from simulator import images
from simulator.factory import FactorySocket

from . import packer

CODE = packer.openbeken_code()
QIO = packer.qio(CODE)
UA = packer.application(CODE)
RECORD = 34
# Behind the last record with code; everything up to the mark is blank.
CODE_END = len(CODE) // 32 * RECORD


def flipped(data: bytes, offset: int) -> bytes:
    """Return the file with one bit the other way round."""
    changed = bytearray(data)
    changed[offset] ^= 0x10
    return bytes(changed)


def test_the_packer_makes_the_records_that_ltchiptool_makes() -> None:
    ours, theirs = packer.Packer(), BekenBinary()
    code = CODE[:1000]
    assert b"".join(ours.crc(iter((code,)))) == b"".join(theirs.crc(iter((code,))))


def test_a_release_image_proves_everything() -> None:
    """Chip, version, key and that nothing is missing all come out of the content."""
    image = recognise(QIO)
    assert image.kind is ImageKind.QIO
    assert image.chip == "BK7231N"
    assert image.version == "1.18.299"
    assert image.identity.firmware is Firmware.OPENBEKEN
    assert image.key is CodeKey.STANDARD
    assert image.unproven == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        b"Built on Dec 17 2023 10:11:12 version 1.17.360",
        b"Build on Dec  7 2023 10:11:12 version 1.17.360",
        b"OpenBK7231N 1.17.360 Dec  7 2023 10:11:12",
    ],
)
def test_every_way_in_which_openbeken_tells_its_version_is_read(text: bytes) -> None:
    """The web page's text, its older form, and the one of the MQTT topic."""
    code = packer.VECTORS + Random(10).randbytes(500) + b"\0" + text + b"\0"
    image = recognise(packer.application(code))
    assert (image.identity.firmware, image.version) == (Firmware.OPENBEKEN, "1.17.360")


def test_a_chip_that_is_only_mentioned_is_not_the_images_own() -> None:
    """The surest text counts; where two of a kind differ, none does."""
    mentioned = CODE + b"\0Welcome to OpenBK7231T \0OpenBK7231T_%02X\0"
    assert recognise(packer.application(mentioned)).chip == "BK7231N"
    differing = CODE + b"\0OpenBK7231T_1.18.299\0"
    image = recognise(packer.application(differing))
    assert image.chip is None
    assert Unproven.CHIP in image.unproven


@pytest.mark.parametrize("chip", [BK7231N, BK7231T])
def test_the_line_of_the_build_tells_the_chip_whatever_an_sdk_says(
    chip: FlashableChip,
) -> None:
    """Every release for BK7231T has the SDK's pattern of a BK7231N's host name too."""
    code = packer.VECTORS + Random(12).randbytes(900)
    code += b"\0OpenBK7231N_%02X%02X\0OpenBK7231T_%02X%02X\0OpenBK7231N \0"
    code += f"Open{chip.name} 1.18.300 Aug  2 2026 19:38:04\0".encode()
    for data in (packer.application(code), packer.over_the_air(code)):
        image = recognise(data, chip)
        assert (image.chip, image.version) == (chip.name, "1.18.300")
        other = {BK7231N: BK7231T, BK7231T: BK7231N}[chip]
        with pytest.raises(WrongChipError) as refused:
            recognise(data, other)
        assert (refused.value.chip, refused.value.firmware) == (
            chip.name,
            Firmware.OPENBEKEN,
        )


def test_a_release_for_bk7231t_is_whole_where_that_chip_is_meant() -> None:
    """It is shorter, and the mark at its end lies between two borders of records."""
    data = images.qio(images.Build(chip="BK7231T"))
    assert (len(data), data.rfind(b"RBL\0")) == (0x100000, 0xFFF9A)
    image = recognise(data, BK7231T)
    assert (image.kind, image.key) == (ImageKind.QIO, CodeKey.STANDARD)
    assert image.unproven == frozenset()
    assert image.application == data[0x11000:]
    assert recognise(data[0x11000:], BK7231T).kind is ImageKind.UA
    for size in (0x80000, 0xFF000):
        with pytest.raises(TruncatedError) as cut:
            recognise(data[:size], BK7231T)
        assert cut.value.expected == 0x100000
    with pytest.raises(DamagedRecordError):
        recognise(flipped(data, 0xFFFF0), BK7231T)
    with pytest.raises(WrongChipError):
        recognise(images.qio(), BK7231T)


@pytest.mark.parametrize("chip", ["BK7231T", "BK7231U", "BK7238", "BK7252", "BK7252N"])
def test_releases_for_other_chips_are_named_for_what_they_are(chip: str) -> None:
    """Those without a key are read as the plain code that they are."""
    build = images.Build(chip=chip)
    for data in (images.qio(build), images.qio(build)[0x11000:], images.ota(build)):
        with pytest.raises(WrongChipError) as refused:
            recognise(data)
        assert refused.value.chip == chip


def test_a_chip_with_the_same_name_is_told_by_its_key() -> None:
    """BK7231M and UASCENT builds are called BK7231N; of both the code can be read."""
    for data, key in (
        (images.no_key_qio(), CodeKey.NONE),
        (images.uascent_qio(), CodeKey.FOREIGN),
    ):
        application = describe_application(data[0x11000:])
        assert application.key is key
        assert application.identity.chip == "BK7231N"
        assert application.whole
        # Its first sector may be missing.
        torn = describe_application(b"\xff" * 0x1000 + data[0x12000:])
        assert torn.identity.chip == ("BK7231N" if key is CodeKey.NONE else None)


def test_the_bootloader_is_never_part_of_the_application() -> None:
    """What is written starts where the application starts, and ends inside its region."""
    assert recognise(QIO).application == UA
    assert recognise(UA).application == UA
    padded = recognise(QIO.ljust(0x12A000, b"\xff")).application
    assert padded == UA.ljust(0x119000, b"\xff")


def test_the_application_alone_is_recognised() -> None:
    """A UA file that has the mark at its end proves as much as a QIO."""
    image = recognise(UA)
    assert image.kind is ImageKind.UA
    assert image.version == "1.18.299"
    assert image.unproven == frozenset()


def test_an_application_without_mark_cannot_prove_its_end() -> None:
    """It may end after any record."""
    image = recognise(UA[:CODE_END])
    assert image.kind is ImageKind.UA
    assert image.unproven == {Unproven.COMPLETENESS}
    assert recognise(UA[:CODE_END].ljust(0x4000, b"\xff")).kind is ImageKind.UA


def test_code_that_says_nothing_of_itself_is_taken_with_open_questions() -> None:
    """The right key and structure, but neither chip nor version to read."""
    image = recognise(packer.qio(packer.VECTORS + Random(1).randbytes(5000)))
    assert (image.chip, image.version) == (None, None)
    assert image.unproven == {Unproven.FIRMWARE, Unproven.CHIP, Unproven.VERSION}
    assert image.application


def test_parts_of_two_builds_are_not_called_complete() -> None:
    """Every record is sound, but the checksum over all of them is not."""
    other = packer.qio(packer.openbeken_code(version="1.18.298"))
    middle = 0x11000 + RECORD * 220
    mixed = QIO[:middle] + other[middle:]
    assert recognise(mixed).unproven == {Unproven.COMPLETENESS}


@pytest.mark.parametrize("chip", ["BK7231T", "BK7231M", "BK7238", "LN882H"])
def test_other_chips_are_named(chip: str) -> None:
    """Same structure, same key, but the code tells whose it is; over the air as well."""
    code = packer.openbeken_code(chip)
    for data in (
        packer.qio(code),
        packer.application(code),
        packer.over_the_air(code),
        packer.cloudcutter(code),
    ):
        with pytest.raises(WrongChipError) as refused:
            recognise(data)
        assert refused.value.chip == chip
    backup = recognise(packer.full_dump(code))
    assert (backup.kind, backup.chip) == (ImageKind.FULL_BACKUP, chip)


@pytest.mark.parametrize(
    ("name", "chip"),
    [("bk7231t", "BK7231T"), ("8710_2M", "BK7231T"), ("bk7231", "BK7231Q")],
)
def test_tuyas_own_firmware_names_its_chip(name: str, chip: str) -> None:
    """A factory dump of the sister chip is told from one of this chip."""
    assert recognise(packer.full_dump(packer.tuya_code(name))).chip == chip
    with pytest.raises(WrongChipError) as refused:
        recognise(packer.qio(packer.tuya_code(name)))
    assert (refused.value.chip, refused.value.firmware) == (chip, Firmware.TUYA)


def test_a_flash_whose_code_says_nothing_is_told_by_what_lies_around_it() -> None:
    """The bootloader says its name; else the place of the calibration tells the sister chip."""
    code = packer.VECTORS + Random(2).randbytes(100)
    for dump, chip in (
        (packer.full_dump(code, rf_start=0x1E0000), "BK7231T"),
        (packer.full_dump(code), None),
        (FactorySocket().dump(), "BK7231N"),
    ):
        without = dump[:0x11000] + b"\xff" * 0x119000 + dump[0x12A000:]
        for data in (dump, without):
            assert recognise(data).chip == chip
    # One without a key may be a BK7231U, a BL2028N, …
    plain = packer.bootloader(packer.NO_KEY) + b"\xff" * (0x200000 - 0x11000)
    assert recognise(plain[:0x1E0000] + b"TLV\0" + plain[0x1E0004:]).chip is None


def test_a_full_backup_is_no_firmware_to_write() -> None:
    """It is recognised, for it can be restored; its application is not handed out."""
    image = recognise(packer.full_dump(packer.tuya_code()))
    assert image.kind is ImageKind.FULL_BACKUP
    assert image.identity.firmware is Firmware.TUYA
    assert image.chip == "BK7231N"
    with pytest.raises(NotForUartError) as refused:
        _ = image.application
    assert refused.value.kind is ImageKind.FULL_BACKUP


def test_a_backup_of_a_broken_socket_is_still_a_backup() -> None:
    """A half-written application, or none at all, goes back as it was."""
    dump = bytearray(packer.full_dump(CODE))
    dump[0x11000:0x12000] = b"\xff" * 0x1000
    half_written = recognise(bytes(dump))
    assert half_written.kind is ImageKind.FULL_BACKUP
    assert Unproven.COMPLETENESS in half_written.unproven
    assert half_written.key is CodeKey.STANDARD

    dump[:0x12A000] = b"\xff" * 0x12A000
    assert recognise(bytes(dump)).key is CodeKey.UNKNOWN


@pytest.mark.parametrize(
    ("code", "firmware"),
    [
        (packer.tuya_code(), Firmware.TUYA),
        (packer.libretiny_code(), Firmware.LIBRETINY),
    ],
    ids=["tuya", "libretiny"],
)
def test_other_firmware_is_not_written_as_openbeken(
    code: bytes, firmware: Firmware
) -> None:
    """A QIO cut out of a factory dump is sound and still wrong, and so is an ESPHome."""
    image = recognise(packer.qio(code))
    with pytest.raises(NotOpenBekenError) as refused:
        _ = image.application
    assert refused.value.firmware is firmware


@pytest.mark.parametrize(
    ("key", "verdict"),
    [(packer.NO_KEY, CodeKey.NONE), (packer.OTHER_KEY, CodeKey.FOREIGN)],
)
def test_other_keys_are_refused(key: str, verdict: CodeKey) -> None:
    """BK7231M and UASCENT builds have this chip's name and another key.

    Some have a bootloader for the same key, some one for the standard key.
    """
    application = packer.application(CODE, key)
    for data in (
        packer.qio(CODE, key),
        packer.bootloader(key) + application,
        application,
    ):
        with pytest.raises(WrongKeyError) as refused:
            recognise(data)
        assert refused.value.key is verdict


@pytest.mark.parametrize(
    "offset",
    [
        0,
        0x10F9A,
        0x11000,
        0x11000 + RECORD + 33,
        0x11000 + CODE_END // 2,
        len(QIO) - 1,
    ],
)
def test_a_single_flipped_bit_is_found(offset: int) -> None:
    """The damaged record is named, in the bootloader too, for the file cannot be trusted."""
    with pytest.raises(DamagedRecordError) as refused:
        recognise(flipped(QIO, offset))
    assert refused.value.offset == offset // RECORD * RECORD
    assert refused.value.count == 1


def test_a_damaged_start_is_no_foreign_key() -> None:
    """Where the first record is damaged, that is what is said."""
    with pytest.raises(DamagedRecordError) as refused:
        recognise(flipped(UA, 4))
    assert refused.value.offset == 0


def test_an_image_whose_start_was_erased_is_damaged() -> None:
    """It is the first thing that an interrupted copy of a flash lacks."""
    for data, start in ((QIO, 0x11000), (UA, 0)):
        erased = data[:start] + b"\xff" * 0x1000 + data[start + 0x1000 :]
        with pytest.raises(DamagedRecordError) as refused:
            recognise(erased)
        assert start <= refused.value.offset < start + 0x1000 + RECORD


def test_a_hole_in_the_file_is_damage() -> None:
    """A download that left zeros."""
    holed = QIO[:0x12000] + bytes(0x400) + QIO[0x12400:]
    with pytest.raises(DamagedRecordError) as refused:
        recognise(holed)
    assert refused.value.count > 20


@pytest.mark.parametrize(
    "size",
    [0x1000, 0x11000, 0x11022, 0x20000, len(QIO) - RECORD, len(QIO) - 1],
)
def test_a_cut_image_is_told_by_what_is_missing(size: int) -> None:
    """Wherever it was cut, padded with 0xFF or not."""
    for data in (QIO[:size], QIO[:size].ljust(len(QIO), b"\xff")):
        with pytest.raises((TruncatedError, DamagedRecordError)) as refused:
            recognise(data)
        if isinstance(refused.value, TruncatedError):
            assert refused.value.actual < refused.value.expected


def test_a_cut_application_is_told_inside_of_a_record() -> None:
    """A UA file that ends in the middle of a record is cut."""
    with pytest.raises(TruncatedError):
        recognise(UA[: CODE_END - 5])


def test_a_cut_backup_is_told() -> None:
    """1.9 of 2 MiB."""
    with pytest.raises(TruncatedError) as refused:
        recognise(packer.full_dump(CODE)[:0x1F6000])
    assert (refused.value.expected, refused.value.actual) == (0x200000, 0x1F6000)


def test_a_larger_dump_is_told() -> None:
    """4 MiB files exist."""
    with pytest.raises(TooLargeError):
        recognise(packer.full_dump(CODE) * 2)


def test_a_dump_without_its_bootloader_is_told() -> None:
    """Some tools read from 0x11000 on."""
    with pytest.raises(UnrecognisedError) as refused:
        recognise(packer.full_dump(CODE)[0x11000:])
    assert refused.value.kind is FileKind.FLASH_DUMP


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (packer.over_the_air(CODE), ImageKind.RBL),
        (packer.cloudcutter(CODE), ImageKind.UG),
    ],
    ids=["rbl", "ug"],
)
def test_over_the_air_files_prove_chip_and_version(
    data: bytes, kind: ImageKind
) -> None:
    """They are unpacked, so a file for another chip never reaches the socket."""
    image = recognise(data)
    assert (image.kind, image.chip, image.version) == (kind, "BK7231N", "1.18.299")
    assert image.unproven == frozenset()
    with pytest.raises(NotForUartError) as refused:
        _ = image.application
    assert refused.value.kind is kind


def test_over_the_air_files_packed_with_another_key_stay_unproven() -> None:
    """Their checksums are right, but nobody can look inside."""
    body = Random(3).randbytes(4096)
    header = b"RBL\0" + bytes([2, 1, 0, 0]) + bytes(4) + b"app".ljust(64, b"\0")
    header += zlib.crc32(body).to_bytes(4, "little") + bytes(4)
    header += (9000).to_bytes(4, "little") + len(body).to_bytes(4, "little")
    image = recognise(header + zlib.crc32(header).to_bytes(4, "little") + body)
    assert image.unproven == {Unproven.FIRMWARE, Unproven.CHIP, Unproven.VERSION}


@pytest.mark.parametrize(
    "data",
    [packer.over_the_air(CODE), packer.cloudcutter(CODE)],
    ids=["over the air", "cloudcutter"],
)
@pytest.mark.parametrize("place", [10, 60, 200, -1])
def test_over_the_air_files_with_a_flipped_bit_are_refused(
    data: bytes, place: int
) -> None:
    """Headers and bodies have their own checksums."""
    with pytest.raises(DamagedError):
        recognise(flipped(data, place % len(data)))


@pytest.mark.parametrize(
    "data",
    [packer.over_the_air(CODE), packer.cloudcutter(CODE)],
    ids=["over the air", "cloudcutter"],
)
@pytest.mark.parametrize("size", [5, 40, 96, 1000, -1])
def test_cut_over_the_air_files_are_refused(data: bytes, size: int) -> None:
    """The header says how long the body is."""
    with pytest.raises(TruncatedError):
        recognise(data[:size])


def test_an_over_the_air_file_larger_than_its_slot_is_refused() -> None:
    """It would run over the RF calibration."""
    noise = packer.openbeken_code() + Random(4).randbytes(0xA7000)
    with pytest.raises(TooLargeError) as refused:
        recognise(packer.over_the_air(noise))
    assert refused.value.limit == 0xA6000


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", FileKind.EMPTY),
        (b"\xff" * 0x200000, FileKind.BLANK),
        (bytes(1000), FileKind.BLANK),
        (b"\r\n<!DOCTYPE html><html>Not found</html>", FileKind.WEB_PAGE),
        ("<html>ä</html>".encode("latin-1"), FileKind.WEB_PAGE),
        (b'{"message": "API rate limit exceeded"}', FileKind.TEXT),
        ("Zażółć gęślą jaźń".encode() * 300, FileKind.TEXT),
        (b"PK\x03\x04" + bytes(100), FileKind.ARCHIVE),
        (b"BZh91AY" + bytes(100), FileKind.ARCHIVE),
        (b"\x28\xb5\x2f\xfd" + bytes(100), FileKind.ARCHIVE),
        (b"dump.bin".ljust(257, b"\0") + b"ustar\00000", FileKind.ARCHIVE),
        (compress(QIO[:0x1000]), FileKind.ARCHIVE),
        (b"UF2\n" + bytes(508), FileKind.UF2),
        (b"\x7fELF" + bytes(100), FileKind.ELF),
        (bytes([0xE9, 3, 2, 0x20]) + Random(5).randbytes(9000), FileKind.ESP_IMAGE),
        (packer.VECTORS + Random(6).randbytes(9000), FileKind.RAW_CODE),
        (b"CFG" + bytes(4093), FileKind.OPENBEKEN_CONFIG),
        (b"TLV\0" + bytes(4092), FileKind.RF_CALIBRATION),
        (Random(7).randbytes(1_100_000), FileKind.UNKNOWN),
        (Random(8).randbytes(0x200000), FileKind.UNKNOWN),
        (Random(9).randbytes(20), FileKind.UNKNOWN),
        (b"\xff" * 5000 + b"\0" * 5000, FileKind.UNKNOWN),
    ],
    # The bytes themselves would be the test's name.
    ids=lambda value: value if isinstance(value, FileKind) else f"{len(value)} bytes",
)
def test_other_files_are_named(data: bytes, kind: FileKind) -> None:
    """People pick the wrong file; they are told which one they picked."""
    with pytest.raises(UnrecognisedError) as refused:
        recognise(data)
    assert refused.value.kind is kind


def test_an_application_in_flash_is_described_whatever_its_state() -> None:
    """A flash job asks what it found before it writes."""
    whole = describe_application(UA.ljust(0x119000, b"\xff"))
    assert (whole.key, whole.whole, whole.identity.version) == (
        CodeKey.STANDARD,
        True,
        "1.18.299",
    )

    half = describe_application(b"\xff" * 0x1000 + UA[0x1000:])
    assert half.identity.firmware is Firmware.OPENBEKEN
    assert (half.marked, half.whole) == (True, False)

    blank = describe_application(b"\xff" * 0x119000)
    assert (blank.key, blank.records.sound, blank.marked) == (CodeKey.UNKNOWN, 0, False)
    assert describe_application(b"").records.count == 0


def test_the_simulators_images_are_what_they_are_called() -> None:
    """Somebody else's packer, and code as large as the real one."""
    for image, kind in (
        (images.qio(), ImageKind.QIO),
        (images.ua(), ImageKind.UA),
        (images.ota(), ImageKind.RBL),
        (images.ug(), ImageKind.UG),
    ):
        found = recognise(image)
        assert (found.kind, found.chip) == (kind, "BK7231N")
        assert found.version == images.NEWEST.version
    for image, error in (
        (images.no_key_qio(), WrongKeyError),
        (images.uascent_qio(), WrongKeyError),
        (images.wrong_chip_qio(), WrongChipError),
        (images.truncated(images.qio()), TruncatedError),
        (images.with_damaged_record(images.qio()), DamagedRecordError),
    ):
        with pytest.raises(error):
            recognise(image)


def test_nothing_of_an_image_is_shown_by_its_repr() -> None:
    """A backup holds passwords."""
    assert len(repr(recognise(packer.full_dump(packer.tuya_code())))) < 500
