"""The serial link to a boot ROM: opening, searching, baud rates, requests and their replies."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Coroutine, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
import errno
import logging
import socket
import termios
from typing import Any, Final, override

import serialx
from serialx.platforms.serial_posix import PosixSerialTransport

from ..beken.flash_map import NOTHING, SECTOR_SIZE, WriteAllowance
from ..checksums import crc32_jamcrc
from . import frames
from .discretion import frames_stay_private
from .errors import (
    Hint,
    LinkLostError,
    NoReplyError,
    PortTrouble,
    PortUnavailableError,
    StatusError,
)
from .frames import Frame, FrameParser, Reply, Request

_LOGGER: Final = logging.getLogger(__name__)

RESET_BAUDRATE: Final = 115_200
# A host in the network that is switched off does not even refuse.
_OPENING_TIMEOUT: Final = 10.0
"""What the boot ROM speaks after each reset."""
DEFAULT_LADDER: Final = (2_000_000, 1_500_000, 921_600, 460_800, 230_400, 115_200)
"""Baud rates to try, best first; 26 MHz divide well enough for each (facts of the protocol, 9)."""

# A link check takes 0.43 ms on the wire at 115200 baud and its reply 0.69 ms, but adapters hold
# bytes back for up to 16 ms. Replies may overtake the next check: they are drained afterwards.
_PROBE_INTERVAL: Final = 0.01
# How long the line must be silent before what comes next can only be the answer to what is asked
# next. 10 ms were too short for hid_download_py (its change 15), 100 ms are not.
_QUIET: Final = 0.1
# A chip that got only half of a sector to write gives up waiting for the rest after about this.
_QUIET_AFTER_WRITE: Final = 1.0
# One visit to a baud rate that the chip was perhaps left at; short, because a reset chip listens
# at 115200 baud for some hundred milliseconds only.
_EXCURSION: Final = 0.06
_SECONDS_BETWEEN_EXCURSIONS: Final = 1.0
_RELINK_TURN: Final = 0.5
# Between change and answer of a baud change, in ms; ours must fall in between.
_BAUDRATE_DELAY: Final = 60
_BAUDRATE_PAUSE: Final = 0.02
# One failure fills the bucket by one, each good reply empties it by this much; when it is full,
# the next lower baud rate is taken.
_STRIKES_TOLERATED: Final = 3.0
_STRIKE_FORGIVEN: Final = 0.1
# How many failures of requests sent ahead, none of which was ever answered, end sending ahead.
_EARLY_FAILURES_TOLERATED: Final = 2
# While a long answer runs in, the process sleeps instead of waking for each USB packet. The kernel
# keeps 4096 bytes meanwhile; this much time is left for a loop that is late to fetch them.
_KERNEL_BUFFER: Final = 4096
_LATENESS_TOLERATED: Final = 0.008
# What comes last in an answer, and is worth waiting for while the chip has more to do.
_ADAPTER_LATENCY: Final = 0.0015
# How long a serial server on the network may take to confirm a new rate.
_REMOTE_CHANGE_SECONDS: Final = 5.0
_SHORTEST_NAP: Final = 0.003
_LONGEST_NAP: Final = 0.04


class Observation(StrEnum):
    """What came in during a search."""

    NOTHING = "nothing"
    NOISE = "noise"
    """Bytes that come by themselves: a loose ground, or something else talks on this line."""
    ECHO = "echo"
    """Our own bytes: RX and TX touch."""
    BOOT_LOG = "boot_log"
    """Text: this is the log port, not the download port."""
    OTHER_BAUD = "other_baud"
    """Answers to our checks that make no sense."""
    LINKED = "linked"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchReport:
    """One turn of searching for a chip."""

    linked: bool
    baudrate: int
    observation: Observation
    sample: bytes
    """The first bytes that came in and were no answer, at most 64."""


@asynccontextmanager
async def open_link(
    address: str,
    *,
    baudrates: Sequence[int] = DEFAULT_LADDER,
    patience: float = 1.0,
) -> AsyncGenerator[Link]:
    """Open a local path or a ``socket://`` or ``rfc2217://`` address, with RTS and DTR released.

    Some drivers assert RTS on opening, which holds a chip in reset whose CEN is wired to it. An
    adapter without these lines is no error. ``patience`` stretches every time-out. While the link
    is open, the serial library logs none of the bytes.
    Raises PortUnavailableError.
    """
    parser = FrameParser()
    port = _Port(parser)
    released = serialx.PinState.LOW
    try:
        async with asyncio.timeout(_OPENING_TIMEOUT):
            transport, _ = await serialx.create_serial_connection(
                asyncio.get_running_loop(),
                lambda: port,
                address,
                baudrate=RESET_BAUDRATE,
                rts_on_open=released,
                dtr_on_open=released,
                rts_on_close=released,
                dtr_on_close=released,
            )
    except (OSError, serialx.SerialException, ValueError) as err:
        raise PortUnavailableError(_open_trouble(err), str(err)) from err
    try:
        with frames_stay_private():
            yield Link(address, port, parser, baudrates, patience)
    finally:
        # Not close(): that would first wait for what is still to be sent.
        transport.abort()
        await asyncio.shield(transport.wait_closed())


@dataclass(slots=True, eq=False)
class Pending:
    """A request that was sent and is not yet answered."""

    request: Request
    early: bool
    """It was sent while another was being worked on."""
    reply: Reply | None = None
    lost: bool = False
    """The answer to a later request came, so this one's never will."""
    fence: Pending | None = None


