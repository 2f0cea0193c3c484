"""The answers that imitate Tasmota, constants and oddities included."""

from dataclasses import dataclass
import json
from typing import Final

from .arguments import leading_word
from .settings import CHANNEL_COUNT, Flag
from .state import DeviceState
from .text import cut, leading_int

_TYPE_TOGGLE: Final = 6


PRINTED: Final = 254
"""Bytes of one entry that a page's printer lets through."""

# What is answered to whatever begins with a name, in the order of json_interface.c.
_CONSTANTS: Final = {
    "PREFIX1": ("Prefix1", "cmnd"),
    "PREFIX2": ("Prefix2", "stat"),
    "PREFIX3": ("Prefix3", "tele"),
    "STATETEXT1": ("StateText1", "OFF"),
    "STATETEXT2": ("StateText2", "ON"),
    "STATETEXT3": ("StateText3", "TOGGLE"),
    "STATETEXT4": ("StateText4", "HOLD"),
    "FULLTOPIC": ("FullTopic", "%%prefix%%/%%topic%%"),
    "SWITCHTOPIC": ("SwitchTopic", "0"),
    "BUTTONTOPIC": ("ButtonTopic", "0"),
    "MQTTRETRY": ("MqttRetry", "1"),
    "TELEPERIOD": ("TelePeriod", "300"),
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command is answered with; MQTT gets it only where ``stat_topic`` says so."""

    text: str
    stat_topic: str | None = None


def reply_to_line(device: DeviceState, line: str) -> str:
    """Return what a web page answers to a whole line; ``{}`` where there is no answer."""
    _, argument = leading_word(line)
    answer = reply(device, line, argument)
    return answer.text if answer else "{}"


def reply(device: DeviceState, command: str, argument: str) -> Reply | None:
    """Return the answer to a command; None where there is none.

    Commands are told by how they begin, so PowerSet is answered like Power.
    """
    name = command.upper()
    values = device.settings.values
    if name.startswith("POWER"):
        return Reply(power(device).join("{}"), "RESULT")
    if name.startswith("SENSORRETAIN"):
        on = device.settings.has_flag(Flag.RETAIN_EVERYTHING)
        return Reply(_text("SensorRetain", "ON" if on else "OFF").join("{}"))
    for start, key in _CONSTANTS.items():
        if name.startswith(start):
            return Reply(_text(*key).join("{}"))
    if name.startswith("STATE"):
        return Reply(state(device), "RESULT")
    if name.startswith("SENSOR"):
        return Reply(sensor(device))
    if name.startswith("STATUS"):
        return _status(device, argument)
    if name.startswith("SETCHANNELTYPE"):
        channel = leading_int(argument)
        known = 0 <= channel < CHANNEL_COUNT
        return Reply(str(values.channel_types[channel] if known else 0))
    if name.startswith(("GETCHANNEL", "SETCHANNEL", "ADDCHANNEL")):
        return Reply(str(device.channel(leading_int(argument))))
    named = {
        "MQTTCLIENT": ("MQTTClient", values.mqtt_client_id),
        "MQTTHOST": ("MQTTHost", values.mqtt_host),
        "MQTTUSER": ("MQTTUser", values.mqtt_username),
        "MQTTPASSWORD": ("MqttPassword", "****"),
        "SSID1": ("SSID1", values.wifi_ssid),
        "FLAGS": ("Flags", signed_flags(values.flags)),
    }
    for start, entry in named.items():
        if name.startswith(start):
            return Reply(_text(*entry).join("{}"))
    if name.startswith("CH"):
        wanted = {leading_int(name[2:])} if name[2:] else set()
        channels = sorted(wanted | set(device.pins.used_channels()))
        return Reply(
            ",".join(f'"Ch{ch}":{device.channel(ch)}' for ch in channels).join("{}")
        )
    return None


def signed_flags(flags: int) -> str:
    """Return the flags as the chip prints them: the low 32 bits, with a sign."""
    low = flags & 0xFFFFFFFF
    return str(low - (1 << 32) if low >> 31 else low)


def power(device: DeviceState) -> str:
    """Return the states of what counts as a relay; ON where there is none at all."""
    types = device.settings.values.channel_types
    channels = set(device.pins.power_channels())
    channels |= {ch for ch, kind in enumerate(types) if kind == _TYPE_TOGGLE}
    if not channels:
        return _text("POWER", "ON")
    if len(channels) == 1:
        return _text("POWER", _on_off(device, *channels))
    first = 1 if 0 in device.pins.relay_channels() else 0
    return ",".join(
        _text(f"POWER{channel + first}", _on_off(device, channel))
        for channel in sorted(channels)
    )


def state(device: DeviceState) -> str:
    """Return what tele/…/STATE carries."""
    uptime = device.uptime
    days, rest = divmod(uptime, 86400)
    clock = f"{days}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    signal = device.signal_dbm
    return (
        f'{{"Time":"{device.device_clock.text(device.device_clock.local)}",'
        f'"Uptime":"{clock}","UptimeSec":{uptime},"Heap":97,"SleepMode":"None",'
        f'"Sleep":0,"LoadAvg":99,"MqttCount":23,{power(device)},'
        f'"Wifi":{{"AP":1,{_text("SSId", device.settings.values.wifi_ssid)},'
        f'"BSSId":"30:B5:C2:5D:70:72","Channel":12,"Mode":"11n",'
        f'"RSSI":{(signal + 100) * 2},"Signal":{signal},"LinkCount":21,'
        f'"Downtime":"0T06:13:34"}}}}'
    )


def sensor(device: DeviceState) -> str:
    """Return what tele/…/SENSOR carries."""
    parts = [f'"Time":"{device.device_clock.text(device.device_clock.local)}"']
    if device.energy:
        parts.append(f'"ENERGY":{_energy(device)}')
    if device.release.reports_temperature:
        parts.append(f'"ESP32":{{"Temperature": {device.chip_temperature:.1f}}}')
        parts.append('"TempUnit":"C"')
    return ",".join(parts).join("{}")


def _energy(device: DeviceState) -> str:
    assert device.energy is not None
    reading = device.energy.reading
    frequency = f'"Frequency":{0:f},' if device.release.reports_frequency else ""
    return (
        f'{{"Power": {reading("power"):f},'
        f'"ApparentPower": {reading("power_apparent"):f},'
        f'"ReactivePower": {reading("power_reactive"):f},'
        f'"Factor":{reading("power_factor"):f},'
        f'"Voltage":{reading("voltage"):f},'
        f'"Current":{reading("current"):f},'
        f"{frequency}"
        f'"ConsumptionTotal":{reading("energycounter"):f},'
        f'"Yesterday": {reading("energycounter_yesterday"):f},'
        f'"ConsumptionLastHour":{reading("energycounter_last_hour"):f}}}'
    )


def _status(device: DeviceState, argument: str) -> Reply:
    sections = {
        "2": _firmware,
        "4": _memory,
        "5": _network,
        "6": _mqtt,
        "7": _time,
        "8": _sensors,
        "10": _sensors,
        "11": _state,
    }
    if section := sections.get(argument):
        return Reply(section(device).join("{}"), f"STATUS{argument}")
    everything = (
        _general,
        _parameters,
        _firmware,
        _logging,
        _memory,
        _network,
        _mqtt,
        _time,
        _sensors,
        _state,
    )
    return Reply(",".join(part(device) for part in everything).join("{}"), "STATUS")


def _general(device: DeviceState) -> str:
    values = device.settings.values
    relays = device.pins.relay_channels()
    first = 1 if 0 in relays else 0
    if device.pins.power_channels():
        names = [f"{values.short_name}_{channel + first}" for channel in relays]
    else:
        names = [values.long_name]
    mask = sum(
        1 << (channel + first - 1) for channel in relays if device.channel(channel)
    )
    return (
        f'"Status":{{"Module":0,{_text("DeviceName", values.short_name)},'
        f'"FriendlyName":{json.dumps(names, separators=(",", ":"))},'
        f'{_text("Topic", values.mqtt_client_id)},"ButtonTopic":"0","Power":{mask},'
        '"PowerOnState":3,"LedState":1,"LedMask":"FFFF","SaveData":1,"SaveState":1,'
        '"SwitchTopic":"0","SwitchMode":[0,0,0,0,0,0,0,0],"ButtonRetain":0,'
        '"SwitchRetain":0,"SensorRetain":0,"PowerRetain":0,"InfoRetain":0,'
        '"StateRetain":0}'
    )


def _parameters(device: DeviceState) -> str:
    clock = device.device_clock
    return (
        '"StatusPRM":{"Baudrate":115200,"SerialConfig":"8N1",'
        f'{_text("GroupTopic", device.settings.values.group_name)},"OtaUrl":"'
        'https://github.com/openshwprojects/OpenBK7231T_App/releases/latest",'
        f'"RestartReason":"HardwareWatchdog","Uptime":{device.uptime},'
        # Not when it started: the local time of now.
        f'"StartupUTC":"{clock.text(clock.local)}","Sleep":50,"CfgHolder":4617,'
        '"BootCount":22,"BCResetTime":"2022-01-27T16:10:56","SaveCount":1235,'
        '"SaveAddress":"F9000"}'
    )


def _firmware(device: DeviceState) -> str:
    return (
        f'"StatusFWR":{{"Version":"Open{device.release.chip.name}_{device.release.version}",'
        f'"BuildDateTime":"{device.release.built}","Boot":7,"Core":"0.0","SDK":"obk",'
        f'"CpuFrequency":80,"Hardware":"{device.release.chip.name}","CR":"465/699"}}'
    )


def _logging(device: DeviceState) -> str:
    values = device.settings.values
    return (
        '"StatusLOG":{"SerialLog":2,"WebLog":2,"MqttLog":0,"SysLog":0,"LogHost":"",'
        f'"LogPort":514,{_text("SSId1", values.wifi_ssid)},'
        f'{_text("SSId2", values.wifi_ssid2)},"TelePeriod":300,'
        '"Resolution":"558180C0","SetOption":["000A8009",'
        '"2805C80001000600003C5A0A000000000000","00000280","00006008","00004000"]}'
    )


def _memory(_device: DeviceState) -> str:
    return (
        '"StatusMEM":{"ProgramSize":616,"Free":384,"Heap":25,"ProgramFlashSize":1024,'
        '"FlashSize":2048,"FlashChipId":"1540A1","FlashFrequency":40,"FlashMode":3,'
        '"Features":["00000809","8FDAC787","04368001","000000CF","010013C0",'
        '"C000F981","00004004","00001000","00000020"],"Drivers":"1,2,3,4,5,6,7,8,9,10,'
        '12,16,18,19,20,21,22,24,26,27,29,30,35,37,45","Sensors":"1,2,3,4,5,6"}'
    )


def _network(device: DeviceState) -> str:
    return (
        f'"StatusNET":{{{_text("Hostname", device.settings.values.short_name)},'
        f'"IPAddress":"{device.ip_address}","Gateway":"192.168.0.1",'
        '"Subnetmask":"255.255.255.0","DNSServer1":"192.168.0.1",'
        f'"DNSServer2":"0.0.0.0","Mac":"{device.identity.text}","Webserver":2,'
        '"HTTP_API":1,"WifiConfig":4,"WifiPower":17.0}'
    )


def _mqtt(device: DeviceState) -> str:
    values = device.settings.values
    return (
        f'"StatusMQT":{{{_text("MqttHost", values.mqtt_host)},'
        f'"MqttPort":{values.mqtt_port},"MqttClientMask":"core",'
        f"{_text('MqttClient', values.mqtt_client_id)},"
        f'{_text("MqttUser", values.mqtt_username)},"MqttCount":23,'
        '"MAX_PACKET_SIZE":1200,"KEEPALIVE":30,"SOCKET_TIMEOUT":4}'
    )


def _time(device: DeviceState) -> str:
    clock = device.device_clock
    minutes = abs(clock.offset) % 3600 // 60
    return (
        f'"StatusTIM":{{"UTC":"{clock.text(clock.utc)}",'
        f'"Local":"{clock.text(clock.local)}","StartDST":"2022-03-27T02:00:00",'
        # The hours are lost in a number of one byte.
        f'"EndDST":"2022-10-30T03:00:00","Timezone":"+00:{minutes:02d}",'
        '"Sunrise":"07:50","Sunset":"17:17"}'
    )


def _sensors(device: DeviceState) -> str:
    return f'"StatusSNS":{sensor(device)}'


def _state(device: DeviceState) -> str:
    return f'"StatusSTS":{state(device)}'


def _on_off(device: DeviceState, channel: int) -> str:
    return "ON" if device.channel(channel) else "OFF"


def _text(key: str, value: str) -> str:
    # The firmware does not escape anything, and prints each entry into a short buffer.
    return cut(f'"{key}":"{value}"', PRINTED)
