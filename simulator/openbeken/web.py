"""The paths of the firmware's web server: pages, REST interface, settings by address."""

from collections.abc import Callable
import json
import re
from typing import Final

from custom_components.openbk.pyopenbk.beken.flash_map import (
    FLASH_SIZE,
    OTA,
    SECTOR_SIZE,
)
from custom_components.openbk.pyopenbk.roles import PinRole

from . import tasmota
from .console import Console, Result
from .http_server import BINARY, HTML, JSON, REDIRECT, TEXT, Answer, Request
from .mqtt import MqttService
from .names import CHANNEL_TYPES, LOG_FEATURES, LOG_LEVELS
from .posted_json import Kind, PostedJsonError, tokens
from .release import CHIP
from .settings import CHANNEL_COUNT, PIN_COUNT, Flag
from .state import DeviceState
from .text import cut, decode, encode, leading_int

_ROLE_NAMES: Final = [" ", *(role.firmware_name for role in PinRole if role)]
_LONGEST_JSON_TEXT: Final = 128
_LAST_SETTABLE_FLAG: Final = 10
_FLAG_COUNT: Final = 52
"""The flags that the page about them has."""
_SHORT_LINE: Final = 123
"""What /cm executes once; a longer line is executed twice (http_fn_cm in http_fns.c)."""
_STARTUP_ROOM: Final = 1568
_LEAST_WEB_PASSWORD: Final = 5
_REMEMBERED: Final = -1
_SPAN: Final = re.compile(r"\s*(?:0x)?([0-9a-f]+)-(?:0x)?([0-9a-f]+)", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"\s*(?:0x)?([0-9a-f]+)", re.IGNORECASE)
_WHITE: Final = re.compile(rb"[ \t\x80-\xff]")
_PIN_BUFFER: Final = 64
_PREFIX_BUFFER: Final = 32

type _Page = Callable[[Request], Answer | bytes]


