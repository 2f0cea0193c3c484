"""Pytest plugin that fits Home Assistant's test harness to this repository.

Loaded with `-p` before the harness, whose import order is what needs fitting.
"""

import logging
from pathlib import Path

# Aliases httpx to httpx2, which must happen before the harness imports respx.
import homeassistant  # noqa: F401  # isort: skip

from homeassistant.components import logger
import pytest
import pytest_socket

HOMEASSISTANT_TESTS = Path(__file__).parent.parent / "homeassistant"

# The harness released for 2026.10 imports this name; 2026.11 has moved it.
if not hasattr(logger, "_clear_logger_overwrites"):
    setattr(logger, "_clear_logger_overwrites", lambda hass: None)  # noqa: B010


def uses_home_assistant(path: Path) -> bool:
    """Tell whether the tests in a file are written for the `hass` fixture."""
    return path.is_relative_to(HOMEASSISTANT_TESTS)


def pytest_configure() -> None:
    """Leave the log to pytest, which keeps all of it for a test that fails.

    The harness has each message written to the standard error once more.
    """
    logging.getLogger().handlers.clear()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give tests without Home Assistant the sockets that the harness took away.

    Connections still cannot leave the machine.
    """
    if not uses_home_assistant(item.path):
        pytest_socket.enable_socket()
        pytest_socket.socket_allow_hosts(
            ["127.0.0.1", "::1", "localhost"], allow_unix_socket=True
        )
