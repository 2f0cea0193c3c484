"""The chip's UART, the wires to the adapter and the adapter's USB side."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
import math
import os
from pathlib import Path
import time
from typing import Final, Protocol

from .adapters import Adapter
from .faults import Fault, FaultName, Faults, Piece
from .modem_lines import Lines
from .pty import PseudoTerminal

# 8N1: a start bit, eight data bits, a stop bit.
_BITS_PER_BYTE: Final = 10
# What an FTDI packs into one full-speed USB packet: 64 bytes less two of status.
_USB_PACKET: Final = 62
# A full-speed host moves data once per frame of this length.
_USB_FRAME_SECONDS: Final = 0.001
_LINE_FAULT_PERIOD_SECONDS: Final = 0.05
_BOOT_LOG: Final = (
    b"\r\nV:BK7231N_1.0.1\r\nCPSR:000000D3\r\nR0:95F2CBF4\r\ngo os_addr(0x10000)\r\n"
    b"[ ty N-] _TUYA_IOT_SDK init\r\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineOptions:
    """How true to life the line is. As it is made: bytes come at once and unharmed."""

    pacing: bool = False
    """Bytes take the time that the rate gives them, on an absolute schedule."""
    baudrate_matters: bool = False
    """What is sent at another rate than the receiver's arrives as garbage."""
    latency: float | None = None
    """Seconds that a USB adapter waits for more before it sends a packet that is not
    full (FTDI: 16 ms as delivered, 1 ms when tuned); None: no USB at all."""
    receive_fifo: int | None = None
    """Bytes that the chip can receive while it is busy; None: any number."""

    @classmethod
    def realistic(cls, latency: float = 0.001) -> LineOptions:
        """Return the line that facts/performance.md describes."""
        return cls(
            pacing=True, baudrate_matters=True, latency=latency, receive_fifo=256
        )


class Listener(Protocol):
    """What runs on the chip and reads its UART."""

    busy_until: float
    """Moment (time.monotonic) until which nothing is read."""
    wanted: int
    """How many more bytes there have to be before reading them is of any use."""

    def receive(self, data: bytes, moment: Callable[[int], float]) -> int:
        """Read bytes; return how many were used up: the others come again with more.

        ``moment(n)`` is when the n-th byte had arrived (1 is the first).
        """


@dataclass(slots=True)
class _Run:
    """Bytes that follow each other on a wire without a gap."""

    data: bytes
    start: float
    byte_time: float
    baudrate: int = 0
    then: Callable[[], None] | None = None

    def arrived(self, now: float) -> int:
        """Return how many bytes have passed completely."""
        if not self.byte_time:
            return len(self.data) if self.start <= now else 0
        # A hundredth of a byte makes up for rounding.
        return max(
            0, min(len(self.data), int((now - self.start) / self.byte_time + 0.01))
        )

    def moment(self, count: int) -> float:
        """Return when the first ``count`` bytes had passed."""
        return self.start + count * self.byte_time

    def skip(self, count: int) -> None:
        """Take bytes off its beginning."""
        self.start = self.moment(count)
        self.data = self.data[count:]


