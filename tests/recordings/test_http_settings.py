"""Plays the recorded requests to the simulated web server, in the order of the recording."""

import asyncio
import base64
from collections.abc import Mapping
import re
from typing import Any, Final

from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector, parse
from simulator.openbeken import Timing
from tests.simulator.openbeken.rig import (
    CLIENT,
    CONFIG_ADDRESS,
    Rig,
    body,
    configuration,
    flags,
)
from tests.support.broker import Broker

from .recording import Case, part, recording, replay

NAME: Final = "http_settings"
PAGES: Final = (
    "mqtt_page",
    "wifi_page",
    "names",
    "flags_and_boots",
    "start_values",
    "start_up_command",
    "other_pages",
    "rest_interface",
    "methods_and_commands",
)
QUICK: Final = Timing(wifi_after=0, wifi_takes=0, mqtt_after=1)
OK: Final = '{"success":200, "msg":"OK", "res":{}}'
UNAUTHORIZED: Final = (
    b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n"
    b'WWW-Authenticate: Basic realm="OpenBeken HTTP Server"\r\n\r\n'
)
ROWS: Final = ("roles", "channels", "start_values")
# Real seconds after which a request is taken to get no answer.
PATIENCE: Final = 0.3


async def test_settings_by_address() -> None:
    wrong = []
    async with Rig(None, speed=20) as rig:
        await rig.until(lambda: rig.device.http_address)
        for title in PAGES:
            for case in part(NAME, title):
                before = rig.device.settings.values
                answer = await send(rig, case)
                after = rig.device.settings.values
                if asked_for_a_restart(case):
                    assert rig.device.seconds_to_restart
                    rig.device.seconds_to_restart = 0
                if differences := problems(case, answer, before, after):
                    wrong.append((title, case, differences))
                if case.get("lets_in"):
                    assert await lets_in(rig, f"admin:{after.web_password}"), case
    assert not wrong
    assert {*PAGES, "saving", "saved_at_once", "console_answers", "requests"} == set(
        recording(NAME)["parts"]
    )


async def send(rig: Rig, case: Case) -> bytes:
    """Send the request of a case as the recording's client did."""
    content = case.get("body", "").encode()
    lines = [f"{case.get('method', 'GET')} {case['stimulus']} HTTP/1.1", "Host: socket"]
    if "body" in case:
        lines.append(f"Content-Length: {len(content)}")
    password = rig.device.settings.values.web_password
    if login := case.get("login", f"admin:{password}" if password else None):
        lines.append(f"{case.get('header', 'Authorization: Basic')} {encoded(login)}")
    return await rig.http(
        "".join(f"{line}\r\n" for line in (*lines, "")).encode() + content
    )


async def lets_in(rig: Rig, login: str) -> bool:
    answer = await rig.get("/api/info", f"Authorization: Basic {encoded(login)}")
    return answer.startswith(b"HTTP/1.1 200 OK\n")


def encoded(login: str) -> str:
    return base64.b64encode(login.encode()).decode()


def asked_for_a_restart(case: Case) -> bool:
    return any("wait for module to reset" in text for text in case.get("says", ()))


def problems(
    case: Case, answer: bytes, before: ConfigSector, after: ConfigSector
) -> list[object]:
    """Return what is not as recorded."""
    found: list[object] = []
    expected_status = case.get("status", 200)
    if expected_status is None:
        found += [answer] if answer else []
    elif expected_status == 401:
        found += [answer] if answer != UNAUTHORIZED else []
    elif not answer.startswith(
        f"HTTP/1.1 {expected_status} OK\nContent-type: ".encode()
    ):
        found.append(answer)
    if (changed := changes(before, after)) != case.get("sets", {}):
        found.append(changed)
    content = answer.partition(b"\r\n\r\n")[2].decode(errors="surrogateescape")
    if "answers" in case and content != case["answers"]:
        found.append(content)
    found += [text for text in case.get("says", ()) if text not in plain(content)]
    return found


