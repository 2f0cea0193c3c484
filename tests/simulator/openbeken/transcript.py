"""Reads the recorded sessions of a real OpenBeken."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
import re

_MESSAGE = re.compile(r"(\S+)\+0000 r=(\d) q=(\d) (\S+) ?(.*)")
_STIMULUS = re.compile(r">>> (PUB|CTL|NOTE) (\d\d:\d\d:\d\d) (.*)")
_PUBLISHED = re.compile(r"(\S+) '(.*)'")


@dataclass(frozen=True, slots=True)
class Message:
    """What a subscriber saw; ``at`` counts seconds of the day."""

    at: int
    topic: str
    payload: str
    qos: int
    retained: bool


@dataclass(frozen=True, slots=True)
class Stimulus:
    """What was done to the socket: PUB, CTL or NOTE and the rest of the line."""

    at: int
    kind: str
    text: str

    @property
    def publication(self) -> tuple[str, str]:
        match = _PUBLISHED.fullmatch(self.text)
        assert match
        return match[1], match[2]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP request and its answer."""

    method: str
    target: str
    body: str
    answer: str

    @property
    def status(self) -> int:
        return int(self.answer.split()[1])

    @property
    def head(self) -> list[str]:
        return self.answer.partition("\n\n")[0].splitlines()

    @property
    def content(self) -> str:
        return self.answer.partition("\n\n")[2].partition("\n\n")[0].strip()


def messages(path: Path) -> list[Message | Stimulus]:
    """Return messages and stimuli in the order of the file."""
    return list(_lines(path.read_text(encoding="utf-8")))


def live(path: Path) -> list[Message]:
    """Return the messages that were not retained ones of an earlier session."""
    return [
        entry
        for entry in messages(path)
        if isinstance(entry, Message) and not entry.retained
    ]


def exchanges(path: Path) -> list[Exchange]:
    """Return the requests with their answers."""
    found = []
    parts = re.split(
        r"^### (GET|POST) ", path.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    for method, part in zip(parts[1::2], parts[2::2], strict=True):
        first, _, answer = part.partition("\n")
        target, _, sent = first.partition("   body: ")
        found.append(Exchange(method, target, sent, answer))
    return found


def _lines(text: str) -> Iterator[Message | Stimulus]:
    for line in text.splitlines():
        if match := _MESSAGE.fullmatch(line):
            time = match[1].partition("T")[2]
            yield Message(
                _seconds(time), match[4], match[5], int(match[3]), match[2] == "1"
            )
        elif match := _STIMULUS.fullmatch(line):
            yield Stimulus(_seconds(match[2]), match[1], match[3])


def _seconds(time: str) -> int:
    hours, minutes, seconds = map(int, time.split(":"))
    return hours * 3600 + minutes * 60 + seconds
