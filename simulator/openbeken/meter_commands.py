"""The console commands that come with the driver of a meter."""

from collections.abc import Callable, Mapping
from typing import Final

from .arguments import Arguments
from .console import Command, Result, needing
from .energy import DAILY, FREQUENCY, LAST_HOUR, EnergyDriver
from .meter_drivers import Bl0937Driver, Calibrated, MeterDriver, SerialDriver

_OUTCOMES: Final = {
    Calibrated.DONE: Result.OK,
    Calibrated.NO_VALUE: Result.BAD_ARGUMENT,
    Calibrated.NO_READING: Result.ERROR,
}


def commands(energy: EnergyDriver, now: Callable[[], float]) -> Mapping[str, Command]:
    """Return the commands of a driver; ``now()`` is the simulated moment."""

    def calibrate(index: int) -> Command:
        def command(arguments: Arguments) -> Result:
            calibration = energy.driver.calibration
            return _OUTCOMES[calibration.set_true(index, arguments.number(0))]

        return needing(1, command)

    def reset(arguments: Arguments) -> Result:
        energy.reset(arguments.number(0) if arguments else None, now())
        return Result.OK

    def save_threshold(arguments: Arguments) -> Result:
        energy.save_threshold = min(max(arguments.number(0), 1), 5000)
        return Result.OK

    def set_up_statistics(arguments: Arguments) -> Result:
        enable, interval, count, *rest = arguments.integers()
        if enable:
            energy.set_up_statistics(
                interval, count, as_json=bool(rest and rest[0]), now=now()
            )
        else:
            energy.stop_statistics()
        return Result.OK

    return {
        "voltageset": calibrate(0),
        "currentset": calibrate(1),
        "powerset": calibrate(2),
        "energycntreset": reset,
        "consumptionthreshold": needing(1, save_threshold),
        "setupenergystats": needing(3, set_up_statistics),
        "vcppublishintervals": needing(2, _publish_intervals(energy)),
        "vcppublishthreshold": needing(3, _publish_threshold(energy)),
        "vcpprecision": needing(1, _precision(energy)),
        **_commands_of(energy.driver),
    }


def _commands_of(driver: MeterDriver) -> Mapping[str, Command]:
    """Return the commands that only this driver has."""

    def power_max(arguments: Arguments) -> Result:
        if isinstance(driver, Bl0937Driver):
            driver.set_power_max(arguments.number(0))
        return Result.OK

    def pretend_packet(arguments: Arguments) -> Result:
        if isinstance(driver, SerialDriver):
            driver.pretended.append(bytes.fromhex(arguments.text))
        return Result.OK

    if isinstance(driver, SerialDriver):
        return {"uartfakehex": needing(1, pretend_packet)}
    return {"powermax": needing(1, power_max)}


def _publish_intervals(energy: EnergyDriver) -> Command:
    def command(arguments: Arguments) -> Result:
        energy.quiet_evaluations = arguments.integer(0)
        energy.forced_evaluations = arguments.integer(1)
        return Result.OK

    return command


def _publish_threshold(energy: EnergyDriver) -> Command:
    def command(arguments: Arguments) -> Result:
        volts, amperes, watts, *rest = arguments.numbers()[:5]
        thresholds = {
            "voltage": volts,
            "current": amperes,
            "power": watts,
            "power_apparent": watts,
            "power_reactive": watts,
        }
        if rest:
            # The total is not among them.
            thresholds |= dict.fromkeys((LAST_HOUR, *DAILY), rest[0])
            thresholds |= dict.fromkeys((FREQUENCY,), rest[-1]) if rest[1:] else {}
        for topic, threshold in thresholds.items():
            if topic in energy.sensors:
                energy.sensors[topic].threshold = threshold
        return Result.OK

    return command


def _precision(energy: EnergyDriver) -> Command:
    topics = (
        ("voltage",),
        ("current",),
        ("power", "power_apparent", "power_reactive"),
        DAILY,
        (FREQUENCY,),
    )

    def command(arguments: Arguments) -> Result:
        for row, decimals in zip(topics, arguments.integers(), strict=False):
            for topic in row:
                if topic in energy.sensors:
                    energy.sensors[topic].decimals = decimals & 0xFF
        return Result.OK

    return command
