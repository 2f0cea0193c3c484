"""Prepare a configuration folder as if its owner had been through onboarding.

What Home Assistant would have stored is written down here: to have it do so, with its own functions, would
take as long as its start.
"""

from base64 import b64encode
from datetime import UTC, datetime
import json
from pathlib import Path
import secrets
from typing import Any, Final
import uuid

import bcrypt
import jwt

_ONBOARDING_STEPS: Final = ["user", "core_config", "integration", "analytics"]
_TOKEN_LASTS: Final = 30 * 86400
"""Seconds."""
# The least that the hash allows: what it keeps is no secret.
_ROUNDS: Final = 4


def seed(folder: Path, port: int, user: str, password: str, release_index: str) -> str:
    """Write a new folder's storage and return a long-lived access token of its owner.

    No Home Assistant may use the folder yet; its web server will have this port of the loopback address.
    """
    (folder / ".storage").mkdir(parents=True, exist_ok=True)
    _seed_http(folder, port)
    _store(folder, "onboarding", 4, {"done": _ONBOARDING_STEPS})
    # What the wizard keeps when somebody changes where releases come from.
    _store(folder, "openbk.release_index", 1, {"index_address": release_index})
    return _seed_owner(folder, user, password)


def _store(folder: Path, key: str, version: int, data: dict[str, Any]) -> None:
    content = {"version": version, "minor_version": 1, "key": key, "data": data}
    (folder / ".storage" / key).write_text(json.dumps(content), encoding="utf-8")


def _seed_http(folder: Path, port: int) -> None:
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


def _seed_owner(folder: Path, user: str, password: str) -> str:
    """Store what homeassistant/auth/auth_store.py and auth/providers/homeassistant.py would."""
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(_ROUNDS))
    login = {"username": user, "password": b64encode(hashed).decode()}
    _store(folder, "auth_provider.homeassistant", 1, {"users": [login]})
    now, key = datetime.now(UTC), secrets.token_hex(64)
    owner, credential, token = (uuid.uuid4().hex for _ in range(3))
    data = {
        "users": [
            {
                "id": owner,
                "group_ids": ["system-admin"],
                "is_owner": True,
                "is_active": True,
                "name": user,
                "system_generated": False,
                "local_only": False,
            }
        ],
        "groups": [
            {"id": "system-admin", "name": "Administrators"},
            {"id": "system-users", "name": "Users"},
            {"id": "system-read-only", "name": "Read Only"},
        ],
        "credentials": [
            {
                "id": credential,
                "user_id": owner,
                "auth_provider_type": "homeassistant",
                "auth_provider_id": None,
                "data": {"username": user},
            }
        ],
        "refresh_tokens": [
            {
                "id": token,
                "user_id": owner,
                "client_id": None,
                "client_name": "demo",
                "client_icon": None,
                "token_type": "long_lived_access_token",
                "created_at": now.isoformat(),
                "access_token_expiration": _TOKEN_LASTS,
                "token": secrets.token_hex(64),
                "jwt_key": key,
                "last_used_at": None,
                "last_used_ip": None,
                "expire_at": None,
                "credential_id": None,
                "version": None,
            }
        ],
    }
    _store(folder, "auth", 1, data)
    issued = int(now.timestamp())
    return jwt.encode(
        {"iss": token, "iat": issued, "exp": issued + _TOKEN_LASTS}, key, "HS256"
    )
