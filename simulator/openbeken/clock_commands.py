"""The console commands of the time of day."""

from collections.abc import Mapping

from .arguments import Arguments
from .console import Command, Result, needing, setter
from .device_clock import DstRule
from .state import DeviceState
from .text import leading_int


def commands(device: DeviceState) -> Mapping[str, Command]:
    """Return the commands, which set the clock of ``device``."""

    def set_time_zone(arguments: Arguments) -> Result:
        hours, _, minutes = arguments.word(0).partition(":")
        seconds = abs(leading_int(hours)) * 3600 + leading_int(minutes) * 60
        negative = hours.lstrip().startswith("-")
        device.device_clock.zone_seconds = -seconds if negative else seconds
        return Result.OK

    def set_time(arguments: Arguments) -> Result:
        device.device_clock.set_time(arguments.integer(0))
        return Result.OK

    def set_dst(arguments: Arguments) -> Result:
        numbers = arguments.integers()
        return apply(numbers[:5], numbers[5:10])

    def calculate_dst(arguments: Arguments) -> Result:
        # End before start, and hours instead of minutes: the older command.
        numbers = arguments.integers()
        hours = numbers[8] if len(numbers) > 8 else 1
        return apply([*numbers[4:8], hours * 60], [*numbers[:4], 0])

    def apply(first: list[int], second: list[int]) -> Result:
        rules = DstRule(*first), DstRule(*second)
        if not all(map(_possible, rules)):
            return Result.BAD_ARGUMENT
        device.device_clock.dst = rules
        return Result.OK

    return {
        "time_settz": needing(1, set_time_zone),
        "time_settime": needing(1, set_time),
        "time_setdst": needing(10, set_dst),
        "time_calcdst": needing(8, calculate_dst),
        "clock_calcdst": needing(8, calculate_dst),
    }


def ntp_commands(device: DeviceState) -> Mapping[str, Command]:
    """Return the commands that come with the driver NTP."""
    zone = commands(device)["time_settz"]
    return {
        "ntp_timezoneofs": zone,
        "ntp_setserver": setter(device.settings, "ntp_server"),
    }


def _possible(rule: DstRule) -> bool:
    return (
        1 <= rule.month <= 12
        and 1 <= rule.weekday <= 7
        and 0 <= rule.week <= 4
        and 0 <= rule.hour <= 23
    )
