"""The rules of the quality scale are all judged, and what is called done can be seen."""

import ast

from homeassistant.util.yaml import load_yaml_dict
import pytest

from custom_components.openbk import config_flow, diagnostics
from tests.hassfest.parts import CORE, INTEGRATION, assigned, constants, nodes, texts

RULES = load_yaml_dict(str(INTEGRATION / "quality_scale.yaml"))["rules"]
PLATFORMS = sorted(texts()["entity"])


def rules_of_core() -> set[str]:
    """Return the rules that core has for every integration that is judged."""
    files = sorted(CORE.glob("*/quality_scale.yaml"))
    return set.intersection(
        *(set(load_yaml_dict(str(path))["rules"]) for path in files)
    )


def status(rule: str) -> str:
    judged = RULES[rule]
    return str(judged if isinstance(judged, str) else judged["status"])


def defines(folder: str, name: str) -> bool:
    return any(
        isinstance(node, kind) and node.name == name
        for kind in (ast.FunctionDef, ast.AsyncFunctionDef)
        for node in nodes(kind, folder)
    )


def test_every_rule_is_judged_and_no_other() -> None:
    assert set(RULES) == rules_of_core()


@pytest.mark.parametrize("rule", RULES)
def test_rule_has_a_status_and_an_exemption_its_reason(rule: str) -> None:
    judged = RULES[rule]
    assert status(rule) in {"done", "todo", "exempt"}
    if not isinstance(judged, str):
        assert set(judged) == {"status", "comment"}
        assert judged["comment"].strip().endswith(".")
    assert status(rule) != "exempt" or not isinstance(judged, str)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_parallel_updates_are_chosen(platform: str) -> None:
    assert "PARALLEL_UPDATES" in assigned(INTEGRATION / f"{platform}.py")


def test_flow_reconfigures_and_takes_each_socket_once() -> None:
    flow = config_flow.OpenBekenConfigFlow
    assert hasattr(flow, "async_step_reconfigure")
    for source in ("dhcp", "mqtt"):
        assert hasattr(flow, f"async_step_{source}")
    called = {
        node.func.attr
        for node in nodes(ast.Call, "flows")
        if isinstance(node.func, ast.Attribute)
    }
    assert {"async_set_unique_id", "_abort_if_unique_id_configured"} <= called


def test_diagnostics_are_there() -> None:
    assert hasattr(diagnostics, "async_get_config_entry_diagnostics")


def test_entry_can_be_unloaded_and_waits_for_what_it_needs() -> None:
    assert defines("__init__.py", "async_unload_entry")
    assert "ConfigEntryNotReady" in {node.id for node in nodes(ast.Name, "__init__.py")}
    assert "runtime_data" in {node.attr for node in nodes(ast.Attribute)}


def test_no_login_that_could_need_a_new_one_is_kept() -> None:
    """Without one, the rule for a new login does not apply."""
    assert status("reauthentication-flow") == "exempt"
    assert not defines("", "async_step_reauth")
    raised = {node.id for node in nodes(ast.Name)} | constants("__init__.py")
    assert "ConfigEntryAuthFailed" not in raised


def test_library_is_typed() -> None:
    assert (INTEGRATION / "pyopenbk" / "py.typed").is_file()
