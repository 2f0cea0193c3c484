"""The browser for tests that need a real one."""

import os
from pathlib import Path
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """Return the path of a Chromium or Chrome: the system's, or one that playwright fetched."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    fetched = Path(
        os.environ.get("PLAYWRIGHT_BROWSERS_PATH", "~/.cache/ms-playwright")
    ).expanduser()
    return next((str(path) for path in fetched.glob("chromium-*/*/chrome")), None)
