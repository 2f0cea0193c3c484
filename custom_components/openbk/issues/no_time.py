"""A socket that does not learn the time, so that its days count for nothing."""

from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback

from ..live.state import SocketState
from .of_socket import leave_issues, raise_issue, withdraw_issues

ISSUE: Final = "no_time"


@callback
def async_watch_clock(hass: HomeAssistant, socket: SocketState) -> CALLBACK_TYPE:
    """Tell while a socket misses the time; return the function that ends it."""
    entry = socket.entry

    @callback
    def show() -> None:
        if socket.clock.missed:
            raise_issue(hass, entry, ISSUE)
        else:
            withdraw_issues(hass, entry, ISSUE)

    stop_listening = socket.listen_clock(show)

    @callback
    def stop() -> None:
        stop_listening()
        leave_issues(hass, entry, ISSUE)

    return stop
