"""The question for what a socket measures, which it answers at once on the topics of its readings."""

from typing import Final

from ..quantities import (
    CURRENT,
    ENERGY,
    ENERGY_TODAY,
    ENERGY_YESTERDAY,
    POWER,
    VOLTAGE,
    Quantity,
)
from .builds import release_of
from .commands import Command, backlog
from .messages import Publication, console

# Of each the constant that has its value, and the decimals that the firmware itself gives it. They
# are there since 2023-06, today and yesterday since 2024-01 (cmd_if.c, drv_bl_shared.c).
_MEASURED: Final = (
    (VOLTAGE, "$voltage", 1),
    (CURRENT, "$current", 3),
    (POWER, "$power", 2),
)
_COUNTED: Final = (
    (ENERGY, "$energy", 3),
    (ENERGY_TODAY, "$today", 3),
    (ENERGY_YESTERDAY, "$yesterday", 3),
)
_ANSWERS: Final = (1, 17, 360)
"""The oldest release that is known to have the constants; what it does not have would be 0."""
_TAKES_DECIMALS: Final = (1, 17, 629)
"""publishFloat cuts decimals since 2024-07. With more of them than the firmware's own message has,
a counter would seem to step back."""


def question(client_id: str, build: str, *, in_kwh: bool | None) -> Publication | None:
    """Ask for voltage, current and power, and for the energies where their unit is known.

    ``build`` is what the socket runs, ``in_kwh`` the unit that it publishes energies in; its
    constants are in Wh. A socket whose meter does not run, or has not measured yet, answers nothing,
    as a voltage of 0 is none. It changes nothing in the socket, and was seen to be answered within
    0.1 s (OpenBeken 1.18.299). None where the release is too old or not known.
    """
    release = release_of(build)
    if release is None or release < _ANSWERS:
        return None
    wanted: list[tuple[Quantity, str, int]] = [*_MEASURED]
    if release >= _TAKES_DECIMALS and in_kwh is not None:
        unit = "/1000" if in_kwh else ""
        wanted += [(each, f"{name}{unit}", digits) for each, name, digits in _COUNTED]
    lines = [
        Command(f"publishFloat {quantity.topic} {value} 0 {digits}")
        for quantity, value, digits in wanted
    ]
    return console(client_id, f"if $voltage>0 then {backlog(lines)}")
