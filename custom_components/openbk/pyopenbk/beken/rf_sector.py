"""The RF calibration sector (0x1D0000): where the MAC address lives."""

from dataclasses import dataclass
import struct
from typing import Final

from ..errors import OpenBekenError
from .flash_map import SECTOR_SIZE

MAGIC: Final = b"TLV\0"
# Tag 0x11111102, length 6, at offset 0x1C; the address follows at 0x24 in all 23 dumps measured.
_MAC_RECORD: Final = bytes.fromhex("0211111106000000")
_MAC_RECORD_OFFSET: Final = 0x1C
_MAC_OFFSET: Final = 0x24
_ERASED_TAG: Final = 0xFFFFFFFF
# What Beken chips without calibration fall back to; many devices share it.
GENERIC_MAC: Final = "c8:47:8c:00:00:00"
# Others that were seen on chips with default RF data (OpenBK7231T_App issue 2176).
_GENERIC: Final = frozenset(
    bytes.fromhex(mac.replace(":", "")) for mac in (GENERIC_MAC, "c8:47:8c:42:88:48")
)
_GROUP_BIT: Final = 1


class RfSectorError(OpenBekenError):
    """The sector does not hold an RF calibration."""


class RfSectorLostError(RfSectorError):
    """The sector is blank, or holds the beginning of a calibration and nothing after it."""


@dataclass(frozen=True, slots=True)
class RfSector:
    """What an RF calibration sector says of its chip."""

    mac: str
    """Wi-Fi station address, lower case with colons."""

    @property
    def is_generic(self) -> bool:
        """Return whether the address is the one of a chip that lost its calibration."""
        return is_generic_mac(self.mac)


def is_generic_mac(mac: str) -> bool:
    """Return whether a MAC address identifies nobody: a default of many chips, or no station's.

    Colons and dashes do not matter, nor does the case. What is no MAC address at all identifies
    nobody either.
    """
    try:
        raw = bytes.fromhex(mac.replace(":", "").replace("-", ""))
    except ValueError:
        return True
    return len(raw) != 6 or not any(raw) or bool(raw[0] & _GROUP_BIT) or raw in _GENERIC


def parse_rf_sector(sector: bytes) -> RfSector:
    """Read the 4096 bytes of an RF calibration sector.

    Raises RfSectorLostError where the sector is blank or broken off, and RfSectorError where it is
    something else or has no address.
    """
    if len(sector) != SECTOR_SIZE:
        raise RfSectorError(
            f"an RF sector has {SECTOR_SIZE} bytes, this has {len(sector)}"
        )
    if not sector.strip(b"\xff"):
        raise RfSectorLostError("the RF calibration is blank")
    if not sector.startswith(MAGIC):
        raise RfSectorError("no RF calibration here: the TLV mark is missing")
    if not sector.startswith(_MAC_RECORD, _MAC_RECORD_OFFSET):
        raise RfSectorError("the RF calibration has no MAC address where it belongs")
    if _is_broken_off(sector):
        raise RfSectorLostError("the RF calibration breaks off")
    mac = sector[_MAC_OFFSET : _MAC_OFFSET + 6]
    if mac in (bytes(6), b"\xff" * 6):
        raise RfSectorError("the MAC address of the RF calibration is blank")
    return RfSector(mac=mac.hex(":"))


def _is_broken_off(sector: bytes) -> bool:
    """Return whether erased flash comes where a group or a record has to begin.

    A group is a header (tag with a low byte of zero, length) and its records (a tag that differs
    from the group's in its low byte, length, data); unused space at its end is filled. What is
    laid out in any other way is not judged.
    """
    offset = len(MAGIC) + 4
    end = offset + int.from_bytes(sector[len(MAGIC) : offset], "little")
    while offset + 8 <= min(end, len(sector)):
        group, length = _header(sector, offset)
        if _is_erased(group, length):
            return True
        if group & 0xFF:
            return False
        offset += 8
        if _is_group_broken_off(sector[offset : offset + length], group):
            return True
        offset += length
    return False


def _is_group_broken_off(records: bytes, group: int) -> bool:
    offset = 0
    while offset + 8 <= len(records):
        tag, length = _header(records, offset)
        if _is_erased(tag, length):
            return True
        if tag & ~0xFF != group:
            return False
        offset += 8 + length
    return False


def _is_erased(tag: int, length: int) -> bool:
    """Return whether a header was never written, or not to its end."""
    return tag == _ERASED_TAG or length >> 24 == _ERASED_TAG >> 24


def _header(data: bytes, offset: int) -> tuple[int, int]:
    return struct.unpack_from("<II", data, offset)
