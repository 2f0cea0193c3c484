"""Where each chip keeps an update over the air until its bootloader unpacks it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .flash_map import OPENBEKEN_CONFIG, OTA, SECTOR_SIZE, Region


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateSlot:
    """What there is to know of one chip before firmware is sent to it over the network."""

    chip: str
    """As OpenBeken's build line names it, without its "Open"."""
    region: Region
    """What the firmware writes an upload to. It checks the end for the first piece alone, so one
    byte more erases what lies behind: on BK7231N the radio calibration."""
    suffix: str
    """How the name of the file ends: OpenBK7231N_1.18.299.rbl."""
    config: Region | None
    """The configuration sector, where its place in the flash is known."""

    def end_of(self, size: int) -> int:
        """Return the address behind the last sector that a file of so many bytes takes."""
        return self.region.start + -(-size // SECTOR_SIZE) * SECTOR_SIZE


# hal_ota.h and our_lfs.h of OpenBeken 1.18.299; that of BK7231N was also recorded. The file system
# ends where the region does.
_SLOTS: Final = (
    UpdateSlot(chip="BK7231N", region=OTA, suffix=".rbl", config=OPENBEKEN_CONFIG),
    UpdateSlot(
        chip="BK7231T",
        region=Region("ota", 0x132000, 0x1B3000),
        suffix=".rbl",
        config=None,
    ),
)
UPDATE_SLOTS: Final[Mapping[str, UpdateSlot]] = {slot.chip: slot for slot in _SLOTS}
"""By chip. Other chips take other files, and check them in ways of their own."""
