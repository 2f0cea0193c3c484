"""Plays the recorded arguments of commands on every road to the simulated socket."""

from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Final
from urllib.parse import quote

import pytest

from simulator.openbeken import Timing
from tests.simulator.openbeken.rig import CLIENT, MAC, Rig, body, configuration
from tests.support.broker import Broker

from .recording import Case, part

FIELDS: Final = {
    "MqttPassword": "mqtt_password",
    "MqttUser": "mqtt_username",
    "MqttHost": "mqtt_host",
    "MqttGroup": "mqtt_group",
    "MqttClient": "mqtt_client_id",
    "SSID1": "wifi_ssid",
    "Password1": "wifi_password",
    "ShortName": "short_name",
    "FriendlyName": "long_name",
}
CHANNEL_OFF: Final = ("ShortName", "FriendlyName", "MqttClient")
OLD: Final = "__old__"
GROUP: Final = "bekens_n"
UNUSED_CHANNEL: Final = 60
_numbers = count(1)
# On its network at once, but slow enough that a new topic is not taken up meanwhile.
QUICK: Final = Timing(wifi_after=0, wifi_takes=0, mqtt_after=1)

type Road = Callable[[Rig, str, str], Awaitable[object]]


async def by_message(rig: Rig, command: str, argument: str) -> None:
    # A changed client id counts at once: the old topic reaches nobody any more.
    root = GROUP if "MqttClient" in command + argument else CLIENT
    rig.listener.publish(f"cmnd/{root}/{command}", argument)
    # The topic below which the socket says anything may be another one by now.
    number = next(_numbers)
    rig.listener.publish(f"{root}/{UNUSED_CHANNEL}/set", f"{number}")
    await rig.until(lambda: rig.device.channel(UNUSED_CHANNEL) == number)


async def by_page(rig: Rig, command: str, argument: str) -> None:
    await rig.get(f"/cm?cmnd={quote(f'{command} {argument}', safe='')}")


async def in_a_backlog(rig: Rig, command: str, argument: str) -> None:
    await by_page(rig, "backlog", f"{command} {argument}")


async def in_a_backlog_by_message(rig: Rig, command: str, argument: str) -> None:
    await by_message(rig, "backlog", f"{command} {argument}")


ROADS: Final[Mapping[Road, str]] = {
    by_message: "stores",
    by_page: "stores",
    in_a_backlog: "stores_in_backlog",
    in_a_backlog_by_message: "stores_in_backlog",
}


def expected(case: Case, key: str) -> str:
    text = case.get(key, case["stores"])
    if text is None:
        return OLD
    names = {
        "<ip>": "127.0.0.1",
        "<short name>": f"obk{MAC.replace(':', '')[4:].upper()}",
        "<long name>": f"OpenBK7231N_{MAC.replace(':', '')[4:].upper()}",
    }
    for mark, name in names.items():
        text = text.replace(mark, name)
    return str(text)


@pytest.mark.parametrize("command", FIELDS)
async def test_stored_arguments(mosquitto: Broker, command: str) -> None:
    cases = [c for c in part("console_arguments", "texts") if c["stimulus"] == command]
    assert len(cases) > 20
    field = FIELDS[command]
    wrong = []
    config = configuration(mosquitto.port)
    async with Rig(mosquitto, config, speed=4, timing=QUICK) as rig:
        await rig.online()
        rig.device.pins.set(1, 0 if command in CHANNEL_OFF else 7)
        for case in cases:
            for send, key in ROADS.items():
                rig.device.settings.change(**{field: OLD})
                await send(rig, command, case["argument"])
                stored = getattr(rig.device.settings.values, field)
                if stored != expected(case, key):
                    wrong.append((send.__name__, case, stored))
    assert not wrong


async def test_commands_that_are_none() -> None:
    async with Rig(None) as rig:
        for case in part("console_arguments", "unknown"):
            answer = await rig.post("/api/cmnd", case["stimulus"])
            assert answer.startswith(b"HTTP/1.1 501 OK\n")
            assert body(answer) == case["reply"]
