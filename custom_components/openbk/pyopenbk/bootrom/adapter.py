"""What tries on one serial adapter have taught; it outlives them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

RESET_BAUDRATE: Final = 115_200
"""What the boot ROM speaks after each reset."""
# After a rate at which a chip was lost only a reset helps: what comes next had better work.
_STEP_AFTER_LOSS: Final = 4


class ResetLine(StrEnum):
    """An output of a serial adapter that may be wired to CEN."""

    RTS = "rts"
    DTR = "dtr"


@dataclass(frozen=True, slots=True)
class ResetWire:
    """The output that was seen to reset the chip."""

    line: ResetLine
    inverted: bool = False
    """CEN is low while the line is *not* asserted. Usually it is low while the line is, as
    adapters with logic levels drive the pin low then."""


@dataclass(slots=True, kw_only=True)
class Adapter:
    """One serial adapter and its wires; whoever tries again hands the same one in."""

    unusable: set[int] = field(default_factory=set)
    """Baud rates that its driver refuses, or at which not every byte arrives."""
    highest: int | None = None
    """No baud rate above it is tried any more."""
    not_understood: int | None = None
    """The last baud rate at which too little was understood; None: all went well so far."""
    reset_wired: bool = False
    """A person says that RTS or DTR is wired to CEN; neither is ever asserted otherwise."""
    reset_wire: ResetWire | None = None
    """Which of them it is, once that has been seen."""

    def usable(self, baudrates: Iterable[int]) -> list[int]:
        """Return what is left of these rates, best first; 115200 always is."""
        return sorted(
            {
                rate
                for rate in baudrates
                if rate not in self.unusable and rate <= (self.highest or rate)
            }
            | {RESET_BAUDRATE},
            reverse=True,
        )

    def note_refused(self, rate: int) -> None:
        """Remember that the driver does not take a rate."""
        self.unusable.add(rate)

    def note_damage(self, rate: int) -> None:
        """Remember that not every byte arrives at a rate, nor then at a higher one."""
        self.not_understood = rate
        self.highest = rate - 1

    def note_loss(self, rate: int) -> None:
        """Remember that a chip went to a rate and was not understood there."""
        self.not_understood = rate
        self.highest = rate // _STEP_AFTER_LOSS

    @property
    def resting(self) -> frozenset[ResetLine]:
        """Return the lines that are asserted whenever the chip is not to be reset."""
        wire = self.reset_wire
        return frozenset({wire.line} if wire is not None and wire.inverted else ())
