"""What the comparisons measured is judged by what was accepted."""

import json
from pathlib import Path

import pytest

from benchmarks.check import judge
from benchmarks.results import Accepted, Figure, Results, read_accepted, worse

MEASURED = Path(__file__).parents[2] / "benchmarks" / "measured"
BACKUP = "2000000 baud, adapter latency 1 ms"


def figure(share: float, row: str = "backup", target: float | None = None) -> Figure:
    return Figure(
        table=BACKUP,
        row=row,
        figures={"openbk": share, "other": 1.0},
        share=share,
        target=target,
    )


def accepted(share: float, tolerance: float = 0.1) -> dict[str, Accepted]:
    return {f"{BACKUP}: backup": Accepted(share=share, tolerance=tolerance)}


@pytest.mark.parametrize("share", [0.5, 0.6, 0.65])
def test_as_fast_as_accepted(share: float) -> None:
    assert [*worse([figure(share)], accepted(0.6))] == []


@pytest.mark.parametrize("share", [0.67, 1.0, float("inf"), float("nan")])
def test_slower_than_the_tolerance_allows(share: float) -> None:
    (said,) = worse([figure(share)], accepted(0.6))
    assert said.startswith(f"{BACKUP}: backup: {share:.2f} is above 0.66")
    assert "10% of it" in said


def test_what_was_not_measured_does_not_hold() -> None:
    (said,) = worse([figure(0.1, "write")], accepted(0.6))
    assert said == f"{BACKUP}: backup: not measured"


def test_what_nobody_accepted_is_not_judged() -> None:
    assert [*worse([figure(9, "write"), figure(0.6)], accepted(0.6))] == []


def test_judges_the_files_of_each_comparison(tmp_path: Path) -> None:
    slow, fast = tmp_path / "slow.json", tmp_path / "fast.json"
    Results(bench="uart", rows=[figure(0.7)]).write(slow)
    Results(bench="home_assistant", rows=[figure(0.5)]).write(fast)
    both = {"uart": accepted(0.6), "home_assistant": accepted(0.6)}
    (said,) = judge([slow, fast], both)
    assert said.startswith("uart, ")
    (said,) = judge([fast], {"uart": accepted(0.6)})
    assert said == "home_assistant, nothing of it was accepted"


def test_a_file_says_how_busy_the_machine_was(tmp_path: Path) -> None:
    file = tmp_path / "uart.json"
    written = Results(bench="uart", rows=[figure(0.7, target=0.6)])
    written.write(file)
    data = json.loads(file.read_text())
    assert data["processors"] >= 1
    assert data["load_before"] >= 0
    assert data["load_after"] >= 0
    read = Results.read(file)
    assert read == written
    assert read.rows[0].missed


@pytest.mark.parametrize(
    ("target", "missed"), [(None, False), (0.7, False), (0.6, True)]
)
def test_target(target: float | None, missed: bool) -> None:
    assert figure(0.65, target=target).missed is missed


def test_what_is_accepted_is_what_was_measured_last() -> None:
    every = read_accepted()
    assert "uart" in every
    measured = [MEASURED / f"{bench}.json" for bench in every]
    assert judge(measured, every) == []
    for bench, rows in every.items():
        assert rows
        # The whole job is compared with what it needs at the best rate, which not every port takes.
        largest = 6.0 if bench == "job" else 1.5
        for row in rows.values():
            assert 0 < row.share <= largest
            assert 0 < row.tolerance <= 0.5
