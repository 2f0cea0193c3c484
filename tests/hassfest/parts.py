"""The parts of the integration that are checked, as data."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
import json
from pathlib import Path
import re
from typing import Any, Final

from homeassistant import components

ROOT: Final = Path(__file__).parents[2]
INTEGRATION: Final = ROOT / "custom_components" / "openbk"
CORE: Final = Path(components.__path__[0])
TRANSLATIONS: Final = INTEGRATION / "translations"
LANGUAGES: Final = sorted(path.stem for path in TRANSLATIONS.glob("*.json"))

SLUG: Final = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
"""What Home Assistant accepts as a domain, an action and most keys."""
TRANSLATION_KEY: Final = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")
"""What may stand for a state, an option or a field; hyphens too."""


def load(path: Path) -> dict[str, Any]:
    """Return what a JSON file of the repository holds."""
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


@cache
def manifest() -> dict[str, Any]:
    """Return the manifest of the integration."""
    return load(INTEGRATION / "manifest.json")


@cache
def core_manifests() -> Mapping[str, dict[str, Any]]:
    """Return the manifests of core's integrations by their domains."""
    return {path.parent.name: load(path) for path in CORE.glob("*/manifest.json")}


@cache
def texts(language: str = "en") -> dict[str, Any]:
    """Return the texts of one language."""
    return load(TRANSLATIONS / f"{language}.json")


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Return every value of nested objects with the dotted path to it."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, f"{path}.{key}" if path else key)
    else:
        yield path, node


@cache
def sources(folder: str = "") -> Mapping[Path, ast.Module]:
    """Return the parsed Python files of the integration, or of one folder or file in it."""
    below = INTEGRATION / folder
    files = [below] if below.is_file() else sorted(below.rglob("*.py"))
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in files}


@cache
def _all_nodes(folder: str) -> tuple[ast.AST, ...]:
    """Return every piece of source; many ask for all of them again."""
    return tuple(
        node for module in sources(folder).values() for node in ast.walk(module)
    )


def nodes[Node: ast.AST](kind: type[Node], folder: str = "") -> Iterator[Node]:
    """Return every piece of source of one kind."""
    return (node for node in _all_nodes(folder) if isinstance(node, kind))


def assigned(path: Path) -> set[str]:
    """Return the names that a file gives a value to at its top."""
    return {
        target.id
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


@cache
def constants(folder: str = "") -> frozenset[str]:
    """Return every string that stands in the source, names of keyword arguments included."""
    strings = {
        node.value
        for node in nodes(ast.Constant, folder)
        if isinstance(node.value, str)
    }
    return frozenset(strings | {str(node.arg) for node in nodes(ast.keyword, folder)})


@cache
def _patterns(folder: str) -> tuple[re.Pattern[str], ...]:
    """Return the f-strings of the source that build a key out of another one."""
    found = set()
    for node in nodes(ast.JoinedStr, folder):
        parts = [
            re.escape(part.value) if isinstance(part, ast.Constant) else "(.+)"
            for part in node.values
        ]
        if any(re.search(r"\w", part) for part in parts if part != "(.+)"):
            found.add("".join(parts))
    return tuple(map(re.compile, sorted(found)))


def in_source(key: str, folder: str = "") -> bool:
    """Return whether the source names a key, or builds it out of what it names."""
    known = constants(folder)
    return key in known or any(
        match is not None and all(part in known for part in match.groups())
        for match in (pattern.fullmatch(key) for pattern in _patterns(folder))
    )
