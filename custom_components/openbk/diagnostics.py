"""Diagnostics of a socket: what it is, what it says, how far it can be trusted; no secret."""

from time import monotonic
from typing import Any, Final

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.const import ATTR_CONFIGURATION_URL
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.util import dt as dt_util

from .const import (
    CONF_ADDRESS,
    CONF_CLIENT_ID,
    CONF_GROUP,
    CONF_LABELS,
    CONF_MAC,
    CONF_PUBLISHED,
    CONF_UNDO,
    DOMAIN,
    LOGGER,
)
from .helpers import backup_folder
from .issues.plausibility import found
from .live.snapshots import SNAPSHOTS
from .live.state import OpenBekenConfigEntry, SocketState, identity_of_entry
from .pyopenbk.backups.errors import BackupError, UnreadableRecordError
from .pyopenbk.backups.folder import BackupFolder
from .pyopenbk.flashing.records import JobRecord, JobRecords
from .pyopenbk.obk.builds import version_of
from .pyopenbk.obk.messages import channel_key
from .pyopenbk.quantities import CALIBRATED, DIAGNOSTICS, FREQUENCY, METER
from .updating.updates import UPDATES, SocketUpdate

# The client id ends with the MAC. On its topic, and on the group's, anybody on the broker can switch
# the socket.
TO_REDACT: Final = {
    CONF_ADDRESS,
    CONF_CLIENT_ID,
    CONF_GROUP,
    # Names that somebody gave to relays, as private as those of entities.
    CONF_LABELS,
    CONF_MAC,
    CONF_PUBLISHED,
    # May hold what somebody wrote into a start-up command.
    CONF_UNDO,
    # Of a discovered socket: topic, address and MAC that it was discovered by.
    "discovery_keys",
    "host",
    "ip",
    "ssid",
    "unique_id",
    "title",
    ATTR_CONFIGURATION_URL,
}
_SAID: Final = (
    *(quantity.key for quantity in (*METER, FREQUENCY, *DIAGNOSTICS)),
    "uptime",
    "build",
    "ip",
    "ssid",
)


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: OpenBekenConfigEntry
) -> dict[str, Any]:
    """Return the diagnostics of a socket."""
    socket = entry.runtime_data
    return {
        "entry": async_redact_data(entry.as_dict(), TO_REDACT),
        "device": _device(hass, entry),
        "socket": _socket(socket),
        "update": _update(hass.data[UPDATES].of(socket.identity)),
        "settings_kept": [
            {"at": kept.at.isoformat(), "before": kept.before}
            for kept in hass.data[SNAPSHOTS].of(entry)
        ],
        "flash": await hass.async_add_executor_job(
            _flash, backup_folder(hass), entry.data[CONF_MAC]
        ),
        "meter": _meter(socket) if socket.profile.has_meter else None,
    }


def _socket(socket: SocketState) -> dict[str, Any]:
    """Return what a socket is, and what it says."""
    relays = {pin.channel for pin in socket.profile.relays}
    return {
        "online": socket.online,
        "native": socket.native,
        "tuned": socket.tuned,
        "version": version_of(socket.build),
        "profile": socket.profile.as_dict(),
        "without_entity": [
            f"P{pin.pin} {pin.role.firmware_name}"
            for pin in socket.profile.without_entity
        ],
        "channels": {
            str(pin.channel): socket.value(channel_key(pin.channel))
            for pin in socket.profile.pins
            if pin.role.has_channel
        },
        "values": async_redact_data(
            {key: socket.value(key) for key in _SAID}, TO_REDACT
        ),
        "refused": socket.values.refused,
        "last_messages": socket.values.timing(monotonic()),
        "clock": {
            "right": socket.clock.right,
            "missed": socket.clock.missed,
            "utc_offset": socket.clock.utc_offset.total_seconds(),
        },
        "child_lock": socket.readback.child_lock,
        "power_cut": {
            str(channel): str(state)
            for channel, state in (socket.readback.power_cut or {}).items()
            if channel in relays
        },
    }


