"""Prepare a configuration folder as if its owner had been through onboarding.

Run with Home Assistant's own Python while no Home Assistant uses the folder:
``python -m demo.seed FOLDER PORT USER PASSWORD RELEASE_INDEX`` prints a long-lived access token.
"""

import asyncio
from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
import sys
from typing import Any

from homeassistant import auth, config_entries, core, loader
from homeassistant.auth.const import GROUP_ID_ADMIN
from homeassistant.auth.models import TOKEN_TYPE_LONG_LIVED_ACCESS_TOKEN
from homeassistant.auth.providers.homeassistant import HassAuthProvider
from homeassistant.helpers import device_registry as dr, entity_registry as er

_ONBOARDING_STEPS = ["user", "core_config", "integration", "analytics"]


def _store(folder: Path, key: str, version: int, data: dict[str, Any]) -> None:
    content = {"version": version, "minor_version": 1, "key": key, "data": data}
    (folder / ".storage" / key).write_text(json.dumps(content), encoding="utf-8")


def seed_http(folder: Path, port: int) -> None:
    """Bind the web server to loopback.

    An ``http:`` section in the configuration would only be a trial that Home Assistant reverts
    after five minutes unless somebody confirms it.
    """
    stable = {
        "server_port": port,
        "server_host": ["127.0.0.1"],
        "cors_allowed_origins": [],
        "login_attempts_threshold": -1,
        "ip_ban_enabled": False,
        "ssl_profile": "intermediate_v6",
        "use_x_frame_options": True,
        "created_at": datetime.now(UTC).isoformat(),
        "error": None,
        "error_message": None,
    }
    data = {"stable": stable, "pending": None, "yaml_migration_done": True}
    _store(folder, "http", 3, data)


async def seed_owner(folder: Path, user: str, password: str) -> str:
    """Create the owner and return a long-lived access token."""
    hass = core.HomeAssistant(str(folder))
    loader.async_setup(hass)
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    await hass.config_entries.async_initialize()
    dr.async_setup(hass)
    await asyncio.gather(dr.async_load(hass), er.async_load(hass))
    hass.auth = await auth.auth_manager_from_config(
        hass, [{"type": "homeassistant"}], []
    )
    provider = hass.auth.auth_providers[0]
    assert isinstance(provider, HassAuthProvider)
    await provider.async_initialize()
    await provider.async_add_auth(user, password)
    owner = await hass.auth.async_create_user(user, group_ids=[GROUP_ID_ADMIN])
    credentials = await provider.async_get_or_create_credentials({"username": user})
    await hass.auth.async_link_user(owner, credentials)
    token = await hass.auth.async_create_refresh_token(
        owner,
        client_name="demo",
        token_type=TOKEN_TYPE_LONG_LIVED_ACCESS_TOKEN,
        access_token_expiration=timedelta(days=30),
    )
    access_token = hass.auth.async_create_access_token(token)
    # Stores are only written by the final-write event of an instance that ran.
    hass.set_state(core.CoreState.running)
    await hass.async_stop()
    return access_token


def main() -> None:
    """Seed the folder named on the command line."""
    folder, port, user, password, release_index = sys.argv[1:]
    path = Path(folder)
    (path / ".storage").mkdir(parents=True, exist_ok=True)
    seed_http(path, int(port))
    _store(path, "onboarding", 4, {"done": _ONBOARDING_STEPS})
    # What the wizard keeps when somebody changes where releases come from.
    _store(path, "openbk.release_index", 1, {"index_address": release_index})
    print(asyncio.run(seed_owner(path, user, password)))


if __name__ == "__main__":
    main()
