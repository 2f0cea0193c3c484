"""What pages say that depends on a chip or a file: each case has its own sentence, or none."""

from dataclasses import replace

from homeassistant.const import CONF_PASSWORD
import pytest

from custom_components.openbk.flows.checks import console_error
from custom_components.openbk.flows.forms import BROKER_LOGIN, WIFI
from custom_components.openbk.flows.tuning_form import proposal_text, tune_schema
from custom_components.openbk.flows.wizard import kept
from custom_components.openbk.flows.wizard.failures import (
    firmware_error,
    reason_for_no_pins,
)
from custom_components.openbk.flows.wizard.session import WizardSession
from custom_components.openbk.issues.unfinished import UnfinishedSocket
from custom_components.openbk.pyopenbk.backups import Contents
from custom_components.openbk.pyopenbk.beken.application import Firmware
from custom_components.openbk.pyopenbk.devices import KNOWN_DEVICES
from custom_components.openbk.pyopenbk.flashing import Analysis
from custom_components.openbk.pyopenbk.obk.addresses import AddressError
from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector
from custom_components.openbk.pyopenbk.obk.console import ConsoleError, UnreachableError
from custom_components.openbk.pyopenbk.obk.flags import Flag
from custom_components.openbk.pyopenbk.obk.image import WrongChipError
from custom_components.openbk.pyopenbk.obk.setup import SocketSettings, WifiNetwork
from custom_components.openbk.pyopenbk.obk.startup import Obstacle, Part
from custom_components.openbk.pyopenbk.obk.takeover import Kept, Takeover
from custom_components.openbk.pyopenbk.obk.tuning import Proposal
from custom_components.openbk.pyopenbk.tuya.reader import NoPinDataError
from custom_components.openbk.pyopenbk.tuya.storage import ProblemKind, StorageProblem

BLOW = KNOWN_DEVICES["blow_72_074"].profile
MAC = "c8:47:8c:00:00:01"
RUNNING = ConfigSector(
    mac=bytes.fromhex(MAC.replace(":", "")),
    wifi_ssid="Cellar",
    wifi_password="of the cellar",
    mqtt_host="192.168.1.10",
    mqtt_client_id="kettle",
    mqtt_username="sockets",
    mqtt_password="of sockets",
)


def word(selector: str, option: str) -> str:
    """Stand for a translation by its key."""
    return f"[{selector} {option}]"


def test_what_a_socket_loses_is_said_and_nothing_else() -> None:
    everything = Takeover(
        config=ConfigSector(static_ip=bytes((192, 168, 1, 20)) + bytes(12)),
        kept=(Kept.FLAGS, Kept.STATIC_ADDRESS),
        cleared=(Flag.IGNORE_BUTTONS,),
        lost_factors=True,
        lost_command=True,
        left_out={Part.CLOCK: Obstacle.USED},
    )
    text = kept.markdown(everything, word)
    assert "- [kept static_address]: 192.168.1.20" in text
    assert "- [kept flags]" in text
    for sentence in ("cleared", "lost_factors", "lost_command"):
        assert f"[takeover {sentence}]" in text
    assert "[startup_part clock]: [startup_obstacle used]" in text
    assert kept.markdown(Takeover(config=ConfigSector()), word) == ""


def test_other_firmware_for_another_chip_is_no_openbeken_first() -> None:
    other = next(kind for kind in Firmware if kind is not Firmware.OPENBEKEN)
    assert firmware_error(WrongChipError("BK7231T", other)) == "firmware_not_openbeken"
    assert firmware_error(WrongChipError("BK7231T")) == "firmware_wrong_chip"


def test_a_list_of_pins_in_a_damaged_store_is_no_missing_one() -> None:
    damage = [StorageProblem(kind=ProblemKind.DAMAGED_SECTOR)]
    assert reason_for_no_pins(NoPinDataError(damage)) == "no_pins_damaged"
    assert reason_for_no_pins(NoPinDataError([])) == "no_pins_not_found"


def running(config: ConfigSector, mac: str = MAC) -> WizardSession:
    """Return the session of a chip that runs OpenBeken."""
    return WizardSession(
        analysis=Analysis(
            build_chip=None,
            state=Contents.OPENBEKEN,
            pins=None,
            why_no_pins=None,
            mac=mac,
            mac_is_generic=False,
            obstacle=None,
            config=config,
            version=None,
            damaged_at=None,
            wifi=None,
            unfinished=None,
        )
    )


@pytest.mark.parametrize(
    ("mac", "client_id"), [(MAC, "kettle"), ("c8:47:8c:00:00:02", "")]
)
def test_a_topic_that_came_with_a_copied_configuration_stays_with_its_socket(
    mac: str, client_id: str
) -> None:
    session = running(RUNNING, mac)
    session.take_settings_of_chip()
    assert session.settings.client_id == client_id
    assert session.settings.wifi.ssid == "Cellar"


def test_a_password_is_kept_only_for_the_network_and_login_that_it_is_of() -> None:
    session = running(RUNNING)
    chosen = replace(SocketSettings.of(RUNNING), wifi=WifiNetwork(ssid="Attic"))
    session.take_up(UnfinishedSocket(profile=BLOW, settings=chosen, release=None))
    assert session.settings.wifi.ssid == "Attic"
    assert not session.passwords.knows(WIFI, CONF_PASSWORD)
    assert session.passwords.knows(BROKER_LOGIN, CONF_PASSWORD)


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (AddressError("nowhere"), "socket_address_invalid"),
        (UnreachableError("silent"), "socket_unreachable"),
        (ConsoleError("a fridge"), "socket_not_openbeken"),
    ],
)
def test_why_a_socket_could_not_be_asked(error: ConsoleError, key: str) -> None:
    assert console_error(error) == key


def test_a_proposal_may_have_nothing_to_tick() -> None:
    """What is left alone is told, and no commands where none are sent."""
    assert tune_schema(()).schema == {}
    alone = Proposal(left_out={Part.CLOCK: Obstacle.USED})
    text = proposal_text(alone, word)
    assert "[startup_part clock]" in text
    assert "details" not in text
