"""What goes wrong, by name: on the line, in the chip and with its power."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from itertools import pairwise
import random
from typing import Any, Final, Protocol, Self

from .commands import (
    LINK_REPLY,
    LONG,
    LONG_COMMANDS,
    LONG_MARK,
    SHORT_COMMANDS,
    Command,
    junk_before_command,
)
from .flash import Operation, PowerLostError


class FaultName(StrEnum):
    """Every fault that can be asked for."""

    # One reply of the chip.
    REPLY_DROPPED = "reply_dropped"
    REPLY_TWICE = "reply_twice"
    REPLY_LATE = "reply_late"
    """Comes ``seconds`` later; the chip does nothing else meanwhile."""
    REPLY_STALLED = "reply_stalled"
    """Pauses for ``seconds`` before byte ``byte``."""
    REPLY_FLIPPED = "reply_flipped"
    """``count`` bytes from ``byte`` on arrive with all bits turned over."""
    REPLY_LOST = "reply_lost"
    """``count`` bytes from ``byte`` on never arrive."""
    REPLY_DOUBLED = "reply_doubled"
    """``count`` bytes from ``byte`` on arrive twice."""
    REPLY_CUT = "reply_cut"
    """Nothing arrives from ``byte`` on."""
    STALE_LINK_REPLIES = "stale_link_replies"
    """``count`` old answers to link checks come before the reply."""
    GARBAGE = "garbage"
    """``count`` random bytes come before the reply."""

    # One command of the host.
    REQUEST_DROPPED = "request_dropped"
    REQUEST_FLIPPED = "request_flipped"
    """``count`` bytes from ``byte`` on arrive with all bits turned over."""
    REQUEST_LOST = "request_lost"
    """``count`` bytes from ``byte`` on never arrive."""

    # The chip, its adapter and its power, at a command or at an operation on the flash.
    HANG = "hang"
    """The chip stops for good when the command is complete; only a reset helps."""
    POWER_LOST = "power_lost"
    """Power goes away when byte ``byte`` of the command has arrived, or when ``byte`` bytes
    of operation ``operation`` on the flash are done (half of it where that is 0); it is back
    after ``seconds``, or stays away where that is 0. An erase that is cut off leaves what
    it had not reached as it was or, where ``value`` is ``indeterminate``, as anything."""
    UNPLUGGED = "unplugged"
    """The adapter is pulled when byte ``byte`` of the command has arrived; it is back
    after ``seconds``, or stays away where that is 0. The chip keeps its power."""
    UNPLUGGED_IN_REPLY = "unplugged_in_reply"
    """The same, when byte ``byte`` of the reply has left."""

    # The wires, for ``seconds`` from now, or until cleared where that is 0.
    NOISE = "noise"
    """About ``count`` random bytes arrive in each second."""
    BOOT_LOG = "boot_log"
    """The wrong UART is wired: the log output of the firmware arrives."""
    ECHO = "echo"
    """The adapter hears itself; the chip hears nothing."""
    DISCONNECTED = "disconnected"
    """No wire touches."""
    BIT_ERRORS = "bit_errors"
    """One of ``count`` bytes arrives wrong, both ways, above rate ``baudrate``."""
    BAUDRATE_LIMIT = "baudrate_limit"
    """Everything is garbage, both ways, above rate ``baudrate``."""

    # The chip as it is soldered in; until cleared.
    FLASH_UNREACHABLE = "flash_unreachable"
    """The flash reads as zeros, with the id 000000, and forgets what is written."""
    FLASH_ID = "flash_id"
    """The flash has the JEDEC id ``value`` (six hex digits)."""
    CHIP_ID = "chip_id"
    """The chip's id register reads ``value`` (hex)."""
    CODE_KEY = "code_key"
    """The code key is ``value`` (four words of eight hex digits)."""
    STATUS_STICKS = "status_sticks"
    """Writes to the status registers are ignored."""
    WORN_SECTOR = "worn_sector"
    """The sector at address ``value`` (hex) no longer erases."""


INDETERMINATE: Final = "indeterminate"

