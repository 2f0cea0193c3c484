"""A calibrated socket whose own factors somebody changed, or may have changed."""

from functools import partial
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback

from ..live.state import SocketState
from .of_socket import CALIBRATION_MANUAL, raise_issue

CHANGED: Final = "factors_changed"
DOUBTFUL: Final = "factors_doubtful"


@callback
def async_watch_factors(hass: HomeAssistant, socket: SocketState) -> CALLBACK_TYPE:
    """Tell of changed factors; return the function that stops it."""
    return socket.factors.listeners.add(partial(_look, hass, socket))


@callback
def _look(hass: HomeAssistant, socket: SocketState) -> None:
    entry, watch = socket.entry, socket.factors
    for issue, on in ((CHANGED, bool(watch.changed)), (DOUBTFUL, watch.doubtful)):
        if on:
            # A person has to see it, also after a restart.
            raise_issue(
                hass, entry, issue, persistent=True, learn_more_url=CALIBRATION_MANUAL
            )
