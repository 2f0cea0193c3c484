"""Run a serial tool on a pseudo-terminal: ``python -m tests.support.modemless MODULE …``.

A pseudo-terminal has no RTS and DTR, and pyserial's setters for them fail there. The tool
itself stays as it is; only those two settings are tolerated.
"""

from collections.abc import Callable
import errno
import runpy
import sys
from typing import Any

from serial.serialposix import Serial


def tolerate_missing_modem_lines() -> None:
    """Let pyserial's RTS and DTR do nothing where there are none."""
    for name in ("_update_rts_state", "_update_dtr_state"):
        setattr(Serial, name, _tolerant(getattr(Serial, name)))


def _tolerant(update: Callable[[Any], None]) -> Callable[[Any], None]:
    def tolerant_update(port: Any) -> None:
        try:
            update(port)
        except OSError as error:
            if error.errno != errno.ENOTTY:
                raise

    return tolerant_update


if __name__ == "__main__":
    tolerate_missing_modem_lines()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
