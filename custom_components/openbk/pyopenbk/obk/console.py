"""A running socket over HTTP: what it is asked and whether the answer is one."""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
import json
import re
import struct
from typing import Any, Final
from urllib.parse import urlencode

from ..beken.flash_map import OPENBEKEN_CONFIG
from ..errors import OpenBekenError
from ..profile import PinAssignment, ProfileError, SocketProfile
from ..roles import PinRole

PORT: Final = 80
USER: Final = "admin"
_TIMEOUT: Final = 10.0
_LARGEST_REPLY: Final = 4 * 1024 * 1024
# The server reads 1022 bytes, then 1024 at a time, and goes on reading while a read fills its
# buffer: a request that ends with the buffer waits for ever (source at 1.18.300).
_FIRST_READ: Final = 1022
_NEXT_READ: Final = 1024

# These few bytes and no more: passwords lie in the same sector.
_FLAGS_AT: Final = OPENBEKEN_CONFIG.start + 0x008
_START_VALUES_AT: Final = OPENBEKEN_CONFIG.start + 0x3DE
_START_VALUES: Final = struct.Struct("<64h")
_ROLES: Final = {int(role): role for role in PinRole}
_END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
_STATUS: Final = re.compile(r"-?\d+", re.ASCII)

type Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
type Connect = Callable[[str, int], Awaitable[Streams]]


class ConsoleError(OpenBekenError):
    """The socket could not be asked."""


class UnreachableError(ConsoleError):
    """Nothing answers: the web server is closed, or the socket is not there."""


class PasswordError(ConsoleError):
    """The socket has a web password, and this was not it."""


class NotAnAnswerError(ConsoleError):
    """Something answered, but not to what was asked, whatever the status says.

    The firmware answers unknown addresses with a page and status 200, and so do other products.
    """


