"""Samples that belong to one load: apparent and reactive power, the power factor, and its changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Final

from ..quantities import CURRENT, POWER

# A BL0937 counts pulses: one is 12 mA or 1.5 W with the firmware's own factors, and a count is
# one off now and then. Less than this, or than a tenth, is no change of the load.
_CURRENT_STEP: Final = 0.03
_POWER_STEP: Final = 4.0
_RELATIVE_STEP: Final = 0.1
_STEPS: Final[Mapping[str, float]] = {
    CURRENT.key: _CURRENT_STEP,
    POWER.key: _POWER_STEP,
}
# The firmware counts current for one second in two and power for one, so a sample sent this long
# after a step was seen holds nothing from before it.
_SETTLED_AFTER: Final = 2.5
# Nobody calibrated most sockets, and with the firmware's own factors the active power of a heater is
# 13 % above the apparent one: per pulse 1.5 W, 0.1325 V and 11.86 mA (1.18.299), while a BL0937 gives
# 1721506 to 15397 times 94638 pulses (data sheet). Parts and what else is calibrated add to that.
# What is more, these samples are not of one load, or of a meter that is connected wrongly.
_TOLERANCE: Final = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSplit:
    """What follows from voltage, current and power of one moment."""

    apparent_power: float
    reactive_power: float
    power_factor: float | None
    """None without a load."""


class LoadTriangle:
    """Combines the samples of a socket, which come one by one, unless the load just changed."""

    __slots__ = (
        "_current",
        "_current_at",
        "_power",
        "_power_at",
        "_step_at",
        "_voltage",
    )

    def __init__(self) -> None:
        """Start without samples."""
        self.clear()

    def clear(self) -> None:
        """Forget all samples, as those of before a restart say nothing about now."""
        self._voltage: float | None = None
        self._current: float | None = None
        self._power: float | None = None
        self._current_at = self._power_at = self._step_at = float("-inf")

    def set_voltage(self, volts: float) -> LoadSplit | None:
        """Take a voltage; it hardly depends on the load."""
        self._voltage = volts
        return self._split()

    def set_current(self, amperes: float, now: float) -> LoadSplit | None:
        """Take a current received at ``now``, in seconds of any steady clock."""
        if _is_step(self._current, amperes, _CURRENT_STEP):
            self._step_at = now
        self._current, self._current_at = amperes, now
        return self._split()

    def set_power(self, watts: float, now: float) -> LoadSplit | None:
        """Take an active power received at ``now``, in seconds of the same clock."""
        if _is_step(self._power, watts, _POWER_STEP):
            self._step_at = now
        self._power, self._power_at = watts, now
        return self._split()

    def _split(self) -> LoadSplit | None:
        volts, amperes, watts = self._voltage, self._current, self._power
        if volts is None or amperes is None or watts is None:
            return None
        if not self._settled(amperes, self._current_at):
            return None
        if not self._settled(watts, self._power_at):
            return None
        apparent = volts * amperes
        if abs(watts) > apparent * _TOLERANCE:
            return None
        apparent = max(apparent, abs(watts))
        return LoadSplit(
            apparent_power=round(apparent, 2),
            reactive_power=round(sqrt(apparent**2 - watts**2), 2),
            power_factor=round(watts / apparent, 3) if apparent else None,
        )

    def _settled(self, value: float, at: float) -> bool:
        # No pulse at all cannot be left over from a load.
        return value == 0 or at - self._step_at >= _SETTLED_AFTER


class LoadSteps:
    """When a load was last seen to change, by its current and its power."""

    __slots__ = ("_known", "at")

    def __init__(self) -> None:
        """Start without samples."""
        self.at = float("-inf")
        """The moment of the last step, on the clock of the samples."""
        self._known: dict[str, float] = {}

    def take(self, key: str, value: float | None, now: float) -> None:
        """Take a current in A or a power in W received at ``now``, None for a lost one."""
        if value is None:
            self._known.pop(key, None)
            return
        if _is_step(self._known.get(key), value, _STEPS[key]):
            self.at = now
        self._known[key] = value


def _is_step(before: float | None, after: float, least: float) -> bool:
    if before is None:
        # The first sample may hold anything, for all we know.
        return True
    change = abs(after - before)
    larger = max(abs(before), abs(after))
    return change > least and change > _RELATIVE_STEP * larger
