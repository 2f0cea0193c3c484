"""A simulated chip on a pseudo-terminal, and a link to it."""

from collections.abc import AsyncIterator

import pytest

from custom_components.openbk.pyopenbk.bootrom.chip import Chip
from custom_components.openbk.pyopenbk.bootrom.link import Link
from simulator.chip import SimulatedSocket, simulated_chip
from simulator.flash import Flash

from .rig import PROTECTED, factory_like, linked_chip


@pytest.fixture
async def socket() -> AsyncIterator[SimulatedSocket]:
    """Run a protected chip with factory-like contents, that waits for a link check."""
    async with simulated_chip(Flash(factory_like(), status=PROTECTED)) as socket:
        yield socket


@pytest.fixture
async def chip(socket: SimulatedSocket) -> AsyncIterator[Chip]:
    """Return that chip, linked and identified."""
    async with linked_chip(socket) as chip:
        yield chip


@pytest.fixture
def link(chip: Chip) -> Link:
    """Return the link of that chip."""
    return chip.link
