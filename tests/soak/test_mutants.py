"""The mutants fit the code that they change, and what survives is told."""

from dataclasses import replace

import pytest

from soak.chips import SUBJECTS
from soak.directed import directed
from soak.mutants import MUTANTS, check_fit, run_mutants


def test_mutants_fit_the_code() -> None:
    assert check_fit() == []
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 25


def test_each_mutant_has_somebody_who_should_notice() -> None:
    cases = {name for name, _ in directed(SUBJECTS["bk7231n"])}
    for mutant in MUTANTS:
        assert mutant.cases or mutant.cuts or mutant.tests, mutant.name
        assert set(mutant.cases) <= cases, mutant.name


@pytest.mark.parametrize(
    ("harmless", "status", "told"),
    [("", 1, "**NOTHING**"), ("it says the same", 0, "nothing: it says the same")],
)
async def test_survivor_needs_a_reason(
    capsys: pytest.CaptureFixture[str],
    harmless: str,
    status: int,
    told: str,
) -> None:
    idle = replace(
        MUTANTS[0],
        name="idle",
        cases=(),
        tests=(),
        new=MUTANTS[0].old,
        harmless=harmless,
    )
    assert (await run_mutants(mutants=(idle,)))[0] == status
    assert f"| idle | {told} |" in capsys.readouterr().out
