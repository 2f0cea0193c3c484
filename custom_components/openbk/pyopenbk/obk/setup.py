"""What the person chose for one socket, kept in the wizard's memory only."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import IPv4Address
from typing import Final, Self, override
from zoneinfo import ZoneInfo

from ..beken.chips import BK7231N, Chip
from ..profile import SocketProfile
from . import config_sector, startup
from .config_sector import ConfigSector
from .messages import is_client_id
from .provisioning import (
    DEFAULT_GROUP,
    DEFAULT_NTP_SERVER,
    Clock,
    Provisioning,
    provision,
)
from .takeover import Takeover, take_over

PLAIN_PORT: Final = 1883
_PORTS: Final = range(1, 1 << 16)

# 802.11: a passphrase has 8 to 63 characters, a raw key 64 hexadecimal digits.
_SHORTEST_PASSPHRASE: Final = 8
_LONGEST_PASSPHRASE: Final = 63
_KEY_DIGITS: Final = 64


def size_of(text: str) -> int | None:
    """Return how many bytes a text takes in the socket, or None for one that it cannot keep.

    It ends a text at a NUL, and what has no UTF-8 would also stop Home Assistant from saving.
    """
    try:
        return None if "\0" in text else len(text.encode())
    except UnicodeEncodeError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class WifiNetwork:
    """One Wi-Fi network; neither its name nor its password shows in a repr."""

    ssid: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def problem(self) -> str | None:
        """Return the key of what is wrong with it, or None."""
        if not self.ssid:
            return "wifi_name_missing"
        size, length = size_of(self.ssid), size_of(self.password)
        if size is None or length is None:
            return "wifi_not_storable"
        if size > config_sector.SSID_LIMIT:
            return "wifi_name_too_long"
        if not self.password:
            return None
        if length < _SHORTEST_PASSPHRASE:
            return "wifi_password_short"
        if length > _LONGEST_PASSPHRASE and not self._is_raw_key:
            return "wifi_password_long"
        return None

    @property
    def _is_raw_key(self) -> bool:
        digits = "0123456789abcdefABCDEF"
        return len(self.password) == _KEY_DIGITS and all(
            letter in digits for letter in self.password
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where a broker listens and how to log in; the password never shows in a repr."""

    host: str
    port: int = PLAIN_PORT
    username: str = ""
    password: str = ""

    @property
    def problem(self) -> str | None:
        """Return the key of what does not fit into the socket, or None."""
        for field_name, text, too_long, not_storable in (
            (
                "mqtt_host",
                self.host,
                "broker_host_too_long",
                "broker_host_not_storable",
            ),
            (
                "mqtt_username",
                self.username,
                "broker_username_too_long",
                "broker_username_not_storable",
            ),
            (
                "mqtt_password",
                self.password,
                "broker_password_too_long",
                "broker_password_not_storable",
            ),
        ):
            size = size_of(text)
            if size is None:
                return not_storable
            if size > config_sector.room_for(field_name):
                return too_long
        return None

    @override
    def __repr__(self) -> str:
        """Return the address alone."""
        return f"Broker({self.host}:{self.port})"


