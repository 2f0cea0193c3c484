"""What would be changed in a socket that somebody else set up, and how to take it back."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
import re
from typing import Final, Self

from ..profile import SocketProfile
from . import startup
from .commands import Command, backlog, channel_type_command, flag_command
from .console import CommandRefusedError, Console, ConsoleError
from .flags import UNWANTED_FLAGS, WANTED_FLAGS, Flag
from .saving import Sleep, until_saved
from .snapshot import without_secrets
from .startup import Obstacle, Part

_STORED: Final = re.compile(r'StartupCommand "(?P<text>.*)"', re.DOTALL)
_FLAG: Final = re.compile(r"SetFlag (?P<number>\d+) (?P<on>[01])")


class TuneStep(StrEnum):
    """One proposed change; its reason is told under this name."""

    STATE_ON_CONNECT = "state_on_connect"
    RETAIN_RELAYS = "retain_relays"
    RETAIN_EVERYTHING = "retain_everything"
    OWN_DISCOVERY = "own_discovery"
    TASMOTA_TELEMETRY = "tasmota_telemetry"
    MULTIPLIED_VALUES = "multiplied_values"
    ENERGY_IN_KWH = "energy_in_kwh"
    NO_GET_SUFFIX = "no_get_suffix"
    CHANNEL_TYPE = "channel_type"
    STARTUP_COMMAND = "startup_command"


# Without these the socket speaks on topics that nobody here listens to, or not of its relay.
NEEDED: Final = frozenset({TuneStep.NO_GET_SUFFIX, TuneStep.CHANNEL_TYPE})


class StartupChangedError(CommandRefusedError):
    """The start-up command is another than the one that was written here; it was left alone."""

    def __init__(self) -> None:
        """Nothing was changed."""
        super().__init__("StartupCommand", unknown=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """A change: console commands that make it and what takes it back.

    With ``startup`` that text is stored as the start-up command, which nothing runs before the
    next boot; the commands are what was added to it, and have their effect now.
    """

    step: TuneStep
    commands: tuple[Command, ...]
    undo: tuple[str, ...]
    """The lines that take it back. Behind that of a start-up command stands the text that was
    written, by which a later change of somebody else is noticed."""
    startup: str | None = None

    def undo_after(self, known: Sequence[str]) -> list[str]:
        """Return what takes it back where ``known`` took back the same change made before.

        What was there before the first change counts, unless somebody wrote a start-up command of
        their own since.
        """
        if not known:
            return [*self.undo]
        first, *written = known
        if self.startup is None:
            return [first]
        if list(map(_stored, written)) != [*self.undo[:1]]:
            return [*self.undo]
        return [first, *self.undo[1:]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What is worth changing in a socket, and what of it is not touched."""

    tunings: tuple[Tuning, ...] = ()
    left_out: Mapping[Part, Obstacle] = field(default_factory=dict)
    """Parts of the start-up command that could change what the socket's own program does."""

    def without(self, done: Collection[Tuning]) -> Self:
        """Return what is left of it."""
        left = tuple(item for item in self.tunings if item not in done)
        return replace(self, tunings=left)

    def tuned(self, done: Collection[Tuning]) -> bool:
        """Return whether the socket is set as ours are, so that its clock may be set as well."""
        return len(done) == len(self.tunings) and Part.CLOCK not in self.left_out


def propose(
    profile: SocketProfile,
    utc_offset: timedelta,
    *,
    flags: int,
    startup_command: str,
    lines: bool,
    files: Collection[str] = (),
    channel_types: Sequence[int] = (),
) -> Proposal:
    """Return what is worth changing; nothing for a socket that we flashed.

    ``flags`` and ``startup_command`` are what the socket has now, ``files`` are the scripts that it
    runs at boot, ``lines`` is whether it runs the start-up command line by line, and
    ``channel_types`` are those of its channels, where they are known.
    """
    parts = startup.own_parts(profile, utc_offset)
    addition = startup.add(startup_command, parts, lines=lines, files=files)
    tunings = [*_flags(flags), *_channel_types(profile, channel_types)]
    if addition.commands:
        tunings.append(
            Tuning(
                step=TuneStep.STARTUP_COMMAND,
                commands=addition.commands,
                undo=(_stored(startup_command), addition.text),
                startup=addition.text,
            )
        )
    return Proposal(tunings=tuple(tunings), left_out=addition.left_out)


