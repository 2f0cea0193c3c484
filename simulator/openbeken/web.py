"""The paths of the firmware's web server: pages, REST interface, settings by address."""

from collections.abc import Callable, Mapping
from html import escape
import json
from typing import Final
from urllib.parse import unquote_plus

from custom_components.openbk.pyopenbk.beken.flash_map import (
    FLASH_SIZE,
    OTA,
    SECTOR_SIZE,
)
from custom_components.openbk.pyopenbk.roles import PinRole

from . import tasmota
from .console import Console
from .http_server import BINARY, HTML, JSON, TEXT, Answer, Request
from .mqtt import MqttService
from .names import CHANNEL_TYPES, LOG_FEATURES, LOG_LEVELS
from .release import CHIP
from .settings import CHANNEL_COUNT, PIN_COUNT, Flag
from .state import DeviceState
from .text import leading_int

_ROLE_NAMES: Final = [" ", *(role.firmware_name for role in PinRole if role)]
_LONGEST_JSON_TEXT: Final = 128
_JSON_TOKENS: Final = 128
_LAST_SETTABLE_FLAG: Final = 10

type _Query = Mapping[str, str]
type _Page = Callable[[_Query], Answer]


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
            "/": self._index,
            "/index": self._index,
            "/cm": self._command,
            "/cfg": self._plain_page("Config"),
            "/cfg_mqtt": self._plain_page("Set MQTT"),
            "/cfg_mqtt_set": self._set_mqtt,
            "/cfg_wifi": self._plain_page("Set Wifi"),
            "/cfg_wifi_set": self._set_wifi,
            "/cfg_name": self._set_names,
            "/cfg_generic": self._set_generic,
            "/cfg_startup": self._set_start_value,
            "/cfg_pins": self._set_pins,
            "/cfg_ping": self._set_ping,
            "/cfg_webapp": self._plain_page("Set Webapp"),
            "/cfg_webapp_set": self._set_webapp,
            "/cfg_ip": self._plain_page("IP"),
            "/cfg_mac": self._plain_page("Set MAC address"),
            "/startup_command": self._set_startup_command,
            "/ha_cfg": self._plain_page("Home Assistant Setup"),
            "/ha_discovery": self._discovery,
            "/ota": self._plain_page("OTA request"),
            "/ota_exec": self._ota,
            "/about": self._plain_page("About"),
            "/logs": self._plain_page("Logs"),
            "/lograw": self._log,
            "/app": self._plain_page("App"),
            "/pmntp": self._set_time,
        }
        self._gets: dict[str, Callable[[], Answer]] = {
            "/api/info": self._info,
            "/api/pins": self._get_pins,
            "/api/channels": self._get_channels,
            "/api/channelTypes": self._get_channel_types,
            "/api/logconfig": self._get_log_config,
        }
        self._posts: dict[str, Callable[[Request], Answer]] = {
            "/api/cmnd": self._post_command,
            "/api/pins": self._post_pins,
            "/api/channels": self._post_channels,
            "/api/channelTypes": self._post_channel_types,
            "/api/logconfig": lambda _: Answer(b"", TEXT),
            "/api/reboot": self._reboot,
        }

    async def handle(self, request: Request) -> Answer:
        """Answer one request."""
        if request.path.startswith("/api/") and not self._device.safe_mode:
            return await self._rest(request)
        if request.path == "/app" and self._device.safe_mode:
            return self._not_found()
        if request.path == "/cm" and request.method == "POST":
            return self._command(_form(request.text))
        if page := self._pages.get(request.path):
            return page(request.query)
        return self._not_found()

    def _not_found(self) -> Answer:
        return self._page("Not found", "Not found.<br/>")

    async def _rest(self, request: Request) -> Answer:
        path = request.path
        if request.method == "POST":
            if post := self._posts.get(path):
                return post(request)
            if path == "/api/ota":
                return await self._upload(request, OTA.start, OTA.end, firmware=True)
            if path.startswith("/api/flash/"):
                return await self._post_flash(request)
        elif get := self._gets.get(path):
            return get()
        elif path.startswith("/api/flash/"):
            return self._get_flash(path.removeprefix("/api/flash/"))
        elif path == "/api/lfs/":
            return _json_text(
                '{"dir":"","content":[{"name":".","type":2,"size":0},'
                '{"name":"..","type":2,"size":0}]}'
            )
        verb = "POST to" if request.method == "POST" else "GET of"
        title = f"{request.method} REST API"
        return self._page(title, f"{verb} {escape(path.removeprefix('/'))}")

    # REST

    def _info(self) -> Answer:
        device, values = self._device, self._device.settings.values
        return _json(
            {
                "uptime_s": device.uptime,
                "build": device.release.built_on,
                "ip": device.ip_address,
                "mac": device.identity.text,
                "flags": tasmota.signed_flags(values.flags),
                "mqtthost": f"{values.mqtt_host}:{values.mqtt_port}",
                "mqtttopic": values.mqtt_client_id,
                "chipset": CHIP,
                "webapp": values.webapp_url,
                "shortName": values.short_name,
                "startcmd": values.startup_command,
                "supportsSSDP": int("SSDP" in device.drivers),
                "supportsClientDeviceDB": True,
            }
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
        start, _, length = span.partition("-")
        try:
            content = self._device.flash.read(int(start, 16), int(length, 16))
        except ValueError:
            return _result(400, "Invalid request")
        return Answer(content, BINARY)

    async def _post_flash(self, request: Request) -> Answer:
        try:
            start = int(request.path.removeprefix("/api/flash/"), 16)
        except ValueError:
            return _result(400, "Invalid request")
        if start < OTA.start:
            return _result(400, "Invalid address")
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
        command, _, argument = line.strip().partition(" ")
        answer = tasmota.reply(self._device, command, argument.strip())
        kind = "success" if result.status == 200 else "error"
        text = answer.text if answer else "{}"
        return _json_text(
            f'{{"{kind}":{result.status}, "msg":"{result.message}", "res":{text}}}',
            result.status,
        )

    def _post_pins(self, request: Request) -> Answer:
        posted = _parse_object(request.text)
        if isinstance(posted, Answer):
            return posted
        settings = self._device.settings
        for key, row in (("roles", "roles"), ("channels", "channels")):
            entries = posted.get(key)
            if isinstance(entries, list):
                for pin, value in enumerate(entries[:PIN_COUNT]):
                    self._set_pin(row, pin, leading_int(str(value)) & 0xFF)
        flag = posted.get("deviceFlag")
        if isinstance(flag, int) and 0 <= flag <= _LAST_SETTABLE_FLAG:
            settings.set_flag(flag, on=True)
        command = posted.get("deviceCommand")
        if isinstance(command, str) and len(command) <= _LONGEST_JSON_TEXT:
            settings.change(startup_command=command)
            self._console.execute(command)
        self._device.follow_relay()
        return _result(200, "OK")

    def _post_channels(self, request: Request) -> Answer:
        try:
            values = json.loads(request.text)
        except ValueError:
            return _result(400, "Failed to parse JSON: -2\n")
        if not isinstance(values, list):
            return _result(400, "Array expected\n")
        for channel, value in enumerate(values[:CHANNEL_COUNT]):
            self._device.pins.set(channel, leading_int(str(value)))
        return _result(200, "OK")

    def _post_channel_types(self, request: Request) -> Answer:
        posted = _parse_object(request.text)
        if isinstance(posted, Answer):
            return posted
        types = posted.get("types")
        if isinstance(types, list):
            for channel, kind in enumerate(types[:CHANNEL_COUNT]):
                self._device.settings.change_entry(
                    "channel_types", channel, leading_int(str(kind)) & 0xFF
                )
        return _result(200, "OK")

    def _reboot(self, _request: Request) -> Answer:
        self._device.restart_in(3)
        return _json({"reboot": 3})

    def _command(self, query: _Query) -> Answer:
        line = query.get("cmnd", "")
        self._console.execute(line)
        command, _, argument = line.strip().partition(" ")
        answer = tasmota.reply(self._device, command, argument.strip())
        return _json_text(answer.text if answer else "{}")

    # Pages

    def _plain_page(self, title: str) -> _Page:
        return lambda _: self._page(title, "")

    def _page(self, title: str, body: str) -> Answer:
        device, values = self._device, self._device.settings.values
        heading = f" - {title}" if title else ""
        return _html(
            f"<!DOCTYPE html><html><head><title>{escape(values.long_name)}{heading}"
            f'</title></head><body><div id="main"><h1>{escape(values.long_name)}</h1>'
            f'{body}<br><a href="cfg">Return to Config</a> | <a href="index">Home</a>'
            f"<br><br>{device.release.built_on}<br>Online for&nbsp;"
            f'<span id="onlineFor" data-initial="{device.uptime}">-</span><br>'
            f"Device MAC: {device.identity.text.upper()}<br>"
            f"Short name: {escape(values.short_name)}, Chipset {CHIP}</div></body></html>"
        )

    def _log(self, _query: _Query) -> Answer:
        values = self._device.settings.values
        # The firmware really writes the password.
        text = (
            f"Info:MAIN:{self._device.release.build}\r\n"
            f"Info:MAIN:Using SSID [{values.wifi_ssid}]\r\n"
            f"Info:MAIN:Using Pass [{values.wifi_password}]\r\n"
        )
        return Answer(text.encode(errors="surrogateescape"), TEXT)

    def _index(self, query: _Query) -> Answer:
        device, note = self._device, ""
        if "tgl" in query:
            channel = leading_int(query["tgl"])
            device.pins.toggle(channel)
            note = f"Toggled {channel}!"
        for key, value in (("on", 1), ("off", 0)):
            if key in query:
                channel = leading_int(query[key])
                device.pins.set(channel, value)
                note = f"{'Enabled' if value else 'Disabled'} {channel}!"
        if "set" in query:
            channel, value = (
                leading_int(query.get(k, "")) for k in ("setIndex", "set")
            )
            device.pins.set(channel, value)
            note = f"Changed channel {channel} to {value}!"
        if "restart" in query:
            device.restart_in(3)
            note = "Module will restart soon"
        if "unsafe" in query:
            device.leave_safe_mode_in(3)
        if "state" in query:
            return _html(self._state())
        return self._page(
            "",
            f'<div id="changed"><h3>{note}</h3></div>'
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

    def _set_mqtt(self, query: _Query) -> Answer:
        fields = {
            "user": "mqtt_username",
            "password": "mqtt_password",
            "client": "mqtt_client_id",
            "group": "mqtt_group",
        }
        changes: dict[str, object] = {
            field: query[key] for key, field in fields.items() if key in query
        }
        # A missing host clears it.
        changes["mqtt_host"] = query.get("host", "")
        if "port" in query:
            changes["mqtt_port"] = leading_int(query["port"])
        if self._device.settings.change(**changes):
            self._mqtt.reconnect_soon()
        self._device.settings.save()
        return self._page(
            "Saving MQTT",
            "Please wait for module to connect... "
            "if there is problem, restart it from Index html page...",
        )

    def _set_wifi(self, query: _Query) -> Answer:
        settings = self._device.settings
        if "open" in query:
            changed = settings.change(wifi_ssid="", wifi_password="")
            text = "WiFi mode set: open access point."
        else:
            fields = {
                "ssid": "wifi_ssid",
                "pass": "wifi_password",
                "ssid2": "wifi_ssid2",
                "pass2": "wifi_password2",
            }
            changed = settings.change(
                **{field: query[key] for key, field in fields.items() if key in query}
            )
            text = "WiFi mode set: connect to WLAN."
        protected = "web_admin_password_enabled" in query
        password = query.get("web_admin_password", "") if protected else ""
        if not protected or 5 <= len(password) <= 32:
            settings.change(web_password=password)
        settings.save()
        if changed:
            text += "<p>WiFi: Please wait for module to reset...</p>"
            self._device.restart_in(3)
        return self._page("Saving Wifi", text)

    def _set_names(self, query: _Query) -> Answer:
        fields = {"shortName": "short_name", "name": "long_name"}
        changes = {fields[key]: query[key] for key in fields if query.get(key)}
        if changes and self._device.settings.change(**changes):
            self._mqtt.rediscover()
        return self._page("Set name", "")

    def _set_generic(self, query: _Query) -> Answer:
        if "boot_ok_delay" in query:
            seconds = max(1, leading_int(query["boot_ok_delay"])) & 0xFF
            self._device.settings.change(boot_success_seconds=seconds)
        if "setFlags" in query:
            # What is not listed is cleared.
            flags = sum(
                1 << flag
                for flag in range(64)
                if leading_int(query.get(f"flag{flag}", "0"))
            )
            self._device.settings.change(flags=flags)
        flags = self._device.settings.values.flags
        return self._page("Generic config", f"<h4>Flags (Current value={flags})</h4>")

    def _set_start_value(self, query: _Query) -> Answer:
        if "idx" in query and "value" in query:
            channel, value = leading_int(query["idx"]), leading_int(query["value"])
            if 0 <= channel < CHANNEL_COUNT:
                self._device.settings.change_entry("start_values", channel, value)
        return self._page("Set startup", "")

    def _set_pins(self, query: _Query) -> Answer:
        changed = False
        for pin in range(PIN_COUNT):
            for key, row in (
                (f"{pin}", "roles"),
                (f"r{pin}", "channels"),
                (f"e{pin}", "channels2"),
            ):
                if key in query:
                    value = leading_int(query[key]) & 0xFF
                    changed |= self._set_pin(row, pin, value)
        if changed:
            self._device.follow_relay()
            self._mqtt.rediscover()
        return self._page("Set pins", "")

    def _set_pin(self, row: str, pin: int, value: int) -> bool:
        # Unlike SetPinRole, the pages leave a pin alone that has the role already.
        device = self._device
        if row != "roles":
            return device.settings.change_entry(row, pin, value)
        if device.settings.values.roles[pin] == value:
            return False
        return device.pins.set_role(pin, value)

    def _set_ping(self, query: _Query) -> Answer:
        if "host" in query:
            self._device.settings.change(
                ping_host=query["host"],
                ping_interval=leading_int(query.get("interval", "0")),
                ping_seconds=leading_int(query.get("disconnectTime", "0")),
            )
        return self._page("Set Watchdog", "")

    def _set_webapp(self, query: _Query) -> Answer:
        if "url" in query:
            self._device.settings.change(webapp_url=query["url"])
        return self._page("Saving Webapp", "")

    def _set_startup_command(self, query: _Query) -> Answer:
        if "startup_cmd" in query:
            self._device.settings.change(startup_command=query.get("data", ""))
        command = escape(self._device.settings.values.startup_command)
        return self._page("Set startup command", f"<p>{command}</p>")

    def _discovery(self, query: _Query) -> Answer:
        queued = self._mqtt.queue_discovery(query.get("prefix") or "homeassistant")
        text = b"MQTT discovery queued." if queued else b"MQTT not running."
        return Answer(text, TEXT)

    def _ota(self, query: _Query) -> Answer:
        host = query.get("host", "")
        if host:
            self._device.fetch_firmware(host)
        return self._page("OTA request", f"<h3>OTA requested for {escape(host)}!</h3>")

    def _set_time(self, query: _Query) -> Answer:
        if "EPOCH" in query:
            self._device.device_clock.set_time(leading_int(query["EPOCH"]))
        return Answer(b"OK", TEXT)


def may_skip_password(device: DeviceState) -> bool:
    """Return whether flag 44 lets everyone in: in safe mode only."""
    return device.safe_mode and device.settings.has_flag(
        Flag.NO_AUTHENTICATION_IN_SAFE_MODE
    )


def _form(text: str) -> dict[str, str]:
    """Read a form as the firmware does: a blank that is not encoded ends it."""
    fields: dict[str, str] = {}
    for part in text.partition(" ")[0].split("&"):
        key, _, value = part.partition("=")
        fields[key] = unquote_plus(value)
    return fields


def _parse_object(text: str) -> dict[str, object] | Answer:
    try:
        posted = json.loads(text) if text else None
    except ValueError:
        return _result(400, "Failed to parse JSON: -2\n")
    if not isinstance(posted, dict):
        return _result(400, "Object expected\n")
    tokens = 1 + sum(
        2 + (len(value) if isinstance(value, list) else 0) for value in posted.values()
    )
    if tokens > _JSON_TOKENS:
        return _result(400, "Failed to parse JSON: -1\n")
    return posted


def _result(status: int, message: str) -> Answer:
    kind = "success" if status == 200 else "error"
    return _json_text(f'{{"{kind}":{status}, "msg":"{message}"}}', status)


def _json(value: object) -> Answer:
    return _json_text(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def _json_text(text: str, status: int = 200) -> Answer:
    return Answer(text.encode(errors="surrogateescape"), JSON, status)


def _html(text: str) -> Answer:
    return Answer(text.encode(errors="surrogateescape"), HTML)
