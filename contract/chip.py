"""A chip on a serial port whose boot loader listens; nothing here erases or writes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
import termios
from typing import Any, Final, override

import serialx
from serialx.platforms.serial_posix import PosixSerialTransport

from .expectations import BrokenError, Expectation, Judged, UnfitError, same, shorten

RESET_RATE: Final = 115_200
"""What a loader speaks after a reset."""
RATES: Final = (230_400, 460_800, 921_600, 1_500_000, 2_000_000)
"""Rates that the tools use; 26 MHz divide well enough for each."""
LINK_CHECK: Final = bytes.fromhex("01E0FC0100")
LINKED: Final = bytes.fromhex("040E0501E0FC0100")
SECTOR: Final = 0x1000
APPLICATION: Final = 0x11000
"""Where the application begins in flash; below it a BK7231T keeps its loader."""

# A person touches CEN to GND while this goes on: the loader waits some hundred milliseconds.
_SEARCH_INTERVAL: Final = 0.01
# More checks were sent than answered: what is late must be over before something is asked.
_QUIET: Final = 0.15
_PATIENCE: Final = 2.0
# Between the order to change the rate and the answer at the new one, in 2 ms ticks of a
# BK7231T and ms of a BK7231N: we have to follow in between.
_RATE_DELAY: Final = 250
_RATE_PAUSE: Final = 0.06


class Kind(Enum):
    """A chip, told by what its loader answers."""

    BK7231N = "a BK7231N: it answers for its chip id, 0x7231C"
    BK7231T = "a BK7231T: its loader tells its version"
    OTHER = "neither a BK7231N nor a BK7231T; only what all loaders do is tried"


class SearchError(Exception):
    """No loader answered."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A frame from a loader."""

    raw: bytes

    @property
    def is_long(self) -> bool:
        """Return whether this answers a flash command."""
        return self.raw[2] == 0xFF

    @property
    def data(self) -> bytes:
        """Return what follows the command, of a flash command what follows the status."""
        return self.raw[11:] if self.is_long else self.raw[7:]


class _Port(asyncio.Protocol):
    def __init__(self) -> None:
        self.received = bytearray()
        self.news = asyncio.Event()
        self.transport: serialx.BaseSerialTransport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, serialx.BaseSerialTransport)
        self.transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        self.received += data
        self.news.set()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.news.set()


@dataclass(slots=True, eq=False)
class Chip(Judged):
    """A linked loader."""

    port: _Port
    kind: Kind = Kind.OTHER
    told: dict[str, str] = field(default_factory=dict)
    """What it said of itself: its version, its flash."""
    stuck_at: int | None = None
    """A rate to which it was told to go and from which nothing shows that it came back."""

    def lacks(self, expectation: Expectation[Any]) -> str | None:
        """Return whether another chip does this."""
        if expectation.chips and self.kind.name not in expectation.chips:
            return f"of {' and '.join(sorted(expectation.chips))} only"
        return None

    async def ask(self, request: bytes, seconds: float = _PATIENCE) -> Reply:
        """Send a request and return its reply; raises BrokenError where none comes."""
        return (await self.ask_for(1, request, seconds))[0]

    async def ask_for(
        self, count: int, request: bytes, seconds: float = _PATIENCE
    ) -> list[Reply]:
        """Send something and return ``count`` replies."""
        self.port.received.clear()
        self.port.transport.write(request)
        replies: list[Reply] = []
        try:
            async with asyncio.timeout(seconds):
                while len(replies) < count:
                    self.port.news.clear()
                    while (reply := self._take()) is not None:
                        replies.append(reply)
                    if len(replies) < count:
                        await self.port.news.wait()
        except TimeoutError:
            heard = bytes(self.port.received).hex(" ") or "nothing"
            raise BrokenError(
                f"{len(replies)} of {count} replies; then {shorten(heard)}"
            ) from None
        return replies

    async def silent(self, request: bytes, seconds: float = 0.5) -> None:
        """Send a request that must not be answered."""
        self.port.received.clear()
        self.port.transport.write(request)
        await asyncio.sleep(seconds)
        same("what came", bytes(self.port.received).hex(" "), "")

    async def crc(self, start: int, end: int) -> int:
        """Return what the loader computes; ``end`` is never below ``start``.

        A loader that is asked for less than nothing counts for ever (seen on a BK7231T's).
        """
        assert 0 <= start <= end < 1 << 24
        seconds = _PATIENCE + (end - start) / 100_000
        reply = await self.ask(short(0x10, number(start) + number(end)), seconds)
        same("the reply's command", reply.raw[:7].hex(" "), "04 0e 08 01 e0 fc 10")
        return int.from_bytes(reply.data, "little")

    async def read(self, address: int) -> bytes:
        """Return a sector, having looked at all of the reply's head."""
        reply = await self.ask(long(0x09, number(address)))
        head = bytes.fromhex("040EFF01E0FCF4061009 00") + number(address)
        same("the head of the reply", reply.raw[:15].hex(" "), head.hex(" "))
        same("how much follows", len(reply.raw) - 15, SECTOR)
        return reply.raw[15:]

    async def change_rate(self, rate: int) -> None:
        """Take both sides to ``rate``; raises UnfitError where the port cannot."""
        if self.stuck_at is not None:
            raise UnfitError(f"it was left at {self.stuck_at} baud")
        try:
            # Where our side cannot follow, the chip must not go.
            await self._use(rate)
            taken = self._rate_of_port()
        except (OSError, serialx.SerialException, ValueError, RuntimeError) as err:
            raise UnfitError(f"this port does not take {rate} baud: {err}") from err
        finally:
            await self._use(RESET_RATE)
        if taken not in (None, rate):
            raise UnfitError(f"this port takes {taken} baud for {rate}")
        await self.quiet()
        self.stuck_at = rate
        await self._order(rate)

    async def return_rate(self) -> None:
        """Take both sides back to 115200 baud."""
        await self.quiet()
        await self._order(RESET_RATE)
        self.stuck_at = None

    async def _order(self, rate: int) -> None:
        """Take both sides to a rate and see the loader's echo there.

        A busy host may follow too late to hear it: a loader that has gone listens at the new rate,
        and echoes the same order once more.
        """
        try:
            await self._order_once(rate)
        except BrokenError:
            same("the link check", (await self.ask(LINK_CHECK)).raw, LINKED)
            await self._order_once(rate)

    async def _order_once(self, rate: int) -> None:
        request = short(0x0F, number(rate) + bytes([_RATE_DELAY]))
        transport = self.port.transport
        transport.write(request)
        await transport.flush()
        await asyncio.sleep(_RATE_PAUSE)
        await self._use(rate)
        echo = await self.ask(b"")
        same("the echo", echo.raw, b"\x04\x0e\x09\x01\xe0\xfc" + request[4:])

    def _rate_of_port(self) -> int | None:
        """Return what the driver took, where it tells: some take the nearest they have."""
        if not isinstance(self.port.transport, PosixSerialTransport):
            return None
        speed = termios.tcgetattr(self.port.transport.serial.fileno())[5]
        return next((n for n in RATES if getattr(termios, f"B{n}", 0) == speed), None)

    async def quiet(self, seconds: float = _QUIET) -> None:
        """Wait until nothing has come for so long."""
        while True:
            self.port.received.clear()
            await asyncio.sleep(seconds)
            if not self.port.received:
                return

    async def _use(self, rate: int) -> None:
        await self.port.transport.reconfigure_port(baudrate=rate)

    def _take(self) -> Reply | None:
        """Return the next whole frame of what came."""
        received = self.port.received
        while (start := received.find(b"\x04\x0e")) >= 0:
            del received[:start]
            if len(received) < 9:
                length = 3 + received[2] if len(received) > 2 else 9
                if len(received) < min(length, 9):
                    return None
            if received[3:6] != b"\x01\xe0\xfc":
                del received[:1]
                continue
            size = 3 + received[2]
            if received[2] == 0xFF:
                size = 9 + int.from_bytes(received[7:9], "little")
            if len(received) < size:
                return None
            frame = bytes(received[:size])
            del received[:size]
            return Reply(frame)
        return None


