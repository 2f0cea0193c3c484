"""The drivers that can be started and stopped: the meter's, NTP, and others by name only."""

from collections.abc import Callable, Mapping
from typing import Final

from simulator.meter import Bl0937, Bl0942, Cse7766

from . import clock_commands, meter_commands
from .arguments import Arguments
from .bridge import Bridges
from .console import Command, Console, Result, needing
from .energy import EnergyDriver
from .meter_drivers import Bl0937Driver, Bl0942Driver, Cse7766Driver, MeterDriver
from .mqtt import MqttService
from .state import DeviceState

METER: Final = "BL0937"
"""The meter whose driver starts by itself, where its pins are."""
type _SerialMeter = tuple[type[Bl0942Driver | Cse7766Driver], type[Bl0942 | Cse7766]]
_SERIAL_METERS: Final[Mapping[str, _SerialMeter]] = {
    "BL0942": (Bl0942Driver, Bl0942),
    "CSE7766": (Cse7766Driver, Cse7766),
}
"""The drivers of meters on a serial line, and the chips that they understand."""
_METERS: Final = (METER, *_SERIAL_METERS)
BRIDGE: Final = "BRIDGE"
NTP: Final = "NTP"
_MDNS: Final = "MDNS"
# Those of the standard image that a socket may be told to start (obk_config.h, 1.18.300).
_KNOWN: Final = frozenset(
    {
        *_METERS,
        *(BRIDGE, NTP, _MDNS, "SSDP", "DGR", "TUYAMCU", "TMSENSOR", "IR", "RC"),
        *("HTTPBUTTONS", "WEMO", "HUE", "DDP", "SHUTTERS", "PWMTOGGLER", "DOORSENSOR"),
        *("BATTERY", "I2C", "DS1820", "CHT83XX", "SHT3X", "SGP", "AHT2X", "KP18058"),
    }
)


class Drivers:
    """Starts drivers, each of which brings its console commands along."""

    def __init__(
        self, device: DeviceState, console: Console, mqtt: MqttService
    ) -> None:
        """Begin with none; ``startDriver`` and ``stopDriver`` are known from now on."""
        self._device = device
        self._console = console
        self._mqtt = mqtt
        self.bridges: Bridges | None = None
        """The driver of two-coil relays, while it runs."""
        console.register(
            {
                "startdriver": needing(1, self._by_name(self.start)),
                "stopdriver": needing(1, self._by_name(self.stop)),
                **clock_commands.commands(device),
            }
        )

    def start(self, name: str) -> None:
        """Start a driver by its name in upper case; one that is not known does nothing."""
        device = self._device
        if name in device.drivers or name not in _KNOWN:
            return
        if name == _MDNS and not device.release.has_mdns:
            return
        if name == NTP:
            device.device_clock.start_ntp()
            self._console.register(clock_commands.ntp_commands(device))
        elif name in _METERS:
            device.energy = self._start_meter(name)
        elif name == BRIDGE:
            self.bridges = Bridges(device)
            self._console.register(self.bridges.commands())
        device.drivers.add(name)

    def stop(self, name: str) -> None:
        """Stop a driver by its name in upper case."""
        self._device.drivers.discard(name)
        if name == NTP:
            self._device.device_clock.stop_ntp()
        elif self._device.energy and self._device.energy.driver.name == name:
            self._device.energy = None
        elif name == BRIDGE:
            self.bridges = None

    @staticmethod
    def _by_name(action: Callable[[str], None]) -> Command:
        def command(arguments: Arguments) -> Result:
            action(arguments.word(0).upper())
            return Result.OK

        return command

    def _start_meter(self, name: str) -> EnergyDriver:
        # Of several that were started, the last one is read; the firmware reads them all
        # into the same numbers.
        device = self._device
        energy = EnergyDriver(
            driver=self._driver_of_meter(name),
            settings=device.settings,
            variables=device.variables,
            pins=device.pins,
            device_clock=device.device_clock,
            release=device.release,
            publish=self._publish_reading,
            now=device.moment,
        )
        self._console.register(meter_commands.commands(energy, lambda: device.moment))
        return energy

    def _driver_of_meter(self, name: str) -> MeterDriver:
        device, meter = self._device, self._device.meter
        if name == METER:
            return Bl0937Driver(
                meter if isinstance(meter, Bl0937) else None,
                device.settings,
                device.pins,
                device.release,
                now=device.moment,
                jitter=device.timing.jitter,
                seed=int.from_bytes(device.identity.mac),
            )
        driver, chip = _SERIAL_METERS[name]
        packet = meter.packet if isinstance(meter, chip) else bytes
        return driver(device.settings, packet)

    def _publish_reading(self, name: str, text: str, qos: int) -> None:
        self._mqtt.publish(name, text, qos=qos)
