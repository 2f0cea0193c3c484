"""Waiting for a freshly written socket to report in over MQTT."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
import socket
from typing import Final

from homeassistant.components import mqtt
from homeassistant.components.dhcp import async_discovered_service_info
from homeassistant.components.dhcp.models import DATA_DHCP
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.device_registry import format_mac
from homeassistant.util.hass_dict import HassKey

from ...const import DOMAIN, LOGGER
from ...network.addresses import told_address
from ...network.consoles import console_at
from ...network.mqtt import publish
from ...pyopenbk.obk.addresses import AddressError
from ...pyopenbk.obk.builds import is_build
from ...pyopenbk.obk.config_sector import ConfigSector
from ...pyopenbk.obk.console import ConsoleError
from ...pyopenbk.obk.flags import UNWANTED_FLAGS, WANTED_FLAGS
from ...pyopenbk.obk.messages import (
    ask_address,
    decode_connected,
    decode_mac,
    publish_all,
)
from ...pyopenbk.profile import SocketProfile

_TOPICS: Final = ("connected", "mac", "build", "ip")


async def _ask_name_server(host_name: str) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(
        host_name, None, family=socket.AF_INET
    )
    return [str(entry[4][0]) for entry in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How long a socket is waited for, in seconds, and who knows its name in the network.

    A simulated one is faster, and no name server knows it.
    """

    turn: float = 90.0
    """It tries Wi-Fi 5 s after power comes and the broker 3 s later; both are repeated."""
    glance: float = 2.0
    ask_every: float = 10.0
    list_takes: float = 15.0
    """It tells one thing a second, its address as the last but one."""
    abandoned_after: float = 600.0
    """Somebody has to take the wires off and close the case before they can go on."""
    look_up: Callable[[str], Awaitable[list[str]]] = _ask_name_server
    """Return the IPv4 addresses of a host name; raises OSError."""


WAITING: Final[HassKey[Waiting]] = HassKey(f"{DOMAIN}.waiting")


@callback
def waiting(hass: HomeAssistant) -> Waiting:
    """Return how sockets are waited for here."""
    return hass.data.setdefault(WAITING, Waiting())


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A socket that the network knows."""

    address: str
    broker: str | None
    """Host and port that the socket itself says it uses; None: nothing answers there."""


class Arrival:
    """What one socket, known by its client id and its MAC, has said since it was started."""

    def __init__(
        self,
        hass: HomeAssistant,
        client_id: str,
        mac: str,
        completed: CALLBACK_TYPE = lambda: None,
    ) -> None:
        """Take the socket that is awaited; ``completed`` is called once, when it is there."""
        self.client_id = client_id
        self.mac = format_mac(mac)
        self.completed = completed
        self._hass = hass
        self._unsubscribe: list[Callable[[], None]] = []
        self._complete = asyncio.Event()
        self._told_address = asyncio.Event()
        self._right_mac = False
        self.online = False
        self.build: str | None = None
        self.address: str | None = None

    @property
    def complete(self) -> bool:
        """Return whether it is there, is the right one and has said what it runs."""
        return self._complete.is_set()

    async def async_listen(self) -> None:
        """Subscribe; the socket says mac and build once and unretained, so before it starts."""
        for topic in _TOPICS:
            self._unsubscribe.append(
                await mqtt.async_subscribe(
                    self._hass, f"{self.client_id}/{topic}", self._received
                )
            )

    @callback
    def async_stop(self) -> None:
        """Unsubscribe; may be called more than once."""
        while self._unsubscribe:
            self._unsubscribe.pop()()

    async def async_wait(self, seconds: float) -> bool:
        """Return whether the socket was complete within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._complete.wait()
        except TimeoutError:
            return self.complete
        return True

    async def async_address(self, seconds: float) -> str | None:
        """Return what it says that its address is, or None.

        It is asked for it, as its list ends with it; one that does not answer still says its list.
        """
        if self.address is None:
            with suppress(HomeAssistantError):
                await publish(self._hass, ask_address(self.client_id))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._told_address.wait()
        return self.address

    async def async_ask(self) -> None:
        """Ask a socket that is online for everything that it reports when it connects."""
        await publish(self._hass, publish_all(self.client_id))

    @callback
    def _received(self, message: mqtt.ReceiveMessage) -> None:
        payload = str(message.payload)
        topic = message.topic.rpartition("/")[2]
        if message.retain and topic != "connected":
            # What an earlier life of the socket left at the broker proves nothing.
            return
        match topic:
            case "connected":
                # Even if it is retained: then the socket is asked, and has to answer.
                self.online = decode_connected(payload) is True
            case "mac":
                mac = decode_mac(payload)
                self._right_mac = mac is not None and format_mac(mac) == self.mac
            case "build" if is_build(payload):
                self.build = payload
            case "ip":
                self.address = told_address(self._hass, payload)
                # A release that knows no constants answers with what it was asked.
                if self.address is not None or not payload.startswith("$"):
                    self._told_address.set()
        if self._right_mac and self.build is not None and not self.complete:
            self._complete.set()
            self.completed()


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """What a running socket has otherwise than it was written."""

    keys: tuple[str, ...]
    profile: SocketProfile
    """The pins that it runs with."""


