"""The configuration of a socket at a moment: readable, to be compared, and put back."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from difflib import ndiff
from enum import StrEnum
import re
from typing import Any, Final, Self

from ..errors import OpenBekenError
from ..foreign_numbers import finite
from ..profile import ProfileError, SocketProfile
from .commands import (
    Command,
    channel_type_command,
    flag_word_commands,
    pin_commands,
    start_value_commands,
)
from .console import (
    BOOT_SCRIPTS,
    CommandRefusedError,
    Console,
    NotAnAnswerError,
    SocketInfo,
)
from .meter import read_stored_factors
from .saving import Sleep, until_saved

_FLAGS: Final = 64
_REMOVED: Final = "(removed)"
# Arguments of these commands (cmd_main.c, cmd_tasmota.c and drv_*.c of 1.18.299) open something.
_SECRET_COMMAND: Final = re.compile(
    r"(\b\w*(?:password\d?|webpass|apikey|token|secret)\b[ \t]+)(\"[^\"]*\"?|[^\s;]+)",
    re.IGNORECASE,
)
_USER_OF_URL: Final = re.compile(r"(\b\w+://)[^/\s@]+@")
_SECRET_OF_URL: Final = re.compile(
    r"([?&](?=\w*(?:pass|key|token|secret|auth))\w+=)[^&\s\"]+", re.IGNORECASE
)
# What the console calls the types of channels, in the order of their numbers (g_channelTypeNames of
# 1.17.360 and 1.18.300, as far as a socket may have them). "Error" is none that can be set.
_CHANNEL_TYPES: Final = (
    "Default",
    "Error",
    "Temperature",
    "Humidity",
    "Humidity_div10",
    "Temperature_div10",
    "Toggle",
    "Dimmer",
    "LowMidHigh",
    "TextField",
    "ReadOnly",
)


class SnapshotError(OpenBekenError):
    """What was kept of the settings of a socket cannot be read, or is of another socket."""


class Part(StrEnum):
    """A part of the configuration, in the order of the text."""

    IDENTITY = "identity"
    PINS = "pins"
    FLAGS = "flags"
    CHANNEL_TYPES = "channel_types"
    START_VALUES = "start_values"
    STARTUP_COMMAND = "startup_command"
    FACTORS = "factors"
    SCRIPTS = "scripts"


# No command sets a factor to a number, a name of the socket without a restart of its MQTT, or writes
# a whole file (drv_pwrCal.c and cmd_main.c of 1.18.299).
_BY_COMMAND: Final = frozenset(
    {
        Part.PINS,
        Part.FLAGS,
        Part.CHANNEL_TYPES,
        Part.START_VALUES,
        Part.STARTUP_COMMAND,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Lines that differ, those of now behind ``-`` and those of then behind ``+``."""

    restorable: tuple[str, ...]
    """What commands can put back."""
    lasting: tuple[str, ...]
    """What they cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What one socket was set to, but for the Wi-Fi and logins.

    Scripts may hold passwords: what is shown or kept for long is `without_secrets`.
    """

    identity: Mapping[str, str]
    """What it said of itself, by the name of the command or the thing."""
    profile: SocketProfile
    flags: int
    channel_types: tuple[int, ...]
    start_values: Mapping[int, int]
    """Of the channels that start with something else than 0."""
    startup_command: str = field(repr=False)
    startup_is_whole: bool = True
    """Whether nothing was left out of the start-up command."""
    scripts: tuple[str, ...] = field(default=(), repr=False)
    """What it runs at boot out of its file system."""
    factors: tuple[float, ...] = field(default=())
    """Those of its meter as stored, where they can be read and were ever set."""

    @property
    def mac(self) -> str:
        """Return whose settings these are."""
        return self.identity["MAC"]

    def without_secrets(self) -> Self:
        """Return the same without what looks like a password, a key or a token."""
        shown = without_secrets(self.startup_command)
        return replace(
            self,
            startup_command=shown,
            startup_is_whole=self.startup_is_whole and shown == self.startup_command,
            scripts=tuple(map(without_secrets, self.scripts)),
        )

    @property
    def text(self) -> str:
        """Return a line for each setting, in an order that never changes."""
        return "".join(f"{line}\n" for part in Part for line in self._lines(part))

    def difference(self, now: Self) -> Difference:
        """Return what is different in a socket now."""
        found: dict[bool, list[str]] = {True: [], False: []}
        for part in Part:
            found[self._is_restorable(part, now)] += [
                f"{line[0]} {line[2:].strip()}"
                for line in ndiff(now._lines(part), self._lines(part))
                if line[0] in "-+"
            ]
        return Difference(restorable=tuple(found[True]), lasting=tuple(found[False]))

    def commands(self, now: Self) -> Iterator[Command]:
        """Yield what turns the settings of now into these, but for the start-up command."""
        yield from pin_commands(now.profile, self.profile)
        yield from flag_word_commands(now.flags, self.flags)
        for channel, (then, kind) in enumerate(
            zip(self.channel_types, now.channel_types, strict=False)
        ):
            if then != kind and _has_name(then):
                yield channel_type_command(channel, _CHANNEL_TYPES[then])
        yield from start_value_commands(now.start_values, self.start_values)

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values, for storage."""
        return {
            "identity": dict(self.identity),
            "profile": self.profile.as_dict(),
            "flags": self.flags,
            "channel_types": list(self.channel_types),
            "start_values": {str(key): each for key, each in self.start_values.items()},
            "startup_command": self.startup_command,
            "startup_is_whole": self.startup_is_whole,
            "scripts": list(self.scripts),
            "factors": list(self.factors),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Read what ``as_dict`` returned; raises SnapshotError for anything else."""
        try:
            identity = {str(key): str(each) for key, each in stored["identity"].items()}
            return cls(
                identity=identity | {"MAC": identity["MAC"]},
                profile=SocketProfile.from_dict(stored["profile"]),
                flags=int(stored["flags"]),
                channel_types=tuple(map(int, stored["channel_types"])),
                start_values={
                    int(key): int(each) for key, each in stored["start_values"].items()
                },
                startup_command=str(stored["startup_command"]),
                startup_is_whole=bool(stored["startup_is_whole"]),
                scripts=tuple(map(str, stored["scripts"])),
                factors=tuple(map(finite, stored["factors"])),
            )
        except (
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
            OverflowError,
            ProfileError,
        ) as err:
            raise SnapshotError("no snapshot of settings") from err

    def _is_restorable(self, part: Part, now: Self) -> bool:
        if part is Part.STARTUP_COMMAND:
            return self.startup_is_whole
        if part is Part.CHANNEL_TYPES:
            return all(
                _has_name(then)
                for then, kind in zip(
                    self.channel_types, now.channel_types, strict=False
                )
                if then != kind
            )
        return part in _BY_COMMAND

    def _lines(self, part: Part) -> list[str]:
        match part:
            case Part.IDENTITY:
                return [f"{name} {text}" for name, text in self.identity.items()]
            case Part.PINS:
                return [*_pins(self.profile)]
            case Part.FLAGS:
                bits = range(_FLAGS)
                return [f"SetFlag {bit} 1" for bit in bits if self.flags >> bit & 1]
            case Part.CHANNEL_TYPES:
                types = enumerate(self.channel_types)
                return [
                    f"SetChannelType {channel} {_name(kind)}"
                    for channel, kind in types
                    if kind
                ]
            case Part.START_VALUES:
                starts = sorted(self.start_values.items())
                return [f"SetStartValue {channel} {value}" for channel, value in starts]
            case Part.STARTUP_COMMAND:
                return _script("Start-up command", self.startup_command)
            case Part.FACTORS:
                names = zip(("Voltage", "Current", "Power"), self.factors, strict=False)
                return [f"{name} factor {factor:.6g}" for name, factor in names]
            case Part.SCRIPTS:
                title = f"Script ({' or '.join(BOOT_SCRIPTS)})"
                return [line for each in self.scripts for line in _script(title, each)]


