"""Tests of the meter driver on its own, second by second without real time."""

from itertools import pairwise
import json

import pytest

from simulator.meter import AMPERES_PER_HERTZ, VOLTS_PER_HERTZ, Load, Response
from simulator.openbeken.energy import cut
from simulator.openbeken.floats import single
from simulator.openbeken.meter_drivers import Bl0937Driver, Calibrated
from simulator.openbeken.release import Release
from simulator.openbeken.settings import Flag

from . import rules
from .metered_bench import Bench
from .rig import configuration

VARIABLES_ADDRESS = 0x1E5000
# Some evening in Warsaw, in UTC.
EVENING = 1_700_000_000 // 86400 * 86400 + 22 * 3600


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_zeros_come_a_minute_after_the_start() -> None:
    bench = Bench(load=Load(watts=0, volts=231.5))
    bench.run(67)
    first = {reading.name: reading.at for reading in reversed(bench.readings)}
    assert first["voltage"] == 6
    # One when nothing flows, which is a change from the 0 that was never sent.
    assert first["power_factor"] == 6
    assert {at for name, at in first.items() if "power" not in name} == {6, 61}
    assert first["power"] == 61


def test_what_was_due_without_a_broker_counts_as_sent() -> None:
    bench = Bench(load=Load(watts=0, volts=231.5))
    bench.online = False
    bench.run(16)
    bench.online = True
    bench.run(60)
    # As recorded: one at the sixth second, which nobody heard, and the next after 61.
    assert [reading.at for reading in bench.said("power_factor")] == [67]


def test_rules_hold_under_a_restless_load() -> None:
    bench = Bench(
        jitter=0.001, power=Response(noise=0.05), current=Response(noise=0.05)
    )
    bench.run(600)
    rules.check_cadence([r for r in bench.readings if r.name != "voltage"])
    rules.check_forms(bench.readings)


def test_gap_is_six_seconds_at_least_and_sixty_one_at_most() -> None:
    bench = Bench(power=Response(noise=0.3))
    bench.run(200)
    moments = [reading.at for reading in bench.said("power")]
    assert {later - earlier for earlier, later in pairwise(moments)} >= {6}
    assert min(later - earlier for earlier, later in pairwise(moments)) == 6
    bench = Bench(load=Load(watts=0))
    bench.run(200)
    moments = [reading.at for reading in bench.said("power")]
    assert [later - earlier for earlier, later in pairwise(moments)] == [61, 61]


def test_first_value_after_a_step_straddles_it(bench: Bench) -> None:
    bench.run(300)
    bench.driver.sensors["power"].silent = 20
    bench.clock.time += 0.4
    bench.meter.set_load(watts=2000)
    step = bench.clock.time
    bench.clock.time -= 0.4
    bench.run(7)
    first, second = (r for r in bench.said("power") if r.at > step)
    assert float(first.text) == pytest.approx(0.4 * 78.3 + 0.6 * 2000, abs=3)
    assert second.at - first.at == 6
    assert float(second.text) == pytest.approx(2000, abs=2)


def test_voltage_and_current_take_turns(bench: Bench) -> None:
    bench.run(1)
    assert bench.driver.reading("voltage") > 0
    assert bench.driver.reading("current") == 0
    bench.run(1)
    assert bench.driver.reading("current") > 0


def test_power_factor_beyond_one_after_a_step(bench: Bench) -> None:
    bench.run(21)
    bench.meter.set_load(watts=2000, power_factor=1)
    bench.run(1)
    bench.meter.set_load(watts=3000)
    bench.run(1)
    # The current is of the second before.
    assert bench.driver.reading("power_factor") > 1.3
    assert bench.driver.reading("power_reactive") == 0


def test_quantisation_at_small_loads() -> None:
    bench = Bench(load=Load(watts=2, volts=231.5))
    seen = set()
    for _ in range(60):
        bench.run(1)
        seen.add(bench.driver.reading("power"))
    assert seen == {1.5, 3.0}
    assert bench.driver.reading("energycounter") == pytest.approx(2 / 60, rel=0.03)


