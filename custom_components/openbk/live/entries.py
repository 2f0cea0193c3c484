"""The entries of sockets: whose is a topic or a MAC, and when an entry may follow its socket."""

from collections.abc import Mapping
from typing import Any, Final

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er

from ..const import (
    CONF_ADDRESS,
    CONF_CLIENT_ID,
    CONF_FEEDS_IN,
    CONF_FIRST_LED_USES,
    CONF_MAC,
    CONF_MODEL,
    CONF_PUBLISHED,
    CONF_TIME_ZONE,
    DOMAIN,
    LOGGER,
)
from ..pyopenbk.beken.rf_sector import is_generic_mac
from ..pyopenbk.obk.names import identity_of
from .calibration import without_calibration
from .energy_store import ENERGY_STORE
from .snapshots import SNAPSHOTS
from .state import OpenBekenConfigEntry, connections_of, identity_of_entry

# What an entry knows that is not of its very hardware, or does no harm where that has it otherwise.
_OUTLIVES_HARDWARE: Final = (
    CONF_FEEDS_IN,
    CONF_FIRST_LED_USES,
    CONF_MODEL,
    CONF_PUBLISHED,
    CONF_TIME_ZONE,
)


@callback
def async_entry_of(
    hass: HomeAssistant, *, client_id: str | None = None, mac: str | None = None
) -> OpenBekenConfigEntry | None:
    """Return the entry of a socket by its topic or by its MAC; a default MAC is nobody's."""
    if mac is not None and is_generic_mac(mac):
        mac = None
    for entry in hass.config_entries.async_entries(DOMAIN):
        if client_id is not None and entry.data.get(CONF_CLIENT_ID) == client_id:
            return entry
        if mac is not None and entry.data.get(CONF_MAC) == mac:
            return entry
    return None


@callback
def async_identity_of(hass: HomeAssistant, mac: str, client_id: str) -> str:
    """Return the unique id of a socket: that of its entry, where there is one already."""
    for entry in hass.config_entries.async_entries(DOMAIN):
        if entry.unique_id is not None and (
            entry.data.get(CONF_MAC) == mac
            and entry.data.get(CONF_CLIENT_ID) == client_id
        ):
            return entry.unique_id
    return identity_of(mac, client_id)


@callback
def async_may_follow(
    hass: HomeAssistant, entry: OpenBekenConfigEntry, client_id: str
) -> bool:
    """Return whether a socket with the MAC of an entry that speaks as somebody else is followed.

    Commands go where an entry leads. So it stays where it is while somebody is online there, where
    nobody can know because it is not loaded, where the MAC is one that many chips have, and where
    the topic is another entry's.
    """
    if (
        is_generic_mac(entry.data[CONF_MAC])
        or entry.state is not ConfigEntryState.LOADED
    ):
        return False
    owner = async_entry_of(hass, client_id=client_id)
    return owner in (None, entry) and not entry.runtime_data.online


@callback
def async_follow(
    hass: HomeAssistant,
    entry: OpenBekenConfigEntry,
    *,
    client_id: str | None = None,
    address: str | None = None,
) -> bool:
    """Let an entry follow its socket to another topic or address; return whether it did."""
    if client_id in (None, entry.data[CONF_CLIENT_ID]):
        client_id = None
    elif not async_may_follow(hass, entry, client_id):
        return False
    known = {CONF_CLIENT_ID: client_id, CONF_ADDRESS: address}
    changes = {
        key: value
        for key, value in known.items()
        if value is not None and entry.data[key] != value
    }
    if not changes:
        return False
    hass.config_entries.async_update_entry(entry, data={**entry.data, **changes})
    if CONF_CLIENT_ID in changes:
        LOGGER.info("%s speaks as %s now", entry.title, client_id)
        hass.config_entries.async_schedule_reload(entry.entry_id)
    return True


async def async_replace_hardware(
    hass: HomeAssistant, entry: OpenBekenConfigEntry, found: Mapping[str, Any]
) -> None:
    """Let other hardware take the place of that of an entry; the entry is loaded anew.

    Devices, entities and automations stay, and so does the energy that was counted. A correction
    was of another meter, so that goes, and so does what was set in the old hardware and how that is
    taken back. ``found`` is what is known of the new hardware, as of a socket that is added.
    """
    await hass.config_entries.async_unload(entry.entry_id)
    kept = {key: entry.data[key] for key in _OUTLIVES_HARDWARE if key in entry.data}
    data, mac = kept | dict(found), found[CONF_MAC]
    old, new = identity_of_entry(entry), identity_of(mac, data[CONF_CLIENT_ID])
    devices, entities = dr.async_get(hass), er.async_get(hass)
    for device in dr.async_entries_for_config_entry(devices, entry.entry_id):
        devices.async_update_device(
            device.id,
            new_identifiers={(DOMAIN, new)},
            new_connections=connections_of(mac),
        )
    for item in er.async_entries_for_config_entry(entities, entry.entry_id):
        if item.unique_id.startswith(f"{old}_"):
            key = item.unique_id.removeprefix(f"{old}_")
            entities.async_update_entity(item.entity_id, new_unique_id=f"{new}_{key}")
    hass.data[ENERGY_STORE].rename(old, new)
    await hass.data[SNAPSHOTS].async_forget(entry)
    hass.config_entries.async_update_entry(
        entry, unique_id=new, data=data, options=without_calibration(entry.options)
    )
    LOGGER.info("%s is the socket %s now", entry.title, mac)
    hass.config_entries.async_schedule_reload(entry.entry_id)
