"""A chip that has lost its radio calibration: it gets one before anything else is written."""

from typing import Any, Final, override

from homeassistant.config_entries import ConfigFlowResult
import probatio

from ...const import CONF_MAC, LOGGER
from ...pyopenbk.backups import BackupError
from ...pyopenbk.beken.chips import FlashableChip
from ...pyopenbk.beken.rf_sector import (
    RfSector,
    RfSectorError,
    is_generic_mac,
    parse_rf_sector,
)
from ...pyopenbk.errors import OpenBekenError
from ...pyopenbk.flashing import (
    ChipState,
    ProtectedRegionChangedError,
    RfSectorMisplacedError,
    RfSectorMissingError,
)
from ...pyopenbk.flashing.dump_files import read_dump_file
from ...pyopenbk.flashing.errors import PartOfAFlashError
from .failures import backup_error
from .restore import CONF_BACKUP, CONF_UPLOAD, DUMP_FILE, without_upload
from .twin import TwinSteps

_FAREWELLS: Final = {
    "radio_written": "left_repaired",
    "radio_begun": "left_radio_begun",
}


class RadioSteps(TwinSteps):
    """The steps from a lost radio calibration to one that the person chose."""

    _radio_sector: bytes = b""
    _radio: RfSector | None = None
    _generic_is_meant: bool = False
    """It was said that a chip without a calibration of its own shall be flashed as it is."""
    _radio_begun: bool = False
    """Its place on the chip was changed, or may have been."""
    _repaired: bool = False

    @property
    @override
    def placeholders(self) -> dict[str, str]:
        """Add which calibration the chip gets, and what comes of that."""
        values = super().placeholders
        if (radio := self._radio) is not None:
            notes = [self.word("radio", "generic" if radio.is_generic else "own")]
            if title := self._title_of(radio.mac):
                notes.append(f"{self.word('radio', 'taken')} **{title}**")
            values["radio_mac"] = radio.mac
            values["radio_notes"] = "\n".join(f"- {note}" for note in notes)
        return values

    def _title_of(self, mac: str) -> str | None:
        """Return how the socket with this address is called that is set up already."""
        return next(
            (
                entry.title
                for entry in self._async_current_entries()
                if entry.data.get(CONF_MAC) == mac
            ),
            None,
        )

    @override
    async def async_what_comes_first(self) -> str | None:
        """Tell of a calibration that is missing, or that is the one of every such chip."""
        assert self._analysis is not None
        if (page := await super().async_what_comes_first()) is not None:
            return page
        match self._analysis.obstacle:
            case RfSectorMissingError():
                return "radio_missing"
            case RfSectorMisplacedError(found=()) if self._radio_begun:
                # An erase that broke off leaves anything behind.
                return "radio_missing"
            case None if self._analysis.mac_is_generic and not self._generic_is_meant:
                if self._entry_mac is not None and not is_generic_mac(self._entry_mac):
                    # It is said to be a socket that has an address of its own.
                    return "radio_missing"
                taken = self._title_of(self._analysis.mac or "")
                return "radio_generic_taken" if taken else "radio_generic"
        return None

    async def async_step_radio_keep(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go on with a chip that has no calibration of its own."""
        self._generic_is_meant = True
        return await self.async_step(await self.async_next_after_reading())

    async def async_step_radio_repair(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Choose where the calibration comes from."""
        errors: dict[str, str] = {}
        if user_input is not None:
            if (error := await self._take_radio(user_input)) is None:
                return await self.async_step_radio_confirm()
            errors["base"] = error
        self._found_backups = await self.async_list_backups()
        fields: dict[Any, Any] = {}
        if known := [backup for backup in self._found_backups if backup.mac]:
            fields[probatio.Optional(CONF_BACKUP)] = self._choice_of(known)
        fields[probatio.Optional(CONF_UPLOAD)] = DUMP_FILE
        return self.async_show_form(
            step_id="radio_repair",
            data_schema=self.add_suggested_values_to_schema(
                probatio.Schema(fields), without_upload(user_input)
            ),
            errors=errors,
            description_placeholders=self.placeholders,
            last_step=False,
        )

    async def _take_radio(self, user_input: dict[str, Any]) -> str | None:
        """Take the calibration out of a backup or a file; return the key of why not."""
        if CONF_UPLOAD in user_input:
            content, error = await self._read_upload(user_input[CONF_UPLOAD])
            if error is not None:
                return error
        elif CONF_BACKUP in user_input:
            backup = self._backup_named(user_input[CONF_BACKUP])
            try:
                content = await self.hass.async_add_executor_job(backup.read)
            except BackupError as err:
                LOGGER.debug("Radio calibration: %s", err)
                return "backup_damaged"
        else:
            return "backup_missing"
        try:
            sector = await self.hass.async_add_executor_job(
                _sector_in, content, self.chip
            )
            radio = parse_rf_sector(sector)
        except PartOfAFlashError, RfSectorError:
            return "radio_not_in_file"
        except OpenBekenError as err:
            return backup_error(err)
        known = self._entry_mac is None or is_generic_mac(self._entry_mac)
        if not known and self._entry_mac != radio.mac:
            return "radio_of_another"
        self._radio, self._radio_sector = radio, sector
        return None

    async def async_step_radio_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say what comes of it."""
        if user_input is not None:
            return await self.async_step_radio_write()
        return self.async_show_form(
            step_id="radio_confirm",
            description_placeholders=self.placeholders,
            last_step=False,
        )

    async def async_step_radio_write(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Write the calibration, then look at the chip anew."""
        return await self.async_run("radio_write", self._repair)

    async def _repair(self) -> str:
        begun, self._radio_begun = self._radio_begun, True
        try:
            await self.job.repair_radio(self._radio_sector, begun=begun)
        except BackupError, ProtectedRegionChangedError:
            raise
        except OpenBekenError as err:
            LOGGER.debug("Radio calibration: %s", err)
            await self.async_close_job()
            return "failed_radio"
        self._repaired = self._generic_is_meant = True
        return "backup"

    @override
    def forget_chip(self) -> None:
        """Begin anew with the next chip, which may have its calibration."""
        super().forget_chip()
        self._radio, self._radio_sector = None, b""
        self._generic_is_meant = self._radio_begun = self._repaired = False

    @property
    @override
    def state(self) -> str:
        """Do not say that nothing was written when the calibration was."""
        if self._chip_state is not ChipState.UNTOUCHED or not self._radio_begun:
            return super().state
        return "radio_written" if self._repaired else "radio_begun"

    @property
    @override
    def farewell(self) -> str:
        """Say the same at the end."""
        return _FAREWELLS.get(self.state, super().farewell)


def _sector_in(content: bytes, chip: FlashableChip) -> bytes:
    """Return the calibration in a whole dump, or the 4096 bytes that are one alone."""
    place = chip.flash.rf_calibration
    if len(content) == place.size:
        return content
    return read_dump_file(content, chip).content[place.start : place.end]
