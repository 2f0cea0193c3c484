"""Energy meters and the load that they measure behind a relay."""

from collections import deque
from dataclasses import dataclass, replace
from math import floor, inf
from random import Random
from typing import Any, Final

from .clock import Clock

# One pulse a second stands for this much at the firmware's default factors
# (OpenBeken, drv_bl0937): what the reference circuit of the data sheet gives.
VOLTS_PER_HERTZ: Final = 0.13253012
AMPERES_PER_HERTZ: Final = 0.0118577075
WATTS_PER_HERTZ: Final = 1.5

# What the other meters' registers count at the firmware's default factors (OpenBeken
# 1.18.300: drv_bl0942, drv_cse7766).
BL0942_PER_VOLT: Final = 15188
BL0942_PER_AMPERE: Final = 251210
BL0942_PER_WATT: Final = 598
_BL0942_WATT_SECONDS_PER_PULSE: Final = 1638.4 * 256
_BL0942_FREQUENCY: Final = 1_000_000
CSE7766_PER_VOLT: Final = 1.94034719
CSE7766_PER_WATT: Final = 1.88214409
MAINS_HERTZ: Final = 50.0

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


class MeteredLoad:
    """A load behind a relay, and how the chip of a meter sees its three quantities.

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
        seed: int = 0,
    ) -> None:
        """Connect the chip; the relay is open. The same ``seed`` gives the same noise."""
        self._clock = clock
        self.voltage = voltage or Response()
        self.current = current or Response()
        # The BL0937's creep threshold, which 0.5 W passes in the recorded sessions.
        self.power = power or Response(cutoff=0.3)
        self._random = Random(seed)
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

    def _change(self, load: Load, closed: bool) -> None:
        self._settle()
        if (load, closed) != (self.load, self.relay_closed):
            self._segments.append(_Segment(self._energy_until, load, closed))

    def _settle(self) -> None:
        now = max(self._clock.now(), self._energy_until)
        self._energy_wh += self._segments[-1].watts * (now - self._energy_until) / 3600
        self._energy_until = now

    def _forget_before(self, moment: float) -> None:
        while len(self._segments) > 1 and self._segments[1].start <= moment:
            self._segments.popleft()


class Bl0937(MeteredLoad):
    """CF gives pulses for power, CF1 for voltage or current, as the level on SEL says."""

    def __init__(
        self, clock: Clock, *, inverted_select: bool = False, **options: Any
    ) -> None:
        """Connect the chip, with the ``options`` of every metered load.

        ``inverted_select``: a high SEL selects the current, which firmware reads with the
        pin role BL0937SEL_n.
        """
        super().__init__(clock, **options)
        self.inverted_select = inverted_select
        self._cf = _PulseTrain(WATTS_PER_HERTZ, self._random.random())
        self._cf1_voltage = _PulseTrain(VOLTS_PER_HERTZ, self._random.random())
        self._cf1_current = _PulseTrain(AMPERES_PER_HERTZ, self._random.random())

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
        self._forget_before(end)
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


class Bl0942(MeteredLoad):
    """Answers on its serial line with a packet of registers."""

    def __init__(self, clock: Clock, **options: Any) -> None:
        """Connect the chip, with the ``options`` of every metered load."""
        super().__init__(clock, **options)
        self._pulses = 0.0
        self._counted_until = clock.now()

    def packet(self) -> bytes:
        """Return what the chip answers to a question for all registers: 23 bytes."""
        now, segment = self._clock.now(), self._segments[-1]
        watts = self.power.measured(segment.watts, self._random)
        raw = watts * BL0942_PER_WATT
        seconds = now - self._counted_until
        self._counted_until = now
        self._pulses += raw * seconds / _BL0942_WATT_SECONDS_PER_PULSE
        self._forget_before(now)
        return bl0942_packet(
            i_rms=round(
                self.current.measured(segment.amperes, self._random) * BL0942_PER_AMPERE
            ),
            v_rms=round(
                self.voltage.measured(segment.load.volts, self._random)
                * BL0942_PER_VOLT
            ),
            watt=round(raw),
            cf_cnt=floor(self._pulses) & 0xFFFFFF,
            freq=round(_BL0942_FREQUENCY / MAINS_HERTZ),
        )


class Cse7766(MeteredLoad):
    """Sends a packet by itself; quantities are periods, with a coefficient for each."""

    _COEFFICIENTS: Final = (195_800, 16_690, 5_471_000)

    def packet(self) -> bytes:
        """Return what the chip sends: 24 bytes."""
        segment = self._segments[-1]
        self._forget_before(self._clock.now())
        raw = (
            self.voltage.measured(segment.load.volts, self._random) / CSE7766_PER_VOLT,
            # The firmware's default for the current makes no sense: what the chip gives
            # is near to amperes, once the firmware was told a true current.
            self.current.measured(segment.amperes, self._random),
            self.power.measured(segment.watts, self._random) / CSE7766_PER_WATT,
        )
        body = bytearray()
        valid = 0
        for value, coefficient, flag in zip(
            raw, self._COEFFICIENTS, (0x40, 0x20, 0x10), strict=True
        ):
            period = round(coefficient / value) if value > 0 else 0
            valid |= flag if 0 < period <= 0xFFFFFF else 0
            body += coefficient.to_bytes(3) + min(period, 0xFFFFFF).to_bytes(3)
        body += bytes((valid | 0x01, 0, 0))
        return b"\x55\x5a" + body + bytes((sum(body) & 0xFF,))


def bl0942_packet(
    *, i_rms: int, v_rms: int, watt: int, cf_cnt: int, freq: int
) -> bytes:
    """Return registers of a BL0942 as it sends them; ``watt`` may be negative."""
    body = (
        b"\x55"
        + i_rms.to_bytes(3, "little")
        + v_rms.to_bytes(3, "little")
        + bytes(3)
        + watt.to_bytes(3, "little", signed=True)
        + cf_cnt.to_bytes(3, "little")
        + freq.to_bytes(2, "little")
        + bytes(4)
    )
    # The command byte counts although it was the other side that sent it.
    return body + bytes(((sum(body) + 0x58 & 0xFF) ^ 0xFF,))
