"""The start-up command of a socket: a program, to which ours is added only where that changes nothing.

Its grammar was recorded from OpenBeken 1.18.299 and confirmed on the BK7231N image 1.18.300. It runs
line by line. A line is one command or a backlog, which is cut at every semicolon, whatever is quoted,
and after 127 bytes. Handlers, repeating events, aliases and conditions keep the rest of their command.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from itertools import chain
import re
from typing import Final

from ..meters import Meter, meter_started_by
from ..profile import SocketProfile
from .commands import (
    LONGEST_PART,
    RUN_LATER,
    Command,
    button_command,
    clock_command,
    reporting_command,
    start_meter_command,
    statistics_command,
    utc_offset_command,
)
from .messages import Gesture, button_key

# initCommandLine holds 1568 bytes with its terminating zero (OpenBeken since 2023-04).
LONGEST_STARTUP_COMMAND: Final = 1567
# Before it ran lines, page and console put it through a buffer of 512 bytes (tag 1.17.360).
_LONGEST_SINGLE_COMMAND: Final = 511
# From here on it is a script of lines; before, all of it is one command (tag 1.18.24, 2025-01).
_RUNS_LINES: Final = (1, 18, 24)
_VERSION: Final = re.compile(r"\b(\d{1,4})\.(\d{1,4})\.(\d{1,4})\b")

_EVENTS: Final = {
    "OnClick": Gesture.SINGLE,
    "OnDblClick": Gesture.DOUBLE,
    "On3Click": Gesture.TRIPLE,
    "OnHoldStart": Gesture.HOLD,
    "OnRelease": Gesture.RELEASE,
}
_BLANKS: Final = " \t\r\n"
_WORD_ENDS: Final = re.compile(r'[\s;"]+')
_NAME: Final = re.compile(r"[^0-9]*")
_LABEL: Final = re.compile(r"([^\s:]+):")
# Behind one of these the text does not tell what is run at boot.
_FORKS: Final = frozenset({"goto", "return", "waitfor", "stopscript"})
# What these run, or take away, is not to be found in the text.
_ELSEWHERE: Final = frozenset(
    {"exec", "berry", "startupcommand", "resetsvm", "clearconfig", "json"}
)
_THIS_SCRIPT: Final = frozenset({"this", "*", "@startup"})
_ON_EVENTS: Final = frozenset({"addeventhandler", "addchangehandler", "waitfor"})
_ZONES: Final = frozenset({"ntp_timezoneofs", "time_settz", "time_setdst"})
_OFFSET: Final = re.compile(r"([+-]?)(\d{1,2})(?::(\d{1,2}))?", re.ASCII)
# In minutes. What was written in one half of the year is off by so much in the other.
_SUMMER_TIME: Final = 60
# Commands, drivers and values that have another meaning once the clock is right.
_CLOCK_NAMES: Final = re.compile(
    r"(add|remove|clear)clockevents?|ntp_timezoneofs|time_set\w+|clock_\w+|chart_\w+"
    r"|ds\w+time|owm_\w+|tuyamcu_\w*time"
)
_CLOCK_DRIVERS: Final = re.compile(
    r"ds3231|charts|tuyamcu|openweathermap|(?=\w*clock)\w+"
)
_CLOCK_VALUES: Final = re.compile(
    r"\$\{?(second|minute|hour|m?day|month|year|time|sunrise|sunset|isdst|epoch|today"
    r"|yesterday|ntp)",
    re.IGNORECASE,
)
# The events of readings are fired when these are published.
_MEASURED: Final = frozenset(
    {"voltage", "current", "power", "frequency", "energy", "energycounter"}
)
# None of ours has more.
_MOST_WORDS: Final = 8
_LAST_HOUR: Final = "energycounter_last_hour"


class Part(StrEnum):
    """A part of what is added to a start-up command; the last is given up first."""

    CLOCK = "clock"
    METER = "meter"
    REPORTING = "reporting"
    STATISTICS = "statistics"
    BUTTONS = "buttons"


class Obstacle(StrEnum):
    """Why a part is left out."""

    ELSEWHERE = "elsewhere"
    """The program runs something that is not in its text."""
    USED = "used"
    """The program sets or waits for what this part would change."""
    SINGLE_COMMAND = "single_command"
    """This firmware runs all of it as one command, to which none can be added."""
    NO_ROOM = "no_room"
    """It would be longer than this firmware can store."""


type Parts = Mapping[Part, tuple[Command, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """What a start-up command becomes with ours in it."""

    text: str
    commands: tuple[Command, ...] = ()
    """What was added; run once, these have the same effect without a restart."""
    left_out: dict[Part, Obstacle] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The commands of a script, as the firmware reads it."""

    lines: tuple[str, ...]
    labels: frozenset[str] = frozenset()

    def run_at_boot(self) -> Iterator[str]:
        """Return the commands that are run at each boot, up to the first that leads elsewhere."""
        for line in self.lines:
            for command in _parts(line) or (line,):
                if not _FORKS.isdisjoint(_words(command)):
                    return
                yield " ".join(command.casefold().split())

    def mentions(self) -> Iterator[Sequence[str]]:
        """Return every word that could be the name of a command, with those behind it that count.

        Whatever is run, now or later, by a handler or by an alias, is among these.
        """
        cut = chain.from_iterable(map(_parts, self.lines))
        for text in chain(self.lines, cut):
            words = _words(text)
            for place in range(len(words)):
                yield words[place : place + _MOST_WORDS]


