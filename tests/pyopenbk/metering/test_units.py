"""Whether a counter is one of Wh or of kWh shows in the power of the same minutes."""

import pytest

from custom_components.openbk.pyopenbk.metering.units import UnitWitness


def run(
    witness: UnitWitness,
    watts: float,
    minutes: int,
    *,
    in_kwh: bool,
    start: float = 0.0,
    wh: float = 12_300.0,
) -> bool:
    """Let a socket run under a load and say both once a minute; return whether the unit changed."""
    changed = False
    for minute in range(minutes):
        now = start + 60.0 * minute
        witness.power(watts, now)
        counted = wh + watts * minute / 60
        number = int(counted) / 1000 if in_kwh else round(counted, 3)
        changed |= witness.counter(number, now + 1)
    return changed


@pytest.mark.parametrize("in_kwh", [True, False])
@pytest.mark.parametrize("watts", [15.0, 60.0, 2300.0])
def test_the_unit_is_found_out(watts: float, in_kwh: bool) -> None:
    witness = UnitWitness()
    assert run(witness, watts, 20, in_kwh=in_kwh)
    assert witness.in_kwh is in_kwh


def test_nothing_is_found_out_without_a_load() -> None:
    witness = UnitWitness()
    assert not run(witness, 0.0, 1000, in_kwh=True)
    assert witness.in_kwh is None


def test_a_known_unit_that_agrees_stays() -> None:
    witness = UnitWitness(in_kwh=False)
    assert not run(witness, 100.0, 100, in_kwh=False)


@pytest.mark.parametrize("in_kwh", [True, False])
def test_a_unit_that_somebody_changes_is_noticed(in_kwh: bool) -> None:
    witness = UnitWitness(in_kwh=not in_kwh)
    assert run(witness, 100.0, 10, in_kwh=in_kwh)
    assert witness.in_kwh is in_kwh


def test_a_counter_that_stands_still_proves_nothing() -> None:
    witness = UnitWitness()
    for minute in range(100):
        witness.power(1000.0, 60.0 * minute)
        assert not witness.counter(12.3, 60.0 * minute + 1)
    assert witness.in_kwh is None


def test_a_counter_that_jumps_proves_nothing() -> None:
    witness = UnitWitness()
    for minute in range(100):
        witness.power(1000.0, 60.0 * minute)
        assert not witness.counter(minute * 3_000_000.0, 60.0 * minute + 1)
    assert witness.in_kwh is None


def test_what_was_missed_proves_nothing() -> None:
    """Power of before a silence says nothing about what flowed in it."""
    witness = UnitWitness()
    for hour in range(100):
        witness.power(2000.0, 3600.0 * hour)
        assert not witness.counter(float(hour), 3600.0 * hour + 1)
    assert witness.in_kwh is None
