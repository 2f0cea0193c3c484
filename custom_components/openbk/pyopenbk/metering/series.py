"""Readings of one quantity under one load: their mean, how sure it is, and whether it is steady."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import hypot, sqrt
from statistics import fmean, variance as variance_of
from typing import Final

# Above PowerMax the firmware repeats its last valid reading; 3680 W unless configured.
DEFAULT_POWER_LIMIT: Final = 3680.0
# PowerMax takes nothing lower.
_LOWEST_POWER_LIMIT: Final = 200.0
_FAR_ABOVE: Final = 1.25

_BLOCK: Final = 6
_RECENT: Final = 3
FROZEN_AFTER: Final = 2 * _RECENT
"""So many equal readings are a power that stands still."""
# A step is a change of the recent mean by more than two pulses and more than 1.5 %: heaters drift
# by less within a minute, and two pulses are what counting alone can do.
_STEP_PULSES: Final = 2.0
_STEP_RATIO: Final = 0.015


class Steadiness(StrEnum):
    """What a series of readings is doing."""

    COLLECTING = "collecting"
    STEADY = "steady"
    RESTARTED = "restarted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The mean of a steady series with its standard uncertainty, both in the quantity's unit."""

    mean: float
    uncertainty: float
    count: int
    step: float
    """What one pulse in one second is worth, or the least change that means something."""
    grain: float = 0.0
    """What single readings go up by; 0 where that is the step."""
    cut: bool = False
    """The part of a grain is lost with each reading."""
    unsaid: float = 0.0
    """The share of the uncertainty that is there as the socket reports no smaller change."""

    @property
    def increment(self) -> float:
        """Return what single readings go up by: the grain, or else the step."""
        return self.grain or self.step

    @property
    def scatter(self) -> float:
        """Return how far a single reading is off, as a standard deviation."""
        return self.uncertainty * sqrt(self.count)


def measure(readings: Sequence[float], step: float) -> Measurement:
    """Return the mean of one-second readings with its standard uncertainty.

    A pulse that one window misses is counted by the next, so the errors of neighbouring readings
    cancel: their plain scatter would overstate the error of the mean several times. Means of
    blocks of six readings keep what does not cancel (noise of the load and of the chip), less
    the share that counting alone gives them; the pulse that the first and the last window each
    cut in two sets the floor.
    """
    if not readings:
        raise ValueError("no readings")
    count = len(readings)
    floor = step / count / sqrt(6)
    blocks = [
        fmean(readings[start : start + _BLOCK])
        for start in range(0, count - _BLOCK + 1, _BLOCK)
    ]
    if len(blocks) >= 3:
        counted = (step / _BLOCK) ** 2 / 6
        variance = max(0.0, variance_of(blocks) - counted) / len(blocks)
    else:
        variance = variance_of(readings) / count if count > 1 else step**2 / 4
    return Measurement(
        mean=fmean(readings),
        uncertainty=sqrt(variance + floor**2),
        count=count,
        step=step,
    )


def measure_alternating(readings: Sequence[float], step: float) -> Measurement:
    """Return the mean of one-second readings of which only every other is a new one.

    The meter chip has one output for voltage and current, and the firmware takes turns: the
    windows of one quantity do not adjoin, so what one of them misses no other counts, and only
    their number makes the mean better.
    """
    fresh = readings[::2]
    if not fresh:
        raise ValueError("no readings")
    count = len(fresh)
    scatter = variance_of(fresh) if count > 1 else step**2 / 4
    # Equal counts still leave the part of a pulse open that would have shown in the next one.
    open_part = step / (count + 1)
    return Measurement(
        mean=fmean(fresh),
        uncertainty=sqrt(max(scatter, _block_variance(fresh)) / count + open_part**2),
        count=count,
        step=step,
    )


def _block_variance(readings: Sequence[float]) -> float:
    """Return the variance of single readings as their blocks have it, which sees slow drifts."""
    blocks = [
        fmean(readings[start : start + _BLOCK])
        for start in range(0, len(readings) - _BLOCK + 1, _BLOCK)
    ]
    return variance_of(blocks) * _BLOCK if len(blocks) >= 3 else 0.0


def without_what_is_cut(measured: Measurement) -> Measurement:
    """Return the same mean, as sure as it is of readings that lose the part of a grain each time.

    A steady load loses the same part each time, up to a whole grain.
    """
    lost = measured.increment / sqrt(3)
    uncertainty = hypot(measured.uncertainty, lost)
    return replace(measured, uncertainty=uncertainty, cut=True)


@dataclass(slots=True, kw_only=True)
class SteadySeries:
    """Collect one-second readings of one quantity and start over when the load changes."""

    step: float
    grain: float
    """What readings go up by: the step, or less where a step means more than that."""
    cut: bool = False
    """The part of a grain is lost with each reading, and not counted by the next."""
    wanted: int = 60
    """Readings that make the series complete."""
    alternating: bool = False
    """Only every other reading is a new one, as of voltage and current."""
    readings: list[float] = field(default_factory=list)

    def add(self, reading: float) -> Steadiness:
        """Take the next reading; a load step drops everything before it."""
        self.readings.append(reading)
        if len(self.readings) > 2 * _RECENT and self._stepped():
            del self.readings[:-_RECENT]
            return Steadiness.RESTARTED
        return Steadiness.STEADY if self.complete else Steadiness.COLLECTING

    @property
    def complete(self) -> bool:
        """Return whether enough readings of one load are there."""
        return len(self.readings) >= self.wanted

    def measure(self) -> Measurement:
        """Return the mean and uncertainty of what was collected."""
        method = measure_alternating if self.alternating else measure
        measured = replace(
            method(self.readings, self.grain), step=self.step, grain=self.grain
        )
        return without_what_is_cut(measured) if self.cut else measured

    def restart(self) -> None:
        """Drop what belongs to the load before, as another quantity saw it change."""
        del self.readings[:-_RECENT]

    def _stepped(self) -> bool:
        before = fmean(self.readings[:-_RECENT])
        recent = fmean(self.readings[-_RECENT:])
        allowed = max(_STEP_PULSES * self.step, _STEP_RATIO * abs(before))
        return abs(recent - before) > allowed


def is_frozen(
    power_readings: Sequence[float],
    *,
    volt_amperes: float | None,
    limit: float = DEFAULT_POWER_LIMIT,
) -> bool:
    """Return whether the firmware repeats one power reading because the load is above its limit.

    ``volt_amperes`` is the mean of V·I meanwhile, which the firmware does not limit. A limit
    lower than the default shows by V·I far above a power that does not move at all.
    """
    if len(power_readings) < FROZEN_AFTER or len(set(power_readings)) > 1:
        return False
    frozen, apparent = power_readings[0], volt_amperes or 0.0
    if max(frozen, apparent) > 0.97 * limit:
        return True
    return apparent > max(_LOWEST_POWER_LIMIT, _FAR_ABOVE * frozen)
