"""The flash backups of a socket that are on disk: verified, exported, deleted."""

import asyncio
from typing import Any, Final

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigFlowResult,
    FlowType,
    OptionsFlow,
)
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util
import probatio

from ...const import CONF_MAC, CONF_ROAD, DOMAIN, ROAD_RESTORE
from ...helpers import async_list_backups, backup_folder
from ...pyopenbk.backups.dumps import Backup
from ...pyopenbk.backups.errors import (
    BackupDamagedError,
    BackupError,
    UnreadableRecordError,
)
from ...pyopenbk.backups.sidecar import Contents
from ...pyopenbk.flashing.records import JobRecords
from ...pyopenbk.foreign_text import markdown_text
from ..backup_link import async_backup_link
from ..forms import CONF_BACKUP, CONF_CONSENT, CONSENT

CONF_ACTION: Final = "action"
VERIFY: Final = "verify"
EXPORT: Final = "export"
RESTORE: Final = "restore"
DELETE: Final = "delete"


class BackupSteps(OptionsFlow):
    """A list of what is there, and what to do with one of them."""

    _backup: Backup | None = None

    async def async_step_backups(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show the backups of this socket's chip."""
        try:
            found = await self._list()
            if not found:
                return self._abort(await self._why_none())
        except BackupError:
            return self._abort("backups_unreadable")
        if user_input is not None:
            # Another dialog may have deleted it meanwhile; then the rest is shown.
            chosen = (one for one in found if one.path.name == user_input[CONF_BACKUP])
            self._backup = next(chosen, None)
            if self._backup is not None:
                return await self._act(user_input[CONF_ACTION], self._backup)
        return await self._show(found)

    async def _act(self, action: str, backup: Backup) -> ConfigFlowResult:
        """Do what was chosen with a backup."""
        match action:
            case "verify":
                return await self._verify(backup)
            case "restore":
                return await self._restore(backup)
            case "export":
                return await self.async_step_backup_link()
            case _:
                return await self.async_step_backup_delete()

    async def _show(self, found: tuple[Backup, ...]) -> ConfigFlowResult:
        """Offer the backups, the newest first, and what can be done with one of them."""
        words = await async_get_translations(
            self.hass, self.hass.config.language, "selector", [DOMAIN]
        )
        prefix = f"component.{DOMAIN}.selector.contents.options"
        options = [
            SelectOptionDict(
                value=one.path.name,
                label=f"{_time(one)}, "
                + words[f"{prefix}.{one.sidecar.contents or Contents.UNKNOWN}"],
            )
            for one in found
        ]
        schema = probatio.Schema(
            {
                probatio.Required(CONF_BACKUP, default=found[0].path.name): (
                    SelectSelector(
                        SelectSelectorConfig(
                            options=options, mode=SelectSelectorMode.LIST
                        )
                    )
                ),
                probatio.Required(CONF_ACTION, default=VERIFY): SelectSelector(
                    SelectSelectorConfig(
                        options=[VERIFY, RESTORE, EXPORT, DELETE],
                        mode=SelectSelectorMode.LIST,
                        translation_key="backup_action",
                    )
                ),
            }
        )
        return self.async_show_form(
            step_id="backups",
            data_schema=schema,
            description_placeholders={
                "name": markdown_text(self.config_entry.title),
                "folder": self._folder,
            },
        )

    async def _list(self) -> tuple[Backup, ...]:
        return await async_list_backups(self.hass, self.config_entry.data[CONF_MAC])

    async def _why_none(self) -> str:
        """Return the key of why there is nothing to show; raises BackupError."""
        folder = backup_folder(self.hass)
        unclear = await self.hass.async_add_executor_job(folder.has_unreadable)
        return "backups_unclear" if unclear else "no_backups"

    @property
    def _folder(self) -> str:
        """Return Markdown of where they are, of which nothing may be left out."""
        path = str(backup_folder(self.hass).path)
        return markdown_text(path, len(path))

    def _abort(self, reason: str) -> ConfigFlowResult:
        """End for what is the matter with the folder of backups."""
        return self.async_abort(
            reason=reason, description_placeholders={"folder": self._folder}
        )

    async def _verify(self, backup: Backup) -> ConfigFlowResult:
        """Read a backup as a whole; what it says is true at this moment."""
        try:
            await self.hass.async_add_executor_job(backup.read)
        except BackupDamagedError:
            reason = "backup_damaged"
        else:
            reason = "backup_whole"
        return self.async_abort(
            reason=reason, description_placeholders={"date": _time(backup)}
        )

    async def _restore(self, backup: Backup) -> ConfigFlowResult:
        """Lead to the wizard of this socket, which proposes this backup once it has found the chip."""
        wizard = await self.hass.config_entries.flow.async_init(
            DOMAIN,
            context={
                "source": SOURCE_RECONFIGURE,
                "entry_id": self.config_entry.entry_id,
            },
            data={CONF_ROAD: ROAD_RESTORE, CONF_BACKUP: backup.path.name},
        )
        result = self.async_abort(reason="restore_opened")
        result["next_flow"] = (FlowType.CONFIG_FLOW, wizard["flow_id"])
        return result

    async def async_step_backup_link(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show a link that works for a short while and for this person."""
        backup = self._chosen_backup
        if user_input is not None:
            return self.async_abort(reason="backup_exported")
        link = async_backup_link(self.hass, backup.path.name)
        return self.async_show_form(
            step_id="backup_link",
            data_schema=probatio.Schema({}),
            description_placeholders={
                "link": link,
                "file": markdown_text(backup.path.name),
            },
        )

    async def async_step_backup_delete(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask once more; what a job that did not end needs stays."""
        backup = self._chosen_backup
        errors: dict[str, str] = {}
        if user_input is not None:
            if not user_input[CONF_CONSENT]:
                errors[CONF_CONSENT] = "consent_missing"
            elif error := await self._why_needed(backup):
                errors["base"] = error
            elif not await self._remove(backup):
                errors["base"] = "backup_not_removed"
            else:
                return self.async_abort(
                    reason="backup_removed",
                    description_placeholders={"date": _time(backup)},
                )
        try:
            left = await self._list()
        except BackupError:
            return self._abort("backups_unreadable")
        return self.async_show_form(
            step_id="backup_delete",
            data_schema=CONSENT,
            errors=errors,
            description_placeholders={
                "date": _time(backup),
                "others": str(len(left) - 1),
            },
        )

    async def _why_needed(self, backup: Backup) -> str | None:
        """Return the key of why a job that did not end, or may not have, needs this backup."""
        try:
            job = await self.hass.async_add_executor_job(
                JobRecords(backup_folder(self.hass)).find,
                self.config_entry.data[CONF_MAC],
            )
        except UnreadableRecordError:
            return "backup_maybe_in_use"
        needed = job is not None and backup.path.name in (job.backup, job.restores)
        return "backup_in_use" if needed else None

    async def _remove(self, backup: Backup) -> bool:
        try:
            await asyncio.shield(self.hass.async_add_executor_job(backup.remove))
        except BackupError:
            return False
        return True

    @property
    def _chosen_backup(self) -> Backup:
        assert self._backup is not None
        return self._backup


def _time(backup: Backup) -> str:
    return f"{dt_util.as_local(backup.date):%Y-%m-%d %H:%M}"
