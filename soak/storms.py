"""What may happen to a house on MQTT: to its broker, its line, its sockets, its clock, and by strangers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from itertools import count
from random import Random
from typing import Final

from homeassistant.components import mqtt
from homeassistant.config_entries import SOURCE_MQTT

from custom_components.openbk.const import DOMAIN
from custom_components.openbk.network.strangers import MOST_CARDS
from simulator.openbeken.wire import Credentials, MqttConnection
from tests.support.simulated import configuration, plugged_in
from tests.support.simulated_time import NOW
from tests.support.sockets import BLOW, BUILD

from . import line
from .findings import Invariant, Violation
from .house import House, HouseSocket

type Storm = Callable[[House, Random], Awaitable[None]]

FLOOD: Final = 10_000
_BATCH: Final = 200
# Questions that strangers may cost: those that have a card, those that wait, those that are asked now.
_MOST_QUESTIONS: Final = 250
# On its own topics a socket says these; each can be said wrong by others.
_TOPICS: Final = (
    "connected",
    "1/get",
    "voltage/get",
    "current/get",
    "power/get",
    "energycounter/get",
    "energycounter_today/get",
    "energycounter_clear_date/get",
    "button/get",
    "temp",
    "rssi",
    "uptime",
    "datetime",
    "ssid",
    "mac",
    "build",
    "ip",
    "host",
)
# None of these can be true on any of the topics.
_NONSENSE: Final = (
    b"NaN",
    b"nan",
    b"inf",
    b"-inf",
    b"1e308",
    b"-1e308",
    b"1" * 400,
    b"0x10",
    b"1,5",
    b" 1 ",
    b"null",
    b"true",
    b"{}",
    b"[1]",
    b'{"value": 1}',
    b"\xff\xfe\x00",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    "٣".encode(),
    b"\x00",
    b"TOGGLE",
    b"<b>",
    b"{{ states }}",
    b"x" * 65536,
    b"9" * 65536,
    b"[" * 65536,
)


async def broker_killed(house: House, random: Random) -> None:
    """The broker's machine goes, and comes back without anything retained."""
    for _ in range(random.randint(1, 3)):
        house.broker.stop()
        await house.live(random.uniform(1, 400))
        house.broker.start()
        await house.live(random.uniform(1, 120))


async def broker_restarted(house: House, random: Random) -> None:
    """The broker is started anew and has kept what was retained, though it may be wrong by now."""
    house.broker.shut_down()
    if random.random() < 0.5:
        socket = random.choice(house.sockets)
        await socket.plugged.power_off()
        await house.live(random.uniform(1, 60))
        house.broker.start()
        await house.live(random.uniform(1, 60))
        socket.plugged.power_on()
    else:
        await house.live(random.uniform(1, 400))
        house.broker.start()


async def broker_wiped(house: House, random: Random) -> None:
    """Somebody deletes all retained messages of a broker that runs."""
    async with _client(house) as stranger:
        for socket in house.sockets:
            for topic in ("connected", "1/get"):
                stranger.publish(f"{socket.client_id}/{topic}", b"", qos=1, retain=True)
        await house.live(60)
    if random.random() < 0.5:
        house.line.break_off()
    await house.live(120)


async def slow(house: House, random: Random) -> None:
    """Each message takes some seconds."""
    house.line.delay = random.choice((0.5, 3.0, 10.0, 30.0))
    await house.live(random.uniform(60, 900))
    house.line.delay = 0.0


async def partitioned(house: House, random: Random) -> None:
    """Nothing gets through; then all of it does, or the connection breaks."""
    house.line.passes.clear()
    await house.live(random.choice((10, 40, 200, 900)))
    if random.random() < 0.5:
        house.line.break_off()
    house.line.passes.set()


async def cut_off(house: House, random: Random) -> None:
    """The connection breaks in the middle of a packet, again and again."""
    for _ in range(random.randint(1, 10)):
        house.line.cut_off()
        await house.live(random.uniform(0.1, 60))


