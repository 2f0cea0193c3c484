"""Holds the clock of the simulated socket to what a real one showed after each command."""

from datetime import datetime
import json
from typing import Any

from tests.simulator.openbeken.rig import Rig, body, configuration, status

from .recording import Case, part, replay

WORTH = {"02:30": 9000, "08:30": 30600, "09:30": 34200, "-09:30": -34200}
# What passes between a command and a look at the clock, here or there, in seconds.
LATENESS = 20


def later_by(shown: str, recorded: str) -> float:
    return (
        datetime.fromisoformat(shown) - datetime.fromisoformat(recorded)
    ).total_seconds()


def assert_shown(shown: str, recorded: str | None, case: Case) -> None:
    if recorded is None:
        return
    if recorded.startswith("0000") or shown.startswith("0000"):
        # A clock that was set to 0 runs on from there.
        assert shown[:4] in (recorded[:4], "1970"), case
        return
    # Nor was the recording as quick as this.
    assert abs(later_by(shown, recorded)) <= LATENESS, case


async def test_every_command_in_turn() -> None:
    async with Rig(None, configuration(1), speed=10) as rig:
        # A time that is less than ten seconds later than the start is taken for none.
        await rig.uptime(20)
        # No server is there to answer, as in the recording.
        rig.device.device_clock.ntp_answers = False
        for case in part("clock", "sequence"):
            if "get" in case:
                assert status(await rig.get(case["get"])) == case["status"]
            elif case["line"]:
                result = rig.device.console.execute(case["line"])
                assert result.status == case["status"], case
            shown: dict[str, Any] = json.loads(
                body(await rig.get("/cm?cmnd=Status%207"))
            )
            times = shown["StatusTIM"]
            assert_shown(times["UTC"], case["utc"], case)
            assert_shown(times["Local"], case["local"], case)
            if case["timezone"]:
                assert times["Timezone"] == case["timezone"], case
            if "datetime" in case:
                clock = rig.device.device_clock
                assert abs(clock.local - int(case["datetime"])) <= LATENESS, case


@replay("clock", "offsets")
async def test_offset(case: Case) -> None:
    async with Rig(None, configuration(1)) as rig:
        rig.device.console.execute(case["stimulus"])
        seconds = rig.device.device_clock.zone_seconds
        if "undefined" in case:
            assert seconds != WORTH[case["stimulus"].split()[1]]
        else:
            assert seconds == case["seconds"]


async def test_topic_has_local_time_and_a_restart_forgets_it() -> None:
    nobody, local, restart = part("clock", "datetime")
    async with Rig(None, configuration(1)) as rig:
        clock = rig.device.device_clock
        assert f"{clock.local}" == nobody["topic"]
        rig.device.console.execute(local["stimulus"])
        assert 0 <= clock.utc - local["utc"] <= LATENESS
        assert 0 <= clock.local - local["local"] <= LATENESS
        rig.device.console.execute("startDriver NTP")
        rig.device.console.execute("ntp_setServer 10.1.2.3")
        rig.device.console.execute("restart 1")
        await rig.until(lambda: rig.restarts and rig.device.running)
        assert f"{rig.device.device_clock.local}" == restart["topic"]
        kept = rig.device.settings.values.ntp_server == "10.1.2.3"
        assert kept is restart["ntp_server_is_kept"]