def test_recorded_figures_to_the_last_digit() -> None:
    # 1747, 36 and 52 pulses in exactly a second.
    volts, amperes = 1747 * VOLTS_PER_HERTZ, 36 * AMPERES_PER_HERTZ
    load = Load(watts=78, volts=volts, power_factor=78 / (volts * amperes))
    bench = Bench(load=load)
    bench.run(2)
    assert {name: f"{bench.driver.reading(name):f}" for name in rules.DECIMALS} == {
        "voltage": "231.530121",
        "current": "0.426877",
        "power": "78.000000",
        "power_apparent": "98.834984",
        "power_reactive": "60.698883",
        "power_factor": "0.789194",
    }


def test_maximum_freezes_the_power(bench: Bench) -> None:
    bench.run(10)
    bench.meter.set_load(watts=3000, power_factor=1)
    bench.run(10)
    frozen = bench.driver.reading("power")
    bench.meter.set_load(watts=4000)
    bench.run(10)
    assert bench.driver.reading("power") == frozen == pytest.approx(3000, abs=2)
    assert bench.driver.reading("current") == pytest.approx(4000 / 231.5, abs=0.02)


def test_maximum_has_limits_of_its_own(bench: Bench) -> None:
    driver = bench.driver.driver
    assert isinstance(driver, Bl0937Driver)
    for watts in (100, 200, 7200, 9000):
        driver.set_power_max(watts)
    assert bench.settings.values.calibration[3] == 0
    driver.set_power_max(4000)
    assert bench.settings.values.calibration[3] == 4000


def test_factor_comes_from_the_last_count_whatever_its_length() -> None:
    bench = Bench(load=Load(watts=1500), jitter=0.02)
    bench.run(5)
    assert bench.calibrate(2, 1500) is Calibrated.DONE
    pulses = round(1500 / bench.settings.values.calibration[2])
    assert pulses != 1000
    assert abs(pulses - 1000) < 100
    factor = bench.settings.values.calibration[2]
    assert factor == single(1500 / pulses)


def test_no_factor_without_pulses_and_none_that_is_tiny(bench: Bench) -> None:
    bench.run(2)
    assert bench.calibrate(2, 0.01) is Calibrated.NO_READING
    bench.meter.relay_closed = False
    bench.run(2)
    assert bench.calibrate(2, 75) is Calibrated.NO_READING
    # But ten times too much is fine with the firmware.
    bench.meter.relay_closed = True
    bench.run(2)
    assert bench.calibrate(2, 7500) is Calibrated.DONE


def test_inverted_select_needs_its_own_role() -> None:
    roles = list(configuration().roles)
    bench = Bench(inverted_select=True)
    bench.run(4)
    assert bench.driver.reading("voltage") < 10
    assert bench.driver.reading("current") > 10
    roles[24] = 64
    bench = Bench(inverted_select=True, config={"roles": tuple(roles)})
    bench.run(4)
    assert bench.driver.reading("voltage") == pytest.approx(231.5, abs=0.2)


def test_old_release_stretches_in_the_wrong_direction() -> None:
    old = Release(version="1.17.360", built="Dec 17 2023 10:00:00")
    squares = {}
    for release in (Release(), old):
        bench = Bench(load=Load(watts=3000), jitter=0.01, release=release)
        squares[release.version] = 0.0
        for _ in range(50):
            bench.run(1)
            squares[release.version] += (bench.driver.reading("power") - 3000) ** 2
    assert squares["1.17.360"] > 10 * squares["1.18.300"]
    assert "power_apparent" not in bench.driver.sensors
    assert {r.qos for r in bench.readings} == {1}


def test_flags_for_energy_unit_and_open_relays() -> None:
    kilo = Bench(config={"flags": 1 << Flag.ENERGY_IN_KWH}, load=Load(watts=3600))
    kilo.run(100)
    assert kilo.values("energycounter")[-1] == pytest.approx(0.097, abs=0.004)
    phantom = Response(offset=5, cutoff=-1)
    plain = Bench(power=phantom)
    hiding = Bench(power=phantom, config={"flags": 1 << Flag.ZERO_POWER_WHEN_OPEN})
    for bench in (plain, hiding):
        bench.meter.relay_closed = False
        bench.run(5)
    assert plain.driver.reading("power") > 0
    assert hiding.driver.reading("power") == 0


