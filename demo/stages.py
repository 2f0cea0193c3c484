"""The lines that a check prints: one a stage, with its time."""

from collections.abc import Iterator
from contextlib import contextmanager
import time


class Stages:
    """Print each stage when it is over, and which one failed."""

    def __init__(self) -> None:
        """Start the clock."""
        self._started = time.monotonic()

    @contextmanager
    def stage(self, name: str) -> Iterator[list[str]]:
        """Time one stage; what the caller appends to the list is printed behind it."""
        began = time.monotonic()
        findings: list[str] = []
        try:
            yield findings
        except BaseException:
            print(f"FAILED  {name}", flush=True)
            raise
        seconds = time.monotonic() - began
        print(f"{seconds:6.1f} s  {name}", *findings, sep="  ", flush=True)

    @property
    def total(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._started
