"""Entities that the firmware's own MQTT discovery made for a socket of ours."""

from typing import Final

from homeassistant.components import mqtt
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er

from ..const import CONF_MAC
from ..live.publisher import own_prefix
from ..live.state import OpenBekenConfigEntry, SocketState
from ..network.mqtt import ensure_connected, publish
from ..pyopenbk.beken.rf_sector import is_generic_mac
from ..pyopenbk.obk.commands import flag_command
from ..pyopenbk.obk.flags import Flag
from ..pyopenbk.obk.messages import Publication
from .of_socket import leave_issues, raise_issue, withdraw_issues

ISSUE: Final = "old_discovery"
_MANUFACTURER: Final = "Beken Corporation"


@callback
def async_watch_old_discovery(
    hass: HomeAssistant, socket: SocketState
) -> CALLBACK_TYPE:
    """Look for such entities, again whenever the socket comes; return the function that stops it."""
    entry = socket.entry

    @callback
    def look() -> None:
        if _old_entities(hass, entry):
            raise_issue(hass, entry, ISSUE)
        else:
            withdraw_issues(hass, entry, ISSUE)

    look()
    stop_listening = socket.listen_online(look)

    @callback
    def stop() -> None:
        stop_listening()
        leave_issues(hass, entry, ISSUE)

    return stop


async def async_remove_old_discovery(
    hass: HomeAssistant, entry: OpenBekenConfigEntry
) -> None:
    """Switch the firmware's discovery off, and clear what it had published once that is seen.

    Otherwise the socket would describe the same entities again when it connects the next time.
    Raises NotConnectedError without a broker, HomeAssistantError if the socket is not there.
    """
    ensure_connected(hass)
    await entry.runtime_data.async_configure([flag_command(Flag.OWN_DISCOVERY, False)])
    for item in _old_entities(hass, entry):
        # The firmware names the topic after the unique id.
        topic = f"{own_prefix(hass)}/{item.domain}/{item.unique_id}/config"
        await publish(hass, Publication(topic=topic, payload="", qos=1, retain=True))
    withdraw_issues(hass, entry, ISSUE)


def _old_entities(
    hass: HomeAssistant, entry: OpenBekenConfigEntry
) -> list[er.RegistryEntry]:
    """Return the entities of the device that the firmware describes.

    It has no MAC there: its id is the long name, which ends with that of the MAC, and its name the
    short name, which is the client id unless somebody changed one of them.
    """
    mac: str = entry.data[CONF_MAC]
    tail = "" if is_generic_mac(mac) else mac.replace(":", "").upper()[-8:]
    registry = dr.async_get(hass)
    found = []
    for mqtt_entry in hass.config_entries.async_entries(mqtt.DOMAIN):
        for device in dr.async_entries_for_config_entry(registry, mqtt_entry.entry_id):
            is_old = device.manufacturer == _MANUFACTURER and (
                device.name == entry.runtime_data.client_id
                or any(tail and item[1].endswith(tail) for item in device.identifiers)
            )
            if is_old:
                found += er.async_entries_for_device(
                    er.async_get(hass), device.id, include_disabled_entities=True
                )
    return found
