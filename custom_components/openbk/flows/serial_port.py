"""Which serial ports may be used: no foreign kinds, one wizard at a time, nobody else's port."""

import asyncio
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
import re
from typing import Final, Protocol

from homeassistant.components import usb
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey
from yarl import URL

from ..const import DOMAIN, LOGGER


class PortHolder(Protocol):
    """A dialog that holds a serial port, as another one sees it that would like to have it."""

    flow_id: str
    leaving: bool
    """It is closed; the port is about to be free."""
    left: asyncio.Event
    """Set once it has let go of its port."""

    @property
    def title(self) -> str:
        """Return what a person knows the socket on the wires by; empty before there is one."""

    @property
    def doing(self) -> str:
        """Return the key of how far it has got."""


# The ring of a progress page listens to every flow, so two wizards at work would also share that.
_AT_WORK: Final[HassKey[PortHolder]] = HassKey(f"{DOMAIN}_wizard_at_work")
# Ports as Windows and macOS call them, on the computer in front of which somebody sits.
_OTHER_COMPUTER: Final = re.compile(r"(COM\d+:?|/dev/(cu|tty)\.\S+)", re.IGNORECASE)
_HOST_AND_PORT: Final = re.compile(r"([\w.-]+|\[[0-9a-fA-F:.]+\]):\d{1,5}")
_ESPHOME: Final = "esphome"
_ESPHOME_SCHEME: Final = "esphome-hass"
# SerialProxyPortType of aioesphomeapi; its others are TTL and USB_SERIAL.
_HIGH_VOLTAGE: Final = frozenset({"RS232", "RS485"})


@callback
def async_wizard_at_work(hass: HomeAssistant) -> PortHolder | None:
    """Return the wizard that holds a port, or is about to."""
    return hass.data.get(_AT_WORK)


@callback
def async_take(hass: HomeAssistant, wizard: PortHolder) -> bool:
    """Let this wizard work; False when another one does."""
    return hass.data.setdefault(_AT_WORK, wizard) is wizard


@callback
def async_release(hass: HomeAssistant, wizard: PortHolder) -> None:
    """Note that this wizard has ended, and wake who waits for it."""
    wizard.left.set()
    if hass.data.get(_AT_WORK) is wizard:
        del hass.data[_AT_WORK]


def network_address(address: str) -> str | None:
    """Return what is probably meant by ``192.168.1.5:8888``; None for anything else."""
    if _HOST_AND_PORT.fullmatch(address):
        return f"socket://{address}"
    try:
        ip = ip_address(address)
    except ValueError:
        return None
    return f"socket://[{ip}]:8888" if ip.version == 6 else f"socket://{ip}:8888"


@callback
def async_obstacle(hass: HomeAssistant, address: str) -> str | None:
    """Return the key of why an address need not even be tried, or must not be."""
    if not address:
        return "port_missing"
    if _OTHER_COMPUTER.fullmatch(address):
        return "port_other_computer"
    if network_address(address) is not None:
        return "port_network"
    return _esphome_obstacle(hass, address)


def _esphome_obstacle(hass: HomeAssistant, address: str) -> str | None:
    """Look at a port of an ESPHome device: ``esphome-hass://esphome/ENTRY?port_name=…``."""
    try:
        url = URL(address)
    except ValueError:
        return None
    if url.scheme != _ESPHOME_SCHEME:
        return None
    entry = hass.config_entries.async_get_entry(url.path.strip("/"))
    if entry is None or entry.domain != _ESPHOME:
        return "port_missing"
    if entry.state is not ConfigEntryState.LOADED:
        return "port_not_ready"
    return "port_high_voltage" if _is_high_voltage(entry, url) else None


def _is_high_voltage(entry: ConfigEntry, url: URL) -> bool:
    """Return whether a port, or each that it may be, has levels that destroy a chip."""
    device = getattr(entry.runtime_data, "device_info", None)
    name = url.query.get("port_name")
    kinds = [
        getattr(proxy.port_type, "name", None)
        for proxy in getattr(device, "serial_proxies", ())
        if name in (None, proxy.name)
    ]
    return bool(kinds) and _HIGH_VOLTAGE.issuperset(kinds)


async def async_only_adapter(hass: HomeAssistant) -> str | None:
    """Return the USB adapter that is plugged in and nobody's; None where there is a choice.

    A port of the computer itself is never meant: most have the levels of RS-232.
    """
    ports = await _async_ports(hass)
    consumers = await usb.async_get_serial_port_consumers(hass, ports)
    free = [
        port.device
        for port in ports
        if isinstance(port, usb.USBDevice) and not consumers.get(port.device)
    ]
    return free[0] if len(free) == 1 else None


async def async_port_owner(hass: HomeAssistant, address: str) -> str | None:
    """Return the title of the integration or app that uses this port now, or None."""
    consumers = await usb.async_get_serial_port_consumers(
        hass, await _async_ports(hass)
    )
    active = {
        path: next((user.title for user in users if user.active), None)
        for path, users in consumers.items()
    }
    return await hass.async_add_executor_job(_owner, address, active)


async def _async_ports(hass: HomeAssistant) -> Sequence[usb.SerialDevice]:
    try:
        return await usb.async_scan_serial_ports(hass)
    except OSError:
        LOGGER.debug("Could not list the serial ports", exc_info=True)
        return ()


def _owner(address: str, users: Mapping[str, str | None]) -> str | None:
    """Compare what the paths stand for: the same port has several names."""
    wanted = _resolved(address)
    return next(
        (title for path, title in users.items() if title and _resolved(path) == wanted),
        None,
    )


def _resolved(address: str) -> str:
    if not address.startswith("/"):
        return address
    try:
        return str(Path(address).resolve())
    except ValueError:
        # No path has a NUL in it.
        return address
