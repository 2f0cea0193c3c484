"""The Wi-Fi that a factory's firmware was joined to, out of its store."""

import base64
from dataclasses import dataclass, field
import json
from typing import Final

from ..beken.chips import BK7231N, FlashableChip
from .dump import TuyaStorageError
from .storage import parse_storage

_KEY: Final = "gw_wsm"
# The value of "stat" of a device that was added to an app; one that was reset has none of this.
_JOINED: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FactoryWifi:
    """A network that the device knows; what it is called and its password show in no repr."""

    ssid: str = field(repr=False)
    password: str = field(repr=False)
    """Empty for an open network."""


def read_wifi(dump: bytes, chip: FlashableChip = BK7231N) -> FactoryWifi | None:
    """Return the network that a dump's device is joined to, or None where there is none.

    Its value is ``{"ssid":…,"passwd":…,"wfb64":1,"stat":2}``: the password is Base64 where
    ``wfb64`` says so. Seen in 24 dumps of sockets; spare sectors, which keep networks of earlier
    owners, are not looked into. Takes tens of milliseconds, so it belongs into an executor.
    """
    try:
        value = parse_storage(dump, chip).values.get(_KEY)
    except TuyaStorageError:
        return None
    if value is None or not value.trusted:
        return None
    try:
        known = json.loads(value.data.strip(b"\0"))
        if known.get("stat") != _JOINED or not known.get("ssid"):
            return None
        password = known.get("passwd") or ""
        if known.get("wfb64"):
            password = base64.b64decode(password, validate=True).decode()
        return FactoryWifi(ssid=str(known["ssid"]), password=str(password))
    except ValueError, AttributeError, TypeError, RecursionError:
        return None
