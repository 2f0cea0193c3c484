"""Addresses that sockets tell over MQTT: anybody on the broker can, so they are looked at twice."""

from homeassistant.core import HomeAssistant, callback

from ..pyopenbk.obk.addresses import AddressError, parse_address
from ..pyopenbk.obk.messages import decode_address
from .consoles import SOCKET_ACCESS


@callback
def told_address(hass: HomeAssistant, payload: str) -> str | None:
    """Return the address that a socket told, or None for what no socket can have."""
    access = hass.data.get(SOCKET_ACCESS)
    if access is None or not access.simulated:
        return decode_address(payload)
    # Simulated sockets are on this machine, each with a port.
    try:
        return payload if parse_address(payload).ip is not None else None
    except AddressError:
        return None
