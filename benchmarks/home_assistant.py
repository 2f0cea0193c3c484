"""Sockets in Home Assistant, side by side with core's own MQTT discovery of the same sockets.

Every figure is of a process of its own: one Home Assistant without network, disk, recorder and
frontend, in which the messages of a broker arrive. A first socket warms it up and does not count.
Only commands go over a real broker besides, with the sockets of all modes in one Home Assistant.

``mqtt`` is the payload that our publisher describes a socket with: what it measures and switches,
12 entities of ours. ``mqtt all`` adds to it what our integration shows besides, such as the
choices, so that both sides show the same entities: the shares that are judged are of this one.
Processor time is the least of several runs. Instructions are counted by valgrind and hold still;
messages are built beforehand. A message may change several states of ours: apparent and reactive
power and the power factor follow from others, where core shows what the socket says of them.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import json
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
import tempfile
from typing import Any, Final

from .results import Figure, Results

ROOT: Final = Path(__file__).parents[1]
MODES: Final = {"openbk": "openbk", "mqtt": "mqtt", "mqtt_all": "mqtt all"}
TIMES: Final = frozenset(("cpu", "to_broker", "to_state"))
"""What other work on the machine makes longer, in seconds: of several runs, the least counts."""
_LARGE: Final = 101
"""So many sockets take minutes, in which what else the machine does evens out: they live once, and
their memory is not traced, which takes longer still."""
_COMMANDED: Final = 10
"""Sockets of each mode, all in one Home Assistant, that are switched over a broker."""
_SET_UP_TARGET: Final = 0.65
_MEMORY_TARGET: Final = 0.60
_CHANGED_TARGET: Final = 0.80
# Core finds out alone that nobody listens; what is above one is the noise of the counting.
_NO_DEARER: Final = 1.05

type Figures = dict[str, Any]
type Phases = dict[str, Figures]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table: a figure of each mode, and what share of core's ours may be."""

    name: str
    figure: Callable[[Phases], float]
    target: float | None = None
    digits: int = 1


def set_up(sockets: int) -> tuple[Row, ...]:
    """Return what is measured of so many sockets in time and in memory."""

    def milliseconds(phase: str) -> Callable[[Phases], float]:
        return lambda phases: phases[phase]["cpu"] * 1e3 / sockets

    def of_message(phase: str) -> Callable[[Phases], float]:
        return lambda phases: phases[phase]["cpu"] * 1e6 / phases[phase]["messages"]

    def of_command(key: str) -> Callable[[Phases], float]:
        return lambda phases: phases["command"][key] * 1e6

    def of_house(key: str, unit: float) -> Callable[[Phases], float]:
        return lambda phases: phases["house"][key] / unit / sockets

    def per_entity(row: Row, unit: float) -> Row:
        figure = row.figure
        return Row(
            name="  per entity",
            figure=lambda phases: (
                figure(phases) * unit * sockets / phases["house"]["states"]
            ),
        )

    time = Row(
        name="set-up, ms",
        figure=milliseconds("set_up"),
        target=_SET_UP_TARGET,
        digits=2,
    )
    memory = Row(
        name="memory, KiB", figure=of_house("memory", 1024), target=_MEMORY_TARGET
    )
    traced = () if sockets >= _LARGE else (memory, per_entity(memory, 1))
    return (
        Row(name="entities", figure=of_house("states", 1), digits=0),
        Row(name="  with disabled ones", figure=of_house("entities", 1), digits=0),
        Row(name="  without a value", figure=of_house("silent", 1), digits=0),
        Row(name="subscriptions", figure=of_house("subscriptions", 1), digits=0),
        time,
        per_entity(time, 1e3),
        Row(name="comes online, ms", figure=milliseconds("online"), digits=2),
        Row(name="first values, ms", figure=milliseconds("first"), digits=2),
        *traced,
        Row(name="resident, KiB", figure=of_house("resident", 1024)),
        Row(name="changed message, us", figure=of_message("changed")),
        Row(name="command to broker, us", figure=of_command("to_broker")),
        Row(name="answer to state, us", figure=of_command("to_state")),
    )