class Link:
    """A serial port with, perhaps, a boot ROM at its other end.

    The boot ROM answers one request after the other. Several may be sent ahead (`send`), their
    replies are then awaited in the same order (`receive`); `exchange` does both, with retries.
    """

    def __init__(
        self,
        address: str,
        port: _Port,
        parser: FrameParser,
        baudrates: Iterable[int],
        patience: float,
    ) -> None:
        """Take an open port; use `open_link`."""
        self.address = address
        self.baudrate = RESET_BAUDRATE
        self.linked = False
        """A link check was answered, and the chip was not told to leave the boot ROM since."""
        self.failures = 0
        """How often this link had to recover."""
        self.stray_changes: list[tuple[int, int]] = []
        """Start and length of flash that the chip says it erased or programmed unasked.

        Where the answer, not the request, was damaged, that is not true: compare its CRC.
        """
        self._ordered_changes: set[tuple[int, int]] = set()
        self._port = port
        self._parser = parser
        self._patience = patience
        # A plain TCP socket cannot tell its far end to change the rate.
        self._fixed_rate = address.startswith(("socket://", "tcp://"))
        self._ladder = sorted({*baudrates, RESET_BAUDRATE}, reverse=True)
        self._tried_rates: list[int] = []
        self._working_rate = RESET_BAUDRATE
        self._flight: deque[Pending] = deque()
        self._early_answered = False
        self._early_failures = 0
        self._strikes = 0.0
        self._turns = self._search_turns()
        self._loop = asyncio.get_running_loop()

    # Requests and replies

    @property
    def sends_ahead(self) -> bool:
        """Return whether this chip takes requests while it works on an earlier one."""
        return self._early_failures < _EARLY_FAILURES_TOLERATED

    def send(self, request: Request, allowance: WriteAllowance = NOTHING) -> Pending:
        """Send ``request``; what it erases or programs must lie within ``allowance``.

        Every request leaves through here. Raises OutsideAllowanceError, PortUnavailableError.
        """
        if request.changes is not None:
            allowance.check(*request.changes)
            self._ordered_changes.add(request.changes)
        data = request.encode()
        pending = Pending(request, early=bool(self._flight))
        if request.command is frames.CHECK_CRC and self.sends_ahead:
            fence = pending.fence = Pending(frames.link_check(), early=pending.early)
            pending.early = True
            self._flight.append(fence)
            data = fence.request.encode() + data
        self._port.write(data)
        if request.command.reply is not None:
            self._flight.append(pending)
        return pending

    async def receive(self, pending: Pending) -> Reply:
        """Wait for the reply to ``pending``, the oldest request without one.

        A CRC comes without address or status, so that a late or repeated one would pass for the
        next. A link check ahead of the request, or behind it where nothing is sent ahead, keeps
        them apart. Raises NoReplyError, StatusError, PortUnavailableError.
        """
        if pending.fence is not None:
            await self._receive(pending.fence)
        reply = await self._receive(pending)
        if pending.request.command is frames.CHECK_CRC and pending.fence is None:
            await self._receive(self.send(frames.link_check()))
        if reply.status:
            raise StatusError(reply.status, str(pending.request))
        self._strikes = max(0.0, self._strikes - _STRIKE_FORGIVEN)
        return reply

    async def exchange(
        self,
        request: Request,
        *,
        allowance: WriteAllowance = NOTHING,
        attempts: int = 4,
    ) -> Reply:
        """Send ``request`` and return its reply; again after `recover` when that fails.

        Only for requests that may be repeated. Raises OutsideAllowanceError, NoReplyError,
        StatusError, LinkLostError, PortUnavailableError.
        """
        while True:
            attempts -= 1
            try:
                return await self.receive(self.send(request, allowance))
            except (NoReplyError, StatusError) as err:
                _LOGGER.debug("%s: %s", request, err)
                await self.recover(request)
                if not attempts:
                    raise

    async def exchange_all(self, *requests: Request, attempts: int = 4) -> list[Reply]:
        """Send a few short requests at once, where the chip takes that; else as `exchange`."""
        if not self.sends_ahead:
            return [await self.exchange(request) for request in requests]
        try:
            flight = [self.send(request) for request in requests]
            return [await self.receive(pending) for pending in flight]
        except (NoReplyError, StatusError) as err:
            _LOGGER.debug("%s", err)
            await self.recover()
            if attempts <= 1:
                raise
        return await self.exchange_all(*requests, attempts=attempts - 1)

    async def crc(self, start: int, length: int) -> int:
        """Return the chip's CRC over ``length`` bytes from ``start``."""
        return (await self.exchange(frames.check_crc(start, length))).number

    async def recover(self, failed: Request | None = None) -> None:
        """Make sure, after a failure, that the chip listens and nothing old is on its way.

        Nothing that was sent before is answered any more. After repeated failures a lower baud
        rate is taken. Raises LinkLostError.
        """
        self.failures += 1
        self._strikes += 1
        was_writing = failed is not None and failed.command is frames.WRITE_SECTOR
        await self._quiet(
            _QUIET_AFTER_WRITE * self._patience if was_writing else _QUIET
        )
        answers = await self._answers()
        if not answers and was_writing:
            # Still waiting for the rest of the sector: FF programs nothing.
            filler = b"\xff" * (SECTOR_SIZE + 16)
            self._port.write(filler)
            await asyncio.sleep(len(filler) * 10 / self.baudrate)
            await self._quiet(_QUIET)
            answers = await self._answers()
        if not answers:
            await self.relink()
        if self._strikes >= _STRIKES_TOLERATED:
            self._strikes = 0.0
            await self.slow_down()
        elif self.baudrate < self._working_rate:
            # The chip was reset.
            await self.set_baudrate(self._working_rate)

    async def flush(self) -> None:
        """Wait until everything has left the port."""
        await self._port.flush()

    async def _receive(self, pending: Pending) -> Reply:
        request = pending.request
        size = len(request.payload) + request.reply_size
        seconds = request.seconds * self._patience + size * 10 / self.baudrate
        deadline = self._loop.time() + seconds
        try:
            while pending.reply is None and not pending.lost:
                if (frame := await self._frame(deadline)) is None:
                    break
                self._deliver(frame)
        except asyncio.CancelledError:
            self._flight.clear()
            raise
        if pending.reply is not None:
            self._early_answered |= pending.early
            return pending.reply
        if pending in self._flight:
            self._flight.remove(pending)
        if pending.early and not self._early_answered:
            self._early_failures += 1
        raise NoReplyError(f"no answer to {request} at {self.baudrate} baud")

    def _deliver(self, frame: Frame) -> None:
        """Give ``frame`` to the request that it answers; what was asked before that is lost."""
        for place, pending in enumerate(self._flight):
            if place and pending.request.command is frames.CHECK_CRC:
                continue
            reply = pending.request.accept(frame)
            if reply is not None:
                pending.reply = reply
                for _ in range(place):
                    self._flight.popleft().lost = True
                self._flight.popleft()
                return
        self._notice_stray(frame)

    def _notice_stray(self, frame: Frame) -> None:
        """Remember flash that was changed although nobody asked: a request damaged on its way."""
        changed = frames.changed_flash(frame)
        if changed is not None and changed not in self._ordered_changes:
            _LOGGER.warning("The chip changed 0x%06X+0x%X instead", *changed)
            self.stray_changes.append(changed)

    async def _frame(self, deadline: float) -> Frame | None:
        """Return the next frame, or None when the deadline passes."""
        while (frame := self._parser.take()) is None:
            expected = self._flight[0].request.reply_size if self._flight else 0
            if not await self._port.more(deadline, expected):
                return None
        return frame

    async def _quiet(self, seconds: float) -> None:
        """Discard what comes in until nothing has come for so long, or for a second more."""
        self._flight.clear()
        end = self._loop.time() + seconds + 1.0
        while True:
            self._parser.clear()
            now = self._loop.time()
            if now >= end or not await self._port.more(now + seconds, 0):
                return

    # Finding the chip

    async def search(self, seconds: float) -> SearchReport:
        """Send link checks for so long, or until one is answered.

        Mostly at 115200 baud, where a chip is after a reset, and now and then at the rates where
        an earlier job may have left it. Raises PortUnavailableError.
        """
        self._flight.clear()
        self._parser.clear()
        self._parser.skipped.clear()
        end = self._loop.time() + seconds
        rate, turn = self.baudrate, _EXCURSION
        if rate == RESET_BAUDRATE:
            turn = _SECONDS_BETWEEN_EXCURSIONS
        while (now := self._loop.time()) < end:
            await self._use(rate)
            if await self._probe(min(now + turn, end)):
                return self._report(Observation.LINKED)
            rate, turn = next(self._turns)
        await self._use(RESET_BAUDRATE)
        if not self._parser.skipped:
            return self._report(Observation.NOTHING)
        self._parser.clear()
        unasked = await self._port.more(self._loop.time() + _EXCURSION, 0)
        return self._report(observe(bytes(self._parser.skipped), unasked=unasked))

    async def relink(self) -> None:
        """Find the chip again at the rates where it may be; raises LinkLostError."""
        rates = dict.fromkeys((self.baudrate, *self._tried_rates, RESET_BAUDRATE))
        if self._fixed_rate:
            rates = {self.baudrate: None}
        for _ in range(2):
            for rate in rates:
                await self._use(rate)
                if await self._probe(self._loop.time() + _RELINK_TURN * self._patience):
                    return
        self.linked = False
        raise LinkLostError("the chip does not answer any more")

    def _search_turns(self) -> Iterator[tuple[int, float]]:
        """Yield baud rates and how many seconds to stay at each."""
        while True:
            for rate in tuple(self._ladder):
                if rate != RESET_BAUDRATE and not self._fixed_rate:
                    yield rate, _EXCURSION
                yield RESET_BAUDRATE, _SECONDS_BETWEEN_EXCURSIONS

    async def _probe(self, end: float) -> bool:
        """Send link checks until one is answered or the time is over."""
        check = frames.link_check()
        while (now := self._loop.time()) < end:
            self._port.write(frames.LINK_CHECK_BYTES)
            pause = min(now + _PROBE_INTERVAL, end)
            while (frame := await self._frame(pause)) is not None:
                if check.accept(frame) is not None:
                    # More checks than replies so far: let the others come in.
                    await self._quiet(_QUIET)
                    self.linked = True
                    return True
        return False

    async def _answers(self) -> bool:
        """Return whether a link check is answered."""
        for _ in range(3):
            self._flight.clear()
            pending = self.send(frames.link_check())
            end = self._loop.time() + 0.3 * self._patience
            while (frame := await self._frame(end)) is not None:
                self._deliver(frame)
                if pending.reply is not None:
                    return True
        return False

    def _report(self, observation: Observation) -> SearchReport:
        return SearchReport(
            linked=observation is Observation.LINKED,
            baudrate=self.baudrate,
            observation=observation,
            sample=bytes(self._parser.skipped),
        )

    # Baud rates

    async def set_baudrate(self, highest: int | None = None) -> int:
        """Go to the highest rate of the ladder, at most ``highest``, that proves itself.

        A rate proves itself with a sector read whose CRC is right; one that does not is not tried
        again on this link. Returns the rate. Raises LinkLostError, PortUnavailableError.
        """
        if self._fixed_rate:
            return self.baudrate
        for rate in tuple(self._ladder):
            if highest is not None and rate > max(highest, RESET_BAUDRATE):
                continue
            try:
                if rate == self.baudrate or await self._change_baudrate(rate):
                    if rate == RESET_BAUDRATE or await self._proves_itself():
                        self._working_rate = rate
                        return rate
                    await self._leave_baudrate(rate)
            except LinkLostError as err:
                # Only a reset brings the chip back from there: what comes next had better work.
                self._ladder = [lower for lower in self._ladder if 4 * lower <= rate]
                raise LinkLostError(
                    f"the chip went to {rate} baud and is not understood there",
                    Hint.RESET_CHIP,
                ) from err
            self._ladder.remove(rate)
        self._working_rate = self.baudrate
        return self.baudrate

    async def slow_down(self) -> None:
        """Go to the next lower rate of the ladder, for good, if there is one."""
        lower = [rate for rate in self._ladder if rate < self.baudrate]
        if lower and not self._fixed_rate:
            _LOGGER.info("Too much is damaged on its way at %d baud", self.baudrate)
            self._ladder = lower
            await self.set_baudrate()

    async def _change_baudrate(self, rate: int) -> bool:
        """Take both sides to ``rate``; False when one of them cannot."""
        old = self.baudrate
        try:
            # Where our side cannot follow, the chip must not go.
            await self._use(rate)
        except PortUnavailableError as err:
            if err.reason is not PortTrouble.UNSUPPORTED:
                raise
            return False
        finally:
            await self._use(old)
        self._tried_rates = [old, rate]
        for _ in range(3):
            await self._order_baudrate(rate)
            if await self._answers():
                return True
            # No answer: it may not have heard us, or its echo was lost.
            await self.relink()
            if self.baudrate == rate:
                return True
        return False

    async def _leave_baudrate(self, rate: int) -> None:
        """Bring the chip from a rate at which not every byte arrives down to 115200 baud."""
        for _ in range(4):
            await self._order_baudrate(RESET_BAUDRATE)
            if await self._answers():
                return
            await self._use(rate)
        raise LinkLostError(f"the chip does not leave {rate} baud")

    async def _order_baudrate(self, rate: int) -> None:
        """Tell the chip to change and follow; whether it did, the next link check shows."""
        await self._quiet(0)
        pending = self.send(frames.set_baudrate(rate, _BAUDRATE_DELAY))
        await self._port.flush()
        await asyncio.sleep(_BAUDRATE_PAUSE + 10 * 10 / self.baudrate)
        await self._use(rate)
        try:
            await self.receive(pending)
        except (NoReplyError, StatusError) as err:
            _LOGGER.debug("Changing the baud rate: %s", err)

    async def _proves_itself(self) -> bool:
        """Return whether a sector comes over unharmed at the present rate."""
        try:
            data = (await self._once(frames.read_sector(0))).data
            crc = (await self._once(frames.check_crc(0, SECTOR_SIZE))).number
        except NoReplyError, StatusError:
            return False
        return crc == crc32_jamcrc(data)

    async def _once(self, request: Request) -> Reply:
        return await self.receive(self.send(request))

    async def _use(self, rate: int) -> None:
        """Set the rate of our side."""
        if rate != self.baudrate and not self._fixed_rate:
            await self._port.set_baudrate(rate)
            self._parser.clear()
            self.baudrate = rate


