"""Holds the drivers of meters to what real ones read, stored and answered."""

from collections.abc import Callable
import re
from typing import Any

import pytest

from simulator.clock import Clock
from simulator.meter import Load, MeteredLoad, bl0942_packet
from simulator.openbeken import HARDWARE
from tests.simulator.openbeken.metered_bench import Bench
from tests.simulator.openbeken.rig import CLIENT, Rig, body, configuration
from tests.support.broker import Broker

from .recording import Case, part, replay

PLAIN = Load(watts=230, volts=230.0)
SLOTS = 8


@pytest.fixture
def bench() -> Bench:
    bench = Bench(load=PLAIN)
    bench.run(6)
    return bench


def texts(bench: Bench, name: str) -> set[str]:
    return {reading.text for reading in bench.said(name)}


@replay("meters", "readings")
def test_readings_with_the_default_factors(bench: Bench, case: Case) -> None:
    bench.driver.quiet_evaluations = 0
    bench.run(30)
    assert texts(bench, "voltage") <= set(case["volts"])
    assert texts(bench, "current") <= set(case["amperes"]) | {"0.000"}
    assert texts(bench, "power") <= set(case["watts"]) | {"0.00"}


def test_calibration_step_by_step() -> None:
    bench = Bench(load=PLAIN)
    for case in part("meters", "calibration"):
        # Until the pulses of the recorded second come by: 1735 V, 85 A, 153 W.
        bench.until_pulses(1735, 85, 153)
        result = bench.execute(case["stimulus"])
        assert (result.status, result.message) == (case["status"], case["message"]), (
            case
        )
        stored = list(bench.settings.values.calibration[: len(case["slots"])])
        assert stored == pytest.approx(case["slots"], rel=1e-5), case


@replay("meters", "without_a_load")
def test_calibration_without_a_load(case: Case) -> None:
    bench = Bench(load=Load(watts=0, volts=230.0))
    bench.run(4)
    result = bench.execute(case["stimulus"])
    assert (result.status, result.message) == (case["status"], case["message"])
    assert not any(bench.settings.values.calibration)


def calibrated() -> Bench:
    (case,) = part("meters", "after_calibration")
    bench = Bench(load=PLAIN)
    bench.until_pulses(1735, 85, 153)
    for line in case["commands"]:
        assert bench.execute(line).status == 200
    return bench


@replay("meters", "after_calibration")
def test_readings_after_calibration(case: Case) -> None:
    bench = calibrated()
    bench.readings.clear()
    bench.driver.quiet_evaluations = 0
    bench.run(30)
    assert {f"{float(text):.1f}" for text in texts(bench, "voltage")} <= {
        *case["volts"], "239.9", "240.2",
    }  # fmt: skip
    assert texts(bench, "power") <= {*case["watts"], "252.99", "254.65"}
    amperes = {float(text) for text in texts(bench, "current")}
    assert all(any(abs(a - float(b)) < 0.002 for b in case["amperes"]) for a in amperes)


def test_limit_of_power() -> None:
    higher, lower = part("meters", "limit")
    bench = calibrated()
    bench.execute(f"PowerMax {higher['power_max']}")
    bench.run(4)
    before = bench.driver.reading("power")
    bench.meter.set_load(watts=higher["pulses_of_watts"])
    bench.run(6)
    assert bench.driver.reading("power") == pytest.approx(higher["watts"], abs=2)
    assert bench.driver.reading("current") == pytest.approx(higher["amperes"], abs=0.02)
    bench.meter.set_load(watts=230)
    bench.run(4)
    bench.execute(f"PowerMax {lower['power_max']}")
    bench.meter.set_load(watts=lower["pulses_of_watts"])
    bench.run(6)
    frozen = abs(bench.driver.reading("power") - before) < 5
    assert frozen is lower["frozen"]
    assert bench.driver.reading("current") == pytest.approx(lower["amperes"], abs=0.02)


def packets(case: Case) -> list[str]:
    if "packet_hex" in case:
        return [case["packet_hex"]]
    given = case.get("packets") or [case["packet"]]
    made = [bl0942_packet(**registers) for registers in given]
    if case.get("spoilt"):
        made = [packet[:-1] + bytes((packet[-1] ^ 1,)) for packet in made]
    return [packet.hex() for packet in made]


def without_pins(port: int = 1, **changes: Any) -> Any:
    return configuration(port, roles=(0,) * 32, channels=(0,) * 32, **changes)


def no_meter(clock: Clock) -> MeteredLoad:
    return MeteredLoad(clock)


