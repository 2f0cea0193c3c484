"""The synthetic release files have the structure of real ones."""

import io
import time
import zlib

from bk7231tools.analysis.flash import FLASH_LAYOUTS
from bk7231tools.analysis.rbl import Container
from bk7231tools.crypto.code import BekenCodeCipher
from ltchiptool.soc.bk72xx.util.binary import BekenBinary
from ltchiptool.soc.bk72xx.util.rbl import RBL
import pytest

from custom_components.openbk.pyopenbk.obk.image import recognise
from simulator import images
from simulator.boot import Running, Verdict, examine
from simulator.bootrom import STANDARD_CODE_KEY
from simulator.code_memory import NO_KEY, UASCENT_KEY
from simulator.factory import FactorySocket
from simulator.flash import Flash

FACTORY = FactorySocket().dump()


def boot(image: bytes, key: tuple[int, int, int, int] = STANDARD_CODE_KEY) -> Verdict:
    """Start a chip with the application of a QIO file in a factory socket."""
    flash = Flash(FACTORY)
    if key != STANDARD_CODE_KEY:
        flash = Flash(FactorySocket(code_key=key).dump())
    flash.rewrite(0x11000, image[0x11000:])
    return examine(flash, key)


def test_a_qio_begins_as_the_releases_do() -> None:
    image = images.qio()
    assert len(image) == 0x129F70
    assert image[:8].hex() == "690cb59635ff2a99"
    assert image[0x11000:0x11008].hex() == "2f07b59435ff2a9b"
    assert image[0x10F9A:0x10F9E] == image[0x129F0A:0x129F0E] == b"RBL\0"


def test_bk7231tools_unpacks_its_application_and_finds_its_version() -> None:
    stream = io.BytesIO(images.qio(images.OF_THE_GUIDE))
    stream.seek(0x129F0A)
    container = Container.from_bytestream(stream, FLASH_LAYOUTS["ota_1"])
    assert container.header.name == "app"
    cipher = BekenCodeCipher(STANDARD_CODE_KEY)
    code = bytes(cipher.decrypt(cipher.pad(container.payload), 0x10000))
    assert b"OpenBK7231N 1.17.360 Dec 17 2023 09:13:22\0" in code
    assert b"Built on Dec 17 2023 09:13:22 version 1.17.360\0" in code


def test_a_ua_is_the_application_alone() -> None:
    image = images.ua()
    assert images.qio()[0x11000:].startswith(image)
    assert len(image) % 34 == 0
    assert len(image) <= 1_150_832


def test_an_update_fits_its_slot_and_unpacks() -> None:
    container = images.ota()
    assert container[:4] == b"RBL\0"
    assert len(container) <= 0xA6000
    assert int.from_bytes(container[92:96], "little") == zlib.crc32(container[:92])
    assert images.unpack_ota(container) == images.NEWEST.plain
    assert images.unpack_ota(container[:-1]) is None


def test_a_ug_wraps_the_update() -> None:
    wrapped = images.ug()
    assert wrapped[:4].hex() == "55aa55aa"
    assert wrapped[28:32].hex() == "aa55aa55"
    assert wrapped[32:] == images.ota()
    assert int.from_bytes(wrapped[16:20]) == len(images.ota())
    assert len(wrapped) < 679_936


def packed_by_ltchiptool(plain: bytes) -> bytes:
    """Return an application as a packer makes it that knows nothing of ours."""
    package = RBL(name="app", container_size=0x118F70 // 34 * 32)
    packer = BekenBinary("510fb093a3cbeadc5993a17ec7adeb03")
    return b"".join(packer.package(io.BytesIO(plain), 0x10000, len(plain), package))


@pytest.mark.parametrize("size", [0x2010, 0x200C])
def test_a_chip_runs_what_another_packer_packed(size: int) -> None:
    texts = b"OpenBK7231N_1.18.230\0Built on Nov 22 2025 16:44:43 version 1.18.230\0"
    plain = bytes.fromhex("0E0000EA14F09FE5") + bytes(100) + texts
    image = images.qio()[:0x11000] + packed_by_ltchiptool(plain.ljust(size, b"\x5a"))
    assert len(image) == 0x129F70
    assert boot(image).running is Running.OPENBEKEN
    assert boot(image).version == "1.18.230"
    recognised = recognise(image)
    assert recognised.version == "1.18.230"
    assert not recognised.unproven


def test_a_chip_refuses_a_body_that_is_not_the_one_its_mark_describes() -> None:
    image = bytearray(images.qio())
    image[0x11000 + 34 : 0x11000 + 68] = image[0x11000 + 68 : 0x11000 + 102]
    assert boot(bytes(image)).running is Running.NOTHING


def test_a_chip_runs_a_whole_image_of_its_key() -> None:
    assert boot(images.qio()).running is Running.OPENBEKEN
    assert boot(images.qio()).version == "1.18.300"
    assert boot(images.no_key_qio(), NO_KEY).running is Running.OPENBEKEN
    assert boot(images.uascent_qio(), UASCENT_KEY).running is Running.OPENBEKEN


@pytest.mark.parametrize(
    "image",
    [
        images.no_key_qio(),
        images.uascent_qio(),
        images.wrong_chip_qio(),
        images.with_damaged_record(images.qio()),
        images.qio()[:-34] + b"\xff" * 34,
        images.qio()[:0x11000] + b"\xff" * 0x1000 + images.qio()[0x12000:],
        images.qio()[:0x80000] + FACTORY[0x80000:0x129F70],
    ],
    ids=[
        "no key",
        "another key",
        "another chip",
        "damaged record",
        "header cut off",
        "first sector missing",
        "half of another",
    ],
)
def test_a_chip_stays_silent_with_anything_else(image: bytes) -> None:
    assert boot(image).running is Running.NOTHING


def test_an_image_is_made_in_no_time() -> None:
    started = time.process_time()
    images.qio(images.Build(version="1.2.3"))
    assert time.process_time() - started < 1


def test_a_flashed_dump_keeps_all_but_the_application_and_the_configuration() -> None:
    dump = images.flashed(FACTORY, config=b"CFG" * 100)
    assert examine(Flash(dump)).running is Running.OPENBEKEN
    assert dump[:0x11000] == FACTORY[:0x11000]
    assert dump[0x129F70:0x1D1000] == FACTORY[0x129F70:0x1D1000]
    assert dump[0x1D1000 : 0x1D1000 + 300] == b"CFG" * 100
    half = images.flashed(FACTORY, last=0x90000)
    assert examine(Flash(half)).running is Running.NOTHING
