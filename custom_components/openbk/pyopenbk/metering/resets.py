"""Whether somebody reset the energy counters at the socket, by the time stamp that it keeps of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import re
from typing import Final

# EnergyCntReset notes the local time of that moment, in minutes; the zone behind it is the one of
# now. A socket without a stamp takes the first time that it learns after a boot
# (drv_bl_shared.c, 1.18.299). Until 1.17.477 it is said with seconds, and with a zone at midnight only.
_STAMP: Final = re.compile(
    r"(?P<local>[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2})"
    r"(?:(?P<sign>[+-])(?P<hours>[0-9]{2}):(?P<minutes>[0-9]{2})|:[0-9]{2})",
    re.ASCII,
)
# As an older release says it, too.
_NEVER: Final = ("0000-", "1970-")
# A time server answers within seconds of the connection, which takes half a minute.
_LEARNS_TIME_WITHIN: Final = timedelta(minutes=5)
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
# Two stamps of one moment differ by no more, in whatever zones they were made.
_ZONES: Final = timedelta(hours=26)
_ALL_ZONES: Final = tuple(timedelta(minutes=each) for each in range(-720, 841, 30))


@dataclass(slots=True, kw_only=True)
class ClearDate:
    """The time stamp of the last reset, None as long as the socket told none."""

    stamp: str | None = None
    """Local time of the socket, to the minute."""

    def update(self, text: str, booted: datetime) -> bool:
        """Take what the socket says; return whether somebody reset it since it said so last.

        ``booted`` is when it booted, with a time zone. A stamp from right after that is the first
        time that a socket learnt which had lost its stamp, and with it its counters.
        """
        if (match := _STAMP.fullmatch(text)) is None:
            return False
        before, self.stamp = self.stamp, match["local"].replace(" ", "T")
        if before is None or self.stamp == before:
            return False
        if before.startswith(_NEVER) or self.stamp.startswith(_NEVER):
            return False
        try:
            local = datetime.fromisoformat(self.stamp).replace(tzinfo=UTC)
            known = datetime.fromisoformat(before).replace(tzinfo=UTC)
        except ValueError:
            return False
        if local < known - _ZONES:
            # The whole flash was brought back from a backup.
            return False
        return not any(
            -_MINUTE <= local - zone - booted <= _LEARNS_TIME_WITHIN
            for zone in _zones(match)
        )


def _zones(stamp: re.Match[str]) -> Iterable[timedelta]:
    """Return the zones that a stamp may have been made in, all where it tells none."""
    if stamp["sign"] is None:
        return _ALL_ZONES
    ahead = timedelta(hours=int(stamp["hours"]), minutes=int(stamp["minutes"]))
    zone = ahead if stamp["sign"] == "+" else -ahead
    # It may have learnt the time before its zone, or another half of the year.
    return (timedelta(), zone, zone - _HOUR, zone + _HOUR)
