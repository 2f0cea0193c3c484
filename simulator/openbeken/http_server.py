"""The firmware's web server: how it reads requests and writes answers, traps included."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
import re
import socket
import struct
from typing import Final

from .text import decode, encode, leading_int

HTML: Final = "text/html"
JSON: Final = "application/json"
TEXT: Final = "text/plain"
BINARY: Final = "application/octet-stream"

_FIRST_READ: Final = 1022
_FURTHER_READ: Final = 1024
_HEADER_LIMIT: Final = 16
_LINGER: Final = 0.2
_METHODS: Final = (b"GET", b"PUT", b"POST", b"OPTIONS")
_WHOLE_BODY: Final = ("api/ota", "api/flash/", "api/fsblock")
_WITHOUT_PASSWORD: Final = ("ssdp.xml", "obkdevicelist")
_ARGUMENT_BUFFER: Final = 128
_LOGIN: Final = re.compile(r"authorization: basic (.*)", re.IGNORECASE | re.DOTALL)
_USER: Final = "admin:"
_PASSWORD_LIMIT: Final = 32
_ESCAPED: Final = re.compile(rb"%([0-9a-fA-F]{2})|(\+)")
# Place of tcpi_data_segs_in in Linux' struct tcp_info.
_DATA_SEGMENTS: Final = struct.Struct("<152xI")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back; the reason phrase is OK whatever the status."""

    body: bytes = b""
    content_type: str = JSON
    status: int = 200

    def encode(self) -> bytes:
        """Return the bytes on the wire; there is no Content-Length.

        The status line ends with a bare line feed, in every release since February 2022
        (new_http.c, and every recorded answer).
        """
        head = (
            f"HTTP/1.1 {self.status} OK\nContent-type: {self.content_type}",
            "Access-Control-Allow-Origin: *",
            "Access-Control-Allow-Headers: Origin, X-Requested-With, Content-Type, "
            "Accept",
            "Connection: close",
            "",
            "",
        )
        return "\r\n".join(head).encode() + self.body


