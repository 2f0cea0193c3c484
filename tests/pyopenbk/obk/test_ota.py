"""Nothing is sent over the air that is not for this very socket, and no upload is half-closed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
import os
from pathlib import Path
import signal
import sys
from typing import override

import pytest

from custom_components.openbk.pyopenbk.beken.flash_map import Region
from custom_components.openbk.pyopenbk.beken.update_slots import UPDATE_SLOTS
from custom_components.openbk.pyopenbk.obk.console import (
    Console,
    PasswordError,
    UnreachableError,
)
from custom_components.openbk.pyopenbk.obk.image import (
    DamagedError,
    ImageError,
    ImageKind,
    TooLargeError,
    TruncatedError,
    UnrecognisedError,
    WrongChipError,
)
from custom_components.openbk.pyopenbk.obk.ota import (
    MissingDriverError,
    NotForAirError,
    NotInstallableError,
    OtaError,
    UnprovenError,
    UploadBrokenError,
    UploadRefusedError,
    check_update,
    drivers_of,
    ota_state,
    send_firmware,
    version_of_info,
)
from custom_components.openbk.pyopenbk.profile import PinAssignment, SocketProfile
from custom_components.openbk.pyopenbk.roles import PinRole
from simulator import images, rbl
from simulator.factory import FactorySocket
from simulator.images import Build
from tests.pyopenbk.obk.served import console_of, served
from tests.support.broker import Broker, free_port
from tests.support.flash_map import OTA, RF_CALIBRATION
from tests.support.simulated import PluggedSocket, configuration
from tests.support.sockets import BLOW

N = UPDATE_SLOTS["BK7231N"]
T = UPDATE_SLOTS["BK7231T"]
METER = ("BL0937",)
FOR_TUYA_MCU = Build(drivers=images.OF_TUYA_MCU)


class Nameless(Build):
    """Code that says nothing of itself."""

    @property
    @override
    def texts(self) -> tuple[bytes, ...]:
        return ()


def repacked(data: bytes, **changes: object) -> bytes:
    """Return an update whose header says something else, its own checksum being right."""
    header = rbl.RblHeader.parse(data)
    assert header
    return replace(header, **changes).pack() + data[rbl.SIZE :]


def damaged(data: bytes) -> bytes:
    return data[:5000] + bytes((data[5000] ^ 1,)) + data[5001:]


def test_the_file_of_this_chip_is_taken() -> None:
    assert check_update(images.ota(), N, METER) == "1.18.300"
    assert check_update(images.ota(images.OF_THE_GUIDE), N, METER) == "1.17.360"


def test_what_just_fits_is_taken_and_one_byte_more_is_not() -> None:
    """It would erase the radio calibration."""
    longest = images.ota().ljust(N.region.size, b"\xff")
    assert N.region.end == RF_CALIBRATION.start
    assert check_update(longest, N, METER)
    with pytest.raises(TooLargeError) as caught:
        check_update(longest + b"\xff", N, METER)
    assert caught.value.limit == N.region.size == 679_936


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (lambda: b"abcd", UnrecognisedError),
        (lambda: b"", UnrecognisedError),
        (lambda: images.ota()[:-100], TruncatedError),
        (lambda: images.ota()[:50], TruncatedError),
        (lambda: damaged(images.ota()), DamagedError),
        (lambda: b"RBL\0" + bytes(200), DamagedError),
        (lambda: images.ota(Build(chip="BK7231T")), WrongChipError),
        (lambda: images.ota(FOR_TUYA_MCU), MissingDriverError),
        (lambda: images.ota(Nameless()), UnprovenError),
        (lambda: repacked(images.ota(), name="bootloader"), UnprovenError),
        (lambda: repacked(images.ota(), raw_size=0x1000), UnprovenError),
        (lambda: repacked(images.ota(), raw_size=0x1086A1), NotInstallableError),
        (lambda: images.ota(Build(entry=0x0FFFF)), NotInstallableError),
        (lambda: images.ota(Build(entry=0x118701)), NotInstallableError),
        (lambda: repacked(images.ota(), flags=rbl.PLAIN), UnprovenError),
    ],
    ids=range(15),
)
def test_what_does_not_fit_is_refused(
    data: Callable[[], bytes], error: type[ImageError | OtaError]
) -> None:
    with pytest.raises(error):
        check_update(data(), N, METER)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (images.qio, ImageKind.QIO),
        (images.ua, ImageKind.UA),
        (images.ug, ImageKind.UG),
        (lambda: images.flashed(FactorySocket().dump()), ImageKind.FULL_BACKUP),
    ],
    ids=["qio", "ua", "ug", "backup"],
)
def test_other_forms_are_named(data: Callable[[], bytes], kind: ImageKind) -> None:
    with pytest.raises(NotForAirError) as caught:
        check_update(data(), N, METER)
    assert caught.value.kind is kind


def test_the_drivers_of_a_build_are_found_whatever_the_letters() -> None:
    assert check_update(images.ota(FOR_TUYA_MCU), N, ("tuyamcu",))
    with pytest.raises(MissingDriverError) as caught:
        check_update(images.ota(FOR_TUYA_MCU), N, ("TuyaMCU", "BL0937", "BL0942"))
    assert caught.value.drivers == ("BL0937", "BL0942")


def test_each_chip_has_its_own_room() -> None:
    """The addresses of BK7231T are those of the firmware's source; nobody has tried them here."""
    sister = Build(chip="BK7231T")
    assert check_update(images.ota(sister), T, METER)
    assert T.region == Region("ota", 0x132000, 0x1B3000)
    with pytest.raises(TooLargeError):
        check_update(images.ota(sister).ljust(T.region.size + 1, b"\xff"), T, METER)
    with pytest.raises(WrongChipError):
        check_update(images.ota(), T, METER)


