"""A Home Assistant and its sockets on a real broker, on simulated time, and what must be so when all is well."""

# Must come first: everything goes by simulated time, one names our folder before the harness does,
# one fits the harness to core.
import soak.simulated  # noqa: F401  # isort: skip

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
import gc
import logging
from pathlib import Path
from random import Random
import sys
import tempfile
import time
from typing import Any, Final, override

from homeassistant import loader
from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er, frame, issue_registry as ir
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_test_home_assistant,
)

from custom_components.openbk.const import DOMAIN
from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from custom_components.openbk.network.firmware import RELEASE_INDEX
from custom_components.openbk.pyopenbk.obk.messages import topic_of
from custom_components.openbk.pyopenbk.quantities import (
    DIAGNOSTICS,
    ENERGY,
    ENERGY_TODAY,
    METER,
)
from simulator.openbeken import Publication
from tests.support.broker import Broker
from tests.support.simulated import PluggedSocket, configuration
from tests.support.sockets import BLOW, connect_mqtt, socket_entry

from .findings import Invariant, Violation
from .line import Line

BUTTON: Final = 11
# Sockets look for their broker every 15 s, Home Assistant every 10 s; a list takes 12 s, a meter
# speaks once a minute, and one that seems to be gone is asked after 5 s and 60 s.
_TRUE_WITHIN: Final = 600.0
_LOOK_EVERY: Final = 5.0
QUIET: Final = 900.0
"""Seconds in which nothing happens: issues about two sockets on one topic go after ten minutes."""
# Home Assistant notices a connection that is no more when a PINGREQ of each minute is not answered.
_NOTICED_WITHIN: Final = 150.0
# What is shown just as it is told: what is computed from three readings is not what the firmware
# makes of them, and days mean nothing before the socket has the time.
_TOLD: Final = {
    item.key
    for item in (*METER, *DIAGNOSTICS)
    if not item.computed and item.factor == 1.0 and not item.needs_clock
} | {"ip", "ssid", "build"}
# A list of what a socket says takes 12 s, and its seconds are no more exact than its crystal.
_LATE: Final = 60.0
# kWh: the digits of a message, and pulses of a second that began under another load.
_ROUNDED: Final = 0.001
_UNSURE: Final = 1.01
# Messages to each socket while it is quiet: its clock is looked after.
_MOST_ASKED: Final = 10
# Of memory, some 60 bytes each; the interpreter and core come and go by some hundred.
_MORE_BLOCKS: Final = 5000
_OPENBK: Final = "custom_components.openbk"
# That a socket started again and again is told for a day.
_FOR_A_DAY: Final = "restarts_"
_OF_MQTT: Final = ("homeassistant.components.mqtt", "paho.mqtt")
# Simulated sockets make use of the library, too.
_COUNTED: Final = tuple(
    f"{_OPENBK}.{room}" for room in ("entity", "flows", "issues", "live", "network")
)


@dataclass
class HouseSocket:
    """A socket in the wall, what it said last, and its entry."""

    plugged: PluggedSocket
    entry: MockConfigEntry
    client_id: str
    said: dict[str, str] = field(default_factory=dict)
    """By what follows the client id in the topic."""
    shared: bool = False
    """Another socket spoke on its topic, so nobody can tell how much of the energy is its own."""

    @property
    def is_on(self) -> bool:
        """Return whether the relay is closed."""
        return self.plugged.firmware.running and self.plugged.firmware.relay(1)


class _Ear(logging.Handler):
    """Keeps what must not be in a log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.bad: list[str] = []
        self.ours = 0
        """Warnings of the integration."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        ours = record.name.startswith(_OPENBK)
        # Core and its client say that way that the broker is gone.
        expected = record.name.startswith(_OF_MQTT) and (
            record.exc_info is None
            or issubclass(record.exc_info[0] or OSError, OSError)
        )
        if (record.exc_info or record.levelno >= logging.ERROR) and not expected:
            text = self.format(record)
            self.bad.append(f"{record.name}: {text[-2000:]}")
        self.ours += ours


@dataclass(frozen=True, slots=True)
class _Range:
    """Where a number has to be."""

    least: float
    most: float


@dataclass(frozen=True, slots=True)
class _Moment:
    """When something was, in seconds since 1970."""

    seconds: float


