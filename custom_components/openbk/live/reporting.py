"""How often a socket says its readings: what was chosen is told whenever it comes, as it forgets it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from ..pyopenbk.obk.commands import Command, reporting_command, threshold_command
from ..pyopenbk.quantities import CURRENT, POWER, VOLTAGE

CONF_EVERY: Final = "report_every"
CONF_AT_REST: Final = "report_at_rest"
CONF_VOLTS: Final = "report_volts"
CONF_AMPERES: Final = "report_amperes"
CONF_WATTS: Final = "report_watts"
KEYS: Final = (CONF_EVERY, CONF_AT_REST, CONF_VOLTS, CONF_AMPERES, CONF_WATTS)

# Voltage, current, the three powers and the factor move at once; energy of six spans follows at
# rest (drv_bl_shared.c of 1.18.299).
_MOVING: Final = 6
_ALL: Final = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """When a reading is said again; the defaults are those of a socket that the wizard set up."""

    every: int = 4
    """Seconds between two messages of a reading that moves, at least."""
    at_rest: int = 90
    """Seconds after which it is said although it rests."""
    volts: float = 0.25
    amperes: float = 0.002
    watts: float = 0.25
    """How far a reading has to move, in V, A and W."""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self | None:
        """Return what was chosen for a socket, None where nothing was."""
        if CONF_EVERY not in options:
            return None
        return cls(
            every=int(options[CONF_EVERY]),
            at_rest=int(options[CONF_AT_REST]),
            volts=options[CONF_VOLTS],
            amperes=options[CONF_AMPERES],
            watts=options[CONF_WATTS],
        )

    def as_options(self) -> dict[str, Any]:
        """Return what ``of`` reads."""
        values = (self.every, self.at_rest, self.volts, self.amperes, self.watts)
        return dict(zip(KEYS, values, strict=True))

    @property
    def commands(self) -> tuple[Command, ...]:
        """Return what the socket is told."""
        return (
            reporting_command(self.every, self.at_rest),
            threshold_command(self.volts, self.amperes, self.watts),
        )

    @property
    def thresholds(self) -> Mapping[str, float]:
        """Return how far a reading has to move, by its key, in V, A and W."""
        return {
            VOLTAGE.key: self.volts,
            CURRENT.key: self.amperes,
            POWER.key: self.watts,
        }

    @property
    def messages_at_rest(self) -> int:
        """Return how many messages an hour the broker gets of a socket whose readings rest."""
        return round(_ALL * 3600 / self.at_rest)

    @property
    def messages_moving(self) -> int:
        """Return how many it gets at most while all readings move."""
        still = (_ALL - _MOVING) * 3600 / self.at_rest
        return round(_MOVING * 3600 / self.every + still)
