"""A chip that has lost its radio calibration: it gets one before anything else is written."""

from typing import Any

from homeassistant.config_entries import ConfigFlowResult
import probatio

from ...const import LOGGER
from ...pyopenbk.backups import BackupError
from ...pyopenbk.beken.chips import FlashableChip
from ...pyopenbk.beken.rf_sector import RfSectorError, parse_rf_sector
from ...pyopenbk.errors import OpenBekenError
from ...pyopenbk.flashing import ProtectedRegionChangedError
from ...pyopenbk.flashing.dump_files import read_dump_file
from ...pyopenbk.flashing.errors import PartOfAFlashError
from ...pyopenbk.foreign_text import markdown_text
from ..forms import CONF_BACKUP
from . import route
from .backup_choice import CONF_UPLOAD, DUMP_FILE, BackupChoice, without_upload
from .failures import backup_error


class RadioSteps(BackupChoice):
    """The steps from a lost radio calibration to one that the person chose."""

    @property
    def radio_placeholders(self) -> dict[str, str]:
        """Return which calibration the chip gets, and what comes of that."""
        radio = self.session.radio
        if radio is None:
            return {}
        notes = [self.word("radio", "generic" if radio.is_generic else "own")]
        if title := self.session.titles.get(radio.mac):
            notes.append(f"{self.word('radio', 'taken')} **{markdown_text(title)}**")
        return {
            "radio_mac": radio.mac,
            "radio_notes": "\n".join(f"- {note}" for note in notes),
        }

    async def async_step_radio_keep(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go on with a chip that has no calibration of its own."""
        self.session.generic_accepted = True
        return await self.async_step(route.at_first_sight(self.session))

    async def async_step_radio_repair(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Choose where the calibration comes from."""
        errors: dict[str, str] = {}
        if user_input is not None:
            if (error := await self._take_radio(user_input)) is None:
                return await self.async_step_radio_confirm()
            errors["base"] = error
        self.session.found_backups = await self.async_list_backups()
        fields: dict[Any, Any] = {}
        if known := [backup for backup in self.session.found_backups if backup.mac]:
            fields[probatio.Optional(CONF_BACKUP)] = self.choice_of(known)
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
            content, error = await self.async_read_upload(user_input[CONF_UPLOAD])
            if error is not None:
                return error
        elif CONF_BACKUP in user_input:
            backup = self.backup_named(user_input[CONF_BACKUP])
            try:
                content = await self.hass.async_add_executor_job(backup.read)
            except BackupError as err:
                LOGGER.debug("Radio calibration: %s", err)
                return "backup_damaged"
        else:
            return "backup_missing"
        try:
            sector = await self.hass.async_add_executor_job(
                _sector_in, content, self.session.chip
            )
            radio = parse_rf_sector(sector)
        except PartOfAFlashError, RfSectorError:
            return "radio_not_in_file"
        except OpenBekenError as err:
            return backup_error(err)
        if self.session.entry_own_mac not in (None, radio.mac):
            return "radio_of_another"
        self.session.radio, self.session.radio_sector = radio, sector
        return None

    async def async_step_radio_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say what comes of it."""
        return await self.async_tell("radio_confirm", user_input, "radio_write")

    async def async_step_radio_write(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Write the calibration, then look at the chip anew."""
        return await self.async_run("radio_write", self._repair)

    async def _repair(self) -> str:
        begun, self.session.radio_begun = self.session.radio_begun, True
        try:
            await self.job.repair_radio(self.session.radio_sector, begun=begun)
        except BackupError, ProtectedRegionChangedError:
            raise
        except OpenBekenError as err:
            LOGGER.debug("Radio calibration: %s", err)
            await self.async_close_job()
            return "failed_radio"
        self.session.radio_repaired = self.session.generic_accepted = True
        return "backup"


def _sector_in(content: bytes, chip: FlashableChip) -> bytes:
    """Return the calibration in a whole dump, or the 4096 bytes that are one alone."""
    place = chip.flash.rf_calibration
    if len(content) == place.size:
        return content
    return read_dump_file(content, chip).content[place.start : place.end]
