"""What a person does with the button of a socket."""

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

from .device import OpenBekenConfigEntry, SocketState
from .entity import OpenBekenEntity
from .pyopenbk.obk.messages import Gesture, button_key
from .pyopenbk.profile import PinAssignment

PARALLEL_UPDATES = 0

# The firmware decides what a press was after it ended, except for a long one.
EVENTS: Final[dict[Gesture, tuple[ButtonEventType, dict[str, Any] | None]]] = {
    Gesture.SINGLE: (ButtonEventType.PRESS_END, None),
    Gesture.DOUBLE: (ButtonEventType.MULTI_PRESS_END, {ATTR_MULTI_PRESS_COUNT: 2}),
    Gesture.TRIPLE: (ButtonEventType.MULTI_PRESS_END, {ATTR_MULTI_PRESS_COUNT: 3}),
    Gesture.HOLD: (ButtonEventType.LONG_PRESS_START, None),
}
EVENT_TYPES: Final = [
    ButtonEventType.PRESS_END,
    ButtonEventType.MULTI_PRESS_END,
    ButtonEventType.LONG_PRESS_START,
    ButtonEventType.LONG_PRESS_END,
]


async def async_setup_entry(
    hass: HomeAssistant,
    entry: OpenBekenConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up an event entity for each button."""
    socket = entry.runtime_data
    buttons = socket.profile.buttons
    async_add_entities(
        ButtonEvent(
            socket,
            button,
            topic=button_key(button.pin, first=index == 0),
            single=len(buttons) == 1,
        )
        for index, button in enumerate(buttons)
    )


class ButtonEvent(OpenBekenEntity, EventEntity):
    """A button, as our event handlers in the socket report it."""

    def __init__(
        self, socket: SocketState, button: PinAssignment, *, topic: str, single: bool
    ) -> None:
        """Listen to the topic of the button."""
        super().__init__(
            socket,
            EventEntityDescription(
                key=f"button_{button.pin}",
                translation_key="button" if single else "button_of_many",
                device_class=EventDeviceClass.BUTTON,
                event_types=list(EVENT_TYPES),
            ),
        )
        self._attr_translation_placeholders = {"pin": f"P{button.pin}"}
        self._topic = topic
        self._held = False

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the button."""
        await super().async_added_to_hass()
        self.async_on_remove(self.socket.listen(self._topic, self._pressed))

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
