"""A trigger for what a person does with the button of a socket."""

from typing import Final, override

from homeassistant.components.event import (
    ATTR_EVENT_TYPE,
    ATTR_MULTI_PRESS_COUNT,
    DOMAIN as EVENT_DOMAIN,
    ButtonEventType,
    EventDeviceClass,
)
from homeassistant.const import CONF_OPTIONS
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.trigger import (
    ENTITY_STATE_TRIGGER_SCHEMA,
    NotTriggeredReasonReporter,
    StatelessEntityTriggerBase,
    Trigger,
    TriggerConfig,
)
import probatio

from .const import DOMAIN
from .event import EVENTS
from .pyopenbk.obk.messages import Gesture

CONF_PRESS: Final = "press"

_SCHEMA: Final = ENTITY_STATE_TRIGGER_SCHEMA.extend(
    {
        probatio.Required(CONF_OPTIONS): {
            probatio.Required(CONF_PRESS): probatio.All(
                probatio.EnsureList(), probatio.NonEmpty(), [probatio.Coerce(Gesture)]
            ),
        },
    }
)


class ButtonPressedTrigger(StatelessEntityTriggerBase):
    """Triggers when the button of a socket is pressed in one of the chosen ways.

    Core's ``event.received`` cannot tell two presses from three, which have one event type.
    """

    _domain_specs = {EVENT_DOMAIN: DomainSpec(device_class=EventDeviceClass.BUTTON)}
    _schema = _SCHEMA

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Look for the presses that the options name."""
        super().__init__(hass, config)
        self._presses = {_seen(press) for press in self._options[CONF_PRESS]}

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        """Return the buttons of sockets; an area may have others."""
        registry = er.async_get(self._hass)
        return {
            entity_id
            for entity_id in super().entity_filter(entities)
            if (entry := registry.async_get(entity_id)) and entry.platform == DOMAIN
        }

    @override
    def is_valid_state(
        self, state: State, report_not_triggered: NotTriggeredReasonReporter
    ) -> bool:
        """Return whether the button was pressed as it should be."""
        seen = state.attributes
        return (
            seen.get(ATTR_EVENT_TYPE),
            seen.get(ATTR_MULTI_PRESS_COUNT),
        ) in self._presses


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """Return the triggers of sockets."""
    return {"button_pressed": ButtonPressedTrigger}


def _seen(press: Gesture) -> tuple[ButtonEventType, int | None]:
    """Return the event type and the number of presses that an event entity shows."""
    if press is Gesture.RELEASE:
        return ButtonEventType.LONG_PRESS_END, None
    event_type, attributes = EVENTS[press]
    return event_type, (attributes or {}).get(ATTR_MULTI_PRESS_COUNT)
