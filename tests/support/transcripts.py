"""The recorded words of a real OpenBeken."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
import re

_LINE = re.compile(
    r"\S+ r=(?P<retain>[01]) q=(?P<qos>[012]) (?P<topic>\S+) ?(?P<payload>.*)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One message as a subscriber saw it."""

    topic: str
    payload: str
    qos: int
    retain: bool


def read_messages(path: Path) -> Iterator[Recorded]:
    """Yield the messages of a transcript; notes and stimuli are left out."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if match := _LINE.fullmatch(line):
            yield Recorded(
                topic=match["topic"],
                payload=match["payload"],
                qos=int(match["qos"]),
                retain=match["retain"] == "1",
            )