NO_BROKER: Final = Broker(host="")


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketSettings:
    """Everything that the configuration sector needs and the chip does not tell."""

    name: str = ""
    model: str = ""
    """As people call it; empty where nobody said."""
    client_id: str = ""
    group: str = DEFAULT_GROUP
    wifi: WifiNetwork = WifiNetwork()
    wifi2: WifiNetwork | None = None
    broker: Broker = NO_BROKER
    ntp_server: str = DEFAULT_NTP_SERVER
    time_zone: str = ""
    """A name of the time zone database; empty until it was asked for."""

    chip: Chip = BK7231N
    """What the socket has."""

    before: ConfigSector | None = field(default=None, repr=False)
    """What the socket had where it ran OpenBeken already; there are passwords in it."""

    @classmethod
    def of(cls, config: ConfigSector) -> Self:
        """Return what a socket was set to, as far as a form can show it."""

        def text(value: str) -> str:
            # Bytes that are no UTF-8 cannot be shown, and so not be confirmed either.
            return value if size_of(value) is not None else ""

        second = text(config.wifi_ssid2)
        broker = NO_BROKER
        if host := text(config.mqtt_host):
            broker = Broker(
                host=host,
                port=config.mqtt_port if config.mqtt_port in _PORTS else PLAIN_PORT,
                username=text(config.mqtt_username),
                password=text(config.mqtt_password),
            )
        return cls(
            client_id=_topic(config.mqtt_client_id, ""),
            group=_topic(config.mqtt_group, DEFAULT_GROUP),
            wifi=WifiNetwork(
                ssid=text(config.wifi_ssid), password=text(config.wifi_password)
            ),
            wifi2=WifiNetwork(ssid=second, password=text(config.wifi_password2))
            if second
            else None,
            broker=broker,
            ntp_server=config.ntp_server
            if _is_ipv4(config.ntp_server)
            else DEFAULT_NTP_SERVER,
            before=config,
        )

    def without_secrets(self) -> Self:
        """Return the settings as they may outlive the wizard: no password in them."""
        second = self.wifi2
        return replace(
            self,
            wifi=replace(self.wifi, password=""),
            wifi2=None if second is None else replace(second, password=""),
            broker=replace(self.broker, password=""),
            before=None,
        )

    def takeover(
        self, profile: SocketProfile, mac: str, moment: datetime, firmware: str
    ) -> Takeover | None:
        """Return what the socket keeps of what it had; None for one that had nothing.

        Raises what ``configuration`` raises.
        """
        if self.before is None:
            return None
        return take_over(
            self.before,
            self._told(profile, mac, moment, firmware),
            profile,
            mac,
            self._offset(moment),
            firmware=firmware,
        )

    def configuration(
        self, profile: SocketProfile, mac: str, moment: datetime, firmware: str = ""
    ) -> bytes:
        """Return the 4096 bytes that make the socket all this at its first start.

        ``firmware`` is the version that will read it. Reads the time zone from a file. Raises
        ProvisioningError and ConfigSectorError.
        """
        takeover = self.takeover(profile, mac, moment, firmware)
        config = (
            takeover.config if takeover else self._fresh(profile, mac, moment, firmware)
        )
        second = self.wifi2 or WifiNetwork()
        return config_sector.build(
            replace(
                config,
                wifi_ssid=self.wifi.ssid,
                wifi_password=self.wifi.password,
                wifi_ssid2=second.ssid,
                wifi_password2=second.password,
                mqtt_host=self.broker.host,
                mqtt_port=self.broker.port,
                mqtt_username=self.broker.username,
                mqtt_password=self.broker.password,
            )
        )

    def _fresh(
        self, profile: SocketProfile, mac: str, moment: datetime, firmware: str
    ) -> ConfigSector:
        told = self._told(profile, mac, moment, firmware)
        starts = [0] * config_sector.CHANNEL_COUNT
        for channel, value in told.start_values.items():
            starts[channel] = value
        return ConfigSector(
            flags=told.flags,
            mqtt_client_id=told.client_id,
            mqtt_group=told.group,
            short_name=told.short_name,
            long_name=told.long_name,
            mac=bytes.fromhex(mac.replace(":", "")),
            start_values=tuple(starts),
            startup_command=told.startup_command,
            ntp_server=told.ntp_server,
            ping_host=told.ping_host,
        ).with_profile(profile)

    def _told(
        self, profile: SocketProfile, mac: str, moment: datetime, firmware: str
    ) -> Provisioning:
        return provision(
            profile,
            mac,
            clock=Clock(utc_offset=self._offset(moment), ntp_server=self.ntp_server),
            client_id=self.client_id or None,
            group=self.group or DEFAULT_GROUP,
            chip=self.chip,
            lines=startup.runs_lines(firmware),
        )

    def _offset(self, moment: datetime) -> timedelta:
        return ZoneInfo(self.time_zone).utcoffset(moment) or timedelta()


def _topic(stored: str, default: str) -> str:
    return stored if is_client_id(stored) else default


def _is_ipv4(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True
