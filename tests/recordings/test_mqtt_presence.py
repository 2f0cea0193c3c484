"""Holds what the simulated socket says and obeys over MQTT to the recorded words."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector
from custom_components.openbk.pyopenbk.roles import PinRole
from simulator.openbeken.wire import Credentials, MqttConnection
from tests.simulator.openbeken.rig import (
    CLIENT,
    MAC,
    Heard,
    Listener,
    Rig,
    configuration,
    flags,
)
from tests.support.broker import Broker

from .recording import Case, part, replay

# The recorded socket's address; messages are as long as their addresses.
ADDRESS = "127.9.0.11"
LONG_NAME = "OpenBK7231N_8C123456"
# Two relays and no meter, or one.
TWO = {26: (PinRole.REL, 1), 14: (PinRole.REL, 2)}
ONE = {26: (PinRole.REL, 1)}
# Half a second of the firmware's and what a busy machine adds.
TOLERANCE = 0.9


def relays(
    port: int, pins: dict[int, tuple[PinRole, int]], *set_flags: int
) -> ConfigSector:
    roles, channels = [0] * 32, [0] * 32
    for pin, (role, channel) in pins.items():
        roles[pin], channels[pin] = int(role), channel
    return configuration(
        port, roles=tuple(roles), channels=tuple(channels), flags=flags(*set_flags)
    )


def told(text: str, rig: Rig) -> str:
    """Return a recorded text with this socket's names in it."""
    device = rig.device
    for mark, value in {
        "<client>": CLIENT,
        "<mac>": MAC,
        "<long name>": LONG_NAME,
        "<build>": device.release.build,
        "<ip>": device.ip_address,
        "<ssid>": device.settings.values.wifi_ssid,
        "<rssi>": str(device.signal_dbm),
    }.items():
        text = text.replace(mark, value)
    return text


def is_as_recorded(payload: str, recorded: Any, rig: Rig) -> bool:
    if isinstance(recorded, str):
        return payload == told(recorded, rig)
    payload = payload.replace(rig.device.ip_address, ADDRESS)
    payload = payload.replace(
        f'"SSId":"{rig.device.settings.values.wifi_ssid}"', '"SSId":""'
    )
    # What was recorded counts one digit more or less of its uptime.
    return (
        payload[:20] == told(recorded["begins"], rig)[:20]
        and abs(len(payload) - recorded["bytes"]) <= 1
    )


def assert_as_recorded(
    said: Iterable[tuple[str, str]], recorded: Iterable[list[Any]], rig: Rig
) -> None:
    for (topic, payload), (recorded_topic, recorded_payload) in zip(
        said, recorded, strict=True
    ):
        assert topic == told(recorded_topic, rig)
        assert is_as_recorded(payload, recorded_payload, rig), (topic, payload)


def with_flags(title: str) -> pytest.MarkDecorator:
    """Run a test for each of the flags that a case was recorded with."""
    return pytest.mark.parametrize(
        ("case", "given"),
        [
            pytest.param(case, given, id=f"flags-{given}")
            for case in part("mqtt_presence", title)
            for given in case["flags"]
        ],
    )


@with_flags("connecting")
async def test_connecting(mosquitto: Broker, case: Case, given: list[int]) -> None:
    says = case["says"]
    async with Rig(mosquitto, relays(mosquitto.port, TWO, *given)) as rig:
        await rig.until(lambda: len(rig.published) >= len(says))
        await rig.seconds(2)
    assert_as_recorded(
        [(p.topic, p.payload.decode()) for p in rig.published],
        [entry[1:] for entry in says],
        rig,
    )
    for publication, (moment, *_) in zip(rig.published, says, strict=True):
        assert abs(publication.moment - rig.device.booted_at - moment) < TOLERANCE