type _Truth = str | _Range | _Moment | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A command that was given and taken."""

    moment: float
    topic: str
    payload: bytes


class House:
    """So many sockets, lived with."""

    def __init__(
        self, hass: HomeAssistant, broker: Broker, line: Line, random: Random
    ) -> None:
        """Begin without sockets."""
        self.hass = hass
        self.broker = broker
        self.line = line
        self.random = random
        self.sockets: list[HouseSocket] = []
        self.ear = _Ear()
        self.flood = 0
        """How many strangers speak at once when they do."""
        self.quiet = QUIET
        """How many seconds nothing happens before it is looked at what is left of a trouble."""
        self.refused = 0
        self.commands = 0
        self.messages = 0
        self._asked: list[_Asked] = []
        self._figures: Counter[str] | None = None
        self._of_others = _objects()
        """What is left of a house before."""
        self._excused: set[str] = set()
        """Entities that were found wrong already."""
        self.blocks: list[int] = []
        """How much memory was in use after each round."""

    async def move_in(self, count: int) -> None:
        """Plug sockets in and set them up, all at once."""
        for number in range(1, count + 1):
            self._add(number)
        for socket in self.sockets:
            socket.plugged.power_on()
        entries = self.hass.config_entries
        await entries.async_setup(self.sockets[0].entry.entry_id)
        await self.hass.async_block_till_done()
        # Somebody wants to see everything.
        registry = er.async_get(self.hass)
        for socket in self.sockets:
            entry_id = socket.entry.entry_id
            for item in er.async_entries_for_config_entry(registry, entry_id):
                registry.async_update_entity(item.entity_id, disabled_by=None)
            await entries.async_reload(entry_id)
        await self.becomes_true()

    async def move_out(self) -> None:
        """Take the power away."""
        await asyncio.gather(*(item.plugged.power_off() for item in self.sockets))

    def _add(self, number: int) -> None:
        mac = f"c8:47:8c:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
        client_id = f"obk8C{number:06X}"
        said: dict[str, str] = {}
        plugged = PluggedSocket(
            configuration(self.broker, BLOW, mac),
            mac,
            speed=1.0,
            watts=60.0 + number,
            on_publish=partial(_note, said, client_id),
        )
        entry = socket_entry(BLOW, mac, client_id)
        # Alike names would cost core many tries.
        object.__setattr__(entry, "title", f"Socket {number}")
        entry.add_to_hass(self.hass)
        self.sockets.append(HouseSocket(plugged, entry, client_id, said))

    # Life

    async def live(self, seconds: float) -> None:
        """Switch, press and plug in as people do, for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, self.random.expovariate(1 / 60)))
            socket = self.random.choice(self.sockets)
            match self.random.randrange(4):
                case 0:
                    socket.plugged.firmware.press_button(BUTTON)
                case 1:
                    socket.plugged.meter.set_load(self.random.uniform(5, 2000))
                case _:
                    await self._switch(socket)

    async def _switch(self, socket: HouseSocket) -> None:
        entity_id = self.entity_of(socket, "switch", "relay_1")
        state = self.hass.states.get(entity_id)
        if state is None or state.state == "unavailable":
            return
        on = self.random.random() < 0.5
        asked = _Asked(
            time.monotonic(), f"{socket.client_id}/1/set", b"01"[on : on + 1]
        )
        service = "turn_on" if on else "turn_off"
        self.commands += 1
        try:
            await self.hass.services.async_call(
                "switch", service, {"entity_id": entity_id}, blocking=True
            )
        except HomeAssistantError:
            self.refused += 1
        else:
            self._asked.append(asked)

    def entity_of(self, socket: HouseSocket, domain: str, key: str) -> str:
        """Return the id of an entity."""
        registry = er.async_get(self.hass)
        unique_id = f"{socket.entry.unique_id}_{key}"
        return registry.async_get_entity_id(domain, DOMAIN, unique_id) or ""

    # What must be so

    def forgive(self) -> None:
        """Take what is there now for what is to be; something was found, and may be found again."""
        self._excused |= {wrong.partition(" ")[0] for wrong in self.differences()}
        self._asked.clear()
        self.line.sent.clear()
        self.ear.bad.clear()
        self.ear.ours = 0

    async def becomes_true(self) -> float:
        """Wait until every entity shows what its socket says; return how long it took."""
        began = time.monotonic()
        while wrong := [*self.differences()]:
            if time.monotonic() - began > _TRUE_WITHIN:
                raise Violation(Invariant.TRUTH, "; ".join(wrong[:5]))
            await asyncio.sleep(_LOOK_EVERY)
        return time.monotonic() - began

    def differences(self) -> Iterator[str]:
        """Yield where an entity shows something else than its socket says."""
        registry = er.async_get(self.hass)
        for socket in self.sockets:
            start = f"{socket.entry.unique_id}_"
            for item in er.async_entries_for_config_entry(
                registry, socket.entry.entry_id
            ):
                if item.disabled_by is not None or item.entity_id in self._excused:
                    continue
                key = item.unique_id.removeprefix(start)
                state = self.hass.states.get(item.entity_id)
                shown = state.state if state else "missing"
                wanted = self._truth(socket, key)
                if shown in ("missing", "unavailable") or not _agrees(shown, wanted):
                    yield f"{item.entity_id} shows {shown}, not {wanted}"

    def _truth(self, socket: HouseSocket, key: str) -> _Truth:
        """Return what a socket says of a key, None where that is not told by it."""
        if key == "relay_1":
            return "on" if socket.is_on else "off"
        if key == "last_restart":
            return _Moment(time.time() - socket.plugged.firmware.uptime)
        if (said := socket.said.get(topic_of(key))) is None:
            return None
        if key in (ENERGY.key, ENERGY_TODAY.key) and socket.shared:
            return None
        if key in (ENERGY.key, ENERGY_TODAY.key):
            # What a socket forgets with a power cut is still counted here, but nothing that never was.
            counted = socket.plugged.meter.energy_wh / 1000
            least = float(said) / 1000 if key == ENERGY.key else 0.0
            return _Range(least - _ROUNDED, counted * _UNSURE + _ROUNDED)
        return said if key in _TOLD else None

    async def is_quiet(self, warm: int) -> None:
        """Let a while pass in which nothing happens, and see that all is as at the beginning.

        After ``warm`` rounds everything has happened once, and no more memory may be taken.
        """
        before = len(self.line.sent)
        await asyncio.sleep(self.quiet)
        asked = (len(self.line.sent) - before) / len(self.sockets)
        if asked > _MOST_ASKED:
            raise Violation(Invariant.QUIET, f"{asked:.0f} messages to each socket")
        await self.becomes_true()
        self._judge_commands()
        self._judge_log()
        await self._judge_figures()
        self.messages += self.line.heard
        self.line.heard = 0
        self.line.sent.clear()
        self.line.broken.clear()
        self.blocks.append(sys.getallocatedblocks())
        if len(self.blocks) > warm:
            most = max(self.blocks[: warm + 1]) + _MORE_BLOCKS
            if self.blocks[-1] > most:
                raise Violation(
                    Invariant.GROWTH, f"{self.blocks[-1]} blocks, not {most}"
                )

    def _judge_commands(self) -> None:
        """See that each command went out once, or that its loss could be seen."""
        sent = [item for item in self.line.sent if item[1].endswith("/set")]
        for asked in self._asked:
            for item in sent:
                moment, *said = item
                if said == [asked.topic, asked.payload] and moment >= asked.moment:
                    sent.remove(item)
                    break
            else:
                # It was on its way when the connection broke, so that everything became unavailable.
                if not any(
                    0 <= moment - asked.moment < _NOTICED_WITHIN
                    for moment in self.line.broken
                ):
                    raise Violation(Invariant.COMMANDS, f"{asked} was lost")
        self._asked.clear()
        if sent:
            raise Violation(Invariant.COMMANDS, f"nobody asked for {sent[:3]}")

    def _judge_log(self) -> None:
        bad, self.ear.bad = self.ear.bad, []
        if bad:
            raise Violation(Invariant.LOG, f"{len(bad)}, first: {bad[0]}")
        warnings, self.ear.ours = self.ear.ours, 0
        if warnings > 20 * (1 + len(self.sockets)):
            raise Violation(Invariant.LOG, f"{warnings} warnings")

    async def _judge_figures(self) -> None:
        """See that nothing is there that was not there at the beginning; what is under way may end."""
        before = self._figures
        began = time.monotonic()
        while True:
            figures = self.figures()
            if before is None:
                self._figures = figures
                return
            grown = {
                name: (before[name], count)
                for name, count in figures.items()
                if count > max(before[name], self._most(name))
            }
            if not grown:
                return
            if time.monotonic() - began > _TRUE_WITHIN:
                # It is told once.
                before.update({name: now - was for name, (was, now) in grown.items()})
                raise Violation(Invariant.GROWTH, f"{grown}")
            await asyncio.sleep(_TRUE_WITHIN / 3)

    def _most(self, name: str) -> int:
        """Return how many there may be although there were fewer at the beginning."""
        if name.startswith("timer"):
            return len(self.sockets)
        # What there is one of for all is made when it is needed.
        return 1 if name.startswith("object") else 0

    def figures(self) -> Counter[str]:
        """Count what must not grow."""
        hass = self.hass
        figures: Counter[str] = Counter()
        client = hass.data["mqtt"].client
        figures["subscriptions"] = len([*client.subscriptions])
        figures["flows"] = len(
            hass.config_entries.flow.async_progress(include_uninitialized=True)
        )
        for event, count in hass.bus.async_listeners().items():
            if event == EVENT_HOMEASSISTANT_FINAL_WRITE:
                # Somebody has something to save.
                continue
            figures[f"listeners of {event}"] = count
        figures["to be done on unload"] = sum(
            len(item.entry._on_unload or ())  # noqa: SLF001
            for item in self.sockets
        )
        for issue in ir.async_get(hass).issues.values():
            if issue.domain == DOMAIN and issue.active:
                if issue.issue_id.startswith(_FOR_A_DAY):
                    continue
                figures[f"issue {issue.issue_id}"] += 1
        for task in asyncio.all_tasks(hass.loop):
            if _OPENBK.replace(".", "/") in _file_of(task):
                figures[f"task {_name_of(task)}"] += 1
        for handle in hass.loop._scheduled:  # type: ignore[attr-defined]  # noqa: SLF001
            if not handle.cancelled():
                called = _called(handle._callback)  # noqa: SLF001
                if called.startswith(_OPENBK):
                    figures[f"timer {called}"] += 1
        figures.update(_objects() - self._of_others)
        return figures


