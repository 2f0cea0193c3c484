"""The regions of the chip that the tests work on, a BK7231N."""

from custom_components.openbk.pyopenbk.beken.chips import BK7231N
from custom_components.openbk.pyopenbk.beken.flash_map import Region

FLASH_SIZE = BK7231N.flash.size
BOOTLOADER = BK7231N.flash.bootloader
APPLICATION = BK7231N.flash.application
OTA = BK7231N.flash.ota
RF_CALIBRATION = BK7231N.flash.rf_calibration
OPENBEKEN_CONFIG = BK7231N.flash.openbeken_config
TUYA_STORAGE = BK7231N.flash.tuya_storage
# Where OpenBeken keeps its flash variables there; nothing in the integration asks.
OPENBEKEN_VARIABLES = Region("openbeken_variables", 0x1E5000, 0x1ED000)

FLASH_JOB = BK7231N.flash.flash_job
RESTORE_KEEPING_RF = BK7231N.flash.restore_keeping(RF_CALIBRATION)
RESTORE_OF_OWN_BACKUP = BK7231N.flash.restore_of_own_backup