class Uart:
    """Eight data bits, no parity, between a pseudo-terminal and a chip."""

    def __init__(
        self,
        options: LineOptions = LineOptions(),
        *,
        faults: Faults | None = None,
        link: Path | None = None,
        adapter: Adapter | None = None,
        lines_changed: Callable[[Lines], None] = lambda lines: None,
    ) -> None:
        """Make the line and its port; needs a running event loop.

        ``adapter`` is what has a latency to be lowered; ``lines_changed`` hears of RTS and DTR.
        """
        self.options = options
        self.faults = faults or Faults()
        self._adapter = adapter
        self._lines_changed = lines_changed
        self.latency = options.latency
        """Seconds that the adapter waits with a packet that is not full, now."""
        self.baudrate = 115200
        """The chip's rate."""
        self.listener: Listener | None = None
        self.port = PseudoTerminal(self._from_host, link, self._lines_moved)
        self._loop = asyncio.get_running_loop()
        self._alarm = _Alarm(self._wake)
        self._incoming: deque[_Run] = deque()
        self._incoming_free = 0.0
        self._overrun_checked = 0.0
        self._outgoing: deque[_Run] = deque()
        self._outgoing_free = 0.0
        self._host_baudrate = 0
        self._line_fault_timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Take the port away."""
        if self._line_fault_timer is not None:
            self._line_fault_timer.cancel()
        self._alarm.close()
        self.port.unplug()

    def send(self, data: bytes, at: float) -> float:
        """Send bytes of the chip from a moment on; return when the last one has left.

        To be called in the order of the moments.
        """
        if not self.options.pacing and self.latency is None:
            if at <= time.monotonic() and not self._outgoing:
                self._to_host(data, self.baudrate)
                return at
            start, byte_time = at, 0.0
        else:
            start = max(at, self._outgoing_free)
            byte_time = self._byte_time(self.baudrate)
        run = _Run(data, start, byte_time, self.baudrate)
        self._outgoing_free = run.moment(len(data))
        self._outgoing.append(run)
        self._set_alarm(time.monotonic())
        return self._outgoing_free

    def silence(self) -> None:
        """Forget what is on the wires, as when the chip loses its power."""
        self._incoming.clear()
        self._outgoing.clear()
        self._incoming_free = self._outgoing_free = 0.0

    def wake(self) -> None:
        """Offer what has arrived to the listener again, whose state has changed."""
        self._loop.call_soon(self._wake)

    def line_fault(self, fault: Fault) -> None:
        """Let a fault of the line begin that sends by itself."""
        if self._line_fault_timer is None and fault.name in _SENDING:
            self._send_line_fault()

    # What the host sends.

    def _lines_moved(self, lines: Lines) -> None:
        adapter = self._adapter
        if self.latency is not None and adapter and adapter.low_latency is not None:
            low = bool(lines & Lines.LOW_LATENCY)
            self.latency = adapter.low_latency if low else adapter.latency
        self._lines_changed(lines)

    def _from_host(self, data: bytes) -> None:
        before, self._host_baudrate = self._host_baudrate, self.port.host_baudrate
        if self.faults.lasting(FaultName.ECHO):
            self.port.write(data)
            return
        if self.faults.lasting(FaultName.DISCONNECTED):
            return
        if not self._understood(data, before):
            data = self._garbage(data)
        else:
            data = self._with_bit_errors(data, self._host_baudrate)
        for piece in self.faults.request(data):
            self._queue(piece)
        self._wake()

    def _queue(self, piece: Piece) -> None:
        if not piece.data and piece.then is None:
            return
        start = time.monotonic()
        byte_time = 0.0
        if self.options.pacing:
            start = max(start, self._incoming_free)
            byte_time = self._byte_time(self._host_baudrate or self.baudrate)
        run = _Run(piece.data, start, byte_time, then=piece.then)
        self._incoming_free = run.moment(len(piece.data))
        self._incoming.append(run)

    def _understood(self, data: bytes, before: int) -> bool:
        if not self._readable(self._host_baudrate):
            return False
        if not self.options.baudrate_matters or self._host_baudrate == self.baudrate:
            return True
        # The host may have sent its change of rate and changed before this process was
        # given the processor: on a wire, the command would have passed at the old one.
        return (
            before == self.baudrate
            and data.startswith(_SET_BAUDRATE)
            and int.from_bytes(data[5:9], "little") == self._host_baudrate
        )

    def _wake(self) -> None:
        now = time.monotonic()
        self._feed(now)
        self._deliver(now)
        self._set_alarm(now)

    def _feed(self, now: float) -> None:
        while self._incoming:
            listener = self.listener
            if listener is None:
                self._incoming.clear()
                return
            if listener.busy_until > now:
                return
            self._overrun(listener.busy_until)
            data, accident = self._arrived(now)
            if not accident and len(data) < self._worth_reading(listener):
                return
            used = listener.receive(data, self._moment)
            self._discard(used)
            if used < len(data) and used:
                continue
            if accident and accident.then is not None:
                happen, accident.then = accident.then, None
                happen()
            elif not used:
                return

    def _arrived(self, now: float) -> tuple[bytes, _Run | None]:
        """Return what has arrived, up to the end of a run after which something happens.

        The second value is that run.
        """
        parts = []
        for run in self._incoming:
            count = run.arrived(now)
            parts.append(run.data[:count])
            if count < len(run.data):
                break
            if run.then is not None:
                return b"".join(parts), run
        return b"".join(parts), None

    def _worth_reading(self, listener: Listener) -> int:
        """Return how many bytes the listener should have, out of those on their way."""
        coming = 0
        for run in self._incoming:
            coming += len(run.data)
            if run.then is not None or coming >= listener.wanted:
                break
        return min(coming, listener.wanted)

    def _moment(self, count: int) -> float:
        moment = 0.0
        for run in self._incoming:
            if count <= len(run.data):
                return run.moment(count)
            moment = run.moment(len(run.data))
            count -= len(run.data)
        return moment

    def _discard(self, count: int) -> None:
        while self._incoming:
            run = self._incoming[0]
            part = min(count, len(run.data))
            count -= part
            run.skip(part)
            if run.data:
                return
            self._incoming.popleft()

    def _overrun(self, since: float) -> None:
        """Lose what arrived before ``since`` and found no place in the FIFO."""
        fifo = self.options.receive_fifo
        if fifo is None or since <= self._overrun_checked:
            return
        self._overrun_checked = since
        room = fifo
        for run in self._incoming:
            count = run.arrived(since)
            if count > room:
                kept, late = run.data[:room], run.data[count:]
                run.data = kept + late
                run.start = run.moment(count - room)
            room -= min(room, count)

    # What the chip sends.

    def _deliver(self, now: float) -> None:
        if not self._outgoing:
            return
        ready = self._deliverable(now)
        while ready > 0:
            run = self._outgoing[0]
            part = run.data[:ready]
            ready -= len(part)
            run.skip(len(part))
            if not run.data:
                self._outgoing.popleft()
            self._to_host(part, run.baudrate)

    def _deliverable(self, now: float) -> int:
        """Return how many bytes the adapter passes on by now."""
        arrived = 0
        for run in self._outgoing:
            count = run.arrived(now)
            arrived += count
            if count < len(run.data):
                break
        latency = self.latency
        if latency is None:
            return arrived
        whole = arrived - arrived % _USB_PACKET
        if arrived > whole and self._outgoing_moment(whole + 1) + latency <= now:
            return arrived
        return whole

    def _outgoing_moment(self, count: int) -> float:
        """Return when the n-th byte that the adapter has yet to pass on has arrived."""
        for run in self._outgoing:
            if count <= len(run.data):
                return run.moment(count)
            count -= len(run.data)
        return float("inf")

    def _to_host(self, data: bytes, baudrate: int) -> None:
        if self.faults.lasting(FaultName.ECHO) or self.faults.lasting(
            FaultName.DISCONNECTED
        ):
            return
        matters = self.options.baudrate_matters
        if (matters and baudrate != self.port.host_baudrate) or not self._readable(
            baudrate
        ):
            data = self._garbage(data)
        self.port.write(self._with_bit_errors(data, baudrate))

    # When to look again.

    def _set_alarm(self, now: float) -> None:
        """Wake when there is more to do than there was at ``now``."""
        moments = [*self._incoming_moments(now), *self._outgoing_moments(now)]
        self._alarm.set(min(moments, default=None))

    def _incoming_moments(self, now: float) -> list[float]:
        listener = self.listener
        if not self._incoming or listener is None:
            return []
        worth = self._worth_reading(listener)
        moment = max(listener.busy_until, self._moment(worth))
        return [moment] if moment > now else []

    def _outgoing_moments(self, now: float) -> list[float]:
        if not self._outgoing:
            return []
        last = self._outgoing_free
        latency = self.latency
        if latency is None:
            coarse = now + _USB_FRAME_SECONDS
            return [min(last, max(self._outgoing_moment(1), coarse))]
        total = sum(len(run.data) for run in self._outgoing)
        timeout = self._outgoing_moment(1) + latency
        if total < _USB_PACKET:
            return [timeout]
        # All packets of one USB frame come in one go; the last one is not kept waiting.
        packet = self._outgoing_moment(_USB_PACKET)
        frame = now + _USB_FRAME_SECONDS
        last_packet = self._outgoing_moment(total - total % _USB_PACKET)
        return [min(timeout, max(packet, min(frame, last_packet)))]

    # What goes wrong on the way.

    def _byte_time(self, baudrate: int) -> float:
        return _BITS_PER_BYTE / baudrate if self.options.pacing else 0.0

    def _readable(self, baudrate: int) -> bool:
        limit = self.faults.lasting(FaultName.BAUDRATE_LIMIT)
        return limit is None or baudrate <= limit.baudrate

    def _garbage(self, data: bytes) -> bytes:
        return self.faults.random.randbytes(len(data))

    def _with_bit_errors(self, data: bytes, baudrate: int) -> bytes:
        fault = self.faults.lasting(FaultName.BIT_ERRORS)
        if fault is None or baudrate <= fault.baudrate:
            return data
        chooser = self.faults.random
        harmed = bytearray(data)
        place = int(chooser.expovariate(1 / fault.count))
        while place < len(harmed):
            harmed[place] ^= 1 << chooser.randrange(8)
            place += 1 + int(chooser.expovariate(1 / fault.count))
        return bytes(harmed)

    def _send_line_fault(self) -> None:
        self._line_fault_timer = None
        if noise := self.faults.lasting(FaultName.NOISE):
            count = max(1, int(noise.count * _LINE_FAULT_PERIOD_SECONDS))
            self.port.write(self.faults.random.randbytes(count))
        if self.faults.lasting(FaultName.BOOT_LOG):
            self.port.write(_BOOT_LOG)
        if any(self.faults.lasting(name) for name in _SENDING):
            self._line_fault_timer = self._loop.call_later(
                _LINE_FAULT_PERIOD_SECONDS, self._send_line_fault
            )


_SENDING: Final = (FaultName.NOISE, FaultName.BOOT_LOG)
_SET_BAUDRATE: Final = bytes.fromhex("01E0FC060F")


class _Alarm:
    """A timer for moments of time.monotonic, finer than the event loop's milliseconds.

    The loop's own timers are late by up to one millisecond, which at 2 Mbaud is two
    hundred bytes. A loop whose timers are exact says so with ``exact_timers``.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._moment: float | None = None
        self._exact: asyncio.TimerHandle | None = None
        self._timer: int | None = None
        if not getattr(self._loop, "exact_timers", False):
            self._timer = os.timerfd_create(
                time.CLOCK_MONOTONIC, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC
            )
            self._loop.add_reader(self._timer, self._rang)

    def set(self, moment: float | None) -> None:
        """Ring at a moment; with None or at the end of time, not at all."""
        if moment == math.inf:
            moment = None
        if moment == self._moment:
            return
        self._moment = moment
        if self._timer is not None:
            # Zero would stop the timer, a moment in the past rings at once.
            os.timerfd_settime(
                self._timer,
                flags=os.TFD_TIMER_ABSTIME,
                initial=0 if moment is None else max(moment, 1e-9),
            )
            return
        if self._exact is not None:
            self._exact.cancel()
            self._exact = None
        if moment is not None:
            self._exact = self._loop.call_at(moment, self._rang)

    def close(self) -> None:
        """Never ring again."""
        self.set(None)
        if self._timer is not None:
            self._loop.remove_reader(self._timer)
            os.close(self._timer)

    def _rang(self) -> None:
        if self._timer is not None:
            try:
                os.read(self._timer, 8)
            except BlockingIOError:
                return
        self._moment = self._exact = None
        self._ring()