def instructions(sockets: int) -> tuple[Row, ...]:
    """Return what is counted with so many sockets."""

    def of_socket(phase: str) -> Callable[[Phases], float]:
        return lambda phases: phases[phase]["instructions"] / 1e6 / sockets

    def of_each(what: str, phase: str) -> Callable[[Phases], float]:
        return lambda phases: phases[phase]["instructions"] / 1e3 / phases[phase][what]

    return (
        Row(
            name="set-up, M",
            figure=of_socket("set_up"),
            target=_SET_UP_TARGET,
            digits=2,
        ),
        Row(name="comes online, M", figure=of_socket("online"), digits=2),
        Row(name="first values, M", figure=of_socket("first"), digits=2),
        Row(
            name="changed message, k",
            figure=of_each("messages", "changed"),
            target=_CHANGED_TARGET,
        ),
        Row(
            name="  per state, k",
            figure=of_each("written", "changed"),
            target=_CHANGED_TARGET,
        ),
        Row(
            name="unchanged, k",
            figure=of_each("messages", "unchanged"),
            target=_NO_DEARER,
        ),
        Row(
            name="nobody listens, k",
            figure=of_each("messages", "foreign"),
            target=_NO_DEARER,
        ),
        Row(name="command and answer, k", figure=of_each("commands", "command")),
    )


def over_broker() -> tuple[Row, ...]:
    """Return what is measured of a command that goes over a real broker to a socket and back."""

    def microseconds(key: str) -> Callable[[Phases], float]:
        return lambda phases: phases["command"][key] * 1e6

    return (
        Row(name="command to socket, us", figure=microseconds("to_socket")),
        Row(name="answer to state, us", figure=microseconds("to_state")),
        Row(name="command to state, us", figure=microseconds("all")),
    )


class Counter:
    """Counts the instructions of one process while it is told to."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        """Count those of a process under valgrind, which writes into the folder."""
        self._process = process
        self._folder = folder

    @staticmethod
    def prefix(folder: Path) -> list[str]:
        """Return what a command has to be started with."""
        out = folder / "counted"
        options = ["--instr-atstart=no", f"--callgrind-out-file={out}"]
        return ["valgrind", "-q", "--tool=callgrind", *options]

    @contextmanager
    def counting(self) -> Iterator[list[int]]:
        """Count; the number is there at the end."""
        self._control("--instr=on")
        self._control("--zero")
        counted: list[int] = []
        yield counted
        self._control("--dump")
        self._control("--instr=off")
        (dump,) = self._folder.glob("counted.*")
        match = re.search(r"^totals: (\d+)", dump.read_text(), re.MULTILINE)
        assert match is not None
        counted.append(int(match[1]))
        dump.unlink()

    def _control(self, order: str) -> None:
        subprocess.run(
            ["callgrind_control", order, str(self._process.pid)],
            check=True,
            capture_output=True,
        )


def live(mode: str, sockets: int, *options: str, counted: bool = False) -> Phases:
    """Let a house live in a process of its own, and return what its phases took."""
    command = [sys.executable, "-m", "benchmarks.home_assistant_house"]
    command += [mode, str(sockets), *options]
    phases: Phases = {}
    with (
        tempfile.TemporaryDirectory(prefix="openbk-bench-") as folder,
        (Path(folder) / "log.txt").open("w+") as log,
        subprocess.Popen(
            [*(Counter.prefix(Path(folder)) if counted else ()), *command],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # The order of sets must not change from run to run.
            env={**os.environ, "PYTHONHASHSEED": "0"},
        ) as process,
    ):
        counter = Counter(process, Path(folder)) if counted else None
        while (said := hear(process)) is not None:
            if "next" not in said:
                phases[said["phase"]] = said
                continue
            if counter is None:
                phases[said["next"]] = proceed(process)
                continue
            with counter.counting() as numbers:
                figures = proceed(process)
            phases[said["next"]] = {**figures, "instructions": numbers[0]}
        if process.wait():
            log.seek(0)
            sys.exit(f"{' '.join(command)}\n{log.read()}")
    return phases


def command(sockets: int, rounds: int) -> list[Phases]:
    """Return, of each mode, what it takes to switch so many sockets several times."""
    module = "benchmarks.home_assistant_command"
    options = [f"--sockets={sockets}", f"--rounds={rounds}"]
    done = subprocess.run(
        [sys.executable, "-m", module, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{module}\n{done.stderr}")
    measured: Phases = json.loads(done.stdout)
    return [{"command": measured[mode]} for mode in MODES]


def proceed(process: subprocess.Popen[str]) -> Figures:
    """Let the next phase begin, and return what it took."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return hear(process) or {}


