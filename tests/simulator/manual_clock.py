"""A clock that stands still until a test moves it."""

from typing import override

from simulator.clock import Clock


class ManualClock(Clock):
    """Simulated time without real time, for what does not sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    @override
    def now(self) -> float:
        return self.time
