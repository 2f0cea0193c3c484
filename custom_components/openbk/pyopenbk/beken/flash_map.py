"""Where a chip keeps what in its flash, and who may write it."""

from dataclasses import dataclass
from typing import Final

from ..errors import OpenBekenError

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

    @property
    def borders(self) -> tuple[tuple[int, int], ...]:
        """Return start and end of each region, for a record of the job."""
        return tuple((region.start, region.end) for region in self.regions)

    def outside(self, size: int) -> tuple[Region, ...]:
        """Return the parts of a flash of ``size`` bytes that the job must leave alone."""
        parts = []
        start = 0
        for region in sorted(self.regions, key=lambda region: region.start):
            if start < region.start:
                parts.append(Region("untouched", start, region.start))
            start = max(start, region.end)
        if start < size:
            parts.append(Region("untouched", start, size))
        return tuple(parts)

    def spares(self, region: Region) -> bool:
        """Return whether the job must leave all of a region alone."""
        return all(
            part.end <= region.start or region.end <= part.start
            for part in self.regions
        )


NOTHING: Final = WriteAllowance(())


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashMap:
    """The regions of one chip's flash, all of them whole sectors."""

    size: int
    """Bytes in all."""
    bootloader: Region
    application: Region
    """Executed from its first byte on; whatever holds less of it is filled up with blanks."""
    application_length: int
    """Bytes that code and the RBL mark behind it take of that region."""
    ota: Region
    """Where an update over the air is kept until the bootloader unpacks it."""
    rf_calibration: Region
    openbeken_config: Region
    tuya_storage: Region
    holds_loader: bool = False
    """The bootloader has the code by which the flash is read and written over UART, so that
    nothing could mend what went wrong there: no job may ever write below the application."""

    @property
    def first_sector(self) -> Region:
        """Return the application's first sector, without which nothing starts."""
        start = self.application.start
        return Region("first_sector", start, start + SECTOR_SIZE)

    @property
    def flash_job(self) -> WriteAllowance:
        """Return what putting a firmware with its configuration onto the chip may write."""
        return WriteAllowance((self.application, self.openbeken_config))

    @property
    def radio_repair(self) -> WriteAllowance:
        """Return what giving an RF calibration back may write."""
        return WriteAllowance((self.rf_calibration,))

    @property
    def restore_of_own_backup(self) -> WriteAllowance:
        """Return what a restore may write that leaves nothing alone."""
        return WriteAllowance((Region("flash", self._lowest, self.size),))

    def restore_keeping(self, region: Region) -> WriteAllowance:
        """Return what a restore may write that leaves one region, such as the RF calibration, alone."""
        return WriteAllowance(
            (
                Region(f"below_{region.name}", self._lowest, region.start),
                Region(f"above_{region.name}", region.end, self.size),
            )
        )

    @property
    def _lowest(self) -> int:
        return self.application.start if self.holds_loader else 0