def _objects() -> Counter[str]:
    """Count the objects of ours, by their class."""
    gc.collect()
    found: Counter[str] = Counter()
    for kind, count in Counter(map(type, gc.get_objects())).items():
        if str(kind.__module__).startswith(_COUNTED):
            found[f"object {kind.__module__}.{kind.__qualname__}"] += count
    return found


def _note(said: dict[str, str], client_id: str, message: Publication) -> None:
    suffix = message.topic.removeprefix(f"{client_id}/")
    said[suffix] = message.payload.decode(errors="replace")


def _agrees(shown: str, wanted: _Truth) -> bool:
    if wanted is None or shown == wanted:
        return True
    try:
        if isinstance(wanted, _Moment):
            moment = datetime.fromisoformat(shown).timestamp()
            return abs(moment - wanted.seconds) < _LATE
        number = float(shown)
        if isinstance(wanted, _Range):
            return wanted.least <= number <= wanted.most
        return number == float(wanted)
    except ValueError:
        return False


def _file_of(task: asyncio.Task[Any]) -> str:
    code = getattr(task.get_coro(), "cr_code", None)
    return str(code.co_filename) if code else ""


def _name_of(task: asyncio.Task[Any]) -> str:
    return str(getattr(task.get_coro(), "__qualname__", task.get_name()))


def _called(called: Any) -> str:
    while isinstance(called, partial):
        called = called.func
    return f"{getattr(called, '__module__', '')}.{getattr(called, '__qualname__', '')}"


@asynccontextmanager
async def house(seed: str) -> AsyncIterator[House]:
    """Start a broker, a line to it and a Home Assistant; no socket is there yet."""
    with (
        tempfile.TemporaryDirectory(prefix="openbk-soak-") as folder,
        Broker(keeps=True) as broker,
    ):
        (Path(folder) / "configuration.yaml").touch()
        async with (
            Line(broker.host, broker.port) as line,
            async_test_home_assistant(config_dir=folder) as hass,
        ):
            hass.data.pop(loader.DATA_CUSTOM_COMPONENTS)
            frame.async_setup(hass)
            hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True)
            # Nobody looks for releases on the internet; nothing listens there.
            hass.data[RELEASE_INDEX] = "http://127.0.0.1:1"
            home = House(hass, broker, line, Random(seed))
            root = logging.getLogger()
            root.addHandler(home.ear)
            try:
                await connect_mqtt(hass, line)
                yield home
            finally:
                await home.move_out()
                root.removeHandler(home.ear)
                with suppress(TimeoutError):
                    await hass.async_stop(force=True)
