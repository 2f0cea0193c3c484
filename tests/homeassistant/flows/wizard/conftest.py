"""Fixtures for the tests of the wizard."""

from collections.abc import Sequence

import pytest

from simulator.releases import Release, published_releases
from tests.homeassistant.bench import CODE_SIZE


@pytest.fixture
def published() -> Sequence[Release]:
    """Return releases that are quickly written by wire."""
    return published_releases(CODE_SIZE)