REDIRECT: Final = b"HTTP/1.1 302 OK\nLocation: /index\nConnection: close\n\n"
"""What the address without a path is answered with."""
_UNAUTHORIZED: Final = (
    b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n"
    b'WWW-Authenticate: Basic realm="OpenBeken HTTP Server"\r\n\r\n'
)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as far as the firmware has read it."""

    method: str
    url: str
    """What stands between the first slash and the next blank, escapes and all."""
    protocol: str
    """What follows the address in the first line."""
    headers: tuple[str, ...]
    """Whole lines, sixteen at most."""
    content_length: int
    """-1 where the request does not say."""
    body: bytes
    receive: Callable[[], Awaitable[bytes]] = field(repr=False)
    """Reads on, a buffer at most, whatever Content-Length says: for uploads.

    Returns no bytes, again and again, once the client has closed its side; raises
    ConnectionError where it has broken the connection off.
    """

    @property
    def path(self) -> str:
        """Return the address without its query."""
        return self.url.partition("?")[0]

    @property
    def text(self) -> str:
        """Return the body as text, which ends at a NUL."""
        return decode(self.body.partition(b"\0")[0])

    def argument(self, name: str, size: int = _ARGUMENT_BUFFER) -> str | None:
        """Return an argument of the address, in a buffer of so many bytes.

        None where it is missing or empty, which are the same to the firmware; the first
        of a name counts. One that ends the address without a value has what follows the
        address: the protocol.
        """
        _, mark, query = self.url.partition("?")
        return _argument(query, name, size, self.protocol) if mark else None

    def form_argument(self, name: str, size: int = _ARGUMENT_BUFFER) -> str | None:
        """Return an argument of a form in the body, which ends at a blank."""
        return _argument(self.text, name, size)


type Handler = Callable[[Request], Awaitable[Answer | bytes]]
"""Returns an answer, or all bytes of one that has a head of its own."""
type PasswordSource = Callable[[], str]


class HttpServer:
    """Serves each connection beside the others and closes it after one answer.

    It takes what the first ``recv`` gives for the whole request and goes on reading only
    while a ``recv`` fills its buffer, ignoring Content-Length: a body that comes in a
    segment of its own is never seen, and a request that fills the buffer exactly waits
    until the client gives up. Uploads alone are read to their end; one that is closed
    before that has the server go round for ever, deaf to everybody until a restart.
    """

    def __init__(self, handler: Handler, password: PasswordSource) -> None:
        """Answer with ``handler``; ``password()`` is empty where nobody is asked."""
        self._handler = handler
        self._password = password
        self._server: asyncio.Server | None = None
        self._hangs = False
        self._stopped = asyncio.Event()

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
        self._stopped.set()

    async def hang(self) -> None:
        """Answer nobody until the server is stopped; raises ConnectionAbortedError then."""
        self._hangs = True
        await self._stopped.wait()
        raise ConnectionAbortedError

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
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
        if self._hangs:
            await self.hang()
        if (request := _parse(data, unseen, reader)) is None:
            return
        writer.write(await self._bytes_of_answer(request))
        await writer.drain()
        writer.write_eof()
        # Closing over unread bytes would have the answer thrown away at the other end.
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER):
                while await reader.read(_FURTHER_READ):
                    pass

    async def _bytes_of_answer(self, request: Request) -> bytes:
        if request.method == "OPTIONS":
            return Answer(content_type=HTML).encode()
        if not self._lets_in(request):
            return _UNAUTHORIZED
        answer = await self._handler(request)
        return answer if isinstance(answer, bytes) else answer.encode()

    def _lets_in(self, request: Request) -> bool:
        """Return whether the password fits; the scheme and the user in any case."""
        password = self._password()
        if not password or request.url.startswith(_WITHOUT_PASSWORD):
            return True
        logins = (match[1] for line in request.headers if (match := _LOGIN.match(line)))
        try:
            login = decode(base64.b64decode(next(logins, ""), validate=True))
        except ValueError:
            return False
        user, given = login[: len(_USER)], login[len(_USER) :].partition("\0")[0]
        return user.casefold() == _USER and encode(given)[:_PASSWORD_LIMIT] == encode(
            password
        )


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


def _parse(data: bytes, unseen: bytes, reader: asyncio.StreamReader) -> Request | None:
    """Read a request as new_http.c does; None where it is closed without an answer."""
    method = next((name for name in _METHODS if data.startswith(name)), None)
    if method is None:
        return None
    url, blank, rest = data[len(method) + 2 :].partition(b" ")
    if not blank and method != b"OPTIONS":
        return None
    protocol, _, rest = rest.partition(b"\r")
    headers: list[str] = []
    length, body = -1, b""
    rest = rest[1:]
    while b"\r" in rest:
        line, _, after = rest.partition(b"\r")
        rest = after[1:]
        if not line:
            body = rest
            break
        if len(headers) < _HEADER_LIMIT:
            headers.append(decode(line))
        if line.lower().startswith(b"content-length:"):
            length = leading_int(decode(line[len(b"content-length:") :]))
    target = decode(url)
    if target.startswith(_WHOLE_BODY):
        body += unseen
    # The buffer has grown whenever a read filled it.
    grown = 1 + (len(data) - _FIRST_READ) // _FURTHER_READ
    buffer = _FIRST_READ + max(0, grown) * _FURTHER_READ
    return Request(
        method=method.decode(),
        url=target,
        protocol=decode(protocol),
        headers=tuple(headers),
        content_length=length,
        body=body,
        receive=partial(reader.read, buffer),
    )


def _argument(query: str, name: str, size: int, behind: str = "") -> str | None:
    parts = query.split("&")
    for index, part in enumerate(parts):
        key, equals, value = part.partition("=")
        if key != name:
            continue
        if not equals:
            # A name without a value counts at the very end alone.
            if index + 1 < len(parts):
                continue
            value = behind.partition("&")[0]
        raw = encode(value.partition(" ")[0])
        unescaped = _ESCAPED.sub(_unescape, raw)
        return decode(unescaped[: size - 1].partition(b"\0")[0]) if unescaped else None
    return None


def _unescape(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match[1].decode()) if match[1] else b" " * len(match[2])
