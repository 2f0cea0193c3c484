"""Samples of different loads are not combined."""

import pytest

from custom_components.openbk.pyopenbk.metering.load import LoadTriangle


def settled(volts: float, amperes: float, watts: float) -> LoadTriangle:
    """Return a triangle that has seen one steady load."""
    triangle = LoadTriangle()
    triangle.set_voltage(volts)
    for now in (0, 6):
        triangle.set_current(amperes, now)
        triangle.set_power(watts, now + 1)
    return triangle


def test_lamp_and_motor() -> None:
    split = settled(230, 0.5, 115).set_voltage(230)
    assert split is not None
    assert (split.apparent_power, split.power_factor) == (115, 1)
    split = settled(230, 0.435, 78.3).set_voltage(231.5)
    assert split is not None
    assert split.apparent_power == 100.7
    assert split.power_factor == 0.778
    assert split.reactive_power == 63.33


def test_incomplete() -> None:
    triangle = LoadTriangle()
    assert triangle.set_voltage(230) is None
    assert triangle.set_power(60, 0) is None


def test_quantisation_does_not_exceed_one() -> None:
    split = settled(230, 0.26, 60.5).set_voltage(230)
    assert split is not None
    assert split.power_factor == 1
    assert split.reactive_power == 0


@pytest.mark.parametrize(("amperes", "watts"), [(8.7, 2256.0), (0.035, 9.0)])
def test_a_heater_on_a_socket_that_nobody_calibrated(
    amperes: float, watts: float
) -> None:
    """What was there before must not stay: its factors make it 13 % more than volt-amperes."""
    triangle = settled(230, 0.435, 78.3)
    triangle.set_power(watts, 100)
    triangle.set_current(amperes, 101)
    triangle.set_power(watts, 104)
    split = triangle.set_current(amperes, 105)
    assert split is not None
    assert split.apparent_power == watts
    assert (split.reactive_power, split.power_factor) == (0, 1)


def test_power_of_a_load_that_current_has_not_seen() -> None:
    """The firmware published 4.77 here."""
    assert settled(230, 0.07, 77).set_voltage(230) is None


def test_step_is_waited_for() -> None:
    triangle = settled(230, 0.435, 78.3)
    # Off: the first samples straddle the step, zeros cannot.
    assert triangle.set_power(22.5, 100) is None
    assert triangle.set_current(0.2, 101) is None
    assert triangle.set_power(0, 106) is None
    split = triangle.set_current(0, 107)
    assert split is not None
    assert split.apparent_power == 0
    assert split.power_factor is None
    # On again.
    assert triangle.set_current(0.177, 200) is None
    assert triangle.set_power(31.4, 200.5) is None
    assert triangle.set_power(78, 206) is None
    assert triangle.set_current(0.43, 206.5) is None
    assert triangle.set_power(78.2, 212) is None
    split = triangle.set_current(0.435, 213)
    assert split is not None
    assert split.power_factor == 0.782


def test_first_samples_may_straddle_a_step() -> None:
    triangle = LoadTriangle()
    triangle.set_voltage(230)
    assert triangle.set_current(0.6, 0) is None
    assert triangle.set_power(111, 0.5) is None
    assert triangle.set_current(5.4, 6) is None


def test_cleared() -> None:
    triangle = settled(230, 0.435, 78.3)
    triangle.clear()
    assert triangle.set_voltage(230) is None
