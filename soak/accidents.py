"""What goes wrong in one run, all of it chosen by a seed."""

from dataclasses import dataclass, replace
from enum import StrEnum
import random
from typing import Final

from custom_components.openbk.pyopenbk.bootrom.link import DEFAULT_LADDER
from custom_components.openbk.pyopenbk.flashing import Phase
from simulator.adapters import ADAPTERS
from simulator.commands import Command
from simulator.faults import (
    CHIP_FAULTS,
    INDETERMINATE,
    LINE_FAULTS,
    OF_A_JOB,
    REPLY_FAULTS,
    REQUEST_FAULTS,
    Fault,
    FaultName,
)

from .chips import Subject


class HostAccident(StrEnum):
    """What befalls the computer, not the chip."""

    CANCELLED = "cancelled"
    """Somebody presses cancel, or Home Assistant stops."""
    KILLED = "killed"
    """The process gets SIGKILL."""
    CRASHED = "crashed"
    """The machine stops: what was not synced to the disk is lost or torn."""
    DISK_FULL = "disk_full"


class Aim(StrEnum):
    """What somebody wants of the chip."""

    FLASH = "flash"
    """OpenBeken in the place of the factory's firmware."""
    RENEW = "renew"
    """A newer OpenBeken in the place of an older one."""
    CONFIGURE = "configure"
    """Another configuration for the OpenBeken that is there."""
    RESTORE = "restore"
    """The chip's own backup in the place of OpenBeken."""
    ADOPT = "adopt"
    """The backup of another chip of its kind, without that one's radio."""
    REPAIR = "repair"
    """An RF calibration for a chip that has lost its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accident:
    """A fault, and the moment at which it is let loose."""

    what: Fault | HostAccident
    phase: Phase
    part: float
    """How far the phase has come: from 0 to 1."""

    @property
    def name(self) -> str:
        """Return what to count it under."""
        return str(self.what.name if isinstance(self.what, Fault) else self.what)

    def __str__(self) -> str:
        """Say what and when, and in which command."""
        where = ""
        if isinstance(self.what, Fault):
            if self.what.operation:
                where = f" in operation {self.what.operation}"
            elif self.what.command is not None:
                where = f" in {self.what.command} {self.what.nth}"
        return f"{self.name}{where} from {self.phase} {self.part:.2f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """The line between host and chip."""

    adapter: str | None
    """A name in ADAPTERS; None: a bare terminal that takes every rate."""
    paced: bool
    """Bytes, erases and CRCs take the time that they take."""
    latency: float
    baudrates: tuple[int, ...]

    @property
    def patience(self) -> float:
        """Return by how much all time-outs are stretched."""
        return 1.0 if self.paced else 0.2

    def __str__(self) -> str:
        """Name the line."""
        return (
            f"{self.adapter or 'terminal'}, {'real rates' if self.paced else 'no pace'}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One chip, one aim, one line, and what goes wrong."""

    seed: int
    chip: str
    aim: Aim
    circumstances: Circumstances
    accidents: tuple[Accident, ...]

    def __str__(self) -> str:
        """Say it in a line."""
        wrong = "; ".join(str(accident) for accident in self.accidents)
        return f"{self.chip} {self.aim} over {self.circumstances}: {wrong}"


# A job that is left alone changes its chip in so many operations at least, at most.
_OPERATIONS: Final = {
    Aim.FLASH: 600,
    Aim.RENEW: 600,
    Aim.CONFIGURE: 60,
    Aim.RESTORE: 560,
    Aim.ADOPT: 800,
    Aim.REPAIR: 16,
}
_PHASES: Final = {
    Aim.CONFIGURE: tuple(Phase),
    Aim.REPAIR: (Phase.LINK, Phase.IDENTIFY, Phase.BACKUP, Phase.ANALYSE),
}
# What a BK7231T is asked besides.
_COMMANDS: Final = {**OF_A_JOB, Command.BOOT_VERSION: (5, 23)}
# What a phase asks of the chip; in the others everything may come.
_OF_A_PHASE: Final = {
    Phase.IDENTIFY: (
        Command.LINK_CHECK,
        Command.READ_REGISTER,
        Command.WRITE_REGISTER,
        Command.SET_BAUDRATE,
        Command.FLASH_ID,
        Command.READ_4K,
        Command.CRC,
        Command.BOOT_VERSION,
    ),
    Phase.BACKUP: (Command.CRC, Command.READ_4K, Command.LINK_CHECK),
    Phase.WRITE_APPLICATION: (
        Command.CRC,
        Command.WRITE_4K,
        Command.ERASE,
        Command.READ_STATUS,
        Command.WRITE_STATUS,
        Command.LINK_CHECK,
    ),
    Phase.WRITE_CONFIG: (Command.CRC, Command.WRITE_4K, Command.ERASE),
    Phase.VERIFY: (Command.CRC, Command.WRITE_4K, Command.ERASE, Command.LINK_CHECK),
}
_HOST_SHARE: Final = 0.2
_LINE_SHARE: Final = 0.12
_CHIP_SHARE: Final = 0.08


