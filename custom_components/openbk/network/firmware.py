"""What OpenBeken has published for sockets that run it: looked up and downloaded once for all."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from ..const import CONF_FIRMWARE, DOMAIN, LOGGER
from ..helpers import Listeners, async_stored
from ..pyopenbk.backups.errors import BackupError
from ..pyopenbk.backups.files import (
    has_size,
    make_private_folder,
    read_small_file,
    write_private_file,
)
from ..pyopenbk.beken.update_slots import UPDATE_SLOTS
from ..pyopenbk.obk.builds import chip_of
from ..pyopenbk.obk.releases import (
    DEFAULT_INDEX,
    Asset,
    NotFoundError,
    Progress,
    ReleaseError,
    ReleaseIndex,
    Update,
    digest_of,
    parse_version,
)

RELEASE_INDEX: Final[HassKey[str]] = HassKey(f"{DOMAIN}.release_index")
"""Where releases are looked up unless a person said otherwise, if that is not the usual place."""
_DIGESTS: Final[HassKey[asyncio.Lock]] = HassKey(f"{DOMAIN}.firmware_digests")
CONF_INDEX: Final = "index_address"
FOLDER: Final = "openbk/firmware"

# Several releases a week; each look is up to a megabyte.
_EVERY: Final = timedelta(hours=12)
# Home Assistant has better to do when it starts.
_FIRST_AFTER: Final = timedelta(minutes=1)
_AGAIN_AFTER_FAILURE: Final = timedelta(hours=1)
_LISTED: Final = 10
# Now and then the newest releases are for other chips only.
_LISTED_AT_MOST: Final = 30
_FILES_KEPT: Final = 3

type Stored = dict[str, Any]


def _usual_index(hass: HomeAssistant) -> str:
    return hass.data.get(RELEASE_INDEX, DEFAULT_INDEX)


def _index_store(hass: HomeAssistant) -> Store[dict[str, str]]:
    """Return where the address of the release index is kept, if a person said one."""
    return Store(hass, 1, f"{DOMAIN}.release_index")


async def async_index_address(hass: HomeAssistant) -> str:
    """Return where releases are looked up.

    What is damaged there is an error: a server that somebody chose is not exchanged silently.
    """
    stored = await _index_store(hass).async_load() or {}
    return stored.get(CONF_INDEX, _usual_index(hass))


async def async_keep_index_address(hass: HomeAssistant, address: str) -> None:
    """Look releases up at an address from now on, at the usual one wherever that will be."""
    store = _index_store(hass)
    if address == _usual_index(hass):
        await store.async_remove()
    else:
        await store.async_save({CONF_INDEX: address})


def _digest_store(hass: HomeAssistant) -> Store[dict[str, str]]:
    """Return where digests of first downloads are kept, by address, where none is published."""
    return Store(hass, 1, f"{DOMAIN}.firmware_digests")


async def async_digest_of(hass: HomeAssistant, asset: Asset) -> str | None:
    """Return the digest that a file must have: the published one, else that of the first download."""
    if asset.digest is not None:
        return asset.digest
    return (await async_stored(_digest_store(hass))).get(asset.url)


async def async_trust(hass: HomeAssistant, asset: Asset, data: bytes) -> None:
    """Keep the digest of a first download, if its server publishes none."""
    # A wizard and an update may end at the same time.
    async with hass.data.setdefault(_DIGESTS, asyncio.Lock()):
        if await async_digest_of(hass, asset) is None:
            store = _digest_store(hass)
            known = await async_stored(store)
            await store.async_save(known | {asset.url: digest_of(data)})


async def async_download(
    hass: HomeAssistant,
    index: ReleaseIndex,
    asset: Asset,
    progress: Progress | None = None,
) -> bytes:
    """Download a file that is what its server says, or what it was the first time.

    ``progress`` is told bytes of bytes. Raises ReleaseError.
    """
    return await index.download(
        asset, progress=progress, known_digest=await async_digest_of(hass, asset)
    )


class FirmwareSource:
    """The releases, as far as they matter to sockets, and their files."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Prepare; nothing is asked as long as nobody listens."""
        self._hass = hass
        self._store: Store[Stored] = Store(hass, 1, f"{DOMAIN}.updates_known")
        self._updates: tuple[Update, ...] = ()
        self._checked: datetime | None = None
        self._listeners: Listeners[[]] = Listeners()
        self._timer: CALLBACK_TYPE | None = None
        self._asking: asyncio.Task[None] | None = None
        self._loading = asyncio.Lock()

    async def async_load(self) -> None:
        """Read what was known when Home Assistant stopped."""
        stored = await self._store.async_load()
        try:
            if stored is not None:
                self._updates = tuple(map(Update.from_dict, stored["updates"]))
                self._checked = dt_util.parse_datetime(stored["checked"])
        except (KeyError, TypeError, ValueError) as err:
            LOGGER.debug("What was known of releases is damaged: %s", err)

    @callback
    def listen(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call a listener when there is something new; while there is one, look now and then."""
        leave = self._listeners.add(listener)
        if self._timer is None:
            self._look_in(self._due())

        @callback
        def stop() -> None:
            leave()
            if not self._listeners and self._timer is not None:
                self._timer()
                self._timer = None

        return stop

    def known(self, chip: str | None) -> tuple[Update, ...]:
        """Return the releases that are meant for everybody and have firmware for a chip.

        The newest comes first. One that is updated from here has to have the usual file for that.
        """
        return tuple(
            update
            for update in self._updates
            if not update.prerelease
            and (
                chip in update.assets if chip in UPDATE_SLOTS else chip in update.chips
            )
        )

    async def async_refresh(self) -> None:
        """Look for new releases; raises ReleaseError.

        Who asks while it is being looked gets what comes of that: *Check for updates* asks for each
        socket, and the server answers so many questions in an hour only.
        """
        if self._asking is None:
            self._asking = self._hass.async_create_background_task(
                self._ask(), f"{DOMAIN} releases", eager_start=False
            )
        await asyncio.shield(self._asking)

    async def _ask(self) -> None:
        try:
            index = await self._index()
            updates = await index.updates(_LISTED)
            found = {chip for update in updates for chip in update.chips}
            if not found.issuperset(self._chips()):
                updates = await index.updates(_LISTED_AT_MOST)
        finally:
            self._asking = None
        self._updates = updates
        self._checked = dt_util.utcnow()
        self._store.async_delay_save(self._data, 1)
        self._listeners.tell()

    async def async_find(self, chip: str, version: str) -> Update:
        """Return a release by its version, however old; raises ReleaseError."""
        for update in self._updates:
            if update.version == version and chip in update.assets:
                return update
        update = await (await self._index()).update(version)
        if chip not in update.assets:
            raise NotFoundError(f"release {version} has no update for {chip}")
        return update

    async def async_download(self, update: Update, chip: str) -> bytes:
        """Return the file of a release for a chip, from disk where it was needed before.

        Raises ReleaseError. A disk without room only costs the next socket a download.
        """
        asset = update.assets[chip]
        async with self._loading:
            digest = await async_digest_of(self._hass, asset)
            path = Path(self._hass.config.path(FOLDER)) / f"{chip}_{update.version}.rbl"
            run = self._hass.async_add_executor_job
            if digest and (data := await run(_read, path, asset.size, digest)):
                return data
            data = await async_download(self._hass, await self._index(), asset)
            await async_trust(self._hass, asset, data)
            await run(_keep, path, data)
        return data

    async def _index(self) -> ReleaseIndex:
        return ReleaseIndex(
            async_get_clientsession(self._hass), await async_index_address(self._hass)
        )

    def _chips(self) -> set[str]:
        """Return the chips of the sockets that are set up."""
        builds = (
            entry.data.get(CONF_FIRMWARE) or ""
            for entry in self._hass.config_entries.async_entries(DOMAIN)
        )
        return {chip for build in builds if (chip := chip_of(build))}

    def _due(self) -> timedelta:
        if self._checked is None:
            return _FIRST_AFTER
        # A clock that was ahead then must not put it off.
        due = self._checked + _EVERY - dt_util.utcnow()
        return max(_FIRST_AFTER, min(_EVERY, due))

    @callback
    def _look_in(self, delay: timedelta) -> None:
        self._timer = async_call_later(
            self._hass, delay, HassJob(self._look, cancel_on_shutdown=True)
        )

    async def _look(self, _now: datetime) -> None:
        self._timer = None
        delay = _AGAIN_AFTER_FAILURE
        try:
            await self.async_refresh()
            delay = _EVERY
        except ReleaseError as err:
            LOGGER.debug("Looking for releases: %s", err)
        except Exception:  # noqa: BLE001 - whatever it was, the next look may find something
            LOGGER.exception("Looking for releases stopped unexpectedly")
        if self._listeners and self._timer is None:
            self._look_in(delay)

    @callback
    def _data(self) -> Stored:
        return {
            "checked": (self._checked or dt_util.utcnow()).isoformat(),
            "updates": [update.as_dict() for update in self._updates],
        }


def newer_than(updates: Iterable[Update], installed: str | None) -> tuple[Update, ...]:
    """Return the updates that are newer than a version, all where it has no number."""
    present = parse_version(installed or "")
    return tuple(
        update
        for update in updates
        if present is None or (parse_version(update.version) or ()) > present
    )


def _read(path: Path, size: int, digest: str) -> bytes | None:
    if not has_size(path, size):
        return None
    try:
        data = read_small_file(path, size)
    except OSError, ValueError:
        return None
    return data if digest_of(data) == digest else None


def _keep(path: Path, data: bytes) -> None:
    """Keep a file, and of the others the last few only."""
    try:
        make_private_folder(path.parent)
        write_private_file(path, data)
        files = sorted(
            path.parent.glob("*.rbl"),
            key=lambda file: file.stat().st_mtime,
            reverse=True,
        )
        for file in files[_FILES_KEPT:]:
            file.unlink(missing_ok=True)
    except (BackupError, OSError) as err:
        LOGGER.debug("Firmware is not kept: %s", err)


FIRMWARE: Final[HassKey[FirmwareSource]] = HassKey(f"{DOMAIN}.firmware_source")
