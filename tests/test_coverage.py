"""The judge of coverage fails where tests leave out too much."""

from collections.abc import Mapping
from typing import Any

from script import coverage

FLOWS = "custom_components/openbk/flows/adding.py"
ENTITIES = "custom_components/openbk/sensor.py"
LIBRARY = "custom_components/openbk/pyopenbk/roles.py"


def report(**missed: int) -> Mapping[str, Any]:
    """Return a report over three files of a hundred lines and branches each."""
    return {
        "files": {
            path: {
                "summary": {
                    "num_statements": 80,
                    "covered_lines": 80 - missed.get(name, 0),
                    "missing_lines": missed.get(name, 0),
                    "num_branches": 20,
                    "covered_branches": 20,
                    "missing_branches": 0,
                }
            }
            for name, path in (("flows", FLOWS), ("other", ENTITIES), ("lib", LIBRARY))
        }
        | {"simulator/chip.py": {"summary": {}}}
    }


def test_each_file_belongs_to_one_part() -> None:
    names = [
        part.name
        for path in (FLOWS, ENTITIES, LIBRARY)
        if (part := coverage.part_of(path))
    ]
    assert names == ["dialogs", "integration", "library"]
    assert coverage.part_of("simulator/chip.py") is None


def test_whole_coverage_is_enough() -> None:
    assert coverage.shares(report()) == dict.fromkeys(
        ("dialogs", "integration", "library"), 100.0
    )
    assert not [*coverage.faults(report())]
    assert not coverage.worst(report())


def test_a_part_below_its_floor_is_a_fault() -> None:
    (fault,) = coverage.faults(report(lib=10))
    assert fault.startswith("library: 90.00 %")
    assert coverage.worst(report(lib=10)) == ["   10  pyopenbk/roles.py"]


def test_a_part_that_was_not_measured_is_a_fault() -> None:
    assert len([*coverage.faults({"files": {}})]) == 3
