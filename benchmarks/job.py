"""Where each second goes from a factory socket to its entities in Home Assistant.

The wizard of a real Home Assistant flashes a simulated chip whose line, adapter, flash and boot take
their time, and waits for it on a real broker. All of it goes by simulated time, so the machine and its
load do not count, and neither does the person: every page is answered at once, and the chip is reset
as soon as it does not answer. ``needs`` is what chip and firmware take whatever is done about it.
"""

# Must come first: one names our folder, one takes over time, one fits the harness to core.
import custom_components  # noqa: F401  # isort: skip
from tests.support import clockwork

import tests.support.harness  # noqa: F401  # isort: skip

import argparse
import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
import logging
from pathlib import Path
import tempfile
import time
from typing import Final, NamedTuple, override
from unittest.mock import patch
import warnings

from aiohttp.resolver import AsyncResolver
from homeassistant import loader
from homeassistant.components import mqtt
from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import aiohttp_client, frame
from pytest_homeassistant_custom_component.common import async_test_home_assistant

from custom_components.openbk.live.state import SocketState
from custom_components.openbk.network.firmware import async_keep_index_address
from simulator.adapters import ADAPTERS, Adapter
from simulator.bootrom import Timings
from simulator.chip import SimulatedSocket, simulated_chip
from simulator.chips import Chip
from simulator.clock import Clock
from simulator.factory import FactorySocket
from simulator.firmware import OpenBekenOnSocket
from simulator.flash import Flash
from simulator.meter import Bl0937, Load
from simulator.releases import ReleaseServer
from simulator.uart import LineOptions
from tests.homeassistant.bench import PROTECTED
from tests.homeassistant.road import from_name, walk_on
from tests.homeassistant.wizard import Wizard
from tests.support.addresses import lead_to
from tests.support.broker import Broker
from tests.support.serial_server import proxied, served
from tests.support.simulated_time import SimulatedTimeLoop
from tests.support.sockets import connect_mqtt
from tests.support.waiting import until

from .results import Figure, Results

_RESET_AFTER: Final = 0.2
"""How long link checks may be in vain before somebody pulls CEN low."""
_RESET_LATER: Final = 2.8
"""The same for any adapter: past the rates that a driver refuses, which are visited a second apart."""
_LONGEST: Final = 120.0
"""Within so many seconds after the entry is made everything that can have a value has one."""
_WORTH_TELLING: Final = 0.05
_AWAITED: Final = {
    "relay": ("channel_1",),
    "voltage, current and power": ("voltage", "current", "power"),
    "energy": ("energy",),
    "energy of the days": ("energy_today", "energy_yesterday"),
    "energy of the last hour": ("energy_last_hour",),
}
"""What is shown of a socket, in the order in which it comes."""

_SERVER: Final = "serial server"
_PROXY: Final = "serial proxy"
_ON_THE_NETWORK: Final = (_SERVER, _PROXY)
"""Serial ports that others put on the network: one that knows 115200 baud alone, and one that takes
each rate and confirms it, as those of RFC 2217 and of ESPHome do."""
_ONE_WAY: Final = 0.002
"""Seconds that bytes are on such a network, there and back again: of a Wi-Fi, as an assumption."""
_GATHERED: Final = 0.008
"""How long such a server waits for more before it sends what is no packet: another assumption."""
_USUAL: Final = (
    "ch340",
    "ft232r",
    "cp2102n",
    "cp2102",
    "pl2303h",
    "8250-fast",
    _SERVER,
    _PROXY,
)
_ADAPTERS_TITLE: Final = "The same job with adapters of several kinds"

SECTOR: Final = 0x1000
BLOCK: Final = 0x10000
_TIMES: Final = Timings.realistic()
_READ: Final = _TIMES.read_4k / SECTOR
_BYTE: Final = 10 / 2_000_000
"""Seconds of a byte on a line of 8N1, at the rate that the adapter takes."""


class Stage(NamedTuple):
    """A part of the job: how long it took, and how long it takes at least, in seconds."""

    name: str
    seconds: float
    needs: float


class Timed(Wizard):
    """A walk through the wizard that notes when each page was there."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Begin now."""
        super().__init__(hass)
        self.began = hass.loop.time()
        self.moments: list[tuple[str, float]] = []

    @override
    def look_at(self, result: ConfigFlowResult) -> None:
        super().look_at(result)
        page = self.page
        if not self.moments or self.moments[-1][0] != page:
            self.moments.append((page, self.hass.loop.time() - self.began))

    def moment(self, page: str) -> float:
        """Return when a page was there, in seconds from the beginning."""
        return dict(self.moments)[page]

    def stages(self) -> Iterator[tuple[str, float]]:
        """Yield how long each page was shown, in seconds, that was not left at once."""
        after = [moment for _, moment in self.moments[1:]]
        for (page, moment), end in zip(self.moments, after, strict=False):
            if end - moment >= _WORTH_TELLING:
                yield page, end - moment


