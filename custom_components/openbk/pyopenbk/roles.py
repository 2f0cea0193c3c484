"""OpenBeken's pin roles: their numbers in the configuration and their names in commands."""

from enum import IntEnum
from typing import Final, Self


class PinRole(IntEnum):
    """What a pin does; the value is the number that the configuration stores.

    Numbers and names as GET /api/pins lists them (OpenBeken 1.18.300). Roles up to 77 are the same
    since 1.17.360; newer ones were only ever appended.
    """

    firmware_name: str
    """The name that SetPinRole and templates use."""

    def __new__(cls, number: int, firmware_name: str) -> Self:
        """Make a role out of its number and the firmware's name for it."""
        role = int.__new__(cls, number)
        role._value_ = number
        role.firmware_name = firmware_name
        return role

    NONE = 0, "None"
    REL = 1, "Rel"
    REL_N = 2, "Rel_n"
    BTN = 3, "Btn"
    BTN_N = 4, "Btn_n"
    LED = 5, "LED"
    LED_N = 6, "LED_n"
    PWM = 7, "PWM"
    WIFI_LED = 8, "WifiLED"
    WIFI_LED_N = 9, "WifiLED_n"
    BTN_TGL_ALL = 10, "Btn_Tgl_All"
    BTN_TGL_ALL_N = 11, "Btn_Tgl_All_n"
    D_INPUT = 12, "dInput"
    D_INPUT_N = 13, "dInput_n"
    TGL_CHAN_ON_TGL = 14, "TglChanOnTgl"
    D_INPUT_NO_PULL_UP = 15, "dInput_NoPullUp"
    D_INPUT_NO_PULL_UP_N = 16, "dInput_NoPullUp_n"
    BL0937SEL = 17, "BL0937SEL"
    BL0937CF = 18, "BL0937CF"
    BL0937CF1 = 19, "BL0937CF1"
    ADC = 20, "ADC"
    SM2135_DAT = 21, "SM2135DAT"
    SM2135_CLK = 22, "SM2135CLK"
    BP5758D_DAT = 23, "BP5758D_DAT"
    BP5758D_CLK = 24, "BP5758D_CLK"
    BP1658CJ_DAT = 25, "BP1658CJ_DAT"
    BP1658CJ_CLK = 26, "BP1658CJ_CLK"
    PWM_N = 27, "PWM_n"
    IR_RECV = 28, "IRRecv"
    IR_SEND = 29, "IRSend"
    BTN_NEXT_COLOR = 30, "Btn_NextColor"
    BTN_NEXT_COLOR_N = 31, "Btn_NextColor_n"
    BTN_NEXT_DIMMER = 32, "Btn_NextDimmer"
    BTN_NEXT_DIMMER_N = 33, "Btn_NextDimmer_n"
    ALWAYS_HIGH = 34, "AlwaysHigh"
    ALWAYS_LOW = 35, "AlwaysLow"
    UCS1912_DIN = 36, "UCS1912_DIN"
    SM16703P_DIN = 37, "SM16703P_DIN"
    BTN_NEXT_TEMPERATURE = 38, "Btn_NextTemperature"
    BTN_NEXT_TEMPERATURE_N = 39, "Btn_NextTemperature_n"
    BTN_SCRIPT_ONLY = 40, "Btn_ScriptOnly"
    BTN_SCRIPT_ONLY_N = 41, "Btn_ScriptOnly_n"
    DHT11 = 42, "DHT11"
    DHT12 = 43, "DHT12"
    DHT21 = 44, "DHT21"
    DHT22 = 45, "DHT22"
    CHT83XX_SDA = 46, "CHT83XX_SDA"
    CHT83XX_SCK = 47, "CHT83XX_SCK"
    SHT3X_SDA = 48, "SHT3X_SDA"
    SHT3X_SCK = 49, "SHT3X_SCK"
    SOFT_SDA = 50, "SoftSDA"
    SOFT_SCL = 51, "SoftSCL"
    SM2235_DAT = 52, "SM2235DAT"
    SM2235_CLK = 53, "SM2235CLK"
    BRIDGE_FWD = 54, "BridgeFWD"
    BRIDGE_REV = 55, "BridgeREV"
    BTN_SMART_LED = 56, "Btn_SmartLED"
    BTN_SMART_LED_N = 57, "Btn_SmartLED_n"
    DOOR_SNSR_W_SLEEP = 58, "DoorSnsrWSleep"
    DOOR_SNSR_W_SLEEP_N_PUP = 59, "DoorSnsrWSleep_nPup"
    BAT_ADC = 60, "BAT_ADC"
    BAT_RELAY = 61, "BAT_Relay"
    TM1637_DIO = 62, "TM1637_DIO"
    TM1637_CLK = 63, "TM1637_CLK"
    BL0937SEL_N = 64, "BL0937SEL_n"
    DOOR_SNSR_W_SLEEP_PD = 65, "DoorSnsrWSleep_pd"
    SGP_CLK = 66, "SGP_CLK"
    SGP_DAT = 67, "SGP_DAT"
    ADC_BUTTON = 68, "ADC_Button"
    GN6932_CLK = 69, "GN6932_CLK"
    GN6932_DAT = 70, "GN6932_DAT"
    GN6932_STB = 71, "GN6932_STB"
    TM1638_CLK = 72, "TM1638_CLK"
    TM1638_DAT = 73, "TM1638_DAT"
    TM1638_STB = 74, "TM1638_STB"
    BAT_RELAY_N = 75, "BAT_Relay_n"
    KP18058_CLK = 76, "KP18058_CLK"
    KP18058_DAT = 77, "KP18058_DAT"
    DS1820_IO = 78, "DS1820_IO"
    PWM_SCRIPT_ONLY = 79, "PWM_ScriptOnly"
    PWM_SCRIPT_ONLY_N = 80, "PWM_ScriptOnly_n"
    COUNTER_F = 81, "Counter_f"
    COUNTER_R = 82, "Counter_r"
    IR_RECV_N_PUP = 83, "IRRecv_nPup"
    STRIP_STATE = 84, "StripState"
    STRIP_STATE_N = 85, "StripState_n"
    HLW_8112_SCSN = 86, "HLW_8112_SCSN"
    RC_RECV = 87, "RCRecv"
    RC_RECV_N_PUP = 88, "RCRecv_nPup"
    BTN_PD = 89, "Btn_pd"
    BTN_PD_N = 90, "Btn_pd_n"
    TGL_CHAN_ON_TGL_PD = 91, "TglChanOnTgl_pd"
    SHUTTER_A = 92, "ShutterA"
    SHUTTER_B = 93, "ShutterB"
    BTN_SHUTTER_UP = 94, "BtnShutterUp"
    BTN_SHUTTER_DOWN = 95, "BtnShutterDown"
    BL0939_SCLK = 96, "BL0939_SCLK"
    BL0939_MOSI = 97, "BL0939_MOSI"
    BL0939_MISO = 98, "BL0939_MISO"

    @property
    def has_channel(self) -> bool:
        """Return whether the role acts on a channel."""
        return self not in _WITHOUT_CHANNEL


