"""Home Assistant does not load what flashes sockets before somebody opens a dialog."""

from pathlib import Path
import subprocess
import sys

ROOT = Path(__file__).parents[1]
LOADED = """
import sys
import custom_components
from custom_components.openbk import (
    binary_sensor, button, event, light, select, sensor, switch, update
)
print(*sys.modules)
"""


def test_setting_a_socket_up_loads_nothing_that_flashes_one() -> None:
    found = subprocess.run(
        [sys.executable, "-c", LOADED],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = found.stdout.split()
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
