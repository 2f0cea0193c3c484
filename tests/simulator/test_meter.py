"""Tests of the simulated energy meter."""

from statistics import mean, stdev

import pytest

from simulator.meter import (
    AMPERES_PER_HERTZ,
    VOLTS_PER_HERTZ,
    WATTS_PER_HERTZ,
    Bl0937,
    Load,
    Response,
)

from .manual_clock import ManualClock

BULB = Load(watts=60, volts=230, power_factor=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def closed(clock: ManualClock, load: Load = BULB, **options: object) -> Bl0937:
    meter = Bl0937(clock, load=load, **options)
    meter.relay_closed = True
    return meter


def test_pulses_stand_for_the_default_factors(clock: ManualClock) -> None:
    meter = closed(clock)
    assert meter.pulses_cf(1000) * WATTS_PER_HERTZ / 1000 == pytest.approx(60, abs=0.01)
    volts = meter.pulses_cf1(True, 1000) * VOLTS_PER_HERTZ / 1000
    assert volts == pytest.approx(230, abs=0.01)
    amperes = meter.pulses_cf1(False, 1000) * AMPERES_PER_HERTZ / 1000
    assert amperes == pytest.approx(60 / 230, abs=0.0001)


def test_part_of_a_pulse_goes_to_the_next_second(clock: ManualClock) -> None:
    meter = closed(clock, Load(watts=2))
    seconds = [meter.pulses_cf(1) for _ in range(300)]
    assert set(seconds) == {1, 2}
    assert sum(seconds) == pytest.approx(2 * 300 / WATTS_PER_HERTZ, abs=1)


def test_open_relay_leaves_the_voltage_alone(clock: ManualClock) -> None:
    meter = Bl0937(clock, load=BULB)
    assert meter.pulses_cf(100) == 0
    assert meter.pulses_cf1(False, 100) == 0
    assert meter.pulses_cf1(True, 100) > 0


def test_gain_and_offset_act_on_the_reading(clock: ManualClock) -> None:
    meter = closed(clock, power=Response(gain=1.08, offset=1.2))
    assert meter.pulses_cf(1000) * WATTS_PER_HERTZ / 1000 == pytest.approx(66, abs=0.01)


def test_cutoff_silences_small_loads_whatever_the_offset(clock: ManualClock) -> None:
    meter = closed(clock, Load(watts=0.9), power=Response(offset=1.2, cutoff=1))
    assert meter.pulses_cf(1000) == 0
    meter.set_load(watts=1.1)
    assert meter.pulses_cf(1000) > 0


def test_negative_cutoff_shows_the_offset_with_nothing_plugged_in(
    clock: ManualClock,
) -> None:
    meter = Bl0937(clock, power=Response(offset=3, cutoff=-1))
    assert meter.pulses_cf(1000) == pytest.approx(2000, abs=1)


def test_saturation(clock: ManualClock) -> None:
    meter = closed(clock, Load(watts=5000), power=Response(saturation=4000))
    assert meter.pulses_cf(1) == pytest.approx(4000 / WATTS_PER_HERTZ, abs=1)


def test_inverted_select(clock: ManualClock) -> None:
    meter = closed(clock, inverted_select=True)
    assert meter.pulses_cf1(False, 1) == pytest.approx(230 / VOLTS_PER_HERTZ, abs=1)
    assert meter.pulses_cf1(True, 1) == pytest.approx(22, abs=1)


def test_noise_is_relative_and_repeatable(clock: ManualClock) -> None:
    def series(seed: int) -> list[int]:
        meter = closed(clock, Load(watts=3000), power=Response(noise=0.01), seed=seed)
        return [meter.pulses_cf(1) for _ in range(400)]

    assert series(1) == series(1) != series(2)
    assert stdev(series(1)) / mean(series(1)) == pytest.approx(0.01, rel=0.15)


def test_window_across_a_load_step_counts_both_sides(clock: ManualClock) -> None:
    meter = closed(clock, Load(watts=3000))
    clock.time = 10.25
    meter.set_load(watts=1000)
    clock.time = 11
    power, _ = meter.count(10, 11, select_high=True)
    assert power * WATTS_PER_HERTZ == pytest.approx(0.25 * 3000 + 0.75 * 1000, abs=3)
    assert meter.count(11, 12, select_high=True)[0] == pytest.approx(667, abs=1)


def test_late_reader_still_counts_when_the_relay_was_closed(clock: ManualClock) -> None:
    meter = Bl0937(clock, load=Load(watts=1500))
    clock.time = 1.5
    meter.relay_closed = True
    clock.time = 7.5
    meter.relay_closed = False
    clock.time = 20
    seconds = [meter.count(at, at + 1, select_high=False)[0] for at in range(10)]
    assert seconds == pytest.approx([0, 500, *[1000] * 5, 500, 0, 0], abs=2)


def test_true_energy_follows_load_and_relay(clock: ManualClock) -> None:
    meter = Bl0937(clock, load=Load(watts=1000))
    clock.time = 3600
    assert meter.energy_wh == 0
    meter.relay_closed = True
    clock.time = 2 * 3600
    meter.set_load(watts=2000)
    clock.time = 2.5 * 3600
    meter.relay_closed = False
    clock.time = 9 * 3600
    assert meter.energy_wh == pytest.approx(2000)


def test_load_keeps_what_is_not_given(clock: ManualClock) -> None:
    meter = closed(clock, Load(watts=78.3, volts=231.5, power_factor=0.7776))
    assert meter.amperes == pytest.approx(0.435, abs=0.0001)
    meter.set_load(volts=240)
    assert (meter.watts, meter.volts) == (78.3, 240)
