"""A BLOW 72-074 as it leaves its box: a synthetic flash dump, without a vendor's byte."""

from base64 import b64encode
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
import json
import random
import re
import struct
from typing import Any, Final

from .boot import APPLICATION_START
from .bootrom import STANDARD_CODE_KEY
from .chips import MODELS, Chip, Model
from .code_image import APPLICATION_START_WORDS, application, bootloader, code
from .code_memory import CodeKey
from .flash import SIZE
from .tuya_store import BLOCKS, PAGE, SECTOR, Place, Store

PROTECTED_SECTOR: Final = 0x1ED000
KEY_SECTOR: Final = 0x1EE000
STORE_SIZE: Final = SIZE - KEY_SECTOR
DEFAULT_MAC: Final = "02:0b:e4:72:07:41"

_FAST_CONNECT_KEY: Final = bytes.fromhex("55AA5A55A54D637F")

# The seven pins and the module are the BLOW 72-074's; the other values are those of the
# socket with the same pins whose text is known (facts/tuya-storage.md, 4.3).
USER_PARAMETERS: Final = (
    "{sel_pin_pin:24,rl1_lv:1,bt1_pin:11,led1_pin:10,net_trig:4,jv:1.0.0,"
    "netled1_lv:0,netled_reuse:0,bt1_type:0,nety_led:0,vi_pin:6,resistor:1,"
    "over_cur:17000,bt1_lv:0,reset_t:5,netled1_pin:8,chip_type:0,lose_vol:90,"
    "over_vol:260,module:CB2S,ele_pin:7,ch_cddpid1:9,ch1_stat:2,led1_lv:0,rl1_type:0,"
    "ch_num:1,ele_fun_en:1,rl1_pin:26,netn_led:1,vol_def:0,ch_dpid1:1,sel_pin_lv:1,"
    "crc:88,}"
)


# One like it with a BL0942 on P10 and P11: the keys of that meter are those of two CB2S whose texts
# are known; button and LED are on pins that the other meter has.
SERIAL_METER_PARAMETERS: Final = (
    re.sub(r"(sel_pin_pin|vi_pin|ele_pin|sel_pin_lv):\d+,", "", USER_PARAMETERS)
    .replace("chip_type:0", "chip_type:3,ele_rx:10,ele_tx:11")
    .replace("bt1_pin:11", "bt1_pin:24")
    .replace("led1_pin:10", "led1_pin:6")
)
# What the swap sectors still hold: a parser that takes them shows other pins.
_OLD_USER_PARAMETERS: Final = (
    USER_PARAMETERS.replace("rl1_pin:26", "rl1_pin:14")
    .replace("bt1_pin:11", "bt1_pin:20")
    .replace("module:CB2S", "module:OLD!")
)
_OLD_NETWORK: Final = {"ssid": "Test bench of the factory", "passwd": None}
_SCHEMA: Final = [
    {"mode": "rw", "property": {"type": "bool"}, "id": 1, "type": "obj"},
    {
        "mode": "rw",
        "property": {"max": 86400, "min": 0, "step": 1, "type": "value"},
        "id": 9,
        "type": "obj",
    },
]
_GENERATIONS: Final = {0: 31, 1: 27, 3: 9}
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"


class FastConnect(StrEnum):
    """How the last joined network is kept for a fast connection."""

    XOR = "xor"
    PLAIN = "plain"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorySocket:
    """A socket out of its box, which was joined to a network once."""

    chip: Chip = Chip.BK7231N
    mac: str = DEFAULT_MAC
    seed: int = 0
    """Everything that differs from unit to unit follows from this."""
    user_parameters: str = USER_PARAMETERS
    ssid: str = "Simulated Home"
    password: str = "no real password"
    fast_connect: FastConnect = FastConnect.XOR
    protected_sector: bool = True
    code_key: CodeKey = STANDARD_CODE_KEY
    code_size: int | None = None
    """Bytes of its firmware, where they are others than in real sockets: a multiple of 32."""

    @classmethod
    def numbered(
        cls,
        number: int,
        parameters: str = USER_PARAMETERS,
        chip: Chip = Chip.BK7231N,
        *,
        code_size: int | None = None,
    ) -> FactorySocket:
        """Return one of several sockets: the same product with another MAC.

        With BK7231T it is on a WB2S; the store is laid out as on BK7231N (21 of 24 dumps).
        """
        mac = (int(DEFAULT_MAC.replace(":", ""), 16) + number).to_bytes(6).hex(":")
        if chip is Chip.BK7231T:
            parameters = parameters.replace("module:CB2S", "module:WB2S")
        return cls(
            chip=chip,
            mac=mac,
            seed=number,
            user_parameters=parameters,
            code_size=code_size,
        )

    def dump(self) -> bytes:
        """Return the 2 MiB of its flash."""
        return _dump(self)


