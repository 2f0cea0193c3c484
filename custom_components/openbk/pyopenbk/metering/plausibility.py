"""Whether voltage, current and power of a socket can be true together."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# Mains that a socket can be on: 100 V grids less 15 % to 240 V grids plus 15 %.
_MAINS_VOLTS: Final = (85.0, 276.0)
# Below this the pulses are too few to contradict each other (three pulses of 1.5 W, 12 mA).
_LEAST_WATTS: Final = 4.5
_LEAST_AMPERES: Final = 0.036
_SWAPPED_AMPERES: Final = 1.0


class Contradiction(StrEnum):
    """What is wrong with three readings taken together."""

    POWER_EXCEEDS_VOLT_AMPERES = "power_exceeds_volt_amperes"
    CURRENT_WITHOUT_LOAD = "current_without_load"
    POWER_WITHOUT_CURRENT = "power_without_current"
    SELECT_INVERTED = "select_inverted"
    VOLTAGE_IMPOSSIBLE = "voltage_impossible"
    NOT_RESISTIVE = "not_resistive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Means over one steady load with their half-widths (95 %), in V, A and W."""

    voltage: float
    current: float
    power: float
    voltage_uncertainty: float = 0.0
    current_uncertainty: float = 0.0
    power_uncertainty: float = 0.0

    @property
    def volt_amperes(self) -> float:
        """Return the apparent power in VA."""
        return self.voltage * self.current

    @property
    def volt_amperes_uncertainty(self) -> float:
        """Return the half-width of the apparent power in VA, at its worst."""
        return (
            self.voltage * self.current_uncertainty
            + self.current * self.voltage_uncertainty
        )


def contradictions(
    readings: Readings, *, resistive: bool = False, relay_closed: bool = True
) -> tuple[Contradiction, ...]:
    """Return what contradicts what, the likeliest cause first; empty when all can be true.

    ``resistive`` says that the load is a heater or a bulb, for which power equals V·I.
    """
    if _looks_swapped(readings):
        return (Contradiction.SELECT_INVERTED,)
    found = []
    if _is_too_low(readings) or (
        readings.voltage - readings.voltage_uncertainty > _MAINS_VOLTS[1]
    ):
        found.append(Contradiction.VOLTAGE_IMPOSSIBLE)
    powered = readings.power >= _LEAST_WATTS
    flowing = readings.current >= _LEAST_AMPERES
    if flowing and not relay_closed:
        found.append(Contradiction.CURRENT_WITHOUT_LOAD)
    if powered and not flowing:
        found.append(Contradiction.POWER_WITHOUT_CURRENT)
    elif powered:
        found.extend(_power_against_volt_amperes(readings, resistive=resistive))
    return tuple(found)


def _power_against_volt_amperes(
    readings: Readings, *, resistive: bool
) -> tuple[Contradiction, ...]:
    doubt = readings.power_uncertainty + readings.volt_amperes_uncertainty
    surplus = readings.power - readings.volt_amperes
    if surplus > doubt:
        return (Contradiction.POWER_EXCEEDS_VOLT_AMPERES,)
    if resistive and -surplus > doubt:
        return (Contradiction.NOT_RESISTIVE,)
    return ()


def _looks_swapped(readings: Readings) -> bool:
    """Return whether voltage and current trade places, as with the wrong level on SEL.

    The firmware then scales the chip's mains pulses as current and the current's as voltage:
    230 V, 1736 pulses a second, show as 20 A whatever is plugged in, or as less with factors of
    somebody's own, and a socket without load shows next to no voltage (OpenBeken issue 755). One
    that answers at all has mains, so so little voltage beside so much current is not real.
    """
    return _is_too_low(readings) and readings.current > _SWAPPED_AMPERES


def _is_too_low(readings: Readings) -> bool:
    """Return whether no mains can be meant: nobody compared most sockets, and 100 V may read 84."""
    return readings.voltage + readings.voltage_uncertainty < _MAINS_VOLTS[0]
