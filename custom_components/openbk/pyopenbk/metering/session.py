"""One comparison of a socket with a reference: what was sampled, what it should have been."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import hypot, sqrt
from typing import Final

from ..quantities import CALIBRATED, CURRENT, POWER, VOLTAGE
from .calibration import (
    COVERAGE,
    Calibration,
    CalibrationPoint,
    calibrate,
    uncalibrated,
)
from .correction import Correction
from .errors import CalibrationError, Refusal
from .plausibility import Contradiction, Readings, contradictions
from .series import Measurement

# What a plug-in watt-meter or a multimeter of a home is good for, as a share of what it shows. Who
# does not know better must not be told that a comparison is exact.
USUAL_ACCURACY: Final = 0.01

# References of one load read at slightly different moments, each with its last digit.
_REFERENCE_TOLERANCE: Final = 0.03
# A mean of so few pulses is nothing to calibrate by, and one that moved by so much was no load.
_LEAST_PULSES: Final = 0.5
# With more VA than this, a power of nothing is not that of a load.
_FLOWING: Final = 10.0
_UNSTEADY: Final = 0.03
# The exponent by which the power of a load follows the voltage: a heating wire hardly changes
# its resistance; the tungsten of a bulb does, by a power of about 0.4 of the voltage.
_HEATER_EXPONENT: Final = 2.0
_BULB_EXPONENT: Final = 1.6
# Grids have 100 to 240 V; beyond this the voltage of a label is a slip.
_LABEL_RATIO: Final = (0.2, 5.0)
# How far a grid mostly is from the voltage that devices for it are made for (95 %); it may be 10 %.
# Nobody compared most sockets, which are taken to be off by more.
_GRID_VARIES: Final = 0.06
# A device that is made for another grid says nothing of this one.
_OTHER_GRID: Final = 0.2


class Method(StrEnum):
    """Where the samples came from."""

    HTTP = "http"
    MQTT = "mqtt"


class LoadKind(StrEnum):
    """Loads whose power factor is one."""

    HEATER = "heater"
    BULB = "bulb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A steady load as the socket itself read it: no correction is applied."""

    method: Method
    seconds: float
    measurements: Mapping[str, Measurement]
    steady: bool = True
    rare: bool = False
    """It was not seen to be steady as too few readings came; nothing moved."""
    frozen: bool = False
    """The power stood still at the firmware's limit."""

    def mean(self, key: str) -> float | None:
        """Return the mean reading of a quantity, None where there was none."""
        measured = self.measurements.get(key)
        return None if measured is None else measured.mean


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What the instrument shows, in V, A and W; None for what it does not."""

    voltage: float | None = None
    current: float | None = None
    power: float | None = None
    resistive: bool = False
    """The load is a heater or a bulb, so its power is voltage times current."""
    accuracy: float = 0.0
    """How far off the instrument may be, as a share of what it shows (95 %)."""

    @property
    def values(self) -> dict[str, float]:
        """Return what is compared, by the key of the quantity.

        With a resistive load and two of three values, the third follows.
        """
        given = {
            VOLTAGE.key: self.voltage,
            CURRENT.key: self.current,
            POWER.key: self.power,
        }
        if self.resistive and self.voltage and self.current and self.power is None:
            given[POWER.key] = self.voltage * self.current
        if self.resistive and self.voltage and self.power and self.current is None:
            given[CURRENT.key] = self.power / self.voltage
        return {key: value for key, value in given.items() if value is not None}

    def check(self) -> None:
        """Raise CalibrationError where the references contradict each other."""
        if not (self.voltage and self.current and self.power):
            return
        apparent = self.voltage * self.current
        allowed = _REFERENCE_TOLERANCE + 2 * self.accuracy
        too_much = self.power > apparent * (1 + allowed)
        too_little = self.resistive and self.power < apparent * (1 - allowed)
        if too_much or too_little:
            raise CalibrationError(
                Refusal.REFERENCES_CONTRADICT,
                reading=apparent,
                reference=self.power,
                overridable=True,
                quantity=POWER.key,
            )


def references_of_load(
    watts: float,
    volts: float,
    *,
    kind: LoadKind,
    mains: float,
    doubt: float | None = None,
    tolerance: float,
) -> References:
    """Return what a load draws that is rated ``watts`` at ``volts``, at the voltage it has now.

    ``mains`` is that voltage, and ``doubt`` how far off it may be in V (95 %) where the socket read
    it: then it is the label's that counts if that is surer. None: it was read off an instrument,
    so it is a reference too. ``tolerance`` is that of the label, as a share (95 %). Raises
    CalibrationError for a voltage that no label has.
    """
    if not _LABEL_RATIO[0] <= mains / volts <= _LABEL_RATIO[1]:
        raise CalibrationError(
            Refusal.IMPLAUSIBLE, reading=mains, reference=volts, quantity=VOLTAGE.key
        )
    unsure = 0.0 if doubt is None else doubt / mains
    measured = mains if doubt is None else None
    if unsure > _GRID_VARIES and abs(mains / volts - 1) < _OTHER_GRID:
        mains, unsure = volts, _GRID_VARIES
    exponent = _BULB_EXPONENT if kind is LoadKind.BULB else _HEATER_EXPONENT
    power = watts * (mains / volts) ** exponent
    return References(
        voltage=measured,
        current=power / mains,
        power=power,
        resistive=True,
        accuracy=hypot(tolerance, exponent * unsure),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a comparison leads to; nothing is changed yet."""

    sample: Sample
    references: Mapping[str, float]
    calibrations: Mapping[str, Calibration]
    contradictions: tuple[Contradiction, ...]


