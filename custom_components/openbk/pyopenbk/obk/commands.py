"""Console commands that arrive as they are meant: who builds one here owns its quoting and length.

How the console reads a line was recorded from OpenBeken 1.18.299 and confirmed on the BK7231N image
1.18.300: blanks part words, a word that begins with a double quote ends at the next one, nothing
escapes a quote, and a word that begins with ``$`` is replaced by a number, also inside of quotes.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Address
from math import isfinite
import re
from typing import Final, NewType

from ..errors import OpenBekenError
from ..profile import HIGHEST_CHANNEL, SocketProfile
from ..roles import PinRole
from .flags import Flag

Command = NewType("Command", str)
"""One line for the console: a name, and its arguments behind a blank."""

# The tokenizer's buffer of 512 bytes for arguments, with its terminating zero. What is cut off is
# lost without an error.
LONGEST_ARGUMENTS: Final = 511
# A backlog copies each of its commands, with its name, into 128 bytes with a terminating zero.
LONGEST_PART: Final = 127
# A word that is read as a number is copied into 128 bytes without a look at its length (found with
# an address sanitizer in 1.18.299): a longer one writes over the heap.
_LONGEST_NUMBER: Final = 127
MOST_WATT_HOURS: Final = 90_000_000.0
"""What an energy counter may be set to: a number of nine digits, to which it would count on from a few
more, is printed with six decimals into 16 bytes (MQTT_PublishMain_StringFloat in new_mqtt.c, 1.18.299).
That ends the firmware, and again a minute after each boot, as the total is in its flash."""
_SETS_ENERGY: Final = "energycntreset"
# Its answer on stat/<client>/STATUS is taken for the next command where flag 30 is on, without end.
_STORM: Final = re.compile(r"\bstatus", re.IGNORECASE)
_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,60}")
# The receive buffer of 1024 bytes holds header and topic, too; a message that is longer is taken
# for several.
LONGEST_MESSAGE: Final = 900
# At most one message in 4 s while a value moves, one in 90 s while it rests; by default 6 s, which
# leaves a load step wrong for too long, and 61 s. Thirteen topics of each of a hundred idle sockets
# come to 14.4 messages a second. Who needs a reading sooner asks for it.
_REPORTED_EVERY: Final = 4
_REPORTED_AT_REST: Final = 90
# One sample a minute, sixty of them: what "last hour" is summed from.
_STATISTICS: Final = ("SetupEnergyStats", 1, 60, 60)
# A backlog that has one of these words is run later, as a script of its own.
RUN_LATER: Final = ("delay_s", "delay_ms", "waitfor")


class CommandProblem(StrEnum):
    """Why the console cannot take something."""

    TOO_LONG = "too_long"
    UNPRINTABLE = "unprintable"
    NOT_TO_BE_QUOTED = "not_to_be_quoted"
    NOT_IN_BACKLOG = "not_in_backlog"
    OUT_OF_RANGE = "out_of_range"
    EMPTY = "empty"
    OPEN_QUOTE = "open_quote"
    LONG_WORD = "long_word"
    ONLY_OVER_HTTP = "only_over_http"


class CommandError(OpenBekenError):
    """The console cannot take this as it is meant; nothing was sent."""

    def __init__(
        self, field: str, problem: CommandProblem, limit: int | None = None
    ) -> None:
        """Name the field, never its text, which may be secret; ``limit`` is in bytes."""
        room = "" if limit is None else f", {limit} bytes at most"
        super().__init__(f"{field}: {problem.value}{room}")
        self.field = field
        self.problem = problem
        self.limit = limit


def text_argument(field: str, text: str, limit: int) -> str:
    """Return a text as one argument of a command, in quotes where it needs them.

    Raises CommandError where it has more than ``limit`` bytes of UTF-8, a control character, or
    where no way of quoting carries it.
    """
    raw = _utf8(field, text)
    if len(raw) > limit:
        raise CommandError(field, CommandProblem.TOO_LONG, limit)
    if any(byte < 0x20 or byte == 0x7F for byte in raw):
        raise CommandError(field, CommandProblem.UNPRINTABLE)
    return _quoted(field, raw)


def typed_command(line: str) -> Command:
    """Return a line that a person typed, if the console can take it whole and lives on.

    Raises CommandError for a name that is none, a line break, arguments or a part of a backlog that
    would be cut, a quote that nobody closes, a word that could write over the heap, and an energy
    that could not be said. The start-up command alone may be one long word.
    """
    name, _, arguments = line.strip().partition(" ")
    arguments = arguments.strip()
    if not name:
        raise CommandError("command", CommandProblem.EMPTY)
    raw = _utf8("command", arguments)
    if not _NAME.fullmatch(name) or any(byte < 0x20 or byte == 0x7F for byte in raw):
        raise CommandError("command", CommandProblem.UNPRINTABLE)
    if len(raw) > LONGEST_ARGUMENTS:
        raise CommandError("command", CommandProblem.TOO_LONG, LONGEST_ARGUMENTS)
    if name.casefold() == "backlog" and not _is_run_later(arguments):
        for part in raw.split(b";"):
            if len(part) > LONGEST_PART:
                raise CommandError("command", CommandProblem.TOO_LONG, LONGEST_PART)
    for number, word in enumerate(_words(raw)):
        long_text = number == 0 and name.casefold() == "startupcommand"
        if len(word) > _LONGEST_NUMBER and not long_text:
            raise CommandError("command", CommandProblem.LONG_WORD, _LONGEST_NUMBER)
        if number == 0 and name.casefold() == _SETS_ENERGY and _is_too_much(word):
            raise CommandError("command", CommandProblem.OUT_OF_RANGE)
    return _line(name, arguments) if arguments else _line(name)


def _is_too_much(watt_hours: bytes) -> bool:
    try:
        return not float(watt_hours) <= MOST_WATT_HOURS
    except ValueError:
        return False


def check_over_mqtt(command: Command) -> None:
    """Raise CommandError for a command that must not or cannot arrive over MQTT."""
    if _STORM.search(command):
        raise CommandError("command", CommandProblem.ONLY_OVER_HTTP)
    if len(command.encode()) > LONGEST_MESSAGE:
        raise CommandError("command", CommandProblem.TOO_LONG, LONGEST_MESSAGE)


def _words(raw: bytes) -> Iterator[bytes]:
    """Yield words as the console parts them; raises CommandError for a quote left open."""
    rest = raw.lstrip()
    while rest:
        if rest.startswith(b'"'):
            word, quote, rest = rest[1:].partition(b'"')
            if not quote:
                raise CommandError("command", CommandProblem.OPEN_QUOTE)
        else:
            word, *behind = rest.split(maxsplit=1)
            rest = behind[0] if behind else b""
        yield word
        rest = rest.lstrip()


def mqtt_user_command(username: str, limit: int) -> Command:
    """Return the command that stores a user name for the broker; an empty one clears it."""
    return _line("MqttUser", text_argument("username", username, limit))


def mqtt_password_command(password: str, limit: int) -> Command:
    """Return the command that stores a password for the broker; an empty one clears it."""
    return _line("MqttPassword", text_argument("password", password, limit))


def pin_commands(before: SocketProfile, after: SocketProfile) -> list[Command]:
    """Return the commands that turn one profile into the other, at once and after a power cut.

    A pin that is not in ``after`` loses its role. A new channel does not reach the output of its
    pin; a role does, even the one that it has. So the role comes last, always (recorded from
    OpenBeken 1.18.299).
    """
    known = {pin.pin: pin for pin in before.pins}
    kept = {pin.pin for pin in after.pins}
    commands = [
        _line("SetPinRole", pin, PinRole.NONE.firmware_name)
        for pin in known
        if pin not in kept
    ]
    for pin in after.pins:
        old = known.get(pin.pin)
        second = pin.channel2 != (0 if old is None else old.channel2)
        other_channel = second or (
            pin.role.has_channel and (old is None or old.channel != pin.channel)
        )
        if other_channel:
            channels = (pin.channel, pin.channel2) if second else (pin.channel,)
            commands.append(_line("SetPinChannel", pin.pin, *channels))
        if other_channel or old is None or old.role is not pin.role:
            commands.append(_line("SetPinRole", pin.pin, pin.role.firmware_name))
    return commands


def channel_command(channel: int, value: int) -> Command:
    """Return the command that sets a channel."""
    return _line("SetChannel", _channel(channel), value)


def flag_command(flag: Flag, on: bool) -> Command:
    """Return the command that sets one flag."""
    return flag_bit_command(flag.number, on)


def flag_bit_command(bit: int, on: bool) -> Command:
    """Return the command that sets a flag by its number, also one that nobody here knows."""
    return _line("SetFlag", bit, int(on))


def flag_word_commands(before: int, after: int) -> list[Command]:
    """Return the commands that turn one word of 64 flags into the other."""
    changed = before ^ after
    return [
        flag_bit_command(bit, bool(after >> bit & 1))
        for bit in range(changed.bit_length())
        if changed >> bit & 1
    ]


def channel_type_command(channel: int, name: str) -> Command:
    """Return the command that sets the type of a channel, such as Default or Toggle."""
    return _line("SetChannelType", _channel(channel), name)


def start_value_command(channel: int, value: int) -> Command:
    """Return the command for what a channel is set to when power comes back, -1 for its last."""
    return _line("SetStartValue", _channel(channel), value)


def start_value_commands(
    before: Mapping[int, int], after: Mapping[int, int]
) -> list[Command]:
    """Return the commands that turn some start values, by channel, into others; 0 where none is."""
    return [
        start_value_command(channel, after.get(channel, 0))
        for channel in sorted(before.keys() | after.keys())
        if before.get(channel, 0) != after.get(channel, 0)
    ]


def utc_offset_command(utc_offset: timedelta) -> Command:
    """Return the command that sets the distance from UTC, which is there once NTP was started."""
    return _line("ntp_timeZoneOfs", _hours_and_minutes(utc_offset))


def time_zone_command(utc_offset: timedelta) -> Command:
    """Return the command that sets the distance from UTC, with or without NTP (from 1.18.224 on)."""
    return _line("time_setTZ", _hours_and_minutes(utc_offset))


def time_command(epoch: int) -> Command:
    """Return the command that sets the time in seconds since 1970 (from 1.18.224 on).

    The firmware stops at 2147483647, in January 2038.
    """
    return _line("time_setTime", epoch)


def _hours_and_minutes(offset: timedelta) -> str:
    """Return an offset as the firmware reads it: with ``%i``, so a leading zero would make it octal."""
    minutes = round(offset.total_seconds() / 60)
    hours, minutes_left = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours}:{minutes_left}"


def time_server_command(server: IPv4Address) -> Command:
    """Return the command that stores a time server; the firmware resolves no names."""
    return _line("ntp_setServer", str(server))


def clock_command() -> Command:
    """Return the command that starts the clock."""
    return _line("startDriver", "NTP")


def reporting_command(
    every: int = _REPORTED_EVERY, at_rest: int = _REPORTED_AT_REST
) -> Command:
    """Return the command for how often readings are published: seconds while they move, and rest.

    The firmware counts the evaluations between two messages, of which there is one a second.
    """
    if not 1 <= every <= at_rest:
        raise CommandError("reporting", CommandProblem.OUT_OF_RANGE)
    return _line("VCPPublishIntervals", every - 1, at_rest - 1)


def threshold_command(volts: float, amperes: float, watts: float) -> Command:
    """Return the command for how far readings have to move before they are published."""
    numbers = (volts, amperes, watts)
    if not all(isfinite(number) and number >= 0 for number in numbers):
        raise CommandError("thresholds", CommandProblem.OUT_OF_RANGE)
    return _line("VCPPublishThreshold", *(f"{number:.6g}" for number in numbers))


def start_meter_command(driver: str, baud: int) -> Command:
    """Return the command that starts the driver of a meter on a serial line of this rate."""
    return _line("startDriver", driver, baud)


def statistics_command() -> Command:
    """Return the command for what the energy of the last hour is summed from."""
    return _line(*_STATISTICS)


def button_command(event: str, pin: int, topic: str, payload: str) -> Command:
    """Return the command after which an event of a button is published."""
    return _line("addEventHandler", event, pin, "publish", topic, payload)


def energy_command(watt_hours: float | None = None) -> Command:
    """Return the command that sets the energy counter; without a value, all counters to zero."""
    if watt_hours is None:
        return _line("EnergyCntReset")
    if not 0 <= watt_hours <= MOST_WATT_HOURS:
        raise CommandError("energy", CommandProblem.OUT_OF_RANGE)
    return _line("EnergyCntReset", f"{watt_hours:.1f}")


def reading_command(name: str, reference: float) -> Command:
    """Return the command that makes the meter read ``reference`` at the load connected now.

    The firmware takes anything: with a negative power it reads 0 W from then on.
    """
    if not isfinite(reference) or reference <= 0:
        raise CommandError(name, CommandProblem.OUT_OF_RANGE)
    return _line(name, f"{reference:.6g}")


def readings_command() -> Command:
    """Return the command that is answered with all readings; over HTTP only (see ``messages``)."""
    return _line("Status", 8)


def full_boot_time_command(seconds: int) -> Command:
    """Return the command that says after how many seconds a start counts as good.

    It is stored in one byte: 256 would be 0, which counts as 5, and 300 would be 44.
    """
    if not 1 <= seconds <= 255:
        raise CommandError("full_boot_time", CommandProblem.OUT_OF_RANGE)
    return _line("FullBootTime", seconds)


def restart_command() -> Command:
    """Return the command that restarts the socket."""
    return _line("restart")


def backlog(commands: Iterable[Command]) -> Command:
    """Return the command that runs several in one message.

    Raises CommandError where one is longer than the part of a backlog may be or would be cut at
    its semicolon, and where all of them do not fit in a message.
    """
    parts = list(commands)
    for part in parts:
        name, _, _ = part.partition(" ")
        if len(part.encode()) > LONGEST_PART:
            raise CommandError(name, CommandProblem.TOO_LONG, LONGEST_PART)
        if ";" in part or "\n" in part or _is_run_later(part):
            raise CommandError(name, CommandProblem.NOT_IN_BACKLOG)
    text = "; ".join(parts)
    if len(text.encode()) > LONGEST_MESSAGE:
        raise CommandError("backlog", CommandProblem.TOO_LONG, LONGEST_MESSAGE)
    return Command(f"Backlog {text}")


def _is_run_later(text: str) -> bool:
    return any(word in text.casefold() for word in RUN_LATER)


def _line(name: str, *words: str | int) -> Command:
    arguments = " ".join(map(str, words))
    if len(arguments.encode()) > LONGEST_ARGUMENTS:
        raise CommandError(name, CommandProblem.TOO_LONG, LONGEST_ARGUMENTS)
    return Command(f"{name} {arguments}" if words else name)


def _quoted(field: str, raw: bytes, *, always: bool = False) -> str:
    """Return one word of the console's grammar that stands for these bytes."""
    # 0xA0 is a blank where char is unsigned, as on Arm; it is the end of some letters in UTF-8.
    blank = any(byte in b" \t\r\n\xa0" for byte in raw)
    # A quote within a word is kept since some release after 1.17.360 only.
    if raw.startswith(b"$") or b'"' in raw:
        raise CommandError(field, CommandProblem.NOT_TO_BE_QUOTED)
    text = raw.decode()
    return f'"{text}"' if blank or always or not raw else text


def _utf8(field: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as err:
        raise CommandError(field, CommandProblem.UNPRINTABLE) from err


def _channel(channel: int) -> int:
    # The console answers OK to any number, and does nothing or something else.
    if not 0 <= channel <= HIGHEST_CHANNEL:
        raise CommandError("channel", CommandProblem.OUT_OF_RANGE)
    return channel