@with_flags("self_state")
async def test_self_state_comes_by_itself(
    mosquitto: Broker, case: Case, given: list[int]
) -> None:
    async with Rig(mosquitto, relays(mosquitto.port, TWO, *given)) as rig:
        await rig.online()
        await rig.say(f"{CLIENT}/1/set", "1")
        rig.published.clear()
        await rig.until(lambda: rig.said("2/get"))
    said = [p for p in rig.published if "guard" not in p.topic]
    says = case["says"]
    assert [p.topic for p in said] == [told(topic, rig) for _, topic, _ in says]
    # The recording knows the moments up to when it began: 'uptime' says when that was.
    began = said[0].moment - says[0][0]
    for publication, (moment, topic, payload) in zip(said, says, strict=True):
        assert abs(publication.moment - began - moment) < TOLERANCE
        if not topic.endswith("/uptime"):
            assert publication.payload.decode() == told(payload, rig)
        else:
            assert abs(int(publication.payload) - int(payload)) <= 1


@with_flags("obeying")
async def test_obeying(mosquitto: Broker, case: Case, given: list[int]) -> None:
    async with Rig(mosquitto, relays(mosquitto.port, TWO, *given)) as rig:
        await rig.online()
        await rig.seconds(24)
        await rig.command("TasTeleInterval", "30000 30000")
        await rig.command("mqtt_broadcastInterval", "30000")
        start = len(rig.heard)
        for topic, payload in (
            (f"cmnd/{CLIENT}/POWER", "TOGGLE"),
            (f"{CLIENT}/1/set", "1"),
            (f"{CLIENT}/1/set", "1"),
            (f"{CLIENT}/1/get", ""),
        ):
            await rig.say(topic, payload)
        heard = [
            entry
            for entry in rig.heard[start:]
            if not entry.topic.startswith("homeassistant/")
        ]
    assert_as_recorded(
        [(entry.topic, entry.payload) for entry in heard], case["broker_hears"], rig
    )


async def test_channel_is_set(mosquitto: Broker) -> None:
    async with Rig(mosquitto, relays(mosquitto.port, ONE)) as rig:
        await rig.online()
        for case in part("mqtt_presence", "channel"):
            await rig.say(f"{CLIENT}/1/set", "0")
            await rig.say(f"{CLIENT}/1/set", case["payload"])
            assert rig.device.channel(1) == case["channel"], case


async def test_power(mosquitto: Broker) -> None:
    async with Rig(mosquitto, relays(mosquitto.port, ONE)) as rig:
        await rig.online()
        for case in part("mqtt_presence", "power"):
            await rig.say(f"{CLIENT}/1/set", "0")
            heard = await rig.say(f"cmnd/{CLIENT}/POWER", case["payload"])
            assert rig.device.channel(1) == case["channel"], case
            assert_as_recorded(_pairs(heard[1:]), case["messages"], rig)


async def test_topics_that_reach_a_channel(mosquitto: Broker) -> None:
    async with Rig(mosquitto, relays(mosquitto.port, ONE)) as rig:
        await rig.online()
        for case in part("mqtt_presence", "topics"):
            for channel in (0, 1, 2):
                rig.device.pins.set(channel, 0)
            topic = told(
                case["topic"].replace("<client in lower case>", CLIENT.lower()), rig
            )
            await rig.say(topic, "1")
            on = {str(ch): rig.device.channel(ch) for ch in (0, 1, 2)}
            assert {ch: value for ch, value in on.items() if value} == case["channels"]


async def test_answers(mosquitto: Broker) -> None:
    async with Rig(mosquitto, relays(mosquitto.port, ONE)) as rig:
        await rig.online()
        for case in part("mqtt_presence", "answers"):
            topic = f"cmnd/{CLIENT}/{case['command']}"
            heard = (await rig.say(topic, case["arguments"]))[1:]
            if case["command"] == "publishAll":
                # The recording listened for a second or two, in which one item comes.
                heard = [await rig.listener.message(f"{CLIENT}/host")]
            assert len(heard) == len(case["answers"]), case
            for entry, answer in zip(heard, case["answers"], strict=True):
                assert entry.topic == told(answer["topic"], rig)
                begins = answer["begins"].replace("obk8C09000C", CLIENT)
                begins = begins.replace("1.18.299", rig.device.release.version)
                assert entry.payload.startswith(begins[:40]), case
                assert entry.retain is answer["retain"]


