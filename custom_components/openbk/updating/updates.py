"""The firmware updates of all sockets: one at a time, and none is forgotten before it ended well."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN, LOGGER
from ..helpers import Listeners, async_stored
from ..live.events import tell_update
from ..live.snapshots import SNAPSHOTS, Before
from ..live.state import OpenBekenConfigEntry, identity_of_entry
from ..network.consoles import SOCKET_ACCESS
from ..network.firmware import FIRMWARE
from ..pyopenbk.backups.files import (
    make_private_folder,
    read_small_file,
    write_private_file,
)
from ..pyopenbk.obk.keepsake import Keepsake, KeepsakeError
from .record import Stage, Trouble, UpdateFailed, UpdateRecord
from .run import Fetch, UpdateRun

FOLDER: Final = "openbk/settings"
"""Below Home Assistant's configuration: what sockets had before an update, and files of one's own."""

_FILES_KEPT: Final = 3
_OWN_FILE: Final = "_own.rbl"
# The longest file system, in base64, and everything else.
_LARGEST_KEEPSAKE: Final = 2 * 1024 * 1024
_LARGEST_FIRMWARE: Final = 1024 * 1024
# Relays are what they were before soon after a restart only; later somebody may have meant it.
_AT_ONCE: Final = 120.0
# Home Assistant gives integrations 100 s to stop.
_STOPS_WITHIN: Final = 80.0

# What nobody foresaw has left behind, by how far it had got.
_LEFT_BY: Final = {
    Stage.SENDING: Trouble.INTERRUPTED,
    Stage.RESTARTING: Trouble.SILENT,
    Stage.PUTTING_BACK: Trouble.NOT_PUT_BACK,
}

type Stored = dict[str, dict[str, Any]]


class SocketUpdate:
    """What is going on with the firmware of one socket."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.stage: Stage | None = None
        self.fraction: float | None = None
        """How much of the firmware has been sent, from 0 to 1, while it is."""
        self.record: UpdateRecord | None = None
        self.installed: str | None = None
        """The version that the last update ended with well, since Home Assistant started."""
        self.is_looked_at = False
        """It is being found out whether time has mended what was left behind."""
        self._listeners: Listeners[[]] = Listeners()

    @property
    def trouble(self) -> Trouble | None:
        """Return what the last update left behind."""
        return self.record.trouble if self.record else None

    @callback
    def listen(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call a listener with all that changes here."""
        return self._listeners.add(listener)

    @callback
    def show(self, stage: Stage | None, fraction: float | None = None) -> None:
        """Tell what is being done, and how far it is once for each per cent."""
        if fraction is not None:
            fraction = int(100 * fraction) / 100
        if (stage, fraction) != (self.stage, self.fraction):
            self.stage, self.fraction = stage, fraction
            self._listeners.tell()

    @callback
    def note(self, record: UpdateRecord | None) -> None:
        """Take over what is known of an update that has not ended well."""
        self.record = record
        self._listeners.tell()


class Updates:
    """Runs updates and keeps the records."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Prepare; ``async_load`` reads what is left of earlier updates."""
        self._hass = hass
        self._store: Store[Stored] = Store(hass, 1, f"{DOMAIN}.updates")
        self._sockets: dict[str, SocketUpdate] = {}
        self._one_at_a_time = asyncio.Lock()
        self._access = hass.data[SOCKET_ACCESS]

    async def async_load(self) -> None:
        """Read the records; from now on an upload is ended before Home Assistant stops."""
        for identity, item in (await async_stored(self._store)).items():
            try:
                self.of(identity).record = UpdateRecord.from_dict(item)
            except (KeyError, TypeError, ValueError) as err:
                LOGGER.warning("The record of an update is damaged: %s", err)
        self._hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, self._end_upload)

    @callback
    def of(self, identity: str) -> SocketUpdate:
        """Return what is going on with a socket."""
        return self._sockets.setdefault(identity, SocketUpdate())

    async def async_install(self, entry: OpenBekenConfigEntry, version: str) -> None:
        """Install a release; raises UpdateFailed."""
        source = self._hass.data[FIRMWARE]

        async def fetch(chip: str) -> bytes:
            return await source.async_download(
                await source.async_find(chip, version), chip
            )

        await self._install(entry, fetch)

    async def async_install_file(
        self, entry: OpenBekenConfigEntry, data: bytes
    ) -> None:
        """Install a file that a person brought; raises UpdateFailed."""

        async def fetch(chip: str) -> bytes:
            return data

        await self._install(entry, fetch, data)

    async def async_send_again(self, entry: OpenBekenConfigEntry) -> None:
        """Install again what did not end well; raises UpdateFailed."""
        if (record := self.of(identity_of_entry(entry)).record) is None:
            return
        if record.own_file is None:
            await self.async_install(entry, record.version)
            return
        try:
            data = await self._hass.async_add_executor_job(
                read_small_file, self._file(record.own_file), _LARGEST_FIRMWARE
            )
        except (OSError, ValueError) as err:
            raise UpdateFailed("own_file_gone", name=entry.title) from err
        await self.async_install_file(entry, data)

    @callback
    def async_follow_up(self, entry: OpenBekenConfigEntry) -> None:
        """Go on with what was under way when Home Assistant stopped, or look what became of it.

        To be called when the socket of an entry is set up, and when it says something new.
        """
        socket = self.of(identity_of_entry(entry))
        record = socket.record
        if record is None or socket.stage is not None:
            return
        if record.trouble is None and record.stage is Stage.SENDING:
            # It was taken down in the middle.
            self._hass.async_create_task(
                self._note(entry, replace(record, trouble=Trouble.INTERRUPTED))
            )
            return
        if record.trouble is None:
            socket.show(Stage.CHECKING)
            work = self._guarded(entry, partial(self._go_on, entry, record))
        elif not socket.is_looked_at:
            socket.is_looked_at = True
            work = self._review(entry, record)
        else:
            return
        self._hass.async_create_background_task(
            work, f"{DOMAIN} update of {entry.title}"
        )

    @callback
    def async_put_back(self, entry: OpenBekenConfigEntry) -> None:
        """Try again to put back what a socket had, or look what became of its update.

        To be called when something that may have been in the way is gone: of itself, this is not
        tried again and again, as it writes to the socket's flash.
        """
        socket = self.of(identity_of_entry(entry))
        record = socket.record
        if record is None or record.trouble is not Trouble.NOT_PUT_BACK:
            self.async_follow_up(entry)
        elif socket.stage is None:
            socket.show(Stage.CHECKING)
            self._hass.async_create_background_task(
                self._guarded(entry, partial(self._go_on, entry, record)),
                f"{DOMAIN} update of {entry.title}",
            )

    async def async_has_restarted(
        self, entry: OpenBekenConfigEntry, since: float
    ) -> bool:
        """Return whether a socket has started since a moment; no answer is none."""
        return await self._run_of(entry).look(since) is not None

    async def async_rewritten(self, entry: OpenBekenConfigEntry) -> None:
        """Forget what an update left behind in a socket whose flash was written over its wires.

        It would get back what it had before, in the place of what was just written.
        """
        if self.of(identity_of_entry(entry)).record is not None:
            await self._end_well(entry)

    async def async_forget(self, identity: str) -> None:
        """Drop what is known of a socket that is removed."""
        if (socket := self._sockets.pop(identity, None)) and socket.record:
            await self._store.async_save(self._data())

    # One update

    async def _install(
        self, entry: OpenBekenConfigEntry, fetch: Fetch, own_file: bytes | None = None
    ) -> None:
        """Run an update in a task of its own, which is not ended by who stops waiting for it."""
        socket = self.of(identity_of_entry(entry))
        if socket.stage is not None:
            raise UpdateFailed("running", name=entry.title)
        socket.show(Stage.QUEUED)
        task = self._hass.async_create_task(
            self._guarded(entry, partial(self._run, entry, fetch, own_file)),
            f"{DOMAIN} update of {entry.title}",
        )
        if (err := await asyncio.shield(task)) is not None:
            raise err

    async def _guarded(
        self, entry: OpenBekenConfigEntry, work: Callable[[], Awaitable[None]]
    ) -> UpdateFailed | None:
        """Return how something failed, and keep a record of what that left behind.

        Where it left nothing behind, the record of before counts.
        """
        socket = self.of(identity_of_entry(entry))
        before = socket.record
        try:
            async with self._one_at_a_time:
                await work()
        except UpdateFailed as err:
            LOGGER.warning("Update of %s: %s", entry.title, err)
            failure = err
        except Exception:  # noqa: BLE001 - whatever it was, the socket must not be forgotten
            LOGGER.exception("Update of %s stopped unexpectedly", entry.title)
            trouble = _LEFT_BY.get(socket.record.stage) if socket.record else None
            failure = UpdateFailed("unexpected", trouble, name=entry.title)
        else:
            return None
        finally:
            socket.show(None)
        if failure.trouble is None:
            await self._note(entry, before)
        elif socket.record is not None:
            await self._note(entry, replace(socket.record, trouble=failure.trouble))
        return failure

    async def _run(
        self, entry: OpenBekenConfigEntry, fetch: Fetch, own_file: bytes | None
    ) -> None:
        run = self._run_of(entry)
        kept, version = await run.send(fetch, partial(self._keep, entry, own_file))
        await self._reach(entry, Stage.RESTARTING)
        await run.restart(version, kept)
        await self._reach(entry, Stage.PUTTING_BACK)
        await run.put_back(kept)
        await self._end_well(entry, is_new=True)

    async def _go_on(self, entry: OpenBekenConfigEntry, record: UpdateRecord) -> None:
        """Do what was left to do when Home Assistant stopped."""
        run, kept = self._run_of(entry), await self._kept(entry, record)
        if record.stage is Stage.RESTARTING:
            await run.expect(record.version, record.before, record.since)
            await self._reach(entry, Stage.PUTTING_BACK)
        if isinstance(kept, UpdateFailed):
            # What it lacks now, nobody knows.
            raise kept
        if kept is not None:
            if self._access.now() - record.since > _AT_ONCE:
                kept = replace(kept, channels={})
            await run.put_back(kept)
        await self._end_well(entry, is_new=True)

    async def _review(self, entry: OpenBekenConfigEntry, record: UpdateRecord) -> None:
        """Look whether time has mended what an update left behind.

        A socket may come back late, or was unplugged although it should not have been.
        """
        socket = self.of(identity_of_entry(entry))
        try:
            found = await self._run_of(entry).look(record.since)
            kept = await self._kept(entry, record)
        finally:
            socket.is_looked_at = False
        if found is None or socket.stage is not None or socket.record is not record:
            return
        if found == record.version != record.before:
            socket.show(Stage.CHECKING)
            done = replace(record, stage=Stage.PUTTING_BACK)
            await self._guarded(entry, partial(self._go_on, entry, done))
        elif record.trouble in (Trouble.NOT_PUT_BACK, Trouble.KEPT_UNREADABLE):
            return
        elif isinstance(kept, UpdateFailed) or (kept is not None and kept.files):
            await self._note(entry, replace(record, trouble=Trouble.NOT_TAKEN))
        else:
            await self._end_well(entry)

    def _run_of(self, entry: OpenBekenConfigEntry) -> UpdateRun:
        socket = self.of(identity_of_entry(entry))
        return UpdateRun(self._hass, entry, socket.show)

    # Records, and what was kept

    async def _keep(
        self,
        entry: OpenBekenConfigEntry,
        own_file: bytes | None,
        found: Keepsake,
        version: str,
    ) -> Keepsake:
        """Write down what a socket had, before anything is sent; return what it is to have again."""
        if self._hass.is_stopping:
            # Others may have waited for their turn. Half an upload is worse than none.
            raise UpdateFailed("stopping", name=entry.title)
        await self._hass.data[SNAPSHOTS].async_note(
            entry, Before.UPDATE, found.settings.without_secrets()
        )
        record = self.of(identity_of_entry(entry)).record
        if record is not None:
            found = await self._with_what_it_lacks(entry, record, found)
        name = file_name_of(identity_of_entry(entry))
        now = dt_util.utcnow()
        stem = f"{name}_{now:%Y%m%dT%H%M%S%f}"
        keepsake = f"{stem}.json"
        own_name = None if own_file is None else f"{stem}{_OWN_FILE}"
        # Until something is sent, the record of before may come to count again.
        spare = {record.keepsake, record.own_file} if record else set()
        await self._hass.async_add_executor_job(
            _write, self._file(keepsake), found.as_json(), spare
        )
        if own_name is not None and own_file is not None:
            await self._hass.async_add_executor_job(
                _write, self._file(own_name), own_file, spare
            )
        await self._note(
            entry,
            UpdateRecord(
                version=version,
                before=found.version,
                stage=Stage.SENDING,
                since=self._access.now(),
                keepsake=keepsake,
                own_file=own_name,
            ),
        )
        return found

    async def _with_what_it_lacks(
        self, entry: OpenBekenConfigEntry, record: UpdateRecord, found: Keepsake
    ) -> Keepsake:
        """Return what a socket has, and what the update before took from it."""
        earlier = await self._kept(entry, record)
        if not isinstance(earlier, Keepsake):
            return found
        if record.trouble is Trouble.NOT_PUT_BACK:
            return replace(earlier, channels=found.channels, version=found.version)
        # The update that did not end well has written over them.
        return found if found.files else replace(found, files=earlier.files)

    async def _kept(
        self, entry: OpenBekenConfigEntry, record: UpdateRecord
    ) -> Keepsake | UpdateFailed | None:
        """Return what was kept, None where somebody has deleted it, or why it cannot be read."""
        path = self._file(record.keepsake)
        try:
            text = await self._hass.async_add_executor_job(
                read_small_file, path, _LARGEST_KEEPSAKE
            )
            return Keepsake.from_json(text.decode())
        except FileNotFoundError:
            LOGGER.warning("What was kept of %s is gone", entry.title)
            return None
        except (OSError, ValueError, KeepsakeError) as err:
            LOGGER.warning(
                "What was kept of %s cannot be read: %s",
                entry.title,
                type(err).__name__,
            )
            return UpdateFailed(
                "kept_unreadable", Trouble.KEPT_UNREADABLE, name=entry.title
            )

    async def _reach(self, entry: OpenBekenConfigEntry, stage: Stage) -> None:
        if (record := self.of(identity_of_entry(entry)).record) is not None:
            await self._note(
                entry,
                replace(record, stage=stage, since=self._access.now(), trouble=None),
            )

    async def _end_well(
        self, entry: OpenBekenConfigEntry, *, is_new: bool = False
    ) -> None:
        """Forget the record; ``is_new`` is whether the socket runs now what was sent."""
        socket = self.of(identity_of_entry(entry))
        record = socket.record
        socket.installed = record.version if record and is_new else None
        if record is not None and is_new:
            tell_update(self._hass, entry, record.version, record.before)
        await self._note(entry, None)
        if record is not None and record.own_file is not None:
            await self._hass.async_add_executor_job(
                _drop_own_files, self._file(record.own_file)
            )

    async def _note(
        self, entry: OpenBekenConfigEntry, record: UpdateRecord | None
    ) -> None:
        if self._hass.config_entries.async_get_entry(entry.entry_id) is None:
            # It was removed meanwhile, and its record with it.
            return
        self.of(identity_of_entry(entry)).note(record)
        await self._store.async_save(self._data())

    def _data(self) -> Stored:
        return {
            identity: socket.record.as_dict()
            for identity, socket in self._sockets.items()
            if socket.record is not None
        }

    def _file(self, name: str) -> Path:
        return Path(self._hass.config.path(FOLDER)) / name

    async def _end_upload(self, _event: Event) -> None:
        """Let an upload end before Home Assistant stops: half of one is worse than waiting."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOPS_WITHIN):
                while any(
                    socket.stage is Stage.SENDING for socket in self._sockets.values()
                ):
                    await asyncio.sleep(0.1)


def file_name_of(identity: str) -> str:
    """Return what the files of a socket begin with; many may have the MAC of a chip without its own."""
    mac, _, topic = identity.partition("_")
    name = mac.replace(":", "")
    return f"{name}-{sha256(topic.encode()).hexdigest()[:12]}" if topic else name


def _write(path: Path, content: str | bytes, spare: Collection[str | None]) -> None:
    """Write a file for the eyes of its owner, and keep the last few of this kind and the spared.

    Raises BackupError.
    """
    make_private_folder(path.parent)
    write_private_file(path, content)
    for file in _of_this_kind(path)[_FILES_KEPT:]:
        if file.name not in spare:
            with suppress(OSError):
                file.unlink()


def _drop_own_files(path: Path) -> None:
    """Drop a file that a person brought, and those of attempts that came to nothing."""
    for file in (path, *_of_this_kind(path)):
        with suppress(OSError):
            file.unlink()


def _of_this_kind(path: Path) -> list[Path]:
    """Return the files of a socket that are of the kind of one, the newest first."""
    socket = path.name.partition("_")[0]
    return sorted(path.parent.glob(f"{socket}_*{path.suffix}"), reverse=True)


UPDATES: Final[HassKey[Updates]] = HassKey(f"{DOMAIN}.updates")
