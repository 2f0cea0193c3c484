"""The correction of one quantity: gain and offset, applied to readings and to energy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ..errors import OpenBekenError
from ..foreign_numbers import finite

_SECONDS_PER_HOUR = 3600


class CorrectionError(OpenBekenError):
    """A stored correction is not one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """True value = gain times reading plus offset, in the quantity's own unit.

    A reading of zero stays zero whatever the offset: no pulses, an open relay and the meter
    chip's own no-load cut-off all mean that nothing flows.
    """

    gain: float = 1.0
    offset: float = 0.0

    def __call__(self, reading: float) -> float:
        """Return the corrected reading, never on the other side of zero."""
        if reading == 0:
            return 0.0
        corrected = self.gain * reading + self.offset
        return max(0.0, corrected) if reading > 0 else min(0.0, corrected)

    @property
    def is_identity(self) -> bool:
        """Return whether readings pass unchanged."""
        return self.gain == 1.0 and self.offset == 0.0

    def energy(self, growth_wh: float, seconds: float) -> float:
        """Return the corrected growth of the energy counter in Wh over a time under power.

        The counter integrates the same pulses as power, so power's correction holds for it; the
        offset counts for as long as something flowed. Never negative.
        """
        if growth_wh <= 0:
            return 0.0
        return max(
            0.0, self.gain * growth_wh + self.offset * seconds / _SECONDS_PER_HOUR
        )

    def after_factor_change(self, old_factor: float, new_factor: float) -> Self:
        """Return the correction that shows the same values once the socket's own factor changed.

        Raises CorrectionError for factors that are not positive.
        """
        if old_factor <= 0 or new_factor <= 0:
            raise CorrectionError("a meter's factor is positive")
        return type(self)(gain=self.gain * old_factor / new_factor, offset=self.offset)

    def as_dict(self) -> dict[str, float]:
        """Return the correction as JSON values."""
        return {"gain": self.gain, "offset": self.offset}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Read what as_dict returned; raises CorrectionError where it is something else."""
        try:
            correction = cls(
                gain=finite(stored["gain"]), offset=finite(stored["offset"])
            )
        except (KeyError, TypeError, ValueError) as err:
            raise CorrectionError("not a stored correction") from err
        if not correction.gain > 0:
            raise CorrectionError("a correction's gain is positive")
        return correction


IDENTITY = Correction()
