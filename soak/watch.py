"""What is looked at while a job runs: each operation on the flash, and each line of a log."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
import logging
from typing import Final, override

from simulator.flash import Flash, Operation, OperationKind

from .chips import PLANTED, Span, Subject
from .findings import Invariant, Violation

_BLANK: Final = 0xFF


class Watch:
    """Looks at each operation on a flash before it happens."""

    def __init__(
        self, subject: Subject, flash: Flash, *, is_backed_up: Callable[[], bool]
    ) -> None:
        """Take the chip; ``is_backed_up`` says whether what it held at first is on disk."""
        self._subject = subject
        self._flash = flash
        self._is_backed_up = is_backed_up
        self._allowed: tuple[Span, ...] = ()
        self._may_be_damaged = False
        self._judged = False
        self._status_written = False
        self._may_repeat = False
        self.operations = 0
        self.strays: list[Operation] = []
        """What was done outside of what the job may change."""
        self.violations: list[Violation] = []

    def expect(
        self,
        allowed: tuple[Span, ...],
        *,
        may_be_damaged: bool,
        may_repeat: bool = False,
    ) -> None:
        """Begin to watch a job.

        ``may_be_damaged``: commands may not arrive as they were sent. ``may_repeat``: answers may
        not arrive, so that a command is given once more.
        """
        self._may_repeat = may_repeat
        self._allowed = allowed
        self._may_be_damaged = may_be_damaged
        self._judged = False
        self._status_written = False

    def allow(self, *spans: Span) -> None:
        """Let the job change more than it was expected to."""
        self._allowed += spans

    def __call__(self, operation: Operation) -> None:
        """Look at one operation."""
        self.operations += 1
        if operation.kind is OperationKind.STATUS:
            # Whose answer was lost is written again.
            repeated = self._status_written and self._may_repeat
            self._status_written = True
            if not (self._flash.protected or self._may_be_damaged or repeated):
                self._note(Invariant.STATUS, "written although nothing was protected")
            return
        if not self._judged:
            self._judged = True
            if not self._is_backed_up():
                self._note(Invariant.BACKED_UP_FIRST, str(operation.kind))
        if not _within(operation, self._allowed):
            self.strays.append(operation)
            if not self._may_be_damaged:
                self._note(
                    Invariant.UNTOUCHED, f"{operation.kind} 0x{operation.address:06X}"
                )
            return
        self._look_at_order(operation)
        if operation.kind is OperationKind.PROGRAM and not self._may_be_damaged:
            self._look_at_cells(operation)

    def _look_at_order(self, operation: Operation) -> None:
        """Note a change of what an application needs while it could still be started."""
        needed = (self._subject.application, self._subject.config)
        first = (self._subject.first_sector,)
        if _within(operation, first) or not _touches(operation, needed):
            return
        start, end = self._subject.first_record
        record = self._flash.read(start, end - start)
        if record.strip(bytes([_BLANK])) and not self._may_be_damaged:
            self._note(
                Invariant.STARTS_NO_MIXTURE,
                f"{operation.kind} 0x{operation.address:06X} behind a first record",
            )

    def _look_at_cells(self, operation: Operation) -> None:
        cells = self._flash.read(operation.address, operation.size)
        for cell, data in zip(cells, operation.data, strict=True):
            if data != _BLANK and cell & data != data:
                self._note(Invariant.ERASED_FIRST, f"0x{operation.address:06X}")
                return

    def _note(self, invariant: Invariant, detail: str) -> None:
        self.violations.append(Violation(invariant, detail))


def _within(operation: Operation, spans: Sequence[Span]) -> bool:
    start, end = operation.address, operation.address + operation.size
    return any(first <= start and end <= behind for first, behind in spans)


def _touches(operation: Operation, spans: Sequence[Span]) -> bool:
    start, end = operation.address, operation.address + operation.size
    return any(start < behind and first < end for first, behind in spans)


class _Ear(logging.Handler):
    """Hears every message of every level, and whether a secret is in it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[str] = []
        # The secrets as they are, and as the ways to print bytes show them.
        self._secrets = [
            form
            for text in PLANTED
            for raw in (text.encode(),)
            for form in (text.lower(), raw.hex(), raw.hex(" "), raw.hex(":"))
        ]
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    @override
    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if any(secret in text.lower() for secret in self._secrets):
            self.heard.append(f"{record.name}: {record.msg!r}")


@contextmanager
def listening() -> Iterator[list[str]]:
    """Yield which messages held a secret; every level of every logger is heard meanwhile."""
    ear, root = _Ear(), logging.getLogger()
    before = root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    try:
        yield ear.heard
    finally:
        root.removeHandler(ear)
        root.setLevel(before)
