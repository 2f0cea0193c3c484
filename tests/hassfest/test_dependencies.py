"""Everything that is imported is there when Home Assistant loads the integration."""

import ast
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions, requires
import re
import sys

from homeassistant.const import Platform
from homeassistant.requirements import DISCOVERY_INTEGRATIONS

from tests.hassfest.parts import INTEGRATION, core_manifests, manifest, sources


@cache
def imported() -> tuple[tuple[str, str], ...]:
    """Return by which file, and the full name of, everything that is imported from elsewhere."""
    return tuple(_imported())


def _imported() -> Iterator[tuple[str, str]]:
    for path, module in sources().items():
        name = str(path.relative_to(INTEGRATION))
        for node in ast.walk(module):
            match node:
                case ast.Import(names=names):
                    for item in names:
                        yield name, item.name
                case ast.ImportFrom(module=str(origin), level=0, names=names):
                    for item in names:
                        yield name, f"{origin}.{item.name}"


def core_components() -> Iterator[tuple[str, str]]:
    for path, name in imported():
        if name.startswith("homeassistant.components."):
            yield path, name.split(".")[2]


def brought_along() -> set[str]:
    """Return the domains that are set up before ours because the manifest depends on them."""
    found: set[str] = set()
    to_do = set(manifest()["dependencies"])
    while to_do:
        domain = to_do.pop()
        found.add(domain)
        to_do |= set(core_manifests()[domain].get("dependencies", ())) - found
    return found


def project(requirement: str) -> str:
    """Return the normal name of a distribution, without its version and extras."""
    name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def test_components_of_core_are_declared() -> None:
    declared = {*manifest()["dependencies"], *manifest()["after_dependencies"]}
    declared |= {
        domain
        for domain, keys in DISCOVERY_INTEGRATIONS.items()
        if any(key in manifest() for key in keys)
    }
    for path, domain in core_components():
        # A file such as repairs.py is only loaded by the component whose name it has.
        its_platform = path == f"{domain}.py"
        assert domain in {*Platform, *declared} or its_platform, (path, domain)


def test_declared_components_exist_and_are_needed() -> None:
    used = {domain for _, domain in core_components()}
    for domain in manifest()["dependencies"]:
        assert domain in core_manifests()
        assert domain in used, domain
    for domain in manifest()["after_dependencies"]:
        assert domain in core_manifests()
        assert domain in used or domain in manifest(), domain
    assert not set(manifest()["dependencies"]) & set(manifest()["after_dependencies"])


def test_no_circle_of_dependencies() -> None:
    assert manifest()["domain"] not in brought_along()


def test_packages_come_with_home_assistant_or_with_a_dependency() -> None:
    """`serialx` above all, which nothing but the USB integration brings."""
    distributions = packages_distributions()
    brought = {project(item) for item in requires("homeassistant") or ()}
    brought |= {"homeassistant", *map(project, manifest()["requirements"])}
    for domain in brought_along():
        brought |= set(map(project, core_manifests()[domain].get("requirements", ())))
    outside = {
        name.partition(".")[0]: path
        for path, name in imported()
        if name.partition(".")[0] not in sys.stdlib_module_names
    }
    assert "serialx" in outside
    for package, path in outside.items():
        origins = set(map(project, distributions.get(package, ())))
        assert origins & brought, (package, path)
