"""What the manual names is what a person finds in Home Assistant."""

from collections.abc import Iterator
from pathlib import Path
import re
from typing import Final

import pytest

from custom_components.openbk import const
from tests.hassfest.parts import ROOT, leaves, texts

README: Final = ROOT / "README.md"
MANUAL: Final = ROOT / "docs" / "socket.md"
CALIBRATION: Final = ROOT / "docs" / "calibration.md"
PAGES: Final = (
    README,
    MANUAL,
    CALIBRATION,
    ROOT / "docs" / "devices.md",
    ROOT / "docs" / "walkthrough.md",
)
# What Home Assistant itself says, and names of one's own.
NOT_OURS: Final = frozenset(
    {
        "Configure",
        "Download diagnostics",
        "Event received",
        "I understand the risks and agree",
        "Reconfigure",
        "Settings",
        "Washing machine",
    }
)
IN_ITALICS: Final = re.compile(r"(?<![*\w])\*([A-Z][^*\n]*)\*(?![*\w])")
ACTION: Final = re.compile(r"`openbk\.(\w+)`")


def rows(page: Path, head: str) -> Iterator[str]:
    """Yield the first cell of each row of the table whose first column has this head."""
    _, _, table = page.read_text().partition(f"\n| {head} |")
    assert table, head
    for line in table.splitlines()[2:]:
        if not line.startswith("| "):
            return
        yield line.removeprefix("| ").split(" | ")[0]


def test_every_option_is_explained() -> None:
    menu = texts()["options"]["step"]["init"]["menu_options"]
    assert [*rows(MANUAL, "option")] == [*menu.values()]


def test_every_choice_of_reconfigure_is_explained() -> None:
    menu = texts()["config"]["step"]["reconfigure"]["menu_options"]
    assert [*rows(MANUAL, "choice")] == [*menu.values()]


def test_every_repair_is_explained_under_its_title() -> None:
    titles = (issue["title"] for issue in texts()["issues"].values())
    explained = [
        title
        for row in rows(MANUAL, "Home Assistant says")
        for title in row.split("; ")
    ]
    assert sorted(explained) == sorted(
        title.replace("{name}", "*name*") for title in titles
    )


def test_every_event_is_explained() -> None:
    events = {
        f"`{value}`" for name, value in vars(const).items() if name.startswith("EVENT_")
    }
    assert {*rows(MANUAL, "event")} == events


def test_every_action_is_named() -> None:
    named = {name for page in PAGES for name in ACTION.findall(page.read_text())}
    assert named == {*texts()["services"]}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_words_in_italics_are_those_of_a_dialog_or_an_entity(page: Path) -> None:
    ours = {text for _, text in leaves(texts())}
    assert {*IN_ITALICS.findall(page.read_text())} - ours <= NOT_OURS