def test_what_a_socket_needs_is_told_by_its_pins_and_its_scripts() -> None:
    assert drivers_of(BLOW) == ("BL0937",)
    without = SocketProfile.of(BLOW.relays)
    assert drivers_of(without) == ()
    assert drivers_of(
        without, ["backlog startDriver NTP; startdriver bl0942 4800"]
    ) == ("BL0942",)
    bridge = SocketProfile.of([PinAssignment(pin=6, role=PinRole.BRIDGE_FWD)])
    assert drivers_of(bridge, ["", 'startDriver "TuyaMCU"']) == ("Bridge", "TuyaMCU")


def test_the_version_that_the_web_server_says() -> None:
    assert version_of_info("Built on Nov 22 2026 16:44:43 version 1.18.300") == (
        "1.18.300"
    )
    assert version_of_info("Built on Nov 22 2026 version main_0123456789ab") == (
        "main_0123456789ab"
    )
    assert version_of_info("Not found") is None


# On the wire


def received(plugged: PluggedSocket, length: int) -> bytes:
    return plugged.flash.read(OTA.start, length)


async def break_off(console: Console, data: bytes, at: int) -> None:
    """Cancel an upload once so many bytes have left."""
    going = asyncio.Event()

    def progress(done: int, _total: int) -> None:
        if done >= at:
            going.set()

    task = asyncio.create_task(send_firmware(console, data, progress))
    await going.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_file_arrives_byte_by_byte(mosquitto: Broker) -> None:
    async with served(configuration(mosquitto)) as plugged:
        console, data = console_of(plugged), images.ota()
        seen: list[tuple[int, int]] = []
        await send_firmware(console, data, lambda *pair: seen.append(pair))
        assert received(plugged, len(data)) == data
        assert seen == sorted(set(seen))
        assert seen[-1] == (len(data), len(data))
        assert len(seen) > 100
        state = await ota_state(console)
        assert (state.counter, state.is_busy, state.safe_mode) == (1, False, False)


async def test_what_breaks_off_ends_and_can_be_sent_again(mosquitto: Broker) -> None:
    """After a closed connection the server would read on for ever."""
    async with served(configuration(mosquitto)) as plugged:
        console, data = console_of(plugged), images.ota()
        await break_off(console, data, 200_000)
        async with asyncio.timeout(20):
            while (await ota_state(console)).counter != 1:
                await asyncio.sleep(0.01)
        assert not (await ota_state(console)).is_busy
        assert received(plugged, len(data)) != data
        await send_firmware(console, data)
        assert received(plugged, len(data)) == data


