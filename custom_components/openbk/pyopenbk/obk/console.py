"""A running socket over HTTP: what it is asked and whether the answer is one."""

import asyncio
from base64 import b64encode
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
import json
import re
import struct
from typing import Any, Final
from urllib.parse import quote, urlencode

from ..beken.chips import CHIPS, FlashableChip
from ..errors import OpenBekenError
from ..profile import PinAssignment, ProfileError, SocketProfile
from ..roles import PinRole
from .builds import is_before
from .commands import Command
from .config_sector import place_of
from .messages import is_root_of_topics
from .names import identity_of
from .setting_pages import (
    drivers_of,
    flags_of,
    labels_of,
    start_values_of,
    startup_command_of,
)

PORT: Final = 80
USER: Final = "admin"
_TIMEOUT: Final = 10.0
# The longest answer to anything that is asked here, /api/pins, has some 3 KB.
_LARGEST_REPLY: Final = 256 * 1024
# The server reads 1022 bytes, then 1024 at a time, and goes on reading while a read fills its
# buffer: a request that ends with the buffer waits for ever (source at 1.18.300).
_FIRST_READ: Final = 1022
_NEXT_READ: Final = 1024

# What it begins with.
_MAGIC: Final = b"CFG"
_START_VALUES: Final = struct.Struct("<64h")
# Scripts that it runs at boot, if there are any in its file system.
BOOT_SCRIPTS: Final = ("early.bat", "autoexec.bat")
_ROLES: Final = {int(role): role for role in PinRole}
# Builds without Tasmota's answers leave "res" empty, which is no JSON (http_rest_post_cmd, 1.18.300).
_WITHOUT_ANSWER: Final = re.compile(rb'(?<="res":)(?=\}\Z)')
_NOTHING_TO_RUN: Final = "No command entered"
# Questions that are no commands before 1.17.752: they count as unknown, and are answered (cmd_tasmota.c).
_QUESTIONS: Final = frozenset({"sensor", "status"})
# The first release whose /api/pins has the second channels of pins, unless all of them are 0.
_TELLS_SECOND_CHANNELS: Final = (1, 17, 473)

# The status line ends with a bare LF, the header lines with CR LF, in every release since 2022.
# Errors of /api/flash have the status -1.
_END_OF_LINE: Final = re.compile(r"\r?\n")
_END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
_STATUS: Final = re.compile(r"HTTP/\d\.\d (?P<status>-?[0-9]{1,3})( |$)")
# In the order in which every release says them.
_INFO_KEYS: Final = (
    "uptime_s",
    "build",
    "ip",
    "mac",
    "flags",
    "mqtthost",
    "mqtttopic",
    "chipset",
    "webapp",
    "shortName",
    "startcmd",
)
_MAC: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_LONGEST_TEXT: Final = 320

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


