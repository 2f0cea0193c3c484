"""The firmware's web server: how it reads requests and writes answers, traps included."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
import socket
import struct
from typing import Final
from urllib.parse import parse_qsl

HTML: Final = "text/html"
JSON: Final = "application/json"
TEXT: Final = "text/plain"
BINARY: Final = "application/octet-stream"

_FIRST_READ: Final = 1022
_FURTHER_READ: Final = 1024
_HEADER_LIMIT: Final = 16
_LINGER: Final = 0.2
_WHOLE_BODY: Final = ("/api/ota", "/api/flash/")
_WITHOUT_PASSWORD: Final = ("/ssdp.xml", "/obkdevicelist")
# Place of tcpi_data_segs_in in Linux' struct tcp_info.
_DATA_SEGMENTS: Final = struct.Struct("<152xI")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back; the reason phrase is OK whatever the status."""

    body: bytes = b""
    content_type: str = JSON
    status: int = 200
    headers: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Return the bytes on the wire; there is no Content-Length."""
        head = (
            f"HTTP/1.1 {self.status} OK",
            f"Content-type: {self.content_type}",
            "Access-Control-Allow-Origin: *",
            "Access-Control-Allow-Headers: Origin, X-Requested-With, Content-Type, "
            "Accept",
            *self.headers,
            "Connection: close",
            "",
            "",
        )
        return "\r\n".join(head).encode() + self.body


@dataclass(frozen=True, slots=True)
class Request:
    """A request as far as the firmware has read it."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    rest: AsyncIterator[bytes] = field(repr=False)
    """The part of the body that has not been read yet, for uploads."""

    @property
    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode(errors="surrogateescape")


type Handler = Callable[[Request], Awaitable[Answer]]
type PasswordSource = Callable[[], str]


class HttpServer:
    """Serves one connection at a time and closes it after one answer.

    It takes what the first ``recv`` gives for the whole request and goes on reading only
    while a ``recv`` fills its buffer, ignoring Content-Length: a body that comes in a
    segment of its own is never seen, and a request that fills the buffer exactly waits
    until the client gives up. Uploads alone are read to their end.
    """

    def __init__(self, handler: Handler, password: PasswordSource) -> None:
        """Answer with ``handler``; ``password()`` is empty where nobody is asked."""
        self._handler = handler
        self._password = password
        self._one_at_a_time = asyncio.Lock()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which is a free one for port 0."""
        self._server = await asyncio.start_server(self._serve, host, port)
        listening: int = self._server.sockets[0].getsockname()[1]
        return listening

    def stop(self) -> None:
        """Stop listening and drop every connection."""
        if self._server:
            self._server.close()
            self._server.abort_clients()
            self._server = None

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            async with self._one_at_a_time:
                await self._answer(reader, writer)
        except OSError, asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        data, unseen = await _receive(reader, writer)
        if not data:
            return
        request = _parse(data, unseen, reader)
        answer = self._refuse(request) or await self._handler(request)
        writer.write(answer.encode())
        await writer.drain()
        writer.write_eof()
        # Closing over unread bytes would have the answer thrown away at the other end.
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER):
                while await reader.read(_FURTHER_READ):
                    pass

    def _refuse(self, request: Request) -> Answer | None:
        password = self._password()
        if not password or request.path in _WITHOUT_PASSWORD:
            return None
        expected = base64.b64encode(f"admin:{password}".encode()).decode()
        if request.headers.get("authorization") == f"Basic {expected}":
            return None
        challenge = 'WWW-Authenticate: Basic realm="OpenBeken HTTP Server"'
        return Answer(b"", HTML, 401, (challenge,))


async def _receive(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> tuple[bytes, bytes]:
    """Return what the firmware takes for the request, and what it has not looked at."""
    data = piece = await reader.read(_FIRST_READ)
    head, separator, body = data.partition(b"\r\n\r\n")
    if body and _segments(writer) > 1:
        # Header and body came one after the other, and were only joined on the way up.
        return head + separator, body
    wanted = _FIRST_READ
    while len(piece) == wanted:
        wanted = _FURTHER_READ
        piece = await reader.read(wanted)
        data += piece
    return data, b""


def _segments(writer: asyncio.StreamWriter) -> int:
    """Return in how many segments of TCP the data came, 1 where that is not known."""
    connection = writer.get_extra_info("socket")
    option = getattr(socket, "TCP_INFO", None)
    if connection is None or option is None:
        return 1
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, option, _DATA_SEGMENTS.size)
    except OSError:
        return 1
    if len(info) < _DATA_SEGMENTS.size:
        return 1
    (segments,) = _DATA_SEGMENTS.unpack(info)
    return int(segments)


def _parse(data: bytes, unseen: bytes, reader: asyncio.StreamReader) -> Request:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, _, target = first.partition(" ")
    target = target.partition(" ")[0]
    path, _, query = target.partition("?")
    headers: dict[str, str] = {}
    for line in lines[:_HEADER_LIMIT]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    missing = 0
    if path.startswith(_WHOLE_BODY):
        length = headers.get("content-length", "")
        body += unseen
        missing = int(length) - len(body) if length.isdigit() else 0
    return Request(
        method,
        path,
        dict(parse_qsl(query, keep_blank_values=True)),
        headers,
        body,
        _read_rest(reader, missing),
    )


async def _read_rest(
    reader: asyncio.StreamReader, missing: int
) -> AsyncIterator[bytes]:
    while missing > 0:
        piece = await reader.read(min(missing, _FURTHER_READ))
        if not piece:
            return
        missing -= len(piece)
        yield piece
