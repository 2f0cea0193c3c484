"""Looking for a chip on the line: what is heard, and resets by RTS or DTR where one is wired."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle
import logging
from typing import Final

from . import frames
from .adapter import RESET_BAUDRATE, Adapter, ResetLine, ResetWire
from .errors import PortTrouble, PortUnavailableError
from .port import QUIET, Port

_LOGGER: Final = logging.getLogger(__name__)

# One visit to a baud rate that the chip was perhaps left at; short, because a reset chip listens
# at 115200 baud for some hundred milliseconds only.
_EXCURSION: Final = 0.06
_SECONDS_BETWEEN_EXCURSIONS: Final = 1.0
# How long CEN is held low: 50 ms (BK7231GUIFlashTool) to 200 ms (hid_download_py) do.
_RESET_SECONDS: Final = 0.1
# How long a chip may take from its reset to its first answer. Its boot ROM listens for some
# hundred milliseconds, and begins with that at once.
_START_SECONDS: Final = 0.5
# How often a wire that was known may do nothing before it is looked for again.
_MISSES_TOLERATED: Final = 3
_SWINGS: Final = 3


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


class Search:
    """A search that may be gone on with for as long as somebody needs with wires in hand."""

    def __init__(
        self, port: Port, adapter: Adapter, baudrates: Sequence[int], patience: float
    ) -> None:
        """Take an open port; ``patience`` stretches what a chip may take to start."""
        self._port = port
        self._adapter = adapter
        self._baudrates = baudrates
        self._start_seconds = _START_SECONDS * patience
        self._turns = self._endless_turns()
        self._lines = cycle(ResetLine)
        self._misses = 0
        self._loop = asyncio.get_running_loop()

    async def run(self, seconds: float) -> SearchReport:
        """Send link checks for so long, or until one is answered.

        Mostly at 115200 baud, where a chip is after a reset, and now and then at the rates where
        an earlier job may have left it. Where RTS or DTR is wired to CEN, the chip is reset each
        time; which of them it is, and which way round, is found out by trying. Raises
        PortUnavailableError.
        """
        parser = self._port.parser
        parser.clear()
        parser.skipped.clear()
        end = self._loop.time() + seconds
        rate, turn = self._port.baudrate, _EXCURSION
        if rate == RESET_BAUDRATE:
            turn = _SECONDS_BETWEEN_EXCURSIONS
        while self._loop.time() < end:
            if await self._visit(rate, turn, end):
                return self._report(Observation.LINKED)
            rate, turn = next(self._turns)
        await self._port.use(RESET_BAUDRATE)
        if not parser.skipped:
            return self._report(Observation.NOTHING)
        # What the last checks bring is no answer to a silence.
        await asyncio.sleep(QUIET)
        parser.clear()
        unasked = await self._port.more(self._loop.time() + _EXCURSION)
        return self._report(observe(bytes(parser.skipped), unasked=unasked))

    async def reset(self) -> bool:
        """Reset the chip by the wire that is known to do it; return whether it answers then."""
        wire = self._adapter.reset_wire
        if wire is None:
            return False
        await self._port.use(RESET_BAUDRATE)
        await self.pulse(wire)
        return await self._port.probe(self._loop.time() + self._start_seconds)

    async def pulse(self, wire: ResetWire) -> None:
        """Hold CEN low for a moment."""
        async with self._port.asserted(wire.line, self._adapter.resting):
            await asyncio.sleep(_RESET_SECONDS)

    def _endless_turns(self) -> Iterator[tuple[int, float]]:
        """Yield baud rates and how many seconds to stay at each."""
        while True:
            for rate in self._adapter.usable(self._baudrates):
                if rate != RESET_BAUDRATE and not self._port.fixed_rate:
                    yield rate, _EXCURSION
                yield RESET_BAUDRATE, _SECONDS_BETWEEN_EXCURSIONS

    async def _visit(self, rate: int, seconds: float, end: float) -> bool:
        try:
            await self._port.use(rate)
        except PortUnavailableError as err:
            if err.reason is not PortTrouble.UNSUPPORTED or rate == RESET_BAUDRATE:
                raise
            # It costs this rate only: a chip that was reset is at another.
            _LOGGER.debug("The driver does not take %d baud", rate)
            self._adapter.note_refused(rate)
            return False
        if rate == RESET_BAUDRATE and self._adapter.reset_wired:
            if await self._reset_somehow():
                return True
        return await self._port.probe(min(self._loop.time() + seconds, end))

    async def _reset_somehow(self) -> bool:
        if self._adapter.reset_wire is None:
            return await self._try_line(next(self._lines))
        if await self.reset():
            self._misses = 0
            return True
        self._misses += 1
        if self._misses >= _MISSES_TOLERATED:
            # The wire may sit elsewhere by now, or the chip has no power.
            self._misses = 0
            self._adapter.reset_wire = None
            await self._port.assert_lines(self._adapter.resting)
        return False

    async def _try_line(self, line: ResetLine) -> bool:
        """Find out whether a line resets the chip; return whether there is a chip that answers.

        What was seen must be seen again: a hand with a wire may have reset it meanwhile.
        """
        seen = await self._swing(line)
        for _ in range(_SWINGS):
            before, seen = (
                seen,
                (any(seen) and await self._swing(line)) or (False, False),
            )
            if not any(seen) or seen == before:
                break
        match seen:
            case (False, True):
                self._found(ResetWire(line))
                return True
            case (True, False):
                self._found(ResetWire(line, inverted=True))
                await self._port.assert_lines(self._adapter.resting)
                return await self._port.probe(self._loop.time() + self._start_seconds)
            case (True, True):
                return await self._try_the_other(line)
            case _:
                return False

    async def _try_the_other(self, line: ResetLine) -> bool:
        """Look, on a chip that answers and does not mind ``line``, at the lines that are left."""
        for other in ResetLine:
            if other is line:
                continue
            if await self._swing(other) == (False, True) == await self._swing(other):
                self._found(ResetWire(other))
        return await self._port.probe(self._loop.time() + self._start_seconds)

    async def _swing(self, line: ResetLine) -> tuple[bool, bool]:
        """Return whether a chip answers while a line is asserted, and after it was released."""
        async with self._port.asserted(line, self._adapter.resting):
            during = await self._port.probe(self._loop.time() + self._start_seconds)
        await self._port.quiet(0)
        after = await self._port.probe(self._loop.time() + self._start_seconds)
        return during, after

    def _found(self, wire: ResetWire) -> None:
        _LOGGER.debug("The chip is reset by %s", wire)
        self._adapter.reset_wire = wire

    def _report(self, observation: Observation) -> SearchReport:
        return SearchReport(
            linked=observation is Observation.LINKED,
            baudrate=self._port.baudrate,
            observation=observation,
            sample=bytes(self._port.parser.skipped),
        )


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