RELAY_ROLES: Final = frozenset({PinRole.REL, PinRole.REL_N})
# A relay with two coils keeps its state without power; a pulse on one pin closes it, on the other
# opens it. The firmware switches its channel as any other relay's (new_pins.c, 1.18.300).
BRIDGE_ROLES: Final = frozenset({PinRole.BRIDGE_FWD, PinRole.BRIDGE_REV})
SWITCHING_ROLES: Final = RELAY_ROLES | BRIDGE_ROLES
BUTTON_ROLES: Final = frozenset(
    {
        PinRole.BTN,
        PinRole.BTN_N,
        PinRole.BTN_PD,
        PinRole.BTN_PD_N,
        PinRole.BTN_SCRIPT_ONLY,
        PinRole.BTN_SCRIPT_ONLY_N,
        PinRole.BTN_TGL_ALL,
        PinRole.BTN_TGL_ALL_N,
    }
)
# Inputs set their channel to the level that they read, those with _n to the other one.
INPUT_ROLES: Final = frozenset(
    {
        PinRole.D_INPUT,
        PinRole.D_INPUT_N,
        PinRole.D_INPUT_NO_PULL_UP,
        PinRole.D_INPUT_NO_PULL_UP_N,
    }
)
# The terminal of a wall switch: each move of it toggles the channel.
TOGGLE_ROLES: Final = frozenset({PinRole.TGL_CHAN_ON_TGL, PinRole.TGL_CHAN_ON_TGL_PD})
LED_ROLES: Final = frozenset({PinRole.LED, PinRole.LED_N})
WIFI_LED_ROLES: Final = frozenset({PinRole.WIFI_LED, PinRole.WIFI_LED_N})
METER_SELECT_ROLES: Final = frozenset({PinRole.BL0937SEL, PinRole.BL0937SEL_N})
METER_ROLES: Final = METER_SELECT_ROLES | {PinRole.BL0937CF, PinRole.BL0937CF1}

_WITHOUT_CHANNEL: Final = (
    METER_ROLES
    | WIFI_LED_ROLES
    | {
        PinRole.NONE,
        PinRole.BTN_TGL_ALL,
        PinRole.BTN_TGL_ALL_N,
        PinRole.ALWAYS_HIGH,
        PinRole.ALWAYS_LOW,
    }
)


def role_from_name(name: str) -> PinRole | None:
    """Return the role that a command or template names, or None where no role has that name.

    Case and surrounding blanks do not count: templates write WiFILED_n, "WifiLED_n " and WifiLED_n.
    """
    return _BY_NAME.get(name.strip().casefold())


_BY_NAME: Final = {role.firmware_name.casefold(): role for role in PinRole}
