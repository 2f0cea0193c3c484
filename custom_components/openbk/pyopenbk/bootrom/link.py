"""The serial link to a boot ROM: opening, searching, baud rates, requests and their replies."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

DEFAULT_LADDER: Final = (2_000_000, 1_500_000, 921_600, 460_800, 230_400, 115_200)


class Observation(StrEnum):
    """What came in during a search."""

    NOTHING = "nothing"
    NOISE = "noise"
    ECHO = "echo"
    BOOT_LOG = "boot_log"
    OTHER_BAUD = "other_baud"
    LINKED = "linked"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchReport:
    """One turn of searching for a chip."""

    linked: bool
    baudrate: int
    observation: Observation
    sample: bytes
    """The first bytes that came in and were no answer, at most 64."""


class Link:
    """A serial port with, perhaps, a boot ROM at its other end."""

    address: str
    baudrate: int

    async def search(self, seconds: float) -> SearchReport:
        """Send link checks for so long, or until one is answered; raises PortUnavailableError."""
        raise NotImplementedError

    async def set_baudrate(self, highest: int | None = None) -> int:
        """Go to the highest rate of the ladder, at most ``highest``, that proves itself; return it."""
        raise NotImplementedError

    async def relink(self) -> None:
        """Find the chip again at the rates where it may be; raises LinkLostError."""
        raise NotImplementedError


@asynccontextmanager
async def open_link(
    address: str,
    *,
    baudrates: Sequence[int] = DEFAULT_LADDER,
    patience: float = 1.0,
) -> AsyncIterator[Link]:
    """Open a local path, ``socket://`` or ``rfc2217://`` address; RTS and DTR released.

    ``patience`` stretches every time-out. Raises PortUnavailableError.
    """
    raise NotImplementedError
    yield Link()
