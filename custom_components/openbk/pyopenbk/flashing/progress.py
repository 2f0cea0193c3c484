"""How a job tells how far it is."""

from collections.abc import Callable

from .records import Phase

type Progress = Callable[[Phase, int, int], None]
"""Called with a phase, the bytes done in it and the bytes in all; the caller throttles."""


class PhaseProgress:
    """The progress of one phase, which never goes backwards."""

    def __init__(self, report: Progress, phase: Phase, total: int) -> None:
        """Report the beginning of a phase of ``total`` bytes."""
        self._report = report
        self._phase = phase
        self._total = total
        self._done = 0
        report(phase, 0, total)

    def reach(self, done: int) -> None:
        """Report that ``done`` bytes are done, unless more was reported already."""
        if done > self._done:
            self._done = min(done, self._total)
            self._report(self._phase, self._done, self._total)

    def complete(self) -> None:
        """Report that everything is done."""
        self.reach(self._total)

    def part(self, offset: int) -> Callable[[int, int], None]:
        """Return a progress function for a part of the phase that begins at ``offset``."""
        return lambda done, _: self.reach(offset + done)
