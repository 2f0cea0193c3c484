"""What several rooms need of Home Assistant and core has no function for."""

from datetime import timedelta, tzinfo
from pathlib import Path
from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from .pyopenbk.backups import BackupFolder

_BACKUPS: Final = "openbk/backups"


def utc_offset(time_zone: tzinfo | None = None) -> timedelta:
    """Return how far a time zone, or else Home Assistant's, is from UTC now, with summer time."""
    return dt_util.now(time_zone).utcoffset() or timedelta()


def backup_folder(hass: HomeAssistant) -> BackupFolder:
    """Return the folder of flash backups under Home Assistant's configuration."""
    return BackupFolder(Path(hass.config.path(_BACKUPS)))