@asynccontextmanager
async def home_assistant(broker: Broker) -> AsyncIterator[HomeAssistant]:
    """Start a Home Assistant that is connected to a broker."""
    with (
        tempfile.TemporaryDirectory(prefix="openbk-bench-") as folder,
        # Core's own asks the whole network, which goes by its own time.
        patch.object(aiohttp_client, "_async_make_resolver", lambda _: AsyncResolver()),
    ):
        (Path(folder) / "configuration.yaml").touch()
        async with async_test_home_assistant(config_dir=folder) as hass:
            hass.data.pop(loader.DATA_CUSTOM_COMPONENTS)
            frame.async_setup(hass)
            entry = await connect_mqtt(hass, broker)
            yield hass
            for ours in hass.config_entries.async_entries("openbk"):
                await hass.config_entries.async_unload(ours.entry_id)
            await hass.config_entries.async_unload(entry.entry_id)
            await asyncio.sleep(1)
            await hass.async_stop(force=True)


@asynccontextmanager
async def socket_on_the_bench(
    latency: float | None, adapter: Adapter | None = None, kind: Chip = Chip.BK7231N
) -> AsyncIterator[SimulatedSocket]:
    """Run a factory socket behind an adapter that holds packets back for so many seconds.

    Without one of a kind, it is a bare terminal that takes every rate.
    """
    clock = Clock()
    meter = Bl0937(clock, load=Load(volts=230.0, watts=100.0))
    async with simulated_chip(
        Flash(FactorySocket.numbered(0, chip=kind).dump(), status=PROTECTED),
        chip=kind,
        in_rom=False,
        auto_reset=_RESET_LATER if adapter else _RESET_AFTER,
        firmware=OpenBekenOnSocket(meter),
        line=replace(LineOptions.realistic(), latency=latency),
        timings=Timings.realistic(),
        adapter=adapter,
    ) as socket:
        socket.clock = clock
        yield socket


async def flash(hass: HomeAssistant, port: str, broker: Broker) -> Timed:
    """Walk from the menu to the entry of the socket at a serial port."""
    wizard = await Timed.open(hass, "flash")
    await wizard.submit(adapter=port)
    await walk_on(wizard)
    assert wizard.page == "pins", wizard.pages
    await wizard.choose("use_pins")
    assert await from_name(wizard, broker) == "write_confirm", wizard.errors
    assert await wizard.submit() == "reassemble", wizard.pages
    assert await wizard.submit_suggested() == "created", wizard.pages
    return wizard


async def job(
    latency: float | None,
    adapter: Adapter | None = None,
    *,
    network: str = "",
    kind: Chip = Chip.BK7231N,
) -> tuple[list[Stage], float]:
    """Return the stages of the whole job, and the processor seconds of all that took part.

    ``network`` is what has the serial port, where it is on the network.
    """
    async with AsyncExitStack() as stack:
        broker = stack.enter_context(Broker())
        hass = await stack.enter_async_context(home_assistant(broker))
        releases = ReleaseServer()
        await releases.start()
        stack.push_async_callback(releases.stop)
        await async_keep_index_address(hass, releases.index)
        socket = await stack.enter_async_context(
            socket_on_the_bench(latency, adapter, kind)
        )
        port = socket.path
        if network:
            server = await stack.enter_async_context(served(port, _ONE_WAY))
            port = server.address
            if network == _PROXY:
                port = stack.enter_context(proxied(server))
        lead_to(hass, socket)
        said = await listen_for_mac(hass)
        before = socket.flash.content
        began, cpu = hass.loop.time(), time.process_time()
        wizard = await flash(hass, port, broker)
        needs = {
            "backup": len(before) * (_BYTE + _READ),
            "write": least_write(before, socket.flash.content),
            "wait": said[0] - began - wizard.moment("reassemble"),
        }
        stages = [
            Stage(name, seconds, needs.get(name, 0.0))
            for name, seconds in wizard.stages()
        ]
        stages += await alive(hass)
        return stages, time.process_time() - cpu


async def listen_for_mac(hass: HomeAssistant) -> list[float]:
    """Note when a socket says which one it is: nothing can be taken for it before."""
    said: list[float] = []

    @callback
    def received(_: mqtt.ReceiveMessage) -> None:
        said.append(hass.loop.time())

    await mqtt.async_subscribe(hass, "+/mac", received)
    return said


