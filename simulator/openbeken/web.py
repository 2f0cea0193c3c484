"""The firmware's web server: its REST interface, and what goes on to the pages."""

from collections.abc import Callable
import json
import re
from typing import Final

from custom_components.openbk.pyopenbk.beken.chips import BK7231N
from custom_components.openbk.pyopenbk.roles import PinRole

from . import tasmota
from .console import Console, Result
from .http_server import BINARY, TEXT, Answer, Request
from .mqtt import MqttService
from .names import CHANNEL_TYPES, LOG_FEATURES, LOG_LEVELS
from .ota import FlashRangeError, OverTheAir
from .pages import Pages, change_role, json_text
from .posted_json import Kind, PostedJsonError, Token, tokens
from .settings import CHANNEL_COUNT, Flag, config_region
from .state import DeviceState
from .text import cut, encode, leading_int

_ROLE_NAMES: Final = [" ", *(role.firmware_name for role in PinRole if role)]
_LONGEST_JSON_TEXT: Final = 128
_LAST_SETTABLE_FLAG: Final = 10
_SPAN: Final = re.compile(r"\s*(-?(?:0x)?[0-9a-f]+)-(?:0x)?([0-9a-f]+)", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"\s*(?:0x)?([0-9a-f]+)", re.IGNORECASE)


