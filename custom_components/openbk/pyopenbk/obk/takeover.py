"""What a socket that ran OpenBeken keeps when it is flashed again, and what cannot stay."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Address
from math import isfinite
import re
from typing import Final

from ..profile import SocketProfile
from . import startup
from .commands import clock_command, utc_offset_command
from .config_sector import VERSION, ConfigSector
from .flags import UNWANTED_FLAGS, WANTED_FLAGS, Flag, StartValue
from .provisioning import Provisioning
from .startup import Obstacle, Part

# cal.values[0..2] belong to the meter; behind them are the largest power and another meter's.
_FACTORS: Final = slice(0, 3)
_FRESH: Final = ConfigSector()
# The beginning of a start-up command that was made here: ours stands in front of all else.
_OWN_CLOCK: Final = re.compile(
    rf"(?<=^backlog {re.escape(clock_command())}; )ntp_timeZoneOfs [+-]\d+:\d+"
)
# What a person notices; the rest of the sector stays without a word.
_OTHERS: Final[Mapping[str, tuple[object, ...]]] = {
    # Nothing at all stands for the same as what a new one has.
    "button_times": (_FRESH.button_times, (0, 0, 0)),
    "boot_success_seconds": (_FRESH.boot_success_seconds, 0),
    "group_name": (_FRESH.group_name,),
}


class Kept(StrEnum):
    """Something of its own that a socket goes on with."""

    FACTORS = "factors"
    STATIC_ADDRESS = "static_address"
    WEB_PASSWORD = "web_password"
    STARTUP_COMMAND = "startup_command"
    FLAGS = "flags"
    START_VALUES = "start_values"
    PING = "ping"
    NAMES = "names"
    OTHERS = "others"


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """A configuration with what the socket had before, and what became of that."""

    config: ConfigSector
    kept: tuple[Kept, ...] = ()
    cleared: tuple[Flag, ...] = ()
    """Flags that it had, and with which Home Assistant could not read it."""
    lost_factors: bool = False
    """What it knew of its meter belongs to another kind of meter, or is no factor."""
    left_out: Mapping[Part, Obstacle] = field(default_factory=dict)
    """What is not added to its own start-up command, which stays as it is."""
    lost_command: bool = False
    """For the same reason, the commands of a template are not taken over."""

    @property
    def static_address(self) -> str | None:
        """Return the address that it gives itself, or None where it asks the router."""
        raw = bytes(self.config.static_ip[:4])
        return str(IPv4Address(raw)) if any(raw) else None


def take_over(
    before: ConfigSector,
    told: Provisioning,
    profile: SocketProfile,
    mac: str,
    utc_offset: timedelta,
    *,
    firmware: str,
) -> Takeover:
    """Return what the socket had, with what a newly flashed one is ``told`` and with its pins.

    Wi-Fi, broker and their passwords are still those of before. ``firmware`` is the version that
    will read it; empty, if nobody knows.
    """
    own = _with_offset(before.startup_command, utc_offset)
    adds_command = bool(profile.command) and not _runs(own, profile.command)
    lost_command = adds_command and _has_own_program(before)
    addition = startup.add(
        profile.command if adds_command and not lost_command else own,
        startup.own_parts(profile, utc_offset),
        lines=startup.runs_lines(firmware),
    )
    lost_factors = _lose_factors(before, profile)
    config = replace(
        before,
        version=VERSION,
        flags=(before.flags | told.flags) & ~_mask(UNWANTED_FLAGS),
        mac=bytes.fromhex(mac.replace(":", "")),
        start_values=_start_values(before, profile),
        startup_command=addition.text,
        ping_host=before.ping_host if before.ping_interval > 0 else told.ping_host,
        calibration=_without_factors(before) if lost_factors else before.calibration,
        mqtt_client_id=told.client_id,
        mqtt_group=told.group,
        ntp_server=told.ntp_server,
        # No released firmware for this chip has TLS, and the broker was tried without.
        mqtt_use_tls=0,
    )
    if not _keeps_names(before, config.mac):
        config = replace(config, short_name=told.short_name, long_name=told.long_name)
    elif before.short_name == before.mqtt_client_id:
        config = replace(config, short_name=told.short_name)
    if profile.pins != before.profile.pins:
        config = config.with_profile(profile)
    config = config.with_published_relays(profile)
    return Takeover(
        config=config,
        kept=tuple(_kept(before, config, told)),
        cleared=tuple(flag for flag in UNWANTED_FLAGS if before.flags & flag.mask),
        lost_factors=lost_factors and any(before.calibration[_FACTORS]),
        left_out=addition.left_out,
        lost_command=lost_command,
    )


def _mask(flags: tuple[Flag, ...]) -> int:
    return sum(flag.mask for flag in flags)


def _with_offset(text: str, utc_offset: timedelta) -> str:
    """Return a start-up command of ours with today's distance from UTC; others are left alone."""
    return _OWN_CLOCK.sub(utc_offset_command(utc_offset), text, count=1)


