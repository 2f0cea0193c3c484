"""Checksums of the boot ROM, the flash image, the Tuya storage and OpenBeken's configuration."""

from typing import Final
import zlib


def crc32_jamcrc(data: bytes | bytearray | memoryview, start: int = 0xFFFFFFFF) -> int:
    """Return the CRC-32 as the boot ROM's CheckCRC answers it: zlib's without the final inversion.

    ``start`` is an earlier result, to go on from where that one ended. Check value of
    ``b"123456789"``: 0x340BC6D9.
    """
    return zlib.crc32(data, start ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def crc16_cms(data: bytes | bytearray | memoryview) -> int:
    """Return the CRC-16 of one 32-byte record of the code flash (polynomial 0x8005, start 0xFFFF).

    Stored big-endian after each record. Check value of ``b"123456789"``: 0xAEE7.
    """
    crc = 0xFFFF
    for byte in data:
        crc = ((crc << 8) & 0xFFFF) ^ _CRC16_TABLE[(crc >> 8) ^ byte]
    return crc


def openbeken_config_crc(data: bytes | bytearray | memoryview) -> int:
    """Return the 8-bit CRC over OpenBeken's configuration, as BK7231N computes it.

    Dallas' polynomial 0x8C, but the firmware shifts a *signed* char right, so bit 7 stays: this is
    not CRC-8/MAXIM. Checked against a sector that the firmware saved.
    """
    crc = 0
    for byte in data:
        # As with every CRC, what was and what comes add up.
        crc = _CRC8_OF_BEFORE[crc] ^ _CRC8_OF_BYTE[byte]
    return crc


def byte_sum(data: bytes | bytearray | memoryview) -> int:
    """Return the sum of all bytes modulo 2**32, the Tuya storage's checksum."""
    return sum(data) & 0xFFFFFFFF


def _signed_crc8_step(crc: int, byte: int) -> int:
    for _ in range(8):
        differs = (crc ^ byte) & 1
        crc = (crc >> 1) | (crc & 0x80)
        if differs:
            crc ^= 0x8C
        byte >>= 1
    return crc


def _crc16_entry(index: int) -> int:
    crc = index << 8
    for _ in range(8):
        crc = ((crc << 1) ^ 0x8005) & 0xFFFF if crc & 0x8000 else crc << 1
    return crc


_CRC16_TABLE: Final = tuple(_crc16_entry(index) for index in range(256))
_CRC8_OF_BEFORE: Final = tuple(_signed_crc8_step(crc, 0) for crc in range(256))
_CRC8_OF_BYTE: Final = tuple(_signed_crc8_step(0, byte) for byte in range(256))
