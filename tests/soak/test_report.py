"""The soak writes its own tables."""

from pathlib import Path

import pytest

from soak.report import write


def test_table_takes_the_place_of_the_last_one(tmp_path: Path) -> None:
    path = tmp_path / "reliability.md"
    path.write_text("Before.\n<!-- cuts -->\n<!-- /cuts -->\nBehind.\n")
    for table in (["| first |"], ["| second |"]):
        write("cuts", "script/soak cuts", table, path)
    before, told, *rest = path.read_text().split("\n", 2)
    assert before == "Before."
    assert told == "<!-- cuts -->"
    assert rest[0].startswith("`script/soak cuts`, 20")
    assert rest[0].endswith(":\n\n| second |\n<!-- /cuts -->\nBehind.\n")
    with pytest.raises(ValueError, match="no place for others"):
        write("others", "", [], path)
