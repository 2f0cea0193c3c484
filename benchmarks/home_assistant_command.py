"""Relays that are switched over a real broker, by turns in each way to have the same sockets.

All sockets are in one Home Assistant, and what answers for them is a process of its own: so whatever
else the machine does meets all of them alike. Prints the median seconds of each way as JSON.
"""

# Must come first: one names our folder before the harness does, one fits the harness to core.
import custom_components  # noqa: F401  # isort: skip
import tests.support.harness  # noqa: F401  # isort: skip

import argparse
import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
import json
import statistics
import sys
import time
from typing import Final

from homeassistant.components import mqtt
from homeassistant.const import EVENT_STATE_CHANGED, STATE_OFF, STATE_ON
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from custom_components.openbk.pyopenbk.obk.discovery_payload import discovery_topic
from tests.support.broker import Broker
from tests.support.sockets import connect_mqtt

from .home_assistant_house import (
    MODES,
    client_id,
    mac,
    native_entry,
    payload_of,
    quiet,
    relay,
    turn,
)

_APART: Final = 1000
"""Between the numbers of the sockets of one mode and those of the next."""
_ALL_THERE_WITHIN: Final = 120.0

type Numbers = Mapping[str, range]
"""Those of the sockets of each mode."""


def answer(port: int) -> None:
    """Be all relays there are: say what they became, and print when each was told."""
    values: dict[str, bytes] = defaultdict(lambda: b"0")
    client = Client(CallbackAPIVersion.VERSION2)

    def heard(_: Client, __: object, message: MQTTMessage) -> None:
        moment = time.monotonic()
        name, verb = message.topic.rsplit("/", 1)
        if verb == "get":
            if not message.payload:
                client.publish(message.topic, values[name])
            return
        values[name] = message.payload
        client.publish(f"{name}/get", message.payload)
        print(moment, flush=True)

    client.on_message = heard
    client.connect("127.0.0.1", port)
    client.subscribe([("+/1/set", 0), ("+/1/get", 0)])
    client.loop_forever()


@asynccontextmanager
async def answering(broker: Broker) -> AsyncIterator[asyncio.StreamReader]:
    """Run what answers in a process of its own; yield what that prints."""
    command = [sys.executable, "-m", __spec__.name, "--answer", str(broker.port)]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.kill()
        await process.wait()


async def add(hass: HomeAssistant, numbers: Numbers) -> None:
    """Let Home Assistant know all sockets, and wait until their relays have a state."""
    for number in numbers["openbk"]:
        native_entry(number).add_to_hass(hass)
    first = next(iter(hass.config_entries.async_entries("openbk")))
    await hass.config_entries.async_setup(first.entry_id)
    for mode in MODES[1:]:
        for number in numbers[mode]:
            topic = discovery_topic(mqtt.DEFAULT_PREFIX, mac(number))
            await mqtt.async_publish(hass, topic, payload_of(number, mode), retain=True)
    everyone = [(mode, number) for mode in MODES for number in numbers[mode]]
    for _, number in everyone:
        name = client_id(number)
        await mqtt.async_publish(hass, f"{name}/connected", "online", retain=True)
    async with asyncio.timeout(_ALL_THERE_WITHIN):
        while not all(has_state(hass, mode, number) for mode, number in everyone):
            for _, number in everyone:
                await mqtt.async_publish(hass, f"{client_id(number)}/1/get", "")
            await asyncio.sleep(1)


def has_state(hass: HomeAssistant, mode: str, number: int) -> bool:
    """Return whether a relay is known to be on or off."""
    registry = er.async_get(hass)
    if not any(
        entry.unique_id == f"{mac(number)}_relay_1"
        for entry in registry.entities.values()
    ):
        return False
    return hass.states.is_state(relay(hass, mode, number), STATE_OFF)


class Stopwatch:
    """Switches relays, and notes what that takes."""

    def __init__(self, hass: HomeAssistant, told: asyncio.StreamReader) -> None:
        """Take Home Assistant and what prints when a relay was told."""
        self._hass = hass
        self._told = told
        self._awaited = ("", "")
        self._shown: asyncio.Future[float] = hass.loop.create_future()
        hass.bus.async_listen(EVENT_STATE_CHANGED, self._changed)

    @callback
    def _changed(self, event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if state is not None and (state.entity_id, state.state) == self._awaited:
            self._shown.set_result(time.monotonic())

    async def toggle(self, entity: str) -> tuple[float, float]:
        """Switch a relay over; return the seconds to the socket, and from there to the state."""
        on = self._hass.states.is_state(entity, STATE_OFF)
        self._awaited = entity, STATE_ON if on else STATE_OFF
        self._shown = self._hass.loop.create_future()
        began = time.monotonic()
        await turn(self._hass, entity, on)
        shown = await self._shown
        told = float(await self._told.readline())
        return told - began, shown - told


async def measure(sockets: int, rounds: int) -> dict[str, dict[str, float]]:
    """Return the median seconds to the socket and from there to the state, of each mode."""
    numbers = {
        mode: range(1 + _APART * place, 1 + _APART * place + sockets)
        for place, mode in enumerate(MODES)
    }
    with Broker() as broker:
        async with quiet() as hass, answering(broker) as told:
            entry = await connect_mqtt(hass, broker)
            await add(hass, numbers)
            await hass.async_block_till_done()
            watch = Stopwatch(hass, told)
            times: dict[str, list[tuple[float, float]]] = {mode: [] for mode in MODES}
            for number in range(rounds * sockets):
                for mode in MODES:
                    entity = relay(hass, mode, numbers[mode][number % sockets])
                    times[mode].append(await watch.toggle(entity))
            for ours in hass.config_entries.async_entries("openbk"):
                await hass.config_entries.async_unload(ours.entry_id)
            await hass.config_entries.async_unload(entry.entry_id)
    return {mode: dict(medians(each)) for mode, each in times.items()}


def medians(times: list[tuple[float, float]]) -> Iterator[tuple[str, float]]:
    """Yield the medians of both ways and of their sum."""
    to_socket, to_state = zip(*times, strict=True)
    yield "to_socket", statistics.median(to_socket)
    yield "to_state", statistics.median(to_state)
    yield "all", statistics.median(map(sum, times))


def main() -> None:
    """Parse the arguments; measure, or answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--answer", type=int, metavar="PORT")
    options = parser.parse_args()
    if options.answer:
        answer(options.answer)
        return
    print(json.dumps(asyncio.run(measure(options.sockets, options.rounds))))


if __name__ == "__main__":
    main()
