"""The firmware's drivers of energy meters: what the chip gives, turned into readings."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Final, Protocol

from custom_components.openbk.pyopenbk.roles import PinRole
from simulator.meter import (
    AMPERES_PER_HERTZ,
    BL0942_PER_AMPERE,
    BL0942_PER_VOLT,
    BL0942_PER_WATT,
    CSE7766_PER_VOLT,
    CSE7766_PER_WATT,
    VOLTS_PER_HERTZ,
    WATTS_PER_HERTZ,
    Bl0937,
)

from .floats import single
from .pins import Pins
from .release import Release
from .settings import Settings

TICK_MS: Final = 2
"""A tick of the RTOS: the finest that elapsed time is measured in."""
_DEFAULT_POWER_MAX: Final = 3680.0
_POWER_MAX_SLOT: Final = 3
_SMALLEST: Final = 0.001
"""Readings and factors below it count as nothing (VERY_SMALL_VAL in drv_pwrCal)."""


class Calibrated(Enum):
    """How setting a factor by a true value ended."""

    DONE = "done"
    NO_VALUE = "no value"
    """The true value was 0, or no number."""
    NO_READING = "no reading"
    """The chip gives nothing to compare it with, or the factor would be next to 0."""


class Calibration:
    """Factors, or divisors, of voltage, current and power (drv_pwrCal, 1.18.300).

    They are in the first three of the configuration's slots, where 0 means the default.
    All drivers share the slots: what one stored is taken by the next as its own.
    """

    def __init__(
        self,
        settings: Settings,
        defaults: tuple[float, float, float],
        *,
        divides: bool = False,
    ) -> None:
        """Take what is stored when the driver starts."""
        self._settings = settings
        self._divides = divides
        stored = settings.values.calibration
        self._factors = [
            single(stored[slot] or default) for slot, default in enumerate(defaults)
        ]
        self.raw = [0.0, 0.0, 0.0]
        """What the chip gave last of the three quantities."""

    def scale(
        self, volts: float, amperes: float, watts: float
    ) -> tuple[float, float, float]:
        """Turn what the chip gave into V, A and W; volts and watts as whole numbers."""
        self.raw = [float(int(volts)), single(amperes), float(int(watts))]
        first, second, third = (
            self._scaled(raw, slot) for slot, raw in enumerate(self.raw)
        )
        return first, second, third

    def power(self, raw: float) -> float:
        """Turn a power of the chip's into W."""
        return self._scaled(raw, 2)

    def set_true(self, slot: int, true: float) -> Calibrated:
        """Set the factor of voltage (0), current (1) or power (2) by a true value.

        From the latest that the chip gave, whatever the length of its window; a negative
        value is as good as any.
        """
        true, raw = single(true), self.raw[slot]
        if true == 0:
            return Calibrated.NO_VALUE
        if abs(raw) < _SMALLEST:
            return Calibrated.NO_READING
        factor = single(raw / true if self._divides else true / raw)
        # The firmware has taken it already when it looks.
        self._factors[slot] = factor
        if abs(factor) < _SMALLEST:
            return Calibrated.NO_READING
        self._settings.change_entry("calibration", slot, factor)
        return Calibrated.DONE

    def _scaled(self, raw: float, slot: int) -> float:
        factor = self._factors[slot]
        if not self._divides:
            return single(raw * factor)
        return single(raw / factor) if factor else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a driver hands on, in V, A, W and, where the chip gives them, Hz and Wh."""

    volts: float
    amperes: float
    watts: float
    hertz: float | None = None
    watt_hours: float | None = None
    """Energy since the last time; without it power times time is taken."""


class MeterDriver(Protocol):
    """A driver: asked once a second."""

    name: str
    calibration: Calibration

    def read(self, now: float) -> Measured | None:
        """Return what there is at the simulated moment ``now``; None without news."""

    @property
    def select_level(self) -> bool | None:
        """Return the level on the pin SEL; None for a meter that has none."""


class Bl0937Driver:
    """Counts pulses for a second; SEL has CF1 give voltage and current in turns."""

    name = "BL0937"

    def __init__(
        self,
        meter: Bl0937 | None,
        settings: Settings,
        pins: Pins,
        release: Release,
        *,
        now: float,
        jitter: float,
        seed: int,
    ) -> None:
        """Start to count; ``jitter`` is the standard deviation of a window in seconds.

        Without a ``meter`` no pulse ever comes.
        """
        self._meter = meter
        self._settings = settings
        self._pins = pins
        self._release = release
        self._jitter = jitter
        self._random = Random(seed)
        self._select_high = True
        self._window_start = now
        self._pulses = [0, 0, 0]
        self._last_valid_power = 0.0
        stored = settings.values.calibration[_POWER_MAX_SLOT]
        self._power_max = stored or _DEFAULT_POWER_MAX
        self.calibration = Calibration(
            settings, (VOLTS_PER_HERTZ, AMPERES_PER_HERTZ, WATTS_PER_HERTZ)
        )

    @property
    def select_level(self) -> bool | None:
        """Return the level on the pin SEL."""
        return self._select_high

    def read(self, now: float) -> Measured | None:
        """Count what came since the last time."""
        milliseconds = self._count(now)
        if self._release.divides_by_elapsed:
            stretch = 1000 / milliseconds
        else:
            stretch = milliseconds / 1000
        volts, amperes, watts = (
            single(value * stretch) for value in self.calibration.scale(*self._pulses)
        )
        if watts > self._power_max:
            watts = self._last_valid_power
        else:
            self._last_valid_power = watts
        return Measured(volts=volts, amperes=amperes, watts=watts)

    def set_power_max(self, watts: float) -> None:
        """Set the limit where it is between 200 and 7200 W, both left out."""
        if 200 < watts < 7200:
            self._power_max = single(watts)
            self._settings.change_entry("calibration", _POWER_MAX_SLOT, self._power_max)

    def _count(self, now: float) -> int:
        """Count a window, which ends with a tick; returns its length in milliseconds."""
        end = now + self._random.gauss(0, self._jitter) if self._jitter else now
        ticks = max(1, round((end - self._window_start) * 1000 / TICK_MS))
        end = self._window_start + ticks * TICK_MS / 1000
        cf = cf1 = 0
        if self._meter:
            cf, cf1 = self._meter.count(
                self._window_start, end, select_high=self._select_high
            )
        self._window_start = end
        inverted = any(self._pins.with_role(frozenset({PinRole.BL0937SEL_N})))
        self._pulses[0 if self._select_high is not inverted else 1] = cf1
        self._pulses[2] = cf
        self._select_high = not self._select_high
        return ticks * TICK_MS


class SerialDriver:
    """What the drivers of meters on the serial line have in common."""

    select_level: bool | None = None

    def __init__(self, calibration: Calibration, packet: Callable[[], bytes]) -> None:
        """Ask ``packet()`` for one packet a second; empty bytes where none comes."""
        self.calibration = calibration
        self.pretended: deque[bytes] = deque()
        """Packets that the command uartFakeHex put in front of the chip's."""
        self._packet = packet

    def next_packet(self) -> bytes:
        """Return the next packet; empty where none has come."""
        return self.pretended.popleft() if self.pretended else self._packet()


