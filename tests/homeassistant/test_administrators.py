"""Whatever can destroy or reveal something refuses everybody but administrators.

What is registered is walked over: something new that nobody thought of here fails a test.
"""

from collections.abc import Mapping
from http import HTTPStatus
import re
from typing import Any, Final

from aiohttp.test_utils import TestClient
from homeassistant.auth.const import GROUP_ID_READ_ONLY, GROUP_ID_USER
from homeassistant.auth.models import Credentials
from homeassistant.components.websocket_api.const import DOMAIN as WEBSOCKET_API
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import Unauthorized
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from tests.support.sockets import add_socket, socket_entry

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]

REFUSED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
OTHERS: Final = (GROUP_ID_USER, GROUP_ID_READ_ONLY)
# Actions of ours that say what everybody sees: which factors are in use.
FOR_ALL: Final = {"get_calibration"}
ACTIONS: Final[Mapping[str, dict[str, Any]]] = {
    "calibrate": {"power": 2000},
    "calibrate_with_load": {"rated_power": 2000},
    "add_calibration_point": {"power": 60},
    "reset_calibration": {},
    "undo_calibration": {},
    "set_energy": {"energy": 0},
    "console": {"command": "restart"},
    "get_settings": {},
    "update_all": {},
}
# What each kind of entity is told by its action; the others take none.
ENTITY_ACTIONS: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "button": ("press", {}),
    "select": ("select_option", {"option": "off"}),
    "switch": ("toggle", {}),
    "update": ("install", {}),
}


@pytest.fixture
async def entry(hass: HomeAssistant) -> MockConfigEntry:
    entry = socket_entry()
    await add_socket(hass, entry)
    for component in ("config", "diagnostics", "repairs"):
        assert await async_setup_component(hass, component, {})
    return entry


async def somebody(hass: HomeAssistant, group_id: str) -> tuple[MockUser, str]:
    """Return a user of a group, and a token of theirs."""
    group = await hass.auth.async_get_group(group_id)
    user = MockUser(groups=[group]).add_to_hass(hass)
    credential = Credentials(
        auth_provider_type="homeassistant",
        auth_provider_id=None,
        data={"username": group_id},
        is_new=False,
    )
    user.credentials.append(credential)
    refresh = await hass.auth.async_create_refresh_token(
        user, "https://example.com/app", credential=credential
    )
    assert not user.is_admin
    return user, hass.auth.async_create_access_token(refresh)


@pytest.mark.parametrize("group_id", OTHERS)
async def test_actions(
    hass: HomeAssistant, entry: MockConfigEntry, group_id: str, local_auth: object
) -> None:
    registered = set(hass.services.async_services_for_domain("openbk"))
    assert registered - FOR_ALL == set(ACTIONS)
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    user, _ = await somebody(hass, group_id)
    for name, data in ACTIONS.items():
        with pytest.raises(Unauthorized):
            await hass.services.async_call(
                "openbk",
                name,
                {"device_id": device.id, **data},
                blocking=True,
                return_response=name == "get_settings",
                context=Context(user_id=user.id),
            )


async def test_entities_are_looked_at_and_left_alone_by_who_may_only_look(
    hass: HomeAssistant, entry: MockConfigEntry, local_auth: object
) -> None:
    user, _ = await somebody(hass, GROUP_ID_READ_ONLY)
    tried = set()
    for entity in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id):
        if not hass.services.async_services_for_domain(entity.domain):
            continue
        action, data = ENTITY_ACTIONS[entity.domain]
        tried.add(entity.domain)
        with pytest.raises(Unauthorized):
            await hass.services.async_call(
                entity.domain,
                action,
                {"entity_id": entity.entity_id, **data},
                blocking=True,
                context=Context(user_id=user.id),
            )
    assert tried == set(ENTITY_ACTIONS)


async def answers(client: TestClient[Any, Any], url: str) -> set[int]:
    """Return the states with which all methods of an address are answered."""
    return {
        (await client.request(method, url)).status
        for method in ("GET", "POST", "PUT", "DELETE")
    } - {HTTPStatus.METHOD_NOT_ALLOWED}


async def test_views(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    hass_client: ClientSessionGenerator,
    hass_client_no_auth: ClientSessionGenerator,
    local_auth: object,
) -> None:
    own = [
        re.sub("{.*?}", "x", resource.canonical)
        for resource in hass.http.app.router.resources()
        if "openbk" in resource.canonical
    ]
    assert own
    tokens = [(await somebody(hass, group_id))[1] for group_id in OTHERS]
    anybody = await hass_client_no_auth()
    administrator = await hass_client()
    for url in own:
        for client in (anybody, *[await hass_client(token) for token in tokens]):
            assert await answers(client, url) == {HTTPStatus.UNAUTHORIZED}, url
        assert not await answers(administrator, url) & set(REFUSED)


async def test_commands_of_the_websocket(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """There are none of ours; one that comes has to be tried as others are here."""
    handlers = {
        name: handler for name, (handler, _) in hass.data[WEBSOCKET_API].items()
    }
    assert "config_entries/get" in handlers
    assert not [
        name
        for name, handler in handlers.items()
        if "openbk" in f"{name} {handler.__module__}"
    ]


@pytest.mark.parametrize("group_id", OTHERS)
async def test_dialogs_and_diagnostics(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    hass_client: ClientSessionGenerator,
    group_id: str,
    local_auth: object,
) -> None:
    flows = "/api/config/config_entries"
    asked: dict[str, dict[str, Any] | None] = {
        f"{flows}/flow": {"handler": "openbk"},
        f"{flows}/options/flow": {"handler": entry.entry_id},
        "/api/repairs/issues/fix": {"handler": "openbk", "issue_id": "update_1"},
        f"/api/diagnostics/config_entry/{entry.entry_id}": None,
    }
    _, token = await somebody(hass, group_id)
    client, administrator = await hass_client(token), await hass_client()
    for url, data in asked.items():
        method = "GET" if data is None else "POST"
        refused = await client.request(method, url, json=data)
        assert refused.status in REFUSED, url
        assert entry.data["mac"] not in await refused.text()
        allowed = await administrator.request(method, url, json=data)
        assert allowed.status not in REFUSED, url
        # Nor does somebody go on with what an administrator has begun.
        if flow_id := (await allowed.json()).get("flow_id"):
            for method in ("GET", "POST"):
                step = await client.request(method, f"{url}/{flow_id}", json={})
                assert step.status in REFUSED, url
