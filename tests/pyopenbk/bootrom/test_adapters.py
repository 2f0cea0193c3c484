"""Adapters as they are: rates that a driver refuses, RTS or DTR at CEN, servers that close."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from custom_components.openbk.pyopenbk.bootrom.adapter import (
    Adapter,
    ResetLine,
    ResetWire,
)
from custom_components.openbk.pyopenbk.bootrom.chip import LinkedChip
from custom_components.openbk.pyopenbk.bootrom.errors import (
    BaudRateLostError,
    LinkLostError,
    PortTrouble,
    PortUnavailableError,
)
from custom_components.openbk.pyopenbk.bootrom.link import open_link
from custom_components.openbk.pyopenbk.bootrom.search import Observation
from simulator.adapters import ADAPTERS
from simulator.boot import Running
from simulator.chip import ResetWire as SimulatedWire, SimulatedSocket, simulated_chip
from simulator.commands import Command
from simulator.faults import Fault, FaultName
from simulator.flash import Flash
from simulator.modem_lines import Lines
from simulator.uart import LineOptions
from tests.support.waiting import until

from .rig import factory_like

# The best rate that each adapter and the chip have in common.
BEST = {
    "cp2102": 921_600,
    "cp2102n": 2_000_000,
    "pl2303h": 921_600,
    "pl2303hxd": 2_000_000,
    "pl2303hxn": 2_000_000,
    "ch340": 2_000_000,
    "ft232r": 2_000_000,
    "8250": 115_200,
    "8250-fast": 921_600,
    "pl011": 2_000_000,
}
REFUSED = {
    "cp2102": {2_000_000, 1_500_000},
    "pl2303h": {2_000_000, 1_500_000},
    "8250": {2_000_000, 1_500_000, 921_600, 460_800, 230_400},
    "8250-fast": {2_000_000, 1_500_000},
}
EXACT = LineOptions(baudrate_matters=True)


def test_every_adapter_is_tried() -> None:
    assert BEST.keys() == ADAPTERS.keys()


# Rates that the driver does not take


@pytest.mark.parametrize("name", BEST)
async def test_a_chip_is_found_and_read_over_every_adapter(name: str) -> None:
    """Nobody resets it for a while: the search goes past each rate that a driver refuses."""
    flash = Flash(factory_like(), status=0x4004)
    adapter = Adapter()
    async with (
        simulated_chip(
            flash, line=EXACT, adapter=ADAPTERS[name], in_rom=False
        ) as socket,
        open_link(socket.path, adapter=adapter) as link,
    ):
        await socket.wait_until(Running.NOTHING)
        report = await link.search(1.2 * len(REFUSED.get(name, {0})))
        assert not report.linked
        assert report.observation is Observation.NOTHING
        assert adapter.unusable == REFUSED.get(name, set())
        asyncio.get_running_loop().call_later(0.3, socket.reset)
        assert (await link.search(10)).linked
        assert await link.set_baudrate() == BEST[name]
        assert socket.uart.baudrate == socket.uart.port.host_baudrate == BEST[name]
        chip = await LinkedChip.identify(link)
        assert await chip.read(0x11000, 0x8000) == flash.read(0x11000, 0x8000)


@pytest.mark.parametrize("name", BEST)
async def test_a_chip_that_waits_is_brought_to_the_best_rate_of_the_adapter(
    name: str,
) -> None:
    """The driver refuses in the midst of a change of the rate; the chip is told nothing of it."""
    async with (
        simulated_chip(line=EXACT, adapter=ADAPTERS[name]) as socket,
        open_link(socket.path) as link,
    ):
        assert (await link.search(3)).linked
        assert await link.set_baudrate() == BEST[name]
        assert link.adapter.not_understood is None
        await LinkedChip.identify(link)
        assert link.failures == 0


async def test_where_every_rate_but_one_is_refused_that_one_stays() -> None:
    """A PL2303 takes another rate instead of the one that it does not have."""
    async with (
        simulated_chip(line=EXACT, adapter=ADAPTERS["pl2303h"]) as socket,
        open_link(socket.path, baudrates=(2_000_000,)) as link,
    ):
        assert (await link.search(3)).linked
        assert await link.set_baudrate() == 115_200
        assert socket.uart.port.host_baudrate == 115_200
        await LinkedChip.identify(link)


# What a try has taught


@pytest.mark.parametrize(
    ("limit", "tried"),
    [
        (115_200, [2_000_000, 460_800]),
        (500_000, [2_000_000]),
        (921_600, [2_000_000]),
    ],
)
async def test_a_new_try_does_not_repeat_what_the_last_one_taught(
    limit: int, tried: list[int]
) -> None:
    """Every rate is accepted, and above the limit all bytes are rubbish; each try opens anew."""
    adapter = Adapter()
    lost = []
    async with simulated_chip(line=EXACT, adapter=ADAPTERS["ch340"]) as socket:
        socket.inject(Fault(name=FaultName.BAUDRATE_LIMIT, baudrate=limit))
        for _ in range(4):
            async with open_link(socket.path, adapter=adapter, patience=0.2) as link:
                socket.reset()
                assert (await link.search(3)).linked
                try:
                    rate = await link.set_baudrate()
                except BaudRateLostError as err:
                    lost.append((err.rate, adapter.not_understood))
                    continue
                await LinkedChip.identify(link)
                assert rate <= limit
                break
        else:
            pytest.fail("no try succeeded")
    assert lost == [(rate, rate) for rate in tried]


async def test_a_rate_with_damage_is_not_tried_again_by_the_next_link() -> None:
    adapter = Adapter()
    async with simulated_chip(line=EXACT, adapter=ADAPTERS["ch340"]) as socket:
        socket.inject(Fault(name=FaultName.BIT_ERRORS, baudrate=921_600, count=1500))
        async with open_link(socket.path, adapter=adapter, patience=0.1) as link:
            await link.search(3)
            assert await link.set_baudrate() == 921_600
        assert adapter.not_understood == 1_500_000
        socket.clear()
        socket.reset()
        async with open_link(socket.path, adapter=adapter) as link:
            await link.search(3)
            assert await link.set_baudrate() == 921_600


# RTS or DTR at CEN


def wired(name: str, inverted: bool = False) -> dict[str, object]:
    """Return the options of a chip whose CEN a line of a CH340 pulls."""
    wire = SimulatedWire(line=Lines[name.upper()], inverted=inverted)
    return {"adapter": ADAPTERS["ch340"], "reset_wire": wire}


@asynccontextmanager
async def bench(
    name: str, *, inverted: bool = False, in_rom: bool = False
) -> AsyncIterator[tuple[SimulatedSocket, Adapter]]:
    """Run a chip that needs a reset, and an adapter that somebody says is wired to it."""
    async with simulated_chip(
        Flash(factory_like(), status=0x4004),
        line=EXACT,
        in_rom=in_rom,
        **wired(name, inverted),
    ) as socket:
        yield socket, Adapter(reset_wired=True)


@pytest.mark.parametrize("in_rom", [False, True], ids=["running", "in its boot ROM"])
@pytest.mark.parametrize("inverted", [False, True], ids=["usual", "inverted"])
@pytest.mark.parametrize("name", ["rts", "dtr"])
async def test_the_line_that_resets_the_chip_is_found_by_trying(
    name: str, inverted: bool, in_rom: bool
) -> None:
    async with bench(name, inverted=inverted, in_rom=in_rom) as (socket, adapter):
        async with open_link(socket.path, adapter=adapter) as link:
            while not (report := await link.search(2)).linked:
                assert report.observation is Observation.NOTHING
            assert adapter.reset_wire == ResetWire(ResetLine(name), inverted)
            assert not socket.held_in_reset
            resets = socket.resets
            assert await link.set_baudrate() == 2_000_000
            chip = await LinkedChip.identify(link)
            assert await chip.read(0, 0x4000) == socket.flash.read(0, 0x4000)
            # Changing the rate has set no line.
            assert socket.resets == resets
        await until(lambda: not socket.uart.port.lines or inverted)
        assert not socket.held_in_reset

        # The next link knows it from the beginning.
        async with open_link(socket.path, adapter=adapter) as link:
            before = socket.resets
            assert (await link.search(2)).linked
            # Once by opening the port, which raises both; and once on purpose.
            assert before - resets <= 1
            assert socket.resets - before == 1
            await LinkedChip.identify(link)
            await link.boot()
        await until(lambda: socket.resets > before + 1)
        if not in_rom:
            await until(lambda: socket.running is not Running.ROM)
        assert not socket.held_in_reset


@pytest.mark.parametrize("name", ["rts", "dtr"])
async def test_lines_that_nobody_spoke_of_are_never_asserted(name: str) -> None:
    """A relay, an ESP's reset, anything may sit there."""
    async with bench(name) as (socket, _):
        async with open_link(socket.path) as link:
            # Linux does it at each opening.
            await until(lambda: socket.resets == 2)
            await socket.wait_until(Running.NOTHING)
            assert not (await link.search(2.5)).linked
            socket.reset()
            assert (await link.search(5)).linked
            await link.set_baudrate()
            await LinkedChip.identify(link)
            await link.boot()
            assert (await link.search(1)).linked
            socket.hang()
            with pytest.raises(LinkLostError):
                await link.crc(0, 0x1000)
            assert socket.resets == 3
        await until(lambda: not socket.uart.port.lines)
        assert socket.resets == 3


