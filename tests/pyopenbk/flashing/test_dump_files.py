"""Files that somebody wants to put onto a chip: each is called what it is."""

from collections.abc import Callable
import io
from random import Random
import zipfile

import pytest

from custom_components.openbk.pyopenbk.backups import Contents, EmptyDumpError
from custom_components.openbk.pyopenbk.beken.chips import BK7231N
from custom_components.openbk.pyopenbk.errors import OpenBekenError
from custom_components.openbk.pyopenbk.file_kinds import FileKind, name_file
from custom_components.openbk.pyopenbk.flashing.dump import Dump
from custom_components.openbk.pyopenbk.flashing.dump_files import (
    DumpNote,
    read_dump_file,
)
from custom_components.openbk.pyopenbk.flashing.errors import (
    NotAFlashError,
    PartOfAFlashError,
    RotatedWithoutBootloaderError,
    SwappedBytesError,
)
from simulator import factory, images
from simulator.factory import FactorySocket
from tests.pyopenbk.obk import packer

from .dumps import RF_START, blank, plain_chip, put, rf_sector

FACTORY = FactorySocket().dump()
OPENBEKEN = images.flashed(FACTORY)


def swapped(dump: bytes, size: int) -> bytes:
    """Return the dump with the bytes of each word the other way round."""
    return b"".join(
        dump[start : start + size][::-1] for start in range(0, len(dump), size)
    )


