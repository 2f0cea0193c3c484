"""Sockets that are not set up: how many are asked and shown at a time, however many speak."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from homeassistant.components import mqtt
from homeassistant.config_entries import SOURCE_DHCP, SOURCE_MQTT
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import discovery_flow
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN

# Each question is a flow, four subscriptions and up to 20 s.
MOST_ASKED: Final = 10
# Nobody looks through more cards; others come when some of these are gone.
MOST_CARDS: Final = 50
MOST_WAITING: Final = 100


class Strangers:
    """Who is being asked, and who waits for it; anybody on the broker can pretend to be many."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Begin with nobody."""
        self._hass = hass
        self.asked: set[str] = set()
        self.waiting: dict[str, MqttServiceInfo] = {}

    @contextmanager
    def question(self, client_id: str, found: MqttServiceInfo) -> Iterator[bool]:
        """Ask a socket inside of the block, or keep it for later; yield whether to ask now."""
        if client_id in self.asked:
            yield False
        elif not self._has_room:
            if len(self.waiting) < MOST_WAITING:
                self.waiting[client_id] = found
            yield False
        else:
            self.waiting.pop(client_id, None)
            self.asked.add(client_id)
            try:
                yield True
            finally:
                self.asked.discard(client_id)
                # Once the card of this one counts.
                self._hass.loop.call_soon(self.call_next)

    @callback
    def call_next(self) -> None:
        """Begin with one who waits, where there is room now.

        Core passes on what a socket says once, and not again while it stays the same.
        """
        if not self.waiting or self._hass.is_stopping or not self._has_room:
            return
        offer(self._hass, self.waiting.pop(next(iter(self.waiting))))

    @property
    def _has_room(self) -> bool:
        asked = len(self.asked)
        return asked < MOST_ASKED and self._cards + asked < MOST_CARDS

    @property
    def _cards(self) -> int:
        """Return how many discovered sockets a person is shown now."""
        flows = self._hass.config_entries.flow.async_progress_by_handler(DOMAIN)
        found = (SOURCE_MQTT, SOURCE_DHCP)
        return sum(flow["context"]["source"] in found for flow in flows)


_STRANGERS: Final[HassKey[Strangers]] = HassKey(f"{DOMAIN}.strangers")


@callback
def offer(hass: HomeAssistant, found: MqttServiceInfo) -> None:
    """Begin the discovery of a socket as core does when it hears of it."""
    discovery_flow.async_create_flow(
        hass,
        DOMAIN,
        {"source": SOURCE_MQTT},
        found,
        discovery_key=discovery_flow.DiscoveryKey(
            domain=mqtt.DOMAIN, key=found.topic, version=1
        ),
    )


@callback
def strangers(hass: HomeAssistant) -> Strangers:
    """Return who is asked and who waits."""
    if (found := hass.data.get(_STRANGERS)) is None:
        found = hass.data[_STRANGERS] = Strangers(hass)
    return found