class Bl0942Driver(SerialDriver):
    """Asks for a packet of registers, and counts energy by the chip's own pulses."""

    name = "BL0942"
    _LENGTH: Final = 23
    _WATT_HOURS: Final = 1638.4 * 256 / 3600

    def __init__(self, settings: Settings, packet: Callable[[], bytes]) -> None:
        """Take the divisors that are stored."""
        defaults = (BL0942_PER_VOLT, BL0942_PER_AMPERE, BL0942_PER_WATT)
        super().__init__(Calibration(settings, defaults, divides=True), packet)
        self._last_pulses: int | None = None

    def read(self, now: float) -> Measured | None:
        """Take a packet, unless its checksum is wrong."""
        packet = self.next_packet()
        if len(packet) != self._LENGTH or packet[:1] != b"\x55":
            return None
        if (sum(packet[:-1]) + 0x58 & 0xFF) ^ 0xFF != packet[-1]:
            return None
        amperes, volts = (
            int.from_bytes(packet[at : at + 3], "little") for at in (1, 4)
        )
        watts = int.from_bytes(packet[10:13], "little", signed=True)
        pulses = int.from_bytes(packet[13:16], "little")
        frequency = int.from_bytes(packet[16:18], "little")
        readings = self.calibration.scale(volts, amperes, watts)
        return Measured(
            volts=readings[0],
            amperes=readings[1],
            watts=readings[2],
            hertz=single(1_000_000 / frequency) if frequency else None,
            watt_hours=self._count(pulses),
        )

    def _count(self, pulses: int) -> float:
        # A counter that fell has run over, whatever became of the chip.
        last, self._last_pulses = self._last_pulses, pulses
        if last is None:
            return 0.0
        more = (pulses - last) & 0xFFFFFF
        return single(abs(self.calibration.power(more)) * self._WATT_HOURS)


class Cse7766Driver(SerialDriver):
    """Reads periods with their coefficients; without CurrentSet the current is absurd."""

    name = "CSE7766"
    _LENGTH: Final = 24
    _AMPERES: Final = 251210.0
    """The firmware's default factor of the current."""

    def __init__(self, settings: Settings, packet: Callable[[], bytes]) -> None:
        """Take the factors that are stored."""
        defaults = (CSE7766_PER_VOLT, self._AMPERES, CSE7766_PER_WATT)
        super().__init__(Calibration(settings, defaults), packet)

    def read(self, now: float) -> Measured | None:
        """Take a packet, unless its checksum is wrong."""
        packet = self.next_packet()
        if len(packet) != self._LENGTH or packet[:2] != b"\x55\x5a":
            return None
        if sum(packet[2:-1]) & 0xFF != packet[-1]:
            return None
        raw = []
        for at, valid in ((2, 0x40), (8, 0x20), (14, 0x10)):
            coefficient = int.from_bytes(packet[at : at + 3])
            period = int.from_bytes(packet[at + 3 : at + 6])
            use = period and packet[20] & valid
            raw.append(single(coefficient / period) if use else 0.0)
        volts, amperes, watts = self.calibration.scale(*raw)
        return Measured(volts=volts, amperes=amperes, watts=watts)
