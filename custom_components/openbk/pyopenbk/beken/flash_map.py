"""The regions of a 2 MiB BK7231N flash and who may write them."""

from dataclasses import dataclass
from typing import Final

from ..errors import OpenBekenError

FLASH_SIZE: Final = 0x200000
SECTOR_SIZE: Final = 0x1000
BLOCK_SIZE: Final = 0x10000


class OutsideAllowanceError(OpenBekenError):
    """An erase or write would have touched flash that this job must leave alone."""


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the flash; ``start`` inclusive, ``end`` exclusive, both byte addresses."""

    name: str
    start: int
    end: int

    @property
    def size(self) -> int:
        """Return the length in bytes."""
        return self.end - self.start

    def contains(self, start: int, length: int) -> bool:
        """Return whether ``length`` bytes from ``start`` lie wholly inside."""
        return self.start <= start and start + length <= self.end


# Tuya's layout of the CB2S, as the BK7231N SDK's partition table and 23 factory dumps have it.
BOOTLOADER: Final = Region("bootloader", 0x000000, 0x011000)
APPLICATION: Final = Region("application", 0x011000, 0x12A000)
OTA: Final = Region("ota", 0x12A000, 0x1D0000)
RF_CALIBRATION: Final = Region("rf_calibration", 0x1D0000, 0x1D1000)
# Where BK7231T has it, and chips of this family with another map, such as BL2028N.
OTHER_RF_CALIBRATION: Final = Region("rf_calibration", 0x1E0000, 0x1E1000)
OPENBEKEN_CONFIG: Final = Region("openbeken_config", 0x1D1000, 0x1D2000)
OPENBEKEN_VARIABLES: Final = Region("openbeken_variables", 0x1E5000, 0x1ED000)
TUYA_STORAGE: Final = Region("tuya_storage", 0x1ED000, 0x200000)
WHOLE_FLASH: Final = Region("flash", 0x000000, FLASH_SIZE)


@dataclass(frozen=True, slots=True)
class WriteAllowance:
    """The regions that one job may erase and write; everything else is refused on the host."""

    regions: tuple[Region, ...]

    def check(self, start: int, length: int) -> None:
        """Raise OutsideAllowanceError unless one region holds all ``length`` bytes from ``start``."""
        if length <= 0 or not any(
            region.contains(start, length) for region in self.regions
        ):
            raise OutsideAllowanceError(
                f"0x{start:06X}+0x{length:X} is outside of what this job may write"
            )


NOTHING: Final = WriteAllowance(())
FLASH_JOB: Final = WriteAllowance((APPLICATION, OPENBEKEN_CONFIG))


def restore_keeping(region: Region) -> WriteAllowance:
    """Return what a restore may write that leaves one region, such as the RF calibration, alone."""
    return WriteAllowance(
        (
            Region(f"below_{region.name}", 0, region.start),
            Region(f"above_{region.name}", region.end, FLASH_SIZE),
        )
    )


RESTORE_KEEPING_RF: Final = restore_keeping(RF_CALIBRATION)
RESTORE_OF_OWN_BACKUP: Final = WriteAllowance((WHOLE_FLASH,))
RADIO_REPAIR: Final = WriteAllowance((RF_CALIBRATION,))
