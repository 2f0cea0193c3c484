"""Putting a backup back onto the chip, such as the factory firmware."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, override

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    BooleanSelector,
    FileSelector,
    FileSelectorConfig,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
from homeassistant.util import dt as dt_util
import probatio

from ...const import LOGGER
from ...issues.half_written import async_review_half_written
from ...pyopenbk.backups import Backup, BackupError, Contents, EmptyDumpError, Origin
from ...pyopenbk.beken.rf_sector import is_generic_mac
from ...pyopenbk.errors import OpenBekenError
from ...pyopenbk.flashing import BackupUnfitError
from ...pyopenbk.flashing.dump_files import WholeFlash, describe_flash, read_dump_file
from .. import uploads
from ..forms import opened
from .failures import ERASED, backup_error, page_of
from .unfinished import UnfinishedSockets
from .writing import WriteSteps

CONF_BACKUP: Final = "backup"
CONF_UPLOAD: Final = "upload"
CONF_DELIBERATE: Final = "deliberate"
CONF_FOREIGN: Final = "foreign"
CONF_KEEP_RADIO: Final = "keep_radio"

# What is taken after all where the person says so.
_MAY_BE_MEANT: Final = frozenset(
    {"backup_foreign", "backup_unproven", "backup_without_mac"}
)

DUMP_FILE: Final = FileSelector(
    FileSelectorConfig(accept=".bin,application/octet-stream")
)


def without_upload(user_input: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what was typed but for the file, which is gone once it was read."""
    return user_input and {
        key: value for key, value in user_input.items() if key != CONF_UPLOAD
    }


def _local(date: datetime) -> str:
    return f"{dt_util.as_local(date):%Y-%m-%d %H:%M}"


