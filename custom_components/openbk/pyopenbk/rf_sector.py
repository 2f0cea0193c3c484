"""The RF calibration sector (0x1D0000): where the MAC address lives."""

from dataclasses import dataclass
from typing import Final

from .errors import OpenBekenError
from .flash_map import SECTOR_SIZE

_MAGIC: Final = b"TLV\0"
# Tag 0x11111102, length 6, at offset 0x1C; the address follows at 0x24 in all 23 dumps measured.
_MAC_RECORD: Final = bytes.fromhex("0211111106000000")
_MAC_RECORD_OFFSET: Final = 0x1C
_MAC_OFFSET: Final = 0x24
# What Beken chips without calibration fall back to; many devices share it.
GENERIC_MAC: Final = "c8:47:8c:00:00:00"


class RfSectorError(OpenBekenError):
    """The sector does not hold an RF calibration."""


@dataclass(frozen=True, slots=True)
class RfSector:
    """What an RF calibration sector says of its chip."""

    mac: str
    """Wi-Fi station address, lower case with colons."""

    @property
    def is_generic(self) -> bool:
        """Return whether the address is the one of a chip that lost its calibration."""
        return self.mac == GENERIC_MAC


def parse_rf_sector(sector: bytes) -> RfSector:
    """Read the 4096 bytes of an RF calibration sector.

    Raises RfSectorError where the sector is blank, is something else or has no address.
    """
    if len(sector) != SECTOR_SIZE:
        raise RfSectorError(
            f"an RF sector has {SECTOR_SIZE} bytes, this has {len(sector)}"
        )
    if not sector.startswith(_MAGIC):
        raise RfSectorError("no RF calibration here: the TLV mark is missing")
    if not sector.startswith(_MAC_RECORD, _MAC_RECORD_OFFSET):
        raise RfSectorError("the RF calibration has no MAC address where it belongs")
    mac = sector[_MAC_OFFSET : _MAC_OFFSET + 6]
    if mac in (bytes(6), b"\xff" * 6):
        raise RfSectorError("the MAC address of the RF calibration is blank")
    return RfSector(mac=mac.hex(":"))
