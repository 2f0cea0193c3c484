"""What the logbook says of the events of sockets."""

from collections.abc import Callable
from typing import Any

from homeassistant.components.logbook import LOGBOOK_ENTRY_MESSAGE, LOGBOOK_ENTRY_NAME
from homeassistant.const import ATTR_NAME
from homeassistant.core import Event, HomeAssistant, callback

from .const import DOMAIN, EVENT_OVERLOAD
from .issues.overload import ATTR_LIMIT, ATTR_LOAD


@callback
def async_describe_events(
    hass: HomeAssistant,
    async_describe_event: Callable[
        [str, str, Callable[[Event[Any]], dict[str, str]]], None
    ],
) -> None:
    """Describe the events."""

    @callback
    def overload(event: Event[Any]) -> dict[str, str]:
        data = event.data
        return {
            LOGBOOK_ENTRY_NAME: data[ATTR_NAME],
            LOGBOOK_ENTRY_MESSAGE: f"carries {data[ATTR_LOAD]} VA of {data[ATTR_LIMIT]} VA",
        }

    async_describe_event(DOMAIN, EVENT_OVERLOAD, overload)
