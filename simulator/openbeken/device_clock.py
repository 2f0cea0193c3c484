"""The time of day as the firmware knows it: nothing until somebody has told it."""

from collections.abc import Callable
from datetime import UTC, datetime
import time
from typing import Final

from simulator.clock import Clock

# The first answer comes within some seconds of `startDriver NTP`; later ones correct it.
_SYNC_SECONDS: Final = 2
_RESYNC_SECONDS: Final = 60
_RETRY_SECONDS: Final = 10
_UNSIGNED: Final = 0xFFFFFFFF
_EARLIEST_START: Final = 10
"""A start of the device before this many seconds of 1970 counts as no time at all."""


class DeviceClock:
    """Device time; ``world`` tells the true seconds since 1970.

    As in drv_deviceclock (1.18.300): 32 bits without a sign, gone with every restart, the
    zone as well. There are no rules of summer time in builds for BK7231N.
    """

    def __init__(self, clock: Clock, world: Callable[[], float] | None = None) -> None:
        """Begin without a time; without ``world`` it is the machine's, run by ``clock``."""
        self._clock = clock
        if world is None:
            started = time.time() - clock.now()
            world = self._run_on_from(started)
        self._world = world
        self.zone_seconds = 0
        """What local time is ahead of UTC."""
        self.ntp_running = False
        self.ntp_answers = True
        """Whether the time server can be reached."""
        self._seconds_to_sync = 0
        self._ahead = 0.0
        self._booted_at = clock.now()
        self.synced = False
        """Whether there is a time, from a server or by hand."""

    def forget(self) -> None:
        """Begin anew, as at power-on: a time that was known is gone."""
        self.zone_seconds = 0
        self.ntp_running = self.synced = False
        self._booted_at = self._clock.now()

    def start_ntp(self) -> None:
        """Do what ``startDriver NTP`` does."""
        self.ntp_running = True
        self._seconds_to_sync = _SYNC_SECONDS

    def stop_ntp(self) -> None:
        """Stop asking; a known time goes on."""
        self.ntp_running = False

    def set_time(self, epoch: int) -> None:
        """Set the time by hand, in UTC, as 32 bits; the next answer of a server undoes it."""
        self._ahead = (epoch & _UNSIGNED) - self._world()
        uptime = int(self._clock.now() - self._booted_at)
        self.synced = epoch - uptime & _UNSIGNED > _EARLIEST_START

    def every_second(self) -> None:
        """Ask the time server when it is due."""
        if not self.ntp_running:
            return
        self._seconds_to_sync -= 1
        if self._seconds_to_sync > 0:
            return
        if self.ntp_answers:
            self._ahead = 0.0
            self.synced = True
        self._seconds_to_sync = _RESYNC_SECONDS if self.ntp_answers else _RETRY_SECONDS

    @property
    def utc(self) -> int:
        """Return the seconds since 1970, 0 where the time is not known."""
        return int(self._world() + self._ahead) & _UNSIGNED if self.synced else 0

    @property
    def local(self) -> int:
        """Return the same with the zone's offset added."""
        return self.utc + self.zone_seconds & _UNSIGNED if self.synced else 0

    @property
    def offset(self) -> int:
        """Return the offset from UTC in seconds, 0 where the time is not known."""
        return self.zone_seconds if self.synced else 0

    @property
    def day_of_month(self) -> int:
        """Return the local day, 0 where there is no local time."""
        return _utc(self.local).day if self.local else 0

    def text(self, epoch: int) -> str:
        """Return a moment as the JSON answers write it."""
        if not epoch:
            return "0000-00-00T00:00:00"
        return f"{_utc(epoch):%Y-%m-%dT%H:%M:%S}"

    def minute_text(self, epoch: int) -> str:
        """Return a moment as energycounter_clear_date has it: to the minute, with zone."""
        return f"{self.text(epoch)[:16]}{self.zone_text}"

    @property
    def zone_text(self) -> str:
        """Return the offset as +HH:MM; less than an hour behind UTC reads as if ahead."""
        hours = int(self.offset / 3600)
        return f"{hours:+03d}:{abs(self.offset) // 60 % 60:02d}"

    def _run_on_from(self, started: float) -> Callable[[], float]:
        return lambda: started + self._clock.now()


def _utc(epoch: int) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)
