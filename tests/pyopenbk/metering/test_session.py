"""A comparison: references that fit, that contradict, that follow from each other."""

from dataclasses import replace

from hypothesis import given, strategies as st
import pytest

from custom_components.openbk.pyopenbk.metering.calibration import (
    Calibration,
    calibrate,
    uncalibrated,
)
from custom_components.openbk.pyopenbk.metering.correction import CorrectionError
from custom_components.openbk.pyopenbk.metering.errors import CalibrationError, Refusal
from custom_components.openbk.pyopenbk.metering.plausibility import Contradiction
from custom_components.openbk.pyopenbk.metering.series import Measurement
from custom_components.openbk.pyopenbk.metering.session import (
    LoadKind,
    Method,
    References,
    Sample,
    propose,
    references_of_load,
)
from custom_components.openbk.pyopenbk.meters import BL0937
from custom_components.openbk.pyopenbk.quantities import CALIBRATED


def sample(
    voltage: float = 225.0,
    current: float = 8.5,
    power: float = 1850.0,
    *,
    steady: bool = True,
    frozen: bool = False,
) -> Sample:
    means = dict(zip(CALIBRATED, (voltage, current, power), strict=True))
    return Sample(
        method=Method.HTTP,
        seconds=60,
        measurements={
            key: Measurement(
                mean=mean,
                uncertainty=0.05 * BL0937.defaults[key],
                count=60,
                step=BL0937.defaults[key],
            )
            for key, mean in means.items()
        },
        steady=steady,
        frozen=frozen,
    )


def refusal(references: References, seen: Sample | None = None) -> CalibrationError:
    with pytest.raises(CalibrationError) as raised:
        propose(seen or sample(), references, {})
    return raised.value


def test_each_reference_gives_its_quantity() -> None:
    proposal = propose(sample(), References(voltage=230, power=2000), {})
    assert set(proposal.calibrations) == {"voltage", "power"}
    assert proposal.calibrations["power"].correction.gain == pytest.approx(2000 / 1850)


def test_third_value_of_a_resistive_load_follows() -> None:
    power = References(voltage=230, current=8.7, resistive=True)
    assert power.values["power"] == pytest.approx(2001)
    current = References(voltage=230, power=2000, resistive=True)
    assert current.values["current"] == pytest.approx(8.696, abs=0.001)
    assert set(References(voltage=230, current=8.7).values) == {"voltage", "current"}


@pytest.mark.parametrize(
    "references",
    [
        References(voltage=230, current=8.7, power=2200),
        References(voltage=230, current=8.7, power=1500, resistive=True),
    ],
)
def test_references_that_contradict_each_other_are_refused(
    references: References,
) -> None:
    error = refusal(references)
    assert error.refusal is Refusal.REFERENCES_CONTRADICT
    assert error.overridable
    assert propose(sample(), references, {}, trust_person=True).contradictions


def test_a_motor_may_draw_more_than_it_burns() -> None:
    references = References(voltage=230, current=8.7, power=1500)
    assert propose(sample(), references, {}).calibrations


