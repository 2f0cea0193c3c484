"""The firmware's pages, and the settings that their addresses change."""

from collections.abc import Callable
import re
from typing import Final

from . import tasmota
from .console import Console
from .http_server import HTML, JSON, REDIRECT, TEXT, Answer, Request
from .mqtt import MqttService
from .settings import CHANNEL_COUNT
from .state import DeviceState
from .text import decode, encode, leading_int

_FLAG_COUNT: Final = 52
_CHANNELS_WITHOUT_PREFIX: Final = 32
"""The flags that the page about them has."""
_SHORT_LINE: Final = 123
"""What /cm executes once; a longer line is executed twice (http_fn_cm in http_fns.c)."""
_STARTUP_ROOM: Final = 1568
_LEAST_WEB_PASSWORD: Final = 5
_DRIVER_COUNT: Final = 60
_REMEMBERED: Final = -1
_WHITE: Final = re.compile(rb"[ \t\x80-\xff]")
_PIN_BUFFER: Final = 64
_PREFIX_BUFFER: Final = 32

_HOME: Final = '<a href="index">Home</a>'
_BACK: Final = f'<a href="cfg">Return to Config</a> | {_HOME}'
_BUTTONS: Final = (
    '<form action="cfg"><input type="submit" value="Config"/></form>'
    '<form action="/index"><input type="hidden" id="restart" name="restart" value="1">'
    '<input class="bred" type="submit" value="Restart"></form>'
    '<form action="/app" target="_blank">'
    '<input type="submit" value="Launch Web Application"></form> '
    '<form action="about"><input type="submit" value="About"/></form>'
)

type _Page = Callable[[Request], Answer | bytes]


