"""The console commands of the time of day."""

from collections.abc import Mapping
import re
from typing import Final

from .arguments import Arguments
from .console import Command, Result, needing, setter
from .state import DeviceState
from .text import leading_int

# What C's %i takes: a number in the base that its beginning names.
_HEXADECIMAL: Final = re.compile(r"\s*([+-]?)0[xX]([0-9a-fA-F]+)")
_OCTAL: Final = re.compile(r"\s*([+-]?)(0[0-7]*)")
_DECIMAL: Final = re.compile(r"\s*([+-]?)([1-9][0-9]*)")
_BASES: Final = ((_HEXADECIMAL, 16), (_OCTAL, 8), (_DECIMAL, 10))
_NEVER_ASSIGNED: Final = 0x0BADF00D
"""What is read where the firmware never wrote: anything at all."""


def commands(device: DeviceState) -> Mapping[str, Command]:
    """Return the commands, which set the clock of ``device``; older releases have none."""

    def set_time(arguments: Arguments) -> Result:
        device.device_clock.set_time(leading_int(arguments.word(0)))
        return Result.OK

    if not device.release.has_device_clock:
        return {}
    return {"time_settz": _zone_setter(device), "time_settime": needing(1, set_time)}


def ntp_commands(device: DeviceState) -> Mapping[str, Command]:
    """Return the commands that come with the driver NTP."""
    return {
        "ntp_timezoneofs": _zone_setter(device),
        "ntp_setserver": setter(device.settings, "ntp_server"),
        "ntp_info": lambda _: Result.OK,
    }


def _zone_setter(device: DeviceState) -> Command:
    def set_time_zone(arguments: Arguments) -> Result:
        text = arguments.word(0)
        if ":" in text:
            seconds = _hours_and_minutes(text)
        else:
            seconds = arguments.integer(0) * 3600
        device.device_clock.zone_seconds = _signed(seconds)
        return Result.OK

    return needing(1, set_time_zone)


def _hours_and_minutes(text: str) -> int:
    """Return HH:MM in seconds as the firmware reads it: 010 is eight, 08 ends at its 0."""
    negative = text.startswith("-")
    hours, rest = _number(text.removeprefix("-"))
    minutes = None
    if hours is not None and rest.startswith(":"):
        minutes, _ = _number(rest[1:])
    hours, minutes = (
        _NEVER_ASSIGNED if number is None else number for number in (hours, minutes)
    )
    seconds = hours * 3600 + minutes * 60
    return -seconds if negative else seconds


def _number(text: str) -> tuple[int | None, str]:
    """Return the number that a text begins with, and what follows it."""
    for form, base in _BASES:
        if match := form.match(text):
            number = int(match[2], base)
            return -number if match[1] == "-" else number, text[match.end() :]
    return None, text


def _signed(number: int) -> int:
    """Return a number as it is left of 32 bits."""
    return (number + 0x80000000 & 0xFFFFFFFF) - 0x80000000
