"""From the first dialog to the backup: every way it can go is told, and the port comes back."""

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
from typing import Final

from homeassistant.components import mqtt, usb
from homeassistant.config_entries import SOURCE_USER, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import serialx

from custom_components.openbk.const import CONF_ROAD
from custom_components.openbk.flows.wizard.link import SEARCHING, Searching
from simulator.commands import Command
from simulator.faults import Fault, FaultName
from tests.homeassistant.bench import MAC, chip, factory_dump, is_free, open_port
from tests.homeassistant.road import take, to_chip, walk_on
from tests.homeassistant.wizard import Wizard
from tests.pyopenbk.flashing import dumps
from tests.pyopenbk.obk import packer
from tests.support.broker import Broker
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

walks = pytest.mark.walks


@pytest.fixture(autouse=True)
def own_folder(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Keep the backups of each test in a folder of its own."""
    hass.config.config_dir = str(tmp_path)
    return tmp_path / "openbk" / "backups"


async def assert_left(hass: HomeAssistant, wizard: Wizard, path: str) -> None:
    """Leave by the menu; nothing remains but the backup, and the port is free at once."""
    assert await wizard.choose("leave") in {"left_untouched", "left_half_written"}
    await until_free(path)
    assert not hass.config_entries.async_entries("openbk")
    assert not hass.config_entries.flow.async_progress_by_handler("openbk")


@contextmanager
def zigbee_stick(hass: HomeAssistant, path: str) -> Iterator[None]:
    """Let another integration use a port."""
    entry = MockConfigEntry(
        domain="zha",
        title="My Zigbee stick",
        data={"device": {"path": path}},
        state=ConfigEntryState.LOADED,
    )
    entry.add_to_hass(hass)
    try:
        yield
    finally:
        entry.mock_state(hass, ConfigEntryState.NOT_LOADED)


def usb_adapter(path: str) -> usb.USBDevice:
    """Return what Home Assistant tells of a USB-UART adapter."""
    return usb.USBDevice(
        device=path,
        vid="1A86",
        pid="7523",
        serial_number=None,
        manufacturer="QinHeng",
        description="USB Serial",
    )


def plain_port() -> usb.SerialDevice:
    """Return what Home Assistant tells of a port of the computer itself."""
    return usb.SerialDevice(
        device="/dev/ttyS0", serial_number=None, manufacturer=None, description=None
    )


async def until_free(path: str) -> None:
    for _ in range(100):
        if await is_free(path):
            return
    pytest.fail("the port is still held")


@walks("mqtt_missing -> *", "left_unchanged")
async def test_mqtt_is_not_set_up(hass: HomeAssistant, own_folder: Path) -> None:
    wizard = await Wizard.open(hass, "flash")
    assert wizard.page == "mqtt_missing"
    # Nothing that leads to a socket which Home Assistant could not see later.
    assert wizard.result["menu_options"] == ["flash", "leave"]
    assert await wizard.choose("flash") == "mqtt_missing"
    assert await wizard.choose("leave") == "left_unchanged"
    assert not hass.config_entries.flow.async_progress_by_handler("openbk")
    assert not hass.config_entries.async_entries("openbk")
    assert not own_folder.exists()


async def test_repairing_a_restore_begins_with_the_safety_rule(
    hass: HomeAssistant,
) -> None:
    """Without MQTT too, as the factory firmware needs none."""
    wizard = Wizard(hass)
    wizard.look_at(
        await hass.config_entries.flow.async_init(
            "openbk", context={"source": SOURCE_USER}, data={CONF_ROAD: "restore"}
        )
    )
    assert wizard.page == "intro"
    await wizard.close()


@walks("existing_mqtt_missing -> *")
async def test_nothing_is_looked_for_without_mqtt(hass: HomeAssistant) -> None:
    wizard = await Wizard.open(hass, "existing")
    assert await wizard.choose("existing") == "existing_mqtt_missing"
    assert await wizard.choose("leave") == "left_unchanged"
    assert not hass.config_entries.flow.async_progress_by_handler("openbk")


@walks("mqtt_disconnected -> *")
async def test_mqtt_is_not_connected(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    mosquitto.stop()
    await until(lambda: not mqtt.is_connected(hass))
    wizard = await Wizard.open(hass, "flash")
    assert wizard.page == "mqtt_disconnected"
    assert await wizard.choose("leave") == "left_unchanged"
    wizard = await Wizard.open(hass, "flash")
    mosquitto.start()
    await until(lambda: mqtt.is_connected(hass))
    assert await wizard.choose("flash") == "intro"


@pytest.mark.usefixtures("mqtt_connection")
class TestPort:
    """The form with the serial port."""

    @walks("intro -> port -> port")
    async def test_missing(self, hass: HomeAssistant, tmp_path: Path) -> None:
        nothing = str(tmp_path / "nothing")
        wizard = await open_port(hass, nothing)
        assert wizard.page == "port"
        assert wizard.errors == {"adapter": "port_missing"}
        assert wizard.suggested == {"adapter": nothing}
        assert await wizard.submit_suggested() == "port"
        assert wizard.errors == {"adapter": "port_missing"}

    @walks("port -> wiring")
    async def test_no_address(self, hass: HomeAssistant) -> None:
        wizard = await open_port(hass, "  ")
        assert wizard.errors == {"adapter": "port_missing"}
        async with chip(factory_dump()) as socket:
            socket.power(on=False)
            assert await wizard.submit(adapter=socket.path) == "wiring"
            await wizard.close()

    async def test_not_an_address(self, hass: HomeAssistant) -> None:
        wizard = await Wizard.open(hass, "flash")
        for address in (
            "nonsense://1",
            "nonsense://[::1",
            "/dev/tty\0USB0",
            "/dev/zero",
        ):
            await wizard.submit(adapter=address)
            assert wizard.errors == {"adapter": "port_unsupported"}, address

    async def test_its_name_leads_to_another_number_after_it_was_plugged_in_again(
        self, hass: HomeAssistant, tmp_path: Path
    ) -> None:
        """As /dev/serial/by-id does: what was typed once is right again."""
        by_id = tmp_path / "usb-1a86_USB_Serial-if00-port0"
        async with chip(factory_dump()) as before, chip(factory_dump()) as after:
            by_id.symlink_to(before.path)
            wizard = await to_chip(hass, str(by_id))
            assert wizard.page == "no_pins_erased"
            before.unplug(0)
            by_id.unlink()
            await wizard.close()
            await hass.async_block_till_done()
            again = await open_port(hass, str(by_id))
            assert again.errors == {"adapter": "port_missing"}
            by_id.symlink_to(after.path)
            await again.submit_suggested()
            assert await walk_on(again) == "no_pins_erased"
            await again.close()

    @walks("intro -> port -> backup")
    async def test_held_by_another_program(self, hass: HomeAssistant) -> None:
        async with chip(factory_dump()) as socket:
            async with serialx.async_serial_for_url(socket.path, baudrate=115200):
                wizard = await open_port(hass, socket.path)
                assert wizard.errors == {"adapter": "port_busy"}
            assert await wizard.submit(adapter=socket.path) == "no_pins_erased"

    async def test_used_by_another_integration(self, hass: HomeAssistant) -> None:
        async with chip(factory_dump()) as socket:
            with zigbee_stick(hass, os.path.realpath(socket.path)):
                wizard = await open_port(hass, socket.path)
                assert wizard.errors == {"adapter": "port_owned"}
                assert wizard.placeholders["owner"] == "My Zigbee stick"
                assert await is_free(socket.path)
            assert await wizard.submit(adapter=socket.path) == "no_pins_erased"

    @walks("intro -> backup")
    async def test_the_only_adapter_that_nobody_uses_is_filled_in(
        self, hass: HomeAssistant
    ) -> None:
        assert await async_setup_component(hass, "usb", {})
        ports: list[usb.SerialDevice] = [plain_port()]
        usb.async_register_serial_port_scanner(hass, lambda _hass: ports)
        async with chip(factory_dump()) as one, chip(factory_dump()) as other:
            ports.append(usb_adapter(one.path))
            wizard = await Wizard.open(hass, "flash")
            assert wizard.suggested == {"adapter": one.path}
            await wizard.close()
            ports.append(usb_adapter(other.path))
            wizard = await Wizard.open(hass, "flash")
            assert not wizard.suggested
            await wizard.close()
            with zigbee_stick(hass, one.path):
                wizard = await Wizard.open(hass, "flash")
                assert wizard.suggested == {"adapter": other.path}
                assert await wizard.submit_suggested() == "no_pins_erased"
                await wizard.close()

    async def test_ports_cannot_be_listed(
        self, hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Then nobody is known to use it, and it is tried."""

        def fail() -> None:
            raise OSError("no device manager")

        monkeypatch.setattr("homeassistant.components.usb.scan_serial_ports", fail)
        async with chip(factory_dump()) as socket:
            wizard = await open_port(hass, socket.path)
            assert wizard.page == "no_pins_erased"
            await wizard.close()

    async def test_two_wizards_do_not_share_it(self, hass: HomeAssistant) -> None:
        async with chip(factory_dump()) as socket:
            first = await open_port(hass, socket.path)
            assert first.page == "no_pins_erased"
            second = await Wizard.open(hass, "flash")
            assert await second.submit(adapter=socket.path) == "other_wizard"
            assert await second.choose("take_over") == "port"
            assert (
                len(hass.config_entries.flow.async_progress_by_handler("openbk")) == 1
            )
            assert await second.submit(adapter=socket.path) == "no_pins_erased"


SEEN: Final = {
    "seen_nothing": Fault(name=FaultName.DISCONNECTED),
    "seen_noise": Fault(name=FaultName.NOISE, count=2000),
    "seen_echo": Fault(name=FaultName.ECHO),
    "seen_boot_log": Fault(name=FaultName.BOOT_LOG),
    "seen_other_baud": Fault(
        name=FaultName.REPLY_FLIPPED, command=Command.LINK_CHECK, times=0, count=8
    ),
}


@pytest.mark.slow
@pytest.mark.usefixtures("mqtt_connection")
class TestSearch:
    """What the search says when there is no answer."""

    @pytest.fixture(autouse=True)
    def impatience(self, hass: HomeAssistant) -> None:
        """Search for some seconds only."""
        hass.data[SEARCHING] = Searching(patience=1.4, turn=0.6)

    @walks(
        "intro -> wiring -> search -> seen_…",
        "port -> search",
        "check_wiring -> search",
        "seen_nothing -> *",
        "seen_noise -> *",
        "seen_echo -> *",
        "seen_boot_log -> *",
        "seen_other_baud -> *",
    )
    async def test_says_what_it_saw(self, hass: HomeAssistant) -> None:
        """As often as it sees it; once it is mended, each way leads to the chip."""
        async with chip(factory_dump()) as socket:
            for page, fault in SEEN.items():
                # A chip without power says nothing that would hide the fault.
                powered = page == "seen_other_baud"
                socket.power(on=powered)
                socket.inject(fault)
                wizard = await open_port(hass, socket.path)
                assert wizard.page == "wiring", page
                assert await wizard.submit() == page
                assert wizard.percentages, page
                assert await take(wizard, "check_wiring") == page
                assert await take(wizard, "port") == page
                assert wizard.pages[-3:] == ["port", "search", page]
                socket.clear()
                socket.power(on=True)
                assert await wizard.choose("search") == "no_pins_erased", page
                assert wizard.pages[-3:] == ["search", "backup", "no_pins_erased"]
                await assert_left(hass, wizard, socket.path)

                socket.power(on=powered)
                socket.inject(fault)
                wizard = await open_port(hass, socket.path)
                assert await wizard.submit() == page
                await assert_left(hass, wizard, socket.path)
                socket.clear()

    async def test_what_told_most_is_what_counts(self, hass: HomeAssistant) -> None:
        """The wires come apart after a while; that they touched is still to be told."""
        async with chip(factory_dump()) as socket:
            socket.power(on=False)
            wizard = await open_port(hass, socket.path)
            socket.inject(Fault(name=FaultName.ECHO, seconds=1.0))
            assert await wizard.submit() == "seen_echo"
            await wizard.close()

    async def test_another_port_can_be_chosen(self, hass: HomeAssistant) -> None:
        async with chip(factory_dump()) as deaf, chip(factory_dump()) as socket:
            deaf.inject(Fault(name=FaultName.ECHO))
            wizard = await open_port(hass, deaf.path)
            assert await wizard.submit() == "seen_echo"
            assert await wizard.choose("port") == "port"
            assert wizard.suggested == {"adapter": deaf.path}
            assert await wizard.submit(adapter=socket.path) == "no_pins_erased"
            assert await is_free(deaf.path)


FAILURES: Final = {
    "failed_wrong_chip": Fault(name=FaultName.CHIP_ID, value="00007231"),
    "failed_flash_unreachable": Fault(name=FaultName.FLASH_UNREACHABLE),
    "failed_link_lost": Fault(
        name=FaultName.POWER_LOST, command=Command.READ_4K, nth=5
    ),
    "failed_port_unplugged": Fault(
        name=FaultName.UNPLUGGED, command=Command.READ_4K, nth=5
    ),
}


@pytest.mark.usefixtures("mqtt_connection")
class TestReading:
    """What can go wrong between the link and the backup."""

    async def test_backup_is_on_disk(
        self, hass: HomeAssistant, own_folder: Path
    ) -> None:
        dump = factory_dump()
        async with chip(dump) as socket:
            wizard = await open_port(hass, socket.path)
            assert wizard.page == "no_pins_erased"
            (backup,) = own_folder.glob("*.bin")
            assert backup.read_bytes() == dump
            assert backup.stat().st_mode & 0o777 == 0o600
            assert wizard.placeholders["backup"] == backup.name
            assert wizard.placeholders["mac"] == MAC
            assert wizard.percentages == sorted(wizard.percentages)
            await assert_left(hass, wizard, socket.path)
            assert backup.exists()

    @walks("failed_link_lost -> leave")
    async def test_failure_has_its_page(
        self, hass: HomeAssistant, own_folder: Path
    ) -> None:
        dump = factory_dump()
        async with chip(dump) as socket:
            for page, fault in FAILURES.items():
                socket.inject(fault)
                wizard = await open_port(hass, socket.path)
                assert wizard.page == page
                assert wizard.result["type"] is FlowResultType.MENU, page
                assert not list(own_folder.glob("*.bin")), page
                socket.clear()
                socket.power(on=True)
                assert bytes(socket.flash.read(0, len(dump))) == dump, page
                assert await wizard.choose("leave") == "left_untouched", page

    @walks("backup -> failed_link_lost -> search -> backup -> no_pins_erased")
    async def test_goes_on_after_lost_power(self, hass: HomeAssistant) -> None:
        async with chip(factory_dump()) as socket:
            socket.inject(
                Fault(name=FaultName.POWER_LOST, command=Command.READ_4K, nth=10)
            )
            wizard = await open_port(hass, socket.path)
            assert wizard.page == "failed_link_lost"
            socket.power(on=True)
            assert await wizard.choose("retry") == "no_pins_erased"

    async def test_backup_folder_cannot_be_made(
        self, hass: HomeAssistant, tmp_path: Path
    ) -> None:
        (tmp_path / "openbk").write_text("in the way")
        async with chip(factory_dump()) as socket:
            wizard = await open_port(hass, socket.path)
            assert wizard.page == "failed_folder"
            (tmp_path / "openbk").unlink()
            assert await wizard.choose("retry") == "no_pins_erased"

    async def test_second_reading_uses_the_first(self, hass: HomeAssistant) -> None:
        async with chip(factory_dump()) as socket:
            wizard = await open_port(hass, socket.path)
            await assert_left(hass, wizard, socket.path)
            socket.inject(Fault(name=FaultName.HANG, command=Command.READ_4K, nth=4))
            again = await open_port(hass, socket.path)
            assert again.page == "no_pins_erased"

    @walks("backup -> found_blank -> pins -> no_pins_erased")
    async def test_blank_chip(self, hass: HomeAssistant) -> None:
        blank = dumps.put(b"\xff" * 0x200000, dumps.RF_START, dumps.rf_sector())
        blank = dumps.put(blank, 0, packer.bootloader())
        async with chip(blank) as socket:
            wizard = await open_port(hass, socket.path)
            assert wizard.page == "found_blank"
            assert await wizard.choose("pins") == "no_pins_erased"

    async def test_openbeken_is_there(self, hass: HomeAssistant) -> None:
        async with chip(dumps.chip(packer.openbeken_code())) as socket:
            wizard = await open_port(hass, socket.path)
            assert wizard.page == "found_openbeken"
            assert (await wizard.choose("pins")).startswith("no_pins")
