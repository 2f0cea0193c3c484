"""What the logbook would say of an event."""

from collections.abc import Callable
from typing import Any

from homeassistant.core import Event, HomeAssistant

from custom_components.openbk.logbook import async_describe_events


def message_of(hass: HomeAssistant, event: Event[Any]) -> str:
    """Return the line of an event, which begins with the name of its socket."""
    described: dict[str, Callable[[Event[Any]], dict[str, str]]] = {}
    async_describe_events(
        hass, lambda _domain, name, describe: described.update({name: describe})
    )
    said = described[str(event.event_type)](event)
    assert said["name"] == event.data["name"]
    return said["message"]
