"""A simulated OpenBeken on a real broker, with somebody who listens to all of it."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
import socket
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector, build
from custom_components.openbk.pyopenbk.roles import PinRole
from simulator.clock import Clock
from simulator.flash import Flash
from simulator.meter import Bl0937, Load
from simulator.openbeken import NATIVE, OpenBeken, Publication, Release, Timing
from simulator.openbeken.settings import Identity, factory_settings
from tests.support.broker import Broker

MAC = "c8:47:8c:12:34:56"
CLIENT = "obk8C123456"
CONFIG_ADDRESS = 0x1D1000
# The recorded sessions' socket, a BLOW 72-074.
PINS = {
    6: (PinRole.BL0937CF1, 0),
    7: (PinRole.BL0937CF, 0),
    8: (PinRole.WIFI_LED_N, 0),
    10: (PinRole.LED_N, 1),
    11: (PinRole.BTN, 1),
    24: (PinRole.BL0937SEL, 0),
    26: (PinRole.REL, 1),
}
LOAD = Load(watts=78.3, volts=231.5, power_factor=78.3 / (231.5 * 0.435))
SPEED = 80.0
# What a test waits at most, in real seconds; it never waits that long when all is well.
PATIENCE = 60.0


def flags(*numbers: int) -> int:
    return sum(1 << number for number in numbers)


def configuration(port: int = 1883, **changes: Any) -> ConfigSector:
    roles, channels = [0] * 32, [0] * 32
    for pin, (role, channel) in PINS.items():
        roles[pin], channels[pin] = int(role), channel
    values = {
        "wifi_ssid": "TestNet",
        "wifi_password": "testpass123",
        "mqtt_host": "127.0.0.1",
        "mqtt_port": port,
        "roles": tuple(roles),
        "channels": tuple(channels),
    }
    return replace(factory_settings(Identity.of(MAC)), **(values | changes))


@dataclass(frozen=True, slots=True)
class Heard:
    """A message as the broker passed it on, with the publisher's retain flag."""

    topic: str
    payload: str
    qos: int
    retain: bool


class Listener:
    """Subscribes to everything with MQTT 5, which shows how a message was published."""

    def __init__(self, broker: Broker) -> None:
        self.heard: list[Heard] = []
        self._broker = broker
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._subscribed = asyncio.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._call(self._subscribed.set)
        self._client.on_message = self._on_message
        self._client.on_socket_open = _send_at_once
        self._client.reconnect_delay_set(0.05, 0.2)

    async def __aenter__(self) -> Self:
        self._client.connect(self._broker.host, self._broker.port)
        self._client.loop_start()
        await asyncio.wait_for(self._subscribed.wait(), PATIENCE)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    def publish(self, topic: str, payload: str = "", *, retain: bool = False) -> None:
        self._client.publish(topic, payload.encode(), retain=retain)

    async def until(self, satisfied: Callable[[list[Heard]], Any]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not satisfied(self.heard):
                self._changed.clear()
                await self._changed.wait()

    async def message(self, topic: str, payload: str | None = None) -> Heard:
        """Wait for a message that may have come already; returns the last such one."""

        def fits(heard: Heard) -> bool:
            return heard.topic == topic and payload in (None, heard.payload)

        await self.until(lambda heard: any(map(fits, heard)))
        return next(filter(fits, reversed(self.heard)))

    def _on_connect(self, client: Client, *_: object) -> None:
        client.subscribe("#", options=SubscribeOptions(qos=2, retainAsPublished=True))

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        payload = message.payload.decode(errors="replace")
        heard = Heard(message.topic, payload, message.qos, message.retain)
        self._call(lambda: self._add(heard))

    def _add(self, heard: Heard) -> None:
        self.heard.append(heard)
        self._changed.set()

    def _call(self, function: Callable[[], None]) -> None:
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function)


