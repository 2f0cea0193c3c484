"""What OpenBeken has published, and downloading it with its digest checked."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
import hashlib
from http import HTTPStatus
import json
import re
from typing import Any, Final, Self
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import aiohttp

from ..beken.chips import BK7231N, FlashableChip
from ..beken.update_slots import UPDATE_SLOTS
from ..errors import OpenBekenError
from .image import ImageKind

DEFAULT_INDEX: Final = (
    "https://api.github.com/repos/openshwprojects/OpenBK7231T_App/releases"
)
# The version of the guide that many people follow.
GUIDE_VERSION: Final = "1.17.360"

type Progress = Callable[[int, int], None]
type Version = tuple[int, ...]

_PATH_OF_RELEASES: Final = "/releases"
_LISTED: Final = 30
_OF_CHIP: Final = re.compile(r"Open([A-Z]{1,6}[0-9][A-Z0-9]{0,9})_")
_PAGE: Final = re.compile(r"https://github\.com/[\w./-]{1,200}", re.ASCII)
_SUFFIXES: Final = (".bin", ".rbl")
_FORMS: Final = {"QIO": ImageKind.QIO, "UA": ImageKind.UA, "UG": ImageKind.UG}
_DIGEST: Final = re.compile(r"sha256:([0-9a-fA-F]{64})")
_VERSION: Final = re.compile(r"\d{1,6}(?:\.\d{1,6}){1,5}")
_TAG: Final = re.compile(r"v?([0-9A-Za-z][0-9A-Za-z._+-]{0,63})")
# A server that sends a byte now and then is not waited for, however long it goes on.
_PATIENCE: Final = 300.0
_HEADERS: Final = {"Accept": "application/vnd.github+json"}
_CHUNK: Final = 64 * 1024
# Thirty releases with two hundred files each are some ten megabytes of JSON.
_LARGEST_INDEX: Final = 32 * 1024 * 1024
# Four times the flash of the chip that these files are for.
_LARGEST_FILE: Final = 8 * 1024 * 1024
_LONGEST_NOTES: Final = 20_000
_REDIRECTS: Final = frozenset(
    {
        HTTPStatus.MOVED_PERMANENTLY,
        HTTPStatus.FOUND,
        HTTPStatus.SEE_OTHER,
        HTTPStatus.TEMPORARY_REDIRECT,
        HTTPStatus.PERMANENT_REDIRECT,
    }
)
_MOST_REDIRECTS: Final = 5
# Where GitHub keeps what its API and its pages send on to.
_GITHUB: Final = re.compile(r"(?:api\.)?github\.com|[a-z-]+\.githubusercontent\.com")
_UNKNOWN_PAUSE: Final = timedelta(hours=1)
_LONGEST_PAUSE: Final = timedelta(days=1)


class ReleaseError(OpenBekenError):
    """The release index or a download failed; the subclass says why."""


class NoInternetError(ReleaseError):
    """The server cannot be reached, or it stopped answering."""


class BadAddressError(ReleaseError):
    """The address of the index is none."""


class RateLimitedError(ReleaseError):
    """The server wants no more questions for now."""

    def __init__(self, until: datetime) -> None:
        """Keep the time from which on it answers again."""
        super().__init__(f"the server answers again at {until:%H:%M} UTC")
        self.until = until


class NotFoundError(ReleaseError):
    """The server has no such release or file."""


class SentElsewhereError(ReleaseError):
    """The server sends on to another server, or to one that anybody could pretend to be."""

    def __init__(self, host: str) -> None:
        """Keep the host's name."""
        super().__init__(f"sent on to {host}")
        self.host = host


class UnexpectedAnswerError(ReleaseError):
    """The server answered something that is no release index or file."""


class TruncatedDownloadError(ReleaseError):
    """The file arrived with another size than was announced."""

    def __init__(self, *, expected: int, actual: int) -> None:
        """Keep both sizes in bytes."""
        super().__init__(f"{actual} of {expected} bytes arrived")
        self.expected = expected
        self.actual = actual