def test_energy_is_saved_at_a_threshold_and_lost_by_a_power_cut() -> None:
    bench = Bench(load=Load(watts=3600, volts=240))
    bench.run(25)
    total = bench.driver.reading("energycounter")
    assert total == pytest.approx(25, abs=0.1)
    bench.boot()
    assert bench.driver.reading("energycounter") == pytest.approx(20, abs=0.1)
    assert bench.driver.reading("energycounter_today") == pytest.approx(20, abs=0.1)


def test_energy_is_saved_every_six_hours() -> None:
    bench = Bench(load=Load(watts=0))
    bench.driver.reset(123.4, 0)
    assert bench.variables.energy.saves == 1
    bench.run(6 * 3600)
    assert bench.variables.energy.saves == 2


def test_energy_in_flash_has_single_precision() -> None:
    bench = Bench()
    bench.driver.reset(1_000_000.03, 0)
    bench.boot()
    assert bench.driver.reading("energycounter") == 1_000_000.0


def test_reset_clears_everything_or_sets_the_total_alone(bench: Bench) -> None:
    bench.run(600)
    today = bench.driver.reading("energycounter_today")
    bench.driver.reset(1234.5, bench.clock.time)
    assert bench.driver.reading("energycounter") == 1234.5
    assert bench.driver.reading("energycounter_today") == today
    bench.driver.reset(None, bench.clock.time)
    assert bench.driver.reading("energycounter") == 0
    assert bench.driver.reading("energycounter_today") == 0


def test_days_shift_at_local_midnight() -> None:
    bench = Bench(load=Load(watts=1800))
    bench.driver.quiet_evaluations = 0
    bench.time_of_day.zone_seconds = 3600
    bench.time_of_day.start_ntp()
    bench.run(5)
    assert bench.time_of_day.synced
    bench.world += 3600 - 120
    bench.run(110)
    before = bench.driver.reading("energycounter_today")
    assert before == pytest.approx(1800 * 115 / 3600, rel=0.02)
    bench.run(10)
    assert bench.driver.reading("energycounter_today") < 5
    yesterday = bench.driver.reading("energycounter_yesterday")
    assert yesterday == pytest.approx(before, abs=4)
    bench.world += 86400
    bench.run(1)
    assert bench.driver.reading("energycounter_2_days_ago") == yesterday
    bench.run(61)
    assert bench.said(rules.CLEAR_DATE)[-1].text == "2023-11-14T23:00+01:00"


def test_today_counts_on_without_a_time(bench: Bench) -> None:
    bench.run(200)
    assert bench.driver.reading("energycounter_today") > 0
    assert bench.said(rules.CLEAR_DATE)[0].text == "0000-00-00T00:00+00:00"


def test_last_hour_needs_its_set_up() -> None:
    bench = Bench(load=Load(watts=360))
    bench.run(300)
    assert bench.driver.reading("energycounter_last_hour") == 0
    bench.driver.set_up_statistics(60, 10, as_json=False, now=bench.clock.time)
    bench.run(1200)
    # Ten samples of a minute, the one under way left out.
    assert bench.driver.reading("energycounter_last_hour") == pytest.approx(
        60, rel=0.05
    )


def test_statistics_as_json(bench: Bench) -> None:
    bench.driver.set_up_statistics(1, 1, as_json=True, now=0)
    bench.run(21)
    (first, *_) = bench.said("consumption_stats")
    statistics = json.loads(first.text)
    assert first.qos == 1
    assert statistics["consumption_sampling_period"] == 10
    assert len(statistics["consumption_samples"]) == 10
    assert "consumption_today" not in statistics


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(231.397598, 1, "231.3"), (0.9999999, 3, "1.000"), (2.999, 0, "2")],
)
def test_text_is_cut_not_rounded(value: float, decimals: int, text: str) -> None:
    assert cut(value, decimals) == text