def _send_at_once(_client: Client, _data: object, connection: Any) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Rig:
    """The socket, its load, its power, and the listener."""

    def __init__(
        self,
        broker: Broker | None,
        config: ConfigSector | None = None,
        *,
        speed: float = SPEED,
        timing: Timing = NATIVE,
        release: Release | None = None,
        meter: Callable[[Clock], Bl0937] | None = None,
        **options: Any,
    ) -> None:
        self.clock = Clock(speed)
        self.flash = Flash()
        if config:
            self.flash.rewrite(CONFIG_ADDRESS, build(config))
        make = meter or (lambda clock: Bl0937(clock, load=LOAD))
        self.meter = make(self.clock)
        self.published: list[Publication] = []
        self._listener = Listener(broker) if broker else None
        self.device = OpenBeken(
            self.flash,
            self.clock,
            self.meter,
            MAC,
            timing=timing,
            release=release,
            on_publish=self.published.append,
            on_restart=self._note_restart,
            **options,
        )
        self.restarts = 0
        self.boots: list[float] = []
        """The simulated moment of each power-on and restart so far."""
        self._task: asyncio.Task[None] | None = None
        self._guards = count()

    async def __aenter__(self) -> Self:
        if self._listener:
            await self._listener.__aenter__()
        await self.power_on()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.power_off()
        if self._listener:
            await self._listener.__aexit__()

    @property
    def listener(self) -> Listener:
        assert self._listener
        return self._listener

    async def power_on(self) -> None:
        self._task = asyncio.create_task(self._live())
        await self.until(lambda: self.device.running)

    async def power_off(self) -> None:
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def ended(self) -> None:
        """Wait until the firmware ends by itself, with the error that it ended with."""
        assert self._task
        task, self._task = self._task, None
        await task

    async def power_cycle(self) -> None:
        await self.power_off()
        await self.power_on()

    async def uptime(self, seconds: float) -> None:
        """Wait until so many simulated seconds after power-on."""
        await self.clock.sleep_until(self.device.booted_at + seconds)

    async def seconds(self, count: int) -> None:
        """Wait until the firmware has worked through so many of its seconds."""
        end = self.device.uptime + count
        await self.until(lambda: self.device.uptime >= end)

    async def until(self, satisfied: Callable[[], Any]) -> None:
        """Wait for something that has no event, looking every tenth of a second."""
        async with asyncio.timeout(PATIENCE):
            while not satisfied():
                await self.clock.sleep(0.1)

    async def online(self) -> None:
        await self.listener.message(f"{CLIENT}/connected", "online")

    async def online_again(self) -> None:
        """Wait for the next connection, in a session that had one before."""
        await self.until(lambda: self.device.running and self.device.mqtt.online)

    async def quiet(self) -> None:
        """Wait until everything that the connection set off has been said."""
        await self.until(
            lambda: any(p.topic.endswith("/1/get") for p in self.published)
        )
        await self.seconds(2)
        await self.settle()

    async def settle(self) -> None:
        """Wait until the socket has obeyed everything that was sent to it before.

        Twice, because an answer may come back to the socket and set off another one.
        """
        for _ in range(2):
            name = f"guard{next(self._guards)}"
            self.listener.publish(f"cmnd/{CLIENT}/publish", f"{name} 1")
            await self.listener.message(f"{CLIENT}/{name}/get")

    @property
    def heard(self) -> list[Heard]:
        """Return what the broker heard so far, without what ``settle`` set off."""
        return [
            heard
            for heard in self.listener.heard
            if "guard" not in heard.topic + heard.payload
        ]

    async def command(self, command: str, arguments: str = "") -> None:
        """Send a console command and wait until it has been obeyed."""
        self.listener.publish(f"cmnd/{CLIENT}/{command}", arguments)
        await self.settle()

    async def say(self, topic: str, payload: str = "") -> list[Heard]:
        """Send something; returns what the broker heard from then until it was obeyed."""
        start = len(self.heard)
        self.listener.publish(topic, payload)
        await self.settle()
        return self.heard[start:]

    def said(self, topic: str) -> list[str]:
        """Return the payloads of a topic below the client id, oldest first."""
        return [
            publication.payload.decode()
            for publication in self.published
            if publication.topic == f"{CLIENT}/{topic}"
        ]

    async def http(self, request: bytes) -> bytes:
        """Send a request in one segment and return the whole answer."""
        return await self.http_in_pieces([request])

    async def http_in_pieces(self, pieces: Sequence[bytes]) -> bytes:
        """Send a request in several segments."""
        await self.until(lambda: self.device.http_address)
        host, port = str(self.device.http_address).split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            return await asyncio.wait_for(reader.read(), PATIENCE)
        finally:
            writer.close()

    async def get(self, target: str, *headers: str) -> bytes:
        lines = (f"GET {target} HTTP/1.1", "Host: socket", *headers, "", "")
        return await self.http("\r\n".join(lines).encode())

    async def post(self, target: str, body: str, *headers: str) -> bytes:
        lines = (
            f"POST {target} HTTP/1.1",
            "Host: socket",
            f"Content-Length: {len(body.encode())}",
            *headers,
            "",
            body,
        )
        return await self.http("\r\n".join(lines).encode())

    def _note_restart(self) -> None:
        self.restarts += 1

    async def _live(self) -> None:
        while True:
            self.boots.append(self.clock.now())
            await self.device.run()


def body(answer: bytes) -> str:
    """Return what follows the head of an answer."""
    return answer.partition(b"\r\n\r\n")[2].decode()


def status(answer: bytes) -> int:
    """Return the status of an answer."""
    return int(answer.split(b" ")[1])
