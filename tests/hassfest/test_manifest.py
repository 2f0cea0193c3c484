"""The manifest is one that Home Assistant, hassfest, HACS and the Marketplace accept."""

from collections.abc import Iterable
from importlib.resources import files
import json
from pathlib import Path
import re
import subprocess
from typing import Any
from urllib.parse import urlsplit

from awesomeversion import AwesomeVersion, AwesomeVersionStrategy
import homeassistant
import pytest

from tests.hassfest.parts import (
    CORE,
    INTEGRATION,
    ROOT,
    SLUG,
    assigned,
    core_manifests,
    load,
    manifest,
)

# What only an integration outside core says of itself.
CUSTOM_KEYS = {"version", "issue_tracker", "import_executor"}
EVERYWHERE = ("custom_components/openbk", "demo/openbk_demo")
# The kinds of version that the loader lets a custom integration have.
LOADABLE = [
    AwesomeVersionStrategy.CALVER,
    AwesomeVersionStrategy.SEMVER,
    AwesomeVersionStrategy.SIMPLEVER,
    AwesomeVersionStrategy.BUILDVER,
    AwesomeVersionStrategy.PEP440,
]


def values_in_core(key: str) -> set[str]:
    return {item[key] for item in core_manifests().values() if key in item}


def generated(name: str) -> list[dict[str, Any]]:
    text = (files(homeassistant) / "generated" / f"{name}.json").read_text()
    loaded: list[dict[str, Any]] = json.loads(text)
    return loaded


def paths(categories: Iterable[dict[str, Any]]) -> set[str]:
    return {
        path
        for category in categories
        for path in (
            category["slug"],
            *(f"{category['slug']}.{sub['slug']}" for sub in category["subcategories"]),
        )
    }


@pytest.mark.parametrize("folder", EVERYWHERE)
def test_keys_are_known_and_in_order(folder: str) -> None:
    keys = list(load(ROOT / folder / "manifest.json"))
    assert {"domain", "name", "documentation", "codeowners", "version"} <= set(keys)
    known = {key for item in core_manifests().values() for key in item} | CUSTOM_KEYS
    assert set(keys) <= known
    first = ["domain", "name"]
    assert keys == first + sorted(set(keys) - set(first))


@pytest.mark.parametrize("folder", EVERYWHERE)
def test_domain_is_that_of_the_folder_and_free_in_core(folder: str) -> None:
    domain = load(ROOT / folder / "manifest.json")["domain"]
    assert SLUG.fullmatch(domain)
    assert domain == (ROOT / folder).name
    assert not (CORE / domain).exists()


@pytest.mark.parametrize("folder", EVERYWHERE)
def test_version_can_be_loaded(folder: str) -> None:
    version = load(ROOT / folder / "manifest.json")["version"]
    AwesomeVersion(version, ensure_strategy=LOADABLE)


@pytest.mark.parametrize("folder", EVERYWHERE)
def test_schema_of_yaml_is_said(folder: str) -> None:
    """Of an integration that is set up, whether or not it takes anything from there."""
    assert "CONFIG_SCHEMA" in assigned(ROOT / folder / "__init__.py")


def test_hassfest_finds_these_integrations() -> None:
    """It looks at every manifest of the checkout, that of the demo as well."""
    tracked = subprocess.run(
        ["git", "ls-files", "--", "*manifest.json"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split()
    assert {str(Path(path).parent) for path in tracked} == set(EVERYWHERE)


@pytest.mark.parametrize("newer", ["beta.2", "beta.10", "rc.1", ""])
def test_next_version_is_offered_as_newer(newer: str) -> None:
    """A first beta without a number would never be followed by another one."""
    version, _, stage = manifest()["version"].partition("-")
    following = f"{version}-{newer}" if newer else version
    if not stage:
        following = f"{version}.1"
    assert AwesomeVersion(following) > AwesomeVersion(manifest()["version"])


@pytest.mark.parametrize("key", ["documentation", "issue_tracker"])
def test_address_leads_to_the_project(key: str) -> None:
    address = urlsplit(manifest()[key])
    assert address.scheme == "https"
    # Pages there are core's own.
    assert address.hostname
    assert not address.hostname.endswith("home-assistant.io")


@pytest.mark.parametrize("folder", EVERYWHERE)
@pytest.mark.parametrize("key", ["iot_class", "integration_type"])
def test_choice_is_one_of_core(folder: str, key: str) -> None:
    found = load(ROOT / folder / "manifest.json")
    assert key != "iot_class" or key in found
    assert key not in found or found[key] in values_in_core(key)


def test_categories_and_connectivity_are_known() -> None:
    categories = paths(generated("integration_categories"))
    assert set(manifest()["categories"]) <= categories
    ways = {way["slug"] for way in generated("integration_connectivity")}
    assert set(manifest()["connectivity"]) <= ways
    for key in ("categories", "connectivity"):
        assert len(set(manifest()[key])) == len(manifest()[key])


def test_categories_are_those_of_a_plug_with_a_meter() -> None:
    """What every integration of plugs with a meter says of itself in core."""
    assert set(core_manifests()["shelly"]["categories"]) & set(
        core_manifests()["homewizard"]["categories"]
    ) <= set(manifest()["categories"])


def test_code_owners_are_accounts() -> None:
    assert manifest()["codeowners"]
    for owner in manifest()["codeowners"]:
        assert re.fullmatch(r"@[a-zA-Z0-9-]+(/[a-zA-Z0-9-]+)?", owner), owner


def test_matchers_of_discovery_are_in_the_case_that_is_compared() -> None:
    for matcher in manifest()["dhcp"]:
        assert matcher.keys() <= {"hostname", "macaddress", "registered_devices"}
        hostname, mac = matcher.get("hostname", ""), matcher.get("macaddress", "")
        assert hostname == hostname.lower()
        assert mac == mac.upper()
    assert all(isinstance(topic, str) for topic in manifest()["mqtt"])


def test_requirements_are_pinned() -> None:
    for requirement in manifest()["requirements"]:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[^ ,;]+", requirement), requirement


def test_every_json_file_is_valid() -> None:
    for path in INTEGRATION.rglob("*.json"):
        load(path)


def test_flow_is_where_it_is_looked_for() -> None:
    assert manifest()["config_flow"] is True
    assert (INTEGRATION / "config_flow.py").is_file()
