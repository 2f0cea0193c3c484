"""Putting a backup back onto the chip, such as the factory firmware."""

from datetime import UTC, datetime
from typing import Any, Final

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import BooleanSelector
import probatio

from ...const import LOGGER
from ...helpers import counted
from ...issues.half_written import async_review_half_written
from ...issues.unfinished import UnfinishedSockets
from ...pyopenbk.backups import Backup, Origin
from ...pyopenbk.errors import OpenBekenError
from ...pyopenbk.flashing import BackupUnfitError
from ...pyopenbk.flashing.dump_files import WholeFlash, describe_flash, read_dump_file
from ...pyopenbk.foreign_text import markdown_text
from ...pyopenbk.obk.names import client_id_of
from ..forms import CONF_BACKUP, opened
from . import route, twin
from .backup_choice import (
    CONF_UPLOAD,
    DUMP_FILE,
    BackupChoice,
    local_time,
    without_upload,
)
from .failures import backup_error, page_of

CONF_DELIBERATE: Final = "deliberate"
CONF_FOREIGN: Final = "foreign"
CONF_KEEP_RADIO: Final = "keep_radio"

# What is taken after all where the person says so.
_OVERRIDABLE: Final = frozenset(
    {"backup_foreign", "backup_unproven", "backup_without_mac"}
)


