"""Tests of what a simulated socket says and obeys over MQTT."""

import json

import pytest

from simulator.openbeken import Release
from tests.support.broker import Broker

from .rig import CLIENT, Rig, configuration, flags

# A condensed record of a connection with factory flags: seconds after the birth, topic
# below the client id, payload, QoS, retain flag.
CONNECTION = (
    (0, "connected", "online", 2, True),
    (1, "host", CLIENT, 1, False),
    (2, "build", "OpenBK7231N 1.18.300 Nov 22 2026 16:44:43", 1, False),
    (3, "mac", "c8:47:8c:12:34:56", 1, False),
    (4, "temp", "0.00", 1, False),
    (5, "ssid", "TestNet", 1, False),
    (6, "datetime", "0", 1, False),
    (7, "sockets", "1", 1, False),
    (8, "rssi", "-61", 1, False),
    (9, "uptime", "24", 1, False),
    (10, "freeheap", "100000", 1, False),
    (11, "ip", "127.0.0.1", 1, False),
    (12, "1/get", "0", 1, False),
)
OLD = Release(version="1.17.360", built="Dec 17 2023 10:00:00")
# What is sent to a socket whose relay is open, and what it says to that.
OBEYED: tuple[tuple[str, str, list[tuple[str, str]]], ...] = (
    (f"{CLIENT}/1/set", "1", [("1/get", "1")]),
    (f"{CLIENT}/1/set", "0", []),
    (f"{CLIENT}/1/set", "toggle", [("1/get", "1")]),
    (f"{CLIENT}/1/set", "TOGGLE please", [("1/get", "1")]),
    (f"{CLIENT}/1/set", "2", [("1/get", "2")]),
    (f"{CLIENT}/1/set", "ON", []),
    (f"{CLIENT}/1/get", "", [("1/get", "0")]),
    (f"{CLIENT}/1/get", "1", []),
    (f"{CLIENT}/voltage/set", "1", []),
    (f"{CLIENT}/5/set", "1", []),
    ("bekens_n/1/set", "1", [("1/get", "1")]),
    (f"cmnd/{CLIENT}/POWER", "on", [("1/get", "1"), ("RESULT", '{"POWER":"ON"}')]),
    (f"cmnd/{CLIENT}/Power1", "", [("RESULT", '{"POWER":"OFF"}')]),
    (f"cmnd/{CLIENT}/POWER7", "ON", [("RESULT", '{"POWER":"OFF"}')]),
    (
        "cmnd/bekens_n/POWER",
        "TOGGLE",
        [("1/get", "1"), ("RESULT", '{"POWER":"ON"}')],
    ),
    (f"cmnd/{CLIENT}/SetChannel", "1 1", [("1/get", "1")]),
    (
        f"cmnd/{CLIENT}/backlog",
        "POWER ON; POWER OFF",
        [("1/get", "1"), ("1/get", "0")],
    ),
    (f"cmnd/{CLIENT}/GetChannel", "1", []),
    (f"cmnd/{CLIENT}/Flags", "", []),
    (f"cmnd/{CLIENT}/nonsense", "1", []),
    (f"cmnd/{CLIENT}/publish", "button single", [("button/get", "single")]),
    (f"cmnd/{CLIENT}/publish", "a/b 0badcafe", [("a/b/get", "0badcafe")]),
    (f"cmnd/{CLIENT}/publishInt", "x 12abc", [("x/get", "12")]),
    (f"cmnd/{CLIENT}/publishFloat", "x 1.5", [("x/get", "1.500000")]),
    (f"cmnd/{CLIENT}/publishFloat", "x 1.57 0 1", [("x/get", "1.5")]),
    (f"cmnd/{CLIENT}/publishChannel", "1", [("1/get", "0")]),
    ("other/1/set", "1", []),
    ("homeassistant/status", "offline", []),
)


async def test_connection_with_factory_flags(mosquitto: Broker) -> None:
    async with Rig(mosquitto, configuration(mosquitto.port)) as rig:
        await rig.quiet()
    birth = rig.published[0].moment
    assert [
        (
            round(p.moment - birth),
            p.topic.removeprefix(f"{CLIENT}/"),
            p.payload.decode(),
            p.qos,
            p.retain,
        )
        for p in rig.published
        if "voltage" not in p.topic and "guard" not in p.topic
    ] == list(CONNECTION)


