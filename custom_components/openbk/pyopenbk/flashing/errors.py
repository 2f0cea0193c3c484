"""Why a flashing job stops, and in which state that leaves the socket."""

from collections.abc import Sequence
from enum import StrEnum

from ..beken.flash_map import Region
from ..errors import OpenBekenError
from ..file_kinds import FileKind


class ChipState(StrEnum):
    """What a job has done to the flash so far."""

    UNTOUCHED = "untouched"
    """It holds what it held before, but for an RF calibration that a repair has begun."""
    HALF_WRITTEN = "half_written"
    """It does not start until a job completes; the boot ROM still answers."""
    WRITTEN_NOT_VERIFIED = "written_not_verified"
    """Everything is in place, but the last proof is missing."""
    WRITTEN = "written"
    """Everything is in place and proven."""


class FlashingError(OpenBekenError):
    """A flashing job stopped. ``chip_state`` says what became of the chip."""

    chip_state: ChipState = ChipState.UNTOUCHED


class JobOrderError(FlashingError):
    """A step was asked for whose earlier steps were not done on this chip."""


class FlashSizeError(FlashingError):
    """The flash has another size than the one that the map of this chip is for."""

    def __init__(self, size: int) -> None:
        """Keep the size in bytes that the flash id tells."""
        super().__init__(f"a flash of {size} bytes has another map")
        self.size = size


class RfSectorMissingError(FlashingError):
    """The chip has lost its RF calibration: its place is blank, or it breaks off there."""


class RfSectorMisplacedError(FlashingError):
    """The RF calibration is not where the map has it: another flash map."""

    def __init__(self, expected: int, found: Sequence[int]) -> None:
        """Keep the addresses of sectors that do look like one."""
        places = ", ".join(f"0x{address:06X}" for address in found) or "nowhere"
        super().__init__(f"RF calibration expected at 0x{expected:06X}, found {places}")
        self.found = tuple(found)


class RfSectorPresentError(FlashingError):
    """The chip has an RF calibration of its own, which nothing may replace."""


class BootloaderTrouble(StrEnum):
    """What is wrong with a bootloader."""

    BLANK = "blank"
    DAMAGED = "damaged"
    FOREIGN = "foreign"
    """It is not encrypted with the key of this chip."""


class BootloaderUnfitError(FlashingError):
    """The bootloader cannot start an application; this job does not write bootloaders."""

    def __init__(self, trouble: BootloaderTrouble) -> None:
        """Keep what is wrong with it."""
        super().__init__(f"the bootloader is {trouble}")
        self.trouble = trouble


class ForeignKeyError(FlashingError):
    """The chip runs only code that is encrypted with a key for which nobody builds OpenBeken."""


class ImageUnfitError(FlashingError):
    """The firmware image is not made for this chip or for its code key."""


class ChipChangedError(FlashingError):
    """The chip on the link is not the one that was backed up, or was changed since."""


class ProtectedRegionChangedError(FlashingError):
    """Flash outside of what the job may write is not what it was; the backup has it."""

    def __init__(self, regions: Sequence[Region]) -> None:
        """Keep the regions that differ."""
        names = ", ".join(region.name for region in regions)
        super().__init__(f"changed although nothing was to be written there: {names}")
        self.regions = tuple(regions)


class ForeignBackupError(FlashingError):
    """The backup is of another chip, and nobody said that this is meant."""

    def __init__(self, backup_mac: str | None, chip_mac: str | None) -> None:
        """Keep both addresses."""
        super().__init__("the backup was read from another chip")
        self.backup_mac = backup_mac
        self.chip_mac = chip_mac


class BackupTrouble(StrEnum):
    """Why a backup would not start on a chip."""

    SIZE = "size"
    NO_FLASH = "no_flash"
    """Nothing in it looks like the flash of such a chip."""
    CHIP = "chip"
    """It is of another chip."""
    KEY = "key"
    """Its bootloader is encrypted with another key, or with none."""
    BOOTLOADER = "bootloader"
    """Its bootloader is missing or damaged."""
    MAP = "map"
    """It has its RF calibration in another place."""


class BackupUnfitError(FlashingError):
    """The backup would not start on this chip."""

    def __init__(self, trouble: BackupTrouble, chip: str | None = None) -> None:
        """Keep why, and the chip that it is of where that is known and another one."""
        super().__init__(f"the backup would not start here: {trouble} ({chip})")
        self.trouble = trouble
        self.chip = chip


class DumpFileError(OpenBekenError):
    """A file is no whole flash that could be put onto a chip; the subclass says why."""


class NotAFlashError(DumpFileError):
    """The file is something else; ``kind`` says what it seems to be."""

    def __init__(self, kind: FileKind) -> None:
        """Keep what the file seems to be."""
        super().__init__(f"no whole flash, but {kind}")
        self.kind = kind


class PartOfAFlashError(DumpFileError):
    """The file is a part of a flash, or more than one."""

    def __init__(self, size: int) -> None:
        """Keep the size in bytes; 2 097 152 would be whole."""
        super().__init__(f"{size} bytes of a flash")
        self.size = size


class SwappedBytesError(DumpFileError):
    """The bytes of each word are in the wrong order, as some programmers write them."""


class RotatedWithoutBootloaderError(DumpFileError):
    """The dump begins at 0x11000, and the bootloader is not at its end."""
