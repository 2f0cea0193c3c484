"""The MQTT broker as a socket will see it: at which address, with which login, and what that may do."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
import ipaddress
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
import re
import secrets
import socket
import ssl
import time
from typing import Final, Self

from homeassistant.components import mqtt, network
from homeassistant.components.network import Adapter
from homeassistant.const import CONF_PASSWORD, CONF_PORT, CONF_USERNAME
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util.package import is_docker_env
from paho.mqtt.client import Client, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from ..pyopenbk.obk.setup import PLAIN_PORT, Broker
from .mqtt import is_connected

# A wizard waits for this, so it may not take as long as the operating system would let it.
LOGIN_TIMEOUT: Final = 8.0
# A message that a broker passes on is there at once; the rest is for a busy machine.
_PASSED_ON_TIMEOUT: Final = 4.0

# Names by which apps and containers find a broker that runs beside Home Assistant. They mean
# nothing in the rest of the network.
_INTERNAL_NAMES: Final = frozenset(
    {"localhost", "mosquitto", "mqtt", "emqx", "vernemq"}
)
_INTERNAL_PATTERN: Final = re.compile(r"(core|addon|local|app|[0-9a-f]{8})[-_].+")
# The network of Home Assistant's own containers, as its supervisor makes it.
_SUPERVISOR: Final = IPv4Network("172.30.32.0/23")
# Where Docker takes the networks of its bridges from.
_CONTAINERS: Final = IPv4Network("172.16.0.0/12")
_BRIDGE: Final = re.compile(
    r"(hassio|docker|br-|podman|cni|veth|lxcbr|lxdbr|virbr|cali|flannel).*"
)
_HOSTS: Final = Path("/etc/hosts")
_REFUSED_LOGIN: Final = frozenset(
    {"Bad user name or password", "Not authorized", "Banned"}
)
# No command and no channel: a socket that hears it by mistake does nothing.
_PROBE: Final = "openbk_rehearsal"


class BrokerProblem(StrEnum):
    """Why a socket could not use a broker; each has a text in the wizard."""

    UNKNOWN_NAME = "broker_unknown_name"
    NO_IPV4 = "broker_no_ipv4"
    UNREACHABLE = "broker_unreachable"
    NOT_MQTT = "broker_not_mqtt"
    TLS = "broker_tls"
    REFUSED_LOGIN = "broker_refused_login"
    REFUSED = "broker_refused"
    COMMANDS_REFUSED = "broker_commands_refused"


class Concern(StrEnum):
    """What may be wrong with a broker that works from here; the person decides."""

    LOOPBACK = "broker_loopback"
    LINK_LOCAL = "broker_link_local"
    LOCAL_NAME = "broker_local_name"
    INTERNAL_NAME = "broker_internal_name"
    INTERNAL_ADDRESS = "broker_internal_address"
    HOSTS_NAME = "broker_hosts_name"
    SEARCHED_NAME = "broker_searched_name"
    MUTE = "broker_mute"
    DEAF = "broker_deaf"
    ANOTHER = "broker_another"


ABOUT_ADDRESSES: Final = frozenset(
    {
        Concern.LOOPBACK,
        Concern.LINK_LOCAL,
        Concern.LOCAL_NAME,
        Concern.INTERNAL_NAME,
        Concern.INTERNAL_ADDRESS,
        Concern.HOSTS_NAME,
        Concern.SEARCHED_NAME,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """What the wizard fills in, and whether Home Assistant's own way in is closed to a socket."""

    broker: Broker
    needs_plain_listener: bool
    """Home Assistant uses TLS or websockets, which OpenBeken cannot speak."""


async def async_suggest(hass: HomeAssistant) -> Suggestion:
    """Return the broker of the MQTT integration, at an address that a socket can reach.

    The password is not part of it: what Home Assistant logs in with is its own secret.
    """
    entries = hass.config_entries.async_entries(mqtt.DOMAIN)
    data = entries[0].data if entries else {}
    host = str(data.get(mqtt.CONF_BROKER, ""))
    if not host or await async_concern_about(hass, host) in _HERE_ONLY:
        host = await _async_own_address(hass) or host
    secured = bool(
        data.get("certificate")
        or data.get("client_cert")
        or data.get("transport") == "websockets"
    )
    return Suggestion(
        broker=Broker(
            host=host,
            port=PLAIN_PORT if secured else int(data.get(CONF_PORT, PLAIN_PORT)),
            username=str(data.get(CONF_USERNAME) or ""),
        ),
        needs_plain_listener=secured,
    )


