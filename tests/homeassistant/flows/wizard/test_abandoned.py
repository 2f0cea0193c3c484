"""A dialog may be closed on every page: nothing of it stays but what a later one goes on with."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from homeassistant.core import HomeAssistant
import pytest

from custom_components.openbk.flows.serial_port import async_wizard_at_work
from custom_components.openbk.flows.wizard.arrival import WAITING, Waiting
from simulator import factory
from simulator.chip import SimulatedSocket
from simulator.commands import Command
from simulator.faults import Fault, FaultName
from simulator.releases import ReleaseServer
from tests.homeassistant.bench import (
    blow_dump,
    chip,
    is_free,
    open_port,
    socket_on_the_bench,
    upload,
)
from tests.homeassistant.road import SECRET
from tests.homeassistant.wizard import Wizard
from tests.support.broker import Broker
from tests.support.flash_map import APPLICATION, RF_CALIBRATION
from tests.support.sockets import subscriptions
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]

# What the person is promised, in seconds.
FREE_AFTER = 1.0
# Its pages, in their order.
TO_THE_CHIP = ("flash", "intro", "wiring", "search", "backup")
PINS = ("pins", "pins_edit", "pins_other", "pins_known", "pins_paste", "pins_upload")
SETTINGS = ("name", "known_wifi", "wifi", "broker", "write_confirm", "firmware")
WRITTEN = ("write", "reassemble", "wait", "waiting_nothing", "access_point", "rewire")
BEFORE_WRITING = ("user", *TO_THE_CHIP[1:], *PINS, *SETTINGS)


@pytest.fixture(autouse=True)
def own_folder(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Keep the backups of each test in a folder of its own."""
    hass.config.config_dir = str(tmp_path)
    return tmp_path / "openbk"


@pytest.fixture
async def socket() -> AsyncIterator[SimulatedSocket]:
    """Return a socket on the bench that takes its time, and that reaches no broker."""
    async with socket_on_the_bench(
        blow_dump(), resolve=lambda host, port: ("127.0.0.1", 1)
    ) as socket:
        for command in (Command.READ_4K, Command.WRITE_4K):
            socket.inject(
                Fault(name=FaultName.REPLY_LATE, command=command, times=0, seconds=0.02)
            )
        yield socket


async def in_vain(_name: str) -> list[str]:
    """Know no host, as the name server of a network without the socket."""
    raise OSError("no such name")


class Road:
    """Walks on to a page, and stops there."""

    def __init__(self, hass: HomeAssistant, broker: Broker) -> None:
        self.hass = hass
        self.broker = broker
        self.wizard: Wizard

    async def to(self, page: str, socket: SimulatedSocket) -> None:
        """Walk to a page."""
        self.wizard = wizard = await Wizard.open(self.hass)
        if page == "user":
            return
        await wizard.choose("flash")
        steps = {
            "intro": lambda: wizard.submit(adapter=socket.path),
            "wiring": lambda: self._begin({}),
            "search": lambda: self._next(socket),
            "backup": lambda: wizard.settle(),
            "pins": lambda: wizard.choose(
                page if page in ("pins_edit", "pins_other") else self._after_pins(page)
            ),
            "pins_other": lambda: wizard.choose(page),
            "name": lambda: wizard.submit_suggested(name="Kitchen"),
            "known_wifi": lambda: wizard.choose("wifi"),
            "wifi": lambda: wizard.submit_suggested(ssid="Net", password=SECRET),
            "broker": lambda: self._past_broker(),
            "write_confirm": lambda: self._begin(
                {"another_firmware": page == "firmware"}
            ),
            "releases": lambda: wizard.settle(),
            "write": lambda: wizard.settle(),
            "reassemble": lambda: self._begin({"another": False}),
            "wait": lambda: wizard.settle(),
            "waiting_nothing": lambda: wizard.choose(
                "access_point" if page == "access_point" else "read_back"
            ),
        }
        while wizard.page != page:
            await steps[wizard.page]()

    def _after_pins(self, page: str) -> str:
        return "pins_other" if page in PINS else "use_pins"

    async def _begin(self, values: dict[str, bool]) -> None:
        """Begin what takes time, and look at the page of it."""
        await self.wizard.start(values)

    async def _next(self, socket: SimulatedSocket) -> None:
        """Let the chip answer, and look at the next page with progress."""
        socket.clear(FaultName.DISCONNECTED)
        while self.wizard.page == "search":
            await asyncio.sleep(0.02)
            self.wizard.look_at(
                await self.hass.config_entries.flow.async_configure(
                    self.wizard.result["flow_id"]
                )
            )

    async def _past_broker(self) -> None:
        at = {"host": self.broker.host, "port": self.broker.port}
        await self.wizard.submit_suggested(**at)
        await self.wizard.submit_suggested(**at)


