"""Why a socket is not heard: it is asked over HTTP, and Home Assistant's own rights are tried."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum
import secrets
from typing import Final

from homeassistant.components import mqtt
from homeassistant.const import CONF_PORT
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError

from ..const import LOGGER
from ..pyopenbk.obk.broker_state import BrokerState, read_broker_state
from ..pyopenbk.obk.console import (
    ConsoleError,
    NotAnAnswerError,
    PasswordError,
    SocketInfo,
)
from .broker import addresses_of, async_suggest
from .consoles import console_at
from .mqtt import is_connected

# Neither a command nor a channel: no socket does anything with it.
_PROBE: Final = "openbk_silence"
_HEARD_WITHIN: Final = 8.0


class Cause(StrEnum):
    """Why nothing is heard of a socket."""

    BROKER_GONE = "broker_gone"
    """Home Assistant itself is not connected."""
    OWN_RIGHTS = "own_rights"
    """The broker does not let Home Assistant hear or speak on the topics of this socket."""
    OTHER_TOPIC = "other_topic"
    OTHER_BROKER = "other_broker"
    NOT_CONNECTED = "not_connected"
    """The socket does not get to its broker, or is not let in."""
    SOCKET_RIGHTS = "socket_rights"
    """It is connected to this broker, which does not pass on what it says."""
    ANOTHER_SOCKET = "another_socket"
    """Something else answers at its address."""
    LOCKED = "locked"
    """Its web page wants a password, so it cannot be asked."""
    DEAD = "dead"
    """Nothing answers at its address."""
    UNKNOWN = "unknown"
    """Its address is not known, and Home Assistant's rights are not the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Why a socket is silent, and what it said of itself where it could be asked."""

    cause: Cause
    client_id: str | None = None
    broker: str | None = None
    """Host and port that it uses, as it says; other people's text."""


async def async_diagnose(
    hass: HomeAssistant,
    client_id: str,
    mac: str,
    address: str | None,
    password: str | None = None,
) -> Silence:
    """Find out why a socket is not heard on its topics; takes some seconds.

    ``mac`` is in lower case with colons; ``address`` is where its web page was last.
    """
    if not is_connected(hass):
        return Silence(cause=Cause.BROKER_GONE)
    if address is None:
        heard = await async_hears_itself(hass, client_id)
        return Silence(cause=Cause.UNKNOWN if heard else Cause.OWN_RIGHTS)
    try:
        console = console_at(hass, address, password)
        info = await console.info()
        if not info.is_of(mac, client_id):
            return Silence(cause=Cause.ANOTHER_SOCKET)
        state = await read_broker_state(console)
    except PasswordError:
        return Silence(cause=Cause.LOCKED)
    except NotAnAnswerError:
        return Silence(cause=Cause.ANOTHER_SOCKET)
    except (ConsoleError, ValueError) as err:
        LOGGER.debug("%s is silent: %s", client_id, err)
        return Silence(cause=Cause.DEAD)
    cause = await _judge(hass, client_id, info, state)
    return Silence(cause=cause, client_id=info.client_id, broker=info.broker)


async def async_hears_itself(hass: HomeAssistant, client_id: str) -> bool:
    """Return whether Home Assistant may speak and hear below a client id.

    A broker with an access list drops what is not allowed without a word.
    """
    topic, nonce = f"{client_id}/{_PROBE}", secrets.token_hex(8)
    ready, heard = asyncio.Event(), asyncio.Event()

    @callback
    def received(message: mqtt.ReceiveMessage) -> None:
        if message.payload == nonce:
            heard.set()

    async with AsyncExitStack() as stack:
        try:
            stack.callback(await mqtt.async_subscribe(hass, topic, received, 1))
            stack.callback(mqtt.async_on_subscribe_done(hass, topic, 1, ready.set))
            async with asyncio.timeout(_HEARD_WITHIN):
                await ready.wait()
                await mqtt.async_publish(hass, topic, nonce, 1)
                await heard.wait()
        except TimeoutError, HomeAssistantError:
            return False
    return True


async def async_is_own_broker(hass: HomeAssistant, broker: str) -> bool:
    """Return whether a host and port, as a socket tells them, are Home Assistant's broker."""
    host, _, port = broker.rpartition(":")
    entries = hass.config_entries.async_entries(mqtt.DOMAIN)
    suggestion = await async_suggest(hass)
    own = {str(entry.data.get(mqtt.CONF_BROKER, "")) for entry in entries}
    own.add(suggestion.broker.host)
    ports = {
        str(entry.data.get(CONF_PORT, suggestion.broker.port)) for entry in entries
    }
    # Of a broker that Home Assistant reaches with TLS nobody knows the other listener.
    if port not in ports and not suggestion.needs_plain_listener:
        return False
    if host.casefold() in {name.casefold() for name in own}:
        return True
    return await hass.async_add_executor_job(_is_one_of, host, own)


def _is_one_of(host: str, names: set[str]) -> bool:
    addresses = {address for name in names for address in addresses_of(name)}
    return not addresses.isdisjoint(addresses_of(host))


async def _judge(
    hass: HomeAssistant, client_id: str, info: SocketInfo, state: BrokerState | None
) -> Cause:
    own = await async_is_own_broker(hass, info.broker)
    if info.client_id != client_id:
        return Cause.OTHER_TOPIC
    if not own:
        return Cause.OTHER_BROKER
    if state is not BrokerState.CONNECTED:
        return Cause.NOT_CONNECTED
    heard = await async_hears_itself(hass, client_id)
    return Cause.SOCKET_RIGHTS if heard else Cause.OWN_RIGHTS
