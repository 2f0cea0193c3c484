"""Choosing a backup that is here, or a file: for a restore, and for a calibration alone."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from homeassistant.helpers.selector import (
    FileSelector,
    FileSelectorConfig,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
from homeassistant.util import dt as dt_util

from ...pyopenbk.backups import Backup, Contents
from .. import uploads
from .base import WizardFlow

CONF_UPLOAD: Final = "upload"

DUMP_FILE: Final = FileSelector(
    FileSelectorConfig(accept=".bin,application/octet-stream")
)


def without_upload(user_input: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what was typed but for the file, which is gone once it was read."""
    return user_input and {
        key: value for key, value in user_input.items() if key != CONF_UPLOAD
    }


def local_time(date: datetime) -> str:
    """Return a date and a time as they are here."""
    return f"{dt_util.as_local(date):%Y-%m-%d %H:%M}"


class BackupChoice(WizardFlow):
    """What the chapters share that ask for a backup."""

    _backup_size: int = 0

    def contents_of(self, backup: Backup) -> str:
        """Return what a backup holds, as a person reads it."""
        contents = backup.sidecar.contents
        return self.word("contents", contents) if contents else "?"

    def choice_of(self, backups: Iterable[Backup]) -> SelectSelector:
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
        parts = [self.contents_of(backup), local_time(backup.date)]
        if backup.mac is not None and backup.mac != self.session.mac:
            parts.insert(0, backup.mac)
        return ", ".join(parts)

    def best_backup(self) -> Backup:
        """Return the one that the wizard was opened for, or the oldest whole one of this chip.

        That is most likely its factory firmware.
        """
        found = self.session.found_backups
        for backup in found:
            if backup.path.name == self.session.wanted_backup:
                return backup
        mac = self.session.own_mac
        own = [backup for backup in found if mac and backup.mac == mac]
        whole = [
            backup
            for backup in own or found
            if backup.sidecar.contents not in (Contents.HALF_WRITTEN, Contents.BLANK)
        ]
        return (whole or own or found)[-1]

    def backup_named(self, name: str) -> Backup:
        """Return the backup that was chosen from the list."""
        return next(
            backup for backup in self.session.found_backups if backup.path.name == name
        )

    async def async_read_upload(self, file_id: str) -> tuple[bytes, str | None]:
        """Return the bytes of an uploaded file, or the key of why there are none."""
        try:
            content = await uploads.async_read(self.hass, file_id)
        except uploads.UploadGoneError:
            return b"", "upload_gone"
        except uploads.UploadTooLargeError:
            return b"", "dump_too_large"
        self._backup_size = len(content)
        return content, None
