"""One live socket: what it last said, who listens, and what it is told."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from secrets import token_hex
from typing import Any, Final

from homeassistant.components import mqtt
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr
from homeassistant.util import dt as dt_util

from ..const import (
    CONF_ADDRESS,
    CONF_CHILD_LOCK,
    CONF_CLIENT_ID,
    CONF_DARK_LEDS,
    CONF_ENERGY_IN_KWH,
    CONF_FEEDS_IN,
    CONF_FIRMWARE,
    CONF_FIRST_LED_USES,
    CONF_LABELS,
    CONF_MAC,
    CONF_MODEL,
    CONF_PROFILE,
    CONF_TIME_ZONE,
    CONF_TUNED,
    CONF_UNDO,
    DOMAIN,
    LOGGER,
)
from ..helpers import Listeners
from ..network.mqtt import Received, Subscriptions, publish
from ..pyopenbk.beken.rf_sector import is_generic_mac
from ..pyopenbk.metering.correction import Correction
from ..pyopenbk.meters import BL0942
from ..pyopenbk.obk import builds, messages, readings
from ..pyopenbk.obk.commands import (
    Command,
    backlog,
    energy_command,
    flag_command,
    pin_commands,
)
from ..pyopenbk.obk.flags import Flag
from ..pyopenbk.obk.messages import Publication, Value
from ..pyopenbk.obk.names import identity_of
from ..pyopenbk.obk.provisioning import Clock, time_commands
from ..pyopenbk.obk.settings import first_led_uses, independent_leds
from ..pyopenbk.profile import SocketProfile
from ..pyopenbk.quantities import ENERGY, FREQUENCY, POWER, VOLTAGE
from . import clock
from .asking import Asking
from .calibration import SocketCalibration
from .clock_set import async_watch_clock_set
from .energy_store import ENERGY_STORE
from .factors import FactorWatch
from .meter import SocketMeter
from .presence import Presence
from .readback import Readback
from .reporting import Reporting
from .snapshots import SNAPSHOTS, Before
from .sources import Listener, Source
from .switching import Switching
from .values import SocketValues

type OpenBekenConfigEntry = ConfigEntry[SocketState]

MANUFACTURER: Final = "OpenBeken"
# What a script or a scene sets next comes within so many seconds.
_RELOAD_AFTER: Final = 0.1
# Before, the flag of the lock is kept, and the button works all the same (new_pins.c).
_LOCKS_SINCE: Final = (1, 17, 184)


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
        self.lights = independent_leds(self.profile, dark)
        self.first_led_uses = first_led_uses(
            self.profile, entry.data.get(CONF_FIRST_LED_USES, {})
        )
        self.labels: Mapping[str, str] = entry.data.get(CONF_LABELS, {})
        """What the socket calls its relays, by channel."""
        self.calibration = SocketCalibration(hass, entry, self.profile.assumed_meter)
        self.calibration.listen(self._corrections_changed)
        self.tuned: bool = entry.data.get(CONF_TUNED, True)
        self.online_listeners: Listeners[[]] = Listeners()
        self._described_listeners: Listeners[[]] = Listeners()
        self._clock_listeners: Listeners[[]] = Listeners()
        self._unsubscribe: list[CALLBACK_TYPE] = []
        self._subscriptions = Subscriptions(hass, self._topics)
        self._was_online = False
        self._changing = 0
        """How many settings are being made just now."""
        self._chip = builds.chip_of(self.build)
        self._is_outdated = False
        """There are other entities by now than those that were set up."""
        self._reload: asyncio.Task[None] | None = None
        self.presence = Presence(
            came=self._came, gone=self._gone, ask=self._ask_for_life, later=self._later
        )
        self.clock = clock.SocketClock(
            self.client_id,
            self._send_soon,
            self._later,
            self._clock_changed,
            may_set=self.tuned,
            build=lambda: self.build,
        )
        self.switching = Switching(hass.loop.time, self._later)
        self.meter = SocketMeter(
            hass,
            self.identity,
            self.calibration.power_correction,
            self._today,
            in_kwh=_in_kwh(entry),
            unit_found=self._unit_found,
            feeds_in=entry.data.get(CONF_FEEDS_IN, False),
            highest_power=self.profile.assumed_meter.highest_power,
            at_rest=(Reporting.of(entry.options) or Reporting()).at_rest,
        )
        self.values = SocketValues(
            hass, self.presence, self.calibration, self.clock, self.meter
        )
        self.asking = Asking(
            self.client_id,
            self.values,
            self._send_soon,
            self._later,
            self.presence.silent,
            self._question_for_readings,
        )
        self.factors = FactorWatch(
            hass,
            entry,
            self.calibration,
            self.meter,
            self._later,
            self.profile.assumed_meter,
        )
        self.readback = Readback(
            hass,
            entry,
            self._later,
            self._chip_read,
            self._flags_read,
            # Those of a lone relay are the device itself.
            self._labels_read if len(self.profile.relays) > 1 else None,
        )
        self.device = self._register_device()

    async def start(self) -> None:
        """Subscribe to everything that somebody listens to."""
        if name := self.entry.data.get(CONF_TIME_ZONE):
            self.clock.time_zone = await dt_util.async_get_time_zone(name)
        self.source("build").add(self._build_changed)
        self.source("ip").add(self._address_changed)
        if self.values.needs_clock:
            self.source("datetime").add(self.clock.heard)
        if self.values.is_wanted(ENERGY.key):
            # What they say tells what its numbers mean.
            self.source(POWER.key)
            self.source("uptime").add(self.meter.uptime)
            self.source(messages.ENERGY_CLEARED).add(self.meter.cleared)
        if not self.profile.has_meter:
            self.source(VOLTAGE.key).add(self._meter_heard)
        if self.profile.meter_kind is None:
            self.source(FREQUENCY.key).add(self._frequency_heard)
        self.presence.any_answers = not any(self.values.channels())
        await self._subscriptions.begin()
        self._unsubscribe.append(
            mqtt.async_subscribe_connection_status(self.hass, self._broker_changed)
        )
        self._unsubscribe.append(
            async_watch_clock_set(self.hass, self._computer_clock_set)
        )

    def _topics(self) -> Iterator[tuple[str, Received]]:
        """Yield what is listened to, the channels before ``connected``."""
        for key, source in self.values.topics():
            yield f"{self.client_id}/{messages.topic_of(key)}", source.received
        yield messages.heard_topic(self.client_id), self._word_heard
        yield f"{self.client_id}/connected", self._connected

    @callback
    def stop(self) -> None:
        """Leave no subscription and no timer behind."""
        self._is_outdated = False
        self._stop_reload()
        self._subscriptions.end()
        self.presence.unheard()
        self.presence.stop()
        self._cancel_timers()
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
        return self.online_listeners.add(listener)

    @callback
    def listen_clock(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call a listener when the socket learns the time, loses or misses it."""
        return self._clock_listeners.add(listener)

    @property
    def corrections(self) -> Mapping[str, Correction]:
        """Return the corrections in force, by the key of the quantity."""
        return self.calibration.corrections

    @callback
    def listen_described(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call a listener when the socket has another firmware, address or correction."""
        return self._described_listeners.add(listener)

    def value(self, key: str) -> Value | None:
        """Return the last value of a key, or None where none is known to be true."""
        return source.value if (source := self.values.sources.get(key)) else None

    @property
    def all_relays_open(self) -> bool:
        """Return whether it has relays and all of them are known to be open."""
        values = [
            self.value(messages.channel_key(r.channel)) for r in self.profile.relays
        ]
        return bool(values) and all(value == 0 for value in values)

    async def async_set_channel(self, channel: int, value: int) -> None:
        """Set a channel; its value changes when the socket says so, not before.

        Raises HomeAssistantError if the socket is not there.
        """
        self.switching.ask(channel, value)
        await self.async_send(messages.set_channel(self.client_id, channel, value))
        if self.online:
            self.asking.for_channel(channel)

    async def async_command(self, command: Command) -> None:
        """Send a console command and see that the socket is there, which got it then.

        The firmware answers none of those that we use, but says a word that it is told after it;
        of one too old for that, anything that it says counts. Raises HomeAssistantError if the
        socket is not there, or may have been gone already.
        """
        word = token_hex(4) if messages.says_on_command(self.build) else None
        with self._before_reload():
            await self.async_send(messages.console(self.client_id, command))
            if await self.presence.answers(
                partial(self.asking.after_command, word), word
            ):
                return
            if is_loaded(self.entry):
                # It may have got it all the same; then that is shown once it is read.
                self.readback.changed()
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="command_unanswered",
            translation_placeholders={"name": self.entry.title},
        )

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
        """Set the socket's total energy, from which it counts on.

        Raises HomeAssistantError if the socket is not there.
        """
        await self.async_command(energy_command(kilowatt_hours * 1000))
        self.hass.data[ENERGY_STORE].set_total(self.identity, kilowatt_hours)

    async def async_reset_energy(self) -> None:
        """Set all energy counters of the socket to zero.

        Raises HomeAssistantError if the socket is not there.
        """
        await self.async_command(energy_command())
        self.hass.data[ENERGY_STORE].reset(self.identity)

    @property
    def has_child_lock(self) -> bool:
        """Return whether the firmware is not known to lack one: then the flag does nothing."""
        return not builds.is_before(self.build, _LOCKS_SINCE)

    async def async_lock_button(self, on: bool) -> None:
        """Let the socket ignore its button, or no longer, and note it in the entry.

        Raises HomeAssistantError if the firmware has no such lock or the socket is not there.
        """
        if on and not self.has_child_lock:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="child_lock_too_old",
                translation_placeholders={
                    "name": self.entry.title,
                    "version": builds.version_of(self.build) or "",
                },
            )
        command = flag_command(Flag.IGNORE_BUTTONS, on)
        await self.async_configure([command], **{CONF_CHILD_LOCK: on})

    async def async_configure(self, commands: Iterable[Command], **data: Any) -> None:
        """Write settings into the socket and note them in the entry.

        A changed profile decides which entities there are, so the entry is loaded anew. Raises
        HomeAssistantError, with the entry as it was, if the socket is not there.
        """
        with self._before_reload():
            if commands := list(commands):
                if self.online:
                    before = Before.PINS if CONF_PROFILE in data else Before.SETTING
                    await self.hass.data[SNAPSHOTS].async_keep(self.entry, before)
                await self.async_command(backlog(commands))
                self.readback.changed()
            self.hass.config_entries.async_update_entry(
                self.entry, data={**self.entry.data, **data}
            )
            if CONF_PROFILE in data:
                # What is chosen next builds on it.
                self.profile = SocketProfile.from_dict(data[CONF_PROFILE])
                self._is_outdated = True

    @contextmanager
    def _before_reload(self) -> Iterator[None]:
        """Have the entry loaded anew after the block only: meanwhile nobody would hear an answer.

        Nor at once then, as a script or a scene may have more to set.
        """
        self._stop_reload()
        self._changing += 1
        try:
            yield
        finally:
            self._changing -= 1
            if self._is_outdated:
                self._reload_soon()

    def _reload_soon(self) -> None:
        self._is_outdated = True
        if not self._changing and self._reload is None:
            self._reload = self.hass.async_create_task(
                self._load_anew(), f"openbk reload of {self.client_id}"
            )

    def _stop_reload(self) -> None:
        if self._reload is not None:
            self._reload.cancel()
            self._reload = None

    async def _load_anew(self) -> None:
        await asyncio.sleep(_RELOAD_AFTER)
        self._reload = None
        self.hass.config_entries.async_schedule_reload(self.entry.entry_id)

    async def async_change_profile(
        self, profile: SocketProfile, first: Iterable[Command] = (), **data: Any
    ) -> None:
        """Give pins of the running socket other roles; it keeps them over a power cut.

        ``first`` is run before any pin changes. Raises HomeAssistantError, with the entry as it
        was, if the socket is not there.
        """
        commands = [*first, *pin_commands(self.profile, profile)]
        await self.async_configure(
            commands, **{CONF_PROFILE: profile.as_dict()}, **data
        )

    async def async_send(self, publication: Publication) -> None:
        """Send a message to the socket, or raise HomeAssistantError if it is not there."""
        if not self.online and not self.presence.in_doubt:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="socket_unreachable",
                translation_placeholders={"name": self.entry.title},
            )
        await publish(self.hass, publication)

    @callback
    def expect_new_readings(self) -> None:
        """Drop what the socket said with factors that it no longer has."""
        self.values.expect_new_readings()

    @callback
    def _corrections_changed(self) -> None:
        """Tell the last values again, as they are corrected now."""
        self.hass.data[ENERGY_STORE].save_soon()
        self.values.correct_again()
        self._described_listeners.tell()

    def source(self, key: str) -> Source:
        """Return the source of a key; those with a topic have to be there before ``start``."""
        return self.values.source(key)

    @property
    def online(self) -> bool:
        """Return whether the socket is there."""
        return self.presence.online

    def _ask_for_life(self) -> None:
        self.asking.for_a_sign_of_life()

    def _question_for_readings(self) -> Publication | None:
        return readings.question(self.client_id, self.build, in_kwh=self.meter.in_kwh)

    @callback
    def _connected(self, message: mqtt.ReceiveMessage) -> None:
        online = messages.decode_connected(str(message.payload))
        if online is not None:
            self.presence.published(online, retained=message.retain)

    @callback
    def _word_heard(self, message: mqtt.ReceiveMessage) -> None:
        """Take the word that a command asked for, and leave none at the broker (flag 7)."""
        if word := str(message.payload):
            if not message.retain:
                self.presence.said(word)
            self._send_soon([messages.forget_word(message.topic)])

    @callback
    def _broker_changed(self, connected: bool) -> None:
        # After a reconnect the broker says again whether the socket is there.
        if not connected and not self.hass.is_stopping:
            self.presence.unknown()

    @callback
    def _computer_clock_set(self) -> None:
        """Tell the socket the time again, and ask for what was worked out with the wrong one."""
        if not self.online:
            return
        if self.values.needs_clock:
            self.clock.begin()
        self.asking.for_list()

    @callback
    def _came(self) -> None:
        """Start anew with a socket that has just appeared."""
        if self._was_online:
            LOGGER.info("%s is back", self.entry.title)
        self._was_online = True
        self.meter.begin()
        self.asking.begin()
        if self.values.needs_clock:
            self.clock.begin()
        if self.profile.meter_kind is not None:
            self.factors.begin()
        if reporting := Reporting.of(self.entry.options):
            self._send_soon(
                [messages.console(self.client_id, each) for each in reporting.commands]
            )
        # It may have been told something just now, and what is read is what it saved.
        self.readback.changed()
        self._tell_online()

    @callback
    def _gone(self) -> None:
        """Forget everything; nothing of it can be known to be true now."""
        LOGGER.info("%s is unreachable", self.entry.title)
        self._cancel_timers()
        self.values.lose()
        self._tell_online()

    def _tell_online(self) -> None:
        self.online_listeners.tell()

    @callback
    def _clock_changed(self) -> None:
        if self.clock.right:
            # What it said of its days before was not shown.
            self.asking.for_readings()
        else:
            self.values.lose_days()
        self._clock_listeners.tell()

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
        self.asking.stop()
        self.clock.stop()
        self.switching.stop()
        self.factors.stop()
        self.readback.stop()

    @callback
    def _build_changed(self, build: str | None) -> None:
        if build is None:
            return
        build = builds.in_todays_words(build, self._chip)
        if build != self.entry.data[CONF_FIRMWARE]:
            self._update_entry({CONF_FIRMWARE: build})
            if self.online and self.values.needs_clock:
                # It may take the time from here now.
                self.clock.begin()

    @callback
    def _address_changed(self, address: str | None) -> None:
        if address is not None and address != self.entry.data[CONF_ADDRESS]:
            self._update_entry({CONF_ADDRESS: address})
            self.readback.begin()

    @callback
    def _meter_heard(self, volts: float | None) -> None:
        """Have the entities of a meter that no pin told of, once it is heard."""
        if volts and not self.profile.has_meter:
            self._take_meter(replace(self.profile, metered=True))

    @callback
    def _frequency_heard(self, hertz: float | None) -> None:
        """Know a meter by what only one of its kind says."""
        if hertz and self.profile.meter_kind is None:
            self._take_meter(self.profile.with_meter(BL0942))

    def _take_meter(self, profile: SocketProfile) -> None:
        self.profile = profile
        LOGGER.info("%s has a meter", self.entry.title)
        self.hass.config_entries.async_update_entry(
            self.entry, data={**self.entry.data, CONF_PROFILE: profile.as_dict()}
        )
        self._reload_soon()

    @callback
    def _chip_read(self, chip: str) -> None:
        """Know the chip, which an older release does not name over MQTT."""
        self._chip = chip
        build = builds.in_todays_words(self.build, chip)
        if build != self.build:
            self._update_entry({CONF_FIRMWARE: build})

    @callback
    def _flags_read(self, flags: int) -> None:
        if not self.profile.has_meter:
            return
        in_kwh = bool(flags & Flag.ENERGY_IN_KWH.mask)
        self._note_unit(in_kwh)
        self.meter.learn_unit(in_kwh)
        feeds_in = bool(flags & Flag.ALLOW_NEGATIVE_POWER.mask)
        if feeds_in != self.meter.feeds_in:
            self.meter.feeds_in = feeds_in
            self._update_entry({CONF_FEEDS_IN: feeds_in})

    @callback
    def _labels_read(self, labels: Mapping[int, str]) -> None:
        """Have entities with the names that the socket has for them now.

        Those of before keep theirs until they are made anew.
        """
        named = {str(channel): label for channel, label in labels.items()}
        if named != self.entry.data.get(CONF_LABELS, {}):
            self.hass.config_entries.async_update_entry(
                self.entry, data={**self.entry.data, CONF_LABELS: named}
            )
            self._reload_soon()

    @callback
    def _unit_found(self, in_kwh: bool) -> None:
        self._note_unit(in_kwh)
        self.values.read_energy_again()

    def _note_unit(self, in_kwh: bool) -> None:
        if self.entry.data.get(CONF_ENERGY_IN_KWH) != in_kwh:
            self._update_entry({CONF_ENERGY_IN_KWH: in_kwh})

    def _today(self) -> int:
        """Return the ordinal of the day where the socket's days begin and end."""
        return dt_util.now(self.clock.time_zone).toordinal()

    def _update_entry(self, changes: Mapping[str, str | bool]) -> None:
        """Keep what a socket said of itself, in the entry and on its device page."""
        self.hass.config_entries.async_update_entry(
            self.entry, data={**self.entry.data, **changes}
        )
        self.device = self._register_device()
        self._described_listeners.tell()

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
        chip = builds.chip_of(self.build)
        model, module = self.entry.data.get(CONF_MODEL), self.profile.module or chip
        return dr.async_get(self.hass).async_get_or_create(
            config_entry_id=self.entry.entry_id,
            identifiers={(DOMAIN, self.identity)},
            connections=connections_of(self.mac),
            name=self.entry.title,
            manufacturer=MANUFACTURER,
            model=model or module,
            model_id=module if model else None,
            hw_version=chip,
            sw_version=builds.version_of(self.build),
            configuration_url=self.url,
        )


def is_loaded(entry: OpenBekenConfigEntry) -> bool:
    """Return whether the socket of an entry is set up."""
    return entry.state is ConfigEntryState.LOADED


def is_online(entry: OpenBekenConfigEntry) -> bool:
    """Return whether the socket of an entry is set up and there."""
    return is_loaded(entry) and entry.runtime_data.online


def identity_of_entry(entry: ConfigEntry) -> str:
    """Return what identifies the socket of an entry in all registries and stores."""
    return entry.unique_id or identity_of(
        entry.data[CONF_MAC], entry.data[CONF_CLIENT_ID]
    )


def connections_of(mac: str) -> set[tuple[str, str]]:
    """Return the connections of a device; with the same one, two devices would become one."""
    return set() if is_generic_mac(mac) else {(dr.CONNECTION_NETWORK_MAC, mac)}


def _in_kwh(entry: ConfigEntry) -> bool | None:
    """Return whether a socket counts in kWh, None where nobody knows.

    One that we flashed was set to Wh; others could often be asked when they were added.
    """
    known: bool | None = entry.data.get(CONF_ENERGY_IN_KWH)
    return False if known is None and CONF_UNDO not in entry.data else known
