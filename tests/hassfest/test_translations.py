"""The texts have the shape that Home Assistant knows, and belong to something in the code."""

import ast
from collections.abc import Iterator
from pathlib import Path
import re
from string import Formatter
from typing import Any

from homeassistant.components.repairs import RepairsFlow
from homeassistant.const import Platform
from homeassistant.util.yaml import load_yaml_dict
import probatio
import pytest

from custom_components.openbk import repairs, sensor
from custom_components.openbk.event import EVENT_TYPES
from custom_components.openbk.pyopenbk.metering.plausibility import Contradiction
from custom_components.openbk.pyopenbk.obk.flags import PowerCutState
from custom_components.openbk.pyopenbk.obk.settings import ButtonUse, LedName, LedUse
from custom_components.openbk.updating.record import Trouble
from script.translations import faults, texts_of
from tests.hassfest.parts import (
    INTEGRATION,
    LANGUAGES,
    SLUG,
    TRANSLATION_KEY,
    constants,
    in_source,
    leaves,
    nodes,
    sources,
    texts,
)

# It is found while values are compared, where it is told as a refusal.
NEVER_RAISED = Contradiction.NOT_RESISTIVE

# Constants of the modules of issues that name something else.
_NO_ISSUES = ("CONF_", "ATTR_", "EVENT_", "UNFINISHED_FOLDER", "_")
# It would be translated, and outlive the page; a placeholder holds it. That of a machine at home,
# as an example, has no domain.
_ADDRESS = re.compile(
    r"https?:|www\.\w|\b(?:ftps?|scp|mqtts?|socket|socks5)://(?:[a-z0-9-]+\.)+[a-z]{2,5}",
    re.IGNORECASE,
)
_TAG = re.compile(r"[<>]")
# The frontend takes what an apostrophe begins for text.
_QUOTED = re.compile(r"'[{}]")
_REFERENCE = re.compile(r"\[%|%\]")


def text(value: Any) -> str:
    """Return a text that the frontend shows as it was meant; raises probatio.Invalid."""
    if not isinstance(value, str):
        raise probatio.Invalid("no text")
    for fault, name in (
        (not value.strip(), "empty"),
        (value != value.strip(), "spaces at an end"),
        (_ADDRESS.search(value), "an address"),
        (_TAG.search(value), "what could be a tag"),
        (_QUOTED.search(value), "a placeholder that is quoted away"),
        (_REFERENCE.search(value), "a reference, which only core resolves"),
    ):
        if fault:
            raise probatio.Invalid(name)
    for placeholder in placeholders(value):
        if not placeholder.isidentifier():
            raise probatio.Invalid("a placeholder that is no name")
    return value


def plain(value: Any) -> str:
    """Return a text for which nothing fills placeholders in; raises probatio.Invalid."""
    if placeholders(text(value)):
        raise probatio.Invalid("a placeholder that nothing fills in")
    return text(value)


def placeholders(value: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(value) if name is not None}


def slug(value: str) -> str:
    if not SLUG.fullmatch(value):
        raise probatio.Invalid("no slug")
    return value


def key(value: str) -> str:
    if not TRANSLATION_KEY.fullmatch(value):
        raise probatio.Invalid("no key of a text")
    return value