REPLY_FAULTS: Final = frozenset(
    {
        FaultName.REPLY_DROPPED,
        FaultName.REPLY_TWICE,
        FaultName.REPLY_LATE,
        FaultName.REPLY_STALLED,
        FaultName.REPLY_FLIPPED,
        FaultName.REPLY_LOST,
        FaultName.REPLY_DOUBLED,
        FaultName.REPLY_CUT,
        FaultName.STALE_LINK_REPLIES,
        FaultName.GARBAGE,
        FaultName.UNPLUGGED_IN_REPLY,
    }
)
REQUEST_FAULTS: Final = frozenset(
    {
        FaultName.REQUEST_DROPPED,
        FaultName.REQUEST_FLIPPED,
        FaultName.REQUEST_LOST,
        FaultName.HANG,
        FaultName.POWER_LOST,
        FaultName.UNPLUGGED,
    }
)
LINE_FAULTS: Final = frozenset(
    {
        FaultName.NOISE,
        FaultName.BOOT_LOG,
        FaultName.ECHO,
        FaultName.DISCONNECTED,
        FaultName.BIT_ERRORS,
        FaultName.BAUDRATE_LIMIT,
    }
)
CHIP_FAULTS: Final = frozenset(FaultName) - REPLY_FAULTS - REQUEST_FAULTS - LINE_FAULTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: what, at which command, which time, where in it.

    A fault of a command waits for the ``nth`` such command (any, where ``command`` is
    None) after it was added, and strikes ``times`` times in a row (0: from then on).
    """

    name: FaultName
    command: Command | None = None
    nth: int = 1
    times: int = 1
    byte: int = 0
    """Offset in the command or reply, from its first byte; negative from its end."""
    count: int = 1
    seconds: float = 0.0
    operation: int = 0
    """For lost power: at which operation on the flash, from 1; 0 for at a command."""
    baudrate: int = 115200
    value: str = ""

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Make a fault of JSON values; raises ValueError where they are not one."""
        if unknown := values.keys() - {entry.name for entry in fields(cls)}:
            raise ValueError(f"a fault has no {', '.join(sorted(unknown))}")
        try:
            known = values | {"name": FaultName(values["name"])}
        except KeyError as error:
            raise ValueError("a fault needs a name") from error
        if known.get("command") is not None:
            known["command"] = Command(known["command"])
        for entry in fields(cls):
            value = known.get(entry.name)
            wanted = _JSON_TYPES.get(entry.name)
            if value is not None and wanted and not isinstance(value, wanted):
                raise ValueError(f"{entry.name} cannot be {value!r}")
        return cls(**known)


_JSON_TYPES: Final[dict[str, type | tuple[type, ...]]] = {
    "nth": int,
    "times": int,
    "byte": int,
    "count": int,
    "seconds": (int, float),
    "operation": int,
    "baudrate": int,
    "value": str,
}


class Victim(Protocol):
    """What faults of power and plugs act on."""

    def lose_power(self, seconds: float) -> None:
        """Cut the power for some seconds, or for good with 0."""

    def unplug(self, seconds: float) -> None:
        """Pull the adapter for some seconds, or for good with 0."""

    def hang(self) -> None:
        """Stop the chip until it is reset."""


type Action = Callable[[], None]


@dataclass(slots=True)
class Piece:
    """Some bytes on the line: sent after a pause, perhaps followed by an accident."""

    data: bytes
    pause: float = 0.0
    then: Action | None = None


class _Effect(StrEnum):
    """What an edit does to the bytes it covers."""

    FLIP = "flip"
    LOSE = "lose"
    DOUBLE = "double"
    PAUSE = "pause"
    ACT = "act"


@dataclass(frozen=True, slots=True)
class _Edit:
    """A change to the bytes from ``start`` to ``end`` (exclusive) of a command or reply.

    A pause comes before ``start``, an action after ``end``.
    """

    effect: _Effect
    start: int
    end: int
    seconds: float = 0.0
    action: Action | None = None


@dataclass(slots=True)
class _Armed:
    """A fault that waits for its turn, and how far it has come."""

    fault: Fault
    seen: int = 0
    struck: int = 0

    def strikes(self) -> bool:
        """Count one more occasion; return whether the fault strikes at this one."""
        self.seen += 1
        if self.spent or self.seen < (self.fault.operation or self.fault.nth):
            return False
        self.struck += 1
        return True

    @property
    def spent(self) -> bool:
        """Return whether the fault has struck as often as it should."""
        return 0 < self.fault.times <= self.struck


