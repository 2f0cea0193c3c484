"""Our boot ROM client as a tool of its own, without Home Assistant around it."""

import argparse
import asyncio
import importlib
from pathlib import Path
import sys
from typing import Final

from simulator.alone import leave_home_assistant_out

# Its start takes longer than what is measured here.
leave_home_assistant_out()
_LIBRARY: Final = "custom_components.openbk.pyopenbk"
link_module = importlib.import_module(f"{_LIBRARY}.bootrom.link")
chip_module = importlib.import_module(f"{_LIBRARY}.bootrom.chip")
chips = importlib.import_module(f"{_LIBRARY}.beken.chips")


async def work(options: argparse.Namespace) -> None:
    """Link, then read or write."""
    async with link_module.open_link(options.port) as link:
        report = await link.search(20)
        if not report.linked:
            sys.exit(f"no chip: {report.observation}")
        await link.set_baudrate(options.baud)
        chip = await chip_module.LinkedChip.identify(link)
        if options.what == "read":
            options.file.write_bytes(await chip.read(options.start, options.length))
        else:
            data = options.file.read_bytes()[: options.length]
            await chip.program(
                options.start,
                data,
                allowance=chips.BK7231N.flash.restore_of_own_backup,
                last=options.start,
            )


def main() -> None:
    """Parse the arguments and work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("read", "write"))
    parser.add_argument("port")
    parser.add_argument("baud", type=int)
    parser.add_argument("start", type=lambda text: int(text, 0))
    parser.add_argument("length", type=lambda text: int(text, 0))
    parser.add_argument("file", type=Path)
    asyncio.run(work(parser.parse_args()))


if __name__ == "__main__":
    main()
