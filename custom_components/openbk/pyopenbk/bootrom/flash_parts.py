"""Flash chips by their JEDEC id, and how their block protection is cleared."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class FlashPart:
    """A flash chip and how its block protection is cleared."""

    name: str
    status_bytes: int = 2
    protection: int = 0x407C
    """Bits of the status registers that protect: BP0 to BP4 and CMP, which inverts them."""
    second_status: int = 0x35
    """The opcode that reads the second status register."""


FLASH_PARTS: Final = {
    bytes.fromhex("EB6015"): FlashPart("TH25Q16HB"),
    bytes.fromhex("1C7015"): FlashPart("EN25QH16B", status_bytes=1, protection=0x3C),
    bytes.fromhex("C84015"): FlashPart("GD25Q16"),
    bytes.fromhex("C86515"): FlashPart("GD25WQ16E"),
    bytes.fromhex("0B4015"): FlashPart("XT25F16B"),
    bytes.fromhex("4B4015"): FlashPart("XT25F16B"),
    bytes.fromhex("CD7115"): FlashPart("TH25Q16UC"),
    bytes.fromhex("852015"): FlashPart("P25Q16HBK"),
    bytes.fromhex("854215"): FlashPart("P25Q16HB", status_bytes=1, protection=0x7C),
    bytes.fromhex("856015"): FlashPart("P25Q16SU"),
    bytes.fromhex("C22315"): FlashPart(
        "MX25V1635F", protection=0x103C, second_status=0x15
    ),
    bytes.fromhex("C46015"): FlashPart("GT25Q16B"),
}
"""The 2 MiB parts that tools know (hid_download_py, BK7231GUIFlashTool), by JEDEC id."""

UNKNOWN_PART: Final = FlashPart("unknown")
"""What is supposed of any other: the usual registers."""
