"""Choose the tests inside Home Assistant that one of its releases is enough for."""

import argparse
import ast
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Set as AbstractSet
import os
from pathlib import Path
import resource
import sys
import tempfile
from typing import Final, NamedTuple

from coverage import CoverageData
import pytest

ROOT: Final = Path(__file__).parent.parent
INTEGRATION: Final = ROOT / "custom_components" / "openbk"
LIST: Final = ROOT / "tests" / "homeassistant" / "one_release.txt"

_HEADER: Final = """\
# Tests that run on the newer Home Assistant only: what they reach of it, others reach as well. Made by script/one_release.
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

    path: str
    line: int


type Contacts = Mapping[Place, AbstractSet[str]]
"""What is asked of Home Assistant, or asked by it, at each line."""


def contacts(sources: Mapping[str, str]) -> Contacts:
    """Return at which lines inside functions modules and Home Assistant meet, and over what.

    Such a line names ``hass``, or something that is imported from elsewhere than the modules or Python's own
    library, or a method ``async_…`` that no module defines: what counts is the expression that it is part of, and
    of a call how many arguments it has and their keywords. Or it is the first of a function that none of the
    modules names, which therefore Home Assistant calls.
    """
    trees = {path: ast.parse(source) for path, source in sources.items()}
    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    defined = {node.name for node in nodes if isinstance(node, _FUNCTIONS)}
    named = {node.id for node in nodes if isinstance(node, ast.Name)}
    named |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    found: dict[Place, set[str]] = {}
    for path, tree in trees.items():
        theirs = {"hass", *_imported(tree)}
        for function in ast.walk(tree):
            if not isinstance(function, _FUNCTIONS):
                continue
            if function.name not in named and not function.name.startswith("__"):
                entrance = found.setdefault(Place(path, _first_line(function)), set())
                entrance.add(f"{path}:{function.lineno} {function.name}")
            for line, what in _asked(function, theirs, defined):
                found.setdefault(Place(path, line), set()).add(what)
    return found


def _first_line(function: _Function) -> int:
    first, *others = function.body
    if ast.get_docstring(function) is not None and others:
        first = others[0]
    return first.lineno


def _asked(
    function: _Function, theirs: AbstractSet[str], defined: AbstractSet[str]
) -> Iterator[tuple[int, str]]:
    """Yield what a function's lines ask of Home Assistant."""
    parents = {
        child: node
        for node in ast.walk(function)
        for child in ast.iter_child_nodes(node)
    }
    for node in (each for part in function.body for each in ast.walk(part)):
        if isinstance(node, ast.Name) and node.id in theirs:
            line = node.lineno
        elif isinstance(node, ast.Attribute) and (
            node.attr == "hass"
            or (node.attr.startswith("async_") and node.attr not in defined)
        ):
            # Of a chain over several lines, that of the attribute itself.
            line = node.end_lineno or node.lineno
        else:
            continue
        whole: ast.AST = node
        while isinstance(parents.get(whole), ast.Attribute):
            whole = parents[whole]
        what = ast.unparse(whole)
        call = parents.get(whole)
        if isinstance(call, ast.Call) and call.func is whole:
            keywords = sorted(keyword.arg or "**" for keyword in call.keywords)
            what += f"({', '.join([str(len(call.args)), *keywords])})"
        yield line, what


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
                ran.setdefault(test, set()).add(Place(path, line))
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
    met = contacts(
        {
            str(path): path.read_text(encoding="utf-8")
            for path in INTEGRATION.rglob("*.py")
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
