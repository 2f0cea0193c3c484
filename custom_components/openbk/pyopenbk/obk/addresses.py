"""Where the web server of a socket may be: addresses that are checked before anything is sent."""

from dataclasses import dataclass
from ipaddress import IPv4Address
import re
from typing import Final

from .console import PORT, ConsoleError

_PORT: Final = re.compile(r"[0-9]{1,5}")
_NAME: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
    r"(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?",
    re.IGNORECASE | re.ASCII,
)
# What ends in a number is an address or none; resolvers also take 127.1 or 0x7f000001 for one.
_NUMBER: Final = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)\.?", re.IGNORECASE)


class AddressError(ConsoleError):
    """No socket can be at this address; nothing was sent there."""


@dataclass(frozen=True, slots=True)
class Address:
    """A host, by name or IPv4 address, and the port of its web server."""

    host: str
    port: int = PORT

    @property
    def ip(self) -> IPv4Address | None:
        """Return the IPv4 address, or None for a name."""
        try:
            return IPv4Address(self.host)
        except ValueError:
            return None


def parse_address(text: str) -> Address:
    """Return the address that a person typed or a socket told; a port may follow the host.

    Raises AddressError for what is none: IPv6, which the firmware does not have, a port outside of
    1 to 65535, or an address in a form that only resolvers know.
    """
    host, colon, port = text.partition(":")
    number = int(port) if _PORT.fullmatch(port) else 0
    if colon and not 0 < number < 1 << 16:
        raise AddressError("a port is a number from 1 to 65535")
    address = Address(host, number if colon else PORT)
    if not _NAME.fullmatch(host) or (_NUMBER.fullmatch(host) and address.ip is None):
        raise AddressError("neither a host name nor an IPv4 address")
    return address
