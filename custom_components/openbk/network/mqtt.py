"""Messages to and from the broker of Home Assistant."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final

from homeassistant.components import mqtt
from homeassistant.config_entries import (
    SIGNAL_CONFIG_ENTRY_CHANGED,
    ConfigEntry,
    ConfigEntryChange,
    ConfigEntryState,
)
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.util.hass_dict import HassKey

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
def is_connected(hass: HomeAssistant) -> bool:
    """Return whether Home Assistant has a broker now.

    Core's own function knows no Home Assistant that has had no MQTT since it started.
    """
    return mqtt.DATA_MQTT in hass.data and mqtt.is_connected(hass)


@callback
def ensure_connected(hass: HomeAssistant) -> None:
    """Raise NotConnectedError where Home Assistant has no broker now, or no MQTT at all."""
    if not is_connected(hass):
        raise NotConnectedError


async def async_wait_for_mqtt(hass: HomeAssistant) -> bool:
    """Wait for core's MQTT; return whether it is loaded, though perhaps not connected.

    Core's own function lets all wait for one future, and the first whose time is over cancels it:
    the others seem to be cancelled themselves, and entries would never be set up (2026.11).
    """
    try:
        return await mqtt.async_wait_for_mqtt_client(hass)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return False


type Received = Callable[[mqtt.ReceiveMessage], None]


class Subscriptions:
    """What somebody listens to for long, also when core's MQTT is loaded anew.

    Core takes up its old subscriptions then, and nobody can take back one that was made before
    (2026.11). So they are left while it is unloaded, and made again when it is back.
    """

    __slots__ = ("_hass", "_leave", "_making", "_topics")

    def __init__(
        self, hass: HomeAssistant, topics: Callable[[], Iterable[tuple[str, Received]]]
    ) -> None:
        """Prepare; ``topics`` yields them with who receives their messages."""
        self._hass = hass
        self._topics = topics
        self._leave: list[CALLBACK_TYPE] = []
        self._making: object | None = None
        """What is being made just now; whoever ends it meanwhile makes it another."""

    async def begin(self) -> None:
        """Subscribe, at once or when core's MQTT is loaded."""
        if (followed := self._hass.data.get(_FOLLOWED)) is None:
            followed = self._hass.data[_FOLLOWED] = _Followed(self._hass)
        followed.add(self)
        await self.subscribe()

    @callback
    def end(self) -> None:
        """Leave everything."""
        if (followed := self._hass.data.get(_FOLLOWED)) is not None:
            followed.discard(self)
        self.unsubscribe()

    async def subscribe(self) -> None:
        """Make the subscriptions, where they are not made and core's MQTT is loaded."""
        if self._leave or self._making or not _is_loaded(self._hass):
            return
        self._making = making = object()
        try:
            for topic, received in self._topics():
                leave = await mqtt.async_subscribe(self._hass, topic, received)
                if self._making is not making:
                    leave()
                    return
                self._leave.append(leave)
        finally:
            if self._making is making:
                self._making = None

    @callback
    def unsubscribe(self) -> None:
        """Leave the topics for now."""
        self._making = None
        while self._leave:
            self._leave.pop()()


class _Followed:
    """All subscriptions that follow core's MQTT, in the order in which they were made."""

    def __init__(self, hass: HomeAssistant) -> None:
        self._hass = hass
        self._all: dict[Subscriptions, None] = {}
        self._stop: CALLBACK_TYPE | None = None

    @callback
    def add(self, subscriptions: Subscriptions) -> None:
        if self._stop is None:
            self._stop = async_dispatcher_connect(
                self._hass, SIGNAL_CONFIG_ENTRY_CHANGED, self._changed
            )
        self._all[subscriptions] = None

    @callback
    def discard(self, subscriptions: Subscriptions) -> None:
        self._all.pop(subscriptions, None)
        if not self._all and self._stop is not None:
            self._stop()
            self._stop = None

    @callback
    def _changed(self, _change: ConfigEntryChange, entry: ConfigEntry) -> None:
        if entry.domain != mqtt.DOMAIN or self._hass.is_stopping:
            return
        if entry.state is ConfigEntryState.UNLOAD_IN_PROGRESS:
            for subscriptions in self._all:
                subscriptions.unsubscribe()
        elif entry.state is ConfigEntryState.LOADED:
            self._hass.async_create_task(self._subscribe())

    async def _subscribe(self) -> None:
        for subscriptions in [*self._all]:
            if subscriptions in self._all:
                await subscriptions.subscribe()


def _is_loaded(hass: HomeAssistant) -> bool:
    entries = hass.config_entries.async_entries(mqtt.DOMAIN)
    return any(entry.state is ConfigEntryState.LOADED for entry in entries)


_FOLLOWED: Final[HassKey[_Followed]] = HassKey(f"{DOMAIN}.followed")


@asynccontextmanager
async def subscribed(
    hass: HomeAssistant,
    topics: Iterable[str],
    received: Received,
) -> AsyncIterator[None]:
    """Subscribe; begin once the broker has taken all topics, or does not in its time.

    Core does so some seconds later while it starts. Whoever leaves before that finds nothing, and
    disturbs core at the subscriptions of others.
    """
    waiting = set(topics)
    wanted = sorted(waiting)
    subscribed = asyncio.Event()

    @callback
    def done(topic: str) -> None:
        waiting.discard(topic)
        if not waiting:
            subscribed.set()

    listening = Subscriptions(hass, lambda: [(topic, received) for topic in wanted])
    stop: list[CALLBACK_TYPE] = []
    try:
        await listening.begin()
        stop += [
            mqtt.async_on_subscribe_done(hass, topic, 0, partial(done, topic))
            for topic in wanted
        ]
        with suppress(TimeoutError):
            async with asyncio.timeout(_SUBSCRIBED_WITHIN):
                await subscribed.wait()
        yield
    finally:
        listening.end()
        for leave in stop:
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
