"""The line between Home Assistant and its broker: it passes packets on, or does to them what it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum, auto
from random import Random
import time
from typing import Final, Self

# MQTT 5.0, 2.1.2: the type is in the upper half of the first byte.
_PUBLISH: Final = 3
_CHUNK: Final = 1 << 16


class Way(Enum):
    """Where a packet goes."""

    TO_BROKER = auto()
    TO_HOME_ASSISTANT = auto()


@dataclass(frozen=True, slots=True)
class Packet:
    """One MQTT packet, whole; of a message also its topic and where its payload begins."""

    data: bytes
    topic: str = ""
    payload_at: int = 0

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Read what is of interest in it (MQTT 5.0, 3.3.2)."""
        if data[0] >> 4 != _PUBLISH:
            return cls(data)
        _, at = _number(data, 1)
        length = int.from_bytes(data[at : at + 2])
        at += 2
        topic = data[at : at + length].decode(errors="replace")
        at += length + (2 if data[0] >> 1 & 3 else 0)
        size, at = _number(data, at)
        return cls(data, topic, at + size)

    @property
    def is_message(self) -> bool:
        """Return whether it is a PUBLISH."""
        return bool(self.topic)

    @property
    def payload(self) -> bytes:
        """Return what the message says."""
        return self.data[self.payload_at :]

    def saying(self, payload: bytes) -> Packet:
        """Return the same message with another payload."""
        _, start = _number(self.data, 1)
        body = self.data[start : self.payload_at] + payload
        head = self.data[:1] + _encoded(len(body))
        return replace(
            self,
            data=head + body,
            payload_at=len(head) + self.payload_at - start,
        )


type Disturb = Callable[[Way, Packet], list[Packet]]


class Line:
    """Listens for Home Assistant and connects to the broker.

    It always takes what comes, so that nothing seems to be on its way while time should pass.
    """

    host = "127.0.0.1"

    def __init__(self, host: str, port: int) -> None:
        """Lead to a broker; nothing listens yet."""
        self._to = host, port
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self.passes = asyncio.Event()
        """While it is not set, everything is kept until it is."""
        self.passes.set()
        self.cut = False
        """Nobody gets in."""
        self.delay = 0.0
        """Seconds that each packet takes."""
        self.disturb: Disturb | None = None
        self.sent: list[tuple[float, str, bytes]] = []
        """When Home Assistant said what on which topic."""
        self.broken: list[float] = []
        """When a connection ended."""
        self.heard = 0
        """Messages to Home Assistant."""

    @property
    def port(self) -> int:
        """Return where it listens."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._serve, self.host, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close everything."""
        assert self._server is not None
        self._server.close()
        self.break_off()
        await self._server.wait_closed()

    def break_off(self) -> None:
        """Break the connections that there are."""
        for connection in [*self._connections]:
            connection.close()

    def cut_off(self) -> None:
        """Break the connections in the middle of a packet."""
        for connection in [*self._connections]:
            connection.close_with(b"\x30\x7f\x00")

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self.cut:
            writer.close()
            return
        try:
            there = await asyncio.open_connection(*self._to)
        except OSError:
            writer.close()
            return
        connection = _Connection(self, (reader, writer), there)
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
            self.broken.append(time.monotonic())

    def note(self, way: Way, packet: Packet) -> None:
        """Take note of a message."""
        if way is Way.TO_HOME_ASSISTANT:
            self.heard += 1
        else:
            self.sent.append((time.monotonic(), packet.topic, packet.payload))


