"""Numbers of JSON that no measurement has are refused, whichever way they are written."""

import json

import pytest

from custom_components.openbk.pyopenbk.foreign_numbers import finite


@pytest.mark.parametrize("text", ["0", "-1.5", "1e308", "9" * 300])
def test_number_is_taken(text: str) -> None:
    assert finite(json.loads(text)) == float(text)


@pytest.mark.parametrize(
    "text",
    ["1e999", "-Infinity", "NaN", "9" * 400, '"1"', "true", "null", "[1]"],
    ids=lambda text: text[:9],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises((TypeError, ValueError)):
        finite(json.loads(text))
