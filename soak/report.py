"""The tables of the last full runs, in a document."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
import re
from typing import Final

DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "reliability.md"


def write(
    section: str, command: str, table: Sequence[str], path: Path = DOCUMENT
) -> None:
    """Replace the table of a section; raises ValueError where the document has no such place."""
    text = path.read_text()
    place = re.compile(
        rf"(?<=<!-- {section} -->\n).*?(?=<!-- /{section} -->)", re.DOTALL
    )
    if place.search(text) is None:
        raise ValueError(f"{path.name} has no place for {section}")
    said = f"`{command}`, {datetime.now(UTC):%Y-%m-%d}:\n\n"
    lines = said + "\n".join(table).strip() + "\n"
    path.write_text(place.sub(lambda _: lines, text))
