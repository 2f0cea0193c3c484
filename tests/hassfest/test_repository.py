"""The repository is one that HACS takes, and what it runs on GitHub is what was looked at."""

import json
from pathlib import Path
import re
import subprocess
from typing import Any
import zipfile

from homeassistant.const import MAJOR_VERSION, MINOR_VERSION
import pytest
import yaml  # type: ignore[import-untyped]

from script.pictures import shown
from tests.hassfest.parts import INTEGRATION, ROOT, load, manifest

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(
    path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config"
)
HACS = load(ROOT / "hacs.json")
PAGES = sorted((*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")))


def content(path: Path) -> dict[Any, Any]:
    loaded: dict[Any, Any] = yaml.safe_load(path.read_text())
    return loaded


def test_hacs_knows_every_key() -> None:
    kinds = {
        "content_in_root": bool,
        "country": list,
        "filename": str,
        "hacs": str,
        "hide_default_branch": bool,
        "homeassistant": str,
        "name": str,
        "persistent_directory": str,
        "render_readme": bool,
        "zip_release": bool,
    }
    for key, value in HACS.items():
        assert isinstance(value, kinds[key]), key
    assert HACS["name"] == manifest()["name"]


def test_releases_carry_the_file_that_hacs_asks_for() -> None:
    assert HACS["zip_release"] is True
    assert HACS["filename"].endswith(".zip")
    assert HACS["filename"] in (GITHUB / "workflows" / "release.yml").read_text()


def test_oldest_home_assistant_is_the_one_that_is_tested() -> None:
    """.venv-2026.10 has the release that the harness is made for."""
    assert HACS["homeassistant"] == "2026.10.0"
    assert (MAJOR_VERSION, MINOR_VERSION) >= (2026, 10)
    assert (ROOT / "script" / "test").read_text().count(".venv-2026.10/bin/python") == 1


def test_one_integration_with_its_pictures() -> None:
    folders = [
        path
        for path in (ROOT / "custom_components").iterdir()
        if path.is_dir() and path.name != "__pycache__"
    ]
    assert folders == [INTEGRATION]
    for name in ("icon", "icon@2x", "logo", "logo@2x", "dark_logo", "dark_logo@2x"):
        assert (INTEGRATION / "brand" / f"{name}.png").read_bytes()[1:4] == b"PNG"


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "RELEASING.md",
        "CODE_OF_CONDUCT.md",
        "SECURITY.md",
    ],
)
def test_page_of_the_project_is_there(name: str) -> None:
    assert (ROOT / name).read_text().strip()


def anchors(page: Path) -> set[str]:
    """Return what GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in headings
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)|src=\"([^\"]+)\"", page.read_text()):
        target, _, anchor = "".join(link).partition("#")
        if ":" in target:
            continue
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{target} of {page.name}"
        assert not anchor or anchor in anchors(path), f"{target}#{anchor}"


def test_manual_shows_every_screenshot_that_is_kept() -> None:
    kept = {path.stem for path in (ROOT / "docs" / "images").glob("*.png")}
    assert kept == shown(ROOT)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_named_by_digest(workflow: Path) -> None:
    """A tag can be moved to other code; the comment tells people and updates what it is."""
    uses = re.findall(r"^\s*-?\s*uses: (.+)$", workflow.read_text(), re.MULTILINE)
    assert uses
    for used in uses:
        local = re.fullmatch(r"\./\.github/workflows/[a-z]+\.yml", used)
        pinned = re.fullmatch(
            r"[\w-]+/[\w/-]+@[0-9a-f]{40} # (v\d+\.\d+\.\d+|main|master)", used
        )
        assert local or pinned, used


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_may_only_read_and_ends(workflow: Path) -> None:
    found = content(workflow)
    assert found["permissions"] == {"contents": "read"}
    for name, job in found["jobs"].items():
        assert "timeout-minutes" in job or "uses" in job
        writes = job.get("permissions", {})
        assert not writes or (workflow.stem, name) == ("release", "release")
    assert "pull_request_target" not in workflow.read_text()


def test_updates_of_all_that_is_pinned_are_looked_for() -> None:
    updates = content(GITHUB / "dependabot.yml")
    assert updates["version"] == 2
    looked_for = {update["package-ecosystem"] for update in updates["updates"]}
    assert looked_for == {"github-actions", "pip"}
    for name in ("requirements_test.txt", "requirements_override.txt"):
        for line in (ROOT / name).read_text().splitlines():
            assert not line or line.startswith("#") or "==" in line, line


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_form_is_one_that_github_shows(form: Path) -> None:
    found = content(form)
    assert set(found) <= {"name", "description", "title", "labels", "body"}
    assert found["name"]
    assert found["description"]
    ids = [item["id"] for item in found["body"] if item["type"] != "markdown"]
    assert len(set(ids)) == len(ids)
    for item in found["body"]:
        assert set(item) <= {"type", "id", "attributes", "validations"}
        attributes = item["attributes"]
        match item["type"]:
            case "markdown":
                assert attributes["value"]
            case "dropdown":
                assert len(set(attributes["options"])) == len(attributes["options"])
                assert all(isinstance(option, str) for option in attributes["options"])
            case kind:
                assert kind in {"input", "textarea"}
        assert item["type"] == "markdown" or attributes["label"]


@pytest.mark.parametrize("form", ["bug", "socket"])
def test_form_asks_for_diagnostics_and_the_contract_report(form: str) -> None:
    path = GITHUB / "ISSUE_TEMPLATE" / f"{form}.yml"
    asked = {item.get("id") for item in content(path)["body"]}
    assert {"diagnostics", "contract"} <= asked
    for command in ("script/contract socket ADDRESS", "script/contract chip PORT"):
        assert f"{command} --json report.json" in path.read_text()
    assert "backup of a socket" in path.read_text()


def test_changelog_begins_with_this_version() -> None:
    headings = re.findall(
        r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert headings[0] in {"Unreleased", manifest()["version"]}
    assert manifest()["version"] in headings


def run_release(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "script" / "release", *arguments],
        capture_output=True,
        check=False,
        text=True,
    )


def committed_version() -> str:
    shown = subprocess.run(
        ["git", "show", "HEAD:custom_components/openbk/manifest.json"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return str(json.loads(shown.stdout)["version"])


def test_release_is_what_is_committed(tmp_path: Path) -> None:
    made = run_release(committed_version(), str(tmp_path))
    assert made.returncode == 0, made.stderr
    with zipfile.ZipFile(tmp_path / HACS["filename"]) as archive:
        names = set(archive.namelist())
        inside = json.loads(archive.read("manifest.json"))
    assert inside["version"] == committed_version()
    assert {"__init__.py", "translations/en.json", "brand/icon.png"} <= names
    assert not any("__pycache__" in name or name.startswith("/") for name in names)
    assert (tmp_path / "notes.md").read_text().strip()


@pytest.mark.parametrize("version", ["0.0.1", "v1.0.0", "1.0.0-beta"])
def test_release_of_another_version_is_refused(version: str, tmp_path: Path) -> None:
    made = run_release(version, str(tmp_path))
    assert made.returncode == 1
    assert committed_version() in made.stderr
    assert not list(tmp_path.iterdir())
