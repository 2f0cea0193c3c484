"""The rows of docs/wizard.md, what the tests claim to walk of them, and where they went.

`@pytest.mark.walks("wiring -> search -> seen_nothing", "seen_nothing -> port, leave")` claims that
the test goes from each page to the next, and from the last but one to each of those behind the last
arrow; `"seen_nothing -> *"` claims everything that the document has in the row of that page, and
`"left_written"` just that the page is shown. A page is a step of the wizard or the reason for which
it ended. After a menu there may also stand what was chosen in it.

A claim that is not true fails its test, and so does a way that is not in the document.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
import re
from typing import Final

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "wizard.md"
TESTS: Final = Path(__file__).parent

# "The end (`restored`)" is that reason and no choice; what comes "then" does not come next.
_WAY: Final = re.compile(
    r"`(?P<page>\w+…?)`|(?P<leave>the end(?! \())|(?P<same>the same page)"
    r"|(?P<reconfigure_successful>the changed entry)|(?P<created>the entry)"
)
_LATER: Final = re.compile(r", then [^;]*")

type Way = tuple[str, str]
"""From a page to the next one, or from a menu to what was chosen there."""


def rows(document: str) -> dict[str, frozenset[str]]:
    """Return where each row of the tables of pages leads; `x_…` stands for any page so called."""
    found: dict[str, frozenset[str]] = {}
    ways_out = False
    for line in document.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if cells[0] in ("Step", "Page", "Reason"):
            ways_out = cells[-1] in ("Leads to", "Offers")
        elif line.startswith("| `"):
            page = cells[0].strip("`")
            found[page] = frozenset(_ways(page, cells[-1]) if ways_out else ())
    return found


def _ways(page: str, text: str) -> Iterator[str]:
    for match in _WAY.finditer(_LATER.sub("", text)):
        yield match["page"] or (page if match["same"] else str(match.lastgroup))


ROWS: Final[Mapping[str, frozenset[str]]] = rows(DOCUMENT.read_text())


def leads_to(page: str, found: str) -> bool:
    """Return whether the row of a page names this one, alone or among others."""
    return any(fits(way, found) for way in ROWS.get(page, ()))


def fits(way: str, found: str) -> bool:
    """Return whether a page is what a row names, by its whole name or as one of `x_…`."""
    return found.startswith(way[:-1]) if way.endswith("…") else found == way


@dataclass(slots=True)
class Walked:
    """Where the wizards of one test went."""

    pages: set[str] = field(default_factory=set)
    ways: set[Way] = field(default_factory=set)
    unknown: set[Way] = field(default_factory=set)
    """Ways that are not in the document."""

    def forget(self) -> None:
        """Begin anew."""
        for kept in (self.pages, self.ways, self.unknown):
            kept.clear()

    def note(self, page: str | None, choice: str | None, following: str) -> None:
        """Keep a way from one page to the next, and what was chosen for it."""
        self.pages.add(following)
        if page is None:
            return
        self.ways.add((page, following))
        if choice is not None:
            self.ways |= {(page, choice), (choice, following)}
        if not any(leads_to(page, found) for found in (choice, following) if found):
            self.unknown.add((page, following))

    def compare(self, claimed: Iterable[str]) -> None:
        """Raise AssertionError unless claims and document are true."""
        false = [claim for claim in claimed if not self._proves(claim)]
        assert not false, f"claimed, but not walked: {'; '.join(false)}"
        unknown = [" -> ".join(way) for way in sorted(self.unknown)]
        assert not unknown, f"{DOCUMENT.name} does not know: {'; '.join(unknown)}"

    def _proves(self, claim: str) -> bool:
        if "->" not in claim:
            return claim in self.pages
        return all(
            any(page == start and fits(way, found) for start, found in self.ways)
            for page, way in claimed_ways(claim)
        )


WALKED: Final = Walked()


def claimed_ways(claim: str) -> Iterator[Way]:
    """Return the ways that a claim names; the end of one may be `x_…`."""
    *path, last = claim.split(" -> ")
    if not path:
        return
    ways = sorted(ROWS[path[-1]]) if last == "*" else last.split(", ")
    for way in ways:
        steps = [*path, way]
        yield from pairwise(steps)
        # What was chosen in a menu is no page where it is not called as one.
        yield from (
            (page, following)
            for page, choice, following in zip(
                steps, steps[1:], steps[2:], strict=False
            )
            if choice not in ROWS
        )


def claimed_pages(claim: str) -> Iterator[str]:
    """Return every page that a claim names."""
    yield from re.findall(r"\w+", claim)
    yield from (way for _, way in claimed_ways(claim))


@cache
def claims() -> tuple[str, ...]:
    """Return the claims of all tests.

    Their files are read, so it does not matter which of them run.
    """
    return tuple(
        claim
        for path in sorted(TESTS.rglob("test_*.py"))
        for claim in _claims_in(ast.parse(path.read_text()))
    )


def _claims_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case (
                ast.FunctionDef(name=name, decorator_list=decorators)
                | ast.AsyncFunctionDef(name=name, decorator_list=decorators)
                | ast.ClassDef(name=name, decorator_list=decorators)
            ) if name.lower().startswith("test"):
                for decorator in decorators:
                    yield from _arguments(decorator)


def _arguments(decorator: ast.expr) -> Iterator[str]:
    for node in ast.walk(decorator):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="walks") | ast.Name(id="walks"), args=arguments
            ):
                yield from (ast.literal_eval(argument) for argument in arguments)