# What stands for this very computer, which the network knows by another address.
_HERE_ONLY: Final = (
    Concern.LOOPBACK,
    Concern.INTERNAL_NAME,
    Concern.INTERNAL_ADDRESS,
)


def own_password(hass: HomeAssistant, username: str) -> str | None:
    """Return Home Assistant's password for this login, for use when the person agreed to it."""
    for entry in hass.config_entries.async_entries(mqtt.DOMAIN):
        if username and entry.data.get(CONF_USERNAME) == username:
            return str(entry.data.get(CONF_PASSWORD) or "")
    return None


def address_problem(host: str) -> str | None:
    """Return the key of why no socket can ever use this as the address of a broker, or None."""
    if not host or re.search(r"[\s/@?#\\]", host):
        return "broker_not_a_host"
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        # A port belongs into its own field.
        return "broker_not_a_host" if ":" in host else None
    if address.version != 4:
        return "broker_ipv6"
    nobody = address.is_multicast or address.is_unspecified or address == _BROADCAST
    return "broker_not_a_host" if nobody else None


_BROADCAST: Final = IPv4Address("255.255.255.255")


async def async_concern_about(hass: HomeAssistant, host: str) -> Concern | None:
    """Return why another device in the network may not reach this address, or None.

    A name is questioned as it is, and then by what it stands for here.
    """
    name = host.strip().rstrip(".").casefold()
    try:
        found = [IPv4Address(name)]
    except ValueError:
        if (concern := _concern_about_name(name)) is not None:
            return concern
        found = await hass.async_add_executor_job(addresses_of, name)
    adapters = await network.async_get_adapters(hass)
    container = await hass.async_add_executor_job(is_docker_env)
    for address in found:
        if (concern := concern_about(address, adapters, container)) is not None:
            return concern
    known_here = await hass.async_add_executor_job(names_in, _HOSTS)
    if name in known_here:
        return Concern.HOSTS_NAME
    if found and "." not in name:
        # A resolver adds domains to a short name, or asks the neighbours; with a dot it does not.
        plain = await hass.async_add_executor_job(addresses_of, f"{name}.")
        return None if plain else Concern.SEARCHED_NAME
    return None


def concern_about(
    address: IPv4Address, adapters: Sequence[Adapter], in_container: bool
) -> Concern | None:
    """Return what an address means that only this computer, or only this link, can reach.

    ``adapters`` are this computer's. A container takes its own adapter for a plain one, so there
    every network out of which bridges are made is in doubt.
    """
    if address.is_loopback:
        return Concern.LOOPBACK
    if address.is_link_local:
        return Concern.LINK_LOCAL
    if address in _SUPERVISOR:
        return Concern.INTERNAL_ADDRESS
    for adapter in adapters:
        for own in adapter["ipv4"]:
            bridged = IPv4Network(
                f"{own['address']}/{own['network_prefix']}", strict=False
            )
            if address in bridged and (
                _BRIDGE.fullmatch(adapter["name"])
                or (in_container and bridged.subnet_of(_CONTAINERS))
            ):
                return Concern.INTERNAL_ADDRESS
    return None


def _concern_about_name(name: str) -> Concern | None:
    if name == "localhost" or name.endswith(".localhost"):
        return Concern.LOOPBACK
    if name in _INTERNAL_NAMES or (
        "." not in name and _INTERNAL_PATTERN.fullmatch(name)
    ):
        return Concern.INTERNAL_NAME
    return Concern.LOCAL_NAME if name.endswith(".local") else None


def addresses_of(name: str) -> list[IPv4Address]:
    """Return the IPv4 addresses of a name, none where it is unknown; blocks.

    The firmware asks for no others (MQTT_do_connect at 1.18.300), and for the name as it is: letters
    that are not ASCII would be found from here alone, under the name that stands for theirs.
    """
    if not name.isascii():
        return []
    try:
        found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError, UnicodeError:
        return []
    return [IPv4Address(entry[4][0]) for entry in found]