def least_write(before: bytes, after: bytes) -> float:
    """Return the seconds in which the sectors that became others can be written and verified."""
    blocks = [
        [
            start
            for start in range(block, block + BLOCK, SECTOR)
            if before[start : start + SECTOR] != after[start : start + SECTOR]
        ]
        for block in range(0, len(after), BLOCK)
    ]
    sectors = sum(map(len, blocks))
    erasing = sum(min(_TIMES.erase_64k, len(each) * _TIMES.erase_4k) for each in blocks)
    crc = sectors * SECTOR / _TIMES.crc_bytes_per_second
    return sectors * (SECTOR * _BYTE + _TIMES.program_4k) + erasing + crc


def _has(socket: SocketState, keys: Sequence[str]) -> bool:
    return all(socket.value(key) is not None for key in keys)


async def alive(hass: HomeAssistant) -> list[Stage]:
    """Wait until the entities have values; return how long each kind took after the wizard."""
    made = hass.loop.time()
    (entry,) = hass.config_entries.async_entries("openbk")
    socket = entry.runtime_data
    stages = []
    for name, keys in _AWAITED.items():
        await until(partial(_has, socket, keys), _LONGEST)
        stages.append(Stage(f"then {name}", hass.loop.time() - made, 0.0))
    return stages


def table(latency: float, stages: Sequence[Stage]) -> Iterator[Figure]:
    """Print the stages, and yield them as rows; a share is of what the whole needs at least."""
    title = f"Factory socket to entities, adapter latency {latency:g} ms"
    whole = sum(stage.needs for stage in stages)
    shown = [stage for stage in stages if stage.name.startswith("then ")]
    wizard = [stage for stage in stages if stage not in shown]
    all_of_it = sum(stage.seconds for stage in wizard)
    total = Stage("all of the wizard", all_of_it, whole)
    print(f"\n{title}\n{'seconds':<32}{'openbk':>9}{'needs':>9}{'share':>9}")
    for stage in (*wizard, total, *shown):
        print(
            f"{stage.name:<32}{stage.seconds:9.2f}{stage.needs:9.2f}"
            f"{stage.seconds / whole:9.2f}",
            flush=True,
        )
        yield Figure(
            table=title,
            row=stage.name,
            figures={"openbk": stage.seconds, "needs": stage.needs},
            share=stage.seconds / whole,
        )


def adapters(names: Sequence[str]) -> Iterator[Figure]:
    """Print what the job takes with adapters of several kinds, and yield the rows."""
    print(f"\n{_ADAPTERS_TITLE}")
    print(f"{'seconds':<14}{'backup':>9}{'write':>9}{'all':>9}{'share':>9}")
    rows = [(name, name, Chip.BK7231N) for name in names]
    # Its loader is another one, which is part of the bootloader.
    rows += [(f"{name}, T", name, Chip.BK7231T) for name in names[:1]]
    for row, name, kind in rows:
        adapter = ADAPTERS.get(name)
        latency = adapter.latency if adapter else _GATHERED
        network = "" if adapter else name
        with asyncio.Runner(loop_factory=SimulatedTimeLoop) as runner:
            stages, _ = runner.run(job(latency, adapter, network=network, kind=kind))
        took = {stage.name: stage.seconds for stage in stages}
        whole = sum(stage.needs for stage in stages)
        everything = sum(
            stage.seconds for stage in stages if not stage.name.startswith("then ")
        )
        figures = {
            "backup": took["backup"],
            "write": took["write"],
            "all": everything,
        }
        share = everything / whole
        columns = "".join(f"{value:9.2f}" for value in figures.values())
        print(f"{row:<14}{columns}{share:9.2f}", flush=True)
        yield Figure(table=_ADAPTERS_TITLE, row=row, figures=figures, share=share)


def main() -> None:
    """Print where the time goes."""
    parser = argparse.ArgumentParser(
        prog="script/bench job",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--latency-ms", type=float, nargs="*", default=[1.0, 16.0], metavar="MS")
    kinds = [*ADAPTERS, *_ON_THE_NETWORK]
    add("--adapters", nargs="*", default=_USUAL, choices=kinds, metavar="NAME")
    add("--json", type=Path, metavar="FILE", help="write the rows there as well")
    options = parser.parse_args()
    logging.disable()
    warnings.simplefilter("ignore")
    clockwork.pytest_configure()
    results = Results(bench="job")
    for latency in options.latency_ms:
        with asyncio.Runner(loop_factory=SimulatedTimeLoop) as runner:
            stages, cpu = runner.run(job(latency / 1000))
        results.rows += table(latency, stages)
        print(f"processor, simulation included: {cpu:.1f}")
    if options.adapters:
        results.rows += adapters(options.adapters)
    if options.json:
        results.write(options.json)


if __name__ == "__main__":
    main()
