"""Judge a socket or a chip: `script/contract socket ADDRESS` or `script/contract chip PORT`."""

import argparse
import asyncio
from collections.abc import Sequence
import contextlib
from dataclasses import asdict
import json
from pathlib import Path
import shlex
import signal
import sys
from typing import Any

from .broker import Login
from .chip import SearchError, chip_on
from .chip_table import CHIP_TABLE
from .expectations import BrokenError, Outcome, Verdict, play
from .http import Address
from .masking import Mask
from .socket import Ending, Grants, Levels, socket_at
from .socket_table import SOCKET_TABLE

_WHAT_TO_CHECK = {
    "socket": "Check the address, and that the socket has power.",
    "chip": "Check the name of the port, and that the adapter is plugged in.",
}
_SOCKET_HELP = """\
Without options nothing is changed. Settings that --writes changes are put back, also after Ctrl-C.
The report names no network, address, login or text of yours, and half of the MAC.
"""


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/contract", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    socket = kinds.add_parser(
        "socket", help="any OpenBeken that answers", epilog=_SOCKET_HELP
    )
    add = socket.add_argument
    add("address", type=Address.parse, metavar="ADDRESS", help="HOST or HOST:PORT")
    add("--broker", metavar="HOST[:PORT]", help="the broker at which it speaks")
    add("--username", help="a login at the broker that may listen and publish")
    add("--password-file", type=_text, metavar="FILE", help="its password")
    add("--web-password-file", type=_text, metavar="FILE", help="of the socket")
    add("--writes", action="store_true", help="change settings and put them back")
    add("--relay", action="store_true", help="with --writes: switch the relay as well")
    add(
        "--restart",
        action="store_true",
        help="with --writes: restart it, and again when everything is put back",
    )
    add(
        "--spare-pin",
        type=int,
        metavar="P",
        help="with --writes: the number of a pin with nothing connected",
    )
    add(
        "--levels",
        metavar="COMMAND",
        help='prints what is measured at the pins, as {"10": 1}',
    )
    chip = kinds.add_parser("chip", help="any chip on a serial port; only reads")
    chip.add_argument("port", metavar="PORT", help="path, socket:// or rfc2217://")
    chip.add_argument(
        "--seconds",
        type=float,
        default=120.0,
        help="how long to search; reset the chip meanwhile (default 120)",
    )
    for kind in (socket, chip):
        kind.add_argument(
            "--json", type=_new_file, metavar="FILE", help="leave a report in FILE"
        )
    return parser.parse_args(arguments)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as err:
        raise argparse.ArgumentTypeError(str(err)) from err


def _new_file(path: str) -> Path:
    if not Path(path).parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {Path(path).parent}")
    return Path(path)


def _levels(command: str) -> Levels:
    async def measure() -> dict[int, int]:
        process = await asyncio.create_subprocess_exec(
            *shlex.split(command), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        return {int(pin): int(level) for pin, level in json.loads(output).items()}

    return measure


def _grants(options: argparse.Namespace) -> Grants:
    login = None
    if options.broker is not None:
        broker = Address.parse(options.broker, 1883)
        login = Login(
            host=broker.host,
            port=broker.port,
            username=options.username,
            password=options.password_file,
        )
    return Grants(
        address=options.address,
        web_password=options.web_password_file,
        login=login,
        writes=options.writes,
        restart=options.restart,
        relay=options.relay,
        spare_pin=options.spare_pin,
        levels=None if options.levels is None else _levels(options.levels),
    )


def _tell(mask: Mask, verdict: Verdict) -> Verdict:
    """Print a verdict as others may see it, and return that."""
    shown = Verdict(
        says=mask(verdict.says),
        source=verdict.source,
        outcome=verdict.outcome,
        reason=mask(verdict.reason),
    )
    reason = f": {shown.reason}" if shown.reason else ""
    print(f"{shown.outcome:<8}{shown.says}{reason}", flush=True)
    return shown


async def _judge_socket(options: argparse.Namespace) -> dict[str, Any]:
    grants, ending = _grants(options), Ending()
    shown: list[Verdict] = []
    about: dict[str, Any] = {"kind": "socket"}
    try:
        async with socket_at(grants, ending) as socket:
            about |= {
                "chip": socket.chipset,
                "release": socket.version,
                "granted": [need.name for need in grants.needs],
            }
            print(f"A {socket.chipset} with OpenBeken {socket.version}", flush=True)
            mask = socket.mask
            await play(SOCKET_TABLE, socket, lambda v: shown.append(_tell(mask, v)))
    finally:
        for failure in ending.not_put_back:
            print(f"NOT PUT BACK: {failure}", file=sys.stderr, flush=True)
    return about | {
        "not_put_back": [mask(failure) for failure in ending.not_put_back],
        "expectations": [asdict(verdict) for verdict in shown],
    }


async def _judge_chip(options: argparse.Namespace) -> dict[str, Any]:
    shown: list[Verdict] = []
    mask = Mask()
    print("Searching; reset the chip, or give it power again", flush=True)
    async with chip_on(options.port, options.seconds) as chip:
        print(f"This is {chip.kind.value}", flush=True)
        await play(CHIP_TABLE, chip, lambda v: shown.append(_tell(mask, v)))
        about = {"kind": "chip", "chip": chip.kind.name, **chip.told}
    return about | {"expectations": [asdict(verdict) for verdict in shown]}


async def _judge(options: argparse.Namespace) -> int:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    judge = _judge_socket if options.kind == "socket" else _judge_chip
    try:
        report = await judge(options)
    except (BrokenError, SearchError, OSError) as err:
        print(f"error: {err or type(err).__name__}", file=sys.stderr)
        if isinstance(err, OSError):
            print(_WHAT_TO_CHECK[options.kind], file=sys.stderr)
        return 2
    outcomes = [Outcome(row["outcome"]) for row in report["expectations"]]
    counts = {outcome.value: outcomes.count(outcome) for outcome in Outcome}
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    if options.json is not None:
        options.json.write_text(
            json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    failed = Outcome.FAILED in outcomes or report.get("not_put_back")
    return 1 if failed else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge; 0 when everything came out, 1 when not, 2 when nothing answers."""
    with contextlib.suppress(asyncio.CancelledError):
        return asyncio.run(_judge(_parse(arguments)))
    return 130


if __name__ == "__main__":
    sys.exit(main())
