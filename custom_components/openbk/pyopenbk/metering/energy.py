"""An energy counter that goes on where it was although the firmware saves its own late."""

from dataclasses import dataclass
from typing import Any, Final, Self

# ConsumptionThreshold: the firmware saves its counters after 10 Wh (1.18.300), so a power cut
# sets them back by no more than that; the rest is for the granularity of the stored float.
LATE_SAVE: Final = 0.02
# Home Assistant's statistics take a fall below nine tenths for a new meter and every smaller one
# for negative consumption (sensor/recorder.py, reset_detected).
RESET_BELOW: Final = 0.9


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

    def update(self, raw: float, day: int | None = None) -> float:
        """Take the socket's number in kWh and return the steady one."""
        last, self.raw = self.raw, raw
        if last is not None and self.day != day:
            self.offset = 0.0
        elif last is not None and raw < last:
            self.offset = 0.0 if self._is_reset(last, raw) else self.offset + last - raw
        self.day = day
        self.restarted = False
        return round(self.offset + raw, 6)

    def reset(self) -> None:
        """Forget everything: whatever comes next is where the count begins."""
        self.offset = 0.0
        self.raw = None

    def as_list(self) -> list[Any]:
        """Return what must be stored."""
        return [round(self.offset, 6), self.raw, self.day]

    @classmethod
    def from_list(cls, stored: list[Any]) -> Self:
        """Read what as_list returned."""
        offset, raw, day = stored
        return cls(offset=offset, raw=raw, day=day)

    def _is_reset(self, last: float, raw: float) -> bool:
        if self.restarted and last - raw <= LATE_SAVE:
            return False
        return raw < last * RESET_BELOW
