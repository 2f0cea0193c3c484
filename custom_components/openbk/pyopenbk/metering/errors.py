"""Why a calibration was refused."""

from enum import StrEnum

from ..errors import OpenBekenError


class Refusal(StrEnum):
    """The reasons, for whoever shows them to a person."""

    OFFLINE = "offline"
    RELAY_OFF = "relay_off"
    NO_REFERENCE = "no_reference"
    NO_READINGS = "no_readings"
    ZERO_READING = "zero_reading"
    NO_POWER = "no_power"
    """There is a load, as a current flows: the meter is connected otherwise than it is read."""
    UNSTEADY = "unsteady"
    RARE = "rare"
    COARSE = "coarse"
    FROZEN = "frozen"
    WRONG_UNIT = "wrong_unit"
    IMPLAUSIBLE = "implausible"
    POINTS_CONTRADICT = "points_contradict"
    REFERENCES_CONTRADICT = "references_contradict"


class CalibrationError(OpenBekenError):
    """A reading and its reference do not make a calibration.

    ``overridable`` says whether a person who knows better may insist.
    """

    def __init__(
        self,
        refusal: Refusal,
        *,
        reading: float | None = None,
        reference: float | None = None,
        overridable: bool = False,
        quantity: str | None = None,
    ) -> None:
        """Keep the reason with the two values that led to it and the key of their quantity."""
        super().__init__(f"{refusal}: reading {reading}, reference {reference}")
        self.refusal = refusal
        self.reading = reading
        self.reference = reference
        self.overridable = overridable
        self.quantity = quantity
