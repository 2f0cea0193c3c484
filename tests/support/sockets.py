"""Sockets as Home Assistant knows them, and a scripted one on the broker."""

import asyncio
from collections.abc import Callable, Iterable
import inspect
from typing import Any, Protocol

from homeassistant.components import mqtt
from homeassistant.config_entries import SOURCE_IGNORE
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from pytest_homeassistant_custom_component.common import MockConfigEntry
import pytest_socket

from custom_components.openbk.pyopenbk.profile import PinAssignment, SocketProfile
from custom_components.openbk.pyopenbk.roles import PinRole
from tests.support.waiting import TIMEOUT, until

MAC = "c8:47:8c:12:34:56"
CLIENT_ID = "obk8C123456"
BUILD = "OpenBK7231N 1.18.300 Nov 22 2026 16:44:43"

# The BLOW 72-074, as its factory storage has it.
BLOW = SocketProfile.of(
    (
        PinAssignment(pin=6, role=PinRole.BL0937CF1),
        PinAssignment(pin=7, role=PinRole.BL0937CF),
        PinAssignment(pin=8, role=PinRole.WIFI_LED_N),
        PinAssignment(pin=10, role=PinRole.LED_N, channel=1),
        PinAssignment(pin=11, role=PinRole.BTN, channel=1),
        PinAssignment(pin=24, role=PinRole.BL0937SEL),
        PinAssignment(pin=26, role=PinRole.REL, channel=1),
    ),
    "CB2S",
)

# A socket as it is sold under several names: its relay has a coil for on and one for off.
TWO_COILS = SocketProfile.of(
    (
        PinAssignment(pin=6, role=PinRole.BL0937CF1),
        PinAssignment(pin=7, role=PinRole.BL0937CF),
        PinAssignment(pin=8, role=PinRole.BRIDGE_REV, channel=1),
        PinAssignment(pin=11, role=PinRole.BTN, channel=1),
        PinAssignment(pin=24, role=PinRole.BL0937SEL),
        PinAssignment(pin=26, role=PinRole.BRIDGE_FWD, channel=1),
    ),
    "CB2S",
)


def socket_entry(
    profile: SocketProfile = BLOW,
    mac: str = MAC,
    client_id: str = CLIENT_ID,
    options: dict[str, Any] | None = None,
    **data: Any,
) -> MockConfigEntry:
    """Return an entry as the wizard makes it."""
    return MockConfigEntry(
        domain="openbk",
        title="Washing machine",
        unique_id=mac,
        data={
            "mac": mac,
            "client_id": client_id,
            "group": "bekens_n",
            "profile": profile.as_dict(),
            "address": None,
            "firmware": None,
            **data,
        },
        options=options,
    )


def ignored(mac: str) -> MockConfigEntry:
    """Return what core keeps of a card that somebody wants to be ignored."""
    return MockConfigEntry(domain="openbk", source=SOURCE_IGNORE, unique_id=mac)


class Reachable(Protocol):
    """Where a broker is to be found."""

    @property
    def host(self) -> str:
        """Return the address."""
        ...

    @property
    def port(self) -> int:
        """Return the TCP port."""
        ...


async def connect_mqtt(
    hass: HomeAssistant, broker: Reachable, *, birth: bool = False, **login: str
) -> MockConfigEntry:
    """Set up the core MQTT integration with a real broker and wait for the connection."""
    pytest_socket.socket_allow_hosts(["127.0.0.0/8"], allow_unix_socket=True)
    entry = MockConfigEntry(
        domain=mqtt.DOMAIN,
        data={"broker": broker.host, "port": broker.port, "protocol": "5", **login},
        options={"discovery": True}
        if birth
        else {"birth_message": {}, "discovery": True},
        version=mqtt.CONFIG_ENTRY_VERSION,
        minor_version=mqtt.CONFIG_ENTRY_MINOR_VERSION,
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: mqtt.is_connected(hass))
    return entry


