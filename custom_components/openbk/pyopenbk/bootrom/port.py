"""Our side of the serial line: bytes out, frames in, its baud rate, RTS and DTR."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
import errno
import logging
import socket
import termios
from typing import Final, override

import serialx
from serialx.platforms.serial_posix import PosixSerialTransport

from ..executor import to_the_end
from . import frames
from .adapter import RESET_BAUDRATE, Adapter, ResetLine
from .discretion import frames_stay_private
from .errors import PortTrouble, PortUnavailableError
from .frames import Frame, FrameParser

_LOGGER: Final = logging.getLogger(__name__)

# A host in the network that is switched off does not even refuse.
_OPENING_TIMEOUT: Final = 10.0
# A link check takes 0.43 ms on the wire at 115200 baud and its reply 0.69 ms, but adapters hold
# bytes back for up to 16 ms. Replies may overtake the next check: they are drained afterwards.
_PROBE_INTERVAL: Final = 0.01
# How long the line must be silent before what comes next can only be the answer to what is asked
# next. 10 ms were too short for hid_download_py (its change 15), 100 ms are not.
QUIET: Final = 0.1
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
# A rate that is off by more than this part was not taken. Linux leaves the constant that was asked
# for in place within the same part (tty_termios_encode_baud_rate).
_RATE_TOLERATED: Final = 50
_RATES: Final[dict[int, int]] = {
    getattr(termios, name): int(name[1:])
    for name in dir(termios)
    if name[:1] == "B" and name[1:].isdecimal()
}
# A plain TCP connection cannot tell its far end to change the rate.
_FIXED_RATE: Final = ("socket://", "tcp://")
_GONE: Final = (errno.EIO, errno.ENXIO, errno.ENODEV, errno.EBADF)


@asynccontextmanager
async def open_port(address: str, adapter: Adapter) -> AsyncGenerator[Port]:
    """Open a local path or an address that serialx knows, at 115200 baud; RTS and DTR are released.

    Linux asserts both on opening, which holds a chip in reset whose CEN is wired to one. An
    adapter without these lines is no error. Whatever ends the block closes the port, and lets go
    of the lines. Raises PortUnavailableError.
    """
    port = Port(address)
    left_alone = serialx.PinState.UNDEFINED
    released = serialx.PinState.LOW
    try:
        async with asyncio.timeout(_OPENING_TIMEOUT):
            transport, _ = await serialx.create_serial_connection(
                asyncio.get_running_loop(),
                lambda: port,
                address,
                baudrate=RESET_BAUDRATE,
                # Set below: what is said here would be set again at each change of the rate.
                rts_on_open=left_alone,
                dtr_on_open=left_alone,
                rts_on_close=released,
                dtr_on_close=released,
            )
    except Exception as err:
        # Other integrations register addresses of their own, and raise what they like.
        raise PortUnavailableError(_open_trouble(err), str(err)) from err
    try:
        with frames_stay_private(address):
            await port.assert_lines(adapter.resting)
            yield port
    finally:
        if adapter.resting:
            port.keep_lines()
        # Not close(): that would first wait for what is still to be sent.
        transport.abort()
        await asyncio.shield(transport.wait_closed())


class Port(asyncio.Protocol):
    """An open serial port and the frames that come in over it."""

    def __init__(self, address: str) -> None:
        """Take the address for what depends on it; `open_port` opens it."""
        self.baudrate = RESET_BAUDRATE
        self.fixed_rate = address.startswith(_FIXED_RATE)
        """The rate cannot be changed from here."""
        self.parser = FrameParser()
        self._received = self.parser.received
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
        if isinstance(transport, PosixSerialTransport):
            # A read never brings more. Its own is so large that each read maps memory, cuts it down
            # and gives it back, which takes longer than reading.
            transport.max_size = _KERNEL_BUFFER

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

    # Bytes and frames

    def write(self, data: bytes) -> None:
        """Send ``data``; raises PortUnavailableError when the port has gone."""
        self._check()
        try:
            self._transport.write(data)
        except OSError as err:
            raise self._lost(err) from err

    async def flush(self) -> None:
        """Wait until everything has left the port."""
        try:
            await self._transport.flush()
        except (OSError, serialx.SerialException) as err:
            raise self._lost(err) from err

    async def frame(self, deadline: float, expected: int = 0) -> Frame | None:
        """Return the next frame, or None when the deadline passes.

        ``expected`` is how many bytes will come in, if all goes well.
        """
        while (frame := self.parser.take()) is None:
            if not await self.more(deadline, expected):
                return None
        return frame

    async def more(self, deadline: float, expected: int = 0) -> bool:
        """Wait until as much is received as the parser wants; False if the deadline passes first."""
        self._check()
        self._goal = self.parser.wanted
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
        return len(self._received) >= self.parser.wanted

    async def quiet(self, seconds: float) -> None:
        """Discard what comes in until nothing has come for so long, or for a second more."""
        end = self._loop.time() + seconds + 1.0
        while True:
            self.parser.clear()
            now = self._loop.time()
            if now >= end or not await self.more(now + seconds):
                return

    async def probe(self, end: float) -> bool:
        """Send link checks until one is answered or the time (of the loop) is over."""
        check = frames.link_check()
        while (now := self._loop.time()) < end:
            self.write(frames.LINK_CHECK_BYTES)
            pause = min(now + _PROBE_INTERVAL, end)
            while (frame := await self.frame(pause)) is not None:
                if check.accept(frame) is not None:
                    # More checks than replies so far: let the others come in.
                    await self.quiet(QUIET)
                    return True
        return False

    # The rate

    async def use(self, rate: int) -> None:
        """Set our rate; what is received or still to be sent is lost.

        Raises PortUnavailableError: UNSUPPORTED where the driver does not take the rate, and the
        old one stays.
        """
        if rate == self.baudrate or self.fixed_rate:
            return
        try:
            await self._set_baudrate(rate)
        except PortUnavailableError as err:
            if err.reason is PortTrouble.UNSUPPORTED:
                # Drivers that do not refuse take the nearest rate that they have.
                await self._set_baudrate(self.baudrate)
            raise
        self.baudrate = rate
        self.parser.clear()

    async def _set_baudrate(self, rate: int) -> None:
        self._check()
        try:
            await self._reconfigure(rate)
        except OSError as err:
            if err.errno in _GONE:
                raise self._lost(err) from err
            raise PortUnavailableError(PortTrouble.UNSUPPORTED, str(err)) from err
        except (serialx.SerialException, ValueError, RuntimeError) as err:
            raise PortUnavailableError(PortTrouble.UNSUPPORTED, str(err)) from err
        self._check()
        if not self._has_taken(rate):
            raise PortUnavailableError(PortTrouble.UNSUPPORTED, f"{rate} baud")
        self._set_pace(rate)

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
            await to_the_end(change)
        finally:
            self._resume()

    def _has_taken(self, rate: int) -> bool:
        """Return whether the driver uses this rate: some silently take another."""
        if not isinstance(self._transport, PosixSerialTransport):
            return True
        speed: int = termios.tcgetattr(self._transport.serial.fileno())[5]
        # Newer C libraries give the rate itself instead of a constant for it.
        taken = _RATES.get(speed, speed)
        return abs(taken - rate) <= rate // _RATE_TOLERATED

    # RTS and DTR

    async def assert_lines(self, lines: frozenset[ResetLine]) -> None:
        """Assert these lines and release the others; nothing happens where there are none.

        A line that was begun to be set is set, also when that is cancelled.
        """
        if self._transport.is_closing():
            return
        change = self._transport.set_modem_pins(
            rts=ResetLine.RTS in lines, dtr=ResetLine.DTR in lines
        )
        try:
            if isinstance(self._transport, PosixSerialTransport):
                await to_the_end(change)
            else:
                async with asyncio.timeout(_REMOTE_CHANGE_SECONDS):
                    await change
        except (OSError, serialx.SerialException, ValueError, RuntimeError) as err:
            _LOGGER.debug("RTS and DTR cannot be set: %s", err)

    @asynccontextmanager
    async def asserted(
        self, line: ResetLine, resting: frozenset[ResetLine]
    ) -> AsyncGenerator[None]:
        """Turn one line over for the length of the block, whatever ends it."""
        try:
            await self.assert_lines(resting ^ {line})
            yield
        finally:
            await self.assert_lines(resting)

    def keep_lines(self) -> None:
        """Let the lines stay as they are when the port is closed."""
        transport = self._transport
        if transport.is_closing() or not isinstance(transport, PosixSerialTransport):
            return
        with suppress(OSError, termios.error):
            descriptor = transport.serial.fileno()
            settings = termios.tcgetattr(descriptor)
            settings[2] &= ~termios.HUPCL
            termios.tcsetattr(descriptor, termios.TCSANOW, settings)

    # Waiting without waking for each byte

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
            raise self._lost(self._gone)

    def _lost(self, err: Exception | None) -> PortUnavailableError:
        """Return what to raise for a port that has gone: an adapter, or a server in the network."""
        local = isinstance(self._transport, PosixSerialTransport)
        trouble = PortTrouble.UNPLUGGED if local else PortTrouble.CLOSED
        return PortUnavailableError(trouble, str(err))


def _open_trouble(err: Exception) -> PortTrouble:
    match err:
        case PermissionError():
            return PortTrouble.NO_PERMISSION
        case OSError(errno=errno.EBUSY | errno.EAGAIN):
            return PortTrouble.BUSY
        case OSError(errno=errno.ENOTTY | errno.EINVAL):
            return PortTrouble.UNSUPPORTED
        case ConnectionResetError() | ConnectionAbortedError() | BrokenPipeError():
            return PortTrouble.CLOSED
        case (
            TimeoutError()
            | ConnectionError()
            | socket.gaierror()
            | OSError(errno=errno.EHOSTUNREACH | errno.ENETUNREACH)
        ):
            return PortTrouble.UNREACHABLE
        case OSError():
            return PortTrouble.MISSING
        case serialx.SerialException() | ValueError():
            return PortTrouble.UNSUPPORTED
        case _:
            return PortTrouble.NOT_READY
