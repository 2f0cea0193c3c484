"""An energy counter goes on where it was."""

from custom_components.openbk.pyopenbk.metering.energy import SteadyCounter


def counter(raw: float, day: int | None = None) -> SteadyCounter:
    """Return a counter that has followed a running socket for a while."""
    steady = SteadyCounter()
    assert steady.update(raw, day) == raw
    return steady


def test_growing() -> None:
    steady = counter(1.0)
    assert [steady.update(raw) for raw in (1.1, 1.1, 1.25)] == [1.1, 1.1, 1.25]


def test_late_save_is_rebased_and_not_held() -> None:
    steady = counter(1.008)
    steady.restarted = True
    assert steady.update(1.0) == 1.008
    assert steady.update(1.001) == 1.009


def test_three_power_cuts() -> None:
    steady = counter(0.0)
    raw = value = 0.0
    for _ in range(3):
        for _ in range(1004):
            raw = round(raw + 0.001, 6)
            value = steady.update(raw)
        raw = round(raw // 0.01 * 0.01, 6)
        steady.restarted = True
        value = steady.update(raw)
    assert abs(value - 3.012) < 0.001


def test_first_watt_hours_are_not_lost() -> None:
    steady = counter(0.004)
    steady.restarted = True
    assert steady.update(0.0) == 0.004


def test_reset_is_followed() -> None:
    steady = counter(0.004)
    assert steady.update(0.0) == 0.0
    steady = counter(12.5)
    steady.restarted = True
    assert steady.update(0.002) == 0.002


def test_reset_drops_the_rebase() -> None:
    steady = counter(1.008)
    steady.restarted = True
    steady.update(1.0)
    steady.update(1.1)
    assert steady.update(0.0) == 0.0
    assert steady.update(0.1) == 0.1


def test_midnight_starts_anew() -> None:
    steady = counter(0.004, day=1)
    steady.restarted = True
    assert steady.update(0.001, day=1) == 0.004
    assert steady.update(0.0, day=2) == 0.0


def test_survives_storage() -> None:
    steady = counter(1.008, day=5)
    steady.restarted = True
    steady.update(1.0, day=5)
    again = SteadyCounter.from_list(steady.as_list())
    assert again.restarted
    assert again.update(1.001, day=5) == 1.009