def partition_only(dump: bytes) -> bytes:
    """Return the 72 KiB that tools save which read only the store."""
    return dump[KEY_SECTOR:]


def rotated(dump: bytes) -> bytes:
    """Return the dump of a reader that began behind the bootloader and wrapped."""
    return dump[APPLICATION_START:] + dump[:APPLICATION_START]


def blank() -> bytes:
    """Return an erased flash."""
    return b"\xff" * SIZE


def without(dump: bytes, start: int, size: int = SECTOR) -> bytes:
    """Return a dump with a part erased."""
    return dump[:start] + b"\xff" * size + dump[start + size :]


@lru_cache(maxsize=16)
def _dump(unit: FactorySocket) -> bytes:
    flash = bytearray(b"\xff" * SIZE)
    model = MODELS[unit.chip]
    flash[:APPLICATION_START] = bootloader("1.0.1", unit.code_key, model.bootloader)
    code_size = unit.code_size or model.factory_code
    app = application(_code(model, code_size), unit.code_key, model.application)
    flash[APPLICATION_START : APPLICATION_START + len(app)] = app
    _lay(flash, model.rf_calibration, rf_calibration(unit.mac, unit.seed))
    _lay(flash, model.configuration, fast_connect_record(unit))
    _lay(flash, PROTECTED_SECTOR, store_region(unit))
    return bytes(flash)


def _lay(flash: bytearray, start: int, data: bytes) -> None:
    flash[start : start + len(data)] = data


def _code(model: Model, size: int) -> bytes:
    texts = (
        b"< TUYA IOT SDK V:2.3.3 BS:40.00_PT:2.2_LAN:3.4_CAD:1.0.5_CD:1.0.0 >",
        b"< BUILD AT:2022_04_14_15_38_24 BY embed FOR ty_iot_sdk AT %b >"
        % model.factory.encode(),
        b"oem_bk7231n_plug",
        b"keysimulated00074",
    )
    seed = "oem_bk7231n_plug 1.1.15"
    return code(seed, size, APPLICATION_START_WORDS, texts)


def rf_calibration(mac: str, seed: int = 0) -> bytes:
    """Return what the RF sector begins with: 106 bytes of tagged values."""
    chooser = random.Random(f"calibration {seed}")
    values = [
        struct.pack("<I", 0x00BC614E),
        bytes.fromhex(mac.replace(":", "")),
        *(bytes((chooser.randrange(0x40), 0, 0, 0)) for _ in range(4)),
        bytes((*chooser.randbytes(4), 0, 0, 0, 0)),
    ]
    records = b"".join(
        struct.pack("<II", 0x11111100 + number, len(value)) + value
        for number, value in enumerate(values, 1)
    )
    group = struct.pack("<II", 0x11111100, len(records)) + records
    return b"TLV\0" + struct.pack("<I", len(group)) + group


def fast_connect_record(unit: FactorySocket) -> bytes:
    """Return the last network that was joined: 171 bytes, or none."""
    if unit.fast_connect is FastConnect.NONE:
        return b""
    chooser = random.Random(f"network {unit.seed}")
    record = unit.ssid.encode().ljust(33, b"\0")
    record += b"\x02" + chooser.randbytes(5) + bytes((5, 6))
    record += chooser.randbytes(32).hex().encode() + b"\0"
    record += unit.password.encode().ljust(65, b"\0")
    if unit.fast_connect is FastConnect.PLAIN:
        return record
    return bytes(
        byte ^ _FAST_CONNECT_KEY[place % 8] for place, byte in enumerate(record)
    )


