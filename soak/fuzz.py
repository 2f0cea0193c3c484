"""Foreign bytes and texts into every parser: it reads them, or refuses them with a declared error."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
import json
import time
from typing import Any, Final

from hypothesis import (
    HealthCheck,
    Phase as Stage,
    given,
    seed,
    settings,
    strategies as st,
)

from custom_components.openbk.pyopenbk.backups.sidecar import Sidecar
from custom_components.openbk.pyopenbk.beken.chips import BK7231N, BK7231T
from custom_components.openbk.pyopenbk.beken.rf_sector import parse_rf_sector
from custom_components.openbk.pyopenbk.beken.update_slots import UPDATE_SLOTS
from custom_components.openbk.pyopenbk.bootrom.frames import FrameParser, changed_flash
from custom_components.openbk.pyopenbk.errors import OpenBekenError
from custom_components.openbk.pyopenbk.flashing.dump_files import read_dump_file
from custom_components.openbk.pyopenbk.flashing.records import JobRecord
from custom_components.openbk.pyopenbk.foreign_text import (
    markdown_code,
    markdown_text,
    one_line,
)
from custom_components.openbk.pyopenbk.obk import (
    config_sector,
    messages,
    setting_pages,
    startup,
)
from custom_components.openbk.pyopenbk.obk.addresses import parse_address
from custom_components.openbk.pyopenbk.obk.console import parse_reply
from custom_components.openbk.pyopenbk.obk.image import recognise
from custom_components.openbk.pyopenbk.obk.keepsake import Keepsake
from custom_components.openbk.pyopenbk.obk.ota import check_update, version_of_info
from custom_components.openbk.pyopenbk.obk.releases import (
    Update,
    _release,
    _update as _offer,
    parse_version,
)
from custom_components.openbk.pyopenbk.obk.templates import parse_template
from custom_components.openbk.pyopenbk.profile import SocketProfile
from custom_components.openbk.pyopenbk.tuya.reader import read_pins
from custom_components.openbk.pyopenbk.tuya.summary import read_summary
from custom_components.openbk.pyopenbk.tuya.user_params import parse_user_params
from simulator import images
from tests.pyopenbk.obk import packer

from .chips import FLASH_SIZE, SUBJECTS

_CHIP: Final = SUBJECTS["bk7231n"]
# What one input may cost, in seconds of the processor.
_LONGEST: Final = 2.0
_STORE: Final = 0x1ED000

type Input = bytes | str


@dataclass(frozen=True, slots=True)
class Target:
    """A parser, what it reads when all is well, and how it refuses the rest."""

    name: str
    read: Callable[[Any], object]
    samples: tuple[Input, ...]
    errors: tuple[type[Exception], ...] = (OpenBekenError,)


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
    messages.is_build(payload)
    messages.is_client_id(topic)
    messages.version_of(payload)


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


def _in_flash(start: int) -> Callable[[bytes], bytes]:
    whole = _CHIP.factory()

    def put(data: bytes) -> bytes:
        return (whole[:start] + data)[:FLASH_SIZE].ljust(FLASH_SIZE, b"\xff")

    return put


def _pins(data: bytes) -> None:
    read_pins(_in_flash(_STORE)(data))


def _dump(data: bytes) -> None:
    read_dump_file(_in_flash(0x1D0000)(data))


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
_KEEPSAKE: Final = Keepsake(
    mac=_CHIP.mac,
    version="1.18.300",
    profile=_PROFILE,
    channels={1: 1},
    energy=1.0,
    flags=1024,
    start_values=(0,) * 64,
    startup_command="",
    scripts=(),
    files=b"",
).as_json()
_USER_PARAMS: Final = (
    "{Jsonver:1.1.2,net_trig:2,netled1_pin:8,netled1_lv:0,rl1_pin:26,rl1_lv:1,bt1_pin:11,"
    "bt1_lv:0,ele_pin:7,vi_pin:8,sel_pin_pin:24,sel_pin_lv:1,ele_fun_en:1,chip_type:0,module:CB2S,}"
)
_REPLY: Final = b'HTTP/1.1 200 OK\r\nContent-type: application/json\r\n\r\n{"uptime_s":5,"mac":"38:1f"}'

# Little code, so that many damaged copies of it can be looked through.
_CODE: Final = packer.update_by_wire(packer.openbeken_code())
_CODE_OF_T: Final = packer.update_by_wire(packer.openbeken_code("BK7231T"))
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

TARGETS: Final = (
    Target(
        "frames",
        _frames,
        (b"\x04\x0e\xff\x01\xe0\xfc\xf4\x06\x00\x09\x00\x00\x00\x01\x00",),
    ),
    Target("sidecar", Sidecar.from_json, (_SIDECAR,), (ValueError,)),
    Target("job record", JobRecord.from_json, (_RECORD,), (ValueError,)),
    Target("keepsake", Keepsake.from_json, (_KEEPSAKE,)),
    Target("template", _template, (_TEMPLATE,)),
    Target(
        "summary", read_summary, (_USER_PARAMS, "- Relay (channel 1) on P26", _TEMPLATE)
    ),
    Target("user parameters", parse_user_params, (_USER_PARAMS,)),
    Target("factory storage", _pins, (bytes(64),)),
    Target("radio sector", parse_rf_sector, (_CHIP.factory()[0x1D0000:0x1D1000],)),
    Target("configuration sector", config_sector.parse, (_CHIP.sector(),)),
    Target("image", recognise, (_CHIP.factory()[:0x12000], _CODE)),
    Target("image of BK7231T", _image_of_t, (_CODE_OF_T,)),
    Target("over-the-air file", _over_the_air, (images.ota(_SMALL),)),
    Target("wrapped file", recognise, (images.ug(_SMALL),)),
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
    Target(
        "start-up command",
        startup.parse,
        ("backlog PowerSave 1; addRepeatingEvent 5 -1 x",),
    ),
    Target("version", parse_version, ("1.18.300",)),
    Target("shown text", _shown, ("**a** [b](c) <h1>`x`\n",)),
    Target(
        "stored profile",
        _profile,
        (json.dumps(_PROFILE.as_dict()),),
        (OpenBekenError, ValueError),
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


def _edit(sample: Any, edits: Sequence[tuple[str, int, Any]]) -> Any:
    for kind, place, piece in edits:
        at = place % (len(sample) + 1)
        match kind:
            case "insert":
                sample = sample[:at] + piece + sample[at:]
            case "replace":
                sample = sample[:at] + piece + sample[at + len(piece) :]
            case "cut":
                sample = sample[:at]
            case _:
                sample = sample[:at] + sample[at + 1 + place % 9 :]
    return sample


def inputs(target: Target) -> st.SearchStrategy[Any]:
    """Return damaged samples of what a target reads, and anything at all."""
    piece: st.SearchStrategy[Any]
    if isinstance(target.samples[0], bytes):
        piece = st.binary(max_size=16)
        anything: st.SearchStrategy[Any] = st.binary(max_size=200)
    else:
        # Lone halves of surrogates come out of JSON, too.
        characters = st.characters(exclude_categories=())
        piece = st.text(characters, max_size=8) | st.sampled_from(
            [
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
            ]
        )
        anything = st.text(characters, max_size=200)
    kinds = st.sampled_from(["insert", "replace", "cut", "drop"])
    edits = st.lists(st.tuples(kinds, st.integers(0, 1 << 16), piece), max_size=6)
    samples = st.sampled_from(target.samples)
    return anything | st.builds(_edit, samples, edits)


def fuzz(target: Target, count: int, number: int) -> Counter[str]:
    """Give so many inputs, which ``number`` chooses, to a target; raises Finding."""
    ends: Counter[str] = Counter()

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=(Stage.generate, Stage.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs(target))
    def run(data: Input) -> None:
        ends[check(target, data)] += 1

    run()
    return ends


def soak(*, seconds: float, number: int) -> tuple[int, list[str]]:
    """Fuzz every target for its share of the time; return 0 where nothing was found, and the table."""
    rows = ["| parser | inputs | read | refused | findings |", "|---|--:|--:|--:|--:|"]
    print(*rows, sep="\n", flush=True)
    wrong = 0
    for target in TARGETS:
        ends: Counter[str] = Counter()
        findings = 0
        try:
            ends.update(check(target, data) for data in kept(target))
            end = time.monotonic() + seconds / len(TARGETS)
            count = turn = 10
            while (began := time.monotonic()) < end:
                ends.update(fuzz(target, count, number + turn))
                turn += 1
                # Batches of half a second: each costs Hypothesis some time of its own.
                count = max(1, min(2000, int(count * 0.5 / (time.monotonic() - began))))
        except Finding as finding:
            findings += 1
            print(f"VIOLATION, seed {number}: -> {finding}", flush=True)
        wrong += findings
        read = ends.pop("read", 0)
        rows.append(
            f"| {target.name} | {read + ends.total()} | {read} | {ends.total()} | {findings} |"
        )
        print(rows[-1], flush=True)
    return 1 if wrong else 0, rows
