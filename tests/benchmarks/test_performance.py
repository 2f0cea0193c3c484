"""docs/performance.md says what was measured, and draws it."""

from dataclasses import replace

import pytest

from script import performance


def test_document_says_what_was_measured() -> None:
    text = performance.DOCUMENT.read_text(encoding="utf-8")
    assert performance.made(text) == text
    for bench in performance.PLOTS:
        assert f"<!-- measured: {bench} -->" in text
        assert f"({performance.picture(bench).name})" in text


@pytest.mark.parametrize("bench", performance.PLOTS)
def test_plot_shows_what_was_measured(bench: str) -> None:
    groups = performance.bars(performance.read(bench))
    assert groups
    drawn = performance.picture(bench).read_text(encoding="utf-8")
    assert drawn == performance.draw(bench, groups)


def test_a_missed_target_is_called_so() -> None:
    results = performance.read("uart")
    slow = replace(results.rows[0], share=9.0, target=0.5)
    results.rows[:] = [slow]
    assert "| 9.00 | 0.50, missed |" in "\n".join(performance.tables(results))
