"""Plays commands of all the recorded lengths to the simulated socket."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final
from urllib.parse import quote

import pytest

from simulator.openbeken import Timing
from tests.simulator.openbeken.rig import Rig, body, configuration, status
from tests.support.broker import Broker

from .recording import Case, part, replay

NAME: Final = "command_length"
# Longer messages come in pieces, as on the chip; the recorded build had a larger buffer.
LONGEST_MESSAGE: Final = 900
QUICK: Final = Timing(wifi_after=0, wifi_takes=0, mqtt_after=1)

type Road = Callable[[Rig, str], Awaitable[list[Any] | None]]


async def by_message(rig: Rig, line: str) -> None:
    command, _, argument = line.partition(" ")
    await rig.command(command, argument)


async def by_page(rig: Rig, line: str) -> list[Any]:
    answer = await rig.get(f"/cm?cmnd={quote(line, safe='')}")
    return [status(answer), body(answer)]


async def by_posted_form(rig: Rig, line: str) -> list[Any]:
    answer = await rig.post("/cm", f"cmnd={quote(line, safe='')}")
    return [status(answer), body(answer)]


async def by_interface(rig: Rig, line: str) -> list[Any]:
    answer = await rig.post("/api/cmnd", line)
    return [status(answer), body(answer)]


async def by_tool(rig: Rig, line: str) -> None:
    await rig.get(f"/cmd_tool?cmd={quote(line, safe='')}")


async def in_a_backlog(rig: Rig, line: str) -> list[Any]:
    return await by_page(rig, f"backlog {line}")


async def in_a_backlog_by_message(rig: Rig, line: str) -> None:
    await by_message(rig, f"backlog {line}")


ROADS: Final[dict[str, Road]] = {
    "mqtt": by_message,
    "/cm": by_page,
    "POST /cm": by_posted_form,
    "/api/cmnd": by_interface,
    "/cmd_tool": by_tool,
    "/cm backlog": in_a_backlog,
    "mqtt backlog": in_a_backlog_by_message,
}


@pytest.fixture
async def rig(mosquitto: Broker) -> AsyncIterator[Rig]:
    config = configuration(mosquitto.port)
    async with Rig(mosquitto, config, timing=QUICK) as rig:
        await rig.online()
        yield rig


async def settled(rig: Rig) -> None:
    await rig.until(lambda: rig.device.http_address)
    await rig.settle()


@replay(NAME, "startup_command_by_console")
async def test_startup_command_by_console(rig: Rig, case: Case) -> None:
    (tried,) = part(NAME, "tried")
    kept: dict[int, int] = {}
    for length in tried["lengths"]:
        if case["road"].startswith("mqtt") and length > LONGEST_MESSAGE:
            continue
        text = "echo ".ljust(length, "x").replace(" ", "_")
        argument = f'"{text}"' if case["quoted"] else text
        answer = await ROADS[case["road"]](rig, f"StartupCommand {argument}")
        stored = rig.device.settings.values.startup_command
        assert text.startswith(stored)
        kept[length] = len(stored)
        assert answer == case.get("replies")
    assert kept == {length: min(length, case["keeps"]) for length in kept}


async def test_startup_command_by_page(rig: Rig) -> None:
    for case in part(NAME, "startup_command_by_page"):
        text = "x" * case["bytes"]
        sent = "%78" * case["bytes"] if case.get("escaped") else text
        answer = await rig.get(f"/startup_command?startup_cmd=1&data={sent}")
        assert rig.device.settings.values.startup_command == "x" * case["keeps"], case
        assert case.get("says", "Command changed!") in body(answer)


@replay(NAME, "executed")
async def test_how_often_a_line_is_executed(rig: Rig, case: Case) -> None:
    await ROADS[case["road"]](rig, "addChannel 5 1".ljust(case["bytes"]))
    await settled(rig)
    assert rig.device.channel(5) == case["runs"]


@replay(NAME, "toggled")
async def test_long_toggle_cancels_itself(rig: Rig, case: Case) -> None:
    await by_page(rig, "backlog toggleChannel 1; echo ".ljust(case["bytes"], "x"))
    assert rig.device.channel(1) == case["relay"]


@replay(NAME, "backlogs")
async def test_backlogs(rig: Rig, case: Case) -> None:
    commands = [f"setChannel 20 {n}" for n in range(case["commands"])]
    await ROADS[case["road"]](rig, f"backlog {'; '.join(commands)}")
    await settled(rig)
    assert rig.device.channel(20) == case["last"]


async def test_names(rig: Rig) -> None:
    for case in part(NAME, "names"):
        assert await by_interface(rig, case["line"]) == case["replies"], case


@replay(NAME, "startup_command_at_boot")
async def test_longest_startup_command(case: Case) -> None:
    text, number = "backlog " if case["backlog"] else "", 0
    while True:
        command = f"setChannel 20 {number + 1}{case['separator']}"
        if len(text) + len(command) > case["bytes"]:
            break
        text, number = text + command, number + 1
    async with Rig(None, configuration(1, startup_command=text)) as rig:
        await rig.uptime(2)
        assert rig.device.channel(20) == number


@replay(NAME, "lines")
async def test_lines(rig: Rig, case: Case) -> None:
    rig.device.console.execute(case["stimulus"])
    if "stores" in case:
        assert rig.device.settings.values.startup_command == case["stores"]
    for channel, value in case.get("channels", {}).items():
        assert rig.device.channel(int(channel)) == value


@replay(NAME, "handlers")
async def test_handler_keeps_its_length(rig: Rig, case: Case) -> None:
    rig.device.console.execute(case["stimulus"])
    (handler,) = rig.device.console.handlers
    assert len(handler.command) == case["keeps"]
