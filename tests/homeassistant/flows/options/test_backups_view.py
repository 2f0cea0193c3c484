"""The flash backups of a socket are listed, verified, exported through a signed link, and deleted."""

from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.openbk.diagnostics import async_get_config_entry_diagnostics
from custom_components.openbk.pyopenbk.backups import Backup, BackupFolder
from custom_components.openbk.pyopenbk.backups.sidecar import Contents, Origin
from custom_components.openbk.pyopenbk.flashing.records import (
    JobRecord,
    JobRecords,
    Phase,
)
from tests.homeassistant.bench import MAC as CHIP_MAC, blow_dump, chip
from tests.homeassistant.options import begin, go_on
from tests.homeassistant.road import walk_on
from tests.homeassistant.wizard import Wizard
from tests.support.sockets import MAC, add_socket, socket_entry

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]

DATE = datetime(2026, 11, 1, 10, 30, tzinfo=UTC)
FLASH_SIZE = 2 * 1024 * 1024
DUMP = bytes(range(256)) * (FLASH_SIZE // 256)


@pytest.fixture
def folder(hass: HomeAssistant, tmp_path: Path) -> BackupFolder:
    """Return the folder of backups of this test alone."""
    hass.config.config_dir = str(tmp_path)
    return BackupFolder(tmp_path / "openbk/backups")


@pytest.fixture
async def entry(hass: HomeAssistant, folder: BackupFolder) -> MockConfigEntry:
    await hass.config.async_set_time_zone("UTC")
    entry = socket_entry()
    await add_socket(hass, entry)
    return entry


async def backup_of(
    hass: HomeAssistant, folder: BackupFolder, mac: str = MAC
) -> Backup:
    origin = Origin(
        chip_id=0x7231C,
        jedec="1c7015",
        code_key_sha256="0" * 64,
        mac=mac,
        flash_size=FLASH_SIZE,
    )
    return await hass.async_add_executor_job(
        folder.save, DUMP, origin, Contents.FACTORY, DATE
    )


async def choose(
    hass: HomeAssistant, entry: MockConfigEntry, backup: Backup, action: str
) -> Any:
    page = await begin(hass, entry, "backups")
    return await go_on(hass, page, backup=backup.path.name, action=action)


async def test_one_that_is_gone_by_now_leaves_the_others_to_choose_from(
    hass: HomeAssistant, folder: BackupFolder, entry: MockConfigEntry
) -> None:
    gone, left = await backup_of(hass, folder), await backup_of(hass, folder)
    page = await begin(hass, entry, "backups")
    await hass.async_add_executor_job(gone.remove)
    page = await go_on(hass, page, backup=gone.path.name, action="verify")
    assert page["step_id"] == "backups"
    done = await go_on(hass, page, backup=left.path.name, action="verify")
    assert done["reason"] == "backup_whole"


async def test_without_a_backup_it_says_who_makes_one(
    hass: HomeAssistant, folder: BackupFolder, entry: MockConfigEntry
) -> None:
    await backup_of(hass, folder, "c8:47:8c:00:00:99")
    done = await begin(hass, entry, "backups")
    assert done["reason"] == "no_backups"


async def test_one_that_cannot_be_read_may_be_of_this_socket(
    hass: HomeAssistant, folder: BackupFolder, entry: MockConfigEntry
) -> None:
    backup = await backup_of(hass, folder)
    sidecar = backup.path.with_suffix(".json")
    await hass.async_add_executor_job(sidecar.write_text, "{")
    done = await begin(hass, entry, "backups")
    assert done["reason"] == "backups_unclear"
    assert done["description_placeholders"].keys() == {"folder"}


async def test_what_cannot_be_read_is_looked_at_once_beside_one_that_can(
    hass: HomeAssistant,
    folder: BackupFolder,
    entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await backup_of(hass, folder)
    await hass.async_add_executor_job((folder.path / "odd.json").write_text, "{")
    page = await begin(hass, entry, "backups")
    assert page["step_id"] == "backups"
    assert caplog.text.count("odd.json") == 1


async def test_verified_is_what_was_read_just_now(
    hass: HomeAssistant, folder: BackupFolder, entry: MockConfigEntry
) -> None:
    backup = await backup_of(hass, folder)
    page = await begin(hass, entry, "backups")
    [shown] = next(iter(page["data_schema"].schema.values())).config["options"]
    assert shown["label"] == "2026-11-01 10:30, Factory firmware"
    done = await choose(hass, entry, backup, "verify")
    assert done["reason"] == "backup_whole"
    assert done["description_placeholders"] == {"date": "2026-11-01 10:30"}
    await hass.async_add_executor_job(backup.path.write_bytes, DUMP[:-1] + b"\0")
    done = await choose(hass, entry, backup, "verify")
    assert done["reason"] == "backup_damaged"


async def test_deleting_asks_once_more_and_spares_what_is_needed(
    hass: HomeAssistant, folder: BackupFolder, entry: MockConfigEntry
) -> None:
    backup = await backup_of(hass, folder)
    page = await choose(hass, entry, backup, "delete")
    assert page["description_placeholders"]["others"] == "0"
    page = await go_on(hass, page, consent=False)
    assert page["errors"] == {"consent": "consent_missing"}
    record = JobRecord(
        mac=MAC,
        started=DATE,
        phase=next(iter(Phase)),
        backup=backup.path.name,
        content="1.18.300",
        content_sha256="0" * 64,
        regions=((0, 4096),),
    )
    records = JobRecords(folder)
    await hass.async_add_executor_job(records.save, record)
    page = await go_on(hass, page, consent=True)
    assert page["errors"] == {"base": "backup_in_use"}
    assert len(folder.find(MAC)) == 1
    path = records.path_of(MAC)
    await hass.async_add_executor_job(path.write_text, "{")
    page = await go_on(hass, page, consent=True)
    assert page["errors"] == {"base": "backup_maybe_in_use"}
    told = await async_get_config_entry_diagnostics(hass, entry)
    assert told["flash"]["unfinished_job"] == "unreadable"
    assert len(folder.find(MAC)) == 1
    await hass.async_add_executor_job(records.remove, MAC)
    done = await go_on(hass, page, consent=True)
    assert done["reason"] == "backup_removed"
    assert not list(folder.path.iterdir())


async def test_a_link_leads_to_this_backup_and_to_administrators_only(
    hass: HomeAssistant,
    folder: BackupFolder,
    entry: MockConfigEntry,
    hass_client: ClientSessionGenerator,
    hass_client_no_auth: ClientSessionGenerator,
    hass_read_only_access_token: str,
) -> None:
    backup = await backup_of(hass, folder)
    assert await async_setup_component(hass, "config", {})
    client = await hass_client()
    flow = "/api/config/config_entries/options/flow"
    page = await (await client.post(flow, json={"handler": entry.entry_id})).json()
    url = f"{flow}/{page['flow_id']}"
    await client.post(url, json={"next_step_id": "backups"})
    answer = await client.post(
        url, json={"backup": backup.path.name, "action": "export"}
    )
    link = (await answer.json())["description_placeholders"]["link"]
    assert "authSig=" in link

    anybody = await hass_client_no_auth()
    answer = await anybody.get(link)
    assert answer.status == HTTPStatus.OK
    assert await answer.read() == DUMP
    assert backup.path.name in answer.headers["Content-Disposition"]
    # Neither without the signature, nor with it for another file.
    plain = link.partition("?")[0]
    assert (await anybody.get(plain)).status == HTTPStatus.UNAUTHORIZED
    other = link.replace(backup.path.name, "secrets.yaml")
    assert (await anybody.get(other)).status == HTTPStatus.UNAUTHORIZED
    assert (await client.get("/api/openbk/backup/..%2F..%2Fsecrets.yaml")).status in (
        HTTPStatus.NOT_FOUND,
        HTTPStatus.BAD_REQUEST,
    )
    reader = await hass_client(hass_read_only_access_token)
    assert (await reader.get(plain)).status == HTTPStatus.UNAUTHORIZED
    done = await (await client.post(url, json={})).json()
    assert done["reason"] == "backup_exported"
    await hass.async_add_executor_job(backup.remove)
    assert (await anybody.get(link)).status == HTTPStatus.NOT_FOUND


async def test_one_that_cannot_be_deleted_is_not_said_to_be_gone(
    hass: HomeAssistant, folder: BackupFolder, entry: MockConfigEntry
) -> None:
    backup = await backup_of(hass, folder)
    page = await choose(hass, entry, backup, "delete")

    def replace_by_a_folder() -> None:
        backup.path.unlink()
        (backup.path / "something").mkdir(parents=True)

    await hass.async_add_executor_job(replace_by_a_folder)
    page = await go_on(hass, page, consent=True)
    assert page["errors"] == {"base": "backup_not_removed"}


async def test_a_folder_that_cannot_be_read_is_not_said_to_be_empty(
    hass: HomeAssistant,
    folder: BackupFolder,
    entry: MockConfigEntry,
    hass_client: ClientSessionGenerator,
) -> None:
    """Nobody is kept out of a folder that leads into itself, but nobody can read it either."""
    backup = await backup_of(hass, folder)
    listed = await begin(hass, entry, "backups")
    deleting = await choose(hass, entry, backup, "delete")
    folder.path.rename(folder.path.with_name("aside"))
    folder.path.symlink_to(folder.path)
    assert (await begin(hass, entry, "backups"))["reason"] == "backups_unreadable"
    done = await go_on(hass, listed, backup=backup.path.name, action="verify")
    assert done["reason"] == "backups_unreadable"
    done = await go_on(hass, deleting, consent=False)
    assert done["reason"] == "backups_unreadable"
    assert done["description_placeholders"].keys() == {"folder"}
    client = await hass_client()
    answer = await client.get(f"/api/openbk/backup/{backup.path.name}")
    assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    told = await async_get_config_entry_diagnostics(hass, entry)
    assert told["flash"]["backups"] == "unreadable"


async def test_the_wizard_opens_to_restore_the_chosen_one(
    hass: HomeAssistant, folder: BackupFolder
) -> None:
    entry = socket_entry(mac=CHIP_MAC)
    await add_socket(hass, entry)
    older, newer = [await backup_of(hass, folder, CHIP_MAC) for _ in range(2)]
    async with chip(blow_dump()) as socket:
        for chosen in (newer, older):
            done = await choose(hass, entry, chosen, "restore")
            assert done["reason"] == "restore_opened"
            kind, flow_id = done["next_flow"]
            assert kind == "config_flow"
            wizard = await Wizard.follow(hass, flow_id)
            assert wizard.page == "intro"
            await wizard.submit(adapter=socket.path)
            assert await walk_on(wizard) == "restore_choose"
            assert wizard.suggested["backup"] == chosen.path.name
            await wizard.close()
