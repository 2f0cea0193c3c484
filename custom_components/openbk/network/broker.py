"""The MQTT broker as a socket will see it: at which address, and with which login."""

from dataclasses import dataclass
from enum import StrEnum
import ipaddress
import re
import socket
import ssl
import time
from typing import Any, Final

from homeassistant.components import mqtt, network
from homeassistant.const import CONF_PASSWORD, CONF_PORT, CONF_USERNAME
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from paho.mqtt.client import Client, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from ..pyopenbk.obk.setup import PLAIN_PORT, Broker

# A wizard waits for this, so it may not take as long as the operating system would let it.
LOGIN_TIMEOUT: Final = 8.0

# Names by which apps and containers find a broker that runs beside Home Assistant. They mean
# nothing in the rest of the network.
_INTERNAL_NAMES: Final = frozenset(
    {"localhost", "mosquitto", "mqtt", "emqx", "vernemq"}
)
_INTERNAL_PATTERN: Final = re.compile(r"(core|addon|local|app|[0-9a-f]{8})[-_].+")
_REFUSED_LOGIN: Final = frozenset(
    {"Bad user name or password", "Not authorized", "Banned"}
)


class BrokerProblem(StrEnum):
    """Why a socket could not use a broker; each has a text in the wizard."""

    UNKNOWN_NAME = "broker_unknown_name"
    UNREACHABLE = "broker_unreachable"
    NOT_MQTT = "broker_not_mqtt"
    TLS = "broker_tls"
    REFUSED_LOGIN = "broker_refused_login"
    REFUSED = "broker_refused"


class Concern(StrEnum):
    """What may be wrong with an address that works from here; the person decides."""

    LOOPBACK = "broker_loopback"
    LOCAL_NAME = "broker_local_name"
    INTERNAL_NAME = "broker_internal_name"


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
    if not host or concern_about(host) in (Concern.LOOPBACK, Concern.INTERNAL_NAME):
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


def own_password(hass: HomeAssistant, username: str) -> str | None:
    """Return Home Assistant's password for this login, for use when the person agreed to it."""
    for entry in hass.config_entries.async_entries(mqtt.DOMAIN):
        if username and entry.data.get(CONF_USERNAME) == username:
            return str(entry.data.get(CONF_PASSWORD) or "")
    return None


def concern_about(host: str) -> Concern | None:
    """Return why another device in the network may not reach this address, or None."""
    name = host.strip().rstrip(".").casefold()
    try:
        address = ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        if name == "localhost" or name.endswith(".localhost"):
            return Concern.LOOPBACK
        if name in _INTERNAL_NAMES or (
            "." not in name and _INTERNAL_PATTERN.fullmatch(name)
        ):
            return Concern.INTERNAL_NAME
        return Concern.LOCAL_NAME if name.endswith(".local") else None
    return Concern.LOOPBACK if address.is_loopback else None


def try_login(broker: Broker, timeout: float = LOGIN_TIMEOUT) -> BrokerProblem | None:
    """Log in as a socket would: MQTT 3.1.1, no TLS. Blocks, so run it in an executor.

    Return None when the broker let us in, else why it did not.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            broker.host, broker.port, type=socket.SOCK_STREAM
        )[0]
    except OSError, UnicodeError:
        return BrokerProblem.UNKNOWN_NAME
    try:
        # Tried apart from paho, which hides whether TCP or MQTT was the trouble.
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.settimeout(timeout)
            probe.connect(address)
    except OSError:
        return BrokerProblem.UNREACHABLE
    problem = _Login(broker).attempt(timeout)
    if problem is BrokerProblem.NOT_MQTT and _speaks_tls(family, address, timeout):
        return BrokerProblem.TLS
    return problem


def _speaks_tls(
    family: socket.AddressFamily, address: tuple[Any, ...], timeout: float
) -> bool:
    """Return whether a TLS handshake gets an answer there; nobody's identity is checked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.settimeout(timeout)
            probe.connect(address)
            with context.wrap_socket(probe):
                return True
    except ssl.SSLError as err:
        # A server that wants a certificate of ours says so, in TLS.
        return "ALERT" in (err.reason or "")
    except OSError:
        return False


class _Login:
    """One attempt with paho-mqtt; a clean session under a name of its own, gone afterwards."""

    def __init__(self, broker: Broker) -> None:
        """Prepare a client that does nothing but connect."""
        self._broker = broker
        self._answer: ReasonCode | None = None
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv311)
        self._client.on_connect = self._note
        if broker.username:
            self._client.username_pw_set(broker.username, broker.password or None)

    def attempt(self, timeout: float) -> BrokerProblem | None:
        """Connect, wait for the answer and leave."""
        deadline = time.monotonic() + timeout
        self._client.connect_timeout = timeout
        try:
            self._client.connect(self._broker.host, self._broker.port)
            state = MQTTErrorCode.MQTT_ERR_SUCCESS
            while (
                self._answer is None
                and state is MQTTErrorCode.MQTT_ERR_SUCCESS
                and time.monotonic() < deadline
            ):
                state = self._client.loop(timeout=0.2)
        except OSError, ValueError:
            return BrokerProblem.NOT_MQTT
        finally:
            self._client.disconnect()
        if self._answer is None:
            return BrokerProblem.NOT_MQTT
        if not self._answer.is_failure:
            return None
        if str(self._answer) in _REFUSED_LOGIN:
            return BrokerProblem.REFUSED_LOGIN
        return BrokerProblem.REFUSED

    def _note(
        self,
        client: Client,
        userdata: object,
        flags: object,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self._answer = reason


async def _async_own_address(hass: HomeAssistant) -> str | None:
    try:
        address = await network.async_get_source_ip(hass)
    except HomeAssistantError:
        return None
    return None if concern_about(address) else address
