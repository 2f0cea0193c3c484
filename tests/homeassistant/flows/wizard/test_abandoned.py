"""A dialog may be closed on every page: nothing of it stays but what a later one goes on with."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from homeassistant.core import HomeAssistant
import pytest

from custom_components.openbk.flows.serial_port import async_wizard_at_work
from custom_components.openbk.flows.wizard.arrival import WAITING, Waiting
from simulator.chip import SimulatedSocket
from simulator.commands import Command
from simulator.faults import Fault, FaultName
from simulator.releases import ReleaseServer
from tests.homeassistant.bench import blow_dump, is_free, socket_on_the_bench
from tests.homeassistant.road import SECRET
from tests.homeassistant.wizard import Wizard
from tests.support.broker import Broker
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


@pytest.mark.parametrize("page", ["user", *TO_THE_CHIP[1:], *PINS, *SETTINGS, *WRITTEN])
async def test_dialog_is_closed(
    hass: HomeAssistant,
    mosquitto: Broker,
    releases: ReleaseServer,
    socket: SimulatedSocket,
    own_folder: Path,
    page: str,
) -> None:
    hass.data[WAITING] = Waiting(turn=0.5, glance=0.05, look_up=in_vain)
    before = subscriptions(hass)
    socket.inject(Fault(name=FaultName.DISCONNECTED))
    road = Road(hass, mosquitto)
    await road.to(page, socket)
    assert road.wizard.page == page
    await road.wizard.close()
    left = hass.loop.time()
    while not await is_free(socket.path):
        assert hass.loop.time() - left < FREE_AFTER
    assert not hass.config_entries.flow.async_progress_by_handler("openbk")
    await until(lambda: async_wizard_at_work(hass) is None)
    await hass.async_block_till_done()
    assert not [
        task.get_name()
        for task in asyncio.all_tasks()
        if "openbk wizard" in task.get_name()
    ]
    # A socket that was written and did not come yet is listened for, to be offered when it does.
    awaited = {"obkE4720741/mac", "obkE4720741/build", "obkE4720741/ip"} | {
        "obkE4720741/connected"
    }
    allowed = before | {"+/connected"} | (awaited if page in WRITTEN[1:] else set())
    await until(lambda: subscriptions(hass) <= allowed)
    kept = {path.suffix for path in own_folder.rglob("*") if path.is_file()}
    # A reading that was broken off is gone on with; a writing needs its record and its firmware.
    assert kept <= {".bin", ".json"} | ({".part"} if page == "backup" else set()) | (
        {".job"} if page == "write" else set()
    )
    again = await Wizard.open(hass, "flash")
    assert again.page == "intro"
    await again.close()
