"""Tests of the recordings as files."""

import pytest

from .recording import names, recording


@pytest.mark.parametrize("name", names())
def test_recording_says_what_it_is_and_why_anything_is_left_out(name: str) -> None:
    content = recording(name)
    assert content["about"]
    assert content["firmware"]
    assert all(content["parts"].values())
    for cases in content["parts"].values():
        assert all(case["stimulus"] for case in cases)
    for case in content["left_out"]:
        assert case["stimulus"]
        assert len(case["why"]) > 10
