"""Simulated adapters do what Linux's drivers do: rates, RTS and DTR, latency."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import termios

import pytest
import serialx

from simulator.adapters import ADAPTERS
from simulator.boot import Running
from simulator.chip import ResetWire, SimulatedSocket, simulated_chip
from simulator.modem_lines import Lines
from simulator.uart import LineOptions
from tests.support.waiting import until

RATES = (2_000_000, 1_500_000, 921_600, 460_800, 230_400, 115_200)
RELEASED = serialx.PinState.LOW
ASSERTED = serialx.PinState.HIGH


@asynccontextmanager
async def opened(
    socket: SimulatedSocket, **options: object
) -> AsyncIterator[serialx.BaseSerialTransport]:
    """Open a socket's serial port."""
    transport, _ = await serialx.create_serial_connection(
        asyncio.get_running_loop(),
        asyncio.Protocol,
        socket.path,
        baudrate=115_200,
        **options,
    )
    try:
        yield transport
    finally:
        transport.abort()
        await transport.wait_closed()


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("cp2102", (1_000_000, 1_000_000, 921_600, 460_800, 230_400, 115_200)),
        ("cp2102n", RATES),
        ("pl2303h", (1_228_800, 1_228_800, 921_600, 460_800, 230_400, 115_200)),
        ("pl2303hxd", RATES),
        ("pl2303hxn", RATES),
        ("ch340", RATES),
        ("ft232r", RATES),
        ("8250", (115_200,) * 6),
        ("8250-fast", (115_200, 115_200, 921_600, 460_800, 230_400, 115_200)),
        ("pl011", RATES),
    ],
)
async def test_a_driver_writes_back_the_rate_that_it_uses(
    name: str, rates: tuple[int, ...]
) -> None:
    """What a program reads back, and what the chip at the other end hears."""
    async with (
        simulated_chip(adapter=ADAPTERS[name]) as socket,
        opened(socket) as transport,
    ):
        for asked, expected in zip(RATES, rates, strict=True):
            await transport.reconfigure_port(baudrate=asked)
            assert socket.uart.port.host_baudrate == expected
            speed = termios.tcgetattr(transport.serial.fileno())[5]
            assert (speed == getattr(termios, f"B{asked}")) == (asked == expected)
            await transport.reconfigure_port(baudrate=115_200)


async def test_every_adapter_is_expected_to_do_something() -> None:
    assert len(ADAPTERS) == 10
    for adapter in ADAPTERS.values():
        assert adapter.written_back(115_200, 9_600) == pytest.approx(115_200, rel=0.01)


async def test_lines_rise_at_each_opening_and_fall_at_closing() -> None:
    """As a library sees it that asks for nothing, and one that keeps them."""
    async with simulated_chip(adapter=ADAPTERS["ch340"]) as socket:
        port = socket.uart.port
        assert port.lines == Lines(0)
        undefined = serialx.PinState.UNDEFINED
        async with opened(socket, rts_on_open=undefined, dtr_on_open=undefined) as one:
            await until(lambda: port.lines == Lines.RTS | Lines.DTR)
            await one.set_modem_pins(rts=False, dtr=True)
            await until(lambda: port.lines == Lines.DTR)
            assert (await one.get_modem_pins()).dtr is ASSERTED
            assert (await one.get_modem_pins()).rts is RELEASED
        await until(lambda: port.lines == Lines(0))
        kept = {"rts_on_close": undefined, "dtr_on_close": undefined}
        async with opened(socket, rts_on_open=ASSERTED, dtr_on_open=RELEASED, **kept):
            await until(lambda: port.lines == Lines.RTS)
        # Nothing tells when it is closed but the next opening, which raises both.
        async with opened(socket, rts_on_open=undefined, dtr_on_open=undefined, **kept):
            await until(lambda: port.lines == Lines.RTS | Lines.DTR)


async def test_a_board_s_own_port_has_no_lines() -> None:
    async with (
        simulated_chip(
            adapter=ADAPTERS["pl011"], reset_wire=ResetWire(line=Lines.RTS)
        ) as socket,
        opened(socket) as transport,
    ):
        await transport.set_modem_pins(rts=True)
        assert socket.uart.port.lines == Lines(0)
        assert socket.resets == 1


@pytest.mark.parametrize("line", [Lines.RTS, Lines.DTR])
async def test_a_line_that_is_wired_to_cen_holds_the_chip_in_reset(line: Lines) -> None:
    wire = ResetWire(line=line)
    async with simulated_chip(adapter=ADAPTERS["ch340"], reset_wire=wire) as socket:
        assert socket.running is Running.ROM
        async with opened(socket, rts_on_open=RELEASED, dtr_on_open=RELEASED) as port:
            # Opening has raised it for a moment.
            await until(lambda: socket.resets == 2)
            name = str(line.name).lower()
            await port.set_modem_pins(**{name: True})
            await until(lambda: socket.held_in_reset)
            assert socket.running is Running.NOTHING
            await port.set_modem_pins(**{name: False})
            await until(lambda: socket.resets == 3)
            assert socket.running is Running.ROM
            await port.set_modem_pins(**{name: True})
            await until(lambda: socket.held_in_reset)
        # The last one who closes it drops it: HUPCL.
        await until(lambda: not socket.held_in_reset)
        assert socket.resets == 4


async def test_an_inverted_wire_holds_the_chip_while_nothing_is_asserted() -> None:
    wire = ResetWire(line=Lines.RTS, inverted=True)
    async with simulated_chip(adapter=ADAPTERS["ch340"], reset_wire=wire) as socket:
        assert socket.held_in_reset
        socket.power(on=False)
        socket.power(on=True)
        assert socket.running is Running.NOTHING
        async with opened(socket, rts_on_open=ASSERTED):
            await until(lambda: socket.running is Running.ROM)
        await until(lambda: socket.held_in_reset)
        socket.unplug(0)
        assert socket.running is Running.ROM
        socket.plug()
        assert socket.held_in_reset


@pytest.mark.parametrize(("low", "seconds"), [(False, 0.016), (True, 0.001)])
async def test_low_latency_is_what_the_library_makes_of_an_ft232r(
    low: bool, seconds: float
) -> None:
    adapter = ADAPTERS["ft232r"]
    line = LineOptions(latency=adapter.latency)
    async with (
        simulated_chip(adapter=adapter, line=line) as socket,
        opened(socket, low_latency=low),
    ):
        await until(lambda: socket.uart.latency == seconds)


async def test_an_unknown_adapter_is_refused() -> None:
    with pytest.raises(ValueError, match="no such adapter: abc"):
        await serialx.create_serial_connection(
            asyncio.get_running_loop(),
            asyncio.Protocol,
            "simulated://abc/dev/pts/0",
            baudrate=115_200,
        )
