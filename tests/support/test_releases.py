"""The list of tests that run on one release names tests that there are."""

import ast
from collections.abc import Iterator, Sequence

from script.one_release import LIST, ROOT
from tests.support.harness import HOMEASSISTANT_TESTS
from tests.support.releases import names_in


def _tests(body: Sequence[ast.stmt], prefix: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _tests(node.body, f"{prefix}::{node.name}")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{prefix}::{node.name}"


def test_each_name_is_that_of_a_test() -> None:
    tests = {
        name
        for file in HOMEASSISTANT_TESTS.rglob("test_*.py")
        for name in _tests(
            ast.parse(file.read_text(encoding="utf-8")).body,
            file.relative_to(ROOT).as_posix(),
        )
    }
    named = names_in(LIST)
    assert named
    assert named - tests == frozenset(), "Follow the test, or run script/one_release"