async def test_an_upload_that_nobody_ends_is_seen(mosquitto: Broker) -> None:
    """Another one would go on where it is, beyond the end of the slot."""
    async with served(configuration(mosquitto)) as plugged:
        console = console_of(plugged)
        host, _, port = str(plugged.firmware.http_address).partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /api/ota HTTP/1.1\r\nContent-Length: 500000\r\n\r\n")
        writer.write(bytes(50_000))
        await writer.drain()
        async with asyncio.timeout(20):
            while (await ota_state(console)).flashed != 49_152:
                await asyncio.sleep(0.01)
        assert (await ota_state(console)).counter == 0
        writer.transport.abort()


async def test_the_password_is_asked_for_before_anything_is_written(
    mosquitto: Broker,
) -> None:
    async with served(configuration(mosquitto, web_password="secret word")) as plugged:
        data = images.ota()
        with pytest.raises(PasswordError):
            await send_firmware(console_of(plugged), data)
        console = console_of(plugged, "secret word")
        await console.info()
        await send_firmware(console, data)
        assert received(plugged, len(data)) == data
        assert (await ota_state(console)).counter == 1


@asynccontextmanager
async def server(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object],
) -> AsyncIterator[Console]:
    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listening:
        yield Console("127.0.0.1", listening.sockets[0].getsockname()[1])


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\nContent-type: text/html\r\n\r\nNot found.",
        b'HTTP/1.1 200 OK\nContent-type: application/json\r\n\r\n{"size":99}',
        b'HTTP/1.1 200 OK\nContent-type: application/json\r\n\r\n{"size":true}',
        b'HTTP/1.1 -20 OK\nContent-type: application/json\r\n\r\n{"error":-20}',
        b"garbage",
    ],
)
async def test_another_answer_is_no_success(said: bytes) -> None:
    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    async with server(answer) as console:
        with pytest.raises(UploadRefusedError):
            await send_firmware(console, bytes(100_000))


async def test_a_page_that_only_claims_to_be_one_is_read_in_no_time() -> None:
    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\n\r\n" + b"OTA In Progress" * 17_000)
        writer.close()

    async with server(answer) as console:
        assert not (await ota_state(console)).is_busy


async def test_a_server_that_is_gone_before_it_answers() -> None:
    with pytest.raises(UnreachableError):
        await send_firmware(Console("127.0.0.1", free_port()), b"x")

    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(50_000)
        writer.transport.abort()

    async with server(leave) as console:
        with pytest.raises(UploadBrokenError) as caught:
            await send_firmware(console, bytes(4_000_000))
    assert 0 < caught.value.sent < caught.value.total


async def test_one_that_takes_nothing_more_is_given_up() -> None:
    ended = asyncio.Event()

    async def freeze(
        _reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await ended.wait()
        writer.transport.abort()

    async with server(freeze) as console:
        with pytest.raises(UploadBrokenError):
            await send_firmware(console, bytes(50_000_000), patience=0.2)
        ended.set()


async def end_of(reader: asyncio.StreamReader) -> str:
    """Return how a client left."""
    try:
        while await reader.read(65536):
            pass
    except ConnectionResetError:
        return "RST"
    return "FIN"


async def test_it_ends_with_rst_whatever_ends_it() -> None:
    ends: asyncio.Queue[str] = asyncio.Queue()

    async def receive(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readexactly(30_000)
        ends.put_nowait("begun")
        ends.put_nowait(await end_of(reader))
        writer.close()

    async with server(receive) as console:
        task = asyncio.create_task(send_firmware(console, bytes(8_000_000)))
        assert await ends.get() == "begun"
        task.cancel()
        assert await ends.get() == "RST"


_SENDER = """
import asyncio, sys
from simulator.alone import leave_home_assistant_out
leave_home_assistant_out()
from custom_components.openbk.pyopenbk.obk.console import Console
from custom_components.openbk.pyopenbk.obk.ota import send_firmware
asyncio.run(send_firmware(Console("127.0.0.1", int(sys.argv[1])), bytes(80_000_000)))
"""


@pytest.mark.real_time
async def test_it_ends_with_rst_even_where_home_assistant_is_killed() -> None:
    ends: asyncio.Queue[str] = asyncio.Queue()

    async def receive(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readexactly(30_000)
        ends.put_nowait("begun")
        ends.put_nowait(await end_of(reader))
        writer.close()

    listening = await asyncio.start_server(receive, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _SENDER, str(port), cwd=Path(__file__).parents[3]
        )
        assert await ends.get() == "begun"
        os.kill(process.pid, signal.SIGKILL)
        assert await ends.get() == "RST"
        await process.wait()