class OtherSocketError(ConsoleError):
    """Another socket has this address by now."""


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
    """Empty before 1.17.70, which does not tell it."""
    build: str
    uptime: int
    """Seconds since it started."""
    broker: str
    """Host and port of the MQTT broker that it uses."""

    def is_of(self, mac: str, client_id: str) -> bool:
        """Return whether this is the socket with a MAC, in lower case with colons.

        Of a MAC that many chips have, the client id decides.
        """
        return identity_of(self.mac, self.client_id) == identity_of(mac, client_id)


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
        self._asked_for_password = False
        self._chip: str | None = None
        self._build = ""
        self._config: tuple[int | None] | None = None

    @property
    def chip(self) -> str | None:
        """Return the chip that the socket named when it was asked for its ``info``."""
        return self._chip

    async def info(self) -> SocketInfo:
        """Return what the socket is: the best single question, as only OpenBeken answers it so."""
        reply = await self.request("GET", "/api/info")
        said = _info(reply)
        try:
            info = SocketInfo(
                mac=_mac(said["mac"]),
                address=_text(said["ip"]),
                chip=_text(said["chipset"]),
                client_id=_text(said["mqtttopic"]),
                short_name=_text(said.get("shortName", "")),
                build=_text(said["build"]),
                uptime=_whole(said["uptime_s"]),
                broker=_text(said["mqtthost"]),
            )
        except (KeyError, TypeError, ValueError) as err:
            raise NotAnAnswerError("/api/info lacks what every OpenBeken says") from err
        if info.chip != self._chip:
            self._chip, self._config = info.chip, None
        self._build = info.build
        return info

    async def check_whose(self, mac: str, client_id: str) -> None:
        """Raise OtherSocketError where it is not this socket that answers, or ConsoleError.

        After a power cut a router may give its address to another one.
        """
        if not (await self.info()).is_of(mac, client_id):
            raise OtherSocketError("another socket has this address now")

    async def pins(self) -> SocketProfile:
        """Return the pins; roles that are newer than this library count as none.

        An older release tells the second channels only where ``info`` was asked before.
        """
        said = await self._json("GET", "/api/pins")
        try:
            roles, channels = said["roles"], said["channels"]
            second = said.get("channels2") or await self._second_channels()
            return SocketProfile.of(
                PinAssignment(
                    pin=pin,
                    role=_ROLES.get(_whole(role), PinRole.NONE),
                    channel=_whole(channels[pin]),
                    channel2=_whole(second[pin]) if pin < len(second) else 0,
                )
                for pin, role in enumerate(roles)
            )
        except (LookupError, TypeError, ValueError, ProfileError) as err:
            raise NotAnAnswerError("/api/pins is no list of pins") from err

    async def _second_channels(self) -> Sequence[int]:
        """Return the second channels of pins of a release that is known not to tell them."""
        if not is_before(self._build, _TELLS_SECOND_CHANNELS):
            return ()
        return await self.read_config(*place_of("channels2")) or ()

    async def channels(self) -> dict[int, int]:
        """Return the values of the channels that have a pin."""
        said = await self._json("GET", "/api/channels")
        try:
            return {int(channel): int(value) for channel, value in said.items()}
        except (TypeError, ValueError, OverflowError) as err:
            raise NotAnAnswerError("/api/channels is no list of channels") from err

    async def flags(self) -> int:
        """Return the 64-bit flag word, as saved up to 1 s ago.

        The commands that tell it print the lower half only, so it is read where the configuration
        keeps it, 8 bytes, little-endian, else from the page with a box for each flag.
        """
        if (raw := await self.read_config(*place_of("flags"))) is not None:
            return int.from_bytes(raw, "little")
        return await self._page("/cfg_generic", flags_of)

    async def channel_types(self) -> tuple[int, ...]:
        """Return the type of each channel, 0 for the usual one."""
        raw = await self.read_config(*place_of("channel_types"))
        if raw is not None:
            return tuple(raw)
        said = await self._json("GET", "/api/channelTypes")
        try:
            return tuple(map(_whole, said["types"]))
        except (LookupError, TypeError) as err:
            raise NotAnAnswerError("/api/channelTypes has no types") from err

    async def start_values(self) -> Mapping[int, int]:
        """Return what channels are set to when power comes back, -1 for the last value.

        By page it is those in use only.
        """
        raw = await self.read_config(*place_of("start_values"))
        if raw is not None:
            return dict(enumerate(_START_VALUES.unpack(raw)))
        return await self._page("/cfg_startup", start_values_of)

    async def group(self) -> str | None:
        """Return the topic that it shares with others, None where nobody knows where it is kept."""
        raw = await self.read_config(*place_of("mqtt_group"))
        if raw is None:
            return None
        group = raw.partition(b"\0")[0].decode(errors="replace")
        return group if is_root_of_topics(group) else None

    async def labels(self) -> Mapping[int, str]:
        """Return what the socket calls its relays, by channel, where it was told a name."""
        return await self._page("/index?state=1", labels_of)

    async def drivers(self) -> tuple[str, ...]:
        """Return the names of the drivers that run."""
        return await self._page("/index?state=1", drivers_of)

    async def startup_command(self) -> str:
        """Return the start-up command, byte by byte as it is stored."""
        raw = await self.read_config(*place_of("startup_command"))
        if raw is None:
            return await self._page("/startup_command", startup_command_of)
        try:
            return raw.partition(b"\0")[0].decode()
        except UnicodeDecodeError as err:
            raise NotAnAnswerError("a start-up command that is no text") from err

    async def set_startup_command(self, text: str) -> None:
        """Store a start-up command, which is not run before the next boot, and read it back.

        The page takes up to 1567 bytes with any quotes, the console 510 without. Raises
        CommandRefusedError where the socket holds another text afterwards.
        """
        query = urlencode({"startup_cmd": 1, "data": text})
        await self.request("GET", f"/startup_command?{query}")
        if await self.startup_command() != text:
            raise CommandRefusedError("StartupCommand", unknown=False)

    async def set_web_password(self, password: str | None) -> None:
        """Set the password of the web pages, or remove it; nothing else changes, and no restart.

        The page takes 5 to 32 characters and leaves an old one where it takes none, so the caller
        looks whether the new one opens the pages (``http_fns.c`` of 1.18.299). Raises ConsoleError.
        """
        query = {"web_admin_password_enabled": 1, "web_admin_password": password}
        path = "/cfg_wifi_set"
        await self.request("GET", f"{path}?{urlencode(query)}" if password else path)

    async def boot_scripts(self) -> tuple[str, ...]:
        """Return the scripts in the socket's file system that it runs at every boot."""
        scripts = []
        for name in BOOT_SCRIPTS:
            reply = await self.request("GET", f"/api/lfs/{name}")
            # Where there is none, or no file system, other types of text come back.
            if reply.status == 200 and reply.media_type == "application/octet-stream":
                scripts.append(reply.body.decode(errors="replace"))
        return tuple(scripts)

    async def command(self, command: Command) -> Any:
        """Run a console command and return what it has to say, often nothing.

        Unlike /cm, which answers 200 whatever happened, /api/cmnd says whether it was run. Builds
        that lose what is sent to it are given the command there.
        """
        reply = await self.request("POST", "/api/cmnd", command.encode())
        said = _as_json(replace(reply, body=_WITHOUT_ANSWER.sub(b"null", reply.body)))
        if not isinstance(said, dict) or not ({"success", "error"} & said.keys()):
            raise NotAnAnswerError("/api/cmnd did not say whether it ran the command")
        if said.get("msg") == _NOTHING_TO_RUN:
            await self.request("GET", f"/cm?cmnd={quote(command, safe='')}")
            return None
        if said.get("success") != 200 and not _is_answered(command, said):
            raise CommandRefusedError(command, unknown=said.get("error") == 501)
        return said.get("res")

    async def read_config(self, offset: int, length: int) -> bytes | None:
        """Return ``length`` bytes of the configuration, None where this chip's is nobody knows where.

        Its layout is the same in all chips whose address is known.
        """
        if self._config is None:
            self._config = (await self._find_config(),)
        (start,) = self._config
        return None if start is None else await self.read_flash(start + offset, length)

    async def _find_config(self) -> int | None:
        """Return the address of the configuration, for chips that are not flashed here a proved one."""
        if self._chip is None:
            await self.info()
        chip = CHIPS.get(self._chip or "")
        if chip is None or (start := chip.config_address) is None:
            return None
        if isinstance(chip, FlashableChip):
            return start
        # A build that cannot read its flash answers with zeros.
        try:
            found = await self.read_flash(start, len(_MAGIC))
        except NotAnAnswerError:
            return None
        return start if found == _MAGIC else None

    async def _page[T](self, path: str, read: Callable[[str], T]) -> T:
        """Return what a page says; raises NotAnAnswerError where it is another one."""
        reply = await self.request("GET", path)
        if reply.status != 200:
            raise NotAnAnswerError(f"status {reply.status} for {path}")
        try:
            return read(reply.body.decode())
        except ValueError as err:
            raise NotAnAnswerError(f"{path} is another page") from err

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

    async def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        largest: int = _LARGEST_REPLY,
        patience: float = _TIMEOUT,
    ) -> Reply:
        """Send one request and return the reply; the password only where it is asked for.

        The answer may have ``largest`` bytes and take ``patience`` seconds. Raises
        UnreachableError, PasswordError, or NotAnAnswerError for what is not HTTP.
        """

        async def ask() -> Reply:
            try:
                async with self._lock, asyncio.timeout(patience):
                    raw = await self._exchange(
                        self._compose(method, path, body), largest
                    )
            except (OSError, TimeoutError, EOFError) as err:
                # Not the query, which may hold what a person typed.
                page = path.partition("?")[0]
                raise UnreachableError(f"no answer to {method} {page}") from err
            return parse_reply(raw)

        reply = await ask()
        if reply.status == 401 and self._password and not self._asked_for_password:
            self._asked_for_password = True
            reply = await ask()
        if reply.status == 401:
            raise PasswordError("the web server wants a password")
        return reply

    @asynccontextmanager
    async def posting(
        self, path: str, length: int
    ) -> AsyncIterator[tuple[Streams, bytes]]:
        """Connect for a body of ``length`` bytes that is too long to be sent in one piece.

        Yields the connection and the head of the request. Nobody else is served meanwhile. The
        password is sent where an earlier request was asked for it. Raises OSError and TimeoutError
        where nothing answers.
        """
        async with self._lock:
            async with asyncio.timeout(_TIMEOUT):
                streams = await self._connect(self._host, self._port)
            try:
                yield streams, _join(self._head("POST", path, length))
            finally:
                streams[1].close()

    async def _json(self, method: str, path: str) -> Any:
        reply = await self.request(method, path)
        if reply.status != 200:
            raise NotAnAnswerError(f"status {reply.status} for {path}")
        said = _as_json(reply)
        if not isinstance(said, dict):
            raise NotAnAnswerError(f"{path} is no object")
        return said

    async def _exchange(self, request: bytes, largest: int) -> bytes:
        reader, writer = await self._connect(self._host, self._port)
        try:
            # In one piece: the firmware takes a body that comes later for none at all.
            writer.write(request)
            await writer.drain()
            raw = await reader.read(largest)
            while more := await reader.read(largest):
                raw += more
                if len(raw) > largest:
                    raise NotAnAnswerError("an endless answer")
            return raw
        finally:
            writer.close()

    def _compose(self, method: str, path: str, body: bytes) -> bytes:
        length = len(body) if body or method == "POST" else None
        lines = self._head(method, path, length)
        request = _join(lines) + body
        if _ends_with_buffer(len(request)):
            request = _join([*lines, "X-Pad: x"]) + body
        return request

    def _head(self, method: str, path: str, length: int | None) -> list[str]:
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {self._host}",
            "Connection: close",
        ]
        if self._password and self._asked_for_password:
            login = b64encode(f"{USER}:{self._password}".encode()).decode()
            lines.append(f"Authorization: Basic {login}")
        if length is not None:
            lines += [
                "Content-Type: application/x-www-form-urlencoded",
                f"Content-Length: {length}",
            ]
        return lines


