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
                },
                "missing_lines": [*range(1, missed.get(name, 0) + 1)],
                "missing_branches": [],
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
    fault, where = coverage.faults(report(lib=3))
    assert fault.startswith("library: 97.00 %")
    assert where == "  pyopenbk/roles.py: 1, 2, 3"
    assert coverage.worst(report(lib=3)) == ["    3  pyopenbk/roles.py"]


def test_a_way_that_is_not_taken_in_a_dialog_is_named() -> None:
    found = report()
    flow = found["files"][FLOWS]
    flow["summary"] |= {"covered_branches": 19, "missing_branches": 1}
    flow["missing_branches"] = [[61, -50]]
    assert [*coverage.faults(found)] == [
        "dialogs: 99.00 % is less than 100.0 %",
        "  flows/adding.py: 61->-50",
    ]


def test_a_part_that_was_not_measured_is_a_fault() -> None:
    assert len([*coverage.faults({"files": {}})]) == 3
