"""The checksums, by their published check values and by independent code."""

from ctypes import c_int8
from random import Random
import zlib

from bk7231tools.analysis.crc16 import crc16

from custom_components.openbk.pyopenbk.checksums import (
    byte_sum,
    crc16_cms,
    crc32_jamcrc,
    openbeken_config_crc,
)
from tests.recordings.sector import saved_sector

CHECK = b"123456789"
NOISE = Random(7231).randbytes(5000)


def test_jamcrc_has_its_check_value() -> None:
    """As the catalogue of CRCs gives it."""
    assert crc32_jamcrc(CHECK) == 0x340BC6D9
    assert crc32_jamcrc(b"") == 0xFFFFFFFF


def test_jamcrc_is_the_inverted_crc32() -> None:
    """The boot ROM leaves out the last inversion."""
    assert crc32_jamcrc(NOISE) == zlib.crc32(NOISE) ^ 0xFFFFFFFF


def test_jamcrc_goes_on_where_it_ended() -> None:
    """Pieces give what the whole gives."""
    for middle in (0, 1, 4096, 5000):
        first = crc32_jamcrc(NOISE[:middle])
        assert crc32_jamcrc(NOISE[middle:], first) == crc32_jamcrc(NOISE)


def test_crc16_has_its_check_value() -> None:
    """As the catalogue of CRCs gives it, and as bk7231tools computes it."""
    assert crc16_cms(CHECK) == 0xAEE7
    assert crc16_cms(NOISE) == crc16(NOISE, initial_value=0xFFFF)


def test_configuration_crc_shifts_a_signed_character() -> None:
    """Once bit 7 is set it stays, other than in the CRC of Dallas."""
    assert openbeken_config_crc(b"") == 0
    assert openbeken_config_crc(b"\x00") == 0
    crc = c_int8(0)
    for byte in NOISE:
        for bit in range(8):
            differs = (crc.value ^ byte >> bit) & 1
            crc = c_int8(crc.value >> 1 ^ (0x8C if differs else 0))
    assert openbeken_config_crc(NOISE) == crc.value & 0xFF


def test_configuration_crc_is_the_firmwares() -> None:
    """A sector that a real OpenBeken saved."""
    sector = saved_sector()
    assert openbeken_config_crc(sector[4:]) == sector[3] == 0x11


def test_byte_sum_wraps_at_32_bits() -> None:
    """The sum of Tuya's store."""
    assert byte_sum(CHECK) == sum(CHECK)
    assert byte_sum(b"\xff" * (0x1010102)) == 0xFF * 0x1010102 & 0xFFFFFFFF
