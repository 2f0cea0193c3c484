"""What the tests of the boot ROM client have in common."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
import random
from typing import override

from custom_components.openbk.pyopenbk.bootrom.chip import LinkedChip
from custom_components.openbk.pyopenbk.bootrom.link import open_link
from simulator.chip import SimulatedSocket
from simulator.commands import Command
from simulator.faults import FaultName, Faults, Piece
from simulator.flash import SIZE

# What a Tuya firmware leaves in the status registers: nearly everything is protected.
PROTECTED = 0x4004

# After these the chip or its port is gone.
LASTING_FAULTS = {
    FaultName.HANG,
    FaultName.POWER_LOST,
    FaultName.UNPLUGGED,
    FaultName.UNPLUGGED_IN_REPLY,
}


@cache
def factory_like() -> bytes:
    """Return flash with code, gaps of one sector to several blocks, and data in between."""
    content = bytearray(b"\xff") * SIZE
    chooser = random.Random(7)
    for start, end in (
        (0x000000, 0x011000),
        (0x011000, 0x0F4000),
        (0x0F5000, 0x124000),
        (0x1D0000, 0x1D3000),
        (0x1E6000, 0x1E7000),
        (0x1EE000, 0x1F3000),
        (0x1FF000, 0x200000),
    ):
        content[start:end] = chooser.randbytes(end - start)
    return bytes(content)


@asynccontextmanager
async def linked_chip(
    socket: SimulatedSocket, *, highest: int = 2_000_000, patience: float = 0.2
) -> AsyncIterator[LinkedChip]:
    """Link and identify a socket's chip; time-outs are a fifth of what they would be."""
    async with open_link(socket.path, patience=patience) as link:
        report = await link.search(5)
        assert report.linked
        await link.set_baudrate(highest)
        yield await LinkedChip.identify(link)


class Counted(Faults):
    """Faults that count the answers on their way: what the chip was asked."""

    def __init__(self) -> None:
        """Start with none."""
        super().__init__()
        self.answers: Counter[Command] = Counter()

    @override
    def reply(self, command: Command, data: bytes) -> list[Piece]:
        self.answers[command] += 1
        return super().reply(command, data)
