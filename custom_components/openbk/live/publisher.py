"""Describes a socket to other consumers of MQTT discovery, and takes it back."""

from enum import StrEnum
from typing import Final

from homeassistant.components import mqtt
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.json import json_dumps

from ..const import (
    CONF_DARK_LEDS,
    CONF_DISCOVERY_PREFIX,
    CONF_MODE,
    CONF_PUBLISHED,
    LOGGER,
)
from ..network.mqtt import Subscriptions
from ..pyopenbk.beken.rf_sector import is_generic_mac
from ..pyopenbk.metering.correction import IDENTITY, Correction
from ..pyopenbk.obk.discovery_payload import (
    Described,
    EnergyLine,
    discovery_payload,
    discovery_topic,
)
from ..pyopenbk.obk.messages import channel_key
from ..pyopenbk.quantities import CURRENT, ENERGY, POWER, VOLTAGE
from .energy_store import ENERGY_STORE
from .state import OpenBekenConfigEntry, SocketState

_ONLINE: Final = "online"
# In kWh, half of the last digit shown: the total in the template may be off by so much before
# it is published anew.
_ENERGY_TOLERANCE: Final = 0.0005


class Mode(StrEnum):
    """Which entities a socket has."""

    NATIVE = "native"
    DISCOVERY = "discovery"
    BOTH = "both"


def mode_of(hass: HomeAssistant, entry: OpenBekenConfigEntry) -> Mode:
    """Return the mode of a socket.

    Both at once would be two devices with the same entities, so it means discovery alone where
    the prefix is Home Assistant's own.
    """
    mode = Mode(entry.options.get(CONF_MODE, Mode.NATIVE))
    if mode is Mode.BOTH and prefix_of(hass, entry) == own_prefix(hass):
        return Mode.DISCOVERY
    return mode


def own_prefix(hass: HomeAssistant) -> str:
    """Return the prefix that Home Assistant's own MQTT integration listens to."""
    for entry in hass.config_entries.async_entries(mqtt.DOMAIN):
        prefix: str = entry.options.get(mqtt.CONF_DISCOVERY_PREFIX, mqtt.DEFAULT_PREFIX)
        return prefix
    return str(mqtt.DEFAULT_PREFIX)


def prefix_of(hass: HomeAssistant, entry: OpenBekenConfigEntry) -> str:
    """Return the prefix that a socket is published under."""
    return entry.options.get(CONF_DISCOVERY_PREFIX) or own_prefix(hass)