def propose_by_topics() -> Proposal:
    """Return what must be changed in a socket that was heard on topics without ``/get``."""
    return Proposal(tunings=(_flag(Flag.NO_GET_SUFFIX, False),))


async def apply(console: Console, tuning: Tuning, sleep: Sleep) -> None:
    """Make one change and look whether the socket has it.

    Raises ConsoleError; what was there before is back then, if the socket can still be reached.
    """
    if tuning.startup is None:
        await _run(console, tuning.commands, sleep)
        return
    before = _STORED.fullmatch(tuning.undo[0])
    assert before is not None
    # An attempt that broke off may have left ours there.
    if await console.startup_command() not in (before["text"], tuning.startup):
        raise StartupChangedError
    try:
        await console.set_startup_command(tuning.startup)
        await _run(console, tuning.commands, sleep)
    except ConsoleError:
        # Where only an answer was lost, what was sent has arrived all the same.
        with suppress(ConsoleError):
            await console.set_startup_command(before["text"])
        raise


async def take_back(console: Console, undo: Iterable[str], sleep: Sleep) -> None:
    """Give a socket back what it had; ``undo`` is that of a Tuning.

    Raises ConsoleError, and StartupChangedError where a start-up command was changed by somebody
    else in the meantime.
    """
    line, *written = undo
    if (stored := _STORED.fullmatch(line)) is None:
        await _run(console, (Command(line),), sleep)
        return
    now = await console.startup_command()
    if now == stored["text"]:
        return
    if written and now != written[0]:
        raise StartupChangedError
    await console.set_startup_command(stored["text"])


def still_in_force(
    undo: Mapping[str, list[str]], flags: int, startup_command: str
) -> dict[str, list[str]]:
    """Return what is left to be taken back in a socket that has these settings now.

    Secrets may be left out of its ``startup_command`` (``without_secrets``).
    """
    return {
        step: lines
        for step, lines in undo.items()
        if not _is_taken_back(lines[0], flags, startup_command)
    }


def _is_taken_back(line: str, flags: int, startup_command: str) -> bool:
    if (stored := _STORED.fullmatch(line)) is not None:
        return startup_command in (stored["text"], without_secrets(stored["text"]))
    if (flag := _FLAG.fullmatch(line)) is not None:
        return flags >> int(flag["number"]) & 1 == int(flag["on"])
    return False


async def _run(console: Console, commands: Iterable[Command], sleep: Sleep) -> None:
    for command in commands:
        await console.command(command)
        if (flag := _FLAG.fullmatch(command)) is not None:
            await _confirm(console, command, flag, sleep)


async def _confirm(
    console: Console, command: Command, flag: re.Match[str], sleep: Sleep
) -> None:
    async def is_saved() -> bool:
        return await console.flags() >> int(flag["number"]) & 1 == int(flag["on"])

    if not await until_saved(is_saved, sleep):
        raise CommandRefusedError(command, unknown=False)


def _stored(text: str) -> str:
    """Return how a start-up command is noted, whichever way it is given back."""
    return f'StartupCommand "{text}"'


def _flags(flags: int) -> Iterator[Tuning]:
    wanted = {
        **dict.fromkeys(WANTED_FLAGS, True),
        **dict.fromkeys(UNWANTED_FLAGS, False),
    }
    for flag, on in wanted.items():
        if bool(flags & flag.mask) is not on:
            yield _flag(flag, on)


def _channel_types(profile: SocketProfile, types: Sequence[int]) -> Iterator[Tuning]:
    channels = [
        channel
        for channel in profile.two_coil_channels
        if channel < len(types) and not types[channel]
    ]
    if channels:
        yield Tuning(
            step=TuneStep.CHANNEL_TYPE,
            commands=tuple(channel_type_command(each, "Toggle") for each in channels),
            undo=(backlog(channel_type_command(each, "Default") for each in channels),),
        )


def _flag(flag: Flag, on: bool) -> Tuning:
    return Tuning(
        step=TuneStep(flag.value),
        commands=(flag_command(flag, on),),
        undo=(flag_command(flag, not on),),
    )
