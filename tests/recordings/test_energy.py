"""Holds the simulated meter's counters and messages to the recorded ones."""

from collections import defaultdict
import itertools
import json

import pytest

from simulator.meter import AMPERES_PER_HERTZ, VOLTS_PER_HERTZ, WATTS_PER_HERTZ, Load
from simulator.openbeken.energy import DAILY
from tests.simulator.openbeken.metered_bench import Bench
from tests.simulator.openbeken.rig import CLIENT, Rig, configuration, flags
from tests.support.broker import Broker

from .recording import Case, part, replay

# A load that draws next to 15.5 A, as most of the recording.
HEAVY = Load(watts=3565.5, volts=230.0, power_factor=3565.5 / (230 * 15.5))
STEP = Load(watts=2300, volts=230.0)
WH_PER_SECOND = 3565.5 / 3600
# One pulse of each quantity.
PULSE = {
    "voltage": VOLTS_PER_HERTZ,
    "current": AMPERES_PER_HERTZ,
    "power": WATTS_PER_HERTZ,
    "power_apparent": 230 * AMPERES_PER_HERTZ + 16 * VOLTS_PER_HERTZ,
}


def moments(says: list[list[object]]) -> dict[str, list[int]]:
    """Return when each quantity was said, in whole seconds from the first message on."""
    first = min(float(str(entry[0])) for entry in says)
    found: dict[str, list[int]] = defaultdict(list)
    for moment, name, _ in says:
        found[str(name)].append(round(float(str(moment)) - first))
    return dict(found)


def said(bench: Bench, since: float) -> list[list[object]]:
    return [[r.at, r.name, r.text] for r in bench.readings if r.at > since]


def test_at_rest() -> None:
    (case,) = part("energy", "at_rest")
    bench = Bench(load=Load(watts=0, volts=230.0))
    bench.run(20)
    bench.run(50)
    ours = said(bench, 20)
    assert moments(ours) == moments(case["says"])
    assert {entry[1]: entry[2] for entry in ours} | {"voltage": "230.0"} == {
        name: text for _, name, text in case["says"]
    }


def test_step() -> None:
    (case,) = part("energy", "step")
    bench = Bench(load=STEP)
    bench.meter.relay_closed = False
    bench.run(100)
    # Every quantity has been silent for a while, as in the recording.
    for sensor in bench.driver.sensors.values():
        sensor.silent = 20
    bench.clock.time += 0.11
    bench.meter.relay_closed = True
    bench.clock.time -= 0.11
    start = bench.clock.time
    bench.run(26)
    ours = said(bench, start)
    energy = [entry for entry in ours if str(entry[1]).startswith("energy")]
    assert moments(energy) == moments(case["energy"])
    for mine, theirs in zip(energy, case["energy"], strict=True):
        assert float(str(mine[2])) == pytest.approx(float(theirs[2]), abs=0.02)
    by_name: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for moment, name, text in ours:
        by_name[str(name)].append((float(str(moment)) - start, float(str(text))))
    recorded = defaultdict(list)
    for moment, name, text in case["says"]:
        recorded[name].append((moment, float(text)))
    for name in ("power", "current", "power_apparent"):
        # The first one straddles the step, or is right if its window came later.
        assert by_name[name][0][0] <= 2
        values = [value for _, value in recorded[name][1:]]
        low, high = min(values) - PULSE[name], max(values) + PULSE[name]
        assert all(low <= value <= high for _, value in by_name[name][1:])
    assert by_name["power"][0][1] == pytest.approx(recorded["power"][0][1], abs=5)
    assert by_name["power"][1][0] - by_name["power"][0][0] == 6


def test_ramp() -> None:
    (case,) = part("energy", "ramp")
    bench = Bench(load=STEP)
    bench.run(100)
    for sensor in bench.driver.sensors.values():
        sensor.sent, sensor.silent = sensor.reading or 0.0, 20
    start = bench.clock.time
    for second in range(1, 17):
        watts = 2300 + 115 * min(second, 11)
        bench.meter.set_load(watts=watts, power_factor=1)
        bench.run(1)
    ours = [entry for entry in said(bench, start) if entry[1] in ("power", "current")]
    # Six seconds apart whatever happens in between, as recorded.
    for name in ("power", "current"):
        gaps = [
            [later - earlier for earlier, later in itertools.pairwise(times)]
            for times in (moments(ours)[name], moments(case["says"])[name])
        ]
        assert set(gaps[0][:2]) == set(gaps[1]) == {6}