def parse(text: str, *, lines: bool = True) -> Program:
    """Return a start-up command as the firmware reads it, line by line or as one command."""
    if not lines:
        return Program(lines=(text.strip(_BLANKS),))
    stripped = [line.strip(_BLANKS) for line in text.split("\n")]
    return Program(
        lines=tuple(
            line
            for line in stripped
            if line and not line.startswith("//") and not line.endswith(":")
        ),
        labels=frozenset(match[1] for match in map(_LABEL.match, stripped) if match),
    )


def runs_lines(build: str) -> bool:
    """Return whether the firmware with this build text runs a start-up command line by line."""
    version = _VERSION.search(build)
    return version is not None and tuple(map(int, version.groups())) >= _RUNS_LINES


def own_parts(profile: SocketProfile, utc_offset: timedelta) -> Parts:
    """Return what restores at every boot what the firmware keeps in RAM only."""
    parts: dict[Part, tuple[Command, ...]] = {
        Part.CLOCK: (clock_command(), utc_offset_command(utc_offset))
    }
    if (meter := profile.serial_meter) is not None:
        # Before its driver runs there are none of the commands that follow.
        parts[Part.METER] = (start_meter_command(meter.name, profile.baud),)
    if profile.has_meter:
        parts[Part.REPORTING] = (reporting_command(),)
        parts[Part.STATISTICS] = (statistics_command(),)
    if profile.buttons:
        parts[Part.BUTTONS] = tuple(_button_commands(profile))
    return parts


