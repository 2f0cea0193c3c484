"""What the tests need of which release of Home Assistant."""

from pathlib import Path
from typing import Final

_LIST: Final = Path(__file__).parent.parent / "homeassistant" / "one_release.txt"

ONE_RELEASE: Final = frozenset(
    line for line in _LIST.read_text(encoding="utf-8").splitlines() if line[:1] != "#"
)
"""Names of tests inside Home Assistant, with their class, that the older release can do without."""