type _Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Connection:
    """One connection and its two directions."""

    def __init__(self, line: Line, here: _Ends, there: _Ends) -> None:
        self._line = line
        self._here = here
        self._there = there

    async def run(self) -> None:
        """Pass packets on until one end has enough."""
        directions = [
            asyncio.create_task(self._pass_on(Way.TO_BROKER, self._here, self._there)),
            asyncio.create_task(
                self._pass_on(Way.TO_HOME_ASSISTANT, self._there, self._here)
            ),
        ]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
            self.close()
            await asyncio.gather(*directions, return_exceptions=True)

    def close(self) -> None:
        """Break it off."""
        for _, writer in (self._here, self._there):
            writer.transport.abort()

    def close_with(self, last: bytes) -> None:
        """Let Home Assistant get a last piece before it ends."""
        self._here[1].write(last)
        self._here[1].close()
        self._there[1].transport.abort()

    async def _pass_on(self, way: Way, source: _Ends, target: _Ends) -> None:
        waiting: asyncio.Queue[tuple[float, bytes] | None] = asyncio.Queue()
        writing = asyncio.create_task(self._write(waiting, target[1]))
        try:
            async for packet in _packets(source[0]):
                if packet.is_message:
                    self._line.note(way, packet)
                disturb = self._line.disturb
                due = time.monotonic() + self._line.delay
                for item in disturb(way, packet) if disturb else (packet,):
                    waiting.put_nowait((due, item.data))
            waiting.put_nowait(None)
            await writing
        finally:
            writing.cancel()

    async def _write(
        self,
        waiting: asyncio.Queue[tuple[float, bytes] | None],
        writer: asyncio.StreamWriter,
    ) -> None:
        while (item := await waiting.get()) is not None:
            due, data = item
            if (left := due - time.monotonic()) > 0:
                await asyncio.sleep(left)
            await self._line.passes.wait()
            writer.write(data)
            with suppress(ConnectionError):
                await writer.drain()


async def _packets(reader: asyncio.StreamReader) -> AsyncIterator[Packet]:
    buffer = bytearray()
    while True:
        try:
            data = await reader.read(_CHUNK)
        except ConnectionError:
            return
        if not data:
            return
        buffer += data
        while (length := _length(buffer)) is not None:
            yield Packet.of(bytes(buffer[:length]))
            del buffer[:length]


def _length(buffer: bytearray) -> int | None:
    """Return how many bytes the first packet has, None while it is not whole."""
    try:
        size, at = _number(buffer, 1)
    except IndexError:
        return None
    return at + size if len(buffer) >= at + size else None


def _number(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """Return a variable byte integer (MQTT 5.0, 1.5.5) and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, at


def _encoded(value: int) -> bytes:
    encoded = bytearray()
    while True:
        value, low = divmod(value, 128)
        encoded.append(low | (0x80 if value else 0))
        if not value:
            return bytes(encoded)


# What may be done to packets


def doubled(random: Random) -> Disturb:
    """Let messages arrive twice or three times."""

    def disturb(_way: Way, packet: Packet) -> list[Packet]:
        times = random.choice((1, 2, 2, 3)) if packet.is_message else 1
        return [packet] * times

    return disturb


def reordered(random: Random) -> Disturb:
    """Let messages overtake each other, but for those of one topic, whose order MQTT promises."""
    kept: dict[Way, list[Packet]] = {way: [] for way in Way}

    def disturb(way: Way, packet: Packet) -> list[Packet]:
        held = kept[way]
        if (
            packet.is_message
            and packet.topic not in {item.topic for item in held}
            and random.random() < 0.5
            and len(held) < 5
        ):
            held.append(packet)
            return []
        late, kept[way] = held, []
        random.shuffle(late)
        behind = packet.topic not in {item.topic for item in late}
        return [packet, *late] if behind else [*late, packet]

    return disturb


def truncated(random: Random) -> Disturb:
    """Let messages to Home Assistant lose their ends.

    Of a number nothing is left: what begins one is another, which nobody could tell from the truth.
    """

    def disturb(way: Way, packet: Packet) -> list[Packet]:
        if (
            way is Way.TO_BROKER
            or len(packet.payload) < 2
            or not packet.is_message
            or random.random() < 0.5
        ):
            return [packet]
        said = packet.payload
        is_number = said.replace(b".", b"").lstrip(b"-").isdigit()
        left = 0 if is_number else random.randrange(len(said))
        return [packet.saying(said[:left])]

    return disturb
