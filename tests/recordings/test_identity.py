"""Asks the simulated socket what the recorded one was asked about itself."""

import re
from typing import Any, Final

from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector, parse
from simulator.openbeken import NATIVE, Timing
from simulator.openbeken.settings import Flag
from tests.simulator.openbeken.rig import (
    CLIENT,
    CONFIG_ADDRESS,
    MAC,
    Rig,
    body,
    configuration,
    flags,
)
from tests.support.broker import Broker

from .recording import Case, part

NAME: Final = "identity"
QUICK: Final = Timing(wifi_after=0, wifi_takes=0, mqtt_after=1)
RELAY: Final = {"roles": (1,) + (0,) * 31, "channels": (1,) + (0,) * 31}
BROKER: Final = "127.9.0.200"
BROKER_PORT: Final = 29189
NAMED: Final[dict[str, Any]] = {
    "mqtt_client_id": "my_topic",
    "mqtt_username": "u",
    "short_name": "kitchen",
    "long_name": 'Gniazdko "kuchnia" & <b>',
    "startup_command": 'backlog echo "hi"; echo back\\slash\necho two',
    **RELAY,
}


def named(port: int = BROKER_PORT, **changes: Any) -> ConfigSector:
    values = NAMED | {"mqtt_host": BROKER, "flags": flags(2, 10)} | changes
    return configuration(port, **values)


async def test_answers() -> None:
    for who, config in (("fresh", None), ("named", named())):
        async with Rig(None, config) as rig:
            for case in part(NAME, "answers"):
                if case["socket"] != who:
                    continue
                answer = body(await rig.get(case["stimulus"]))
                if "answers" in case:
                    assert fits(rig, case["answers"], answer), case
                else:
                    assert re.search(pattern(rig, case["holds"]), answer), case


async def test_pages(mosquitto: Broker) -> None:
    for who in ("fresh", "named", "connected"):
        config = {
            "fresh": None,
            "named": named(),
            "connected": named(
                mosquitto.port,
                mqtt_host=mosquitto.host,
                mqtt_username="",
                mqtt_password="",
                startup_command="",
            ),
        }[who]
        # The named one has not tried to reach its broker yet.
        timing = NATIVE if who == "named" else QUICK
        async with Rig(mosquitto, config, timing=timing, speed=8) as rig:
            if who == "named":
                # As it was when the recording was made.
                await rig.get(f"/cfg_mqtt_set?host={BROKER}")
            if who == "connected":
                await rig.listener.message("my_topic/connected", "online")
            for case in part(NAME, "pages"):
                if case["socket"] == who:
                    check_page(rig, case, body(await rig.get(case["stimulus"])))


def check_page(rig: Rig, case: Case, page: str) -> None:
    if "title" in case:
        assert re.search(f"<title>{pattern(rig, case['title'])}</title>", page)
        assert re.search(f"<h1>{pattern(rig, case['heading'])}</h1>", page)
    text = " ".join(re.sub("<[^>]*>", " ", page).split())
    for said in case.get("says", ()):
        words = re.sub("<[^>]*>", " ", said) if said.startswith("<td") else said
        assert re.search(pattern(rig, words.strip()), text), said
    if "forms" in case:
        found = re.findall(r'<form action="([^"]*)"|value="([^"]*)"', page)
        assert [action or value for action, value in found] == case["forms"]


async def test_topics(mosquitto: Broker) -> None:
    (case,) = part(NAME, "topics")
    config = named(
        mosquitto.port,
        mqtt_host=mosquitto.host,
        mqtt_username="",
        mqtt_password="",
        flags=flags(2, 10, Flag.PUBLISH_MULTIPLIED),
    )
    async with Rig(mosquitto, config, timing=QUICK) as rig:
        await rig.until(lambda: len(rig.published) >= len(case["says"]))
        said = [(p.topic, p.payload.decode()) for p in rig.published]
        for (topic, text), (mine, my_text) in zip(case["says"], said, strict=False):
            assert mine == topic
            assert fits(rig, text, my_text), topic


async def test_commands() -> None:
    # Without a network, as the recorded one had none that it named.
    async with Rig(None, named(wifi_ssid="")) as rig:
        # So that all answers have as many digits.
        await rig.uptime(12)
        for case in part(NAME, "commands"):
            answer = body(await rig.get(case["stimulus"]))
            expected = case.get("answers", case.get("begins"))
            whole = pattern(rig, expected) + ("$" if "answers" in case else "")
            assert re.match(whole, answer), (case, answer)
            assert len(answer.encode()) == case.get("bytes", len(answer.encode())), case


async def test_chip() -> None:
    (case,) = part(NAME, "chip")
    async with Rig(None) as rig:
        values = rig.device.settings.values
        assert f'"chipset":"{case["chipset"]}"' in body(await rig.get("/api/info"))
        assert values.mqtt_group == case["group"]
        assert values.mqtt_client_id == values.short_name == case["client"]
        assert values.long_name == case["long_name"]
        assert re.fullmatch(pattern(rig, case["build"]), rig.device.release.build)
        assert int(case["config_address"], 16) == CONFIG_ADDRESS
        saved = parse(rig.flash.read(CONFIG_ADDRESS, 0x1000))
        assert saved.mqtt_client_id == values.mqtt_client_id
        rig.device.settings.change_entry("calibration", 0, 0.5)
        rig.device.settings.save()
        factor = rig.flash.read(int(case["calibration_address"], 16), 4)
        assert factor == b"\x00\x00\x00\x3f"


def fits(rig: Rig, expected: str, text: str) -> bool:
    return re.fullmatch(pattern(rig, expected), text) is not None


def pattern(rig: Rig, expected: str) -> str:
    """Return a pattern for a text with marks in it."""
    release = rig.device.release
    marks = {
        "<n>": r"-?\d+",
        "<nn>": r"\d\d",
        "<ssid>": "TestNet",
        "<mac>": MAC,
        "<MAC>": MAC.upper(),
        "<client>": CLIENT,
        "<long name>": f"OpenBK7231N_{CLIENT.removeprefix('obk')}",
        "<ip>": "127.0.0.1",
        "<broker>": f"{BROKER}:{BROKER_PORT}",
        "<broker host>": BROKER,
        "<port>": str(BROKER_PORT),
        "<version>": re.escape(release.version),
        "<built>": re.escape(release.built),
    }
    found = re.escape(expected)
    for mark, value in marks.items():
        found = found.replace(re.escape(mark), value)
    return found