async def test_what_is_obeyed(mosquitto: Broker) -> None:
    # Without its meter, which would speak in between.
    config = configuration(mosquitto.port, flags=flags(36))
    async with Rig(mosquitto, config) as rig:
        await rig.online()
        for topic, payload, answers in OBEYED:
            await rig.say(f"{CLIENT}/1/set", "0")
            heard = await rig.say(topic, payload)
            said = [
                (
                    entry.topic.removeprefix("stat/").removeprefix(f"{CLIENT}/"),
                    entry.payload,
                )
                for entry in heard
                if (entry.topic, entry.payload) != (topic, payload)
            ]
            assert said == answers, (topic, payload)
            assert all(
                entry.qos == 1 for entry in heard if entry.topic.startswith("stat/")
            )


async def test_raw_publication(mosquitto: Broker) -> None:
    async with Rig(mosquitto, configuration(mosquitto.port)) as rig:
        await rig.online()
        await rig.command("publish", "house/door open 1")
        assert (await rig.listener.message("house/door")).payload == "open"


async def test_home_assistants_birth_has_everything_said_again(
    mosquitto: Broker,
) -> None:
    async with Rig(mosquitto, configuration(mosquitto.port)) as rig:
        await rig.quiet()
        rig.listener.publish("homeassistant/status", "online")
        await rig.until(lambda: len(rig.said("1/get")) == 2)
        assert len(rig.said("build")) == 2


async def test_old_release(mosquitto: Broker) -> None:
    config = configuration(mosquitto.port)
    async with Rig(mosquitto, config, release=OLD) as rig:
        await rig.quiet()
        topics = [p.topic for p in rig.published]
        assert f"{CLIENT}/temp" not in topics
        assert f"{CLIENT}/datetime" not in topics
        rig.published.clear()
        rig.listener.publish("homeassistant/status", "online")
        await rig.until(lambda: rig.said("voltage/get"))
        await rig.until(lambda: rig.said("energycounter/get"))
    said = [p for p in rig.published if "guard" not in p.topic]
    assert all("/get" in p.topic for p in said)
    assert {p.qos for p in said} == {1}
    assert not any("apparent" in p.topic or "factor" in p.topic for p in said)
    assert rig.device.release.build == "Build on Dec 17 2023 10:00:00 version 1.17.360"


async def test_flag_2_repeats_the_list(mosquitto: Broker) -> None:
    config = configuration(
        mosquitto.port,
        flags=flags(2),
        startup_command="backlog mqtt_broadcastItemsPerSec 50; mqtt_broadcastInterval 20",
    )
    async with Rig(mosquitto, config) as rig:
        await rig.until(lambda: len(rig.said("1/get")) == 3)
    birth = rig.published[0].moment
    moments = [
        round(p.moment - birth) for p in rig.published if p.topic.endswith("/host")
    ]
    # 30 seconds at first; then the list's own second and the interval.
    assert moments == [31, 52, 73]


@pytest.mark.parametrize(
    ("flag", "retained"),
    [(10, set()), (21, {"1/get"}), (7, {"1/get", "2/get", "voltage/get"})],
)
async def test_what_is_retained(
    mosquitto: Broker, flag: int, retained: set[str]
) -> None:
    config = configuration(mosquitto.port, flags=flags(flag))
    async with Rig(mosquitto, config) as rig:
        await rig.online()
        await rig.command("SetPinChannel", "10 2")
        await rig.say(f"{CLIENT}/1/set", "1")
        await rig.say(f"{CLIENT}/2/set", "1")
        await rig.until(lambda: rig.said("voltage/get"))
        await rig.settle()
        kept = {
            heard.topic.removeprefix(f"{CLIENT}/")
            for heard in rig.heard
            if heard.retain
        }
    names = {"1/get", "2/get", "voltage/get"}
    assert kept & names == retained
    assert "connected" in kept


async def test_flags_that_change_the_form(mosquitto: Broker) -> None:
    config = configuration(mosquitto.port, flags=flags(33, 50))
    async with Rig(mosquitto, config) as rig:
        await rig.online()
        rig.listener.publish(f"{CLIENT}/1/set", "1")
        heard = await rig.listener.message(f"{CLIENT}/1")
        assert heard.payload == "1.000000"
        await rig.listener.message(f"{CLIENT}/voltage")


async def test_flag_39_publishes_any_channel(mosquitto: Broker) -> None:
    async with Rig(mosquitto, configuration(mosquitto.port, flags=flags(39))) as rig:
        await rig.online()
        await rig.say(f"{CLIENT}/5/set", "7")
        await rig.listener.message(f"{CLIENT}/5/get", "7")