async def duplicated(house: House, random: Random) -> None:
    """Messages arrive twice or three times."""
    await _disturbed(house, line.doubled(random), random)


async def reordered(house: House, random: Random) -> None:
    """Messages of several topics overtake each other."""
    await _disturbed(house, line.reordered(random), random)


async def truncated(house: House, random: Random) -> None:
    """Messages lose their ends, until the connection breaks."""
    await _disturbed(house, line.truncated(random), random)


async def _disturbed(house: House, disturb: line.Disturb, random: Random) -> None:
    house.line.disturb = disturb
    if random.random() < 0.5:
        house.line.break_off()
    await house.live(random.uniform(120, 900))
    house.line.disturb = None
    house.line.break_off()


async def nonsense(house: House, random: Random) -> None:
    """Others say what cannot be true on the topics of sockets, live and retained."""
    async with _client(house) as stranger:
        for _ in range(60):
            socket = random.choice(house.sockets)
            for topic in random.sample(_TOPICS, 6):
                stranger.publish(
                    f"{socket.client_id}/{topic}",
                    random.choice(_NONSENSE),
                    qos=1,
                    retain=random.random() < 0.3,
                )
            await house.live(random.uniform(0.1, 20))
        await _forget(stranger, house.sockets)
    house.line.break_off()


async def wrongly_retained(house: House, random: Random) -> None:
    """What sockets said long ago is retained while Home Assistant is away."""
    house.line.cut = True
    house.line.break_off()
    async with _client(house) as stranger:
        for socket in house.sockets:
            for topic, said in socket.said.items():
                if random.random() < 0.7 and topic != "connected":
                    stranger.publish(
                        f"{socket.client_id}/{topic}", said.encode(), qos=1, retain=True
                    )
            old = random.choice((b"0", b"1"))
            stranger.publish(f"{socket.client_id}/1/get", old, qos=1, retain=True)
            if random.random() < 0.5:
                stranger.publish(
                    f"{socket.client_id}/connected", b"offline", qos=1, retain=True
                )
        await house.live(30)
        house.line.cut = False
        await house.live(300)
        if random.random() < 0.5:
            await _reload(house, house.sockets)
        await _forget(stranger, house.sockets)


async def commands_retained(house: House, random: Random) -> None:
    """Somebody leaves commands on the broker, which sockets obey whenever they connect."""
    async with _client(house) as stranger:
        chosen = random.sample(house.sockets, min(3, len(house.sockets)))
        for socket in chosen:
            stranger.publish(
                f"{socket.client_id}/1/set",
                random.choice((b"0", b"1", b"TOGGLE")),
                qos=1,
                retain=True,
            )
        await house.live(60)
        await _reboot(chosen, random.uniform(1, 60))
        await house.live(120)
        for socket in chosen:
            stranger.publish(f"{socket.client_id}/1/set", b"", qos=1, retain=True)
        await house.live(60)
    # What was found is told until the socket is looked at again.
    await _reload(house, chosen)


