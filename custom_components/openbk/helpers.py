"""What several rooms need of Home Assistant and core has no function for."""

from collections.abc import Callable
from datetime import timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import Any, Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.storage import Store
from homeassistant.helpers.translation import async_get_cached_translations
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .pyopenbk.backups import Backup, BackupFolder

_BACKUPS: Final = "openbk/backups"
# How a number looks in the language of the texts, which are English where one is missing.
_NUMBER: Final = "number"
_EXAMPLE: Final = "example"
_ENGLISH_NUMBER: Final = "1,234.5"
_NO_BREAK_SPACE: Final = "\u00a0"


class Listeners[**P]:
    """Who wants to be told of one thing.

    Any of them may leave, or bring others, while they are told: who has left is told no more, who
    has just come not yet, and nobody is skipped.
    """

    __slots__ = ("_all",)

    def __init__(self) -> None:
        """Begin with nobody."""
        self._all: list[Callable[P, None]] = []

    def __bool__(self) -> bool:
        """Return whether anybody listens."""
        return bool(self._all)

    @callback
    def add(self, listener: Callable[P, None]) -> CALLBACK_TYPE:
        """Tell a listener from now on; return what ends that."""
        self._all.append(listener)
        return partial(self.remove, listener)

    @callback
    def remove(self, listener: Callable[P, None]) -> None:
        """Tell a listener no more; raises ValueError where it did not listen."""
        self._all.remove(listener)

    @callback
    def tell(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Tell all of them."""
        for listener in tuple(self._all):
            if listener in self._all:
                listener(*args, **kwargs)


def utc_offset(time_zone: tzinfo | None = None) -> timedelta:
    """Return how far a time zone, or else Home Assistant's, is from UTC now, with summer time."""
    return dt_util.now(time_zone).utcoffset() or timedelta()


@callback
def written(hass: HomeAssistant, reading: str) -> str:
    """Return a number with its unit as the system's language writes it, to stay on one line.

    ``reading`` has a decimal point, and a space before the unit.
    """
    decimal_sign = _example(hass)[-2]
    return reading.replace(".", decimal_sign).replace(" ", _NO_BREAK_SPACE)


@callback
def counted(hass: HomeAssistant, number: int) -> str:
    """Return a whole number in groups of three, as the system's language writes them."""
    group_sign = _example(hass)[1].replace(" ", _NO_BREAK_SPACE)
    return f"{number:,}".replace(",", group_sign)


def _example(hass: HomeAssistant) -> str:
    """Return what 1234.5 looks like."""
    texts = async_get_cached_translations(
        hass, hass.config.language, "selector", DOMAIN
    )
    key = f"component.{DOMAIN}.selector.{_NUMBER}.options.{_EXAMPLE}"
    return texts.get(key, _ENGLISH_NUMBER)


async def async_stored(store: Store[Any]) -> dict[str, Any]:
    """Return what a store holds by name; anything else in its place counts as nothing."""
    stored = await store.async_load()
    return stored if isinstance(stored, dict) else {}


def backup_folder(hass: HomeAssistant) -> BackupFolder:
    """Return the folder of flash backups under Home Assistant's configuration."""
    return BackupFolder(Path(hass.config.path(_BACKUPS)))


async def async_list_backups(
    hass: HomeAssistant, mac: str | None = None
) -> tuple[Backup, ...]:
    """Return the backups that are here, of one chip or of all, newest first.

    Raises BackupError where the folder cannot be read, which is not the same as that it is empty.
    """
    folder = backup_folder(hass)
    if mac is None:
        return await hass.async_add_executor_job(folder.list)
    return await hass.async_add_executor_job(folder.find, mac)