@replay("mqtt_presence", "publishing")
async def test_publishing(mosquitto: Broker, case: Case) -> None:
    config = relays(mosquitto.port, ONE, *case.get("flags", ()))
    async with Rig(mosquitto, config) as rig:
        await rig.online()
        heard = []
        for line in case["commands"]:
            command, _, arguments = told(line, rig).partition(" ")
            heard += (await rig.say(f"cmnd/{CLIENT}/{command}", arguments))[1:]
        said = [
            entry
            for entry in heard
            if (entry.topic, entry.payload)
            in {(told(t, rig), p) for t, p in case["says"]}
        ]
        assert_as_recorded(_pairs(said), case["says"], rig)
        assert all(entry.retain is (7 in case.get("flags", ())) for entry in said)


def presence(what: str) -> Case:
    (case,) = (c for c in part("mqtt_presence", "presence") if c["what"] == what)
    return case


async def test_death_and_return(mosquitto: Broker) -> None:
    async with Rig(mosquitto, relays(mosquitto.port, ONE, 10)) as rig:
        await rig.online()
        assert await _newcomer_hears(mosquitto) == presence("subscriber")["hears"]
        cut = rig.clock.now()
        await rig.power_off()
        await rig.listener.message(f"{CLIENT}/connected", "offline")
        assert rig.clock.now() - cut - presence("death")["offline_after_s"] < 8
        assert await _newcomer_hears(mosquitto) == presence("late subscriber")["hears"]
        rig.published.clear()
        await rig.power_on()
        await rig.until(lambda: rig.published)
        back = rig.published[0].moment - rig.device.booted_at
        assert abs(back - presence("return")["online_after_s"]) < TOLERANCE


async def test_another_client_under_the_same_id_takes_turns(mosquitto: Broker) -> None:
    case = presence("twin")
    async with Rig(mosquitto, relays(mosquitto.port, ONE), speed=40) as rig:
        await rig.online()
        start, came = len(rig.heard), rig.clock.now()
        other = await MqttConnection.open(
            mosquitto.host,
            mosquitto.port,
            Credentials(client_id=CLIENT, username="", password=""),
            will_topic="other/connected",
            will=b"thrown off",
            on_message=lambda *_: None,
        )
        await rig.listener.message("other/connected", "thrown off")
        # The broker knows by then what the socket listens to.
        await rig.until(lambda: rig.heard[-1].payload == "online")
        await rig.settle()
        moments = [
            p.moment - came for p in rig.published if p.topic.endswith("/connected")
        ]
        assert [h.payload for h in rig.heard[start:]] == [
            "offline",
            "thrown off",
            "online",
        ]
        assert abs(moments[-1] - case["online_and_other_thrown_off_after_s"]) < 2
        assert not other.connected


@pytest.mark.parametrize(("what", "away"), [("broker", 3), ("broker away", 40)])
async def test_broker_comes_back(mosquitto: Broker, what: str, away: float) -> None:
    async with Rig(mosquitto, relays(mosquitto.port, ONE), speed=40) as rig:
        await rig.online()
        await rig.seconds(1)
        mosquitto.stop()
        await rig.until(lambda: not rig.device.mqtt.online)
        killed = rig.clock.now()
        rig.published.clear()
        await rig.clock.sleep(away)
        mosquitto.start()
        await rig.until(lambda: rig.published)
        back = rig.published[0].moment - killed
    # It begins to count at the second after the loss.
    assert abs(back - presence(what)["online_after_s"]) < 1.5


