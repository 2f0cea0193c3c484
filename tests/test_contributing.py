"""What CONTRIBUTING says of the tree is true of the tree."""

import ast
from functools import cache
from pathlib import Path
import re

import pytest

from script import map as drawn

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
# [`name`](file.py): the file is there and has something of that name.
LINKS = re.findall(r"\[`([^`\]]+)`\]\(([^)#]+)\)", TEXT)


@cache
def names_in(path: Path) -> set[str]:
    """Return what a module defines, on any level."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                found.add(node.name)
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]):
                found.add(name)
    return found


@pytest.mark.parametrize(("name", "target"), LINKS)
def test_answer_leads_to_the_line(name: str, target: str) -> None:
    path = ROOT / target
    assert path.exists()
    if path.suffix == ".py" and not name.endswith(".py"):
        assert name in names_in(path)


def test_each_room_is_described() -> None:
    rooms = drawn.rooms()
    described = set(re.findall(r"^\*\*`([^`]+)`\*\*", TEXT, re.MULTILINE))
    assert described == {*rooms} - {drawn.PLATFORMS, drawn.SHARED}


def test_the_drawing_is_of_this_tree() -> None:
    assert drawn.main(["--check"]) == 0


def test_the_drawing_shows_every_room() -> None:
    rooms = drawn.rooms()
    drawing = drawn.DRAWING.read_text()
    assert all(f">{room}</text>" in drawing for room in rooms)


def test_no_arrow_leads_up() -> None:
    """Rooms that need each other stand on one floor; all others only look down."""
    needs = drawn.rooms()
    height = {
        room: floor for floor, story in enumerate(drawn.floors(needs)) for room in story
    }
    assert {*height} == {*needs}
    below = drawn.reachable(needs)
    for room, others in needs.items():
        for other in others:
            assert height[other] < height[room] or room in below[other]


def test_an_arrow_that_follows_from_others_is_left_out() -> None:
    needs = {
        "attic": frozenset({"floor", "cellar"}),
        "floor": frozenset({"cellar"}),
        "cellar": frozenset[str](),
    }
    assert drawn.floors(needs) == [["cellar"], ["floor"], ["attic"]]
    assert [*drawn.arrows(needs)] == [("attic", "floor"), ("floor", "cellar")]