def number(value: int) -> bytes:
    """Return 32 bits as a loader wants them."""
    return value.to_bytes(4, "little")


def short(command: int, payload: bytes = b"") -> bytes:
    """Return a short request."""
    return b"\x01\xe0\xfc" + bytes([1 + len(payload), command]) + payload


def long(command: int, payload: bytes = b"") -> bytes:
    """Return a request of a flash command."""
    length = (1 + len(payload)).to_bytes(2, "little")
    return b"\x01\xe0\xfc\xff\xf4" + length + bytes([command]) + payload


@asynccontextmanager
async def chip_on(address: str, seconds: float) -> AsyncGenerator[Chip]:
    """Open a port, wait for a loader to answer and find out what it belongs to.

    ``address`` is a path or a ``socket://`` or ``rfc2217://`` address; RTS and DTR stay released.
    Raises OSError, SearchError.
    """
    released = serialx.PinState.LOW
    try:
        port = _Port()
        transport, _ = await serialx.create_serial_connection(
            asyncio.get_running_loop(),
            lambda: port,
            address,
            baudrate=RESET_RATE,
            rts_on_open=released,
            dtr_on_open=released,
            rts_on_close=released,
            dtr_on_close=released,
        )
    except (serialx.SerialException, ValueError) as err:
        raise OSError(str(err)) from err
    try:
        chip = Chip(port)
        await _search(chip, seconds)
        await _identify(chip)
        yield chip
    finally:
        transport.abort()


async def _search(chip: Chip, seconds: float) -> None:
    received = chip.port.received
    try:
        async with asyncio.timeout(seconds):
            while LINKED not in received:
                chip.port.transport.write(LINK_CHECK)
                await asyncio.sleep(_SEARCH_INTERVAL)
    except TimeoutError:
        heard = shorten(bytes(received[:32]).hex(" "))
        raise SearchError(
            f"no loader answered for {seconds:g} s; heard {heard}. Connect the adapter's "
            f"TX to RX1, its RX to TX1, and touch CEN to GND during the search"
        ) from None
    await chip.quiet()


async def _identify(chip: Chip) -> None:
    """Find out by what is answered: each asks for what the other does not know."""
    try:
        reply = await chip.ask(short(0x03, number(0x800000)), 0.5)
    except BrokenError:
        pass
    else:
        chip_id = int.from_bytes(reply.data[4:8], "little")
        chip.told["chip_id"] = f"{chip_id:#x}"
        if chip_id == 0x7231C:
            chip.kind = Kind.BK7231N
        return
    try:
        reply = await chip.ask(short(0x11), 0.5)
    except BrokenError:
        return
    version = reply.data.rstrip(b"\0").decode(errors="backslashreplace")
    chip.told["loader"] = version
    if len(reply.data) == 16:
        chip.kind = Kind.BK7231T
