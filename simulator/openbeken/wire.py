"""The MQTT 3.1.1 client of the simulated firmware: packets only, no policy."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
import struct
from typing import Final, override

KEEP_ALIVE_SECONDS: Final = 100


class _Packet(IntEnum):
    """Control packet types, MQTT 3.1.1 table 2.1."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    PINGREQ = 12
    PINGRESP = 13


class ConnectionRefused(Exception):
    """The broker answered, but does not let this client in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who the client says it is; an empty user name or password is left out."""

    client_id: str
    username: str
    password: str


type MessageHandler = Callable[[str, bytes, int], None]


class MqttConnection(asyncio.Protocol):
    """One connection, from CONNECT to its end; it is never used twice.

    A clean session with a retained last will of QoS 1. Publications are written at once
    and in order; acknowledgements are awaited by nobody, as in the firmware.
    """

    def __init__(self, on_message: MessageHandler) -> None:
        """Prepare a connection; ``on_message(topic, payload, qos)`` gets the messages."""
        self._on_message = on_message
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._accepted: asyncio.Future[None] = (
            asyncio.get_running_loop().create_future()
        )
        self._last_packet_id = 0
        self._silent = False
        self.connected = False
        """The broker has accepted the client and the connection still stands."""
        self.completed = asyncio.Event()
        """A message of QoS 2 has been taken over by the broker."""

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        credentials: Credentials,
        *,
        will_topic: str,
        will: bytes,
        on_message: MessageHandler,
    ) -> MqttConnection:
        """Connect and log in; raises OSError or ConnectionRefused."""
        loop = asyncio.get_running_loop()
        connection = cls(on_message)
        await loop.create_connection(lambda: connection, host, port)
        connection._send(_Packet.CONNECT, 0, _connect(credentials, will_topic, will))
        try:
            await connection._accepted
        except BaseException:
            connection.abort()
            raise
        return connection

    def abort(self) -> None:
        """Drop the connection without a DISCONNECT: the broker publishes the last will."""
        self.connected = False
        if self._transport:
            self._transport.abort()

    def fall_silent(self) -> None:
        """Neither answer nor hang up, as a chip without power.

        The broker finds out when its keep-alive runs out, or when the client comes back.
        """
        self.connected = False
        self._silent = True

    def subscribe(self, topic_filter: str, qos: int = 1) -> None:
        """Ask for a topic filter."""
        body = struct.pack(">H", self._next_packet_id())
        self._send(_Packet.SUBSCRIBE, 2, body + _text(topic_filter) + bytes([qos]))

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        """Send a message."""
        body = _text(topic)
        if qos:
            body += struct.pack(">H", self._next_packet_id())
        self._send(_Packet.PUBLISH, qos << 1 | retain, body + payload)

    def ping(self) -> None:
        """Show the broker that the client is alive."""
        self._send(_Packet.PINGREQ, 0, b"")

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.connected = False
        self.completed.set()
        if not self._accepted.done():
            self._accepted.set_exception(ConnectionResetError("no answer to CONNECT"))
            # Whoever opened it may have been cancelled; an exception nobody looks at is reported.
            self._accepted.exception()

    @override
    def data_received(self, data: bytes) -> None:
        if self._silent:
            return
        self._buffer += data
        while (packet := _take_packet(self._buffer)) is not None:
            self._handle(*packet)

    def _handle(self, first: int, body: bytes) -> None:
        match first >> 4:
            case _Packet.CONNACK:
                self._on_connack(body[1])
            case _Packet.PUBLISH:
                self._on_publish(first >> 1 & 3, body)
            case _Packet.PUBREC:
                self._send(_Packet.PUBREL, 2, body[:2])
            case _Packet.PUBCOMP:
                self.completed.set()

    def _on_connack(self, code: int) -> None:
        if self._accepted.done():
            return
        if code:
            self._accepted.set_exception(ConnectionRefused(f"return code {code}"))
            return
        self.connected = True
        self._accepted.set_result(None)

    def _on_publish(self, qos: int, body: bytes) -> None:
        (length,) = struct.unpack_from(">H", body)
        payload_at = 2 + length
        topic = body[2:payload_at].decode(errors="replace")
        if qos:
            self._send(_Packet.PUBACK, 0, body[payload_at : payload_at + 2])
            payload_at += 2
        self._on_message(topic, body[payload_at:], qos)

    def _next_packet_id(self) -> int:
        self._last_packet_id = self._last_packet_id % 0xFFFF + 1
        return self._last_packet_id

    def _send(self, packet: _Packet, flags: int, body: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            first = bytes([packet << 4 | flags])
            self._transport.write(first + _length(len(body)) + body)


def _connect(credentials: Credentials, will_topic: str, will: bytes) -> bytes:
    # Clean session, will with QoS 1, retained.
    flags = 0x02 | 0x04 | 1 << 3 | 0x20
    payload = _text(credentials.client_id) + _text(will_topic) + _binary(will)
    if credentials.username:
        flags |= 0x80
        payload += _text(credentials.username)
    if credentials.password:
        flags |= 0x40
        payload += _text(credentials.password)
    head = _text("MQTT") + bytes([4, flags])
    return head + struct.pack(">H", KEEP_ALIVE_SECONDS) + payload


def _text(text: str) -> bytes:
    return _binary(text.encode(errors="surrogateescape"))


def _binary(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data


def _length(length: int) -> bytes:
    encoded = bytearray()
    while True:
        length, low = divmod(length, 128)
        encoded.append(low | (0x80 if length else 0))
        if not length:
            return bytes(encoded)


def _take_packet(buffer: bytearray) -> tuple[int, bytes] | None:
    """Take one whole packet off the buffer: its first byte and its body."""
    length = shift = 0
    for at in range(1, 5):
        if at >= len(buffer):
            return None
        length |= (buffer[at] & 0x7F) << shift
        shift += 7
        if not buffer[at] & 0x80:
            break
    end = at + 1 + length
    if len(buffer) < end:
        return None
    packet = buffer[0], bytes(buffer[at + 1 : end])
    del buffer[:end]
    return packet
