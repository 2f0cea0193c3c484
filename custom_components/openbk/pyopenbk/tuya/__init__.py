"""Factory dumps of Tuya sockets: the store, its parameters, the pins."""

from .dump import TuyaStorageError
from .pins import PinReading, PinSource, profile_from_user_params
from .reader import PinDataError, read_pins
from .storage import TuyaStorage, parse_storage
from .user_params import UserParamsError, parse_user_params

__all__ = [
    "PinDataError",
    "PinReading",
    "PinSource",
    "TuyaStorage",
    "TuyaStorageError",
    "UserParamsError",
    "parse_storage",
    "parse_user_params",
    "profile_from_user_params",
    "read_pins",
]
