"""A meter that counts pulses in one-second windows, with every fault known exactly."""

from dataclasses import dataclass, field
from random import Random


@dataclass
class PulseMeter:
    """Reads ``(watts - offset) / gain`` in whole pulses; the remainder goes to the next window."""

    random: Random
    gain: float = 1.0
    offset: float = 0.0
    noise: float = 0.0
    """Relative noise of a second's load."""
    jitter: float = 0.0
    """Standard deviation of a window's length in seconds."""
    missed: float = 0.0
    """Share of windows that the sampler sees twice or not at all."""
    cutoff: float = 0.0
    """Watts below which the chip gives no pulses."""
    step: float = 1.5
    _phase: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        """Begin anywhere between two pulses."""
        self._phase = self.random.random()

    @classmethod
    def any(cls, seed: int) -> PulseMeter:
        """Return a meter out of the range that real sockets come in; half have no offset."""
        random = Random(seed)
        return cls(
            random=random,
            gain=random.uniform(0.85, 1.15),
            offset=random.choice((0.0, random.uniform(-1.5, 1.5))),
            noise=random.choice((0.0, 0.001, 0.003, 0.006)),
            jitter=random.choice((0.0, 0.002, 0.005)),
            missed=random.choice((0.0, 0.0, 0.05)),
            cutoff=random.uniform(0.0, 2.0),
        )

    def readings(self, watts: float, count: int = 60) -> list[float]:
        """Return one reading a second for a constant load."""
        readings: list[float] = []
        for _ in range(count):
            length = 1 + self.random.gauss(0, self.jitter)
            load = watts * (1 + self.random.gauss(0, self.noise))
            if watts > self.cutoff:
                self._phase += (
                    max(0.0, (load - self.offset) / self.gain) * length / self.step
                )
            pulses = int(self._phase)
            self._phase -= pulses
            if readings and self.random.random() < self.missed:
                readings.append(readings[-1])
            else:
                readings.append(pulses * self.step / length)
        return readings