def add(
    text: str, parts: Parts, *, lines: bool = True, files: Collection[str] = ()
) -> Addition:
    """Return the start-up command with what it lacks of these parts, in front of all else.

    What was there follows unchanged, so whatever it sets is in force. A part is left out where the
    program, or one of the script ``files`` that the firmware runs beside it, could do anything
    else because of it. ``lines`` is whether the firmware runs it line by line.
    """
    program = parse(text, lines=lines)
    run = [*program.run_at_boot()]
    there = frozenset(run)
    programs = (program, *map(parse, files))
    starts_meter = any(
        meter_started_by(command) for each in programs for command in each.run_at_boot()
    )
    left_out: dict[Part, Obstacle] = {}
    wanted: dict[Part, tuple[Command, ...]] = {}
    for part, commands in parts.items():
        if part is Part.CLOCK and _begins_with_ours(run, parts):
            # The zone that it was made with is as good as that of now.
            commands = tuple(map(Command, run[:2]))
        missing = _missing(part, commands, there)
        # The clock is set again and again, whoever set it first.
        if not missing and part is not Part.CLOCK:
            continue
        if obstacle := _obstacle(part, commands, missing, programs):
            left_out[part] = obstacle
        elif missing:
            wanted[part] = missing
    if starts_meter and wanted.keys().isdisjoint({Part.REPORTING, Part.STATISTICS}):
        # It is needed in front of these only, which its own program does not know.
        for found in (wanted, left_out):
            found.pop(Part.METER, None)
    limit = LONGEST_STARTUP_COMMAND if lines else _LONGEST_SINGLE_COMMAND
    while wanted:
        added = tuple(chain.from_iterable(wanted.values()))
        joined = _join(f"backlog {'; '.join(added)}", text, lines=lines)
        if joined is None:
            left_out |= dict.fromkeys(wanted, Obstacle.SINGLE_COMMAND)
            break
        if len(joined.encode(errors="replace")) <= limit:
            return Addition(text=joined, commands=added, left_out=left_out)
        last, _ = wanted.popitem()
        left_out[last] = Obstacle.NO_ROOM
    return Addition(text=text, left_out=left_out)


def _parts(line: str) -> tuple[str, ...]:
    """Return the commands of a backlog; none for any other line."""
    name, _, rest = line.partition(" ")
    if name.casefold() != "backlog":
        return ()
    if _is_run_later(rest):
        return parse(rest.replace(";", "\n")).lines
    cut = (part.encode(errors="replace")[:LONGEST_PART] for part in rest.split(";"))
    return tuple(part.decode(errors="replace").strip(_BLANKS) for part in cut)


def _is_run_later(text: str) -> bool:
    return any(word in text.casefold() for word in RUN_LATER)


def _words(text: str) -> list[str]:
    return [word for word in _WORD_ENDS.split(text.casefold()) if word]


def meter_of(text: str) -> tuple[Meter, int] | None:
    """Return the serial meter that a start-up command starts, with the rate of its line."""
    found = map(meter_started_by, parse(text).run_at_boot())
    return next(filter(None, found), None)


def _missing(
    part: Part, commands: tuple[Command, ...], there: Collection[str]
) -> tuple[Command, ...]:
    if part is Part.METER:
        # Ours stands in front of what the program does, so what it starts comes too late for that.
        return commands
    if part is Part.CLOCK:
        # The zone may be another; and its command exists once the clock runs, so both are ours.
        has_zone = any(command.partition(" ")[0] in _ZONES for command in there)
        return () if has_zone and clock_command().casefold() in there else commands
    return tuple(command for command in commands if command.casefold() not in there)


def _obstacle(
    part: Part,
    commands: tuple[Command, ...],
    missing: tuple[Command, ...],
    programs: Collection[Program],
) -> Obstacle | None:
    added = [_words(command) for command in missing]
    topics = {(words[4], words[5]) for words in map(_words, commands) if len(words) > 5}
    for program in programs:
        for words in program.mentions():
            if _leads_elsewhere(words, program.labels):
                return Obstacle.ELSEWHERE
            if not missing and _is_zone_of_ours(words, commands):
                continue
            if part not in (Part.CLOCK, Part.METER) and any(
                words[: len(own)] == own for own in added
            ):
                # Somebody adds the same, in another place or at another time.
                return Obstacle.USED
            if _uses(part, words, topics):
                return Obstacle.USED
    return None


def _is_zone_of_ours(words: Sequence[str], commands: Collection[Command]) -> bool:
    """Return whether this sets the zone of one of our commands, be it in the other half of the year."""
    if (zone := _zone_set_by(words)) is None:
        return False
    ours = (_zone_set_by(_words(command)) for command in commands)
    return any(each is not None and abs(zone - each) <= _SUMMER_TIME for each in ours)