def zipped(dump: bytes) -> bytes:
    """Return an archive with the dump in it as it is."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        file.writestr("dump.bin", dump)
    return archive.getvalue()


# What a transfer makes of binary data that it takes for a text.
MANGLERS: dict[str, Callable[[bytes], bytes]] = {
    "line feeds got company": lambda data: data.replace(b"\n", b"\r\n"),
    "pairs became line feeds": lambda data: data.replace(b"\r\n", b"\n"),
    "carriage returns are gone": lambda data: data.replace(b"\r", b""),
    "read as UTF-8": lambda data: data.decode(errors="replace").encode(),
    "read as Latin-1": lambda data: data.decode("latin-1").encode(),
}


@pytest.mark.parametrize(
    ("dump", "state"), [(FACTORY, Contents.FACTORY), (OPENBEKEN, Contents.OPENBEKEN)]
)
def test_a_sound_dump_needs_no_word(dump: bytes, state: Contents) -> None:
    flash = read_dump_file(dump)

    assert flash.content == dump
    assert (flash.analysis.state, flash.mac) == (state, factory.DEFAULT_MAC)
    assert flash.notes == ()


def test_a_dump_that_began_behind_the_bootloader_is_turned_the_right_way_round() -> (
    None
):
    flash = read_dump_file(factory.rotated(FACTORY))

    assert flash.content == FACTORY
    assert flash.notes == (DumpNote.ROTATED,)
    assert flash.mac == factory.DEFAULT_MAC


def test_a_dump_of_plain_code_is_turned_by_the_place_of_its_calibration() -> None:
    """Its code would run at any place."""
    plain = plain_chip(packer.VECTORS + Random(4).randbytes(9000))
    assert read_dump_file(plain).notes == ()
    flash = read_dump_file(factory.rotated(plain))
    assert (flash.content, flash.notes) == (plain, (DumpNote.ROTATED,))


def test_a_dump_that_began_behind_the_bootloader_and_lacks_it_is_refused() -> None:
    rotated = factory.rotated(FACTORY)
    with pytest.raises(RotatedWithoutBootloaderError):
        read_dump_file(put(rotated, 0x200000 - 0x11000, b"\xff" * 0x11000))


@pytest.mark.parametrize("byte", [0x00, 0xFF])
def test_a_dump_of_one_byte_is_empty(byte: int) -> None:
    with pytest.raises(EmptyDumpError) as refused:
        read_dump_file(bytes([byte]) * 0x200000)
    assert refused.value.byte == byte


@pytest.mark.parametrize("size", [2, 4])
def test_swapped_bytes_are_told(size: int) -> None:
    with pytest.raises(SwappedBytesError):
        read_dump_file(swapped(FACTORY, size))


@pytest.mark.parametrize("mangle", MANGLERS.values(), ids=MANGLERS)
@pytest.mark.parametrize("dump", [FACTORY, OPENBEKEN], ids=["factory", "openbeken"])
def test_a_transfer_as_text_is_told(
    dump: bytes, mangle: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(NotAFlashError) as refused:
        read_dump_file(mangle(dump))
    assert refused.value.kind is FileKind.MANGLED


def test_chance_alone_is_no_transfer_as_text() -> None:
    for seed in range(20):
        noise = Random(seed).randbytes(300_000)
        assert name_file(noise) is FileKind.UNKNOWN
    for dump in (FACTORY, OPENBEKEN, images.qio(), images.ua()):
        assert name_file(dump) is FileKind.UNKNOWN


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", FileKind.EMPTY),
        (zipped(FACTORY), FileKind.ARCHIVE),
        (b"the dump of my socket", FileKind.TEXT),
        (b"<!DOCTYPE html><html></html>", FileKind.WEB_PAGE),
        (images.ota(), FileKind.OVER_THE_AIR),
        (Random(1).randbytes(0x200000), FileKind.UNKNOWN),
    ],
    ids=lambda value: value if isinstance(value, FileKind) else f"{len(value)} bytes",
)
def test_what_is_no_dump_is_called_what_it_is(data: bytes, kind: FileKind) -> None:
    with pytest.raises(NotAFlashError) as refused:
        read_dump_file(data)
    assert refused.value.kind is kind


@pytest.mark.parametrize(
    "data",
    [
        FACTORY[:0x1F6000],
        FACTORY[0x11000:],
        FACTORY + blank(FACTORY, 0x1D0000, 0x1D1000),
        FACTORY + bytes(range(256)),
        images.qio(),
        FACTORY[:0x1000],
    ],
    ids=lambda data: f"{len(data)} bytes",
)
def test_a_part_of_a_dump_or_more_than_one_is_told_by_its_size(data: bytes) -> None:
    with pytest.raises(PartOfAFlashError) as refused:
        read_dump_file(data)
    assert refused.value.size == len(data)


@pytest.mark.parametrize(
    "surplus",
    [b"\xff" * 0x200000, bytes(0x300), FACTORY, FACTORY[:0x100000], FACTORY * 2],
    ids=lambda surplus: f"{len(surplus)} bytes",
)
def test_what_a_tool_read_beyond_the_end_is_left_out_with_a_word(
    surplus: bytes,
) -> None:
    flash = read_dump_file(FACTORY + surplus)
    assert flash.content == FACTORY
    assert flash.notes == (DumpNote.SURPLUS,)
    turned = read_dump_file(factory.rotated(FACTORY) + b"\xff")
    assert turned.content == FACTORY
    assert turned.notes == (DumpNote.SURPLUS, DumpNote.ROTATED)


@pytest.mark.parametrize("fill", [0x00, 0xFF])
@pytest.mark.parametrize("place", [0x40000, 0x11000, 0x22000])
def test_a_hole_in_the_firmware_is_told(fill: int, place: int) -> None:
    holed = put(FACTORY, place, bytes([fill]) * 4096)
    flash = read_dump_file(holed)

    assert flash.notes == (DumpNote.APPLICATION_DAMAGED,)
    assert flash.analysis.damaged_at is not None
    assert place - 34 <= flash.analysis.damaged_at < place + 4096 + 34


def test_a_dump_without_firmware_is_told() -> None:
    flash = read_dump_file(blank(FACTORY, 0x11000, 0x12A000))
    assert flash.notes == (DumpNote.APPLICATION_BLANK,)


def test_a_factory_dump_without_its_storage_is_told() -> None:
    erased = blank(FACTORY, 0x1ED000, 0x200000)
    assert read_dump_file(erased).notes == (DumpNote.STORE_ERASED,)
    # OpenBeken needs none.
    assert read_dump_file(images.flashed(erased)).notes == ()


@pytest.mark.parametrize(
    "spoil",
    [
        # The sector with the index of the pins, which has no older copy.
        lambda dump: put(dump, 0x1F1000 + 0x700, bytes(1)),
        lambda dump: put(dump, 0x1ED000, bytes(0x2000)),
    ],
    ids=["one block", "both keys"],
)
def test_a_factory_dump_with_a_damaged_storage_is_told(
    spoil: Callable[[bytes], bytes],
) -> None:
    assert read_dump_file(spoil(FACTORY)).notes == (DumpNote.STORE_DAMAGED,)


def test_a_dump_without_radio_calibration_is_told() -> None:
    flash = read_dump_file(blank(FACTORY, RF_START, RF_START + 4096))
    assert flash.notes == (DumpNote.RADIO_MISSING,)
    assert flash.mac is None


def test_only_code_of_this_chip_can_be_half_written() -> None:
    sister = put(blank(FACTORY, RF_START, RF_START + 4096), 0x1E0000, rf_sector())
    other = plain_chip(packer.tuya_code("bk7231") + Random(3).randbytes(0x120000))
    for dump, state in (
        # Its storage is found wherever it lies.
        (factory.rotated(FACTORY), Contents.FACTORY),
        (
            factory.rotated(OPENBEKEN)[:0x1D0000].ljust(0x200000, b"\0"),
            Contents.UNKNOWN,
        ),
        (swapped(FACTORY, 2), Contents.UNKNOWN),
        (bytes(0x200000), Contents.UNKNOWN),
        (sister, Contents.FACTORY),
        # Its firmware is longer than this chip's, so it ends in the middle for us.
        (put(other, 0xE6000, b"one odd record"), Contents.FACTORY),
    ):
        assert Dump(dump, BK7231N).contents is state


def test_nothing_of_a_dump_is_shown_by_its_repr() -> None:
    flash = read_dump_file(FACTORY)
    assert len(repr(flash)) < 4000
    with pytest.raises(OpenBekenError) as refused:
        read_dump_file(b"correct horse battery staple")
    assert "horse" not in repr(refused.value)
