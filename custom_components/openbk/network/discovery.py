"""Sockets that run OpenBeken already: notice them, ask them, follow them."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from secrets import token_hex
from typing import Any, Final

from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.device_registry import format_mac
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo

from ..const import (
    CONF_ADDRESS,
    CONF_CLIENT_ID,
    CONF_ENERGY_IN_KWH,
    CONF_FIRMWARE,
    CONF_GROUP,
    CONF_LABELS,
    CONF_MAC,
    CONF_PROFILE,
    CONF_TUNED,
    CONF_UNDO,
    DOMAIN,
    LOGGER,
)
from ..helpers import utc_offset
from ..pyopenbk.meters import BL0942, METERS
from ..pyopenbk.obk import builds, messages, readings, tuning as tuning_of_socket
from ..pyopenbk.obk.console import Console, NotAnAnswerError, UnreachableError
from ..pyopenbk.obk.messages import Change, Value
from ..pyopenbk.obk.names import group_of, identity_of
from ..pyopenbk.obk.startup import meter_of, runs_lines
from ..pyopenbk.obk.tuning import Proposal, Tuning, propose, propose_by_topics
from ..pyopenbk.profile import HIGHEST_CHANNEL, PinAssignment, SocketProfile
from ..pyopenbk.quantities import CURRENT, ENERGY, FREQUENCY, POWER, VOLTAGE
from ..pyopenbk.roles import PinRole
from .addresses import told_address
from .consoles import SOCKET_ACCESS, console_at
from .mqtt import ensure_connected, publish, subscribed

# The list of a socket takes 12 s, one item a second; a busy broker may add some.
_LIST_TIMEOUT: Final = 20.0
# A socket without a meter says nothing of one; one with a meter that cannot be asked speaks at least
# every 61 s.
_PARTS_TIMEOUT: Final = 65.0
# One that can be asked answers at once; its channels end the list, one a second.
_ANSWERED_WITHIN: Final = 12.0
_CHANNELS_TIMEOUT: Final = 3.0
_METER_KEYS: Final = frozenset({VOLTAGE.key, CURRENT.key, POWER.key, ENERGY.key})
_HEARD: Final = ("build", "mac", "ip", "host")
# A relay may be on any of these.
_CHANNELS: Final = range(HIGHEST_CHANNEL + 1)
# The pins of a guess are unknown; there are no more of them than a chip has.
_GUESSED_PINS: Final = range(9, 29)
# The broker replays what it retained at once; the rest is for a slow one.
_RETAINED_TIMEOUT: Final = 3.0
_CONNECTED: Final = "+/connected"
_RETAINED_SOON: Final = 0.3
# Its MAC is the third item of the list.
_WHO_TIMEOUT: Final = 5.0
# Who they are comes first in the list. One who waits in a dialog waits no longer than this.
_FIND_TIMEOUT: Final = 12.0
_MOST_FOUND: Final = 50
# More than anybody has; a broker may hold any number of topics.
_MOST_ONLINE: Final = 5000


@dataclass(slots=True, kw_only=True)
class Evidence:
    """What a socket said over MQTT."""

    client_id: str
    values: dict[str, Value] = field(default_factory=dict)
    given_address: str | None = None
    """Where a person said that it is: an address or a host name."""
    chip: str | None = None
    """What it told over HTTP; an older release does not name its chip over MQTT."""
    without_get: bool = False
    """It leaves out the end of its topics (flag 50), so an entry would wait for it in vain."""

    @property
    def mac(self) -> str | None:
        """Return the MAC in lower case with colons."""
        return _text(self.values.get("mac"))

    @property
    def build(self) -> str | None:
        """Return the build text, as today's releases say it where its chip is known."""
        said = _text(self.values.get("build"))
        return None if said is None else builds.in_todays_words(said, self.chip)

    @property
    def address(self) -> str | None:
        """Return where its web page is, if that is known."""
        return self.given_address or _text(self.values.get("ip"))

    @property
    def is_socket(self) -> bool:
        """Return whether this is OpenBeken, on whatever chip."""
        return self.mac is not None and self.build is not None

    @property
    def channels(self) -> tuple[int, ...]:
        """Return the channels that answered."""
        channels = map(messages.channel_of, self.values)
        return tuple(sorted(each for each in channels if each is not None))

    @property
    def has_meter(self) -> bool:
        """Return whether a measured value was heard."""
        return not _METER_KEYS.isdisjoint(self.values)

    def proposal(self) -> Proposal:
        """Return what has to be changed, as far as MQTT alone can tell."""
        return propose_by_topics() if self.without_get else Proposal()

    def guess_profile(self) -> SocketProfile:
        """Return what MQTT alone can tell: relays by channel, and a meter.

        The pins are unknown, so they are numbered as they come; nothing of it is ever written
        into the socket. A channel that answers may also be an LED, which the person knows. Which
        meter it is only the frequency tells, which one kind alone says.
        """
        pins = [
            PinAssignment(pin=pin, role=PinRole.REL, channel=channel)
            for pin, channel in zip(_GUESSED_PINS, self.channels, strict=False)
        ]
        profile = SocketProfile.of(pins)
        if FREQUENCY.key in self.values:
            return profile.with_meter(BL0942)
        return replace(profile, metered=self.has_meter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a socket said over HTTP."""

    mac: str
    client_id: str
    chip: str
    profile: SocketProfile
    flags: int | None = None
    startup_command: str | None = None
    """Both are None where this build does not tell them."""
    boot_scripts: tuple[str, ...] = ()
    channel_types: tuple[int, ...] = ()
    """Empty where no channel needs one."""
    build: str = ""
    labels: Mapping[int, str] = field(default_factory=dict)
    """What it calls its relays, by channel."""
    group: str | None = None
    """The topic that it shares with others, None where it does not tell."""

    def is_of(self, mac: str, client_id: str) -> bool:
        """Return whether this is the socket with a MAC; of one that many have, the topic decides."""
        own = identity_of(format_mac(self.mac), self.client_id)
        return own == identity_of(format_mac(mac), client_id)

    def proposal(self, offset: timedelta | None = None) -> Proposal:
        """Return what is worth changing in the socket; its clock is as far from UTC as this one.

        Without ``offset`` it shows Home Assistant's time. What it is set to must be known.
        """
        if self.flags is None or self.startup_command is None:
            return Proposal()
        return propose(
            self.profile,
            utc_offset() if offset is None else offset,
            flags=self.flags,
            startup_command=self.startup_command,
            lines=runs_lines(self.build),
            files=self.boot_scripts,
            channel_types=self.channel_types,
        )


def client_id_of(info: MqttServiceInfo) -> str | None:
    """Return whose build this is, or None if it is not an OpenBeken's."""
    client_id, _, suffix = info.topic.partition("/")
    if suffix != "build" or not messages.is_root_of_topics(client_id):
        return None
    return client_id if builds.is_build(str(info.payload)) else None


async def async_gather(
    hass: HomeAssistant,
    client_id: str,
    *,
    parts: bool = False,
    seconds: float = _LIST_TIMEOUT,
) -> Evidence:
    """Ask a socket for its list over MQTT and return what it said.

    Ends as soon as the socket said who it is, at the latest after ``seconds``; what it left unsaid
    is missing. With ``parts``, which may take a minute, also its channels and its meter. Raises
    NotConnectedError.
    """
    ensure_connected(hass)
    evidence = Evidence(client_id=client_id)
    keys = [*_HEARD]
    if parts:
        keys += [*_METER_KEYS, FREQUENCY.key, *map(messages.channel_key, _CHANNELS)]

    def complete() -> bool:
        said_who = all(key in evidence.values for key in _HEARD)
        return said_who and (
            not parts or (evidence.has_meter and bool(evidence.channels))
        )

    question = None
    async with _listening(hass, evidence, keys) as heard:
        await publish(hass, messages.publish_all(client_id))
        try:
            async with asyncio.timeout(_PARTS_TIMEOUT if parts else seconds) as limit:
                while not complete():
                    heard.clear()
                    await heard.wait()
                    if (
                        question is None
                        and parts
                        and all(map(evidence.values.get, _HEARD))
                    ):
                        question = readings.question(
                            client_id, evidence.build or "", in_kwh=None
                        )
                        if question is not None:
                            await publish(hass, question)
                            limit.reschedule(hass.loop.time() + _ANSWERED_WITHIN)
                if parts:
                    # Channels end the list, one a second.
                    await asyncio.sleep(_CHANNELS_TIMEOUT)
        except TimeoutError:
            LOGGER.debug("%s left something unsaid", client_id)
    return evidence


async def async_ask(
    hass: HomeAssistant, address: str, password: str | None = None
) -> Answers:
    """Ask a socket for its pins and settings over HTTP.

    Raises PasswordError where it wants a password, and another ConsoleError where it is closed
    or something else lives at the address.
    """
    console = console_at(hass, address, password)
    info = await console.info()
    answers = Answers(
        mac=info.mac,
        client_id=info.client_id,
        chip=info.chip,
        build=info.build,
        profile=await console.pins(),
    )
    with suppress(NotAnAnswerError):
        answers = replace(answers, group=await console.group())
    with suppress(NotAnAnswerError):
        if len(answers.profile.relays) > 1:
            answers = replace(answers, labels=await console.labels())
        answers = replace(
            answers, profile=_with_meter(answers.profile, await console.drivers())
        )
    try:
        command = await console.startup_command()
        if (meter := answers.profile.serial_meter) is not None and (
            started := meter_of(command)
        ) is not None:
            # It is told at which rate, too.
            answers = replace(
                answers, profile=answers.profile.with_meter(meter, started[1])
            )
        return replace(
            answers,
            flags=await console.flags(),
            startup_command=command,
            boot_scripts=await console.boot_scripts(),
            channel_types=await console.channel_types()
            if answers.profile.two_coil_channels
            else (),
        )
    except NotAnAnswerError as err:
        # A build that does not tell it is left as it is.
        LOGGER.debug("%s does not tell its settings: %s", info.client_id, err)
        return answers


def _with_meter(profile: SocketProfile, drivers: Iterable[str]) -> SocketProfile:
    """Return the profile with the serial meter whose driver runs, if there is one."""
    for name in drivers:
        meter = METERS.get(name.upper())
        if meter is not None and meter.is_serial:
            return profile.with_meter(meter)
    return profile


def entry_data(
    evidence: Evidence,
    profile: SocketProfile,
    *,
    tuned: bool,
    undo: Mapping[str, list[str]],
    in_kwh: bool | None,
    labels: Mapping[int, str] | None = None,
    group: str | None = None,
) -> dict[str, Any]:
    """Return the data of the entry of a discovered socket.

    ``undo`` takes back the tuning; ``in_kwh`` is whether it counts energy in kWh, if that is known.
    Without a ``group`` it has that of its chip.
    """
    known: dict[str, Any] = {}
    if in_kwh is not None:
        known[CONF_ENERGY_IN_KWH] = in_kwh
    if labels:
        known[CONF_LABELS] = {str(channel): name for channel, name in labels.items()}
    return known | {
        CONF_MAC: evidence.mac,
        CONF_CLIENT_ID: evidence.client_id,
        CONF_GROUP: group or group_of(builds.chip_of(evidence.build or "")),
        CONF_PROFILE: profile.as_dict(),
        CONF_ADDRESS: evidence.address,
        CONF_FIRMWARE: evidence.build,
        CONF_TUNED: tuned,
        CONF_UNDO: dict(undo),
    }


async def async_tune(
    hass: HomeAssistant,
    client_id: str,
    tuning: Tuning,
    console: Console | None,
    *,
    build: str | None,
) -> None:
    """Make a change that the person agreed to, and see it made where the web page is open.

    ``build`` is what the socket runs. Raises ConsoleError where the socket did not take it over or
    answered no more, and NotConnectedError where it could not be sent.
    """
    if console is None:
        await _send_lines(hass, client_id, build, tuning.commands)
    else:
        await tuning_of_socket.apply(console, tuning, hass.data[SOCKET_ACCESS].sleep)


async def async_take_back(
    hass: HomeAssistant,
    client_id: str,
    undo: Iterable[str],
    console: Console | None,
    *,
    build: str | None,
) -> None:
    """Take one change back; raises as ``async_tune``."""
    if console is None:
        await _send_lines(hass, client_id, build, undo)
    else:
        await tuning_of_socket.take_back(console, undo, hass.data[SOCKET_ACCESS].sleep)


async def _send_lines(
    hass: HomeAssistant, client_id: str, build: str | None, lines: Iterable[str]
) -> None:
    """Send commands, and see that the socket answers after them, as it takes all in turn.

    Raises UnreachableError where it does not: nobody knows then whether it got them.
    """
    if messages.says_on_command(build or ""):
        word = token_hex(4)
        question = messages.ask_for_word(client_id, word)
        listening = _listening_for_word(hass, client_id, word)
    else:
        question = messages.publish_all(client_id)
        evidence = Evidence(client_id=client_id)
        listening = _listening(hass, evidence, ("host", "build"))
    async with listening as heard:
        for line in lines:
            await publish(hass, messages.console(client_id, line))
        heard.clear()
        await publish(hass, question)
        try:
            async with asyncio.timeout(_ANSWERED_WITHIN):
                await heard.wait()
        except TimeoutError as err:
            raise UnreachableError("no answer over MQTT") from err


async def async_probe(hass: HomeAssistant) -> list[str]:
    """Let sockets that were online before we listened introduce themselves.

    Whoever is asked for its list says its ``build``, which starts a discovery. Return who was.
    """
    asked = (await _online_strangers(hass))[:_MOST_FOUND]
    # Without a broker by now, they introduce themselves when it is back.
    with suppress(HomeAssistantError):
        for client_id in asked:
            await publish(hass, messages.publish_all(client_id))
    return asked


async def async_find(hass: HomeAssistant) -> list[Evidence]:
    """Return the sockets on the broker that are online and not set up; raises NotConnectedError."""
    ensure_connected(hass)
    found = await asyncio.gather(
        *(
            async_gather(hass, client_id, seconds=_FIND_TIMEOUT)
            for client_id in (await _online_strangers(hass))[:_MOST_FOUND]
        )
    )
    return [evidence for evidence in found if evidence.is_socket]


async def async_mac_on(hass: HomeAssistant, client_id: str) -> str | None:
    """Return the MAC of the socket that is online on a topic now, in lower case, or None.

    Raises NotConnectedError.
    """
    ensure_connected(hass)
    said: set[str] = set()

    @callback
    def connected(message: mqtt.ReceiveMessage) -> None:
        said.add(str(message.payload))

    async with subscribed(hass, [f"{client_id}/connected"], connected):
        await asyncio.sleep(_RETAINED_SOON)
    if "online" not in said:
        return None
    return (await async_gather(hass, client_id, seconds=_WHO_TIMEOUT)).mac


async def _online_strangers(hass: HomeAssistant) -> list[str]:
    """Return who said ``online`` and is not set up; only ``connected`` is retained."""
    known = {
        entry.data[CONF_CLIENT_ID]
        for entry in hass.config_entries.async_entries(DOMAIN, include_ignore=False)
    }
    online: set[str] = set()

    @callback
    def connected(message: mqtt.ReceiveMessage) -> None:
        client_id, _, _ = message.topic.partition("/")
        if (
            message.payload == "online"
            and messages.is_root_of_topics(client_id)
            and len(online) < _MOST_ONLINE
        ):
            online.add(client_id)

    async with subscribed(hass, [_CONNECTED], connected):
        await asyncio.sleep(_RETAINED_TIMEOUT)
    return sorted(online - known)


@asynccontextmanager
async def _listening(
    hass: HomeAssistant, evidence: Evidence, keys: Iterable[str]
) -> AsyncIterator[asyncio.Event]:
    """Collect what a socket says into the evidence; the event is set with each new word."""
    heard = asyncio.Event()

    @callback
    def received(message: mqtt.ReceiveMessage) -> None:
        suffix = messages.below(evidence.client_id, message.topic) or ""
        change = _read(hass, suffix, str(message.payload))
        # What the broker kept may be of a name that the socket had long ago.
        if change is None or message.retain:
            return
        evidence.values[change.key] = change.value
        if suffix != messages.topic_of(change.key):
            evidence.without_get = True
        heard.set()

    suffixes = {messages.topic_of(key) for key in keys}
    suffixes |= {suffix.removesuffix("/get") for suffix in suffixes}
    topics = {f"{evidence.client_id}/{suffix}" for suffix in suffixes}
    async with subscribed(hass, topics, received):
        yield heard


@asynccontextmanager
async def _listening_for_word(
    hass: HomeAssistant, client_id: str, word: str
) -> AsyncIterator[asyncio.Event]:
    """Set the event once a socket says a word, and leave none at the broker (flag 7)."""
    heard = asyncio.Event()
    said_on: set[str] = set()

    @callback
    def received(message: mqtt.ReceiveMessage) -> None:
        if message.payload == word and not message.retain:
            said_on.add(message.topic)
            heard.set()

    topics = {
        messages.heard_topic(client_id, without_get=without_get)
        for without_get in (False, True)
    }
    async with subscribed(hass, topics, received):
        yield heard
        # What the socket said counts, also where the broker has gone by now.
        with suppress(HomeAssistantError):
            for topic in said_on:
                await publish(hass, messages.forget_word(topic))


def _read(hass: HomeAssistant, suffix: str, payload: str) -> Change | None:
    if suffix != "ip":
        return messages.parse(suffix, payload)
    address = told_address(hass, payload)
    return None if address is None else Change(key=suffix, value=address)


def _text(value: Value | None) -> str | None:
    return None if value is None else str(value)
