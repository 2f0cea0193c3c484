"""Whether a socket reports to a broker, which need not be that of Home Assistant."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
import threading

from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import format_mac
from paho.mqtt.client import Client, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from ..const import LOGGER
from ..pyopenbk.obk import messages
from ..pyopenbk.obk.setup import Broker
from .broker import addresses_of


@asynccontextmanager
async def async_watch(
    hass: HomeAssistant, broker: Broker, client_id: str, mac: str
) -> AsyncIterator[asyncio.Event]:
    """Log in beside the socket with its login; the event is set once it arrives and says its MAC.

    What the broker has kept from an earlier time does not count. Nothing is raised where the
    broker is not there: then nothing is seen either.
    """
    seen = asyncio.Event()
    watch = _Watch(
        broker, client_id, mac, partial(hass.loop.call_soon_threadsafe, seen.set)
    )
    try:
        await hass.async_add_executor_job(watch.begin)
        yield seen
    finally:
        await hass.async_add_executor_job(watch.end)


class _Watch:
    """A session of paho-mqtt, in a thread of its own, under a name that nobody else has."""

    def __init__(
        self, broker: Broker, client_id: str, mac: str, found: Callable[[], object]
    ) -> None:
        """Prepare; nothing is sent yet."""
        self._broker = broker
        self._client_id = client_id
        self._mac = mac
        self._found = found
        self._online = False
        # Whoever closes the dialog ends what may not even have begun in its thread.
        self._lock = threading.Lock()
        self._ended = False
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv311)
        self._client.on_connect = self._connected
        self._client.on_message = self._heard
        if broker.username:
            self._client.username_pw_set(broker.username, broker.password or None)

    def begin(self) -> None:
        """Connect, unless that is not wanted any more; blocks while a name is looked up."""
        with self._lock:
            if self._ended or not (found := addresses_of(self._broker.host)):
                return
            self._client.connect_async(str(found[0]), self._broker.port)
            self._client.loop_start()

    def end(self) -> None:
        """Leave the broker, or never go there; blocks until the thread has ended."""
        with self._lock:
            self._ended = True
            self._client.disconnect()
            self._client.loop_stop()

    def _connected(self, *_: object) -> None:
        for topic in ("connected", "mac"):
            self._client.subscribe(f"{self._client_id}/{topic}")

    def _heard(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        if message.retain:
            return
        payload = message.payload.decode(errors="replace")
        if message.topic.endswith("/connected"):
            # It may have been on this broker before: only what follows its arrival counts.
            self._online = messages.decode_connected(payload) or False
            # And it may be set not to say who it is by itself.
            ask = messages.publish_all(self._client_id)
            client.publish(ask.topic, ask.payload)
        elif self._online and format_mac(payload) == self._mac:
            LOGGER.debug("%s reports to its new broker", self._client_id)
            self._found()
