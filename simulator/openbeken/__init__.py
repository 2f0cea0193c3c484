"""A simulated socket that runs OpenBeken."""

from .device import OpenBeken
from .device_clock import DeviceClock
from .release import Release
from .state import Publication
from .wifi import HARDWARE, NATIVE, Timing

__all__ = [
    "HARDWARE",
    "NATIVE",
    "DeviceClock",
    "OpenBeken",
    "Publication",
    "Release",
    "Timing",
]
