"""The driver of a meter on its own: time passes when a test says so."""

from dataclasses import replace
from typing import Any

from custom_components.openbk.pyopenbk.obk.config_sector import build
from simulator.flash import Flash
from simulator.meter import Bl0937, Load
from simulator.openbeken import meter_commands
from simulator.openbeken.arguments import Arguments
from simulator.openbeken.console import Result
from simulator.openbeken.device_clock import DeviceClock
from simulator.openbeken.energy import EnergyDriver
from simulator.openbeken.expressions import Constants
from simulator.openbeken.meter_drivers import Bl0937Driver, Calibrated
from simulator.openbeken.pins import Pins
from simulator.openbeken.release import Release
from simulator.openbeken.settings import Identity, Settings
from simulator.openbeken.state import DeviceState
from simulator.openbeken.variables import Variables
from tests.simulator.manual_clock import ManualClock

from . import rules
from .rig import CONFIG_ADDRESS, LOAD, MAC, configuration

VARIABLES_ADDRESS = 0x1E5000
# Some evening in Warsaw, in UTC.
EVENING = 1_700_000_000 // 86400 * 86400 + 22 * 3600


class Bench:
    """The driver, its meter and its flash; time passes when ``run`` is called."""

    def __init__(
        self,
        *,
        load: Load = LOAD,
        jitter: float = 0.0,
        release: Release | None = None,
        config: dict[str, Any] | None = None,
        **meter: Any,
    ) -> None:
        self.clock = ManualClock()
        self.flash = Flash()
        sector = replace(configuration(), **(config or {}))
        self.flash.rewrite(CONFIG_ADDRESS, build(sector))
        self.meter = Bl0937(self.clock, load=load, **meter)
        self.release = release or Release()
        self.jitter = jitter
        self.world = EVENING
        self.time_of_day = DeviceClock(self.clock, lambda: self.world + self.clock.time)
        self.readings: list[rules.Reading] = []
        self.uptime = 0
        self.online = True
        self.boot()
        self.meter.relay_closed = True

    def boot(self) -> None:
        """Start the firmware anew from what is in the flash."""
        self.settings = Settings(self.flash, Identity.of(MAC))
        self.variables = Variables.load(self.flash, VARIABLES_ADDRESS)
        pins = Pins(self.settings, self.variables, lambda _channel: None)
        pins.start()
        self.pins = pins
        self.driver = EnergyDriver(
            driver=Bl0937Driver(
                self.meter,
                self.settings,
                pins,
                self.release,
                now=self.clock.time,
                jitter=self.jitter,
                seed=1,
            ),
            settings=self.settings,
            variables=self.variables,
            pins=pins,
            device_clock=self.time_of_day,
            release=self.release,
            publish=self._publish,
            now=self.clock.time,
        )

    def execute(self, line: str) -> Result:
        """Run a console command that came with the driver, or one of the clock."""
        command, _, arguments = line.partition(" ")
        known = {
            **meter_commands.commands(self.driver, lambda: self.clock.time),
            "time_settime": self._set_time,
            "time_settz": self._set_zone,
        }
        if (run := known.get(command.casefold())) is None:
            return Result.UNKNOWN
        device = DeviceState(self.flash, self.clock, self.meter, MAC)
        return run(Arguments(arguments, Constants(device)))

    def until_pulses(self, volts: int, amperes: int, watts: int) -> None:
        """Run until the chip has just given so many pulses."""
        wanted = [float(count) for count in (volts, amperes, watts)]
        for _ in range(500):
            if self.driver.driver.calibration.raw == wanted:
                return
            self.run(1)
        raise AssertionError("these pulses never come together")

    def _set_time(self, arguments: Arguments) -> Result:
        self.time_of_day.set_time(arguments.integer(0))
        return Result.OK

    def _set_zone(self, arguments: Arguments) -> Result:
        self.time_of_day.zone_seconds = arguments.integer(0) * 3600
        return Result.OK

    def calibrate(self, slot: int, true: float) -> Calibrated:
        return self.driver.driver.calibration.set_true(slot, true)

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.time += 1
            self.time_of_day.every_second()
            self.driver.every_second(
                self.clock.time, uptime=self.uptime, online=self.online
            )
            self.uptime += 1

    def said(self, name: str) -> list[rules.Reading]:
        return [reading for reading in self.readings if reading.name == name]

    def values(self, name: str) -> list[float]:
        return [float(reading.text) for reading in self.said(name)]

    def _publish(self, name: str, text: str, qos: int) -> None:
        self.readings.append(rules.Reading(self.clock.time, name, text, qos))
