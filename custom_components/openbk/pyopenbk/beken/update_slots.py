"""Where each chip keeps an update over the air until its bootloader unpacks it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .chips import FLASHABLE, FlashableChip
from .flash_map import Region


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateSlot:
    """What there is to know of one chip before firmware is sent to it over the network."""

    target: FlashableChip
    region: Region
    """What the firmware writes an upload to. It checks the end for the first piece alone, so one
    byte more erases what lies behind: on BK7231N the radio calibration."""
    suffix: str
    """How the name of the file ends: OpenBK7231N_1.18.299.rbl."""
    config: Region | None
    """The configuration sector, where its place in the flash is known."""

    @property
    def chip(self) -> str:
        """Return its name as OpenBeken's build line has it, without its "Open"."""
        return self.target.name


UPDATE_SLOTS: Final[Mapping[str, UpdateSlot]] = {
    chip.name: UpdateSlot(
        target=chip,
        region=chip.flash.ota,
        suffix=chip.update_suffix,
        config=chip.flash.openbeken_config,
    )
    for chip in FLASHABLE
    if chip.update_suffix
}
"""By chip. Other chips take other files, and check them in ways of their own."""
