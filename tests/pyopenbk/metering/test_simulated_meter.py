"""The mathematics against the simulator's meter chip, which nobody fitted it to."""

from math import sqrt
from random import Random
from statistics import median

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.openbk.pyopenbk.metering.calibration import (
    CalibrationPoint,
    calibrate,
)
from custom_components.openbk.pyopenbk.metering.series import (
    measure,
    measure_alternating,
)
from simulator.meter import (
    AMPERES_PER_HERTZ,
    VOLTS_PER_HERTZ,
    WATTS_PER_HERTZ,
    Bl0937,
    Load,
    Response,
)

METERS = 200
LOADS = (5, 10, 25, 60, 150, 400, 1000, 2000, 3000, 3600)
MINUTE = 60


class Hands:
    """A clock that is moved by hand."""

    speed = 1.0

    def __init__(self) -> None:
        self.moment = 0.0

    def now(self) -> float:
        return self.moment


class Bench:
    """A socket's meter as the firmware reads it: a second at a time, SEL taking turns."""

    def __init__(self, seed: int) -> None:
        random = Random(seed)
        self.hands = Hands()
        noise = random.choice((0.0, 0.0005, 0.001, 0.003))
        # "true = gain * reading + offset" is what a calibration should find.
        self.gain = random.uniform(0.85, 1.15)
        self.offset = random.choice((0.0, random.uniform(-1.5, 1.5)))
        self.meter = Bl0937(
            self.hands,
            load=Load(watts=60),
            voltage=Response(gain=random.uniform(0.9, 1.1), noise=noise),
            current=Response(gain=random.uniform(0.9, 1.1), noise=noise),
            power=Response(
                gain=1 / self.gain,
                offset=-self.offset / self.gain,
                noise=noise,
                cutoff=random.uniform(0, 2),
            ),
            seed=seed,
        )
        self.meter.relay_closed = True
        self._select_high = False
        self._last = [0.0, 0.0]

    def minute(self, watts: float) -> tuple[list[float], list[float], list[float]]:
        """Return a minute of readings of V, A and W at a constant load."""
        self.meter.set_load(watts)
        rows: list[tuple[float, float, float]] = []
        for second in range(MINUTE + 3):
            start = self.hands.moment
            self.hands.moment += 1
            self._select_high = not self._select_high
            cf, cf1 = self.meter.count(
                start, self.hands.moment, select_high=self._select_high
            )
            unit = VOLTS_PER_HERTZ if self._select_high else AMPERES_PER_HERTZ
            self._last[0 if self._select_high else 1] = cf1 * unit
            if second >= 3:
                rows.append((*self._last, cf * WATTS_PER_HERTZ))
        voltage, current, power = zip(*rows, strict=True)
        return list(voltage), list(current), list(power)


@pytest.fixture(scope="module")
def judged() -> list[tuple[float, float, float]]:
    """Calibrate at 60 W and 2 kW; return (load, error, half-width) of later minutes."""
    results = []
    for seed in range(METERS):
        bench = Bench(seed)
        calibration = calibrate(
            [
                CalibrationPoint(
                    measurement=measure(bench.minute(watts)[2], WATTS_PER_HERTZ),
                    reference=watts,
                )
                for watts in (60, 2000)
            ]
        )
        for watts in LOADS:
            minute = measure(bench.minute(watts)[2], WATTS_PER_HERTZ)
            error = calibration.correction(minute.mean) - watts
            half_width = calibration.uncertainty(minute.mean, minute.uncertainty)
            results.append((watts, error, half_width))
    return results


def test_every_simulated_meter_comes_within_bounds(
    judged: list[tuple[float, float, float]],
) -> None:
    outside = [row for row in judged if abs(row[1]) > max(0.005 * row[0], 0.3)]
    assert outside == []


def test_its_uncertainty_covers_the_truth_and_is_not_padded(
    judged: list[tuple[float, float, float]],
) -> None:
    covered = sum(abs(error) <= half_width for _, error, half_width in judged)
    assert 0.93 <= covered / len(judged) <= 0.99
    rms = sqrt(sum((error / watts) ** 2 for watts, error, _ in judged) / len(judged))
    assert median(half / watts for watts, _, half in judged) <= 3 * rms


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), watts=st.sampled_from((60, 400, 2000, 3000)))
def test_voltage_and_current_are_brought_to_the_reference(
    seed: int, watts: float
) -> None:
    bench = Bench(seed)
    voltage, current, _ = bench.minute(watts)
    for readings, unit, true in (
        (voltage, VOLTS_PER_HERTZ, bench.meter.volts),
        (current, AMPERES_PER_HERTZ, bench.meter.amperes),
    ):
        fitted = calibrate(
            [
                CalibrationPoint(
                    measurement=measure_alternating(readings, unit), reference=true
                )
            ]
        )
        again = bench.minute(watts)[0 if unit == VOLTS_PER_HERTZ else 1]
        mean = measure_alternating(again, unit)
        allowed = max(0.005 * true, unit)
        assert fitted.correction(mean.mean) == pytest.approx(true, abs=allowed)


def test_alternating_readings_state_an_honest_uncertainty() -> None:
    """No less than 93 % are covered, however the windows happen to lie."""
    random = Random(7)
    covered = total = 0
    for _ in range(2000):
        true = random.uniform(0.1, 14)
        noise = random.choice((0.0, 0.001, 0.003))
        readings: list[float] = []
        for _ in range(MINUTE // 2):
            # A window that begins anywhere between two pulses.
            pulses = true / AMPERES_PER_HERTZ * (1 + random.gauss(0, noise))
            count = int(pulses + random.random())
            readings += [count * AMPERES_PER_HERTZ] * 2
        measured = measure_alternating(readings, AMPERES_PER_HERTZ)
        covered += abs(measured.mean - true) <= 2.26 * measured.uncertainty
        total += 1
    assert covered / total >= 0.93


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000))
def test_nothing_plugged_in_stays_nothing(seed: int) -> None:
    bench = Bench(seed)
    calibration = calibrate(
        [
            CalibrationPoint(
                measurement=measure(bench.minute(watts)[2], WATTS_PER_HERTZ),
                reference=watts,
            )
            for watts in (60, 2000)
        ]
    )
    idle = bench.minute(0)[2]
    assert all(calibration.correction(reading) == 0 for reading in idle[1:])
