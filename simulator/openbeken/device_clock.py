"""The time of day as the firmware knows it: nothing until NTP has answered."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import time

from simulator.clock import Clock

# The first answer comes within some seconds of `startDriver NTP`.
_SYNC_SECONDS = 2


@dataclass(frozen=True, slots=True)
class DstRule:
    """From when on which offset applies, as ``time_setDST`` takes it."""

    week: int
    """1 to 4, or 0 for the last one of the month."""
    month: int
    weekday: int
    """1 is Sunday."""
    hour: int
    minutes: int
    """The offset from then on."""

    def moment(self, year: int) -> datetime:
        """Return when it applies in a year, in the zone's own time."""
        first = datetime(year, self.month, 1, self.hour, tzinfo=UTC)
        # Python counts Monday as 0.
        ahead = (self.weekday - 2 - first.weekday()) % 7
        day = first + timedelta(days=ahead, weeks=max(self.week, 1) - 1)
        if self.week == 0:
            while (later := day + timedelta(weeks=1)).month == self.month:
                day = later
        return day


class DeviceClock:
    """Device time; ``world`` tells the true seconds since 1970."""

    def __init__(self, clock: Clock, world: Callable[[], float] | None = None) -> None:
        """Begin without a time; without ``world`` it is the machine's, run by ``clock``."""
        self._clock = clock
        if world is None:
            started = time.time() - clock.now()
            world = self._run_on_from(started)
        self._world = world
        self.zone_seconds = 0
        self.dst: tuple[DstRule, DstRule] | None = None
        self.ntp_running = False
        self.ntp_answers = True
        """Whether the time server can be reached."""
        self._seconds_to_sync = 0
        self._ahead = 0.0
        self.synced = False

    def forget(self) -> None:
        """Begin anew, as at power-on: a time that was known is gone."""
        self.zone_seconds = 0
        self.dst = None
        self.ntp_running = self.synced = False

    def start_ntp(self) -> None:
        """Do what ``startDriver NTP`` does."""
        self.ntp_running = True
        self._seconds_to_sync = _SYNC_SECONDS

    def stop_ntp(self) -> None:
        """Stop asking; a known time goes on."""
        self.ntp_running = False

    def set_time(self, epoch: float) -> None:
        """Set the time by hand, in UTC."""
        self._ahead = epoch - self._world()
        self.synced = True

    def every_second(self) -> None:
        """Ask the time server when it is due."""
        if self.ntp_running and self.ntp_answers and not self.synced:
            self._seconds_to_sync -= 1
            if self._seconds_to_sync <= 0:
                self._ahead = 0.0
                self.synced = True

    @property
    def utc(self) -> int:
        """Return the seconds since 1970, 0 where the time is not known."""
        return int(self._world() + self._ahead) if self.synced else 0

    @property
    def local(self) -> int:
        """Return the same, with the zone's offset and summer time added."""
        return self.utc + self.offset if self.synced else 0

    @property
    def offset(self) -> int:
        """Return the offset from UTC in seconds, summer time included."""
        return self.zone_seconds + self._dst_seconds()

    @property
    def day_of_month(self) -> int:
        """Return the local day, -1 where the time is not known."""
        return _utc(self.local).day if self.synced else -1

    def text(self, epoch: int) -> str:
        """Return a moment as the JSON answers write it."""
        if not epoch:
            return "0000-00-00T00:00:00"
        return f"{_utc(epoch):%Y-%m-%dT%H:%M:%S}"

    def minute_text(self, epoch: int) -> str:
        """Return a moment as energycounter_clear_date has it: to the minute, with zone."""
        minute = f"{_utc(epoch):%Y-%m-%dT%H:%M}" if epoch else "0000-00-00T00:00"
        return f"{minute}{self.zone_text}"

    @property
    def zone_text(self) -> str:
        """Return the offset as +HH:MM."""
        minutes = abs(self.offset) // 60
        sign = "-" if self.offset < 0 else "+"
        return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"

    def _dst_seconds(self) -> int:
        if self.dst is None or not self.synced:
            return 0
        first, second = sorted(self.dst, key=lambda rule: rule.month)
        standard = _utc(self.utc + self.zone_seconds)
        first_at, second_at = first.moment(standard.year), second.moment(standard.year)
        # A switch is given in the time that is shown until then.
        first_at -= timedelta(minutes=second.minutes)
        second_at -= timedelta(minutes=first.minutes)
        rule = first if first_at <= standard < second_at else second
        return rule.minutes * 60

    def _run_on_from(self, started: float) -> Callable[[], float]:
        return lambda: started + self._clock.now()


def _utc(epoch: int) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)
