"""Say what each language lacks beside English, and what it has too much."""

import argparse
from collections.abc import Iterator, Mapping
import json
from pathlib import Path
import re
from typing import Any, Final

FOLDER: Final = (
    Path(__file__).parent.parent / "custom_components" / "openbk" / "translations"
)
ENGLISH: Final = "en"

_PLACEHOLDER: Final = re.compile(r"{\w+}")


def languages() -> list[str]:
    """Return the languages there are, English among them."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def texts_of(language: str) -> dict[str, str]:
    """Return every text of a language by its dotted path; raises FileNotFoundError, ValueError."""
    path = FOLDER / f"{language}.json"
    return dict(_leaves(json.loads(path.read_text(encoding="utf-8"))))


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}" if path else key)
    else:
        yield path, str(node)


def faults(english: Mapping[str, str], other: Mapping[str, str]) -> Iterator[str]:
    """Return a line for each text that is missing, too much, empty or names other values."""
    for path, text in english.items():
        if path not in other:
            yield f"missing       {path}: {text}"
        elif not other[path].strip():
            yield f"empty         {path}: {text}"
        elif (wanted := _values(text)) != (found := _values(other[path])):
            yield f"placeholders  {path}: {' '.join(found)} instead of {' '.join(wanted)}"
    for path in other:
        if path not in english:
            yield f"too much      {path}"


def untouched(english: Mapping[str, str], other: Mapping[str, str]) -> Iterator[str]:
    """Return a line for each text of some words that is still the English one."""
    for path, text in english.items():
        if other.get(path) == text and re.search(r"[a-z]{3,} [a-z]{3,}", text):
            yield f"English       {path}: {text}"


def _values(text: str) -> list[str]:
    return sorted(_PLACEHOLDER.findall(text))


def main() -> int:
    """Return 0 where every language asked for is complete."""
    parser = argparse.ArgumentParser(prog="script/translations", description=__doc__)
    parser.add_argument("language", nargs="*", help="such as uk; all without it")
    options = parser.parse_args()
    english = texts_of(ENGLISH)
    wrong = 0
    for language in options.language or languages():
        try:
            other = texts_of(language)
        except FileNotFoundError:
            parser.error(f"there is no {FOLDER / language}.json; docs/translating.md")
        except ValueError as err:
            parser.error(f"{language}.json is not valid JSON: {err}")
        found = [*faults(english, other)]
        wrong += len(found)
        print(f"{language}: {len(other)} of {len(english)} texts")
        # Some may be meant so.
        hints = untouched(english, other) if language != ENGLISH else ()
        for line in (*found, *hints):
            print(f"  {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
