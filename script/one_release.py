"""Choose the tests inside Home Assistant that one of its releases is enough for."""

import argparse
import ast
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Set as AbstractSet
from dataclasses import dataclass
import os
from pathlib import Path
import re
import resource
import sys
import tempfile
from typing import Final, NamedTuple, Self

from coverage import CoverageData
import pytest

ROOT: Final = Path(__file__).parent.parent
INTEGRATION: Final = ROOT / "custom_components" / "openbk"
LIST: Final = ROOT / "tests" / "homeassistant" / "one_release.txt"

_HEADER: Final = """\
# Tests that run on the newer Home Assistant only: what they ask of it, others ask as well. Made by script/one_release.
# A test that is not named here runs on both releases.
"""

# Of a test with several parameters the older release runs the first case only, see script/test.
_MEASURED: Final = (
    "-q",
    "-m=not slow",
    "--one-of-each",
    f"--cov={INTEGRATION.relative_to(ROOT)}",
    "--cov-context=test",
    "--cov-report=",
    "tests/homeassistant",
)

type _Function = ast.FunctionDef | ast.AsyncFunctionDef

_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


class Place(NamedTuple):
    """A line of the integration."""

    path: Path
    line: int


type Contacts = Mapping[Place, AbstractSet[str]]
"""What passes between the integration and Home Assistant at each line."""


def contacts(sources: Mapping[Path, str]) -> Contacts:
    """Return at which lines inside functions modules and Home Assistant meet, and over what.

    A module meets it where it names ``hass``, ``super()``, something imported from elsewhere than the modules or
    Python's own library, or what none of the modules defines: an attribute of ``self`` or a method ``async_…``. Two
    such lines are the same contact if they use the same dotted name and, in a call, as many arguments and the same
    keywords; their values do not count. What belongs to ``self`` is told apart by the room, as other rooms have
    other classes.

    Home Assistant meets a module in functions that are marked as overriding its own, and in those that no module
    names. Where a condition asks it something, each of its branches counts.
    """
    trees = {path: ast.parse(source) for path, source in sources.items()}
    names = _Names.of(trees.values())
    found: dict[Place, set[str]] = {}
    for path, tree in trees.items():
        theirs = {"hass", "super", *_imported(tree)}
        for function in ast.walk(tree):
            if not isinstance(function, _FUNCTIONS):
                continue
            if names.is_entrance(function):
                entrance = found.setdefault(Place(path, _first_line(function)), set())
                entrance.add(f"{path}:{function.lineno} {function.name}")
            for line, what in _asked(function, theirs, names):
                if what.startswith(("self.", "super")) and not _HASS.match(what):
                    what = f"{_room(path)}: {what}"
                found.setdefault(Place(path, line), set()).add(what)
    return found


_HASS: Final = re.compile(r"self\._?hass\b")


@dataclass(frozen=True, slots=True)
class _Names:
    """What all modules together define and use."""

    functions: AbstractSet[str]
    """Those that override nothing."""
    attributes: AbstractSet[str]
    used: AbstractSet[str]

    @classmethod
    def of(cls, trees: Iterable[ast.Module]) -> Self:
        nodes = [node for tree in trees for node in ast.walk(tree)]
        attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
        of_classes = {
            part.id
            for node in nodes
            if isinstance(node, ast.ClassDef)
            for statement in node.body
            if isinstance(statement, ast.Assign | ast.AnnAssign)
            for part in ast.walk(statement)
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
        }
        return cls(
            {
                node.name
                for node in nodes
                if isinstance(node, _FUNCTIONS) and not _overrides(node)
            },
            of_classes
            | {node.attr for node in attributes if isinstance(node.ctx, ast.Store)},
            {node.attr for node in attributes}
            | {node.id for node in nodes if isinstance(node, ast.Name)},
        )

    def is_entrance(self, function: _Function) -> bool:
        """Return whether Home Assistant calls this function."""
        return _overrides(function) or not (
            function.name in self.used or function.name.startswith("__")
        )

    def is_foreign(self, node: ast.Attribute) -> bool:
        """Return whether an attribute is Home Assistant's."""
        if node.attr == "hass":
            return True
        if node.attr in self.functions:
            return False
        return node.attr.startswith("async_") or (
            isinstance(node.value, ast.Name)
            and node.value.id == "self"
            and node.attr not in self.attributes
        )


def _overrides(function: _Function) -> bool:
    return any(ast.unparse(each) == "override" for each in function.decorator_list)


def _room(path: Path) -> Path:
    """Return the folder of a module; of those that lie beside each other in the integration, the module."""
    return path if path.parent == INTEGRATION else path.parent


def _first_line(function: _Function) -> int:
    first, *others = function.body
    if ast.get_docstring(function) is not None and others:
        first = others[0]
    return first.lineno


