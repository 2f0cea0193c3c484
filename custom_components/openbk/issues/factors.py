"""A calibrated socket whose own factors somebody changed, or may have changed."""

from functools import partial
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from ..const import DOMAIN
from ..live.state import OpenBekenConfigEntry, SocketState
from ..pyopenbk.foreign_text import markdown_text

CHANGED: Final = "factors_changed"
DOUBTFUL: Final = "factors_doubtful"
_LEARN_MORE: Final = (
    "https://github.com/openbk/openbk-home-assistant/blob/main/docs/calibration.md"
)


@callback
def async_watch_factors(hass: HomeAssistant, socket: SocketState) -> CALLBACK_TYPE:
    """Tell of changed factors; return the function that stops it."""
    look = partial(_look, hass, socket)
    socket.factors.listeners.append(look)
    return partial(socket.factors.listeners.remove, look)


@callback
def forget_factors(hass: HomeAssistant, entry: OpenBekenConfigEntry) -> None:
    """Withdraw what was told of a socket that is removed."""
    for issue in (CHANGED, DOUBTFUL):
        ir.async_delete_issue(hass, DOMAIN, f"{issue}_{entry.entry_id}")


@callback
def _look(hass: HomeAssistant, socket: SocketState) -> None:
    entry, watch = socket.entry, socket.factors
    for issue, on in ((CHANGED, bool(watch.changed)), (DOUBTFUL, watch.doubtful)):
        if on:
            ir.async_create_issue(
                hass,
                DOMAIN,
                f"{issue}_{entry.entry_id}",
                # A person has to see it, also after a restart.
                is_persistent=True,
                is_fixable=True,
                severity=ir.IssueSeverity.WARNING,
                translation_key=issue,
                translation_placeholders={"name": markdown_text(entry.title)},
                learn_more_url=_LEARN_MORE,
            )
