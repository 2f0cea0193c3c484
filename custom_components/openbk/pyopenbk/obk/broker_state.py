"""Whether a running socket is connected to its MQTT broker, as its first page says."""

from enum import StrEnum
import re
from typing import Final

from .console import Console

# http_fns.c from 1.17.360 to 1.18.299; the state stands in colour.
_STATE: Final = re.compile(
    rb"MQTT State: (?:<span[^<>]{0,60}>)?"
    rb"(?P<state>not configured|awaiting reconnect|connected|disconnected)"
)


class BrokerState(StrEnum):
    """What the firmware calls it."""

    NOT_CONFIGURED = "not configured"
    AWAITING_RECONNECT = "awaiting reconnect"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"


async def read_broker_state(console: Console) -> BrokerState | None:
    """Return the state, or None where the page does not tell; raises ConsoleError."""
    reply = await console.request("GET", "/index?state=1")
    found = _STATE.search(reply.body)
    return BrokerState(found["state"].decode()) if found else None
