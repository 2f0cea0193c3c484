"""Start the demo, or walk through it without a person: ``python -m demo [--check]``."""

import argparse
import asyncio
from pathlib import Path
import signal
import sys

from . import rig
from .check import check
from .control import SimulatorControl

_FOLDER = rig.ROOT / ".demo"

_WELCOME = """
Home Assistant   {url}
User name        {user}
Password         {password}

Add the integration: Settings, Devices & services, Add integration, OpenBeken.
Serial port      {serial}   (choose "Enter manually")
MQTT broker      {broker} port {port}, user name {broker_user}, password {broker_password}
                 (submit the loopback address twice: here the socket really is on this machine)

The socket is simulated; nobody has to touch it. Ctrl-C ends everything.
"""


async def demo(port: int) -> None:
    """Run everything until Ctrl-C."""
    rig.empty_folder(_FOLDER)
    _FOLDER.mkdir()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    print("Starting broker, simulated socket and Home Assistant …", flush=True)
    world = rig.World(_FOLDER, ["--baud-pacing"], port=port)
    await world.start()
    try:
        async with SimulatorControl(world.simulator.control) as control:
            await control.plug_in(60.0)
        print(_welcome(world), flush=True)
        await stop.wait()
    finally:
        print("Ending everything …", flush=True)
        await world.stop()


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
    arguments = parser.parse_args()
    try:
        if arguments.check:
            asyncio.run(check(Path(_FOLDER)))
        else:
            asyncio.run(demo(arguments.port))
    except rig.StageFailed as err:
        print(err, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
