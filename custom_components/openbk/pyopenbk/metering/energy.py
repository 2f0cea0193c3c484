"""An energy counter that counts on whatever the socket forgot, and takes no number that cannot be."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp
from typing import Any, Final, Self

from ..foreign_numbers import finite
from .correction import Correction
from .series import DEFAULT_POWER_LIMIT

# ConsumptionThreshold: the firmware saves its counters after 10 Wh (1.18.300), so a power cut
# sets them back by no more than that; the rest is for the granularity of the stored float.
LATE_SAVE: Final = 0.02
# A number that was set arrives within a message or two, grown by what flowed meanwhile: 61 s
# between messages at 7.2 kW, the most that the firmware measures.
_EXPECTED_GROWTH: Final = 0.15
_EXPECTED_WITHIN: Final = 3
# What a second counts may be a quarter more than the limit of the meter, whose clock and whose
# messages are late by up to two of those that a counter sends at rest, 61 s apart.
_ROOM: Final = 1.25
_SLACK: Final = 122.0
EXPLAINED_WITHIN: Final = 130.0
"""Seconds within which the time stamp of a reset comes, before or after the number that it explains:
its topic speaks every 61 s, at rest only (1.18.299)."""
# Counters mostly say something new every 61 s; after longer nobody knows for how long power flowed.
_LONGEST_SILENCE: Final = 130.0
_RECENT_SECONDS: Final = 3600.0
# The firmware tells the energy of three days that are over.
_PERIODS_KEPT: Final = 3
_SECONDS_PER_HOUR: Final = 3600.0


def largest_growth(seconds: float, limit: float) -> float:
    """Return how many kWh a meter can have counted in a time, with room.

    ``limit`` is the largest power in W that it shows. A clock that was set back counts for none.
    """
    return limit * _ROOM * (max(0.0, seconds) + _SLACK) / 3_600_000


@dataclass(slots=True, kw_only=True)
class SteadyCounter:
    """One counter in kWh that only grows by what a socket can have counted.

    ``offset`` is what the socket forgot, ``raw`` its last number, ``at`` the moment of that in
    seconds and ``day`` the ordinal of the day that it belongs to, for a counter that starts anew at
    midnight. A number that cannot follow upon the last one is held back: if the next agrees with
    it, the counter is at another place now, and what is shown goes on from where it was. Nothing
    but a reset that somebody asked for sets that back.
    """

    offset: float = 0.0
    raw: float | None = None
    at: float = 0.0
    day: int | None = None
    restarted: bool = True
    """The socket may have restarted since the last number; a new object cannot know better."""
    expected: float | None = None
    """What the socket was told to count on from; other numbers are still from before."""
    ignored: int = 0
    doubtful: tuple[float, float] | None = None
    """The number that is held back, and its moment."""
    refused: int = 0
    """How many numbers could not follow upon the last one."""
    moved: bool = False
    """The next number is in another unit, or of another socket."""
    lost: bool = False
    """It began anew at zero after a restart, so the socket may have lost more than its counters."""
    fell_at: float | None = None
    fell_at_restart: bool = False
    reset_until: float | None = None

    @property
    def total(self) -> float:
        """Return the steady number."""
        return round(self.offset + (self.raw or 0.0), 6)

    def expect(self, value: float) -> None:
        """Go on from a value that the socket is being told, in kWh."""
        self.expected, self.ignored, self.doubtful = value, 0, None

    def update(
        self,
        raw: float,
        now: float,
        *,
        day: int | None = None,
        limit: float = DEFAULT_POWER_LIMIT,
    ) -> float:
        """Take the socket's number in kWh at a moment in seconds and return the steady one.

        ``limit`` is the largest power in W that its meter shows.
        """
        if self.expected is not None:
            return self._arrive(raw, now, day)
        if self.raw is None:
            return self._take(raw, now, day)
        if self.moved:
            self.offset = self.total - raw
            return self._take(raw, now, day)
        growth, allowed = raw - self.raw, largest_growth(now - self.at, limit)
        if growth < 0:
            self.fell_at, self.fell_at_restart = now, self.restarted
        if self._begins_anew(raw, growth, now, day, allowed):
            self.offset, self.reset_until = 0.0, None
            return self._take(raw, now, day)
        if 0 <= growth <= allowed:
            return self._take(raw, now, day)
        if self.restarted and -LATE_SAVE <= growth < 0:
            self.offset -= growth
            return self._take(raw, now, day)
        return self._doubt(raw, now, day, limit)

    def asked(self, now: float, within: float = EXPLAINED_WITHIN) -> bool:
        """Note that somebody reset the counters at the socket; return whether that is seen.

        A fall so many seconds before, or one that follows, is no loss then. After a restart it may
        be one: a socket that lost its stamp as well takes the first time that it learns.
        """
        if self.fell_at_restart:
            within = min(within, EXPLAINED_WITHIN)
        if self.fell_at is None or now - self.fell_at > within:
            self.reset_until = now + EXPLAINED_WITHIN
            return False
        if self.doubtful is not None:
            self.raw, self.at = self.doubtful
        self.offset, self.doubtful, self.fell_at = 0.0, None, None
        return True

    def as_dict(self) -> dict[str, Any]:
        """Return what must be stored."""
        return {
            "offset": round(self.offset, 6),
            "raw": self.raw,
            "at": round(self.at, 1),
            "day": self.day,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Read what as_dict returned; raises KeyError, TypeError or ValueError for anything else."""
        raw, day = stored["raw"], stored["day"]
        return cls(
            offset=finite(stored["offset"]),
            raw=None if raw is None else finite(raw),
            at=finite(stored["at"]),
            day=None if day is None else int(finite(day)),
        )

    def _arrive(self, raw: float, now: float, day: int | None) -> float:
        assert self.expected is not None
        growth = raw - self.expected
        # What was counted before may be close to the value that is set.
        is_new = self.raw is None or self.expected > self.raw or raw < self.raw
        if not is_new or not -0.001 <= growth <= _EXPECTED_GROWTH:
            self.ignored += 1
            if self.ignored < _EXPECTED_WITHIN:
                return self.expected
            # The socket never heard of it: count on from the value all the same.
            growth = 0.0
        self.offset = self.expected + max(0.0, growth) - raw
        self.expected = None
        return self._take(raw, now, day)

    def _begins_anew(
        self, raw: float, growth: float, now: float, day: int | None, allowed: float
    ) -> bool:
        """Return whether the count begins with this number: on a new day, or as somebody asked."""
        if growth < 0 and self.reset_until is not None and now <= self.reset_until:
            return True
        if day is None:
            return False
        if day != self.day:
            return 0 <= growth <= allowed or raw <= allowed
        # The day of a socket whose zone is another one ends at another time.
        return growth < 0 and not self.restarted and raw <= allowed

    def _doubt(self, raw: float, now: float, day: int | None, limit: float) -> float:
        if self.doubtful is not None:
            doubtful, at = self.doubtful
            if 0 <= raw - doubtful <= largest_growth(now - at, limit):
                self.lost |= self.restarted and doubtful < LATE_SAVE
                self.offset = self.total - doubtful
                return self._take(raw, now, day)
        self.refused += 1
        self.doubtful = (raw, now)
        return self.total

    def _take(self, raw: float, now: float, day: int | None) -> float:
        self.raw, self.at, self.day = raw, now, day
        self.restarted = self.moved = False
        self.doubtful = None
        return self.total


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
    ratios: tuple[float | None, ...] = ()
    """Corrected by counted energy of the periods that ended, such as yesterday; the last is first."""
    recent_corrected: float = 0.0
    recent_counted: float = 0.0

    def update(
        self,
        counted: float,
        now: float,
        correction: Correction,
        reading: float | None = None,
    ) -> float:
        """Take the steady count in kWh at a moment and return the corrected one.

        ``reading`` is the last power in W, uncorrected, by which the socket counted anything.
        """
        last, elapsed = self.counted, now - self.at
        self.counted, self.at = counted, now
        if last is None:
            return round(counted + self.ahead, 6)
        growth = counted - last
        if growth < 0:
            ratio = (last + self.ahead) / last if last > 0 else None
            self.ratios = (ratio, *self.ratios)[:_PERIODS_KEPT]
            self.ahead, growth = 0.0, counted
        if growth > 0:
            self._grow(growth, max(0.0, elapsed), correction, reading)
        return round(counted + self.ahead, 6)

    def begin(self, counted: float, now: float) -> None:
        """Go on from a count that is right as it is."""
        self.ahead, self.counted, self.at = 0.0, counted, now

    def ratio_before(self, periods: int) -> float | None:
        """Return corrected by counted energy so many periods ago, None where it was not followed."""
        return self.ratios[periods - 1] if periods <= len(self.ratios) else None

    @property
    def recent_ratio(self) -> float | None:
        """Return corrected by counted energy of about the last hour, None without any."""
        if self.recent_counted <= 0:
            return None
        return self.recent_corrected / self.recent_counted

    def as_dict(self) -> dict[str, Any]:
        """Return what must be stored; to the last digit, or the count could step back."""
        return {
            "ahead": self.ahead,
            "counted": self.counted,
            "counted_at": round(self.at, 1),
            "watts": round(self.watts, 2),
            "ratios": [*self.ratios],
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Read what as_dict returned; raises KeyError, TypeError or ValueError for anything else."""
        counted = stored["counted"]
        # It was one alone until the two days before yesterday were shown.
        ratios = stored["ratios"] if "ratios" in stored else [stored["ratio_before"]]
        return cls(
            ahead=finite(stored["ahead"]),
            counted=None if counted is None else finite(counted),
            at=finite(stored["counted_at"]),
            watts=finite(stored["watts"]),
            ratios=tuple(None if ratio is None else finite(ratio) for ratio in ratios),
        )

    def _grow(
        self,
        growth: float,
        elapsed: float,
        correction: Correction,
        reading: float | None,
    ) -> None:
        watt_hours = growth * 1000
        seconds = elapsed
        if elapsed > _LONGEST_SILENCE:
            # As long as the power would have taken for it. A counter in kWh says nothing new for
            # minutes at a small load, so what it grew by last may be of a larger one.
            watts = reading or self.watts
            powered = watt_hours * _SECONDS_PER_HOUR / watts if watts else 0.0
            seconds = min(elapsed, powered)
        elif elapsed > 0:
            self.watts = watt_hours * _SECONDS_PER_HOUR / elapsed
        corrected = correction.energy(watt_hours, seconds) / 1000
        self.ahead += corrected - growth
        fading = exp(-elapsed / _RECENT_SECONDS)
        self.recent_corrected = self.recent_corrected * fading + corrected
        self.recent_counted = self.recent_counted * fading + growth
