"""An energy counter goes on where it was."""

from hypothesis import given, strategies as st
import pytest

from custom_components.openbk.pyopenbk.metering.correction import IDENTITY, Correction
from custom_components.openbk.pyopenbk.metering.energy import (
    CorrectedCounter,
    SteadyCounter,
    largest_growth,
)

MINUTE = 60.0


class Follower:
    """Feeds a counter with a number a minute, as a socket at rest does."""

    def __init__(self, raw: float, day: int | None = None) -> None:
        """Begin with a socket that was followed for a while."""
        self.counter = SteadyCounter()
        self.now = 1_000_000.0
        assert self(raw, day=day) == raw

    def __call__(
        self, raw: float, after: float = MINUTE, day: int | None = None
    ) -> float:
        """Let the counter say a number some seconds after the last one."""
        self.now += after
        return self.counter.update(raw, self.now, day=day)

    def restart(self) -> None:
        """Let the socket restart, or so it seems."""
        self.counter.restarted = True


def test_growing() -> None:
    says = Follower(1.0)
    assert [says(raw) for raw in (1.01, 1.01, 1.025)] == [1.01, 1.01, 1.025]


def test_late_save_is_rebased_and_not_held() -> None:
    says = Follower(1.008)
    says.restart()
    assert says(1.0) == 1.008
    assert says(1.001) == 1.009


