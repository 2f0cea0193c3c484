"""The list of tests that run on one release names tests that there are."""

import ast
from collections import Counter
from collections.abc import Iterator, Sequence

from tests.support.harness import HOMEASSISTANT_TESTS
from tests.support.releases import ONE_RELEASE


def _tests(body: Sequence[ast.stmt], prefix: str = "") -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _tests(node.body, f"{prefix}{node.name}::")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + node.name


def test_each_name_is_that_of_one_test() -> None:
    counted = Counter(
        name
        for file in HOMEASSISTANT_TESTS.rglob("test_*.py")
        for name in _tests(ast.parse(file.read_text(encoding="utf-8")).body)
    )
    assert ONE_RELEASE
    assert {name: counted[name] for name in ONE_RELEASE if counted[name] != 1} == {}
