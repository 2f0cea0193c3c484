"""Reads the recordings: small JSON files beside this one.

Each has an ``about`` (how it was taken and how to read it), the ``firmware``, ``parts`` (lists of
cases by what is done with them) and ``left_out``: recorded cases that nothing can be held to,
each with the reason. A case is an object with a ``stimulus`` and whatever its part needs.
In texts ``⟨ab*9⟩`` stands for nine times ab, and one that begins with ``hex:`` for bytes that
are no UTF-8, which become surrogates.
"""

from functools import cache
import json
from pathlib import Path
import re
from typing import Any, Final

import pytest

_FOLDER = Path(__file__).parent
_REPEATED: Final = re.compile("⟨(.+?)[*]([0-9]+)⟩")
_HEX: Final = "hex:"

type Case = dict[str, Any]


@cache
def recording(name: str) -> dict[str, Any]:
    """Return the whole file ``name``.json."""
    text = (_FOLDER / f"{name}.json").read_text(encoding="utf-8")
    content: dict[str, Any] = _unfolded(json.loads(text))
    return content


def part(name: str, title: str) -> list[Case]:
    """Return the cases of one part of a file."""
    cases: list[Case] = recording(name)["parts"][title]
    return cases


def replay(name: str, title: str) -> pytest.MarkDecorator:
    """Run a test once for each case of a part, as its argument ``case``."""
    return pytest.mark.parametrize(
        "case",
        [
            pytest.param(case, id=f"{title}-{number}-{_readable(case['stimulus'])}")
            for number, case in enumerate(part(name, title))
        ],
    )


def names() -> list[str]:
    """Return the names of all recordings."""
    return sorted(path.stem for path in _FOLDER.glob("*.json"))


def _unfolded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unfolded(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_unfolded(entry) for entry in value]
    if not isinstance(value, str):
        return value
    text = _REPEATED.sub(lambda match: match[1] * int(match[2]), value)
    if text.startswith(_HEX):
        data = bytes.fromhex(text.removeprefix(_HEX))
        return data.decode(errors="surrogateescape")
    return text


def _readable(stimulus: object) -> str:
    text = stimulus if isinstance(stimulus, str) else json.dumps(stimulus)
    return "".join(
        char if char.isascii() and char.isprintable() else "." for char in text
    )[:60]