class Publisher:
    """Keeps the discovery payload of one socket on the broker."""

    def __init__(self, hass: HomeAssistant, socket: SocketState, version: str) -> None:
        """Prepare for a socket; nothing is published yet.

        The channels are asked for as if somebody here listened: the answers are for all.
        """
        self.hass = hass
        self.socket = socket
        self._version = version
        profile = socket.profile
        for pin in (*profile.relays, *profile.leds, *profile.inputs):
            socket.listen(channel_key(pin.channel), _ignore)
        self._line = EnergyLine()
        self._total = 0.0
        if socket.profile.has_meter:
            # The three are watched for what cannot be true.
            for quantity in (VOLTAGE, CURRENT, POWER):
                socket.listen(quantity.key, _ignore)
            socket.listen(ENERGY.key, self._counted)
            self._draw_line(first=True)
        self._prefix = prefix_of(hass, socket.entry)
        self._unsubscribe: list[CALLBACK_TYPE] = []
        status = f"{self._prefix}/status"
        self._subscriptions = Subscriptions(
            hass, lambda: [(status, self._consumer_changed)]
        )

    async def start(self) -> None:
        """Publish, and again whenever the broker or the consumer may have forgotten."""
        await async_retract(self.hass, self.socket.entry, unless=self._topic)
        await self._publish()
        await self._subscriptions.begin()
        self._unsubscribe = [
            mqtt.async_subscribe_connection_status(self.hass, self._broker_changed),
            self.socket.listen_described(self._description_changed),
        ]

    @callback
    def stop(self) -> None:
        """Leave the payload where it is and stop watching."""
        self._subscriptions.end()
        while self._unsubscribe:
            self._unsubscribe.pop()()

    @property
    def _topic(self) -> str:
        return discovery_topic(self._prefix, self.socket.identity)

    @callback
    def _consumer_changed(self, message: mqtt.ReceiveMessage) -> None:
        if message.payload == _ONLINE and not message.retain:
            self._publish_soon()

    @callback
    def _broker_changed(self, connected: bool) -> None:
        if connected:
            self._publish_soon()

    @callback
    def _description_changed(self) -> None:
        self._draw_line()
        self._publish_soon()

    @callback
    def _counted(self, _total: float | None) -> None:
        """Publish anew what the template cannot know: offsets, and what the socket forgot."""
        if (last := self._last_energy) is None:
            return
        (counted, total), line = last, self._line
        off = line.gain * counted + line.base - total
        if abs(off) > _ENERGY_TOLERANCE or line.gain != self._power.gain:
            self._description_changed()

    @property
    def _power(self) -> Correction:
        return self.socket.corrections.get(POWER.key, IDENTITY)

    @property
    def _last_energy(self) -> tuple[float, float] | None:
        return self.hass.data[ENERGY_STORE].last(self.socket.identity, ENERGY.key)

    def _draw_line(self, *, first: bool = False) -> None:
        """Let the total go on from where it is, with the gain that power has now."""
        if (last := self._last_energy) is None:
            # The first number is where the count begins.
            self._line = EnergyLine()
            return
        counted, total = last
        shown = self._line(counted)
        if first:
            # The template of before the restart may have been ahead by as much.
            shown = total + _ENERGY_TOLERANCE if self._power.offset < 0 else total
        elif total < self._total:
            # Somebody set it back.
            shown = total
        self._total = total
        self._line = EnergyLine(
            gain=self._power.gain,
            base=round(total - self._power.gain * counted, 6),
            floor=round(shown, 6) if shown > total else 0.0,
        )

    @callback
    def _publish_soon(self) -> None:
        self.socket.entry.async_create_background_task(
            self.hass, self._publish(), f"openbk publish {self.socket.client_id}"
        )

    async def _publish(self) -> None:
        entry = self.socket.entry
        payload = discovery_payload(
            Described(
                name=entry.title,
                identity=self.socket.identity,
                mac=None if is_generic_mac(self.socket.mac) else self.socket.mac,
                client_id=self.socket.client_id,
                profile=self.socket.profile,
                build=self.socket.build,
                url=self.socket.url,
                origin_version=self._version,
                dark_leds=frozenset(entry.data.get(CONF_DARK_LEDS, ())),
                labels=self.socket.labels,
                corrections=self.socket.corrections,
                energy=self._line,
                energy_in_kwh=self.socket.meter.in_kwh,
                feeds_in=self.socket.meter.feeds_in,
            )
        )
        try:
            await mqtt.async_publish(
                self.hass, self._topic, json_dumps(payload), 1, True
            )
        except HomeAssistantError as err:
            LOGGER.debug("Could not publish %s: %s", entry.title, err)
            return
        _note(self.hass, entry, self._topic)


def _ignore(_value: object) -> None:
    """Listen for the sake of others."""


async def async_retract(
    hass: HomeAssistant, entry: OpenBekenConfigEntry, *, unless: str | None = None
) -> None:
    """Take back what was published for a socket, unless it is under this topic."""
    published: str | None = entry.data.get(CONF_PUBLISHED)
    if published is None or published == unless:
        return
    try:
        await mqtt.async_publish(hass, published, "", 1, True)
    except HomeAssistantError as err:
        LOGGER.warning("Could not retract %s: %s", published, err)
        return
    _note(hass, entry, None)


def _note(hass: HomeAssistant, entry: OpenBekenConfigEntry, topic: str | None) -> None:
    known = hass.config_entries.async_get_entry(entry.entry_id) is not None
    # Of one that is being removed nothing is kept.
    if known and entry.data.get(CONF_PUBLISHED) != topic:
        hass.config_entries.async_update_entry(
            entry, data={**entry.data, CONF_PUBLISHED: topic}
        )