def changes(before: ConfigSector, after: ConfigSector) -> Mapping[str, Any]:
    """Return what is different, rows by the index of each entry."""
    found: dict[str, Any] = {}
    for name in ConfigSector.__dataclass_fields__:
        old, new = getattr(before, name), getattr(after, name)
        if old == new or name == "change_counter":
            continue
        if name in ROWS:
            found[name] = {
                str(index): entry
                for index, (former, entry) in enumerate(zip(old, new, strict=True))
                if former != entry
            }
        else:
            found[name] = new
    return found


def plain(page: str) -> str:
    """Return a page without its tags and with single blanks."""
    return " ".join(re.sub("<[^>]*>", " ", page).split())


async def test_answers_of_the_console() -> None:
    config = configuration(
        1, mqtt_host="10.1.1.2", roles=(0,) * 32, flags=flags(10, 12)
    )
    async with Rig(None, config, speed=20) as rig:
        for case in part(NAME, "console_answers"):
            answer = await rig.post("/api/cmnd", case["stimulus"])
            assert answer.startswith(f"HTTP/1.1 {case['status']} OK\n".encode()), case
            expected = case.get("answers", OK).replace("<client>", CLIENT)
            assert body(answer) == expected, case
            if "flags" in case:
                assert rig.device.settings.values.flags == case["flags"], case


@replay(NAME, "saving")
async def test_changes_are_saved_within_a_second(mosquitto: Broker, case: Case) -> None:
    argument = "21 1" if case["command"] == "SetFlag" else "new"
    line = f"{case['command']} {argument}"
    config = configuration(mosquitto.port)
    async with Rig(mosquitto, config, timing=QUICK) as rig:
        await rig.online()
        if case["road"] == "mqtt":
            await rig.command(case["command"], argument)
        elif case["road"] == "handler":
            rig.device.console.execute(f"addEventHandler OnChannelChange 5 {line}")
            rig.device.console.execute("SetChannel 5 1")
        elif case["road"] == "/cm":
            await rig.get(f"/cm?cmnd={line.replace(' ', '%20')}")
        else:
            await rig.post("/api/cmnd", line)
        changed = rig.device.settings.values
        await rig.seconds(round(case["in_flash_within"]))
        assert not rig.device.settings.changed
        saved = parse(rig.flash.read(CONFIG_ADDRESS, 0x1000))
        assert saved.mqtt_username == changed.mqtt_username
        assert saved.flags == changed.flags
        assert saved.startup_command == changed.startup_command


async def test_some_pages_save_at_once() -> None:
    async with Rig(None, configuration(1), speed=0.5, timing=QUICK) as rig:
        for case in part(NAME, "saved_at_once"):
            await rig.get(case["stimulus"])
            saved = parse(rig.flash.read(CONFIG_ADDRESS, 0x1000))
            assert getattr(saved, case["field"]) == "quick"


async def test_requests() -> None:
    config = configuration(1, mqtt_host="", roles=(0,) * 32)
    async with Rig(None, config) as rig:
        for case in part(NAME, "requests"):
            stimulus = case["stimulus"]
            if "length" in case:
                request = padded("GET /api/info HTTP/1.1\r\nA: ", case["length"])
                assert await answered(rig, request) is case["answered"]
                continue
            pieces = [stimulus] if isinstance(stimulus, str) else stimulus
            answer = await rig.http_in_pieces([piece.encode() for piece in pieces])
            if "status_line" in case:
                line = case["status_line"]
                assert (
                    answer.startswith(f"{line}\n".encode()) if line else not answer
                ), case
            if "bytes" in case:
                assert answer == case["bytes"].encode()
            if "answers" in case:
                assert body(answer) == case["answers"]
            if "user" in case:
                assert rig.device.settings.values.mqtt_username == case["user"]
            if kind := case.get("kind"):
                assert kind_of(answer) == kind, case


def padded(start: str, length: int) -> bytes:
    end = "\r\n\r\n"
    return (start + "x" * (length - len(start) - len(end)) + end).encode()


async def answered(rig: Rig, request: bytes) -> bool:
    try:
        return bool(await asyncio.wait_for(rig.http(request), PATIENCE))
    except TimeoutError:
        return False


def kind_of(answer: bytes) -> str:
    if b"Content-type: application/json\r\n" in answer:
        return "json"
    return "page" if b"Content-type: text/html\r\n" in answer else "text"
