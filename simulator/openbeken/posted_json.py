"""Takes posted JSON apart as the firmware does: into a flat row of tokens."""

from dataclasses import dataclass
from enum import Enum, IntEnum
import re
from typing import Final

_MOST_TOKENS: Final = 128
_BLANKS: Final = " \t\r\n"
_PRIMITIVE: Final = re.compile(r"[^\t\r\n :,\]}]+")
_ESCAPES: Final = '"/\\bfnrtu'


class Kind(Enum):
    """What a token is."""

    OBJECT = "{}"
    ARRAY = "[]"
    STRING = '"'
    PRIMITIVE = ""


class Problem(IntEnum):
    """Why a text could not be read, as the firmware's answer numbers it."""

    TOO_MANY_TOKENS = -1
    INVALID = -2
    UNFINISHED = -3


class PostedJsonError(Exception):
    """The text is not what the firmware takes for JSON."""

    def __init__(self, problem: Problem) -> None:
        """Keep what was wrong."""
        super().__init__(problem.name)
        self.problem = problem


@dataclass(slots=True)
class Token:
    """A container, a key or a value."""

    kind: Kind
    text: str = ""
    """What a string or a primitive holds, escapes and all."""
    size: int = 0
    """How many entries a container has."""


def tokens(text: str) -> list[Token]:
    """Return the tokens of a text in their order; no text has none.

    Keys and values need no quotes. Raises PostedJsonError.
    """
    found: list[Token] = []
    open_ones: list[Token] = []
    is_value = False
    at = 0
    while at < len(text):
        char = text[at]
        at += 1
        if char in _BLANKS:
            continue
        if char == ":":
            is_value = True
            continue
        if char == ",":
            is_value = False
            continue
        if char in "]}":
            if not open_ones or char not in open_ones[-1].kind.value:
                raise PostedJsonError(Problem.INVALID)
            open_ones.pop()
            is_value = False
            continue
        if len(found) == _MOST_TOKENS:
            raise PostedJsonError(Problem.TOO_MANY_TOKENS)
        if open_ones and not is_value:
            open_ones[-1].size += 1
        if char in "[{":
            kind = Kind.ARRAY if char == "[" else Kind.OBJECT
            found.append(Token(kind))
            open_ones.append(found[-1])
            is_value = False
        elif char == '"':
            end = _end_of_string(text, at)
            found.append(Token(Kind.STRING, text[at:end]))
            at = end + 1
        else:
            match = _PRIMITIVE.match(text, at - 1)
            if match is None or not all(" " < char < "\x7f" for char in match[0]):
                raise PostedJsonError(Problem.INVALID)
            found.append(Token(Kind.PRIMITIVE, match[0]))
            at = match.end()
    if open_ones:
        raise PostedJsonError(Problem.UNFINISHED)
    return found


def _end_of_string(text: str, start: int) -> int:
    at = start
    while at < len(text):
        if text[at] == '"':
            return at
        if text[at] == "\\" and at + 1 < len(text):
            at += 1
            if text[at] not in _ESCAPES:
                raise PostedJsonError(Problem.INVALID)
        at += 1
    raise PostedJsonError(Problem.UNFINISHED)
