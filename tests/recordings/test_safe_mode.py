"""Holds the simulated socket's boots to the recorded ones: counting, safe mode, restarts."""

from dataclasses import replace

from simulator.openbeken import HARDWARE
from tests.simulator.openbeken.rig import Rig, body, configuration, status
from tests.support.broker import Broker

from .recording import Case, part, replay

QUICK = 0.9
NO_PINS = {"roles": (0,) * 32, "channels": (0,) * 32}
REMEMBERING = tuple(-1 if channel == 1 else 0 for channel in range(64))


async def quick_restarts(rig: Rig, count: int) -> None:
    """Wait until the boot is good, then cut the power soon after each of so many boots."""
    await rig.until(lambda: not rig.device.variables.failed_boots)
    for _ in range(count):
        await rig.power_cycle()
        await rig.uptime(QUICK)


def counters(rig: Rig) -> list[int]:
    return [rig.device.variables.boots, rig.device.variables.good_boots]


async def test_quick_restarts() -> None:
    config = configuration(1, startup_command="SetChannel 5 1")
    rig = Rig(None, config, timing=HARDWARE)
    async with rig:
        assert counters(rig) == [1, 0]
        await quick_restarts(rig, 0)
        assert counters(rig) == [1, 1]
        for case in part("safe_mode", "quick_restarts"):
            await rig.power_cycle()
            await rig.uptime(QUICK)
            assert counters(rig) == case["counters"], case
            assert rig.device.failed_boots == case["failures"], case
            assert rig.device.safe_mode is case["safe_mode"], case
            ran = bool(rig.device.channel(5))
            assert ran is case["startup_command_ran"], case


async def test_leaving_safe_mode() -> None:
    (case,) = part("safe_mode", "leaving")
    async with Rig(None, configuration(1), timing=HARDWARE) as rig:
        await quick_restarts(rig, 6)
        await rig.uptime(7)
        assert rig.device.safe_mode
        assert counters(rig) == case["counters_in_safe_mode"]
        await rig.power_cycle()
        assert rig.device.safe_mode is case["safe_mode"]
        assert counters(rig) == case["counters"]


@replay("safe_mode", "in_safe_mode")
async def test_web_server_in_safe_mode(case: Case) -> None:
    rig = Rig(None, configuration(1, **NO_PINS), timing=HARDWARE)
    async with rig:
        await quick_restarts(rig, 6)
        answer = await rig.get(case["get"])
        assert status(answer) == case["code"]
        assert case.get("contains", "") in body(answer)
        if "lacks" in case:
            assert case["lacks"] not in body(answer)
        if "channel_1" in case:
            assert rig.device.channel(1) == case["channel_1"]
        if "stored_host" in case:
            assert rig.device.settings.values.mqtt_host == case["stored_host"]


async def test_way_out_of_safe_mode_without_a_restart() -> None:
    async with Rig(None, configuration(1), timing=HARDWARE) as rig:
        await quick_restarts(rig, 5)
        await rig.get("/index?unsafe=1")
        assert "Not found" in body(await rig.get("/api/info"))
        await rig.until(lambda: not rig.device.safe_mode)
        assert body(await rig.get("/api/info")).startswith("{")
        # Neither the meter nor the network: those wait for a restart.
        assert not rig.device.energy
        assert not rig.device.mqtt.connects
        assert rig.device.pin_level(10)


@replay("safe_mode", "boot_time")
async def test_boot_time(case: Case) -> None:
    async with Rig(None, configuration(1)) as rig:
        rig.device.console.execute(case["stimulus"])
        assert rig.device.settings.values.boot_success_seconds == case["stored"]


async def test_boot_time_counts() -> None:
    twelve, zero = part("safe_mode", "boot_time_counts")
    for seconds, case, early, late in ((12, twelve, 8, 16), (0, zero, 4, 7)):
        config = replace(configuration(1), boot_success_seconds=seconds)
        async with Rig(None, config) as rig:
            await rig.uptime(early)
            good = not rig.device.variables.failed_boots
            assert good is case[f"good_after_{early}_s"], case
            await rig.uptime(late)
            good = not rig.device.variables.failed_boots
            assert good is case[f"good_after_{late}_s"], case


@replay("safe_mode", "restarts")
async def test_restarts(case: Case) -> None:
    async with Rig(None, configuration(1), speed=20) as rig:
        await rig.until(lambda: rig.device.http_address)
        asked_at = rig.clock.now()
        if "command" in case:
            rig.device.console.execute(case["command"])
        elif "get" in case:
            await rig.get(case["get"])
        else:
            assert body(await rig.post(case["post"], "")) == case["reply"]
        if case["ticks"] is None:
            await rig.seconds(10)
            assert not rig.restarts
            return
        await rig.until(lambda: len(rig.boots) > 1)
        # It comes with the firmware's seconds, the first of which is under way already.
        assert case["ticks"] - 1 <= rig.boots[1] - asked_at <= case["ticks"] + 0.6


async def test_command_that_is_meant_to_lead_to_safe_mode(mosquitto: Broker) -> None:
    case, bare = part("safe_mode", "the_command")
    config = configuration(mosquitto.port, start_values=REMEMBERING)
    async with Rig(mosquitto, config) as rig:
        await rig.online()
        await rig.say(f"{rig.device.settings.values.mqtt_client_id}/1/set", "1")
        await rig.seconds(20)
        assert rig.device.energy
        counted = rig.device.energy.reading("energycounter")
        assert counted > 0.2
        rig.device.console.execute("SafeMode 1")
        assert counters(rig) == case["counters"]
        await rig.until(lambda: rig.restarts and rig.device.running)
        assert rig.device.safe_mode is case["safe_mode"]
        assert rig.device.channel(1) == case["relay"]
        assert rig.device.energy.reading("energycounter") >= counted
    async with Rig(None, config) as rig:
        rig.device.console.execute("SafeMode")
        assert rig.device.seconds_to_restart == bare["ticks"]


async def test_quick_connection_ends_with_failed_boots() -> None:
    (case,) = part("safe_mode", "quick_after_flag")
    async with Rig(None, configuration(1, flags=1 << 37)) as rig:
        await quick_restarts(rig, case["quick_until_failures"])
        assert rig.device.wifi.quick
        await rig.power_cycle()
        assert not rig.device.wifi.quick
