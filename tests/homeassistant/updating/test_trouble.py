"""Every way in which an update can go wrong says what state the socket is in, and what mends it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
import resource
from socket import SO_LINGER, SOL_SOCKET
import struct
from typing import Any

from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.openbk.pyopenbk.beken.rf_sector import GENERIC_MAC
from custom_components.openbk.pyopenbk.obk.names import identity_of
from custom_components.openbk.updating.record import (
    Stage,
    Trouble,
    UpdateFailed,
    UpdateRecord,
)
from custom_components.openbk.updating.updates import file_name_of
from simulator import images
from simulator.boot import Running, examine
from simulator.flash import Operation, PowerLostError
from simulator.images import Build
from simulator.openbeken.variables import Variables
from simulator.releases import ReleaseServer, Trouble as ServerTrouble
from tests.homeassistant.bench import CODE_SIZE, MAC
from tests.homeassistant.over_the_air import (
    FILES_SIZE,
    NEW,
    OLD,
    Updated,
    files,
    updated,
    with_files,
)
from tests.homeassistant.wizard import ENGLISH
from tests.support.broker import Broker
from tests.support.flash_map import APPLICATION, OTA
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]

TENTHS = [tenth / 10 for tenth in range(10)]


@pytest.fixture(autouse=True)
def own_folder(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Keep the files of each test in a folder of its own."""
    hass.config.config_dir = str(tmp_path)
    return tmp_path / "openbk"


def text_of(one: Updated, err: UpdateFailed) -> str:
    """Return what a person reads; every name in it is filled in."""
    message: str = ENGLISH["exceptions"][str(err.translation_key)]["message"]
    text = message.format(**(err.translation_placeholders or {}))
    assert "Washing machine" in text
    return text


def nothing_was_sent(one: Updated, before: bytes) -> None:
    assert one.downloaded == before
    assert one.record is None
    assert one.issue is None
    assert one.version == OLD.version
    assert not one.firmware.flashing_over_air


# Before anything is sent


WRONG_FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "long": (lambda: images.ota().ljust(OTA.size + 1, b"\xff"), "too_large"),
    "chip": (lambda: images.ota(Build(chip="BK7231T", size=CODE_SIZE)), "wrong_chip"),
    "drivers": (
        lambda: images.ota(Build(drivers=images.OF_TUYA_MCU, size=CODE_SIZE)),
        "drivers",
    ),
    "entry": (lambda: images.ota(Build(entry=0, size=CODE_SIZE)), "not_installable"),
    "cut": (lambda: images.ota()[:-1], "damaged"),
    "damaged": (
        lambda: images.ota()[:900] + b"\0" + images.ota()[901:],
        "damaged",
    ),
    "qio": (images.qio, "other_form"),
    "ug": (images.ug, "other_form"),
    "page": (lambda: b"<html>", "no_firmware"),
}


async def test_a_wrong_file_is_refused(hass: HomeAssistant, mosquitto: Broker) -> None:
    async with updated(hass, mosquitto) as one:
        before = one.downloaded
        for name, (file, key) in WRONG_FILES.items():
            err = await one.file_refused(file())
            assert err.key == key, name
            assert "othing was sent" in text_of(one, err), name
            nothing_was_sent(one, before)


TROUBLE_AT_THE_SERVER = (
    (ServerTrouble(status=500), "server"),
    (ServerTrouble(garbage=True), "server"),
    (ServerTrouble(rate_limited_seconds=600), "rate_limited"),
    (ServerTrouble(files_at="http://192.0.2.1"), "elsewhere"),
    (ServerTrouble(cut_downloads_at=5000), "download"),
    (ServerTrouble(spoil_downloads=True), "digest"),
)


