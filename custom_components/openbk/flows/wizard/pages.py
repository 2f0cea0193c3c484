"""The pages that only tell something and offer what to do next."""

from collections.abc import Mapping
from typing import Final

from .. import road

_TRY: Final = ("retry", "check_wiring", "port", "leave")
_STORAGE: Final = ("retry", "leave")
_HOPELESS: Final = ("check_wiring", "leave")
_NOT_THIS_CHIP: Final = ("retry", "leave")
_FROM_BACKUP: Final = ("restore_instead", "leave")
_OTHER_BACKUP: Final = ("restore_other", "leave")

# What happens, is seen or is found, and what each page offers.
PAGES: Final[Mapping[str, tuple[str, ...]]] = {
    **road.PAGES,
    "failed_unexpected": ("retry", "leave"),
    "failed_unexpected_writing": ("retry", "leave"),
    "failed_link_lost": _TRY,
    "failed_link_lost_writing": _TRY,
    "failed_baud_rate": _TRY,
    "failed_garbled": _TRY,
    "failed_garbled_writing": _TRY,
    "failed_crc": _TRY,
    "failed_crc_writing": _TRY,
    **dict.fromkeys(
        (
            "failed_port_missing",
            "failed_port_missing_writing",
            "failed_port_busy",
            "failed_port_permission",
            "failed_port_unplugged",
            "failed_port_unplugged_writing",
            "failed_port_unreachable",
            "failed_port_closed",
            "failed_port_not_ready",
            "failed_port_unsupported",
        ),
        ("retry", "port", "leave"),
    ),
    "failed_wrong_chip": _NOT_THIS_CHIP,
    "failed_wrong_size": _NOT_THIS_CHIP,
    "failed_flash_unreachable": _HOPELESS,
    "failed_flash_unreachable_writing": _HOPELESS,
    "failed_protected": _STORAGE,
    "failed_disk_full": _STORAGE,
    "failed_folder": _STORAGE,
    "failed_backup_storage": _STORAGE,
    "failed_erased": _FROM_BACKUP,
    "failed_rf_elsewhere": _NOT_THIS_CHIP,
    "failed_radio": _TRY,
    "failed_bootloader": _FROM_BACKUP,
    "failed_foreign_key": _NOT_THIS_CHIP,
    "failed_chip_changed": ("retry", "leave"),
    "failed_region_changed": ("retry", "leave"),
    "failed_backup_unfit": _OTHER_BACKUP,
    "failed_settings": ("change_settings", "pins", "leave"),
    **dict.fromkeys(
        ("seen_nothing", "seen_noise", "seen_other_baud", "seen_echo", "seen_boot_log"),
        ("search", "check_wiring", "port", "leave"),
    ),
    **dict.fromkeys(
        (
            "found_half_written",
            "found_openbeken",
            "found_other_build",
            "found_blank",
            "found_unknown",
        ),
        ("pins", "leave"),
    ),
    **dict.fromkeys(
        (
            "pins_other",
            "pins_incomplete",
            "no_pins_erased",
            "no_pins_openbeken",
            "no_pins_not_found",
            "no_pins_damaged",
            "no_pins_mcu",
            "no_pins_light",
        ),
        ("pins_known", "pins_paste", "pins_upload", "pins_edit", "leave"),
    ),
    **dict.fromkeys(
        ("waiting_nothing", "waiting_silent", "waiting_network_only"),
        ("wait", "access_point", "change_settings", "read_back", "leave"),
    ),
    "arrived_otherwise": ("add_anyway", "change_settings", "read_back", "leave"),
    "radio_missing": ("radio_repair", "leave"),
    **dict.fromkeys(
        ("radio_generic", "radio_generic_taken"),
        ("radio_repair", "radio_keep", "leave"),
    ),
    "resume_restore": ("restore_go_on", "restore_other", "flash_instead", "leave"),
    "restore_twin": ("restore_own_topic", "restore_as_it_is", "restore_other", "leave"),
    "read_back_same": ("reassemble", "change_settings", "leave"),
    **dict.fromkeys(
        ("read_back_application", "read_back_settings"),
        ("rewrite", "change_settings", "leave"),
    ),
    **dict.fromkeys(("mqtt_missing", "mqtt_disconnected"), ("flash", "leave")),
    "other_wizard": ("take_over", "leave"),
    "other_chip": ("retry", "leave"),
}