class RestoreSteps(BackupChoice):
    """The way back: the same search and backup, then a backup instead of a firmware."""

    _backup_chip: str = "?"
    """The chip that a refused backup is of."""

    @property
    def restore_placeholders(self) -> dict[str, str]:
        """Return what will be restored."""
        values = {
            "backup_chip": self._backup_chip,
            "size": counted(self.hass, self._backup_size),
        }
        if (chosen := self.session.chosen_backup) is not None:
            values["chosen_backup"] = chosen.path.name
            values["chosen_date"] = local_time(chosen.date)
            values["chosen_mac"] = chosen.mac or "?"
            values["chosen_contents"] = self.contents_of(chosen)
            values["chosen_notes"] = self._notes()
        return values

    def _notes(self) -> str:
        """Return what a person should know of the chosen backup, as a Markdown list."""
        if self.session.chosen_flash is None:
            return ""
        damaged_at = self.session.chosen_flash.analysis.damaged_at
        notes = (
            self.word("dump_note", note).format(place=f"0x{damaged_at or 0:06X}")
            for note in self.session.chosen_flash.notes
        )
        lines = [f"- {note}" for note in notes]
        if self.session.own_topic and (own_mac := self.session.own_mac) is not None:
            topic = markdown_text(client_id_of(own_mac))
            lines.append(f"- {self.word('twin', 'own_topic')} **{topic}**")
        return "\n".join(lines)

    async def async_step_restore(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Begin with the same safety rule; no broker is needed for this."""
        await self.async_prepare()
        self.session.restoring = True
        return await self.async_step("intro")

    async def async_step_restore_go_on(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go on with the interrupted restore, as it was confirmed then."""
        assert self.session.chosen_backup is not None
        self.session.restoring = True
        try:
            await self._take_kept(self.session.chosen_backup)
        except OpenBekenError as err:
            return self._show_backups({"base": self._refusal(err)})
        following = route.after_backup_chosen(self.session)
        if following == "restore_confirm":
            return await self.async_step_restore_confirm({})
        return await self.async_step(following)

    async def async_step_restore_instead(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Put a backup onto a chip that cannot be flashed as it is."""
        self.session.restoring = True
        return await self.async_step("search")

    async def async_step_restore_other(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Choose another backup than the one that was chosen."""
        self.session.choose_again()
        if self._job is None:
            return await self.async_step("search")
        return await self.async_step_restore_choose()

    async def async_step_flash_instead(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Write OpenBeken to a chip that a restore has left half-written."""
        assert self.session.analysis is not None
        self.session.restoring, self.session.chosen_backup = False, None
        if (obstacle := self.session.analysis.obstacle) is not None:
            return self.show_page(page_of(obstacle, self.session.chip_state))
        return await self.async_step("pins")

    async def async_step_restore_choose(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Choose a backup that is here, or upload one."""
        errors: dict[str, str] = {}
        if user_input is not None:
            deliberate = user_input[CONF_DELIBERATE]
            self.session.foreign = deliberate[CONF_FOREIGN]
            self.session.keep_radio = deliberate[CONF_KEEP_RADIO]
            if (error := await self._take_backup(user_input)) is None:
                return await self.async_step(route.after_backup_chosen(self.session))
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
                if errors.get("base") in _OVERRIDABLE
                else schema,
                without_upload(user_input),
            ),
            errors=errors,
            description_placeholders=self.placeholders,
            last_step=False,
        )

    def _backup_schema(self) -> probatio.Schema:
        fields: dict[Any, Any] = {}
        if self.session.found_backups:
            fields[
                probatio.Optional(
                    CONF_BACKUP,
                    description={"suggested_value": self.best_backup().path.name},
                )
            ] = self.choice_of(self.session.found_backups)
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

    async def _take_backup(self, user_input: dict[str, Any]) -> str | None:
        """Take what was chosen; return the key of why it cannot be taken."""
        if CONF_UPLOAD in user_input:
            data, error = await self.async_read_upload(user_input[CONF_UPLOAD])
            if error is not None:
                return error
            take = self._take_upload(data)
        elif CONF_BACKUP in user_input:
            take = self._take_kept(self.backup_named(user_input[CONF_BACKUP]))
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
        flash = await self.hass.async_add_executor_job(
            read_dump_file, data, self.session.chip
        )
        await self.job.check_restore(flash.content, foreign=self.session.foreign)
        self.session.chosen_backup = await self.hass.async_add_executor_job(
            self._keep, flash
        )
        self.session.chosen_flash = flash

    async def _take_kept(self, backup: Backup) -> None:
        """Take a backup that is here already; raises OpenBekenError."""
        content = await self.hass.async_add_executor_job(backup.read)
        await self.job.check_restore(
            content, backup.sidecar.origin, foreign=self.session.foreign
        )
        self.session.chosen_flash = await self.hass.async_add_executor_job(
            describe_flash, content, self.session.chip
        )
        self.session.chosen_backup = backup

    def _expected_macs(self) -> set[str | None]:
        """Return the address of the chip, and where it has none of its own, what it gets."""
        assert self.session.chosen_backup is not None
        mac = self.session.mac
        return {mac} if self.session.own_mac else {mac, self.session.chosen_backup.mac}

    def _keep(self, flash: WholeFlash) -> Backup:
        """Put an uploaded dump beside the other backups, which checks it too."""
        assert self.session.identity is not None
        origin = Origin(
            chip=self.session.identity.chip.name,
            chip_id=self.session.identity.chip_id,
            jedec=self.session.identity.jedec.hex(),
            # Nobody knows the key of the chip that a file came from.
            code_key_sha256="",
            mac=flash.mac,
            flash_size=self.session.identity.flash_size,
        )
        return self.backups.save(
            flash.content, origin, flash.analysis.state, datetime.now(UTC)
        )

    async def async_step_restore_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Sum up; from here on the chip is changed."""
        if user_input is not None:
            self.session.restore_confirmed = True
            self.session.expected_macs = frozenset(self._expected_macs())
        return await self.async_tell("restore_confirm", user_input, "restore_write")

    async def async_step_restore_write(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Write the backup and start the chip."""
        return await self.async_run("restore_write", self._restore)

    async def _restore(self) -> str:
        assert self.session.chosen_backup is not None
        await self.job.restore(
            self.session.chosen_backup,
            keep_rf=self.session.keep_radio,
            foreign=self.session.foreign,
        )
        if (config := twin.configuration_after_restore(self.session)) is not None:
            await self.job.write_config(config)
        self._note_chip_state()
        if self.session.own_mac is not None:
            # Whatever was being written to it before, that is over.
            await UnfinishedSockets(self.hass).async_forget(self.session.own_mac)
            await self.async_forget_update()
        await async_review_half_written(self.hass)
        await self.job.start()
        await self.async_close_job()
        return "restored"

    async def async_step_restored(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """End: the chip is what it was when the backup was read."""
        mac = self.session.mac
        known = self._async_current_ids(include_ignore=False)
        kept = mac is not None and mac in known
        return self.async_abort(
            reason="restored_but_set_up" if kept else "restored",
            description_placeholders=self.placeholders,
        )
