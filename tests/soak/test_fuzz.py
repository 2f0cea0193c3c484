"""No parser lets through what it did not declare; `script/soak fuzz` goes on for as long as you like."""

import pytest

from soak.fuzz import TARGETS, Finding, Target, check, fuzz, kept

# What reads a whole flash takes its time.
QUICK = {
    "factory storage": 5,
    "image": 10,
    "image of BK7231T": 10,
    "over-the-air file": 20,
    "wrapped file": 20,
    "dump": 2,
}


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_parser_reads_or_refuses(target: Target) -> None:
    for sample in target.samples:
        check(target, sample)
    for data in list(kept(target))[:: 12 if target.name in QUICK else 1]:
        check(target, data)
    assert fuzz(target, QUICK.get(target.name, 60), 1)


def test_finding_is_told() -> None:
    target = Target("test", int, ("1",))
    assert check(target, "12") == "read"
    with pytest.raises(Finding, match="test: ValueError"):
        check(target, "x")
    with pytest.raises(Finding, match="test: ValueError"):
        fuzz(target, 50, 1)
