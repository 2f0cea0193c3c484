"""Start a real Home Assistant beside a simulated socket, or walk through it without a person."""

import argparse
import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
import signal
import socket
import sys
from typing import Any

from tests.support.broker import Broker, BrokerFailed, BrokerUnavailable

from . import rig
from .check import check
from .control import SimulatorControl

_WELCOME = """
Home Assistant   {url}
User name        {user}
Password         {password}

Add the integration: Settings, Devices & services, Add integration, OpenBeken.
Serial port      {serial}   (choose "Enter manually")
MQTT broker      {broker} port {port}, user name {broker_user}, password {broker_password}
                 (press Next twice at the loopback address: here the socket really is on this machine)

The socket is simulated; nobody has to touch it. Ctrl-C ends everything.
"""
# What a shell makes of a program that Ctrl-C ended.
_INTERRUPTED = 130


async def demo(folder: Path, port: int, kind: Sequence[str]) -> None:
    """Run everything until it is cancelled; raises StageFailed where the port is taken."""
    _refuse_taken(port)
    print("Starting broker, simulated socket and Home Assistant …", flush=True)
    world = rig.World(folder, ["--baud-pacing", *kind], port=port)
    await world.start()
    try:
        async with SimulatorControl(world.simulator.control) as control:
            await control.plug_in(60.0)
        print(_welcome(world), flush=True)
        await asyncio.Event().wait()
    finally:
        print("Ending everything …", flush=True)
        await world.stop()


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        # As Home Assistant does: connections that ended a moment ago are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((Broker.host, port))
        except OSError as err:
            raise rig.StageFailed(
                f"Port {port} cannot be used ({err.strerror}). "
                f"End what uses it, or choose another: script/demo --port {port + 1}"
            ) from None


async def _until_signal(work: Coroutine[Any, Any, None]) -> bool:
    """Await ``work``, or end it in order at Ctrl-C; return whether it came to its own end."""
    task = asyncio.ensure_future(work)

    def end() -> None:
        # Once: what it started must not be left behind because somebody is in a hurry.
        if not task.cancelling():
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end)
    try:
        await task
    except asyncio.CancelledError:
        return False
    return True


def _welcome(world: rig.World) -> str:
    return _WELCOME.format(
        url=world.home_assistant.url,
        user=rig.OWNER,
        password=rig.OWNER_PASSWORD,
        serial=world.simulator.serial,
        broker=world.broker.host,
        port=world.broker.port,
        broker_user=rig.BROKER_USER,
        broker_password=rig.BROKER_PASSWORD,
    )


def main() -> int:
    """Run the demo or the check; the exit status is the check's verdict."""
    parser = argparse.ArgumentParser(prog="script/demo", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="walk through everything without a person"
    )
    parser.add_argument(
        "--port", type=int, default=8123, help="Home Assistant's port (default 8123)"
    )
    parser.add_argument(
        "--meter", choices=("bl0937", "bl0942"), default="bl0937", help="what measures"
    )
    parser.add_argument(
        "--chip",
        choices=("bk7231n", "bk7231t"),
        default="bk7231n",
        help="which chip the socket has",
    )
    arguments = parser.parse_args()
    kind = ("--meter", arguments.meter, "--chip", arguments.chip)
    try:
        with rig.own_folder() as folder:
            if not arguments.check:
                asyncio.run(_until_signal(demo(folder, arguments.port, kind)))
                return 0
            return (
                0 if asyncio.run(_until_signal(check(folder, kind))) else _INTERRUPTED
            )
    except (rig.StageFailed, BrokerFailed, BrokerUnavailable) as err:
        print(err, file=sys.stderr)
        return 1