@replay("meters", "packets")
async def test_packets(case: Case) -> None:
    async with Rig(None, without_pins(), meter=no_meter) as rig:
        execute = rig.device.console.execute
        execute(f"startDriver {case['driver']}")
        assert rig.device.energy
        for packet in packets(case):
            execute(f"uartFakeHex {packet}")
        await rig.seconds(len(packets(case)) + 2)
        if "commands" in case:
            for line in case["commands"]:
                assert execute(line).status == 200, line
            slots = rig.device.settings.values.calibration[:3]
            assert slots == pytest.approx(case["slots"], rel=1e-6)
            execute(f"uartFakeHex {packets(case)[-1]}")
            await rig.seconds(2)
        for name, value in case["readings"].items():
            reading = rig.device.energy.reading(name)
            assert reading == pytest.approx(value, rel=1e-5, abs=1e-3), name


@replay("meters", "shared_slots")
async def test_slots_are_shared_by_all_meters(mosquitto: Broker, case: Case) -> None:
    slots = (*case["slots"], *[0.0] * (SLOTS - len(case["slots"])))
    config = without_pins(mosquitto.port, calibration=slots)
    async with Rig(mosquitto, config, meter=no_meter) as rig:
        await rig.online()
        execute = rig.device.console.execute
        execute(f"startDriver {case['driver']}")
        assert rig.device.energy
        readings: Callable[[str], float] = rig.device.energy.reading
        execute("VCPPublishIntervals 0 3")
        for _ in range(8):
            for packet in packets(case):
                execute(f"uartFakeHex {packet}")
        if case.get("dies"):
            # Its numbers are longer than the buffer that they are printed into.
            await rig.until(lambda: rig.restarts)
            assert readings("voltage") > case["volts_above"]
            return
        await rig.seconds(6)
        assert not rig.restarts
        assert readings("voltage") == pytest.approx(case["volts"], abs=0.2)
        assert readings("current") == pytest.approx(case["amperes"], abs=0.001)
        assert readings("power") == case["watts"]


@replay("meters", "drivers")
async def test_drivers_that_are_known(case: Case) -> None:
    async with Rig(None, without_pins(), meter=no_meter) as rig:
        assert rig.device.console.execute(case["stimulus"]).status == 200
        assert (case["driver"] in rig.device.drivers) is case["known"]


@replay("meters", "replies")
async def test_replies(mosquitto: Broker, case: Case) -> None:
    async with Rig(mosquitto, configuration(mosquitto.port, flags=0)) as rig:
        await rig.online()
        answers = []
        for command, arguments in case["commands"]:
            heard = await rig.say(f"cmnd/{CLIENT}/{command}", arguments)
            answers += [
                [h.topic, h.payload] for h in heard if h.topic.startswith("stat/")
            ]
        assert answers == [
            [f"stat/{CLIENT}/RESULT", payload] for _, payload in case["says"]
        ]
        assert body(await rig.post("/api/cmnd", "PowerSet 0")).startswith(
            '{"error":400, "msg":"Bad argument"'
        )


def test_volts_scatter_by_a_pulse_as_recorded() -> None:
    (case,) = part("meters", "readings")
    bench = Bench(load=Load(watts=230, volts=229.99), jitter=HARDWARE.jitter)
    # With every value said, were it the same.
    bench.driver.quiet_evaluations = bench.driver.forced_evaluations = 0
    bench.run(600)
    said = bench.said("voltage")
    assert len(said) == 600
    as_recorded = [reading for reading in said if reading.text in case["volts"]]
    assert len(as_recorded) > 0.97 * len(said)


@replay("meters", "index")
async def test_index_page(case: Case) -> None:
    wired = case["driver"] == "BL0937"
    config = configuration(1) if wired else without_pins()
    async with Rig(None, config, meter=None if wired else no_meter) as rig:
        execute = rig.device.console.execute
        execute(f"startDriver {case['driver']}")
        for line in case["commands"]:
            assert execute(line).status == 200
        if "packet" in case:
            execute(f"uartFakeHex {packets(case)[0]}")
        await rig.seconds(2)
        page = body(await rig.get("/index?state=1"))
    rows = re.findall(r"<b>([^<]*)</b></td><td[^>]*>([^<]*)</td><td>([^<]*)<", page)
    shape = [(name, len(value.partition(".")[2]), unit) for name, value, unit in rows]
    assert shape == [
        (name, len(value.partition(".")[2]), unit) for name, value, unit in case["rows"]
    ]
    if "packet" in case:
        assert [list(row) for row in rows] == case["rows"]
    assert all(text in page for text in case["contains"])