def _join(lines: list[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def _ends_with_buffer(length: int) -> bool:
    return length >= _FIRST_READ and (length - _FIRST_READ) % _NEXT_READ == 0


def parse_reply(raw: bytes) -> Reply:
    """Return what was answered.

    Raises NotAnAnswerError for a head without a status or without an end.
    """
    if (end := _END_OF_HEAD.search(raw)) is None:
        raise NotAnAnswerError("what answers is no web server")
    first, *lines = _END_OF_LINE.split(raw[: end.start()].decode("latin-1"))
    if (status := _STATUS.match(first)) is None:
        raise NotAnAnswerError("an answer without a status")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
    }
    media_type = headers.get("content-type", "").partition(";")[0].lower()
    return Reply(
        status=int(status["status"]), media_type=media_type, body=raw[end.end() :]
    )


def _as_json(reply: Reply) -> Any:
    if reply.media_type != "application/json":
        raise NotAnAnswerError(f"{reply.media_type or 'something'} instead of JSON")
    try:
        return json.loads(reply.body, parse_constant=_no_number)
    except (ValueError, RecursionError) as err:
        raise NotAnAnswerError("broken JSON") from err


def _is_answered(command: Command, said: Mapping[str, Any]) -> bool:
    """Return whether this is the answer to a question that the console does not know."""
    name = command.casefold().partition(" ")[0]
    return name in _QUESTIONS and bool(said.get("res"))


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _info(reply: Reply) -> dict[str, Any]:
    """Return what /api/info says, also where it is no JSON.

    The firmware escapes nothing there and cuts an item after 255 bytes, so that a quote or a
    backslash in a name, a start-up command or a long host breaks the whole (seen with 1.18.299).
    """
    if reply.status != 200:
        raise NotAnAnswerError(f"status {reply.status} for /api/info")
    try:
        said = _as_json(reply)
    except NotAnAnswerError:
        if reply.media_type != "application/json":
            raise
        return dict(_info_items(reply.body.decode(errors="replace")))
    if not isinstance(said, dict):
        raise NotAnAnswerError("/api/info is no object")
    return said


def _info_items(text: str) -> Iterator[tuple[str, str]]:
    """Return key and value of what is between one known key and the next."""
    places = []
    end = 0
    for key in _INFO_KEYS:
        name = f'"{key}":'
        if (start := text.find(name, end)) >= 0:
            end = start + len(name)
            places.append((key, start, end))
    for (key, _, begin), (_, following, _) in pairwise(places):
        yield key, text[begin:following].rstrip(",").removeprefix('"').removesuffix('"')


def _text(value: object) -> str:
    """Return a text of bearable length; lone surrogates, which JSON can escape, are none."""
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise TypeError("no text")
    value.encode()
    return value


def _mac(value: object) -> str:
    mac = _text(value).lower()
    if not _MAC.fullmatch(mac):
        raise ValueError("no MAC address")
    return mac


def _whole(value: object) -> int:
    """Return a whole number; True and 1.5 are none, but digits are."""
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value)
    if type(value) is not int or not 0 <= value < 1 << 32:
        raise TypeError("no whole number")
    return value
