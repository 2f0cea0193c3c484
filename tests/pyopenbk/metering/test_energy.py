"""An energy counter goes on where it was."""

from hypothesis import given, strategies as st

from custom_components.openbk.pyopenbk.metering.correction import IDENTITY, Correction
from custom_components.openbk.pyopenbk.metering.energy import (
    CorrectedCounter,
    SteadyCounter,
)


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


GAIN = Correction(gain=1.08)
LINE = Correction(gain=1.08, offset=1.2)


def test_a_corrected_counter_follows_the_corrected_power() -> None:
    corrected = CorrectedCounter()
    assert corrected.update(100.0, 0, IDENTITY) == 100.0
    # A kilowatt for an hour, in messages of a minute.
    for minute in range(1, 61):
        shown = corrected.update(100.0 + minute / 60, minute * 60.0, LINE)
    assert abs(shown - (100.0 + LINE(1000) / 1000)) < 1e-5
    assert abs((corrected.recent_ratio or 0) - LINE(1000) / 1000) < 1e-5


def test_a_correction_that_comes_or_goes_is_no_step() -> None:
    corrected = CorrectedCounter()
    corrected.update(100.0, 0, IDENTITY)
    assert abs(corrected.update(101.0, 60, GAIN) - 101.08) < 1e-9
    assert abs(corrected.update(101.0, 120, IDENTITY) - 101.08) < 1e-9
    assert abs(corrected.update(102.0, 180, IDENTITY) - 102.08) < 1e-9


def test_after_a_silence_the_offset_counts_as_long_as_power_can_have_flowed() -> None:
    corrected = CorrectedCounter()
    corrected.update(10.0, 0, LINE)
    before = corrected.update(10.1, 60, LINE)  # 6 kW
    # Ten hours later another 600 Wh: six minutes of that, not ten hours.
    after = corrected.update(10.7, 36_060, LINE)
    assert abs((after - before) - (0.6 * 1.08 + 0.0012 * 0.1)) < 1e-5
    again = CorrectedCounter.from_list(corrected.as_list())
    assert again.update(10.7, 40_000, LINE) == after
    assert CorrectedCounter.from_list([]).counted is None


def test_a_reset_and_midnight_begin_anew_with_the_correction() -> None:
    corrected = CorrectedCounter()
    corrected.update(0.0, 0, GAIN)
    corrected.update(2.0, 60, GAIN)
    assert abs(corrected.update(0.5, 120, GAIN) - 0.54) < 1e-9
    assert abs((corrected.ratio_before or 0) - 1.08) < 1e-9


@given(
    growths=st.lists(st.floats(0, 0.5), min_size=1, max_size=30),
    offset=st.floats(-3, 3),
    gain=st.floats(0.5, 2),
    silences=st.lists(st.floats(1, 40_000), min_size=30, max_size=30),
)
def test_a_corrected_counter_never_runs_backwards(
    growths: list[float], offset: float, gain: float, silences: list[float]
) -> None:
    corrected = CorrectedCounter()
    raw = now = 0.0
    shown = corrected.update(raw, now, IDENTITY)
    for growth, silence in zip(growths, silences, strict=False):
        raw, now = raw + growth, now + silence
        after = corrected.update(raw, now, Correction(gain=gain, offset=offset))
        assert after >= shown
        shown = after
        corrected = CorrectedCounter.from_list(corrected.as_list())


def test_a_total_that_was_set_is_counted_on_from() -> None:
    steady = counter(1.0)
    steady.expect(500.0)
    assert steady.update(1.001) == 500.0  # still on its way
    assert steady.update(500.002) == 500.002
    assert steady.update(500.01) == 500.01


def test_a_total_that_the_socket_never_heard_of_is_counted_on_from_too() -> None:
    steady = counter(1.0)
    steady.expect(500.0)
    assert [steady.update(raw) for raw in (1.001, 1.002, 1.003)] == [500.0] * 3
    assert steady.update(1.013) == 500.01