def observe(sample: bytes, *, unasked: bool) -> Observation:
    """Return what bytes that are no answers tell; ``unasked``: they came without link checks too."""
    if not sample:
        return Observation.NOTHING
    if frames.LINK_CHECK_BYTES in sample:
        return Observation.ECHO
    text = sum(0x20 <= byte < 0x7F or byte in b"\r\n\t" for byte in sample)
    if len(sample) >= 8 and text >= 0.9 * len(sample):
        return Observation.BOOT_LOG
    return Observation.NOISE if unasked else Observation.OTHER_BAUD


class _Port(asyncio.Protocol):
    """Our side of the line: bytes out, bytes into the parser."""

    def __init__(self, parser: FrameParser) -> None:
        self._received = parser.received
        self._parser = parser
        self._loop = asyncio.get_running_loop()
        self._transport: serialx.BaseSerialTransport
        self._gone: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._goal = 0
        self._nap: asyncio.TimerHandle | None = None
        self._after_nap = 0
        self._keeps_pace = True
        """What comes in comes no faster than the rate says: it can be slept for in advance."""
        self._set_pace(RESET_BAUDRATE)

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, serialx.BaseSerialTransport)
        self._transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._after_nap:
            self._keeps_pace = len(self._received) <= self._after_nap
            self._after_nap = 0
        missing = self._goal - len(self._received)
        if missing <= 0:
            self._wake()
        else:
            self._take_nap(missing)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = exc or ConnectionAbortedError("closed")
        self._wake()

    def write(self, data: bytes) -> None:
        """Send ``data``; raises PortUnavailableError when the port has gone."""
        self._check()
        try:
            self._transport.write(data)
        except OSError as err:
            raise PortUnavailableError(PortTrouble.UNPLUGGED, str(err)) from err

    async def flush(self) -> None:
        """Wait until everything has left the port."""
        try:
            await self._transport.flush()
        except (OSError, serialx.SerialException) as err:
            raise PortUnavailableError(PortTrouble.UNPLUGGED, str(err)) from err

    async def set_baudrate(self, rate: int) -> None:
        """Set the rate of the port; what is received or still to be sent is lost."""
        self._check()
        try:
            await self._reconfigure(rate)
        except OSError as err:
            gone = err.errno in (errno.EIO, errno.ENXIO, errno.ENODEV, errno.EBADF)
            trouble = PortTrouble.UNPLUGGED if gone else PortTrouble.UNSUPPORTED
            raise PortUnavailableError(trouble, str(err)) from err
        except (serialx.SerialException, ValueError, RuntimeError) as err:
            raise PortUnavailableError(PortTrouble.UNSUPPORTED, str(err)) from err
        self._check()
        if not self._has_taken(rate):
            raise PortUnavailableError(PortTrouble.UNSUPPORTED, f"{rate} baud")
        self._set_pace(rate)

    async def more(self, deadline: float, expected: int) -> bool:
        """Wait until as much is received as the parser wants; False if the deadline passes first.

        ``expected`` is how much will be, if all goes well.
        """
        self._check()
        self._goal = self._parser.wanted
        if len(self._received) >= self._goal:
            return True
        self._waiter = self._loop.create_future()
        if self._keeps_pace:
            self._take_nap(expected - len(self._received))
        timer = self._loop.call_at(deadline, self._wake)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None
            self._goal = self._after_nap = 0
            self._end_nap()
        self._check()
        return len(self._received) >= self._parser.wanted

    async def _reconfigure(self, rate: int) -> None:
        change = self._transport.reconfigure_port(baudrate=rate)
        if not isinstance(self._transport, PosixSerialTransport):
            async with asyncio.timeout(_REMOTE_CHANGE_SECONDS):
                await change
            return
        # What arrives just before the driver throws it away would be read as nothing, which the
        # library takes for a port that has gone.
        self._pause()
        try:
            # A thread works on the open port meanwhile: it must not be closed under it.
            await _to_its_end(change)
        finally:
            self._resume()

    def _has_taken(self, rate: int) -> bool:
        """Return whether the driver uses this rate: some silently take the nearest they have."""
        constant = getattr(termios, f"B{rate}", None)
        if constant is None or not isinstance(self._transport, PosixSerialTransport):
            return True
        _, _, _, _, input_speed, output_speed, _ = termios.tcgetattr(
            self._transport.serial.fileno()
        )
        return bool(input_speed == output_speed == constant)

    def _set_pace(self, rate: int) -> None:
        self._seconds_per_byte = 10 / rate
        until_full = _KERNEL_BUFFER * self._seconds_per_byte
        self._longest_nap = min(until_full - _LATENESS_TOLERATED, _LONGEST_NAP)

    def _take_nap(self, missing: int) -> None:
        """Leave what comes in to the kernel while ``missing`` bytes come, or for a while."""
        nap = missing * self._seconds_per_byte + _ADAPTER_LATENCY
        nap = min(nap, self._longest_nap)
        if nap >= _SHORTEST_NAP and self._waiter is not None and self._pause():
            self._nap = self._loop.call_later(nap, self._end_nap)
            most = 1.25 * (nap + _SHORTEST_NAP) / self._seconds_per_byte
            self._after_nap = len(self._received) + int(most)

    def _end_nap(self) -> None:
        if self._nap is not None:
            self._nap.cancel()
            self._nap = None
            self._resume()

    def _pause(self) -> bool:
        """Leave what comes in to the kernel; False where the transport cannot do that."""
        if self._transport.is_closing():
            return False
        try:
            self._transport.pause_reading()
        except NotImplementedError:
            return False
        return True

    def _resume(self) -> None:
        if not self._transport.is_closing():
            with suppress(NotImplementedError):
                self._transport.resume_reading()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _check(self) -> None:
        if self._gone is not None or self._transport.is_closing():
            raise PortUnavailableError(PortTrouble.UNPLUGGED, f"{self._gone}")


async def _to_its_end[T](work: Coroutine[Any, Any, T]) -> T:
    """Await ``work`` and, when cancelled, let it finish before that takes effect."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        raise


def _open_trouble(err: Exception) -> PortTrouble:
    match err:
        case PermissionError():
            return PortTrouble.NO_PERMISSION
        case OSError(errno=errno.EBUSY | errno.EAGAIN):
            return PortTrouble.BUSY
        case OSError(errno=errno.ENOTTY | errno.EINVAL):
            return PortTrouble.UNSUPPORTED
        case (
            TimeoutError()
            | ConnectionError()
            | socket.gaierror()
            | OSError(errno=errno.EHOSTUNREACH | errno.ENETUNREACH)
        ):
            return PortTrouble.UNREACHABLE
        case OSError():
            return PortTrouble.MISSING
        case _:
            return PortTrouble.UNSUPPORTED