def draw(seed: int, subject: Subject, *, faults: int | None = None) -> Scenario:
    """Return the scenario of a seed; ``faults`` is how many, else one, two or four."""
    chooser = random.Random(f"soak {subject.name} {seed}")
    aim = chooser.choices(list(Aim), (6, 2, 1, 4, 2, 1))[0]
    circumstances = _draw_line(chooser)
    count = faults or chooser.choices((1, 2, 4), (3, 4, 3))[0]
    return Scenario(
        seed=seed,
        chip=subject.name,
        aim=aim,
        circumstances=circumstances,
        accidents=tuple(_draw_accident(chooser, subject, aim) for _ in range(count)),
    )


def _draw_line(chooser: random.Random) -> Circumstances:
    if chooser.random() < 0.6:
        return Circumstances(
            adapter=None, paced=False, latency=0.0, baudrates=(115_200,)
        )
    name = chooser.choice([None, *ADAPTERS])
    adapter = ADAPTERS[name] if name else None
    latency = adapter.latency if adapter else chooser.choice((0.001, 0.016))
    return Circumstances(
        adapter=name, paced=True, latency=latency or 0.0, baudrates=DEFAULT_LADDER
    )


def _draw_accident(chooser: random.Random, subject: Subject, aim: Aim) -> Accident:
    phase = chooser.choice(_PHASES.get(aim, tuple(Phase)))
    # The last moments of a phase are as likely as all before them.
    part = chooser.choice((chooser.random(), chooser.uniform(0.9, 1.0), 0.0))
    turn = chooser.random()
    if turn < _HOST_SHARE:
        what: Fault | HostAccident = chooser.choice(list(HostAccident))
    elif turn < _HOST_SHARE + _LINE_SHARE:
        what = _draw_line_fault(chooser)
    elif turn < _HOST_SHARE + _LINE_SHARE + _CHIP_SHARE:
        what = _draw_chip_fault(chooser, subject)
    elif turn > 0.9:
        what = _draw_power_cut(chooser, aim)
        phase, part = Phase.LINK, 0.0
    else:
        what = _draw_command_fault(chooser, subject, phase)
    return Accident(what=what, phase=phase, part=part)


def _draw_power_cut(chooser: random.Random, aim: Aim) -> Fault:
    last = _OPERATIONS[aim]
    return Fault(
        name=FaultName.POWER_LOST,
        operation=chooser.choice(
            (
                chooser.randint(1, last),
                chooser.randint(1, 3),
                last - chooser.randrange(16),
            )
        ),
        byte=chooser.choice((0, 33, 34, 68, 128, 238, 255)),
        seconds=chooser.choice((0.0, 0.05, 0.5)),
        value=chooser.choice(("", INDETERMINATE)),
    )


def _draw_command_fault(
    chooser: random.Random, subject: Subject, phase: Phase
) -> Fault:
    name = chooser.choice(sorted(REPLY_FAULTS | REQUEST_FAULTS))
    command = chooser.choice(
        [
            command
            for command in _OF_A_PHASE.get(phase, tuple(_COMMANDS))
            if command not in subject.unanswered
        ]
    )
    frame, reply = _COMMANDS[command]
    often = command in (Command.READ_4K, Command.WRITE_4K, Command.CRC, Command.ERASE)
    return Fault(
        name=name,
        command=command,
        nth=chooser.randint(1, 12 if often else 2),
        times=chooser.choice((1, 1, 1, 2, 5)),
        byte=chooser.randrange(reply if name in REPLY_FAULTS else frame),
        count=chooser.choice((1, 1, 2, 100)),
        seconds=chooser.choice((0.0, 0.05, 0.5, 2.0)),
    )


def _draw_line_fault(chooser: random.Random) -> Fault:
    fault = Fault(
        name=chooser.choice(sorted(LINE_FAULTS)),
        seconds=chooser.choice((0.05, 0.5, 2.0, 0.0)),
        count=chooser.choice((20, 200, 5000)),
    )
    match fault.name:
        case FaultName.BIT_ERRORS:
            limit = chooser.choice((0, 0, 115_200, 460_800, 921_600))
            return replace(
                fault, count=chooser.choice((500, 5000, 50_000)), baudrate=limit
            )
        case FaultName.BAUDRATE_LIMIT:
            return replace(
                fault, baudrate=chooser.choice((115_200, 460_800, 1_500_000))
            )
        case _:
            return fault


def _draw_chip_fault(chooser: random.Random, subject: Subject) -> Fault:
    fault = Fault(
        name=chooser.choice(sorted(CHIP_FAULTS - subject.untold)),
        seconds=chooser.choice((0.05, 0.5, 0.0)),
    )
    match fault.name:
        case FaultName.FLASH_ID:
            value = chooser.choice(("C84015", "000000", "FFFFFF", "EB6014"))
        case FaultName.CHIP_ID:
            value = chooser.choice(("7231A", "0", "7238"))
        case FaultName.CODE_KEY:
            value = chooser.choice(("0 0 0 0", "4862379A 8612784B 85C5E258 75754528"))
        case FaultName.WORN_SECTOR:
            last = subject.application[1] - 0x1000
            sector = chooser.choice(
                (0x11000, 0x12000, 0x28000, last, subject.config[0])
            )
            value = f"{sector:X}"
        case _:
            value = ""
    return replace(fault, value=value)
