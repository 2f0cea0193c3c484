"""The link by which a backup is downloaded: it is served from the start, and needs little for that."""

from datetime import timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from aiohttp import web
from homeassistant.components.http import HomeAssistantView
from homeassistant.components.http.auth import async_sign_path
from homeassistant.components.http.const import KEY_HASS_USER
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.http import KEY_HASS

from ..const import DOMAIN
from ..helpers import async_list_backups
from ..pyopenbk.backups.errors import BackupError

_URL: Final = f"/api/{DOMAIN}/backup"
_LINK_LASTS: Final = timedelta(minutes=10)


@callback
def async_backup_link(hass: HomeAssistant, name: str) -> str:
    """Return a link to a backup that is signed, and good for ten minutes."""
    return async_sign_path(hass, f"{_URL}/{quote(name)}", _LINK_LASTS)


@callback
def async_setup_backup_link(hass: HomeAssistant) -> None:
    """Serve backups to administrators who follow a signed link."""
    hass.http.register_view(BackupView())


class BackupView(HomeAssistantView):
    """One backup as a download; only names of backups lead anywhere."""

    url = f"{_URL}/{{name}}"
    name = f"api:{DOMAIN}:backup"

    async def get(self, request: web.Request, name: str) -> web.StreamResponse:
        """Send a backup."""
        if not request[KEY_HASS_USER].is_admin:
            return self.json_message("not allowed", HTTPStatus.UNAUTHORIZED)
        hass = request.app[KEY_HASS]
        try:
            found = await async_list_backups(hass)
        except BackupError:
            return self.json_message(
                "the backups cannot be read", HTTPStatus.SERVICE_UNAVAILABLE
            )
        path = next((one.path for one in found if one.path.name == name), None)
        if path is None:
            return self.json_message("no such backup", HTTPStatus.NOT_FOUND)
        return web.FileResponse(
            path,
            headers={
                "Content-Disposition": f'attachment; filename="{quote(name)}"',
                "Content-Type": "application/octet-stream",
            },
        )
