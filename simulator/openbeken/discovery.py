"""OpenBeken's own Home Assistant discovery: one retained message per entity."""

from collections.abc import Iterator
import json
from typing import Final

from .energy import CLEAR_DATE, DAILY
from .settings import Flag
from .state import DeviceState

# topic, name, unit, device class, state class, icon
_DIAGNOSTICS: Final = (
    ("temp", "Temperature", "°C", "temperature", "measurement", None),
    ("rssi", "RSSI", "dBm", "signal_strength", "measurement", None),
    ("uptime", "Uptime", "s", "duration", "total_increasing", None),
    ("build", "Build", None, None, None, None),
    ("ssid", "SSID", None, None, None, "mdi:access-point-network"),
    ("ip", "IP", None, None, None, "mdi:ip-network"),
)


def messages(device: DeviceState) -> Iterator[tuple[str, str]]:
    """Yield topic (without prefix) and payload of each entity, in the firmware's order."""
    long_name = device.settings.values.long_name
    for component, suffix, details in _entities(device):
        unique_id = f"{long_name}_{suffix}"
        payload = {
            "dev": {
                "ids": [long_name],
                "name": device.settings.values.short_name,
                "sw": device.release.version,
                "mf": "Beken Corporation",
                "mdl": device.release.chip.name,
                "cu": f"http://{device.ip_address}/index",
            },
            **_complete(device, unique_id, details),
        }
        text = json.dumps(payload, separators=(",", ":"), ensure_ascii=False)
        yield f"{component}/{unique_id}/config", text


type _Details = dict[str, str | None]


def _complete(
    device: DeviceState, unique_id: str, details: _Details
) -> dict[str, object]:
    complete: dict[str, object] = {
        "name": details["name"],
        "~": device.settings.values.mqtt_client_id,
    }
    if not device.settings.has_flag(Flag.NO_AVAILABILITY):
        complete["avty_t"] = "~/connected"
    if "cmd_t" in details:
        complete |= {"pl_on": "1", "pl_off": "0"}
    complete |= {"uniq_id": unique_id, "qos": 1}
    rest = {key: value for key, value in details.items() if key != "name"}
    return complete | {key: value for key, value in rest.items() if value is not None}


def _entities(device: DeviceState) -> Iterator[tuple[str, str, _Details]]:
    yield from _energy(device)
    settings = device.settings
    component = "light" if settings.has_flag(Flag.RELAYS_AS_LIGHTS) else "switch"
    for channel in device.pins.power_channels():
        yield (
            component,
            f"relay_{channel}",
            {
                "name": str(channel),
                "stat_t": f"~/{channel}/get",
                "cmd_t": f"~/{channel}/set",
            },
        )
    if settings.has_flag(Flag.BROADCAST_SELF_STATE) or settings.has_flag(
        Flag.SELF_STATE_ON_CONNECT
    ):
        yield from _diagnostics(device)


def _energy(device: DeviceState) -> Iterator[tuple[str, str, _Details]]:
    if device.energy is None:
        return
    kilo = device.settings.has_flag(Flag.ENERGY_IN_KWH)
    daily = {*DAILY, CLEAR_DATE}
    for sensor in device.energy.sensors.values():
        if sensor.reading is None:
            continue
        if sensor.topic in daily and not (
            device.device_clock.ntp_running and device.release.discovers_days
        ):
            continue
        energy = sensor.device_class == "energy"
        state_class: str | None = "total_increasing" if energy else "measurement"
        if sensor.topic == CLEAR_DATE:
            state_class = None
        yield (
            "sensor",
            f"sensor_{sensor.suffix}",
            {
                "name": sensor.name,
                "dev_cla": sensor.device_class,
                "stat_t": f"~/{sensor.topic}/get",
                "stat_cla": state_class,
                "unit_of_meas": ("kWh" if energy and kilo else sensor.unit) or None,
            },
        )


def _diagnostics(device: DeviceState) -> Iterator[tuple[str, str, _Details]]:
    for topic, name, unit, device_class, state_class, icon in _DIAGNOSTICS:
        if topic == "temp" and not device.release.reports_temperature:
            continue
        yield (
            "sensor",
            topic,
            {
                "name": name,
                "dev_cla": device_class,
                "stat_t": f"~/{topic}",
                "unit_of_meas": unit,
                "entity_category": "diagnostic",
                "stat_cla": state_class,
                "icon": icon,
            },
        )
