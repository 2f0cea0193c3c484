"""A chip that was left half-written: a repair that opens the wizard, which goes on with it."""

from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from ..const import CONF_MAC, DOMAIN
from ..helpers import backup_folder
from ..pyopenbk.flashing import JobRecord, JobRecords
from ..pyopenbk.foreign_text import markdown_text
from .unfinished import UnfinishedSockets

ISSUE: Final = "half_written"

# Which road of the wizard goes on with the chip.
CONF_ROAD: Final = "road"


async def async_review_half_written(hass: HomeAssistant) -> None:
    """Raise an issue for every chip whose writing has begun and did not end, and no others.

    They outlive a restart: the first socket of somebody is written before there is an entry that
    would have this integration loaded.
    """
    records = await hass.async_add_executor_job(JobRecords(backup_folder(hass)).list)
    left = {_issue_id(record.mac): record for record in records}
    known = [
        issue_id
        for domain, issue_id in ir.async_get(hass).issues
        if domain == DOMAIN and issue_id.startswith(ISSUE)
    ]
    for issue_id in known:
        if issue_id not in left:
            ir.async_delete_issue(hass, DOMAIN, issue_id)
    for issue_id, record in left.items():
        ir.async_create_issue(
            hass,
            DOMAIN,
            issue_id,
            is_fixable=True,
            is_persistent=True,
            severity=ir.IssueSeverity.ERROR,
            translation_key=ISSUE,
            translation_placeholders={"name": await _name_of(hass, record)},
            data={CONF_ROAD: "restore" if record.restores else "flash"},
        )


async def _name_of(hass: HomeAssistant, record: JobRecord) -> str:
    unfinished = await UnfinishedSockets(hass).async_find(record.mac)
    if unfinished is not None and unfinished.settings.name:
        return markdown_text(unfinished.settings.name)
    for entry in hass.config_entries.async_entries(DOMAIN):
        if entry.data.get(CONF_MAC) == record.mac:
            return markdown_text(entry.title)
    return record.mac


def _issue_id(mac: str) -> str:
    return f"{ISSUE}_{mac.replace(':', '')}"
