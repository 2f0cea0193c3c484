"""A BL0937 energy meter and the load that it measures behind its relay."""

from collections import deque
from dataclasses import dataclass, replace
from math import floor, inf
from random import Random
from typing import Final

from .clock import Clock

# One pulse a second stands for this much at the firmware's default factors
# (OpenBeken, drv_bl0937): what the reference circuit of the data sheet gives.
VOLTS_PER_HERTZ: Final = 0.13253012
AMPERES_PER_HERTZ: Final = 0.0118577075
WATTS_PER_HERTZ: Final = 1.5

# Windows are read every second; a history that nobody reads must not grow for ever.
_LONGEST_HISTORY: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is plugged in, while the relay is closed; the mains voltage is always there."""

    watts: float = 0.0
    volts: float = 230.0
    power_factor: float = 1.0

    @property
    def amperes(self) -> float:
        """Return the current that this power takes at this voltage and power factor."""
        apparent = self.volts * self.power_factor
        return self.watts / apparent if apparent > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """How the chip sees one quantity, in that quantity's own unit.

    At default factors the firmware reads ``gain * true + offset``.
    """

    gain: float = 1.0
    offset: float = 0.0
    noise: float = 0.0
    """Relative standard deviation of what is counted in one window."""
    cutoff: float = 0.0
    """The chip gives no pulses at true values up to this one, whatever the offset.

    A negative one lets the offset show through with nothing plugged in.
    """
    saturation: float = inf
    """No reading goes beyond this one."""

    def measured(self, true: float, random: Random) -> float:
        """Return what the chip takes a true value for."""
        if true <= self.cutoff:
            return 0.0
        value = self.gain * true + self.offset
        if self.noise:
            value *= 1 + random.gauss(0, self.noise)
        return min(max(0.0, value), self.saturation)


class _PulseTrain:
    """Counts whole pulses; the part of one that is left begins the next window."""

    def __init__(self, unit_per_hertz: float, phase: float) -> None:
        self._unit_per_hertz = unit_per_hertz
        self._phase = phase

    def advance(self, value: float, seconds: float) -> int:
        self._phase += value / self._unit_per_hertz * seconds
        pulses = floor(self._phase)
        self._phase -= pulses
        return pulses


@dataclass(frozen=True, slots=True)
class _Segment:
    """From ``start`` on, this load was plugged in and the relay was so."""

    start: float
    load: Load
    closed: bool

    @property
    def watts(self) -> float:
        return self.load.watts if self.closed else 0.0

    @property
    def amperes(self) -> float:
        return self.load.amperes if self.closed else 0.0


class Bl0937:
    """CF gives pulses for power, CF1 for voltage or current, as the level on SEL says.

    The load is known over time, so a window across a load step counts both sides of it.
    Changes apply from the clock's present moment.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        load: Load | None = None,
        voltage: Response | None = None,
        current: Response | None = None,
        power: Response | None = None,
        inverted_select: bool = False,
        seed: int = 0,
    ) -> None:
        """Connect the chip; the relay is open.

        ``inverted_select``: a high SEL selects the current, which firmware reads with the
        pin role BL0937SEL_n. The same ``seed`` gives the same noise.
        """
        self._clock = clock
        self.voltage = voltage or Response()
        self.current = current or Response()
        # The chip's creep threshold, which 0.5 W passes in the recorded sessions.
        self.power = power or Response(cutoff=0.3)
        self.inverted_select = inverted_select
        self._random = Random(seed)
        self._cf = _PulseTrain(WATTS_PER_HERTZ, self._random.random())
        self._cf1_voltage = _PulseTrain(VOLTS_PER_HERTZ, self._random.random())
        self._cf1_current = _PulseTrain(AMPERES_PER_HERTZ, self._random.random())
        first = _Segment(clock.now(), load or Load(), closed=False)
        self._segments = deque([first], maxlen=_LONGEST_HISTORY)
        self._energy_wh = 0.0
        self._energy_until = first.start

    @property
    def load(self) -> Load:
        """Return what is plugged in, whether or not the relay is closed."""
        return self._segments[-1].load

    def set_load(
        self,
        watts: float | None = None,
        volts: float | None = None,
        power_factor: float | None = None,
    ) -> None:
        """Plug something else in; what is not given stays."""
        given = {"watts": watts, "volts": volts, "power_factor": power_factor}
        changes = {name: value for name, value in given.items() if value is not None}
        self._change(replace(self.load, **changes), self.relay_closed)

    @property
    def relay_closed(self) -> bool:
        """Return whether the load has power."""
        return self._segments[-1].closed

    @relay_closed.setter
    def relay_closed(self, closed: bool) -> None:
        self._change(self.load, closed)

    @property
    def watts(self) -> float:
        """Return the true power at this moment."""
        return self._segments[-1].watts

    @property
    def volts(self) -> float:
        """Return the true mains voltage."""
        return self.load.volts

    @property
    def amperes(self) -> float:
        """Return the true current at this moment."""
        return self._segments[-1].amperes

    @property
    def energy_wh(self) -> float:
        """Return the true energy in Wh that the load has taken so far."""
        self._settle()
        return self._energy_wh

    def pulses_cf(self, seconds: float) -> int:
        """Return the pulses on CF in so much time at the present load."""
        return self._count_cf(self._segments[-1], seconds)

    def pulses_cf1(self, select_high: bool, seconds: float) -> int:
        """Return the pulses on CF1 in so much time at the present load."""
        return self._count_cf1(self._segments[-1], select_high, seconds)

    def count(self, start: float, end: float, *, select_high: bool) -> tuple[int, int]:
        """Return the pulses on CF and CF1 between two moments of the clock.

        Windows are asked for in order; what lies before ``end`` is forgotten.
        """
        cf = cf1 = 0
        segments = list(self._segments)
        for segment, until in zip(
            segments,
            [*(following.start for following in segments[1:]), end],
            strict=True,
        ):
            seconds = min(until, end) - max(segment.start, start)
            if seconds > 0:
                cf += self._count_cf(segment, seconds)
                cf1 += self._count_cf1(segment, select_high, seconds)
        while len(self._segments) > 1 and self._segments[1].start <= end:
            self._segments.popleft()
        return cf, cf1

    def _count_cf(self, segment: _Segment, seconds: float) -> int:
        watts = self.power.measured(segment.watts, self._random)
        return self._cf.advance(watts, seconds)

    def _count_cf1(self, segment: _Segment, select_high: bool, seconds: float) -> int:
        if select_high is not self.inverted_select:
            volts = self.voltage.measured(segment.load.volts, self._random)
            return self._cf1_voltage.advance(volts, seconds)
        amperes = self.current.measured(segment.amperes, self._random)
        return self._cf1_current.advance(amperes, seconds)

    def _change(self, load: Load, closed: bool) -> None:
        self._settle()
        if (load, closed) != (self.load, self.relay_closed):
            self._segments.append(_Segment(self._energy_until, load, closed))

    def _settle(self) -> None:
        now = max(self._clock.now(), self._energy_until)
        self._energy_wh += self._segments[-1].watts * (now - self._energy_until) / 3600
        self._energy_until = now
