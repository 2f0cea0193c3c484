"""What the tests of firmware updates share: a socket on a whole simulated chip, and its update."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from custom_components.openbk.pyopenbk.obk.config_sector import build
from custom_components.openbk.pyopenbk.obk.console import Streams
from custom_components.openbk.updating.record import (
    Stage,
    Trouble,
    UpdateFailed,
    UpdateRecord,
)
from custom_components.openbk.updating.updates import UPDATES, SocketUpdate, Updates
from simulator import images
from simulator.chip import SimulatedSocket
from simulator.images import Build
from simulator.openbeken import OpenBeken
from tests.homeassistant.bench import MAC, blow_dump, socket_on_the_bench
from tests.support.broker import Broker
from tests.support.flash_map import OTA, RF_CALIBRATION
from tests.support.simulated import configuration
from tests.support.sockets import add_socket, socket_entry
from tests.support.waiting import until

OLD: Final = images.OF_THE_GUIDE
NEW: Final = images.NEWEST
SPEED: Final = 10.0
UPDATE: Final = "update.washing_machine_firmware"
LEFT_BEHIND: Final = UpdateRecord(
    version=NEW.version,
    before=OLD.version,
    stage=Stage.RESTARTING,
    since=0,
    keepsake="gone.json",
    trouble=Trouble.SILENT,
)
FILES_AT: Final = 0x1C0000
FILES_SIZE: Final = 0x10000
FILES: Final = b"\x01\0\0\0\xf0\x0f\xff\xf7littlefs" + bytes(range(256)) * 250


@dataclass
class Updated:
    """A simulated socket, its entry, and the ways to act on both."""

    hass: HomeAssistant
    socket: SimulatedSocket
    entry: MockConfigEntry
    entity_id: str = UPDATE
    connection: asyncio.StreamWriter | None = None
    """The last one to the socket's web server."""

    @property
    def firmware(self) -> OpenBeken:
        """Return OpenBeken, or raise what a chip without it would lead to."""
        if not isinstance(self.socket.firmware, OpenBeken):
            raise ConnectionRefusedError("nothing runs that could answer")
        return self.socket.firmware

    @property
    def version(self) -> str:
        """Return what the chip runs."""
        return self.firmware.release.version

    @property
    def updates(self) -> Updates:
        return self.hass.data[UPDATES]

    @property
    def update(self) -> SocketUpdate:
        return self.updates.of(str(self.entry.unique_id))

    @property
    def record(self) -> UpdateRecord | None:
        return self.update.record

    @property
    def downloaded(self) -> bytes:
        """Return what lies where updates are kept."""
        return self.socket.flash.read(OTA.start, OTA.size)

    @property
    def radio(self) -> bytes:
        return self.socket.flash.read(RF_CALIBRATION.start, RF_CALIBRATION.size)

    @property
    def issue(self) -> str | None:
        """Return the repair that is offered for the update."""
        issue_id = f"update_{self.entry.entry_id}"
        issue = ir.async_get(self.hass).async_get_issue("openbk", issue_id)
        return issue.translation_key if issue else None

    @property
    def shown(self) -> dict[str, Any]:
        """Return state and attributes of the entity."""
        state = self.hass.states.get(self.entity_id)
        assert state
        return {"state": state.state, **state.attributes}

    def break_connection(self) -> None:
        """Let the network lose the connection, which both ends are told of."""
        assert self.connection
        self.connection.transport.abort()

    async def look(self) -> None:
        """Look for releases, as somebody asks to."""
        assert await async_setup_component(self.hass, "homeassistant", {})
        await self.hass.services.async_call(
            "homeassistant",
            "update_entity",
            {"entity_id": self.entity_id},
            blocking=True,
        )

    async def install(self, **data: Any) -> None:
        """Press install."""
        await self.hass.services.async_call(
            "update", "install", {"entity_id": self.entity_id, **data}, blocking=True
        )

    async def refused(self, version: str = NEW.version) -> UpdateFailed:
        """Install a release in vain, and return why."""
        try:
            await self.updates.async_install(self.entry, version)
        except UpdateFailed as err:
            return err
        raise AssertionError("it was installed")

    async def file_refused(self, data: bytes) -> UpdateFailed:
        """Install a file in vain, and return why."""
        try:
            await self.updates.async_install_file(self.entry, data)
        except UpdateFailed as err:
            return err
        raise AssertionError("it was installed")

    def once(
        self, stage: Stage, act: Callable[[], object], fraction: float = 0.0
    ) -> None:
        """Do something when the update gets there for the first time."""

        def listener() -> None:
            update = self.update
            if update.stage is stage and (update.fraction or 0.0) >= fraction:
                stop()
                act()

        stop = self.update.listen(listener)

    async def repair(self) -> None:
        """Walk through the repair that is offered."""
        assert await async_setup_component(self.hass, "repairs", {})
        repairs = self.hass.data["repairs"]["flow_manager"]
        page = await repairs.async_init(
            "openbk", context={"issue_id": f"update_{self.entry.entry_id}"}
        )
        assert page["step_id"] == "confirm"
        assert page["description_placeholders"]["name"] == "Washing machine"
        await repairs.async_configure(page["flow_id"], {})


@asynccontextmanager
async def updated(
    hass: HomeAssistant,
    broker: Broker,
    *,
    version: Build = OLD,
    patience: float = 1.0,
    next_address: str | None = None,
    flash: Callable[[bytes], bytes] = lambda content: content,
    **changes: Any,
) -> AsyncIterator[Updated]:
    """Set up a socket that runs an older release on a simulated chip.

    ``patience`` is how many times as fast as the socket the waiting for it is; ``flash`` changes
    what is on the chip, ``changes`` its configuration. ``next_address`` is what it has after a restart.
    """
    config = configuration(broker, mac=MAC, **changes)
    content = flash(images.flashed(blow_dump(), version, build(config)))
    async with socket_on_the_bench(content, next_address=next_address) as socket:
        entry = socket_entry(
            mac=MAC,
            client_id=config.mqtt_client_id,
            address="127.0.0.1",
            firmware=f"OpenBK7231N {version.version} {version.built}",
        )
        one = Updated(hass, socket, entry)

        async def connect(host: str, _port: int) -> Streams:
            if next_address is not None and host != one.firmware.ip_address:
                raise ConnectionRefusedError("it was there before")
            if (address := one.firmware.http_address) is None:
                raise ConnectionRefusedError
            where, _, port = address.partition(":")
            streams = await asyncio.open_connection(where, int(port))
            one.connection = streams[1]
            return streams

        hass.data[SOCKET_ACCESS] = SocketAccess(
            simulated=True, speed=SPEED * patience, connect=connect
        )
        await until(lambda: isinstance(socket.firmware, OpenBeken))
        await add_socket(hass, entry)
        await until(lambda: entry.runtime_data.online)
        yield one
        await hass.config_entries.async_unload(entry.entry_id)


def with_files(content: bytes) -> bytes:
    """Return a flash with a file system where small ones of OpenBeken are."""
    return (
        content[:FILES_AT]
        + FILES.ljust(FILES_SIZE, b"\xff")
        + content[FILES_AT + FILES_SIZE :]
    )


def files(one: Updated) -> bytes:
    """Return what is there now."""
    return one.socket.flash.read(FILES_AT, FILES_SIZE)