class Web:
    """Answers requests."""

    def __init__(
        self, device: DeviceState, console: Console, mqtt: MqttService
    ) -> None:
        """Serve this device."""
        self._device = device
        self._console = console
        self._mqtt = mqtt
        self._pages: dict[str, _Page] = {
            "": lambda _: REDIRECT,
            "index": self._index,
            "cm": self._command,
            "cfg": self._plain_page("Config"),
            "cmd_tool": self._command_tool,
            "cfg_dgr": self._plain_page("Config DGR"),
            "cfg_loglevel_set": self._plain_page("Set log level"),
            "cfg_mqtt": self._plain_page("Set MQTT"),
            "cfg_mqtt_set": self._set_mqtt,
            "cfg_wifi": self._plain_page("Set Wifi"),
            "cfg_wifi_set": self._set_wifi,
            "cfg_name": self._set_names,
            "cfg_generic": self._set_generic,
            "cfg_startup": self._set_start_value,
            "cfg_pins": self._set_pins,
            "cfg_ping": self._set_ping,
            "cfg_webapp": self._plain_page("Set Webapp"),
            "cfg_webapp_set": self._set_webapp,
            "cfg_ip": self._plain_page("IP"),
            "cfg_mac": self._plain_page("Set MAC address"),
            "startup_command": self._set_startup_command,
            "ha_cfg": self._plain_page("Home Assistant Setup"),
            "ha_discovery": self._discovery,
            "ota": self._plain_page("OTA request"),
            "ota_exec": self._ota,
            "about": self._plain_page("About"),
        }
        # Addresses of which the beginning is enough.
        self._callbacks: dict[str, _Page] = {
            "app": self._plain_page("App"),
            "logs": self._plain_page("Logs"),
            "lograw": self._log,
        }
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
        if method == "GET":
            for beginning, page in self._callbacks.items():
                if request.url.startswith(beginning) and not (
                    safe_mode and beginning == "app"
                ):
                    return page(request)
        if found := self._pages.get(request.path):
            return found(request)
        return self._page("Not found", "Not found.<br/>")

    async def _rest(self, request: Request) -> Answer:
        # An address with a query is another address.
        url = request.url
        if request.method == "POST":
            if post := self._posts.get(url):
                return post(request)
            if url == "api/ota":
                return await self._upload(request, OTA.start, OTA.end, firmware=True)
            if url.startswith("api/flash/"):
                return await self._post_flash(request)
            return self._page(
                "POST REST API",
                f"POST to {url}<br/>Content Length:{request.content_length}"
                f"<br/>Content:[{request.text}]<br/>",
            )
        if get := self._gets.get(url):
            return get()
        if url.startswith("api/flash/"):
            return self._get_flash(url.removeprefix("api/flash/"))
        if url.startswith("api/seriallog"):
            on = int(url.endswith("1"))
            return _json_text(f"Direct serial logging set to {on}")
        if url == "api/lfs/":
            return _json_text(
                '{"dir":"","content":[{"name":".","type":2,"size":0},'
                '{"name":"..","type":2,"size":0}]}'
            )
        return self._page("GET REST API", f"GET of {url}")

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
            f'"chipset":"{CHIP}",',
            f'"webapp":"{values.webapp_url}",',
            f'"shortName":"{values.short_name}",',
        )
        command = values.startup_command
        for char, escaped in (("\n", "\\n"), ("\r", "\\r"), ('"', '\\"')):
            command = command.replace(char, escaped)
        return _json_text(
            "".join(cut(line, tasmota.PRINTED) for line in lines)
            + f'"startcmd":"{command}","supportsSSDP":{int("SSDP" in device.drivers)},'
            '"supportsClientDeviceDB":true}'
        )

    def _get_pins(self) -> Answer:
        values = self._device.settings.values
        channels = values.channels[:PIN_COUNT]
        second = list(values.channels2[:PIN_COUNT])
        while second and not second[-1]:
            second.pop()
        answer: dict[str, object] = {
            "rolenames": _ROLE_NAMES,
            "roles": values.roles[:PIN_COUNT],
            "channels": channels,
        }
        if second:
            answer["channels2"] = second
        answer["states"] = [self._device.channel(channel) for channel in channels]
        return _json(answer)

    def _get_channels(self) -> Answer:
        pins = self._device.pins
        # One entry per pin: keys repeat.
        entries = (
            f'"{pins.channel(pin)}":{self._device.channel(pins.channel(pin))}'
            for pin in range(PIN_COUNT)
            if pins.role(pin)
        )
        return _json_text(",".join(entries).join("{}"))

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
        if start + length > FLASH_SIZE:
            return _result(-1, "requested flash read out of range")
        return Answer(self._device.flash.read(start, length), BINARY)

    async def _post_flash(self, request: Request) -> Answer:
        match = _ADDRESS.match(request.url.removeprefix("api/flash/"))
        if match is None or (start := int(match[1], 16)) < OTA.start:
            return _result(-1, "invalid url")
        return await self._upload(request, start, FLASH_SIZE, firmware=False)

    async def _upload(
        self, request: Request, start: int, end: int, *, firmware: bool
    ) -> Answer:
        self._device.flashing_over_air = firmware
        try:
            data = bytearray(request.body)
            async for piece in request.rest:
                data += piece
        finally:
            self._device.flashing_over_air = False
        if start + len(data) > end:
            return _result(400, "Data too long")
        self._write(start, bytes(data))
        if firmware:
            self._device.count_ota()
        # Also for the sector of the configuration, which is thereby undone.
        self._device.settings.overwrite_soon()
        return _json({"size": len(data)})

    def _write(self, start: int, data: bytes) -> None:
        # Whole sectors are erased, so what follows the data in the last one is gone.
        padding = -(start + len(data)) % SECTOR_SIZE
        self._device.flash.rewrite(start, data + b"\xff" * padding)

    def _post_command(self, request: Request) -> Answer:
        line = request.text
        result = self._console.execute(line)
        kind = "success" if result is Result.OK else "error"
        reply = tasmota.reply_to_line(self._device, line)
        return _json_text(
            f'{{"{kind}":{result.status}, "msg":"{result.message}", "res":{reply}}}',
            result.status,
        )

    def _post_pins(self, request: Request) -> Answer:
        try:
            found = tokens(request.text)
        except PostedJsonError as error:
            return _unreadable(error)
        if not found or found[0].kind is not Kind.OBJECT:
            return _result(400, "Object expected\n")
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
        for pin, value in enumerate(values[:PIN_COUNT]):
            if row == "roles":
                self._set_role(pin, value)
            elif 0 <= value < CHANNEL_COUNT:
                self._device.settings.change_entry(row, pin, value)
        self._device.follow_relay()

    def _set_role(self, pin: int, role: int) -> bool:
        # Unlike SetPinRole, the pages leave a pin alone that has the role already.
        device, number = self._device, role & 0xFF
        if device.settings.values.roles[pin] == number:
            return False
        return device.pins.set_role(pin, number)

    def _post_channels(self, request: Request) -> Answer:
        try:
            found = tokens(request.text)
        except PostedJsonError as error:
            return _unreadable(error)
        if not found or found[0].kind is not Kind.ARRAY:
            return _result(400, "Object expected\n")
        for channel, entry in enumerate(found[1:]):
            self._device.pins.set(channel, leading_int(entry.text))
        return _result(200, "OK")

    def _post_channel_types(self, request: Request) -> Answer:
        try:
            found = tokens(request.text)
        except PostedJsonError as error:
            return _unreadable(error)
        if not found or found[0].kind is not Kind.OBJECT:
            return _result(400, "Object expected\n")
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

    def _command(self, request: Request) -> Answer:
        line = self._command_line(request)
        if not line:
            return _json_text("")
        if len(encode(line)) > _SHORT_LINE:
            self._console.execute(line)
        self._console.execute(line)
        if line.startswith("echo"):
            return _json_text(self._console.echoed)
        return _json_text(tasmota.reply_to_line(self._device, line))

    @staticmethod
    def _command_line(request: Request) -> str | None:
        given = request.argument if request.method == "GET" else request.form_argument
        return given("cmnd", size=len(request.url) + len(request.body) + 1)

    def _command_tool(self, request: Request) -> Answer:
        line = request.argument("cmd", size=len(request.url) + 1)
        text = ""
        if line:
            self._device.log_lines.clear()
            result = self._console.execute(line)
            said = self._device.log_lines
            text = f"<br>{'<br>'.join(said)}<h3>{result.message}</h3><br>"
        return self._page("Command tool", f"<h4>Command Tool</h4>{text}")

    # Pages

    def _plain_page(self, title: str) -> _Page:
        return lambda _: self._page(title, "")

    def _page(self, title: str, body: str) -> Answer:
        device, values = self._device, self._device.settings.values
        heading = f" - {title}" if title else ""
        return _html(
            f"<!DOCTYPE html><html><head><title>{values.long_name}{heading}"
            f'</title></head><body><div id="main"><h1>{values.long_name}</h1>'
            f'{body}<br><a href="cfg">Return to Config</a> | <a href="index">Home</a>'
            f"<br><br>{device.release.built_on}<br>Online for&nbsp;"
            f'<span id="onlineFor" data-initial="{device.uptime}">-</span><br>'
            f"Device MAC: {device.identity.text.upper()}<br>"
            f"Short name: {values.short_name}, Chipset {CHIP}</div></body></html>"
        )

    def _log(self, _request: Request) -> Answer:
        lines = self._device.log_lines
        text = "".join(f"{line}\r\n" for line in lines)
        # What was read once is gone.
        lines.clear()
        return _html(text)

    def _index(self, request: Request) -> Answer:
        if request.argument("state") is not None:
            return _html(self._state())
        device, notes = self._device, []
        if (given := request.argument("tgl")) is not None:
            channel = leading_int(given)
            notes.append(f"<h3>Toggled {channel}!</h3>")
            device.pins.toggle(channel)
        # Not 1: the page is made for dimmers, too.
        for name, value, word in (("on", 255, "Enabled"), ("off", 0, "Disabled")):
            if (given := request.argument(name)) is not None:
                channel = leading_int(given)
                notes.append(f"<h3>{word} {channel}!</h3>")
                device.pins.set(channel, value)
        if (given := request.argument("set")) is not None:
            value = leading_int(given)
            channel = leading_int(request.argument("setIndex") or "")
            notes.append(f"<h3>Changed channel {channel} to {value}!</h3>")
            device.pins.set(channel, value)
        if request.argument("restart") is not None:
            notes.append("<h5> Module will restart soon</h5>")
            device.restart_in(3)
        if request.argument("unsafe") is not None:
            device.leave_safe_mode_in(3)
        return self._page(
            "",
            f'<div id="changed">{"".join(notes)}</div>'
            f'<div id="state">{self._state()}</div>',
        )

    def _state(self) -> str:
        device = self._device
        values = device.settings.values
        channels = device.pins.power_channels()
        states = "".join(
            "<tr><td class='on'>ON</td>"
            if device.channel(channel)
            else "<tr><td class='off'>OFF</td>"
            for channel in channels
        )
        used = ", ".join(
            f"Channel {channel} = {device.channel(channel):.2f}"
            for channel in device.pins.used_channels()
        )
        mqtt = "connected" if self._mqtt.online else "disconnected"
        if not values.mqtt_host:
            mqtt = "not configured"
        return (
            f"<table>{states}</table>{self._meter()}<h5>{len(device.drivers)} drivers "
            f"active ({', '.join(sorted(device.drivers))})</h5><h5>{used}</h5>"
            f"<h5>Cfg size: 3584, change counter: {values.change_counter}, "
            f"ota counter: {values.ota_counter}, "
            f"incomplete boots: {device.failed_boots}</h5>"
            f"<h5>Chip temperature: {device.chip_temperature:.1f}°C</h5>"
            f"<h5>MQTT State: {mqtt}<br>MQTT Stats: CONN: {self._mqtt.connects} "
            f"PUB: {self._mqtt.published} RECV: {self._mqtt.received} ERR: 0 </h5>"
        )

    def _meter(self) -> str:
        energy = self._device.energy
        if energy is None:
            return ""
        rows = []
        for sensor in energy.sensors.values():
            value, unit, decimals = sensor.reading, sensor.unit, sensor.decimals
            if sensor.topic == "energycounter":
                value, unit = value / 1000, "kWh"
            elif sensor.device_class in ("energy", "timestamp"):
                continue
            rows.append(
                f"<tr><td><b>{sensor.name}</b></td><td style='text-align: right;'>"
                f"{value:.{decimals}f}</td><td>{unit}</td>"
            )
        saves = self._device.variables.energy.saves
        return (
            f"<hr><table style='width:100%'>{''.join(rows)}</table>"
            f"(changes sent {energy.messages_sent}, skipped {energy.messages_skipped}, "
            f"saved {saves}) - BL0937<hr>"
        )

    # Settings by address

    def _set_mqtt(self, request: Request) -> Answer:
        # A missing host clears it; all others stay as they are without a value.
        changes: dict[str, object] = {"mqtt_host": request.argument("host") or ""}
        if (port := request.argument("port")) is not None:
            changes["mqtt_port"] = leading_int(port)
        for name, field in (
            ("user", "mqtt_username"),
            ("password", "mqtt_password"),
            ("client", "mqtt_client_id"),
            ("group", "mqtt_group"),
        ):
            if (text := request.argument(name)) is not None:
                changes[field] = text
        self._device.settings.change(**changes)
        self._mqtt.reconnect_soon()
        return self._page(
            "Saving MQTT",
            "Please wait for module to connect... "
            "if there is problem, restart it from Index html page...",
        )

    def _set_wifi(self, request: Request) -> Answer:
        settings = self._device.settings
        changes = {}
        if request.argument("open") is not None:
            changes = {"wifi_ssid": "", "wifi_password": ""}
            text = "WiFi mode set: open access point."
        else:
            changes = _given(request, ssid="wifi_ssid", **{"pass": "wifi_password"})
            text = "WiFi mode set: connect to WLAN."
        changes |= _given(request, ssid2="wifi_ssid2", pass2="wifi_password2")
        changed = settings.change(**changes)
        text += self._set_web_password(request)
        if changed:
            text += "<p>WiFi: Please wait for module to reset...</p>"
            self._device.restart_in(3)
        else:
            text += "<p>WiFi: No changes detected.</p>"
        return self._page("Saving Wifi", text)

    def _set_web_password(self, request: Request) -> str:
        """Set the password, or take it away where the form does not speak of it."""
        enabled = request.argument("web_admin_password_enabled")
        if enabled is None:
            self._device.settings.change(web_password="")
            return ""
        password = request.argument("web_admin_password")
        if leading_int(enabled) <= 0 or password is None:
            return ""
        if len(encode(password)) < _LEAST_WEB_PASSWORD:
            return "<h4>Web password needs to be at least 5 characters long!</h4>"
        self._device.settings.change(web_password=password)
        return "<p>Web password has been changed.</p>"

    def _set_names(self, request: Request) -> Answer:
        text = "<h2>Change device names for display</h2>"
        if (short := request.argument("shortName")) is not None:
            plain = _WHITE.sub(b"_", encode(short))
            if plain != encode(short):
                text += "<h2>You cannot have whitespaces in short name!</h2>"
            self._device.settings.change(short_name=decode(plain))
        if (name := request.argument("name")) is not None:
            self._device.settings.change(long_name=name)
        self._device.settings.save()
        return self._page("Set name", text)

    def _set_generic(self, request: Request) -> Answer:
        settings, text = self._device.settings, ""
        if (delay := request.argument("boot_ok_delay")) is not None:
            if (seconds := leading_int(delay)) <= 0:
                text += "<h5>Boot ok delay must be at least 1 second<h5>"
                seconds = 1
            text += f"<h5>Setting boot OK delay to {seconds}<h5>"
            settings.change(boot_success_seconds=seconds & 0xFF)
        if request.argument("setFlags") is not None:
            # What is not named is cleared.
            for flag in range(_FLAG_COUNT):
                on = leading_int(request.argument(f"flag{flag}") or "")
                settings.set_flag(flag, bool(on))
        settings.save()
        text += f"<h4>Flags (Current value={settings.values.flags})</h4>"
        return self._page("Generic config", text)

    def _set_start_value(self, request: Request) -> Answer:
        index, given = request.argument("idx"), request.argument("value")
        text = ""
        if index is not None and given is not None:
            channel, value = leading_int(index), leading_int(given)
            if 0 <= channel < CHANNEL_COUNT:
                self._device.settings.change_entry("start_values", channel, value)
                if value == _REMEMBERED:
                    now = self._device.channel(channel)
                    self._device.variables.remember(channel, now)
            text = f"<h5>Setting channel {channel} start value to {value}<h5>"
            self._device.settings.save()
        return self._page("Config startup", text)

    def _set_pins(self, request: Request) -> Answer:
        asked = changed = 0
        settings = self._device.settings
        for pin in range(PIN_COUNT):
            if (role := request.argument(f"{pin}", _PIN_BUFFER)) is not None:
                asked += 1
                changed += self._set_role(pin, leading_int(role))
            if (given := request.argument(f"r{pin}", _PIN_BUFFER)) is not None:
                asked += 1
                if 0 <= (channel := leading_int(given)) < CHANNEL_COUNT:
                    changed += settings.change_entry("channels", pin, channel)
            if (given := request.argument(f"e{pin}", _PIN_BUFFER)) is not None:
                asked += 1
                second = leading_int(given) & 0xFF
                changed += settings.change_entry("channels2", pin, second)
        text = ""
        if asked:
            self._device.follow_relay()
            settings.save()
            self._mqtt.rediscover()
            text = f"Pins update - {asked} reqs, {changed} changed!<br><br>"
        return self._page("Set pins", text)

    def _set_ping(self, request: Request) -> Answer:
        settings = self._device.settings
        if (host := request.argument("host")) is not None:
            settings.change(ping_host=host)
        if (seconds := request.argument("disconnectTime")) is not None:
            settings.change(ping_seconds=leading_int(seconds))
        if request.argument("clear") is not None:
            settings.change(ping_seconds=0, ping_interval=0, ping_host="")
        settings.save()
        return self._page("Set Watchdog", "")

    def _set_webapp(self, request: Request) -> Answer:
        if (url := request.argument("url")) is None:
            text = "Webapp url not set because you didn't specify the argument."
        else:
            self._device.settings.change(webapp_url=url)
            self._device.settings.save()
            text = f"Webapp url set to {url}"
        return self._page("Saving Webapp", text)

    def _set_startup_command(self, request: Request) -> Answer:
        settings, text = self._device.settings, ""
        if request.argument("startup_cmd", size=8) is not None:
            whole = request.argument("data", size=len(request.url) + 1) or ""
            if (length := len(encode(whole))) >= _STARTUP_ROOM:
                text = f"Command trimmed from {length} to {_STARTUP_ROOM}!"
                text = f"<h3 style='color:red'>{text}</h3>"
            else:
                text = "<h3>Command changed!</h3>"
            settings.change(startup_command=whole)
            # It is marked as changed without a look at what it was.
            settings.overwrite_soon()
            settings.save()
        command = settings.values.startup_command
        return self._page(
            "Set startup command",
            f"{text}<textarea id='data' name='data'>{command}</textarea>",
        )

    def _discovery(self, request: Request) -> Answer:
        prefix = request.argument("prefix", _PREFIX_BUFFER)
        queued = self._mqtt.queue_discovery(prefix or "homeassistant")
        text = b"MQTT discovery queued." if queued else b"MQTT not running."
        return Answer(text, TEXT)

    def _ota(self, request: Request) -> Answer:
        text = ""
        if host := request.argument("host"):
            self._device.fetch_firmware(host)
            text = f"<h3>OTA requested for {host}!</h3>"
        return self._page("OTA request", text)


def may_skip_password(device: DeviceState) -> bool:
    """Return whether flag 44 lets everyone in: in safe mode only."""
    return device.safe_mode and device.settings.has_flag(
        Flag.NO_AUTHENTICATION_IN_SAFE_MODE
    )


def _given(request: Request, **fields: str) -> dict[str, str]:
    """Return the settings that a request has a value for, by the names of their fields."""
    return {
        field: value
        for name, field in fields.items()
        if (value := request.argument(name)) is not None
    }


def _unreadable(error: PostedJsonError) -> Answer:
    return _result(400, f"Failed to parse JSON: {error.problem:d}\n")


def _result(status: int, message: str) -> Answer:
    kind = "success" if status == 200 else "error"
    return _json_text(f'{{"{kind}":{status}, "msg":"{message}"}}', status)


def _json(value: object) -> Answer:
    return _json_text(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def _json_text(text: str, status: int = 200) -> Answer:
    return Answer(encode(text), JSON, status)


def _html(text: str) -> Answer:
    return Answer(encode(text), HTML)
