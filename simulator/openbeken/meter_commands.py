"""The console commands that come with the driver of a meter."""

from collections.abc import Callable, Mapping

from .arguments import Arguments
from .console import Command, Result, needing
from .energy import DAILY, LAST_HOUR, EnergyDriver


def commands(energy: EnergyDriver, now: Callable[[], float]) -> Mapping[str, Command]:
    """Return the commands of a driver; ``now()`` is the simulated moment."""

    def calibrate(index: int) -> Command:
        def command(arguments: Arguments) -> Result:
            true = arguments.number(0)
            if not true:
                return Result.NOT_ENOUGH_ARGUMENTS
            return Result.OK if energy.calibrate(index, true) else Result.ERROR

        return command

    def power_max(arguments: Arguments) -> Result:
        energy.set_power_max(arguments.number(0))
        return Result.OK

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
        "powermax": needing(1, power_max),
        "energycntreset": reset,
        "consumptionthreshold": needing(1, save_threshold),
        "setupenergystats": needing(3, set_up_statistics),
        "vcppublishintervals": needing(2, _publish_intervals(energy)),
        "vcppublishthreshold": needing(3, _publish_threshold(energy)),
        "vcpprecision": needing(1, _precision(energy)),
    }


def _publish_intervals(energy: EnergyDriver) -> Command:
    def command(arguments: Arguments) -> Result:
        energy.quiet_evaluations = arguments.integer(0)
        energy.forced_evaluations = arguments.integer(1)
        return Result.OK

    return command


def _publish_threshold(energy: EnergyDriver) -> Command:
    def command(arguments: Arguments) -> Result:
        volts, amperes, watts, *rest = arguments.numbers()
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
        ("energycounter", LAST_HOUR, *DAILY),
    )

    def command(arguments: Arguments) -> Result:
        for row, decimals in zip(topics, arguments.integers(), strict=False):
            for topic in row:
                if topic in energy.sensors:
                    energy.sensors[topic].decimals = decimals
        return Result.OK

    return command
