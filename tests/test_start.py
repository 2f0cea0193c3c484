"""What a start loads: nothing that flashes sockets in Home Assistant, and no Home Assistant in other programs."""

from pathlib import Path
import subprocess
import sys

import pytest

ROOT = Path(__file__).parents[1]
LOADED = """
import sys
import custom_components
from custom_components.openbk import (
    binary_sensor, button, event, light, select, sensor, switch, update
)
print(*sys.modules)
"""
LOADED_BY_PROGRAM = """
import contextlib, io, runpy, sys
sys.argv = ["{program}", "--help"]
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    runpy.run_module("{program}", run_name="__main__")
print(*sys.modules)
"""


def loaded_by(program: str) -> list[str]:
    """Return the modules that a program has loaded, as it prints them itself."""
    found = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return found.stdout.split()


def test_setting_a_socket_up_loads_nothing_that_flashes_one() -> None:
    loaded = loaded_by(LOADED)
    assert "custom_components.openbk.live.state" in loaded
    library = "custom_components.openbk.pyopenbk"
    unwanted = (
        *(f"{library}.{each}" for each in ("bootrom", "flashing", "tuya", "qr_code")),
        *(f"{library}.obk.{each}" for each in ("templates", "mqtt_settings")),
        "custom_components.openbk.config_flow",
        "custom_components.openbk.flows.wizard",
        "serialx",
        "homeassistant.components.usb",
        "homeassistant.components.file_upload",
    )
    assert [name for name in loaded if name.startswith(unwanted)] == []


@pytest.mark.parametrize(
    ("program", "part"),
    [
        ("simulator", "simulator.world"),
        ("demo", "demo.check"),
        ("soak.host_process", "soak.host"),
    ],
)
def test_other_programs_start_without_home_assistant(program: str, part: str) -> None:
    """The demo runs it as a process of its own; to load it once more would take most of their start."""
    loaded = loaded_by(LOADED_BY_PROGRAM.format(program=program))
    assert part in loaded
    assert [name for name in loaded if name.startswith("homeassistant")] == []