@replay("energy", "told")
def test_intervals_thresholds_and_decimals(case: Case) -> None:
    bench = Bench(load=HEAVY)
    bench.run(130)
    for line in case["commands"]:
        assert bench.execute(line).status == 200
    start = bench.clock.time
    bench.run(14)
    ours = said(bench, start)
    recorded = moments(case["says"])
    for name, times in moments(ours).items():
        gaps = {later - earlier for earlier, later in itertools.pairwise(times)}
        theirs = recorded[name]
        wanted = {b - a for a, b in itertools.pairwise(theirs)}
        if wanted:
            assert gaps == wanted, name
    decimals = {name: len(text.partition(".")[2]) for _, name, text in case["says"]}
    assert {str(n): len(str(t).partition(".")[2]) for _, n, t in ours} == decimals


@replay("energy", "commands")
def test_commands(case: Case) -> None:
    bench = Bench()
    result = bench.execute(case["stimulus"])
    assert (result.status, result.message) == (case["status"], case["message"])


def test_resets() -> None:
    bench = Bench(load=HEAVY)
    bench.run(30)
    today = bench.driver.reading(DAILY[0])
    for case in part("energy", "resets"):
        bench.execute(case["stimulus"])
        total = bench.driver.reading("energycounter") / 1000
        assert total == pytest.approx(case["total_kwh"], abs=0.0006)
        assert bench.driver.reading(DAILY[0]) == today
    (case,) = part("energy", "whole_reset")
    bench.time_of_day.set_time(1774000000)
    bench.time_of_day.zone_seconds = 3600
    bench.execute(case["stimulus"])
    assert bench.driver.reading("energycounter") == case["total_kwh"]
    for name, topic in zip(DAYS, DAILY, strict=True):
        assert bench.driver.reading(topic) == case[name]
    assert bench.driver.cleared_at == 1774003600


DAYS = ("today", "yesterday", "two_days_ago", "three_days_ago")