def _asked(
    function: _Function, theirs: AbstractSet[str], names: _Names
) -> Iterator[tuple[int, str]]:
    """Yield what a function's lines ask of Home Assistant, and where the answer leads."""
    parents = {
        child: node
        for node in ast.walk(function)
        for child in ast.iter_child_nodes(node)
    }

    def asked(part: ast.AST) -> Iterator[tuple[int, str]]:
        for node in ast.walk(part):
            if isinstance(node, ast.Name) and node.id in theirs:
                yield node.lineno, _expression(node, parents)
            elif isinstance(node, ast.Attribute) and names.is_foreign(node):
                # Of a chain over several lines, that of the attribute itself.
                yield node.end_lineno or node.lineno, _expression(node, parents)

    for part in function.body:
        yield from asked(part)
        for node in ast.walk(part):
            if isinstance(node, ast.If) and any(asked(node.test)):
                for branch, answer in ((node.body, "yes"), (node.orelse, "no")):
                    for first in branch[:1]:
                        yield first.lineno, f"{ast.unparse(node.test)}: {answer}"


def _expression(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> str:
    """Return the dotted name that a node begins or ends, and the form of its call."""
    while isinstance(parents.get(node), ast.Attribute) or _is_super(parents.get(node)):
        node = parents[node]
    call = parents.get(node)
    if not (isinstance(call, ast.Call) and call.func is node):
        return ast.unparse(node)
    keywords = sorted(keyword.arg or "**" for keyword in call.keywords)
    return f"{ast.unparse(node)}({', '.join([str(len(call.args)), *keywords])})"


def _is_super(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node) == "super()"


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield the names under which a module knows what is neither ours nor Python's."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if _is_foreign(alias.name):
                    yield alias.asname or alias.name.partition(".")[0]
        elif (
            isinstance(node, ast.ImportFrom)
            and not node.level
            and _is_foreign(node.module or "")
        ):
            yield from (alias.asname or alias.name for alias in node.names)


def _is_foreign(module: str) -> bool:
    return module.partition(".")[0] not in {
        *sys.stdlib_module_names,
        "custom_components",
    }


def reached(ran: Iterable[Place], met: Contacts) -> frozenset[str]:
    """Return what of Home Assistant was reached by the lines that were run."""
    return frozenset[str]().union(*(met.get(place, ()) for place in ran))


def cheapest(
    found: Mapping[str, AbstractSet[str]], seconds: Mapping[str, float]
) -> list[str]:
    """Return tests that together reach everything that all of them reach, at little cost.

    The next is always who reaches most of the rest for its seconds; in the end those go, the dearest first, that
    the later ones made superfluous. It is not always the cheapest choice of all, which would take years to find.
    """
    left = set[str]().union(*found.values())
    chosen: list[str] = []
    while left:
        best = max(found, key=lambda test: len(found[test] & left) / seconds[test])
        chosen.append(best)
        left -= found[best]
    times = Counter(what for test in chosen for what in found[test])
    for test in sorted(chosen, key=lambda test: -seconds[test]):
        if all(times[what] > 1 for what in found[test]):
            chosen.remove(test)
            times.subtract(found[test])
    return chosen


class _Stopwatch:
    """Pytest plugin that notes each test's seconds of processor time, with those of its processes."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        before = _processor_time()
        result = yield
        self.seconds[item.nodeid] = _processor_time() - before
        return result


def _processor_time() -> float:
    """Return the seconds that this process and those that it has ended took; to the microsecond, so no test takes none."""
    taken = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in taken)


def _ran(database: Path) -> Mapping[str, Collection[Place]]:
    """Return the lines that each test ran; under the empty name stands what ran before any."""
    ran: dict[str, set[Place]] = {}
    data = CoverageData(str(database))
    data.read()
    for path in data.measured_files():
        for line, contexts in data.contexts_by_lineno(path).items():
            for context in contexts:
                # Behind the line stand its phases: set-up, run and teardown.
                test = context.rpartition("|")[0]
                ran.setdefault(test, set()).add(Place(Path(path), line))
    return ran


def main(arguments: list[str] | None = None) -> int:
    """Run the tests on this release, then write the list of those that the other is enough for."""
    argparse.ArgumentParser(prog="script/one_release", description=__doc__).parse_args(
        arguments
    )
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "coverage"
        # Python's own monitoring does not tell tests apart.
        os.environ |= {"COVERAGE_FILE": str(database), "COVERAGE_CORE": "ctrace"}
        stopwatch = _Stopwatch()
        if status := pytest.main([*_MEASURED], plugins=[stopwatch]):
            return status
        ran = _ran(database)
    # The library knows nothing of Home Assistant.
    met = contacts(
        {
            path: path.read_text(encoding="utf-8")
            for path in INTEGRATION.rglob("*.py")
            if "pyopenbk" not in path.parts
        }
    )
    seconds = stopwatch.seconds
    found = {test: reached(ran.get(test, ()), met) for test in seconds}
    chosen = cheapest(found, seconds)
    left_out = {test.partition("[")[0] for test in {*seconds} - {*chosen}}
    LIST.write_text(
        _HEADER + "".join(f"{test}\n" for test in sorted(left_out)), encoding="utf-8"
    )
    print(
        f"{len(chosen)} of {len(seconds)} tests reach all {len(frozenset().union(*found.values()))} interfaces in "
        f"{sum(seconds[test] for test in chosen):.0f} of {sum(seconds.values()):.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
