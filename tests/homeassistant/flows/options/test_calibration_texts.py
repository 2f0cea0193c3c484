"""Every refusal and page of the calibration has its text, and every text its use."""

import ast
from collections.abc import Iterator
from pathlib import Path

from custom_components.openbk.flows.options import menu
from custom_components.openbk.flows.options.menu import OpenBekenOptionsFlow
from custom_components.openbk.pyopenbk.metering.calibration import Quality
from custom_components.openbk.pyopenbk.metering.errors import Refusal
from custom_components.openbk.pyopenbk.metering.plausibility import Contradiction
from custom_components.openbk.pyopenbk.metering.session import LoadKind, Method
from custom_components.openbk.pyopenbk.quantities import CALIBRATED
from tests.homeassistant.wizard import ENGLISH

SELECTORS = ENGLISH["selector"]
FLOW = sorted(Path(menu.__file__).parent.glob("*.py"))


def calls(name: str) -> Iterator[ast.Call]:
    for path in FLOW:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if node.func.attr == name:
                    yield node


def constants() -> set[str]:
    return {
        node.value
        for path in FLOW
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_refusal_has_a_text_in_actions_and_in_the_dialog() -> None:
    for refusal in set(Refusal) - {Refusal.OFFLINE}:
        assert f"calibration_{refusal}" in ENGLISH["exceptions"]
    told = {key.removeprefix("calibration_") for key in ENGLISH["exceptions"]}
    assert set(Refusal) | {"busy"} <= set(ENGLISH["options"]["error"])
    assert told >= set(Refusal) - {Refusal.OFFLINE}


def test_every_step_of_the_options_exists_and_has_its_text() -> None:
    steps = ENGLISH["options"]["step"]
    choices = {
        option for text in steps.values() for option in text.get("menu_options", {})
    }
    for step in {*steps, *choices}:
        assert hasattr(OpenBekenOptionsFlow, f"async_step_{step}"), step
    shown = {
        keyword.value.value
        for name in ("async_show_form", "async_show_menu", "async_show_progress")
        for call in calls(name)
        for keyword in call.keywords
        if keyword.arg == "step_id" and isinstance(keyword.value, ast.Constant)
    }
    assert shown <= {*steps, *ENGLISH["options"]["progress"]}
    reasons = {
        keyword.value.value
        for call in calls("async_abort")
        for keyword in call.keywords
        if keyword.arg == "reason" and isinstance(keyword.value, ast.Constant)
    }
    assert reasons | {"not_loaded"} <= set(ENGLISH["options"]["abort"])
    assert set(ENGLISH["options"]["progress"]) <= constants()


def test_every_contradiction_that_is_watched_for_has_an_issue() -> None:
    for contradiction in set(Contradiction) - {Contradiction.NOT_RESISTIVE}:
        assert f"implausible_{contradiction}" in ENGLISH["issues"]


def test_words_for_tables_are_all_there() -> None:
    for selector, words in (
        ("quality", {*Quality, "none"}),
        ("sampling", {*Method, "none"}),
        ("movement", {*CALIBRATED, "none"}),
        ("contradiction", set(Contradiction)),
        ("calibrated_quantity", set(CALIBRATED)),
        ("load_kind", set(LoadKind)),
    ):
        assert set(SELECTORS[selector]["options"]) == set(words), selector


def test_all_fields_of_the_dialog_are_described() -> None:
    for step, texts in ENGLISH["options"]["step"].items():
        assert set(texts.get("data", {})) == set(texts.get("data_description", {})), (
            step
        )