async def test_a_hand_that_resets_the_chip_meanwhile_is_not_taken_for_the_wire() -> (
    None
):
    """Whoever says that a line is wired may be wrong: it is found, and no line is blamed for it."""
    async with simulated_chip(in_rom=False, adapter=ADAPTERS["ch340"]) as socket:
        adapter = Adapter(reset_wired=True)
        await socket.wait_until(Running.NOTHING)
        async with open_link(socket.path, adapter=adapter) as link:
            for pause in (0.3, 0.8, 1.4, 2.0):
                asyncio.get_running_loop().call_later(pause, socket.reset)
            while not (await link.search(2)).linked:
                pass
            assert adapter.reset_wire is None
            await LinkedChip.identify(link)
        assert socket.uart.port.lines == Lines(0)


async def test_a_wire_that_was_moved_to_the_other_line_is_found_there() -> None:
    async with bench("dtr") as (socket, adapter):
        adapter.reset_wire = ResetWire(ResetLine.RTS)
        async with open_link(socket.path, adapter=adapter) as link:
            await socket.wait_until(Running.NOTHING)
            while not (await link.search(2)).linked:
                pass
        assert adapter.reset_wire == ResetWire(ResetLine.DTR)


async def test_a_rate_at_which_the_chip_is_lost_costs_no_hand_where_a_wire_resets_it() -> (
    None
):
    async with bench("rts") as (socket, adapter):
        socket.inject(Fault(name=FaultName.BAUDRATE_LIMIT, baudrate=115_200))
        async with open_link(socket.path, adapter=adapter, patience=0.4) as link:
            while not (await link.search(2)).linked:
                pass
            assert await link.set_baudrate() == 115_200
            assert adapter.not_understood == 460_800
            assert link.linked
            await LinkedChip.identify(link)