async def test_tele_messages_echo_as_a_result(mosquitto: Broker) -> None:
    async with Rig(mosquitto, configuration(mosquitto.port, flags=flags(30))) as rig:
        await rig.online()
        heard = await rig.listener.message(f"tele/{CLIENT}/SENSOR")
        energy = json.loads(heard.payload)["ENERGY"]
        assert "Total" not in energy
        assert energy["ConsumptionTotal"] == 0
        await rig.listener.message(f"stat/{CLIENT}/RESULT")


async def test_status_with_flag_30_never_ends(mosquitto: Broker) -> None:
    async with Rig(mosquitto, configuration(mosquitto.port, flags=flags(30))) as rig:
        await rig.online()
        rig.listener.publish(f"cmnd/{CLIENT}/Status", "5")
        topic = f"stat/{CLIENT}/STATUS"
        await rig.until(lambda: sum(p.topic == topic for p in rig.published) > 300)
        assert rig.device.running


async def test_status_without_flag_30_is_answered_once(mosquitto: Broker) -> None:
    async with Rig(mosquitto, configuration(mosquitto.port, flags=0)) as rig:
        await rig.online()
        heard = await rig.say(f"cmnd/{CLIENT}/Status", "2")
    answers = [entry for entry in heard if entry.topic.startswith("stat/")]
    assert [entry.topic for entry in answers] == [f"stat/{CLIENT}/STATUS2"]
    assert json.loads(answers[0].payload)["StatusFWR"]["Hardware"] == "BK7231N"


async def test_long_command_arrives_in_pieces(mosquitto: Broker) -> None:
    async with Rig(mosquitto, configuration(mosquitto.port)) as rig:
        await rig.online()
        line = "echo " + "x" * 1200
        await rig.command("StartupCommand", f'"{line[:900]}"')
        # The console takes no more than 511 bytes, the first quote included.
        assert rig.device.settings.values.startup_command == line[:510]
        await rig.command("StartupCommand", f'"{line}"')
        # The last piece was taken for the whole command.
        assert set(rig.device.settings.values.startup_command) == set('x"')


async def test_new_topic_is_taken_up_by_reconnecting(mosquitto: Broker) -> None:
    async with Rig(mosquitto, configuration(mosquitto.port)) as rig:
        await rig.online()
        rig.listener.publish(f"cmnd/{CLIENT}/MqttClient", "hallway")
        await rig.listener.message(f"{CLIENT}/connected", "offline")
        await rig.listener.message("hallway/connected", "online")
        await rig.listener.message("hallway/1/get")
        rig.listener.publish("hallway/1/set", "1")
        await rig.listener.message("hallway/1/get", "1")
        # The name stays.
        assert rig.device.settings.values.short_name == CLIENT


async def test_retained_command_is_obeyed_at_every_connection(
    mosquitto: Broker,
) -> None:
    async with Rig(mosquitto, configuration(mosquitto.port)) as rig:
        rig.listener.publish(f"{CLIENT}/1/set", "1", retain=True)
        await rig.listener.message(f"{CLIENT}/1/get", "1")


@pytest.mark.parametrize("flag", [10, 27])
async def test_discovery_at_boot_needs_flag_27(mosquitto: Broker, flag: int) -> None:
    config = configuration(mosquitto.port, flags=flags(*{10, flag}))
    async with Rig(mosquitto, config) as rig:
        await rig.quiet()
        await rig.clock.sleep(8)
        await rig.settle()
        found = {p.topic for p in rig.published if p.topic.startswith("homeassistant/")}
    assert len(found) == (15 if flag == 27 else 0)


async def test_discovery_follows_the_flags(mosquitto: Broker) -> None:
    config = configuration(mosquitto.port, flags=flags(34, 35, 40))
    async with Rig(mosquitto, config) as rig:
        await rig.online()
        await rig.command("startDriver", "NTP")
        await rig.command("scheduleHADiscovery", "1")
        await rig.until(lambda: rig.said("1/get"))
    payloads = {
        p.topic: json.loads(p.payload)
        for p in rig.published
        if p.topic.startswith("homeassistant/")
    }
    relay = payloads["homeassistant/light/OpenBK7231N_8C123456_relay_1/config"]
    assert "avty_t" not in relay
    total = payloads["homeassistant/sensor/OpenBK7231N_8C123456_sensor_3/config"]
    assert total["unit_of_meas"] == "kWh"
    cleared = payloads["homeassistant/sensor/OpenBK7231N_8C123456_sensor_8/config"]
    assert cleared["dev_cla"] == "timestamp"
    assert "stat_cla" not in cleared
    # Eight of the meter, five days and the relay; nothing about itself.
    assert len(payloads) == 14
