"""A socket that runs OpenBeken, reached over HTTP and, where granted, over its broker."""

from abc import ABC, abstractmethod
import asyncio
from base64 import b64encode
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
import json
import re
from typing import Any, Final

from .broker import Broker, Login, connect
from .expectations import (
    OPTION,
    BrokenError,
    Expectation,
    Judged,
    Need,
    UnfitError,
    same,
)
from .http import Address, Answer, request
from .masking import Mask

type Levels = Callable[[], Awaitable[dict[int, int]]]
"""Measures pins: the number of a pin and its level, 0 or 1."""

SPARE_CHANNELS: Final = range(63, 49, -1)
"""Where a channel is looked for that nothing uses."""
CONFIGURATION: Final = {"BK7231N": 0x1D1000, "BK7231T": 0x1E1000}
"""Where a chip keeps its configuration, readable over HTTP (`/api/flash`)."""
# Settings are saved within a second of their last change (recorded from OpenBeken 1.18.299).
_SAVED_AFTER: Final = 1.6
# From a restart to the end of what is said at connecting: measured 30 s; Wi-Fi may take its time.
_RESTART_SECONDS: Final = 75.0
_STARTUP_COMMAND: Final = re.compile(rb'"startcmd":"(.*)","supportsSSDP"', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """What a person lets us do to a socket, and how to reach it."""

    address: Address
    web_password: str | None = None
    login: Login | None = None
    writes: bool = False
    restart: bool = False
    relay: bool = False
    spare_pin: int | None = None
    levels: Levels | None = None

    @property
    def needs(self) -> Need:
        """Return the needs that are met; whatever changes something is none without writes."""
        met = {
            Need.BROKER: self.login is not None,
            Need.WRITES: self.writes,
            Need.RESTART: self.writes and self.restart,
            Need.RELAY: self.writes and self.relay,
            Need.SPARE_PIN: self.writes and self.spare_pin is not None,
            Need.LEVELS: self.levels is not None,
        }
        return Need(sum(need.value for need, is_met in met.items() if is_met))


class Setting(ABC):
    """A setting with a value that can be read, changed and put back."""

    @abstractmethod
    async def read(self, socket: Socket) -> str:
        """Return the present value; raises UnfitError where it cannot be read exactly."""

    @abstractmethod
    async def write(self, socket: Socket, value: str) -> None:
        """Set ``value``."""


class Socket(Judged):
    """A socket to be judged. What is borrowed of it is put back at the end, whatever happens."""

    def __init__(self, grants: Grants) -> None:
        """Know how to reach the socket; use `socket_at`."""
        self.grants = grants
        self.mask = Mask()
        self.chipset = ""
        self.version = ""
        self.topic = ""
        """The client id, below which the socket speaks."""
        self.restarted = False
        self.patience = 5.0
        """Seconds between tries to put something back: it may be restarting."""
        self._broker: Broker | None = None
        self._borrowed: dict[Setting, str] = {}
        self.headers: tuple[str, ...] = ()
        """What lets us in where a web password is set."""
        if grants.web_password is not None:
            login = b64encode(f"admin:{grants.web_password}".encode()).decode()
            self.headers = (f"Authorization: Basic {login}",)

    def lacks(self, expectation: Expectation[Any]) -> str | None:
        """Return which option or release ``expectation`` would need."""
        missing = expectation.needs & ~self.grants.needs
        if missing:
            return "needs " + " ".join(OPTION[need] for need in missing)
        if expectation.chips and self.chipset not in expectation.chips:
            return f"not of a {self.chipset}"
        release = tuple(int(part) for part in re.findall(r"\d+", self.version))
        if expectation.since and release < expectation.since:
            return f"since {'.'.join(map(str, expectation.since))}"
        return None

    # HTTP

    async def exchange(self, *pieces: bytes, pause: float = 0.2) -> Answer:
        """Send these very bytes and return everything that comes."""
        return await self.grants.address.exchange(*pieces, pause=pause)

    async def get(self, target: str) -> Answer:
        """Ask for a page."""
        return await self.exchange(request("GET", target, None, *self.headers))

    async def post(self, target: str, body: str) -> Answer:
        """Post a body."""
        return await self.exchange(request("POST", target, body, *self.headers))

    async def info(self) -> dict[str, Any]:
        """Return what /api/info says; raises BrokenError where that is no JSON object.

        A backslash in the start-up command, which it leaves as it is, is no such error.
        """
        body = (await self.get("/api/info")).body
        if found := _STARTUP_COMMAND.search(body):
            text = found[1].replace(b"\\", b"\\\\")
            for escaped in (b"n", b"r", b'"'):
                text = text.replace(b"\\\\" + escaped, b"\\" + escaped)
            body = body[: found.start(1)] + text + body[found.end(1) :]
        try:
            told = json.loads(body)
        except ValueError:
            raise BrokenError(f"/api/info is no JSON: {body!r}") from None
        if not isinstance(told, dict):
            raise BrokenError(f"/api/info is no object: {body!r}")
        return told

    async def ask(self, line: str) -> Answer:
        """Run a console line by /cm."""
        return await self.get(f"/cm?cmnd={_escape(line)}")

    async def command(self, line: str) -> tuple[bytes, Any]:
        """Run a console line by /api/cmnd; returns the status line and the JSON of the reply."""
        answer = await self.post("/api/cmnd", line)
        try:
            return answer.head.partition(b"\n")[0], json.loads(answer.body)
        except ValueError:
            raise BrokenError(f"the reply is no JSON: {answer.body!r}") from None

    async def order(self, line: str) -> None:
        """Run a console line that has to succeed."""
        status, _ = await self.command(line)
        same(f"the reply to {line}", status, b"HTTP/1.1 200 OK")

    async def configuration(self, offset: int, length: int) -> bytes | None:
        """Read from the saved configuration; None where this chip keeps it elsewhere."""
        start = CONFIGURATION.get(self.chipset)
        if start is None:
            return None
        answer = await self.get(f"/api/flash/{start + offset:X}-{length:X}")
        same("the length of what was read", len(answer.body), length)
        return answer.body

    async def saved(self) -> None:
        """Wait until what was set is in flash."""
        await asyncio.sleep(_SAVED_AFTER)

    # The broker

    @property
    def broker(self) -> Broker:
        """Return the broker; an expectation that uses it needs it."""
        assert self._broker is not None
        return self._broker

    @broker.setter
    def broker(self, broker: Broker) -> None:
        self._broker = broker

    def send(self, command: str, arguments: str = "") -> None:
        """Send a console command over MQTT."""
        self.broker.publish(f"cmnd/{self.topic}/{command}", arguments)

    async def hear(
        self, topic: str, payload: str | None = None, *, since: int = 0
    ) -> bytes:
        """Return what comes below the client id, of this ``payload`` where one is given."""
        wanted = None if payload is None else payload.encode()
        message = await self.broker.wait(
            lambda heard: (
                heard.topic == f"{self.topic}/{topic}"
                and (wanted is None or heard.payload == wanted)
            ),
            topic if payload is None else f"{topic} {payload!r}",
            since=since,
        )
        return message.payload

    @property
    def marker(self) -> int:
        """Return how many messages were heard so far."""
        return len(self.broker.heard)

    async def settled(self) -> None:
        """Wait until the socket has obeyed everything that was sent to it before."""
        since = self.marker
        self.send("publish", f"contract {since}-settled")
        await self.hear("contract/get", f"{since}-settled", since=since)

    # Borrowing

    async def borrow(self, setting: Setting) -> str:
        """Note what ``setting`` is, to put it back at the end; returns what it was."""
        if setting not in self._borrowed:
            self._borrowed[setting] = await setting.read(self)
        return self._borrowed[setting]

    async def spare_channel(self) -> int:
        """Return a channel that no pin has, that has no type and is 0."""
        pins = json.loads((await self.get("/api/pins")).body)
        types = json.loads((await self.get("/api/channelTypes")).body)["types"]
        for channel in SPARE_CHANNELS:
            if channel in pins["channels"] or types[channel]:
                continue
            if (await self.ask(f"GetChannel {channel}")).text == "0":
                return channel
        raise UnfitError("this socket uses all of the higher channels")

    async def put_back(self) -> list[str]:
        """Put back what was borrowed, last things first; returns what could not be."""
        failures = []
        while self._borrowed:
            setting, value = self._borrowed.popitem()
            error = await self._put_back(setting, value)
            if error:
                failures.append(f"{setting}: {error}")
        if self.restarted:
            self.restarted = False
            await self.saved()
            await self.order("reboot")
        return failures

    async def _put_back(self, setting: Setting, value: str) -> str | None:
        """Put one setting back and look; again where that fails. Returns why it did not work."""
        error = ""
        for _ in range(6):
            try:
                if await setting.read(self) != value:
                    await setting.write(self, value)
                    await self.saved()
                    same("it", await setting.read(self), value)
            except (BrokenError, UnfitError, OSError) as err:
                error = str(err) or type(err).__name__
                await asyncio.sleep(self.patience)
            else:
                return None
        return error

    async def restart(self) -> None:
        """Restart the socket and wait until it answers again and is online."""
        since = self.marker
        self.restarted = True
        await self.saved()
        await self.order("reboot")
        await self.broker.wait(
            lambda message: (
                message.topic == f"{self.topic}/connected"
                and message.payload == b"online"
            ),
            "online after the restart",
            since=since,
            seconds=_RESTART_SECONDS,
        )


@dataclass(slots=True)
class Ending:
    """What a person has to know after the end."""

    not_put_back: list[str] = field(default_factory=list)


@asynccontextmanager
async def socket_at(grants: Grants, ending: Ending) -> AsyncGenerator[Socket]:
    """Reach a socket, and put back at the end what was borrowed of it.

    Raises BrokenError when no OpenBeken answers, OSError when nothing does.
    """
    socket = Socket(grants)
    mask = socket.mask
    mask.hide(grants.web_password or "", "password")
    first = await socket.get("/api/info")
    if first.raw.startswith(b"HTTP/1.1 401"):
        raise BrokenError("the socket wants its web password (--web-password-file)")
    told = await socket.info()
    socket.chipset = str(told["chipset"])
    socket.version = str(told["build"]).rpartition(" ")[2]
    socket.topic = str(told["mqtttopic"])
    mask.hide(grants.address.host, "address")
    mask.hide(str(told["mqtthost"]).rpartition(":")[0], "broker")
    mask.hide(socket.topic, "client")
    mask.hide(str(told["shortName"]), "name")
    mask.hide(str(told["startcmd"]), "start-up command")
    try:
        if grants.login is None:
            yield socket
        else:
            mask.hide(grants.login.host, "broker")
            mask.hide(grants.login.username or "", "user")
            mask.hide(grants.login.password or "", "password")
            topics = [
                f"{socket.topic}/#",
                f"stat/{socket.topic}/#",
                f"tele/{socket.topic}/#",
            ]
            async with connect(grants.login, topics) as broker:
                socket.broker = broker
                yield socket
    finally:
        task = asyncio.create_task(socket.put_back())
        ending.not_put_back = await _to_its_end(task)


async def _to_its_end(task: asyncio.Task[list[str]]) -> list[str]:
    """Await ``task`` even when cancelled meanwhile: what was borrowed goes back."""
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            continue
    return task.result()


def _escape(line: str) -> str:
    return "".join(
        chr(byte) if chr(byte).isalnum() and byte < 128 else f"%{byte:02X}"
        for byte in line.encode()
    )
