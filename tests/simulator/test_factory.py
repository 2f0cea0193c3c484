"""The synthetic factory dump is a real one to tools that nobody here wrote."""

from dataclasses import replace
import io
import re

from bk7231tools.analysis.flash import FLASH_LAYOUTS
from bk7231tools.analysis.kvstorage import KEY_MASTER, KVStorage
from bk7231tools.analysis.rbl import Container, find_rbl_containers_indices
from bk7231tools.crypto.code import BekenCodeCipher
from Crypto.Cipher import AES
import pytest

from simulator.boot import Running, examine
from simulator.bootrom import STANDARD_CODE_KEY
from simulator.chips import BK7231N
from simulator.factory import (
    DEFAULT_MAC,
    FactorySocket,
    FastConnect,
    partition_only,
    rotated,
)
from simulator.flash import SIZE, Flash
from tests.reference import fragmented_dump

DUMP = FactorySocket().dump()
BLANK_BLOCK = b"\xff" * 0x10000


def read_store(dump: bytes) -> KVStorage:
    """Find and decrypt the store as bk7231tools does."""
    found = KVStorage.find_storage(dump)
    assert found is not None
    return KVStorage.unpack(found[1], aes=AES.new(KEY_MASTER, AES.MODE_ECB))


def test_it_is_blank_where_and_as_much_as_real_ones_are() -> None:
    assert len(DUMP) == SIZE
    blocks = [DUMP[start : start + 0x10000] for start in range(0, SIZE, 0x10000)]
    assert blocks.count(BLANK_BLOCK) == 11
    blank = sum(
        DUMP[start : start + 0x1000] == b"\xff" * 0x1000
        for start in range(0, SIZE, 0x1000)
    )
    assert 0.38 < blank / 512 < 0.45
    for start in (0x0, 0x1000, 0x11000, 0x80000):
        assert len(set(DUMP[start : start + 0x1000])) == 256


@pytest.mark.parametrize(
    "dump",
    [
        DUMP,
        partition_only(DUMP),
        rotated(DUMP),
        FactorySocket.numbered(3).dump(),
        FactorySocket(protected_sector=False).dump(),
    ],
    ids=["whole", "partition", "rotated", "another unit", "older SDK"],
)
def test_bk7231tools_reads_the_newest_values_of_its_store(dump: bytes) -> None:
    values = read_store(dump).read_all_values_parsed()
    pins = {
        key: value for key, value in values["user_param_key"].items() if "_pin" in key
    }
    assert pins == {
        "sel_pin_pin": 24,
        "sel_pin_lv": 1,
        "bt1_pin": 11,
        "led1_pin": 10,
        "vi_pin": 6,
        "netled1_pin": 8,
        "ele_pin": 7,
        "rl1_pin": 26,
    }
    assert values["user_param_key"]["module"] == "CB2S"
    assert values["gw_wsm"]["ssid"] == "Simulated Home"
    assert values["em_sys_env"] == "bk7231n"


def test_its_hardware_text_is_in_parts() -> None:
    parts = read_store(DUMP).indexes["user_param_key"].parts_data
    assert [(p.block_id, p.page_id_start, p.page_id_end) for p in parts] == [
        (1, 6, 6),
        (1, 8, 9),
    ]


def test_its_swap_sectors_hold_other_pins() -> None:
    """A parser that prefers an older copy would show a relay on P14."""
    swap = DUMP[0x1FD000:]
    main_without_block_1 = DUMP[0x1EE000:0x1F0000] + swap + DUMP[0x1F1000:0x1FD000]
    values = read_store(main_without_block_1).read_all_values_parsed()
    assert values["user_param_key"]["rl1_pin"] == 14


def test_bk7231tools_finds_bootloader_and_application_whole() -> None:
    stream = io.BytesIO(DUMP)
    places = find_rbl_containers_indices(stream)
    assert places == [0x10F9A, 0x129F0A]
    cipher = BekenCodeCipher(STANDARD_CODE_KEY)
    texts = {}
    for place, address in zip(places, (0, 0x10000), strict=True):
        stream.seek(place)
        container = Container.from_bytestream(stream, FLASH_LAYOUTS["ota_1"])
        assert container.payload is not None
        code = bytes(cipher.decrypt(cipher.pad(container.payload), address))
        assert code[3] == 0xEA
        texts[container.header.name] = code
    assert b"V:BK7231N_1.0.1" in texts["bootloader"]
    assert re.search(rb"< BUILD AT:[^>]+ AT bk7231n >", texts["app"])


@pytest.mark.parametrize("mac", [DEFAULT_MAC, "02:00:00:ab:cd:ef"])
def test_its_mac_is_where_ltchiptool_looks(mac: str) -> None:
    dump = FactorySocket(mac=mac).dump()
    sector = dump[0x1D0000:0x1D1000]
    assert sector.startswith(b"TLV\0\x62\0\0\0")
    assert sector[0x1C:0x24] == b"\x02\x11\x11\x11\x06\x00\x00\x00"
    assert sector[0x24:0x2A].hex(":") == mac
    assert sector[106:] == b"\xff" * (4096 - 106)


@pytest.mark.parametrize("form", FastConnect)
def test_the_last_network_is_kept_in_one_of_its_forms(form: FastConnect) -> None:
    unit = FactorySocket(fast_connect=form, ssid="Attic", password="roof window")
    record = unit.dump()[BK7231N.configuration :][:0x1000]
    if form is FastConnect.NONE:
        assert record == b"\xff" * 0x1000
        return
    if form is FastConnect.XOR:
        key = bytes.fromhex("55AA5A55A54D637F")
        record = (
            bytes(b ^ key[i % 8] for i, b in enumerate(record[:171])) + record[171:]
        )
    assert record[:33].rstrip(b"\0") == b"Attic"
    assert record[106:171].rstrip(b"\0") == b"roof window"
    assert record[171:] == b"\xff" * (4096 - 171)


def test_units_differ_in_what_is_their_own() -> None:
    first, second = FactorySocket.numbered(1), FactorySocket.numbered(2)
    assert first.mac != second.mac
    first_dump, second_dump = first.dump(), second.dump()
    assert first_dump[:0x1D0000] == second_dump[:0x1D0000]
    assert first_dump[0x1EE000:] != second_dump[0x1EE000:]
    assert replace(first).dump() is first_dump


def test_a_chip_runs_it_only_with_its_key() -> None:
    assert examine(Flash(DUMP)).running is Running.FACTORY
    assert examine(Flash(DUMP), (0, 0, 0, 0)).running is Running.NOTHING


def test_its_hardware_text_is_that_of_the_reference_dump() -> None:
    theirs = read_store(fragmented_dump()).read_all_values_parsed()
    ours = read_store(DUMP).read_all_values_parsed()
    assert ours["user_param_key"] == theirs["user_param_key"]