@pytest.mark.parametrize(
    "pages",
    [BEFORE_WRITING, *((page,) for page in WRITTEN)],
    ids=["before writing", *WRITTEN],
)
async def test_dialog_is_closed(
    hass: HomeAssistant,
    mosquitto: Broker,
    releases: ReleaseServer,
    socket: SimulatedSocket,
    own_folder: Path,
    pages: tuple[str, ...],
) -> None:
    hass.data[WAITING] = Waiting(turn=0.5, glance=0.05, look_up=in_vain)
    before = subscriptions(hass)
    for page in pages:
        socket.inject(Fault(name=FaultName.DISCONNECTED))
        road = Road(hass, mosquitto)
        await road.to(page, socket)
        assert road.wizard.page == page
        await road.wizard.close()
        await let_go(hass, socket, page)
        assert not hass.config_entries.flow.async_progress_by_handler("openbk"), page
        assert not [
            task.get_name()
            for task in asyncio.all_tasks()
            if "openbk wizard" in task.get_name()
        ], page
        # A socket that was written and did not come yet is listened for, to be offered when it does.
        awaited = {"obkE4720741/mac", "obkE4720741/build", "obkE4720741/ip"} | {
            "obkE4720741/connected"
        }
        allowed = before | {"+/connected"}
        allowed |= awaited if page in WRITTEN[1:] else set()
        await until(lambda allowed=allowed: subscriptions(hass) <= allowed)
        kept = {path.suffix for path in own_folder.rglob("*") if path.is_file()}
        # A reading that was broken off is gone on with; a writing needs its record and its firmware.
        assert kept <= {".bin", ".json"} | (
            {".part"} if page == "backup" else set()
        ) | ({".job"} if page == "write" else set()), page
        again = await Wizard.open(hass, "flash")
        assert again.page == "intro", page
        await again.close()


async def let_go(hass: HomeAssistant, socket: SimulatedSocket, page: str) -> None:
    """See the port free as soon as is promised, and everything else ended."""
    left = hass.loop.time()
    while not await is_free(socket.path):
        assert hass.loop.time() - left < FREE_AFTER, page
    await until(lambda: async_wizard_at_work(hass) is None)
    await hass.async_block_till_done()


# The pages aside of that road, by the way to each: what is chosen or submitted from page to page.
LOST_IN_BACKUP = Fault(name=FaultName.POWER_LOST, command=Command.READ_4K, nth=9)
LOST_IN_WRITING = Fault(name=FaultName.POWER_LOST, command=Command.WRITE_4K, nth=9)
WITHOUT_RADIO = factory.without(blow_dump(), RF_CALIBRATION.start, RF_CALIBRATION.size)


async def to_restore(hass: HomeAssistant, socket: SimulatedSocket) -> Wizard:
    """Choose the only backup there is, which is of the chip as it is."""
    wizard = await open_port(hass, socket.path, "restore")
    assert wizard.page == "restore_choose"
    return wizard


async def to_restore_confirm(hass: HomeAssistant, socket: SimulatedSocket) -> Wizard:
    wizard = await to_restore(hass, socket)
    assert await wizard.submit_suggested() == "restore_confirm"
    return wizard


