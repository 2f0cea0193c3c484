"""Mains sockets that run OpenBeken, from their factory firmware to Home Assistant."""

from typing import Final

from homeassistant.components import mqtt
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.typing import ConfigType

from .const import CONF_MAC, DOMAIN
from .device import OpenBekenConfigEntry, SocketState
from .discovery import async_probe
from .energy_store import ENERGY_STORE, EnergyStore

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)

PLATFORMS: Final = (
    Platform.BUTTON,
    Platform.EVENT,
    Platform.LIGHT,
    Platform.SELECT,
    Platform.SENSOR,
    Platform.SWITCH,
)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Load what all sockets share."""
    hass.data[ENERGY_STORE] = store = EnergyStore(hass)
    await store.async_load()
    async_at_started(hass, _probe)
    return True


async def _probe(hass: HomeAssistant) -> None:
    """Find the sockets that were online before Home Assistant."""
    if await mqtt.async_wait_for_mqtt_client(hass):
        hass.async_create_background_task(async_probe(hass), f"{DOMAIN} probe")


async def async_setup_entry(hass: HomeAssistant, entry: OpenBekenConfigEntry) -> bool:
    """Set up a socket."""
    if not await mqtt.async_wait_for_mqtt_client(hass):
        raise ConfigEntryNotReady(
            translation_domain=DOMAIN, translation_key="mqtt_missing"
        )
    entry.runtime_data = socket = SocketState(hass, entry)
    entry.async_on_unload(socket.stop)
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    await socket.start()
    return True


async def async_unload_entry(hass: HomeAssistant, entry: OpenBekenConfigEntry) -> bool:
    """Unload a socket."""
    await hass.data[ENERGY_STORE].async_flush()
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: OpenBekenConfigEntry) -> None:
    """Forget what was kept for a socket."""
    await hass.data[ENERGY_STORE].async_forget(entry.data[CONF_MAC])