async def will_late(house: House, random: Random) -> None:
    """The last will of a connection that is over comes after the birth of the next."""
    async with _client(house) as stranger:
        for _ in range(random.randint(1, 5)):
            for socket in random.sample(house.sockets, len(house.sockets) // 2 + 1):
                stranger.publish(
                    f"{socket.client_id}/connected", b"offline", qos=1, retain=True
                )
            await house.live(random.uniform(1, 120))


async def all_rebooted(house: House, random: Random) -> None:
    """The power of the street goes and comes back, perhaps before the broker has noticed."""
    silently = random.random() < 0.5
    for socket in house.sockets:
        socket.plugged.firmware.goes_silently = silently
    for _ in range(random.randint(1, 3)):
        await _reboot(house.sockets, random.choice((0.5, 20, 400)))
        await house.live(random.uniform(5, 120))
    for socket in house.sockets:
        socket.plugged.firmware.goes_silently = False


async def out_of_range(house: House, random: Random) -> None:
    """Sockets lose the Wi-Fi and find it again."""
    chosen = random.sample(house.sockets, random.randint(1, len(house.sockets)))
    for socket in chosen:
        socket.plugged.firmware.wifi.reachable = False
    await house.live(random.uniform(1, 600))
    for socket in chosen:
        socket.plugged.firmware.wifi.reachable = True


async def clock_set(house: House, random: Random) -> None:
    """The clock of the computer jumps, and is put right again."""
    for _ in range(random.randint(1, 3)):
        seconds = random.choice((-86400.0 * 3, -3600.0, -5.0, 3600.0, 86400.0 * 40))
        NOW.set_clock(seconds)
        if random.random() < 0.5:
            # All is told again, at a wrong time.
            house.line.break_off()
        await house.live(random.uniform(30, 300))
        NOW.set_clock(-seconds)
        await house.live(60)


async def suspended(house: House, random: Random) -> None:
    """The computer sleeps for a minute, or for hours in which no socket has power.

    What was due meanwhile is due at once.
    """
    if random.random() < 0.5:
        NOW.advance(60.0)
    else:
        await asyncio.gather(*(each.plugged.power_off() for each in house.sockets))
        await asyncio.sleep(random.choice((0, 60)))
        NOW.advance(random.choice((3600.0, 8 * 3600.0)))
        for socket in house.sockets:
            socket.plugged.power_on()
    await house.live(120)


async def reloaded(house: House, random: Random) -> None:
    """Entries are loaded anew, in part while the broker is away."""
    away = random.random() < 0.5
    if away:
        house.broker.shut_down()
        await house.live(random.uniform(1, 60))
    chosen = random.sample(house.sockets, random.randint(1, len(house.sockets)))
    for _ in range(random.randint(1, 3)):
        await _reload(house, chosen)
    if away:
        house.broker.start()


async def mqtt_reloaded(house: House, random: Random) -> None:
    """Core's MQTT is loaded anew, or is not there for a while and entries look for it in vain."""
    entries = house.hass.config_entries
    (entry,) = entries.async_entries(mqtt.DOMAIN)
    for _ in range(random.randint(1, 3)):
        if random.random() < 0.5:
            await entries.async_reload(entry.entry_id)
        else:
            await entries.async_unload(entry.entry_id)
            await house.live(random.uniform(1, 200))
            if random.random() < 0.5:
                waiting = asyncio.create_task(_reload(house, house.sockets[:1]))
                await house.live(random.uniform(1, 100))
                await entries.async_setup(entry.entry_id)
                await waiting
            else:
                await entries.async_setup(entry.entry_id)
        await house.live(random.uniform(1, 100))


async def twin(house: House, random: Random) -> None:
    """A socket with the MAC of another one speaks on a topic of its own, and comes and goes."""
    socket = random.choice(house.sockets)
    config = configuration(
        house.broker, BLOW, socket.entry.data["mac"], mqtt_client_id="obk8CTWIN"
    )
    for _ in range(random.randint(2, 4)):
        async with plugged_in(config, socket.entry.data["mac"], speed=1.0):
            await house.live(random.uniform(60, 200))


async def namesake(house: House, random: Random) -> None:
    """Another socket uses the topic of one, and they throw each other off the broker."""
    socket = random.choice(house.sockets)
    socket.shared = True
    mac = "c8:47:8c:fe:fe:fe"
    config = configuration(house.broker, BLOW, mac, mqtt_client_id=socket.client_id)
    async with plugged_in(config, mac, speed=1.0):
        await house.live(random.uniform(60, 400))


async def strangers(house: House, random: Random) -> None:
    """Ten thousand topics look like sockets that nobody knows, and answer when they are asked."""
    names = [f"obkF{number:07X}" for number in range(house.flood)]
    random.shuffle(names)
    asked: list[str] = []
    answers = random.random() < 0.5

    def heard(topic: str, _payload: bytes, _qos: int) -> None:
        name = topic.removeprefix("cmnd/").partition("/")[0]
        if not name.startswith("obkF"):
            return
        asked.append(name)
        if answers:
            tail = name[-6:]
            mac = f"c8:47:8d:{tail[:2]}:{tail[2:4]}:{tail[4:]}"
            for what, text in (
                ("mac", mac),
                ("ip", "127.0.0.1:1"),
                ("host", name),
                ("build", BUILD),
            ):
                stranger.publish(f"{name}/{what}", text.encode(), qos=0, retain=False)

    async with _client(house, heard) as stranger:
        stranger.subscribe("cmnd/+/publishAll")
        for start in range(0, len(names), _BATCH):
            for name in names[start : start + _BATCH]:
                stranger.publish(
                    f"{name}/build", BUILD.encode(), qos=0, retain=random.random() < 0.1
                )
            await asyncio.sleep(random.uniform(0, 5))
            if len(_cards(house)) > MOST_CARDS:
                raise Violation(Invariant.FLOOD, f"{len(_cards(house))} cards")
        await house.live(600)
        # A person closes the cards, and those who waited come.
        closed = 0
        while cards := _cards(house):
            for flow_id in cards:
                house.hass.config_entries.flow.async_abort(flow_id)
            closed += len(cards)
            await asyncio.sleep(60)
        await asyncio.sleep(120)
        if len(asked) > _MOST_QUESTIONS or closed > _MOST_QUESTIONS:
            raise Violation(Invariant.FLOOD, f"{len(asked)} questions, {closed} cards")
        for start in range(0, len(names), _BATCH):
            for name in names[start : start + _BATCH]:
                stranger.publish(f"{name}/build", b"", qos=0, retain=True)
            await asyncio.sleep(1)


def _cards(house: House) -> list[str]:
    return [
        flow["flow_id"]
        for flow in house.hass.config_entries.flow.async_progress_by_handler(DOMAIN)
        if flow["context"]["source"] == SOURCE_MQTT and flow.get("step_id")
    ]


STORMS: Final[tuple[Storm, ...]] = (
    broker_killed,
    broker_restarted,
    broker_wiped,
    slow,
    partitioned,
    cut_off,
    duplicated,
    reordered,
    truncated,
    nonsense,
    wrongly_retained,
    commands_retained,
    will_late,
    all_rebooted,
    out_of_range,
    clock_set,
    suspended,
    reloaded,
    mqtt_reloaded,
    twin,
    namesake,
    strangers,
)

# Of these one at a time: they start the broker again.
OF_BROKER: Final = frozenset({broker_killed, broker_restarted, reloaded})


async def _reload(house: House, sockets: Iterable[HouseSocket]) -> None:
    for socket in sockets:
        await house.hass.config_entries.async_reload(socket.entry.entry_id)


async def _reboot(sockets: Iterable[HouseSocket], seconds: float) -> None:
    sockets = list(sockets)
    await asyncio.gather(*(socket.plugged.power_off() for socket in sockets))
    await asyncio.sleep(seconds)
    for socket in sockets:
        socket.plugged.power_on()


async def _forget(stranger: MqttConnection, sockets: Iterable[HouseSocket]) -> None:
    """Let the broker forget what was retained of sockets, but for whether they are there."""
    for socket in sockets:
        for topic in _TOPICS[1:]:
            stranger.publish(f"{socket.client_id}/{topic}", b"", qos=1, retain=True)
    await asyncio.sleep(1)


@asynccontextmanager
async def _client(
    house: House, heard: Callable[[str, bytes, int], None] = lambda *_: None
) -> AsyncIterator[MqttConnection]:
    """Log in to the broker as somebody else, once it is there."""
    name = f"stranger{next(_NUMBERS)}"
    while True:
        with suppress(OSError):
            connection = await MqttConnection.open(
                house.broker.host,
                house.broker.port,
                Credentials(client_id=name, username="", password=""),
                will_topic=f"{name}/gone",
                will=b"",
                on_message=heard,
            )
            break
        await asyncio.sleep(5)
    try:
        yield connection
    finally:
        connection.abort()


_NUMBERS: Final = count()
