"""A person installs a file of their own, or tells the password that updates need."""

from http import HTTPStatus
from pathlib import Path
from uuid import uuid4

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.openbk.flows.uploads import LARGEST
from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from simulator import images
from simulator.images import Build
from tests.homeassistant.bench import upload
from tests.homeassistant.options import begin, go_on, move
from tests.homeassistant.over_the_air import NEW, OLD, updated
from tests.support.addresses import refuse
from tests.support.broker import Broker
from tests.support.sockets import add_socket, socket_entry

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]


@pytest.fixture(autouse=True)
def own_folder(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Keep the files of each test in a folder of its own."""
    hass.config.config_dir = str(tmp_path)
    return tmp_path / "openbk"


async def finished(hass: HomeAssistant, page: ConfigFlowResult) -> ConfigFlowResult:
    """Return how an installation ended; it can be over before it is shown."""
    if page["type"] is not FlowResultType.SHOW_PROGRESS:
        return page
    await hass.async_block_till_done(wait_background_tasks=True)
    return await go_on(hass, page)


async def test_an_own_file_is_installed_while_the_dialog_shows_it(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    own = Build(version="1.99.1")
    async with updated(hass, mosquitto) as one:
        page = await begin(hass, one.entry, "firmware")
        assert page["description_placeholders"]["installed"] == OLD.version
        page = await go_on(hass, page)
        assert page["errors"] == {"base": "nothing_chosen"}
        file = await upload(hass, images.ota(own), "own.rbl")
        page = await go_on(hass, page, file=file)
        assert page["step_id"] == "firmware_install"
        done = await finished(hass, page)
        assert done["reason"] == "firmware_installed"
        assert done["description_placeholders"] == {"version": own.version}
        assert one.version == own.version
        assert one.record is None


async def test_a_file_for_another_chip_is_refused_with_what_it_is(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    async with updated(hass, mosquitto) as one:
        before = one.downloaded
        page = await begin(hass, one.entry, "firmware")
        page = await go_on(hass, page, file=uuid4().hex)
        assert page["errors"] == {"file": "upload_gone"}
        file = await upload(hass, images.ota(Build(chip="BK7231T")), "own.rbl")
        page = await go_on(hass, page, file=file)
        done = await finished(hass, page)
        assert done["reason"] == "firmware_not_installed"
        reason = done["description_placeholders"]["reason"]
        assert "BK7231T" in reason
        assert "othing was sent" in reason
        assert one.downloaded == before
        assert one.version == OLD.version


async def test_a_password_is_tried_before_it_is_kept(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    async with updated(hass, mosquitto, web_password="correct horse") as one:
        page = await begin(hass, one.entry, "firmware")
        page = await go_on(hass, page, password="wrong")
        assert page["errors"] == {"password": "socket_password"}
        file = await upload(hass, images.ota(NEW), "own.rbl")
        page = await go_on(hass, page, password="correct horse", file=file)
        done = await finished(hass, page)
        assert done["reason"] == "firmware_installed"
        assert one.version == NEW.version
        page = await begin(hass, one.entry, "firmware")
        done = await go_on(hass, page, password="correct horse")
        assert done["reason"] == "web_password_kept"


async def test_what_cannot_be_sent_is_told_at_once(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    async with updated(hass, mosquitto) as one:
        page = await begin(hass, one.entry, "firmware")
        file = await upload(hass, bytes(LARGEST + 1), "own.rbl")
        page = await go_on(hass, page, file=file)
        assert page["errors"] == {"file": "firmware_too_large"}
        mac = one.entry.data["mac"]
        move(hass, one.entry, mac="c8:47:8c:00:00:99")
        page = await go_on(hass, page, password="of the page")
        assert page["errors"] == {"password": "another_socket"}
        move(hass, one.entry, mac=mac)
        hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True, connect=refuse)
        page = await go_on(hass, page, password="of the page")
        assert page["errors"] == {"password": "socket_unreachable"}
        move(hass, one.entry, address=None)
        page = await go_on(hass, page, password="of the page")
        assert page["errors"] == {"password": "socket_unreachable"}
        await hass.config_entries.async_unload(one.entry.entry_id)
        for choice in ("firmware", "web_password"):
            done = await begin(hass, one.entry, choice)
            assert done["reason"] == "not_loaded"


async def test_only_administrators_bring_files(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    hass_read_only_access_token: str,
) -> None:
    entry = socket_entry()
    await add_socket(hass, entry)
    assert await async_setup_component(hass, "config", {})
    client = await hass_client(hass_read_only_access_token)
    answer = await client.post(
        "/api/config/config_entries/options/flow", json={"handler": entry.entry_id}
    )
    assert answer.status == HTTPStatus.UNAUTHORIZED
