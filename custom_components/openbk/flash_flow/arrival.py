"""Waiting for a freshly written socket to report in over MQTT."""

import asyncio
from collections.abc import Callable
import socket
from typing import Final

from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.device_registry import format_mac

from ..pyopenbk.obk.messages import decode_connected, decode_mac, is_build, publish_all

_TOPICS: Final = ("connected", "mac", "build", "ip")


class Arrival:
    """What one socket, known by its client id and its MAC, has said since it was started."""

    def __init__(self, hass: HomeAssistant, client_id: str, mac: str) -> None:
        """Take the socket that is awaited."""
        self._hass = hass
        self._client_id = client_id
        self._mac = format_mac(mac)
        self._unsubscribe: list[Callable[[], None]] = []
        self._complete = asyncio.Event()
        self._right_mac = False
        self.online = False
        self.build: str | None = None
        self.address: str | None = None

    @property
    def complete(self) -> bool:
        """Return whether it is there, is the right one and has said what it runs."""
        return self._complete.is_set()

    async def async_listen(self) -> None:
        """Subscribe; the socket says mac and build once and unretained, so before it starts."""
        for topic in _TOPICS:
            self._unsubscribe.append(
                await mqtt.async_subscribe(
                    self._hass, f"{self._client_id}/{topic}", self._received
                )
            )

    @callback
    def async_stop(self) -> None:
        """Unsubscribe; may be called more than once."""
        while self._unsubscribe:
            self._unsubscribe.pop()()

    async def async_wait(self, seconds: float) -> bool:
        """Return whether the socket was complete within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._complete.wait()
        except TimeoutError:
            return self.complete
        return True

    async def async_ask(self) -> None:
        """Ask a socket that is online for everything that it reports when it connects."""
        question = publish_all(self._client_id)
        await mqtt.async_publish(
            self._hass, question.topic, question.payload, qos=1, retain=False
        )

    @callback
    def _received(self, message: mqtt.ReceiveMessage) -> None:
        payload = str(message.payload)
        match message.topic.rpartition("/")[2]:
            case "connected":
                # A retained "online" may be what an earlier life of the socket left behind.
                self.online = decode_connected(payload) is True
            case "mac":
                mac = decode_mac(payload)
                self._right_mac = mac is not None and format_mac(mac) == self._mac
            case "build" if is_build(payload):
                self.build = payload
            case "ip":
                self.address = payload
        if self._right_mac and self.build is not None:
            self._complete.set()


async def async_find_in_network(hass: HomeAssistant, host_name: str) -> str | None:
    """Return the address that the network's name server has for the socket, or None."""
    try:
        found = await hass.loop.getaddrinfo(host_name, None, family=socket.AF_INET)
    except OSError:
        return None
    return str(found[0][4][0])