FIELDS = {
    probatio.Optional("data"): {str: text},
    probatio.Optional("data_description"): {str: text},
    probatio.Optional("description"): text,
}
STEP = {
    **FIELDS,
    probatio.Optional("title"): text,
    probatio.Optional("submit"): text,
    probatio.Optional("menu_options"): {str: text},
    probatio.Optional("menu_option_descriptions"): {str: text},
    probatio.Optional("sections"): {str: {**FIELDS, probatio.Optional("name"): text}},
}
FLOW = {
    probatio.Required("step"): {str: STEP},
    probatio.Optional("flow_title"): text,
    **{
        probatio.Optional(part): {str: text}
        for part in ("error", "abort", "progress", "create_entry")
    },
}
NAMED = {probatio.Required("name"): text, probatio.Required("description"): text}
ENTITY = {
    probatio.Optional("name"): text,
    probatio.Optional("unit_of_measurement"): plain,
    probatio.Optional("state"): {key: plain},
    probatio.Optional("state_attributes"): {
        key: {
            probatio.Optional("name"): plain,
            probatio.Optional("state"): {key: plain},
        }
    },
}
ISSUE = {probatio.Required("title"): text}
ALL = probatio.Schema(
    {
        probatio.Required("config"): FLOW,
        probatio.Required("options"): {
            name: part for name, part in FLOW.items() if name != "flow_title"
        },
        probatio.Required("selector"): {slug: {"options": {key: text}}},
        probatio.Required("entity"): {probatio.Coerce(Platform): {key: ENTITY}},
        probatio.Required("exceptions"): {slug: {"message": text}},
        probatio.Required("issues"): {
            str: probatio.Any(
                {**ISSUE, probatio.Required("description"): text},
                {**ISSUE, probatio.Required("fix_flow"): FLOW},
            )
        },
        **{
            probatio.Required(part): {
                key: {**NAMED, probatio.Optional("fields"): {key: NAMED}}
            }
            for part in ("services", "triggers")
        },
    }
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_shape_is_known(language: str) -> None:
    ALL(texts(language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_fit_for_the_frontend(language: str) -> None:
    for path, value in leaves(texts(language)):
        text(value)
        assert "HA " not in value, path


@pytest.mark.parametrize("language", LANGUAGES)
def test_language_is_complete(language: str) -> None:
    assert not [*faults(texts_of("en"), texts_of(language))]


@pytest.mark.parametrize(
    "wrong",
    [
        "<b>bold</b>",
        "see https://example.com/page",
        "see www.example.com",
        " leading",
        "'{name}' is quoted",
        "{0} is no name",
        "[%key:common::action::ok%]",
        "",
    ],
)
def test_checker_of_texts_sees(wrong: str) -> None:
    with pytest.raises(probatio.Invalid):
        text(wrong)


def test_checker_of_languages_sees() -> None:
    english = {"a.b": "Use {port} now", "a.c": "Do it"}
    assert not [*faults(english, {"a.b": "Jetzt {port}", "a.c": "Los"})]
    for other, fault in (
        ({"a.c": "Los"}, "missing"),
        ({"a.b": "Jetzt {prot}", "a.c": "Los"}, "placeholders"),
        ({"a.b": "Jetzt {port}", "a.c": " "}, "empty"),
        ({**english, "a.d": "Noch"}, "too much"),
    ):
        [line] = faults(english, other)
        assert line.startswith(fault)


ENTITIES = [
    (platform, name) for platform, names in texts()["entity"].items() for name in names
]


def test_sensors_are_those_that_have_a_name() -> None:
    described = {
        description.translation_key
        for description in (
            *sensor.METER_SENSORS,
            *sensor.SHARED_METER_SENSORS,
            *sensor.DIAGNOSTIC_SENSORS,
            sensor.FREQUENCY_SENSOR,
            sensor.POWER_UNCERTAINTY,
            sensor.SWITCHED_BY,
        )
    }
    assert described == set(texts()["entity"]["sensor"])


@pytest.mark.parametrize(("platform", "name"), ENTITIES)
def test_name_belongs_to_an_entity_that_fills_it_in(platform: str, name: str) -> None:
    source = f"{platform}.py"
    if platform != "sensor":
        # As "led_use", which is made "led_use_of_many".
        assert in_source(name, source) or (platform == "light" and name in LedName)
    for placeholder in placeholders(texts()["entity"][platform][name]["name"]):
        assert placeholder in constants(source)


@pytest.mark.parametrize("platform", sorted(texts()["entity"]))
def test_every_key_in_the_source_of_a_platform_has_a_name(platform: str) -> None:
    assert named("translation_key", f"{platform}.py") <= set(
        texts()["entity"][platform]
    )


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("led_use", LedUse),
        ("button_use", ButtonUse),
        ("power_cut", PowerCutState),
    ],
)
def test_every_option_of_a_select_has_its_words(name: str, options: Any) -> None:
    selects = texts()["entity"]["select"]
    alike = [key for key in selects if re.fullmatch(f"(\\w+_)?{name}(_of_many)?", key)]
    assert len(alike) > 1
    for select in alike:
        states = selects[select]["state"]
        assert list(states) == list(options)


@pytest.mark.parametrize("name", ["button", "button_of_many"])
def test_every_event_of_a_button_has_its_words(name: str) -> None:
    attributes = texts()["entity"]["event"][name]["state_attributes"]
    assert set(attributes["event_type"]["state"]) == set(EVENT_TYPES)


def test_exceptions_and_texts_are_the_same() -> None:
    exceptions = set(texts()["exceptions"])
    for call in nodes(ast.Call):
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        if "translation_domain" in given:
            match given["translation_key"]:
                case ast.Constant(value=str(name)):
                    assert name in exceptions
    for name in exceptions:
        assert in_source(name)


def test_values_that_a_refusal_names_are_given() -> None:
    for name, exception in texts()["exceptions"].items():
        for placeholder in placeholders(exception["message"]):
            assert placeholder in constants(), name


def test_issues_and_texts_are_the_same() -> None:
    """That each has the values for its text is seen whenever a test raises one."""
    issues = texts()["issues"]
    for contradiction in set(Contradiction) - {NEVER_RAISED}:
        assert f"implausible_{contradiction}" in issues
    for trouble in Trouble:
        assert f"update_{trouble}" in issues
    for name in issues:
        assert in_source(name)


@pytest.mark.parametrize(
    "path", sorted(sources("issues")), ids=lambda path: str(path.stem)
)
def test_every_issue_that_a_module_names_has_its_text(path: Path) -> None:
    """Some are the beginning of several names."""
    issues = texts()["issues"]
    named = set(_keys_of_issues(path))
    raised = {
        call.func.id
        for call in ast.walk(sources("issues")[path])
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    }
    assert named or "raise_issue" not in raised
    for name in named:
        assert any(key == name or key.startswith(f"{name}_") for key in issues), name


def _keys_of_issues(path: Path) -> Iterator[str]:
    """Return what a module gives to a constant, or holds in a table, that looks like a key."""
    for node in sources("issues")[path].body:
        match node:
            case ast.AnnAssign(
                target=ast.Name(id=name), value=ast.Constant(value=str(key))
            ):
                if SLUG.fullmatch(key) and not name.startswith(_NO_ISSUES):
                    yield key
            case ast.AnnAssign(value=ast.Dict(values=values)):
                yield from (
                    value.value
                    for value in values
                    if isinstance(value, ast.Constant) and isinstance(value.value, str)
                )


FIXES = {
    name: issue["fix_flow"]
    for name, issue in texts()["issues"].items()
    if "fix_flow" in issue
}


@pytest.mark.parametrize("issue", FIXES)
def test_repair_has_its_steps(issue: str) -> None:
    fix = FIXES[issue]
    for step in fix["step"]:
        assert any(
            hasattr(flow, f"async_step_{step}")
            for flow in vars(repairs).values()
            if isinstance(flow, type) and issubclass(flow, RepairsFlow)
        )
    for part in ("error", "abort"):
        assert set(fix.get(part, ())) <= constants("repairs.py")


def test_repairs_show_nothing_without_a_text() -> None:
    steps = {step for fix in FIXES.values() for step in fix["step"]}
    reasons = {reason for fix in FIXES.values() for reason in fix.get("abort", ())}
    assert named("step_id", "repairs.py") <= steps
    assert named("reason", "repairs.py") <= reasons


@pytest.mark.parametrize("selector", texts()["selector"])
def test_words_of_a_selector_are_used(selector: str) -> None:
    assert selector in constants() | choices()
    for option in texts()["selector"][selector]["options"]:
        assert in_source(option) or option in choices(), option


def test_every_selector_has_its_words() -> None:
    selectors = set(texts()["selector"])
    used = named("translation_key", "flows") | {
        str(call.args[0].value)
        for call in nodes(ast.Call, "flows")
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in ("word", "_word")
        and isinstance(call.args[0], ast.Constant)
    }
    assert used
    assert used <= selectors


@pytest.mark.parametrize("flow", ["config", "options"])
def test_fields_and_placeholders_of_a_dialog_are_known(flow: str) -> None:
    """The walks through the dialogs see that each page is given its own."""
    for path, value in leaves(texts()[flow]):
        if ".data." in path or ".data_description." in path:
            assert in_source(path.rpartition(".")[2]), path
        for placeholder in placeholders(value):
            assert in_source(placeholder), path


def named(argument: str, folder: str) -> set[str]:
    """Return the strings that are given for an argument, either of two included."""
    return {
        node.value
        for keyword in nodes(ast.keyword, folder)
        if keyword.arg == argument
        for node in (
            (keyword.value.body, keyword.value.orelse)
            if isinstance(keyword.value, ast.IfExp)
            else (keyword.value,)
        )
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def choices() -> frozenset[str]:
    """Return the choices that only the description of an action or a trigger names."""
    return frozenset(
        value
        for name in ("services.yaml", "triggers.yaml")
        for _, value in leaves(load_yaml_dict(str(INTEGRATION / name)))
        if isinstance(value, str)
    )


@pytest.mark.parametrize(
    "path", sorted(sources("flows")), ids=lambda path: str(path.stem)
)
def test_every_button_says_where_it_leads(path: Path) -> None:
    """It reads Submit where the page has no word of its own and is not followed by another."""
    steps = texts()["options" if "options" in path.parts else "config"]["step"]
    for call in ast.walk(sources("flows")[path]):
        if (
            not isinstance(call, ast.Call)
            or getattr(call.func, "attr", None) != "async_show_form"
        ):
            continue
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        match given["step_id"]:
            case ast.Constant(value=str(step)) if "last_step" not in given:
                assert steps[step].get("submit"), step


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_button_of_a_repair_says_what_it_does(language: str) -> None:
    for issue, said in texts(language)["issues"].items():
        for step, said_of_step in said.get("fix_flow", {}).get("step", {}).items():
            assert said_of_step.get("submit"), (issue, step)
