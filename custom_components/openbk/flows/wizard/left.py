"""Sockets whose wizard was left before they reported in: each is offered as soon as it does."""

from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo
from homeassistant.util.hass_dict import HassKey

from ...const import DOMAIN
from ...network.strangers import offer
from .arrival import Arrival

_LEFT: Final[HassKey[dict[str, Arrival]]] = HassKey(f"{DOMAIN}.left_sockets")


@callback
def async_expect(hass: HomeAssistant, arrival: Arrival) -> None:
    """Go on listening for a socket, or offer it now if it came while its wizard was open.

    Core passes on what a socket says of itself once, and not again while that stays the same: a
    socket that spoke while its wizard stood in the way would never be discovered.
    """
    async_dismiss(hass, arrival.mac)
    if arrival.complete:
        _offer(hass, arrival)
        return
    hass.data.setdefault(_LEFT, {})[arrival.mac] = arrival

    @callback
    def reported_in() -> None:
        async_dismiss(hass, arrival.mac)
        _offer(hass, arrival)

    arrival.completed = reported_in


@callback
def async_dismiss(hass: HomeAssistant, mac: str) -> None:
    """Listen for this socket no longer: another wizard does, or it has come."""
    arrival = hass.data.get(_LEFT, {}).pop(mac, None)
    if arrival is not None:
        arrival.async_stop()


@callback
def _offer(hass: HomeAssistant, arrival: Arrival) -> None:
    arrival.async_stop()
    assert arrival.build is not None
    offer(
        hass,
        MqttServiceInfo(
            topic=f"{arrival.client_id}/build",
            payload=arrival.build,
            qos=0,
            retain=False,
            subscribed_topic="+/build",
            timestamp=hass.loop.time(),
        ),
    )
