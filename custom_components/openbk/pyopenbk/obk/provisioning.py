"""What a socket must be told so that Home Assistant sees all of it: one place for every setting."""

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address
from typing import Final

from ..beken.chips import BK7231N, Chip
from ..errors import OpenBekenError
from ..profile import SocketProfile
from . import startup
from .commands import Command, clock_command, time_server_command, utc_offset_command
from .flags import WANTED_FLAGS, StartValue
from .messages import is_client_id
from .names import long_name_of

# shortDeviceName holds 32 bytes of UTF-8 with its terminating zero.
LONGEST_SHORT_NAME: Final = 31
DEFAULT_GROUP: Final = BK7231N.group
# A server of the pool that the firmware itself starts with; it resolves no names.
DEFAULT_NTP_SERVER: Final = "217.147.223.78"


class ProvisioningError(OpenBekenError):
    """A socket cannot be given these settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """How a socket learns the time: a time server and the distance from UTC.

    The firmware for this chip is built without rules for summer time, so the distance includes it
    and is sent again when it changes.
    """

    utc_offset: timedelta
    ntp_server: str = DEFAULT_NTP_SERVER

    def __post_init__(self) -> None:
        """Refuse a server name: the firmware takes an IPv4 address only."""
        try:
            IPv4Address(self.ntp_server)
        except ValueError as err:
            raise ProvisioningError(f"{self.ntp_server} is not an address") from err


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioning:
    """The settings of one socket, as far as they follow from its pins and its MAC.

    Wi-Fi, broker and their passwords are not here: they come from the person.
    """

    client_id: str
    group: str
    short_name: str
    long_name: str
    flags: int
    """The 64-bit flag word."""
    start_values: dict[int, int]
    """What each channel is set to when power comes back."""
    startup_command: str
    ntp_server: str
    ping_host: str = ""
    """Empty, or the firmware reboots a socket whose 192.168.0.1 does not answer."""


def provision(
    profile: SocketProfile,
    mac: str,
    *,
    clock: Clock,
    client_id: str | None = None,
    group: str = DEFAULT_GROUP,
    chip: Chip = BK7231N,
    lines: bool = True,
) -> Provisioning:
    """Return what a newly flashed socket with this chip is given.

    ``lines`` is whether its firmware runs a start-up command line by line.
    Raises ProvisioningError for a MAC or a client id that is none, and for a start-up command
    that the firmware has no room for.
    """
    tail = mac.replace(":", "").replace("-", "").upper()[-8:]
    if len(tail) != 8:
        raise ProvisioningError(f"{mac} is not a MAC address")
    client_id = client_id or f"obk{tail}"
    if not is_client_id(client_id):
        raise ProvisioningError(f"{client_id!r} cannot be a topic")
    return Provisioning(
        client_id=client_id,
        group=group,
        short_name=_cut(client_id, LONGEST_SHORT_NAME),
        long_name=long_name_of(mac, chip),
        flags=sum(flag.mask for flag in WANTED_FLAGS) | profile.flags,
        start_values={relay.channel: StartValue.LAST for relay in profile.relays},
        startup_command=startup_command(profile, clock.utc_offset, lines=lines),
        ntp_server=clock.ntp_server,
    )


def startup_command(
    profile: SocketProfile, utc_offset: timedelta, *, lines: bool = True
) -> str:
    """Return the command that restores at every boot what the firmware keeps in RAM only.

    Behind it comes what the profile's template wants to have run, unchanged; a part of ours that
    could change what that does is left out, as ``startup.add`` says. Raises ProvisioningError where
    ours alone is longer than the firmware can store.
    """
    addition = startup.add(
        profile.command,
        startup.own_parts(profile, utc_offset),
        # Ours alone is one backlog, which every firmware runs.
        lines=lines or not profile.command,
    )
    if addition.left_out and not profile.command:
        raise ProvisioningError("a start-up command that does not fit")
    return addition.text


def _cut(text: str, size: int) -> str:
    """Return as much of a text as fits into so many bytes of UTF-8, without half a character."""
    return text.encode()[:size].decode(errors="ignore")


def time_commands(clock: Clock) -> list[Command]:
    """Return the commands after which a running socket asks a time server and shows local time."""
    return [
        time_server_command(IPv4Address(clock.ntp_server)),
        clock_command(),
        utc_offset_command(clock.utc_offset),
    ]
