"""The broker between us and a socket: what is said there, and saying something."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from .expectations import BrokenError, shorten

_PATIENCE: Final = 20.0


@dataclass(frozen=True, slots=True)
class Message:
    """A message as the broker passed it on."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    """It lay at the broker before we came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How to reach a broker."""

    host: str
    port: int = 1883
    username: str | None = None
    password: str | None = None


class Broker:
    """A connection of our own to the broker of a socket."""

    def __init__(self, client: Client, login: Login) -> None:
        """Take a connected client; use `connect`."""
        self.login = login
        self.heard: list[Message] = []
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        client.on_message = self._on_message

    def publish(self, topic: str, payload: str | bytes = "") -> None:
        """Publish with QoS 1, not retained."""
        self._client.publish(topic, payload, qos=1)

    async def wait(
        self,
        fits: Callable[[Message], bool],
        what: str,
        *,
        since: int = 0,
        seconds: float = _PATIENCE,
    ) -> Message:
        """Return the first message that ``fits``, of those after the first ``since``.

        Raises BrokenError, naming ``what``, when none comes for so many seconds.
        """
        try:
            async with asyncio.timeout(seconds):
                while True:
                    for message in self.heard[since:]:
                        if fits(message):
                            return message
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            others = sorted({message.topic for message in self.heard[since:]})
            raise BrokenError(
                f"no {what} for {seconds:g} s; heard {shorten(others)}"
            ) from None

    async def retained(self, topic: str) -> bytes | None:
        """Return what lies at the broker under ``topic``, as somebody hears it who comes new."""
        async with connect(self.login, [topic]) as newcomer:
            with suppress(BrokenError):
                message = await newcomer.wait(
                    lambda message: message.retain, "retained message", seconds=3
                )
                return message.payload
        return None

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        heard = Message(message.topic, message.payload, message.qos, message.retain)
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._add, heard)

    def _add(self, message: Message) -> None:
        self.heard.append(message)
        self._news.set()


@asynccontextmanager
async def connect(login: Login, topics: list[str]) -> AsyncGenerator[Broker]:
    """Connect to a broker and subscribe; raises OSError with what went wrong."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    client = Client(CallbackAPIVersion.VERSION2)
    if login.username is not None:
        client.username_pw_set(login.username, login.password)

    def settle(error: str | None) -> None:
        if not ready.done():
            if error is None:
                ready.set_result(None)
            else:
                ready.set_exception(ConnectionRefusedError(error))

    def tell(error: str | None) -> None:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, error)

    def on_connect(
        client: Client, _data: object, _flags: object, reason: object, _: object
    ) -> None:
        if str(reason) == "Success":
            client.subscribe([(topic, 2) for topic in topics])
        else:
            tell(f"the broker says: {reason}")

    def on_subscribe(
        _client: Client, _data: object, _mid: int, codes: list[ReasonCode], _: object
    ) -> None:
        refused = any(code.is_failure for code in codes)
        tell("this login may not listen" if refused else None)

    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    broker = Broker(client, login)
    await asyncio.to_thread(client.connect, login.host, login.port)
    client.loop_start()
    try:
        async with asyncio.timeout(_PATIENCE):
            await ready
        yield broker
    finally:
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)
