"""From measurements and reference values to a correction that knows how sure it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import isfinite, log10, sqrt
from typing import Any, Final, Self

from ..foreign_numbers import finite
from .correction import IDENTITY, Correction, CorrectionError
from .errors import CalibrationError, Refusal
from .series import Measurement

# Two-sided 95 % of Student's t for the ten blocks that a minute's series is judged by.
COVERAGE: Final = 2.26
# An offset counts once it is larger than its own 95 % interval.
_SIGNIFICANCE: Final = COVERAGE
# What an offset may be as long as only one load was compared: one standard deviation, in pulses
# per second. BL0937 sockets measured so far stayed below two pulses.
_UNSEEN_OFFSET_PULSES: Final = 0.7
# A gain outside of this is a mistake, not a tolerance: shunt and divider are 1 to 5 % parts, and
# the worst default factors that users reported were 30 % off.
_PLAUSIBLE_GAIN: Final = (0.5, 2.0)
# What a socket is taken for that nobody calibrated: one standard deviation of its gain, from
# parts of 1 to 5 % in shunt and divider and a reference that the factors know nothing of.
_UNCALIBRATED_GAIN: Final = 0.05
# Beyond these, points do not belong to one socket: the chip is straight to 0.3 %, instruments to
# about 1 %, and offsets measured so far stayed below two pulses.
_STRAY: Final = 0.03
_LARGEST_OFFSET_PULSES: Final = 5.0
_UNIT_SLIP_TOLERANCE: Final = 0.15


class Quality(StrEnum):
    """A calibration in a word, by its relative 95 % uncertainty at the largest load compared."""

    EXCELLENT = "excellent"
    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"


_QUALITIES: Final = (
    (0.005, Quality.EXCELLENT),
    (0.01, Quality.GOOD),
    (0.03, Quality.FAIR),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationPoint:
    """One load: what the socket read and what the reference instrument showed."""

    measurement: Measurement
    reference: float
    reference_uncertainty: float = 0.0
    """Standard uncertainty of the reference, in its unit."""

    def as_dict(self) -> dict[str, float]:
        """Return the point as JSON values."""
        measured = self.measurement
        return {
            "reading": measured.mean,
            "uncertainty": measured.uncertainty,
            "samples": measured.count,
            "step": measured.step,
            "reference": self.reference,
            "reference_uncertainty": self.reference_uncertainty,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Read what as_dict returned; raises KeyError, TypeError or ValueError."""
        return cls(
            measurement=Measurement(
                mean=finite(stored["reading"]),
                uncertainty=finite(stored["uncertainty"]),
                count=int(finite(stored["samples"])),
                step=finite(stored["step"]),
            ),
            reference=finite(stored["reference"]),
            reference_uncertainty=finite(stored["reference_uncertainty"]),
        )

    def scaled(self, ratio: float) -> Self:
        """Return the point as a socket would have read it that shows ``ratio`` times as much."""
        measured = self.measurement
        return replace(
            self,
            measurement=replace(
                measured,
                mean=measured.mean * ratio,
                uncertainty=measured.uncertainty * ratio,
                step=measured.step * ratio,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A correction with the covariance of its gain and offset."""

    correction: Correction
    points: tuple[CalibrationPoint, ...]
    gain_variance: float
    offset_variance: float
    covariance: float
    offset_significant: bool
    scale_uncertainty: float = 0.0
    """Relative standard uncertainty that all references share: the accuracy of the instrument."""
    factor: float | None = None
    """The socket's own factor that the readings were made with, where it could be read."""

    def uncertainty(self, reading: float, reading_uncertainty: float = 0.0) -> float:
        """Return the half-width of the 95 % interval around a corrected reading.

        ``reading_uncertainty`` is the standard uncertainty of the reading itself; a mean over a
        minute has almost none, a single second that of one pulse.
        """
        variance = (
            self.gain_variance * reading**2
            + self.offset_variance
            + 2 * self.covariance * reading
            + (self.correction.gain * reading_uncertainty) ** 2
            + (self.scale_uncertainty * self.correction(reading)) ** 2
        )
        return COVERAGE * sqrt(max(0.0, variance))

    @property
    def residuals(self) -> tuple[float, ...]:
        """Return what is left between each reference and its corrected measurement."""
        return tuple(
            point.reference - self.correction(point.measurement.mean)
            for point in self.points
        )

    @property
    def quality(self) -> Quality:
        """Return the calibration in a word."""
        if not self.points:
            return Quality.POOR
        largest = max(self.points, key=lambda point: point.reference)
        relative = self.uncertainty(largest.measurement.mean) / largest.reference
        return next(
            (word for limit, word in _QUALITIES if relative <= limit), Quality.POOR
        )

    def at_factor(self, factor: float | None) -> Self:
        """Return what shows the same values with another factor in the socket.

        Where either factor is unknown, the socket is taken to have the one it had.
        """
        if factor is None or self.factor is None:
            return replace(self, factor=self.factor if factor is None else factor)
        ratio = factor / self.factor
        return replace(
            self,
            correction=self.correction.after_factor_change(self.factor, factor),
            points=tuple(point.scaled(ratio) for point in self.points),
            gain_variance=self.gain_variance / ratio**2,
            covariance=self.covariance / ratio,
            factor=factor,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the calibration as JSON values."""
        return {
            **self.correction.as_dict(),
            "gain_variance": self.gain_variance,
            "offset_variance": self.offset_variance,
            "covariance": self.covariance,
            "offset_significant": self.offset_significant,
            "scale_uncertainty": self.scale_uncertainty,
            "factor": self.factor,
            "points": [point.as_dict() for point in self.points],
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Read what as_dict returned; raises CorrectionError where it is something else."""
        try:
            factor = stored["factor"]
            return cls(
                correction=Correction.from_dict(stored),
                points=tuple(map(CalibrationPoint.from_dict, stored["points"])),
                gain_variance=finite(stored["gain_variance"]),
                offset_variance=finite(stored["offset_variance"]),
                covariance=finite(stored["covariance"]),
                offset_significant=bool(stored["offset_significant"]),
                scale_uncertainty=finite(stored["scale_uncertainty"]),
                factor=None if factor is None else finite(factor),
            )
        except (KeyError, TypeError, ValueError) as err:
            raise CorrectionError("not a stored calibration") from err


def uncalibrated(step: float, factor: float | None = None) -> Calibration:
    """Return what is known of a quantity that was never compared: that it may be off.

    ``step`` is what one pulse in one second is worth.
    """
    return Calibration(
        correction=IDENTITY,
        points=(),
        gain_variance=_UNCALIBRATED_GAIN**2,
        offset_variance=(_UNSEEN_OFFSET_PULSES * step) ** 2,
        covariance=0.0,
        offset_significant=False,
        factor=factor,
    )


def check_point(point: CalibrationPoint, *, trust_person: bool = False) -> None:
    """Refuse a point that cannot be meant: raises CalibrationError.

    ``trust_person`` lets an unlikely gain pass, but never a zero.
    """
    reading, reference = point.measurement.mean, point.reference
    if not isfinite(reference) or reference <= 0 or reading <= 0:
        raise CalibrationError(
            Refusal.ZERO_READING, reading=reading, reference=reference
        )
    ratio = reference / reading
    if _PLAUSIBLE_GAIN[0] <= ratio <= _PLAUSIBLE_GAIN[1] or trust_person:
        return
    slip = log10(ratio) / 3
    refusal = (
        Refusal.WRONG_UNIT
        if round(slip) in (-1, 1) and abs(slip - round(slip)) * 3 < _UNIT_SLIP_TOLERANCE
        else Refusal.IMPLAUSIBLE
    )
    raise CalibrationError(
        refusal, reading=reading, reference=reference, overridable=True
    )


def calibrate(
    points: Sequence[CalibrationPoint],
    *,
    trust_person: bool = False,
    scale_uncertainty: float = 0.0,
    factor: float | None = None,
) -> Calibration:
    """Fit gain, and offset where it is significant, to one or more points.

    Weighted least squares; the weight of a point comes from the uncertainties of its measurement
    and of its reference. ``scale_uncertainty`` is what the instrument may be off at every load
    alike, which bends no line and so has no part in the weights. Raises CalibrationError where a
    point cannot be meant or the points contradict each other.
    """
    return replace(
        _fit(points, trust_person=trust_person),
        scale_uncertainty=scale_uncertainty,
        factor=factor,
    )


def _fit(points: Sequence[CalibrationPoint], *, trust_person: bool) -> Calibration:
    if not points:
        raise CalibrationError(Refusal.NO_READINGS)
    for point in points:
        check_point(point, trust_person=trust_person)
    weights = _weights(points)
    gain_only = _fit_gain(points, weights)
    line = _fit_line(points, weights)
    if line is None:
        _check_agreement(gain_only, trust_person=trust_person)
        return _with_unseen_offset(gain_only)
    if line.correction.gain <= 0:
        raise CalibrationError(Refusal.POINTS_CONTRADICT, overridable=False)
    _check_agreement(line, trust_person=trust_person)
    if line.offset_significant:
        return line
    # The smaller model, with the uncertainty of the larger: that the offset could not be told
    # from zero does not make it zero.
    return Calibration(
        correction=gain_only.correction,
        points=gain_only.points,
        gain_variance=line.gain_variance,
        offset_variance=line.offset_variance,
        covariance=line.covariance,
        offset_significant=False,
    )


def _check_agreement(fit: Calibration, *, trust_person: bool) -> None:
    """Refuse points that no socket would read so: far off the line, or a line far off zero."""
    if trust_person:
        return
    pulse = fit.correction.gain * fit.points[0].measurement.step
    worst = max(
        zip(fit.points, fit.residuals, strict=True),
        key=lambda pair: abs(pair[1]) / pair[0].reference,
    )
    point, residual = worst
    strays = abs(residual) > max(_STRAY * point.reference, 2 * pulse)
    if strays or abs(fit.correction.offset) > _LARGEST_OFFSET_PULSES * pulse:
        raise CalibrationError(
            Refusal.POINTS_CONTRADICT,
            reading=point.measurement.mean,
            reference=point.reference,
            overridable=True,
        )


def _weights(points: Sequence[CalibrationPoint]) -> list[float]:
    def variance(point: CalibrationPoint) -> float:
        gain = point.reference / point.measurement.mean
        return (
            gain * point.measurement.uncertainty
        ) ** 2 + point.reference_uncertainty**2

    return [1 / variance(point) for point in points]


def _fit_gain(
    points: Sequence[CalibrationPoint], weights: Sequence[float]
) -> Calibration:
    sxx = sxy = 0.0
    for point, weight in zip(points, weights, strict=True):
        sxx += weight * point.measurement.mean**2
        sxy += weight * point.measurement.mean * point.reference
    return Calibration(
        correction=Correction(gain=sxy / sxx),
        points=tuple(points),
        gain_variance=1 / sxx,
        offset_variance=0.0,
        covariance=0.0,
        offset_significant=False,
    )


def _fit_line(
    points: Sequence[CalibrationPoint], weights: Sequence[float]
) -> Calibration | None:
    """Return the fit of gain and offset, or None where the loads are too alike to tell them apart."""
    readings = [point.measurement.mean for point in points]
    if max(readings) < 1.5 * min(readings):
        return None
    total = sum(weights)
    mean_x = sum(w * x for w, x in zip(weights, readings, strict=True)) / total
    mean_y = sum(w * p.reference for w, p in zip(weights, points, strict=True)) / total
    sxx = sum(w * (x - mean_x) ** 2 for w, x in zip(weights, readings, strict=True))
    sxy = sum(
        w * (x - mean_x) * (p.reference - mean_y)
        for w, x, p in zip(weights, readings, points, strict=True)
    )
    gain = sxy / sxx
    offset = mean_y - gain * mean_x
    offset_variance = 1 / total + mean_x**2 / sxx
    return Calibration(
        correction=Correction(gain=gain, offset=offset),
        points=tuple(points),
        gain_variance=1 / sxx,
        offset_variance=offset_variance,
        covariance=-mean_x / sxx,
        offset_significant=abs(offset) > _SIGNIFICANCE * sqrt(offset_variance),
    )


def _with_unseen_offset(fit: Calibration) -> Calibration:
    """Widen a one-load fit by the offset that it could not see.

    Such an offset would have been taken for gain at the load compared, so there the two cancel.
    """
    anchor = max(point.measurement.mean for point in fit.points)
    unseen = (_UNSEEN_OFFSET_PULSES * fit.points[0].measurement.step) ** 2
    return Calibration(
        correction=fit.correction,
        points=fit.points,
        gain_variance=fit.gain_variance + unseen / anchor**2,
        offset_variance=unseen,
        covariance=-unseen / anchor,
        offset_significant=False,
    )
