"""What several rooms need of Home Assistant and core has no function for."""

from datetime import timedelta, tzinfo
from pathlib import Path
from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from .pyopenbk.backups import Backup, BackupFolder

_BACKUPS: Final = "openbk/backups"


def utc_offset(time_zone: tzinfo | None = None) -> timedelta:
    """Return how far a time zone, or else Home Assistant's, is from UTC now, with summer time."""
    return dt_util.now(time_zone).utcoffset() or timedelta()


def backup_folder(hass: HomeAssistant) -> BackupFolder:
    """Return the folder of flash backups under Home Assistant's configuration."""
    return BackupFolder(Path(hass.config.path(_BACKUPS)))


async def async_list_backups(
    hass: HomeAssistant, mac: str | None = None
) -> tuple[Backup, ...]:
    """Return the backups that are here, of one chip or of all, newest first.

    Raises BackupError where the folder cannot be read, which is not the same as that it is empty.
    """
    folder = backup_folder(hass)
    if mac is None:
        return await hass.async_add_executor_job(folder.list)
    return await hass.async_add_executor_job(folder.find, mac)
