"""One live socket: what it last said, who listens, and what it is told."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from time import monotonic
from typing import Any, Final

from homeassistant.components import mqtt
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr
from homeassistant.util import dt as dt_util

from ..const import (
    CONF_ADDRESS,
    CONF_CLIENT_ID,
    CONF_DARK_LEDS,
    CONF_FIRMWARE,
    CONF_MAC,
    CONF_PROFILE,
    CONF_TIME_ZONE,
    CONF_TUNED,
    DOMAIN,
    LOGGER,
)
from ..network.addresses import told_address
from ..network.mqtt import publish
from ..pyopenbk.beken.rf_sector import is_generic_mac
from ..pyopenbk.metering.correction import Correction
from ..pyopenbk.metering.load import LoadSplit, LoadTriangle
from ..pyopenbk.metering.session import STEPS
from ..pyopenbk.obk import messages
from ..pyopenbk.obk.commands import (
    Command,
    backlog,
    energy_command,
    pin_commands,
    split,
)
from ..pyopenbk.obk.messages import Publication, Value, channel_key
from ..pyopenbk.obk.names import identity_of
from ..pyopenbk.obk.provisioning import Clock, time_commands
from ..pyopenbk.obk.settings import LedUse, led_pins, led_use
from ..pyopenbk.profile import SocketProfile
from ..pyopenbk.quantities import (
    APPARENT_POWER,
    CURRENT,
    ENERGY,
    ENERGY_LAST_HOUR,
    ENERGY_TODAY,
    ENERGY_YESTERDAY,
    METER,
    POWER,
    POWER_FACTOR,
    REACTIVE_POWER,
    VOLTAGE,
)
from . import clock
from .calibration import SocketCalibration
from .energy_store import ENERGY_STORE
from .readback import Readback
from .sources import (
    Channel,
    Computed,
    DailyEnergy,
    Energy,
    Event,
    Listener,
    Reading,
    Source,
    Topic,
)

type OpenBekenConfigEntry = ConfigEntry[SocketState]

MANUFACTURER: Final = "OpenBeken"
# How long a socket may take to answer, in seconds, each time it is asked again. The first is
# short: a socket says "online" a moment before its own subscriptions are in place.
_PATIENCE: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
# From this question on nobody answers, and what was known is no longer true.
_GIVEN_UP_AFTER: Final = 4
# A socket sends its list for 12 s after it connects. What is missing then has to be asked for.
_LIST_COMPLETE_AFTER: Final = 20.0
_COMPUTED: Final = frozenset({APPARENT_POWER.key, REACTIVE_POWER.key, POWER_FACTOR.key})
_NEED_CLOCK: Final = frozenset(item.key for item in METER if item.needs_clock)
_DAILY: Final = frozenset({ENERGY_TODAY.key})
_COUNTERS: Final = frozenset({ENERGY.key, ENERGY_TODAY.key})
_PAST: Final = frozenset({ENERGY_YESTERDAY.key, ENERGY_LAST_HOUR.key})


class SocketState:
    """The live state of one socket.

    Listeners are registered first; ``start`` then subscribes to exactly the topics that somebody
    listens to, the channels before ``connected``, so that no answer is missed.
    """

    def __init__(
        self, hass: HomeAssistant, entry: OpenBekenConfigEntry, *, native: bool = True
    ) -> None:
        """Prepare the state; nothing is subscribed yet.

        ``native`` is whether the socket's own entities are ours and not those of MQTT discovery.
        """
        self.native = native
        self.hass = hass
        self.entry = entry
        self.mac: str = entry.data[CONF_MAC]
        self.identity = identity_of_entry(entry)
        self.client_id: str = entry.data[CONF_CLIENT_ID]
        self.profile = SocketProfile.from_dict(entry.data[CONF_PROFILE])
        dark = entry.data.get(CONF_DARK_LEDS, ())
        self.lights = tuple(
            led
            for led in led_pins(self.profile)
            if led_use(self.profile, led) is LedUse.INDEPENDENT and led.pin not in dark
        )
        self.calibration = SocketCalibration(hass, entry)
        self.calibration.listen(self._corrections_changed)
        self.tuned: bool = entry.data.get(CONF_TUNED, True)
        self.online = False
        self._sources: dict[str, Source] = {}
        self.online_listeners: list[CALLBACK_TYPE] = []
        self._described_listeners: list[CALLBACK_TYPE] = []
        self._unsubscribe: list[CALLBACK_TYPE] = []
        self._started = False
        self._was_online = False
        self._asked = 0
        self._ask_timer: CALLBACK_TYPE | None = None
        self._list_timer: CALLBACK_TYPE | None = None
        self._triangle: LoadTriangle | None = None
        self.clock = clock.SocketClock(
            self.client_id,
            self._send_soon,
            self._later,
            self._clock_changed,
            may_set=self.tuned,
        )
        self.readback = Readback(hass, entry, self._later)
        self.device = self._register_device()

    async def start(self) -> None:
        """Subscribe to everything that somebody listens to."""
        if name := self.entry.data.get(CONF_TIME_ZONE):
            self.clock.time_zone = await dt_util.async_get_time_zone(name)
        self._started = True
        self.source("build").add(self._build_changed)
        self.source("ip").add(self._address_changed)
        if self._needs_clock:
            self.source("datetime").add(self.clock.heard)
        for key, source in self._sources.items():
            await self._subscribe(key, source)
        self._unsubscribe.append(
            await mqtt.async_subscribe(
                self.hass, self._topic("connected"), self._connected
            )
        )
        self._unsubscribe.append(
            mqtt.async_subscribe_connection_status(self.hass, self._broker_changed)
        )

    @callback
    def stop(self) -> None:
        """Leave no subscription and no timer behind."""
        self._started = False
        self._cancel_timers()
        clock.show_issue(self.hass, self.entry, False)
        while self._unsubscribe:
            self._unsubscribe.pop()()

    @callback
    def listen(self, key: str, listener: Listener) -> CALLBACK_TYPE:
        """Call a listener with each new value of a key, and with None when it is lost.

        Listeners of a key with a topic have to be there before ``start``.
        """
        source = self.source(key)
        source.add(listener)
        return partial(source.remove, listener)

    @callback
    def listen_online(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call a listener when the socket comes or goes."""
        self.online_listeners.append(listener)
        return partial(self.online_listeners.remove, listener)

    @property
    def corrections(self) -> Mapping[str, Correction]:
        """Return the corrections in force, by the key of the quantity."""
        return self.calibration.corrections

    @callback
    def listen_described(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call a listener when the socket has another firmware, address or correction."""
        self._described_listeners.append(listener)
        return partial(self._described_listeners.remove, listener)

    def value(self, key: str) -> Value | None:
        """Return the last value of a key, or None where none is known to be true."""
        return source.value if (source := self._sources.get(key)) else None

    async def async_set_channel(self, channel: int, value: int) -> None:
        """Set a channel; its value changes when the socket says so, not before.

        Raises HomeAssistantError if the socket is not there.
        """
        await self.async_send(messages.set_channel(self.client_id, channel, value))
        # A command that changes nothing has no echo, so silence proves nothing: ask.
        source = self._sources.get(channel_key(channel))
        if isinstance(source, Channel):
            source.unanswered = True
            self._ask_later()

    async def async_command(self, command: Command) -> None:
        """Send a console command; the firmware answers none of those we use."""
        await self.async_send(messages.console(self.client_id, *split(command)))

    async def async_set_time_server(self, server: str) -> None:
        """Let the socket ask a time server from now on; it keeps the server over restarts.

        Raises ProvisioningError for what is no IPv4 address, HomeAssistantError if the socket is
        not there.
        """
        commands = time_commands(
            Clock(utc_offset=self.clock.utc_offset, ntp_server=server)
        )
        await self.async_command(backlog(commands))
        self.clock.look_again()

    async def async_set_energy(self, kilowatt_hours: float) -> None:
        """Set the socket's total energy, from which it counts on."""
        await self.async_command(energy_command(kilowatt_hours * 1000))
        self.hass.data[ENERGY_STORE].set_total(self.identity, kilowatt_hours)

    async def async_reset_energy(self) -> None:
        """Set all energy counters of the socket to zero."""
        await self.async_command(energy_command())
        self.hass.data[ENERGY_STORE].reset(self.identity)

    async def async_configure(self, commands: Iterable[Command], **data: Any) -> None:
        """Write settings into the socket and note them in the entry.

        A changed profile decides which entities there are, so the entry is loaded anew.
        """
        if commands := list(commands):
            await self.async_command(backlog(commands))
            self.readback.changed()
        self.hass.config_entries.async_update_entry(
            self.entry, data={**self.entry.data, **data}
        )
        if CONF_PROFILE in data:
            self.hass.config_entries.async_schedule_reload(self.entry.entry_id)

    async def async_change_profile(
        self, profile: SocketProfile, first: Iterable[Command] = (), **data: Any
    ) -> None:
        """Give pins of the running socket other roles; it keeps them over a power cut.

        ``first`` is run before any pin changes.
        """
        commands = [*first, *pin_commands(self.profile, profile)]
        await self.async_configure(
            commands, **{CONF_PROFILE: profile.as_dict()}, **data
        )

    async def async_send(self, publication: Publication) -> None:
        """Send a message to the socket, or raise HomeAssistantError if it is not there."""
        if not self.online:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="socket_unreachable",
                translation_placeholders={"name": self.entry.title},
            )
        await publish(self.hass, publication)

    @callback
    def expect_new_readings(self) -> None:
        """Drop what the socket said with factors that it no longer has."""
        for source in self._corrected_topics():
            source.text = None

    @callback
    def _corrections_changed(self) -> None:
        """Tell the last values again, as they are corrected now."""
        self.hass.data[ENERGY_STORE].save_soon()
        if self._triangle is not None:
            self._triangle.clear()
        for source in self._corrected_topics():
            source.show_again()
        for listener in self._described_listeners:
            listener()

    def _corrected_topics(self) -> Iterator[Topic]:
        for key in (*STEPS, *_PAST):
            source = self._sources.get(key)
            if isinstance(source, Topic):
                yield source

    def source(self, key: str) -> Source:
        """Return the source of a key; those with a topic have to be there before ``start``."""
        if (source := self._sources.get(key)) is None:
            source = self._sources[key] = self._make_source(key)
        return source

    def _make_source(self, key: str) -> Source:
        if key in _COMPUTED:
            self._compute()
            return Computed()
        if key.startswith("channel_"):
            return Channel()
        if key.startswith(messages.BUTTON_TOPIC):
            return Event(messages.decode_gesture)
        if key == "ip":
            return Topic(partial(told_address, self.hass))
        if key in STEPS:
            return Reading(key, self.calibration)
        if key in _COUNTERS or key in _PAST:
            return self._make_energy(key)
        return Topic(messages.decoder_of(key))

    def _make_energy(self, key: str) -> Energy:
        store, power = self.hass.data[ENERGY_STORE], self.calibration.power_correction
        if key in _PAST:
            follow = store.scaler(self.identity, key, power)
        else:
            today = _today if key in _DAILY else _no_day
            follow = store.follower(self.identity, key, today, power)
        if key in _NEED_CLOCK:
            return DailyEnergy(key, follow, self.clock)
        return Energy(key, follow)

    def _compute(self) -> None:
        """Start to combine voltage, current and power, once."""
        if self._triangle is None:
            self._triangle = LoadTriangle()
            self.source(VOLTAGE.key).add(self._voltage_changed)
            self.source(CURRENT.key).add(self._current_changed)
            self.source(POWER.key).add(self._power_changed)

    def _voltage_changed(self, value: float | None) -> None:
        if self._triangle is not None and value is not None:
            self._split(self._triangle.set_voltage(value))

    def _current_changed(self, value: float | None) -> None:
        if self._triangle is not None and value is not None:
            self._split(self._triangle.set_current(value, monotonic()))

    def _power_changed(self, value: float | None) -> None:
        if self._triangle is not None and value is not None:
            self._split(self._triangle.set_power(value, monotonic()))

    def _split(self, split: LoadSplit | None) -> None:
        if split is None:
            return
        for key, value in (
            (APPARENT_POWER.key, split.apparent_power),
            (REACTIVE_POWER.key, split.reactive_power),
            (POWER_FACTOR.key, split.power_factor),
        ):
            if isinstance(source := self._sources.get(key), Computed):
                source.take(value)

    @property
    def refused(self) -> dict[str, int]:
        """Return how many payloads cannot have been true, by the key that they were meant for."""
        return {
            key: source.refused
            for key, source in sorted(self._sources.items())
            if isinstance(source, Topic) and source.refused
        }

    def _topic(self, suffix: str) -> str:
        return f"{self.client_id}/{suffix}"

    async def _subscribe(self, key: str, source: Source) -> None:
        if isinstance(source, Topic):
            topic = self._topic(messages.topic_of(key))
            self._unsubscribe.append(
                await mqtt.async_subscribe(self.hass, topic, source.received)
            )

    @callback
    def _connected(self, message: mqtt.ReceiveMessage) -> None:
        online = messages.decode_connected(str(message.payload))
        if online is None or (online == self.online and message.retain):
            return
        self._lose()
        if online:
            self._begin()

    @callback
    def _broker_changed(self, connected: bool) -> None:
        # After a reconnect the broker says again whether the socket is there.
        if not connected and not self.hass.is_stopping:
            self._lose()

    @callback
    def _begin(self) -> None:
        """Start anew with a socket that has just appeared."""
        self.online = True
        if self._was_online:
            LOGGER.info("%s is back", self.entry.title)
        self._was_online = True
        self.hass.data[ENERGY_STORE].restarted(self.identity)
        for source in self._sources.values():
            if isinstance(source, Channel):
                source.unanswered = True
        self._asked = 0
        self._ask()
        self._list_timer = self._later(_LIST_COMPLETE_AFTER, self._ask_for_list)
        if self._needs_clock:
            self.clock.begin()
        self.readback.begin()
        self._tell_online()

    @callback
    def _lose(self) -> None:
        """Forget everything; nothing of it can be known to be true now."""
        was_online, self.online = self.online, False
        if was_online:
            LOGGER.info("%s is unreachable", self.entry.title)
        self._cancel_timers()
        if self._triangle is not None:
            self._triangle.clear()
        for source in self._sources.values():
            source.lose()
        if was_online:
            self._tell_online()

    def _tell_online(self) -> None:
        for listener in self.online_listeners:
            listener()

    @callback
    def _ask(self) -> None:
        """Ask for the channels that did not answer yet, again and again."""
        self._ask_timer = None
        waiting = [
            (int(key.removeprefix("channel_")), source)
            for key, source in self._sources.items()
            if isinstance(source, Channel) and source.unanswered
        ]
        if not waiting:
            self._asked = 0
            return
        if self._asked >= _GIVEN_UP_AFTER:
            for _, source in waiting:
                source.lose()
        self._send_soon(
            messages.ask_channel(self.client_id, channel) for channel, _ in waiting
        )
        self._ask_later()
        self._asked += 1

    def _ask_later(self) -> None:
        if self._ask_timer is None:
            patience = _PATIENCE[min(self._asked, len(_PATIENCE) - 1)]
            self._ask_timer = self._later(patience, self._ask)

    @callback
    def _ask_for_list(self) -> None:
        """Ask for the list of a socket that connected before we listened."""
        self._list_timer = None
        if any(
            source.listeners and source.value is None
            for key, source in self._sources.items()
            if isinstance(source, Topic) and not messages.topic_of(key).endswith("/get")
        ):
            self._send_soon([messages.publish_all(self.client_id)])

    @callback
    def _clock_changed(self) -> None:
        if not self.clock.right:
            for key in _NEED_CLOCK:
                if (source := self._sources.get(key)) is not None:
                    source.lose()
        clock.show_issue(self.hass, self.entry, self.clock.missed)

    @property
    def _needs_clock(self) -> bool:
        return any(self._is_wanted(key) for key in _NEED_CLOCK)

    def _is_wanted(self, key: str) -> bool:
        return bool((source := self._sources.get(key)) and source.listeners)

    def _send_soon(self, publications: Iterable[Publication]) -> None:
        self.entry.async_create_background_task(
            self.hass, self._send_all(publications), f"openbk {self.client_id}"
        )

    async def _send_all(self, publications: Iterable[Publication]) -> None:
        for publication in publications:
            try:
                await publish(self.hass, publication)
            except HomeAssistantError as err:
                # The broker has just gone; everything is asked again when it is back.
                LOGGER.debug("Could not ask %s: %s", self.client_id, err)
                return

    def _later(self, seconds: float, action: Callable[[], None]) -> CALLBACK_TYPE:
        return self.hass.loop.call_later(seconds, action).cancel

    def _cancel_timers(self) -> None:
        for timer in (self._ask_timer, self._list_timer):
            if timer is not None:
                timer()
        self._ask_timer = self._list_timer = None
        self.clock.stop()
        self.readback.stop()

    @callback
    def _build_changed(self, build: str | None) -> None:
        if build is not None and build != self.entry.data[CONF_FIRMWARE]:
            self._update_entry({CONF_FIRMWARE: build})

    @callback
    def _address_changed(self, address: str | None) -> None:
        if address is not None and address != self.entry.data[CONF_ADDRESS]:
            self._update_entry({CONF_ADDRESS: address})
            self.readback.begin()

    def _update_entry(self, changes: dict[str, str]) -> None:
        """Keep what a socket said of itself, in the entry and on its device page."""
        self.hass.config_entries.async_update_entry(
            self.entry, data={**self.entry.data, **changes}
        )
        self.device = self._register_device()
        for listener in self._described_listeners:
            listener()

    @property
    def build(self) -> str:
        """Return the build text that the socket said last, or nothing."""
        return self.entry.data[CONF_FIRMWARE] or ""

    @property
    def url(self) -> str | None:
        """Return the address of the socket's own page."""
        address = self.entry.data[CONF_ADDRESS]
        return f"http://{address}/" if address else None

    def _register_device(self) -> dr.DeviceEntry:
        """Register the device, or tell its registry what is new; return it.

        Once for the socket: if each of its entities described it, core would look it up and
        compare everything again for each of them.
        """
        return dr.async_get(self.hass).async_get_or_create(
            config_entry_id=self.entry.entry_id,
            identifiers={(DOMAIN, self.identity)},
            # Devices with the same connection would become one.
            connections=set()
            if is_generic_mac(self.mac)
            else {(dr.CONNECTION_NETWORK_MAC, self.mac)},
            name=self.entry.title,
            manufacturer=MANUFACTURER,
            model=messages.chip_of(self.build),
            model_id=self.profile.module,
            sw_version=messages.version_of(self.build),
            configuration_url=self.url,
        )


def identity_of_entry(entry: ConfigEntry) -> str:
    """Return what identifies the socket of an entry in all registries and stores."""
    return entry.unique_id or identity_of(
        entry.data[CONF_MAC], entry.data[CONF_CLIENT_ID]
    )


def _today() -> int:
    return dt_util.now().toordinal()


def _no_day() -> None:
    return None