def test_three_power_cuts() -> None:
    says = Follower(0.0)
    raw = value = 0.0
    for _ in range(3):
        for _ in range(1004):
            raw = round(raw + 0.001, 6)
            value = says(raw)
        raw = round(raw // 0.01 * 0.01, 6)
        says.restart()
        value = says(raw)
    assert abs(value - 3.012) < 0.001


def test_first_watt_hours_are_not_lost() -> None:
    says = Follower(0.004)
    says.restart()
    assert says(0.0) == 0.004


def test_what_an_update_or_a_lost_flash_forgot_stays_counted() -> None:
    says = Follower(123.456)
    says.restart()
    assert [says(raw) for raw in (0.0, 0.00325, 0.01)] == [123.456, 123.45925, 123.466]


@pytest.mark.parametrize("spike", [3012.301, 4294.967296, 12.2, 0.0, 999999.0])
def test_one_number_that_cannot_follow_is_held_back(spike: float) -> None:
    says = Follower(12.3)
    assert [says(raw) for raw in (12.301, spike, 12.303)] == [12.301, 12.301, 12.303]
    assert says.counter.refused == 1


@pytest.mark.parametrize("length", [2, 3, 10])
def test_a_spike_that_lasts_never_shows(length: int) -> None:
    """A BL0942 whose counter was reset said 3268 kWh too much, and went on from there."""
    says = Follower(12.3)
    high = [says(3268.5 + minute / 1000) for minute in range(length)]
    low = [says(12.3 + minute / 1000) for minute in range(length)]
    shown = [12.3, *high, *low]
    assert shown == sorted(shown)
    assert shown[-1] < 12.3 + 2 * length / 1000


def test_two_odd_numbers_that_contradict_each_other_are_both_held_back() -> None:
    says = Follower(12.3)
    assert [says(raw) for raw in (3000.0, 100.0, 7.0, 12.304)] == [
        12.3,
        12.3,
        12.3,
        12.304,
    ]


def test_as_much_as_the_meter_can_have_counted_is_taken_after_a_silence() -> None:
    says = Follower(10.0)
    assert says(10.0 + 3.6 * 24, after=24 * 3600.0) == 10.0 + 3.6 * 24
    # A week at 3.7 kW would have been 620 kWh.
    assert says(1000.0, after=7 * 24 * 3600.0) == 10.0 + 3.6 * 24


def test_a_clock_that_is_set_back_costs_no_more_than_a_moment() -> None:
    says = Follower(10.0)
    assert says(10.05, after=-86400.0) == 10.05
    assert says(10.06) == 10.06


def test_a_reset_at_the_socket_is_followed_whichever_is_said_first() -> None:
    fall_first = Follower(12.5)
    assert fall_first(0.0) == 12.5
    assert fall_first.counter.asked(fall_first.now + 30)
    assert fall_first(0.002) == 0.002

    counted_on = Follower(12.5)
    assert [counted_on(raw) for raw in (0.0, 0.001)] == [12.5, 12.501]
    assert counted_on.counter.asked(counted_on.now)
    assert counted_on(0.002) == 0.002

    stamp_first = Follower(12.5)
    assert not stamp_first.counter.asked(stamp_first.now)
    assert [stamp_first(raw) for raw in (12.501, 0.0, 0.001)] == [12.501, 0.0, 0.001]


def test_a_reset_long_ago_explains_no_fall() -> None:
    says = Follower(12.5)
    assert not says.counter.asked(says.now)
    assert says(12.6, after=200.0) == 12.6
    assert says(0.0) == 12.6


def test_a_reset_may_be_explained_later_where_little_is_said_at_rest() -> None:
    seldom = Follower(12.5)
    assert [seldom(raw) for raw in (0.0, 0.001)] == [12.5, 12.501]
    assert seldom.counter.asked(seldom.now + 500, within=640)
    assert seldom(0.002) == 0.002

    # What lost its flash has a new stamp as well, once it learns the time.
    restarted = Follower(12.5)
    restarted.restart()
    assert [restarted(raw) for raw in (0.0, 0.001)] == [12.5, 12.501]
    assert not restarted.counter.asked(restarted.now + 500, within=640)
    assert restarted(0.002) == 12.502


def test_midnight_starts_anew() -> None:
    says = Follower(0.004, day=1)
    says.restart()
    assert says(0.001, day=1) == 0.004
    assert says(0.0, day=2) == 0.0


def test_the_day_of_a_socket_may_end_at_another_time() -> None:
    says = Follower(3.2, day=1)
    # Midnight here, and an hour later there.
    assert says(3.21, day=2) == 3.21
    assert says(0.001, after=3600.0, day=2) == 0.001
    assert says(0.011, day=2) == 0.011


def test_the_energy_of_a_day_outlives_an_update() -> None:
    says = Follower(3.2, day=1)
    says.restart()
    assert [says(raw, day=1) for raw in (0.0, 0.001)] == [3.2, 3.201]


def test_survives_storage() -> None:
    says = Follower(1.008, day=5)
    says.restart()
    says(1.0, day=5)
    says.counter = SteadyCounter.from_dict(says.counter.as_dict())
    assert says.counter.restarted
    assert says(1.001, day=5) == 1.009


@given(
    st.lists(
        st.tuples(
            st.one_of(st.floats(0, 0.1), st.floats(0, 1e6)),
            st.floats(-1e5, 1e6),
            st.booleans(),
        ),
        max_size=40,
    )
)
def test_never_more_than_a_meter_can_have_counted(
    says: list[tuple[float, float, bool]],
) -> None:
    """Whatever comes, what is shown grows by no more than the limit times the time."""
    counter, now, raw = SteadyCounter(), 0.0, 0.0
    shown = counter.update(raw, now)
    most = shown
    for number, elapsed, growing in says:
        raw = min(1e6, raw + number) if growing else number
        now += elapsed
        counter.restarted = not growing
        after = counter.update(raw, now)
        most += largest_growth(elapsed, 3680.0)
        assert shown <= after <= most + 1e-6
        shown = after


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


def test_without_energy_there_is_no_ratio() -> None:
    corrected = CorrectedCounter()
    assert corrected.recent_ratio is None
    corrected.update(100.0, 0, LINE)
    corrected.update(100.0, 60, LINE)
    assert corrected.recent_ratio is None


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
    again = CorrectedCounter.from_dict(corrected.as_dict())
    assert again.update(10.7, 40_000, LINE) == after


def test_at_a_small_load_a_counter_in_kwh_is_corrected_for_as_long_as_it_took() -> None:
    corrected = CorrectedCounter()
    corrected.update(10.0, 0, LINE, 6000.0)
    before = corrected.update(10.1, 60, LINE, 6000.0)
    # 5 W: its last digit moves once in twelve minutes.
    for step in range(1, 11):
        shown = corrected.update(10.1 + step / 1000, 60 + step * 720.0, LINE, 5.0)
    assert shown - before == pytest.approx(0.01 * LINE(5) / 5, abs=1e-6)


def test_a_reset_and_midnight_begin_anew_with_the_correction() -> None:
    corrected = CorrectedCounter()
    corrected.update(0.0, 0, GAIN)
    corrected.update(2.0, 60, GAIN)
    assert abs(corrected.update(0.5, 120, GAIN) - 0.54) < 1e-9
    assert corrected.ratio_before(1) == pytest.approx(1.08)


def test_the_days_before_yesterday_keep_the_correction_that_they_had() -> None:
    corrected = CorrectedCounter()
    corrected.update(0.0, 0, GAIN)
    for day, gain in enumerate((1.1, 1.2, 1.3, 1.4)):
        corrected.update(2.0, day * 60 + 30, Correction(gain=gain, offset=0.0))
        corrected.update(0.0, day * 60 + 60, GAIN)
    again = CorrectedCounter.from_dict(corrected.as_dict())
    ratios = [again.ratio_before(days) for days in (1, 2, 3, 4)]
    assert ratios == [*map(pytest.approx, (1.4, 1.3, 1.2)), None]
    # As it was stored before there were several.
    before = {**corrected.as_dict(), "ratio_before": 1.5}
    del before["ratios"]
    old = CorrectedCounter.from_dict(before)
    assert (old.ratio_before(1), old.ratio_before(2)) == (1.5, None)


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
        corrected = CorrectedCounter.from_dict(corrected.as_dict())


def test_a_total_that_was_set_is_counted_on_from() -> None:
    says = Follower(1.0)
    says.counter.expect(500.0)
    assert says(1.001) == 500.0  # still on its way
    assert says(500.002) == 500.002
    assert says(500.01) == 500.01


@pytest.mark.parametrize("before", [12.5, 0.1])
def test_a_reset_that_was_asked_for_here_shows_at_once(before: float) -> None:
    says = Follower(before)
    says.counter.expect(0.0)
    # A number from before may still be on its way.
    assert [says(raw) for raw in (before + 0.001, 0.0, 0.002)] == [0.0, 0.0, 0.002]


def test_a_total_that_the_socket_never_heard_of_is_counted_on_from_too() -> None:
    says = Follower(1.0)
    says.counter.expect(500.0)
    assert [says(raw) for raw in (1.001, 1.002, 1.003)] == [500.0] * 3
    assert says(1.013) == 500.01


def test_another_meter_or_unit_is_counted_on_from() -> None:
    says = Follower(12.3)
    says.counter.moved = True
    assert says(500.0) == 12.3
    assert says(500.01) == 12.31


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"offset": "1", "raw": None, "at": 0, "day": None},
        {"offset": float("nan"), "raw": None, "at": 0, "day": None},
        {"offset": 0, "raw": [1], "at": 0, "day": None},
        {"offset": 0, "raw": 1.0, "at": float("inf"), "day": None},
    ],
)
def test_a_damaged_record_is_refused(stored: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        SteadyCounter.from_dict(stored)
