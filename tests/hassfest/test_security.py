"""What the document of the threats promises is held by tests that there are."""

import ast
from pathlib import Path
import re

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(test_\w+)`")


def test_every_test_that_is_named_is_there() -> None:
    found = {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    named = NAMED.findall((ROOT / "docs" / "security.md").read_text())
    assert len(named) > 20
    assert set(named) - found == set()
