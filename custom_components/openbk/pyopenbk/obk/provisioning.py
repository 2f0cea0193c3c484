"""What a socket must be told so that Home Assistant sees all of it: one place for every setting."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Final

from ..errors import OpenBekenError
from ..profile import SocketProfile
from .messages import Gesture, button_key, is_client_id

# initCommandLine holds 1568 bytes with its terminating zero (OpenBeken since 2023-04).
LONGEST_STARTUP_COMMAND: Final = 1567
# shortDeviceName holds 32 bytes of UTF-8 with its terminating zero.
LONGEST_SHORT_NAME: Final = 31
DEFAULT_GROUP: Final = "bekens_n"
# A server of the pool that the firmware itself starts with; it resolves no names.
DEFAULT_NTP_SERVER: Final = "217.147.223.78"


class ProvisioningError(OpenBekenError):
    """A socket cannot be given these settings."""


class Flag(StrEnum):
    """The firmware's general flags that matter to us, named by their purpose."""

    BROADCAST = "broadcast"
    RETAIN_EVERYTHING = "retain_everything"
    STATE_ON_CONNECT = "state_on_connect"
    RETAIN_RELAYS = "retain_relays"
    OWN_DISCOVERY = "own_discovery"
    TASMOTA_TELEMETRY = "tasmota_telemetry"
    MULTIPLIED_VALUES = "multiplied_values"
    ENERGY_IN_KWH = "energy_in_kwh"
    IGNORE_BUTTONS = "ignore_buttons"
    NO_GET_SUFFIX = "no_get_suffix"

    @property
    def number(self) -> int:
        """Return the bit that SetFlag takes; the same from 1.17.360 to 1.18.300."""
        return _FLAG_NUMBERS[self]

    @property
    def mask(self) -> int:
        """Return the flag as a bit of the 64-bit flag word."""
        return 1 << self.number


_FLAG_NUMBERS: Final = {
    Flag.BROADCAST: 2,
    Flag.RETAIN_EVERYTHING: 7,
    Flag.STATE_ON_CONNECT: 10,
    Flag.RETAIN_RELAYS: 21,
    Flag.OWN_DISCOVERY: 27,
    Flag.TASMOTA_TELEMETRY: 30,
    Flag.MULTIPLIED_VALUES: 33,
    Flag.ENERGY_IN_KWH: 40,
    Flag.IGNORE_BUTTONS: 41,
    Flag.NO_GET_SUFFIX: 50,
}
WANTED_FLAGS: Final = (Flag.STATE_ON_CONNECT, Flag.RETAIN_RELAYS)
# Each of these changes what the socket sends, or floods the broker.
UNWANTED_FLAGS: Final = (
    Flag.RETAIN_EVERYTHING,
    Flag.OWN_DISCOVERY,
    Flag.TASMOTA_TELEMETRY,
    Flag.MULTIPLIED_VALUES,
    Flag.ENERGY_IN_KWH,
    Flag.NO_GET_SUFFIX,
)


class StartValue:
    """What a channel is set to when power comes back, as SetStartValue takes it."""

    OFF: Final = 0
    ON: Final = 1
    LAST: Final = -1


_EVENTS: Final = {
    "OnClick": Gesture.SINGLE,
    "OnDblClick": Gesture.DOUBLE,
    "On3Click": Gesture.TRIPLE,
    "OnHoldStart": Gesture.HOLD,
    "OnRelease": Gesture.RELEASE,
}
# At most one message in 4 s while a value moves, one in 31 s while it rests: 6 s and 61 s by
# default, which leaves a load step wrong for too long and a new subscriber without values.
_REPORTING: Final = "VCPPublishIntervals 3 30"
# One sample a minute, sixty of them: what "last hour" is summed from.
_STATISTICS: Final = "SetupEnergyStats 1 60 60"


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
) -> Provisioning:
    """Return what a newly flashed socket is given.

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
        long_name=f"OpenBK7231N_{tail}",
        flags=sum(flag.mask for flag in WANTED_FLAGS),
        start_values={relay.channel: StartValue.LAST for relay in profile.relays},
        startup_command=startup_command(profile, clock.utc_offset),
        ntp_server=clock.ntp_server,
    )


def startup_command(
    profile: SocketProfile, utc_offset: timedelta, *, kept: str = ""
) -> str:
    """Return the command that restores at every boot what the firmware keeps in RAM only.

    ``kept`` is a start-up command that the socket has already; what is not ours stays in front.
    Raises ProvisioningError where the result is longer than the firmware can store.
    """
    commands = [*foreign_commands(kept), *_own_commands(profile, utc_offset)]
    command = f"backlog {'; '.join(commands)}"
    if len(command.encode()) > LONGEST_STARTUP_COMMAND:
        raise ProvisioningError(f"a start-up command of {len(command)} characters")
    return command


def foreign_commands(command: str) -> list[str]:
    """Return the commands of a start-up command that we did not write."""
    line = command.strip()
    if line.casefold().startswith("backlog "):
        line = line[len("backlog ") :]
    parts = (part.strip() for part in line.split(";"))
    return [part for part in parts if part and not _is_ours(part)]


def _cut(text: str, size: int) -> str:
    """Return as much of a text as fits into so many bytes of UTF-8, without half a character."""
    return text.encode()[:size].decode(errors="ignore")


def utc_offset_command(utc_offset: timedelta) -> tuple[str, str]:
    """Return command and argument that set the distance from UTC.

    The firmware reads hours and minutes with ``%i``: a leading zero would make them octal.
    """
    minutes = round(utc_offset.total_seconds() / 60)
    hours, minutes_left = divmod(abs(minutes), 60)
    return "ntp_timeZoneOfs", f"{'-' if minutes < 0 else '+'}{hours}:{minutes_left}"


def time_commands(clock: Clock) -> list[str]:
    """Return the commands after which a running socket asks a time server and shows local time."""
    offset = " ".join(utc_offset_command(clock.utc_offset))
    return [f"ntp_setServer {clock.ntp_server}", "startDriver NTP", offset]


def _own_commands(profile: SocketProfile, utc_offset: timedelta) -> Iterator[str]:
    yield "startDriver NTP"
    yield " ".join(utc_offset_command(utc_offset))
    if profile.has_meter:
        yield _REPORTING
        yield _STATISTICS
    for index, button in enumerate(profile.buttons):
        topic = button_key(button.pin, first=index == 0)
        for event, gesture in _EVENTS.items():
            yield f"addEventHandler {event} {button.pin} publish {topic} {gesture}"


def _is_ours(command: str) -> bool:
    words = command.casefold().split()
    if words[0] == "addeventhandler":
        return (
            len(words) > 4 and words[3] == "publish" and words[4].startswith("button")
        )
    if words[0] == "startdriver":
        return words[1:] == ["ntp"]
    return words[0] in {"ntp_timezoneofs", "vcppublishintervals", "setupenergystats"}
