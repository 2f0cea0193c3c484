"""One update of one socket, from the first question to what it says of itself afterwards."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
import logging
from typing import Final

from homeassistant.core import HomeAssistant

from ..const import CONF_ADDRESS, CONF_CLIENT_ID, CONF_FIRMWARE, CONF_MAC
from ..live.energy_store import ENERGY_STORE
from ..live.state import OpenBekenConfigEntry, identity_of_entry, is_online
from ..network.consoles import SOCKET_ACCESS, console_at
from ..pyopenbk.beken.update_slots import UPDATE_SLOTS, UpdateSlot
from ..pyopenbk.errors import OpenBekenError
from ..pyopenbk.obk import keepsake, ota
from ..pyopenbk.obk.builds import version_of
from ..pyopenbk.obk.console import (
    Console,
    ConsoleError,
    PasswordError,
    SocketInfo,
    UnreachableError,
)
from ..pyopenbk.obk.keepsake import Keepsake
from ..pyopenbk.obk.ota import UploadError
from ..pyopenbk.obk.saving import SAVED_AFTER
from .record import Stage, Trouble, UpdateFailed, refusal

_LOGGER = logging.getLogger(__name__)

# All in seconds of the socket's. A broken upload is sent again so often, and so much later.
_ATTEMPTS: Final = 3
_PAUSE: Final = 10.0
# Who does not answer for so long is frozen, or has no power.
_ANSWERS_WITHIN: Final = 60.0
# The upload of somebody else moves on within this time.
_MOVES_WITHIN: Final = 30.0
# A socket restarts 3 s after it was told to, unpacks for some 20 s, and is back 10 s later.
_BACK_WITHIN: Final = 300.0
_LOOK_EVERY: Final = 5.0
_AGAIN_AFTER: Final = 30.0

type Fetch = Callable[[str], Awaitable[bytes]]
"""Returns the file for a chip."""
type Keep = Callable[[Keepsake, str], Awaitable[Keepsake]]
"""Writes down what a socket had and which version it is to get; returns what it is to have again."""
type Show = Callable[[Stage, float | None], None]


class UpdateRun:
    """The steps, in their order. Each raises UpdateFailed, which says what state the socket is in."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: OpenBekenConfigEntry,
        show: Show,
    ) -> None:
        """Prepare for the socket of an entry; ``show`` is told what is being done."""
        self._hass = hass
        self._entry = entry
        self._show = show
        self._access = hass.data[SOCKET_ACCESS]
        self._name = entry.title
        self._client: tuple[str, Console] | None = None

    async def send(self, fetch: Fetch, keep: Keep) -> tuple[Keepsake, str]:
        """Check, save and send; return what was kept and the version that is to run now."""
        self._show(Stage.CHECKING, None)
        info, slot = await self._identify()
        data = await self._fetch(fetch, slot)
        await self._wait_for_others()
        self._show(Stage.SAVING, None)
        try:
            found = await keepsake.take_keepsake(self._console(), slot, info)
            version = await self._check(data, slot, found)
            kept = await keep(found, version)
        except OpenBekenError as err:
            raise refusal(err, self._name) from err
        await self._send(data)
        # Somebody may have switched it meanwhile.
        with suppress(OpenBekenError):
            outputs = await keepsake.read_outputs(
                self._console(), kept.settings.profile
            )
            kept = replace(kept, channels=outputs)
        return kept, version

    async def restart(self, version: str, kept: Keepsake) -> None:
        """Restart the socket and wait until it says that it runs this version."""
        self._show(Stage.RESTARTING, None)
        since = self._access.now()
        await self._reboot()
        await self.expect(version, kept.version, since)

    async def expect(self, version: str, before: str, since: float) -> None:
        """Wait until a socket says that it has started with this version since a moment."""
        self._show(Stage.RESTARTING, None)
        found = await self._wait_until_back(since, version, before)
        if found != version:
            raise UpdateFailed(
                "not_taken", Trouble.NOT_TAKEN, name=self._name, found=found
            )

    async def put_back(self, kept: Keepsake) -> None:
        """Give the socket what it had; each step is tried, whatever became of the others."""
        self._show(Stage.PUTTING_BACK, None)
        steps = (self._put_outputs_back, self._put_settings_back, self._put_energy_back)
        await self._wait_for_its_page()
        problem: str | None = None
        gone: UpdateFailed | None = None
        for step in steps:
            try:
                await step(kept)
            except UpdateFailed as err:
                _LOGGER.warning("%s lacks what it had: %s", self._name, err.key)
                gone = err
            except OpenBekenError as err:
                _LOGGER.warning("%s lacks what it had: %s", self._name, err)
                locked = isinstance(err, PasswordError)
                problem = "not_put_back_locked" if locked else "not_put_back"
        if gone is not None:
            # When it is there again, everything is tried again.
            raise gone
        if problem is not None:
            raise UpdateFailed(problem, Trouble.NOT_PUT_BACK, name=self._name)

    async def _wait_for_its_page(self) -> None:
        """Wait until its web server answers where it is now, if only for a password.

        MQTT tells its version before its address, which may be a new one.
        """
        deadline = self._access.now() + _ANSWERS_WITHIN
        while self._access.now() < deadline:
            try:
                if self._is_ours(await self._console().info()):
                    return
            except PasswordError:
                return
            except OpenBekenError as err:
                _LOGGER.debug("%s does not answer yet: %s", self._name, err)
            await self._access.sleep(_LOOK_EVERY)

    async def look(self, since: float) -> str | None:
        """Return what version a socket runs that has started since a moment, None where not."""
        try:
            info = await self._console().info()
        except OpenBekenError:
            return None
        if not self._is_ours(info) or info.uptime > self._access.now() - since:
            return None
        return ota.version_of_info(info.build) or info.build

    # What is asked before

    def _console(self) -> Console:
        """Return the client for where the socket is now; raises UnreachableError where none knows."""
        address = self._entry.data[CONF_ADDRESS]
        if address is None:
            raise UnreachableError("its address is not known")
        # A socket may have another address after a restart. Once asked for the password, a client
        # sends it at once, as an upload has to.
        if self._client is None or self._client[0] != address:
            self._client = address, console_at(self._hass, address)
        return self._client[1]

    async def _identify(self) -> tuple[SocketInfo, UpdateSlot]:
        """Make sure of whose web server it is before anything is sent there."""
        if self._entry.data[CONF_ADDRESS] is None:
            raise UpdateFailed("no_address", name=self._name)
        try:
            info = await self._console().info()
        except PasswordError as err:
            raise refusal(err, self._name) from err
        except OpenBekenError as err:
            if await self._is_in_safe_mode():
                raise UpdateFailed("in_safe_mode", name=self._name) from err
            raise refusal(err, self._name) from err
        if not self._is_ours(info):
            raise UpdateFailed("other_socket", name=self._name)
        if (slot := UPDATE_SLOTS.get(info.chip)) is None:
            raise UpdateFailed("chip", name=self._name, chip=info.chip)
        return info, slot

    def _is_ours(self, info: SocketInfo) -> bool:
        data = self._entry.data
        return info.is_of(data[CONF_MAC], data[CONF_CLIENT_ID])

    async def _is_in_safe_mode(self) -> bool:
        try:
            return (await ota.ota_state(self._console())).safe_mode
        except OpenBekenError:
            return False

    async def _fetch(self, fetch: Fetch, slot: UpdateSlot) -> bytes:
        try:
            return await fetch(slot.chip)
        except OpenBekenError as err:
            raise refusal(err, self._name) from err

    async def _check(self, data: bytes, slot: UpdateSlot, found: Keepsake) -> str:
        settings = found.settings
        scripts = (settings.startup_command, *settings.scripts)
        drivers = ota.drivers_of(settings.profile, scripts)
        return await self._hass.async_add_executor_job(
            ota.check_update, data, slot, drivers
        )

    async def _wait_for_others(self) -> None:
        """Leave alone what somebody else sends, and restart a socket in which an upload hangs.

        Another one would go on in its place and run over the end of the slot.
        """
        try:
            state = await ota.ota_state(self._console())
            if not state.is_busy:
                return
            await self._access.sleep(_MOVES_WITHIN)
            later = await ota.ota_state(self._console())
        except OpenBekenError as err:
            raise refusal(err, self._name) from err
        if not later.is_busy:
            return
        if later.flashed != state.flashed:
            raise UpdateFailed("busy", name=self._name)
        _LOGGER.info("An upload hangs in %s, which is restarted", self._name)
        since = self._access.now()
        await self._reboot()
        await self._wait_until_back(since)

    # Sending

    async def _send(self, data: bytes) -> None:
        """Send the file, again where the connection broke and the socket says that it is over."""
        touched = False
        for attempt in range(_ATTEMPTS):
            if attempt:
                await self._access.sleep(_PAUSE)
                await self._wait_until_free(touched)
            try:
                await self._send_once(data)
            except UploadError as err:
                _LOGGER.warning("Sending firmware to %s: %s", self._name, err)
                touched |= err.sent > 0
            except ConsoleError as err:
                _LOGGER.warning("Sending firmware to %s: %s", self._name, err)
                if isinstance(err, PasswordError):
                    raise refusal(err, self._name) from err
            else:
                return
        if not touched:
            raise UpdateFailed("unreachable", name=self._name)
        if await self._answers():
            raise UpdateFailed("interrupted", Trouble.INTERRUPTED, name=self._name)
        raise UpdateFailed("frozen", Trouble.FROZEN, name=self._name)

    async def _send_once(self, data: bytes) -> None:
        self._show(Stage.SENDING, 0.0)
        await ota.send_firmware(
            self._console(),
            data,
            lambda done, total: self._show(Stage.SENDING, done / total),
        )

    async def _wait_until_free(self, touched: bool) -> None:
        """Wait until a socket answers that no upload is under way any more."""
        if not await self._answers():
            if not touched:
                raise UpdateFailed("unreachable", name=self._name)
            raise UpdateFailed("frozen", Trouble.FROZEN, name=self._name)
        try:
            await self._identify()
            await self._wait_for_others()
        except UpdateFailed as err:
            if not touched:
                raise
            trouble = Trouble.INTERRUPTED if err.trouble is None else Trouble.FROZEN
            raise UpdateFailed(trouble, trouble, name=self._name) from err

    async def _answers(self) -> bool:
        deadline = self._access.now() + _ANSWERS_WITHIN
        while True:
            try:
                await self._console().info()
            except OpenBekenError:
                if self._access.now() > deadline:
                    return False
                await self._access.sleep(_LOOK_EVERY)
            else:
                return True

    # After it

    async def _reboot(self) -> None:
        try:
            await self._console().reboot()
        except OpenBekenError as err:
            # It may have heard it all the same; what it says afterwards counts.
            _LOGGER.debug("Restarting %s: %s", self._name, err)

    async def _wait_until_back(
        self, since: float, version: str | None = None, before: str | None = None
    ) -> str:
        """Return what version a socket says that it runs, once it has started since a moment.

        It is told to restart again where it has not. That it runs ``version`` and no longer
        ``before`` may also be heard over MQTT.
        """
        began = told = self._access.now()
        safe_mode = locked = False
        while (now := self._access.now()) - began < _BACK_WITHIN:
            await self._access.sleep(_LOOK_EVERY)
            try:
                info = await self._console().info()
            except OpenBekenError as err:
                if version != before and self._said_over_mqtt() == version:
                    return version or ""
                # A password goes to no other address than the one that it was typed for.
                locked = isinstance(err, PasswordError)
                safe_mode = not locked and await self._is_in_safe_mode()
                continue
            if not self._is_ours(info):
                continue
            if info.uptime <= self._access.now() - since:
                return ota.version_of_info(info.build) or info.build
            if now - told > _AGAIN_AFTER:
                told = now
                await self._reboot()
        if safe_mode:
            raise UpdateFailed("safe_mode", Trouble.SAFE_MODE, name=self._name)
        problem = "silent_locked" if locked else "silent"
        raise UpdateFailed(problem, Trouble.SILENT, name=self._name)

    def _said_over_mqtt(self) -> str | None:
        """Return the version in the build text of a socket that is there."""
        entry = self._entry
        if not is_online(entry):
            return None
        return version_of(entry.data[CONF_FIRMWARE] or "")

    # What goes back

    async def _put_outputs_back(self, kept: Keepsake) -> None:
        await keepsake.put_outputs_back(self._console(), kept)

    async def _put_settings_back(self, kept: Keepsake) -> None:
        """Put settings back, then files; after these the socket works only when it is restarted."""
        console = self._console()
        restart = await keepsake.put_settings_back(console, kept)
        if kept.files:
            slot = UPDATE_SLOTS[(await console.info()).chip]
            if await ota.read_files(console, slot) != kept.files:
                await self._access.sleep(SAVED_AFTER)
                await ota.send_files(console, slot, kept.files)
                restart = True
        if restart:
            await self._access.sleep(SAVED_AFTER)
            since = self._access.now()
            await self._reboot()
            await self._wait_until_back(since)
            await keepsake.put_outputs_back(self._console(), kept)

    async def _put_energy_back(self, kept: Keepsake) -> None:
        """Let the socket count on from where it was, and what is shown from where that was."""
        console = self._console()
        total = await keepsake.energy_to_put_back(console, kept)
        if total is None:
            return
        shown = self._hass.data[ENERGY_STORE].count_on(identity_of_entry(self._entry))
        await keepsake.set_energy(console, total if shown is None else 1000 * shown)
