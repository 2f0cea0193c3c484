"""The settings that a socket does not report: read back over HTTP where its server is open."""

from collections.abc import Callable, Mapping
from contextlib import suppress

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback

from ..const import CONF_ADDRESS, LOGGER
from ..helpers import Listeners
from ..network.consoles import async_console_of
from ..pyopenbk.obk.console import ConsoleError, NotAnAnswerError
from ..pyopenbk.obk.flags import Flag, PowerCutState, power_cut_state
from ..pyopenbk.obk.saving import SAVED_AFTER
from .presence import Later


class Readback:
    """Child lock and states after a power cut, None while nobody can know them."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        later: Later,
        chip_read: Callable[[str], None],
        flags_read: Callable[[int], None],
        labels_read: Callable[[Mapping[int, str]], None] | None = None,
    ) -> None:
        """Prepare for a socket; nothing is asked yet.

        ``chip_read`` is told its chip, ``flags_read`` its flags, ``labels_read`` what it calls its
        relays.
        """
        self.child_lock: bool | None = None
        self.power_cut: dict[int, PowerCutState] | None = None
        self.listeners: Listeners[[]] = Listeners()
        self._hass = hass
        self._entry = entry
        self._later = later
        self._chip_read = chip_read
        self._flags_read = flags_read
        self._labels_read = labels_read
        self._timer: CALLBACK_TYPE | None = None

    @callback
    def begin(self) -> None:
        """Read the settings of a socket that has just appeared."""
        if self._entry.data[CONF_ADDRESS]:
            self._entry.async_create_background_task(
                self._hass, self._read(), f"openbk settings of {self._entry.title}"
            )

    @callback
    def changed(self) -> None:
        """Read again once the socket has saved what it was told."""
        self.stop()
        # What is read is what it saved.
        self._timer = self._later(SAVED_AFTER, self.begin)

    @callback
    def stop(self) -> None:
        """Leave no timer behind."""
        if self._timer is not None:
            self._timer()
            self._timer = None

    async def _read(self) -> None:
        try:
            console = await async_console_of(self._hass, self._entry.data)
            if console.chip is not None:
                self._chip_read(console.chip)
            flags = await console.flags()
            starts = await console.start_values()
            if self._labels_read is not None:
                with suppress(NotAnAnswerError):
                    self._labels_read(await console.labels())
        except ConsoleError as err:
            LOGGER.debug("%s does not tell its settings: %s", self._entry.title, err)
            self.child_lock = self.power_cut = None
        else:
            self._flags_read(flags)
            self.child_lock = bool(flags & Flag.IGNORE_BUTTONS.mask)
            self.power_cut = {
                channel: state
                for channel, value in starts.items()
                if (state := power_cut_state(value)) is not None
            }
        self.listeners.tell()
