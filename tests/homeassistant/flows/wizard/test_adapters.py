"""Adapters as they are, through the wizard: refused rates, RTS or DTR at CEN, odd addresses."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Final, override

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import Event, HomeAssistant
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import serialx

from custom_components.openbk.flows import serial_port
from custom_components.openbk.flows.wizard.link import SEARCHING, Searching
from simulator.adapters import ADAPTERS
from simulator.boot import Running
from simulator.chip import ResetWire, SimulatedSocket
from simulator.code_image import application
from simulator.commands import Command
from simulator.driver import DrivenSerial, DrivenSerialTransport
from simulator.faults import Fault, FaultName
from simulator.modem_lines import Lines
from simulator.releases import ReleaseServer
from simulator.uart import LineOptions
from tests.homeassistant.bench import blow_dump, chip, is_free, open_port
from tests.homeassistant.road import take, to_chip, to_confirmation, walk_on
from tests.homeassistant.wizard import Wizard
from tests.support.broker import Broker
from tests.support.serial_server import SerialServer, served
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]

walks = pytest.mark.walks
EXACT = LineOptions(baudrate_matters=True)


@pytest.fixture(autouse=True)
def own_folder(hass: HomeAssistant, tmp_path: Path) -> None:
    """Keep the backups of each test in a folder of its own."""
    hass.config.config_dir = str(tmp_path)


@asynccontextmanager
async def bench(name: str, **options: object) -> AsyncIterator[SimulatedSocket]:
    """Run a factory chip that needs a reset, behind an adapter."""
    async with chip(
        blow_dump(), line=EXACT, adapter=ADAPTERS[name], in_rom=False, **options
    ) as socket:
        if not socket.held_in_reset:
            await socket.wait_until(Running.FACTORY)
        yield socket


@asynccontextmanager
async def touching(
    hass: HomeAssistant, reset: Callable[[], None], *, after: float = 0.4
) -> AsyncIterator[list[float]]:
    """Touch CEN once in each search, some time after it has begun."""
    touched: list[float] = []

    def touch() -> None:
        touched.append(hass.loop.time())
        reset()

    async def watch() -> None:
        searched = False
        while True:
            flows = hass.config_entries.flow.async_progress_by_handler("openbk")
            searches = any(flow["step_id"] == "search" for flow in flows)
            if searches and not searched:
                await asyncio.sleep(after)
                touch()
            searched = searches
            await asyncio.sleep(0.05)

    task = asyncio.create_task(watch())
    try:
        yield touched
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


# Rates that the driver does not take


@pytest.mark.parametrize(("name", "seconds"), [("cp2102", 2.8), ("8250", 6.0)])
async def test_a_socket_is_read_over_an_adapter_that_refuses_rates(
    hass: HomeAssistant, name: str, seconds: float
) -> None:
    """The search outlasts each rate that the driver refuses, and the port is not said to be gone."""
    async with bench(name) as socket:
        # Past all rates that it refuses, which are visited a second apart.
        async with touching(hass, socket.reset, after=seconds):
            wizard = await to_chip(hass, socket.path)
        assert wizard.page == "pins", (wizard.pages, wizard.placeholders)
        assert wizard.pages[-3:] == ["search", "backup", "pins"]
        await wizard.close()


# What a try has taught


@walks("backup -> failed_baud_rate -> search -> backup")
@pytest.mark.parametrize(
    ("limit", "tries", "after"), [(115_200, 3, 1.0), (500_000, 2, 4.0)]
)
async def test_a_new_try_is_slower_than_the_one_before(
    hass: HomeAssistant, limit: int, tries: int, after: float
) -> None:
    """Every rate is taken, and above the limit the bytes are rubbish, as over long wires."""
    async with bench("ch340") as socket:
        socket.inject(Fault(name=FaultName.BAUDRATE_LIMIT, baudrate=limit))
        async with touching(hass, socket.reset, after=after) as touched:
            wizard = await to_chip(hass, socket.path)
            for rate in ("2,000,000", "460,800")[: tries - 1]:
                assert wizard.page == "failed_baud_rate"
                assert wizard.placeholders["rate"] == rate
                await wizard.start("retry")
                assert wizard.page == "search"
                assert f"{rate} baud" in wizard.placeholders["lesson"]
                await wizard.settle()
        assert wizard.page == "pins", wizard.pages
        assert len(touched) == tries
        await wizard.close()


@walks("failed_baud_rate -> *")
async def test_each_way_on_from_a_rate_that_was_too_fast(hass: HomeAssistant) -> None:
    async with bench("cp2102") as socket:
        for offer in ("check_wiring", "port", "leave", "retry"):
            socket.inject(Fault(name=FaultName.BAUDRATE_LIMIT, baudrate=230_400))
            socket.reset()
            await socket.wait_until(Running.FACTORY)
            async with touching(hass, socket.reset):
                wizard = await to_chip(hass, socket.path)
                assert wizard.page == "failed_baud_rate"
                expected = "left_untouched" if offer == "leave" else "pins"
                assert await take(wizard, offer) == expected
            if offer != "leave":
                await wizard.close()
            async with asyncio.timeout(5):
                while not await is_free(socket.path):
                    await asyncio.sleep(0.05)


async def test_what_was_heard_before_is_told_in_the_next_search(
    hass: HomeAssistant,
) -> None:
    hass.data[SEARCHING] = Searching(patience=1.5, turn=0.5)
    async with bench("ch340") as socket:
        socket.power(on=False)
        socket.inject(Fault(name=FaultName.ECHO))
        wizard = await open_port(hass, socket.path)
        assert await walk_on(wizard) == "seen_echo"
        socket.clear()
        await wizard.start("search")
        assert wizard.placeholders["heard"].startswith("Listening")
        await until(lambda: "Nothing can be heard" in live(hass)["heard"])
        assert "Heard earlier: Everything that is sent" in live(hass)["heard"]
        assert await wizard.settle() == "seen_nothing"
        await wizard.close()


# The search itself


def live(hass: HomeAssistant) -> dict[str, str]:
    """Return what the page of the only wizard names at this moment."""
    manager = hass.config_entries.flow
    (flow,) = manager.async_progress_by_handler("openbk")
    result = manager._progress[flow["flow_id"]].cur_step  # noqa: SLF001
    return dict(result["description_placeholders"])


async def test_the_search_says_all_the_time_what_it_hears(hass: HomeAssistant) -> None:
    """Wires come off and touch; the page follows, and the chip is found in the end."""
    hass.data[SEARCHING] = Searching(turn=0.4)
    moved: list[str] = []

    def note(event: Event) -> None:
        moved.append(event.data["flow_id"])

    hass.bus.async_listen("data_entry_flow_progressed", note)
    async with bench("ch340") as socket:
        wizard = await open_port(hass, socket.path)
        await wizard.start({"reset_wired": False})
        assert wizard.page == "search"
        assert wizard.placeholders["elapsed"] == "0:00"
        assert wizard.placeholders["patience"] == "5:00"
        assert "Touch CEN" in wizard.placeholders["how_to_reset"]
        for fault, text in (
            (None, "Nothing can be heard at the moment."),
            (Fault(name=FaultName.ECHO), "RX and TX touch"),
            (Fault(name=FaultName.BOOT_LOG), "`V:BK7231N_1.0.1"),
            (Fault(name=FaultName.NOISE, count=2000), "Check that GND"),
        ):
            socket.clear()
            if fault is not None:
                socket.inject(fault)
            await until(lambda: text in live(hass)["heard"])  # noqa: B023
        await until(lambda: live(hass)["elapsed"] >= "0:02")
        assert len(moved) >= 3
        socket.clear()
        socket.reset()
        assert await wizard.settle() == "pins"
        # One page, not one for each turn.
        assert wizard.pages.count("search") == 1
        await wizard.close()


async def test_closing_the_dialog_ends_a_search(hass: HomeAssistant) -> None:
    async with bench("ch340") as socket:
        wizard = await open_port(hass, socket.path)
        await wizard.start({"reset_wired": False})
        await until(lambda: live(hass)["elapsed"] >= "0:01")
        await wizard.close()
        async with asyncio.timeout(2):
            while not await is_free(socket.path):
                await asyncio.sleep(0.05)


# RTS or DTR at CEN


@pytest.mark.parametrize(("line", "inverted"), [(Lines.RTS, False), (Lines.DTR, True)])
async def test_an_adapter_that_resets_the_chip_spares_every_touch(
    hass: HomeAssistant,
    mosquitto: Broker,
    releases: ReleaseServer,
    line: Lines,
    inverted: bool,
) -> None:
    """From the search over a failure in the midst of writing to the socket that starts by itself."""
    async with bench(
        "cp2102n", reset_wire=ResetWire(line=line, inverted=inverted)
    ) as socket:
        # Opening the port would reset a chip that is wired already.
        socket.power(on=False)
        wizard = await open_port(hass, socket.path)
        await wizard.start({"reset_wired": True})
        socket.power(on=True)
        assert wizard.page == "search"
        assert "RTS and DTR in turn" in wizard.placeholders["how_to_reset"]
        assert wizard.placeholders["reset_now"] == ""
        assert await wizard.settle() == "pins"
        assert not socket.held_in_reset
        await to_confirmation(wizard, mosquitto, releases)
        socket.inject(
            Fault(
                name=FaultName.POWER_LOST, command=Command.WRITE_4K, nth=20, seconds=9
            )
        )
        await wizard.submit()
        assert wizard.page == "failed_link_lost_writing"
        await until(lambda: socket.powered)
        await wizard.start("retry")
        assert f"through {line.name}" in wizard.placeholders["how_to_reset"]
        assert await wizard.settle() == "reassemble"
        # It has started what was written, and nothing holds it.
        await socket.wait_until(Running.OPENBEKEN)
        assert not socket.held_in_reset
        assert bool(socket.uart.port.lines & line) == inverted
        await wizard.close()
        assert not socket.held_in_reset


async def test_no_line_is_asserted_once_the_wizard_is_over(
    hass: HomeAssistant,
) -> None:
    wire = ResetWire(line=Lines.RTS)
    async with bench("ch340", reset_wire=wire) as socket:
        socket.inject(Fault(name=FaultName.DISCONNECTED))
        hass.data[SEARCHING] = Searching(patience=3.0, turn=0.5)
        for how in ("closed", "failed", "stopped"):
            await until(lambda: serial_port.async_wizard_at_work(hass) is None)
            wizard = await open_port(hass, socket.path)
            await wizard.start({"reset_wired": True})
            await until(lambda: socket.held_in_reset)
            if how == "closed":
                await wizard.close()
            elif how == "stopped":
                # What Home Assistant does with tasks in the background when it stops.
                for task in tuple(hass._background_tasks):  # noqa: SLF001
                    if isinstance(task, asyncio.Task) and "search" in task.get_name():
                        task.cancel()
            else:
                assert await wizard.settle() == "seen_nothing"
                assert await wizard.choose("leave") == "left_untouched"
            await until(lambda: not socket.uart.port.lines)
            assert not socket.held_in_reset, how


async def test_nothing_toggles_unless_somebody_says_so(hass: HomeAssistant) -> None:
    async with bench("ch340", reset_wire=ResetWire(line=Lines.DTR)) as socket:
        socket.power(on=False)
        wizard = await open_port(hass, socket.path)
        socket.power(on=True)
        await until(lambda: socket.uart.port.lines == Lines(0))
        await socket.wait_until(Running.FACTORY)
        resets = socket.resets
        await wizard.start({"reset_wired": False})
        await until(lambda: live(hass)["elapsed"] >= "0:03")
        assert socket.resets == resets
        socket.reset()
        assert await wizard.settle() == "pins"
        assert socket.resets == resets + 1
        await wizard.close()


# Ports


ADDRESSES: Final = (
    ("192.168.1.5:8888", "port_network", "socket://192.168.1.5:8888"),
    ("rack.lan:4001", "port_network", "socket://rack.lan:4001"),
    ("[fd00::5]:8888", "port_network", "socket://[fd00::5]:8888"),
    ("192.168.1.5", "port_network", "socket://192.168.1.5:8888"),
    ("COM3", "port_other_computer", ""),
    ("com12:", "port_other_computer", ""),
    ("/dev/cu.usbserial-110", "port_other_computer", ""),
    ("esphome-hass://esphome/nobody?port_name=UART", "port_missing", ""),
    ("/dev/ttyUSB99", "port_missing", ""),
    ("nonsense://1", "port_unsupported", ""),
)


async def test_an_address_that_cannot_be_one_is_told_what_it_is(
    hass: HomeAssistant,
) -> None:
    wizard = await Wizard.open(hass, "flash")
    for address, error, suggestion in ADDRESSES:
        await wizard.submit(adapter=address)
        assert wizard.errors == {"adapter": error}, address
        assert wizard.placeholders["suggestion"] == suggestion, address
    await wizard.close()


def esphome(
    hass: HomeAssistant, state: ConfigEntryState, **kinds: str | None
) -> MockConfigEntry:
    """Put an entry of ESPHome there, whose device has serial ports of these kinds."""
    entry = MockConfigEntry(domain="esphome", title="Bench", state=state)
    proxies = [
        SimpleNamespace(name=name, port_type=kind and SimpleNamespace(name=kind))
        for name, kind in kinds.items()
    ]
    info = SimpleNamespace(serial_proxies=proxies)
    entry.runtime_data = SimpleNamespace(device_info=info)
    entry.add_to_hass(hass)
    return entry


ESPHOME_PORTS: Final = (
    (ConfigEntryState.SETUP_RETRY, {}, "port_name=UART", "port_not_ready"),
    (
        ConfigEntryState.LOADED,
        {"UART": "RS232"},
        "port_name=UART",
        "port_high_voltage",
    ),
    (
        ConfigEntryState.LOADED,
        {"UART": "RS485", "OTHER": "TTL"},
        "port_name=UART",
        "port_high_voltage",
    ),
    (
        ConfigEntryState.LOADED,
        {"A": "RS232", "B": "RS485"},
        "port_udev_id=usb-x",
        "port_high_voltage",
    ),
    # These get as far as the port itself, which only a loaded ESPHome provides.
    (ConfigEntryState.LOADED, {"UART": "TTL"}, "port_name=UART", "port_not_ready"),
    (
        ConfigEntryState.LOADED,
        {"A": "RS232", "USB": "USB_SERIAL"},
        "port_udev_id=usb-x",
        "port_not_ready",
    ),
    (ConfigEntryState.LOADED, {"UART": None}, "port_name=UART", "port_not_ready"),
)


async def test_a_port_of_an_esphome_device_is_ready_and_of_a_kind_that_does_no_harm(
    hass: HomeAssistant,
) -> None:
    assert await async_setup_component(hass, "usb", {})
    wizard = await Wizard.open(hass, "flash")
    for state, kinds, query, error in ESPHOME_PORTS:
        entry = esphome(hass, state, **kinds)
        await wizard.submit(adapter=f"esphome-hass://esphome/{entry.entry_id}?{query}")
        assert wizard.errors == {"adapter": error}, kinds
        entry.mock_state(hass, ConfigEntryState.NOT_LOADED)
    # What was tried before keeps nobody from a port that works.
    async with bench("ch340") as socket:
        async with touching(hass, socket.reset):
            await wizard.submit(adapter=socket.path)
            assert await walk_on(wizard) == "pins"
        await wizard.close()


async def test_the_library_of_esphome_logs_no_frames(
    caplog: pytest.LogCaptureFixture,
) -> None:
    from custom_components.openbk.pyopenbk.bootrom.discretion import frames_stay_private  # noqa: PLC0415

    logger = logging.getLogger("aioesphomeapi.connection")
    logger.setLevel(logging.DEBUG)
    with caplog.at_level(logging.DEBUG):
        with frames_stay_private("esphome-hass://esphome/1?port_name=UART"):
            logger.debug("Got message: secret word")
            logger.warning("lost")
        logger.debug("nothing private")
        with frames_stay_private("/dev/ttyUSB0"):
            logger.debug("of another device")
    assert "secret word" not in caplog.text
    assert "lost" in caplog.text
    assert "nothing private" in caplog.text
    assert "of another device" in caplog.text


class Breakable:
    """A port that can be used at first, and then no more."""

    address: str

    async def break_off(self) -> None:
        """Let the port fail from now on."""

    async def mend(self) -> None:
        """Let it work again."""


class BusyServer(Breakable):
    """Another program has connected to the server."""

    def __init__(self, server: SerialServer) -> None:
        self._server = server
        self.address = server.address

    @override
    async def break_off(self) -> None:
        self._server.busy = True
        self._server.drop()

    @override
    async def mend(self) -> None:
        self._server.busy = False


class ServerWithoutPower(Breakable):
    """The server is switched off; that its connections close is seen first."""

    def __init__(self, server: SerialServer) -> None:
        self._server = server
        self.address = server.address

    @override
    async def break_off(self) -> None:
        self._server.stop()

    @override
    async def mend(self) -> None:
        await self._server.start()


class Replaced(Breakable):
    """What has the port's name is no serial port any more."""

    def __init__(self, socket: SimulatedSocket, link: Path) -> None:
        self._socket, self._link = socket, link
        self.address = str(link)
        link.symlink_to(socket.uart.port.path)

    @override
    async def break_off(self) -> None:
        self._link.unlink()
        self._link.write_text("no port")
        self._socket.unplug(0)

    @override
    async def mend(self) -> None:
        self._socket.plug()
        self._link.unlink()
        self._link.symlink_to(self._socket.uart.port.path)


