"""What one chapter of the wizard hands to the next: the chip on the wires and what it is to get."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Self

from homeassistant.const import CONF_PASSWORD

from ...issues.unfinished import UnfinishedSocket
from ...pyopenbk.backups import Backup
from ...pyopenbk.beken.chips import BK7231N, CHIPS, HIGHEST_PIN, FlashableChip
from ...pyopenbk.beken.rf_sector import RfSector, is_generic_mac
from ...pyopenbk.bootrom.adapter import Adapter
from ...pyopenbk.bootrom.loader import ChipIdentity
from ...pyopenbk.flashing import Analysis
from ...pyopenbk.flashing.dump_files import WholeFlash
from ...pyopenbk.flashing.errors import ChipState
from ...pyopenbk.obk import startup
from ...pyopenbk.obk.builds import chip_of
from ...pyopenbk.obk.config_sector import ConfigSector
from ...pyopenbk.obk.image import FirmwareImage
from ...pyopenbk.obk.names import long_name_of
from ...pyopenbk.obk.setup import SocketSettings, WifiNetwork
from ...pyopenbk.obk.startup import Obstacle, Part
from ...pyopenbk.obk.takeover import Takeover
from ..forms import BROKER_LOGIN, CONF_SECOND, WIFI
from ..road import RoadSession
from .arrival import Arrival, Differences, Sighting


@dataclass(kw_only=True)
class WizardSession(RoadSession):
    """Everything that more than one chapter knows of a chip; a chapter keeps the rest to itself."""

    # The same for all sockets that one dialog flashes.
    address: str | None = None
    """The serial port."""
    adapters: dict[str, Adapter] = field(default_factory=dict)
    """What was learnt of each port that this wizard has used."""
    same_settings: bool = False
    """They are those of a socket that has reported in."""
    image: FirmwareImage | None = None
    firmware: bytes = b""
    """The file that the image was read from."""
    release: str | None = None
    """The version of the firmware; before there is one, what an earlier wizard chose."""

    # The chip on the wires.
    identity: ChipIdentity | None = None
    backup: Backup | None = None
    analysis: Analysis | None = None
    chip_state: ChipState = ChipState.UNTOUCHED
    change_noted: bool = False
    expected_macs: frozenset[str | None] = frozenset()
    """The addresses by which the chip is known that everything was confirmed for; None stands for
    a chip without one. Another chip may not be written with it."""
    connected_mac: str | None = None
    titles: Mapping[str, str] = field(default_factory=dict)
    """How the sockets are called that are set up already, by MAC."""
    topics: Mapping[str, str] = field(default_factory=dict)
    """The MACs of these, by their topics."""

    # What was written, and what came of it.
    takeover: Takeover | None = None
    """What the socket keeps of what it had."""
    written_config: bytes = b""
    """The configuration sector as it was written last."""
    host_name: str = ""
    assembled: bool = False
    """The case is closed and on mains: no wire may be touched before it is unplugged."""
    reading_back: bool = False
    arrival: Arrival | None = None
    sighting: Sighting | None = None
    cause: str = ""
    """Why it is not heard, as far as that can be found out."""
    differences: Differences | None = None
    reported_in: bool = False
    """It is about to get its entry."""
    entry_made: bool = False

    # A backup that goes onto it.
    restoring: bool = False
    restore_confirmed: bool = False
    found_backups: tuple[Backup, ...] = ()
    chosen_backup: Backup | None = None
    chosen_flash: WholeFlash | None = None
    """What is in it."""
    foreign: bool = False
    keep_radio: bool = False
    own_topic: bool = False
    """The chip gets the names of its own MAC instead of those in the backup."""

    # Its radio calibration.
    radio: RfSector | None = None
    radio_sector: bytes = b""
    generic_accepted: bool = False
    """It was said that a chip without a calibration of its own shall be flashed as it is."""
    radio_begun: bool = False
    """Its place on the chip was changed, or may have been."""
    radio_repaired: bool = False

    def next_chip(self) -> Self:
        """Return the session of the next chip; nothing is known of that one."""
        return type(self)(
            address=self.address,
            adapters=self.adapters,
            passwords=self.passwords,
            settings=replace(self.settings, name="", client_id="", before=None),
            same_settings=True,
            image=self.image,
            firmware=self.firmware,
            release=self.release,
            entry_mac=self.entry_mac,
        )

    @property
    def adapter(self) -> Adapter:
        """Return what was learnt of the port that is used now; it outlives each try."""
        return self.adapters.setdefault(self.address or "", Adapter())

    @property
    def chip(self) -> FlashableChip:
        """Return the chip on the line; until it is known, the one that most sockets have."""
        return self.identity.chip if self.identity else BK7231N

    @property
    def highest_pin(self) -> int:
        """Return the last pin that the chip has: of any chip where the running one is a new one."""
        if self.evidence is None:
            return self.chip.highest_pin
        running = CHIPS.get(chip_of(self.evidence.build or "") or "")
        return running.highest_pin if running else HIGHEST_PIN

    @property
    def mac(self) -> str | None:
        """Return the address that was read from the chip, which many chips may have."""
        return self.analysis.mac if self.analysis else None

    @property
    def own_mac(self) -> str | None:
        """Return the address that tells the chip from all others."""
        return None if self.mac is None or is_generic_mac(self.mac) else self.mac

    @property
    def written_mac(self) -> str:
        """Return the address of the chip that is written; it has been read by then."""
        assert self.mac is not None
        return self.mac

    @property
    def long_name(self) -> str:
        """Return the name that the socket has in the network, and that of its own Wi-Fi."""
        if self.host_name:
            return self.host_name
        if self.mac is None:
            return f"Open{self.chip.name}_…"
        return long_name_of(self.mac, self.chip)

    @property
    def version(self) -> str:
        """Return the version that is written; empty where the file does not tell."""
        return (self.image.version if self.image else None) or ""

    @property
    def left_out(self) -> Mapping[Part, Obstacle]:
        """Return what cannot be added to somebody's own start-up command."""
        if self.takeover is not None:
            return self.takeover.left_out
        assert self.profile is not None
        if not self.profile.command:
            return {}
        return startup.add(
            self.profile.command,
            startup.own_parts(self.profile, timedelta()),
            lines=startup.runs_lines(self.version),
        ).left_out

    @property
    def entry_own_mac(self) -> str | None:
        """Return the address of the entry's socket, if that tells it from all others."""
        mac = self.entry_mac
        return None if mac is None or is_generic_mac(mac) else mac

    @property
    def is_another_chip(self) -> bool:
        """Return whether all this is meant for another chip than the one that was read last."""
        mac = self.connected_mac
        if self.expected_macs:
            return mac not in self.expected_macs
        # A chip that has lost its address may still be the one.
        return (
            self.entry_own_mac is not None
            and mac is not None
            and not is_generic_mac(mac)
            and mac != self.entry_own_mac
        )

    @property
    def factory_wifi(self) -> WifiNetwork | None:
        """Return the network that the chip was in with its factory's firmware, if it can be used."""
        found = self.analysis.wifi if self.analysis else None
        if found is None:
            return None
        network = WifiNetwork(ssid=found.ssid, password=found.password)
        return None if network.problem else network

    @property
    def state(self) -> str:
        """Return the key of what has become of the chip so far, for every page that stops."""
        if self.chip_state is ChipState.UNTOUCHED and self.radio_begun:
            # Do not say that nothing was written when the calibration was.
            return "radio_written" if self.radio_repaired else "radio_begun"
        return self.chip_state

    @property
    def has_extras(self) -> bool:
        """Return whether a template brings commands or flags along."""
        template = self.template
        return template is not None and bool(template.command or template.flags)

    @property
    def twin(self) -> ConfigSector | None:
        """Return the configuration with whose topic this chip and another socket would fight.

        Its own is of a time when no other had its topic.
        """
        chosen, own = self.chosen_flash, self.own_mac
        config = chosen.analysis.config if chosen else None
        if chosen is None or own is None or config is None:
            return None
        if chosen.mac == own and self.topics.get(config.mqtt_client_id, own) == own:
            return None
        return config if config.mqtt_client_id else None

    def take_settings_of_chip(self) -> None:
        """Fill in what a socket that runs OpenBeken is set to, where nothing was typed yet."""
        assert self.analysis is not None
        config, typed = self.analysis.config, self.settings
        self.settings = replace(typed, before=config)
        if config is None:
            return
        had = SocketSettings.of(config)
        mac = (self.mac or "").replace(":", "")
        if config.mac not in (bytes(len(config.mac)), bytes.fromhex(mac)):
            # The configuration was copied from another socket, which goes on with its topic.
            had = replace(had, client_id="")
        if typed.wifi.ssid:
            # This is the next socket of a dialog that knows the network already.
            topic = typed.client_id or had.client_id
            self.settings = replace(self.settings, client_id=topic)
            return
        self.settings = replace(
            had,
            client_id=typed.client_id or had.client_id,
            group=typed.group if typed.client_id else had.group,
        )
        self._keep_passwords()

    def take_up(self, unfinished: UnfinishedSocket) -> None:
        """Take what an earlier wizard was about to write to this chip."""
        assert self.analysis is not None
        self.take_pins(unfinished.profile, "attempt")
        self.settings = replace(unfinished.settings, before=self.analysis.config)
        self._keep_passwords()

    def _keep_passwords(self) -> None:
        """Let an empty field mean the password that the chip holds for this very network."""
        settings = self.settings
        if settings.before is None:
            return
        had = SocketSettings.of(settings.before)
        second, had_second = settings.wifi2 or WifiNetwork(), had.wifi2 or WifiNetwork()
        for form, name, same, password in (
            (
                WIFI,
                CONF_PASSWORD,
                settings.wifi.ssid == had.wifi.ssid,
                had.wifi.password,
            ),
            (WIFI, CONF_SECOND, second.ssid == had_second.ssid, had_second.password),
            (
                BROKER_LOGIN,
                CONF_PASSWORD,
                settings.broker.username == had.broker.username,
                had.broker.password,
            ),
        ):
            if same:
                self.passwords.keep(form, name, password)

    def choose_again(self) -> None:
        """Forget the backup that was chosen, and what was agreed to for it."""
        self.chosen_backup = self.chosen_flash = None
        self.restore_confirmed = self.foreign = self.keep_radio = False
        self.restoring = True
