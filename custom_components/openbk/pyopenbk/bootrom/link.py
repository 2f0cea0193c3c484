"""The serial link to a boot ROM: opening, searching, baud rates, requests and their replies."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
import logging
import math
from typing import Final

from ..beken.flash_map import NOTHING, SECTOR_SIZE, WriteAllowance
from ..checksums import crc32_jamcrc
from . import frames
from .adapter import RESET_BAUDRATE, Adapter
from .errors import (
    BaudRateLostError,
    LinkLostError,
    NoReplyError,
    PortTrouble,
    PortUnavailableError,
    StatusError,
)
from .frames import Frame, Reply, Request
from .port import QUIET, Port, open_port
from .search import Search, SearchReport

_LOGGER: Final = logging.getLogger(__name__)

DEFAULT_LADDER: Final = (2_000_000, 1_500_000, 921_600, 460_800, 230_400, 115_200)
"""Baud rates to try, best first; 26 MHz divide well enough for each (facts of the protocol, 9)."""

READ_ALIAS: Final = 0x200000
"""Beyond the end of the flash it begins anew, for loaders as well that refuse to read there."""

# A chip that got only half of a sector to write gives up waiting for the rest after about this.
_QUIET_AFTER_WRITE: Final = 1.0
_RELINK_TURN: Final = 0.5
# Programs nothing where it is taken for the rest of a sector, and where it is the end of an address
# that is to be erased, no loader erases there.
_FILLER: Final = b"\xff" * (SECTOR_SIZE + 64)
# Between change and answer of a baud change, in ms; ours must fall in between.
_BAUDRATE_DELAY: Final = 60
_BAUDRATE_PAUSE: Final = 0.02
# One failure fills the bucket by one, each good reply empties it by this much; when it is full,
# the next lower baud rate is taken.
_STRIKES_TOLERATED: Final = 3.0
_STRIKE_FORGIVEN: Final = 0.1
# How many failures of requests sent ahead, none of which was ever answered, end sending ahead.
_EARLY_FAILURES_TOLERATED: Final = 2
# Of the attempts at requests that are sent at once, the last ones are made one by one: a chip may take
# one ahead, and not several.
_ATTEMPTS_APART: Final = 2
# An FTDI chip keeps what does not fill a packet for 16 ms, unless it is told to be quick. Where a reply
# that needs no work takes so long beyond its time on the line, something like that is in between.
_HELD_BACK: Final = 0.005
_PACKET: Final = 62
_PUSH_FAILURES_TOLERATED: Final = 2


@asynccontextmanager
async def open_link(
    address: str,
    *,
    adapter: Adapter | None = None,
    baudrates: Sequence[int] = DEFAULT_LADDER,
    patience: float = 1.0,
) -> AsyncGenerator[Link]:
    """Open a local path or an address that serialx knows, with RTS and DTR released.

    ``adapter`` is what earlier tries have taught, and learns from this one. ``patience`` stretches
    every time-out. While the link is open, the serial library logs none of the bytes. Raises
    PortUnavailableError.
    """
    adapter = adapter or Adapter()
    async with open_port(address, adapter) as port:
        link = Link(address, port, adapter, baudrates, patience)
        try:
            yield link
        finally:
            with suppress(PortUnavailableError):
                await link.finish_frame()


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
    is_push: bool = False
    """A request whose reply only pushes the one before it out of the adapter."""


def _pushes_behind(size: int) -> list[Request]:
    """Return what changes nothing and fills a packet behind replies of so many bytes.

    Where it can be done with nothing left over, which would come by itself later.
    """
    missing = -size % _PACKET
    read = frames.read_register(frames.CHIP_ID_REGISTER)
    check = frames.link_check()
    for reads in range(missing // read.reply_size + 1):
        checks, rest = divmod(missing - reads * read.reply_size, check.reply_size)
        if not rest:
            return [read] * reads + [check] * checks
    return [check] * math.ceil(missing / check.reply_size)


class Link:
    """A serial port with, perhaps, a boot ROM at its other end.

    The boot ROM answers one request after the other. Several may be sent ahead (`send`), their
    replies are then awaited in the same order (`receive`); `exchange` does both, with retries.
    """

    def __init__(
        self,
        address: str,
        port: Port,
        adapter: Adapter,
        baudrates: Sequence[int],
        patience: float,
    ) -> None:
        """Take an open port; use `open_link`."""
        self.address = address
        self.adapter = adapter
        self.linked = False
        """A link check was answered, and the chip was not told to leave the boot ROM since."""
        self.failures = 0
        """How often this link had to recover."""
        self.stray_changes: list[tuple[int, int]] = []
        """Start and length of flash that the chip says it erased or programmed unasked.

        Where the answer, not the request, was damaged, that is not true: compare its CRC.
        """
        self.writable = NOTHING
        """What may be changed of the flash at all, whatever a job has leave to: nothing before the
        chip is known."""
        self.waits_for_ever = False
        """The loader never gives a frame up: where bytes of one got lost, it takes those of the
        next."""
        self.changes_sent = 0
        """How many erases and writes were sent, whether they arrived or not."""
        self._unanswered_change: Request | None = None
        """An erase or write of which nobody knows whether all of it arrived."""
        self._ordered_changes: set[tuple[int, int]] = set()
        self._port = port
        self._search = Search(port, adapter, baudrates, patience)
        self._patience = patience
        self._baudrates = baudrates
        self._tried_rates: list[int] = []
        self._working_rate = RESET_BAUDRATE
        self._flight: deque[Pending] = deque()
        self._early_answered = False
        self._early_failures = 0
        self._held_back = math.inf
        """The least that a reply took beyond its time on the line, in seconds; none came yet: inf."""
        self._push_failures = 0
        self._strikes = 0.0
        self._loop = asyncio.get_running_loop()

    # Requests and replies

    @property
    def baudrate(self) -> int:
        """Return the rate of our side."""
        return self._port.baudrate

    @property
    def sends_ahead(self) -> bool:
        """Return whether this chip takes requests while it works on an earlier one."""
        return self._early_failures < _EARLY_FAILURES_TOLERATED

    def send(
        self,
        request: Request,
        allowance: WriteAllowance = NOTHING,
        *,
        pushes: Sequence[Request] = (),
    ) -> Pending:
        """Send ``request``; what it erases or programs must lie within ``allowance``.

        ``pushes`` follow it, for whose replies nobody waits. Every request leaves through here.
        Raises OutsideAllowanceError, PortUnavailableError.
        """
        if request.changes is not None:
            allowance.check(*request.changes)
            self.writable.check(*request.changes)
            self.changes_sent += 1
            if (change := request.announced_change) is not None:
                self._ordered_changes.add(change)
        data = request.encode()
        if self.waits_for_ever and self._unanswered_change is not None:
            data = _FILLER + data
            self._unanswered_change = None
        if request.changes is not None:
            self._unanswered_change = request
        pending = Pending(request, early=bool(self._flight))
        if request.command is frames.CHECK_CRC and self.sends_ahead:
            fence = pending.fence = Pending(frames.link_check(), early=pending.early)
            pending.early = True
            self._flight.append(fence)
            data = fence.request.encode() + data
        self._port.write(b"".join((data, *(push.encode() for push in pushes))))
        if request.command.reply is not None:
            self._flight.append(pending)
        self._flight += (Pending(push, early=True, is_push=True) for push in pushes)
        return pending

    def _send_pushed(
        self, *requests: Request, allowance: WriteAllowance = NOTHING
    ) -> list[Pending]:
        """Send requests, and what pushes their replies out of an adapter that holds them back."""
        *first, last = requests
        pushes: Sequence[Request] = ()
        # Nothing may follow a CRC: where that lost a byte, it would take one of these.
        if self._pushes and last.command is not frames.CHECK_CRC:
            pushes = _pushes_behind(sum(request.reply_size for request in requests))
        sent = [self.send(request, allowance) for request in first]
        return [*sent, self.send(last, allowance, pushes=pushes)]

    @property
    def holds_back(self) -> bool:
        """Return whether each reply takes long, which something on the way holds back."""
        return _HELD_BACK < self._held_back < math.inf

    @property
    def _pushes(self) -> bool:
        """Return whether others behind a request bring its reply sooner.

        Only to a chip that was seen to take what is sent ahead, and that gives up a frame of which
        bytes got lost. Whoever pushes a change sends nothing else before that is answered.
        """
        return (
            self.holds_back
            and self._early_answered
            and not self.waits_for_ever
            and self._push_failures < _PUSH_FAILURES_TOLERATED
        )

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
                return await self.ask(request, allowance)
            except (NoReplyError, StatusError) as err:
                _LOGGER.debug("%s: %s", request, err)
                await self.recover(was_writing=request.command is frames.WRITE_SECTOR)
                if not attempts:
                    raise

    async def ask(self, request: Request, allowance: WriteAllowance = NOTHING) -> Reply:
        """Send ``request`` and return its reply, with one attempt; who fails needs `recover`.

        Notes how long a reply that comes by itself is held back. Raises OutsideAllowanceError,
        NoReplyError, StatusError, PortUnavailableError.
        """
        comes_by_itself = not (request.work or self._pushes)
        began = self._loop.time()
        (pending,) = self._send_pushed(request, allowance=allowance)
        reply = await self.receive(pending)
        if comes_by_itself:
            size = len(request.encode()) + request.reply_size
            waited = self._loop.time() - began - size * 10 / self.baudrate
            self._held_back = min(waited, self._held_back)
        return reply

    async def exchange_all(self, *requests: Request, attempts: int = 4) -> list[Reply]:
        """Send a few short requests at once, where the chip takes that; else as `exchange`."""
        if not self.sends_ahead or attempts <= _ATTEMPTS_APART:
            return [await self.exchange(request) for request in requests]
        try:
            return [
                await self.receive(pending) for pending in self._send_pushed(*requests)
            ]
        except (NoReplyError, StatusError) as err:
            _LOGGER.debug("%s", err)
            await self.recover()
        return await self.exchange_all(*requests, attempts=attempts - 1)

    async def crc(self, start: int, length: int) -> int:
        """Return the chip's CRC over ``length`` bytes from ``start``."""
        return (await self.exchange(frames.check_crc(start, length))).number

    async def recover(self, *, was_writing: bool = False) -> None:
        """Make sure, after a failure, that the chip listens and nothing old is on its way.

        ``was_writing``: it may still wait for the rest of a sector. Nothing that was sent before is
        answered any more. After repeated failures a lower baud rate is taken. Raises LinkLostError.
        """
        self.failures += 1
        self._strikes += 1
        self._note_pushes(self._flight)
        if self.waits_for_ever:
            await self._quiet(QUIET)
            await self.finish_frame()
        else:
            await self._quiet(
                _QUIET_AFTER_WRITE * self._patience if was_writing else QUIET
            )
        answers = await self._answers()
        if not answers and was_writing:
            # Still waiting for the rest of the sector.
            await self._fill()
            answers = await self._answers()
        if not answers:
            await self.relink()
        if self._strikes >= _STRIKES_TOLERATED:
            self._strikes = 0.0
            await self.slow_down()
        elif self.baudrate < self._working_rate:
            # The chip was reset.
            await self.set_baudrate(self._working_rate)

    async def finish_frame(self) -> None:
        """Let go of a change that was not answered, where the loader may wait for the rest of it.

        Before that nothing else may be sent: in a sector it would be programmed, at the end of an
        address it would be erased elsewhere. Raises PortUnavailableError.
        """
        if self.waits_for_ever and self._unanswered_change is not None:
            await self._fill()
        self._unanswered_change = None

    async def _fill(self) -> None:
        """Send what changes nothing, until no loader can wait for more of its frame."""
        self._port.write(_FILLER)
        await asyncio.sleep(len(_FILLER) * 10 / self.baudrate)
        await self._quiet(QUIET)

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
            if place and (
                pending.is_push or pending.request.command is frames.CHECK_CRC
            ):
                # These replies look alike, so they prove nothing of what was asked before.
                continue
            reply = pending.request.accept(frame)
            if reply is not None:
                pending.reply = reply
                if pending.request is self._unanswered_change:
                    self._unanswered_change = None
                lost = [self._flight.popleft() for _ in range(place)]
                for earlier in lost:
                    earlier.lost = True
                self._note_pushes(lost)
                self._flight.popleft()
                return
        self._notice_stray(frame)

    def _note_pushes(self, lost: Iterable[Pending]) -> None:
        """Push no more where a chip turns out not to hear it."""
        self._push_failures += any(pending.is_push for pending in lost)

    def _notice_stray(self, frame: Frame) -> None:
        """Remember flash that was changed although nobody asked: a request damaged on its way."""
        changed = frames.changed_flash(frame)
        if changed is not None and changed not in self._ordered_changes:
            _LOGGER.warning("The chip changed 0x%06X+0x%X instead", *changed)
            self.stray_changes.append(changed)

    async def _frame(self, deadline: float) -> Frame | None:
        """Return the next frame, or None when the deadline passes."""
        expected = self._flight[0].request.reply_size if self._flight else 0
        return await self._port.frame(deadline, expected)

    async def _quiet(self, seconds: float) -> None:
        """Discard what comes in until nothing has come for so long, or for a second more."""
        self._flight.clear()
        await self._port.quiet(seconds)

    # Finding the chip

    async def search(self, seconds: float) -> SearchReport:
        """Look for a chip for so long, or until one answers; see `Search.run`.

        Raises PortUnavailableError.
        """
        self._flight.clear()
        await self.finish_frame()
        # Another chip may be on the wires than the one that was identified.
        self.writable, self.waits_for_ever = NOTHING, False
        report = await self._search.run(seconds)
        self.linked |= report.linked
        return report

    async def boot(self) -> None:
        """Reset the chip, where a wire does that, and let it start what is in its flash."""
        if self.adapter.reset_wire is not None:
            self.linked = False
            self._unanswered_change = None
            await self._search.pulse(self.adapter.reset_wire)

    async def touch(self) -> bool:
        """Send a link check, and up to two more; return whether one was answered."""
        return await self._answers()

    async def relink(self, *, reset: bool = True) -> None:
        """Find the chip again at the rates where it may be; raises LinkLostError.

        Where a wire resets it, that is done before it is given up, unless ``reset`` is False.
        """
        rates = dict.fromkeys((self.baudrate, *self._tried_rates, RESET_BAUDRATE))
        if self._port.fixed_rate:
            rates = {self.baudrate: None}
        for _ in range(2):
            for rate in rates:
                await self._port.use(rate)
                if await self._probe(_RELINK_TURN * self._patience):
                    return
        self._flight.clear()
        if reset and await self._search.reset():
            return
        self.linked = False
        raise LinkLostError("the chip does not answer any more")

    async def _probe(self, seconds: float) -> bool:
        """Send link checks until one is answered or the time is over."""
        self._flight.clear()
        found = await self._port.probe(self._loop.time() + seconds)
        self.linked |= found
        return found

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

    # Baud rates

    @property
    def _ladder(self) -> list[int]:
        """Return the rates that are worth a try, best first; the last one is 115200."""
        return self.adapter.usable(self._baudrates)

    async def set_baudrate(self, highest: int | None = None) -> int:
        """Go to the highest rate of the ladder, at most ``highest``, that proves itself.

        A rate proves itself with a sector read whose CRC is right; one that does not is not tried
        again over this adapter. Where the chip is lost at one, and no wire resets it, somebody
        must. Returns the rate. Raises BaudRateLostError, LinkLostError, PortUnavailableError.
        """
        if self._port.fixed_rate:
            return self.baudrate
        limit = max(highest or self._ladder[0], RESET_BAUDRATE)
        while True:
            rate = next(rate for rate in self._ladder if rate <= limit)
            if await self._settle(rate) or rate == RESET_BAUDRATE:
                self._working_rate = self.baudrate
                return self.baudrate
            limit = rate - 1

    async def _settle(self, rate: int) -> bool:
        """Take both sides to ``rate`` and stay there if it proves itself."""
        try:
            if rate != self.baudrate and not await self._change_baudrate(rate):
                return False
            if rate == RESET_BAUDRATE or await self._proves_itself():
                return True
            _LOGGER.info("Not every byte arrives at %d baud", rate)
            self.adapter.note_damage(rate)
            await self._leave_baudrate(rate)
        except LinkLostError as err:
            _LOGGER.info("The chip is not understood at %d baud", rate)
            self.adapter.note_loss(rate)
            if rate == RESET_BAUDRATE or not await self._search.reset():
                raise BaudRateLostError(rate) from err
            self.linked = True
        return False

    async def slow_down(self) -> None:
        """Go to the next lower rate of the ladder, for good, if there is one."""
        if self.baudrate > RESET_BAUDRATE and not self._port.fixed_rate:
            _LOGGER.info("Too much is damaged on its way at %d baud", self.baudrate)
            self.adapter.note_damage(self.baudrate)
            await self.set_baudrate()

    async def _change_baudrate(self, rate: int) -> bool:
        """Take both sides to ``rate``; False when one of them cannot."""
        old = self.baudrate
        try:
            # Where our side cannot follow, the chip must not go.
            await self._port.use(rate)
        except PortUnavailableError as err:
            if err.reason is not PortTrouble.UNSUPPORTED:
                raise
            self.adapter.note_refused(rate)
            return False
        await self._port.use(old)
        self._tried_rates = [old, rate]
        for _ in range(3):
            await self._order_baudrate(rate)
            if await self._answers():
                return True
            # No answer: it may not have heard us, or its echo was lost.
            await self.relink(reset=False)
            if self.baudrate == rate:
                return True
        self.adapter.unusable.add(rate)
        return False

    async def _leave_baudrate(self, rate: int) -> None:
        """Bring the chip from a rate at which not every byte arrives down to 115200 baud."""
        for _ in range(4):
            await self._order_baudrate(RESET_BAUDRATE)
            if await self._answers():
                return
            await self._port.use(rate)
        raise LinkLostError(f"the chip does not leave {rate} baud")

    async def _order_baudrate(self, rate: int) -> None:
        """Tell the chip to change and follow; whether it did, the next link check shows."""
        await self._quiet(0)
        pending = self.send(frames.set_baudrate(rate, _BAUDRATE_DELAY))
        await self._port.flush()
        await asyncio.sleep(_BAUDRATE_PAUSE + 10 * 10 / self.baudrate)
        await self._port.use(rate)
        try:
            await self.receive(pending)
        except (NoReplyError, StatusError) as err:
            _LOGGER.debug("Changing the baud rate: %s", err)

    async def _proves_itself(self) -> bool:
        """Return whether a sector comes over unharmed at the present rate."""
        try:
            data = await self._read_first_sector()
            crc = (await self._once(frames.check_crc(0, SECTOR_SIZE))).number
        except NoReplyError, StatusError:
            return False
        return crc == crc32_jamcrc(data)

    async def _read_first_sector(self) -> bytes:
        """Read the beginning of the bootloader, which is never blank."""
        try:
            return (await self._once(frames.read_sector(0))).data
        except StatusError:
            # A loader that lies there does not give it away under this address.
            return (await self._once(frames.read_sector(READ_ALIAS))).data

    async def _once(self, request: Request) -> Reply:
        return await self.receive(self.send(request))
