"""Every page of the wizard has its text, and every text has its page."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
import json

import pytest

from custom_components.openbk.config_flow import OpenBekenConfigFlow
from custom_components.openbk.flows.wizard import failures, pages
from custom_components.openbk.network.broker import BrokerProblem, Concern
from custom_components.openbk.pyopenbk import flashing, tuya
from custom_components.openbk.pyopenbk.backups import BackupError
from custom_components.openbk.pyopenbk.bootrom import errors as bootrom
from custom_components.openbk.pyopenbk.errors import OpenBekenError
from custom_components.openbk.pyopenbk.obk import image, releases, templates
from tests.homeassistant.wizard import ENGLISH, TRANSLATIONS

FLOW = TRANSLATIONS.parent
SOURCES = [
    FLOW / "config_flow.py",
    *sorted((FLOW / "flows").glob("*.py")),
    *sorted((FLOW / "flows/wizard").glob("*.py")),
    FLOW / "pyopenbk/obk/setup.py",
]
CONFIG = ENGLISH["config"]
SHOWING = {"async_show_form", "async_show_menu", "async_show_progress"}
# Titles for which core itself has the text or that only other sources reach.
CORE_REASONS = {"already_configured", "already_in_progress", "reconfigure_successful"}


@cache
def _nodes() -> tuple[ast.AST, ...]:
    return tuple(
        node for path in SOURCES for node in ast.walk(ast.parse(path.read_text()))
    )


def _calls(names: set[str]) -> Iterator[ast.Call]:
    for node in _nodes():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in names:
                yield node


def _keyword(call: ast.Call, name: str) -> Iterator[str]:
    for keyword in call.keywords:
        if keyword.arg == name and isinstance(keyword.value, ast.Constant):
            yield keyword.value.value


def _constants() -> set[str]:
    return {
        node.value
        for node in _nodes()
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _first_argument(call: ast.Call) -> Iterator[str]:
    if call.args and isinstance(call.args[0], ast.Constant):
        yield call.args[0].value


PROGRESS = {
    step
    for call in _calls({"async_run", "async_try"})
    for step in _first_argument(call)
}
STEPS = (
    {step for call in _calls(SHOWING) for step in _keyword(call, "step_id")}
    | {step for call in _calls({"async_tell"}) for step in _first_argument(call)}
    | PROGRESS
    | set(pages.PAGES)
)


def test_steps_and_texts_are_the_same_set() -> None:
    assert set(CONFIG["step"]) == STEPS


def test_progress_and_texts_are_the_same_set() -> None:
    assert set(CONFIG["progress"]) == PROGRESS


def test_every_step_exists() -> None:
    options = {
        option
        for step in CONFIG["step"].values()
        for option in step.get("menu_options", {})
    }
    for step in STEPS | options:
        assert hasattr(OpenBekenConfigFlow, f"async_step_{step}"), step


def test_every_page_has_a_label_for_each_choice() -> None:
    for page, offers in pages.PAGES.items():
        assert list(CONFIG["step"][page]["menu_options"]) == list(offers), page


def test_every_abort_has_a_text_and_every_text_is_used() -> None:
    reasons = {
        node.value
        for call in _calls({"async_abort", "async_update_reload_and_abort"})
        for keyword in call.keywords
        if keyword.arg == "reason"
        for node in ast.walk(keyword.value)
        if isinstance(node, ast.Constant)
    } | set(failures.LEFT.values())
    texts = set(CONFIG["abort"]) - CORE_REASONS
    assert reasons - CORE_REASONS <= texts
    assert texts <= _constants() | set(failures.LEFT.values())


def _all_error_keys() -> set[str]:
    return {
        *failures.PORT_ERRORS.values(),
        *failures.FIRMWARE_ERRORS.values(),
        *failures.FILE_KINDS.values(),
        *failures.PIN_ERRORS.values(),
        *failures.BACKUP_ERRORS.values(),
        *map(str, BrokerProblem),
        *map(str, Concern),
    }


def test_every_error_of_a_table_has_a_text() -> None:
    assert _all_error_keys() <= set(CONFIG["error"])


def test_no_error_text_is_left_over() -> None:
    wifi = {error for error in CONFIG["error"] if error.startswith("second_wifi_")}
    assert {error.removeprefix("second_") for error in wifi} <= _constants()
    assert set(CONFIG["error"]) - wifi <= _constants() | _all_error_keys()


def test_every_page_of_a_failure_exists() -> None:
    shown = {*failures.JOB_ERRORS.values(), *failures.PORT_PAGES.values()}
    assert shown | set(failures.NO_PINS.values()) <= set(pages.PAGES)


def _family(*roots: type[OpenBekenError]) -> set[type[OpenBekenError]]:
    found: set[type[OpenBekenError]] = set()
    for root in roots:
        found |= {root} | _family(*root.__subclasses__())
    return found


@pytest.mark.parametrize(
    ("table", "family"),
    [
        (
            failures.JOB_ERRORS,
            _family(bootrom.BootRomError) - {bootrom.PortUnavailableError},
        ),
        (failures.JOB_ERRORS, _family(flashing.FlashingError, BackupError)),
        (failures.FIRMWARE_ERRORS, _family(image.ImageError, releases.ReleaseError)),
        (failures.PIN_ERRORS, _family(tuya.TuyaStorageError, tuya.UserParamsError)),
        (failures.PIN_ERRORS, _family(templates.TemplateError)),
        (failures.NO_PINS, {tuya.TuyaStorageError, tuya.UserParamsError}),
    ],
)
def test_every_error_of_the_library_is_in_its_table(
    table: Mapping[type[OpenBekenError], str], family: set[type[OpenBekenError]]
) -> None:
    assert family <= set(table)


def test_every_trouble_of_a_port_has_a_page_and_a_text() -> None:
    assert (
        set(failures.PORT_PAGES)
        == set(failures.PORT_ERRORS)
        == set(bootrom.PortTrouble)
    )


def test_all_fields_are_described() -> None:
    for step, texts in CONFIG["step"].items():
        for part in (texts, *texts.get("sections", {}).values()):
            assert set(part.get("data", {})) == set(part.get("data_description", {})), (
                step
            )


def test_documentation_lists_every_page_and_where_it_leads() -> None:
    document = (TRANSLATIONS.parents[2] / "docs" / "wizard.md").read_text()
    rows = {
        row.split("`")[1]: row for row in document.splitlines() if row.startswith("| `")
    }
    assert set(rows) == STEPS | set(CONFIG["abort"])
    for step in STEPS:
        assert CONFIG["step"][step]["title"] in rows[step]
    for page, options in pages.PAGES.items():
        offered = set(options) - {"retry", "leave"}
        assert all(f"`{option}`" in rows[page] for option in offered), page
    for reason, text in CONFIG["abort"].items():
        assert rows[reason] == f"| `{reason}` | {text} |"


@pytest.mark.parametrize("language", ["en", "pl", "de"])
def test_every_page_of_a_failure_says_what_state_the_chip_is_in(language: str) -> None:
    steps = json.loads((TRANSLATIONS / f"{language}.json").read_text())["config"][
        "step"
    ]
    # Another chip than the one that was written says nothing of that one.
    silent = {page for page in pages.PAGES if page.startswith("failed_")} - {
        page for page in steps if "{state}" in steps[page].get("description", "")
    }
    assert silent == {"failed_chip_changed"}