async def to_restore_write(hass: HomeAssistant, socket: SimulatedSocket) -> Wizard:
    """Write it to a chip of whose application much got lost since."""
    wizard = await to_restore_confirm(hass, socket)
    socket.flash.rewrite(APPLICATION.start, bytes(0x20000))
    dawdle(socket, Command.WRITE_4K)
    wizard.percentages.clear()
    await wizard.start({})
    await until(lambda: wizard.percentages and wizard.percentages[-1] > 0.02)
    return wizard


async def to_radio_missing(hass: HomeAssistant, socket: SimulatedSocket) -> Wizard:
    return await open_port(hass, socket.path)


async def to_radio_repair(hass: HomeAssistant, socket: SimulatedSocket) -> Wizard:
    wizard = await to_radio_missing(hass, socket)
    await wizard.choose("radio_repair")
    return wizard


async def to_radio_confirm(hass: HomeAssistant, socket: SimulatedSocket) -> Wizard:
    wizard = await to_radio_repair(hass, socket)
    await wizard.submit(upload=await upload(hass, blow_dump()))
    return wizard


async def to_radio_write(hass: HomeAssistant, socket: SimulatedSocket) -> Wizard:
    wizard = await to_radio_confirm(hass, socket)
    dawdle(socket, Command.CRC)
    await wizard.start({})
    return wizard


async def to_failed(hass: HomeAssistant, socket: SimulatedSocket) -> Wizard:
    socket.inject(LOST_IN_BACKUP)
    return await open_port(hass, socket.path)


async def to_failed_writing(hass: HomeAssistant, socket: SimulatedSocket) -> Wizard:
    wizard = await to_restore_confirm(hass, socket)
    socket.flash.rewrite(APPLICATION.start, bytes(0x20000))
    socket.inject(LOST_IN_WRITING)
    await wizard.submit()
    return wizard


async def to_resume(hass: HomeAssistant, socket: SimulatedSocket) -> Wizard:
    """Open the wizard again behind a restore that was broken off."""
    first = await to_failed_writing(hass, socket)
    await first.close()
    socket.power(on=True)
    return await open_port(hass, socket.path)


def dawdle(socket: SimulatedSocket, command: Command) -> None:
    socket.inject(
        Fault(name=FaultName.REPLY_LATE, command=command, times=0, seconds=0.05)
    )


type Walk = Callable[[HomeAssistant, SimulatedSocket], Awaitable[Wizard]]


@pytest.mark.parametrize(
    ("content", "walks", "left"),
    [
        (
            WITHOUT_RADIO,
            {
                "radio_missing": to_radio_missing,
                "radio_repair": to_radio_repair,
                "radio_confirm": to_radio_confirm,
                "radio_write": to_radio_write,
            },
            False,
        ),
        (
            blow_dump(),
            {
                "failed_link_lost": to_failed,
                "restore_choose": to_restore,
                "restore_confirm": to_restore_confirm,
            },
            False,
        ),
        (blow_dump(), {"restore_write": to_restore_write}, True),
        (blow_dump(), {"failed_link_lost_writing": to_failed_writing}, True),
        (blow_dump(), {"resume_restore": to_resume}, True),
    ],
    ids=["radio", "restore", "restoring", "failed", "resume"],
)
async def test_dialog_is_closed_aside_of_the_road(
    hass: HomeAssistant,
    own_folder: Path,
    content: bytes,
    walks: dict[str, Walk],
    left: bool,
) -> None:
    """``left``: a job was begun, of which a later wizard knows."""
    async with chip(content) as socket:
        for page, walk in walks.items():
            socket.power(on=True)
            wizard = await walk(hass, socket)
            assert wizard.page == page
            await wizard.close()
            await let_go(hass, socket, page)
            assert bool(list(own_folder.rglob("*.job"))) is left, page
            if not left:
                assert socket.flash.content == content, page
            again = await Wizard.open(hass, "flash")
            assert again.page == "intro", page
            await again.close()
