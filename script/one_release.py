"""Choose the tests inside Home Assistant that one of its releases is enough for."""

import argparse
import ast
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Set as AbstractSet
from contextlib import closing
import os
from pathlib import Path
import resource
import sqlite3
import sys
import tempfile
from typing import Final, NamedTuple

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
    "--cov-branch",
    "--cov-context=test",
    "--cov-report=",
    "tests/homeassistant",
)

# How coverage.py keeps what ran, https://coverage.readthedocs.io/en/latest/dbschema.html.
_STEPS: Final = """
  SELECT context.context, file.path, arc.fromno, arc.tono FROM arc
  JOIN context ON context.id = arc.context_id JOIN file ON file.id = arc.file_id
"""


class Place(NamedTuple):
    """A line of the integration."""

    path: str
    line: int


class Step(NamedTuple):
    """A line that was run, and the one that was run after it; below 1 outside the function."""

    path: str
    line: int
    following: int


def contacts(sources: Mapping[str, str]) -> frozenset[Place]:
    """Return the lines inside functions at which modules and Home Assistant meet.

    Such a line names ``hass``, or something that is imported from elsewhere than the modules or Python's own
    library, or a method ``async_…`` that no module defines; or it is the first of a function that none of the
    modules names, which therefore Home Assistant calls.
    """
    trees = {path: ast.parse(source) for path, source in sources.items()}
    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    defined = {node.name for node in nodes if isinstance(node, _FUNCTIONS)}
    named = {node.id for node in nodes if isinstance(node, ast.Name)}
    named |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return frozenset(
        Place(path, line)
        for path, tree in trees.items()
        for line in _contacts(tree, defined, named)
    )


_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


def _contacts(
    tree: ast.Module, defined: AbstractSet[str], named: AbstractSet[str]
) -> Iterator[int]:
    theirs = {"hass", *_imported(tree)}
    for function in ast.walk(tree):
        if not isinstance(function, _FUNCTIONS):
            continue
        first, *others = function.body
        if ast.get_docstring(function) is not None and others:
            first = others[0]
        if function.name not in named and not function.name.startswith("__"):
            yield first.lineno
        for statement in function.body:
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and node.id in theirs:
                    yield node.lineno
                elif isinstance(node, ast.Attribute) and (
                    node.attr == "hass"
                    or (node.attr.startswith("async_") and node.attr not in defined)
                ):
                    # Of a chain over several lines, that of the attribute itself.
                    yield node.end_lineno or node.lineno


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


def reached(steps: Collection[Step], wanted: AbstractSet[Place]) -> frozenset[Place]:
    """Return the wanted lines that were run, and those that were run right after one of them."""
    return frozenset(
        Place(step.path, line)
        for step in steps
        for line in (step.line, step.following)
        if line > 0
        and ((step.path, step.line) in wanted or (step.path, line) in wanted)
    )


def cheapest(
    found: Mapping[str, AbstractSet[Place]], seconds: Mapping[str, float]
) -> list[str]:
    """Return tests that together reach everything that all of them reach, at little cost.

    The next is always who reaches most of the rest for its seconds; in the end those go, the dearest first, that
    the later ones made superfluous. It is not always the cheapest choice of all, which would take years to find.
    """
    left = set[Place]().union(*found.values())
    chosen: list[str] = []
    while left:
        best = max(found, key=lambda test: len(found[test] & left) / seconds[test])
        chosen.append(best)
        left -= found[best]
    times = Counter(place for test in chosen for place in found[test])
    for test in sorted(chosen, key=lambda test: -seconds[test]):
        if all(times[place] > 1 for place in found[test]):
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


def _steps(database: Path) -> Mapping[str, Collection[Step]]:
    """Return the steps of each test; under the empty name stands what ran before any."""
    steps: dict[str, set[Step]] = {}
    with closing(sqlite3.connect(database)) as connection:
        for context, path, line, following in connection.execute(_STEPS):
            # Behind the line stand its phases: set-up, run and teardown.
            test = context.rpartition("|")[0]
            steps.setdefault(test, set()).add(Step(path, line, following))
    return steps


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
        steps = _steps(database)
    wanted = contacts(
        {
            str(path): path.read_text(encoding="utf-8")
            for path in INTEGRATION.rglob("*.py")
        }
    )
    seconds = stopwatch.seconds
    found = {test: reached(steps.get(test, ()), wanted) for test in seconds}
    chosen = cheapest(found, seconds)
    left_out = {test.partition("[")[0] for test in {*seconds} - {*chosen}}
    LIST.write_text(
        _HEADER + "".join(f"{test}\n" for test in sorted(left_out)), encoding="utf-8"
    )
    print(
        f"{len(chosen)} of {len(seconds)} tests reach all {len(frozenset().union(*found.values()))} lines in "
        f"{sum(seconds[test] for test in chosen):.0f} of {sum(seconds.values()):.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
