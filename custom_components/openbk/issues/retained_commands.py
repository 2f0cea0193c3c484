"""Commands that the broker keeps for a socket: it obeys them whenever it connects."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
import re
from typing import Final

from homeassistant.components import mqtt
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util.hass_dict import HassKey

from ..const import CONF_CLIENT_ID, CONF_GROUP, DOMAIN
from ..live.state import OpenBekenConfigEntry, SocketState
from ..network.mqtt import is_connected, publish, subscribed
from ..pyopenbk.foreign_text import markdown_code
from ..pyopenbk.obk.messages import Publication, below, channel_key
from .of_socket import leave_issues, raise_issue, withdraw_issues

ISSUE: Final = "retained_commands"

# The broker sends what it kept right behind its answer to the subscription.
_REPLAYED_WITHIN: Final = 1.0
# Entries that are set up within this time are looked for together.
_TOGETHER: Final = 1.0
_MOST_NAMES: Final = 4
_MOST_FOUND: Final = 1000
_MOST_SHOWN: Final = 10
# What is no number counts as channel 0, as atoi does (1.18.299).
_CHANNEL: Final = re.compile(r"[0-9]{0,3}", re.ASCII)

type Commands = Mapping[str, str]
"""Payloads by their topics."""


class _Look:
    """Looks for all sockets that are set up at about the same time, once."""

    def __init__(self, hass: HomeAssistant) -> None:
        self._hass = hass
        self._waiting: dict[str, OpenBekenConfigEntry] = {}
        self.running = False

    @callback
    def ask(self, entry: OpenBekenConfigEntry) -> None:
        self._waiting[entry.entry_id] = entry
        if not self.running:
            self.running = True
            self._hass.async_create_background_task(
                self._run(), f"{DOMAIN} retained commands"
            )

    @callback
    def forget(self, entry: OpenBekenConfigEntry) -> None:
        self._waiting.pop(entry.entry_id, None)
        leave_issues(self._hass, entry, ISSUE)

    async def _run(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(_TOGETHER)
                entries, self._waiting = [*self._waiting.values()], {}
                found = await _replayed(self._hass, _filters(entries))
                for entry in entries:
                    if entry.state is ConfigEntryState.LOADED:
                        _show(self._hass, entry, _of(entry, found))
        finally:
            self.running = False


_LOOK: Final[HassKey[_Look]] = HassKey(f"{DOMAIN}.retained_commands")


@callback
def async_look_for_retained_commands(
    hass: HomeAssistant, socket: SocketState
) -> CALLBACK_TYPE:
    """Look once, and raise the issue where there are some; return the function that forgets it."""
    look = hass.data.setdefault(_LOOK, _Look(hass))
    look.ask(socket.entry)
    return partial(look.forget, socket.entry)


async def async_find(hass: HomeAssistant, entry: OpenBekenConfigEntry) -> Commands:
    """Return what the broker keeps for a socket and its group now, and show that.

    Raises HomeAssistantError without a broker, as nobody knows what it keeps then.
    """
    if not is_connected(hass):
        raise HomeAssistantError("the broker cannot be reached")
    found = _of(entry, await _replayed(hass, _filters([entry])))
    if entry.state is ConfigEntryState.LOADED:
        _show(hass, entry, found)
    return found


async def _replayed(hass: HomeAssistant, filters: Iterable[str]) -> Commands:
    """Return the retained messages on these topics."""
    found: dict[str, str] = {}

    @callback
    def received(message: mqtt.ReceiveMessage) -> None:
        if message.retain and message.payload and len(found) < _MOST_FOUND:
            found[message.topic] = str(message.payload)

    async with subscribed(hass, set(filters), received):
        await asyncio.sleep(_REPLAYED_WITHIN)
    return found


async def async_clear(hass: HomeAssistant, commands: Commands) -> None:
    """Let the broker forget commands; raises HomeAssistantError where it cannot be reached.

    A socket that is connected gets the empty messages, too: it sets the channel of a ``set`` to
    0, and runs a console command without arguments (1.18.299).
    """
    for topic in commands:
        await publish(hass, Publication(topic=topic, payload="", qos=1, retain=True))


@callback
def switched_off_by_clearing(hass: HomeAssistant, commands: Commands) -> list[str]:
    """Return the names of the sockets that clearing would switch off now."""
    return [
        entry.title
        for entry in hass.config_entries.async_entries(DOMAIN)
        if entry.state is ConfigEntryState.LOADED
        and any(_is_on(entry, topic) for topic in commands)
    ]


def shown(commands: Commands) -> str:
    """Return a Markdown list of commands; they are other people's text."""
    lines = [
        f"- {markdown_code(topic)}: {markdown_code(payload)}"
        for topic, payload in sorted(commands.items())
    ]
    if len(lines) > _MOST_SHOWN:
        lines[_MOST_SHOWN:] = ["- …"]
    return "\n".join(lines)


def _names(entry: OpenBekenConfigEntry) -> set[str]:
    """Return the first parts of the topics that the socket of an entry obeys."""
    return {entry.data[CONF_CLIENT_ID], entry.data.get(CONF_GROUP)} - {None, ""}


def _filters(entries: Sequence[OpenBekenConfigEntry]) -> set[str]:
    """Return what to subscribe to: a broker has few retained commands, a house many sockets."""
    names = {name for entry in entries for name in _names(entry)}
    if len(names) > _MOST_NAMES:
        names = {"+"} | {name for name in names if "/" in name}
    return {f for name in names for f in (f"{name}/+/set", f"cmnd/{name}/+")}


def _of(entry: OpenBekenConfigEntry, found: Commands) -> Commands:
    """Return which of the commands are for the socket of an entry."""
    names = _names(entry)
    return {
        topic: payload
        for topic, payload in found.items()
        if any(_is_for(name, topic) for name in names)
    }


def _is_for(name: str, topic: str) -> bool:
    """Return whether a socket obeys a topic under this name, which may be the beginning of another."""
    rest = below(name, topic)
    if rest is not None and rest.count("/") == 1:
        return True
    rest = below(f"cmnd/{name}", topic)
    return rest is not None and "/" not in rest


def _is_on(entry: OpenBekenConfigEntry, topic: str) -> bool:
    """Return whether an empty message on this topic would switch a relay off."""
    if not topic.endswith("/set") or not entry.runtime_data.online:
        return False
    name = next((each for each in _names(entry) if _is_for(each, topic)), None)
    if name is None or (rest := below(name, topic)) is None:
        return False
    number = _CHANNEL.match(rest)
    channel = int((number and number[0]) or 0)
    relays = entry.runtime_data.profile.relays
    switches = any(pin.channel == channel for pin in relays)
    # What it is set to may not be known.
    return switches and entry.runtime_data.value(channel_key(channel)) != 0


def _show(hass: HomeAssistant, entry: OpenBekenConfigEntry, commands: Commands) -> None:
    if commands:
        raise_issue(hass, entry, ISSUE)
    else:
        withdraw_issues(hass, entry, ISSUE)
