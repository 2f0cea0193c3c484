"""Runs that somebody chose, not a seed: one for each promise that a mistake of ours could break."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from custom_components.openbk.pyopenbk.flashing import Phase
from simulator.commands import Command
from simulator.faults import Fault, FaultName

from .accidents import Accident, Aim, HostAccident, Scenario
from .chips import Subject
from .cuts import scenario

# Bytes of a frame before its data, and where in the frame of an erase the address has its middle.
_READ_DATA: Final = 15
_WRITE_DATA: Final = 12
_ERASE_MIDDLE: Final = 10


def _fault(
    name: FaultName, command: Command | None = None, **where: object
) -> Accident:
    phase = where.pop("phase", Phase.LINK)
    assert isinstance(phase, Phase)
    fault = replace(Fault(name=name, command=command), **where)  # type: ignore[arg-type]
    return Accident(what=fault, phase=phase, part=0.0)


def _host(what: HostAccident, phase: Phase, part: float) -> Accident:
    return Accident(what=what, phase=phase, part=part)


def _cases() -> Iterator[tuple[str, Aim, tuple[Accident, ...]]]:
    for aim in Aim:
        yield f"undisturbed {aim}", aim, ()
    lost = FaultName.REPLY_DROPPED
    yield (
        "a byte of the backup arrives wrong",
        Aim.FLASH,
        (
            _fault(
                FaultName.REPLY_FLIPPED, Command.READ_4K, nth=5, byte=_READ_DATA + 999
            ),
        ),
    )
    yield (
        "a byte of the application arrives wrong",
        Aim.FLASH,
        (
            _fault(
                FaultName.REQUEST_FLIPPED,
                Command.WRITE_4K,
                nth=5,
                byte=_WRITE_DATA + 999,
            ),
        ),
    )
    yield "a write is not answered", Aim.FLASH, (_fault(lost, Command.WRITE_4K, nth=3),)
    yield "an erase is not answered", Aim.FLASH, (_fault(lost, Command.ERASE, nth=3),)
    yield (
        "an erase does not arrive",
        Aim.RENEW,
        (_fault(FaultName.REQUEST_DROPPED, Command.ERASE, nth=3),),
    )
    yield (
        "an erase goes astray",
        Aim.FLASH,
        (
            _fault(
                FaultName.REQUEST_FLIPPED, Command.ERASE, nth=16, byte=_ERASE_MIDDLE + 1
            ),
        ),
    )
    for number in (3, 9, 20):
        yield (
            f"CRC {number} is answered twice",
            Aim.FLASH,
            (_fault(FaultName.REPLY_TWICE, Command.CRC, nth=number),),
        )
    yield (
        "a write is answered late",
        Aim.FLASH,
        (_fault(FaultName.REPLY_LATE, Command.WRITE_4K, nth=6, seconds=0.7),),
    )
    yield (
        "a CRC is answered late",
        Aim.FLASH,
        (_fault(FaultName.REPLY_LATE, Command.CRC, nth=6, seconds=2.0),),
    )
    yield (
        "the flash id arrives wrong",
        Aim.FLASH,
        (_fault(FaultName.REPLY_FLIPPED, Command.FLASH_ID, byte=13),),
    )
    yield "the line echoes", Aim.FLASH, (_fault(FaultName.ECHO, count=1),)
    yield "the flash stays protected", Aim.FLASH, (_fault(FaultName.STATUS_STICKS),)
    yield (
        "a sector does not erase",
        Aim.RENEW,
        (_fault(FaultName.WORN_SECTOR, value="12000"),),
    )
    yield "another chip", Aim.FLASH, (_fault(FaultName.CHIP_ID, value="7231A"),)
    yield "another key", Aim.FLASH, (_fault(FaultName.CODE_KEY, value="1 2 3 4"),)
    yield (
        "power is lost in the application",
        Aim.FLASH,
        (_fault(FaultName.POWER_LOST, operation=300, byte=34),),
    )
    yield (
        "power is lost in a restore",
        Aim.RESTORE,
        (_fault(FaultName.POWER_LOST, operation=300, byte=34),),
    )
    yield (
        "power is lost in the first erase",
        Aim.RENEW,
        (_fault(FaultName.POWER_LOST, operation=2, byte=2048),),
    )
    yield (
        "the adapter is pulled while it writes",
        Aim.FLASH,
        (_fault(FaultName.UNPLUGGED, Command.WRITE_4K, nth=9, byte=700),),
    )
    yield (
        "cancelled in the backup",
        Aim.FLASH,
        (_host(HostAccident.CANCELLED, Phase.BACKUP, 0.5),),
    )
    yield (
        "cancelled while it writes",
        Aim.FLASH,
        (_host(HostAccident.CANCELLED, Phase.WRITE_APPLICATION, 0.5),),
    )
    yield (
        "killed in the backup",
        Aim.FLASH,
        (_host(HostAccident.KILLED, Phase.BACKUP, 0.6),),
    )
    for number in range(3):
        yield (
            f"the machine stops in the backup, {number}",
            Aim.FLASH,
            (_host(HostAccident.CRASHED, Phase.BACKUP, 0.6),),
        )
    yield (
        "killed while it writes",
        Aim.FLASH,
        (_host(HostAccident.KILLED, Phase.WRITE_APPLICATION, 0.5),),
    )
    yield (
        "the disk is full",
        Aim.FLASH,
        (_host(HostAccident.DISK_FULL, Phase.LINK, 0.0),),
    )


# What one job makes good by itself.
_AT_ONCE: Final = frozenset(
    {
        "a byte of the backup arrives wrong",
        "a byte of the application arrives wrong",
        "a write is not answered",
        "a write is answered late",
        "an erase is not answered",
        "an erase does not arrive",
        "the flash id arrives wrong",
    }
)


def is_made_good(name: str) -> bool:
    """Return whether a case has to complete in one job."""
    return name in _AT_ONCE or name.startswith(("undisturbed", "CRC"))


def directed(subject: Subject) -> Iterator[tuple[str, Scenario]]:
    """Yield each case with its name."""
    for number, (name, aim, accidents) in enumerate(_cases()):
        faults = [a.what for a in accidents if isinstance(a.what, Fault)]
        if not any(
            fault.command in subject.unanswered or fault.name in subject.untold
            for fault in faults
        ):
            yield name, scenario(subject, aim, *accidents, seed=number * 3)
