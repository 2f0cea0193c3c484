"""How the firmware reads numbers and words out of text."""

import re
from typing import Final

_INTEGER: Final = re.compile(r"\s*([+-]?\d+)")
_NUMBER: Final = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")
_WORD: Final = re.compile(r'"([^"]*)"?|(\S+)')


def leading_int(text: str) -> int:
    """Return the integer that a text begins with, or 0: C's atoi."""
    match = _INTEGER.match(text)
    return int(match[1]) if match else 0


def leading_float(text: str) -> float:
    """Return the number that a text begins with, or 0: C's atof."""
    match = _NUMBER.match(text)
    return float(match[1]) if match else 0.0


def words(text: str) -> list[str]:
    """Split arguments at blanks; double quotes keep one together."""
    return [
        match[1] if match[2] is None else match[2] for match in _WORD.finditer(text)
    ]


def after_words(text: str, count: int) -> str:
    """Return what follows the first ``count`` arguments."""
    end = 0
    for match in _WORD.finditer(text):
        if not count:
            return text[match.start() :].strip()
        count -= 1
        end = match.end()
    return text[end:].strip()
