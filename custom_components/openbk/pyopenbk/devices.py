"""Sockets whose pins are known, for those whose own data cannot be read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
import re
from typing import Final

from .profile import PinAssignment, SocketProfile
from .roles import PinRole, role_from_name


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDevice:
    """A model with a BL0937 meter on a BK7231N, and its pins."""

    key: str
    """A name for storage and forms."""
    vendor: str
    model: str
    profile: SocketProfile

    @property
    def title(self) -> str:
        """Return the name that people know it by."""
        return f"{self.vendor} {self.model}"

    @property
    def label(self) -> str:
        """Return the name with the module that is inside, for a list to choose from."""
        return f"{self.title} · {self.profile.module}"


# Vendor | model | module | pins of the meter: SEL CF CF1 | other pins with role and channel.
# The same model is sold with other innards as well, so this is the last resort. Layouts: OpenBeken's
# device list (2026-07), without those that contradict themselves; BLOW 72-074: a plug of the same make.
_TABLE: Final = """
BLOW              | 72-074                  | CB2S | 24 7 6   | 26 Rel 1, 11 Btn 1, 10 LED_n 1, 8 WifiLED_n
Action            | 3202087                 | CB2S | 11 26 24 | 8 Rel 1, 7 Btn 1, 6 LED 1, 10 WifiLED_n
AESSY             | BSD69+                  | CB2S | 24 7 6   | 26 Rel 1, 10 Btn 1, 23 LED 1, 8 WifiLED
Akai Energy Smart | 1430                    | CB2S | 10 24 26 | 8 Rel 1, 6 Btn 1, 7 WifiLED_n
Alpina            | SPL-W-TY-PM-EU-RY       | CB2S | 11 24 26 | 8 Rel 1, 7 Btn 1, 6 LED 1, 10 WifiLED_n
ANTELA            | F1s202-EU               | CB2S | 24 7 6   | 26 Rel 1, 10 Btn 1, 8 WifiLED_n
Arlec             | PC191                   | CB2S | 6 8 7    | 24 Rel 1, 10 Btn 1, 26 WifiLED
Arlec             | PC191BKHA               | CB2S | 24 7 6   | 8 Rel 1, 11 Btn 1, 26 LED 1, 10 WifiLED_n
Aubess            | LSPA9                   | CB2S | 24 7 6   | 26 Rel 1, 23 Btn 1, 8 WifiLED_n
Aubess            | Wi-Fi smart socket      | CB2S | 24 7 6   | 26 Rel 1, 23 Btn 1, 8 LED_n 1
Avatto            | N-WOT10-EU-W            | CB2S | 8 24 26  | 7 Rel 1, 6 Btn 1, 23 LED_n 1, 10 WifiLED_n
BASILUS           | BA-TOM16A               | CB2S | 24 7 6   | 26 Rel 1, 10 Btn 1, 23 LED_n 1, 8 WifiLED
Calex             | 5201000300              | CB2S | 11 26 24 | 8 Rel 1, 7 Btn 1, 6 LED 1, 10 WifiLED_n
Camelion          | BNS/SH-1/16A/WIFI       | CB2S | 6 8 7    | 24 Rel 1, 10 Btn 1, 26 WifiLED_n
Eightree          | ET43                    | CBU  | 20 14 16 | 22 Rel 1, 7 Rel 2, 26 Rel 3, 8 Btn 1, 6 Btn 2, 24 Btn 3, 17 Btn_Tgl_All, 9 WifiLED_n
ELIVCO            | LSPA9                   | CB2S | 24 7 6   | 26 Rel 1, 10 Btn 1
Elworks           | CLY809M-GE              | CB2S | 23 7 8   | 24 Rel 1, 26 Rel 2, 6 Btn_Tgl_All, 10 WifiLED_n
Hama              | 00176575                | CB2S | 24 7 6   | 26 Rel 1, 10 Btn 1, 8 WifiLED_n
HomeKit           | WHDZ03                  | CB2S | 24 7 6   | 26 Rel 1, 11 Btn 1, 8 WifiLED
Ledlux            | BSD34                   | CB2S | 24 7 6   | 26 Rel 1, 10 Btn 1, 8 WifiLED
Mirabella         | I004526                 | CB2S | 24 7 6   | 26 Rel 1, 10 Btn 1, 8 LED_n 1
Nedis             | WIFIPO120FWT            | CB2S | 24 7 6   | 26 Rel 1, 10 Btn 1, 8 LED 1
QCNX              | plug with meter         | CB2S | 24 9 6   | 26 Rel 1, 23 Btn 1, 8 LED_n 1
QNCX              | LSPA9 clone             | T34  | 8 6 7    | 24 Rel 1, 26 Btn 1, 28 WifiLED
SiGN              | SN-WIFIPLUG             | CB2S | 23 7 8   | 24 Rel 1, 26 Rel 2, 6 Btn 1, 10 LED_n 1
Sumart            | BSD48                   | CB2S | 24 7 6   | 26 Rel 1, 10 Btn 1, 8 WifiLED
TeslaSmart        | TSL-SPL-1               | CB2S | 24 7 6   | 26 Rel 1, 10 Btn 1, 8 LED_n 1
Tuya              | 07762L (Immax Neo Lite) | CB2S | 6 8 7    | 24 Rel 1, 10 Btn 1, 26 WifiLED_n
Tuya              | 3750 (Silvergear)       | CB2S | 8 6 7    | 24 Rel 1, 26 Btn 1, 10 WifiLED_n
Tuya              | CSH-PLGPM-001           | CB2S | 24 7 6   | 26 Rel 1, 10 Btn 1, 8 WifiLED_n
Tuya              | Feu smart plug 16A      | CB2S | 24 7 6   | 26 Rel 1, 11 Btn 1, 8 LED_n 1
Tuya              | FL-S181-V1.2            | CB2S | 23 6 7   | 24 Rel 1, 8 Rel 2, 11 Btn 1, 26 Btn 2
Tuya              | FL-S190-V1.1            | CB2S | 23 7 8   | 6 Rel 1, 24 Btn 1, 26 WifiLED_n
Tuya              | LSPA9                   | CB2S | 24 7 6   | 26 Rel 1, 11 Btn 1, 8 WifiLED_n
Tuya              | OR-SH-17405             | CB3S | 26 6 24  | 8 Rel 1, 7 Btn 1, 9 WifiLED_n
Tuya              | RMC001                  | CB2S | 24 7 6   | 26 Rel 1, 10 Btn 1, 8 WifiLED_n
Tuya              | RMC004                  | CB2S | 24 7 6   | 26 Rel 1, 10 Btn 1, 8 LED_n 1
Tuya              | RMC021                  | CB2S | 24 7 6   | 26 Rel 1, 10 Btn 1, 8 WifiLED_n
Tuya              | RP-S01 (Martin Jerry)   | CB3S | 14 24 26 | 8 Rel 1, 7 Btn 1, 6 LED 1, 9 WifiLED
Tuya              | SK-W801 J (Tozenvan)    | CB3S | 24 8 7   | 6 Rel 1, 10 Btn 1, 26 WifiLED_n
Tuya              | SL-PS11                 | CB2S | 24 7 8   | 23 Rel 1, 11 Btn 1, 10 WifiLED_n, 6 PWM 4
Tuya              | SMR-MG-CZ102W           | CB2S | 26 6 7   | 8 Rel 1, 24 Btn 1, 23 WifiLED_n
Tuya              | SNW-2AU                 | CB3S | 26 24 6  | 8 Rel 1, 7 Btn 1, 9 WifiLED
Tuya              | SWP86-01OG              | CB2S | 8 24 26  | 7 Rel 1, 6 Btn 1, 10 WifiLED_n
Tuya              | TGWF115PQM (Topgreener) | CB2S | 24 7 6   | 26 Rel 1, 10 Btn 1, 8 WifiLED_n
Tuya              | TYTE-D1                 | CB3S | 9 24 6   | 8 Rel 1, 7 Btn 1, 14 WifiLED_n, 26 DS1820_IO 2
Tuya              | WH_AU_ME V01            | CB2S | 24 7 6   | 26 Rel 1, 11 Btn 1, 8 WifiLED_n
WOOX              | R6113                   | CB2S | 11 26 24 | 8 Rel 1, 7 Btn 1, 6 LED 1
"""
_METER_ROLES: Final = (PinRole.BL0937SEL, PinRole.BL0937CF, PinRole.BL0937CF1)


def _read_table() -> Iterator[KnownDevice]:
    for line in _TABLE.strip().splitlines():
        vendor, model, module, meter, others = (
            part.strip() for part in line.split("|")
        )
        pins = [
            PinAssignment(pin=int(pin), role=role)
            for pin, role in zip(meter.split(), _METER_ROLES, strict=True)
        ]
        pins += [_read_pin(pin) for pin in others.split(",")]
        yield KnownDevice(
            key=re.sub(r"\W+", "_", f"{vendor} {model}".casefold()).strip("_"),
            vendor=vendor,
            model=model,
            profile=SocketProfile.of(pins, module),
        )


def _read_pin(text: str) -> PinAssignment:
    pin, name, *channel = text.split()
    role = role_from_name(name)
    assert role is not None
    return PinAssignment(
        pin=int(pin), role=role, channel=int(channel[0]) if channel else 0
    )


KNOWN_DEVICES: Final[Mapping[str, KnownDevice]] = {
    device.key: device for device in _read_table()
}


def devices_with(module: str | None) -> tuple[KnownDevice, ...]:
    """Return the models that have this module inside; all where it is unknown or in none."""
    devices = tuple(KNOWN_DEVICES.values())
    wanted = (module or "").strip().upper()
    return (
        tuple(device for device in devices if device.profile.module == wanted)
        or devices
    )
