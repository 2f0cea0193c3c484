"""The entries of sockets: whose is a topic or a MAC, and when an entry may follow its socket."""

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant, callback

from ..const import CONF_ADDRESS, CONF_CLIENT_ID, CONF_MAC, DOMAIN, LOGGER
from ..pyopenbk.beken.rf_sector import is_generic_mac
from ..pyopenbk.obk.names import identity_of
from .state import OpenBekenConfigEntry


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
        LOGGER.warning(
            "A socket with the MAC of %s speaks as %s, too", entry.title, client_id
        )
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
