"""Addresses that sockets tell over MQTT: anybody on the broker can, so they are looked at twice."""

from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from ..pyopenbk.obk.messages import Decoder, decode_address

# Simulated sockets live on loopback and on other ports than 80: only whoever runs them puts a
# decoder here that takes such an address.
TOLD_ADDRESS: Final[HassKey[Decoder]] = HassKey(f"{DOMAIN}.told_address")


@callback
def told_address(hass: HomeAssistant, payload: str) -> str | None:
    """Return the address that a socket told, or None for what no socket can have."""
    address = hass.data.get(TOLD_ADDRESS, decode_address)(payload)
    return None if address is None else str(address)