class Faults:
    """The faults that are armed, and the hooks through which they act."""

    def __init__(self, *, seed: int = 0) -> None:
        """Start without any; ``seed`` determines what is random in them."""
        self.random = random.Random(seed)
        self.victim: Victim | None = None
        self._armed: list[_Armed] = []
        self._lasting: dict[FaultName, Fault] = {}
        # Where the line is in the host's stream of commands: the beginning of a command
        # of which not enough is there to tell which, or one and how much of it passed.
        self._header = b""
        self._length = 0
        self._passed = 0
        self._edits: list[_Edit] = []

    def add(self, fault: Fault) -> None:
        """Arm a fault of a command, or let one of the line or the chip begin."""
        if fault.name in REPLY_FAULTS | REQUEST_FAULTS:
            self._armed.append(_Armed(fault))
        else:
            self._lasting[fault.name] = fault

    def clear(self, name: FaultName | None = None) -> None:
        """Forget the faults of one name, or all."""
        self._armed = [
            armed for armed in self._armed if name not in (None, armed.fault.name)
        ]
        if name is None:
            self._lasting.clear()
        else:
            self._lasting.pop(name, None)

    @property
    def pending(self) -> tuple[Fault, ...]:
        """Return the armed faults that have yet to strike."""
        return tuple(armed.fault for armed in self._armed if not armed.spent)

    def lasting(self, name: FaultName) -> Fault | None:
        """Return a fault of the line or the chip while it is there."""
        return self._lasting.get(name)

    def reply(self, command: Command, data: bytes) -> list[Piece]:
        """Return what the line makes of the chip's reply to a command."""
        struck = list(self._struck(REPLY_FAULTS, command)) if self._armed else []
        if not struck:
            return [Piece(data)]
        pieces = list(_apply(data, 0, [self._reply_edit(f, len(data)) for f in struck]))
        for fault in struck:
            match fault.name:
                case FaultName.REPLY_TWICE:
                    pieces += [Piece(piece.data, piece.pause) for piece in pieces]
                case FaultName.STALE_LINK_REPLIES:
                    pieces.insert(0, Piece(LINK_REPLY * fault.count))
                case FaultName.GARBAGE:
                    pieces.insert(0, Piece(self.random.randbytes(fault.count)))
        return pieces

    def request(self, data: bytes) -> list[Piece]:
        """Return what the line makes of some bytes of the host."""
        if not self._length and not any(
            armed.fault.name in REQUEST_FAULTS and not armed.spent
            for armed in self._armed
        ):
            header, self._header = self._header, b""
            return [Piece(header + data)]
        return list(self._follow(data))

    def restart(self) -> None:
        """Take what comes next from the host as the beginning of a command."""
        self._header = b""
        self._length = 0

    def operation(self, operation: Operation) -> None:
        """Lose the power in the middle of an operation on the flash, if it is time.

        Raises PowerLostError then; to be used as the flash's watcher.
        """
        for armed in self._armed:
            if armed.fault.operation and armed.strikes():
                if self.victim is not None:
                    self.victim.lose_power(armed.fault.seconds)
                raise PowerLostError(
                    f"lost power during {operation.kind}",
                    done=armed.fault.byte or None,
                    indeterminate=armed.fault.value == INDETERMINATE,
                )

    def _struck(self, names: frozenset[FaultName], command: Command) -> Iterator[Fault]:
        for armed in self._armed:
            fault = armed.fault
            if (
                fault.name in names
                and not fault.operation
                and fault.command in (None, command)
                and armed.strikes()
            ):
                yield fault

    def _follow(self, data: bytes) -> Iterator[Piece]:
        """Split the host's bytes into commands and edit those that faults strike."""
        while data:
            if self._length:
                part = data[: self._length - self._passed]
                yield from _apply(part, self._passed, self._edits)
                data = data[len(part) :]
                self._passed += len(part)
                if self._passed == self._length:
                    self._length = 0
                continue
            data, self._header = self._header + data, b""
            junk = junk_before_command(data)
            if junk:
                yield Piece(data[:junk])
                data = data[junk:]
            if not data:
                return
            if (head := _recognise(data)) is None:
                self._header = data
                return
            command, self._length = head
            self._passed = 0
            self._edits = [
                self._request_edit(fault, self._length)
                for fault in self._struck(REQUEST_FAULTS, command)
            ]

    def _request_edit(self, fault: Fault, length: int) -> _Edit:
        start = fault.byte % length
        end = start + fault.count
        match fault.name:
            case FaultName.REQUEST_DROPPED:
                return _Edit(_Effect.LOSE, 0, length)
            case FaultName.REQUEST_FLIPPED:
                return _Edit(_Effect.FLIP, start, end)
            case FaultName.REQUEST_LOST:
                return _Edit(_Effect.LOSE, start, end)
            case FaultName.HANG:
                # Before the last byte: the chip must not carry the command out.
                return self._accident(0, length - 1, lambda victim: victim.hang())
            case FaultName.POWER_LOST:
                return self._accident(
                    0, start + 1, lambda victim: victim.lose_power(fault.seconds)
                )
            case _:
                return self._accident(
                    0, start + 1, lambda victim: victim.unplug(fault.seconds)
                )

    def _reply_edit(self, fault: Fault, length: int) -> _Edit:
        start = fault.byte % length
        end = start + fault.count
        match fault.name:
            case FaultName.REPLY_DROPPED:
                return _Edit(_Effect.LOSE, 0, length)
            case FaultName.REPLY_LATE:
                return _Edit(_Effect.PAUSE, 0, length, fault.seconds)
            case FaultName.REPLY_STALLED:
                return _Edit(_Effect.PAUSE, start, length, fault.seconds)
            case FaultName.REPLY_FLIPPED:
                return _Edit(_Effect.FLIP, start, end)
            case FaultName.REPLY_LOST:
                return _Edit(_Effect.LOSE, start, end)
            case FaultName.REPLY_DOUBLED:
                return _Edit(_Effect.DOUBLE, start, end)
            case FaultName.REPLY_CUT:
                return _Edit(_Effect.LOSE, start, length)
            case FaultName.UNPLUGGED_IN_REPLY:
                return self._accident(
                    0, start + 1, lambda victim: victim.unplug(fault.seconds)
                )
            case _:
                return _Edit(_Effect.PAUSE, 0, length)

    def _accident(
        self, start: int, end: int, happens: Callable[[Victim], None]
    ) -> _Edit:
        def act() -> None:
            if self.victim is not None:
                happens(self.victim)

        return _Edit(_Effect.ACT, start, end, action=act)