class Web:
    """Answers requests."""

    def __init__(
        self,
        device: DeviceState,
        console: Console,
        mqtt: MqttService,
        over_air: OverTheAir,
    ) -> None:
        """Serve this device."""
        self._device = device
        self._console = console
        self._over_air = over_air
        self._pages = Pages(device, console, mqtt)
        self._gets: dict[str, Callable[[], Answer]] = {
            "api/info": self._info,
            "api/pins": self._get_pins,
            "api/channels": self._get_channels,
            "api/channelTypes": self._get_channel_types,
            "api/logconfig": self._get_log_config,
        }
        self._posts: dict[str, Callable[[Request], Answer]] = {
            "api/cmnd": self._post_command,
            "api/pins": self._post_pins,
            "api/channels": self._post_channels,
            "api/channelTypes": self._post_channel_types,
            "api/logconfig": lambda _: Answer(b"", TEXT),
            "api/reboot": self._reboot,
        }

    async def handle(self, request: Request) -> Answer | bytes:
        """Answer one request; bytes are an answer with a head of its own."""
        safe_mode = self._device.safe_mode
        method = request.method
        if (
            request.url.startswith("api/")
            and method in ("GET", "POST")
            and not safe_mode
        ):
            return await self._rest(request)
        return self._pages.answer(request)

    async def _rest(self, request: Request) -> Answer:
        # An address with a query is another address.
        url = request.url
        if request.method == "POST":
            if post := self._posts.get(url):
                return post(request)
            try:
                if url == "api/ota":
                    return await self._over_air.post_firmware(request)
                if url.startswith("api/flash/"):
                    return await self._post_flash(request)
                if url == "api/fsblock":
                    return await self._over_air.post_files(request)
            except FlashRangeError as error:
                return _result(-20, str(error))
            return self._pages.page(
                "POST REST API",
                f"POST to {url}<br/>Content Length:{request.content_length}"
                f"<br/>Content:[{request.text}]<br/>",
                links="",
            )
        if get := self._gets.get(url):
            return get()
        if url.startswith("api/flash/"):
            return self._get_flash(url.removeprefix("api/flash/"))
        if url == "api/fsblock":
            try:
                return self._over_air.get_files()
            except FlashRangeError as error:
                return _result(-20, str(error))
        if url.startswith("api/seriallog"):
            on = int(url.endswith("1"))
            return json_text(f"Direct serial logging set to {on}")
        if url == "api/lfs/":
            return json_text(
                '{"dir":"","content":[{"name":".","type":2,"size":0},'
                '{"name":"..","type":2,"size":0}]}'
            )
        return self._pages.page("GET REST API", f"GET of {url}", links="")

    # REST

    def _info(self) -> Answer:
        device, values = self._device, self._device.settings.values
        # Each line but the start-up command is printed into a buffer of 255 bytes, and
        # escapes are missing: a backslash, or a quote in a name, is no JSON any more.
        lines = (
            f'{{"uptime_s":{device.uptime},',
            f'"build":"{device.release.built_on}",',
            f'"ip":"{device.ip_address}",',
            f'"mac":"{device.identity.text}",',
            f'"flags":"{tasmota.signed_flags(values.flags)}",',
            f'"mqtthost":"{values.mqtt_host}:{values.mqtt_port}",',
            f'"mqtttopic":"{values.mqtt_client_id}",',
            f'"chipset":"{device.release.chip.name}",',
            f'"webapp":"{values.webapp_url}",',
            *(
                (f'"shortName":"{values.short_name}",',)
                if device.release.names_itself
                else ()
            ),
        )
        command = values.startup_command
        for char, escaped in (("\n", "\\n"), ("\r", "\\r"), ('"', '\\"')):
            command = command.replace(char, escaped)
        return json_text(
            "".join(cut(line, tasmota.PRINTED) for line in lines)
            + f'"startcmd":"{command}","supportsSSDP":{int("SSDP" in device.drivers)},'
            '"supportsClientDeviceDB":true}'
        )

    def _get_pins(self) -> Answer:
        values = self._device.settings.values
        count = self._device.settings.pin_count
        channels = values.channels[:count]
        second = list(values.channels2[:count])
        while second and not second[-1]:
            second.pop()
        answer: dict[str, object] = {
            "rolenames": _ROLE_NAMES,
            "roles": values.roles[:count],
            "channels": channels,
        }
        if second and self._device.release.tells_second_channels:
            answer["channels2"] = second
        answer["states"] = [self._device.channel(channel) for channel in channels]
        return _json(answer)

    def _get_channels(self) -> Answer:
        pins = self._device.pins
        # One entry per pin: keys repeat.
        entries = (
            f'"{pins.channel(pin)}":{self._device.channel(pins.channel(pin))}'
            for pin in range(self._device.settings.pin_count)
            if pins.role(pin)
        )
        return json_text(",".join(entries).join("{}"))

    def _get_channel_types(self) -> Answer:
        types = self._device.settings.values.channel_types
        return _json({"typenames": CHANNEL_TYPES, "types": types})

    def _get_log_config(self) -> Answer:
        return _json(
            {
                "level": 3,
                "features": 67108351,
                "levelnames": LOG_LEVELS,
                "featurenames": LOG_FEATURES,
            }
        )

    def _get_flash(self, span: str) -> Answer:
        if not (match := _SPAN.match(span)):
            return _result(-1, "invalid url")
        start, length = int(match[1], 16), int(match[2], 16)
        if start < 0 or start + length > BK7231N.flash.size:
            return _result(-1, "requested flash read out of range")
        read = self._device.flash.read(start, length)
        chip = self._device.release.chip
        if chip.config_address is None:
            # Its configuration is elsewhere, in a file or in a place that differs between builds.
            region = config_region(chip)
            read = bytes(
                0xFF if region.contains(start + at, 1) else byte
                for at, byte in enumerate(read)
            )
        return Answer(read, BINARY)

    async def _post_flash(self, request: Request) -> Answer:
        match = _ADDRESS.match(request.url.removeprefix("api/flash/"))
        if match is None or (start := int(match[1], 16)) < self._over_air.first:
            return _result(-1, "invalid url")
        return await self._over_air.post_flash(request, start)

    def _post_command(self, request: Request) -> Answer:
        line = "" if self._device.release.loses_posts else request.text
        result = self._console.execute(line)
        if not self._device.release.tells_results:
            return _result(200, Result.OK.message)
        kind = "success" if result is Result.OK else "error"
        reply = tasmota.reply_to_line(self._device, line)
        return json_text(
            f'{{"{kind}":{result.status}, "msg":"{result.message}", "res":{reply}}}',
            result.status,
        )

    def _post_pins(self, request: Request) -> Answer:
        found = _posted(request, Kind.OBJECT)
        if isinstance(found, Answer):
            return found
        at = 1
        while at < len(found):
            key, value = found[at], found[at + 1] if at + 1 < len(found) else None
            at += 1
            if key.kind is not Kind.STRING or value is None:
                continue
            if key.text in ("roles", "channels") and value.kind is Kind.ARRAY:
                entries = found[at + 1 : at + 1 + value.size]
                self._set_row(key.text, [leading_int(entry.text) for entry in entries])
                at += value.size + 1
            elif key.text == "deviceFlag" and value.kind is Kind.PRIMITIVE:
                if 0 <= (flag := leading_int(value.text)) <= _LAST_SETTABLE_FLAG:
                    self._device.settings.set_flag(flag, on=True)
                at += 1
            elif key.text == "deviceCommand":
                if (
                    value.kind is Kind.STRING
                    and len(encode(value.text)) <= _LONGEST_JSON_TEXT
                ):
                    self._device.settings.change(startup_command=value.text)
                    self._console.execute(value.text)
                at += 1
        return _result(200, "OK")

    def _set_row(self, row: str, values: list[int]) -> None:
        """Give the first pins their roles or channels."""
        for pin, value in enumerate(values[: self._device.settings.pin_count]):
            if row == "roles":
                change_role(self._device, pin, value)
            elif 0 <= value < CHANNEL_COUNT:
                self._device.settings.change_entry(row, pin, value)
        self._device.follow_relay()

    def _post_channels(self, request: Request) -> Answer:
        found = _posted(request, Kind.ARRAY)
        if isinstance(found, Answer):
            return found
        for channel, entry in enumerate(found[1:]):
            self._device.pins.set(channel, leading_int(entry.text))
        return _result(200, "OK")

    def _post_channel_types(self, request: Request) -> Answer:
        found = _posted(request, Kind.OBJECT)
        if isinstance(found, Answer):
            return found
        for at, key in enumerate(found[1:-1], start=1):
            value = found[at + 1]
            if key.text == "types" and value.kind is Kind.ARRAY:
                for channel, entry in enumerate(found[at + 2 :][: value.size]):
                    if channel < CHANNEL_COUNT:
                        self._device.settings.change_entry(
                            "channel_types", channel, leading_int(entry.text) & 0xFF
                        )
        return _result(200, "OK")

    def _reboot(self, _request: Request) -> Answer:
        self._device.restart_in(3)
        return _json({"reboot": 3})


def may_skip_password(device: DeviceState) -> bool:
    """Return whether flag 44 lets everyone in: in safe mode only."""
    return device.safe_mode and device.settings.has_flag(
        Flag.NO_AUTHENTICATION_IN_SAFE_MODE
    )


def _posted(request: Request, kind: Kind) -> list[Token] | Answer:
    """Return what was posted, which has to be of a kind, or the answer that refuses it."""
    try:
        found = tokens(request.text)
    except PostedJsonError as error:
        return _result(400, f"Failed to parse JSON: {error.problem:d}\n")
    # An object is what it says that it wants, whatever it wants.
    if not found or found[0].kind is not kind:
        return _result(400, "Object expected\n")
    return found


def _result(status: int, message: str) -> Answer:
    kind = "success" if status == 200 else "error"
    return json_text(f'{{"{kind}":{status}, "msg":"{message}"}}', status)


def _json(value: object) -> Answer:
    return json_text(json.dumps(value, separators=(",", ":"), ensure_ascii=False))
