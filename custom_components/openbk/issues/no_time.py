"""A socket that does not learn the time, so that its days count for nothing."""

from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from ..const import DOMAIN
from ..live.state import SocketState
from ..pyopenbk.foreign_text import markdown_text

ISSUE: Final = "no_time"


@callback
def async_watch_clock(hass: HomeAssistant, socket: SocketState) -> CALLBACK_TYPE:
    """Tell while a socket misses the time; return the function that ends it."""
    issue_id = f"{ISSUE}_{socket.entry.entry_id}"

    @callback
    def show() -> None:
        if not socket.clock.missed:
            ir.async_delete_issue(hass, DOMAIN, issue_id)
            return
        ir.async_create_issue(
            hass,
            DOMAIN,
            issue_id,
            is_fixable=True,
            severity=ir.IssueSeverity.WARNING,
            translation_key=ISSUE,
            translation_placeholders={"name": markdown_text(socket.entry.title)},
            data={"entry_id": socket.entry.entry_id},
        )

    stop_listening = socket.listen_clock(show)

    @callback
    def stop() -> None:
        stop_listening()
        ir.async_delete_issue(hass, DOMAIN, issue_id)

    return stop
