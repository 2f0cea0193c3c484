"""Start the broker, the simulator and Home Assistant; end them again."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
import fcntl
from itertools import count
import os
from pathlib import Path
import shutil
import sys

from simulator.process import Addresses, SimulatorEndedError, simulator_process
from tests.support.broker import Broker, free_port

from .client import HomeAssistantClient, fill_form
from .seed import seed

ROOT = Path(__file__).parent.parent
BROKER_USER = "socket"
BROKER_PASSWORD = "socket-password"
OWNER = "demo"
OWNER_PASSWORD = "demo"

_CONFIGURATION = """\
homeassistant:
  name: OpenBeken demo
  latitude: 52.23
  longitude: 21.01
  time_zone: Europe/Warsaw
  country: PL
  unit_system: metric
logger:
  default: warning
  logs:
    custom_components.openbk: debug
usb:
energy:
history:
logbook:
recorder:
openbk_demo:
  control: {control}
  speed: {speed}
  patience: {patience}
  search_patience: {search_patience}
"""
# Seconds for which a written socket is waited for before the wizard says that it did not come.
PATIENCE = 90.0
# And for which a chip is searched for.
SEARCH_PATIENCE = 300.0


class StageFailed(Exception):
    """A part did not do what the next one needs."""


@dataclass(frozen=True, kw_only=True)
class HomeAssistantAddress:
    """Where Home Assistant runs and who may use it."""

    url: str
    token: str
    folder: Path


@asynccontextmanager
async def _simulator(
    log: Path, arguments: Sequence[str] = ()
) -> AsyncIterator[Addresses]:
    """Run the simulated socket with its release server."""
    with log.open("wb") as errors:
        try:
            async with simulator_process(
                "--auto-reset", *arguments, log=errors
            ) as addresses:
                yield addresses
        except SimulatorEndedError as err:
            raise StageFailed(f"{err}, see {log}") from err


@asynccontextmanager
async def _home_assistant(
    folder: Path,
    port: int | None,
    simulator: Addresses,
    *,
    speed: float,
    patience: float,
    search_patience: float,
) -> AsyncIterator[HomeAssistantAddress]:
    """Run Home Assistant with onboarding done, on a folder that is kept afterwards."""
    port = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    configuration = _CONFIGURATION.format(
        control=simulator.control,
        speed=speed,
        patience=patience,
        search_patience=search_patience,
    )
    (folder / "configuration.yaml").write_text(configuration, encoding="utf-8")
    _link_components(folder / "custom_components")
    token = seed(folder, port, OWNER, OWNER_PASSWORD, simulator.releases)
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    with (folder / "output.log").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "homeassistant",
            "--config",
            str(folder),
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        url = f"http://127.0.0.1:{port}"
        try:
            async with HomeAssistantClient(url, token) as client:
                up = asyncio.create_task(client.wait_until_up(90))
                ended = asyncio.create_task(process.wait())
                await asyncio.wait((up, ended), return_when=asyncio.FIRST_COMPLETED)
                if not up.done() or up.exception():
                    up.cancel()
                    raise StageFailed(
                        f"Home Assistant did not start, see {folder}/output.log"
                    )
                ended.cancel()
            yield HomeAssistantAddress(url=url, token=token, folder=folder)
        finally:
            # It would write down what nobody reads any more, and spend as long on freeing its memory.
            if process.returncode is None:
                process.kill()
            await process.wait()


def _link_components(folder: Path) -> None:
    """Let Home Assistant find the integration, and what makes the simulated sockets real to it."""
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").touch()
    for component in (ROOT / "custom_components" / "openbk", ROOT / "demo/openbk_demo"):
        link = folder / component.name
        if not link.exists():
            link.symlink_to(component)


async def _configure_mqtt(client: HomeAssistantClient, port: int) -> None:
    """Add the MQTT integration through its own dialog."""
    flow = await client.post("/api/config/config_entries/flow", {"handler": "mqtt"})
    result = await client.post(
        f"/api/config/config_entries/flow/{flow['flow_id']}",
        fill_form(
            flow["data_schema"],
            {
                "broker": Broker.host,
                "port": port,
                "username": BROKER_USER,
                "password": BROKER_PASSWORD,
                "set_ca_cert": "off",
            },
        ),
    )
    if result["type"] != "create_entry":
        raise StageFailed(f"MQTT could not be set up: {result.get('errors')}")


class World:
    """Broker, simulated socket and Home Assistant, connected."""

    broker: Broker
    simulator: Addresses
    home_assistant: HomeAssistantAddress

    def __init__(
        self,
        folder: Path,
        simulator: Sequence[str] = (),
        *,
        port: int | None = None,
        patience: float = PATIENCE,
        search_patience: float = SEARCH_PATIENCE,
    ) -> None:
        """Prepare a world whose files are in ``folder``; nothing runs yet."""
        self._folder = folder
        self._arguments = simulator
        self._speed = _speed_of(simulator)
        self._port = port
        self._patience = patience
        self._search_patience = search_patience
        self._running = AsyncExitStack()

    async def start(self) -> None:
        """Start everything; raises StageFailed."""
        async with AsyncExitStack() as stack:
            self.broker = stack.enter_context(
                Broker(users={BROKER_USER: BROKER_PASSWORD})
            )
            log = self._folder / "simulator.log"
            self.simulator = await stack.enter_async_context(
                _simulator(log, self._arguments)
            )
            self.home_assistant = await stack.enter_async_context(
                _home_assistant(
                    self._folder / "config",
                    self._port,
                    self.simulator,
                    speed=self._speed,
                    patience=self._patience,
                    search_patience=self._search_patience,
                )
            )
            address = self.home_assistant
            async with HomeAssistantClient(address.url, address.token) as client:
                await _configure_mqtt(client, self.broker.port)
            self._running = stack.pop_all()

    async def plug_in(self, dump: Path) -> Addresses:
        """Plug in another socket, with this in its flash; it ends with everything else.

        It has a BK7231N, whatever the first one has.
        """
        log = self._folder / f"{dump.stem}.log"
        arguments = [*self._arguments, "--dump", str(dump), "--chip", "bk7231n"]
        return await self._running.enter_async_context(_simulator(log, arguments))

    def run_broker(self, user: str, password: str) -> Broker:
        """Run another broker; it ends with everything else."""
        return self._running.enter_context(Broker(users={user: password}))

    async def stop(self) -> None:
        """End everything that was started."""
        await self._running.aclose()


def _speed_of(arguments: Sequence[str]) -> float:
    """Return how many simulated seconds pass in one of ours."""
    if "--speed" not in arguments:
        return 1.0
    return float(arguments[arguments.index("--speed") + 1])


@contextmanager
def own_folder(base: Path = ROOT / ".demo") -> Iterator[Path]:
    """Yield an empty folder, which stays until another run needs it.

    While one run is at work in its folder, a second one in the same clone takes the next.
    """
    base.mkdir(exist_ok=True)
    for number in count(1):
        with (base / f"{number}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            folder = base / str(number)
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir()
            yield folder
            return
