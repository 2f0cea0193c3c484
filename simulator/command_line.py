"""Run simulated sockets: ``python -m simulator``; one line of JSON says where they are."""

import argparse
import asyncio
import json
import logging
from pathlib import Path
import signal

from .adapters import ADAPTERS
from .chip import PATIENT_PERSON_SECONDS, ResetWire
from .chips import Chip
from .flash import SIZE
from .modem_lines import Lines
from .world import Bench, lay_out, simulated_world


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    add = parser.add_argument
    add("--sockets", type=int, default=1, metavar="N", help="how many (default 1)")
    add(
        "--serial-link",
        type=Path,
        metavar="PATH",
        help="link to the serial port; those of further sockets get .2, .3 and so on",
    )
    add(
        "--dump",
        type=_dump,
        metavar="FILE",
        help="what the flash holds (2 MiB) instead of a factory BLOW 72-074",
    )
    add(
        "--speed",
        type=float,
        default=1.0,
        metavar="N",
        help="let OpenBeken's clock run N times as fast (default 1)",
    )
    add(
        "--baud-pacing",
        action="store_true",
        help="be as slow as a real line, adapter and flash; another rate is garbage",
    )
    add(
        "--latency-ms",
        type=float,
        default=1.0,
        metavar="N",
        help="latency timer of the adapter with --baud-pacing: 1 (default) or 16",
    )
    add(
        "--auto-reset",
        type=float,
        nargs="?",
        const=PATIENT_PERSON_SECONDS,
        metavar="SECONDS",
        help="a patient person touches CEN to GND when link checks come in vain",
    )
    add(
        "--adapter",
        choices=sorted(ADAPTERS),
        help="what the port is, as Linux's driver has it: its rates, RTS and DTR; the port is "
        "then an address of the serial library, for programs that import simulator.driver",
    )
    add(
        "--reset-wire",
        choices=("rts", "dtr"),
        help="which line of the adapter is wired to CEN",
    )
    add("--meter", choices=("bl0937", "bl0942"), default="bl0937", help="what measures")
    add("--chip", choices=("bk7231n", "bk7231t"), default="bk7231n", help="which one")
    add("--control-port", type=int, default=0, metavar="N", help="default: a free one")
    add("--releases-port", type=int, default=0, metavar="N", help="default: a free one")
    return parser.parse_args(arguments)


def _dump(path: str) -> bytes:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if len(content) != SIZE:
        raise argparse.ArgumentTypeError(
            f"{path} has {len(content)} bytes, the flash of a socket has {SIZE}"
        )
    return content


def _lay_out(options: argparse.Namespace, number: int) -> Bench:
    link: Path | None = options.serial_link
    if link is not None and number:
        link = link.with_name(f"{link.name}.{number + 1}")
    return lay_out(
        number,
        options.dump,
        speed=options.speed,
        latency=options.latency_ms / 1000 if options.baud_pacing else None,
        link=link,
        auto_reset=options.auto_reset,
        adapter=ADAPTERS.get(options.adapter),
        reset_wire=ResetWire(line=Lines[options.reset_wire.upper()])
        if options.reset_wire
        else None,
        serial_meter=options.meter == "bl0942",
        chip=Chip(options.chip.upper()),
    )


async def _run(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with simulated_world(
        [_lay_out(options, number) for number in range(options.sockets)],
        control_port=options.control_port,
        releases_port=options.releases_port,
    ) as world:
        print(json.dumps(world.addresses), flush=True)
        await stop.wait()


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM."""
    options = _parse(arguments)
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(_run(options))
    return 0
