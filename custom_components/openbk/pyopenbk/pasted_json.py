"""JSON as people paste it: with words around it, comments, commas too many, typographic quotes."""

from collections.abc import Callable
import json
import re
from typing import Any, Final, Self

# The longest published template has some two thousand characters.
LONGEST_TEXT: Final = 64 * 1024
_DEEPEST_NESTING: Final = 16

# What an editor or a forum makes of a double quote.
_CURLY_QUOTES: Final = str.maketrans(dict.fromkeys("“”„‟«»″＂", '"'))
_INVISIBLE: Final = re.compile("[\ufeff\u200b\u2060]")
# A string, which stays as it is, or a comment, which goes.
_STRING_OR_COMMENT: Final = re.compile(
    r'"(?:[^"\\]|\\.)*"?|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL
)
_STRING_OR_COMMA: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|,(?=\s*[}\]])', re.DOTALL)


_OF_PYTHON: Final = {"True": "true", "False": "false", "None": "null"}
_PYTHON_WORDS: Final = re.compile(r"(?<=[\[:,\s])(?:True|False|None)(?=\s*[,\]}])")


class JsonObject(dict[str, Any]):
    """An object, of whose names given more than once the last one counts."""

    repeated: tuple[str, ...] = ()
    """The names that were given before with another value."""

    @classmethod
    def of(cls, pairs: list[tuple[str, Any]]) -> Self:
        """Return the object of these names and values."""
        found = cls(pairs)
        found.repeated = tuple(
            dict.fromkeys(name for name, value in pairs if found[name] != value)
        )
        return found


def load_object(text: str) -> JsonObject:
    """Return the object in a text; what is outside of its outermost braces does not count.

    Raises ValueError where there is none, or where it is longer than 64 KiB or nested too deep.
    """
    if len(text) > LONGEST_TEXT:
        raise ValueError("too long a text")
    text = _INVISIBLE.sub("", text)
    for mend in _MENDS:
        mended = mend(text)
        try:
            value = json.loads(
                mended[mended.index("{") : mended.rindex("}") + 1],
                strict=False,
                object_pairs_hook=JsonObject.of,
            )
        except ValueError, RecursionError:
            continue
        if isinstance(value, JsonObject) and _is_shallow(value):
            return value
    raise ValueError("no JSON in the text")


def _is_shallow(value: object) -> bool:
    """Return whether a value is nested so little that anybody can go through it."""
    level = [value]
    for _ in range(_DEEPEST_NESTING):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return not level


def _without_extras(text: str) -> str:
    """Take away comments, and commas in front of a closing bracket."""
    text = _STRING_OR_COMMENT.sub(_keep_strings, text)
    return _STRING_OR_COMMA.sub(_keep_strings, text)


def _keep_strings(match: re.Match[str]) -> str:
    return match[0] if match[0].startswith('"') else ""


def _with_straight_quotes(text: str) -> str:
    text = text.translate(_CURLY_QUOTES)
    if '"' in text:
        return text
    # As Python prints what one of its tools has read.
    return _PYTHON_WORDS.sub(lambda word: _OF_PYTHON[word[0]], text.replace("'", '"'))


# Each is tried only where those before it made no JSON.
_MENDS: Final[tuple[Callable[[str], str], ...]] = (
    lambda text: text,
    _without_extras,
    lambda text: _without_extras(_with_straight_quotes(text)),
)
