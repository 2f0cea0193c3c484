"""Who may import whom: the rules that keep the rooms apart."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
import sys

import pytest

ROOT = Path(__file__).parents[2]
INTEGRATION = ROOT / "custom_components/openbk"
INTEGRATION_NAME = "custom_components.openbk"
LIBRARY = INTEGRATION / "pyopenbk"
LIBRARY_NAME = f"{INTEGRATION_NAME}.pyopenbk"
SIMULATOR = ROOT / "simulator"

ROOMS = ("bootrom", "tuya", "obk", "metering")
# What Home Assistant brings and the library may use.
FOREIGN_PACKAGES = {"aiohttp", "cryptography", "serialx"}
# Where an outside judge checks that part, so that one wrong belief is not written twice: bk7231tools
# the frames and the store, a sector saved by the firmware the configuration, its own list the roles,
# its source and dumps the chips.
OPEN_TO_THE_SIMULATOR = {
    "bootrom.frames",
    "beken.chips",
    "beken.flash_map",
    "obk.config_sector",
    "roles",
    "tuya.storage",
}


def module_name(path: Path) -> str:
    """Return the dotted name of a file below the repository."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports_of(path: Path) -> frozenset[str]:
    """Return the absolute name of every module that a file imports, wherever in it."""
    return frozenset(_imports_of(path))


def _imports_of(path: Path) -> Iterator[str]:
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{name.name}" for name in node.names)


def files(folder: Path) -> list[Path]:
    """Return all modules below a folder."""
    return sorted(folder.rglob("*.py"))


def short(path: Path) -> str:
    """Name a test's file."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", files(LIBRARY), ids=short)
def test_the_library_knows_no_home_assistant(path: Path) -> None:
    """Nor anything else but the standard library and what is handed to it."""
    for name in imports_of(path):
        if name.startswith("custom_components"):
            assert name.startswith(LIBRARY_NAME)
            continue
        package = name.partition(".")[0]
        assert package in FOREIGN_PACKAGES | sys.stdlib_module_names


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_do_not_import_each_other(room: str) -> None:
    """What they share lies beside them; where they meet does, too."""
    others = tuple(f"{LIBRARY_NAME}.{other}" for other in ROOMS if other != room)
    inside = files(LIBRARY / room)
    assert inside
    for path in inside:
        for name in imports_of(path):
            assert not name.startswith(others), short(path)


@pytest.mark.parametrize("path", sorted(LIBRARY.glob("*.py")), ids=short)
def test_what_is_shared_needs_no_room(path: Path) -> None:
    """Except for the one module in which two kinds of descriptions meet."""
    if path.name == "descriptions.py":
        return
    rooms = tuple(f"{LIBRARY_NAME}.{room}" for room in ROOMS)
    for name in imports_of(path):
        assert not name.startswith(rooms)


@pytest.mark.parametrize("path", files(SIMULATOR), ids=short)
def test_the_simulator_believes_only_what_is_judged_elsewhere(path: Path) -> None:
    """It has its own code for all the rest, and knows no Home Assistant."""
    for name in imports_of(path):
        assert name.partition(".")[0] != "homeassistant"
        if not name.startswith("custom_components"):
            continue
        inside = name.removeprefix(LIBRARY_NAME).removeprefix(".")
        assert any(
            inside == module or inside.startswith(f"{module}.")
            for module in OPEN_TO_THE_SIMULATOR
        ), name


def test_no_part_of_the_simulator_needs_itself() -> None:
    """What its parts share lies below them, what assembles them above."""
    modules = {module_name(path): path for path in files(SIMULATOR)}
    needs = {
        module: {
            name
            for name in imports_of(path)
            if name in modules and modules[name].name != "__init__.py"
        }
        for module, path in modules.items()
    }
    TopologicalSorter(needs).prepare()


@pytest.mark.parametrize("folder", [INTEGRATION, ROOT / "contract", ROOT / "demo"])
def test_no_module_needs_itself(folder: Path) -> None:
    """Neither directly nor through others."""
    modules = {module_name(path): path for path in files(folder)}
    needs = {
        module: {
            name
            for name in imports_of(path)
            if name in modules
            and name != module
            and modules[name].name != "__init__.py"
        }
        for module, path in modules.items()
    }
    TopologicalSorter(needs).prepare()


@pytest.mark.parametrize(
    ("room", "above"),
    [
        ("network", ("live", "updating", "calibrating", "issues", "flows")),
        ("live", ("updating", "calibrating", "issues", "flows")),
        ("updating", ("calibrating", "issues", "flows")),
        ("calibrating", ("updating", "issues", "flows")),
        ("issues", ("flows",)),
        # Neither dialog stands on the other: what both show lies beside them.
        (
            "flows/wizard",
            (
                "flows.options",
                "flows.adding",
                "flows.reconfiguring",
                "flows.new_broker",
            ),
        ),
        (
            "flows/options",
            ("flows.wizard", "flows.adding", "flows.reconfiguring", "flows.new_broker"),
        ),
    ],
)
def test_a_room_knows_none_above_it(room: str, above: tuple[str, ...]) -> None:
    inside = files(INTEGRATION / room)
    assert inside
    for path in inside:
        for name in imports_of(path):
            for other in above:
                assert not is_in(name, f"{INTEGRATION_NAME}.{other}"), short(path)


@pytest.mark.parametrize(
    "path", sorted((INTEGRATION / "flows").glob("*.py")), ids=short
)
def test_a_road_without_a_chip_knows_no_wizard(path: Path) -> None:
    """Nor does what the dialogs share."""
    for name in imports_of(path):
        for other in ("flows.wizard", "flows.options"):
            assert not is_in(name, f"{INTEGRATION_NAME}.{other}")


def test_nothing_but_the_setup_needs_the_actions() -> None:
    for path in files(INTEGRATION):
        if path != INTEGRATION / "__init__.py":
            assert f"{INTEGRATION_NAME}.services" not in imports_of(path), short(path)


def is_in(name: str, package: str) -> bool:
    """Return whether a module is a package or lies in it."""
    return name == package or name.startswith(f"{package}.")


def test_no_call_leaves_the_chip_to_a_default() -> None:
    """Who asks about a chip knows which one: the default is the one that most sockets have."""
    trees = {path: ast.parse(path.read_text()) for path in files(INTEGRATION)}
    places = {
        node.name: names.index("chip")
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and "chip" in (names := [arg.arg for arg in node.args.args])
    }
    assert len(places) > 10
    for path, tree in trees.items():
        for call in ast.walk(tree):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
                continue
            if (place := places.get(call.func.id)) is not None:
                given = len(call.args) > place
                given |= any(word.arg == "chip" for word in call.keywords)
                assert given, f"{short(path)}:{call.lineno}"


def test_the_product_uses_the_libraries_that_home_assistant_uses() -> None:
    """Not pyserial but serialx, not voluptuous but probatio."""
    for path in files(ROOT / "custom_components"):
        packages = {name.partition(".")[0] for name in imports_of(path)}
        assert packages.isdisjoint({"serial", "serial_asyncio", "voluptuous"})
