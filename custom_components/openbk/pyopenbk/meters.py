"""The energy meters that OpenBeken has drivers for, and what differs between them."""

from collections.abc import Mapping
from dataclasses import dataclass
import re
from typing import Final

from .quantities import ANY_POWER, CURRENT, HIGHEST_POWER, POWER, VOLTAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A kind of meter. Numbers are OpenBeken's (1.18.299)."""

    name: str
    """That of the driver, as ``startDriver`` takes it."""
    baud: int = 0
    """The rate of its serial line, 0 for a meter on pins of its own, whose driver starts by itself."""
    divides: bool = False
    """What is stored of it divides what it counts, as large numbers, instead of multiplying it."""
    defaults: Mapping[str, float]
    """What one count is worth in V, A and W where nothing is stored."""
    cuts: frozenset[str] = frozenset()
    """Of these quantities the part of a count is lost with each reading; a meter with pulses gives
    it to the next."""
    ratios: frozenset[str] = frozenset()
    """These are no whole counts, so that only their text has an end."""
    is_signed: bool = False
    """What it counts as power has a sign. In many sockets it is connected so that what flows in is
    negative: then so is the stored value, and without that the firmware says 0 W (published values
    of the Nedis WIFIP110FWT and the ELIVCO LSPA9: -683.02)."""
    alternates: bool = False
    """It measures voltage and current in turns, each every other second."""
    has_frequency: bool = False

    @property
    def is_serial(self) -> bool:
        """Return whether it is on a serial line: with the default one on RX1 and TX1."""
        return self.baud > 0

    @property
    def highest_power(self) -> float:
        """Return the most in W that it can show: PowerMax is for a meter with pulses alone."""
        return ANY_POWER.highest if self.is_serial else HIGHEST_POWER

    def grains(self, factors: Mapping[str, float]) -> Mapping[str, float]:
        """Return what readings over HTTP go up by, in V, A and W, with these factors in the socket."""
        counts = {**self.defaults, **factors}
        return {
            key: _TEXT if key in self.ratios else max(_TEXT, count)
            for key, count in counts.items()
        }

    def steps(self, factors: Mapping[str, float]) -> Mapping[str, float]:
        """Return the least change that means something, in V, A and W, with these factors.

        Fine counts flicker: there it is what the firmware takes for one.
        """
        grains = self.grains(factors)
        if not self.is_serial:
            return grains
        return {key: max(grain, _PUBLISHED[key]) for key, grain in grains.items()}


_KEYS: Final = (VOLTAGE.key, CURRENT.key, POWER.key)


def _of(volts: float, amperes: float, watts: float) -> Mapping[str, float]:
    return dict(zip(_KEYS, (volts, amperes, watts), strict=True))


# Readings over HTTP have six decimals (JSON_PrintKeyValue_Float in json_interface.c, 1.18.299).
_TEXT: Final = 1e-6
# By less a reading is not published anew (changeSendThreshold in drv_bl_shared.c, 1.18.299).
_PUBLISHED: Final = _of(0.25, 0.002, 0.25)

BL0937: Final = Meter(
    name="BL0937",
    defaults=_of(0.13253012, 0.0118577075, 1.5),
    alternates=True,
)
BL0942: Final = Meter(
    name="BL0942",
    baud=4800,
    divides=True,
    is_signed=True,
    defaults=_of(1 / 15188, 1 / 251210, 1 / 598),
    has_frequency=True,
)
# HLW8032 speaks as it does. Without CurrentSet its current is absurd. What it tells are periods;
# of their inverse the firmware takes the whole part for voltage and power (PwrCal_Scale in
# drv_pwrCal.c, 1.18.299), so 230 V goes up by 1.9.
CSE7766: Final = Meter(
    name="CSE7766",
    baud=4800,
    defaults=_of(1.94034719, 251210.0, 1.88214409),
    cuts=frozenset({VOLTAGE.key, POWER.key}),
    ratios=frozenset({CURRENT.key}),
)
METERS: Final[Mapping[str, Meter]] = {
    meter.name: meter for meter in (BL0937, BL0942, CSE7766)
}
"""All of them by the names of their drivers."""

_STARTED: Final = re.compile(
    rf"startdriver (?P<name>{'|'.join(METERS)})(?: (?P<baud>\d{{3,7}}))?(?: .*)?",
    re.IGNORECASE,
)


def meter_started_by(command: str) -> tuple[Meter, int] | None:
    """Return the serial meter that a console command starts, with its rate, None for no such one."""
    if (match := _STARTED.fullmatch(command)) is None:
        return None
    meter = METERS[match["name"].upper()]
    return (meter, int(match["baud"] or meter.baud)) if meter.is_serial else None