class RestoreSteps(WriteSteps):
    """The way back: the same search and backup, then a backup instead of a firmware."""

    _restoring: bool = False
    _confirmed: bool = False
    _found_backups: tuple[Backup, ...] = ()
    _chosen_backup: Backup | None = None
    _chosen_flash: WholeFlash | None = None
    """What is in it."""
    _backup_chip: str = "?"
    """The chip that a refused backup is of."""
    _backup_size: int = 0
    _foreign: bool = False
    _keep_radio: bool = False

    @property
    @override
    def placeholders(self) -> dict[str, str]:
        """Add what will be restored."""
        values = super().placeholders
        if (chosen := self._chosen_backup) is not None:
            values["chosen_backup"] = chosen.path.name
            values["chosen_date"] = _local(chosen.date)
            values["chosen_mac"] = chosen.mac or "?"
            values["chosen_contents"] = self._contents_of(chosen)
            values["chosen_notes"] = self._notes()
        values["backup_chip"] = self._backup_chip
        values["size"] = f"{self._backup_size:,}"
        return values

    def _notes(self) -> str:
        """Return what a person should know of the chosen backup, as a Markdown list."""
        if self._chosen_flash is None:
            return ""
        damaged_at = self._chosen_flash.analysis.damaged_at
        notes = (
            self.word("dump_note", note).format(place=f"0x{damaged_at or 0:06X}")
            for note in self._chosen_flash.notes
        )
        return "\n".join(f"- {note}" for note in notes)

    def _contents_of(self, backup: Backup) -> str:
        contents = backup.sidecar.contents
        return self.word("contents", contents) if contents else "?"

    async def async_step_restore(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Begin with the same safety rule; no broker is needed for this."""
        await self.async_prepare()
        self._restoring = True
        return await self.async_step_intro()

    @override
    async def _read_chip(self) -> str:
        if not self._restoring:
            return await super()._read_chip()
        self._identity = await self.job.identify()
        try:
            self._backup = await self.job.back_up()
            self._analysis = await self.job.analyse()
            self._note_chip_state()
        except EmptyDumpError as err:
            # An erased chip is what a restore is for; there is nothing to back up.
            if err.byte != ERASED:
                raise
            self._backup = self._analysis = None
        if self.is_another_chip(self._analysis.mac if self._analysis else None):
            return "other_chip"
        if self._confirmed:
            return "restore_write"
        return await self._unfinished_restore() or "restore_choose"

    @override
    async def async_what_comes_first(self) -> str | None:
        """Offer to go on with a restore that was interrupted."""
        if self._meant:
            return await super().async_what_comes_first()
        return (
            await self._unfinished_restore() or await super().async_what_comes_first()
        )

    async def _unfinished_restore(self) -> str | None:
        """Take up what an interrupted restore was putting back, and return its page."""
        self._found_backups = await self.async_list_backups()
        record = self._analysis.unfinished if self._analysis else None
        if record is None:
            return None
        for backup in self._found_backups:
            if backup.path.name == record.restores:
                self._chosen_backup = backup
                # What was agreed to when it began.
                self._foreign = backup.mac != record.mac
                self._keep_radio = record.allowance.spares(
                    self.chip.flash.rf_calibration
                )
                return "resume_restore"
        return None

    async def async_step_restore_go_on(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go on with the interrupted restore, as it was confirmed then."""
        assert self._chosen_backup is not None
        self._restoring = True
        try:
            await self._take_kept(self._chosen_backup)
        except OpenBekenError as err:
            return self._show_backups({"base": self._refusal(err)})
        first = await self.async_backup_chosen()
        return first or await self.async_step_restore_confirm({})

    async def async_backup_chosen(self) -> ConfigFlowResult | None:
        """Return the page that has to come before the confirmation, if there is one."""
        return None

    def configuration_after_restore(self) -> bytes | None:
        """Return the configuration that replaces the one in the backup, if it shall not stay."""
        return None

    async def async_step_restore_instead(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Put a backup onto a chip that cannot be flashed as it is."""
        self._restoring = True
        return await self.async_step_search()

    async def async_step_restore_other(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Choose another backup than the one that was chosen."""
        self._chosen_backup = self._chosen_flash = None
        self._confirmed = False
        self._foreign = self._keep_radio = False
        self._restoring = True
        if self._job is None:
            return await self.async_step_search()
        return await self.async_step_restore_choose()

    async def async_step_flash_instead(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Write OpenBeken to a chip that a restore has left half-written."""
        assert self._analysis is not None
        self._restoring, self._chosen_backup = False, None
        if (obstacle := self._analysis.obstacle) is not None:
            return self.show_page(page_of(obstacle, self._chip_state))
        return await self.async_step_pins()

    async def async_step_restore_choose(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Choose a backup that is here, or upload one."""
        errors: dict[str, str] = {}
        if user_input is not None:
            deliberate = user_input[CONF_DELIBERATE]
            self._foreign = deliberate[CONF_FOREIGN]
            self._keep_radio = deliberate[CONF_KEEP_RADIO]
            if (error := await self._take_backup(user_input)) is None:
                first = await self.async_backup_chosen()
                return first or await self.async_step_restore_confirm()
            errors["base"] = error
        return self._show_backups(errors, user_input)

    def _show_backups(
        self, errors: dict[str, str], user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        schema = self._backup_schema()
        return self.async_show_form(
            step_id="restore_choose",
            data_schema=self.add_suggested_values_to_schema(
                opened(schema, CONF_DELIBERATE)
                if errors.get("base") in _MAY_BE_MEANT
                else schema,
                without_upload(user_input),
            ),
            errors=errors,
            description_placeholders=self.placeholders,
            last_step=False,
        )

    def _backup_schema(self) -> probatio.Schema:
        fields: dict[Any, Any] = {}
        if self._found_backups:
            fields[
                probatio.Optional(
                    CONF_BACKUP,
                    description={"suggested_value": self._best_backup().path.name},
                )
            ] = self._choice_of(self._found_backups)
        fields[probatio.Optional(CONF_UPLOAD)] = DUMP_FILE
        fields[probatio.Required(CONF_DELIBERATE)] = section(
            probatio.Schema(
                {
                    probatio.Required(CONF_FOREIGN, default=False): BooleanSelector(),
                    probatio.Required(
                        CONF_KEEP_RADIO, default=False
                    ): BooleanSelector(),
                }
            ),
            {"collapsed": True},
        )
        return probatio.Schema(fields)

    def _choice_of(self, backups: Iterable[Backup]) -> SelectSelector:
        """Return a list to choose from, in which each backup says what it is."""
        return SelectSelector(
            SelectSelectorConfig(
                options=[
                    SelectOptionDict(
                        value=backup.path.name,
                        label=self._label_of(backup),
                    )
                    for backup in backups
                ],
                mode=SelectSelectorMode.DROPDOWN,
            )
        )

    def _label_of(self, backup: Backup) -> str:
        """Return what tells a backup from the others, of which a phone shows 33 letters."""
        parts = [self._contents_of(backup), _local(backup.date)]
        mac = self._analysis.mac if self._analysis else None
        if backup.mac is not None and backup.mac != mac:
            parts.insert(0, backup.mac)
        return ", ".join(parts)

    def _best_backup(self) -> Backup:
        """Return the oldest whole backup of this chip, most likely its factory firmware."""
        found = self._found_backups
        mac = self._own_mac
        own = [backup for backup in found if mac and backup.mac == mac]
        whole = [
            backup
            for backup in own or found
            if backup.sidecar.contents not in (Contents.HALF_WRITTEN, Contents.BLANK)
        ]
        return (whole or own or found)[-1]

    async def _take_backup(self, user_input: dict[str, Any]) -> str | None:
        """Take what was chosen; return the key of why it cannot be taken."""
        if CONF_UPLOAD in user_input:
            data, error = await self._read_upload(user_input[CONF_UPLOAD])
            if error is not None:
                return error
            take = self._take_upload(data)
        elif CONF_BACKUP in user_input:
            take = self._take_kept(self._backup_named(user_input[CONF_BACKUP]))
        else:
            return "backup_missing"
        try:
            await take
        except OpenBekenError as err:
            return self._refusal(err)
        return None

    def _refusal(self, err: OpenBekenError) -> str:
        """Return the key of why a backup is not taken, and keep what its text names."""
        LOGGER.debug("Backup refused: %s", err)
        if isinstance(err, BackupUnfitError):
            self._backup_chip = err.chip or "?"
        return backup_error(err)

    async def _take_upload(self, data: bytes) -> None:
        """Take a file that fits this chip, and keep it; raises OpenBekenError."""
        flash = await self.hass.async_add_executor_job(read_dump_file, data, self.chip)
        await self.job.check_restore(flash.content, foreign=self._foreign)
        self._chosen_backup = await self.hass.async_add_executor_job(self._keep, flash)
        self._chosen_flash = flash

    async def _take_kept(self, backup: Backup) -> None:
        """Take a backup that is here already; raises OpenBekenError."""
        content = await self.hass.async_add_executor_job(backup.read)
        await self.job.check_restore(
            content, backup.sidecar.origin, foreign=self._foreign
        )
        self._chosen_flash = await self.hass.async_add_executor_job(
            describe_flash, content, self.chip
        )
        self._chosen_backup = backup

    async def async_list_backups(self) -> tuple[Backup, ...]:
        """Return the backups that are here; none where the folder cannot be read."""
        try:
            return await self.hass.async_add_executor_job(self.backups.list)
        except BackupError as err:
            LOGGER.warning("The backups cannot be listed: %s", err)
            return ()

    async def _read_upload(self, file_id: str) -> tuple[bytes, str | None]:
        """Return the bytes of an uploaded file, or the key of why there are none."""
        try:
            content = await uploads.async_read(self.hass, file_id)
        except uploads.UploadGoneError:
            return b"", "upload_gone"
        except uploads.UploadTooLargeError:
            return b"", "dump_too_large"
        self._backup_size = len(content)
        return content, None

    def _backup_named(self, name: str) -> Backup:
        return next(
            backup for backup in self._found_backups if backup.path.name == name
        )

    @property
    def _own_mac(self) -> str | None:
        """Return the address that tells the connected chip from all others."""
        mac = self._analysis.mac if self._analysis else None
        return None if mac is None or is_generic_mac(mac) else mac

    def _addresses_meant(self) -> set[str | None]:
        """Return the address of the chip, and where it has none of its own, what it gets."""
        assert self._chosen_backup is not None
        mac = self._analysis.mac if self._analysis else None
        return {mac} if self._own_mac else {mac, self._chosen_backup.mac}

    def _keep(self, flash: WholeFlash) -> Backup:
        """Put an uploaded dump beside the other backups, which checks it too."""
        assert self._identity is not None
        origin = Origin(
            chip_id=self._identity.chip_id,
            jedec=self._identity.jedec.hex(),
            # Nobody knows the key of the chip that a file came from.
            code_key_sha256="",
            mac=flash.mac,
            flash_size=self._identity.flash_size,
        )
        return self.backups.save(
            flash.content, origin, flash.analysis.state, datetime.now(UTC)
        )

    async def async_step_restore_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Sum up; from here on the chip is changed."""
        if user_input is not None:
            self._confirmed = True
            self._meant = frozenset(self._addresses_meant())
            return await self.async_step_restore_write()
        return self.async_show_form(
            step_id="restore_confirm",
            description_placeholders=self.placeholders,
            last_step=False,
        )

    async def async_step_restore_write(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Write the backup and start the chip."""
        return await self.async_run("restore_write", self._restore)

    async def _restore(self) -> str:
        assert self._chosen_backup is not None
        await self.job.restore(
            self._chosen_backup, keep_rf=self._keep_radio, foreign=self._foreign
        )
        if (config := self.configuration_after_restore()) is not None:
            await self.job.write_config(config)
        self._note_chip_state()
        if self._own_mac is not None:
            # Whatever was being written to it before, that is over.
            await UnfinishedSockets(self.hass).async_forget(self._own_mac)
        await async_review_half_written(self.hass)
        await self.job.start()
        await self.async_close_job()
        return "restored"

    async def async_step_restored(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """End: the chip is what it was when the backup was read."""
        mac = self._analysis.mac if self._analysis else None
        kept = mac is not None and mac in self._async_current_ids()
        return self.async_abort(
            reason="restored_but_set_up" if kept else "restored",
            description_placeholders=self.placeholders,
        )
