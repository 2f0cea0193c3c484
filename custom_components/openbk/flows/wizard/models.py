"""Models whose pins are known, for sockets whose own data are gone."""

from collections.abc import Mapping
from typing import Final

from ...pyopenbk.profile import SocketProfile
from . import pin_form

MODULE: Final = "CB2S"

# Name and pins: the BLOW from its factory data, the others as the device list of OpenBeken's web
# application has them (version 0.1), with channel 0, which other topics reach, moved to 1.
MODELS: Final[Mapping[str, tuple[str, str]]] = {
    "blow_72_074": (
        "BLOW 72-074",
        "P6 BL0937CF1; P7 BL0937CF; P8 WifiLED_n; P10 LED_n 1; P11 Btn 1; P24 BL0937SEL; P26 Rel 1",
    ),
    "aessy_bsd69": (
        "AESSY BSD69+",
        "P6 BL0937CF1; P7 BL0937CF; P8 WifiLED; P10 Btn 1; P23 LED 1; P24 BL0937SEL; P26 Rel 1",
    ),
    "akai_1430": (
        "Akai 1430",
        "P6 Btn 1; P7 WifiLED_n; P8 Rel 1; P10 BL0937SEL; P24 BL0937CF; P26 BL0937CF1",
    ),
    "alpina_spl_w_ty_pm_eu_ry": (
        "Alpina SPL-W-TY-PM-EU-RY",
        "P6 LED 1; P7 Btn 1; P8 Rel 1; P10 WifiLED_n; P11 BL0937SEL; P24 BL0937CF; P26 BL0937CF1",
    ),
    "antela_f1s202_eu": (
        "ANTELA F1s202-EU",
        "P6 BL0937CF1; P7 BL0937CF; P8 WifiLED_n; P10 Btn 1; P24 BL0937SEL; P26 Rel 1",
    ),
    "arlec_pc191": (
        "Arlec PC191",
        "P6 BL0937SEL; P7 BL0937CF1; P8 BL0937CF; P10 Btn 1; P24 Rel 1; P26 WifiLED",
    ),
    "arlec_pc191bkha": (
        "Arlec PC191BKHA",
        "P6 BL0937CF1; P7 BL0937CF; P8 Rel 1; P10 WifiLED_n; P11 Btn 1; P24 BL0937SEL; P26 LED 1",
    ),
    "avatto_n_wot10_eu_w": (
        "Avatto N-WOT10-EU-W",
        "P6 Btn 1; P7 Rel 1; P8 BL0937SEL; P10 WifiLED_n; P23 LED_n 1; P24 BL0937CF; P26 BL0937CF1",
    ),
    "basilus_ba_tom16a": (
        "BASILUS BA-TOM16A",
        "P6 BL0937CF1; P7 BL0937CF; P8 WifiLED; P10 Btn 1; P23 LED_n 1; P24 BL0937SEL; P26 Rel 1",
    ),
    "calex_5201000300": (
        "Calex 5201000300",
        "P6 LED 1; P7 Btn 1; P8 Rel 1; P10 WifiLED_n; P11 BL0937SEL; P24 BL0937CF1; P26 BL0937CF",
    ),
    "camelion_bns_sh_1": (
        "Camelion BNS/SH-1",
        "P6 BL0937SEL; P7 BL0937CF1; P8 BL0937CF; P10 Btn 1; P24 Rel 1; P26 WifiLED_n",
    ),
    "elivco_rmc004": (
        "Elivco RMC004",
        "P6 BL0937CF1; P7 BL0937CF; P8 LED_n 1; P10 Btn 1; P24 BL0937SEL; P26 Rel 1",
    ),
    "hama_00176575": (
        "Hama 00176575",
        "P6 BL0937CF1; P7 BL0937CF; P8 WifiLED_n; P10 Btn 1; P24 BL0937SEL; P26 Rel 1",
    ),
    "immax_neo_lite_07762l": (
        "IMMAX NEO LITE 07762L",
        "P6 BL0937SEL; P7 BL0937CF1; P8 BL0937CF; P10 Btn 1; P24 Rel 1; P26 WifiLED_n",
    ),
    "lsc_action_3202087": (
        "LSC Action 3202087",
        "P6 LED 1; P7 Btn 1; P8 Rel 1; P10 WifiLED_n; P11 BL0937SEL; P24 BL0937CF1; P26 BL0937CF",
    ),
    "mirabella_i004526": (
        "Mirabella I004526",
        "P6 BL0937CF1; P7 BL0937CF; P8 LED_n 1; P10 Btn 1; P24 BL0937SEL; P26 Rel 1",
    ),
    "nedis_wifipo120fwt": (
        "Nedis WIFIPO120FWT",
        "P6 BL0937CF1; P7 BL0937CF; P8 LED 1; P10 Btn 1; P24 BL0937SEL; P26 Rel 1",
    ),
    "silvergear_3750": (
        "SILVERGEAR 3750",
        "P6 BL0937CF; P7 BL0937CF1; P8 BL0937SEL; P10 WifiLED_n; P24 Rel 1; P26 Btn 1",
    ),
    "teslasmart_tsl_spl_1": (
        "TeslaSmart TSL-SPL-1",
        "P6 BL0937CF1; P7 BL0937CF; P8 LED_n 1; P10 Btn 1; P24 BL0937SEL; P26 Rel 1",
    ),
    "topgreener_tgwf115pqm": (
        "TOPGREENER TGWF115PQM",
        "P6 BL0937CF1; P7 BL0937CF; P8 WifiLED_n; P10 Btn 1; P24 BL0937SEL; P26 Rel 1",
    ),
    "tuya_csh_plgpm_001": (
        "Tuya CSH-PLGPM-001",
        "P6 BL0937CF1; P7 BL0937CF; P8 WifiLED_n; P10 Btn 1; P24 BL0937SEL; P26 Rel 1",
    ),
    "tuya_fl_s181_two_sockets": (
        "Tuya FL-S181 (two sockets)",
        "P6 BL0937CF; P7 BL0937CF1; P8 Rel 2; P11 Btn 1; P23 BL0937SEL; P24 Rel 1; P26 Btn 2",
    ),
    "tuya_rmc021": (
        "Tuya RMC021",
        "P6 BL0937CF1; P7 BL0937CF; P8 WifiLED_n; P10 Btn 1; P24 BL0937SEL; P26 Rel 1",
    ),
    "tuya_wh_au_me": (
        "Tuya WH_AU_ME",
        "P6 BL0937CF1; P7 BL0937CF; P8 WifiLED_n; P11 Btn 1; P24 BL0937SEL; P26 Rel 1",
    ),
    "woox_r6113": (
        "WOOX R6113",
        "P6 LED 1; P7 Btn 1; P8 Rel 1; P11 BL0937SEL; P24 BL0937CF1; P26 BL0937CF",
    ),
}


def profile_of(model: str) -> SocketProfile:
    """Return the pins of a model; raises KeyError for an unknown one."""
    _, pins = MODELS[model]
    return SocketProfile.of(pin_form.read_lines(pins.replace("; ", "\n")), MODULE)