async def async_find_differences(
    hass: HomeAssistant, address: str, mac: str, written: ConfigSector
) -> Differences | None:
    """Ask a running socket over HTTP what it is set to.

    Nothing is found where its web page does not answer, or answers for another socket. Anybody on
    the broker can say an address, so the password of the page goes to none but where the network has
    the socket.
    """
    password = written.web_password or None
    if password and address not in await _addresses(hass, written.long_name, mac):
        password = None
    try:
        console = console_at(hass, address, password)
        if format_mac((await console.info()).mac) != format_mac(mac):
            return None
        profile = await console.pins()
        flags, starts = await console.flags(), await console.start_values()
        startup_command = await console.startup_command()
    except (ConsoleError, AddressError) as err:
        LOGGER.debug("What was written cannot be read back at %s: %s", address, err)
        return None
    relevant = sum(flag.mask for flag in (*WANTED_FLAGS, *UNWANTED_FLAGS))
    relays = [relay.channel for relay in written.profile.relays]
    found = {
        "pins": profile.pins != written.profile.pins,
        "flags": bool((flags ^ written.flags) & relevant),
        "start_values": any(
            starts[relay] != written.start_values[relay] for relay in relays
        ),
        "startup_command": startup_command != written.startup_command,
    }
    keys = tuple(key for key, differs in found.items() if differs)
    return Differences(keys=keys, profile=profile) if keys else None


async def async_find_in_network(
    hass: HomeAssistant, host_name: str, mac: str, password: str | None = None
) -> Sighting | None:
    """Return where the network has the socket, and what it says there of its broker.

    Home Assistant's own look-out for DHCP and the network's name server are asked. What they know
    may be old, so the socket itself has the last word.
    """
    addresses = await _addresses(hass, host_name, mac)
    sightings = [
        Sighting(address=address, broker=await _broker_of(hass, address, mac, password))
        for address in addresses
    ]
    return next(
        (sighting for sighting in sightings if sighting.broker is not None),
        next(iter(sightings), None),
    )


async def _addresses(hass: HomeAssistant, host_name: str, mac: str) -> tuple[str, ...]:
    found = [
        client.ip
        for client in (
            async_discovered_service_info(hass) if DATA_DHCP in hass.data else ()
        )
        # The factory firmware had the same MAC address, but another name.
        if format_mac(client.macaddress) == format_mac(mac)
        and client.hostname == host_name.lower()
    ]
    # A name that a socket has kept may be none for a name server.
    with suppress(OSError, UnicodeError):
        found += await waiting(hass).look_up(host_name)
    return tuple(dict.fromkeys(found))


async def _broker_of(
    hass: HomeAssistant, address: str, mac: str, password: str | None
) -> str | None:
    try:
        info = await console_at(hass, address, password).info()
    except ConsoleError:
        return None
    return info.broker if format_mac(info.mac) == format_mac(mac) else None
