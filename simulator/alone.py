"""Programs that need the integration's library without the integration, which would bring Home Assistant along."""

import importlib
from pathlib import Path
import sys
from types import ModuleType
from typing import Final

_INTEGRATION: Final = Path(__file__).parents[1] / "custom_components/openbk"


def leave_home_assistant_out() -> None:
    """Let the library be imported alone, in a process that needs nothing else of the integration.

    To import a part of a package runs the package first, and that of the integration loads Home Assistant: a
    second of processor time. So an empty package takes its place; call this before anything else is imported.
    """
    package = ModuleType("custom_components.openbk")
    package.__path__ = [str(_INTEGRATION)]
    sys.modules[package.__name__] = package


def run_alone(module: str) -> None:
    """Run a module's ``main`` without Home Assistant, and end with what it returns as the exit status."""
    leave_home_assistant_out()
    sys.exit(importlib.import_module(module).main())
