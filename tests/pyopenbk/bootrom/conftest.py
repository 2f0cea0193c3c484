"""A simulated chip on a pseudo-terminal, and a link to it."""

from collections.abc import AsyncIterator

import pytest

from custom_components.openbk.pyopenbk.bootrom.chip import LinkedChip
from custom_components.openbk.pyopenbk.bootrom.link import Link
from simulator.bootrom import Timings
from simulator.chip import SimulatedSocket, simulated_chip
from simulator.flash import Flash

from .rig import PROTECTED, Counted, factory_like, linked_chip


@pytest.fixture
def faults() -> Counted:
    """Return the faults of the socket, which also count what its chip answers."""
    return Counted()


@pytest.fixture
async def socket(faults: Counted) -> AsyncIterator[SimulatedSocket]:
    """Run a protected chip with factory-like contents, that waits for a link check."""
    flash = Flash(factory_like(), status=PROTECTED)
    timings = Timings(silence=0.1)
    async with simulated_chip(flash, timings=timings, faults=faults) as socket:
        yield socket


@pytest.fixture
async def chip(socket: SimulatedSocket) -> AsyncIterator[LinkedChip]:
    """Return that chip, linked and identified."""
    async with linked_chip(socket) as chip:
        yield chip


@pytest.fixture
def link(chip: LinkedChip) -> Link:
    """Return the link of that chip."""
    return chip.link
