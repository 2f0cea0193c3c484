"""What a comparison measured, and how its shares hold against those that were accepted.

A share is our figure divided by that of the peer we are judged by, from one run on one machine:
it moves far less with the machine than seconds do. ``accepted.json`` holds, of each comparison,
the shares that were accepted and the tolerance by which one may be exceeded.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
import json
import os
from pathlib import Path
from typing import Any, Final, Self

ACCEPTED: Final = Path(__file__).parent / "accepted.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row of one table: what each took, and our share of what we are judged by."""

    table: str
    row: str
    figures: Mapping[str, float]
    share: float
    target: float | None = None
    """The largest share that meets the target, None where nothing is judged."""

    @property
    def key(self) -> str:
        """What the row is accepted under."""
        return f"{self.table}: {self.row}"

    @property
    def missed(self) -> bool:
        """Whether the share is above the target."""
        return self.target is not None and self.share > self.target


@dataclass(slots=True, kw_only=True)
class Results:
    """All rows of one run of one comparison, and how busy the machine was."""

    bench: str
    began: str = field(
        default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds")
    )
    processors: int = field(default_factory=lambda: os.cpu_count() or 1)
    load_before: float = field(default_factory=lambda: os.getloadavg()[0])
    load_after: float | None = None
    """Mean number of running processes over a minute, as the system gives it."""
    rows: list[Figure] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what :meth:`write` wrote."""
        data: dict[str, Any] = json.loads(path.read_text())
        rows = [Figure(**row) for row in data.pop("rows")]
        return cls(**data, rows=rows)

    def write(self, path: Path) -> None:
        """Write the rows as JSON, with the load at the end."""
        self.load_after = os.getloadavg()[0]
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A share that was accepted, and by which part of it a run may exceed it."""

    share: float
    tolerance: float

    @property
    def limit(self) -> float:
        """The largest share that is not worse than what was accepted."""
        return self.share * (1 + self.tolerance)


def read_accepted(path: Path = ACCEPTED) -> dict[str, dict[str, Accepted]]:
    """Return what was accepted, by comparison and row."""
    data: dict[str, dict[str, dict[str, float]]] = json.loads(path.read_text())
    return {
        bench: {key: Accepted(**value) for key, value in rows.items()}
        for bench, rows in data.items()
    }


def worse(rows: Sequence[Figure], accepted: Mapping[str, Accepted]) -> Iterator[str]:
    """Say of each accepted row why it does not hold; a row that was not measured does not."""
    measured = {row.key: row.share for row in rows}
    for key, wanted in accepted.items():
        if (share := measured.get(key)) is None:
            yield f"{key}: not measured"
        # Also true of what is no number.
        elif not share <= wanted.limit:
            yield (
                f"{key}: {share:.2f} is above {wanted.limit:.2f}"
                f" ({wanted.share:.2f} accepted, and {wanted.tolerance:.0%} of it)"
            )