async def test_trouble_at_the_server_reaches_no_socket(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    """Nothing of it is left that would be in the way of a later attempt."""
    async with updated(hass, mosquitto) as one:
        before = one.downloaded
        for trouble, key in TROUBLE_AT_THE_SERVER:
            releases.trouble = trouble
            err = await one.refused()
            assert err.key == key, trouble
            assert "othing was sent" in text_of(one, err), trouble
            nothing_was_sent(one, before)
        releases.trouble = ServerTrouble()
        await one.updates.async_install(one.entry, NEW.version)
        assert one.version == NEW.version


async def test_a_release_that_is_none(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with updated(hass, mosquitto) as one:
        assert (await one.refused("9.9.9")).key == "not_found"
        # One that has files for other chips only.
        assert (await one.refused("1.18.299")).key == "not_found"


@contextmanager
def full_disk() -> Iterator[None]:
    """Let files end after a few bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_stops_it_before_anything_is_sent(
    hass: HomeAssistant, mosquitto: Broker, own_folder: Path
) -> None:
    async with updated(hass, mosquitto) as one:
        before = one.downloaded
        with full_disk():
            err = await one.file_refused(images.ota())
        assert err.key == "disk"
        nothing_was_sent(one, before)
        own_folder.joinpath("settings").rmdir()
        own_folder.joinpath("settings").write_text("in the way")
        assert (await one.file_refused(images.ota())).key == "disk"


async def test_another_socket_at_its_address_gets_nothing(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with updated(hass, mosquitto) as one:
        before = one.downloaded
        data = {**one.entry.data, "mac": "c8:47:8c:99:99:99"}
        hass.config_entries.async_update_entry(one.entry, data=data)
        assert (await one.refused()).key == "other_socket"
        hass.config_entries.async_update_entry(
            one.entry, data={**data, "address": None}
        )
        assert (await one.refused()).key == "no_address"
        nothing_was_sent(one, before)


async def test_the_web_password_is_needed_and_kept_in_memory(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    mosquitto: Broker,
    releases: ReleaseServer,
) -> None:
    async with updated(hass, mosquitto, web_password="secret web") as one:
        before = one.downloaded
        err = await one.refused()
        assert err.key == "password"
        assert "Configure" in text_of(one, err)
        nothing_was_sent(one, before)

        flows = hass.config_entries.options
        page = await flows.async_init(one.entry.entry_id)
        page = await flows.async_configure(
            page["flow_id"], {"next_step_id": "firmware"}
        )
        assert page["description_placeholders"]["installed"] == OLD.version
        page = await flows.async_configure(page["flow_id"], {})
        assert page["errors"] == {"base": "nothing_chosen"}
        page = await flows.async_configure(page["flow_id"], {"password": "wrong"})
        assert page["errors"] == {"password": "socket_password"}
        page = await flows.async_configure(page["flow_id"], {"password": "secret web"})
        assert page["reason"] == "web_password_kept"

        await one.updates.async_install(one.entry, NEW.version)
        assert one.version == NEW.version
        assert "secret web" not in str(hass_storage)
        assert "secret web" not in str(one.entry.as_dict())


async def enter_password(hass: HomeAssistant, one: Updated, password: str) -> str:
    """Enter the password of the web page in the options; return what is said to it."""
    flows = hass.config_entries.options
    page = await flows.async_init(one.entry.entry_id)
    page = await flows.async_configure(page["flow_id"], {"next_step_id": "firmware"})
    page = await flows.async_configure(page["flow_id"], {"password": password})
    if page["type"] == "abort":
        return str(page["reason"])
    (error,) = (page["errors"] or {}).values()
    return str(error)


@pytest.mark.parametrize(
    ("version", "patience", "key", "trouble"),
    [
        (OLD, 1.0, "not_put_back_locked", "update_not_put_back"),
        # What runs now was there before, so MQTT does not tell whether it is new.
        (NEW, 8.0, "silent_locked", "update_silent"),
    ],
)
async def test_a_password_follows_to_no_other_address_until_it_is_typed_again(
    hass: HomeAssistant,
    mosquitto: Broker,
    releases: ReleaseServer,
    version: Build,
    patience: float,
    key: str,
    trouble: str,
) -> None:
    async with updated(
        hass,
        mosquitto,
        version=version,
        web_password="secret web",
        next_address="127.0.0.9",
        patience=patience,
    ) as one:
        assert await enter_password(hass, one, "secret web") == "web_password_kept"
        err = await one.refused()
        assert err.key == key
        assert "Configure" in text_of(one, err)
        assert one.issue == trouble
        await until(lambda: one.entry.data["address"].startswith("127.0.0.9"))
        assert await enter_password(hass, one, "secret web") == "web_password_kept"
        await until(lambda: one.record is None)
        assert one.issue is None


async def test_a_password_is_tried_at_no_other_socket(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    async with updated(hass, mosquitto, web_password="secret web") as one:
        data = {**one.entry.data, "mac": "c8:47:8c:00:00:99"}
        hass.config_entries.async_update_entry(one.entry, data=data)
        assert await enter_password(hass, one, "secret web") == "another_socket"


async def test_one_update_at_a_time(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with updated(hass, mosquitto) as one:
        await one.look()
        running = hass.async_create_task(one.install())
        await until(lambda: one.update.stage is Stage.SENDING)
        assert (await one.refused()).key == "running"
        with pytest.raises(HomeAssistantError, match="already in progress"):
            await one.install()
        await running
        assert one.version == NEW.version
        assert one.record is None


async def test_what_somebody_else_sends_is_left_alone(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with updated(hass, mosquitto) as one:
        host, _, port = str(one.firmware.http_address).partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        image = images.ota()
        head = f"POST /api/ota HTTP/1.1\r\nContent-Length: {len(image)}\r\n\r\n"
        writer.write(head.encode())

        async def send() -> None:
            for start in range(0, len(image), 4096):
                writer.write(image[start : start + 4096])
                await writer.drain()
                await asyncio.sleep(0.1)

        sending = asyncio.create_task(send())
        await until(lambda: one.firmware.ota_progress > 0)
        assert (await one.refused()).key == "busy"
        sending.cancel()
        connection = writer.get_extra_info("socket")
        connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        await until(lambda: not one.firmware.flashing_over_air)


async def test_an_upload_that_hangs_is_ended_before_another_begins(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    """Its sender is gone without a word. Another one would go on behind it, over the end."""
    async with updated(hass, mosquitto) as one:
        radio = one.radio
        host, _, port = str(one.firmware.http_address).partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /api/ota HTTP/1.1\r\nContent-Length: 600000\r\n\r\n")
        writer.write(bytes(500_000))
        await writer.drain()
        await until(lambda: one.firmware.ota_progress >= 499_711)
        await one.updates.async_install(one.entry, NEW.version)
        assert one.version == NEW.version
        assert one.radio == radio
        writer.close()


# While it is sent


@pytest.mark.slow
async def test_power_that_fails_for_a_moment_costs_a_repetition(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    """At every tenth part; each time the old version starts, and takes the whole file then."""
    async with updated(hass, mosquitto) as one:
        socket, radio = one.socket, one.radio
        for number, tenth in enumerate(TENTHS):
            wanted = NEW if number % 2 == 0 else OLD
            starts = socket.resets
            one.once(Stage.SENDING, lambda: socket.lose_power(0.2), tenth)
            await one.updates.async_install(one.entry, wanted.version)
            assert one.version == wanted.version, tenth
            # The power, and the restart into the new version.
            assert socket.resets == starts + 2
            assert one.radio == radio
            assert one.record is None


@pytest.mark.parametrize("tenth", [0.0, 0.5, 0.9])
async def test_power_that_stays_away_leaves_the_old_version_and_a_repair(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer, tenth: float
) -> None:
    async with updated(
        hass, mosquitto, flash=with_files, lfs_size=FILES_SIZE, patience=2.0
    ) as one:
        before = files(one)
        await one.look()
        one.once(Stage.SENDING, lambda: one.socket.power(on=False), tenth)
        err = await one.refused()
        assert err.key == "frozen" if tenth else "unreachable"
        if not tenth:
            return
        assert "Do not unplug it" in text_of(one, err)
        assert one.issue == "update_frozen"
        # It can be tried again although the socket is not heard of.
        await until(lambda: not one.entry.runtime_data.online)
        assert one.shown["state"] == "on"

        one.socket.power(on=True)
        await until(lambda: one.entry.runtime_data.online)
        assert one.version == OLD.version
        if files(one) == before:
            return
        # Its files are gone; they are kept for when the update succeeds.
        await until(lambda: one.issue == "update_not_taken")
        await one.repair()
        await until(lambda: one.record is None)
        assert one.version == NEW.version
        assert files(one) == before
        assert one.issue is None


async def test_what_is_whole_again_by_itself_needs_no_repair(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    """Somebody has unplugged it after all, and nothing of it is lost."""
    async with updated(hass, mosquitto, patience=2.0) as one:
        one.once(Stage.SENDING, lambda: one.socket.power(on=False), 0.5)
        assert (await one.refused()).trouble is Trouble.FROZEN
        one.socket.power(on=True)
        await until(lambda: one.issue is None)
        assert one.record is None
        assert one.version == OLD.version


async def test_a_connection_that_always_breaks(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    """The socket goes on with the old version, and takes the whole file later."""
    async with updated(hass, mosquitto) as one:

        def watch() -> None:
            update = one.update
            if update.stage is Stage.SENDING and (update.fraction or 0) >= 0.3:
                one.break_connection()

        stop = one.update.listen(watch)
        err = await one.refused()
        assert err.key == "interrupted"
        assert "Do not unplug it" in text_of(one, err)
        assert one.issue == "update_interrupted"
        assert one.version == OLD.version
        stop()
        await one.repair()
        await until(lambda: one.record is None)
        assert one.version == NEW.version
        assert one.issue is None


# How much of the file the socket has when the power fails is up to the buffers of the machine.
@pytest.mark.real_time
async def test_an_own_file_is_sent_again_too(
    hass: HomeAssistant, mosquitto: Broker, own_folder: Path
) -> None:
    async with updated(
        hass, mosquitto, flash=with_files, lfs_size=FILES_SIZE, patience=2.0
    ) as one:
        own = images.ota(Build(version="1.99.1"))
        one.once(Stage.SENDING, lambda: one.socket.power(on=False), 0.97)
        assert (await one.file_refused(own)).trouble is Trouble.FROZEN
        one.socket.power(on=True)
        await until(lambda: one.issue == "update_not_taken")
        await one.repair()
        await until(lambda: one.record is None)
        assert one.version == "1.99.1"
        await until(lambda: not list(own_folder.glob("settings/*_own.rbl")))


async def test_attempts_that_came_to_nothing_leave_what_is_to_be_put_back(
    hass: HomeAssistant, mosquitto: Broker, own_folder: Path
) -> None:
    stem = f"{file_name_of(MAC)}_20260101T000000000000"
    folder = own_folder / "settings"
    folder.mkdir(parents=True)
    files = {f"{stem}.json": b"what it had", f"{stem}_own.rbl": b"what was sent"}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    before = UpdateRecord(
        version="1.99.1",
        before=OLD.version,
        stage=Stage.PUTTING_BACK,
        since=0,
        keepsake=f"{stem}.json",
        own_file=f"{stem}_own.rbl",
        trouble=Trouble.NOT_PUT_BACK,
    )
    async with updated(hass, mosquitto) as one:
        one.update.note(before)
        for _ in range(5):
            one.once(
                Stage.SENDING,
                lambda: one.firmware.settings.change(web_password="secret web"),
            )
            own = images.ota(Build(version="1.99.2"))
            assert (await one.file_refused(own)).key == "password"
            one.firmware.settings.change(web_password="")
        assert one.record == before
        for name, content in files.items():
            assert (folder / name).read_bytes() == content
        assert len(list(folder.iterdir())) <= 2 * (3 + 1)


# After it was sent


async def test_a_bootloader_that_does_not_take_it(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with updated(hass, mosquitto) as one:

        def spoil() -> None:
            one.socket.flash.rewrite(OTA.start + 0x5000, bytes(0x1000))

        one.once(Stage.RESTARTING, spoil)
        err = await one.refused()
        assert err.key == "not_taken"
        assert OLD.version in text_of(one, err)
        assert one.issue == "update_not_taken"
        await one.repair()
        await until(lambda: one.record is None)
        assert one.version == NEW.version


async def test_silence_after_the_restart(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with updated(hass, mosquitto, patience=20.0) as one:
        one.once(Stage.RESTARTING, lambda: one.socket.power(on=False))
        err = await one.refused()
        assert err.key == "silent"
        assert one.issue == "update_silent"
        # What is sent to nobody is no repair.
        await one.repair()
        await one.hass.async_block_till_done(wait_background_tasks=True)
        assert one.issue == "update_silent"
        # It comes late, with the new version; that is success after all.
        one.socket.reset()
        one.socket.power(on=True)
        await until(lambda: one.record is None)
        assert one.issue is None


def lose_power_while_it_installs(one: Updated, place: int, seconds: float) -> None:
    """Let the power fail in the n-th operation of the bootloader, counted from its first erase."""
    act, seen = one.socket.flash.watcher, 0
    assert act

    def watch(operation: Operation) -> None:
        nonlocal seen
        seen += bool(seen or operation.address == APPLICATION.start)
        if seen == place:
            one.socket.lose_power(seconds)
            raise PowerLostError
        act(operation)

    one.socket.flash.watcher = watch


async def test_power_that_fails_for_a_moment_while_it_is_installed_costs_a_start(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    """The bootloader begins anew, and the entity waits for that."""
    async with updated(hass, mosquitto) as one:
        await one.look()
        # Tuya's erases all that it will write, writes upwards, and erases the download at last.
        for number, place in enumerate((1, 38, 2000, 4400)):
            wanted = NEW if number % 2 == 0 else OLD
            starts = one.socket.resets
            lose_power_while_it_installs(one, place, 0.2)
            await one.install(version=wanted.version)
            assert one.socket.resets == starts + 2, place
            assert one.version == wanted.version, place
            assert one.record is None, place
            assert one.issue is None, place
            await until(
                lambda version=wanted.version: (
                    one.shown.get("installed_version") == version
                )
            )
            assert one.shown["in_progress"] is False, place


async def test_power_that_stays_away_while_it_is_installed_is_told_and_mends_itself(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    """Nothing runs on the chip by then; with power, the bootloader goes on by itself."""
    async with updated(hass, mosquitto, patience=6.0) as one:
        await one.look()
        lose_power_while_it_installs(one, 1500, 0)
        err = await one.refused()
        assert err.key == "silent"
        assert one.issue == "update_silent"
        assert one.shown["installed_version"] == OLD.version
        assert one.shown["in_progress"] is False
        assert examine(one.socket.flash).running is Running.NOTHING

        one.socket.power(on=True)
        await until(lambda: one.record is None)
        assert one.version == NEW.version
        assert one.issue is None
        await until(lambda: one.shown.get("installed_version") == NEW.version)


async def test_safe_mode_after_the_restart(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with updated(hass, mosquitto, patience=4.0) as one:
        place = 0x1E5000

        def crash() -> None:
            variables = Variables.load(one.socket.flash, place)
            variables.boots, variables.good_boots = 9, 1
            variables.save()

        one.once(Stage.RESTARTING, crash)
        err = await one.refused()
        assert err.key == "safe_mode"
        assert "with wires" in text_of(one, err)
        assert one.issue == "update_safe_mode"
        assert one.firmware.safe_mode
        err = await one.refused()
        assert err.key == "in_safe_mode"


async def test_entities_are_unavailable_without_an_alarm(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with updated(hass, mosquitto) as one:
        await one.look()
        running = hass.async_create_task(one.install())
        await until(lambda: one.update.stage is Stage.SENDING)
        await until(lambda: not one.entry.runtime_data.online)
        assert one.shown["in_progress"] is True
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=181))
        await running
        assert not [
            issue_id
            for domain, issue_id in ir.async_get(hass).issues
            if domain == "openbk"
        ]


# Home Assistant itself


async def test_home_assistant_stops_when_the_upload_has_ended(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with updated(hass, mosquitto) as one:
        running = hass.async_create_task(
            one.updates.async_install(one.entry, "1.18.300")
        )
        await until(lambda: (one.update.fraction or 0) > 0.2)
        hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
        # What it waits for is what ends the upload.
        await hass.async_block_till_done()
        assert one.update.stage is not Stage.SENDING
        await running
        assert one.version == NEW.version


def left_by(stage: Stage, keepsake: str = "gone.json") -> dict[str, Any]:
    """Return what is stored when Home Assistant is killed at this stage."""
    record = UpdateRecord(
        version=NEW.version,
        before=OLD.version,
        stage=stage,
        since=0.0,
        keepsake=keepsake,
    )
    return {"version": 1, "data": {MAC: record.as_dict()}}


async def test_no_upload_is_begun_once_home_assistant_stops(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    """Others wait for their turn where all are updated; the next one would be cut off."""
    async with updated(hass, mosquitto) as one:
        before = one.downloaded
        one.once(Stage.SAVING, lambda: hass.set_state(CoreState.stopping))
        refused = await one.refused()
        hass.set_state(CoreState.running)
        assert (refused.key, refused.trouble) == ("stopping", None)
        assert "was not begun" in text_of(one, refused)
        nothing_was_sent(one, before)
        assert one.record is None


async def test_what_was_being_sent_when_it_was_killed_has_a_repair(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    mosquitto: Broker,
    releases: ReleaseServer,
) -> None:
    hass_storage["openbk.updates"] = left_by(Stage.SENDING)
    async with updated(hass, mosquitto) as one:
        await until(lambda: one.record is None or one.record.trouble)
        # Here the socket has restarted since: nothing of the half that it has is left to fear.
        await until(lambda: one.issue is None and one.record is None)
        assert one.version == OLD.version


async def test_what_had_restarted_when_it_was_killed_is_gone_on_with(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    mosquitto: Broker,
    releases: ReleaseServer,
) -> None:
    hass_storage["openbk.updates"] = left_by(Stage.RESTARTING)
    async with updated(hass, mosquitto, version=NEW) as one:
        await until(lambda: one.record is None)
        assert one.issue is None
        assert hass_storage["openbk.updates"]["data"] == {}


async def test_what_was_kept_and_cannot_be_read_is_not_said_to_be_back(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    own_folder: Path,
    mosquitto: Broker,
    releases: ReleaseServer,
) -> None:
    """Nobody knows what the socket lacks, until somebody has looked and sends it again."""
    hass_storage["openbk.updates"] = left_by(Stage.RESTARTING, "damaged.json")
    path = own_folder / "settings" / "damaged.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")
    async with updated(hass, mosquitto, version=NEW) as one:
        await until(lambda: one.issue is not None)
        assert one.issue == "update_kept_unreadable"
        assert one.record is not None
        await one.updates.async_send_again(one.entry)
        assert one.issue is None
        assert one.record is None


async def test_a_removed_socket_is_forgotten(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    mosquitto: Broker,
    releases: ReleaseServer,
) -> None:
    async with updated(hass, mosquitto, patience=2.0) as one:
        one.once(Stage.SENDING, lambda: one.socket.power(on=False), 0.5)
        assert (await one.refused()).trouble is Trouble.FROZEN
        assert one.issue == "update_frozen"
        await hass.config_entries.async_remove(one.entry.entry_id)
        assert one.issue is None
        assert hass_storage["openbk.updates"]["data"] == {}
        one.entry.add_to_hass(hass)
        await hass.config_entries.async_setup(one.entry.entry_id)


async def test_a_socket_that_is_removed_during_its_update_leaves_no_record(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    mosquitto: Broker,
    releases: ReleaseServer,
) -> None:
    async with updated(hass, mosquitto, patience=2.0) as one:

        def remove() -> None:
            one.socket.power(on=False)
            hass.async_create_task(hass.config_entries.async_remove(one.entry.entry_id))

        one.once(Stage.SENDING, remove, 0.5)
        assert (await one.refused()).trouble is Trouble.FROZEN
        await hass.async_block_till_done()
        assert hass_storage["openbk.updates"]["data"] == {}
        assert one.record is None
        one.entry.add_to_hass(hass)
        await hass.config_entries.async_setup(one.entry.entry_id)


def test_files_of_sockets_with_the_mac_of_a_bare_chip_are_told_apart() -> None:
    """Of each socket only the last few are kept, and never fewer because of another one."""
    names = {
        file_name_of(identity_of(GENERIC_MAC, topic)) for topic in ("obkA", "obk/B")
    }
    assert len(names) == 2
    assert not any(name.partition("_")[2] or "/" in name for name in names)
    assert file_name_of(identity_of(MAC, "obkA")) == MAC.replace(":", "")
