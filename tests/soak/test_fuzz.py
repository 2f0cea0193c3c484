"""No parser lets through what it did not declare; `script/soak fuzz` goes on for as long as you like."""

from random import Random

import pytest

from soak.fuzz import TARGETS, Finding, Target, check, damaged, fuzz, kept

# What deciphers code, or reads a whole flash, takes its time.
QUICK = {
    "configuration sector": 20,
    "factory storage": 20,
    "image": 20,
    "image of BK7231T": 20,
    "over-the-air file": 20,
    "code over the air": 20,
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


@pytest.mark.parametrize(
    "target",
    [target for target in TARGETS if target.pack is not None],
    ids=lambda target: target.name,
)
def test_damage_reaches_what_lies_behind_checksums(target: Target) -> None:
    chance = Random(3)
    ends = (check(target, damaged(target, chance)) for _ in range(2000))
    assert "read" in ends


def test_finding_is_told() -> None:
    target = Target("test", int, ("1",))
    assert check(target, "12") == "read"
    with pytest.raises(Finding, match="test: ValueError"):
        check(target, "x")
    with pytest.raises(Finding, match="test: ValueError"):
        fuzz(target, 50, 1)
