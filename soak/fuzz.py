"""Foreign bytes and texts into every parser: it reads them, or refuses them with a declared error."""

from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
import json
from random import Random
import resource
import time
from typing import Any, Final
import zlib

from hypothesis import (
    HealthCheck,
    Phase as Stage,
    given,
    seed,
    settings,
    strategies as st,
)

from custom_components.openbk.issues.unfinished import UnfinishedSocket
from custom_components.openbk.live.snapshots import KeptSettings
from custom_components.openbk.pyopenbk.backups.sidecar import Sidecar
from custom_components.openbk.pyopenbk.beken.chips import BK7231N, BK7231T
from custom_components.openbk.pyopenbk.beken.rf_sector import parse_rf_sector
from custom_components.openbk.pyopenbk.beken.update_slots import UPDATE_SLOTS
from custom_components.openbk.pyopenbk.bootrom.frames import FrameParser, changed_flash
from custom_components.openbk.pyopenbk.checksums import byte_sum, openbeken_config_crc
from custom_components.openbk.pyopenbk.descriptions import read_description
from custom_components.openbk.pyopenbk.errors import OpenBekenError
from custom_components.openbk.pyopenbk.flashing.dump_files import read_dump_file
from custom_components.openbk.pyopenbk.flashing.records import JobRecord
from custom_components.openbk.pyopenbk.foreign_text import (
    markdown_code,
    markdown_text,
    one_line,
)
from custom_components.openbk.pyopenbk.metering.calibration import Calibration
from custom_components.openbk.pyopenbk.metering.energy import (
    CorrectedCounter,
    SteadyCounter,
)
from custom_components.openbk.pyopenbk.obk import (
    builds,
    config_sector,
    messages,
    setting_pages,
    startup,
)
from custom_components.openbk.pyopenbk.obk.addresses import parse_address
from custom_components.openbk.pyopenbk.obk.console import parse_reply
from custom_components.openbk.pyopenbk.obk.image import recognise
from custom_components.openbk.pyopenbk.obk.keepsake import Keepsake
from custom_components.openbk.pyopenbk.obk.meter import _readings, _sensors
from custom_components.openbk.pyopenbk.obk.ota import check_update, version_of_info
from custom_components.openbk.pyopenbk.obk.releases import (
    Update,
    _release,
    _update as _offer,
    parse_version,
)
from custom_components.openbk.pyopenbk.obk.snapshot import Snapshot
from custom_components.openbk.pyopenbk.obk.templates import parse_template
from custom_components.openbk.pyopenbk.profile import ProfileError, SocketProfile
from custom_components.openbk.pyopenbk.tuya.reader import read_pins
from custom_components.openbk.pyopenbk.tuya.summary import read_summary
from custom_components.openbk.pyopenbk.tuya.user_params import parse_user_params
from custom_components.openbk.pyopenbk.tuya.wifi import read_wifi
from simulator import images, rbl
from simulator.code_memory import APPLICATION_ADDRESS, DATA, encipher, to_records
from tests.pyopenbk.obk import packer
from tests.pyopenbk.tuya import store_writer

from .chips import FLASH_SIZE, SUBJECTS

_CHIP: Final = SUBJECTS["bk7231n"]
# What one input may cost, in seconds of the processor.
_LONGEST: Final = 2.0
# What all inputs of a parser may leave behind or need at a time, in bytes: a flash has 2 MiB.
_MOST_MEMORY: Final = 128 * 1024 * 1024
_EDITS: Final = (1, 1, 1, 2, 3, 6)
_HEAD: Final = 128
_LONGEST_ANYTHING: Final = 200
# Behind magic, flags, time and three texts (facts of the header: `simulator.rbl`).
_RBL_BODY_CRC: Final = rbl.SIZE - 20
_RBL_BODY_SIZE: Final = rbl.SIZE - 8

type Input = bytes | str


@dataclass(frozen=True, slots=True)
class Target:
    """A parser, what it reads when all is well, and how it refuses the rest."""

    name: str
    read: Callable[[Any], object]
    samples: tuple[Input, ...]
    errors: tuple[type[Exception], ...] = (OpenBekenError,)
    contents: tuple[Input, ...] = ()
    """What lies behind checksums, a cipher or a compression, to be damaged before it is packed."""
    pack: Callable[[Any], Input] | None = None
    """Puts contents in order for the parser, whatever they are."""
    bomb: Callable[[], Input] | None = None
    """Makes what costs much where it is believed, for this parser alone."""