def store_region(unit: FactorySocket) -> bytes:
    """Return the flash from 0x1ED000 to its end: Tuya's store with older copies."""
    chooser = random.Random(f"identity {unit.seed}")
    inner_key = b"8710_2M_" + chooser.randbytes(4).hex().encode()
    identity = _identity(chooser)
    joined = {"ssid": unit.ssid, "passwd": b64encode(unit.password.encode()).decode()}
    chip = MODELS[unit.chip].environment
    now = _fill(Store(inner_key), identity, joined, unit.user_parameters, chip)
    before = _fill(Store(inner_key), identity, _OLD_NETWORK, _OLD_USER_PARAMETERS, chip)
    protected = now.protected_sector(
        {
            "gw_bi": _json(identity["gw_bi"]),
            "gw_wsm": _json(identity["gw_wsm"] | joined),
        }
    )
    sectors = [
        protected if unit.protected_sector else b"\xff" * SECTOR,
        now.key_sector(),
        *(now.block(number, _GENERATIONS.get(number, 0)) for number in range(BLOCKS)),
        before.block(1, 26),
        before.block(0, 29),
        before.block(1, 24),
    ]
    return b"".join(sectors)


def _fill(
    store: Store,
    identity: dict[str, dict[str, Any]],
    network: dict[str, Any],
    user_parameters: str,
    chip: bytes,
) -> Store:
    """Put values where a device has them that has rewritten some."""
    for name in ("gw_bi", "gw_wsm", "gw_di", "gw_ai"):
        extra = network if name == "gw_wsm" else {}
        store.put(name, _json(identity[name] | extra))
    # The hardware text is in parts: its index at the end of one block, its data in the
    # next, around a page that still holds the network it was tested with.
    text = user_parameters.encode()
    store.leave(Place(1, 7), _json(_OLD_NETWORK))
    pages = [Place(1, page) for page in (6, *range(8, 32))]
    pages += [Place(2, page) for page in range(1, 32)]
    store.put_at("user_param_key", text, Place(0, 30), pages[: -(-len(text) // PAGE)])
    store.go_to(Place(3, 1))
    store.put("is_stride", b"0\0")
    store.put("em_sys_env", chip.ljust(20, b"\0"))
    store.put("wf_start_md", b"1\0")
    store.put("000004s1mu", _json(_SCHEMA) + b"\0")
    return store


def _identity(chooser: random.Random) -> dict[str, dict[str, Any]]:
    """Return invented identities in the forms that real ones have."""

    def word(length: int) -> str:
        return "".join(chooser.choices(_LETTERS, k=length))

    return {
        "gw_bi": {
            "uuid": word(16),
            "psk_key": word(37),
            "auth_key": word(32),
            "ap_ssid": "SmartLife",
            "ap_passwd": None,
            "country_code": None,
            "bt_mac": None,
            "bt_hid": None,
            "prod_test": False,
            "fac_pin": word(16),
        },
        "gw_wsm": {
            "nc_tp": 9,
            "md": 0,
            "random": 0,
            "wfb64": 1,
            "stat": 2,
            "token": word(14),
            "region": "EU",
            "reg_key": word(4),
            "dns_prio": 0,
        },
        "gw_di": {
            "abi": 0,
            "id": word(20),
            "swv": "1.1.15",
            "bv": "40.00",
            "pv": "2.2",
            "lpv": "3.4",
            "pk": word(16),
            "firmk": "keysimulated00074",
            "cadv": "1.0.5",
            "cdv": "1.0.0",
            "dev_swv": "1.1.15",
            "s_id": "000004s1mu",
            "dtp": 0,
            "sync": 0,
            "attr_num": 0,
            "mst_tp_0": 0,
            "mst_ver_0": None,
        },
        "gw_ai": {
            "key": word(16),
            "lckey": word(16),
            "h_url": "http://a2.tuyaeu.example/d.json",
            "h_ip": None,
            "hs_url": "https://a3.tuyaeu.example/d.json",
            "mq_url": "m1.tuyaeu.example:1883",
            "mqs_url": "m2.tuyaeu.example:8883",
            "time_z": "+01:00",
            "s_time_z": "1585443600-1603587600",
            "psk21_key": word(37),
        },
    }


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
