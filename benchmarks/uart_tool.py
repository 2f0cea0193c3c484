"""Run a serial tool and note what it takes: ``python -m benchmarks.uart_tool FILE MODULE …``.

The file gets its processor seconds from the first byte that it writes on. A pseudo-terminal has no
modem lines, which pyserial must endure; the tool itself stays as it is.
"""

import atexit
import os
from pathlib import Path
import runpy
import sys
import time
from typing import Any

from tests.support.modemless import tolerate_missing_modem_lines


def note_work(file: Path) -> None:
    """Write the processor seconds since the first byte into a file when the tool ends."""
    write = os.write

    def first_write(*arguments: Any) -> int:
        began = time.process_time()
        os.write = write
        atexit.register(lambda: file.write_text(str(time.process_time() - began)))
        return write(*arguments)

    os.write = first_write


if __name__ == "__main__":
    tolerate_missing_modem_lines()
    note_work(Path(sys.argv[1]))
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
