"""Reads the recorded sessions: texts beside this file, and the answers of web servers."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
import re
from typing import Final

from .recording import part

_FOLDER: Final = Path(__file__).parent / "sessions"
_HEADER: Final = re.compile(r"(about|firmware|client): (.*)")
_MESSAGE: Final = re.compile(r"(\d+) ([-r])([012]) (\S+) ?(.*)")
_STIMULUS: Final = re.compile(r"(\d+) (PUB|CTL|NOTE) (.*)")
_PUBLISHED: Final = re.compile(r"(\S+) '(.*)'")
_CLIENT: Final = "~"
_HEAD: Final = (
    "Access-Control-Allow-Origin: *",
    "Access-Control-Allow-Headers: Origin, X-Requested-With, Content-Type, Accept",
    "Connection: close",
)


@dataclass(frozen=True, slots=True)
class Message:
    """What a subscriber saw; ``at`` counts seconds from the beginning."""

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
    """One HTTP request and its answer, of a page only the beginning."""

    method: str
    target: str
    body: str
    status: int
    media_type: str
    content: str

    @property
    def head(self) -> bytes:
        """Return the head as the firmware sends it."""
        first = f"HTTP/1.1 {self.status} OK\nContent-type: {self.media_type}"
        return "\r\n".join((first, *_HEAD, "", "")).encode()


@cache
def messages(name: str) -> tuple[Message | Stimulus, ...]:
    """Return messages and stimuli of a session in their order.

    Messages that were retained in an earlier session are left out but for the presence,
    and so is what came by itself where it does not matter.
    """
    text = (_FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    header = dict(
        match.groups() for match in map(_HEADER.fullmatch, _lines(text)) if match
    )
    return tuple(_entries(text, header["client"]))


def live(name: str) -> list[Message]:
    """Return the messages that were not retained ones of an earlier session."""
    return [
        entry
        for entry in messages(name)
        if isinstance(entry, Message) and not entry.retained
    ]


def sessions() -> list[str]:
    """Return the names of all sessions with messages."""
    return sorted(path.stem for path in _FOLDER.glob("*.txt"))


def exchanges(name: str) -> list[Exchange]:
    """Return the requests of a session with their answers."""
    return [
        Exchange(
            method=case.get("method", "GET"),
            target=case["stimulus"],
            body=case.get("body", ""),
            status=case.get("status", 200),
            media_type=case.get("type", "application/json"),
            content=case.get("answers", case.get("begins", "")),
        )
        for case in part("http_sessions", name)
    ]


def _entries(text: str, client: str) -> Iterator[Message | Stimulus]:
    for line in _lines(text):
        if match := _MESSAGE.fullmatch(line):
            topic = match[4].replace(_CLIENT, client)
            retained = match[2] == "r"
            yield Message(int(match[1]), topic, match[5], int(match[3]), retained)
        elif match := _STIMULUS.fullmatch(line):
            text = match[3].replace(_CLIENT, client)
            yield Stimulus(int(match[1]), match[2], text)
        else:
            assert _HEADER.fullmatch(line), line


def _lines(text: str) -> list[str]:
    return text.splitlines()
