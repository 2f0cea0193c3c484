"""What a person does with the button of a socket."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Final, override

from homeassistant.components.event import (
    ATTR_MULTI_PRESS_COUNT,
    ButtonEventType,
    EventDeviceClass,
    EventEntity,
    EventEntityDescription,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import OpenBekenEntity
from .live.state import OpenBekenConfigEntry
from .pyopenbk.obk.messages import Gesture, button_key

PARALLEL_UPDATES = 0

# The firmware decides what a press was after it ended, except for a long one.
EVENTS: Final[dict[Gesture, tuple[ButtonEventType, dict[str, Any] | None]]] = {
    Gesture.SINGLE: (ButtonEventType.PRESS_END, None),
    Gesture.DOUBLE: (ButtonEventType.MULTI_PRESS_END, {ATTR_MULTI_PRESS_COUNT: 2}),
    Gesture.TRIPLE: (ButtonEventType.MULTI_PRESS_END, {ATTR_MULTI_PRESS_COUNT: 3}),
    Gesture.HOLD: (ButtonEventType.LONG_PRESS_START, None),
}
EVENT_TYPES: Final[list[str]] = [
    ButtonEventType.PRESS_END,
    ButtonEventType.MULTI_PRESS_END,
    ButtonEventType.LONG_PRESS_START,
    ButtonEventType.LONG_PRESS_END,
]


@dataclass(frozen=True, kw_only=True)
class ButtonDescription(EventEntityDescription):
    """A button and the key that it reports under."""

    source_key: str


@cache
def _describe(pin: int, *, first: bool, single: bool) -> ButtonDescription:
    """Describe the button on a pin, once for all sockets."""
    return ButtonDescription(
        key=f"button_{pin}",
        translation_key="button" if single else "button_of_many",
        translation_placeholders={"pin": f"P{pin}"},
        device_class=EventDeviceClass.BUTTON,
        event_types=EVENT_TYPES,
        source_key=button_key(pin, first=first),
    )


async def async_setup_entry(
    hass: HomeAssistant,
    entry: OpenBekenConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up an event entity for each button."""
    socket = entry.runtime_data
    buttons = socket.profile.buttons
    single = len(buttons) == 1
    async_add_entities(
        ButtonEvent(socket, _describe(button.pin, first=index == 0, single=single))
        for index, button in enumerate(buttons)
    )


class ButtonEvent(OpenBekenEntity, EventEntity):
    """A button, as our event handlers in the socket report it."""

    entity_description: ButtonDescription
    event_types = EVENT_TYPES
    _held = False

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the button."""
        await super().async_added_to_hass()
        self.socket.source(self.entity_description.source_key).add(self._pressed)

    @override
    async def async_will_remove_from_hass(self) -> None:
        """Stop following the button."""
        self.socket.source(self.entity_description.source_key).remove(self._pressed)
        await super().async_will_remove_from_hass()

    @callback
    def _pressed(self, gesture: Gesture) -> None:
        if gesture is Gesture.RELEASE:
            # Every press ends with a release; only that of a long one says something new.
            if not self._held:
                return
            self._held = False
            self._trigger_event(ButtonEventType.LONG_PRESS_END)
        else:
            self._held = gesture is Gesture.HOLD
            self._trigger_event(*EVENTS[gesture])
        self.async_write_ha_state()
