"""What the logbook says of the events of sockets; as all of core's, its lines are in English."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from homeassistant.components.logbook import (
    LOGBOOK_ENTRY_ICON,
    LOGBOOK_ENTRY_MESSAGE,
    LOGBOOK_ENTRY_NAME,
)
from homeassistant.const import ATTR_NAME
from homeassistant.core import Event, HomeAssistant, callback

from .const import (
    DOMAIN,
    EVENT_OVERLOAD,
    EVENT_RESTARTED,
    EVENT_SWITCHED,
    EVENT_UPDATED,
)
from .issues.overload import ATTR_LIMIT, ATTR_LOAD
from .live.events import ATTR_BEFORE, ATTR_BY, ATTR_ON, ATTR_VERSION
from .live.switching import SwitchedBy

_BY: Final[Mapping[str, str]] = {
    SwitchedBy.BUTTON: "by its button",
    SwitchedBy.ELSEWHERE: "by its web page, another MQTT client or its own program",
}


def _overload(data: Mapping[str, Any]) -> str:
    return f"carries {data[ATTR_LOAD]} VA of {data[ATTR_LIMIT]} VA"


def _restarted(_data: Mapping[str, Any]) -> str:
    return "restarted"


def _switched(data: Mapping[str, Any]) -> str:
    return f"was switched {'on' if data[ATTR_ON] else 'off'} {_BY[data[ATTR_BY]]}"


def _updated(data: Mapping[str, Any]) -> str:
    return f"was updated from {data[ATTR_BEFORE]} to {data[ATTR_VERSION]}"


class _Line(NamedTuple):
    message: Callable[[Mapping[str, Any]], str]
    icon: str
    """Without one, the frontend leaves an empty square where the events of entities have theirs."""


_LINES: Final[Mapping[str, _Line]] = {
    EVENT_OVERLOAD: _Line(_overload, "mdi:alert"),
    EVENT_RESTARTED: _Line(_restarted, "mdi:restart"),
    EVENT_SWITCHED: _Line(_switched, "mdi:gesture-tap-button"),
    EVENT_UPDATED: _Line(_updated, "mdi:package-up"),
}


@callback
def async_describe_events(
    hass: HomeAssistant,
    async_describe_event: Callable[
        [str, str, Callable[[Event[Any]], dict[str, str]]], None
    ],
) -> None:
    """Describe the events."""

    @callback
    def describe(event: Event[Any]) -> dict[str, str]:
        line = _LINES[str(event.event_type)]
        return {
            LOGBOOK_ENTRY_NAME: event.data[ATTR_NAME],
            LOGBOOK_ENTRY_MESSAGE: line.message(event.data),
            LOGBOOK_ENTRY_ICON: line.icon,
        }

    for event_type in _LINES:
        async_describe_event(DOMAIN, event_type, describe)
