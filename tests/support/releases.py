"""What the tests need of which release of Home Assistant."""

from pathlib import Path


def names_in(file: Path) -> frozenset[str]:
    """Return the tests that a file names, one on each line that is no comment, like one_release.txt."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))