async def test_retained_command_is_obeyed_at_every_connection(
    mosquitto: Broker,
) -> None:
    case = presence("retained set")
    async with Rig(mosquitto, relays(mosquitto.port, ONE)) as rig:
        await rig.online()
        rig.listener.publish(f"{CLIENT}/1/set", "1", retain=True)
        await rig.settle()
        assert rig.device.channel(1) == case["channel_before"]
        rig.device.pins.set(1, 0)
        await rig.power_cycle()
        await rig.online_again()
        await rig.settle()
        assert rig.device.channel(1) == case["channel_after"]
        rig.listener.publish(f"{CLIENT}/1/set", "", retain=True)
        rig.listener.publish(f"cmnd/{CLIENT}/POWER", "1", retain=True)
        await rig.settle()
        await rig.power_cycle()
        assert not rig.device.channel(1)
        await rig.online_again()
        await rig.settle()
        assert rig.device.channel(1) == presence("retained command")["channel_after"]


async def test_new_name_is_taken_up_in_some_seconds(mosquitto: Broker) -> None:
    case = presence("renamed")
    async with Rig(mosquitto, relays(mosquitto.port, ONE), speed=20) as rig:
        await rig.online()
        asked = rig.clock.now()
        rig.listener.publish(f"cmnd/{CLIENT}/MqttClient", "other_id")
        await rig.until(lambda: not rig.device.mqtt.online)
        dropped = rig.clock.now() - asked
        await rig.listener.message(case["topic"], "online")
        await rig.listener.message(f"{CLIENT}/connected", "offline")
        back = rig.published[-1].moment - asked
    # Within the firmware's second.
    assert abs(dropped - case["offline_after_s"] - 0.5) < 1
    assert abs(back - case["online_after_s"] - 0.5) < 1


async def test_other_broker_is_not_taken_up_by_itself(mosquitto: Broker) -> None:
    async with Rig(mosquitto, relays(mosquitto.port, ONE)) as rig:
        await rig.online()
        before = rig.device.mqtt.connects
        await rig.command("MqttHost", "10.0.0.1")
        await rig.command("MqttUser", "somebody")
        await rig.command("MqttPassword", "secret")
        await rig.seconds(25)
        connects = rig.device.mqtt.connects - before
        assert connects == presence("other broker")["connects"]
        await rig.settle()


async def test_form_reconnects_even_to_the_same_broker(mosquitto: Broker) -> None:
    case = presence("form")
    async with Rig(mosquitto, relays(mosquitto.port, ONE), speed=20) as rig:
        await rig.online()
        asked = rig.clock.now()
        await rig.get(f"/cfg_mqtt_set?host=127.0.0.1&port={mosquitto.port}")
        await rig.until(lambda: len(rig.published) > 1)
        assert rig.published[-1].payload == b"online"
        back = rig.published[-1].moment - asked
    assert abs(back - case["online_after_s"] - 0.5) < 1


async def test_qualities_at_the_broker(mosquitto: Broker) -> None:
    case = presence("log of the broker")
    async with Rig(mosquitto, configuration(mosquitto.port)) as rig:
        await rig.quiet()
        await rig.until(lambda: rig.said("voltage/get"))
        await rig.settle()
        await rig.power_off()
        await rig.listener.message(f"{CLIENT}/connected", "offline")
    by_topic: dict[tuple[str, str], Heard] = {
        (
            h.topic.removeprefix(f"{CLIENT}/"),
            h.payload if "connected" in h.topic else "",
        ): h
        for h in rig.heard
    }
    for key, wanted in (
        (("connected", "online"), case["birth"]),
        (("connected", "offline"), case["will"]),
        (("build", ""), case["self_state"]),
        (("voltage/get", ""), case["meter"]),
    ):
        assert (by_topic[key].qos, by_topic[key].retain) == tuple(wanted.values()), key
    assert by_topic["1/get", ""].qos == case["relay"]["qos"]


def _pairs(heard: Iterable[Heard]) -> list[tuple[str, str]]:
    return [(entry.topic, entry.payload) for entry in heard]


async def _newcomer_hears(broker: Broker) -> list[object]:
    async with Listener(broker) as newcomer:
        heard = await asyncio.wait_for(newcomer.message(f"{CLIENT}/connected"), 10)
    return [heard.payload, heard.retain]