def names_in(hosts: Path) -> frozenset[str]:
    """Return the names that a hosts file gives to addresses; blocks."""
    try:
        lines = hosts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(
        name.rstrip(".").casefold()
        for line in lines
        for name in line.partition("#")[0].split()[1:]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Home:
    """Home Assistant's side of a rehearsal; both are called from another thread."""

    subscribed: Callable[[], object]
    """The socket can hear commands now."""
    heard: Callable[[], bool]
    """Return whether Home Assistant heard what the socket said."""


async def async_rehearse(
    hass: HomeAssistant, broker: Broker, client_id: str, group: str
) -> BrokerProblem | Concern | None:
    """Do at the broker what this socket will do, and see whether Home Assistant hears it.

    It logs in under its own client id, subscribes to its own topics, says something and waits for
    a command: brokers grant these rights one by one, and refuse some of them without a word.
    """
    nonce = secrets.token_hex(8)
    heard, ready, listening = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @callback
    def received(message: mqtt.ReceiveMessage) -> None:
        if message.payload == nonce:
            heard.set()

    async def command() -> None:
        await ready.wait()
        with suppress(HomeAssistantError):
            await mqtt.async_publish(hass, f"cmnd/{client_id}/{_PROBE}", nonce, 1)

    async with AsyncExitStack() as stack:
        home = None
        if is_connected(hass):
            topic = f"{client_id}/{_PROBE}/get"
            stack.callback(await mqtt.async_subscribe(hass, topic, received, 1))
            stack.callback(mqtt.async_on_subscribe_done(hass, topic, 1, listening.set))
            with suppress(TimeoutError):
                async with asyncio.timeout(LOGIN_TIMEOUT):
                    await listening.wait()
                home = _Home(
                    subscribed=partial(hass.loop.call_soon_threadsafe, ready.set),
                    heard=heard.is_set,
                )
                stack.callback(hass.async_create_task(command()).cancel)
        return await hass.async_add_executor_job(
            partial(rehearse, broker, client_id, group, nonce=nonce, home=home)
        )


def rehearse(
    broker: Broker,
    client_id: str,
    group: str,
    *,
    nonce: str = _PROBE,
    home: _Home | None = None,
    timeout: float = LOGIN_TIMEOUT,
) -> BrokerProblem | Concern | None:
    """Play the socket: IPv4, MQTT 3.1.1, no TLS. Blocks, so run it in an executor.

    Return None when all of it works, else what does not. ``home`` is who should hear it.
    """
    address, problem = _reach(broker, timeout)
    if address is None:
        return problem
    with _Rehearsal(broker, address, client_id) as part:
        problem = part.log_in(timeout)
        if problem is None:
            return part.talk(group, nonce, home)
    if problem is BrokerProblem.NOT_MQTT and _speaks_tls(address, broker.port, timeout):
        return BrokerProblem.TLS
    return problem


def _reach(
    broker: Broker, timeout: float
) -> tuple[str, None] | tuple[None, BrokerProblem]:
    """Return the IPv4 address where the broker's port is open, or why there is none."""
    found = addresses_of(broker.host)
    if not found:
        other = _has_ipv6(broker.host)
        return None, BrokerProblem.NO_IPV4 if other else BrokerProblem.UNKNOWN_NAME
    address = str(found[0])
    try:
        # Tried apart from paho, which hides whether TCP or MQTT was the trouble.
        with socket.create_connection((address, broker.port), timeout):
            return address, None
    except OSError:
        return None, BrokerProblem.UNREACHABLE


def _has_ipv6(name: str) -> bool:
    try:
        return name.isascii() and bool(socket.getaddrinfo(name, None, socket.AF_INET6))
    except OSError, UnicodeError:
        return False


def _speaks_tls(address: str, port: int, timeout: float) -> bool:
    """Return whether a TLS handshake gets an answer there; nobody's identity is checked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((address, port), timeout) as probe,
            context.wrap_socket(probe),
        ):
            return True
    except ssl.SSLError as err:
        # A server that wants a certificate of ours says so, in TLS.
        return "ALERT" in (err.reason or "")
    except OSError:
        return False


class _Rehearsal:
    """One session with paho-mqtt under a socket's name; a clean one, gone afterwards.

    It has no last will: the broker would keep that for a socket which was never there.
    """

    def __init__(self, broker: Broker, address: str, client_id: str) -> None:
        """Prepare; nothing is sent yet."""
        self._address = address
        self._port = broker.port
        self._topic = client_id
        self._answer: ReasonCode | None = None
        self._granted: dict[int, bool] = {}
        self._received: set[tuple[str, bytes]] = set()
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTv311
        )
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._note
        if broker.username:
            self._client.username_pw_set(broker.username, broker.password or None)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the broker."""
        self._client.disconnect()

    def log_in(self, timeout: float) -> BrokerProblem | None:
        """Connect and wait for the answer."""
        self._client.connect_timeout = timeout
        try:
            self._client.connect(self._address, self._port)
            self._until(lambda: self._answer is not None, timeout)
        except OSError, ValueError:
            return BrokerProblem.NOT_MQTT
        if self._answer is None:
            return BrokerProblem.NOT_MQTT
        if not self._answer.is_failure:
            return None
        if str(self._answer) in _REFUSED_LOGIN:
            return BrokerProblem.REFUSED_LOGIN
        return BrokerProblem.REFUSED

    def talk(
        self, group: str, nonce: str, home: _Home | None
    ) -> BrokerProblem | Concern | None:
        """Subscribe, say something and wait for a command; return what does not work.

        Subscribed to is what the firmware subscribes to (1.18.300). Its own statements come back
        to it, too, as it asks for its channels on the same topics.
        """
        own = {
            self._subscribe(topic)
            for topic in (
                f"{self._topic}/+/set",
                f"{self._topic}/+/get",
                f"cmnd/{self._topic}/+",
            )
        }
        others = {
            self._subscribe(topic)
            for topic in (f"{group}/+/set", f"cmnd/{group}/+", "homeassistant/+")
        }
        # Not to get what is for all sockets is no loss; to be thrown out for asking is one.
        if not self._until(lambda: self._granted.keys() >= own | others) or not all(
            self._granted[number] for number in own
        ):
            return BrokerProblem.COMMANDS_REFUSED
        said = (f"{self._topic}/{_PROBE}/get", nonce.encode())
        told = (f"cmnd/{self._topic}/{_PROBE}", nonce.encode())
        self._client.publish(*said, qos=1)
        if home is None:
            came_back = self._until(lambda: said in self._received)
            return None if came_back else Concern.MUTE
        home.subscribed()
        if self._until(lambda: {said, told} <= self._received and home.heard()):
            return None
        if home.heard():
            return Concern.DEAF
        alone = said in self._received and told not in self._received
        return Concern.ANOTHER if alone else Concern.MUTE

    def _subscribe(self, topic: str) -> int:
        _, number = self._client.subscribe(topic, qos=1)
        assert number is not None
        return number

    def _until(
        self, done: Callable[[], bool], timeout: float = _PASSED_ON_TIMEOUT
    ) -> bool:
        """Return whether this came true before the time was over or the connection ended."""
        deadline = time.monotonic() + timeout
        state = MQTTErrorCode.MQTT_ERR_SUCCESS
        while not done():
            if (
                state is not MQTTErrorCode.MQTT_ERR_SUCCESS
                or time.monotonic() > deadline
            ):
                return False
            state = self._client.loop(timeout=0.1)
        return True

    def _connected(
        self,
        client: Client,
        userdata: object,
        flags: object,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self._answer = reason

    def _subscribed(
        self,
        client: Client,
        userdata: object,
        number: int,
        reasons: Sequence[ReasonCode],
        properties: Properties | None,
    ) -> None:
        self._granted[number] = not any(reason.is_failure for reason in reasons)

    def _note(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        self._received.add((message.topic, bytes(message.payload)))


async def _async_own_address(hass: HomeAssistant) -> str | None:
    try:
        address = await network.async_get_source_ip(hass)
    except HomeAssistantError:
        return None
    return None if await async_concern_about(hass, address) else address
