"""The wizard's pictures: where they are served and how a dialog shows them."""

import base64
from pathlib import Path
import re
from typing import Final

from homeassistant.components.http import StaticPathConfig
from homeassistant.core import HomeAssistant
from homeassistant.loader import async_get_integration
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from ..pyopenbk.qr_code import svg

FOLDER: Final = Path(__file__).parent.parent / "images"
# The dialog fills the window of a phone, and leaves a page with progress 112 pixels there.
_PHONE: Final = "(max-width: 450px)"
_NARROW: Final = {"reset_now": ("reset", "reset_tall")}
# In pixels of the page, so that a phone reads it from the screen of another.
_CODE_WIDTH: Final = 200
_SERVED_AT: Final[HassKey[str]] = HassKey(f"{DOMAIN}_pictures")


async def async_serve(hass: HomeAssistant) -> str:
    """Serve the pictures, once, and return the address they are under.

    The first dialog opens before the integration has been set up, so the wizard does this itself.
    The version is part of the address because browsers keep what they loaded for a month.
    """
    if (address := hass.data.get(_SERVED_AT)) is None:
        integration = await async_get_integration(hass, DOMAIN)
        address = f"/{DOMAIN}_static/{integration.version}"
        # Another flow may come here while the router is changed.
        hass.data[_SERVED_AT] = address
        await hass.http.async_register_static_paths(
            [StaticPathConfig(address, str(FOLDER), cache_headers=True)]
        )
    return address


def picture(address: str, name: str) -> str:
    """Return the HTML of one picture, light or dark as the browser asks for it."""
    wide, narrow = _NARROW.get(name, (name, None))
    sources = _sources(address, wide)
    if narrow is not None:
        sources = _sources(address, narrow, f"{_PHONE} and ") + sources
    return f'<picture>{sources}<img src="{address}/{wide}.png"></picture>'


def folded(summary: str, html: str) -> str:
    """Return HTML that shows its summary and unfolds to the rest."""
    return f"<details><summary>{summary}</summary>{html}</details>"


def _sources(address: str, name: str, condition: str = "") -> str:
    # The files have two pixels for each of the page's.
    return "".join(
        f'<source srcset="{address}/{name}{suffix}.png 2x" '
        f'media="{condition}(prefers-color-scheme: {scheme})">'
        for suffix, scheme in (("_dark", "dark"), ("", "light"))
    )


def wifi_code(name: str) -> str:
    """Return the HTML of a QR code that lets a phone join an open Wi-Fi.

    It brings its own white card: in dark colours not every phone reads what the frontend draws.
    """
    escaped = re.sub(r'([\\;,:"])', r"\\\1", name)
    picture = base64.b64encode(svg(f"WIFI:S:{escaped};T:nopass;;").encode()).decode()
    source = f"data:image/svg+xml;base64,{picture}"
    return f'<img src="{source}" width="{_CODE_WIDTH}" height="{_CODE_WIDTH}">'
