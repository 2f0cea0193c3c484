"""A simulated chip in a process of its own, that times whoever talks to it.

It says ``{"port": …}`` and then answers each line on its standard input with a line of JSON:
``fresh`` puts the factory contents back; ``reset`` resets the chip; ``seconds`` is the time between
the first request and the last answer since then; ``digest START LENGTH`` is the SHA-256 of flash.
"""

import argparse
import asyncio
from dataclasses import replace
import hashlib
import json
from pathlib import Path
import sys
import time
from typing import override

from simulator.bootrom import Timings
from simulator.chip import SimulatedSocket, simulated_chip
from simulator.commands import Command
from simulator.factory import FactorySocket
from simulator.faults import Faults, Piece
from simulator.flash import SECTOR, SIZE, Flash
from simulator.uart import LineOptions

# What a Tuya firmware leaves in the status registers.
PROTECTED = 0x4004


class Stopwatch(Faults):
    """Faults, of which there are none, that time the first request and the last answer."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        super().__init__()
        self.clear()

    @override
    def clear(self, name: object = None) -> None:
        self.first = 0.0
        self.last = 0.0

    @override
    def request(self, data: bytes) -> list[Piece]:
        self.first = self.first or time.monotonic()
        return super().request(data)

    @override
    def reply(self, command: Command, data: bytes) -> list[Piece]:
        self.last = time.monotonic()
        return super().reply(command, data)


class Chip:
    """A chip that does what a line of text says."""

    def __init__(self, socket: SimulatedSocket, stopwatch: Stopwatch) -> None:
        """Remember what the flash holds now."""
        self._socket = socket
        self._stopwatch = stopwatch
        self._fresh = socket.flash.content

    def obey(self, line: str) -> object:
        """Do what a line says and return the answer."""
        match line.split():
            case ["fresh"]:
                self._refresh()
            case ["reset"]:
                self._socket.reset()
                self._stopwatch.clear()
            case ["seconds"]:
                return self._stopwatch.last - self._stopwatch.first
            case ["digest", start, length]:
                data = self._socket.flash.read(int(start), int(length))
                return hashlib.sha256(data).hexdigest()
        return None

    def _refresh(self) -> None:
        flash = self._socket.flash
        for start in range(0, SIZE, SECTOR):
            sector = self._fresh[start : start + SECTOR]
            if flash.read(start, SECTOR) != sector:
                flash.rewrite(start, sector)
        flash.protect(PROTECTED)


async def serve(latency: float, crc_speed: float, dump: bytes) -> None:
    """Run the chip until standard input ends; latency in s, speed of the CRC in bytes/s."""
    stopwatch = Stopwatch()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    async with simulated_chip(
        Flash(dump, status=PROTECTED),
        line=LineOptions.realistic(latency),
        timings=replace(Timings.realistic(), crc_bytes_per_second=crc_speed),
        faults=stopwatch,
    ) as socket:
        print(json.dumps({"port": socket.path}), flush=True)
        chip = Chip(socket, stopwatch)
        while line := await lines.readline():
            print(json.dumps(chip.obey(line.decode())), flush=True)


def main() -> None:
    """Parse the arguments and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency-ms", type=float, default=1.0)
    parser.add_argument("--crc-kb-s", type=float, default=500.0)
    parser.add_argument("--dump", type=Path)
    options = parser.parse_args()
    dump = options.dump.read_bytes() if options.dump else FactorySocket().dump()
    asyncio.run(serve(options.latency_ms / 1000, options.crc_kb_s * 1000, dump))


if __name__ == "__main__":
    main()
