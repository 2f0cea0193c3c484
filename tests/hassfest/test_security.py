"""What the document of the threats promises is held by tests that there are."""

from pathlib import Path
import re

ROOT = Path(__file__).parents[2]
DEFINED = re.compile(r"^ *(?:async )?def (test_\w+)\(", re.MULTILINE)
NAMED = re.compile(r"`(test_\w+)`")


def test_every_test_that_is_named_is_there() -> None:
    found = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in DEFINED.findall(path.read_text())
    }
    named = NAMED.findall((ROOT / "docs" / "security.md").read_text())
    assert len(named) > 20
    assert set(named) - found == set()