def hear(process: subprocess.Popen[str]) -> Figures | None:
    """Return what a process says, None when it has ended."""
    assert process.stdout is not None
    line = process.stdout.readline()
    said: Figures | None = json.loads(line) if line else None
    return said


def measure(sockets: int, runs: int) -> list[Phases]:
    """Return, of each mode, the least times of several runs and the memory of one more.

    The modes take turns, so that a machine that is busy for a while is so for all of them.
    """
    measured = {mode: live(mode, sockets) for mode in MODES}
    if sockets >= _LARGE:
        return [*measured.values()]
    for _ in range(runs - 1):
        for mode, phases in measured.items():
            for phase, figures in live(mode, sockets).items():
                for key in TIMES & figures.keys():
                    phases[phase][key] = min(figures[key], phases[phase][key])
    for mode, phases in measured.items():
        phases["house"]["memory"] = live(mode, sockets, "--memory")["house"]["memory"]
    return [*measured.values()]


def table(title: str, rows: Sequence[Row], modes: Sequence[Phases]) -> Iterator[Figure]:
    """Print what the modes took, and yield the rows; we are judged by the same entities."""
    print(f"\n{title}")
    names = "".join(f"{name:>12}" for name in MODES.values())
    shares = "".join(f"{f'of {name}':>12}" for name in [*MODES.values()][1:])
    print(f"{'per socket':<22}{names}{shares}   target")
    measured = ""
    for row in rows:
        # What a row is of, where its name only says by what it is divided.
        measured = row.name if row.name[0] != " " else measured
        name = row.name if row.name == measured else f"{measured},{row.name[1:]}"
        ours, *theirs = figures = [row.figure(phases) for phases in modes]
        line = "".join(f"{figure:12.{row.digits}f}" for figure in figures)
        line += "".join(f"{ours / figure:12.2f}" for figure in theirs)
        figure = Figure(
            table=title,
            row=name,
            figures=dict(zip(MODES, figures, strict=True)),
            share=ours / theirs[-1],
            target=row.target,
        )
        if row.target is not None:
            line += f"{row.target:9.2f}  {'MISSED' if figure.missed else 'ok'}"
        print(f"{row.name:<22}{line}", flush=True)
        yield figure


def keep(file: Path | None, results: Results) -> None:
    """Write what there is so far: the rest takes long and may be stopped."""
    if file is not None:
        results.write(file)


def check(modes: Sequence[Phases]) -> None:
    """Stop where the comparison would not be fair."""
    ours, _, same = (phases["house"] for phases in modes)
    for key in ("states", "entities"):
        if ours[key] != same[key]:
            sys.exit(f"{key}: {ours[key]} are compared with {same[key]}")


def main() -> int:
    """Compare; the exit status tells whether a target was missed."""
    parser = argparse.ArgumentParser(
        prog="script/bench home_assistant",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--sockets", type=int, nargs="*", default=[10, 100, 1000], metavar="N")
    add("--runs", type=int, default=5, help="take the least time of so many")
    add("--count-with", type=int, default=10, metavar="N", help="sockets; 0 to skip")
    add("--commands", type=int, default=50, metavar="N", help="each; 0 to skip")
    add("--json", type=Path, metavar="FILE", help="write the rows there as well")
    options = parser.parse_args()
    results = Results(bench="home_assistant")
    for sockets in options.sockets:
        modes = measure(sockets, options.runs)
        check(modes)
        results.rows += table(f"{sockets} sockets", set_up(sockets), modes)
        keep(options.json, results)
    if options.commands:
        modes = command(_COMMANDED, options.commands)
        title = f"A command over a broker, {_COMMANDED} sockets of each"
        results.rows += table(title, over_broker(), modes)
        keep(options.json, results)
    if options.count_with and shutil.which("valgrind") is None:
        print("\nInstructions are not counted: valgrind is not installed.")
    elif options.count_with:
        sockets = options.count_with
        modes = [live(mode, sockets, counted=True) for mode in MODES]
        results.rows += table(
            f"Instructions, {sockets} sockets", instructions(sockets), modes
        )
    keep(options.json, results)
    return any(figure.missed for figure in results.rows)


if __name__ == "__main__":
    sys.exit(main())
