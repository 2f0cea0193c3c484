"""Mains sockets that run OpenBeken, from their factory firmware to Home Assistant."""

from collections.abc import Callable
from typing import Final

from homeassistant.const import Platform
from homeassistant.core import CALLBACK_TYPE, HomeAssistant
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import config_validation as cv, entity_registry as er
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.typing import ConfigType
from homeassistant.loader import async_get_integration
from homeassistant.setup import async_setup_component

from .const import CONF_ADDRESS, CONF_FIRST_LED_USES, DOMAIN
from .flows.backup_link import async_setup_backup_link
from .issues.factors import async_watch_factors
from .issues.no_time import async_watch_clock
from .issues.of_socket import forget_issues
from .issues.old_discovery import async_watch_old_discovery
from .issues.other_socket import async_watch_other_sockets
from .issues.overload import async_watch_overload
from .issues.plausibility import async_watch_plausibility
from .issues.restarts import async_watch_restarts
from .issues.retained_commands import async_look_for_retained_commands
from .issues.updates import async_watch_updates
from .issues.whereabouts import async_watch_whereabouts
from .live.borrowed_led import async_give_back_when_there
from .live.energy_store import ENERGY_STORE, EnergyStore
from .live.events import async_watch_switching
from .live.publisher import Mode, Publisher, async_retract, mode_of
from .live.snapshots import SNAPSHOTS, async_snapshots
from .live.state import OpenBekenConfigEntry, SocketState, identity_of_entry
from .network.consoles import SOCKET_ACCESS, SocketAccess, keep_password
from .network.discovery import async_probe
from .network.firmware import FIRMWARE, FirmwareSource
from .network.mqtt import async_wait_for_mqtt
from .services import async_setup_services
from .updating.updates import UPDATES, Updates

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)

# What MQTT discovery cannot carry stays native in every mode.
SETTINGS: Final = (
    Platform.BUTTON,
    Platform.SELECT,
    Platform.SWITCH,
    Platform.UPDATE,
)

type Watch = Callable[[HomeAssistant, SocketState], CALLBACK_TYPE]
"""Watches a socket; returns the function that stops it."""

# These listen to topics, of which a socket that is started takes no more.
_BEFORE_START: Final[tuple[Watch, ...]] = (
    async_watch_other_sockets,
    async_watch_clock,
    async_watch_restarts,
    async_watch_overload,
    async_watch_switching,
    async_give_back_when_there,
)
_ONCE_STARTED: Final[tuple[Watch, ...]] = (
    async_watch_old_discovery,
    async_watch_plausibility,
    async_watch_factors,
    async_watch_whereabouts,
    async_look_for_retained_commands,
    async_watch_updates,
)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Load what all sockets share."""
    hass.data.setdefault(SOCKET_ACCESS, SocketAccess())
    hass.data[ENERGY_STORE] = store = EnergyStore(hass)
    await store.async_load()
    await async_snapshots(hass)
    hass.data[FIRMWARE] = source = FirmwareSource(hass)
    await source.async_load()
    hass.data[UPDATES] = updates = Updates(hass)
    await updates.async_load()
    async_setup_services(hass)
    async_setup_backup_link(hass)
    async_at_started(hass, _probe)
    return True


async def _probe(hass: HomeAssistant) -> None:
    """Find the sockets that were online before Home Assistant."""
    if await async_wait_for_mqtt(hass):
        hass.async_create_background_task(async_probe(hass), f"{DOMAIN} probe")


async def async_setup_entry(hass: HomeAssistant, entry: OpenBekenConfigEntry) -> bool:
    """Set up a socket."""
    if not await async_wait_for_mqtt(hass):
        raise ConfigEntryNotReady(
            translation_domain=DOMAIN, translation_key="mqtt_missing"
        )
    mode = mode_of(hass, entry)
    native = mode is not Mode.DISCOVERY
    entry.runtime_data = socket = SocketState(hass, entry, native=native)
    entry.async_on_unload(socket.stop)
    if entry.data.get(CONF_FIRST_LED_USES) != socket.first_led_uses:
        hass.config_entries.async_update_entry(
            entry, data={**entry.data, CONF_FIRST_LED_USES: socket.first_led_uses}
        )
    if mode is Mode.NATIVE:
        await async_retract(hass, entry)
        publisher = None
    else:
        integration = await async_get_integration(hass, DOMAIN)
        publisher = Publisher(hass, socket, str(integration.version))
        entry.async_on_unload(publisher.stop)
    if not native:
        _remove_native_entities(hass, entry)
    await hass.config_entries.async_forward_entry_setups(entry, _platforms(socket))
    for watch in _BEFORE_START:
        entry.async_on_unload(watch(hass, socket))
    await socket.start()
    if publisher is not None:
        await publisher.start()
    for watch in _ONCE_STARTED:
        entry.async_on_unload(watch(hass, socket))
    return True


async def async_unload_entry(hass: HomeAssistant, entry: OpenBekenConfigEntry) -> bool:
    """Unload a socket."""
    await hass.data[ENERGY_STORE].async_flush()
    return await hass.config_entries.async_unload_platforms(
        entry, _platforms(entry.runtime_data)
    )


async def async_remove_entry(hass: HomeAssistant, entry: OpenBekenConfigEntry) -> None:
    """Forget what was kept for a socket, here and on the broker."""
    # Where all sockets are disabled, nothing of this integration is loaded.
    await async_setup_component(hass, DOMAIN, {})
    forget_issues(hass, entry)
    if address := entry.data.get(CONF_ADDRESS):
        keep_password(hass, address, None)
    await async_retract(hass, entry)
    await hass.data[ENERGY_STORE].async_forget(identity_of_entry(entry))
    await hass.data[UPDATES].async_forget(identity_of_entry(entry))
    await hass.data[SNAPSHOTS].async_forget(entry)


def _platforms(socket: SocketState) -> tuple[Platform, ...]:
    """Return the platforms that the socket has entities of; only a reload changes them."""
    if not socket.native:
        return SETTINGS
    events = (Platform.EVENT,) if socket.profile.buttons else ()
    lights = (Platform.LIGHT,) if socket.lights else ()
    inputs = (Platform.BINARY_SENSOR,) if socket.profile.inputs else ()
    return (*SETTINGS, Platform.SENSOR, *events, *lights, *inputs)


def _remove_native_entities(hass: HomeAssistant, entry: OpenBekenConfigEntry) -> None:
    """Make room for the entities of MQTT discovery, which have the same names."""
    registry = er.async_get(hass)
    for item in er.async_entries_for_config_entry(registry, entry.entry_id):
        is_relay = item.unique_id.startswith(f"{identity_of_entry(entry)}_relay_")
        if item.domain not in SETTINGS or is_relay:
            registry.async_remove(item.entity_id)