@pytest.mark.parametrize(
    ("references", "seen", "reason", "quantity"),
    [
        (References(), sample(), Refusal.NO_REFERENCE, None),
        # A BL0942 that is connected the other way round, or no pulses at CF.
        (References(power=2000), sample(power=0), Refusal.NO_POWER, "power"),
        (
            References(power=2000),
            sample(power=0, current=0),
            Refusal.ZERO_READING,
            "power",
        ),
        (References(power=0), sample(), Refusal.ZERO_READING, "power"),
        (References(power=2000), sample(steady=False), Refusal.UNSTEADY, "power"),
        (References(power=2000), sample(frozen=True), Refusal.FROZEN, "power"),
        (References(power=2.0), sample(), Refusal.WRONG_UNIT, "power"),
        (References(current=8700), sample(), Refusal.WRONG_UNIT, "current"),
        (References(voltage=23), sample(), Refusal.IMPLAUSIBLE, "voltage"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_quantity(
    references: References, seen: Sample, reason: Refusal, quantity: str | None
) -> None:
    error = refusal(references, seen)
    assert error.refusal is reason
    assert error.quantity == quantity


def test_contradicting_results_are_named() -> None:
    proposal = propose(sample(), References(power=2600), {})
    assert proposal.contradictions == (Contradiction.POWER_EXCEEDS_VOLT_AMPERES,)


def test_a_voltage_that_no_label_has_is_refused() -> None:
    with pytest.raises(CalibrationError) as raised:
        references_of_load(
            2000,
            23,
            kind=LoadKind.HEATER,
            mains=231,
            tolerance=0.05,
        )
    assert raised.value.refusal is Refusal.IMPLAUSIBLE
    assert (raised.value.reading, raised.value.reference) == (231, 23)
    assert raised.value.quantity == "voltage"


def test_what_was_not_read_can_neither_be_compared_nor_contradict() -> None:
    whole = sample()
    only = {"power": whole.measurements["power"]}
    seen = replace(whole, measurements=only)
    error = refusal(References(voltage=230), seen)
    assert error.refusal is Refusal.NO_READINGS
    assert propose(seen, References(power=2600), {}).contradictions == ()


def test_a_bulb_follows_the_voltage_less_than_a_heater() -> None:
    def power(kind: LoadKind) -> float:
        references = references_of_load(100, 230, kind=kind, mains=240, tolerance=0.05)
        assert references.accuracy == 0.05
        assert references.power is not None
        return references.power

    assert power(LoadKind.HEATER) == pytest.approx(100 * (240 / 230) ** 2)
    assert 100 < power(LoadKind.BULB) < power(LoadKind.HEATER)


@pytest.mark.parametrize(
    ("read", "doubt", "power", "accuracy"),
    [
        # Nobody compared the socket, which says 12 % too little: not 23 % less power.
        (203.0, 23.0, 2000.0, 0.13),
        # It was compared.
        (203.0, 2.03, 1558.0, 0.054),
        # A kettle from another country.
        (107.0, 12.0, 433.0, 0.23),
    ],
)
def test_a_voltage_that_nobody_measured_is_part_of_the_doubt(
    read: float, doubt: float, power: float, accuracy: float
) -> None:
    references = references_of_load(
        2000, 230, kind=LoadKind.HEATER, mains=read, doubt=doubt, tolerance=0.05
    )
    assert references.voltage is None
    assert references.power == pytest.approx(power, rel=0.001)
    assert references.accuracy == pytest.approx(accuracy, rel=0.02)


def test_points_add_up_whatever_factor_they_were_read_with() -> None:
    """A point of before a new factor and one of after it make one line."""
    old, new = {"power": 1.5}, {"power": 1.62}
    first = propose(
        sample(power=1850.0), References(power=2000), {}, factors=old
    ).calibrations
    # 60 W read 54.5 W with the old factor and that much more with the new one.
    second = propose(
        sample(power=54.5 * 1.08),
        References(power=60),
        first,
        add=True,
        factors=new,
    ).calibrations["power"]
    assert len(second.points) == 2
    assert second.correction(1850 * 1.08) == pytest.approx(2000, rel=0.001)
    assert second.correction(54.5 * 1.08) == pytest.approx(60, abs=0.1)


@given(
    old=st.floats(0.5, 3),
    new=st.floats(0.5, 3),
    reading=st.floats(1, 3000),
    reference=st.floats(0.8, 1.25),
)
def test_another_factor_changes_nothing_that_is_shown(
    old: float, new: float, reading: float, reference: float
) -> None:
    before = propose(
        sample(power=1000),
        References(power=1000 * reference),
        {},
        factors={"power": old},
    ).calibrations["power"]
    after = before.at_factor(new)
    ratio = new / old
    assert after.correction(reading * ratio) == pytest.approx(
        before.correction(reading)
    )
    assert after.uncertainty(reading * ratio, ratio) == pytest.approx(
        before.uncertainty(reading, 1.0)
    )
    assert after.at_factor(old).correction.gain == pytest.approx(before.correction.gain)


def test_calibrations_survive_storage() -> None:
    fitted = propose(
        sample(), References(power=2000, accuracy=0.01), {}, factors={"power": 1.5}
    ).calibrations["power"]
    assert Calibration.from_dict(fitted.as_dict()) == fitted
    with pytest.raises(CorrectionError):
        Calibration.from_dict({**fitted.as_dict(), "points": [{}]})


def test_the_instruments_accuracy_is_part_of_the_uncertainty() -> None:
    def doubt(accuracy: float) -> float:
        references = References(power=2000, accuracy=accuracy)
        fitted = propose(sample(), references, {}).calibrations["power"]
        return fitted.uncertainty(1850)

    assert doubt(0.02) == pytest.approx(40, rel=0.02)
    assert doubt(0) < 10


def test_a_socket_that_was_never_compared_is_not_trusted() -> None:
    assert uncalibrated(1.5).uncertainty(1000) > 100
    assert uncalibrated(1.5).quality == "poor"


def test_points_far_off_the_line_are_refused_unless_insisted_on() -> None:
    first = propose(sample(power=2000), References(power=2160), {}).calibrations
    # The watt-meter was plugged in with another load on it.
    references = References(power=90)
    with pytest.raises(CalibrationError) as raised:
        propose(sample(power=60), references, first, add=True)
    assert raised.value.refusal is Refusal.POINTS_CONTRADICT
    assert raised.value.overridable
    insisted = propose(sample(power=60), references, first, add=True, trust_person=True)
    assert len(insisted.calibrations["power"].points) == 2


def test_calibrate_needs_a_point() -> None:
    with pytest.raises(CalibrationError):
        calibrate([])
