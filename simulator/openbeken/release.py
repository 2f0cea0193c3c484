"""What differs between the firmware releases that people run."""

from dataclasses import dataclass

from custom_components.openbk.pyopenbk.beken.chips import BK7231N, Chip


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A build of OpenBeken for a chip."""

    version: str = "1.18.300"
    built: str = "Nov 22 2026 16:44:43"
    chip: Chip = BK7231N
    loses_posts: bool = False
    """What is sent to /api/cmnd does not arrive, as on some builds for other chips."""

    @property
    def build(self) -> str:
        """Return the text of the ``build`` topic, until 1.17.484 that of the pages."""
        if not self.at_least(1, 17, 485):
            return self.built_on
        return f"Open{self.chip.name} {self.version} {self.built}"

    @property
    def built_on(self) -> str:
        """Return how pages and /api/info name the build."""
        verb = "Built" if self.at_least(1, 17, 651) else "Build"
        return f"{verb} on {self.built} version {self.version}"

    def at_least(self, *wanted: int) -> bool:
        """Return whether this is that release or a later one.

        A branch or local build, whose version is no number, counts as the newest.
        """
        parts = self.version.split(".")
        if not all(part.isdigit() for part in parts):
            return True
        return tuple(map(int, parts)) >= wanted

    @property
    def energy_qos(self) -> int:
        """Return the QoS of the meter's numbers (pull request 1518)."""
        return 0 if self.at_least(1, 18, 23) else 1

    @property
    def answers_home_assistant(self) -> bool:
        """Return whether homeassistant/status is listened to (pull request 1791)."""
        return self.at_least(1, 18, 171)

    @property
    def has_ping_commands(self) -> bool:
        """Return whether the console knows PingHost and PingInterval (left out by 9cc5519b7).

        Their names are not in the released image 1.18.300 any more; no page is missing.
        """
        return not self.at_least(1, 18, 170)

    @property
    def derives_power(self) -> bool:
        """Return whether apparent and reactive power and the power factor are published.

        They came in March 2024 (names of drv_bl_shared.c).
        """
        return self.at_least(1, 17, 491)

    @property
    def cuts_decimals(self) -> bool:
        """Return whether publishFloat takes how many decimals it is to leave (e9a092fa5)."""
        return self.at_least(1, 17, 629)

    @property
    def tells_zone_of_reset(self) -> bool:
        """Return whether the stamp of the last reset has its zone, and no seconds (1092)."""
        return self.at_least(1, 17, 478)

    @property
    def divides_by_elapsed(self) -> bool:
        """Return whether a long window is corrected in the right direction (1280)."""
        return self.at_least(1, 18, 25)

    @property
    def reports_temperature(self) -> bool:
        """Return whether the self state has a chip temperature (new_mqtt.c)."""
        return self.at_least(1, 17, 589)

    @property
    def names_itself(self) -> bool:
        """Return whether /api/info has its short name (rest_interface.c)."""
        return self.at_least(1, 17, 70)

    @property
    def answers_questions(self) -> bool:
        """Return whether it listens on the topics on which channels are asked for (new_mqtt.c)."""
        return self.at_least(1, 15, 362)

    @property
    def tells_second_channels(self) -> bool:
        """Return whether /api/pins has the second channels of pins (rest_interface.c)."""
        return self.at_least(1, 17, 473)

    @property
    def tells_results(self) -> bool:
        """Return whether /api/cmnd says how a command ended and what it answers.

        Before, it says OK to everything (rest_interface.c).
        """
        return self.at_least(1, 15, 607)

    @property
    def has_status_command(self) -> bool:
        """Return whether Status and Sensor are commands.

        Before, it is unknown and answered all the same (cmd_tasmota.c, json_interface.c).
        """
        return self.at_least(1, 17, 752)

    @property
    def reports_frequency(self) -> bool:
        """Return whether SENSOR names a frequency, which this meter does not measure."""
        return self.at_least(1, 18)

    @property
    def discovers_days(self) -> bool:
        """Return whether the discovery has the daily counters (issues 805, 1092)."""
        return self.derives_power

    @property
    def config_address(self) -> int:
        """Return where the configuration is; of other chips it is taken to be where BK7231N has it."""
        return self.chip.config_address or BK7231N.flash.openbeken_config.start

    @property
    def variables_address(self) -> int:
        """Return where counters and remembered states are kept in the flash.

        Until 1.18.254 behind the configuration and one sector more (hal_flashVars_bk7231.c), which
        BK7231N has elsewhere than BK7231T; since then in the same place on both (ef_cfg.h).
        """
        if self.at_least(1, 18, 255):
            return 0x1E5000
        return self.config_address + 0x2000

    @property
    def has_device_clock(self) -> bool:
        """Return whether the time can be set by hand over MQTT, with or without NTP."""
        return self.at_least(1, 18, 224)

    @property
    def has_mdns(self) -> bool:
        """Return whether ``startDriver MDNS`` does something."""
        return self.at_least(1, 18, 271)
