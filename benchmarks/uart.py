"""Backup and writing over UART, side by side with bk7231tools and ltchiptool.

Each tool is a process of its own and talks, unmodified, to the same simulated chip, whose line,
adapter and flash take their time (8N1, 62-byte USB packets, latency timer, erase 40 and 300 ms,
program 12 ms, CRC 500 kB/s). Seconds count from the first request to the last answer; processor
seconds from then on, without what the tool needs to link and to move one sector. The least of several runs counts.
"""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import hashlib
import json
from pathlib import Path
import random
import subprocess
import sys
import tempfile
from typing import Any, Final, Self

from .results import Figure, Results

ROOT: Final = Path(__file__).parents[1]
SECTOR: Final = 0x1000
FLASH_SIZE: Final = 0x200000
APPLICATION_START: Final = 0x11000
APPLICATION_SIZE: Final = 0x119000
JUDGED_BAUD: Final = 2_000_000
"""What the client takes where it can; at lower rates the line hides what a client does better."""

CRC_SPEED: Final = 500.0
"""Of the boot loader, in kB/s, as everywhere else in the simulator; no real chip has told yet."""
ATTEMPTS: Final = 3
"""Of one tool at one thing: on a busy machine an answer may come too late for it. Only the last counts."""

TOOLS: Final = ("openbk", "bk7231tools", "ltchiptool")
PEERS: Final = TOOLS[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing to do with the chip, and what share of the best peer's time it may take."""

    name: str
    what: str
    start: int
    length: int
    target: float
    target_slow: float
    """The same where the adapter holds packets back for 16 ms."""
    again: bool = False
    """Write what is there already; the peers' time is that of any write."""


OPERATIONS: Final = (
    Operation(
        name="backup",
        what="read",
        start=0,
        length=FLASH_SIZE,
        target=0.66,
        target_slow=0.45,
    ),
    Operation(
        name="write",
        what="write",
        start=APPLICATION_START,
        length=APPLICATION_SIZE,
        target=0.73,
        target_slow=0.58,
    ),
    Operation(
        name="again",
        what="write",
        start=APPLICATION_START,
        length=APPLICATION_SIZE,
        target=0.10,
        target_slow=0.10,
        again=True,
    ),
)
CPU_TARGET: Final = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one tool took, in seconds: on the wire, and of the processor."""

    wire: float
    cpu: float


class ToolFailedError(Exception):
    """A tool gave up; the text is what it was told and what it said."""


class Bench:
    """A simulated chip, and tools that are let loose on it."""

    def __init__(self, chip: subprocess.Popen[str], folder: Path) -> None:
        """Take a chip that is starting, and a folder for files."""
        self._chip = chip
        self._file = folder / "flash.bin"
        self._log = folder / "log.txt"
        self._worked = folder / "worked.txt"
        self._port: str = self._answer()["port"]

    @classmethod
    @contextmanager
    def set_up(cls, latency: float, crc: float) -> Iterator[Self]:
        """Run a chip behind an adapter of this latency, in ms, with a CRC of so many kB/s."""
        arguments = ["benchmarks.uart_chip", "--latency-ms", str(latency)]
        arguments += ["--crc-kb-s", str(crc)]
        with (
            tempfile.TemporaryDirectory(prefix="openbk-bench-") as folder,
            subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            ) as chip,
        ):
            try:
                yield cls(chip, Path(folder))
            finally:
                assert chip.stdin is not None
                chip.stdin.close()

    def measure(
        self, tool: str, operation: Operation, length: int, baud: int, runs: int
    ) -> Run:
        """Let a tool work on so many bytes, and on next to nothing for comparison.

        The least of several runs counts, as other work on the machine only makes them longer.
        """
        whole = [self._run(tool, operation, length, baud) for _ in range(runs)]
        least = [self._run(tool, operation, SECTOR, baud) for _ in range(runs)]
        cpu = min(run.cpu for run in whole) - min(run.cpu for run in least)
        return Run(wire=min(run.wire for run in whole), cpu=max(0.0, cpu))

    def _run(self, tool: str, operation: Operation, length: int, baud: int) -> Run:
        image = random.Random(1).randbytes(length)
        if operation.what == "write":
            self._file.write_bytes(image)
        arguments = command(tool, operation, self._port, baud, length, self._file)
        self._tell("fresh")
        if operation.again and tool not in PEERS:
            self._tell("reset")
            self._execute(arguments)
        for attempt in range(1, ATTEMPTS + 1):
            self._tell("reset")
            try:
                cpu = self._execute(arguments)
                break
            except ToolFailedError as error:
                if attempt == ATTEMPTS:
                    raise
                last = str(error).strip().rpartition("\n")[2]
                print(f"{tool} gave up ({last}) and starts again", file=sys.stderr)
                if not operation.again:
                    self._tell("fresh")
        wire = self._tell("seconds")
        done = hashlib.sha256(self._file.read_bytes()).hexdigest()
        if done != self._tell(f"digest {operation.start} {length}"):
            sys.exit(f"{tool} did not {operation.what} what it should")
        return Run(wire=wire, cpu=cpu)

    def _execute(self, arguments: Sequence[str]) -> float:
        """Run a tool to its end; return its processor seconds from the first byte on."""
        tool = [sys.executable, "-m", "benchmarks.uart_tool", str(self._worked)]
        with self._log.open("w") as log:
            done = subprocess.run(
                [*tool, *arguments],
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            raise ToolFailedError(f"{' '.join(arguments)}\n{self._log.read_text()}")
        return float(self._worked.read_text())

    def _tell(self, line: str) -> Any:
        assert self._chip.stdin is not None
        self._chip.stdin.write(f"{line}\n")
        self._chip.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._chip.stdout is not None
        return json.loads(self._chip.stdout.readline())


def command(
    tool: str, operation: Operation, port: str, baud: int, length: int, file: Path
) -> list[str]:
    """Return the module that is run as a tool, and its arguments."""
    what, start = operation.what, hex(operation.start)
    speed = ["-d", port, "-b", str(baud)]
    match tool, what:
        case "bk7231tools", "read":
            rest = ["read_flash", *speed, "-s", start, "-l", str(length), str(file)]
        case "bk7231tools", _:
            rest = ["write_flash", *speed, "-s", start, "-l", str(length), str(file)]
        case "ltchiptool", "read":
            rest = ["flash", "read", *speed, "-s", start, "-l", str(length)]
            rest += ["bk7231n", str(file)]
        case "ltchiptool", _:
            rest = ["flash", "write", *speed, "-s", start, "-l", str(length)]
            rest += ["-f", "bk7231n", str(file)]
        case _:
            ours = [what, port, str(baud), start, str(length), str(file)]
            return ["benchmarks.uart_client", *ours]
    return [tool, *rest]


def line(figure: Figure) -> None:
    """Print what each tool took, and our share of the best peer's."""
    verdict = "MISSED" if figure.missed else "ok"
    target = f"{figure.target:8.2f}  {verdict}" if figure.target is not None else ""
    columns = "".join(f"{value:12.2f}" for value in figure.figures.values())
    print(f"{figure.row:<13}{columns}{figure.share:8.2f}{target}", flush=True)


def compare(
    options: argparse.Namespace, latency: float, baud: int, crc: float
) -> Iterator[Figure]:
    """Print the table of one adapter at one rate, and yield its rows."""
    title = f"{baud} baud, adapter latency {latency:g} ms"
    if crc != CRC_SPEED:
        title += f", CRC {crc:g} kB/s"
    print(f"\n{title}")
    print(f"{'seconds':<13}{''.join(f'{tool:>12}' for tool in TOOLS)}   share  target")

    def figure(name: str, values: Sequence[float], target: float | None) -> Figure:
        ours, *peers = values
        measured = Figure(
            table=title,
            row=name,
            figures=dict(zip(TOOLS, values, strict=True)),
            share=ours / min(peers),
            target=target,
        )
        line(measured)
        return measured

    with Bench.set_up(latency, crc) as bench:
        peers: dict[str, list[Run]] = {}
        for operation in OPERATIONS:
            if operation.name not in options.only:
                continue
            length = min(operation.length, options.kib * 1024)
            judged = length == operation.length and baud == JUDGED_BAUD
            judged = judged and crc == CRC_SPEED
            todo = operation, length, baud, options.runs
            ours = bench.measure("openbk", *todo)
            if operation.what not in peers:
                peers[operation.what] = [bench.measure(tool, *todo) for tool in PEERS]
            runs = [ours, *peers[operation.what]]
            target = operation.target_slow if latency >= 10 else operation.target
            wire = [run.wire for run in runs]
            yield figure(operation.name, wire, target if judged else None)
            if not operation.again:
                cpu = [run.cpu for run in runs]
                name = f"{operation.name}, cpu"
                yield figure(name, cpu, CPU_TARGET if judged else None)


def main() -> int:
    """Compare; the exit status tells whether a target was missed."""
    parser = argparse.ArgumentParser(prog="script/bench uart", description=__doc__)
    add = parser.add_argument
    add("--baud", type=int, nargs="+", default=[2_000_000, 921_600], metavar="RATE")
    add("--latency-ms", type=float, nargs="+", default=[1.0, 16.0], metavar="MS")
    add(
        "--crc-kb-s",
        type=float,
        nargs="+",
        default=[CRC_SPEED],
        metavar="KB",
        help="how fast the boot loader's CRC is: an assumption, so try half and double",
    )
    names = [operation.name for operation in OPERATIONS]
    add("--only", nargs="+", default=names, choices=names)
    add(
        "--kib",
        type=int,
        default=FLASH_SIZE // 1024,
        help="move so much at most; targets are for all of it, at 2 Mbaud",
    )
    add("--runs", type=int, default=2, help="take the least of so many")
    add("--json", type=Path, metavar="FILE", help="write the rows there as well")
    options = parser.parse_args()
    results = Results(bench="uart")
    try:
        for latency in options.latency_ms:
            for baud in options.baud:
                for crc in options.crc_kb_s:
                    results.rows += compare(options, latency, baud, crc)
    except ToolFailedError as error:
        sys.exit(str(error))
    if options.json:
        results.write(options.json)
    return any(figure.missed for figure in results.rows)


if __name__ == "__main__":
    sys.exit(main())