async def test_a_chip_that_hangs_is_reset_by_its_wire_and_gone_on_with() -> None:
    async with (
        bench("dtr") as (socket, adapter),
        open_link(socket.path, adapter=adapter, patience=0.4) as link,
    ):
        while not (await link.search(2)).linked:
            pass
        await link.set_baudrate(921_600)
        chip = await LinkedChip.identify(link)
        socket.inject(Fault(name=FaultName.HANG, command=Command.READ_4K, nth=3))
        assert await chip.read(0, 0x10000) == socket.flash.read(0, 0x10000)
        assert link.baudrate == 921_600


@pytest.mark.parametrize("seconds", [0.05, 0.3, 0.55, 0.62, 0.7, 1.2])
@pytest.mark.parametrize("known", [False, True])
async def test_no_line_stays_asserted_when_a_search_is_cancelled(
    known: bool, seconds: float
) -> None:
    """The wizard is closed, or Home Assistant stops, while a line is pulled."""

    async def search(path: str, adapter: Adapter) -> None:
        async with open_link(path, adapter=adapter) as link:
            while True:
                await link.search(2)

    async with bench("rts") as (socket, adapter):
        socket.inject(Fault(name=FaultName.DISCONNECTED))
        if known:
            adapter.reset_wire = ResetWire(ResetLine.RTS)
        task = asyncio.create_task(search(socket.path, adapter))
        await asyncio.sleep(seconds)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: socket.uart.port.lines == Lines(0))
        assert not socket.held_in_reset


async def test_no_line_stays_asserted_when_the_adapter_is_pulled() -> None:
    async with bench("rts") as (socket, adapter):
        adapter.reset_wire = ResetWire(ResetLine.RTS)
        socket.inject(Fault(name=FaultName.DISCONNECTED))
        async with open_link(socket.path, adapter=adapter) as link:
            search = asyncio.create_task(link.search(5))
            await until(lambda: socket.held_in_reset)
            await until(lambda: not socket.held_in_reset)
            await until(lambda: socket.held_in_reset)
            socket.unplug(0)
            with pytest.raises(PortUnavailableError) as caught:
                await search
            assert caught.value.reason is PortTrouble.UNPLUGGED
        assert not socket.held_in_reset


# Servers in the network, and ports that others provide


@asynccontextmanager
async def closing_server() -> AsyncIterator[int]:
    """Serve a TCP port that closes each connection at once, as one does whose port is in use."""

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("scheme", ["socket", "tcp", "rfc2217"])
async def test_a_server_that_closes_at_once_is_no_adapter_that_went_away(
    scheme: str,
) -> None:
    async with closing_server() as port:
        with pytest.raises(PortUnavailableError) as caught:
            async with open_link(f"{scheme}://127.0.0.1:{port}") as link:
                await link.search(2)
    assert caught.value.reason is PortTrouble.CLOSED


async def test_a_server_that_does_not_speak_rfc_2217_is_told() -> None:
    async def swallow(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(PortUnavailableError) as caught:
            async with open_link(f"rfc2217://127.0.0.1:{port}"):
                pass
    assert caught.value.reason is PortTrouble.UNREACHABLE
