"""The simulator as a process of its own, for those who would rather not share a loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
import json
from pathlib import Path
import signal
import sys
from typing import IO, Final

_ROOT: Final = Path(__file__).parents[1]
_PATIENCE_SECONDS: Final = 10


class SimulatorEndedError(Exception):
    """It ended before it was ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where a running simulator can be reached."""

    serials: tuple[str, ...]
    """One port for each socket."""
    macs: tuple[str, ...]
    control: str
    releases: str

    @property
    def serial(self) -> str:
        """Return the port of the first one."""
        return self.serials[0]


@asynccontextmanager
async def simulator_process(
    *arguments: str, log: IO[bytes] | None = None
) -> AsyncIterator[Addresses]:
    """Run ``python -m simulator`` with these arguments.

    Raises SimulatorEndedError where it ends before it is ready; its own words are in the log, without one
    on stderr.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulator", *arguments),
        cwd=_ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        if not (line := await process.stdout.readline()):
            raise SimulatorEndedError("the simulator did not start")
        said = json.loads(line)
        yield Addresses(
            serials=tuple(socket["serial"] for socket in said["sockets"]),
            macs=tuple(socket["mac"] for socket in said["sockets"]),
            control=said["control"],
            releases=said["releases"],
        )
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