def _begins_with_ours(run: Sequence[str], parts: Parts) -> bool:
    """Return whether what is run at boot begins as ours does, in whatever zone that was made."""
    if len(run) < 2 or run[0] != clock_command().casefold():
        return False
    zone = _zone_set_by(_words(run[1]))
    if zone is None or run[1] != _zone_command(zone):
        return False
    ours = {command.casefold() for command in chain.from_iterable(parts.values())}
    return len(parts) == 1 or not ours.isdisjoint(run[2:3])


def _zone_command(minutes: int) -> str:
    return utc_offset_command(timedelta(minutes=minutes)).casefold()


def _zone_set_by(words: Sequence[str]) -> int | None:
    """Return how many minutes a command sets a socket ahead of UTC, None for any other command."""
    name, offset = (*words, "", "")[:2]
    if name not in _ZONES or (found := _OFFSET.fullmatch(offset)) is None:
        return None
    minutes = 60 * int(found[2]) + int(found[3] or 0)
    return -minutes if found[1] == "-" else minutes


def _leads_elsewhere(words: Sequence[str], labels: Collection[str]) -> bool:
    known = {label.casefold() for label in labels}
    name, arguments = words[0], words[1:]
    if name == "goto":
        return not arguments or arguments[0] not in known
    if name == "startscript":
        # Without a label all of this would be run again from its start, with ours.
        here = len(arguments) > 1 and arguments[0] in _THIS_SCRIPT
        return not here or arguments[1] not in known
    return name in _ELSEWHERE


def _uses(
    part: Part, words: Sequence[str], topics: Collection[tuple[str, str]]
) -> bool:
    # A name with a number behind it is that command, too.
    name, first, second = (*words, "", "", "")[:3]
    plain = _name(name)
    event = first if plain in _ON_EVENTS else ""
    match part:
        case Part.CLOCK:
            driver = first if plain in ("startdriver", "stopdriver") else ""
            return bool(
                _CLOCK_NAMES.fullmatch(plain)
                or _CLOCK_DRIVERS.fullmatch(driver)
                or (plain, first) == ("stopdriver", "ntp")
                or event == "ntpstate"
                or _CLOCK_VALUES.search(name)
            )
        case Part.METER:
            # What is started twice goes on as it did.
            return False
        case Part.REPORTING:
            return plain.startswith("vcp") or event in _MEASURED | {_LAST_HOUR}
        case Part.STATISTICS:
            names = ("setupenergystats", "consumptionthreshold")
            return plain in names or event == _LAST_HOUR
        case Part.BUTTONS:
            foreign = first in {topic for topic, _ in topics} and (
                (first, second) not in topics
            )
            return plain == "clearallhandlers" or (
                plain.startswith("publish") and foreign
            )


def _name(word: str) -> str:
    match = _NAME.match(word)
    return match[0] if match else word


def _join(ours: str, text: str, *, lines: bool) -> str | None:
    """Return ours and the text behind it, or None where it would be read otherwise."""
    stripped = text.strip(_BLANKS)
    if not stripped:
        return ours
    name, _, rest = stripped.partition(" ")
    if "\n" not in stripped and name.casefold() == "backlog" and rest:
        # No blank behind the semicolon: it would count in the length of their first command.
        return f"{ours};{rest}"
    if lines:
        return f"{ours}\n{text}"
    single = not ({";", "\n"} & {*stripped}) and not _is_run_later(stripped)
    fits = len(stripped.encode(errors="replace")) <= LONGEST_PART
    return f"{ours};{stripped}" if single and fits else None


def _button_commands(profile: SocketProfile) -> Iterator[Command]:
    for index, button in enumerate(profile.buttons):
        topic = button_key(button.pin, first=index == 0)
        for event, gesture in _EVENTS.items():
            yield button_command(event, button.pin, topic, gesture)
