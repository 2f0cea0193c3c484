"""The content of a whole flash, and what its parts say."""

from collections.abc import Mapping
from functools import cached_property
from typing import Self

from ..backups import Contents
from ..beken.application import Application, Firmware, describe_application
from ..beken.chips import FlashableChip
from ..beken.code_flash import begins_remains
from ..beken.flash_map import SECTOR_SIZE, Region
from ..beken.rf_sector import MAGIC, RfSector, RfSectorError, parse_rf_sector
from ..errors import OpenBekenError
from ..obk import config_sector
from ..obk.config_sector import ConfigSector, ConfigSectorError
from ..tuya.dump import TuyaStorageError
from ..tuya.pins import PinReading
from ..tuya.reader import read_pins
from ..tuya.wifi import FactoryWifi, read_wifi


class Dump:
    """What the flash of one chip holds.

    Each part is looked through when somebody asks for it first, and never again. That takes tens of
    milliseconds for the larger ones, so asking belongs into an executor.
    """

    def __init__(self, content: bytes, chip: FlashableChip) -> None:
        """Take a whole flash, of a chip whose map tells where its parts are."""
        self.content = content
        self.chip = chip

    def part(self, region: Region) -> bytes:
        """Return the bytes of a region."""
        return self.content[region.start : region.end]

    def with_part(self, region: Region, data: bytes) -> Self:
        """Return the dump with other bytes in a region."""
        content = self.content[: region.start] + data + self.content[region.end :]
        return type(self)(content, self.chip)

    @cached_property
    def application(self) -> Application:
        """Return what the application region holds."""
        return describe_application(self.part(self.chip.flash.application))

    @cached_property
    def config(self) -> ConfigSector | None:
        """Return OpenBeken's configuration, or None where there is no valid one."""
        return read_config(self.part(self.chip.flash.openbeken_config))

    @cached_property
    def rf_sectors(self) -> Mapping[int, RfSector]:
        """Return all sectors that hold an RF calibration, by their addresses."""
        return {
            start: found
            for start in range(0, len(self.content), SECTOR_SIZE)
            if self.content.startswith(MAGIC, start)
            and (found := read_rf_sector(self.content[start : start + SECTOR_SIZE]))
        }

    @property
    def rf_region(self) -> Region:
        """Return where the RF calibration is: where the map says unless it is elsewhere."""
        usual = self.chip.flash.rf_calibration
        if not self.rf_sectors or usual.start in self.rf_sectors:
            return usual
        start = next(iter(self.rf_sectors))
        return Region(usual.name, start, start + SECTOR_SIZE)

    @property
    def rf_sector(self) -> RfSector | None:
        """Return what the RF calibration says, None where there is none."""
        return self.rf_sectors.get(self.rf_region.start)

    @cached_property
    def pins(self) -> PinReading | OpenBekenError:
        """Return the pins as the factory's storage has them, or why there are none."""
        try:
            return read_pins(self.content, self.chip)
        except OpenBekenError as err:
            return err

    @cached_property
    def wifi(self) -> FactoryWifi | None:
        """Return the network that the factory's firmware is joined to."""
        if isinstance(self.pins, TuyaStorageError):
            return None
        return read_wifi(self.content, self.chip)

    @property
    def contents(self) -> Contents:
        """Return what the flash holds in a word."""
        flash = self.chip.flash
        if not self.part(flash.application).strip(b"\xff"):
            return Contents.BLANK
        if not self.part(flash.first_sector).strip(b"\xff") or self._is_torn:
            return Contents.HALF_WRITTEN
        firmware = self.application.identity.firmware
        if firmware is Firmware.OPENBEKEN:
            return Contents.OPENBEKEN
        if firmware is Firmware.TUYA:
            return Contents.FACTORY
        if firmware is Firmware.LIBRETINY:
            return Contents.UNKNOWN
        # Neither says its name: what the two leave behind outside of the application has to tell.
        if self.config is not None:
            return Contents.OPENBEKEN
        has_storage = not isinstance(self.pins, TuyaStorageError)
        return Contents.FACTORY if has_storage else Contents.UNKNOWN

    @property
    def damaged_at(self) -> int:
        """Return the flash address from where on the application is blank or damaged."""
        damaged = self.application.records.damaged
        return self.chip.flash.application.start + min(damaged, default=0)

    @property
    def _is_torn(self) -> bool:
        """Return whether code of this chip is there, but not all of it is intact.

        What lies behind the code does not count: a mark's checksum leaves it out, and a longer
        firmware of earlier days may have left its remains there. Of code for other keys nothing is
        known: other chips have a larger application, and a dump may have been read from elsewhere.
        """
        application = self.application
        if application.whole or application.key is not self.chip.code_key:
            return False
        records = application.records
        first, end = (
            min(records.damaged, default=None),
            self.chip.flash.application_length,
        )
        if first is None or first >= end:
            return False
        if begins_remains(self.part(self.chip.flash.application), first):
            return False
        return records.sound > len(records.damaged)


def read_rf_sector(sector: bytes) -> RfSector | None:
    """Return what an RF sector says, or None where it is none."""
    try:
        return parse_rf_sector(sector)
    except RfSectorError:
        return None


def read_config(sector: bytes) -> ConfigSector | None:
    """Return what a configuration sector says, or None where the firmware would not accept it."""
    try:
        return config_sector.parse(sector)
    except ConfigSectorError:
        return None
