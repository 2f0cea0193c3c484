"""The soak over MQTT sees what it is there to see, and does to packets what it says."""

from collections.abc import Iterable
import logging
from random import Random
import struct

from homeassistant.components import mqtt
import pytest

from soak.house import House
from soak.line import Packet, Way, doubled, reordered, truncated
from soak.mqtt import Tally, draw, run, soak
from soak.storms import STORMS, Storm, broker_killed
from tests.support.broker import Broker, BrokerUnavailable


def packet(topic: str, payload: bytes) -> Packet:
    """Return a message of QoS 0 without properties."""
    body = struct.pack(">H", len(topic)) + topic.encode() + b"\x00" + payload
    return Packet.of(bytes([0x30, len(body)]) + body)


def test_what_is_cut_is_a_packet_still() -> None:
    whole = packet("a/temp", b"OpenBK7231N 1.18.300")
    assert (whole.topic, whole.payload) == ("a/temp", b"OpenBK7231N 1.18.300")
    disturb = truncated(Random(1))
    cut = [disturb(Way.TO_HOME_ASSISTANT, whole)[0] for _ in range(20)]
    for item in cut:
        assert Packet.of(item.data) == item
        assert item.data[1] == len(item.data) - 2
        assert whole.payload.startswith(item.payload)
    assert len({item.payload for item in cut}) > 3
    numbers = {
        disturb(Way.TO_HOME_ASSISTANT, packet("a/power/get", b"-12.5"))[0].payload
        for _ in range(20)
    }
    assert numbers == {b"-12.5", b""}
    assert disturb(Way.TO_BROKER, whole) == [whole]


def test_long_payload_has_a_long_length() -> None:
    assert Packet.of(packet("a", b"x").saying(b"y" * 300).data).payload == b"y" * 300


def passed(packets: Iterable[Packet], seed: int) -> list[Packet]:
    """Return what comes out where messages overtake each other; what is no message ends it."""
    disturb = reordered(Random(seed))
    return [
        item
        for one in (*packets, Packet(b"\xd0\x00"))
        for item in disturb(Way.TO_BROKER, one)
    ]


def test_messages_of_one_topic_keep_their_order() -> None:
    said = [packet(f"{n % 3}", b"%d" % n) for n in range(9)]
    orders = set()
    for seed in range(20):
        *came, last = passed(said, seed)
        if last.is_message:
            came.append(last)
        came = [item for item in came if item.is_message]
        assert sorted(item.payload for item in came) == [b"%d" % n for n in range(9)]
        for topic in "012":
            numbers = [int(item.payload) for item in came if item.topic == topic]
            assert numbers == sorted(numbers)
        orders.add(tuple(item.payload for item in came))
    assert len(orders) > 5


def test_doubled_messages_are_the_same() -> None:
    said = packet("a/1/get", b"1")
    for seed in range(5):
        assert set(doubled(Random(seed))(Way.TO_BROKER, said)) == {said}


def test_everything_happens_in_turn() -> None:
    first = [draw(7, number)[0] for number in range(len(STORMS))]
    assert set(first) == set(STORMS)
    assert draw(7, 5) == draw(7, 5)
    assert any(draw(7, n) != draw(8, n) for n in range(len(STORMS)))


async def lies(house: House, _random: Random) -> None:
    """An entity shows what nobody said."""
    relay = house.entity_of(house.sockets[0], "switch", "relay_1")
    house.hass.states.async_set(relay, "elsewhere")


async def repeats(house: House, _random: Random) -> None:
    """A command goes out that nobody gave."""
    topic = f"{house.sockets[0].client_id}/1/set"
    await mqtt.async_publish(house.hass, topic, "0")


async def shouts(_house: House, _random: Random) -> None:
    """An exception is in the log."""
    logger = logging.getLogger("custom_components.openbk")
    logger.warning("Planted", exc_info=ValueError("planted"))


async def leaks(house: House, _random: Random) -> None:
    """A subscription is left behind, and a timer."""
    await mqtt.async_subscribe(house.hass, "left/behind", lambda _: None)


@pytest.mark.slow
def test_what_must_not_be_is_seen(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        Broker()
    except BrokerUnavailable as error:
        pytest.skip(str(error))
    planted: tuple[tuple[Storm, str], ...] = (
        (broker_killed, ""),
        (lies, "TRUTH"),
        (repeats, "COMMANDS"),
        (shouts, "LOG"),
        (leaks, "GROWTH"),
    )

    storms = [storm for storm, _ in planted]
    tally = Tally()
    logging.getLogger().addHandler(logging.NullHandler())
    run(
        soak(
            tally,
            runs=len(storms),
            seed=1,
            sockets=1,
            # None of these raises an issue, which would take ten minutes to go.
            quiet=120.0,
            storms=storms,
            alone=True,
        )
    )
    told = capsys.readouterr().out
    for storm, invariant in planted:
        if invariant:
            assert f"{storm.__name__} -> {invariant}" in told
    assert tally.table()[-1].endswith("4 violations")
