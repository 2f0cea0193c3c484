"""The meter of a running socket over HTTP: its readings and its own factors."""

from collections.abc import Sequence
from dataclasses import dataclass
import json
from math import isfinite
import struct
from typing import Any, Final
from urllib.parse import quote

from ..foreign_numbers import finite
from ..meters import BL0937, Meter
from ..quantities import CURRENT, POWER, VOLTAGE
from .commands import Command, reading_command, readings_command
from .config_sector import place_of
from .console import Console, NotAnAnswerError

# The first three of the field: voltage, current and power.
_FACTORS: Final = struct.Struct("<3f")
_KEYS: Final = (VOLTAGE.key, CURRENT.key, POWER.key)
_SET_COMMANDS: Final = {
    VOLTAGE.key: "VoltageSet",
    CURRENT.key: "CurrentSet",
    POWER.key: "PowerSet",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReading:
    """What the socket itself measures now, in V, A and W, with all its decimals."""

    voltage: float
    current: float
    power: float

    def __getitem__(self, key: str) -> float:
        """Return the reading of a quantity by its key."""
        return {
            VOLTAGE.key: self.voltage,
            CURRENT.key: self.current,
            POWER.key: self.power,
        }[key]


def factor_command(key: str, reference: float) -> Command:
    """Return the command that makes the meter read ``reference`` at the load connected now.

    It sets the factor of the quantity to that value, divided by the pulses of the last second.
    Raises CommandError for what is no positive number.
    """
    return reading_command(_SET_COMMANDS[key], reference)


async def read_meter(console: Console) -> MeterReading:
    """Ask for the latest readings; raises ConsoleError, also for a socket without a meter."""
    return _readings(await read_sensors(console))


def _readings(said: Any) -> MeterReading:
    try:
        volts, amperes, watts = (
            finite(said["ENERGY"][name]) for name in ("Voltage", "Current", "Power")
        )
    except (KeyError, TypeError, ValueError) as err:
        raise NotAnAnswerError("no readings in the answer") from err
    return MeterReading(voltage=volts, current=amperes, power=watts)


async def read_sensors(console: Console) -> Any:
    """Return what a socket says of its sensors, None from a build without Tasmota's answers.

    Over HTTP a status command is harmless, unlike over MQTT. This page answers it in all releases;
    /api/cmnd does not tell before 1.15.607, and calls it unknown before 1.17.752.

    Raises ConsoleError.
    """
    command = quote(readings_command())
    return _sensors((await console.request("GET", f"/cm?cmnd={command}")).body)


def _sensors(body: bytes) -> Any:
    if not body.strip():
        return None
    try:
        return json.loads(body)["StatusSNS"]
    except (KeyError, TypeError, ValueError, RecursionError) as err:
        raise NotAnAnswerError("no sensors in the answer") from err


async def read_factors(console: Console, meter: Meter = BL0937) -> dict[str, float]:
    """Return what one count is worth to the socket, by the key of the quantity.

    Of a BL0937 that is one pulse a second.

    Raises ConsoleError.
    """
    factors = await read_stored_factors(console)
    return factors_of(factors, meter)


async def read_stored_factors(console: Console) -> tuple[float, float, float]:
    """Return the field ``calibration`` of a configuration: voltage, current and power.

    Raises ConsoleError.
    """
    offset, _ = place_of("calibration")
    stored = await console.read_config(offset, _FACTORS.size)
    if stored is None:
        raise NotAnAnswerError("nobody knows where this chip keeps its factors")
    voltage, current, power = _FACTORS.unpack(stored)
    # A meter whose power has a sign may be connected the other way round.
    if not isfinite(power) or not all(
        isfinite(each) and each >= 0 for each in (voltage, current)
    ):
        raise NotAnAnswerError("what lies in the flash is no factor")
    return voltage, current, power


def factors_of(calibration: Sequence[float], meter: Meter = BL0937) -> dict[str, float]:
    """Return what one count is worth, out of the field ``calibration`` of a configuration.

    A stored zero stands for the default; what divides there is turned into what multiplies. A sign
    tells how the meter is connected, and counts for nothing here.
    """
    return {
        key: abs(1 / value if meter.divides else value)
        if value
        else meter.defaults[key]
        for key, value in zip(_KEYS, calibration, strict=False)
    }