def propose(
    sample: Sample,
    references: References,
    known: Mapping[str, Calibration],
    *,
    add: bool = False,
    trust_person: bool = False,
    factors: Mapping[str, float] | None = None,
) -> Proposal:
    """Fit a calibration for each quantity that has a reference.

    ``known`` are the calibrations so far; with ``add`` their points count on, else they are
    replaced. ``factors`` are the socket's own, where they could be read. Raises CalibrationError
    with the quantity it is about.
    """
    if not trust_person:
        references.check()
    values = references.values
    if not values:
        raise CalibrationError(Refusal.NO_REFERENCE)
    fitted = {
        key: _fit_quantity(
            key,
            sample,
            reference,
            known.get(key) if add else None,
            accuracy=references.accuracy,
            trust_person=trust_person,
            factor=(factors or {}).get(key),
        )
        for key, reference in values.items()
    }
    every = {**known, **fitted}
    return Proposal(
        sample=sample,
        references=values,
        calibrations=fitted,
        contradictions=judge(sample, every, resistive=references.resistive),
    )


def judge(
    sample: Sample, known: Mapping[str, Calibration], *, resistive: bool = False
) -> tuple[Contradiction, ...]:
    """Return how the corrected readings of a sample contradict each other."""
    if set(sample.measurements) < set(CALIBRATED):
        return ()
    read = {key: corrected(key, sample, known) for key in CALIBRATED}
    return contradictions(
        Readings(
            voltage=read[VOLTAGE.key][0],
            current=read[CURRENT.key][0],
            power=read[POWER.key][0],
            voltage_uncertainty=read[VOLTAGE.key][1],
            current_uncertainty=read[CURRENT.key][1],
            power_uncertainty=read[POWER.key][1],
        ),
        resistive=resistive,
    )


def corrected(
    key: str, sample: Sample, known: Mapping[str, Calibration]
) -> tuple[float, float]:
    """Return what a sample read of a quantity, corrected, and its half-width (95 %)."""
    measured = sample.measurements[key]
    calibration = known.get(key) or uncalibrated(measured.step)
    return (
        calibration.correction(measured.mean),
        calibration.uncertainty(measured.mean, measured.uncertainty),
    )


def _fit_quantity(
    key: str,
    sample: Sample,
    reference: float,
    before: Calibration | None,
    *,
    accuracy: float,
    trust_person: bool,
    factor: float | None,
) -> Calibration:
    measured = sample.measurements.get(key)
    shown = before.correction if before is not None else Correction()
    try:
        _check_sample(key, sample, reference, trust_person=trust_person)
        assert measured is not None
        scale = accuracy / COVERAGE
        points: tuple[CalibrationPoint, ...] = ()
        if before is not None:
            before = before.at_factor(factor)
            scale = max(scale, before.scale_uncertainty)
            points = before.points
        return calibrate(
            (*points, CalibrationPoint(measurement=measured, reference=reference)),
            trust_person=trust_person,
            scale_uncertainty=scale,
            factor=factor,
        )
    except CalibrationError as err:
        raise CalibrationError(
            err.refusal,
            reading=None if measured is None else shown(measured.mean),
            reference=reference,
            overridable=err.overridable,
            quantity=key,
        ) from err


def _check_sample(
    key: str, sample: Sample, reference: float, *, trust_person: bool
) -> None:
    measured = sample.measurements.get(key)
    if measured is None:
        raise CalibrationError(Refusal.NO_READINGS)
    if reference <= 0:
        raise CalibrationError(Refusal.ZERO_READING)
    if measured.mean < _LEAST_PULSES * measured.step:
        raise CalibrationError(refusal_of_zero(key, sample))
    if trust_person:
        return
    if key == POWER.key and sample.frozen:
        raise CalibrationError(Refusal.FROZEN, overridable=True)
    if not sample.steady:
        refusal = Refusal.RARE if sample.rare else Refusal.UNSTEADY
        raise CalibrationError(refusal, overridable=True)
    # Whoever counts coarsely may be compared; what is lost is half of that more than what is late.
    coarse = measured.step * (1.5 if measured.cut else 1.0)
    allowed = max(_UNSTEADY * measured.mean, coarse) / COVERAGE
    if measured.uncertainty > allowed:
        moved = sqrt(max(0.0, measured.uncertainty**2 - measured.unsaid**2))
        refusal = Refusal.UNSTEADY if moved > allowed else Refusal.COARSE
        raise CalibrationError(refusal, overridable=True)


def refusal_of_zero(key: str, sample: Sample) -> Refusal:
    """Return why there is nothing to compare where a quantity reads zero."""
    volts, amperes = sample.mean(VOLTAGE.key) or 0.0, sample.mean(CURRENT.key) or 0.0
    flows = key == POWER.key and volts * amperes > _FLOWING
    return Refusal.NO_POWER if flows else Refusal.ZERO_READING


def at_factors(
    known: Mapping[str, Calibration], factors: Mapping[str, float] | None
) -> dict[str, Calibration]:
    """Return calibrations that show the same values with the socket's factors as they are."""
    return {
        key: calibration.at_factor((factors or {}).get(key))
        for key, calibration in known.items()
    }
