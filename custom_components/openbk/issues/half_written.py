"""A chip that was left half-written: a repair that opens the wizard, which goes on with it."""

from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from ..const import CONF_MAC, CONF_ROAD, DOMAIN, LOGGER, ROAD_FLASH, ROAD_RESTORE
from ..helpers import backup_folder
from ..pyopenbk.backups import BackupError
from ..pyopenbk.flashing import JobRecord, JobRecords
from ..pyopenbk.foreign_text import markdown_text
from .unfinished import UnfinishedSockets

ISSUE: Final = "half_written"


async def async_review_half_written(hass: HomeAssistant) -> None:
    """Raise an issue for every chip whose writing has begun and may not have ended, and no others.

    They outlive a restart: the first socket of somebody is written before there is an entry that
    would have this integration loaded.
    """
    jobs = JobRecords(backup_folder(hass))
    try:
        records = await hass.async_add_executor_job(jobs.by_mac)
    except BackupError as err:
        # What was told is not known to be over.
        LOGGER.warning("Half-written chips cannot be looked for: %s", err)
        return
    left = {_issue_id(mac) for mac in records}
    known = [
        issue_id
        for domain, issue_id in ir.async_get(hass).issues
        if domain == DOMAIN and issue_id.startswith(ISSUE)
    ]
    for issue_id in known:
        if issue_id not in left:
            ir.async_delete_issue(hass, DOMAIN, issue_id)
    for mac, record in records.items():
        names = {"name": await _name_of(hass, mac)}
        if record is None:
            path = str(jobs.path_of(mac))
            names["file"] = markdown_text(path, len(path))
        _raise(hass, mac, names, record)


def _raise(
    hass: HomeAssistant, mac: str, names: dict[str, str], record: JobRecord | None
) -> None:
    """Raise the issue about a chip; without a record nobody knows what became of it."""
    restores = record is not None and record.restores
    ir.async_create_issue(
        hass,
        DOMAIN,
        _issue_id(mac),
        is_fixable=True,
        is_persistent=True,
        severity=ir.IssueSeverity.ERROR,
        translation_key=ISSUE if record else "half_written_unknown",
        translation_placeholders=names,
        data={CONF_ROAD: ROAD_RESTORE if restores else ROAD_FLASH},
    )


async def _name_of(hass: HomeAssistant, mac: str) -> str:
    unfinished = await UnfinishedSockets(hass).async_find(mac)
    if unfinished is not None and unfinished.settings.name:
        return markdown_text(unfinished.settings.name)
    for entry in hass.config_entries.async_entries(DOMAIN):
        if entry.data.get(CONF_MAC) == mac:
            return markdown_text(entry.title)
    return mac


def _issue_id(mac: str) -> str:
    return f"{ISSUE}_{mac.replace(':', '')}"
