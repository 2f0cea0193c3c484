"""Whether a socket counts its energy in Wh or in kWh, found out from its power."""

from dataclasses import dataclass
from typing import Final

# A counter in kWh has three decimals: with so many Wh its last digit is half of what is counted.
_ENOUGH: Final = 2.0
# Power is told late, and held while it hardly changes. The two units are a factor of 1000 apart.
_AGREES: Final = 5.0
_KILO: Final = 1000.0
# A unit that was known becomes the other one only if that is seen again.
_SEEN_AGAIN: Final = 2
# Both speak at least every 61 s; after a longer silence nobody knows what was missed.
_LONGEST_SILENCE: Final = 130.0
_SECONDS_PER_HOUR: Final = 3600.0


@dataclass(slots=True, kw_only=True)
class UnitWitness:
    """Compares a counter with the power of the same minutes.

    ``in_kwh`` is the unit that is known or was found out, None as long as it is neither.
    """

    in_kwh: bool | None = None
    _watts: float | None = None
    _watts_at: float = 0.0
    _expected: float = 0.0
    """Wh that flowed since the window began, by the power."""
    _counted: float = 0.0
    """What the counter grew by since, in its own unit."""
    _last: float | None = None
    _against: int = 0

    def forget(self) -> None:
        """Begin a new window, as somebody may have set the counter or the socket was away."""
        self._watts = self._last = None
        self._begin()

    def power(self, watts: float, now: float) -> None:
        """Take a power in W at a moment in seconds; the counter grows by what is fed in, too."""
        self._flow(now)
        self._watts, self._watts_at = abs(watts), now

    def counter(self, number: float, now: float) -> bool:
        """Take what the counter says, in whatever unit; return whether the unit is another now."""
        self._flow(now)
        last, self._last = self._last, number
        if last is None or number < last or self._watts is None:
            self._begin()
            return False
        self._counted += number - last
        if self._expected < _ENOUGH:
            return False
        verdict = self._verdict()
        self._begin()
        return self._judge(verdict)

    def _flow(self, now: float) -> None:
        elapsed, self._watts_at = now - self._watts_at, now
        if self._watts is None:
            return
        if not 0 <= elapsed <= _LONGEST_SILENCE:
            self.forget()
            return
        self._expected += self._watts * elapsed / _SECONDS_PER_HOUR

    def _begin(self) -> None:
        self._expected = self._counted = 0.0

    def _verdict(self) -> bool | None:
        ratio = self._counted / self._expected
        if 1 / _AGREES <= ratio <= _AGREES:
            return False
        if 1 / _AGREES <= ratio * _KILO <= _AGREES:
            return True
        return None

    def _judge(self, verdict: bool | None) -> bool:
        if verdict is None or verdict is self.in_kwh:
            self._against = 0
            return False
        self._against += 1
        if self.in_kwh is not None and self._against < _SEEN_AGAIN:
            return False
        self.in_kwh, self._against = verdict, 0
        return True