class CommandRefusedError(ConsoleError):
    """The socket did not run the command; ``unknown`` where it has no such command."""

    def __init__(self, command: str, *, unknown: bool) -> None:
        """Keep the name of the command; its arguments may be secret."""
        super().__init__(f"{command.partition(' ')[0]} was refused")
        self.unknown = unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back: status, media type and body."""

    status: int
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketInfo:
    """What GET /api/info says of a socket."""

    mac: str
    address: str
    chip: str
    client_id: str
    short_name: str
    build: str
    uptime: int
    startup_command: str
    broker: str
    """Host and port of the MQTT broker that it uses."""


class Console:
    """The web server of one socket; one request at a time, as it can serve no more."""

    def __init__(
        self,
        host: str,
        port: int = PORT,
        *,
        password: str | None = None,
        connect: Connect = asyncio.open_connection,
        lock: asyncio.Lock | None = None,
    ) -> None:
        """Prepare for a socket at an address; nothing is sent yet.

        Clients of the same socket have to share a ``lock``.
        """
        self._host = host
        self._port = port
        self._password = password
        self._connect = connect
        self._lock = lock or asyncio.Lock()

    async def info(self) -> SocketInfo:
        """Return what the socket is: the best single question, as only OpenBeken answers it so."""
        said = await self._json("GET", "/api/info")
        try:
            return SocketInfo(
                mac=str(said["mac"]).lower(),
                address=str(said["ip"]),
                chip=str(said["chipset"]),
                client_id=str(said["mqtttopic"]),
                short_name=str(said["shortName"]),
                build=str(said["build"]),
                uptime=int(said["uptime_s"]),
                startup_command=str(said["startcmd"]),
                broker=str(said["mqtthost"]),
            )
        except (KeyError, TypeError, ValueError) as err:
            raise NotAnAnswerError("/api/info lacks what every OpenBeken says") from err

    async def pins(self) -> SocketProfile:
        """Return the pins; roles that are newer than this library count as none."""
        said = await self._json("GET", "/api/pins")
        try:
            roles, channels = said["roles"], said["channels"]
            second = said.get("channels2", [])
            return SocketProfile.of(
                PinAssignment(
                    pin=pin,
                    role=_role(role),
                    channel=channels[pin],
                    channel2=second[pin] if pin < len(second) else 0,
                )
                for pin, role in enumerate(roles)
            )
        except (KeyError, TypeError, IndexError, AttributeError, ProfileError) as err:
            raise NotAnAnswerError("/api/pins is no list of pins") from err

    async def flags(self) -> int:
        """Return the 64-bit flag word, as saved up to 3 s ago.

        The commands that tell it print the lower half only, so it is read where the configuration
        sector keeps it: 8 bytes, little-endian.
        """
        return int.from_bytes(await self.read_flash(_FLAGS_AT, 8), "little")

    async def start_values(self) -> tuple[int, ...]:
        """Return what each channel is set to when power comes back, -1 for its last value."""
        raw = await self.read_flash(_START_VALUES_AT, _START_VALUES.size)
        return _START_VALUES.unpack(raw)

    async def set_broker(
        self, host: str, port: int, username: str, password: str
    ) -> None:
        """Let the socket use another MQTT broker; without a user name it keeps its login.

        There is no command for the port, so that goes through the page, which keeps what it is
        not given; the login goes in a body. Raises CommandRefusedError where it had no effect.
        """
        query = urlencode({"host": host, "port": port})
        await self.request("GET", f"/cfg_mqtt_set?{query}")
        if username:
            await self.command(f"MqttUser {username}")
            await self.command(f"MqttPassword {password}")
        if (await self.info()).broker != f"{host}:{port}":
            raise CommandRefusedError("cfg_mqtt_set", unknown=False)

    async def command(self, command: str) -> Any:
        """Run a console command and return what it has to say, often nothing.

        Unlike /cm, which answers 200 whatever happened, /api/cmnd says whether it was run.
        """
        reply = await self.request("POST", "/api/cmnd", command.encode())
        said = _as_json(reply)
        if not isinstance(said, dict) or not ({"success", "error"} & said.keys()):
            raise NotAnAnswerError("/api/cmnd did not say whether it ran the command")
        if said.get("success") != 200:
            raise CommandRefusedError(command, unknown=said.get("error") == 501)
        return said.get("res")

    async def read_flash(self, start: int, length: int) -> bytes:
        """Return ``length`` bytes of flash from byte address ``start``; they may hold secrets."""
        reply = await self.request("GET", f"/api/flash/{start:x}-{length:x}")
        if reply.status != 200 or len(reply.body) != length:
            raise NotAnAnswerError(
                f"{len(reply.body)} instead of {length} bytes of flash"
            )
        return reply.body

    async def reboot(self) -> None:
        """Restart the socket in 3 s."""
        said = await self._json("POST", "/api/reboot")
        if not isinstance(said, dict) or "reboot" not in said:
            raise NotAnAnswerError("the socket did not say that it restarts")

    async def request(self, method: str, path: str, body: bytes = b"") -> Reply:
        """Send one request and return the reply.

        Raises UnreachableError, PasswordError, or NotAnAnswerError for what is not HTTP.
        """
        async with self._lock:
            try:
                async with asyncio.timeout(_TIMEOUT):
                    raw = await self._exchange(self._compose(method, path, body))
            except (OSError, TimeoutError, EOFError) as err:
                raise UnreachableError(f"no answer to {method} {path}") from err
        reply = _parse(raw)
        if reply.status == 401:
            raise PasswordError("the web server wants a password")
        return reply

    async def _json(self, method: str, path: str) -> Any:
        reply = await self.request(method, path)
        if reply.status != 200:
            raise NotAnAnswerError(f"status {reply.status} for {path}")
        said = _as_json(reply)
        if not isinstance(said, dict):
            raise NotAnAnswerError(f"{path} is no object")
        return said

    async def _exchange(self, request: bytes) -> bytes:
        reader, writer = await self._connect(self._host, self._port)
        try:
            # In one piece: the firmware takes a body that comes later for none at all.
            writer.write(request)
            await writer.drain()
            raw = await reader.read(_LARGEST_REPLY)
            while more := await reader.read(_LARGEST_REPLY):
                raw += more
                if len(raw) > _LARGEST_REPLY:
                    raise NotAnAnswerError("an endless answer")
            return raw
        finally:
            writer.close()

    def _compose(self, method: str, path: str, body: bytes) -> bytes:
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {self._host}",
            "Connection: close",
        ]
        if self._password:
            login = b64encode(f"{USER}:{self._password}".encode()).decode()
            lines.append(f"Authorization: Basic {login}")
        if body or method == "POST":
            lines += [
                "Content-Type: application/x-www-form-urlencoded",
                f"Content-Length: {len(body)}",
            ]
        request = _join(lines) + body
        if _ends_with_buffer(len(request)):
            request = _join([*lines, "X-Pad: x"]) + body
        return request


def _join(lines: list[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def _ends_with_buffer(length: int) -> bool:
    return length >= _FIRST_READ and (length - _FIRST_READ) % _NEXT_READ == 0


def _role(number: int) -> PinRole:
    return _ROLES.get(number, PinRole.NONE)


def _parse(raw: bytes) -> Reply:
    """Read an answer: its status line ends with a bare line feed, the other lines with CR and LF.

    The firmware sends it so in every release since 2022, and errors of /api/flash with the
    status -1; any mixture of both line ends is read.
    """
    end = _END_OF_HEAD.search(raw)
    head = raw[: end.start() if end else 0].decode("latin-1")
    first, *lines = re.split("\r?\n", head)
    words = first.split()
    if end is None or len(words) < 2 or not words[0].startswith("HTTP/"):
        raise NotAnAnswerError("what answers is no web server")
    if not _STATUS.fullmatch(words[1]):
        raise NotAnAnswerError("an answer without a status")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
    }
    media_type = headers.get("content-type", "").partition(";")[0].lower()
    return Reply(status=int(words[1]), media_type=media_type, body=raw[end.end() :])


def _as_json(reply: Reply) -> Any:
    if reply.media_type != "application/json":
        raise NotAnAnswerError(f"{reply.media_type or 'something'} instead of JSON")
    try:
        return json.loads(reply.body)
    except ValueError as err:
        raise NotAnAnswerError("broken JSON") from err