def _update(update: SocketUpdate) -> dict[str, Any]:
    """Return how far an update of the firmware is, and what the last one left behind."""
    record = update.record
    return {
        "stage": update.stage,
        "sent": update.fraction,
        "installed": update.installed,
        "left_behind": None
        if record is None
        else {
            "version": record.version,
            "before": record.before,
            "stage": record.stage,
            "trouble": record.trouble,
            "own_file": record.own_file is not None,
        },
    }


def _flash(folder: BackupFolder, mac: str) -> dict[str, Any]:
    """Return what is on disk of a chip: its backups, and a job that did not end; reads files."""
    job: dict[str, Any] | str | None
    try:
        job = _unfinished_job(JobRecords(folder).find(mac))
    except UnreadableRecordError:
        job = "unreadable"
    try:
        backups = folder.find(mac)
    except BackupError as err:
        LOGGER.debug("The backups cannot be listed: %s", err)
        backups = None
    return {
        "backups": "unreadable"
        if backups is None
        else [
            {
                "date": backup.date.isoformat(),
                "contents": backup.sidecar.contents,
                "complete": backup.complete,
            }
            for backup in backups
        ],
        "unfinished_job": job,
    }


def _unfinished_job(job: JobRecord | None) -> dict[str, Any] | None:
    if job is None:
        return None
    return {
        "started": job.started.isoformat(),
        "phase": job.phase,
        "content": job.content,
        "restores": job.restores is not None,
        "regions": [[hex(start), hex(end)] for start, end in job.regions],
    }


def _device(hass: HomeAssistant, entry: OpenBekenConfigEntry) -> list[dict[str, Any]]:
    """Return what the registries hold of the socket: names may be private, keys are not."""
    registry = er.async_get(hass)
    prefix = f"{identity_of_entry(entry)}_"
    return [
        {
            "manufacturer": device.manufacturer,
            "model": device.model,
            "hw_version": device.hw_version,
            "sw_version": device.sw_version,
            "disabled_by": device.disabled_by,
            "entities": [
                {
                    "key": item.unique_id.removeprefix(prefix),
                    "domain": item.domain,
                    "disabled_by": item.disabled_by,
                    "seconds_since_said": _age(hass, item.entity_id),
                }
                for item in er.async_entries_for_device(
                    registry, device.id, include_disabled_entities=True
                )
                if item.platform == DOMAIN
            ],
        }
        for device in dr.async_entries_for_config_entry(
            dr.async_get(hass), entry.entry_id
        )
    ]


def _age(hass: HomeAssistant, entity_id: str) -> float | None:
    """Return how long ago an entity was written, None where it has no state."""
    if (state := hass.states.get(entity_id)) is None:
        return None
    return round((dt_util.utcnow() - state.last_reported).total_seconds(), 1)


def _meter(socket: SocketState) -> dict[str, Any]:
    """Return how far the readings can be trusted, and why."""
    calibration = socket.calibration
    trust = {}
    for key in CALIBRATED:
        known, value = calibration.calibration_of(key), socket.value(key)
        trust[key] = {
            "calibrated": key in calibration.known,
            "gain": known.correction.gain,
            "offset": known.correction.offset,
            "quality": str(known.quality),
            "uncertainty_now": None
            if value is None
            else calibration.uncertainty(key, float(value)),
            "residuals": list(known.residuals),
        }
    return {
        "energy_in_kwh": socket.meter.in_kwh,
        "held_back": socket.meter.held_back,
        "factors_changed": sorted(socket.factors.changed or ()),
        "factors_doubtful": socket.factors.doubtful,
        "trust": trust,
        "contradictions": [str(item) for item in found(socket)],
        "socket_factors": calibration.factors,
        "history": calibration.history,
    }