class Finding(AssertionError):
    """A parser did what none may do."""


def _frames(data: bytes) -> None:
    parser = FrameParser()
    for start in range(0, len(data), 7):
        parser.received += data[start : start + 7]
        while (frame := parser.take()) is not None:
            changed_flash(frame)
        if len(parser.received) > FLASH_SIZE or len(parser.skipped) > 64:
            raise Finding("it keeps what it should have skipped")


def _message(text: str) -> None:
    topic, _, payload = text.partition(" ")
    messages.parse(topic, payload)
    messages.is_client_id(topic)
    builds.is_build(builds.in_todays_words(payload, "BK7231N"))
    builds.release_of(payload)


def _sensors_and_readings(body: bytes) -> None:
    _readings(_sensors(body))


def _shown(text: str) -> None:
    for show in (one_line, markdown_text, markdown_code):
        shown = show(text)
        if "\n" in shown or "\r" in shown:
            raise Finding(f"{show.__name__} lets a line end")
        shown.encode()


def _stored(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError as err:
        # Home Assistant reads what it stored.
        raise ValueError("nested too deep") from err


def _profile(text: str) -> None:
    profile = SocketProfile.from_dict(_stored(text))
    # What cannot be stored would keep Home Assistant from storing anything.
    json.dumps(profile.as_dict(), ensure_ascii=False).encode()


def _template(text: str) -> None:
    profile = parse_template(text).profile
    json.dumps(profile.as_dict(), ensure_ascii=False).encode()


def _update(text: str) -> None:
    Update.from_dict(_stored(text))


def _index(text: str) -> None:
    """Read an entry of the index of releases, where both of its readers pass over what is none."""
    entry = _stored(text)
    for chip in (BK7231N, BK7231T):
        _release(entry, chip)
    if (offer := _offer(entry)) is not None:
        json.dumps(offer.as_dict(), ensure_ascii=False).encode()


def _over_the_air(data: bytes) -> None:
    check_update(data, UPDATE_SLOTS["BK7231N"], ("BL0937",))


def _image_of_t(data: bytes) -> None:
    recognise(data, BK7231T)


def _page(text: str) -> None:
    """Read a page of a socket for all that any of them may show."""
    version_of_info(text)
    setting_pages.drivers_of(text)
    setting_pages.labels_of(text)
    for read in (
        setting_pages.flags_of,
        setting_pages.start_values_of,
        setting_pages.startup_command_of,
    ):
        with suppress(ValueError):
            read(text)


def _stored_as(read: Callable[[Any], object]) -> Callable[[str], None]:
    def parse(text: str) -> None:
        read(_stored(text))

    return parse


def _pins(data: bytes) -> None:
    """Read a store for all that is looked up in it."""
    read_wifi(data)
    read_pins(data)


def _pack_store(blocks: bytes) -> bytes:
    """Return a store of its own, with the sums of its blocks as they should be."""
    sectors = []
    for start in range(0, len(blocks), store_writer.SECTOR):
        block = bytearray(blocks[start:][: store_writer.SECTOR])
        block = block.ljust(store_writer.SECTOR, b"\xff")
        block[4:8] = byte_sum(block[8:]).to_bytes(4, "little")
        sectors.append(store_writer.encrypt(store_writer.data_key(), bytes(block)))
    return store_writer.key_sector() + b"".join(sectors)


def _pack_configuration(data: bytes) -> bytes:
    """Return a configuration with the checksum that its version has."""
    end = 2016 if data[4:8] == b"\x03\0\0\0" else 3584
    return data[:3] + bytes([openbeken_config_crc(data[4:end])]) + data[4:]


def _pack_update(code: bytes) -> bytes:
    """Return code as it is sent over the air."""
    return packer.over_the_air.__wrapped__(code)


def _pack_container(data: bytes) -> bytes:
    """Return an over-the-air file whose header is believed."""
    head, body = data[: rbl.SIZE].ljust(rbl.SIZE, b"\0"), data[rbl.SIZE :]
    body_size = int.from_bytes(head[-8:-4], "little")
    crc = zlib.crc32(body[:body_size]).to_bytes(4, "little")
    head = head[:_RBL_BODY_CRC] + crc + head[_RBL_BODY_CRC + 4 : -4]
    return head + zlib.crc32(head).to_bytes(4, "little") + body


def _pack_wrapped(data: bytes) -> bytes:
    """Return Tuya's wrapping around a file, as it should be."""
    header = bytes.fromhex("55AA55AA") + b"1.18.300".ljust(12, b"\0")
    header += len(data).to_bytes(4) + byte_sum(data).to_bytes(4)
    header += byte_sum(header).to_bytes(4) + bytes.fromhex("AA55AA55")
    return header + data


def _pack_wrapped_container(data: bytes) -> bytes:
    return _pack_wrapped(_pack_container(data))


def _pack_code(code: bytes) -> bytes:
    """Return code as the flash has it: in the cipher of the standard key, with checksums."""
    whole = code.ljust(-(-len(code) // DATA) * DATA, b"\xff")
    return to_records(encipher(whole, APPLICATION_ADDRESS))


def _dump(data: bytes) -> None:
    read_dump_file(
        (_CHIP.factory()[:0x1D0000] + data)[:FLASH_SIZE].ljust(FLASH_SIZE, b"\xff")
    )


_SIDECAR: Final = json.dumps(
    {
        "format": 1,
        "chip_id": "0007231c",
        "jedec": "eb6015",
        "code_key_sha256": "0" * 64,
        "mac": _CHIP.mac,
        "flash_size": FLASH_SIZE,
        "date": "2026-11-29T12:00:00+00:00",
        "tool": "openbk",
        "block_crcs": [None] * 32,
        "sha256": None,
        "contents": "factory",
    }
)
_RECORD: Final = json.dumps(
    {
        "format": 1,
        "mac": _CHIP.mac,
        "started": "2026-11-29T12:00:00+00:00",
        "phase": "verify",
        "backup": "a.bin",
        "content": "1.18.300",
        "content_sha256": "0" * 64,
        "regions": [[0x11000, 0x12A000]],
        "restores": None,
        "first_sector_crc": 1,
    }
)
_TEMPLATE: Final = (
    '{"vendor":"Tuya","bDetailed":"0","name":"Socket","model":"S","chip":"BK7231N",'
    '"board":"CB2S","flags":"1024","keywords":[],"pins":{"6":"BL0937SEL;0",'
    '"7":"BL0937CF1;0","8":"BL0937CF;0","10":"WifiLED_n;0","26":"Rel;1","11":"Btn;1"},'
    '"command":"","image":"","wiki":""}'
)
_PROFILE: Final = parse_template(_TEMPLATE).profile
_USER_PARAMS: Final = (
    "{Jsonver:1.1.2,net_trig:2,netled1_pin:8,netled1_lv:0,rl1_pin:26,rl1_lv:1,bt1_pin:11,"
    "bt1_lv:0,ele_pin:7,vi_pin:8,sel_pin_pin:24,sel_pin_lv:1,ele_fun_en:1,chip_type:0,module:CB2S,}"
)
_REPLY: Final = b'HTTP/1.1 200 OK\r\nContent-type: application/json\r\n\r\n{"uptime_s":5,"mac":"38:1f"}'

_SNAPSHOT: Final = {
    "identity": {"MAC": _CHIP.mac, "MQTT topic": "obk12345678"},
    "profile": _PROFILE.as_dict(),
    "flags": 1024,
    "channel_types": [0, 6],
    "start_values": {"1": -1},
    "startup_command": "backlog PowerSave 1",
    "startup_is_whole": True,
    "scripts": [],
    "factors": [0.1, 0.001, 1.5],
}
_KEEPSAKE: Final = Keepsake(
    settings=Snapshot.from_dict(_SNAPSHOT),
    version="1.18.300",
    channels={1: 1},
    energy=1.0,
    files=b"",
).as_json()
_KEPT: Final = {
    "at": "2026-11-29T12:00:00+00:00",
    "before": "update",
    "reporting": None,
    "snapshot": _SNAPSHOT,
}
_UNFINISHED: Final = {
    "profile": _PROFILE.as_dict(),
    "release": "1.18.300",
    "name": "Lamp",
    "model": "BLOW 72-074",
    "client_id": "obk8D123456",
    "group": "bekens_n",
    "ssid": "Nest",
    "ssid2": None,
    "broker": "192.0.2.9",
    "broker_port": 1883,
    "broker_username": "socket",
    "ntp_server": "pool.ntp.org",
    "time_zone": "CET-1CEST",
}
_CALIBRATION: Final = {
    "gain": 1.01,
    "offset": -0.5,
    "gain_variance": 1e-6,
    "offset_variance": 1e-3,
    "covariance": 0.0,
    "offset_significant": True,
    "scale_uncertainty": 0.005,
    "factor": 1.5,
    "points": [
        {
            "reading": 60.0,
            "uncertainty": 0.1,
            "samples": 20,
            "step": 1.5,
            "reference": 60.6,
            "reference_uncertainty": 0.3,
        }
    ],
}
_STEADY: Final = {"offset": 0.0, "raw": 1.5, "at": 1.0, "day": 20}
_CORRECTED: Final = {
    "ahead": 0.0,
    "counted": 1.5,
    "counted_at": 1.0,
    "watts": 60.0,
    "ratios": [1.0, None],
}
_TOLD: Final = json.dumps({"user_param_key": _USER_PARAMS, "gw_bi": "x"})

_READINGS: Final = (
    b'{"StatusSNS":{"Time":"2026-11-29T12:00:00","ENERGY":{"Power":60.5,"ApparentPower":61,'
    b'"ReactivePower":8,"Factor":0.99,"Voltage":230.1,"Current":0.263,"ConsumptionTotal":1234.5}}}'
)

# Little code, so that many damaged copies of it can be looked through.
_PLAIN: Final = packer.openbeken_code() + b"\0BL0937\0"
_PLAIN_OF_T: Final = packer.openbeken_code("BK7231T")
_CODE: Final = packer.update_by_wire(_PLAIN)
_CODE_OF_T: Final = packer.update_by_wire(_PLAIN_OF_T)
_OVER_THE_AIR: Final = packer.over_the_air(_PLAIN)
_BLOCKS: Final = b"".join(
    store_writer.plain_block(number, entries)
    for number, entries in enumerate(
        (
            [store_writer.Entry("user_param_key", _USER_PARAMS.encode(), (0, 1))],
            [
                store_writer.Entry(
                    "gw_wsm", b'{"ssid":"Nest","passwd":"","wfb64":1,"stat":2}', (1, 1)
                )
            ],
        )
    )
)
_SMALL: Final = images.Build(size=0x4000)
_ENTRY: Final = json.dumps(
    {
        "tag_name": "1.18.300",
        "published_at": "2026-11-22T16:44:43Z",
        "draft": False,
        "prerelease": False,
        "body": "* a change",
        "html_url": "https://github.com/openshwprojects/OpenBK7231T_App/releases/tag/1.18.300",
        "assets": [
            {
                "name": name,
                "size": 1_220_464,
                "browser_download_url": f"https://github.com/{name}",
                "digest": f"sha256:{'0' * 64}",
            }
            for name in (
                "OpenBK7231N_QIO_1.18.300.bin",
                "OpenBK7231N_1.18.300.rbl",
                "OpenBK7231T_UA_1.18.300.bin",
            )
        ],
    }
)
_PAGES: Final = (
    '<input type="checkbox" name="flag0" id="flag0" value="1" checked>'
    '<input type="hidden" name="setFlags" value="1">',
    'New start values<input name="idx" value="1"/><label for="value">Value</label><br>'
    '<input type="number" id="value" name="value" value="-1">',
    "<textarea id='data' name='data' rows='9'>PowerSave 1</textarea>",
    '<input type="hidden" name="tgl" value="1"><input class="b" type="submit" value="Lamp"/>'
    "2 drivers active (BL0937,NTP), total",
    "Built on Nov 22 2026 16:44:43 version 1.18.300",
)


def _keepsake_that_swells() -> str:
    files = b64encode(zlib.compress(bytes(0x1000_0000))).decode()
    return json.dumps(json.loads(_KEEPSAKE) | {"files": files})


def _nested_store() -> bytes:
    entry = store_writer.Entry("gw_wsm", b"[" * 3_800, (0, 1))
    return _pack_store(store_writer.plain_block(0, [entry]))


@cache
def _update_that_swells() -> bytes:
    """Return a file that calls itself small and is packed into a thousandth of its code."""
    body = images.pack_ota(bytes(0x400_0000))
    sizes = len(body).to_bytes(4, "little") + bytes(4)
    return _pack_container(_OVER_THE_AIR[:_RBL_BODY_SIZE] + sizes + body)


TARGETS: Final = (
    Target(
        "frames",
        _frames,
        (b"\x04\x0e\xff\x01\xe0\xfc\xf4\x06\x00\x09\x00\x00\x00\x01\x00",),
    ),
    Target("sidecar", Sidecar.from_json, (_SIDECAR,), (ValueError,)),
    Target("job record", JobRecord.from_json, (_RECORD,), (ValueError,)),
    Target("keepsake", Keepsake.from_json, (_KEEPSAKE,), bomb=_keepsake_that_swells),
    Target("template", _template, (_TEMPLATE,)),
    Target(
        "summary", read_summary, (_USER_PARAMS, "- Relay (channel 1) on P26", _TEMPLATE)
    ),
    Target("user parameters", parse_user_params, (_USER_PARAMS,)),
    Target(
        "factory storage",
        _pins,
        (_pack_store(_BLOCKS),),
        contents=(_BLOCKS,),
        pack=_pack_store,
        bomb=_nested_store,
    ),
    Target("radio sector", parse_rf_sector, (_CHIP.factory()[0x1D0000:0x1D1000],)),
    Target(
        "configuration sector",
        config_sector.parse,
        (_CHIP.sector(),),
        contents=(_CHIP.sector(),),
        pack=_pack_configuration,
    ),
    Target("image", recognise, (_CODE,), contents=(_PLAIN,), pack=_pack_code),
    Target(
        "image of BK7231T",
        _image_of_t,
        (_CODE_OF_T,),
        contents=(_PLAIN_OF_T,),
        pack=_pack_code,
    ),
    Target(
        "over-the-air file",
        _over_the_air,
        (_OVER_THE_AIR,),
        contents=(_OVER_THE_AIR,),
        pack=_pack_container,
        bomb=_update_that_swells,
    ),
    Target(
        "code over the air",
        _over_the_air,
        (_OVER_THE_AIR,),
        contents=(_PLAIN,),
        pack=_pack_update,
    ),
    Target(
        "wrapped file",
        recognise,
        (_pack_wrapped(_OVER_THE_AIR),),
        contents=(_OVER_THE_AIR,),
        pack=_pack_wrapped_container,
        bomb=lambda: _pack_wrapped(_update_that_swells()),
    ),
    Target("index of releases", _index, (_ENTRY,), (ValueError,)),
    Target("page of a socket", _page, _PAGES),
    Target("dump", _dump, (_CHIP.factory()[0x1D0000:0x1D1000],)),
    Target(
        "MQTT message", _message, ("power/get 12.5", "build OpenBK7231N 1.18.300 x")
    ),
    Target(
        "address", parse_address, ("192.0.2.7", "192.0.2.7:8080", "[::1]", "a.local")
    ),
    Target("HTTP reply", parse_reply, (_REPLY,)),
    Target("readings over HTTP", _sensors_and_readings, (_READINGS,)),
    Target(
        "start-up command",
        startup.parse,
        ("backlog PowerSave 1; addRepeatingEvent 5 -1 x",),
    ),
    Target("version", parse_version, ("1.18.300",)),
    Target("shown text", _shown, ("**a** [b](c) <h1>`x`\n",)),
    Target("pasted description", read_description, (_USER_PARAMS, _TEMPLATE, _TOLD)),
    Target(
        "stored profile",
        _profile,
        (json.dumps(_PROFILE.as_dict()),),
        (OpenBekenError, ValueError),
    ),
    Target(
        "stored settings",
        _stored_as(KeptSettings.from_dict),
        (json.dumps(_KEPT),),
        (OpenBekenError, ValueError),
    ),
    Target(
        "stored choices",
        _stored_as(UnfinishedSocket.from_dict),
        (json.dumps(_UNFINISHED),),
        (KeyError, TypeError, ValueError, ProfileError),
    ),
    Target(
        "stored calibration",
        _stored_as(Calibration.from_dict),
        (json.dumps(_CALIBRATION),),
        (OpenBekenError, ValueError),
    ),
    Target(
        "stored count",
        _stored_as(SteadyCounter.from_dict),
        (json.dumps(_STEADY),),
        (KeyError, TypeError, ValueError),
    ),
    Target(
        "stored energy",
        _stored_as(CorrectedCounter.from_dict),
        (json.dumps(_CORRECTED),),
        (KeyError, TypeError, ValueError),
    ),
    Target(
        "stored update",
        _update,
        (
            '{"version":"1","published":"2026-11-29","notes":"","prerelease":false,'
            '"page":null,"chips":[],"assets":{}}',
        ),
        (KeyError, TypeError, ValueError, AttributeError),
    ),
)

_BOMBS: Final = (
    "",
    "[" * 100_000,
    '{"a":' * 50_000,
    "9" * 5000,
    "1." + "9" * 5000,
    '{"format":1,"flash_size":1e999}',
    '{"format":1,"flash_size":Infinity,"mac":5}',
    '{"format":NaN}',
    '{"pins":{"26":"Rel;1"},"chip":"BK7231N","board":"\\ud800"}',
    '{"pins":{"26":"Rel;' + "9" * 5000 + '"},"chip":"BK7231N"}',
    '{"module":"\\ud800","rl1_pin":26}',
    "power/get 1e308",
    "power/get nan",
    "9" * 300 + "/get 1",
    "build OpenBK7231N 1." + "9" * 5000,
    "127.0.0.1:99999999",
    "127.0.0.1:-1",
    "192.0.2.7:8_0",
    "192.0.2.7:\uff18\uff10",
    "\x00" * 5000,
    "HTTP/1.1 " + "9" * 5000 + " OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\n" + "a:b\r\n" * 20_000 + "\r\n",
    "backlog " * 20_000,
    "0001-01-01T00:00+14:00",
)
"""The kept corpus: nesting, long numbers, what is no number, half of a character."""


def kept(target: Target) -> Iterable[Input]:
    """Yield the corpus in the form that a target takes."""
    if target.bomb is not None:
        yield target.bomb()
    for text in _BOMBS:
        if isinstance(target.samples[0], bytes):
            yield text.encode()
            yield text.encode("utf-16")
        else:
            yield text
            yield text.replace('{"format":1,', target.samples[0][:-1] + ",")


def check(target: Target, data: Input) -> str:
    """Give one input to a target; return ``read`` or the name of the error. Raises Finding."""
    started = time.process_time()
    try:
        target.read(data)
        end = "read"
    except target.errors as err:
        end = type(err).__name__
    except Finding:
        raise
    except Exception as err:
        raise Finding(
            f"{target.name}: {type(err).__name__}: {err}, of {data[:200]!r}"
        ) from err
    if (took := time.process_time() - started) > _LONGEST:
        raise Finding(f"{target.name}: {took:.1f} s for {data[:200]!r}")
    return end


_KINDS: Final = ("insert", "replace", "cut", "drop", "double")
_PIECES: Final = (
    "[",
    "{",
    '"',
    "1e999",
    "-1",
    "null",
    "NaN",
    "\\ud800",
    "\\u0000",
    "9" * 400,
)
# What JSON may hold in the place of anything else.
_VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    -1,
    0,
    1,
    255,
    1 << 31,
    1 << 64,
    10**400,
    0.5,
    1e308,
    float("inf"),
    float("nan"),
    "",
    "0",
    "-1",
    "1e999",
    "x" * 300,
    "\ud800",
    "\0",
    "26;1",
    [],
    [[]],
    [None],
    {},
    {"a": None},
)


def _anything(target: Target, chance: Random) -> Input:
    size = chance.randrange(_LONGEST_ANYTHING)
    if isinstance(target.samples[0], bytes):
        return chance.randbytes(size)
    # Lone halves of surrogates come out of JSON, too.
    return "".join(chr(chance.randrange(0x110000)) for _ in range(size))


def _edit(sample: Any, chance: Random) -> Any:
    """Return bytes or a text that was damaged in some places."""
    is_text = isinstance(sample, str)
    # Mostly few: one that hits a length or a mark hides all others.
    for _ in range(chance.choice(_EDITS)):
        # What leads a file is looked at first, and is little of it.
        most = _HEAD if chance.randrange(2) else len(sample)
        at = chance.randrange(min(most, len(sample)) + 1)
        size = chance.randrange(1, 17)
        piece: Any
        if not is_text:
            piece = chance.randbytes(size)
        elif chance.randrange(2):
            piece = chance.choice(_PIECES)
        else:
            piece = "".join(chr(chance.randrange(0x80)) for _ in range(size))
        match chance.choice(_KINDS):
            case "insert":
                sample = sample[:at] + piece + sample[at:]
            case "replace":
                sample = sample[:at] + piece + sample[at + len(piece) :]
            case "cut" if chance.randrange(4) == 0:
                sample = sample[:at]
            case "double":
                sample = sample[:at] + sample[at : at + size] + sample[at:]
            case _:
                sample = sample[:at] + sample[at + size :]
    return sample


def _replace_value(value: Any, chance: Random) -> Any:
    """Return JSON of which one value, somewhere, is another one, is gone, or is there twice."""
    if not value or not isinstance(value, (dict, list)) or chance.randrange(8) == 0:
        return chance.choice(_VALUES)
    places: list[Any] = [*(value if isinstance(value, dict) else range(len(value)))]
    place = chance.choice(places)
    changed: Any = value.copy()
    match chance.randrange(8):
        case 0:
            del changed[place]
        case 1 if isinstance(changed, dict):
            changed[chance.choice(_PIECES)] = changed[place]
        case 1:
            changed.append(changed[place])
        case _:
            changed[place] = _replace_value(changed[place], chance)
    return changed


def _with_values_replaced(text: str, chance: Random) -> str:
    """Return JSON in which some values are others; raises ValueError where it is none."""
    value = json.loads(text)
    for _ in range(chance.randrange(1, 4)):
        value = _replace_value(value, chance)
    return json.dumps(value)


def damaged(target: Target, chance: Random) -> Input:
    """Return a damaged sample of what a target reads, or anything at all.

    Where there are ``contents``, half of the samples are right on the outside; and half of those
    that are JSON still are.
    """
    if chance.randrange(8) == 0:
        return _anything(target, chance)
    if target.pack is not None and chance.randrange(2):
        return target.pack(_edit(chance.choice(target.contents), chance))
    sample = chance.choice(target.samples)
    if chance.randrange(2):
        with suppress(ValueError):
            if isinstance(sample, str):
                return _with_values_replaced(sample, chance)
            return _with_values_replaced(sample.decode(), chance).encode()
    edited: Input = _edit(sample, chance)
    return edited


def fuzz(target: Target, count: int, number: int) -> Counter[str]:
    """Give so many inputs, which ``number`` chooses, to a target, and raise the smallest Finding."""
    ends: Counter[str] = Counter()

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=(Stage.generate, Stage.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=False).map(partial(damaged, target)))
    def run(data: Input) -> None:
        ends[check(target, data)] += 1

    run()
    return ends


def _memory() -> int:
    """Return the most bytes of memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def storm(target: Target, *, seconds: float, number: int) -> Counter[str]:
    """Give a target as many inputs as the time allows; raises Finding.

    Hypothesis finds the smallest input, but takes a hundred times as long for each.
    """
    ends = Counter(check(target, data) for data in kept(target))
    before = _memory()
    chance = Random(f"{number} {target.name}")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ends[check(target, damaged(target, chance))] += 1
    if (grown := _memory() - before) > _MOST_MEMORY:
        raise Finding(f"{target.name}: {grown >> 20} MiB more memory")
    return ends


def soak(*, seconds: float, number: int) -> tuple[int, list[str]]:
    """Fuzz every target for its share of the time; return 0 where nothing was found, and the table."""
    rows = ["| parser | inputs | read | refused | findings |", "|---|--:|--:|--:|--:|"]
    print(*rows, sep="\n", flush=True)
    whole: Counter[str] = Counter()
    for target in TARGETS:
        ends: Counter[str] = Counter()
        findings = 0
        try:
            ends = storm(target, seconds=seconds / len(TARGETS), number=number)
        except Finding as finding:
            findings += 1
            print(f"VIOLATION, seed {number}: -> {finding}", flush=True)
        read = ends.pop("read", 0)
        refused = ends.total()
        whole.update(inputs=read + refused, read=read, refused=refused, wrong=findings)
        rows.append(
            f"| {target.name} | {read + refused} | {read} | {refused} | {findings} |"
        )
        print(rows[-1], flush=True)
    rows += ["", f"{whole['inputs']} inputs, {whole['wrong']} findings"]
    print(rows[-1], flush=True)
    return 1 if whole["wrong"] else 0, rows
