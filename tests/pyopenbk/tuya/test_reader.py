"""From a dump to pins, and every reason why there are none."""

from collections.abc import Callable

import pytest

from custom_components.openbk.pyopenbk.devices import KNOWN_DEVICES
from custom_components.openbk.pyopenbk.tuya import TuyaStorageError, read_pins
from custom_components.openbk.pyopenbk.tuya.pins import PinSource, WarningKind
from custom_components.openbk.pyopenbk.tuya.reader import (
    NoPinDataError,
    TuyaMcuError,
    UntrustedPinDataError,
)
from custom_components.openbk.pyopenbk.tuya.storage import ProblemKind
from custom_components.openbk.pyopenbk.tuya.user_params import UserParamsError
from simulator import factory
from tests.pyopenbk.obk import packer

from . import store_writer as write
from .store_writer import BLOW, Entry

ENVIRONMENT = Entry("em_sys_env", b"bk7231n\0", (0, 3))


def dump_of(*entries: Entry, code: bytes | None = None) -> bytes:
    """Return a dump with these values in its store, and perhaps an application."""
    dump = bytearray(write.dump(write.store(list(entries))))
    if code is not None:
        dump[0x11000 : 0x11000 + 0x118F70] = packer.application(code)
    return bytes(dump)


def code_with(text: bytes) -> bytes:
    """Return a factory firmware that has this text in it."""
    return packer.tuya_code() + b"\0" + text + b"\0" + b"\x55" * 64


def test_the_stores_own_parameters_come_first() -> None:
    """With all seven pins of the socket, whatever else is in the firmware."""
    reading = read_pins(
        dump_of(
            Entry("user_param_key", BLOW, (1, 5), [(1, 6, 6), (1, 8, 10)]),
            ENVIRONMENT,
            code=code_with(b"{rl1_pin:3,module:CB3S,crc:1,}"),
        )
    )
    assert reading.source is PinSource.STORAGE
    assert [pin.pin for pin in reading.profile.pins] == [6, 7, 8, 10, 11, 24, 26]
    assert reading.chip == "BK7231N"


@pytest.mark.parametrize(
    ("environment", "chip"),
    [(b"BK7231NL", "BK7231N"), (b"BK7231S_2M\0", "BK7231T"), (b"esp", "BK7231N")],
)
def test_the_chip_is_what_the_firmware_says_before_what_the_module_says(
    environment: bytes, chip: str
) -> None:
    """The module's name is a hint only."""
    reading = read_pins(
        dump_of(
            Entry("user_param_key", BLOW, (1, 5)),
            Entry("em_sys_env", environment, (0, 3)),
        )
    )
    assert reading.chip == chip


@pytest.mark.parametrize("name", ["baud_cfg", "uart_adapt_params"])
def test_a_socket_with_a_second_chip_is_called_one(name: str) -> None:
    """There are no pins to take over."""
    with pytest.raises(TuyaMcuError):
        read_pins(dump_of(Entry(name, b'{"baud":9600}', (1, 1))))


def test_the_firmware_for_a_second_chip_is_known_by_its_name() -> None:
    """Even where its store is empty."""
    with pytest.raises(TuyaMcuError):
        read_pins(dump_of(code=code_with(b"bk7231n_common_user_config_ty")))


def test_the_firmware_is_asked_where_the_store_has_nothing() -> None:
    """The answer is marked, for it may be a template of another product."""
    reading = read_pins(
        dump_of(ENVIRONMENT, code=code_with(b"{rl1_pin:26,bt1_pin:11,crc:7,}"))
    )
    assert reading.source is PinSource.APPLICATION
    assert [pin.pin for pin in reading.profile.pins] == [11, 26]


def test_a_rotated_dump_gives_its_firmware_as_well() -> None:
    """It starts with the application there."""
    whole = dump_of(ENVIRONMENT, code=code_with(b"{rl1_pin:26,module:CB2S,crc:7,}"))
    reading = read_pins(whole[0x11000:] + whole[:0x11000])
    assert reading.source is PinSource.APPLICATION
    assert reading.profile.relays[0].pin == 26


@pytest.mark.parametrize(
    "text", [b"nothing,crc:x", b"{},crc:1", b"{mode:1,crc:2,}", b"{jv:,module:\0"]
)
def test_other_texts_of_the_firmware_are_no_pins(text: bytes) -> None:
    """They only look alike."""
    with pytest.raises(NoPinDataError):
        read_pins(dump_of(code=code_with(text)))


def test_a_light_in_the_firmware_is_said_to_be_one() -> None:
    """As all lights have such a text."""
    text = b"{Jsonver:1.1.9,r_pin:7,g_pin:8,b_pin:6,key_pin:14,module:WB3S,}"
    reading = read_pins(dump_of(code=code_with(text)))
    assert WarningKind.LIGHT in {warning.kind for warning in reading.warnings}


def test_without_any_description_that_is_the_reason() -> None:
    """A sound store that never had pins has no problems either."""
    for dump in (dump_of(ENVIRONMENT), write.store([ENVIRONMENT])):
        with pytest.raises(NoPinDataError) as refused:
            read_pins(dump)
        assert refused.value.damage == ()


def test_a_lost_description_is_told_from_none() -> None:
    """The problems of the store come with the error."""
    store = write.store([Entry("user_param_key", BLOW, (5, 5))])
    with pytest.raises(NoPinDataError) as refused:
        read_pins(write.dump(write.flip(store, 6 * write.SECTOR + 900)))
    assert [problem.kind for problem in refused.value.damage] == [
        ProblemKind.DAMAGED_SECTOR
    ]


def test_a_damaged_description_is_not_used() -> None:
    """A wrong pin may be the one that shorts something."""
    with pytest.raises(UntrustedPinDataError):
        read_pins(dump_of(Entry("user_param_key", BLOW, (1, 5), checksum=1)))


def test_a_description_that_is_none_is_said_so() -> None:
    """Its checksum is right, its content is not what it should be."""
    with pytest.raises(UserParamsError):
        read_pins(dump_of(Entry("user_param_key", b"unexpected", (1, 5))))


def test_a_file_that_is_no_dump_says_what_it_is() -> None:
    """The reasons of the store's parser pass through."""
    with pytest.raises(TuyaStorageError):
        read_pins(packer.qio(packer.tuya_code()))


@pytest.mark.parametrize(
    "form",
    [bytes, factory.rotated, factory.partition_only],
    ids=lambda form: form.__name__,
)
def test_the_simulated_socket_is_read_in_every_form(
    form: Callable[[bytes], bytes],
) -> None:
    """Somebody else's writer: fragments, older copies with other pins, stale pages."""
    reading = read_pins(form(factory.FactorySocket().dump()))
    assert reading.profile == KNOWN_DEVICES["blow_72_074"].profile
    assert (reading.warnings, reading.conflicts) == ((), ())
    assert reading.chip == "BK7231N"


def test_the_simulated_socket_without_its_key_sector_is_read() -> None:
    """Its protected sector has the key as well."""
    dump = factory.FactorySocket().dump()
    reading = read_pins(factory.without(dump, factory.KEY_SECTOR))
    assert reading.profile == KNOWN_DEVICES["blow_72_074"].profile


def test_nothing_secret_is_in_a_reading() -> None:
    """It is shown, logged and put into diagnostics."""
    secret = Entry("gw_wsm", b'{"ssid":"Neighbours"}', (0, 8))
    reading = read_pins(dump_of(Entry("user_param_key", BLOW, (1, 5)), secret))
    assert "Neighbours" not in repr(reading)
