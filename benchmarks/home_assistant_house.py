"""A house of sockets in a Home Assistant of its own, with no network and no disk around it.

Prints what each phase took as a line of JSON. It announces each phase and waits for a line before
it begins, so that whoever started it can count instructions meanwhile.
"""

# Must come first: one names our folder before the harness does, one fits the harness to core.
import custom_components  # noqa: F401  # isort: skip
import tests.support.harness  # noqa: F401  # isort: skip

import argparse
import asyncio
from collections.abc import (
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
import gc
import json
from pathlib import Path
import resource
import statistics
import sys
import tempfile
import time
import tracemalloc
from typing import Any, Final, NoReturn
from unittest.mock import patch

from homeassistant import loader
from homeassistant.components import mqtt
from homeassistant.components.mqtt import client as core_client
from homeassistant.components.switch import DOMAIN as SWITCH_DOMAIN
from homeassistant.const import (
    ATTR_ENTITY_ID,
    EVENT_STATE_CHANGED,
    SERVICE_TURN_OFF,
    SERVICE_TURN_ON,
    STATE_OFF,
    STATE_ON,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er, frame
from homeassistant.helpers.storage import Store
from paho.mqtt.client import ConnectFlags, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_test_home_assistant,
)

from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from custom_components.openbk.pyopenbk.obk.discovery_payload import (
    Described,
    discovery_payload,
    discovery_topic,
)
from tests.support.sockets import BLOW, BUILD, socket_entry

MODES: Final = ("openbk", "mqtt", "mqtt_all")
PHASES: Final = ("set_up", "online", "first", "changed", "unchanged", "foreign")
ROUNDS: Final = {"changed": 10, "unchanged": 20, "foreign": 100}
"""How often each socket says everything, in a house of a hundred at most.

All messages are built beforehand, so a larger one takes fewer rounds and about as much memory.
"""
COMMANDS: Final = 10
"""How often each relay is switched, in a house of a hundred at most."""
# Voltage, current and power are of one load once nothing has jumped for so long.
_SETTLED: Final = 2.6

# What a broker adds to a message of a topic that core subscribed to by its exact name.
_PROPERTIES: Final = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
_PROPERTIES.SubscriptionIdentifier = 1

type Messages = list[MQTTMessage]


class Broker:
    """Stands in for paho's client and for the broker behind it: it takes everything at once."""

    on_connect: Callable[..., None]
    on_publish: Callable[..., None]
    on_subscribe: Callable[..., None]
    on_unsubscribe: Callable[..., None]

    def __init__(self) -> None:
        """Be there."""
        self._loop = asyncio.get_running_loop()
        self._mid = 0
        self.taken: tuple[str, object] = "", None
        self.subscriptions = 0
        self._wanted = 0
        self._subscribed = asyncio.Event()

    async def subscribed(self, wanted: int) -> None:
        """Wait until so many topics are subscribed to."""
        self._wanted = wanted
        self._subscribed.clear()
        if self.subscriptions < wanted:
            await self._subscribed.wait()

    def connect(self, **_: object) -> int:
        """Accept the connection; called from another thread."""
        accepted = ReasonCode(PacketTypes.CONNACK, "Success")
        flags = ConnectFlags(session_present=False)
        self._loop.call_soon_threadsafe(self.on_connect, self, None, flags, accepted)
        return 0

    def subscribe(self, topics: str | list[Any], *_: object, **__: object) -> Any:
        """Take a subscription with a wildcard, or several exact ones, which alone count."""
        if not isinstance(topics, str):
            self.subscriptions += len(topics)
        if self.subscriptions >= self._wanted:
            self._subscribed.set()
        return 0, self._acknowledge(self.on_subscribe)

    def unsubscribe(self, _: list[str]) -> tuple[int, int]:
        """Take subscriptions back."""
        return 0, self._acknowledge(self.on_unsubscribe)

    def publish(self, topic: str, payload: object, *_: object) -> Published:
        """Take a message, and remember it."""
        self.taken = topic, payload
        return Published(self._acknowledge(self.on_publish))

    def setup(self) -> None:
        """Do as paho does; nothing is to be done."""

    enable_logger = disconnect = setup

    def will_set(self, **_: object) -> None:
        """Take the last will."""

    def _acknowledge(self, told: Callable[..., None]) -> int:
        self._mid += 1
        self._loop.call_soon(told, self, None, self._mid, None, None)
        return self._mid


class Published:
    """The receipt of a message."""

    __slots__ = ("mid",)
    rc = 0

    def __init__(self, mid: int) -> None:
        """Note the number of the message."""
        self.mid = mid


class House:
    """So many sockets in one Home Assistant, known to it in one of the modes."""

    def __init__(self, hass: HomeAssistant, broker: Broker, mode: str) -> None:
        """Begin without sockets."""
        self.hass = hass
        self.broker = broker
        self.mode = mode
        self._receive = hass.data[mqtt.DATA_MQTT].client._async_mqtt_on_message  # noqa: SLF001
        self._topics = 0

    async def add(self, numbers: Iterable[int]) -> None:
        """Let Home Assistant know sockets, and wait until their topics are subscribed to."""
        numbers = list(numbers)
        # Core may subscribe to the first ones while others are still set up.
        wanted = self.broker.subscriptions + len(numbers) * self._topics
        if self.mode == "openbk":
            entries = [native_entry(number) for number in numbers]
            for entry in entries:
                entry.add_to_hass(self.hass)
            # Side by side, as core sets up the entries of an integration when it starts.
            set_up = self.hass.config_entries.async_setup
            if all(entry.domain in self.hass.config.components for entry in entries):
                await asyncio.gather(*(set_up(entry.entry_id) for entry in entries))
            else:
                await set_up(entries[0].entry_id)
        else:
            payloads = [payload_of(number, self.mode) for number in numbers]
            self.send(
                message(discovery_topic(mqtt.DEFAULT_PREFIX, mac(number)), text)
                for number, text in zip(numbers, payloads, strict=True)
            )
        await self.broker.subscribed(wanted)
        await turns(self.hass)

    async def warm_up(self) -> None:
        """Go through everything with one socket, so that imports and caches do not count."""
        before = self.broker.subscriptions
        await self.add([0])
        await self.hass.async_block_till_done(wait_background_tasks=True)
        # Core subscribes a moment later, to all at once.
        await asyncio.sleep(2 * core_client.INITIAL_SUBSCRIBE_COOLDOWN)
        self._topics = self.broker.subscriptions - before
        for phase in ("online", "first"):
            await self.play(messages_of(phase, [0]))
        await asyncio.sleep(_SETTLED)
        for phase in PHASES[3:]:
            await self.play(messages_of(phase, [0]))
        await commanded(self, [0])

    async def play(self, messages: Iterable[MQTTMessage]) -> None:
        """Let the broker deliver messages, and what follows from them happen."""
        self.send(messages)
        await turns(self.hass)

    async def toggle(self, number: int) -> tuple[float, float]:
        """Switch a socket's relay over by an action, and let the socket say that it did.

        Returns the seconds from the call until the broker has the command, and from the answer to
        the state.
        """
        entity, channel = relay(self.hass, self.mode, number), f"{client_id(number)}/1"
        on = self.hass.states.is_state(entity, STATE_OFF)
        value = str(int(on))
        answer = message(f"{channel}/get", value)
        began = time.perf_counter()
        await turn(self.hass, entity, on)
        sent = time.perf_counter()
        assert self.broker.taken == (f"{channel}/set", value), self.broker.taken
        answered = time.perf_counter()
        self.send([answer])
        shown = time.perf_counter()
        assert self.hass.states.is_state(entity, STATE_ON if on else STATE_OFF)
        return sent - began, shown - answered

    def send(self, messages: Iterable[MQTTMessage]) -> None:
        """Let the broker deliver messages."""
        receive = self._receive
        for item in messages:
            receive(None, None, item)  # type: ignore[arg-type]

    @contextmanager
    def counting(self) -> Iterator[list[int]]:
        """Count the states that are written."""
        written = [0]

        @callback
        def count(_: object) -> None:
            written[0] += 1

        stop = self.hass.bus.async_listen(EVENT_STATE_CHANGED, count)
        try:
            yield written
        finally:
            stop()


async def turn(hass: HomeAssistant, entity: str, on: bool) -> None:
    """Switch by an action, and wait until it is done."""
    action = SERVICE_TURN_ON if on else SERVICE_TURN_OFF
    target = {ATTR_ENTITY_ID: entity}
    await hass.services.async_call(SWITCH_DOMAIN, action, target, blocking=True)


def relay(hass: HomeAssistant, mode: str, number: int) -> str:
    """Return the entity id of a socket's relay."""
    platform = "openbk" if mode == "openbk" else mqtt.DOMAIN
    unique_id = f"{mac(number)}_relay_1"
    entity = er.async_get(hass).async_get_entity_id(SWITCH_DOMAIN, platform, unique_id)
    assert entity is not None
    return entity


def rounds_of(phase: str, sockets: int) -> int:
    """Return how often each of so many sockets says everything in a phase."""
    return max(1, ROUNDS.get(phase, 1) * 100 // max(sockets, 100))


def native_entry(number: int) -> MockConfigEntry:
    """Return the entry of a socket as our wizard makes it."""
    entry = socket_entry(
        BLOW, mac(number), client_id(number), address="192.0.2.1", firmware=BUILD
    )
    object.__setattr__(entry, "title", name_of(number))
    return entry


def payload_of(number: int, mode: str) -> str:
    """Return the discovery payload of a socket; ``mqtt_all`` describes all that we show."""
    name = client_id(number)
    payload = discovery_payload(
        Described(
            name=name_of(number),
            identity=mac(number),
            mac=mac(number),
            client_id=name,
            profile=BLOW,
            build=BUILD,
            url="http://192.0.2.1/",
            origin_version="1",
        )
    )
    if mode == "mqtt_all":
        components = payload["cmps"]
        del components["ip"]["en"]
        for key, component in only_native(name):
            components[key] = {"uniq_id": f"{mac(number)}_{key}", **component}
    return json.dumps(payload)


def only_native(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Describe, for comparison, what our integration shows and our payload leaves out."""

    def command(word: str) -> dict[str, str]:
        return {"cmd_t": f"cmnd/{name}/{word}", "ent_cat": "config"}

    yield "child_lock", {"p": "switch", "name": "Child lock", **command("SetFlag")}
    for key, label, options in (
        ("led_use_8", "Wi-Fi LED mode", ("relay", "wifi", "independent", "off")),
        ("led_use_10", "Relay LED mode", ("relay", "wifi", "independent", "off")),
        ("button_use_11", "Button", ("toggle", "event", "none")),
        ("power_cut_1", "Power-on behavior", ("on", "off", "last")),
    ):
        yield key, {"p": "select", "name": label, "ops": options, **command("x")}
    for word in ("restart", "identify", "EnergyCntReset"):
        yield word.lower(), {"p": "button", "name": word, **command(word)}
    hidden = {"p": "sensor", "ent_cat": "diagnostic", "en": False}
    yield "build", {**hidden, "name": "Firmware", "stat_t": f"{name}/build"}
    for key, label in (
        ("uptime", "Last restart"),
        ("doubt", "Power uncertainty"),
        ("switched_by", "Last switched by"),
    ):
        yield key, {**hidden, "name": label, "stat_t": f"{name}/{key}"}
    yield "firmware", {"p": "update", "name": "Firmware", "stat_t": f"{name}/build"}


def name_of(number: int) -> str:
    """Return the name that a person gave a socket; alike ones would cost core many tries."""
    return f"Washing machine {number}"


def mac(number: int) -> str:
    """Return the MAC of a socket."""
    return f"c8:47:8c:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"


def client_id(number: int) -> str:
    """Return the client id of a socket, which its topics begin with."""
    return f"obk8C{number:06X}"


def message(topic: str, payload: str) -> MQTTMessage:
    """Return a message as paho delivers it."""
    built = MQTTMessage(topic=topic.encode())
    built.payload = payload.encode()
    built.timestamp = time.monotonic()
    if not topic.startswith(mqtt.DEFAULT_PREFIX):
        built.properties = _PROPERTIES
    return built


def readings(step: int) -> dict[str, str]:
    """Return all that a socket measures, each value another one with each step."""
    volts, amperes, watts = 230 + step / 10, 5 + step / 1000, 1150 + step / 10
    return {
        "1/get": str(step % 2),
        "voltage/get": f"{volts:.2f}",
        "current/get": f"{amperes:.3f}",
        "power/get": f"{watts:.2f}",
        "power_apparent/get": f"{volts * amperes:.2f}",
        "power_reactive/get": f"{30 + step / 10:.2f}",
        "power_factor/get": f"{0.9 + step / 1000:.3f}",
        "energycounter/get": f"{10000 + step:.3f}",
        "energycounter_today/get": f"{500 + step:.3f}",
        "energycounter_yesterday/get": f"{800 + step:.3f}",
        "energycounter_last_hour/get": f"{50 + step:.3f}",
    }


def messages_of(phase: str, numbers: Iterable[int], rounds: int = 1) -> Messages:
    """Return what the sockets say in a phase, in the order of the rounds."""
    said: Callable[[int], Mapping[str, str]]
    names = [client_id(number) for number in numbers]
    match phase:
        case "online":
            said = lambda _: {"connected": "online"}  # noqa: E731
        case "first":
            clock = {"datetime": f"{time.time():.0f}", "ip": "192.0.2.1"}
            said = lambda _: {**clock, "build": BUILD, **readings(0)}  # noqa: E731
        case "changed":
            said = lambda step: readings(1 + step)  # noqa: E731
        case "unchanged":
            said = lambda _: readings(rounds_of("changed", len(names)))  # noqa: E731
        case _:
            said = lambda step: {f"{key}/x": str(step) for key in readings(0)}  # noqa: E731
    return [
        message(f"{name}/{suffix}", payload)
        for step in range(rounds)
        for name in names
        for suffix, payload in said(step).items()
    ]


async def turns(hass: HomeAssistant) -> None:
    """Let everything happen that is ready to."""
    for _ in range(20):
        await asyncio.sleep(0)


@asynccontextmanager
async def quiet() -> AsyncIterator[HomeAssistant]:
    """Start a Home Assistant that saves nothing and asks no socket's web page."""

    async def closed(*_: object) -> NoReturn:
        raise ConnectionRefusedError

    with (
        tempfile.TemporaryDirectory(prefix="openbk-bench-") as folder,
        # Some seconds after a change, so in whatever is measured by then, and from another thread.
        patch.object(Store, "async_delay_save", lambda *_: None),
    ):
        (Path(folder) / "configuration.yaml").touch()
        async with async_test_home_assistant(config_dir=folder) as hass:
            hass.data.pop(loader.DATA_CUSTOM_COMPONENTS)
            frame.async_setup(hass)
            hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True, connect=closed)
            yield hass
            await hass.async_stop(force=True)


@asynccontextmanager
async def home_assistant() -> AsyncIterator[tuple[HomeAssistant, Broker]]:
    """Start a Home Assistant that is connected to a broker."""
    broker = Broker()
    with patch.object(core_client, "AsyncMQTTClient", lambda **_: broker):
        async with quiet() as hass:
            entry = MockConfigEntry(
                domain=mqtt.DOMAIN,
                data={"broker": "nowhere", "protocol": "5"},
                options={"birth_message": {}, "discovery": True},
                version=mqtt.CONFIG_ENTRY_VERSION,
                minor_version=mqtt.CONFIG_ENTRY_MINOR_VERSION,
            )
            entry.add_to_hass(hass)
            await hass.config_entries.async_setup(entry.entry_id)
            await hass.async_block_till_done()
            await asyncio.sleep(2 * core_client.INITIAL_SUBSCRIBE_COOLDOWN)
            yield hass, broker


async def live(options: argparse.Namespace) -> None:
    """Measure the phases one after another."""
    async with home_assistant() as (hass, broker):
        house = House(hass, broker, options.mode)
        await house.warm_up()
        everyone = range(1, options.sockets + 1)
        prepared = {
            phase: messages_of(phase, everyone, rounds_of(phase, options.sockets))
            for phase in PHASES[1:]
        }
        gc.collect()
        gc.freeze()
        if options.memory:
            tracemalloc.start()
        resident = resident_bytes()
        states, registered = len(hass.states.async_entity_ids()), entities(hass)
        unheard = silent(hass)
        subscriptions = broker.subscriptions
        for phase in PHASES:
            # Core keeps what it found for a topic until anybody subscribes, as we do to read a
            # socket back: so the first message is dearer.
            if phase == "changed":
                await asyncio.sleep(_SETTLED)
                await house.play(messages_of("first", everyone))
            if phase == "foreign":
                await house.play(messages_of(phase, everyone))
            # Else a look at all that a large house holds falls into one phase or another.
            gc.collect()
            announce(phase)
            began = time.process_time()
            with house.counting() as written:
                if phase == "set_up":
                    await house.add(everyone)
                else:
                    await house.play(prepared[phase])
            report(
                phase=phase,
                cpu=time.process_time() - began,
                messages=len(prepared.get(phase, ())),
                written=written[0],
            )
        gc.collect()
        report(
            phase="house",
            states=len(hass.states.async_entity_ids()) - states,
            entities=entities(hass) - registered,
            silent=silent(hass) - unheard,
            subscriptions=broker.subscriptions - subscriptions,
            memory=tracemalloc.get_traced_memory()[0] if options.memory else None,
            resident=resident_bytes() - resident,
        )
        announce("command")
        report(phase="command", **await commanded(house, everyone))


async def commanded(house: House, numbers: Sequence[int]) -> dict[str, float]:
    """Switch each relay several times, and return what that took, with the times in seconds.

    They are medians: in a few of many commands, another process had the processor meanwhile.
    """
    often = max(1, COMMANDS * 100 // max(len(numbers), 100))
    times = [await house.toggle(number) for _ in range(often) for number in numbers]
    sent, shown = (statistics.median(each) for each in zip(*times, strict=True))
    return {"commands": len(times), "to_broker": sent, "to_state": shown}


def entities(hass: HomeAssistant) -> int:
    """Return how many entities there are, disabled ones included."""
    return len(er.async_get(hass).entities)


def silent(hass: HomeAssistant) -> int:
    """Return how many entities have no value."""
    nothing = (STATE_UNAVAILABLE, STATE_UNKNOWN)
    return sum(state.state in nothing for state in hass.states.async_all())


def resident_bytes() -> int:
    """Return how much memory this process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def announce(phase: str) -> None:
    """Say what comes next, and wait for leave to do it."""
    print(json.dumps({"next": phase}), flush=True)
    sys.stdin.readline()


def report(**figures: object) -> None:
    """Print figures for whoever started this."""
    print(json.dumps(figures), flush=True)


def main() -> None:
    """Parse the arguments and live."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("sockets", type=int)
    parser.add_argument("--memory", action="store_true", help="trace memory")
    asyncio.run(live(parser.parse_args()))


if __name__ == "__main__":
    main()
