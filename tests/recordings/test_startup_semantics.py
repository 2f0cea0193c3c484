"""Plays the recorded start-up commands to the simulated socket."""

from tests.simulator.openbeken.rig import Rig, configuration

from .recording import Case, replay

SECONDS = 4


@replay("startup_semantics", "start_up")
async def test_start_up_command(case: Case) -> None:
    config = configuration(
        1, mqtt_host="", roles=(0,) * 32, startup_command=case["stimulus"]
    )
    async with Rig(None, config) as rig:
        await rig.uptime(SECONDS)
        device = rig.device
        handlers = [[entry.code, entry.command] for entry in device.console.handlers]
        said = [line.split(":", maxsplit=2) for line in device.log_lines]
        prints = [
            text for level, feature, text in said if (level, feature) == ("Info", "CMD")
        ]
        errors = [
            f"{feature}:{text}" for level, feature, text in said if level == "Error"
        ]
        channels = {
            str(ch): value for ch, value in enumerate(device.pins.values) if value
        }

    assert handlers == case.get("handlers", [])
    # That an alias was taken is no part of what was kept.
    assert [text for text in prints if not text.startswith("New alias")] == case.get(
        "prints", []
    )
    assert errors == case.get("errors", [])
    assert channels == case.get("channels", {})