def _apply(data: bytes, offset: int, edits: list[_Edit]) -> Iterator[Piece]:
    """Cut bytes that begin at ``offset`` of their frame where edits begin and end."""
    end = offset + len(data)
    inner = {border for edit in edits for border in (edit.start, edit.end)}
    borders = sorted({offset, end} | {edge for edge in inner if offset < edge < end})
    for first, last in pairwise(borders):
        piece = Piece(data[first - offset : last - offset])
        for edit in edits:
            covers = edit.start <= first and last <= edit.end
            match edit.effect:
                case _Effect.PAUSE if edit.start == first:
                    piece.pause += edit.seconds
                case _Effect.ACT if edit.end == last:
                    piece.then = edit.action
                case _Effect.FLIP if covers:
                    piece.data = piece.data.translate(_FLIPPED)
                case _Effect.LOSE if covers:
                    piece.data = b""
                case _Effect.DOUBLE if covers:
                    piece.data *= 2
        yield piece


_FLIPPED: Final = bytes(range(0xFF, -1, -1))


def _recognise(data: bytes) -> tuple[Command, int] | None:
    """Return which command begins here and its length; None when too little is there."""
    if len(data) < 5 or (data[3] == LONG and len(data) < 8):
        return None
    if data[3] != LONG or data[4] != LONG_MARK:
        return SHORT_COMMANDS.get(data[4], Command.UNKNOWN), 4 + data[3]
    length = int.from_bytes(data[5:7], "little")
    return LONG_COMMANDS.get(data[7], Command.UNKNOWN), 7 + length


OF_A_JOB: Final[Mapping[Command, tuple[int, int]]] = {
    Command.LINK_CHECK: (5, 8),
    Command.READ_REGISTER: (9, 15),
    Command.WRITE_REGISTER: (13, 15),
    Command.SET_BAUDRATE: (10, 12),
    Command.CRC: (13, 11),
    Command.READ_4K: (12, 4111),
    Command.WRITE_4K: (4108, 15),
    Command.READ_STATUS: (9, 13),
    Command.WRITE_STATUS: (11, 14),
    Command.FLASH_ID: (12, 15),
    Command.ERASE: (13, 16),
}
"""The commands that every flashing job sends, with the bytes of their frames and replies."""


def seeded_faults(seed: int, count: int = 2) -> list[Fault]:
    """Return faults of commands that the seed chooses, with all their parameters."""
    chooser = random.Random(seed)
    return [_random_fault(chooser) for _ in range(count)]


def _random_fault(chooser: random.Random) -> Fault:
    name = chooser.choice(sorted(REPLY_FAULTS | REQUEST_FAULTS))
    command = chooser.choice(list(OF_A_JOB))
    frame, reply = OF_A_JOB[command]
    often = command in (Command.READ_4K, Command.WRITE_4K, Command.CRC, Command.ERASE)
    return Fault(
        name=name,
        command=command,
        nth=chooser.randint(1, 12 if often else 2),
        byte=chooser.randrange(reply if name in REPLY_FAULTS else frame),
        count=chooser.choice((1, 1, 2, 100)),
        seconds=chooser.choice((0.05, 0.5, 2.0)),
    )
