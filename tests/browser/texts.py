"""Every page that only tells something, in every language: as it would look on a phone.

How a person gets to these pages is held by the tests of the wizard; here they are only shown.
"""

from collections.abc import Iterator
from typing import Any, Final

from custom_components.openbk.const import DOMAIN
from custom_components.openbk.flows import pin_form
from custom_components.openbk.flows.pictures import wifi_code
from custom_components.openbk.pyopenbk.devices import KNOWN_DEVICES

from .conftest import Scene
from .dialog import LANGUAGES

# As long as they get.
_VALUES: Final = {
    "added": "Washing machine in the cellar",
    "address": "192.168.178.123",
    "access_point": "OpenBK7231N_E4720741",
    "access_point_code": wifi_code("OpenBK7231N_E4720741"),
    "backup": "bk7231n_020be4720741_20261122T211953Z.bin",
    "backup_folder": "/config/openbk/backups",
    "broker": "homeassistant.fritz.box:1883",
    "build": "OpenBK7231N 1.18.300 Nov 22 2026 16:44:43",
    "came_in": "V:BK7231S_1.0.5 CPSR:000000D3 R0:6E7FFBF8 R1:77CFDBBB R2:BFEFFFFB",
    "chosen_backup": "bk7231n_020be4720741_20261122T211953Z.bin",
    "chosen_date": "2026-11-22 21:19",
    "chosen_mac": "02:0b:e4:72:07:41",
    "chosen_notes": "",
    "client_id": "obkE4720741",
    "differences": "- Wi-Fi name",
    "expected_mac": "02:0b:e4:72:07:42",
    "firmware": "1.18.300",
    "firmware_notes": "",
    "known_wifi": "A name of thirty-two characters",
    "mac": "02:0b:e4:72:07:41",
    "module": "CB2S",
    "name": "Washing machine in the cellar",
    "new_broker": "homeassistant.fritz.box:1883",
    "new_login": "sockets",
    "notes": "",
    "old_broker": "192.168.178.20:1883",
    "old_login": "sockets",
    "own_topic": "obkE4720741",
    "owner": "Sonoff Zigbee 3.0 USB Dongle Plus",
    "port": "/dev/serial/by-id/usb-1a86_USB_Serial-if00-port0",
    "problem": "a relay is missing",
    "radio_mac": "02:0b:e4:72:07:41",
    "radio_notes": "",
    "seen_at": "192.168.178.123",
    "seen_broker": "192.168.178.20:1883",
    "takeover": "",
    "twin": "Washing machine in the cellar",
    "twin_topic": "obkE4720741",
    "version": "1.15.361",
    "wifi": "A name of thirty-two characters / The other one",
}


async def look_at_all_that_only_tell(scene: Scene) -> None:
    """Show each page without questions, in each language."""
    for language in LANGUAGES:
        await scene.client.command("config/core/update", language=language)
        dialog = await scene.speak(language)
        await dialog.open()
        await dialog.choose("flash")
        await dialog.shows("intro")
        # Pictures, and what is said of a chip that nothing was done to.
        real = (await dialog.step())["description_placeholders"]
        values = real | _VALUES | _words(language)
        pages = {
            f"{name}-{language}": page | {"description_placeholders": values}
            for name, page in _pages()
        }
        await scene.looks.leaf_through(dialog, pages)
        await dialog.close()


def _words(language: str) -> dict[str, str]:
    selectors = LANGUAGES[language]["selector"]

    def word(selector: str, option: str) -> str:
        text: str = selectors[selector]["options"][option]
        return text

    profile = next(iter(KNOWN_DEVICES.values())).profile
    return {
        "backup_kept": f"{word('backup', 'kept')} {_VALUES['backup']}",
        "pins": pin_form.table(profile, word),
        "pins_from": word("pins_from", "application"),
        "socket": pin_form.summary(profile, word),
        "chosen_contents": word("contents", "factory"),
        "cause": word("silence", "not_connected"),
        "known_wifi_password": word("known_wifi", "password"),
    }


def _pages() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a name, and what Home Assistant would send for each menu, progress, end, and form without fields."""
    texts = LANGUAGES["en"]["config"]
    for name, step in texts["step"].items():
        page = {"flow_id": "", "handler": DOMAIN, "step_id": name}
        if name in texts["progress"]:
            yield name, page | {"type": "progress", "progress_action": name}
        elif "menu_options" in step:
            menu = {"type": "menu", "menu_options": list(step["menu_options"])}
            yield name, page | menu
        elif not {"data", "sections"} & step.keys():
            yield name, page | {"type": "form", "data_schema": [], "errors": {}}
    for reason in texts["abort"]:
        ending = {"flow_id": "", "handler": DOMAIN, "type": "abort", "reason": reason}
        yield f"abort-{reason}", ending