class Pages:
    """Answers what is no REST interface."""

    def __init__(
        self, device: DeviceState, console: Console, mqtt: MqttService
    ) -> None:
        """Show and change this device."""
        self._device = device
        self._console = console
        self._mqtt = mqtt
        self._pages: dict[str, _Page] = {
            "": lambda _: REDIRECT,
            "index": self._index,
            "cm": self._command,
            "cfg": self._plain_page("Config", links=_HOME),
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
            "about": self._plain_page("About", links=_HOME),
        }
        # Addresses of which the beginning is enough.
        self._callbacks: dict[str, _Page] = {
            "app": self._plain_page("App"),
            "logs": self._plain_page("Logs"),
            "lograw": self._log,
        }

    def answer(self, request: Request) -> Answer | bytes:
        """Answer one request; bytes are an answer with a head of its own."""
        if request.method == "GET":
            for beginning, page in self._callbacks.items():
                if request.url.startswith(beginning) and not (
                    self._device.safe_mode and beginning == "app"
                ):
                    return page(request)
        if found := self._pages.get(request.path):
            return found(request)
        return self.page("Not found", "Not found.<br/>", links=_HOME)

    def _command(self, request: Request) -> Answer:
        line = self._command_line(request)
        if not line:
            return json_text("")
        if len(encode(line)) > _SHORT_LINE:
            self._console.execute(line)
        self._console.execute(line)
        if line.startswith("echo"):
            return json_text(self._console.echoed)
        return json_text(tasmota.reply_to_line(self._device, line))

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
        return self.page("Command tool", f"<h4>Command Tool</h4>{text}")

    def _plain_page(self, title: str, *, links: str = _BACK) -> _Page:
        return lambda _: self.page(title, "", links=links)

    def page(self, title: str, body: str, *, links: str = _BACK) -> Answer:
        """Return a page with what all of them have."""
        device, values = self._device, self._device.settings.values
        heading = f" - {title}" if title else ""
        return _html(
            f"<!DOCTYPE html><html><head><title>{values.long_name}{heading}"
            f'</title></head><body><div id="main"><h1>{values.long_name}</h1>'
            f"{body}{links} | Forum<br><br>{device.release.built_on}"
            f'<br>Online for&nbsp;<span id="onlineFor" data-initial="{device.uptime}">'
            f"-</span><br>Device MAC: {device.identity.text.upper()}<br>"
            f"Short name: {values.short_name}, Chipset {device.release.chip.name}</div></body></html>"
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
        return self.page(
            "",
            f'<div id="changed">{"".join(notes)}</div>'
            f'<div id="state">{self._state()}</div>{_BUTTONS}',
            links='<a href="index">Refresh</a>',
        )

    def _state(self) -> str:
        device = self._device
        values = device.settings.values
        channels = device.pins.power_channels()
        states = "".join(
            "<td class='on'>ON</td>"
            if device.channel(channel)
            else "<td class='off'>OFF</td>"
            for channel in channels
        )
        buttons = "".join(
            '<td><form action="index">'
            f'<input type="hidden" name="tgl" value="{channel}">'
            f'<input class="{"bgrn" if device.channel(channel) else "bred"}" '
            f'type="submit" value="{self._button_text(channel)}"/></form></td>'
            for channel in channels
        )
        used = [
            f"Channel {channel} = {device.channel(channel):.2f}"
            for channel in device.pins.used_channels()
        ]
        for count, what in (
            (self._console.scripts.repeating_count, "repeating events"),
            (self._console.handler_count, "event handlers"),
        ):
            used += [f"{count} {what}"] if count else []
        signal = ""
        if device.wifi.connected:
            signal = f"<h5>Wifi RSSI: Good ({device.signal_dbm}dBm)</h5>"
        return (
            f"<table><tr>{states}</table><table><tr>{buttons}</table>{self._meter()}"
            f"<h5>{self._drivers()}</h5><h5>{', '.join(used)}</h5>"
            f"<h5>Cfg size: 3584, change counter: {values.change_counter}, "
            f"ota counter: {values.ota_counter}, "
            f"incomplete boots: {device.failed_boots}</h5>"
            f"<h5>Chip temperature: {device.chip_temperature:.1f}°C</h5>"
            f"{signal}{self._broker()}{self._update()}{self._safe_mode()}"
        )

    def _safe_mode(self) -> str:
        """Return the warning of the front page (http_fns.c, 1.18.299)."""
        if not self._device.safe_mode:
            return ""
        return (
            "<h5 class='safe'>You are in safe mode (AP mode) because full reboot failed "
            f"{self._device.failed_boots} times. Pins, relays, etc are disabled.</h5>"
        )

    def _update(self) -> str:
        """Return how far an upload has got (http_fns.c, 1.18.299; there since October 2022).

        What was downloaded is counted where the socket loads a firmware itself.
        """
        if not self._device.flashing_over_air:
            return ""
        return (
            "<h5>OTA In Progress. Downloaded: 0 B "
            f"Flashed: {self._device.ota_progress:06X}h</h5>"
        )

    def _button_text(self, channel: int) -> str:
        # A label of its own stands alone, unless it was told otherwise (cmd_channels.c, 1.18.299).
        label, hides = self._device.labels.get(channel, (str(channel), False))
        return (
            label if hides and channel < _CHANNELS_WITHOUT_PREFIX else f"Toggle {label}"
        )

    def _drivers(self) -> str:
        names = sorted(self._device.drivers)
        listed = f" ({', '.join(names)})" if names else ""
        return f"{len(names)} drivers active{listed}, total: {_DRIVER_COUNT}"

    def _broker(self) -> str:
        mqtt = self._mqtt
        if not self._device.settings.values.mqtt_host:
            return "<h5>MQTT State: not configured<br></h5>"
        color, state = "yellow", "disconnected"
        if mqtt.awaits_reconnect:
            color, state = "orange", "awaiting reconnect"
        elif mqtt.online:
            color, state = "green", "connected"
        return (
            f'<h5>MQTT State: <span style="color:{color}">{state}</span> '
            "RES: 0(ERR_OK)<br>MQTT ErrMsg:  <br>"
            f"MQTT Stats: CONN: {mqtt.connects} PUB: {mqtt.published} "
            f"RECV: {mqtt.received} ERR: 0 </h5>"
        )

    def _meter(self) -> str:
        energy = self._device.energy
        if energy is None:
            return ""
        rows = "".join(
            f"<tr><td><b>{name}</b></td><td style='text-align: right;'>"
            f"{value}</td><td>{unit}</td>"
            for name, value, unit in energy.rows()
        )
        saves = self._device.variables.energy.saves
        clock = self._device.device_clock
        cleared = clock.text(energy.cleared_at).replace("T", " ")
        return (
            f"<hr><table style='width:100%'>{rows}</table>"
            f"(changes sent {energy.messages_sent}, skipped {energy.messages_skipped}, "
            f"saved {saves}) - {energy.driver.name}<hr><h5>Energy Clear Date: "
            f"{cleared if energy.cleared_at else '(not set)'}<br>"
            + (
                ""
                if clock.synced
                else "Device time not in sync, daily energy stats disabled."
            )
            + "</h5>"
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
        return self.page(
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
        return self.page("Saving Wifi", text)

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
        return self.page("Set name", text)

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
        boxes = "".join(
            f'<div><input type="checkbox" name="flag{flag}" id="flag{flag}" value="1"'
            f"{' checked' if settings.values.flags >> flag & 1 else ''}>"
            f'<label for="flag{flag}">Flag {flag} - </label></div>'
            for flag in range(_FLAG_COUNT)
        )
        return self.page(
            "Generic config",
            f'{text}<form action="/cfg_generic">{boxes}<input type="hidden" '
            'id="setFlags" name="setFlags" value="1"><br><input type="submit" '
            'value="Submit"></form>',
        )

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
        starts = self._device.settings.values.start_values
        forms = "".join(
            "<form action='/cfg_startup' class='indent'><input type=\"hidden\" "
            f'id="idx" name="idx" value="{channel}"/>'
            f'<label for="value">Channel {channel}:</label><br><input type="number" '
            f'id="value" name="value" value="{starts[channel]}">'
            '<input type="submit" value="Save"/></form><br/>'
            for channel in self._device.pins.used_channels()
        )
        return self.page("Config startup", f"{text}<h4>New start values</h4>{forms}")

    def _set_pins(self, request: Request) -> Answer:
        asked = changed = 0
        settings = self._device.settings
        for pin in range(settings.pin_count):
            if (role := request.argument(f"{pin}", _PIN_BUFFER)) is not None:
                asked += 1
                changed += change_role(self._device, pin, leading_int(role))
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
        return self.page("Set pins", text)

    def _set_ping(self, request: Request) -> Answer:
        settings = self._device.settings
        if (host := request.argument("host")) is not None:
            settings.change(ping_host=host)
        if (seconds := request.argument("disconnectTime")) is not None:
            settings.change(ping_seconds=leading_int(seconds))
        if request.argument("clear") is not None:
            settings.change(ping_seconds=0, ping_interval=0, ping_host="")
        settings.save()
        return self.page("Set Watchdog", "")

    def _set_webapp(self, request: Request) -> Answer:
        if (url := request.argument("url")) is None:
            text = "Webapp url not set because you didn't specify the argument."
        else:
            self._device.settings.change(webapp_url=url)
            self._device.settings.save()
            text = f"Webapp url set to {url}"
        return self.page("Saving Webapp", text)

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
        return self.page(
            "Set startup command",
            f"{text}<textarea id='data' name='data' rows='15' cols='40'>{command}</textarea>",
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
        return self.page("OTA request", text)


def change_role(device: DeviceState, pin: int, role: int) -> bool:
    """Give a pin a role as pages do; returns whether it had another one.

    Unlike SetPinRole, they leave a pin alone that has the role already.
    """
    number = role & 0xFF
    if device.settings.values.roles[pin] == number:
        return False
    return device.pins.set_role(pin, number)


def _given(request: Request, **fields: str) -> dict[str, str]:
    """Return the settings that a request has a value for, by the names of their fields."""
    return {
        field: value
        for name, field in fields.items()
        if (value := request.argument(name)) is not None
    }


def json_text(text: str, status: int = 200) -> Answer:
    """Return JSON, valid or not, as an answer."""
    return Answer(encode(text), JSON, status)


def _html(text: str) -> Answer:
    return Answer(encode(text), HTML)