class ProvidedTransport(DrivenSerialTransport):
    """A port that another integration provides, as ESPHome does."""

    ready = True

    @override
    async def _connect(self, *, path: str, **options: object) -> None:
        if not self.ready:
            raise ConfigEntryNotReady("not loaded yet")
        address = path.replace("provided://", "simulated://")
        await super()._connect(path=address, **options)


class Provided(Breakable):
    """The integration that provides the port is not ready."""

    def __init__(self, socket: SimulatedSocket) -> None:
        self._socket = socket
        self.address = socket.path.replace("simulated://", "provided://")

    @override
    async def break_off(self) -> None:
        ProvidedTransport.ready = False
        self._socket.unplug(0)

    @override
    async def mend(self) -> None:
        ProvidedTransport.ready = True
        self._socket.plug()


@asynccontextmanager
async def breakable(
    kind: type[Breakable], socket: SimulatedSocket, folder: Path
) -> AsyncIterator[Breakable]:
    """Make a port of this kind out of a socket's."""
    if kind is Replaced:
        yield Replaced(socket, folder / "ttyUSB0")
    elif kind is Provided:
        forget = serialx.register_uri_handler(
            scheme="provided://",
            unique_scheme="provided://",
            sync_cls=DrivenSerial,
            async_transport_cls=ProvidedTransport,
        )
        try:
            yield Provided(socket)
        finally:
            ProvidedTransport.ready = True
            forget()
    else:
        async with served(socket.uart.port.path) as server:
            yield kind(server)  # type: ignore[call-arg]


