"""How the firmware reads numbers out of text, and what fits into its buffers."""

import re
from typing import Final

_INTEGER: Final = re.compile(r"\s*([+-]?\d+)", re.ASCII)
_NUMBER: Final = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)", re.ASCII)
_LARGEST: Final = 0x7FFFFFFF


def leading_int(text: str) -> int:
    """Return the integer that a text begins with, or 0: C's atoi, held at 32 bits."""
    match = _INTEGER.match(text)
    return max(min(int(match[1]), _LARGEST), -_LARGEST - 1) if match else 0


def leading_float(text: str) -> float:
    """Return the number that a text begins with, or 0: C's atof."""
    match = _NUMBER.match(text)
    return float(match[1]) if match else 0.0


def encode(text: str) -> bytes:
    """Return a text as the bytes that it came from; surrogates stand for what was no UTF-8."""
    return text.encode(errors="surrogateescape")


def decode(data: bytes) -> str:
    """Return bytes as a text, whatever they are."""
    return data.decode(errors="surrogateescape")


def cut(text: str, size: int) -> str:
    """Return the first ``size`` bytes of a text, in the middle of a character if need be."""
    return decode(encode(text)[:size])