async def listen(
    hass: HomeAssistant, topic: str, received: Callable[[mqtt.ReceiveMessage], Any]
) -> CALLBACK_TYPE:
    """Subscribe and return once the broker knows of it.

    A function that is no coroutine need be no callback either: core would run it in threads, so in
    any order.
    """
    done = asyncio.Event()

    @callback
    def in_order(message: mqtt.ReceiveMessage) -> None:
        received(message)

    listener = received if inspect.iscoroutinefunction(received) else in_order
    unsubscribe = await mqtt.async_subscribe(hass, topic, listener)
    stop = mqtt.async_on_subscribe_done(hass, topic, 0, done.set)
    async with asyncio.timeout(TIMEOUT):
        await done.wait()
    stop()
    return unsubscribe


async def listens_for_sockets(hass: HomeAssistant) -> None:
    """Wait until core would hear of a socket that comes, which says its build only once."""
    done = asyncio.Event()
    stop = mqtt.async_on_subscribe_done(hass, "+/build", 0, done.set)
    async with asyncio.timeout(TIMEOUT):
        await done.wait()
    stop()


def subscriptions(hass: HomeAssistant) -> set[str]:
    """Return the topics that Home Assistant is subscribed to."""
    return {item.topic for item in hass.data["mqtt"].client.subscriptions}


async def search_over(hass: HomeAssistant) -> None:
    """Wait until the search for other sockets, once after the start, has ended.

    If its wildcard goes while core renews its subscriptions, core stops doing so.
    """
    await until(lambda: "+/connected" not in subscriptions(hass))


async def add_socket(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Set up a socket's entry."""
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


class ScriptedSocket:
    """Speaks for a socket over Home Assistant's own connection to the broker.

    It answers questions for its channels, says the words that it is told to and echoes changed
    channels, as the real one does (recorded from OpenBeken 1.18.299).
    """

    def __init__(self, hass: HomeAssistant, client_id: str = CLIENT_ID) -> None:
        """Prepare the socket; it says nothing yet."""
        self.hass = hass
        self.client_id = client_id
        self.channels: dict[int, int] = {1: 0}
        self.deaf = False
        self.heard: list[tuple[str, str]] = []

    async def connect(self, channels: Iterable[int] = (1,)) -> None:
        """Start to listen and say that the socket is online."""
        for channel in channels:
            self.channels.setdefault(channel, 0)
            for verb in ("get", "set"):
                await mqtt.async_subscribe(
                    self.hass, f"{self.client_id}/{channel}/{verb}", self._received
                )
        await mqtt.async_subscribe(
            self.hass, f"cmnd/{self.client_id}/+", self._received
        )
        await self.say("connected", "online", retain=True)

    async def say(self, suffix: str, payload: str, *, retain: bool = False) -> None:
        """Publish below the client id."""
        await mqtt.async_publish(
            self.hass, f"{self.client_id}/{suffix}", payload, 1, retain
        )

    @callback
    def _received(self, message: mqtt.ReceiveMessage) -> None:
        payload = str(message.payload)
        name, _, verb = message.topic.removeprefix(f"{self.client_id}/").partition("/")
        if verb == "get" and payload:
            return
        self.heard.append((message.topic, payload))
        if self.deaf:
            return
        if name == "cmnd" and verb.endswith("/publish"):
            topic, _, word = payload.partition(" ")
            self.hass.async_create_task(self.say(f"{topic}/get", word))
        if not name.isdecimal():
            return
        channel = int(name)
        if verb == "set":
            if self.channels[channel] == int(payload):
                return
            self.channels[channel] = int(payload)
        self.hass.async_create_task(
            self.say(f"{channel}/get", str(self.channels[channel]))
        )


async def add_scripted_socket(
    hass: HomeAssistant, entry: MockConfigEntry
) -> ScriptedSocket:
    """Set up a socket's entry, speak for the socket and wait until it is known to be there."""
    await add_socket(hass, entry)
    scripted = ScriptedSocket(hass, entry.data["client_id"])
    await scripted.connect()
    await until(lambda: entry.runtime_data.online)
    return scripted
