"""One expectation of a table, and how playing a table comes out."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Flag, StrEnum, auto
from typing import Any, Final, Protocol

RECORDED: Final = "OpenBeken 1.18.299"
"""The release that was recorded; it is the source of an expectation that names no other."""
SECONDS_PER_EXPECTATION: Final = 90.0
"""Nothing in the tables takes longer, a restart of a socket included."""


class Need(Flag):
    """What an expectation needs beyond an address, and the person has to grant."""

    BROKER = auto()
    """The broker at which the socket speaks."""
    WRITES = auto()
    """Settings are changed and put back."""
    RESTART = auto()
    """The socket restarts, and once more when everything is put back."""
    RELAY = auto()
    """The relay is switched and put back."""
    SPARE_PIN = auto()
    """A pin with nothing connected that may not be driven."""
    LEVELS = auto()
    """Somebody measures the levels of pins."""


NOTHING: Final = Need(0)
OPTION: Final = {
    Need.BROKER: "--broker",
    Need.WRITES: "--writes",
    Need.RESTART: "--restart",
    Need.RELAY: "--relay",
    Need.SPARE_PIN: "--spare-pin",
    Need.LEVELS: "--levels",
}


class BrokenError(Exception):
    """The expectation was not met; the message says what came instead."""


class UnfitError(Exception):
    """The expectation cannot be played here; the message says why."""


class Judged(Protocol):
    """What a table is played against."""

    def lacks(self, expectation: Expectation[Any]) -> str | None:
        """Return why ``expectation`` cannot be played here, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation[TargetT: Judged = Judged]:
    """A stimulus and what must come of it."""

    says: str
    """What is expected, in one line."""
    play: Callable[[TargetT], Awaitable[None]]
    """Raises BrokenError where it does not happen, UnfitError where it cannot be tried."""
    source: str = RECORDED
    needs: Need = NOTHING
    since: tuple[int, ...] = ()
    """The first release that does this, as numbers; () for all that were looked at."""
    chips: frozenset[str] = frozenset()
    """The chips that do this; none for all."""


class Outcome(StrEnum):
    """How an expectation came out."""

    PASSED = "pass"
    FAILED = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One line of the report."""

    says: str
    source: str
    outcome: Outcome
    reason: str = ""
    """What came instead, or why it was left out."""


async def play[TargetT: Judged](
    table: Sequence[Expectation[TargetT]],
    target: TargetT,
    tell: Callable[[Verdict], None],
) -> list[Verdict]:
    """Play ``table`` from top to bottom, whatever comes out; ``tell`` hears each verdict."""
    verdicts = []
    for expectation in table:
        outcome, reason = await _try(expectation, target)
        verdict = Verdict(
            says=expectation.says,
            source=expectation.source,
            outcome=outcome,
            reason=reason,
        )
        tell(verdict)
        verdicts.append(verdict)
    return verdicts


async def _try[TargetT: Judged](
    expectation: Expectation[TargetT], target: TargetT
) -> tuple[Outcome, str]:
    lacking = target.lacks(expectation)
    if lacking is not None:
        return Outcome.SKIPPED, lacking
    try:
        async with asyncio.timeout(SECONDS_PER_EXPECTATION):
            await expectation.play(target)
    except UnfitError as err:
        return Outcome.SKIPPED, str(err)
    except BrokenError as err:
        return Outcome.FAILED, str(err)
    except TimeoutError:
        return Outcome.FAILED, "no answer in time"
    except OSError as err:
        return Outcome.FAILED, f"the line broke: {err}"
    except (ValueError, LookupError, TypeError) as err:
        return Outcome.FAILED, f"the answer has another shape: {err!r}"
    return Outcome.PASSED, ""


def same(what: str, actual: object, expected: object) -> None:
    """Raise BrokenError where ``actual`` is not ``expected``."""
    if actual != expected:
        raise BrokenError(f"{what} is {shorten(actual)}, not {shorten(expected)}")


def expect(met: object, otherwise: str) -> None:
    """Raise BrokenError with ``otherwise`` where something is not met."""
    if not met:
        raise BrokenError(otherwise)


def shorten(value: object) -> str:
    """Return ``value`` as Python writes it, its middle left out where it is long."""
    text = repr(value)
    return text if len(text) <= 160 else f"{text[:100]}…{text[-40:]} ({len(text)})"