class DigestMismatchError(ReleaseError):
    """The file is not the one that was published, or not the one of the first download."""

    def __init__(self, *, expected: str, actual: str) -> None:
        """Keep both SHA-256 digests, in hexadecimal."""
        super().__init__(f"SHA-256 {actual} instead of {expected}")
        self.expected = expected
        self.actual = actual


class Lack(StrEnum):
    """What an older version does not have or do."""

    ACCURATE_METER = "accurate_meter"
    """It corrects the meter for the time between readings the wrong way: 1 to 5 % off."""
    POWER_FACTOR = "power_factor"
    """No apparent and reactive power, no power factor."""
    OLDER_DAYS = "older_days"
    """No energy of two and three days ago."""
    STATE_ON_REQUEST = "state_on_request"
    """It does not tell its state when Home Assistant starts."""
    TIME_FROM_HOME_ASSISTANT = "time_from_home_assistant"
    """It learns the time from a time server only."""
    ENERGY_SURVIVES_UPDATE = "energy_survives_update"
    """A later update moves the place of its energy counter, which then starts anew."""
    CHIP_TEMPERATURE = "chip_temperature"
    MDNS = "mdns"


# The first version that has it (drv_bl_shared.c and new_mqtt.c, by tags).
_PRESENT_SINCE: Final[Mapping[Lack, Version]] = {
    Lack.POWER_FACTOR: (1, 17, 491),
    Lack.OLDER_DAYS: (1, 17, 491),
    Lack.CHIP_TEMPERATURE: (1, 17, 589),
    Lack.ACCURATE_METER: (1, 18, 25),
    Lack.STATE_ON_REQUEST: (1, 18, 171),
    Lack.TIME_FROM_HOME_ASSISTANT: (1, 18, 224),
    Lack.ENERGY_SURVIVES_UPDATE: (1, 18, 255),
    Lack.MDNS: (1, 18, 271),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file of a release, for this chip."""

    name: str
    url: str
    size: int
    """Bytes."""
    digest: str | None
    """SHA-256 in hexadecimal, where the server publishes it."""
    kind: ImageKind
    """What its name says it is; what it really is, its content tells."""
    variant: str | None
    """Which special build it is, such as tuyaMCU or ALT; None for the usual one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release that has firmware for this chip."""

    version: str
    published: datetime
    notes: str
    prerelease: bool
    uart: Asset
    """The usual image for the serial port, bootloader included."""
    ota: Asset | None
    """The usual file for updates over the air."""
    others: tuple[Asset, ...]
    """All other files for this chip: special builds and other forms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One release as a socket sees it that runs OpenBeken already."""

    version: str
    published: datetime
    notes: str
    prerelease: bool
    page: str | None
    """Where a person can read of it, on GitHub."""
    chips: frozenset[str]
    """The chips that it has any files for."""
    assets: Mapping[str, Asset]
    """The usual files for updates over the air, by the chip that takes them in that form."""

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values, for storage."""
        return asdict(self) | {
            "published": self.published.isoformat(),
            "chips": sorted(self.chips),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Read what ``as_dict`` returned; raises KeyError, TypeError or ValueError else."""
        return cls(
            version=stored["version"],
            published=datetime.fromisoformat(stored["published"]),
            notes=stored["notes"],
            prerelease=stored["prerelease"],
            page=stored["page"],
            chips=frozenset(stored["chips"]),
            assets={
                chip: Asset(**{**asset, "kind": ImageKind(asset["kind"])})
                for chip, asset in stored["assets"].items()
            },
        )


def parse_version(text: str) -> Version | None:
    """Return the numbers of a release's version; None for the name of a branch's build."""
    if not _VERSION.fullmatch(text):
        return None
    return tuple(int(number) for number in text.split("."))


def lacks(version: str) -> tuple[Lack, ...]:
    """Return what this version is known to lack; nothing where it has no number."""
    numbers = parse_version(version)
    if numbers is None:
        return ()
    return tuple(lack for lack, since in _PRESENT_SINCE.items() if numbers < since)


class ReleaseIndex:
    """A release index as GitHub's API has them.

    It is asked, and files are fetched, from its own host and from GitHub alone, whatever it sends
    on to; by HTTPS but where its own address was given without.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        address: str = DEFAULT_INDEX,
        *,
        chip: FlashableChip = BK7231N,
        patience: float = _PATIENCE,
    ) -> None:
        """Use the index at ``address``, which is asked anew only if it changed.

        ``chip`` is what releases are to be written to by wire.

        An answer that is not whole after ``patience`` seconds is given up.
        """
        address = address.rstrip("/")
        self._address = (
            address
            if address.endswith(_PATH_OF_RELEASES)
            else address + _PATH_OF_RELEASES
        )
        self._session = session
        self._chip = chip
        self._timeout = aiohttp.ClientTimeout(
            total=patience, sock_connect=15, sock_read=30
        )
        self._etag: str | None = None
        self._known: tuple[Release, ...] = ()

    async def list(self) -> tuple[Release, ...]:
        """Return the newest releases with firmware for this chip, the newest version first.

        Raises a ReleaseError.
        """
        headers = {"If-None-Match": self._etag} if self._etag else {}
        async with self._answer(
            self._address, headers=headers, params={"per_page": str(_LISTED)}
        ) as response:
            if response.status != HTTPStatus.NOT_MODIFIED:
                entries = await _read_json(response, list)
                found = [
                    release
                    for entry in entries
                    if (release := _release(entry, self._chip))
                ]
                self._known = tuple(sorted(found, key=_age, reverse=True))
                self._etag = response.headers.get("ETag")
        return self._known

    async def latest(self) -> Release:
        """Return the newest release that is meant for everybody; raises a ReleaseError."""
        for release in await self.list():
            if not release.prerelease:
                return release
        raise NotFoundError(f"no release has firmware for {self._chip.name}")

    async def get(self, version: str) -> Release:
        """Return one release, however old; raises a ReleaseError."""
        async with self._answer(
            f"{self._address}/tags/{quote(version, safe='')}"
        ) as response:
            release = _release(await _read_json(response, dict), self._chip)
        if release is None:
            raise NotFoundError(
                f"release {version} has no firmware for {self._chip.name}"
            )
        return release

    async def updates(self, count: int = _LISTED) -> tuple[Update, ...]:
        """Return what the newest ``count`` releases have for sockets, the newest version first.

        Raises a ReleaseError.
        """
        async with self._answer(
            self._address, params={"per_page": str(count)}
        ) as response:
            entries = await _read_json(response, list)
        found = [update for entry in entries if (update := _update(entry))]
        return tuple(sorted(found, key=_age, reverse=True))

    async def update(self, version: str) -> Update:
        """Return what one release has for sockets, however old; raises a ReleaseError."""
        async with self._answer(
            f"{self._address}/tags/{quote(version, safe='')}"
        ) as response:
            update = _update(await _read_json(response, dict))
        if update is None:
            raise NotFoundError(f"release {version} has no firmware")
        return update

    async def download(
        self,
        asset: Asset,
        *,
        progress: Progress | None = None,
        known_digest: str | None = None,
    ) -> bytes:
        """Return the content of a file, ``progress`` being told bytes of bytes.

        Size and digest are checked. Where the server publishes no digest, ``known_digest`` (what
        ``digest_of`` gave for the first download, in the caller's keeping) takes its place; what
        the content is, ``image.recognise`` says. Raises a ReleaseError.
        """
        expected = asset.digest or known_digest
        data = bytearray()
        async with self._answer(asset.url) as response:
            with suppress(aiohttp.ClientPayloadError):
                async for chunk in response.content.iter_chunked(_CHUNK):
                    data += chunk
                    if len(data) > asset.size:
                        break
                    if progress:
                        progress(len(data), asset.size)
        if len(data) != asset.size:
            raise TruncatedDownloadError(expected=asset.size, actual=len(data))
        content = bytes(data)
        if expected and (actual := digest_of(content)) != expected:
            raise DigestMismatchError(expected=expected, actual=actual)
        return content

    @asynccontextmanager
    async def _answer(
        self,
        address: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask a server; whatever fails, also while the body is read, becomes one of our errors."""
        host = _parse_address(address).hostname
        try:
            async with asyncio.timeout(self._timeout.total):
                for _ in range(_MOST_REDIRECTS):
                    self._check_host(address)
                    async with self._session.get(
                        address,
                        headers=_HEADERS | dict(headers or {}),
                        params=params,
                        timeout=self._timeout,
                        allow_redirects=False,
                    ) as response:
                        if response.status not in _REDIRECTS:
                            _check_status(response)
                            yield response
                            return
                        location = response.headers.get("Location", "")
                        address, params = _join(address, location), None
                raise UnexpectedAnswerError(f"{host} sends in circles")
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as err:
            raise BadAddressError(f"{host} is no address") from err
        except (aiohttp.ClientError, TimeoutError) as err:
            raise NoInternetError(f"no answer from {host}") from err

    def _check_host(self, address: str) -> None:
        """Raise SentElsewhereError unless this is the index's own host or GitHub's."""
        own, url = _parse_address(self._address), _parse_address(address)
        is_own = url.hostname == own.hostname
        if is_own and url.scheme in (own.scheme, "https"):
            return
        if url.scheme == "https" and _GITHUB.fullmatch(url.hostname or ""):
            return
        if url.scheme not in ("http", "https") or not url.hostname:
            raise BadAddressError("this is no address on the web")
        raise SentElsewhereError(url.hostname)


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _parse_address(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError as err:
        raise BadAddressError("this is no address") from err


def _join(address: str, location: str) -> str:
    try:
        return urljoin(address, location)
    except ValueError as err:
        raise BadAddressError("this is no address") from err


def _check_status(response: aiohttp.ClientResponse) -> None:
    status = response.status
    if status in (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED):
        return
    if status == HTTPStatus.NOT_FOUND:
        raise NotFoundError(f"{response.url.path} does not exist")
    if status == HTTPStatus.TOO_MANY_REQUESTS or (
        status == HTTPStatus.FORBIDDEN
        and (
            "Retry-After" in response.headers
            or response.headers.get("X-RateLimit-Remaining") == "0"
        )
    ):
        raise RateLimitedError(_end_of_pause(response.headers))
    raise UnexpectedAnswerError(f"{response.url.host} answered with status {status}")


def _end_of_pause(headers: Mapping[str, str]) -> datetime:
    """Read when the server answers again: seconds from now, or seconds since 1970."""
    now = datetime.now(UTC)
    try:
        if seconds := headers.get("Retry-After"):
            until = now + timedelta(seconds=int(seconds))
        else:
            until = datetime.fromtimestamp(int(headers["X-RateLimit-Reset"]), UTC)
    except KeyError, ValueError, OverflowError, OSError:
        return now + _UNKNOWN_PAUSE
    return min(until, now + _LONGEST_PAUSE)


async def _read_json[Kind](response: aiohttp.ClientResponse, kind: type[Kind]) -> Kind:
    """Read a body of bounded size; raises UnexpectedAnswerError where it is something else."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > _LARGEST_INDEX:
            raise UnexpectedAnswerError(f"{response.url.host} answered without an end")
    try:
        answer = await asyncio.to_thread(json.loads, bytes(body))
    except (ValueError, RecursionError) as err:
        raise UnexpectedAnswerError(f"{response.url.host} answered no JSON") from err
    if not isinstance(answer, kind):
        raise UnexpectedAnswerError(f"{response.url.host} answered something else")
    return answer


def _release(entry: Any, chip: FlashableChip) -> Release | None:
    """Read one entry of the index; None where it has no usual image for this chip."""
    try:
        tag = _TAG.fullmatch(entry["tag_name"])
        if tag is None or entry.get("draft"):
            return None
        version = tag[1]
        published = datetime.fromisoformat(entry["published_at"])
        assets = [
            asset
            for each in entry["assets"]
            if (asset := _asset(each, version, chip.name))
        ]
        notes = entry.get("body")
    except AttributeError, KeyError, TypeError, ValueError:
        return None
    if (uart := _usual(assets, wire_kind(chip))) is None:
        return None
    ota = _usual(assets, ImageKind.RBL)
    return Release(
        version=version,
        published=published if published.tzinfo else published.replace(tzinfo=UTC),
        notes=_valid_text(notes[:_LONGEST_NOTES]) if isinstance(notes, str) else "",
        prerelease=bool(entry.get("prerelease")),
        uart=uart,
        ota=ota,
        others=tuple(asset for asset in assets if asset not in (uart, ota)),
    )


def _update(entry: Any) -> Update | None:
    """Read one entry of the index as a socket sees it; None where it has no files for any."""
    try:
        tag = _TAG.fullmatch(entry["tag_name"])
        if tag is None or entry.get("draft"):
            return None
        version = tag[1]
        published = datetime.fromisoformat(entry["published_at"])
        names = [asset["name"] for asset in entry["assets"]]
        chips = frozenset(
            found[1] for name in names if (found := _OF_CHIP.match(name)) is not None
        )
        assets = {
            chip: asset
            for chip, slot in UPDATE_SLOTS.items()
            for each in entry["assets"]
            if each["name"] == f"Open{chip}_{version}{slot.suffix}"
            and (asset := _asset(each, version, chip))
        }
        notes, page = entry.get("body"), entry.get("html_url")
    except AttributeError, KeyError, TypeError, ValueError:
        return None
    return Update(
        version=version,
        published=published if published.tzinfo else published.replace(tzinfo=UTC),
        notes=_valid_text(notes[:_LONGEST_NOTES]) if isinstance(notes, str) else "",
        prerelease=bool(entry.get("prerelease")),
        page=page if isinstance(page, str) and _PAGE.fullmatch(page) else None,
        chips=chips,
        assets=assets,
    )


def _valid_text(text: str) -> str:
    """Return a text that can be encoded; JSON may have halves of characters."""
    return text.encode(errors="replace").decode()


def _usual(assets: Iterable[Asset], kind: ImageKind) -> Asset | None:
    return next(
        (asset for asset in assets if asset.kind is kind and asset.variant is None),
        None,
    )


def wire_kind(chip: FlashableChip) -> ImageKind:
    """Return which of the published files is meant to be written by wire.

    Where the bootloader must stay, that is the one without it.
    """
    return ImageKind.UA if chip.flash.holds_loader else ImageKind.QIO


def _asset(entry: Any, version: str, chip: str) -> Asset | None:
    """Read one file of a release by the exact form of its name; None where it is for another chip.

    ``OpenBK7231N_QIO_1.18.299.bin``, ``OpenBK7231N_1.18.299.rbl``; further words between the
    underscores, as in ``OpenBK7231N_1.18.299_tuyaMCU.rbl``, make it a special build.
    """
    name, size, url = entry["name"], entry["size"], entry["browser_download_url"]
    if type(size) is not int or not 0 < size <= _LARGEST_FILE:
        return None
    if not isinstance(url, str) or not url.isascii():
        return None
    suffix = next((end for end in _SUFFIXES if name.endswith(end)), None)
    prefix = f"Open{chip}_"
    if not name.startswith(prefix) or suffix is None:
        return None
    before, found, behind = f"_{name[len(prefix) : -len(suffix)]}_".partition(
        f"_{version}_"
    )
    if not found:
        return None
    words = [word for word in f"{before}_{behind}".split("_") if word]
    form = next((word for word in words if word in _FORMS), None)
    if (form is None) != (suffix == ".rbl"):
        return None
    if form:
        words.remove(form)
    digest = _DIGEST.fullmatch(entry.get("digest") or "")
    return Asset(
        name=name,
        url=url,
        size=size,
        digest=digest[1].lower() if digest else None,
        kind=_FORMS[form] if form else ImageKind.RBL,
        variant="_".join(words) or None,
    )


def _age(release: Release | Update) -> tuple[Version, datetime]:
    return parse_version(release.version) or (), release.published
