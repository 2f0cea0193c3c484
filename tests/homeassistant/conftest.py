"""Fixtures for tests inside Home Assistant."""

# Must come first: the harness mounts a folder of its own under the same name.
import custom_components  # noqa: F401  # isort: skip

import pytest


@pytest.fixture(autouse=True)
def auto_enable_custom_integrations(enable_custom_integrations: None) -> None:
    """Let Home Assistant load the integration under test."""
