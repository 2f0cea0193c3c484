"""Messages to and from the broker of Home Assistant."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final

from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError

from ..const import DOMAIN
from ..pyopenbk.obk.messages import Publication

# Core subscribes within a second, but waits some ten of them while Home Assistant starts.
_SUBSCRIBED_WITHIN: Final = 20.0


class NotConnectedError(HomeAssistantError):
    """Home Assistant is not connected to its broker, so it can neither ask a socket nor hear it."""

    def __init__(self) -> None:
        """Say so in the words of this integration."""
        super().__init__(translation_domain=DOMAIN, translation_key="mqtt_disconnected")


@callback
def ensure_connected(hass: HomeAssistant) -> None:
    """Raise NotConnectedError where Home Assistant has no broker now, or no MQTT at all."""
    if mqtt.DATA_MQTT not in hass.data or not mqtt.is_connected(hass):
        raise NotConnectedError


@asynccontextmanager
async def subscribed(
    hass: HomeAssistant,
    topics: Iterable[str],
    received: Callable[[mqtt.ReceiveMessage], None],
) -> AsyncIterator[None]:
    """Subscribe; begin once the broker has taken all topics, or does not in its time.

    Core does so some seconds later while it starts. Whoever leaves before that finds nothing, and
    disturbs core at the subscriptions of others.
    """
    waiting = set(topics)
    subscribed = asyncio.Event()

    @callback
    def done(topic: str) -> None:
        waiting.discard(topic)
        if not waiting:
            subscribed.set()

    unsubscribe = []
    try:
        for topic in sorted(waiting):
            unsubscribe += [
                await mqtt.async_subscribe(hass, topic, received),
                mqtt.async_on_subscribe_done(hass, topic, 0, partial(done, topic)),
            ]
        with suppress(TimeoutError):
            async with asyncio.timeout(_SUBSCRIBED_WITHIN):
                await subscribed.wait()
        yield
    finally:
        for leave in unsubscribe:
            leave()


async def publish(hass: HomeAssistant, publication: Publication) -> None:
    """Publish a message; raises NotConnectedError where the broker does not get it."""
    try:
        await mqtt.async_publish(
            hass,
            publication.topic,
            publication.payload,
            publication.qos,
            publication.retain,
        )
    except HomeAssistantError as err:
        raise NotConnectedError from err
