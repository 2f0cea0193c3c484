"""Everything that a person would do in the demo, without the person."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from custom_components.openbk.const import DOMAIN
from tests.support.broker import Broker

from . import rig, stranger
from .client import HomeAssistantClient
from .control import SimulatorControl
from .stages import Stages
from .wizard import Answer, Dialog

# Simulated seconds a second: fast enough for watt-hours to add up, slow enough for the broker.
_SPEED = 10
_WATTS = 2000.0
_VOLTS = 230.0
# What the meter may be off: it counts whole pulses, and its energy lags behind by a message.
_TOLERANCE = 0.02
_PATIENCE = 120.0
# Loads over the whole range, none of which the socket was compared at.
_CHECKED_WATTS = (5.0, 150.0, 3600.0)

# Between the newest release and that of the guide, in the simulated index.
_OLDER_RELEASE = "1.18.298"
_LEAST_STEPS = 3

# No command of the firmware carries this one.
_NEW_USER = "sockets"
_NEW_PASSWORD = 'correct "horse" $battery'
_THEIR_RELAY = "switch.hall"
_THEIR_BUTTON = "event.hall_button"

_SSID = "Demo"
_WIFI_PASSWORD = "only simulated"


async def check(folder: Path, kind: Sequence[str]) -> None:
    """Walk from a factory socket to a measuring one; raises StageFailed.

    ``kind``: what the simulator is told of its meter and its chip.
    """
    stages = Stages()
    with stages.stage("broker, simulated socket and Home Assistant start"):
        world = rig.World(folder, ["--speed", str(_SPEED), *kind])
        await world.start()
    try:
        async with (
            HomeAssistantClient(
                world.home_assistant.url, world.home_assistant.token
            ) as client,
            SimulatorControl(world.simulator.control) as control,
        ):
            walk = _Walk(stages, world, client, control)
            async with walk.running:
                await walk.all()
    finally:
        with stages.stage("everything ends"):
            await world.stop()
    print(f"{stages.total:6.1f} s  in all", flush=True)


class _Walk:
    """The stages, each building on the one before."""

    def __init__(
        self,
        stages: Stages,
        world: rig.World,
        client: HomeAssistantClient,
        control: SimulatorControl,
    ) -> None:
        self._stages = stages
        self._world = world
        self._client = client
        self._control = control
        self.running = AsyncExitStack()
        self._stranger: SimulatorControl

    async def all(self) -> None:
        """Perform every stage."""
        await self._flash()
        await self._find_entities()
        await self._switch()
        await self._measure()
        await self._calibrate()
        await self._update()
        await self._add_stranger()
        await self._lead_stranger()

    async def _flash(self) -> None:
        dialog = Dialog(client=self._client, handler=DOMAIN)
        answers = _answers(self._world)
        for name, until in (
            ("the chip is found", "backup"),
            ("its flash is backed up and its pins are read", "pins"),
            (
                "name, Wi-Fi and broker are accepted, a release is checked",
                "write_confirm",
            ),
            ("OpenBeken and its configuration are written", "reassemble"),
            ("the socket reports in", "created"),
        ):
            with self._stages.stage(name):
                if not dialog.page:
                    await dialog.open()
                await dialog.walk(answers, until=until)

    async def _find_entities(self) -> None:
        with self._stages.stage("its entities are there") as findings:
            entities = await self._client.command("config/entity_registry/list")
            self._entities = {
                entity["unique_id"].split("_", 1)[1]: entity["entity_id"]
                for entity in entities
                if entity["platform"] == DOMAIN and not entity["disabled_by"]
            }
            self._relay = next(
                entity
                for entity in self._entities.values()
                if entity.startswith("switch.") and "child" not in entity
            )
            await self._until("the relay has a state", self._has_state(self._relay))
            findings.append(f"{len(self._entities)} entities")

    async def _switch(self) -> None:
        for action, closed in (
            ("turn_on", True),
            ("turn_off", False),
            ("turn_on", True),
        ):
            with self._stages.stage(f"{action} moves the simulated relay"):
                await self._client.call("switch", action, entity_id=self._relay)
                await self._until("the relay moved", self._relay_is(closed))

    async def _measure(self) -> None:
        await self._control.plug_in(_WATTS, volts=_VOLTS)
        for key, unit in (
            ("voltage", "V"),
            ("current", "A"),
            ("power", "W"),
            ("energy", "kWh"),
        ):
            with self._stages.stage(f"{key} is within 2 %") as findings:
                entity = self._entities[key]
                await self._until(f"{key} is right", self._agrees(key, entity))
                findings.append(f"{await self._client.state(entity)} {unit}")

    async def _calibrate(self) -> None:
        """Bring a socket that shows 8 % too little, and 1.2 W less, to the truth."""
        await self._control.set_meter(
            power={"gain": 1 / 1.08, "offset": -1.2 / 1.08, "noise": 0.001}
        )
        for action, watts in (("calibrate", 2000.0), ("add_calibration_point", 60.0)):
            with self._stages.stage(f"{action} at {watts:g} W") as findings:
                await self._plug_in(watts)
                said = (await self._act(action, power=watts))["power"]
                findings.append(f"{said['before']:.1f} W → {said['after']:.1f} W")
                findings.append(f"± {said['uncertainty']:.1f} W")
        for watts in _CHECKED_WATTS:
            with self._stages.stage(f"{watts:g} W is right") as findings:
                await self._plug_in(watts)
                shown = await self._mean_power(watts)
                findings.append(f"{shown:.2f} W")
                if abs(shown - watts) > max(0.005 * watts, 0.3):
                    raise rig.StageFailed(f"{watts} W shows as {shown} W")

    async def _plug_in(self, watts: float) -> None:
        await self._control.plug_in(watts, volts=_VOLTS)
        # No window of the meter, which is a second long, may know of the load before.
        await asyncio.sleep(3 / _SPEED)

    async def _mean_power(self, watts: float) -> float:
        """Return what is shown for a minute on average: a comparison, which is taken back."""
        said = await self._act("calibrate", power=watts, trust=True)
        await self._act("undo_calibration")
        shown: float = said["power"]["before"]
        return shown

    async def _act(self, action: str, **data: Any) -> dict[str, Any]:
        devices = await self._client.command("config/device_registry/list")
        device = next(
            device["id"]
            for device in devices
            if any(domain == DOMAIN for domain, _ in device["identifiers"])
        )
        said: dict[str, Any] = await self._client.call(
            DOMAIN, action, respond=True, device_id=device, **data
        )
        return said

    async def _update(self) -> None:
        """Install an older release and then the one that is offered, over the air."""
        entity = self._entities["firmware"]
        await self._client.call("homeassistant", "update_entity", entity_id=entity)
        newest = (await self._attributes(entity))["latest_version"]
        chosen: tuple[tuple[str, dict[str, Any]], ...] = (
            (_OLDER_RELEASE, {"version": _OLDER_RELEASE}),
            (newest, {}),
        )
        for version, data in chosen:
            with self._stages.stage(f"{version} is sent over the air") as findings:
                seen: set[int] = set()
                install = asyncio.create_task(
                    self._client.call("update", "install", entity_id=entity, **data)
                )
                while not install.done():
                    percent = (await self._attributes(entity)).get("update_percentage")
                    if percent is not None:
                        seen.add(percent)
                    await asyncio.sleep(0.05)
                await install
                await self._until("it says so", self._runs(entity, version))
                if len(seen) < _LEAST_STEPS:
                    raise rig.StageFailed(f"its progress was {sorted(seen)}")
                findings.append(f"{min(seen)} to {max(seen)} % in {len(seen)} steps")

    async def _attributes(self, entity: str) -> dict[str, Any]:
        attributes: dict[str, Any] = (await self._client.get(f"/api/states/{entity}"))[
            "attributes"
        ]
        return attributes

    def _runs(self, entity: str, version: str) -> Callable[[], Awaitable[object]]:
        async def runs() -> tuple[bool, object]:
            installed = (await self._attributes(entity)).get("installed_version")
            return installed == version, installed

        return runs

    async def _add_stranger(self) -> None:
        """Add a socket that somebody else set up, and tune it; its own program stays."""
        with self._stages.stage("a socket that runs OpenBeken is plugged in"):
            dump = self._world.home_assistant.folder.parent / "stranger.bin"
            stranger.write_dump(
                dump, self._world.broker, rig.BROKER_USER, rig.BROKER_PASSWORD
            )
            self._stranger = SimulatorControl((await self._world.plug_in(dump)).control)
            await self.running.enter_async_context(self._stranger)
            await self._until("it has an address", self._has_address)
        dialog = Dialog(client=self._client, handler=DOMAIN)
        answers: dict[str, Answer] = {
            "user": "existing",
            # What it tells as its address leads to the first one here.
            "found": {"found": "another"},
            "where": {"address": (await self._stranger.state())["http"]},
            "tune": {"changes": ["retain_relays", "startup_command"]},
        }
        for name, until in (
            ("it is found on the broker and asked what to tune", "tune"),
            ("it is tuned and added", "created"),
        ):
            with self._stages.stage(name):
                if not dialog.page:
                    await dialog.open()
                await dialog.walk(answers, until=until)
        with self._stages.stage("its button reports, and its own program is as it was"):
            await self._until("the button reports", self._button_reports)
            startup = await stranger.startup_command(self._stranger)
            if not startup.endswith(f"\n{stranger.PROGRAM}"):
                raise rig.StageFailed(f"the start-up command is {startup!r}")

    async def _lead_stranger(self) -> None:
        """Lead it to another broker, and let Home Assistant follow it there."""
        broker = self._world.run_broker(_NEW_USER, _NEW_PASSWORD)
        login = {"username": _NEW_USER, "password": _NEW_PASSWORD}
        at = {"port": broker.port, **login}
        [entry] = (
            entry["entry_id"]
            for entry in await self._client.command("config_entries/get", domain=DOMAIN)
            if entry["title"] == stranger.CLIENT_ID
        )
        with self._stages.stage(f"it is led to another broker with {_NEW_PASSWORD}"):
            dialog = Dialog(client=self._client, handler=DOMAIN)
            await dialog.open(entry)
            answers: dict[str, Answer] = {
                "reconfigure": "new_broker",
                "new_broker": {"host": Broker.host, **at},
                "new_broker_consent": {"consent": True},
            }
            await dialog.walk(answers, until="led_elsewhere")
        with self._stages.stage("it reports to that broker"):
            if not await stranger.reports_to(broker, _NEW_USER, _NEW_PASSWORD):
                raise rig.StageFailed("nothing of it is heard there")
        with self._stages.stage("Home Assistant follows and switches it there"):
            await self._follow({"broker": Broker.host, "set_ca_cert": "off", **at})
            await self._until("its relay is seen", self._has_state(_THEIR_RELAY))
            await self._client.call("switch", "turn_on", entity_id=_THEIR_RELAY)
            await self._until("its relay moved", self._their_relay_is_on)

    async def _follow(self, settings: dict[str, Any]) -> None:
        """Let Home Assistant use another broker."""
        entries = await self._client.command("config_entries/get", domain="mqtt")
        dialog = Dialog(client=self._client, handler="mqtt")
        await dialog.open(entries[0]["entry_id"])
        await dialog.walk({"broker": settings}, until="reconfigure_successful")

    async def _has_address(self) -> tuple[bool, object]:
        address = (await self._stranger.state())["http"]
        return address is not None, address

    async def _button_reports(self) -> tuple[bool, object]:
        await self._stranger.press_button()
        state = await self._client.state(_THEIR_BUTTON)
        return state not in {"unknown", "unavailable"}, state

    async def _their_relay_is_on(self) -> tuple[bool, object]:
        closed = (await self._stranger.state())["relay"]["1"]
        return closed, closed

    def _has_state(self, entity: str) -> Callable[[], Awaitable[object]]:
        async def has_state() -> tuple[bool, object]:
            state = await self._client.state(entity)
            return state in {"on", "off"}, state

        return has_state

    def _relay_is(self, closed: bool) -> Callable[[], Awaitable[object]]:
        async def relay_is() -> tuple[bool, object]:
            real = (await self._control.state())["relay"]["1"]
            shown = await self._client.state(self._relay)
            return real is closed and shown == ("on" if closed else "off"), (
                real,
                shown,
            )

        return relay_is

    def _agrees(self, key: str, entity: str) -> Callable[[], Awaitable[object]]:
        async def agrees() -> tuple[bool, object]:
            truth = _truth(await self._control.state())[key]
            shown = await self._client.state(entity)
            try:
                off = abs(float(shown) - truth)
            except ValueError:
                return False, (shown, truth)
            return truth > 0 and off <= _TOLERANCE * truth, (shown, truth)

        return agrees

    async def _until(self, what: str, holds: Callable[[], Awaitable[Any]]) -> None:
        """Wait until something holds; what was seen last is part of the failure."""
        seen: object = None
        try:
            async with asyncio.timeout(_PATIENCE):
                while True:
                    done, seen = await holds()
                    if done:
                        return
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise rig.StageFailed(
                f"not within {_PATIENCE:.0f} s: {what}; {seen}"
            ) from None


def _truth(state: dict[str, Any]) -> dict[str, float]:
    load = state["load"]
    return {
        "voltage": load["volts"],
        "current": load["amperes"],
        "power": load["watts"],
        "energy": load["watt_hours"] / 1000,
    }


def _answers(world: rig.World) -> dict[str, Answer]:
    return {
        "user": "flash",
        "intro": {"adapter": world.simulator.serial},
        "pins": "use_pins",
        "name": {"name": "Demo socket"},
        "known_wifi": "wifi",
        "wifi": {"ssid": _SSID, "password": _WIFI_PASSWORD},
        # Loopback is refused the first time: for a real socket it would be the socket itself.
        "broker": {
            "host": Broker.host,
            "port": world.broker.port,
            "username": rig.BROKER_USER,
            "password": rig.BROKER_PASSWORD,
        },
    }
