"""What the firmware does over MQTT: when it connects, what it says and what it obeys."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Final

from simulator.flash import PowerLostError

from . import discovery, tasmota
from .arguments import Arguments
from .console import Command, Console, Result, needing, setter
from .energy import cut
from .settings import CHANNEL_COUNT, Flag
from .state import DeviceState
from .text import leading_int
from .wire import KEEP_ALIVE_SECONDS, ConnectionRefused, Credentials, MqttConnection

# Seconds without a connection after which the next attempt follows.
_RETRY_SECONDS: Final = 15
_AFTER_WIFI_SECONDS: Final = 2
_HIGHEST_ASKED_CHANNEL: Final = 32
_RECONNECT_SECONDS: Final = 5
# The receive buffer with the packet's header; a longer message arrives in pieces, each
# of which is taken for a message of its own.
_BUFFER: Final = 1024
_INBOX: Final = 4096
_LONGEST_TOPIC: Final = 127
# The place of the decimals among the arguments of publishFloat.
_DECIMALS: Final = 3
_DISCOVERY_SECONDS: Final = 5
_QUEUE_LIMIT: Final = 32
_QUEUE_PER_SECOND: Final = 3
# About 80 messages a second is what the recorded storm of STATUS messages reached.
_LONG_MESSAGE: Final = 2048
_LONG_MESSAGE_SECONDS: Final = 0.012
_LEAST_REAL_PAUSE: Final = 0.004
# A connection attempt that takes longer does not hold up the firmware's second.
_PATIENCE: Final = 2.0

type _Item = Callable[[], bool]


class MqttService:
    """The MQTT half of the firmware; ``every_second`` is its heart."""

    def __init__(self, device: DeviceState, console: Console) -> None:
        """Begin unconnected; the commands about MQTT are known to ``console`` from now on."""
        self._device = device
        self._console = console
        console.register(self._commands())
        online = {"$MQTTOn": lambda _: self.online, "MQTTOn": lambda _: self.online}
        console.constants.register(online)
        self._connection: MqttConnection | None = None
        self._attempt: asyncio.Task[MqttConnection] | None = None
        self._unconnected = _RETRY_SECONDS + 1 - device.timing.mqtt_after
        self._seconds_to_reconnect = 0
        self._just_connected = False
        self._items: Iterator[_Item] | None = None
        self._queue: deque[tuple[str, str]] = deque()
        self._seconds_to_broadcast = 30
        self.broadcast_interval = 60
        self.items_per_second = 1
        self.tele_intervals = (3, 120)
        self._tele_seconds = {"SENSOR": 0, "STATE": 0}
        self._seconds_to_discovery = 0
        self._seconds_to_ping = KEEP_ALIVE_SECONDS // 2
        self._inbox: deque[tuple[str, bytes]] = deque()
        self._inbox_size = 0
        self._pause: asyncio.TimerHandle | None = None
        self._bytes_sent = 0
        self.connects = 0
        self.published = 0
        self.received = 0

    @property
    def online(self) -> bool:
        """Return whether the broker is connected."""
        return self._connection is not None and self._connection.connected

    @property
    def awaits_reconnect(self) -> bool:
        """Return whether a changed broker or topic is about to be taken up."""
        return self._seconds_to_reconnect > 0

    async def every_second(self) -> None:
        """Do a second's work."""
        device = self._device
        if not device.wifi.connected:
            self._lose_wifi()
            return
        if self._seconds_to_reconnect:
            self._seconds_to_reconnect -= 1
            if not self._seconds_to_reconnect and self.online:
                self.close()
                self._unconnected = _RETRY_SECONDS - _AFTER_WIFI_SECONDS
                return
        if device.flashing_over_air:
            self.close()
            return
        if not self.online:
            await self._wait_and_connect()
            return
        if self._just_connected:
            self._just_connected = False
            if device.settings.has_flag(Flag.SELF_STATE_ON_CONNECT):
                self.broadcast_tele_state()
                self.publish_all()
        self._keep_alive()
        self._publish_tele()
        self._publish_slowly()
        self._count_down_discovery()

    def close(self, *, silently: bool = False) -> None:
        """Drop the connection; the firmware never says goodbye, so the will follows.

        ``silently``: the broker does not get to know of it yet.
        """
        if self._attempt:
            self._attempt.cancel()
            self._attempt = None
        if self._connection:
            if silently:
                self._connection.fall_silent()
            else:
                self._connection.abort()
            self._connection = None
        if self._pause:
            self._pause.cancel()
            self._pause = None
        self._inbox.clear()
        self._inbox_size = 0

    def reconnect_soon(self) -> None:
        """Take up a changed broker or topic in some seconds."""
        self._seconds_to_reconnect = _RECONNECT_SECONDS

    def publish(
        self,
        name: str,
        text: str,
        *,
        qos: int = 1,
        retain: bool = False,
        get: bool = True,
    ) -> bool:
        """Publish below the client id; returns False where there is no connection."""
        suffix = "/get" if get and not self._flag(Flag.NO_GET_SUFFIX) else ""
        return self.publish_raw(
            f"{self._device.settings.values.mqtt_client_id}/{name}{suffix}",
            text,
            qos=qos,
            retain=retain,
        )

    def publish_raw(
        self, topic: str, text: str, *, qos: int = 1, retain: bool = False
    ) -> bool:
        """Publish to a topic; flag 7 retains everything."""
        if not self.online or self._connection is None:
            return False
        payload = text.encode(errors="surrogateescape")
        retain = retain or self._flag(Flag.RETAIN_EVERYTHING)
        self._connection.publish(topic, payload, qos=qos, retain=retain)
        self.published += 1
        self._bytes_sent += len(payload)
        self._device.note_publication(topic, payload, qos, retain)
        return True

    def publish_all(self) -> None:
        """Begin the list of everything the socket says about itself."""
        self._items = self._self_state()

    def publish_channels(self) -> None:
        """Begin the list of channels alone, unless a list is under way."""
        if self._items is None:
            self._items = self._channel_items()

    def publish_channel(self, channel: int) -> bool:
        """Publish one channel now."""
        self.broadcast_tele_state()
        value = self._device.channel(channel)
        text = f"{value:f}" if self._flag(Flag.PUBLISH_MULTIPLIED) else f"{value}"
        retain = (
            self._flag(Flag.RETAIN_RELAYS)
            and channel in self._device.pins.relay_channels()
        )
        return self.publish(f"{channel}", text, retain=retain)

    def broadcast_tele_state(self) -> None:
        """Publish tele/…/STATE and SENSOR, with flag 30."""
        if self._flag(Flag.TELE_PUBLISHES):
            self._tele("STATE", tasmota.state(self._device))
            self._broadcast_tele_sensor()

    def schedule_discovery(self, seconds: int) -> None:
        """Queue the discovery after so many connected seconds."""
        self._seconds_to_discovery = seconds

    def rediscover(self) -> None:
        """Send the discovery again after names or pins changed, with flag 27."""
        if self._flag(Flag.HOME_ASSISTANT_DISCOVERY):
            self.schedule_discovery(1)

    def queue_discovery(self, prefix: str = "homeassistant") -> bool:
        """Queue the discovery now; returns False where MQTT is down."""
        if not self.online:
            return False
        for topic, payload in discovery.messages(self._device):
            if len(self._queue) < _QUEUE_LIMIT:
                self._queue.append((f"{prefix}/{topic}", payload))
        return True

    def _commands(self) -> dict[str, Command]:
        def run(action: Callable[[], object]) -> Command:
            def command(_arguments: Arguments) -> Result:
                action()
                return Result.OK

            return command

        def number(apply: Callable[[int], object]) -> Command:
            def command(arguments: Arguments) -> Result:
                apply(arguments.integer(0))
                return Result.OK

            return needing(1, command)

        settings = self._device.settings
        return {
            "mqtthost": setter(settings, "mqtt_host"),
            "mqttuser": setter(settings, "mqtt_username"),
            "mqttpassword": setter(settings, "mqtt_password"),
            "mqttclient": setter(settings, "mqtt_client_id", self.reconnect_soon),
            "mqttgroup": setter(settings, "mqtt_group", self.reconnect_soon),
            "publish": self._publish_text,
            "publishint": needing(2, self._publish_command(_integer_text)),
            "publishfloat": needing(2, self._publish_command(self._float_text)),
            "publishall": run(self.publish_all),
            "publishchannels": run(self.publish_channels),
            "publishchannel": number(self.publish_channel),
            "schedulehadiscovery": self._schedule_discovery,
            "mqtt_broadcastinterval": number(
                lambda value: setattr(self, "broadcast_interval", value)
            ),
            "mqtt_broadcastitemspersec": number(
                lambda value: setattr(self, "items_per_second", value)
            ),
            "tasteleinterval": needing(2, self._set_tele_intervals),
        }

    def _publish_text(self, arguments: Arguments) -> Result:
        # The constants are put in first, and quotes can be escaped: unlike anywhere else.
        run = needing(2, self._publish_command(Arguments.word))
        return run(arguments.expanded())

    def _publish_command(self, value: Callable[[Arguments, int], str]) -> Command:
        def command(arguments: Arguments) -> Result:
            topic, text = arguments.word(0), value(arguments, 1)
            if arguments.integer(2):
                self.publish_raw(topic, text)
            else:
                self.publish(topic, text)
            return Result.OK

        return command

    def _float_text(self, arguments: Arguments, index: int) -> str:
        """Return a number as publishFloat does; the decimals are cut since 1.17.629."""
        number = arguments.number(index)
        if len(arguments) <= _DECIMALS or not self._device.release.cuts_decimals:
            return f"{number:f}"
        return cut(number, arguments.integer(_DECIMALS))

    def _schedule_discovery(self, arguments: Arguments) -> Result:
        given = arguments.text
        self.schedule_discovery(leading_int(given) if given else _DISCOVERY_SECONDS)
        return Result.OK

    def _set_tele_intervals(self, arguments: Arguments) -> Result:
        self.tele_intervals = (arguments.integer(0), arguments.integer(1))
        return Result.OK

    def _flag(self, flag: Flag) -> bool:
        return self._device.settings.has_flag(flag)

    def _lose_wifi(self) -> None:
        self.close(silently=self._device.goes_silently)
        self._seconds_to_reconnect = 0
        if self._device.wifi.quick:
            self._unconnected = _RETRY_SECONDS + 1
        else:
            self._unconnected = _RETRY_SECONDS - _AFTER_WIFI_SECONDS

    async def _wait_and_connect(self) -> None:
        self._unconnected += 1
        if self._unconnected <= _RETRY_SECONDS:
            return
        self._unconnected = 0
        self.close()
        values = self._device.settings.values
        if not values.mqtt_host:
            return
        self.connects += 1
        host, port = self._device.resolve(values.mqtt_host, values.mqtt_port)
        self._attempt = asyncio.create_task(
            MqttConnection.open(
                host,
                port,
                Credentials(
                    client_id=values.mqtt_client_id,
                    username=values.mqtt_username,
                    password=values.mqtt_password,
                ),
                will_topic=f"{values.mqtt_client_id}/connected",
                will=b"offline",
                on_message=self._on_message,
            )
        )
        self._attempt.add_done_callback(self._on_attempt_over)
        await asyncio.wait([self._attempt], timeout=_PATIENCE)
        if self._connection:
            # A fast clock must not let the next messages overtake the birth.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._connection.completed.wait(), _PATIENCE)

    def _on_attempt_over(self, attempt: asyncio.Task[MqttConnection]) -> None:
        if attempt.cancelled() or attempt is not self._attempt:
            return
        self._attempt = None
        error = attempt.exception()
        if isinstance(error, OSError | ConnectionRefused):
            return
        self._connection = attempt.result()
        for topic_filter in self._subscriptions():
            self._connection.subscribe(topic_filter)
        client_id = self._device.settings.values.mqtt_client_id
        self.publish_raw(f"{client_id}/connected", "online", qos=2, retain=True)
        self._just_connected = True

    def _subscriptions(self) -> Iterator[str]:
        values = self._device.settings.values
        client, group = values.mqtt_client_id, values.mqtt_group
        yield f"{client}/+/set"
        if group:
            yield f"{group}/+/set"
        yield f"cmnd/{client}/+"
        if group:
            yield f"cmnd/{group}/+"
        if self._device.release.answers_questions:
            yield f"{client}/+/get"
        if self._device.release.answers_home_assistant:
            yield "homeassistant/+"
        if self._flag(Flag.TELE_PUBLISHES):
            yield f"tele/{client}/+"
            yield f"stat/{client}/+"

    def _keep_alive(self) -> None:
        self._seconds_to_ping -= 1
        if self._seconds_to_ping <= 0 and self._connection:
            self._seconds_to_ping = KEEP_ALIVE_SECONDS // 2
            self._connection.ping()

    def _publish_tele(self) -> None:
        if not self._flag(Flag.TELE_PUBLISHES):
            return
        for (name, seconds), interval in zip(
            self._tele_seconds.items(), self.tele_intervals, strict=True
        ):
            self._tele_seconds[name] = seconds + 1
            if seconds + 1 < interval:
                continue
            self._tele_seconds[name] = 0
            if name == "STATE":
                self._tele("STATE", tasmota.state(self._device))
            else:
                self._broadcast_tele_sensor()

    def _broadcast_tele_sensor(self) -> None:
        if self._device.energy:
            self._tele("SENSOR", tasmota.sensor(self._device))

    def _tele(self, name: str, text: str) -> None:
        client_id = self._device.settings.values.mqtt_client_id
        self.publish_raw(f"tele/{client_id}/{name}", text)

    def _publish_slowly(self) -> None:
        """Go on with a list or the queue, a few messages a second."""
        if self._items is not None:
            sent = 0
            for item in self._items:
                sent += item()
                if sent >= self.items_per_second:
                    return
            self._items = None
        elif self._queue:
            self._publish_queued()
        elif self._flag(Flag.BROADCAST_SELF_STATE):
            self._seconds_to_broadcast -= 1
            if self._seconds_to_broadcast <= 0:
                self._seconds_to_broadcast = self.broadcast_interval
                self.publish_all()

    def _publish_queued(self) -> bool:
        if not self._queue:
            return False
        for _ in range(min(_QUEUE_PER_SECOND, len(self._queue))):
            topic, payload = self._queue.popleft()
            self.publish_raw(topic, payload, retain=True)
        if not self._queue:
            self.publish_channels()
        return True

    def _self_state(self) -> Iterator[_Item]:
        device = self._device
        values = device.settings.values
        yield self._plain("host", values.short_name)
        yield self._plain("build", device.release.build)
        yield self._plain("mac", device.identity.text)
        yield self._publish_queued
        if device.release.reports_temperature:
            yield self._plain("temp", f"{device.chip_temperature:.2f}")
        yield self._plain("ssid", values.wifi_ssid)
        if device.release.answers_home_assistant or device.device_clock.ntp_running:
            yield self._plain("datetime", f"{device.device_clock.local}")
        yield self._plain("sockets", "1")
        yield self._plain("rssi", f"{device.signal_dbm}")
        yield self._plain("uptime", f"{device.uptime}")
        yield self._plain("freeheap", f"{device.free_heap}")
        yield self._plain("ip", device.ip_address)
        yield from self._channel_items()

    def _channel_items(self) -> Iterator[_Item]:
        for channel in range(CHANNEL_COUNT):
            if channel in self._device.pins.published_channels():
                yield partial(self.publish_channel, channel)

    def _plain(self, name: str, text: str) -> _Item:
        return partial(self.publish, name, text, get=False)

    def _count_down_discovery(self) -> None:
        if self._seconds_to_discovery:
            self._seconds_to_discovery -= 1
            if not self._seconds_to_discovery:
                self.queue_discovery()

    def _on_message(self, topic: str, payload: bytes, qos: int) -> None:
        self.received += 1
        topic = topic[:_LONGEST_TOPIC]
        for piece in _pieces(topic, payload, qos):
            size = len(topic) + len(piece) + 4
            if self._inbox_size + size < _INBOX:
                self._inbox.append((topic, piece))
                self._inbox_size += size
        self._empty_inbox()

    def _empty_inbox(self) -> None:
        while self._inbox and self._pause is None:
            topic, piece = self._inbox.popleft()
            self._inbox_size -= len(topic) + len(piece) + 4
            before = self._bytes_sent
            try:
                self._obey(topic, piece.decode(errors="surrogateescape"))
            except PowerLostError as error:
                self._device.fail(error)
                return
            if self._bytes_sent - before > _LONG_MESSAGE:
                seconds = _LONG_MESSAGE_SECONDS / self._device.clock.speed
                self._pause = asyncio.get_running_loop().call_later(
                    max(seconds, _LEAST_REAL_PAUSE), self._resume
                )

    def _resume(self) -> None:
        self._pause = None
        self._empty_inbox()

    def _obey(self, topic: str, text: str) -> None:
        own = self._own_part(topic)
        if own is not None:
            self._obey_channel(own, text)
        elif topic == "homeassistant/status":
            if text == "online":
                self.publish_all()
        else:
            kind, _, rest = topic.partition("/")
            command = self._own_part(rest)
            if command is not None and kind in ("cmnd", "tele", "stat"):
                self._obey_command(command, text)

    def _own_part(self, topic: str) -> str | None:
        # A changed name counts at once, although the old one is still subscribed to.
        values = self._device.settings.values
        for root in (values.mqtt_client_id, values.mqtt_group):
            if root and topic.startswith(f"{root}/"):
                return topic[len(root) + 1 :]
        return None

    def _obey_channel(self, own: str, text: str) -> None:
        name, _, verb = own.partition("/")
        channel = leading_int(name)
        if not 0 <= channel < CHANNEL_COUNT:
            return
        if verb == "set":
            if text[:6].lower() == "toggle":
                self._device.pins.toggle(channel)
            else:
                self._device.pins.set(channel, leading_int(text))
        elif verb == "get" and not text and channel <= _HIGHEST_ASKED_CHANNEL:
            self.publish_channel(channel)

    def _obey_command(self, command: str, argument: str) -> None:
        self._console.execute_arguments(command, argument)
        answer = tasmota.reply(self._device, command, argument)
        if answer and answer.stat_topic:
            client_id = self._device.settings.values.mqtt_client_id
            self.publish_raw(f"stat/{client_id}/{answer.stat_topic}", answer.text)


def _pieces(topic: str, payload: bytes, qos: int) -> Iterator[bytes]:
    """Yield a payload as the receive buffer lets it through."""
    head = 2 + len(topic.encode()) + (2 if qos else 0)
    fixed = 2 if head + len(payload) < 128 else 3
    room = _BUFFER - fixed - head
    yield payload[:room]
    for start in range(room, len(payload), _BUFFER - fixed):
        yield payload[start : start + _BUFFER - fixed]


def _integer_text(arguments: Arguments, index: int) -> str:
    return f"{arguments.integer(index)}"