def _lose_factors(before: ConfigSector, profile: SocketProfile) -> bool:
    """Return whether the factors cannot be meant for the meter that is there now.

    All drivers share their places: a factor read as a divisor gave values of 10**14.
    """
    meter = profile.meter_kind
    *others, power = before.calibration[_FACTORS]
    if meter is not None and meter.is_signed:
        power = abs(power)
    sound = all(isfinite(value) and value >= 0 for value in (*others, power))
    return not sound or meter is not before.profile.meter_kind


def _without_factors(before: ConfigSector) -> tuple[float, ...]:
    return tuple(
        value if isfinite(value) and index >= (_FACTORS.stop or 0) else 0.0
        for index, value in enumerate(before.calibration)
    )


def _start_values(before: ConfigSector, profile: SocketProfile) -> tuple[int, ...]:
    """Return what was there; a relay that was not remembers its state, as in a new socket."""
    known = {relay.channel for relay in before.profile.relays}
    values = list(before.start_values)
    for relay in profile.relays:
        if relay.channel not in known:
            values[relay.channel] = StartValue.LAST
    return tuple(values)


def _keeps_names(before: ConfigSector, mac: bytes) -> bool:
    """Return whether the names are this socket's: a copied configuration has another's."""
    own = before.mac == mac or not any(before.mac)
    return own and bool(before.short_name and before.long_name)


def _kept(
    before: ConfigSector, now: ConfigSector, told: Provisioning
) -> Iterator[Kept]:
    """Yield what is another than in a new socket and stays."""
    if any(now.calibration[_FACTORS]):
        yield Kept.FACTORS
    if any(now.static_ip[:4]):
        yield Kept.STATIC_ADDRESS
    if now.web_password:
        yield Kept.WEB_PASSWORD
    if _has_own_program(before):
        yield Kept.STARTUP_COMMAND
    if before.flags & now.flags & ~_mask(WANTED_FLAGS):
        yield Kept.FLAGS
    if any(
        now.start_values[relay.channel] != StartValue.LAST
        for relay in now.profile.relays
    ):
        yield Kept.START_VALUES
    if now.ping_host and now.ping_interval > 0:
        yield Kept.PING
    if (now.short_name, now.long_name) != (told.short_name, told.long_name):
        yield Kept.NAMES
    if any(getattr(now, name) not in usual for name, usual in _OTHERS.items()):
        yield Kept.OTHERS


def _runs(text: str, commands: str) -> bool:
    """Return whether a start-up command runs all of these already."""
    return {*startup.parse(commands).run_at_boot()} <= {
        *startup.parse(text).run_at_boot()
    }


def _has_own_program(before: ConfigSector) -> bool:
    """Return whether a start-up command does more than what is added to it here."""
    parts = startup.own_parts(before.profile, timedelta()).values()
    ours = {command.casefold() for commands in parts for command in commands}
    return any(
        command not in ours and not command.startswith("ntp_timezoneofs ")
        for command in startup.parse(before.startup_command).run_at_boot()
    )