@walks("port -> search")
@pytest.mark.parametrize(
    ("kind", "pages", "error"),
    [
        pytest.param(
            BusyServer,
            ["failed_port_closed", "failed_port_closed"],
            "port_closed",
            marks=walks("search -> failed_port_closed -> *"),
        ),
        pytest.param(
            ServerWithoutPower,
            ["failed_port_closed", "failed_port_unreachable"],
            "port_unreachable",
            marks=walks("search -> failed_port_unreachable -> *"),
        ),
        pytest.param(
            Replaced,
            ["failed_port_unplugged", "failed_port_unsupported"],
            "port_unsupported",
            marks=walks("search -> failed_port_unsupported -> *"),
        ),
        pytest.param(
            Provided,
            ["failed_port_unplugged", "failed_port_not_ready"],
            "port_not_ready",
            marks=walks("search -> failed_port_not_ready -> *"),
        ),
    ],
)
async def test_a_port_that_fails_is_told_for_what_it_is(
    hass: HomeAssistant,
    tmp_path: Path,
    kind: type[Breakable],
    pages: list[str],
    error: str,
) -> None:
    """While it is searched, at the next try, and at the form; once it is mended, it goes on."""
    first, again = pages
    async with bench("ch340") as socket, breakable(kind, socket, tmp_path) as port:
        wizard = await open_port(hass, port.address)
        assert wizard.page == "wiring"
        await wizard.start({"reset_wired": False})
        await until(lambda: live(hass)["elapsed"] >= "0:01")
        await port.break_off()
        assert await wizard.settle() == first
        assert await wizard.choose("retry") == again
        assert await wizard.choose("retry") == again
        assert await wizard.choose("port") == "port"
        await wizard.submit(adapter=port.address)
        assert wizard.errors == {"adapter": error}
        await port.mend()
        async with touching(hass, socket.reset):
            assert await wizard.submit(adapter=port.address) == "pins"
        assert wizard.pages[-4:] == ["port", "search", "backup", "pins"]
        await wizard.close()
        async with asyncio.timeout(5):
            while serial_port.async_wizard_at_work(hass) is not None:
                await asyncio.sleep(0.05)

        socket.reset()
        await socket.wait_until(Running.FACTORY)
        wizard = await open_port(hass, port.address)
        await wizard.start({"reset_wired": False})
        await until(lambda: live(hass)["elapsed"] >= "0:01")
        await port.break_off()
        assert await wizard.settle() == first
        assert await wizard.choose("retry") == again
        assert await wizard.choose("leave") == "left_untouched"
        await port.mend()


async def test_another_port_in_the_midst_of_writing_leads_straight_to_the_search(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with bench("ch340") as socket, bench("cp2102") as other:
        async with touching(hass, socket.reset):
            wizard = await to_chip(hass, socket.path)
        await to_confirmation(wizard, mosquitto, releases)
        socket.inject(Fault(name=FaultName.UNPLUGGED, command=Command.WRITE_4K, nth=9))
        await wizard.submit()
        assert wizard.page == "failed_port_unplugged_writing"
        other.flash.rewrite(0, socket.flash.read(0, 0x200000))
        assert await wizard.choose("port") == "port"
        async with touching(hass, other.reset):
            await wizard.submit(adapter=other.path)
        assert wizard.pages[-4:] == ["search", "backup", "write", "reassemble"]
        assert other.verdict is None or other.verdict.running is not Running.NOTHING
        assert application(other.flash.content) is not None
        await wizard.close()
