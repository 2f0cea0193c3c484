"""How far the update of a socket has got, and what it left behind that somebody has to know of."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self

from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from ..pyopenbk.backups.errors import BackupError
from ..pyopenbk.errors import OpenBekenError
from ..pyopenbk.foreign_numbers import finite
from ..pyopenbk.obk import image, ota, releases
from ..pyopenbk.obk.console import PasswordError


class Stage(StrEnum):
    """What is being done."""

    QUEUED = "queued"
    CHECKING = "checking"
    SAVING = "saving"
    SENDING = "sending"
    RESTARTING = "restarting"
    PUTTING_BACK = "putting_back"


class Trouble(StrEnum):
    """What an update has left behind."""

    INTERRUPTED = "interrupted"
    """A part of the firmware is in the socket, which must not be restarted now."""
    FROZEN = "frozen"
    """The same, and its web server does not answer."""
    NOT_TAKEN = "not_taken"
    """It restarted, and runs another version than the one that was sent."""
    SILENT = "silent"
    """Nothing is heard of it since it was told to restart."""
    SAFE_MODE = "safe_mode"
    """It did not start well several times and waits in its safe mode."""
    NOT_PUT_BACK = "not_put_back"
    """It runs the new version, but lacks files or settings that it had before."""
    KEPT_UNREADABLE = "kept_unreadable"
    """It runs the new version, and nobody can read any more what it is to have again."""


class UpdateFailed(HomeAssistantError):
    """An update was not begun, or did not end well; the text says what to do."""

    def __init__(self, key: str, trouble: Trouble | None = None, **names: str) -> None:
        """Name the text; without ``trouble`` nothing was changed in the socket."""
        super().__init__(
            translation_domain=DOMAIN,
            translation_key=f"update_{key}",
            translation_placeholders=names,
        )
        self.key = key
        self.trouble = trouble


# Why nothing was sent. What is not listed goes by its base class.
_REFUSALS: Final[Mapping[type[OpenBekenError], str]] = {
    OpenBekenError: "unreachable",
    PasswordError: "password",
    BackupError: "disk",
    releases.ReleaseError: "server",
    releases.NoInternetError: "no_internet",
    releases.RateLimitedError: "rate_limited",
    releases.NotFoundError: "not_found",
    releases.SentElsewhereError: "elsewhere",
    releases.TruncatedDownloadError: "download",
    releases.DigestMismatchError: "digest",
    image.ImageError: "no_firmware",
    image.WrongChipError: "wrong_chip",
    image.TooLargeError: "too_large",
    image.TruncatedError: "damaged",
    image.DamagedError: "damaged",
    ota.NotForAirError: "other_form",
    ota.UnprovenError: "no_firmware",
    ota.NotInstallableError: "not_installable",
    ota.MissingDriverError: "drivers",
}
# What is the matter with one socket alone: of several, the next ones may do better.
FAULTS_OF_ONE_SOCKET: Final = frozenset(
    {
        "busy",
        "chip",
        "in_safe_mode",
        "no_address",
        "other_socket",
        "password",
        "running",
        "unreachable",
    }
)


def refusal(err: OpenBekenError, name: str) -> UpdateFailed:
    """Return what a person is told of an error before anything was sent to the socket."""
    key = next(_REFUSALS[kind] for kind in type(err).__mro__ if kind in _REFUSALS)
    names = {"name": name}
    match err:
        case image.WrongChipError():
            names["chip"] = err.chip
        case ota.MissingDriverError():
            names["drivers"] = ", ".join(err.drivers)
        case releases.RateLimitedError():
            names["until"] = f"{dt_util.as_local(err.until):%H:%M}"
        case releases.SentElsewhereError():
            names["elsewhere"] = err.host
    return UpdateFailed(key, None, **names)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRecord:
    """An update that was begun and has not ended well yet; it outlives Home Assistant."""

    version: str
    before: str
    """The version that ran before."""
    stage: Stage
    since: float
    """When it got there, in seconds of the socket's."""
    keepsake: str
    """The name of the file with what was kept."""
    own_file: str | None = None
    """The name of the file that a person brought."""
    trouble: Trouble | None = None
    """None while it is at work, or was when Home Assistant stopped."""

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Read what was stored; raises KeyError, TypeError or ValueError for anything else."""
        own_file, trouble = stored["own_file"], stored["trouble"]
        return cls(
            version=str(stored["version"]),
            before=str(stored["before"]),
            stage=Stage(stored["stage"]),
            since=finite(stored["since"]),
            # Names only, wherever else somebody wants to lead.
            keepsake=Path(stored["keepsake"]).name,
            own_file=Path(own_file).name if own_file else None,
            trouble=Trouble(trouble) if trouble else None,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values, for storage."""
        return {
            "version": self.version,
            "before": self.before,
            "stage": str(self.stage),
            "since": self.since,
            "keepsake": self.keepsake,
            "own_file": self.own_file,
            "trouble": str(self.trouble) if self.trouble else None,
        }
