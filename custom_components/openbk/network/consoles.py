"""The web servers of sockets: where they may be, and who asks one waits for the last answer."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
import socket
import time
from typing import Any, Final
from weakref import WeakValueDictionary

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from ..const import CONF_ADDRESS, CONF_CLIENT_ID, CONF_MAC, DOMAIN
from ..pyopenbk.ipv4 import is_in_a_network
from ..pyopenbk.obk.addresses import AddressError, parse_address
from ..pyopenbk.obk.console import Connect, Console, Streams, UnreachableError

_LOCKS: Final[HassKey[WeakValueDictionary[str, asyncio.Lock]]] = HassKey(
    f"{DOMAIN}.console_locks"
)
_PASSWORDS: Final[HassKey[dict[str, str]]] = HassKey(f"{DOMAIN}.web_passwords")


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketAccess:
    """The network and the clock of the sockets, which a simulation replaces by its own."""

    connect: Connect = asyncio.open_connection
    speed: float = 1.0
    """Seconds of the socket's that pass in one of ours."""
    time: Callable[[], float] = time.time
    simulated: bool = False
    """The sockets run on this very machine, so their addresses are on it, each with a port."""

    def now(self) -> float:
        """Return the sockets' time in their seconds, also across restarts."""
        return self.time() * self.speed

    async def sleep(self, seconds: float) -> None:
        """Sleep for seconds of the socket's."""
        await asyncio.sleep(seconds / self.speed)

    async def open(self, host: str, port: int) -> Streams:
        """Connect to where a socket may be; raises OSError for anywhere else."""
        if not self.simulated:
            host = await _resolve(host, port)
        return await self.connect(host, port)


SOCKET_ACCESS: Final[HassKey[SocketAccess]] = HassKey(f"{DOMAIN}.socket_access")


async def _resolve(host: str, port: int) -> str:
    """Return an address of a host that can be a socket's; another may follow the next time."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host, port, family=socket.AF_INET, type=socket.SOCK_STREAM
    )
    for *_, (address, *_) in found:
        if is_in_a_network(IPv4Address(address)):
            return str(address)
    raise OSError(f"{host} is no socket's")


@callback
def console_at(
    hass: HomeAssistant, address: str, password: str | None = None
) -> Console:
    """Return a client for an address, which may name a port; nothing is sent yet.

    Without a password, it has the one that is kept for this address. All clients of one address
    share a lock, as a socket can serve one request at a time. Raises AddressError where no socket
    can be.
    """
    # A dialog may ask before the integration itself is set up.
    access = hass.data.setdefault(SOCKET_ACCESS, SocketAccess())
    where = parse_address(address)
    if where.ip is not None and not (access.simulated or is_in_a_network(where.ip)):
        raise AddressError("no device in a network has this address")
    locks = hass.data.setdefault(_LOCKS, WeakValueDictionary())
    lock = locks.setdefault(address, asyncio.Lock())
    return Console(
        where.host,
        where.port,
        password=password or kept_password(hass, address),
        connect=access.open,
        lock=lock,
    )


async def async_console_of(
    hass: HomeAssistant, data: Mapping[str, Any], password: str | None = None
) -> Console:
    """Return the web server of an entry's socket, once it was seen to be this very socket's.

    ``data`` is that of the entry; the password is as for ``console_at``. Raises PasswordError,
    OtherSocketError where another socket has its address by now, and another ConsoleError where
    nobody knows the address or no socket answers there.
    """
    if not (address := data[CONF_ADDRESS]):
        raise UnreachableError("no address is known")
    console = console_at(hass, address, password)
    await console.check_whose(data[CONF_MAC], data[CONF_CLIENT_ID])
    return console


@callback
def keep_password(hass: HomeAssistant, address: str, password: str | None) -> None:
    """Keep the password of a web page until Home Assistant stops, None to forget it.

    It is of an address and not of a socket, as anybody may say that a socket has moved.
    """
    known = hass.data.setdefault(_PASSWORDS, {})
    if password:
        known[address] = password
    else:
        known.pop(address, None)


@callback
def kept_password(hass: HomeAssistant, address: str) -> str | None:
    """Return the password that is kept for the web page at an address."""
    return hass.data.get(_PASSWORDS, {}).get(address)
