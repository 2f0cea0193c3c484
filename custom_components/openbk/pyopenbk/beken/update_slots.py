"""Where each chip keeps an update over the air until its bootloader unpacks it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .chips import FLASHABLE, FlashableChip
from .flash_map import Region
from .rbl import HEADER_SIZE

CODE: Final = Region("code", 0x10000, 0x118700)
"""Where the processor has the application's code: the partition in the tables of the bootloaders."""
LARGEST_CODE: Final = CODE.size - HEADER_SIZE
"""Bytes of code that a bootloader installs at most: it keeps the end of the partition for a header."""

_LOADED_FROM: Final = 0x20


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateSlot:
    """What there is to know of one chip before firmware is sent to it over the network."""

    target: FlashableChip
    region: Region
    """What the firmware writes an upload to. It checks the end for the first piece alone, so one
    byte more erases what lies behind: on BK7231N the radio calibration."""
    suffix: str
    """How the name of the file ends: OpenBK7231N_1.18.299.rbl."""

    @property
    def chip(self) -> str:
        """Return its name as OpenBeken's build line has it, without its "Open"."""
        return self.target.name


UPDATE_SLOTS: Final[Mapping[str, UpdateSlot]] = {
    chip.name: UpdateSlot(
        target=chip,
        region=chip.flash.ota,
        suffix=chip.update_suffix,
    )
    for chip in FLASHABLE
    if chip.update_suffix
}
"""By chip. Other chips take other files, and check them in ways of their own."""


def bootloader_installs(code: bytes) -> bool:
    """Return whether a bootloader takes the code of an update in place of the application.

    It does not where the code is too long, or where the word at 0x20, the address that the
    processor is led to by the first entry of the vector table that is loaded, lies outside of
    the application: then the old firmware stays. BK7231N_1.0.1 and BK7231S_1.0.5, run as machine
    code, took 0x10000 to 0x118700 and at most 0x1086A0 bytes, and nothing below or above.
    """
    entry = int.from_bytes(code[_LOADED_FROM : _LOADED_FROM + 4], "little")
    return len(code) <= LARGEST_CODE and CODE.start <= entry <= CODE.end