def without_secrets(script: str) -> str:
    """Return a script in which what looks like a password, a key or a token is left out."""
    script = _USER_OF_URL.sub(rf"\1{_REMOVED}@", script)
    script = _SECRET_OF_URL.sub(rf"\1{_REMOVED}", script)
    return _SECRET_COMMAND.sub(rf"\1{_REMOVED}", script)


async def take_snapshot(console: Console) -> Snapshot:
    """Ask a socket for its settings, without secrets; raises as read_settings."""
    return (await read_settings(console, await console.info())).without_secrets()


async def read_settings(console: Console, info: SocketInfo) -> Snapshot:
    """Ask a socket for its settings, with all that scripts hold.

    Raises ConsoleError, also for a build that does not tell them.
    """
    factors: tuple[float, ...] = ()
    with suppress(NotAnAnswerError):
        factors = await read_stored_factors(console)
    starts = await console.start_values()
    return Snapshot(
        identity=dict(_identity(info)),
        profile=await console.pins(),
        flags=await console.flags(),
        channel_types=await console.channel_types(),
        start_values={channel: value for channel, value in starts.items() if value},
        startup_command=await console.startup_command(),
        scripts=await console.boot_scripts(),
        factors=factors if any(factors) else (),
    )


async def put_snapshot_back(console: Console, kept: Snapshot, sleep: Sleep) -> Snapshot:
    """Give a socket what it had, as far as commands can; return what it has afterwards.

    What it refuses stays as it is, and shows in what is returned. A start-up command is run at the
    next boot. Raises SnapshotError for the settings of another socket, before anything is changed,
    and ConsoleError where the socket falls silent.
    """
    now = await take_snapshot(console)
    if now.mac != kept.mac:
        raise SnapshotError("these are the settings of another socket")
    for command in kept.commands(now):
        with suppress(CommandRefusedError):
            await console.command(command)
    if kept.startup_is_whole and (
        kept.startup_command != now.startup_command or not now.startup_is_whole
    ):
        with suppress(CommandRefusedError):
            await console.set_startup_command(kept.startup_command)

    async def is_back() -> bool:
        nonlocal now
        now = await take_snapshot(console)
        return not kept.difference(now).restorable

    await until_saved(is_back, sleep)
    return now


def _identity(info: SocketInfo) -> Iterator[tuple[str, str]]:
    yield "Chip", info.chip
    yield "Build", info.build
    yield "MAC", info.mac
    if info.short_name:
        yield "ShortName", info.short_name
    yield "MQTT broker", info.broker
    yield "MqttClient", info.client_id


def _pins(profile: SocketProfile) -> Iterator[str]:
    for pin in profile.pins:
        yield f"SetPinRole {pin.pin} {pin.role.firmware_name}"
        if pin.channel2:
            yield f"SetPinChannel {pin.pin} {pin.channel} {pin.channel2}"
        elif pin.role.has_channel:
            yield f"SetPinChannel {pin.pin} {pin.channel}"


def _has_name(kind: int) -> bool:
    return kind < len(_CHANNEL_TYPES) and _name(kind) != "Error"


def _name(kind: int) -> str:
    return _CHANNEL_TYPES[kind] if kind < len(_CHANNEL_TYPES) else str(kind)


def _script(title: str, text: str) -> list[str]:
    lines = text.splitlines()
    return [f"{title}:", *(f"  {line}" for line in lines)] if lines else []
