"""What would be changed in a socket that somebody else set up, and how to take it back."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
import re
from typing import Final

from ..profile import SocketProfile
from .provisioning import UNWANTED_FLAGS, WANTED_FLAGS, Flag, startup_command
from .settings import flag_command

# A message is executed in pieces when it is longer than the firmware's receive buffer of 1024
# bytes with its header.
LONGEST_COMMAND: Final = 900
_OFFSET: Final = re.compile(r"ntp_timeZoneOfs [^;]*", re.IGNORECASE)


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
    STARTUP_COMMAND = "startup_command"


# Without these the socket speaks on topics that nobody here listens to.
NEEDED: Final = frozenset({TuneStep.NO_GET_SUFFIX})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """A change: console commands that make it and those that take it back.

    Each command is sent by itself: a backlog would be cut at the semicolons of a start-up command.
    """

    step: TuneStep
    commands: tuple[str, ...]
    undo: tuple[str, ...]


def propose(
    profile: SocketProfile,
    utc_offset: timedelta,
    *,
    flags: int | None,
    startup: str | None,
) -> tuple[Tuning, ...]:
    """Return what is worth changing; empty for a socket that we flashed.

    ``flags`` and ``startup`` are what the socket has now. None means that it could not be asked:
    then nothing is proposed there, as it could not be taken back.
    """
    return (
        *(() if flags is None else _flags(flags)),
        *(() if startup is None else _startup(profile, utc_offset, startup)),
    )


def propose_by_topics() -> tuple[Tuning, ...]:
    """Return what must be changed in a socket that was heard on topics without ``/get``."""
    return (_flag(Flag.NO_GET_SUFFIX, False),)


def _flags(flags: int) -> Iterator[Tuning]:
    wanted = {
        **dict.fromkeys(WANTED_FLAGS, True),
        **dict.fromkeys(UNWANTED_FLAGS, False),
    }
    for flag, on in wanted.items():
        if bool(flags & flag.mask) is not on:
            yield _flag(flag, on)


def _flag(flag: Flag, on: bool) -> Tuning:
    return Tuning(
        step=TuneStep(flag.value),
        commands=(flag_command(flag, on),),
        undo=(flag_command(flag, not on),),
    )


def _startup(
    profile: SocketProfile, utc_offset: timedelta, startup: str
) -> Iterator[Tuning]:
    command = startup_command(profile, utc_offset, kept=startup)
    set_and_run = f'StartupCommand "{command}" 1'
    if (
        # The offset is sent to the running socket whenever it changes, so it may differ here.
        _OFFSET.sub("", command) != _OFFSET.sub("", startup)
        and len(set_and_run) <= LONGEST_COMMAND
        and '"' not in command
    ):
        yield Tuning(
            step=TuneStep.STARTUP_COMMAND,
            commands=(set_and_run,),
            undo=(f'StartupCommand "{startup}"',),
        )
