"""An energy counter that goes on where it was although the firmware saves its own late."""

from dataclasses import dataclass
from math import exp
from typing import Any, Final, Self

from .correction import Correction

# ConsumptionThreshold: the firmware saves its counters after 10 Wh (1.18.300), so a power cut
# sets them back by no more than that; the rest is for the granularity of the stored float.
LATE_SAVE: Final = 0.02
# Home Assistant's statistics take a fall below nine tenths for a new meter and every smaller one
# for negative consumption (sensor/recorder.py, reset_detected).
RESET_BELOW: Final = 0.9
# A number that was set arrives within a message or two, grown by what flowed meanwhile: 61 s
# between messages at 7.2 kW, the most that the firmware measures.
_EXPECTED_GROWTH: Final = 0.15
_EXPECTED_WITHIN: Final = 3
# Counters speak at least every 61 s; after a longer silence nobody knows how long power flowed.
_LONGEST_SILENCE: Final = 130.0
_RECENT_SECONDS: Final = 3600.0
_SECONDS_PER_HOUR: Final = 3600.0


@dataclass(slots=True, kw_only=True)
class SteadyCounter:
    """One counter in kWh, re-based whenever the socket lost what it had not saved.

    ``offset`` is what the socket forgot, ``raw`` its last number and ``day`` the ordinal of the
    day that number belongs to, for a counter that starts anew at midnight.
    """

    offset: float = 0.0
    raw: float | None = None
    day: int | None = None
    restarted: bool = True
    """The socket may have restarted since the last number; a new object cannot know better."""
    expected: float | None = None
    """What the socket was told to count on from; other numbers are still from before."""
    ignored: int = 0

    def expect(self, value: float) -> None:
        """Go on from a value that the socket is being told, in kWh."""
        self.expected, self.ignored = value, 0

    def update(self, raw: float, day: int | None = None) -> float:
        """Take the socket's number in kWh and return the steady one."""
        if self.expected is not None:
            return self._arrive(raw, day)
        last, self.raw = self.raw, raw
        if last is not None and self.day != day:
            self.offset = 0.0
        elif last is not None and raw < last:
            self.offset = 0.0 if self._is_reset(last, raw) else self.offset + last - raw
        self.day = day
        self.restarted = False
        return round(self.offset + raw, 6)

    def _arrive(self, raw: float, day: int | None) -> float:
        assert self.expected is not None
        growth = raw - self.expected
        if not -0.001 <= growth <= _EXPECTED_GROWTH:
            self.ignored += 1
            if self.ignored < _EXPECTED_WITHIN:
                return self.expected
            # The socket never heard of it: count on from the value all the same.
            growth = 0.0
        self.offset = self.expected + max(0.0, growth) - raw
        self.raw, self.day, self.expected = raw, day, None
        return round(self.offset + raw, 6)

    def reset(self) -> None:
        """Forget everything: whatever comes next is where the count begins."""
        self.expected = None
        self.offset = 0.0
        self.raw = None

    def as_list(self) -> list[Any]:
        """Return what must be stored."""
        return [round(self.offset, 6), self.raw, self.day]

    @classmethod
    def from_list(cls, stored: list[Any]) -> Self:
        """Read what as_list returned."""
        offset, raw, day = stored[:3]
        return cls(offset=offset, raw=raw, day=day)

    def _is_reset(self, last: float, raw: float) -> bool:
        if self.restarted and last - raw <= LATE_SAVE:
            return False
        return raw < last * RESET_BELOW


@dataclass(slots=True, kw_only=True)
class CorrectedCounter:
    """What a steady counter would show had the meter been right; it never runs backwards.

    ``ahead`` is how far it is ahead of the count in kWh; ``counted`` and ``at`` are that count
    and its moment in seconds; ``watts`` is the mean reading of power when it last grew.
    """

    ahead: float = 0.0
    counted: float | None = None
    at: float = 0.0
    watts: float = 0.0
    ratio_before: float | None = None
    """Corrected by counted energy of the period that ended last, such as yesterday."""
    recent_corrected: float = 0.0
    recent_counted: float = 0.0

    def update(self, counted: float, now: float, correction: Correction) -> float:
        """Take the steady count in kWh at a moment and return the corrected one."""
        last, elapsed = self.counted, now - self.at
        self.counted, self.at = counted, now
        if last is None:
            return round(counted + self.ahead, 6)
        growth = counted - last
        if growth < 0:
            self.ratio_before = (last + self.ahead) / last if last > 0 else None
            self.ahead, growth = 0.0, counted
        if growth > 0:
            self._grow(growth, max(0.0, elapsed), correction)
        return round(counted + self.ahead, 6)

    def begin(self, counted: float, now: float) -> None:
        """Go on from a count that is right as it is."""
        self.ahead, self.counted, self.at = 0.0, counted, now

    def reset(self) -> None:
        """Forget everything: whatever comes next is where the count begins."""
        self.ahead, self.counted = 0.0, None

    @property
    def recent_ratio(self) -> float | None:
        """Return corrected by counted energy of about the last hour, None without any."""
        if self.recent_counted <= 0:
            return None
        return self.recent_corrected / self.recent_counted

    def as_list(self) -> list[Any]:
        """Return what must be stored; to the last digit, or the count could step back."""
        return [
            self.ahead,
            self.counted,
            round(self.at, 1),
            round(self.watts, 2),
            self.ratio_before,
        ]

    @classmethod
    def from_list(cls, stored: list[Any]) -> Self:
        """Read what as_list returned; an empty list is a counter that never counted."""
        if not stored:
            return cls()
        ahead, counted, at, watts, ratio_before = stored
        return cls(
            ahead=ahead, counted=counted, at=at, watts=watts, ratio_before=ratio_before
        )

    def _grow(self, growth: float, elapsed: float, correction: Correction) -> None:
        watt_hours = growth * 1000
        seconds = elapsed
        if elapsed > _LONGEST_SILENCE:
            # As long as the power seen before would have taken for it.
            powered = watt_hours * _SECONDS_PER_HOUR / self.watts if self.watts else 0.0
            seconds = min(elapsed, powered)
        elif elapsed > 0:
            self.watts = watt_hours * _SECONDS_PER_HOUR / elapsed
        corrected = correction.energy(watt_hours, seconds) / 1000
        self.ahead += corrected - growth
        fading = exp(-elapsed / _RECENT_SECONDS)
        self.recent_corrected = self.recent_corrected * fading + corrected
        self.recent_counted = self.recent_counted * fading + growth