@replay("energy", "days")
def test_days(case: Case) -> None:
    bench = Bench(load=HEAVY)
    bench.run(4)
    before = case.get("before", {"today": 48.914, "yesterday": 0.0})
    if "set" in case:
        # As after a restart: the day before is all that is known.
        bench.variables.energy.day_of_month = 19
        bench.variables.save()
        bench.boot()
        for line in case["set"]:
            bench.execute(line)
    elif "midnight" in case["stimulus"]:
        bench.time_of_day.set_time(1774000000 // 86400 * 86400 + 86400 - 8)
    else:
        bench.time_of_day.set_time(1774000000)
    if "before" in case:
        bench.run(1)
    for name, topic in zip(DAYS, DAILY, strict=True):
        bench.driver.sensors[topic].reading = before.get(name, 0.0)
    if "goes back" in case["stimulus"]:
        bench.time_of_day.set_time(1774000000 - 3 * 86400)
    elif "zone change" in case["stimulus"]:
        bench.time_of_day.zone_seconds = 20 * 3600
    bench.run(case["seconds"])
    shown = [bench.driver.reading(topic) for topic in DAILY]
    # Within a second's energy: the recording says nothing of parts of seconds.
    room = 1.1 * WH_PER_SECOND
    if "after" in case:
        wanted = [case["after"][name] for name in DAYS]
        assert shown[2:] == pytest.approx(wanted[2:], abs=0.001)
        assert shown[0] + shown[1] == pytest.approx(
            before["today"] + case["seconds"] * WH_PER_SECOND, abs=room
        )
    else:
        assert shown[1] == pytest.approx(48.914, abs=room)
        bench.run(62)
        assert bench.said("energycounter_clear_date")[-1].text == case["clear_date"]


@replay("energy", "statistics")
def test_statistics(case: Case) -> None:
    bench = Bench(load=HEAVY)
    bench.time_of_day.set_time(1774000000)
    bench.run(20)
    # Between two seconds, as a person's command comes.
    bench.clock.time += 0.4
    bench.execute(case["line"])
    bench.clock.time -= 0.4
    start = bench.clock.time
    bench.run(case["seconds"])
    ours = [r for r in bench.said("consumption_stats") if r.at > start]
    gaps = [later.at - earlier.at for earlier, later in itertools.pairwise(ours)]
    assert gaps == [
        later[0] - earlier[0]
        for earlier, later in zip(case["says"], case["says"][1:], strict=False)
    ]
    for mine, (_, theirs) in zip(ours, case["says"], strict=True):
        parsed, recorded = json.loads(mine.text), json.loads(theirs)
        assert list(parsed) == list(recorded)
        samples = recorded["consumption_samples"]
        assert parsed["consumption_samples"] == pytest.approx(samples, abs=0.02)
        assert parsed["consumption_last_hour"] == pytest.approx(
            recorded["consumption_last_hour"], abs=0.05
        )
        # The same notation of numbers, to the last digit.
        assert _notation(mine.text) == _notation(theirs)


def _notation(text: str) -> list[int]:
    """Return how many decimals each of the samples is printed with."""
    samples = text.partition('"consumption_samples":[')[2].partition("]")[0]
    return [len(sample.partition(".")[2]) for sample in samples.split(",")]


@replay("energy", "losses")
def test_losses(case: Case) -> None:
    bench = Bench(load=STEP)
    bench.run(3)
    bench.driver.reset(None, bench.clock.time)
    bench.run(case["seconds"])
    before = bench.driver.reading("energycounter")
    if not case["cut"]:
        bench.driver.save(bench.clock.time)
    bench.boot()
    after = bench.driver.reading("energycounter")
    if not case["cut"]:
        assert after == before
    elif case["kept"] == "nothing":
        assert (before, after) == (pytest.approx(3.2, abs=0.1), 0)
    else:
        assert 10 <= after < before
        kept = case["today_after"] - case["today_at_start"]
        assert after == pytest.approx(kept, abs=WH_PER_SECOND)


@replay("energy", "flags")
async def test_flags(mosquitto: Broker, case: Case) -> None:
    config = configuration(mosquitto.port, flags=flags(*case["flags"]))
    async with Rig(mosquitto, config) as rig:
        await rig.online()
        assert rig.device.energy
        if "says" in case:
            rig.device.energy.reset(case["wh"], rig.clock.now())
            rig.device.energy.sensors[DAILY[0]].reading = case["wh"]
            rig.device.console.execute("VCPPublishIntervals 0 3")
            start = len(rig.published)
            await rig.until(lambda: len(rig.published) > start + 12)
            heard = {
                p.topic.removeprefix(f"{CLIENT}/").removesuffix(
                    "/get"
                ): p.payload.decode()
                for p in rig.published[start:]
            }
            assert [[name, heard[name]] for name, _ in case["says"]] == case["says"]
        else:
            rig.device.console.execute("VCPPublishIntervals 0 3")
            wanted = {f"{CLIENT}/{name}" for name in case["topics"]}
            await rig.until(lambda: wanted <= {p.topic for p in rig.published})
            assert not any(p.topic.endswith("/get") for p in rig.published)


@replay("energy", "stopped")
async def test_stopped_driver(mosquitto: Broker, case: Case) -> None:
    config = configuration(mosquitto.port, flags=0)
    async with Rig(mosquitto, config) as rig:
        await rig.until(lambda: rig.said("voltage/get"))
        rig.device.console.execute(case["stimulus"])
        start = len(rig.published)
        await rig.seconds(70)
        assert len(rig.published) == start
        # Its commands stay.
        rig.device.console.execute("PowerMax 3000")
        assert rig.device.console.execute("PowerMax 3000").status == case["status"]


@replay("energy", "rules")
def test_rules(case: Case) -> None:
    bench = Bench()
    assert bench.driver.quiet_evaluations == case["quiet_evaluations"]
    assert bench.driver.forced_evaluations == case["forced_evaluations"]
    assert bench.driver.save_threshold == case["save_threshold_wh"]
