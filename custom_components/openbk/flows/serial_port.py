"""Who may use which serial port: one wizard at a time, and nobody else's port."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from homeassistant.components import usb
from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN, LOGGER

if TYPE_CHECKING:
    from .wizard.base import WizardFlow

# The ring of a progress page listens to every flow, so two wizards at work would also share that.
_AT_WORK: Final[HassKey[WizardFlow]] = HassKey(f"{DOMAIN}_wizard_at_work")


@callback
def async_wizard_at_work(hass: HomeAssistant) -> WizardFlow | None:
    """Return the wizard that holds a port, or is about to."""
    return hass.data.get(_AT_WORK)


@callback
def async_take(hass: HomeAssistant, wizard: WizardFlow) -> bool:
    """Let this wizard work; False when another one does."""
    return hass.data.setdefault(_AT_WORK, wizard) is wizard


@callback
def async_release(hass: HomeAssistant, wizard: WizardFlow) -> None:
    """Note that this wizard has ended; nothing happens when it was not at work."""
    if hass.data.get(_AT_WORK) is wizard:
        del hass.data[_AT_WORK]


async def async_port_owner(hass: HomeAssistant, address: str) -> str | None:
    """Return the title of the integration or app that uses this port now, or None."""
    try:
        ports = await usb.async_scan_serial_ports(hass)
    except OSError:
        LOGGER.debug("Could not list the serial ports", exc_info=True)
        ports = []
    consumers = await usb.async_get_serial_port_consumers(hass, ports)
    active = {
        path: next((user.title for user in users if user.active), None)
        for path, users in consumers.items()
    }
    return await hass.async_add_executor_job(_owner, address, active)


def _owner(address: str, users: Mapping[str, str | None]) -> str | None:
    """Compare what the paths stand for: the same port has several names."""
    wanted = _resolved(address)
    return next(
        (title for path, title in users.items() if title and _resolved(path) == wanted),
        None,
    )


def _resolved(address: str) -> str:
    return str(Path(address).resolve()) if address.startswith("/") else address
